// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** {@code docs/tasks.md} quotes every message of this backend, and each is one that was thrown. */
class DocumentedMessagesTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "tasks.md");
  private static final Pattern ROW = Pattern.compile("^\\| `(.+?)` \\|", Pattern.MULTILINE);
  private static final RecordKey FIRST = new RecordKey("p", "first");
  private static final RecordKey SECOND = new RecordKey("p", "other");

  private final TreeSet<String> messages = new TreeSet<>();

  private void thrown(Runnable call) {
    try {
      call.run();
    } catch (IllegalArgumentException e) {
      messages.add(e.getMessage());
      return;
    } catch (StorageException e) {
      // The operation and the key come first, in the words of the SPI.
      String prefix = e.operation() + e.key().map(key -> " of " + key).orElse("") + ": ";
      assertThat(e).hasMessageStartingWith(prefix);
      messages.add(e.getMessage().substring(prefix.length()));
      return;
    }
    throw new AssertionError("nothing was thrown");
  }

  private static void put(StorageBackend backend, RecordKey key, int size) {
    backend.putIfVersion(
        key, new RecordValue(Bytes.copyOf(new byte[size]), true, null, "w"), StorageBackend.ABSENT);
  }

  @Test
  void document_quotesEveryMessage_andNoOther() throws IOException {
    thrown(() -> MemoryStorageBackend.builder().maxRecords(0));
    thrown(() -> MemoryStorageBackend.builder().maxBytes(1_000).build());
    try (MemoryStorageBackend full = MemoryStorageBackend.builder().maxRecords(1).build()) {
      put(full, FIRST, 1);
      thrown(() -> put(full, SECOND, 1));
    }
    MemoryStorageBackend small =
        MemoryStorageBackend.builder().maxDataBytes(2_000).maxBytes(6_000).build();
    put(small, FIRST, 2_000);
    put(small, new RecordKey("p", "third"), 1_572);
    thrown(() -> put(small, SECOND, 2_001));
    thrown(() -> put(small, SECOND, 0));
    small.close();
    thrown(() -> small.get(FIRST));

    String document = Files.readString(DOCUMENT, StandardCharsets.UTF_8);
    String section = document.substring(document.indexOf("## Messages of the memory backend"));
    TreeSet<String> documented = new TreeSet<>();
    Matcher row = ROW.matcher(section);
    while (row.find()) {
      documented.add(row.group(1));
    }
    assertThat(documented).isEqualTo(messages);
  }
}
