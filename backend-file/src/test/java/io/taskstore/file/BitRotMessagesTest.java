// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.RecoveryStore.KEY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said about a directory that cannot be used, and about a record that cannot be read. */
final class BitRotMessagesTest {
  private static final String ID = "00000000-0000-4000-8000-000000000009";

  @TempDir private Path directory;
  private RecoveryStore store = new RecoveryStore(Path.of("."));
  private final RecoveryLog log = new RecoveryLog();

  @BeforeEach
  void choose() {
    store = new RecoveryStore(directory.resolve("store"));
  }

  @AfterEach
  void stopLogging() {
    log.close();
  }

  private void assertRefused(String reason) {
    assertThatThrownBy(() -> FileStorageBackend.open(store.root()))
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessage("open: the directory " + store.root() + " cannot be used: " + reason);
  }

  @Test
  void open_file_saysThatItIsNoDirectory() throws IOException {
    Files.writeString(store.root(), "hello");

    assertRefused("it is not a directory; choose another path");
    assertThat(store.root()).hasContent("hello");
  }

  @Test
  void open_otherFiles_saysSoAndAddsNothing() throws IOException {
    Files.createDirectory(store.root());
    Files.writeString(store.root().resolve("thesis.txt"), "hello");

    assertRefused("it has other files and no format.json; choose an empty or a new one");
    assertThat(store.root().toFile().list()).containsExactly("thesis.txt");
  }

  /** Does something while another thread has a lock of the store. */
  private void whileLocked(int index, ThrowingCallable work) throws Throwable {
    StoreLocks locks = StoreLocks.open(store.root().resolve("locks"));
    ExecutorService other = Executors.newSingleThreadExecutor();
    try {
      StoreLocks.Held held = Objects.requireNonNull(other.submit(() -> locks.tryLock(index)).get());
      work.call();
      other
          .submit(
              () -> {
                held.close();
                return null;
              })
          .get();
    } finally {
      other.shutdownNow();
      locks.release();
    }
  }

  @Test
  void open_somebodyElseIsOpeningIt_saysSoAndMayBeTriedAgain() throws Throwable {
    store.write(KEY, 1);
    FileStorageBackend.Builder builder =
        FileStorageBackend.builder(store.root()).lockTimeout(Duration.ofMillis(50));

    whileLocked(
        StoreLocks.OPENING_LOCK,
        () ->
            assertThatThrownBy(builder::build)
                .isInstanceOfSatisfying(
                    StorageUnavailableException.class, e -> assertThat(e.isRetryable()).isTrue())
                .hasMessage(
                    "open: the directory "
                        + store.root()
                        + " cannot be used: somebody else has been opening it for PT0.05S; look for"
                        + " a process that hangs"));
    builder.build().close();
  }

  @Test
  void put_somebodyElseHasTheLock_saysSoAndMayBeTriedAgain() throws Throwable {
    store.write(KEY, 1);
    try (StorageBackend backend =
        FileStorageBackend.builder(store.root()).lockTimeout(Duration.ofMillis(50)).build()) {
      whileLocked(
          StoreLocks.ofRecord(KEY.hashCode()),
          () ->
              assertThatThrownBy(() -> backend.putIfVersion(KEY, FileLocksValues.value("lost"), 1))
                  .isInstanceOfSatisfying(
                      StorageUnavailableException.class, e -> assertThat(e.isRetryable()).isTrue())
                  .hasMessage(
                      "putIfVersion of \"p\"/\"k\": another thread or process has held the lock for"
                          + " PT0.05S; nothing was written; look for one that hangs"));
      assertThat(backend.get(KEY).orElseThrow().version()).isEqualTo(1);
    }
  }

  @Test
  void open_newerFormat_saysWhichAndWhatToDo() throws IOException {
    store.write(KEY, 1);
    Files.writeString(
        store.root().resolve("format.json"), "{\"taskstore\":2,\"id\":\"" + ID + "\"}\n");

    assertRefused("it has format 2 and this release knows 1; use a newer release of this library");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "\n",
        "{}",
        "{\"taskstore\":1}",
        "hello",
        "{\"taskstore\":9999999999,\"id\":\"\"}"
      })
  void open_damagedFormat_saysSo(String content) throws IOException {
    store.write(KEY, 1);
    Files.writeString(store.root().resolve("format.json"), content);

    assertRefused("its format.json is damaged; restore it from a backup");
  }

  @Test
  void open_missingFormatWithRecords_saysSo() throws IOException {
    store.write(KEY, 1);
    Files.delete(store.root().resolve("format.json"));

    assertRefused("its format.json is missing; restore it from a backup");
    assertThat(store.root().resolve("format.json")).doesNotExist();
  }

  @Test
  void open_missingFormatAndNoRecords_isANewStore() throws IOException {
    FileStorageBackend.open(store.root()).close();
    Files.delete(store.root().resolve("format.json"));

    store.write(KEY, 1);

    assertThat(store.root().resolve("format.json")).isNotEmptyFile();
  }

  @Test
  void open_fileInPlaceOfADirectory_isAnErrorOfOurs() throws IOException {
    store.write(KEY, 1);
    for (String name : new String[] {"tmp", "p"}) {
      Path path = store.root().resolve(name);
      Files.move(path, directory.resolve(name));
      Files.writeString(path, "hello");
      assertThatThrownBy(
              () -> {
                try (StorageBackend backend = FileStorageBackend.open(store.root())) {
                  backend.get(KEY);
                  backend.putIfVersion(new RecordKey("p", "new"), RecoveryStore.value("v1"), 0);
                }
              })
          .isInstanceOf(StorageUnavailableException.class);
      Files.delete(path);
      Files.move(directory.resolve(name), path);
    }
  }

  // --- records ------------------------------------------------------------------------------

  private static final String CORRUPT = "get of \"p\"/\"k\": the stored record is corrupt: ";
  private static final String ADVICE =
      "; restore the file from a backup, or open the store with another recovery policy";

  private void assertCorrupt(byte[] content, String reason) throws IOException {
    Files.write(store.file(KEY), content);
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThatThrownBy(() -> backend.get(KEY))
          .isInstanceOf(CorruptRecordException.class)
          .hasMessage(CORRUPT + reason + ADVICE);
    }
  }

  @Test
  void get_damaged_saysWhatAndWhatToDo() throws IOException {
    store.write(KEY, 3);
    byte[] good = store.content(KEY);
    Journal.Entry last = Objects.requireNonNull(Journal.read(good).last());

    byte[] data = good.clone();
    data[last.end() - 2] ^= 1;
    assertCorrupt(data, "the checksum of an entry differs");
    byte[] version = good.clone();
    version[last.offset() + 30] ^= 1;
    assertCorrupt(version, "the checksum of an entry differs");
    byte[] header = good.clone();
    header[last.offset() + 15] ^= 1;
    assertCorrupt(header, "the header of an entry is damaged");
    byte[] prefix = good.clone();
    Arrays.fill(prefix, last.offset(), last.offset() + 60, (byte) '?');
    assertCorrupt(prefix, "an entry is damaged");
    assertCorrupt(Arrays.copyOf(good, last.end()), "it was cut");
    assertCorrupt(Arrays.copyOf(good, last.end() - 30), "an entry is damaged");
    assertCorrupt(new byte[0], "it has no readable entry");
  }

  @Test
  void get_fileOfAnotherKey_saysSo() throws IOException {
    store.write(KEY, 1);
    RecordKey other = new RecordKey("p", "other");
    store.write(other, 1);

    assertCorrupt(store.content(other), "its file has the record of another key");
  }

  @Test
  void get_newerEntryFormat_saysWhich() throws IOException {
    store.write(KEY, 1);
    String entry = new String(store.content(KEY), StandardCharsets.ISO_8859_1);
    int header = entry.indexOf("\",\"boot\":");
    String hashed = entry.substring(header, entry.indexOf(",\"sha256\":\"") + 11);
    String newer = hashed.replace("\"format\":1", "\"format\":2");
    String hash =
        HexFormat.of()
            .formatHex(Names.sha256().digest((newer + "v1").getBytes(StandardCharsets.ISO_8859_1)));
    int hashAt = header + hashed.length();
    String content = entry.substring(0, header) + newer + hash + entry.substring(hashAt + 64);

    assertCorrupt(BitRotFiles.ascii(content), "an entry has the format 2, which is not known");
  }

  @Test
  void get_withoutGoodVersion_saysSo() throws IOException {
    store.write(KEY, 2);
    store.damageAll(KEY);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      assertThatThrownBy(() -> backend.get(KEY))
          .hasMessage(CORRUPT + "the checksum of an entry differs; no older version of it is good");
    }
  }

  @Test
  void get_restored_warnsWithAllThatIsKnown() throws IOException {
    store.write(KEY, 2);
    store.damageNewest(KEY);
    try (StorageBackend backend = store.open(Recovery.BACKUP)) {
      backend.get(KEY);
    }

    assertThat(log.warnings())
        .singleElement()
        .asString()
        .matches(
            "\"p\"/\"k\" was damaged \\(the checksum of an entry differs\\); version 1 was restored"
                + " as 10002, the damaged file is quarantine/k\\.[0-9a-f-]{36}\\.tj");
  }

  @Test
  void get_reset_warnsWithAllThatIsKnown() throws IOException {
    store.write(KEY, 2);
    store.damageNewest(KEY);
    try (StorageBackend backend = store.open(Recovery.RESET)) {
      backend.get(KEY);
    }

    assertThat(log.warnings())
        .singleElement()
        .asString()
        .matches(
            "\"p\"/\"k\" was damaged \\(the checksum of an entry differs\\); its file was set aside"
                + " as quarantine/k\\.[0-9a-f-]{36}\\.tj, the record is gone");
  }
}
