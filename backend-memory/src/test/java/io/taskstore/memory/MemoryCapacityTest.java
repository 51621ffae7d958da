// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.listAll;
import static io.taskstore.memory.Records.listAllActive;
import static io.taskstore.memory.Records.stored;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

final class MemoryCapacityTest {
  private static final int OVERHEAD = MemoryStorageBackend.RECORD_OVERHEAD_BYTES;

  private final String partition = Records.partition();
  private final RecordKey key = new RecordKey(partition, "id");

  @Test
  void builder_limitBelowOne_isRefused() {
    MemoryStorageBackend.Builder builder = MemoryStorageBackend.builder();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.maxRecords(0))
        .withMessageContaining("maxRecords 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.maxBytes(-1))
        .withMessageContaining("maxBytes -1");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.maxDataBytes(0))
        .withMessageContaining("maxDataBytes 0");
  }

  @Test
  void builder_noRoomForTheDeclaredRecord_isRefused() { // K3
    MemoryStorageBackend.Builder builder = MemoryStorageBackend.builder().maxDataBytes(100);
    long largest = 100 + 1_100 + 512 + OVERHEAD;

    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.maxBytes(largest - 1).build())
        .withMessageContainingAll("maxBytes", "maxDataBytes 100", Long.toString(largest));

    MemoryStorageBackend backend = builder.maxBytes(largest).build();
    RecordKey longest = new RecordKey("\u20ac".repeat(366) + "xx", "\u00e9".repeat(256));
    assertThat(backend.putIfVersion(longest, value(new byte[100], true, null), 0))
        .isEqualTo(new Written(1));
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(1, largest));
  }

  @Test
  void putIfVersion_allPlacesTaken_isRefusedWithNothingWritten() {
    MemoryStorageBackend backend = MemoryStorageBackend.builder().maxRecords(2).build();
    RecordKey second = new RecordKey(partition, "second");
    RecordKey third = new RecordKey(Records.partition(), "third");
    backend.putIfVersion(key, value("a"), 0);
    backend.putIfVersion(second, value("b"), 0);
    Capacity.Usage before = backend.used();

    assertThatExceptionOfType(CapacityExceededException.class)
        .isThrownBy(() -> backend.putIfVersion(third, value("secret"), 0))
        .withMessageContainingAll("putIfVersion", third.toString(), "maxRecords is 2")
        .withMessageNotContaining("secret");
    assertThatExceptionOfType(CapacityExceededException.class)
        .isThrownBy(() -> backend.createWithin(third, value("c"), 1, NOW));

    assertThat(backend.get(third)).isEmpty();
    assertThat(backend.used()).isEqualTo(before);
    assertThat(backend.partitionCount()).isEqualTo(1);
    // Answers that write nothing do not need room.
    assertThat(backend.putIfVersion(key, value("x"), 0)).isInstanceOf(Conflict.class);
    assertThat(backend.createWithin(new RecordKey(partition, "x"), value("x"), 2, NOW))
        .isEqualTo(Full.FULL);
    // What is there can be read, replaced and removed.
    assertThat(backend.putIfVersion(key, value("A"), 1)).isEqualTo(new Written(2));
    assertThat(backend.deleteIfVersion(second, 1)).isEqualTo(Deleted.DELETED);
    assertThat(backend.createWithin(third, value("c"), 1, NOW)).isEqualTo(Created.CREATED);
  }

  @Test
  void putIfVersion_bytesTaken_isDecidedToTheByte() {
    int first = OVERHEAD + 2 + 1_000;
    int room = 3_000;
    MemoryStorageBackend backend =
        MemoryStorageBackend.builder().maxDataBytes(2_000).maxBytes(first + room).build();
    RecordKey one = new RecordKey("p", "1");
    RecordKey two = new RecordKey("p", "2");
    int fits = room - OVERHEAD - 2;
    backend.putIfVersion(one, data(1_000), 0);

    assertThatExceptionOfType(CapacityExceededException.class)
        .isThrownBy(() -> backend.putIfVersion(two, data(fits + 1), 0))
        .withMessageContaining("maxBytes");
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(1, first));
    assertThat(backend.putIfVersion(two, data(fits), 0)).isEqualTo(new Written(1));
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(2, first + room));

    // At the limit: not larger works, larger does not, and leaves everything as it was.
    RecordValue same = value(new byte[1_000], false, NOW);
    assertThat(backend.putIfVersion(one, same, 1)).isEqualTo(new Written(2));
    assertThatExceptionOfType(CapacityExceededException.class)
        .isThrownBy(() -> backend.putIfVersion(one, value(new byte[1_001], true, null), 2));
    assertThat(backend.get(one)).contains(new VersionedRecord(one, same, 2));
    assertThat(listAllActive(backend, "p", false, 10)).hasSize(1);
    assertThat(backend.expiryCount()).isEqualTo(1);
    assertThat(backend.putIfVersion(one, data(999), 2)).isEqualTo(new Written(3));
    assertThat(backend.putIfVersion(two, data(fits + 1), 1)).isEqualTo(new Written(2));
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(2, first + room));

    backend.deleteIfVersion(one, 3);
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(1, room + 1));
    backend.deleteIfVersion(two, 2);
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
  }

  @Test
  void purgeExpired_storeFull_makesRoom() {
    MemoryStorageBackend backend = MemoryStorageBackend.builder().maxRecords(1).build();
    backend.putIfVersion(key, value("a", true, NOW), 0);
    RecordKey next = new RecordKey(partition, "next");
    // Expired records stay until somebody purges them.
    assertThatExceptionOfType(CapacityExceededException.class)
        .isThrownBy(() -> backend.createWithin(next, value("b"), 1, NOW));

    backend.purgeExpired(NOW, 1);

    assertThat(backend.createWithin(next, value("b"), 1, NOW)).isEqualTo(Created.CREATED);
  }

  @RepeatedTest(5)
  void putIfVersion_racersForTheLastPlaces_getExactlyThose() throws Exception {
    MemoryStorageBackend backend = MemoryStorageBackend.builder().maxRecords(10).build();

    List<Boolean> results =
        Records.race(
            32,
            number -> {
              RecordKey own = new RecordKey(partition + number % 5, "own" + number);
              try {
                return backend.putIfVersion(own, value("a"), 0).equals(new Written(1));
              } catch (CapacityExceededException e) {
                return false;
              }
            });

    assertThat(Collections.frequency(results, true)).isEqualTo(10);
    assertThat(backend.used().records()).isEqualTo(10);
  }

  @Test
  void putIfVersion_othersRefusedForTheirBytes_neverCostAPlace() throws Exception {
    MemoryStorageBackend backend =
        MemoryStorageBackend.builder().maxRecords(2).maxDataBytes(10_000).maxBytes(20_000).build();
    backend.putIfVersion(key, data(10_000), 0);
    AtomicBoolean done = new AtomicBoolean();

    Records.race(
        3,
        number -> {
          RecordKey own = new RecordKey(partition + number, "own");
          if (number > 0) {
            RecordValue large = data(10_000);
            while (!done.get()) {
              assertThatExceptionOfType(CapacityExceededException.class)
                  .isThrownBy(() -> backend.putIfVersion(own, large, 0));
            }
            return true;
          }
          try {
            RecordValue small = data(10);
            for (int i = 0; i < 20_000; i++) {
              assertThat(backend.putIfVersion(own, small, 0)).isEqualTo(new Written(1));
              backend.deleteIfVersion(own, 1);
            }
          } finally {
            done.set(true);
          }
          return true;
        });

    assertThat(backend.used().records()).isEqualTo(1);
  }

  @RepeatedTest(3)
  void counters_afterRandomOperations_equalARecount() throws Exception {
    int partitions = 6;
    int ids = 30;
    MemoryStorageBackend backend =
        MemoryStorageBackend.builder()
            .maxRecords(120)
            .maxDataBytes(2_000)
            .maxBytes(120L * (OVERHEAD + 700))
            .build();

    List<Integer> refusals =
        Records.race(
            8,
            number -> {
              Random random = new Random(number);
              int refused = 0;
              for (int i = 0; i < 5_000; i++) {
                RecordKey any =
                    new RecordKey(
                        partition + random.nextInt(partitions),
                        "id\u20ac\ud83d\ude00" + random.nextInt(ids));
                try {
                  change(backend, any, random);
                } catch (CapacityExceededException e) {
                  refused++;
                }
                Capacity.Usage used = backend.used();
                assertThat(used.records()).isBetween(0L, 120L);
                assertThat(used.bytes()).isBetween(0L, 120L * (OVERHEAD + 700));
              }
              return refused;
            });

    assertThat(refusals).allSatisfy(count -> assertThat(count).isPositive());
    assertCountersEqualARecount(backend, partitions);
    // Emptied by every way at once, nothing is left of anything.
    backend.purgeExpired(Instant.MAX, Integer.MAX_VALUE);
    assertCountersEqualARecount(backend, partitions);
    for (int i = 0; i < partitions; i++) {
      for (VersionedRecord stored : listAll(backend, partition + i, false, 100)) {
        backend.delete(stored.key());
      }
    }
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
    assertThat(backend.dueCount()).isZero();
  }

  private static void change(MemoryStorageBackend backend, RecordKey key, Random random) {
    Instant expiresAt = random.nextInt(3) == 0 ? null : NOW.plusMillis(random.nextInt(100) - 50);
    byte[] data = new byte[random.nextInt(2_000)];
    boolean active = random.nextBoolean();
    long current = backend.get(key).map(VersionedRecord::version).orElse(0L);
    switch (random.nextInt(10)) {
      case 0, 1, 2, 3 -> backend.putIfVersion(key, value(data, active, expiresAt), current);
      case 4, 5, 6 -> backend.createWithin(key, value(data, true, expiresAt), 10, NOW);
      case 7, 8 -> {
        if (current > 0) {
          backend.deleteIfVersion(key, current);
        }
      }
      default -> backend.purgeExpired(NOW.minusMillis(30), 3);
    }
  }

  private void assertCountersEqualARecount(MemoryStorageBackend backend, int partitions) {
    long records = 0;
    long bytes = 0;
    int expiring = 0;
    int alive = 0;
    for (int i = 0; i < partitions; i++) {
      String name = partition + i;
      List<VersionedRecord> listed = listAll(backend, name, false, 7);
      List<RecordHead> active = new ArrayList<>();
      int unexpired = 0;
      for (VersionedRecord stored : listed) {
        assertThat(stored(backend, stored.key())).isEqualTo(stored);
        records++;
        bytes += OVERHEAD + utf8(name) + utf8(stored.key().id()) + stored.value().data().size();
        expiring += stored.value().expiresAt() == null ? 0 : 1;
        if (stored.value().active()) {
          active.add(new RecordHead(stored.key(), stored.value().expiresAt()));
          unexpired += stored.value().isExpired(NOW) ? 0 : 1;
        }
      }
      alive += listed.isEmpty() ? 0 : 1;
      assertThat(listAllActive(backend, name, false, 7)).isEqualTo(active);
      assertCounted(backend, new RecordKey(name, "new"), unexpired);
    }
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(records, bytes));
    assertThat(backend.expiryCount()).isEqualTo(expiring);
    assertThat(backend.partitionCount()).isEqualTo(alive);
  }

  /** Asserts that createWithin finds exactly that many active, unexpired records. */
  private static void assertCounted(MemoryStorageBackend backend, RecordKey unused, int unexpired) {
    if (unexpired > 0) {
      assertThat(backend.createWithin(unused, data(0), unexpired, NOW)).isEqualTo(Full.FULL);
    }
    try {
      assertThat(backend.createWithin(unused, data(0), unexpired + 1, NOW))
          .isEqualTo(Created.CREATED);
      backend.deleteIfVersion(unused, 1);
    } catch (CapacityExceededException e) {
      // The store is full, which is looked at after the partition's limit: the count was right.
      assertThat(backend.get(unused)).isEmpty();
    }
  }

  private static RecordValue data(int size) {
    return value(new byte[size], true, null);
  }

  private static int utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }
}
