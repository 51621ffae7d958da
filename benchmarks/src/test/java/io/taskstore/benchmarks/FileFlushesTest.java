// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.taskstore.file.FileStorageBackend;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.VersionedRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileFlushesTest {
  @TempDir Path folder;

  @Test
  void flushes_countsEachCallOnce() {
    assertThat(
            FileFlushes.flushes(
                """
                17 fdatasync(9)                     = 0
                17 fsync(10 <unfinished ...>
                18 fdatasync(11)                    = -1 EIO (Input/output error)
                17 <... fsync resumed>)             = 0
                18 openat(AT_FDCWD, "x", O_RDONLY)  = 3
                """))
        .isEqualTo(3);
  }

  @Test
  void main_doesAsOftenAsItIsTold() {
    FileFlushes.main(new String[] {folder.toString(), "5", "3", "2"});

    try (FileStorageBackend backend = FileStorageBackend.open(folder)) {
      List<VersionedRecord> records =
          backend.list(new ListQuery(FileContenders.PARTITION, null, false, 10)).records();
      assertThat(records).extracting(VersionedRecord::version).containsExactly(5L, 2L, 1L, 1L, 1L);
      assertThat(records).filteredOn(r -> r.value().active()).hasSize(3);
    }
  }

  @Test
  void count_whereThereIsStrace_findsTheFlushes() throws Exception {
    Map<String, Double> flushes = FileFlushes.count(folder, 5, 10);

    assumeThat(flushes).as("strace is here, and may look").isNotEmpty();
    assertThat(flushes).hasSize(3);
    assertThat(flushes.values()).allSatisfy(count -> assertThat(count).isBetween(1.0, 10.0));
    assertThat(flushes.get(FileFlushes.UPDATE)).isLessThan(2);
  }
}
