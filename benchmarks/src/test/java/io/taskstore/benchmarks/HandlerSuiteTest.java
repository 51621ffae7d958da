// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HandlerSuiteTest {
  @TempDir Path folder;

  @Test
  void measure_eachBackendAndLibrary_hasARow() throws IOException {
    List<String> rows =
        Measuring.rows(new HandlerSuite().measure(Measuring.options(folder), Measuring.ONCE));

    assertThat(rows)
        .extracting(row -> row.split(" \\| ", -1)[0])
        .satisfiesExactly(
            head -> assertThat(head).isEqualTo("| In memory"),
            row -> assertThat(row).isEqualTo("| **TaskStore** with the memory backend"),
            row -> assertThat(row).isEqualTo("| the memory backend alone"),
            row -> assertThat(row).contains("JobRunr"),
            row -> assertThat(row).contains("A2A Java"),
            row -> assertThat(row).contains("langgraph4j"),
            head -> assertThat(head).startsWith("| On a disk"),
            row -> assertThat(row).isEqualTo("| **TaskStore** with the file backend"),
            row -> assertThat(row).isEqualTo("| the file backend alone"),
            row -> assertThat(row).contains("JobRunr, SQLite"),
            row -> assertThat(row).contains("JobRunr, H2"),
            row -> assertThat(row).contains("langgraph4j"),
            head -> assertThat(head).contains("redis-server"),
            row -> assertThat(row).isEqualTo("| **TaskStore** with the Redis backend"),
            row -> assertThat(row).isEqualTo("| the Redis backend alone"),
            head -> assertThat(head).contains("DynamoDB Local"),
            row -> assertThat(row).isEqualTo("| **TaskStore** with the DynamoDB backend"),
            row -> assertThat(row).isEqualTo("| the DynamoDB backend alone"));
    assertThat(folder).isEmptyDirectory();
  }

  /** Else the two would be given different work. */
  @Test
  void handlers_inAStoreAndInABackend_leaveTheSame() throws Exception {
    VersionedRecord ofStore;
    VersionedRecord ofBackend;
    try (StorageBackend backend = MemoryStorageBackend.create()) {
      new Handlers.InStore(backend).handler(3).run();
      ofStore = only(backend);
    }
    try (StorageBackend backend = MemoryStorageBackend.create()) {
      new Handlers.InBackend(backend, Handlers.Stored.make()).handler(3).run();
      ofBackend = only(backend);
    }

    assertThat(ofBackend.key().partition()).isEqualTo(ofStore.key().partition());
    assertThat(ofBackend.key().id()).hasSameSizeAs(ofStore.key().id());
    assertThat(ofBackend.version()).isEqualTo(ofStore.version());
    assertThat(ofBackend.value().active()).isFalse();
    // A digit more or less, of the progress or of a time.
    assertThat(ofBackend.value().data().size())
        .isBetween(ofStore.value().data().size() - 10, ofStore.value().data().size() + 10);
  }

  private static VersionedRecord only(StorageBackend backend) {
    RecordPage page = backend.list(new ListQuery("ts:owner-3", null, false, 10));
    assertThat(page.records()).hasSize(1);
    return page.records().get(0);
  }
}
