// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.headIds;
import static io.taskstore.contract.Samples.ids;
import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.winner;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Statements H: what survives. */
abstract class DurabilityStatements extends ListingStatements {
  /** A lock that a killed process held may have to run out first. */
  private static final Duration RECOVERY = Duration.ofSeconds(30);

  private static final Instant LAST_INSTANT = Instant.parse("9999-12-31T23:59:59.999Z");

  // --- H1: reopening ------------------------------------------------------------------------

  @Test
  final void h1_b15_reopening_keepsDataVersionsFlagsAndExpiries() throws Exception {
    requireReopening();
    BackendStorage storage = newStorage();
    StorageBackend before = open(storage);
    StorageBackend also = open(storage);
    List<String> partitions = List.of(partition(), partition() + "é/%2F", partition() + "😀");
    Map<String, List<VersionedRecord>> records = new LinkedHashMap<>();
    for (String partition : partitions) {
      records.put(partition, writeSamples(before, also, partition));
    }
    before.close();
    also.close();

    // Once more, so that what was read from the storage is written back as well as what was not.
    for (int reopening = 1; reopening <= 3; reopening++) {
      StorageBackend reopened = open(storage);
      for (String partition : partitions) {
        List<VersionedRecord> expected = records.get(partition);
        assertStored(reopened, partition, expected == null ? List.of() : expected);
        assertThat(reopened.get(new RecordKey(partition, "deleted")))
            .as("a deleted record after reopening %d", reopening)
            .isEmpty();
      }
      reopened.close();
    }
  }

  private static List<VersionedRecord> writeSamples(
      StorageBackend backend, StorageBackend other, String partition) {
    Instant now = Samples.now();
    List<VersionedRecord> records = new ArrayList<>();
    List<RecordValue> values =
        List.of(
            value("plain"),
            value(new byte[0], true, null),
            value(Samples.randomBytes(10_000, 1), false, now.plusMillis(86_400_001)),
            value(new byte[] {0, -1, (byte) 0xC0, 10, 13}, true, now.minusSeconds(3_600)),
            value("last", false, LAST_INSTANT),
            value("first", true, Instant.parse("0001-01-01T00:00:00Z")));
    List<String> ids = List.of("a", "a/b", "A", "é", "\u0000", "\uFF5E", "😀");
    for (int i = 0; i < ids.size(); i++) {
      RecordKey key = new RecordKey(partition, ids.get(i));
      VersionedRecord record = insert(backend, key, value("first", true, null));
      // Versions 1 to 4.
      for (int update = 0; update < i % 4; update++) {
        RecordValue next = values.get((i + update) % values.size());
        record =
            write(
                update % 2 == 0 ? other : backend,
                key,
                // The flag is never set again.
                value(
                    next.data().toByteArray(),
                    next.active() && record.value().active(),
                    next.expiresAt()),
                record.version());
      }
      records.add(record);
    }
    RecordKey deleted = new RecordKey(partition, "deleted");
    insert(backend, deleted, value("deleted"));
    assertThat(backend.deleteIfVersion(deleted, 1)).isEqualTo(Deleted.DELETED);
    return records;
  }

  @Test
  final void h1_b15_reopening_goesOnWhereItWas() throws Exception {
    requireReopening();
    BackendStorage storage = newStorage();
    StorageBackend before = open(storage);
    VersionedRecord first = insert(before, key("record"), value("1"));
    VersionedRecord second = write(before, key("record"), value("2"), 1);
    insert(before, key("deleted"), value("gone"));
    write(before, key("deleted"), value("gone"), 1);
    assertThat(before.deleteIfVersion(key("deleted"), 2)).isEqualTo(Deleted.DELETED);
    before.close();

    StorageBackend reopened = open(storage);
    assertThat(winner(reopened.putIfVersion(key("record"), value("x"), 1)))
        .as("the winner over a version from before the first")
        .isEqualTo(second)
        .isNotEqualTo(first);
    assertThat(reopened.deleteIfVersion(key("record"), 1)).isEqualTo(new Conflict(second));
    assertThat(winner(reopened.putIfVersion(key("record"), value("x"), 0))).isEqualTo(second);
    write(reopened, key("record"), value("3"), 2);
    assertThat(reopened.putIfVersion(key("deleted"), value("x"), 2)).isEqualTo(Conflict.ABSENT);
    insert(reopened, key("deleted"), value("back"));
    assertThat(reopened.deleteIfVersion(key("record"), 3)).isEqualTo(Deleted.DELETED);
    reopened.close();

    StorageBackend again = open(storage);
    assertThat(again.get(key("record"))).as("deleted after the first reopening").isEmpty();
    assertThat(stored(again, key("deleted")).version()).isEqualTo(1);
    assertThat(ids(listAll(again, partition(), false, 10))).containsExactly("deleted");
    assertThat(headIds(listAllActive(again, partition(), false, 10))).containsExactly("deleted");
  }

  @Test
  final void h1_reopening_keepsWhatPurgingAndLimitsGoBy() throws Exception {
    requireReopening();
    BackendStorage storage = newStorage();
    Instant now = Samples.now();
    StorageBackend before = open(storage);
    insert(before, key("due"), value("due", true, now.minusSeconds(60)));
    insert(before, key("inactive-due"), value("due", true, now.minusSeconds(60)));
    write(before, key("inactive-due"), value("due", false, now.minusSeconds(60)), 1);
    insert(before, key("later"), value("later", true, now.plusSeconds(3_600)));
    insert(before, key("inactive"), value("kept", true, null));
    write(before, key("inactive"), value("kept", false, null), 1);
    insert(before, key("never"), value("never", true, null));
    before.close();

    StorageBackend reopened = open(storage);
    // "later" and "never" count; "due" is expired.
    assertThat(reopened.createWithin(key("third"), value("x"), 2, now)).isEqualTo(Full.FULL);
    assertThat(reopened.createWithin(key("third"), value("x"), 3, now)).isEqualTo(Created.CREATED);
    assertThat(reopened.purgeExpired(now, 100)).as("purged after reopening").isEqualTo(2);
    reopened.close();

    StorageBackend again = open(storage);
    assertThat(again.purgeExpired(now, 100)).as("purged after reopening again").isZero();
    assertThat(ids(listAll(again, partition(), false, 10)))
        .containsExactly("inactive", "later", "never", "third");
    assertThat(headIds(listAllActive(again, partition(), false, 10)))
        .containsExactly("later", "never", "third");
  }

  // --- H2, H3: killed processes -------------------------------------------------------------

  @Test
  final void h2_killedWriter_leavesEveryAcknowledgedVersion() throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.OtherProcess how = require(Hook.OTHER_PROCESS, storage.otherProcess());
    for (int round = 1; round <= 3; round++) {
      ChildProcess child = closeLater(ChildProcess.open(how));
      Model model = new Model();
      child.beginWriting(key("record"));
      for (int steps = 0; steps < 60; steps++) {
        model.hear(child.next());
      }
      child.kill().forEach(model::hear);

      Sent acknowledged = model.acknowledged.get(key("record"));
      Sent sent = model.sent.get(key("record"));
      assertThat(acknowledged).as("the last acknowledged write of round %d", round).isNotNull();
      // Nobody had this storage open when the process was killed.
      StorageBackend backend = open(storage);
      VersionedRecord found = recovered(() -> stored(backend, key("record")));
      assertThat(Sent.of(found))
          .as("stored after round %d: the last acknowledged write, or one that was sent", round)
          .isIn(acknowledged, sent == null ? acknowledged : sent);
      Workload.assertWhole(found);
      assertThat(listAll(backend, partition(), false, 10)).containsExactly(found);
      assertThat(
              recovered(
                  () ->
                      backend.putIfVersion(
                          key("record"), Workload.newValue(true), found.version())))
          .as("a write after the kill, which has left no lock behind")
          .isEqualTo(new Written(found.version() + 1));
      backend.close();
    }
  }

  @Test
  final void h2_h5_killedWriter_doesNotDisturbOpenInstances() throws Exception {
    BackendStorage.OtherProcess how = requireSharedProcess(storage());
    insert(backend(), key("mine"), value("mine"));
    ChildProcess child = closeLater(ChildProcess.open(how));
    Model model = new Model();
    child.beginWriting(key("record"));
    for (int steps = 0; steps < 40; steps++) {
      model.hear(child.next());
    }
    child.kill().forEach(model::hear);

    Sent acknowledged = model.acknowledged.get(key("record"));
    Sent sent = model.sent.get(key("record"));
    assertThat(acknowledged).as("the last acknowledged write").isNotNull();
    for (StorageBackend instance : List.of(backend(), other())) {
      VersionedRecord found = recovered(() -> stored(instance, key("record")));
      assertThat(Sent.of(found)).isIn(acknowledged, sent == null ? acknowledged : sent);
      Workload.assertWhole(found);
    }
    VersionedRecord found = stored(backend(), key("record"));
    assertThat(recovered(() -> other().putIfVersion(key("record"), value("next"), found.version())))
        .isEqualTo(new Written(found.version() + 1));
    assertThat(recovered(() -> backend().putIfVersion(key("mine"), value("next"), 1)))
        .isEqualTo(new Written(2));
  }

  @Test
  final void h3_processKilledAtAnyMoment_leavesOldOrNewRecords() throws Exception {
    killAgainAndAgain(10, 60);
  }

  @Test
  @Stress
  final void h3_processKilledTwoHundredTimes_leavesOldOrNewRecords() throws Exception {
    killAgainAndAgain(200, 200);
  }

  private void killAgainAndAgain(int kills, int maxSteps) throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.OtherProcess how = require(Hook.OTHER_PROCESS, storage.otherProcess());
    Random random = new Random();
    Model model = new Model();
    for (int kill = 1; kill <= kills; kill++) {
      mixAndKill(how, model, kill, 1 + random.nextInt(maxSteps));
      StorageBackend backend = open(storage);
      settle(model, backend, "after kill " + kill);
      List<VersionedRecord> living = new ArrayList<>();
      for (RecordKey key : model.acknowledged.keySet()) {
        backend.get(key).ifPresent(living::add);
      }
      living.forEach(Workload::assertWhole);
      assertStored(backend, partition(), living);
      // Records live through the next kill, untouched, and then make room.
      for (VersionedRecord record : living) {
        if (record.key().id().compareTo("%04d".formatted(kill)) < 0) {
          assertThat(backend.deleteIfVersion(record.key(), record.version()))
              .isEqualTo(Deleted.DELETED);
          model.acknowledged.put(record.key(), Sent.NOTHING);
        }
      }
      // That they stay away is seen in the next listing.
      model.acknowledged.values().removeIf(Sent.NOTHING::equals);
      backend.close();
    }
  }

  /** Has a process write in three threads, and kills it in the middle. */
  private void mixAndKill(BackendStorage.OtherProcess how, Model model, int kill, int steps)
      throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(how));
    for (int thread = 0; thread < 3; thread++) {
      child.beginMix(partition(), "%04d-%d-".formatted(kill, thread));
    }
    for (int step = 0; step < steps; step++) {
      model.hear(child.next());
    }
    // The process goes on meanwhile: the kill comes at any moment of a write.
    long moment = System.nanoTime() + new Random().nextInt(2_000_000);
    while (System.nanoTime() < moment) {
      Thread.onSpinWait();
    }
    child.kill().forEach(model::hear);
  }

  /** Checks every record of the model, and decides what has become of the writes in flight. */
  private static void settle(Model model, StorageBackend backend, String when) {
    for (RecordKey key : model.keys()) {
      Sent acknowledged = model.acknowledged.getOrDefault(key, Sent.NOTHING);
      Sent sent = model.sent.remove(key);
      Sent found = Sent.of(recovered(() -> backend.get(key)).orElse(null));
      if (sent == null) {
        assertThat(found)
            .as("%s %s, whose last write was acknowledged", key, when)
            .isEqualTo(acknowledged);
      } else {
        assertThat(found)
            .as("%s %s, old or new, since the answer was outstanding", key, when)
            .isIn(acknowledged, sent);
      }
      model.acknowledged.put(key, found);
    }
  }

  @Test
  final void h3_killedWriters_leaveNothingBehind() throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.OtherProcess how = require(Hook.OTHER_PROCESS, storage.otherProcess());
    BackendStorage.RawInspection raw = require(Hook.RAW_INSPECTION, storage.rawInspection());
    List<String> baseline = entriesAfterCleaning(storage, raw);
    Model model = new Model();
    for (int kill = 1; kill <= 4; kill++) {
      mixAndKill(how, model, kill, 10 + 20 * kill);
    }
    StorageBackend backend = open(storage);
    settle(model, backend, "after the last kill");
    for (RecordKey key : model.keys()) {
      backend.delete(key);
    }
    backend.close();

    assertThat(entriesAfterCleaning(storage, raw))
        .as("what is left after everything was deleted")
        .containsExactlyInAnyOrderElementsOf(baseline);
  }

  /** Gives the backend the usual occasions to clean up: a write, a purge, a close, an opening. */
  private List<String> entriesAfterCleaning(
      BackendStorage storage, BackendStorage.RawInspection raw) throws Exception {
    StorageBackend first = open(storage);
    recovered(() -> first.put(key("visitor"), value("x")));
    assertThat(first.delete(key("visitor"))).isTrue();
    first.purgeExpired(Samples.now(), 100);
    first.close();
    open(storage).close();
    return raw.entries();
  }

  // --- H5: two processes --------------------------------------------------------------------

  @Test
  final void b15_h5_versionsFromAnotherProcess_areTheSame() throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(requireSharedProcess(storage())));
    RecordKey key = key("record");
    RecordValue value = value(Samples.randomBytes(5_000, 7), true, Instant.ofEpochMilli(1));
    assertThat(child.get(key)).isEmpty();

    VersionedRecord first = insert(backend(), key, value("1"));
    assertThat(child.get(key)).as("seen by the other process").contains(first);
    assertThat(child.putIfVersion(key, value, 1)).isEqualTo(ChildProcess.Outcome.written(2));
    VersionedRecord second = new VersionedRecord(key, value, 2);
    assertStoredEverywhere(List.of(second));
    assertThat(backend().putIfVersion(key, value("x"), 1)).isEqualTo(new Conflict(second));
    VersionedRecord third = write(other(), key, value("3"), 2);
    assertThat(child.putIfVersion(key, value("x"), 2))
        .as("a stale version in the other process")
        .isEqualTo(ChildProcess.Outcome.of(new Conflict(third)));
    assertThat(child.deleteIfVersion(key, 2))
        .isEqualTo(ChildProcess.Outcome.of(new Conflict(third)));
    assertThat(child.putIfVersion(key, value("x"), 0))
        .isEqualTo(ChildProcess.Outcome.of(new Conflict(third)));
    assertThat(child.putIfVersion(key("missing"), value("x"), 3))
        .isEqualTo(ChildProcess.Outcome.of(Conflict.ABSENT));
    assertStoredEverywhere(List.of(third));
  }

  @Test
  final void h5_whatOneProcessDoes_theOtherSeesAtOnce() throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(requireSharedProcess(storage())));
    List<VersionedRecord> expected = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      RecordKey key = key("mine-" + i);
      expected.add(insert(backend(), key, value("x", i % 2 == 0, null)));
      assertThat(child.get(key)).contains(expected.get(i));
    }
    for (int i = 0; i < 10; i++) {
      RecordKey key = key("theirs-" + i);
      RecordValue value = value("x", i % 2 == 0, null);
      assertThat(child.putIfVersion(key, value, 0)).isEqualTo(ChildProcess.Outcome.written(1));
      expected.add(new VersionedRecord(key, value, 1));
      assertThat(backend().get(key)).contains(expected.get(10 + i));
    }
    assertStoredEverywhere(expected);
    assertThat(child.listIds(partition()))
        .as("listings of the other process")
        .containsExactly(
            ids(expected),
            ids(expected.stream().filter(stored -> stored.value().active()).toList()));

    assertThat(child.deleteIfVersion(key("mine-0"), 1)).isEqualTo(ChildProcess.Outcome.deleted());
    assertThat(backend().get(key("mine-0"))).isEmpty();
    assertThat(other().deleteIfVersion(key("theirs-0"), 1)).isEqualTo(Deleted.DELETED);
    assertThat(child.get(key("theirs-0"))).isEmpty();
    expected.removeIf(stored -> stored.key().id().endsWith("-0"));
    assertStoredEverywhere(expected);
    assertThat(child.listIds(partition()).get(0)).isEqualTo(ids(expected));
    assertThat(child.createWithin(key("more"), value("x"), 8, Samples.now()).result())
        .as("createWithin in the other process, with 8 active records of both")
        .isEqualTo(Full.FULL.toString());
    assertThat(child.createWithin(key("more"), value("x"), 9, Samples.now()).result())
        .isEqualTo(Created.CREATED.toString());
    assertThat(backend().createWithin(key("no-more"), value("x"), 9, Samples.now()))
        .isEqualTo(Full.FULL);
  }

  @Test
  final void h5_processThatCloses_leavesTheOthersAlone() throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(requireSharedProcess(storage())));
    VersionedRecord record = insert(backend(), key("record"), value("1"));
    assertThat(child.get(key("record"))).contains(record);
    child.closeBackend();
    assertThatThrownBy(() -> child.get(key("record")))
        .as("get in the process that has closed its instance")
        .hasMessageContaining(BackendClosedException.class.getSimpleName());

    assertThat(backend().get(key("record"))).contains(record);
    write(backend(), key("record"), value("2"), 1);
    write(other(), key("record"), value("3"), 2);
    child.close();
    write(backend(), key("record"), value("4"), 3);
  }

  @Test
  final void h5_twoProcessesOnOneVersion_haveOneWinnerEachRound() throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(requireSharedProcess(storage())));
    int rounds = 150;
    child.beginContest(key("contest"), rounds);
    insert(backend(), key("contest"), Workload.newValue(true));
    List<Long> mine = Workload.contest(backend(), key("contest"), rounds);
    List<Long> theirs = child.doneTexts().stream().map(Long::valueOf).toList();

    List<Long> all = new ArrayList<>(mine);
    all.addAll(theirs);
    assertThat(all.stream().sorted().toList())
        .as("the versions that either process has won")
        .isEqualTo(LongStream.rangeClosed(2, rounds + 1L).boxed().toList());
    VersionedRecord last = stored(other(), key("contest"));
    assertThat(last.version()).isEqualTo(rounds + 1L);
    Workload.assertWhole(last);
    assertThat(child.get(key("contest"))).contains(last);
  }

  @Test
  final void c3_h5_incrementsOfTwoProcesses_allCount() throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(requireSharedProcess(storage())));
    int times = 60;
    child.beginIncrement(key("counter"), times);
    Samples.race(
        2,
        number -> {
          Workload.increment(number == 0 ? backend() : other(), key("counter"), times);
          return number;
        });
    child.done();

    VersionedRecord counter = stored(backend(), key("counter"));
    assertThat(Workload.number(counter)).as("the sum").isEqualTo(3L * times);
    assertThat(counter.version()).isEqualTo(3L * times);
    assertThat(child.get(key("counter"))).contains(counter);
  }

  @Test
  final void c11_h5_createWithinOfTwoProcesses_keepsToTheLimit() throws Exception {
    ChildProcess child = closeLater(ChildProcess.open(requireSharedProcess(storage())));
    int limit = 10;
    Instant now = Samples.now();
    insert(backend(), key("expired"), value("x", true, now.minusSeconds(1)));
    insert(backend(), key("inactive"), value("x", true, null));
    write(backend(), key("inactive"), value("x", false, null), 1);

    child.beginCreateWithin(partition(), 16, limit, now);
    List<String> created =
        new ArrayList<>(Workload.createWithin(backend(), partition(), 16, limit, now));
    created.addAll(child.doneTexts());
    assertThat(created.size()).as("admitted, of 32 that raced").isLessThanOrEqualTo(limit);
    if (overridesCreateWithin(backend())) {
      assertThat(created).as("admitted, of 32 that raced in one step each").hasSize(limit);
    }
    for (int i = created.size(); i < limit; i++) {
      assertThat(child.createWithin(key("fill-" + i), value("x"), limit, now).result())
          .as("create %d of %d, with nobody else", i, limit)
          .isEqualTo(Created.CREATED.toString());
      created.add("fill-" + i);
    }
    assertThat(backend().createWithin(key("one-more"), value("x"), limit, now))
        .isEqualTo(Full.FULL);
    assertThat(child.createWithin(key("one-more"), value("x"), limit, now).result())
        .isEqualTo(Full.FULL.toString());
    created.add("expired");
    assertThat(headIds(listAllActive(other(), partition(), false, 100)))
        .as("the active records are those that were admitted, and the expired one")
        .containsExactlyInAnyOrderElementsOf(created);
  }

  private static boolean overridesCreateWithin(StorageBackend backend)
      throws NoSuchMethodException {
    return !backend
        .getClass()
        .getMethod("createWithin", RecordKey.class, RecordValue.class, int.class, Instant.class)
        .getDeclaringClass()
        .equals(StorageBackend.class);
  }

  @Test
  final void h5_purgesOfTwoProcesses_countEveryRecordOnce() throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.OtherProcess how = requireSharedProcess(storage);
    StorageBackend backend = open(storage);
    ChildProcess child = closeLater(ChildProcess.open(how));
    Instant now = Samples.now();
    for (int i = 0; i < 30; i++) {
      insert(backend, key("due-" + i), value("x", true, now.minusSeconds(60)));
    }
    VersionedRecord kept = insert(backend, key("kept"), value("x", true, now.plusSeconds(60)));
    List<Integer> removed =
        Samples.race(
            2,
            number -> {
              int sum = 0;
              for (int round = 0; round < 12; round++) {
                sum += number == 0 ? backend.purgeExpired(now, 5) : child.purgeExpired(now, 5);
              }
              return sum;
            });
    assertThat(removed.get(0) + removed.get(1)).as("removed by both together").isEqualTo(30);
    assertStored(backend, partition(), List.of(kept));
  }

  // --- H7: corrupt records ------------------------------------------------------------------

  @Test
  final void h7_corruptRecord_isTypedErrorThatNamesTheKey() throws Exception {
    Damaged damaged = damaged();
    StorageBackend backend = damaged.backend();
    RecordKey key = damaged.key();
    for (StorageBackend instance : List.of(backend, damaged.other())) {
      assertCorrupt("get", key, () -> instance.get(key));
      for (long expected : new long[] {0, 1, 2, 3, 99}) {
        assertCorrupt(
            "putIfVersion, expected version " + expected,
            key,
            () -> instance.putIfVersion(key, value("over"), expected));
      }
      for (long expected : new long[] {1, 2, 3, 99}) {
        assertCorrupt(
            "deleteIfVersion, expected version " + expected,
            key,
            () -> instance.deleteIfVersion(key, expected));
      }
      assertCorrupt(
          "createWithin",
          key,
          () -> instance.createWithin(key, value("over"), 1_000, Samples.now()));
      assertCorrupt("put", key, () -> instance.put(key, value("over")));
    }
    assertCorrupt("get afterwards", key, () -> backend.get(key));
    assertThat(walk(damaged.other(), false, 10).corrupt).containsExactly(key.id());
  }

  @Test
  final void h7_corruptRecord_isLeftAsItIs() throws Exception {
    Damaged damaged = damaged();
    BackendStorage.RawInspection raw =
        require(Hook.RAW_INSPECTION, damaged.storage().rawInspection());
    List<String> before = raw.entries();
    StorageBackend backend = damaged.backend();
    RecordKey key = damaged.key();
    assertCorrupt("get", key, () -> backend.get(key));
    assertCorrupt("putIfVersion", key, () -> backend.putIfVersion(key, value("over"), 0));
    assertCorrupt("putIfVersion", key, () -> backend.putIfVersion(key, value("over"), 2));
    assertCorrupt("deleteIfVersion", key, () -> backend.deleteIfVersion(key, 2));
    assertCorrupt(
        "createWithin", key, () -> backend.createWithin(key, value("over"), 9, Samples.now()));
    walk(backend, false, 10);
    listAllActive(backend, partition(), false, 10);
    backend.purgeExpired(LAST_INSTANT, 1);

    assertThat(raw.entries())
        .as("what is physically there")
        .containsExactlyInAnyOrderElementsOf(before);
  }

  /** A delete of the default cannot do it; one that does not read the record may. */
  @Test
  final void h7_deleteOfCorruptRecord_failsOrDeletes() throws Exception {
    Damaged damaged = damaged();
    StorageBackend backend = damaged.backend();
    RecordKey key = damaged.key();
    boolean deleted;
    try {
      deleted = backend.delete(key);
    } catch (CorruptRecordException e) {
      assertThat(e.key()).contains(key);
      assertCorrupt("get after a refused delete", key, () -> backend.get(key));
      return;
    }
    assertThat(deleted).as("delete of a corrupt record that did not throw").isTrue();
    assertThat(backend.get(key)).isEmpty();
    assertThat(walk(damaged.other(), false, 10).corrupt).isEmpty();
    insert(backend, key, value("new"));
  }

  @Test
  final void h7_g9_corruptRecord_isReportedByListingsWhichGoOn() throws Exception {
    Damaged damaged = damaged();
    for (StorageBackend backend : List.of(damaged.backend(), damaged.other())) {
      for (boolean descending : new boolean[] {false, true}) {
        List<VersionedRecord> expected = new ArrayList<>(damaged.intact());
        if (descending) {
          expected.sort(Comparator.comparing((VersionedRecord r) -> r.key().id()).reversed());
        }
        for (int limit : new int[] {1, 2, 3, 5, 6, 100}) {
          Walk walk = walk(backend, descending, limit);
          assertThat(walk.records)
              .as("readable records, descending %s, limit %d", descending, limit)
              .isEqualTo(expected);
          assertThat(walk.corrupt)
              .as("corrupt records, descending %s, limit %d", descending, limit)
              .containsExactly(damaged.key().id());
        }
        ListQuery fromIt = new ListQuery(partition(), damaged.key().id(), descending, 100);
        assertThat(backend.list(fromIt).records())
            .as("the records after the corrupt one, descending %s", descending)
            .isEqualTo(expected.subList(2, 4));
      }
    }
  }

  @Test
  final void h7_corruptRecord_isNotConfusedByTheActiveListing() throws Exception {
    Damaged damaged = damaged();
    for (StorageBackend backend : List.of(damaged.backend(), damaged.other())) {
      for (int limit : new int[] {1, 2, 100}) {
        List<RecordHead> heads = new ArrayList<>();
        List<String> corrupt = new ArrayList<>();
        String after = null;
        do {
          HeadPage page = backend.listActive(new ListQuery(partition(), after, false, limit));
          assertThat(page.heads().size() + page.corrupt().size())
              .as("heads and corrupt records on a page of %d", limit)
              .isLessThanOrEqualTo(limit);
          heads.addAll(page.heads());
          page.corrupt().forEach(entry -> corrupt.add(entry.key().id()));
          String next = page.next();
          if (next != null && after != null) {
            assertThat(RecordKey.compareIds(after, next)).as("the cursor moves on").isNegative();
          }
          after = next;
        } while (after != null);

        // An index that need not look at the record does not come upon the damage.
        heads.remove(new RecordHead(damaged.key(), damaged.before().value().expiresAt()));
        assertThat(headIds(heads))
            .as("active records, limit %d", limit)
            .isEqualTo(ids(damaged.intact().stream().filter(r -> r.value().active()).toList()));
        assertThat(corrupt)
            .as("corrupt records of the active listing, limit %d", limit)
            .isIn(List.of(), List.of(damaged.key().id()));
      }
    }
  }

  @Test
  final void h7_corruptRecord_doesNotAffectOtherKeys() throws Exception {
    Damaged damaged = damaged();
    StorageBackend backend = damaged.backend();
    for (VersionedRecord intact : damaged.intact()) {
      assertThat(backend.get(intact.key())).contains(intact);
      assertThat(winner(backend.putIfVersion(intact.key(), value("x"), 99))).isEqualTo(intact);
      write(backend, intact.key(), value("next", intact.value().active(), null), 2);
      assertThat(damaged.other().deleteIfVersion(intact.key(), 3)).isEqualTo(Deleted.DELETED);
    }
    assertThat(backend.createWithin(key("within"), value("x"), 10, Samples.now()))
        .isEqualTo(Created.CREATED);
    VersionedRecord within = stored(backend, key("within"));
    VersionedRecord elsewhere =
        insert(backend, new RecordKey(partition() + "2", damaged.key().id()), value("x"));
    assertThat(damaged.other().get(elsewhere.key())).contains(elsewhere);
    Walk walk = walk(damaged.other(), false, 10);
    assertThat(walk.records).containsExactly(within);
    assertThat(walk.corrupt).containsExactly(damaged.key().id());
  }

  @Test
  final void h7_f14_corruptRecord_staysWhereItIsDueAndStopsNoPurge() throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.Damage damage = require(Hook.DAMAGE, storage.damage());
    StorageBackend backend = open(storage);
    Instant now = Samples.now();
    // The one that is due first, in whatever order a backend looks.
    for (int i = 0; i < 5; i++) {
      insert(backend, key("due-" + i), value("x", true, now.minusSeconds(60 - i % 3 * 10L)));
    }
    damage.damage(key("due-0"));
    damage.damage(key("due-2"));

    int removed = 0;
    for (int round = 0; round < 3; round++) {
      int some = backend.purgeExpired(now, 1);
      assertThat(some).as("purgeExpired with limit 1, round %d", round).isEqualTo(1);
      removed += some;
    }
    assertThat(removed).isEqualTo(3);
    assertThat(backend.purgeExpired(now, 1)).as("nothing readable is due any more").isZero();
    assertThat(backend.purgeExpired(now, 100)).isZero();
    assertCorrupt(
        "get of a corrupt record that is due", key("due-0"), () -> backend.get(key("due-0")));
    Walk walk = walk(backend, false, 10);
    assertThat(walk.corrupt).containsExactly("due-0", "due-2");
    assertThat(walk.records).isEmpty();
  }

  @Test
  final void h7_h1_corruptRecord_doesNotKeepAStorageFromReopening() throws Exception {
    requireReopening();
    Damaged damaged = damaged();
    damaged.backend().close();
    damaged.other().close();
    StorageBackend reopened = open(damaged.storage());
    assertCorrupt("get after reopening", damaged.key(), () -> reopened.get(damaged.key()));
    Walk walk = walk(reopened, false, 10);
    assertThat(walk.records).isEqualTo(damaged.intact());
    assertThat(walk.corrupt).containsExactly(damaged.key().id());
    write(reopened, damaged.intact().get(0).key(), value("next"), 2);
  }

  /** Five records of version 2, of which the third was damaged. */
  private Damaged damaged() throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.Damage damage = require(Hook.DAMAGE, storage.damage());
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      RecordKey key = key("record-" + i);
      insert(backend, key, value("some data"));
      records.add(write(backend, key, value(CORRUPT_DATA + i, i != 3, null), 1));
    }
    VersionedRecord before = records.remove(2);
    damage.damage(before.key());
    return new Damaged(storage, backend, other, before, records);
  }

  private static final String CORRUPT_DATA = "data-that-no-message-shows-";

  /**
   * A storage with a damaged record.
   *
   * @param before what the record was
   * @param intact the other records, in their order
   */
  private record Damaged(
      BackendStorage storage,
      StorageBackend backend,
      StorageBackend other,
      VersionedRecord before,
      List<VersionedRecord> intact) {
    RecordKey key() {
      return before.key();
    }
  }

  private static void assertCorrupt(String what, RecordKey key, ThrowingCallable call) {
    assertThatThrownBy(call)
        .as(what)
        .isInstanceOfSatisfying(
            CorruptRecordException.class,
            e -> {
              assertThat(e.key()).as("%s: the key", what).contains(key);
              assertThat(e)
                  .as(what)
                  .hasMessageContaining(e.operation())
                  .hasMessageContaining(key.toString());
              assertThat(e.reason()).as("%s: the reason", what).isNotBlank();
              assertThat(e.toString()).as(what).doesNotContain(CORRUPT_DATA);
            });
  }

  /**
   * A listing of the test's partition to its end.
   *
   * @param corrupt ids
   */
  private record Walk(List<VersionedRecord> records, List<String> corrupt) {}

  private Walk walk(StorageBackend backend, boolean descending, int limit) {
    Comparator<String> order =
        descending ? (a, b) -> RecordKey.compareIds(b, a) : RecordKey::compareIds;
    Walk walk = new Walk(new ArrayList<>(), new ArrayList<>());
    String after = null;
    do {
      RecordPage page = backend.list(new ListQuery(partition(), after, descending, limit));
      assertThat(page.records().size() + page.corrupt().size())
          .as("readable and corrupt records on a page of %d", limit)
          .isLessThanOrEqualTo(limit);
      walk.records.addAll(page.records());
      for (CorruptRecord corrupt : page.corrupt()) {
        assertThat(corrupt.key().partition()).isEqualTo(partition());
        assertThat(corrupt.reason()).isNotBlank().doesNotContain(CORRUPT_DATA);
        walk.corrupt.add(corrupt.key().id());
      }
      String next = page.next();
      if (next != null) {
        List<String> seen = new ArrayList<>(ids(page.records()));
        page.corrupt().forEach(corrupt -> seen.add(corrupt.key().id()));
        if (after != null) {
          assertThat(order.compare(after, next)).as("the cursor moves on").isNegative();
        }
        assertThat(seen)
            .as("next is the last that the page has looked at, readable or not")
            .allSatisfy(id -> assertThat(order.compare(id, next)).isNotPositive());
      }
      after = next;
    } while (after != null);
    return walk;
  }

  // --- H8: read-only ------------------------------------------------------------------------

  @Test
  final void h8_j7_readOnlyStorage_isReadAndRefusesWritesClearly() throws Exception {
    BackendStorage storage = newStorage();
    BackendStorage.FaultInjection faults =
        requireTrouble(storage, BackendStorage.Trouble.READ_ONLY);
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");
    List<VersionedRecord> before = listAll(backend, partition(), false, 100);

    faults.cause(BackendStorage.Trouble.READ_ONLY);
    for (EveryCall call : calls) {
      for (StorageBackend instance : List.of(backend, other)) {
        EveryCall.Ending ending = call.on(instance);
        switch (call.kind()) {
          case READ -> call.assertSucceeded("on a read-only storage", ending, instance);
          case WRITE -> {
            call.assertUnavailable("on a read-only storage", false, ending);
            call.assertNothingDone("on a read-only storage", instance);
          }
          case LOST -> {
            // What was read was enough to say so; but it must be true.
            if (ending.failure() == null) {
              call.assertSucceeded("on a read-only storage", ending, instance);
            } else {
              call.assertUnavailable("on a read-only storage", false, ending);
            }
          }
        }
      }
    }
    assertStored(backend, partition(), before);

    faults.heal();
    for (EveryCall call : calls) {
      EveryCall.Ending ending = recovered(() -> thrown(call.on(backend)));
      call.assertSucceeded("after the storage takes writes again", ending, other);
    }
  }

  /** Throws what a call has thrown, so that {@link #recovered} sees it. */
  private static EveryCall.Ending thrown(EveryCall.Ending ending) {
    if (ending.failure() instanceof StorageUnavailableException unavailable) {
      throw unavailable;
    }
    return ending;
  }

  // --- steps --------------------------------------------------------------------------------

  /** The hook, if the storage can make this trouble; it is healed after the test. */
  final BackendStorage.FaultInjection requireTrouble(
      BackendStorage storage, BackendStorage.Trouble trouble) {
    BackendStorage.FaultInjection faults = require(Hook.FAULT_INJECTION, storage.faultInjection());
    if (!faults.supported().contains(trouble)) {
      throw ExcludedException.byMissing(trouble);
    }
    return faults;
  }

  /** The hook, if two processes may have the storage open at the same time. */
  private BackendStorage.OtherProcess requireSharedProcess(BackendStorage storage) {
    if (!traits().shared()) {
      throw ExcludedException.byTraits("is not shared");
    }
    return require(Hook.OTHER_PROCESS, storage.otherProcess());
  }

  /** Repeats a call as long as the storage asks for it, but not for ever. */
  static <T> T recovered(Supplier<T> call) {
    long end = System.nanoTime() + RECOVERY.toNanos();
    while (true) {
      try {
        return call.get();
      } catch (StorageUnavailableException e) {
        if (!e.isRetryable() || System.nanoTime() - end > 0) {
          throw e;
        }
        // A pause between attempts, as any caller makes one.
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
      }
    }
  }

  private void assertStoredEverywhere(List<VersionedRecord> expected) {
    assertStored(backend(), partition(), expected);
    assertStored(other(), partition(), expected);
  }

  /** Checks that a partition has exactly these records, in every way in which it can be read. */
  private static void assertStored(
      StorageBackend backend, String partition, List<VersionedRecord> expected) {
    List<VersionedRecord> ordered = new ArrayList<>(expected);
    ordered.sort((a, b) -> RecordKey.compareIds(a.key().id(), b.key().id()));
    for (VersionedRecord record : ordered) {
      assertThat(backend.get(record.key())).as("get of %s", record.key()).contains(record);
    }
    for (boolean descending : new boolean[] {false, true}) {
      List<VersionedRecord> inOrder = new ArrayList<>(ordered);
      if (descending) {
        inOrder.sort((a, b) -> RecordKey.compareIds(b.key().id(), a.key().id()));
      }
      assertThat(listAll(backend, partition, descending, 100))
          .as("list of %s, descending %s", partition, descending)
          .isEqualTo(inOrder);
      assertThat(listAllActive(backend, partition, descending, 100))
          .as("listActive of %s, descending %s", partition, descending)
          .isEqualTo(
              inOrder.stream()
                  .filter(record -> record.value().active())
                  .map(record -> new RecordHead(record.key(), record.value().expiresAt()))
                  .toList());
    }
  }

  /**
   * What a write leaves: a version and its write id.
   *
   * @param version 0 for nothing
   */
  private record Sent(long version, @Nullable String writeId) {
    static final Sent NOTHING = new Sent(0, null);

    static Sent of(@Nullable VersionedRecord stored) {
      return stored == null ? NOTHING : new Sent(stored.version(), stored.value().writeId());
    }
  }

  /** What another process has told of its writes. */
  private static final class Model {
    /** What the last acknowledged write of a key has left. */
    final Map<RecordKey, Sent> acknowledged = new HashMap<>();

    /** What was sent and not yet acknowledged. */
    final Map<RecordKey, Sent> sent = new HashMap<>();

    void hear(ChildMessage message) {
      switch (message.name()) {
        case "sending" -> {
          RecordKey key = message.takeKey();
          long version = message.takeNumber();
          sent.put(key, new Sent(version, message.takeTextOrNull()));
        }
        case "acknowledged" -> {
          RecordKey key = message.takeKey();
          Sent done = sent.remove(key);
          if (done == null) {
            throw new AssertionError("Acknowledged, but not sent: " + key);
          }
          acknowledged.put(key, done);
        }
        default -> throw new AssertionError("Not a step of a writer: " + message.name());
      }
    }

    List<RecordKey> keys() {
      List<RecordKey> keys = new ArrayList<>(acknowledged.keySet());
      sent.keySet().stream().filter(key -> !acknowledged.containsKey(key)).forEach(keys::add);
      return keys;
    }
  }
}
