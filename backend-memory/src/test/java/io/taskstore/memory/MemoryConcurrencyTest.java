// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Many callers at a time, as the scheduler has it. */
final class MemoryConcurrencyTest {
  private static final int THREADS = 8;

  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final String partition = Records.partition();
  private final RecordKey key = new RecordKey(partition, "id");

  @Test
  void partitions_thatComeAndGo_loseNoRecord() throws Exception {
    Records.race(
        THREADS,
        number -> {
          RecordKey own = new RecordKey(partition, "own" + number);
          for (int i = 0; i < 3_000; i++) {
            assertThat(backend.putIfVersion(own, value("a", true, NOW), 0))
                .isEqualTo(new Written(1));
            assertThat(backend.get(own)).isPresent();
            assertThat(backend.deleteIfVersion(own, 1)).isEqualTo(Deleted.DELETED);
            assertThat(backend.get(own)).isEmpty();
          }
          return true;
        });

    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
    assertThat(backend.dueCount()).isZero();
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
  }

  @Test
  void close_withCallsInFlight_endsThemAndNeverSaysAbsent() throws Exception { // I3, I5
    for (int round = 0; round < 100; round++) {
      MemoryStorageBackend closing = MemoryStorageBackend.create();
      closing.putIfVersion(key, value("a"), 0);

      Records.race(
          4,
          number -> {
            if (number == 0) {
              closing.close();
              return true;
            }
            try {
              for (int i = 0; ; i++) {
                Optional<VersionedRecord> seen = closing.get(key);
                assertThat(seen).isPresent();
                closing.put(key, value("b", true, i % 2 == 0 ? null : NOW));
                RecordKey own = new RecordKey(partition + number, "own" + i);
                closing.putIfVersion(own, value("a", true, NOW), 0);
              }
            } catch (BackendClosedException expected) {
              return true;
            }
          });

      assertThat(closing.used()).isEqualTo(new Capacity.Usage(0, 0));
      assertThat(closing.partitionCount()).isZero();
      assertThat(closing.expiryCount()).isZero();
    }
  }
}
