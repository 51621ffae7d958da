// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.stored;
import static io.taskstore.memory.Records.value;
import static io.taskstore.memory.Records.winner;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many callers at a time, as the scheduler has it. */
final class MemoryConcurrencyTest {
  private static final int THREADS = 8;

  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final String partition = Records.partition();
  private final RecordKey key = new RecordKey(partition, "id");

  /** One call of a recorded history: from when to when, and which version it wrote or saw. */
  private record Operation(long start, long end, boolean write, long version) {}

  @RepeatedTest(10)
  void putIfVersion_racersCreateOneKey_oneWins() throws Exception { // C1
    List<RecordValue> values = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      values.add(value("racer" + i));
    }

    List<PutResult> results =
        Records.race(32, number -> backend.putIfVersion(key, values.get(number), 0));

    assertThat(Collections.frequency(results, new Written(1))).isEqualTo(1);
    VersionedRecord expected =
        new VersionedRecord(key, values.get(results.indexOf(new Written(1))), 1);
    assertThat(backend.get(key)).contains(expected);
    assertThat(Collections.frequency(results, new Conflict(expected))).isEqualTo(31);
  }

  @Test
  void putIfVersion_racersOnOneVersion_oneWinsEachRound() throws Exception { // C2
    int rounds = 50;
    for (int round = 0; round < rounds; round++) {
      long expected = round;
      List<PutResult> results =
          Records.race(THREADS, number -> backend.putIfVersion(key, value("r" + number), expected));
      assertThat(Collections.frequency(results, new Written(expected + 1))).isEqualTo(1);
      results.remove(new Written(expected + 1));
      assertThat(results)
          .allSatisfy(result -> assertThat(winner(result)).isEqualTo(stored(backend, key)));
    }
    assertThat(stored(backend, key).version()).isEqualTo(rounds);
  }

  @Test
  void putIfVersion_incrementsWithRetry_loseNone() throws Exception { // C3, C5
    int increments = 2_000;
    backend.putIfVersion(key, number(0), 0);

    Records.race(
        THREADS,
        number -> {
          for (int i = 0; i < increments; i++) {
            VersionedRecord current = stored(backend, key);
            while (true) {
              PutResult result =
                  backend.putIfVersion(key, number(number(current) + 1), current.version());
              if (result instanceof Written written) {
                assertThat(written.version()).isEqualTo(current.version() + 1);
                break;
              }
              VersionedRecord winner = winner(result);
              assertThat(winner.version()).isGreaterThan(current.version());
              current = winner;
            }
          }
          return true;
        });

    assertThat(number(stored(backend, key))).isEqualTo(THREADS * increments);
    assertThat(stored(backend, key).version()).isEqualTo(1 + THREADS * increments);
  }

  @Test
  void put_concurrently_givesDistinctVersionsAndKeepsTheHighest() throws Exception { // B10, C4
    int puts = 200;
    List<List<Long>> versions =
        Records.race(
            4,
            number -> {
              List<Long> mine = new ArrayList<>();
              for (int i = 0; i < puts; i++) {
                mine.add(backend.put(key, number(number)));
              }
              return mine;
            });

    Set<Long> distinct = new HashSet<>();
    versions.forEach(distinct::addAll);
    assertThat(distinct).hasSize(4 * puts);
    long last = 4L * puts;
    int lastWriter = number(stored(backend, key));
    assertThat(stored(backend, key).version()).isEqualTo(last);
    assertThat(versions.get(lastWriter)).contains(last);
  }

  @Test
  void deleteIfVersion_againstCas_exactlyOneWins() throws Exception { // C6
    for (int round = 0; round < 300; round++) {
      RecordKey contended = new RecordKey(partition, "round" + round);
      RecordValue value = value("new");
      backend.putIfVersion(contended, value("old"), 0);

      List<Object> results =
          Records.race(
              2,
              number ->
                  number == 0
                      ? backend.deleteIfVersion(contended, 1)
                      : backend.putIfVersion(contended, value, 1));

      if (results.get(0) == Deleted.DELETED) {
        assertThat(results.get(1)).isEqualTo(Conflict.ABSENT);
        assertThat(backend.get(contended)).isEmpty();
      } else {
        assertThat(results)
            .containsExactly(
                new Conflict(new VersionedRecord(contended, value, 2)), new Written(2));
        assertThat(backend.get(contended)).contains(new VersionedRecord(contended, value, 2));
      }
    }
  }

  @Test
  void purgeExpired_againstAWriteThatMovesTheExpiry_writtenRecordsStay() throws Exception { // C7
    for (int round = 0; round < 300; round++) {
      RecordKey contended = new RecordKey(partition + round, "id");
      backend.putIfVersion(contended, value("a", true, NOW), 0);

      List<Object> results =
          Records.race(
              2,
              number ->
                  number == 0
                      ? backend.purgeExpired(NOW, 10)
                      : backend.putIfVersion(contended, value("b", true, NOW.plusMillis(1)), 1));

      if (results.get(1).equals(new Written(2))) {
        assertThat(results.get(0)).isEqualTo(0);
        assertThat(stored(backend, contended).version()).isEqualTo(2);
      } else {
        assertThat(results).containsExactly(1, Conflict.ABSENT);
        assertThat(backend.get(contended)).isEmpty();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1_024, 65_536, 307_200})
  void get_hotKeyBeingWritten_isNeverTorn(int size) throws Exception { // A12, C9, C13
    int writes = size > 100_000 ? 300 : 2_000;
    AtomicBoolean done = new AtomicBoolean();
    backend.putIfVersion(key, patterned(0, size), 0);

    Records.race(
        4,
        number -> {
          if (number == 0) {
            for (int i = 1; i <= writes; i++) {
              backend.putIfVersion(key, patterned(i, size), i);
            }
            done.set(true);
            return true;
          }
          long last = 0;
          while (!done.get()) {
            VersionedRecord seen = stored(backend, key);
            assertThat(seen.version()).isGreaterThanOrEqualTo(last);
            last = seen.version();
            assertThat(seen.value().equals(patterned((int) last - 1, size))).isTrue();
          }
          return true;
        });
  }

  @Test
  void putIfVersion_distinctKeysInParallel_allSucceed() throws Exception { // C10
    List<Boolean> results =
        Records.race(
            THREADS,
            number -> {
              boolean all = true;
              for (int i = 0; i < 500; i++) {
                RecordKey own = new RecordKey(partition + i % 7, number + "-" + i);
                all &= backend.putIfVersion(own, value("a"), 0).equals(new Written(1));
              }
              return all;
            });

    assertThat(results).containsOnly(true);
    assertThat(backend.used().records()).isEqualTo(THREADS * 500);
  }

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
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
  }

  @RepeatedTest(5)
  void history_ofOneKey_isLinearizable() throws Exception { // C12, C13
    AtomicLong clock = new AtomicLong();
    backend.putIfVersion(key, value("0"), 0);

    List<List<Operation>> histories =
        Records.race(
            THREADS,
            number -> {
              Random random = new Random(number);
              List<Operation> history = new ArrayList<>();
              long known = 1;
              for (int i = 0; i < 1_000; i++) {
                long start = clock.incrementAndGet();
                boolean write = false;
                if (random.nextBoolean()) {
                  known = stored(backend, key).version();
                } else if (backend.putIfVersion(key, value("x"), known) instanceof Conflict lost) {
                  known = winner(lost).version();
                } else {
                  write = true;
                  known++;
                }
                history.add(new Operation(start, clock.incrementAndGet(), write, known));
              }
              return history;
            });

    assertLinearizable(histories.stream().flatMap(List::stream).toList());
  }

  @Test
  void purgeExpired_concurrently_countsEachRecordOnce() throws Exception { // F14
    int records = 2_000;
    for (int i = 0; i < records; i++) {
      RecordKey due = new RecordKey(partition + i % 50, "due" + i);
      backend.putIfVersion(due, value("a", i % 2 == 0, NOW.minusMillis(i)), 0);
    }

    List<Integer> purged =
        Records.race(
            4,
            number -> {
              int sum = 0;
              int count;
              do {
                count = backend.purgeExpired(NOW, 100);
                sum += count;
              } while (count > 0);
              return sum;
            });

    assertThat(purged.stream().mapToInt(Integer::intValue).sum()).isEqualTo(records);
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
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

  /**
   * Every operation stands for one version. In a history without deletes, an order that explains
   * the answers exists iff no operation shows a version lower than one that had ended before it
   * began, and every write a higher one.
   */
  private static void assertLinearizable(List<Operation> operations) {
    List<Operation> byStart = new ArrayList<>(operations);
    byStart.sort(Comparator.comparingLong(Operation::start));
    PriorityQueue<Operation> running =
        new PriorityQueue<>(Comparator.comparingLong(Operation::end));
    Set<Long> written = new HashSet<>();
    long ended = 0;
    for (Operation operation : byStart) {
      for (Operation first = running.peek();
          first != null && first.end() < operation.start();
          first = running.peek()) {
        ended = Math.max(ended, first.version());
        running.remove(first);
      }
      assertThat(operation.version()).isGreaterThanOrEqualTo(operation.write() ? ended + 1 : ended);
      assertThat(!operation.write() || written.add(operation.version())).isTrue();
      running.add(operation);
    }
  }

  /** A value of which every part is a function of {@code number}. */
  private static RecordValue patterned(int number, int size) {
    byte[] data = new byte[size];
    Arrays.fill(data, (byte) number);
    Instant expiresAt = number % 3 == 0 ? null : NOW.plusMillis(number);
    return new RecordValue(Bytes.unsafeWrap(data), number % 2 == 0, expiresAt, "w" + number);
  }

  private static RecordValue number(int number) {
    return value(ByteBuffer.allocate(4).putInt(number).array(), true, null);
  }

  private static int number(VersionedRecord stored) {
    return stored.value().data().asReadOnlyByteBuffer().getInt();
  }
}
