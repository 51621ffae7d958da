// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.partition;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Processes that count together, and fill a partition up to its limit together. */
final class ManyProcessesTest {
  private static final int INCREMENTS = 50;
  private static final List<String> COUNTERS = List.of("one", "two", "three");

  @TempDir private Path root;

  @Test
  void writes_ofFourProcesses_areExact() throws Exception {
    writeFrom(4, 30);
  }

  @Test
  @Tag("campaign")
  void writes_ofAHundredProcesses_areExact() throws Exception {
    writeFrom(100, 150);
  }

  private void writeFrom(int processes, int limit) throws Exception {
    String counting = partition();
    String filling = partition();
    List<FileLocksProcess> children = new ArrayList<>();
    int created = 0;
    try {
      for (int i = 0; i < processes; i++) {
        children.add(FileLocksProcess.start(root));
      }
      children.forEach(child -> child.send("open 60000"));
      children.forEach(child -> assertThat(child.answer()).isEqualTo("opened"));
      String counters = String.join(",", COUNTERS);
      children.forEach(
          child -> child.send("increments " + counting + " " + counters + " " + INCREMENTS));
      for (FileLocksProcess child : children) {
        assertThat(child.answer()).startsWith("incremented " + INCREMENTS + " ");
      }
      for (FileLocksProcess child : children) {
        child.send("creates " + filling + " " + limit + " " + child.pid() + "-");
      }
      for (FileLocksProcess child : children) {
        String answer = child.answer();
        assertThat(answer).matches("created \\d+");
        created += Integer.parseInt(answer.substring("created ".length()));
      }
    } finally {
      children.forEach(FileLocksProcess::close);
    }
    try (FileStorageBackend backend = FileStorageBackend.open(root)) {
      long sum = 0;
      for (String counter : COUNTERS) {
        VersionedRecord stored = backend.get(new RecordKey(counting, counter)).orElseThrow();
        long count = Long.parseLong(FileLocksValues.text(stored));
        assertThat(stored.version()).as("version of %s", counter).isEqualTo(count);
        sum += count;
      }
      assertThat(sum).isEqualTo((long) processes * INCREMENTS);
      assertThat(created).as("creates that were acknowledged").isEqualTo(limit);
      assertThat(backend.listActive(new ListQuery(filling, null, false, 1_000)).heads())
          .hasSize(limit);
      assertThat(FileLocksValues.temporaries(root)).isEmpty();
    }
  }
}
