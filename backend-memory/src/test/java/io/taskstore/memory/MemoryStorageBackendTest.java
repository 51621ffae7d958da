// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.stored;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNoException;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Created;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageException;
import org.junit.jupiter.api.Test;

/** One caller at a time: records, versions, values, expiry, life cycle. */
final class MemoryStorageBackendTest {
  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final String partition = Records.partition();
  private final RecordKey key = new RecordKey(partition, "id");

  @Test
  void values_arraysChangedByTheCaller_areNotAliased() {
    byte[] data = {1, 2, 3};
    backend.putIfVersion(key, value(data, true, null), 0);

    data[0] = 9;
    stored(backend, key).value().data().toByteArray()[1] = 9;

    assertThat(stored(backend, key).value().data().toByteArray()).containsExactly(1, 2, 3);
  }

  @Test
  void purgeExpired_onlyALittleIsDue_looksAtNoMore() {
    ProbeScript probe = new ProbeScript();
    MemoryStorageBackend probed = MemoryStorageBackend.builder().build(probe);
    for (int i = 0; i < 1_000; i++) {
      RecordKey id = new RecordKey(partition, "later" + i);
      probed.putIfVersion(id, value("a", true, NOW.plusSeconds(1)), 0);
    }
    probed.putIfVersion(key, value("a", true, NOW), 0);

    probe.count(Probe.Step.VISIT);

    assertThat(probed.purgeExpired(NOW, 100)).isEqualTo(1);
    assertThat(probe.count()).isEqualTo(2);
  }

  @Test
  void partitions_lastRecordGone_areRemoved() { // F16, I5
    for (int i = 0; i < 100; i++) {
      String owner = partition + i;
      RecordKey first = new RecordKey(owner, "a");
      RecordKey second = new RecordKey(owner, "b");
      backend.putIfVersion(first, value("a", true, NOW), 0);
      backend.putIfVersion(second, value("a", false, NOW), 0);
      backend.deleteIfVersion(first, 1);
      assertThat(backend.partitionCount()).isEqualTo(1);
      backend.purgeExpired(NOW, 1);
      assertThat(backend.partitionCount()).isZero();
      assertThat(backend.createWithin(first, value("a"), 1, NOW)).isEqualTo(Created.CREATED);
      backend.deleteIfVersion(first, 1);
    }
    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
    assertThat(backend.dueCount()).isZero();
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
  }

  @Test
  void create_twice_givesStoresOfTheirOwn() {
    backend.putIfVersion(key, value("a"), 0);

    MemoryStorageBackend other = MemoryStorageBackend.create();

    assertThat(other.get(key)).isEmpty();
    backend.close();
    assertThatNoException().isThrownBy(() -> other.putIfVersion(key, value("a"), 0));
  }

  @Test
  void traits_always_areTheDeclaredOnes() { // K1, K5
    assertThat(backend.traits())
        .isEqualTo(new BackendTraits("memory", false, false, false, 4 * 1024 * 1024))
        .isSameAs(backend.traits());
  }

  @Test
  void toString_showsCountsButNoKeysOrData() {
    put("private-id", value("secret"));

    assertThat(backend.toString())
        .startsWith("MemoryStorageBackend[1 records, ")
        .doesNotContain("private-id", "secret", partition);
    backend.close();
    assertThat(backend.toString()).contains("closed");
  }

  @Test
  void messages_failures_nameOperationAndKeyButNoData() { // J9
    MemoryStorageBackend small = MemoryStorageBackend.builder().maxDataBytes(3).build();

    assertThatExceptionOfType(StorageException.class)
        .isThrownBy(() -> small.putIfVersion(key, value("secret"), 0))
        .withMessageContainingAll("putIfVersion", key.toString())
        .withMessageNotContaining("secret");
  }

  private PutResult put(String id, RecordValue value) {
    return backend.putIfVersion(new RecordKey(partition, id), value, 0);
  }
}
