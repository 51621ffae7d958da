// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.stored;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.Full;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class MemoryCreateWithinTest {
  private final ProbeScript probe = new ProbeScript();
  private final MemoryStorageBackend backend = MemoryStorageBackend.builder().build(probe);
  private final String partition = Records.partition();

  @Test
  void createWithin_roomLeft_createsUntilFull() {
    RecordValue value = value("a");

    assertThat(backend.createWithin(key("a"), value, 2, NOW)).isEqualTo(Created.CREATED);
    assertThat(create("b", 2)).isEqualTo(Created.CREATED);
    assertThat(create("c", 2)).isEqualTo(Full.FULL);

    assertThat(backend.get(key("a"))).contains(new VersionedRecord(key("a"), value, 1));
    assertThat(backend.get(key("c"))).isEmpty();
    assertThat(create("c", 3)).isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_ownWriteAtVersionOne_isCreatedEvenWhenFull() {
    RecordValue value = value("a");
    backend.createWithin(key("a"), value, 1, NOW);

    assertThat(backend.createWithin(key("a"), value, 1, NOW)).isEqualTo(Created.CREATED);

    assertThat(stored(backend, key("a")).version()).isEqualTo(1);
    assertThat(backend.used().records()).isEqualTo(1);
  }

  @Test
  void createWithin_keyTaken_conflictsEvenWhenFull() {
    RecordValue value = value("a");
    backend.createWithin(key("a"), value, 1, NOW);

    assertThat(create("a", 1)).isEqualTo(new Conflict(stored(backend, key("a"))));

    // Our write, but another one has followed it.
    backend.putIfVersion(key("a"), value, 1);
    assertThat(backend.createWithin(key("a"), value, 5, NOW))
        .isEqualTo(new Conflict(new VersionedRecord(key("a"), value, 2)));
  }

  @Test
  void createWithin_recordsThatEndOrExpireOrGo_makeRoom() {
    put("finished", true, null);
    put("expired", true, NOW);
    put("deleted", true, NOW.plusSeconds(1));
    put("shortened", true, null);
    put("extended", true, NOW.minusSeconds(1));
    assertThat(create("x", 3)).isEqualTo(Full.FULL);

    backend.put(key("finished"), value("x", false, null));
    assertThat(create("a", 3)).isEqualTo(Created.CREATED);
    assertThat(create("x", 3)).isEqualTo(Full.FULL);

    backend.delete(key("deleted"));
    assertThat(create("b", 3)).isEqualTo(Created.CREATED);
    assertThat(create("x", 3)).isEqualTo(Full.FULL);

    backend.put(key("shortened"), value("x", true, NOW));
    assertThat(create("c", 3)).isEqualTo(Created.CREATED);
    assertThat(create("x", 3)).isEqualTo(Full.FULL);

    backend.put(key("extended"), value("x", true, NOW.plusMillis(1)));
    assertThat(create("x", 4)).isEqualTo(Full.FULL);
    assertThat(create("d", 5)).isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_boundaryOfExpiry_isToTheMillisecond() {
    put("a", true, NOW);

    assertThat(backend.createWithin(key("b"), value("b"), 1, NOW.minusMillis(1)))
        .isEqualTo(Full.FULL);
    assertThat(backend.createWithin(key("b"), value("b"), 1, NOW)).isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_recordWithoutExpiry_countsAtAnyTime() {
    put("a", true, null);

    assertThat(backend.createWithin(key("b"), value("b"), 1, Instant.MAX)).isEqualTo(Full.FULL);
  }

  @Test
  void createWithin_otherPartitions_doNotCount() {
    backend.putIfVersion(new RecordKey(partition + "0", "a"), value("a"), 0);

    assertThat(create("a", 1)).isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_manyInactiveOrExpiredRecords_looksAtNoneOfThem() {
    for (int i = 0; i < 10_000; i++) {
      put("inactive" + i, false, i % 2 == 0 ? null : NOW.plusSeconds(i));
      put("expired" + i, true, NOW.minusMillis(i));
    }
    for (int i = 0; i < 4; i++) {
      put("active" + i, true, NOW.plusSeconds(60));
    }
    probe.count(Probe.Step.VISIT);

    assertThat(create("a", 100)).isEqualTo(Created.CREATED);
    // The four, and the latest of the expired, which ends the count.
    assertThat(probe.count()).isEqualTo(5);

    probe.count(Probe.Step.VISIT);
    assertThat(create("b", 5)).isEqualTo(Full.FULL);
    assertThat(probe.count()).isEqualTo(5);

    probe.count(Probe.Step.VISIT);
    assertThat(create("b", 3)).isEqualTo(Full.FULL);
    assertThat(probe.count()).isEqualTo(3);
  }

  private CreateResult create(String id, int max) {
    return backend.createWithin(key(id), value(id), max, NOW);
  }

  private void put(String id, boolean active, @Nullable Instant expiresAt) {
    backend.putIfVersion(key(id), value(id, active, expiresAt), 0);
  }

  private RecordKey key(String id) {
    return new RecordKey(partition, id);
  }
}
