// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.winner;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.contract.EveryCall.Ending;
import io.taskstore.contract.EveryCall.Kind;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Full;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Statements J: what calls say when the storage is in trouble, and what they leave. */
abstract class FailureStatements extends LifecycleStatements {
  /** What a busy machine may add to a timeout. */
  private static final Duration MARGIN = Duration.ofSeconds(5);

  /** What no message may show. */
  private static final String SECRET = "secret-part-of-the-data-";

  // --- J1 to J4: storages that cannot be reached --------------------------------------------

  @ParameterizedTest(name = "{0}")
  @EnumSource(names = {"UNREACHABLE", "SILENT"})
  final void j1_j4_openingWithoutStorage_failsInTimeAndNamesTheEndpoint(Trouble trouble)
      throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, trouble);
    // Opening and the first call may take a timeout each.
    Duration bound = faults.timeout().multipliedBy(2).plus(MARGIN);
    during(
        trouble,
        faults,
        () -> {
          Ending ending =
              bounded(
                  "opening and the first call",
                  bound,
                  () -> {
                    try {
                      return new Ending(open(storage).get(key("record")), null);
                    } catch (StorageException e) {
                      return new Ending(null, e);
                    }
                  });
          assertThat(ending.failure())
              .as("opening and the first get; it returned %s", ending.result())
              .isInstanceOf(StorageUnavailableException.class)
              .hasMessageContaining(faults.endpoint());
        });

    StorageBackend backend = recovered(() -> open(storage));
    assertThat(recovered(() -> backend.get(key("record")))).isEmpty();
    insert(backend, key("record"), value("x"));
  }

  @Test
  final void j2_b16_unreachableStorage_isNeverAbsentAndNeverAConflict() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.UNREACHABLE);
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");
    List<VersionedRecord> before = listAll(backend, partition(), false, 100);
    List<RecordHead> activeBefore = listAllActive(backend, partition(), false, 100);

    List<Ending> endings = new ArrayList<>();
    List<Ending> otherEndings = new ArrayList<>();
    during(
        Trouble.UNREACHABLE,
        faults,
        () -> {
          endings.addAll(endOnTime(calls, backend, faults.timeout()));
          otherEndings.addAll(endOnTime(calls, other, faults.timeout()));
        });

    recovered(() -> backend.get(key("any")));
    for (int i = 0; i < calls.size(); i++) {
      calls.get(i).assertTrouble("without a connection", endings.get(i));
      calls.get(i).assertTrouble("without a connection", otherEndings.get(i));
      calls.get(i).assertNothingDone("without a connection", backend);
    }
    assertThat(listAll(backend, partition(), false, 100)).isEqualTo(before);
    assertThat(listAllActive(backend, partition(), false, 100)).isEqualTo(activeBefore);
  }

  @Test
  final void j4_j2_silentStorage_endsEveryCallInTime() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.SILENT);
    StorageBackend backend = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");

    List<Ending> endings = new ArrayList<>();
    during(
        Trouble.SILENT, faults, () -> endings.addAll(endOnTime(calls, backend, faults.timeout())));

    recovered(() -> backend.get(key("any")));
    for (int i = 0; i < calls.size(); i++) {
      calls.get(i).assertFailed("without an answer", endings.get(i), backend);
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  final void j3_afterTheTrouble_everyCallWorksAgain(Trouble trouble) throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, trouble);
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    List<EveryCall> before = EveryCall.prepare(backend, partition() + "-before", "x");
    // The records that are due now would be purged later.
    for (EveryCall call : before) {
      VersionedRecord due = call.before();
      if (call.isPurge() && due != null) {
        backend.deleteIfVersion(due.key(), due.version());
      }
    }
    List<EveryCall> after = EveryCall.prepare(backend, partition(), "x");
    List<EveryCall> disturbed = before.stream().filter(call -> !call.isPurge()).toList();

    during(
        trouble,
        faults,
        () -> {
          endOnTime(disturbed, backend, faults.timeout());
          endOnTime(disturbed, other, faults.timeout());
        });

    assertAllWork(after, backend, other, "after " + trouble);
  }

  private static void assertAllWork(
      List<EveryCall> calls, StorageBackend backend, StorageBackend other, String circumstances) {
    for (int i = 0; i < calls.size(); i++) {
      EveryCall call = calls.get(i);
      StorageBackend one = i % 2 == 0 ? backend : other;
      StorageBackend another = i % 2 == 0 ? other : backend;
      Ending ending =
          recovered(
              () -> {
                Ending attempt = call.on(one);
                if (attempt.failure() instanceof StorageUnavailableException unavailable) {
                  throw unavailable;
                }
                return attempt;
              });
      recovered(() -> another.get(new RecordKey("any", "any")));
      call.assertSucceeded(circumstances, ending, another);
    }
  }

  /** Makes all calls at once, and returns how they ended, each within the timeout. */
  private static List<Ending> endOnTime(
      List<EveryCall> calls, StorageBackend backend, Duration timeout) throws Exception {
    Duration bound = timeout.plus(MARGIN);
    return bounded(
        "all calls at once",
        bound.plus(MARGIN),
        () ->
            Samples.race(
                calls.size(),
                number -> {
                  long start = System.nanoTime();
                  Ending ending = calls.get(number).on(backend);
                  assertThat(Duration.ofNanos(System.nanoTime() - start))
                      .as("the time of %s, which ended in %s", calls.get(number).name(), ending)
                      .isLessThan(bound);
                  return ending;
                }));
  }

  // --- J5, J6: lost answers -----------------------------------------------------------------

  @Test
  final void j5_writeWhoseAnswerIsLost_isOutcomeUnknownAndHappenedOnce() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.ANSWER_LOST);
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    for (EveryCall call : EveryCall.prepare(backend, partition(), "x")) {
      if (call.kind() != Kind.WRITE || call.isPurge()) {
        continue;
      }
      Ending[] ending = new Ending[1];
      during(Trouble.ANSWER_LOST, faults, () -> ending[0] = call.on(backend));

      assertThat(ending[0].failure())
          .as("%s whose answer is lost; it returned %s", call.name(), ending[0].result())
          .isInstanceOf(OutcomeUnknownException.class);
      for (StorageBackend instance : List.of(other, backend)) {
        recovered(() -> instance.get(key("any")));
        assertThat(call.stored(instance))
            .as("stored after %s whose answer was lost: applied once", call.name())
            .isEqualTo(call.after());
      }
    }
  }

  @Test
  final void j5_lostAnswerOfAPurge_leavesWhatIsNotDue() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.ANSWER_LOST);
    StorageBackend backend = open(storage);
    VersionedRecord kept =
        insert(backend, key("kept"), value("x", true, Samples.now().plusSeconds(3_600)));
    for (int i = 0; i < 3; i++) {
      insert(backend, key("due-" + i), value("x", true, Samples.now().minusSeconds(60)));
    }
    during(
        Trouble.ANSWER_LOST,
        faults,
        () -> {
          try {
            assertThat(backend.purgeExpired(Samples.now(), 10)).isBetween(0, 3);
          } catch (OutcomeUnknownException | StorageUnavailableException e) {
            assertThat(e.operation()).isEqualTo("purgeExpired");
          }
        });

    recovered(() -> backend.get(key("any")));
    recovered(() -> backend.purgeExpired(Samples.now(), 10));
    assertThat(listAll(backend, partition(), false, 10)).containsExactly(kept);
  }

  @Test
  final void j5_repeatedAfterALostAnswer_showsTheCallersOwnWrite() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.ANSWER_LOST);
    StorageBackend backend = open(storage);
    VersionedRecord first = insert(backend, key("updated"), value("1"));
    VersionedRecord second = new VersionedRecord(first.key(), value("2"), 2);
    VersionedRecord created = new VersionedRecord(key("created"), value("1"), 1);
    insert(backend, key("deleted"), value("1"));
    List<Throwable> failures = new ArrayList<>();
    List<ThrowingCallable> writes =
        List.of(
            () -> backend.putIfVersion(second.key(), second.value(), 1),
            () -> backend.createWithin(created.key(), created.value(), 3, Samples.now()),
            () -> backend.deleteIfVersion(key("deleted"), 1));
    during(
        Trouble.ANSWER_LOST,
        faults,
        () -> {
          for (ThrowingCallable write : writes) {
            failures.add(catchThrowable(write));
          }
        });
    assertThat(failures).hasSize(3).allMatch(OutcomeUnknownException.class::isInstance);

    recovered(() -> backend.get(key("any")));
    assertThat(backend.putIfVersion(second.key(), second.value(), 1))
        .as("putIfVersion, repeated after its success")
        .isEqualTo(new Conflict(second));
    insert(backend, key("third"), value("x"));
    assertThat(backend.createWithin(key("fourth"), value("x"), 3, Samples.now()))
        .isEqualTo(Full.FULL);
    assertThat(backend.createWithin(created.key(), created.value(), 3, Samples.now()))
        .as("createWithin, repeated after its success, though there is no room for another")
        .isEqualTo(Created.CREATED);
    assertThat(stored(backend, created.key())).isEqualTo(created);
    assertThat(backend.deleteIfVersion(key("deleted"), 1))
        .as("deleteIfVersion, repeated after its success")
        .isEqualTo(Conflict.ABSENT);
  }

  @Test
  final void j6_j5_clientsOwnRepeats_neverTurnASuccessIntoAConflict() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.ANSWER_LOST);
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    for (EveryCall call : EveryCall.prepare(backend, partition(), "x")) {
      if (call.kind() != Kind.WRITE || call.isPurge()) {
        continue;
      }
      // The trouble ends as soon as the write has happened: whoever sends it again gets an answer.
      Ending[] ending = new Ending[1];
      during(
          Trouble.ANSWER_LOST,
          faults,
          () -> {
            FutureTask<Ending> task = begin(() -> call.on(backend));
            long end = System.nanoTime() + faults.timeout().plus(MARGIN).toNanos();
            while (!task.isDone() && !hasHappened(call, other)) {
              assertThat(System.nanoTime() - end).as("waiting for %s", call.name()).isNegative();
              Thread.onSpinWait();
            }
            faults.heal();
            ending[0] = await(call.name(), faults.timeout().plus(MARGIN), task);
          });

      recovered(() -> other.get(key("any")));
      if (ending[0].failure() == null) {
        call.assertSucceeded("whose first answer was lost", ending[0], other);
      } else {
        assertThat(ending[0].failure())
            .as("%s whose answer was lost", call.name())
            .isInstanceOf(OutcomeUnknownException.class);
        assertThat(call.stored(other))
            .as("stored after %s whose answer was lost: applied once", call.name())
            .isEqualTo(call.after());
      }
    }
  }

  private static boolean hasHappened(EveryCall call, StorageBackend other) {
    try {
      VersionedRecord stored = call.stored(other);
      VersionedRecord after = call.after();
      return stored == null ? after == null : stored.equals(after);
    } catch (StorageException e) {
      // Reads may be disturbed too.
      return false;
    }
  }

  // --- J7: refusals -------------------------------------------------------------------------

  @Test
  final void j7_busyStorage_isUnavailableAndRetryable() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.BUSY);
    StorageBackend backend = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");
    List<Ending> endings = new ArrayList<>();
    during(Trouble.BUSY, faults, () -> endings.addAll(endOnTime(calls, backend, faults.timeout())));

    recovered(() -> backend.get(key("any")));
    for (int i = 0; i < calls.size(); i++) {
      EveryCall call = calls.get(i);
      if (call.kind() != Kind.WRITE && endings.get(i).failure() == null) {
        // It may be that only writes have to wait; what is answered must be true.
        call.assertSucceeded("of a busy storage", endings.get(i), backend);
      } else {
        call.assertUnavailable("of a busy storage", true, endings.get(i));
        call.assertNothingDone("of a busy storage", backend);
      }
    }
  }

  @Test
  final void j7_refusedCredentials_areUnavailableAndNotRetryable() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.UNAUTHORIZED);
    StorageBackend backend = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");
    List<Ending> endings = new ArrayList<>();
    during(
        Trouble.UNAUTHORIZED,
        faults,
        () -> endings.addAll(endOnTime(calls, backend, faults.timeout())));

    recovered(() -> backend.get(key("any")));
    for (int i = 0; i < calls.size(); i++) {
      calls.get(i).assertUnavailable("without permission", false, endings.get(i));
      calls.get(i).assertNothingDone("without permission", backend);
    }
  }

  @Test
  final void j7_e7_fullStorage_exceedsTheCapacityAndKeepsWhatIsThere() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.FULL);
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    VersionedRecord old = insert(backend, key("old"), value("old"));
    List<String> entries = entries(storage);
    int size = Math.min(traits().maxDataBytes(), 20_000);
    RecordValue large = value(Samples.randomBytes(size, 3), true, null);

    during(
        Trouble.FULL,
        faults,
        () -> {
          assertExceeds(
              "putIfVersion that creates",
              key("new"),
              () -> backend.putIfVersion(key("new"), large, 0));
          assertExceeds(
              "putIfVersion that enlarges",
              key("old"),
              () -> backend.putIfVersion(key("old"), large, 1));
          assertExceeds(
              "createWithin",
              key("new"),
              () -> other.createWithin(key("new"), large, 100, Samples.now()));
          assertExceeds("put that creates", key("new"), () -> backend.put(key("new"), large));
          assertExceeds("put that enlarges", key("old"), () -> other.put(key("old"), large));
          for (StorageBackend instance : List.of(backend, other)) {
            assertThat(instance.get(key("old"))).as("get of a full storage").contains(old);
            assertThat(instance.get(key("new"))).as("get of a full storage").isEmpty();
            assertThat(listAll(instance, partition(), false, 10)).containsExactly(old);
            assertThat(Samples.headIds(listAllActive(instance, partition(), false, 10)))
                .containsExactly("old");
          }
        });

    assertThat(entries(storage))
        .as("what is physically there")
        .containsExactlyInAnyOrderElementsOf(entries);
    assertThat(recovered(() -> backend.putIfVersion(key("old"), large, 1)))
        .as("the same write when there is room again")
        .isEqualTo(new Written(2));
    assertThat(recovered(() -> other.createWithin(key("new"), large, 100, Samples.now())))
        .isEqualTo(Created.CREATED);
  }

  private static void assertExceeds(String what, RecordKey key, ThrowingCallable write) {
    assertThatThrownBy(write)
        .as("%s in a full storage", what)
        .isInstanceOfSatisfying(
            CapacityExceededException.class, e -> assertThat(e.key()).contains(key));
  }

  private static List<String> entries(BackendStorage storage) throws Exception {
    return storage.rawInspection().isPresent()
        ? storage.rawInspection().get().entries()
        : List.of();
  }

  // --- J8: interrupts -----------------------------------------------------------------------

  @Test
  final void j8_interruptBeforeACall_keepsTheFlagAndDoesNoHarm() throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    for (EveryCall call : EveryCall.prepare(backend, partition(), "x")) {
      AtomicBoolean flag = new AtomicBoolean();
      Ending ending =
          bounded(
              call.name(),
              Duration.ofSeconds(60),
              () -> {
                Thread.currentThread().interrupt();
                Ending result = call.on(backend);
                flag.set(Thread.interrupted());
                return result;
              });
      afterInterrupt(call, ending, flag.get(), backend, other);
    }
  }

  @Test
  final void j8_interruptDuringACall_keepsTheFlagAndDoesNoHarm() throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    Random random = new Random();
    for (int round = 0; round < 8; round++) {
      for (EveryCall call : EveryCall.prepare(backend, partition() + round, "x")) {
        AtomicBoolean flag = new AtomicBoolean();
        AtomicBoolean started = new AtomicBoolean();
        AtomicBoolean interrupted = new AtomicBoolean();
        FutureTask<Ending> task =
            new FutureTask<>(
                () -> {
                  started.set(true);
                  Ending result = call.on(backend);
                  while (!interrupted.get()) {
                    Thread.onSpinWait();
                  }
                  flag.set(Thread.interrupted());
                  return result;
                });
        Thread thread = new Thread(task, "interrupted");
        thread.setDaemon(true);
        thread.start();
        while (!started.get()) {
          Thread.onSpinWait();
        }
        // At any moment of calls that take microseconds, and of those that take milliseconds.
        long moment = System.nanoTime() + random.nextInt(1 << random.nextInt(10, 22));
        while (System.nanoTime() < moment) {
          Thread.onSpinWait();
        }
        thread.interrupt();
        interrupted.set(true);
        Ending ending = await(call.name(), Duration.ofSeconds(60), task);
        afterInterrupt(call, ending, flag.get(), backend, other);
      }
    }
  }

  /** Checks what an interrupted call said and left, and that later calls work. */
  private void afterInterrupt(
      EveryCall call, Ending ending, boolean flag, StorageBackend backend, StorageBackend other) {
    assertThat(flag)
        .as("the interrupt flag after %s, which ended in %s", call.name(), ending)
        .isTrue();
    for (StorageBackend instance : List.of(other, backend)) {
      call.assertSucceededOrFailed("in an interrupted thread", ending, instance);
    }
    if (ending.failure() != null && Objects.equals(call.stored(other), call.before())) {
      call.assertSucceeded("after an interrupt", call.on(backend), other);
    }
  }

  @Test
  final void j8_interruptedClose_closesAndKeepsTheFlag() throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend backend = open(storage);
    insert(backend, key("record"), value("x"));
    boolean flag =
        bounded(
            "close",
            Duration.ofSeconds(60),
            () -> {
              Thread.currentThread().interrupt();
              backend.close();
              return Thread.interrupted();
            });
    assertThat(flag).as("the interrupt flag after close").isTrue();
    assertThatThrownBy(() -> backend.get(key("record"))).isInstanceOf(BackendClosedException.class);
  }

  @Test
  final void j8_j4_interruptWithoutAnAnswer_endsTheCallAndKeepsTheFlag() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, Trouble.SILENT);
    StorageBackend backend = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");
    List<AtomicBoolean> flags = calls.stream().map(call -> new AtomicBoolean()).toList();
    AtomicBoolean interrupted = new AtomicBoolean();
    List<Ending> endings = new ArrayList<>();
    during(
        Trouble.SILENT,
        faults,
        () -> {
          List<Thread> threads = new ArrayList<>();
          List<FutureTask<Ending>> tasks = new ArrayList<>();
          for (int i = 0; i < calls.size(); i++) {
            int number = i;
            FutureTask<Ending> task =
                new FutureTask<>(
                    () -> {
                      Ending result = calls.get(number).on(backend);
                      // The interrupt may come after a call that has ended for the timeout.
                      while (!interrupted.get()) {
                        Thread.onSpinWait();
                      }
                      flags.get(number).set(Thread.currentThread().isInterrupted());
                      return result;
                    });
            Thread thread = new Thread(task, "interrupted-" + i);
            thread.setDaemon(true);
            thread.start();
            tasks.add(task);
            threads.add(thread);
          }
          threads.forEach(Thread::interrupt);
          interrupted.set(true);
          for (int i = 0; i < calls.size(); i++) {
            Duration bound = faults.timeout().plus(MARGIN);
            endings.add(await(calls.get(i).name(), bound, tasks.get(i)));
            assertThat(flags.get(i))
                .as("the flag after %s, which ended in %s", calls.get(i).name(), endings.get(i))
                .isTrue();
          }
        });

    recovered(() -> backend.get(key("any")));
    for (int i = 0; i < calls.size(); i++) {
      calls.get(i).assertFailed("interrupted without an answer", endings.get(i), backend);
    }
  }

  // --- J9: messages -------------------------------------------------------------------------

  @Test
  final void j9_dataOfARecord_isNotShownByAnyObject() throws Exception {
    RecordValue secret = value(SECRET + "1");
    VersionedRecord record = insert(backend(), key("record"), secret);
    PutResult lost = backend().putIfVersion(key("record"), value(SECRET + "2"), 7);
    assertThat(winner(lost)).isEqualTo(record);
    List<Object> shown =
        List.of(
            backend(),
            other(),
            backend().traits(),
            stored(backend(), key("record")),
            lost,
            listAll(backend(), partition(), false, 10),
            listAllActive(backend(), partition(), false, 10));
    for (Object object : shown) {
      assertThat(shows(object.toString())).as("text of a %s", object.getClass()).isFalse();
    }
  }

  @Test
  final void j9_recordThatIsTooLarge_isNamedAndNotShown() {
    int max = traits().maxDataBytes();
    if (max > 256 * 1024 * 1024) {
      throw ExcludedException.byTraits("takes records that are too large to be made here");
    }
    byte[] data = new byte[max + 1];
    byte[] secret = SECRET.getBytes(StandardCharsets.UTF_8);
    for (int i = 0; i < data.length; i++) {
      data[i] = secret[i % secret.length];
    }
    RecordValue large = value(data, true, null);
    List<ThrowingCallable> writes =
        List.of(
            () -> backend().putIfVersion(key("record"), large, 0),
            () -> backend().put(key("record"), large),
            () -> backend().createWithin(key("record"), large, 10, Samples.now()));
    for (ThrowingCallable write : writes) {
      assertThatThrownBy(write)
          .isInstanceOfSatisfying(
              RecordTooLargeException.class,
              e -> {
                assertNamed(e, key("record"));
                assertThat(e.limitBytes()).as("the limit").isEqualTo(max);
                assertThat(e.sizeBytes()).as("the size").isEqualTo(max + 1L);
              });
    }
  }

  @Test
  final void j9_callsAfterClose_areNamedAndShowNoData() throws Exception {
    StorageBackend backend = open(newStorage());
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), SECRET);
    backend.close();
    for (EveryCall call : calls) {
      Ending ending = call.on(backend);
      assertThat(ending.failure())
          .as("%s after close", call.name())
          .isInstanceOfSatisfying(BackendClosedException.class, e -> assertNamed(e, call));
    }
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource
  final void j9_failuresOfATroubledStorage_areNamedAndShowNoData(Trouble trouble) throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = requireTrouble(storage, trouble);
    StorageBackend backend = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), SECRET);
    List<Ending> endings = new ArrayList<>();
    during(trouble, faults, () -> endings.addAll(endOnTime(calls, backend, faults.timeout())));
    int failures = 0;
    for (int i = 0; i < calls.size(); i++) {
      Throwable failure = endings.get(i).failure();
      if (failure != null) {
        failures++;
        EveryCall call = calls.get(i);
        assertThat(failure)
            .as("%s of a storage that is %s", call.name(), trouble)
            .isInstanceOfSatisfying(StorageException.class, e -> assertNamed(e, call));
      }
    }
    assertThat(failures).as("calls that failed").isPositive();
    recovered(() -> backend.get(key("any")));
  }

  private static void assertNamed(StorageException e, EveryCall call) {
    RecordKey key = call.key();
    if (call.namesKey() && key != null) {
      assertNamed(e, key);
    } else {
      // The default of listActive lists.
      assertThat(e.operation())
          .as("the operation of %s", call.name())
          .isIn(call.name(), call.name().equals("listActive") ? "list" : call.name());
      assertThat(e).hasMessageStartingWith(e.operation());
      assertShowsNoData(e);
    }
  }

  private static void assertNamed(StorageException e, RecordKey key) {
    assertThat(e.operation())
        .as("the operation")
        .isIn(
            "get",
            "putIfVersion",
            "deleteIfVersion",
            "createWithin",
            "put",
            "delete",
            "listActive",
            "list");
    if (!e.operation().startsWith("list")) {
      assertThat(e.key()).as("the key of %s", e).contains(key);
      assertThat(e).hasMessageContaining(key.toString());
    }
    assertThat(e).hasMessageStartingWith(e.operation());
    assertShowsNoData(e);
  }

  /** Looks at the causes too, which go to the same log. */
  private static void assertShowsNoData(Throwable e) {
    StringWriter text = new StringWriter();
    e.printStackTrace(new PrintWriter(text));
    assertThat(shows(text.toString())).as("%s shows data", e.getClass()).isFalse();
  }

  private static boolean shows(String text) {
    return text.contains(SECRET);
  }

  // --- J10: operators -----------------------------------------------------------------------

  @Test
  final void j10_disturbanceBetweenCalls_isNotNoticed() throws Exception {
    BackendStorage storage = newStorage();
    FaultInjection faults = require(Hook.FAULT_INJECTION, storage.faultInjection());
    StorageBackend backend = open(storage);
    StorageBackend other = open(storage);
    List<EveryCall> calls = EveryCall.prepare(backend, partition(), "x");
    List<VersionedRecord> before = listAll(backend, partition(), false, 100);

    faults.disturb();
    for (VersionedRecord record : before) {
      assertThat(other.get(record.key())).as("get after a disturbance").contains(record);
    }
    assertThat(listAll(backend, partition(), false, 100)).isEqualTo(before);
    // After each disturbance one instance looks at the last call, and the other makes the next one.
    Runnable look = () -> {};
    for (EveryCall call : calls) {
      faults.disturb();
      look.run();
      Ending ending = call.on(backend);
      look = () -> call.assertSucceeded("after a disturbance", ending, other);
    }
    faults.disturb();
    look.run();
    write(backend, key("read"), value("next"), 2);
  }

  // --- steps --------------------------------------------------------------------------------

  /** Something that happens during trouble. */
  @FunctionalInterface
  private interface Step {
    void run() throws Exception;
  }

  /** Causes trouble, and heals it whatever happens. */
  private static void during(Trouble trouble, FaultInjection faults, Step step) throws Exception {
    faults.cause(trouble);
    try {
      step.run();
    } finally {
      faults.heal();
    }
  }

  private static <T> T bounded(String what, Duration bound, Callable<T> work) throws Exception {
    return await(what, bound, begin(work));
  }

  private static <T> FutureTask<T> begin(Callable<T> work) {
    FutureTask<T> task = new FutureTask<>(work);
    Thread thread = new Thread(task, "bounded");
    thread.setDaemon(true);
    thread.start();
    return task;
  }

  private static <T> T await(String what, Duration bound, FutureTask<T> task)
      throws InterruptedException {
    try {
      return task.get(bound.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new AssertionError("No end of " + what + " within " + bound, e);
    } catch (ExecutionException e) {
      throw new AssertionError("Failed: " + what, e.getCause());
    }
  }
}
