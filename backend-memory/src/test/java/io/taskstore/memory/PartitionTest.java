// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import java.time.Instant;
import java.util.concurrent.ConcurrentSkipListSet;
import org.junit.jupiter.api.Test;

class PartitionTest {
  private static final int RECORDS = 20;

  private final Partition partition = new Partition("p", new ConcurrentSkipListSet<>(), Probe.NONE);

  private void store(String id, long version) {
    RecordValue value =
        new RecordValue(Bytes.unsafeWrap(new byte[1]), true, Instant.EPOCH, "w" + version);
    Slot slot = partition.slot(id);
    partition.store(slot, slot.content().next(value, version));
  }

  /** Or updates would fill the table, and what they leave there would outlive the record. */
  @Test
  void store_recordThatIsThere_addsNothingToTheIndexes() {
    for (int i = 0; i < RECORDS; i++) {
      store("id" + i, 1);
    }
    for (int version = 2; version < 1_000; version++) {
      store("id7", version);

      assertThat(partition.tableUsed()).isEqualTo(RECORDS);
      assertThat(partition.ids.size()).isEqualTo(RECORDS);
      assertThat(partition.activeIds.size()).isEqualTo(RECORDS);
      assertThat(partition.expiryCount()).isEqualTo(RECORDS);
    }
    partition.remove(partition.slot("id7"));

    assertThat(partition.get(new RecordKey("p", "id7"))).isNull();
    assertThat(partition.ids.size()).isEqualTo(RECORDS - 1);
  }
}
