// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.headIds;
import static io.taskstore.contract.Samples.ids;
import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.race;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.winner;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.contract.Samples.Racer;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Statements C: what concurrent calls do, in real threads over two instances. They show what the
 * schedules of {@link InterleavingStatements} cannot: more than two calls, several instances, and
 * backends that cannot be stopped in the middle.
 */
abstract class ConcurrencyStatements extends InterleavingStatements {
  private static final int RACERS = 32;
  private static final int LIMIT = 10;

  /** How many inactive records must not change the cost of a create. */
  private static final int MANY_INACTIVE = 10_000;

  /** How many more records a create may look at for what is not proportional to anything. */
  private static final long COST_TOLERANCE = 16;

  /** The history of each key is told in calls; these are all together. */
  private static final int HISTORY_CALLS = 10_000;

  private static final int STRESS_HISTORY_CALLS = 100_000;
  private static final int CERTIFICATION_HISTORY_CALLS = 1_000_000;

  // --- C1: creates ----------------------------------------------------------------------------

  @Test
  final void c1_manyCreateOneKey_oneSucceedsAndIsStored() throws Exception {
    createRace("k", 4);
  }

  @Test
  @Stress
  final void c1_manyCreateManyKeys_oneSucceedsForEach() throws Exception {
    for (int round = 0; round < 100; round++) {
      createRace("r" + round + "-", 20);
    }
  }

  private void createRace(String prefix, int keys) throws Exception {
    List<List<Attempt>> attempts =
        race(
            RACERS,
            number -> {
              List<Attempt> own = new ArrayList<>();
              for (int i = 0; i < keys; i++) {
                // everybody begins with the first key, where all meet at the same moment
                RecordKey key = key(prefix + i);
                RecordValue value = value("racer " + number, number % 2 == 0, null);
                own.add(new Attempt(value, instance(number).putIfVersion(key, value, 0)));
              }
              return own;
            });
    for (int i = 0; i < keys; i++) {
      int index = i;
      assertOneWon(key(prefix + i), 1, attempts.stream().map(own -> own.get(index)).toList());
    }
    for (StorageBackend reader : bothInstances()) {
      List<String> ids = IntStream.range(0, keys).mapToObj(i -> prefix + i).sorted().toList();
      assertThat(
              ids(listAll(reader, partition(), false, 7)).stream()
                  .filter(id -> id.startsWith(prefix))
                  .toList())
          .as("the ids of what was created")
          .isEqualTo(ids);
    }
  }

  /** A write and what came of it. */
  private record Attempt(RecordValue value, PutResult result) {}

  /** Checks that one of the writes won, is stored, and is what all others were told. */
  private void assertOneWon(RecordKey key, long version, List<Attempt> attempts) {
    List<Attempt> won =
        attempts.stream().filter(attempt -> attempt.result() instanceof Written).toList();
    assertThat(won).as("the winners among %d writes of %s", attempts.size(), key).hasSize(1);
    assertThat(won.get(0).result()).as("the winner's result").isEqualTo(new Written(version));
    VersionedRecord winner = new VersionedRecord(key, won.get(0).value(), version);
    for (Attempt attempt : attempts) {
      if (!(attempt.result() instanceof Written)) {
        assertThat(attempt.result())
            .as("the result of a write that lost")
            .isEqualTo(new Conflict(winner));
      }
    }
    assertStored(winner);
  }

  /** Checks that get, list and listActive of both instances have just this under its key. */
  private void assertStored(VersionedRecord record) {
    for (StorageBackend reader : bothInstances()) {
      assertThat(reader.get(record.key())).as("get").contains(record);
      assertThat(listAll(reader, record.key().partition(), false, 50))
          .as("list")
          .filteredOn(listed -> listed.key().equals(record.key()))
          .containsExactly(record);
      List<RecordHead> heads =
          listAllActive(reader, record.key().partition(), true, 50).stream()
              .filter(head -> head.key().equals(record.key()))
              .toList();
      if (record.value().active()) {
        assertThat(heads)
            .as("listActive")
            .containsExactly(new RecordHead(record.key(), record.value().expiresAt()));
      }
    }
  }

  // --- C2: updates of one version -------------------------------------------------------------

  @Test
  final void c2_c5_manyWriteOnOneVersion_oneWinsEachRound() throws Exception {
    updateRace(8, 20);
  }

  @Test
  @Stress
  final void c2_c5_manyWriteOnOneVersionInManyRounds_oneWinsEachRound() throws Exception {
    updateRace(RACERS, 1_000);
  }

  private void updateRace(int racers, int rounds) throws Exception {
    RecordKey key = key("id");
    insert(backend(), key, value("first", true, null));
    for (int round = 1; round <= rounds; round++) {
      long expected = round;
      boolean active = round < rounds;
      List<Attempt> attempts =
          race(
              racers,
              number -> {
                Instant expiry = number % 3 == 0 ? null : Samples.now().plusSeconds(3_600 + number);
                RecordValue value = value("racer " + number, active, expiry);
                return new Attempt(value, instance(number).putIfVersion(key, value, expected));
              });
      assertOneWon(key, expected + 1, attempts);
    }
  }

  // --- C3: increments -------------------------------------------------------------------------

  @Test
  final void c3_c5_incrementsWithRetriesFromTwoInstances_allCount() throws Exception {
    increments(8, 20);
  }

  @Test
  @Stress
  final void c3_c5_manyIncrementsWithRetriesFromTwoInstances_allCount() throws Exception {
    for (int round = 0; round < 20; round++) {
      increments(16, 100);
    }
  }

  private void increments(int threads, int each) throws Exception {
    RecordKey key = key("counter-" + Samples.newWriteId());
    insert(backend(), key, value("0"));
    race(
        threads,
        number -> {
          for (int i = 0; i < each; i++) {
            increment(instance(number), key, threads * each, number % 2 == 0);
          }
          return number;
        });
    long total = (long) threads * each;
    for (StorageBackend reader : bothInstances()) {
      VersionedRecord last = stored(reader, key);
      assertThat(count(last)).as("the counter").isEqualTo(total);
      assertThat(last.version()).as("the counter's version").isEqualTo(total + 1);
    }
  }

  private static void increment(
      StorageBackend backend, RecordKey key, int mostLosses, boolean goOnFromWinner) {
    VersionedRecord current = stored(backend, key);
    for (int losses = 0; losses <= mostLosses; losses++) {
      assertThat(current.version())
          .as("the version of a counter that was incremented %d times", count(current))
          .isEqualTo(count(current) + 1);
      PutResult result =
          backend.putIfVersion(key, value(Long.toString(count(current) + 1)), current.version());
      if (result instanceof Written written) {
        assertThat(written.version()).isEqualTo(current.version() + 1);
        return;
      }
      VersionedRecord winner = winner(result);
      assertThat(winner.version())
          .as("the version of what won, where nothing is deleted")
          .isGreaterThan(current.version());
      current = goOnFromWinner ? winner : stored(backend, key);
    }
    throw new AssertionError("An increment lost more often than there are increments");
  }

  private static long count(VersionedRecord counter) {
    return Long.parseLong(new String(counter.value().data().toByteArray(), StandardCharsets.UTF_8));
  }

  // --- C4, C5: puts and updates ---------------------------------------------------------------

  @Test
  final void c4_concurrentPuts_getDistinctVersionsAndTheHighestIsStored() throws Exception {
    RecordKey key = key("id");
    int threads = 8;
    int each = 10;
    Map<Long, RecordValue> byVersion = new ConcurrentHashMap<>();
    race(
        threads,
        number -> {
          long last = 0;
          for (int i = 0; i < each; i++) {
            RecordValue value = value(number + " " + i);
            long version = putPersistently(instance(number), key, value);
            assertThat(version).as("the version of a thread's next put").isGreaterThan(last);
            last = version;
            assertThat(byVersion.put(version, value))
                .as("another put that got the version %d", version)
                .isNull();
          }
          return number;
        });
    long puts = (long) threads * each;
    assertThat(new TreeSet<>(byVersion.keySet()))
        .as("the versions of %d puts", puts)
        .containsExactlyElementsOf(LongStream.rangeClosed(1, puts).boxed().toList());
    RecordValue highest = Objects.requireNonNull(byVersion.get(puts));
    assertStored(new VersionedRecord(key, highest, puts));
  }

  /** A put may give up where others keep writing. */
  private static long putPersistently(StorageBackend backend, RecordKey key, RecordValue value) {
    for (int attempt = 0; ; attempt++) {
      try {
        return backend.put(key, value);
      } catch (StorageUnavailableException e) {
        if (!e.isRetryable() || attempt == 20) {
          throw e;
        }
      }
    }
  }

  @Test
  final void c4_c5_putsAndUpdates_eachVersionIsReplacedOnce() throws Exception {
    RecordKey key = key("id");
    insert(backend(), key, value("first"));
    Map<Long, RecordValue> byVersion = new ConcurrentHashMap<>();
    race(
        8,
        number -> {
          StorageBackend backend = instance(number);
          for (int i = 0; i < 25; i++) {
            RecordValue value = value(number + " " + i);
            long version;
            if (number % 4 == 0) {
              version = putPersistently(backend, key, value);
            } else {
              VersionedRecord seen = stored(backend, key);
              PutResult result = backend.putIfVersion(key, value, seen.version());
              if (!(result instanceof Written written)) {
                assertThat(winner(result).version())
                    .as("the version of what won")
                    .isGreaterThan(seen.version());
                continue;
              }
              version = written.version();
              assertThat(version).isEqualTo(seen.version() + 1);
            }
            assertThat(byVersion.put(version, value))
                .as("another write that got the version %d", version)
                .isNull();
          }
          return number;
        });
    long last = byVersion.size() + 1L;
    assertThat(new TreeSet<>(byVersion.keySet()))
        .as("the versions of the writes that succeeded")
        .containsExactlyElementsOf(LongStream.rangeClosed(2, last).boxed().toList());
    assertStored(new VersionedRecord(key, Objects.requireNonNull(byVersion.get(last)), last));
  }

  // --- C6: deletes ----------------------------------------------------------------------------

  @Test
  final void c6_manyDeleteOneVersion_oneSucceeds() throws Exception {
    for (int round = 0; round < 10; round++) {
      RecordKey key = key("id" + round);
      VersionedRecord record = insert(backend(), key, value("data"));
      List<DeleteResult> results = race(8, number -> instance(number).deleteIfVersion(key, 1));
      assertThat(results).as("the results of deletes of one version").contains(Deleted.DELETED);
      assertThat(results.stream().filter(result -> result == Deleted.DELETED))
          .as("the deletes that succeeded")
          .hasSize(1);
      // The winner may be newer than the comparison; older than the delete it cannot be.
      assertThat(results).isSubsetOf(Deleted.DELETED, Conflict.ABSENT);
      assertGone(record.key());
    }
  }

  @Test
  final void c6_deletesAgainstWrites_nothingIsLostOrResurrected() throws Exception {
    deletesAgainstWrites(8, 40);
  }

  @Test
  @Stress
  final void c6_manyDeletesAgainstWrites_nothingIsLostOrResurrected() throws Exception {
    for (int round = 0; round < 100; round++) {
      deletesAgainstWrites(16, 100);
    }
  }

  private void deletesAgainstWrites(int threads, int each) throws Exception {
    RecordKey key = key("id-" + Samples.newWriteId());
    Map<Long, AtomicInteger> written = new ConcurrentHashMap<>();
    Map<Long, AtomicInteger> deleted = new ConcurrentHashMap<>();
    race(
        threads,
        number -> {
          StorageBackend backend = instance(number);
          Random random = new Random(number);
          for (int i = 0; i < each; i++) {
            VersionedRecord seen = backend.get(key).orElse(null);
            assertWhole(seen, 100, 3);
            long version = seen == null ? 0 : seen.version();
            if (seen != null && random.nextInt(5) < 2) {
              DeleteResult result = backend.deleteIfVersion(key, version);
              if (result instanceof Conflict conflict) {
                assertWhole(conflict.winner(), 100, 3);
              } else {
                count(deleted, version);
              }
            } else {
              PutResult result = backend.putIfVersion(key, hotValue(version + 1, 100, 3), version);
              if (result instanceof Conflict conflict) {
                assertWhole(conflict.winner(), 100, 3);
              } else {
                assertThat(result).isEqualTo(new Written(version + 1));
                count(written, version + 1);
              }
            }
          }
          return number;
        });
    // Whoever wrote version v + 1 or deleted version v has used up one record of version v; what
    // is left over is what is stored.
    long last = lastVersion(key);
    long highest = Collections.max(written.keySet());
    for (long version = 1; version <= Math.max(highest, last); version++) {
      int left = number(written, version) - number(written, version + 1) - number(deleted, version);
      assertThat(left)
          .as(
              "writes of version %d (%d) less those of the next (%d) and deletes (%d), where "
                  + "version %d is stored in the end",
              version,
              number(written, version),
              number(written, version + 1),
              number(deleted, version),
              last)
          .isEqualTo(version == last ? 1 : 0);
    }
    backend().delete(key);
    assertGone(key);
  }

  /** The version that is stored in the end, on which everything must agree; 0 if none. */
  private long lastVersion(RecordKey key) {
    Optional<VersionedRecord> record = backend().get(key);
    if (record.isPresent()) {
      assertWhole(record.get(), 100, 3);
      assertStored(record.get());
    } else {
      assertGone(key);
    }
    return record.map(VersionedRecord::version).orElse(0L);
  }

  /** Checks that get, list and listActive of both instances have nothing under a key. */
  private void assertGone(RecordKey key) {
    for (StorageBackend reader : bothInstances()) {
      assertThat(reader.get(key)).as("get of what was deleted").isEmpty();
      assertThat(ids(listAll(reader, key.partition(), false, 50)))
          .as("list of what was deleted")
          .doesNotContain(key.id());
      assertThat(headIds(listAllActive(reader, key.partition(), true, 50)))
          .as("listActive of what was deleted")
          .doesNotContain(key.id());
    }
  }

  private static void count(Map<Long, AtomicInteger> counts, long version) {
    counts.computeIfAbsent(version, absent -> new AtomicInteger()).incrementAndGet();
  }

  private static int number(Map<Long, AtomicInteger> counts, long version) {
    AtomicInteger count = counts.get(version);
    return count == null ? 0 : count.get();
  }

  // --- C7: purges -----------------------------------------------------------------------------

  @Test
  final void c7_purgesWhileOthersMoveTheExpiry_neverTakeWhatWasMoved() throws Exception {
    purgesAgainstWrites(4, 40);
  }

  @Test
  @Stress
  final void c7_manyPurgesWhileOthersMoveTheExpiry_neverTakeWhatWasMoved() throws Exception {
    for (int round = 0; round < 50; round++) {
      purgesAgainstWrites(8, 100);
    }
  }

  private void purgesAgainstWrites(int writers, int each) throws Exception {
    List<StorageBackend> instances = newInstances();
    Instant now = Samples.now();
    Instant past = now.minusSeconds(60);
    AtomicInteger purged = new AtomicInteger();
    Set<VersionedRecord> moved = ConcurrentHashMap.newKeySet();
    AtomicInteger lost = new AtomicInteger();
    AtomicInteger left = new AtomicInteger();
    duringWrites(
        writers,
        number -> {
          StorageBackend backend = instances.get(number % 2);
          // Where a purge is much faster or slower than a write, more are needed until they meet.
          for (int i = 0; i < each || (i < 4 * each && (moved.isEmpty() || lost.get() == 0)); i++) {
            RecordKey key = key(number + "-" + i);
            insert(backend, key, value("due", true, past));
            if (i % 3 == 0) {
              left.incrementAndGet();
              continue;
            }
            RecordValue value = value("moved", true, i % 3 == 1 ? now.plusSeconds(3_600) : null);
            PutResult result = backend.putIfVersion(key, value, 1);
            if (result instanceof Written) {
              assertThat(result).isEqualTo(new Written(2));
              VersionedRecord record = new VersionedRecord(key, value, 2);
              moved.add(record);
              assertThat(instances.get((number + 1) % 2).get(key))
                  .as("a record whose expiry was moved, at once")
                  .contains(record);
            } else {
              assertThat(result).as("a write that came too late").isEqualTo(Conflict.ABSENT);
              lost.incrementAndGet();
            }
          }
          return number;
        },
        2,
        number -> {
          int removed = instances.get(number).purgeExpired(now, 5);
          assertThat(removed).as("what a purge with a limit of 5 removes").isBetween(0, 5);
          return purged.addAndGet(removed);
        });
    if (!traits().purgesItself()) {
      int removed;
      do {
        removed = instances.get(0).purgeExpired(now, 100);
        purged.addAndGet(removed);
      } while (removed > 0);
      assertThat(purged.get())
          .as("how many were purged: those that nobody moved, and those that were moved too late")
          .isEqualTo(left.get() + lost.get());
    }
    for (StorageBackend reader : instances) {
      for (VersionedRecord record : moved) {
        assertThat(reader.get(record.key()))
            .as("a record whose expiry was moved, in the end")
            .contains(record);
      }
      List<String> movedIds = moved.stream().map(record -> record.key().id()).toList();
      assertThat(ids(listAll(reader, partition(), false, 100))).containsAll(movedIds);
      assertThat(headIds(listAllActive(reader, partition(), false, 100))).containsAll(movedIds);
      if (!traits().purgesItself()) {
        assertThat(listAll(reader, partition(), false, 100)).hasSize(moved.size());
        assertThat(listAllActive(reader, partition(), false, 100)).hasSize(moved.size());
      }
    }
  }

  // --- C8: indexes ----------------------------------------------------------------------------

  @Test
  final void c8_recordsComingAndGoingAround_neverHideLivingOnes() throws Exception {
    livingKeysAreSeen(60);
  }

  @Test
  @Stress
  final void c8_manyRecordsComingAndGoingAround_neverHideLivingOnes() throws Exception {
    for (int round = 0; round < 20; round++) {
      livingKeysAreSeen(300);
    }
  }

  private void livingKeysAreSeen(int each) throws Exception {
    List<StorageBackend> instances = newInstances();
    Instant now = Samples.now();
    Instant later = now.plusSeconds(3_600);
    List<String> living = List.of("b", "d", "f");
    for (String id : living) {
      insert(instances.get(0), key(id), value(id, true, later));
    }
    AtomicInteger fresh = new AtomicInteger();
    duringWrites(
        4,
        number -> {
          StorageBackend backend = instances.get(number % 2);
          for (int i = 1; i <= each; i++) {
            switch (number) {
              // one is written with the same expiry, one is moved in the index again and again
              case 0 -> write(backend, key("b"), value("b" + i, true, later), i);
              case 1 ->
                  write(
                      backend,
                      key("d"),
                      value("d" + i, true, i % 2 == 0 ? null : later.plusSeconds(i)),
                      i);
              default -> {
                RecordKey key = key("abcdefg".charAt(i % 7) + "-" + fresh.incrementAndGet());
                insert(backend, key, value("passing", true, later));
                write(backend, key, value("due", i % 2 == 0, now.minusSeconds(60)), 1);
                if (i % 3 == 0) {
                  backend.deleteIfVersion(key, 2);
                } else {
                  backend.purgeExpired(now, 3);
                }
              }
            }
          }
          return number;
        },
        3,
        number -> {
          StorageBackend reader = instances.get(number % 2);
          boolean descending = number == 2;
          assertThat(ids(listAll(reader, partition(), descending, 3)))
              .as("list")
              .containsSubsequence(inOrder(living, descending))
              .doesNotHaveDuplicates();
          assertThat(headIds(listAllActive(reader, partition(), descending, 2)))
              .as("listActive")
              .containsSubsequence(inOrder(living, descending))
              .doesNotHaveDuplicates();
          for (String id : living) {
            assertThat(reader.get(key(id))).as("get of %s", id).isPresent();
          }
          return number;
        });
    for (StorageBackend reader : instances) {
      assertThat(stored(reader, key("b")).version()).isEqualTo(each + 1L);
      assertThat(stored(reader, key("d")).version()).isEqualTo(each + 1L);
      assertThat(stored(reader, key("f")).version()).isEqualTo(1);
      List<VersionedRecord> all = listAll(reader, partition(), false, 100);
      assertThat(ids(all)).containsSubsequence(living);
      List<RecordHead> active =
          all.stream()
              .filter(record -> record.value().active())
              .map(record -> new RecordHead(record.key(), record.value().expiresAt()))
              .toList();
      if (!traits().purgesItself()) {
        assertThat(listAllActive(reader, partition(), false, 100)).containsSubsequence(active);
      }
    }
  }

  // --- C9: torn reads -------------------------------------------------------------------------

  @ParameterizedTest(name = "{0} bytes")
  @ValueSource(ints = {1_024, 64 * 1_024, 300 * 1_024})
  final void c9_hotKey_isNeverReadTorn(int size) throws Exception {
    hotKey(size, 40);
  }

  @ParameterizedTest(name = "{0} bytes")
  @ValueSource(ints = {1_024, 64 * 1_024, 300 * 1_024})
  @Stress
  final void c9_hotKeyForLong_isNeverReadTorn(int size) throws Exception {
    hotKey(size, 1_000);
  }

  private void hotKey(int atMost, long versions) throws Exception {
    int size = Math.min(atMost, traits().maxDataBytes());
    RecordKey key = key("hot");
    long activeUntil = versions / 2;
    insert(backend(), key, hotValue(1, size, activeUntil));
    duringWrites(
        2,
        number -> {
          writeUpTo(versions, instance(number), key, size, activeUntil, version -> {});
          return number;
        },
        3,
        number -> {
          for (StorageBackend reader : List.of(instance(number), instance(number + 1))) {
            assertWhole(stored(reader, key), size, activeUntil);
          }
          List<VersionedRecord> listed = listAll(instance(number), partition(), number == 1, 10);
          assertThat(ids(listed)).as("list").containsExactly("hot");
          assertWhole(listed.get(0), size, activeUntil);
          return number;
        });
    VersionedRecord last = stored(backend(), key);
    assertThat(last.version()).isEqualTo(versions);
    assertStored(last);
  }

  /** Writes until a version is reached, if need be against others who do the same. */
  private static void writeUpTo(
      long versions,
      StorageBackend backend,
      RecordKey key,
      int size,
      long activeUntil,
      LongConsumer written) {
    VersionedRecord current = stored(backend, key);
    while (current.version() < versions) {
      long next = current.version() + 1;
      RecordValue value = hotValue(next, size, activeUntil);
      PutResult result = backend.putIfVersion(key, value, current.version());
      if (result instanceof Written) {
        assertThat(result).isEqualTo(new Written(next));
        written.accept(next);
        current = new VersionedRecord(key, value, next);
      } else {
        VersionedRecord winner = winner(result);
        assertWhole(winner, size, activeUntil);
        assertThat(winner.version())
            .as("the version of what won, where nothing is deleted")
            .isGreaterThanOrEqualTo(next);
        current = winner;
      }
    }
  }

  /** A value all of which follows from its write id, and that from the version it will have. */
  private static RecordValue hotValue(long version, int size, long activeUntil) {
    return hotValue(version + "." + Samples.newWriteId(), size, activeUntil);
  }

  private static RecordValue hotValue(String writeId, int size, long activeUntil) {
    long version = versionOf(writeId);
    int length = version % 2 == 0 ? size : size / 2 + 1;
    Instant expiry =
        version % 3 == 0 ? null : Instant.parse("2200-01-01T00:00:00Z").plusMillis(version);
    byte[] data = Samples.randomBytes(length, writeId.hashCode());
    return new RecordValue(Bytes.unsafeWrap(data), version <= activeUntil, expiry, writeId);
  }

  private static long versionOf(String writeId) {
    return Long.parseLong(writeId.substring(0, writeId.indexOf('.')));
  }

  private static void assertWhole(@Nullable VersionedRecord read, int size, long activeUntil) {
    if (read != null) {
      String writeId = read.value().writeId();
      assertThat(read.version())
          .as("the version of write %s", writeId)
          .isEqualTo(versionOf(writeId));
      assertThat(read.value())
          .as("what was read with version %d, all parts of one write", read.version())
          .isEqualTo(hotValue(writeId, size, activeUntil));
    }
  }

  // --- C10: distinct keys ---------------------------------------------------------------------

  @Test
  final void c10_writesOfDistinctKeys_allSucceed() throws Exception {
    distinctKeys(bothInstances(), 16, 8);
  }

  @Test
  @Stress
  final void c10_manyWritesOfDistinctKeys_allSucceed() throws Exception {
    for (int round = 0; round < 20; round++) {
      distinctKeys(newInstances(), 32, 100);
    }
  }

  private void distinctKeys(List<StorageBackend> instances, int threads, int each)
      throws Exception {
    String run = Samples.newWriteId();
    List<List<VersionedRecord>> left =
        race(
            threads,
            number -> {
              StorageBackend backend = instances.get(number % 2);
              List<VersionedRecord> own = new ArrayList<>();
              for (int i = 0; i < each; i++) {
                for (String partition : List.of(partition() + run, partition() + run + number)) {
                  RecordKey key = new RecordKey(partition, "%02d-%03d".formatted(number, i));
                  insert(backend, key, value("first", true, null));
                  VersionedRecord record =
                      write(backend, key, value("second " + number, i % 3 > 0, null), 1);
                  if (i % 3 == 2) {
                    assertThat(backend.deleteIfVersion(key, 2)).isEqualTo(Deleted.DELETED);
                  } else {
                    own.add(record);
                  }
                }
              }
              return own;
            });
    List<VersionedRecord> shared =
        left.stream()
            .flatMap(List::stream)
            .filter(record -> record.key().partition().equals(partition() + run))
            .toList();
    for (StorageBackend reader : instances) {
      assertThat(listAll(reader, partition() + run, false, 1_000))
          .as("the records of a partition that all have written to")
          .isEqualTo(shared);
      for (int number = 0; number < threads; number++) {
        String partition = partition() + run + number;
        assertThat(listAll(reader, partition, true, 1_000))
            .as("the records of a partition that one thread has written to")
            .containsExactlyInAnyOrderElementsOf(
                left.get(number).stream()
                    .filter(record -> record.key().partition().equals(partition))
                    .toList());
      }
    }
  }

  @Test
  final void c10_firstAndLastRecordsOfAPartitionAtOnce_areNotLost() throws Exception {
    comeAndGo(8, 40);
  }

  @Test
  @Stress
  final void c10_manyFirstAndLastRecordsOfAPartitionAtOnce_areNotLost() throws Exception {
    comeAndGo(4, 5_000);
  }

  /** Everybody creates and deletes keys of one partition, which is often empty in between. */
  private void comeAndGo(int threads, int each) throws Exception {
    race(
        threads,
        number -> {
          StorageBackend backend = instance(number);
          StorageBackend reader = instance(number + 1);
          for (int i = 0; i < each; i++) {
            RecordKey key = key(number + "-" + i);
            VersionedRecord record = insert(backend, key, value("data", i % 2 == 0, null));
            assertThat(reader.get(key)).as("a record that was just created").contains(record);
            assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
            assertThat(reader.get(key)).as("a record that was just deleted").isEmpty();
          }
          return number;
        });
    assertThat(listAll(backend(), partition(), false, 100)).isEmpty();
    assertThat(listAllActive(other(), partition(), false, 100)).isEmpty();
  }

  // --- C11: creates within a limit ------------------------------------------------------------

  @Test
  final void c11_manyCreateAtOnce_theLimitIsAdmittedAndCanBeFilled() throws Exception {
    for (int round = 0; round < 3; round++) {
      createWithinRace(RACERS);
    }
  }

  @Test
  @Stress
  final void c11_manyCreateAtOnceManyTimes_theLimitIsAdmittedAndCanBeFilled() throws Exception {
    for (int round = 0; round < 100; round++) {
      createWithinRace(RACERS);
    }
  }

  private void createWithinRace(int racers) throws Exception {
    String partition = partition() + Samples.newWriteId();
    Instant now = Samples.now();
    List<VersionedRecord> before = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      RecordKey ended = new RecordKey(partition, "ended" + i);
      insert(backend(), ended, value("active", true, null));
      before.add(write(backend(), ended, value("inactive", false, null), 1));
      RecordKey expired = new RecordKey(partition, "expired" + i);
      before.add(insert(backend(), expired, value("expired", true, now.minusSeconds(i))));
    }
    List<CreateResult> results =
        race(
            racers,
            number ->
                instance(number)
                    .createWithin(
                        new RecordKey(partition, "racer%02d".formatted(number)),
                        value("racer", true, number % 2 == 0 ? null : now.plusSeconds(3_600)),
                        LIMIT,
                        now));
    List<String> admitted =
        IntStream.range(0, racers)
            .filter(number -> results.get(number) == Created.CREATED)
            .mapToObj("racer%02d"::formatted)
            .toList();
    if (overridesCreateWithin()) {
      assertThat(admitted).as("those admitted by a limit of %d", LIMIT).hasSize(LIMIT);
      assertThat(results).as("the results").isSubsetOf(Created.CREATED, Full.FULL);
    } else {
      assertThat(admitted)
          .as("those admitted by a limit of %d", LIMIT)
          .hasSizeLessThanOrEqualTo(LIMIT);
      assertThat(results)
          .as("the results, with nothing lost on the way")
          .isSubsetOf(Created.CREATED, Full.FULL, new Contended(false));
    }
    assertActive(partition, before, admitted);
    List<String> all = new ArrayList<>(admitted);
    for (int i = admitted.size(); i < LIMIT; i++) {
      RecordKey key = new RecordKey(partition, "later%02d".formatted(i));
      assertThat(instance(i).createWithin(key, value("later"), LIMIT, now))
          .as("a create alone, after %d were admitted by a limit of %d", i, LIMIT)
          .isEqualTo(Created.CREATED);
      all.add(key.id());
    }
    for (int i = 0; i < 2; i++) {
      RecordKey key = new RecordKey(partition, "refused" + i);
      assertThat(instance(i).createWithin(key, value("refused"), LIMIT, now))
          .as("a create when the limit is reached")
          .isEqualTo(Full.FULL);
    }
    assertActive(partition, before, all);
  }

  /** Checks what is stored: what was there before, and what was admitted, and nothing else. */
  private void assertActive(String partition, List<VersionedRecord> before, List<String> admitted) {
    for (StorageBackend reader : bothInstances()) {
      List<String> all = new ArrayList<>(admitted);
      List<String> active = new ArrayList<>(admitted);
      for (VersionedRecord record : before) {
        if (!traits().purgesItself() || record.value().expiresAt() == null) {
          all.add(record.key().id());
          if (record.value().active()) {
            active.add(record.key().id());
          }
        }
      }
      assertThat(ids(listAll(reader, partition, false, 100)))
          .as("list after the creates")
          .containsAll(all)
          .filteredOn(id -> !id.startsWith("expired"))
          .isSubsetOf(all);
      assertThat(headIds(listAllActive(reader, partition, false, 100)))
          .as("listActive after the creates")
          .containsAll(active)
          .filteredOn(id -> !id.startsWith("expired"))
          .isSubsetOf(active);
    }
  }

  @Test
  final void c11_recordsComingAndGoing_areNeverMoreThanTheLimit() throws Exception {
    // the default waits between its rounds, longer for each
    int each = overridesCreateWithin() ? 20 : 4;
    createAndEnd(bothInstances(), 8, each, 3);
    createAndEnd(bothInstances(), 8, each, 1);
  }

  @Test
  @Stress
  final void c11_manyRecordsComingAndGoing_areNeverMoreThanTheLimit() throws Exception {
    for (int round = 0; round < 10; round++) {
      createAndEnd(newInstances(), 16, 200, 5);
      createAndEnd(newInstances(), 16, 200, 1);
    }
  }

  private void createAndEnd(List<StorageBackend> instances, int threads, int each, int max)
      throws Exception {
    String run = Samples.newWriteId();
    StorageBackend other = instances.get(1);
    Instant now = Samples.now();
    AtomicInteger held = new AtomicInteger();
    AtomicInteger admitted = new AtomicInteger();
    race(
        threads,
        number -> {
          StorageBackend backend = instances.get(number % 2);
          for (int i = 0; i < each; i++) {
            RecordKey key = key("%s-%d-%d".formatted(run, number, i));
            CreateResult result = backend.createWithin(key, value("active"), max, now);
            if (result != Created.CREATED) {
              assertThat(result)
                  .isIn(
                      overridesCreateWithin()
                          ? List.of(Full.FULL)
                          : List.of(Full.FULL, new Contended(false)));
              continue;
            }
            admitted.incrementAndGet();
            // Counted from after it was admitted until before it ends: never more than are active.
            assertThat(held.incrementAndGet())
                .as("records held at a time that a limit of %d has admitted", max)
                .isLessThanOrEqualTo(max);
            assertThat(other.get(key)).as("what was admitted").isPresent();
            held.decrementAndGet();
            if (ThreadLocalRandom.current().nextBoolean()) {
              assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
            } else {
              write(backend, key, value("ended", false, null), 1);
            }
          }
          return number;
        });
    if (overridesCreateWithin()) {
      assertThat(admitted.get()).as("how many were admitted").isPositive();
    }
    for (int i = 0; i <= max; i++) {
      assertThat(other.createWithin(key(run + "-after-" + i), value("after"), max, now))
          .as("create number %d within a limit of %d, after all others have ended", i + 1, max)
          .isEqualTo(i < max ? Created.CREATED : Full.FULL);
    }
    for (int i = 0; i < max; i++) {
      write(other, key(run + "-after-" + i), value("ended", false, null), 1);
    }
  }

  @Test
  final void c11_inactiveRecords_doNotChangeTheCostOfACreate() throws Exception {
    if (!overrides("listActive", ListQuery.class)) {
      throw ExcludedException.byDefault(
          "listActive is the default, which reads the inactive records too");
    }
    BackendStorage storage = newStorage();
    BackendStorage.ReadCounter counter = require(Hook.READ_COUNTER, storage.readCounter());
    List<StorageBackend> instances = List.of(open(storage), open(storage));
    Instant now = Samples.now();
    long costBefore = costOfCreates(instances.get(0), counter, partition() + "few", now);
    String many = partition() + "many";
    int threads = 8;
    race(
        threads,
        number -> {
          StorageBackend backend = instances.get(number % 2);
          for (int i = number; i < MANY_INACTIVE; i += threads) {
            RecordKey key = new RecordKey(many, "ended%05d".formatted(i));
            insert(backend, key, value("", true, i % 2 == 0 ? null : now.plusSeconds(3_600)));
            write(backend, key, value("", false, i % 2 == 0 ? null : now.plusSeconds(7_200)), 1);
          }
          return number;
        });
    long cost = costOfCreates(instances.get(0), counter, many, now);
    assertThat(cost)
        .as(
            "records looked at by creates beside %d inactive ones, where it is %d beside none",
            MANY_INACTIVE, costBefore)
        .isLessThanOrEqualTo(costBefore + COST_TOLERANCE);
  }

  /** What it costs to create up to a limit, and to be refused for it. */
  private static long costOfCreates(
      StorageBackend backend, BackendStorage.ReadCounter counter, String partition, Instant now) {
    long before = counter.recordsRead();
    // before, among and after the inactive ones
    List<String> ids = List.of("a", "ended05000-", "f", "g");
    for (int i = 0; i < ids.size(); i++) {
      RecordKey key = new RecordKey(partition, ids.get(i));
      assertThat(backend.createWithin(key, value("active"), 3, now))
          .as("create number %d within a limit of 3", i + 1)
          .isEqualTo(i < 3 ? Created.CREATED : Full.FULL);
    }
    return counter.recordsRead() - before;
  }

  // --- C12: histories -------------------------------------------------------------------------

  @Test
  final void c12_historyWithoutDeletes_isLinearizable() throws Exception {
    historyWithoutDeletes(bothInstances(), HISTORY_CALLS);
  }

  @Test
  final void c12_historyWithDeletes_isLinearizable() throws Exception {
    historyWithDeletes(bothInstances(), HISTORY_CALLS);
  }

  @Test
  @Stress
  final void c12_longHistoryWithoutDeletes_isLinearizable() throws Exception {
    historyWithoutDeletes(newInstances(), STRESS_HISTORY_CALLS);
  }

  @Test
  @Stress
  final void c12_longHistoryWithDeletes_isLinearizable() throws Exception {
    historyWithDeletes(newInstances(), STRESS_HISTORY_CALLS);
  }

  @Test
  @Certification
  final void c12_veryLongHistoryWithoutDeletes_isLinearizable() throws Exception {
    historyWithoutDeletes(newInstances(), CERTIFICATION_HISTORY_CALLS);
  }

  @Test
  @Certification
  final void c12_veryLongHistoryWithDeletes_isLinearizable() throws Exception {
    historyWithDeletes(newInstances(), CERTIFICATION_HISTORY_CALLS);
  }

  private void historyWithoutDeletes(List<StorageBackend> instances, int calls) {
    long seed = ThreadLocalRandom.current().nextLong();
    assertWorked(HistoryWorkload.deleteFree(seed, 8, calls).run(instances, partition()), calls);
  }

  private void historyWithDeletes(List<StorageBackend> instances, int calls) {
    long seed = ThreadLocalRandom.current().nextLong();
    assertWorked(HistoryWorkload.withDeletes(seed, 8, calls).run(instances, partition()), calls);
  }

  private static void assertWorked(HistoryWorkload.Summary summary, int calls) {
    assertThat(summary.calls())
        .as("calls that were recorded: %s", summary)
        .isGreaterThanOrEqualTo(calls);
    assertThat(summary.failed()).as("calls that failed on a healthy storage").isZero();
    assertThat(summary.unknown()).as("answers that were lost by a healthy storage").isZero();
    assertThat(summary.writes()).as("writes that succeeded").isPositive();
    assertThat(summary.conflicts()).as("writes that lost").isPositive();
  }

  // --- C13: readers ---------------------------------------------------------------------------

  @Test
  final void c13_readersDuringWrites_neverSeeAVersionGoBack() throws Exception {
    versionsGoOn(300);
  }

  @Test
  @Stress
  final void c13_readersDuringManyWrites_neverSeeAVersionGoBack() throws Exception {
    versionsGoOn(10_000);
  }

  private void versionsGoOn(long versions) throws Exception {
    RecordKey key = key("hot");
    insert(backend(), key, hotValue(1, 200, versions));
    AtomicLong acknowledged = new AtomicLong(1);
    int readers = 4;
    long[] seen = new long[readers];
    int[] turn = new int[readers];
    duringWrites(
        2,
        number -> {
          writeUpTo(
              versions,
              instance(number),
              key,
              200,
              versions,
              version -> acknowledged.accumulateAndGet(version, Math::max));
          return number;
        },
        readers,
        number -> {
          // two keep to their instance, two go from one to the other
          int step = turn[number]++;
          StorageBackend reader = instance(number < 2 ? number : step / 2);
          long written = acknowledged.get();
          VersionedRecord read =
              step % 2 == 0
                  ? stored(reader, key)
                  : listAll(reader, partition(), step % 4 == 1, 5).get(0);
          assertWhole(read, 200, versions);
          assertThat(read.version())
              .as(
                  "the version that is read after version %d was, through %s",
                  seen[number], step % 2 == 0 ? "get" : "list")
              .isGreaterThanOrEqualTo(seen[number]);
          assertThat(read.version())
              .as("the version that is read after version %d was acknowledged", written)
              .isGreaterThanOrEqualTo(written);
          seen[number] = read.version();
          return number;
        });
    assertStored(stored(backend(), key));
    assertThat(stored(other(), key).version()).isEqualTo(versions);
  }

  // --- C14: listings --------------------------------------------------------------------------

  @Test
  final void c14_listingsDuringWrites_haveStableKeysOnceAndEnd() throws Exception {
    listingsDuringWrites(60);
  }

  @Test
  @Stress
  final void c14_listingsDuringManyWrites_haveStableKeysOnceAndEnd() throws Exception {
    listingsDuringWrites(3_000);
  }

  private void listingsDuringWrites(int each) throws Exception {
    List<String> stable = List.of("b1", "b2", "d1", "d2", "d3", "f1");
    for (String id : stable) {
      insert(backend(), key(id), value(id, true, null));
    }
    duringWrites(
        4,
        number -> {
          StorageBackend backend = instance(number);
          for (int i = 1; i <= each; i++) {
            if (number == 0) {
              String id = stable.get((i - 1) % stable.size());
              write(backend, key(id), value(id + i, true, null), 1 + (i - 1L) / stable.size());
            } else {
              // before, between and after the stable ones, also at the edges of their pages
              RecordKey key =
                  key(
                      List.of("a", "b1", "c", "d2", "e", "f1", "g").get(i % 7)
                          + "-"
                          + number
                          + "-"
                          + i);
              insert(backend, key, value("passing", i % 2 == 0, null));
              assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
            }
          }
          return number;
        },
        3,
        number -> {
          StorageBackend reader = instance(number);
          boolean descending = number == 2;
          List<String> listed = ids(listAll(reader, partition(), descending, 1 + number));
          List<String> active = headIds(listAllActive(reader, partition(), descending, 2));
          for (List<String> ids : List.of(listed, active)) {
            assertThat(ids)
                .as("a listing, each record once and in order")
                .isEqualTo(inOrder(List.copyOf(new TreeSet<>(ids)), descending));
            assertThat(ids.stream().filter(stable::contains).toList())
                .as("the records of a listing that are there all the time")
                .isEqualTo(inOrder(stable, descending));
          }
          return number;
        });
    for (StorageBackend reader : bothInstances()) {
      assertThat(ids(listAll(reader, partition(), false, 4))).isEqualTo(stable);
      assertThat(headIds(listAllActive(reader, partition(), false, 4))).isEqualTo(stable);
    }
  }

  // --- what the tests are made of -------------------------------------------------------------

  private List<StorageBackend> bothInstances() {
    return List.of(backend(), other());
  }

  /** Two instances on a storage of their own, for what leaves many records. */
  private List<StorageBackend> newInstances() throws Exception {
    BackendStorage storage = newStorage();
    return List.of(open(storage), open(storage));
  }

  /** One of the two instances. */
  private StorageBackend instance(int number) {
    return number % 2 == 0 ? backend() : other();
  }

  private static List<String> inOrder(List<String> ids, boolean descending) {
    List<String> ordered = new ArrayList<>(ids);
    if (descending) {
      Collections.reverse(ordered);
    }
    return ordered;
  }

  /** Lets writers run to their end, and readers again and again until then, and once after. */
  private static void duringWrites(int writers, Racer<?> writer, int readers, Racer<?> reader)
      throws Exception {
    AtomicInteger writing = new AtomicInteger(writers);
    race(
        writers + readers,
        number -> {
          if (number < writers) {
            try {
              writer.run(number);
            } finally {
              writing.decrementAndGet();
            }
          } else {
            while (writing.get() > 0) {
              reader.run(number - writers);
            }
            reader.run(number - writers);
          }
          return number;
        });
  }
}
