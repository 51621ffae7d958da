// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.DurationNotAllowedException;
import io.taskstore.InputRequest;
import io.taskstore.InvalidValueException;
import io.taskstore.LeaseLostException;
import io.taskstore.LimitExceededException;
import io.taskstore.Progress;
import io.taskstore.Task;
import io.taskstore.TaskContext;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskError;
import io.taskstore.TaskLimits;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import io.taskstore.Variables;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements S: leases, handlers, progress. */
abstract class TaskWorkStatements extends TaskInputStatements {
  private static final Duration MILLISECOND = Duration.ofMillis(1);
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration MINUTE = Duration.ofMinutes(1);

  private static final Executor REFUSING =
      handler -> {
        throw new RejectedExecutionException("no room");
      };

  // --- S18: taking a lease ------------------------------------------------------------------

  @Test
  final void s18_start_claimsInTheCreate() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    two.backend().takeCalls();

    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);

    assertThat(two.backend().takeCalls()).as("calls of the start").containsExactly("createWithin");
    assertThat(started.version()).isEqualTo(1);
    assertThat(started.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(started.worker()).isPresent();
    assertThat(started.leaseUntil()).contains(two.clock().instant().plus(LEASE));
    assertThat(started.variables().asMap()).isEqualTo(Map.of("position", 1L));
    two.assertShown(started);
    assertThat(TaskSamples.content(known(puppet)))
        .as("the task that the handler has")
        .isEqualTo(TaskSamples.content(started));
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    puppet.ends(context -> Map.of("files", 3));

    assertThat(two.backend().takeCalls()).as("calls of the end").containsExactly("putIfVersion");
    Task completed = two.other().get(two.owner(), started.id());
    Map<String, Object> expected = TaskSamples.content(started);
    expected.put("version", 2L);
    expected.put("updatedAt", two.clock().instant());
    expected.put("status", TaskStatus.COMPLETED);
    expected.put("isTerminal", true);
    expected.put("result", Optional.of(Map.of("files", 3L)));
    expected.put("worker", Optional.empty());
    expected.put("leaseUntil", Optional.empty());
    assertThat(TaskSamples.content(completed)).isEqualTo(expected);
    two.assertShown(completed);
  }

  @Test
  final void s18_everyRun_isAWorkerOfItsOwn() {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    List<String> workers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      Puppet puppet = puppet();
      Task task = two.both().get(i % 2).start(two.owner(), newTask(), puppet, puppet);
      workers.add(task.worker().orElseThrow());
    }
    assertThat(workers).doesNotHaveDuplicates();
  }

  @Test
  final void s18_claim_isRefusedUntilTheVeryMillisecondOfTheEnd() {
    TwoStores two = twoStores();
    for (TaskStore holder : two.both()) {
      TaskStore rival = holder == two.store() ? two.other() : two.store();
      Task task = two.store().create(two.owner(), newTask());
      two.clock().advance(SECOND);
      Task held = holder.claim(task, "first", MINUTE).orElseThrow();
      assertLeased(two, task, held, "first", MINUTE);
      TwoStores.Picture before = two.picture();

      for (Duration after : List.of(Duration.ZERO, SECOND, MINUTE.minus(MILLISECOND))) {
        two.clock().advanceTo(held.leaseUntil().orElseThrow().minus(MINUTE).plus(after));
        for (TaskStore store : two.both()) {
          for (Task inHand : List.of(task, held)) {
            assertThat(store.claim(inHand, "second", MINUTE)).as("after %s", after).isEmpty();
          }
          assertNotResumed(store, held);
        }
      }
      assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);

      two.clock().advance(MILLISECOND);
      Task taken = rival.claim(held, "second", MINUTE.multipliedBy(2)).orElseThrow();
      assertLeased(two, held, taken, "second", MINUTE.multipliedBy(2));
      assertThat(holder.claim(held, "first", MINUTE)).as("a claim of the old holder").isEmpty();
      two.assertShown(taken);
    }
  }

  /** Checks that a claim has changed the lease and nothing else, and shows everywhere. */
  private static void assertLeased(
      TwoStores two, Task before, Task after, String worker, Duration lease) {
    Map<String, Object> expected = TaskSamples.content(before);
    expected.put("version", before.version() + 1);
    expected.put("worker", Optional.of(worker));
    expected.put("leaseUntil", Optional.of(two.clock().instant().plus(lease)));
    assertThat(TaskSamples.content(after)).as("the task with the lease").isEqualTo(expected);
    two.assertShown(after);
  }

  private void assertNotResumed(TaskStore store, Task task) {
    Puppet idle = puppet();
    assertThat(store.resume(task.owner(), task.id(), idle, idle)).as("a resume").isEmpty();
    assertThat(idle.wasExecuted()).as("the handler was run").isFalse();
  }

  @Test
  final void s18_refusedClaims_writeNothing() {
    TwoStores two = twoStores();
    Task old = two.create();
    Task held = two.other().claim(old, "first", MINUTE).orElseThrow();
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();

    assertThat(two.store().claim(held, "second", MINUTE)).isEmpty();
    assertThat(two.backend().takeCalls()).as("calls with the newest snapshot").isEmpty();
    assertNotResumed(two.store(), held);
    assertThat(two.backend().takeCalls()).as("calls of a resume").containsExactly("get");
    assertThat(two.store().claim(old, "second", MINUTE)).isEmpty();
    assertThat(two.backend().takeCalls())
        .as("calls with an old snapshot, which loses one race")
        .containsExactly("putIfVersion");

    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  @Test
  final void s18_sameWorker_mayRenewAtAnyTime() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), newTask());
    Task held = two.store().claim(task, "worker", MINUTE).orElseThrow();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    Task longer = two.store().claim(held, "worker", MINUTE.multipliedBy(5)).orElseThrow();
    assertThat(two.backend().takeCalls()).as("calls").containsExactly("putIfVersion");
    assertLeased(two, held, longer, "worker", MINUTE.multipliedBy(5));
    Task shorter = two.other().claim(longer, "worker", SECOND).orElseThrow();
    assertLeased(two, longer, shorter, "worker", SECOND);
    two.clock().advance(MINUTE);
    Task late = two.store().claim(shorter, "worker", MINUTE).orElseThrow();
    assertLeased(two, shorter, late, "worker", MINUTE);
    // Names are exact.
    for (String other : List.of("Worker", "worker ", "worke", "work\u00ebr")) {
      assertThat(two.other().claim(late, other, MINUTE)).as("a claim by %s", other).isEmpty();
    }
  }

  @Test
  final void s18_claimWithABadNameOrDuration_isRefusedAndNothingIsWritten() {
    TwoStores two = twoStores();
    Task task = two.create();
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();

    for (String bad : List.of("", " ", "\ud800")) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> two.store().claim(task, bad, MINUTE));
    }
    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> two.store().claim(task, "x".repeat(127) + "\u00e9", MINUTE));
    for (Duration bad :
        List.of(
            Duration.ZERO,
            Duration.ofMillis(-1),
            Duration.ofNanos(999_999),
            Duration.ofDays(1).plus(MILLISECOND),
            Duration.ofSeconds(Long.MAX_VALUE))) {
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> two.store().claim(task, "worker", bad));
    }

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
    Task shortest = two.store().claim(task, "x".repeat(128), MILLISECOND).orElseThrow();
    assertLeased(two, task, shortest, "x".repeat(128), MILLISECOND);
    Task longest = two.store().claim(shortest, "x".repeat(128), Duration.ofDays(1)).orElseThrow();
    assertLeased(two, shortest, longest, "x".repeat(128), Duration.ofDays(1));
  }

  @Test
  final void s18_resume_isGrantedAtTheVeryMillisecondOfTheEnd() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet first = puppet();
    Task started = two.store().start(two.owner(), newTask(), first, first);
    two.clock().advance(LEASE.minus(MILLISECOND));
    TwoStores.Picture before = two.picture();
    assertNotResumed(two.store(), started);
    assertNotResumed(two.other(), started);
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
    two.clock().advance(MILLISECOND);
    Puppet second = puppet();

    Task resumed = two.other().resume(two.owner(), started.id(), second, second).orElseThrow();

    Map<String, Object> expected = TaskSamples.content(started);
    expected.put("version", 2L);
    expected.put("worker", resumed.worker());
    expected.put("leaseUntil", Optional.of(two.clock().instant().plus(LEASE)));
    assertThat(TaskSamples.content(resumed)).isEqualTo(expected);
    assertThat(resumed.worker()).isPresent().isNotEqualTo(started.worker());
    two.assertShown(resumed);
    assertThat(TaskSamples.content(known(second))).isEqualTo(expected);
  }

  @Test
  final void s18_taskThatNobodyHolds_isResumedAtOnce() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Task created = two.other().create(two.owner(), newTask());
    Puppet puppet = puppet();
    two.backend().takeCalls();

    Task resumed = two.store().resume(two.owner(), created.id(), puppet, puppet).orElseThrow();

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("get", "putIfVersion");
    assertLeased(two, created, resumed, resumed.worker().orElseThrow(), LEASE);
    puppet.ends(context -> null);
    Task completed = two.other().get(two.owner(), created.id());
    assertThat(completed.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(completed.result()).isEmpty();
    two.assertShown(completed);
  }

  @Test
  final void s18_writesOfTheWorker_renewTheLease_andThoseOfOthersLeaveIt() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    Instant until = two.clock().instant().plus(LEASE);

    two.clock().advance(MINUTE);
    Task others = two.other().update(started, change().message("from elsewhere"));
    assertThat(others.leaseUntil()).as("after a write of another").contains(until);

    puppet.does(context -> context.set("position", 2).flush());
    assertLeaseOf(two, started, two.clock().instant().plus(LEASE));
    two.clock().advance(MINUTE);
    assertThatExceptionOfType(TimeoutException.class)
        .isThrownBy(
            () ->
                puppet.does(
                    context -> {
                      String unused =
                          context.ask("name", InputRequest.of("ask"), String.class, Duration.ZERO);
                    }));
    until = two.clock().instant().plus(LEASE);
    assertLeaseOf(two, started, until);
    two.clock().advance(MINUTE);
    Task answered = two.other().provideInput(two.owner(), started.id(), Map.of("name", "Alice"));
    assertThat(answered.leaseUntil()).as("after an answer").contains(until);
    Task requested = two.other().requestCancel(two.owner(), started.id());
    assertThat(requested.leaseUntil()).as("after a cancel request").contains(until);
    // What is only collected is no sign of life.
    puppet.does(context -> context.set("position", 3).progress(3, 9).message("still here"));
    assertLeaseOf(two, started, until);
    two.assertShown(requested);
  }

  private static void assertLeaseOf(TwoStores two, Task started, Instant until) {
    Task now = two.other().get(two.owner(), started.id());
    assertThat(now.worker()).as("the worker").isEqualTo(started.worker());
    assertThat(now.leaseUntil()).as("the end of the lease").contains(until);
    two.assertShown(now);
  }

  /** Real time: the handler says nothing for longer than its lease. */
  @Test
  final void s18_heartbeat_keepsTheLeaseOfAWorkerThatSaysNothing() throws Exception {
    TwoStores two =
        twoStores(options -> options.lease(Duration.ofMillis(300)).progressInterval(MINUTE));
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);

    for (int beat = 1; beat <= 3; beat++) {
      two.clock().advance(Duration.ofMillis(200));
      Instant now = two.clock().instant();
      Task renewed =
          awaitTask(
              two.other(),
              started,
              task -> task.leaseUntil().equals(Optional.of(now.plusMillis(300))));
      assertThat(renewed.worker()).isEqualTo(started.worker());
      assertThat(renewed.updatedAt()).as("a heartbeat is no change").isEqualTo(started.updatedAt());
    }
    puppet.ends(context -> null);
    assertThat(two.other().get(two.owner(), started.id()).status()).isEqualTo(TaskStatus.COMPLETED);
  }

  @Test
  final void s18_resumesThatRace_oneHandlerRuns() throws Exception {
    raceToResume(3);
  }

  @Test
  @Stress
  final void s18_resumesThatRace_manyRounds() throws Exception {
    raceToResume(150);
  }

  private void raceToResume(int rounds) throws Exception {
    TwoStores two = twoStores(options -> quiet(options).maxUpdateAttempts(10_000));
    List<TaskStore> stores = new ArrayList<>(two.both());
    for (int i = 0; i < 4; i++) {
      stores.add(
          two.storeOver(
              i % 2 == 0 ? backend() : two.elsewhere(),
              options -> quiet(options).maxUpdateAttempts(10_000)));
    }
    for (int round = 0; round < rounds; round++) {
      Task task = two.create();
      if (round % 2 == 1) {
        task = two.store().claim(task, "dead", SECOND).orElseThrow();
        two.clock().advance(SECOND);
      }
      String id = task.id();
      List<Puppet> puppets = stores.stream().map(store -> puppet()).toList();

      List<Optional<Task>> answers =
          Samples.race(
              stores.size(),
              number ->
                  stores
                      .get(number)
                      .resume(two.owner(), id, puppets.get(number), puppets.get(number)));

      List<Task> winners = answers.stream().flatMap(Optional::stream).toList();
      assertThat(winners).as("the stores that have resumed it").hasSize(1);
      assertThat(puppets.stream().filter(Puppet::wasExecuted)).as("handlers that run").hasSize(1);
      assertThat(winners.get(0).version()).isEqualTo(task.version() + 1);
      two.assertShown(winners.get(0));
      Puppet runs = puppets.get(answers.indexOf(Optional.of(winners.get(0))));
      runs.ends(context -> Map.of("done", true));
      Task completed = two.other().get(two.owner(), id);
      assertThat(completed.result()).contains(Map.of("done", true));
      two.store().delete(two.owner(), id);
    }
  }

  @Test
  final void s18_claimsThatRace_oneWorkerHoldsIt() throws Exception {
    TwoStores two = twoStores(options -> options.maxUpdateAttempts(10_000));
    Task task = two.create();
    for (int round = 0; round < 5; round++) {
      Task free = task;
      List<Optional<Task>> answers =
          Samples.race(
              6, number -> two.both().get(number % 2).claim(free, "worker " + number, MINUTE));

      List<Task> winners = answers.stream().flatMap(Optional::stream).toList();
      assertThat(winners).as("who has the lease").hasSize(1);
      Task held = winners.get(0);
      int winner = answers.indexOf(Optional.of(held));
      assertLeased(two, free, held, "worker " + winner, MINUTE);
      two.clock().advance(MINUTE);
      task = held;
    }
  }

  // --- S18: losing a lease ------------------------------------------------------------------

  /** What an old holder may try first, when it wakes up. */
  private enum LateDeed {
    FLUSH {
      @Override
      void run(Puppet late) {
        assertLost(() -> late.does(TaskContext::flush));
      }
    },
    REPORT_AND_FLUSH {
      @Override
      void run(Puppet late) {
        assertLost(() -> late.does(context -> context.set("mine", "late").flush()));
      }
    },
    ASK {
      @Override
      void run(Puppet late) {
        assertLost(
            () ->
                late.does(
                    context -> {
                      String unused =
                          context.ask("late", InputRequest.of("ask"), String.class, Duration.ZERO);
                    }));
      }
    },
    COMPLETE {
      @Override
      void run(Puppet late) throws Exception {
        assertThat(late.affirms(TaskContext::complete)).as("has completed").isFalse();
      }
    },
    COMPLETE_WITH_RESULT {
      @Override
      void run(Puppet late) throws Exception {
        assertThat(late.affirms(context -> context.complete(Map.of("by", "late"))))
            .as("has completed")
            .isFalse();
      }
    },
    FAIL {
      @Override
      void run(Puppet late) throws Exception {
        assertThat(late.affirms(context -> context.fail(TaskError.of("late"))))
            .as("has failed")
            .isFalse();
      }
    },
    RETURN {
      @Override
      void run(Puppet late) throws Exception {
        late.ends(context -> Map.of("by", "late"));
      }
    },
    THROW {
      @Override
      void run(Puppet late) throws Exception {
        late.ends(
            context -> {
              throw new IllegalStateException("late");
            });
      }
    },
    GIVE_BACK {
      @Override
      void run(Puppet late) throws Exception {
        late.interrupt();
        late.awaitEnd();
      }
    };

    abstract void run(Puppet late) throws Exception;
  }

  private interface Call {
    void run() throws Exception;
  }

  private static void assertLost(Call call) {
    assertThatExceptionOfType(LeaseLostException.class)
        .as("the reason")
        .isThrownBy(call::run)
        .satisfies(e -> assertThat(e).hasNoCause());
  }

  /** Stands still for longer than its lease, while another store takes the task over. */
  @ParameterizedTest
  @EnumSource(LateDeed.class)
  final void s18_oldHolder_findsOutAtItsNextWriteAndWritesNothing(LateDeed deed) throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet late = puppet();
    Task started = two.store().start(two.owner(), newTask(), late, late);
    late.does(context -> context.set("shared", "first").flush());
    late.does(context -> context.set("shared", "late").set("mine", "late").progress(1, 9));
    two.clock().advance(LEASE);
    Puppet successor = puppet();
    Task resumed =
        two.other().resume(two.owner(), started.id(), successor, successor).orElseThrow();
    assertThat(resumed.variables().asMap())
        .as("what the successor begins with")
        .isEqualTo(Map.of("position", 1L, "shared", "first"));
    successor.does(context -> context.set("shared", "second").progress(5, 9).flush());
    TwoStores.Picture before = two.picture();

    deed.run(late);

    assertThat(two.picture()).as("everything after the late deed").isEqualTo(before);
    if (deed != LateDeed.RETURN && deed != LateDeed.THROW && deed != LateDeed.GIVE_BACK) {
      assertOver(two, late, LeaseLostException.class);
      assertThat(late.affirms(TaskContext::complete)).as("has completed").isFalse();
    }
    assertThat(two.picture()).as("everything after the attempts that follow").isEqualTo(before);

    successor.ends(context -> Map.of("by", "successor"));
    Task completed = two.store().get(two.owner(), started.id());
    assertThat(completed.result()).contains(Map.of("by", "successor"));
    assertThat(completed.variables().asMap()).isEqualTo(Map.of("position", 1L, "shared", "second"));
    assertThat(completed.progress()).contains(Progress.of(5, 9));
    two.assertShown(completed);
  }

  /** Checks that a context takes nothing any more, and makes no call to say so. */
  private static void assertOver(TwoStores two, Puppet puppet, Class<? extends Exception> reason)
      throws Exception {
    two.backend().takeCalls();
    for (Puppet.Deed deed :
        List.<Puppet.Deed>of(
            context -> context.set("late", 1),
            context -> context.remove("position"),
            context -> context.progress(1, 2),
            context -> context.message("late"),
            TaskContext::flush,
            TaskContext::throwIfCancelled,
            context -> {
              String unused =
                  context.ask("late", InputRequest.of("ask"), String.class, Duration.ZERO);
            })) {
      assertThatExceptionOfType(reason).isThrownBy(() -> puppet.does(deed));
    }
    puppet.does(
        context -> {
          assertThat(context.task()).as("a snapshot is there all the same").isNotNull();
          assertThat(context.variables()).isNotNull();
          boolean unused = context.isCancelRequested();
        });
    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
  }

  @Test
  final void s18_successorInTheSameStore_isKnownAtOnce() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet late = puppet();
    Task started = two.store().start(two.owner(), newTask(), late, late);
    assertThat(known(late)).as("the handler runs, with the task").isEqualTo(started);
    two.clock().advance(LEASE);
    Puppet successor = puppet();
    Task resumed =
        two.store().resume(two.owner(), started.id(), successor, successor).orElseThrow();

    assertOver(two, late, LeaseLostException.class);

    two.assertShown(resumed);
    successor.does(context -> context.set("position", 2).flush());
    assertThat(two.other().get(two.owner(), started.id()).variables().asMap())
        .isEqualTo(Map.of("position", 2L));
  }

  /** A worker that is late but was not replaced is still the only one. */
  @Test
  final void s18_leaseThatIsOver_staysWithTheWorkerUntilAnotherTakesIt() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    two.clock().advance(LEASE.multipliedBy(2));

    puppet.does(context -> context.set("position", 2).flush());

    assertLeaseOf(two, started, two.clock().instant().plus(LEASE));
    assertNotResumed(two.other(), started);
  }

  @Test
  final void s18_handlerWhoseTurnComesAfterItsLease_isNotRun() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    List<Runnable> queued = new ArrayList<>();
    Puppet late = puppet();
    Task started = two.store().start(two.owner(), newTask(), queued::add, late);
    two.clock().advance(LEASE);
    Puppet successor = puppet();
    Task resumed =
        two.store().resume(two.owner(), started.id(), successor, successor).orElseThrow();

    late.execute(queued.get(0));
    late.awaitEnd();

    assertThat(late.hasBegun()).as("the late handler was run").isFalse();
    two.assertShown(resumed);
  }

  /** One store's clock is ahead: it takes over what is not over for the other. */
  @Test
  final void s18_clocksThatDiffer_thereIsOneWriterAllTheSame() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    MovableClock ahead = two.clock().copy();
    ahead.advance(LEASE);
    TaskStore hasty = two.storeOver(two.elsewhere(), ahead, TaskInputStatements::quiet);
    Puppet first = puppet();
    Task started = two.store().start(two.owner(), newTask(), first, first);
    assertNotResumed(two.other(), started);
    Puppet second = puppet();

    Task resumed = hasty.resume(two.owner(), started.id(), second, second).orElseThrow();

    assertThat(resumed.leaseUntil()).contains(ahead.instant().plus(LEASE));
    second.does(context -> context.set("by", "second").flush());
    TwoStores.Picture before = two.picture();
    assertLost(() -> first.does(context -> context.set("by", "first").flush()));
    assertThat(first.affirms(TaskContext::complete)).isFalse();
    assertThat(two.picture()).as("everything after the attempts of the first").isEqualTo(before);
    // By the other clock the new lease is a long one, but it ends.
    two.clock().advance(LEASE.multipliedBy(2).minus(MILLISECOND));
    assertNotResumed(two.store(), started);
    two.clock().advance(MILLISECOND);
    Puppet third = puppet();
    Task again = two.store().resume(two.owner(), started.id(), third, third).orElseThrow();
    assertLost(() -> second.does(context -> context.set("by", "second, late").flush()));
    third.ends(context -> Map.of("by", "third"));
    Task completed = two.other().get(two.owner(), started.id());
    assertThat(completed.version()).isEqualTo(again.version() + 1);
    assertThat(completed.variables().string("by")).contains("second");
    assertThat(completed.result()).contains(Map.of("by", "third"));
  }

  @Test
  final void s18_killedWorker_itsTaskIsResumedFromWhatWasStored() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    CuttingBackend dying = new CuttingBackend(backend());
    TaskStore doomed = two.storeOver(dying, TaskInputStatements::quiet);
    Puppet victim = puppet();
    Task started = doomed.start(two.owner(), newTask(), victim, victim);
    victim.does(context -> context.set("position", 3).progress(3, 9).flush());
    victim.does(context -> context.set("position", 4).progress(4, 9));
    Task stored = two.other().get(two.owner(), started.id());

    dying.die();

    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> victim.does(TaskContext::flush));
    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> victim.answers(context -> context.complete(Map.of("by", "victim"))));
    two.assertShown(stored);
    assertNotResumed(two.other(), started);
    two.clock().advance(LEASE);
    Puppet successor = puppet();
    Task resumed =
        two.other().resume(two.owner(), started.id(), successor, successor).orElseThrow();
    assertThat(resumed.variables().asMap()).isEqualTo(Map.of("position", 3L));
    assertThat(resumed.progress()).contains(Progress.of(3, 9));
    assertThat(successor.<Variables>answers(TaskContext::variables)).isEqualTo(resumed.variables());

    successor.ends(
        context -> Map.of("position", context.variables().integer("position").orElseThrow() + 6));

    Task completed = two.store().get(two.owner(), started.id());
    assertThat(completed.result()).contains(Map.of("position", 9L));
    two.assertShown(completed);
  }

  @Test
  final void s18_closedStore_leavesItsTasksToBeResumedAfterTheLease() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet first = puppet();
    Task started = two.store().start(two.owner(), newTask(), first, first);
    first.does(context -> context.set("position", 3));

    two.store().close();

    assertOver(two, first, TaskStorageException.class);
    Task left = two.other().get(two.owner(), started.id());
    assertThat(left.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(left.worker()).isEqualTo(started.worker());
    assertNotResumed(two.other(), started);
    two.clock().advance(LEASE);
    Puppet second = puppet();
    Task resumed = two.other().resume(two.owner(), started.id(), second, second).orElseThrow();
    assertThat(resumed.variables().asMap()).isEqualTo(Map.of("position", 3L));
    first.ends(context -> Map.of("by", "first"));
    assertThat(two.other().get(two.owner(), started.id())).isEqualTo(resumed);
    second.ends(context -> Map.of("by", "second"));
    assertThat(two.other().get(two.owner(), started.id()).result())
        .contains(Map.of("by", "second"));
  }

  // --- S18: how handlers end ----------------------------------------------------------------

  /** The ends that a handler can bring about. */
  private enum HandlerEnd {
    RETURN_NOTHING(TaskStatus.COMPLETED) {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.ends(context -> null);
      }
    },
    RETURN_RESULT(TaskStatus.COMPLETED) {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.ends(context -> Map.of("files", 3));
      }
    },
    COMPLETE(TaskStatus.COMPLETED) {
      @Override
      void run(Puppet puppet) throws Exception {
        assertThat(puppet.affirms(TaskContext::complete)).isTrue();
      }
    },
    COMPLETE_WITH_RESULT(TaskStatus.COMPLETED) {
      @Override
      void run(Puppet puppet) throws Exception {
        assertThat(puppet.affirms(context -> context.complete(Map.of("files", 3)))).isTrue();
      }
    },
    FAIL(TaskStatus.FAILED) {
      @Override
      void run(Puppet puppet) throws Exception {
        assertThat(puppet.affirms(context -> context.fail(TaskError.of(7, "broken").withData("x"))))
            .isTrue();
      }
    },
    THROW(TaskStatus.FAILED) {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.ends(
            context -> {
              throw new IllegalStateException("no such folder");
            });
      }
    },
    CANCEL(TaskStatus.CANCELLED) {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.ends(
            context -> {
              context.throwIfCancelled();
              return "not cancelled";
            });
      }
    };

    private final TaskStatus status;

    HandlerEnd(TaskStatus status) {
      this.status = status;
    }

    abstract void run(Puppet puppet) throws Exception;

    /** Whether there is a result. */
    boolean hasResult() {
      return this == RETURN_RESULT || this == COMPLETE_WITH_RESULT;
    }

    /** What the task must tell of its failure. */
    Optional<TaskError> error() {
      return switch (this) {
        case FAIL -> Optional.of(TaskError.of(7, "broken").withData("x"));
        case THROW ->
            Optional.of(
                TaskError.of("no such folder").withData(Map.of("type", "IllegalStateException")));
        default -> Optional.empty();
      };
    }
  }

  /** A started task of whose cancellation request the handler knows. */
  private static Task startAndRequestCancel(TwoStores two, Puppet puppet) throws Exception {
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    Task unused = two.other().requestCancel(two.owner(), started.id());
    assertThat(puppet.affirms(TaskContext::isCancelRequested)).as("before any write").isFalse();
    puppet.does(context -> context.set("position", 2).flush());
    assertThat(puppet.affirms(TaskContext::isCancelRequested)).as("after a write").isTrue();
    return known(puppet);
  }

  @ParameterizedTest
  @EnumSource(HandlerEnd.class)
  final void s18_s19_endOfAHandler_isOneWriteWithWhatWasCollected(HandlerEnd end) throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task before = startAndRequestCancel(two, puppet);
    puppet.does(
        context ->
            context.set("position", 9).set("last", "seen").progress(9, 9).message("at the end"));
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    end.run(puppet);

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("putIfVersion");
    Task ended = two.other().get(two.owner(), before.id());
    Map<String, Object> expected = TaskSamples.content(before);
    expected.put("version", before.version() + 1);
    expected.put("updatedAt", two.clock().instant());
    expected.put("status", end.status);
    expected.put("isTerminal", true);
    expected.put("variables", Map.of("position", 9L, "last", "seen"));
    expected.put("progress", Optional.of(Progress.of(9, 9)));
    expected.put("message", Optional.of("at the end"));
    expected.put("worker", Optional.empty());
    expected.put("leaseUntil", Optional.empty());
    expected.put("result", end.hasResult() ? Optional.of(Map.of("files", 3L)) : Optional.empty());
    expected.put("error", end.error());
    assertThat(TaskSamples.content(ended)).isEqualTo(expected);
    two.assertShown(ended);
    // What the handler does afterwards changes nothing.
    if (end == HandlerEnd.COMPLETE
        || end == HandlerEnd.COMPLETE_WITH_RESULT
        || end == HandlerEnd.FAIL) {
      assertOver(two, puppet, TaskEndedException.class);
      puppet.ends(context -> Map.of("late", true));
      assertThat(two.backend().takeCalls()).as("calls after the end").isEmpty();
    }
    two.assertShown(ended);
  }

  @Test
  final void s18_failedHandler_tellsMessageAndTypeAndNothingElse() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    for (Exception failure :
        List.of(
            new IllegalStateException("no such folder", new SecurityException("secret cause")),
            new IOException((String) null),
            new CancellationException("nobody has asked for it"),
            new ExecutionException("outer", new Error("secret cause")),
            new IllegalStateException("x".repeat(10_000)))) {
      Puppet puppet = puppet();
      Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
      failure.addSuppressed(new IllegalArgumentException("secret suppressed one"));

      puppet.ends(
          context -> {
            throw failure;
          });

      Task failed = two.other().get(two.owner(), started.id());
      assertThat(failed.status()).isEqualTo(TaskStatus.FAILED);
      TaskError error = failed.error().orElseThrow();
      assertThat(error.code()).isEqualTo(TaskError.INTERNAL_ERROR);
      assertThat(error.data()).contains(Map.of("type", failure.getClass().getSimpleName()));
      String message = failure.getMessage();
      if (message == null) {
        assertThat(error.message()).isEqualTo(failure.getClass().getSimpleName());
      } else {
        assertThat(message).as("the whole message").startsWith(error.message().substring(0, 5));
        assertThat(error.message()).hasSizeLessThanOrEqualTo(4_096);
      }
      assertNoTrace(TaskSamples.text(two.stored(failed)));
      two.assertShown(failed);
    }
  }

  private static void assertNoTrace(String record) {
    assertThat(record)
        .as("the record")
        .doesNotContain("secret", ".java", "Puppet", "at io.", "at java.", "\\t");
  }

  @Test
  final void s18_handlerThatThrowsAnError_failsItsTaskAndTheErrorGoesOn() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("position", 9));
    StackOverflowError thrown = new StackOverflowError("too deep");

    puppet.ends(
        context -> {
          throw thrown;
        });

    assertThat(puppet.escaped()).as("what the executor gets").containsSame(thrown);
    Task failed = two.other().get(two.owner(), started.id());
    assertThat(failed.error())
        .contains(TaskError.of("too deep").withData(Map.of("type", "StackOverflowError")));
    assertThat(failed.variables().asMap()).isEqualTo(Map.of("position", 9L));
    assertNoTrace(TaskSamples.text(two.stored(failed)));
  }

  @Test
  final void s18_resultThatCannotBeStored_failsTheTask() throws Exception {
    TwoStores two =
        twoStores(options -> quiet(options).limits(TaskLimits.defaults().withMaxResultBytes(100)));
    for (Object bad : List.of("a text", List.of(1), Map.of("x", "s".repeat(100)))) {
      Puppet puppet = puppet();
      Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
      assertThatExceptionOfType(TaskStoreException.class)
          .isThrownBy(() -> puppet.answers(context -> context.complete(bad)))
          .satisfies(
              e ->
                  assertThat(e)
                      .isInstanceOfAny(InvalidValueException.class, LimitExceededException.class));
      two.assertShown(started);

      puppet.ends(context -> bad);

      Task failed = two.other().get(two.owner(), started.id());
      assertThat(failed.status()).isEqualTo(TaskStatus.FAILED);
      assertThat(failed.result()).isEmpty();
      assertThat(failed.error().orElseThrow().message()).contains("result");
      two.assertShown(failed);
    }
  }

  @Test
  final void s18_handlerErrors_areWhatTheStoreWasToldToSay() throws Exception {
    TwoStores two =
        twoStores(
            options ->
                quiet(options)
                    .handlerErrors(
                        failure -> TaskError.of(17, "for " + failure.getMessage()).withData(1)));
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);

    puppet.ends(
        context -> {
          throw new IllegalStateException("you");
        });

    assertThat(two.other().get(two.owner(), started.id()).error())
        .contains(TaskError.of(17, "for you").withData(1L));
  }

  /** How a handler may end because its thread was interrupted. */
  private enum Interruption {
    WHILE_IT_WAITS {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.interrupt();
        puppet.awaitEnd();
      }
    },
    THROWN_BY_ITSELF {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.ends(
            context -> {
              throw new InterruptedException("stop");
            });
      }
    },
    ANOTHER_EXCEPTION_WITH_THE_FLAG {
      @Override
      void run(Puppet puppet) throws Exception {
        puppet.ends(
            context -> {
              Thread.currentThread().interrupt();
              throw new IllegalStateException("interrupted");
            });
      }
    };

    abstract void run(Puppet puppet) throws Exception;
  }

  @ParameterizedTest
  @EnumSource(Interruption.class)
  final void s18_s19_interruptedHandler_givesTheTaskBackWithWhatWasCollected(
      Interruption interruption) throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet first = puppet();
    Task started = two.store().start(two.owner(), newTask(), first, first);
    first.does(context -> context.set("position", 5).progress(5, 9).message("half"));
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    interruption.run(first);

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("putIfVersion");
    Task left = two.other().get(two.owner(), started.id());
    Map<String, Object> expected = TaskSamples.content(started);
    expected.put("version", 2L);
    expected.put("updatedAt", two.clock().instant());
    expected.put("variables", Map.of("position", 5L));
    expected.put("progress", Optional.of(Progress.of(5, 9)));
    expected.put("message", Optional.of("half"));
    expected.put("worker", Optional.empty());
    expected.put("leaseUntil", Optional.empty());
    assertThat(TaskSamples.content(left)).isEqualTo(expected);
    two.assertShown(left);
    Puppet second = puppet();
    assertThat(two.other().resume(two.owner(), started.id(), second, second))
        .as("a resume at once")
        .isPresent();
    second.ends(context -> context.variables().asMap());
    assertThat(two.store().get(two.owner(), started.id()).result())
        .contains(Map.of("position", 5L));
  }

  @Test
  final void s18_startThatTheExecutorRefuses_leavesNoTask() {
    TwoStores two = twoStores(options -> quiet(options).maxActiveTasks(1));

    for (int i = 0; i < 3; i++) {
      RejectedExecutionException refusal =
          catchThrowableOfType(
              RejectedExecutionException.class,
              () -> two.store().start(two.owner(), newTask(), REFUSING, context -> "never"));
      assertThat(refusal).as("the executor's own exception").hasMessage("no room");
    }

    assertThat(two.picture().tasks()).as("tasks").isEmpty();
    assertThat(two.picture().records()).as("records").isEmpty();
    Task created = two.create();
    two.assertShown(created);
  }

  @Test
  final void s18_resumeThatTheExecutorRefuses_givesTheLeaseBack() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Task created = two.store().create(two.owner(), newTask());

    assertThatExceptionOfType(RejectedExecutionException.class)
        .isThrownBy(
            () -> two.store().resume(two.owner(), created.id(), REFUSING, context -> "never"));

    Task left = two.other().get(two.owner(), created.id());
    assertThat(left.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(left.worker()).isEmpty();
    assertThat(left.leaseUntil()).isEmpty();
    assertThat(left.variables()).isEqualTo(created.variables());
    Puppet puppet = puppet();
    assertThat(two.other().resume(two.owner(), created.id(), puppet, puppet)).isPresent();
    puppet.ends(context -> null);
    assertThat(two.store().get(two.owner(), created.id()).status()).isEqualTo(TaskStatus.COMPLETED);
  }

  /** What others may do to a task, and what its worker is told at its next write. */
  private enum Fate {
    CANCELLED(TaskEndedException.class),
    COMPLETED(TaskEndedException.class),
    DELETED(TaskNotFoundException.class),
    EXPIRED(TaskNotFoundException.class);

    private final Class<? extends Exception> reason;

    Fate(Class<? extends Exception> reason) {
      this.reason = reason;
    }
  }

  @ParameterizedTest
  @EnumSource(Fate.class)
  final void s18_s1_taskThatOthersHaveEnded_takesNothingMoreFromItsWorker(Fate fate)
      throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("position", 9));
    Optional<Task> stands =
        switch (fate) {
          case CANCELLED -> Optional.of(two.other().cancel(two.owner(), started.id()));
          case COMPLETED ->
              Optional.of(two.other().update(started, change().complete(Map.of("by", "another"))));
          case DELETED -> {
            two.other().delete(two.owner(), started.id());
            yield Optional.empty();
          }
          case EXPIRED -> {
            two.clock().advanceTo(started.expiresAt().orElseThrow());
            yield Optional.empty();
          }
        };

    assertThatExceptionOfType(fate.reason).isThrownBy(() -> puppet.does(TaskContext::flush));

    assertOver(two, puppet, fate.reason);
    assertThat(puppet.affirms(TaskContext::complete)).as("has completed").isFalse();
    assertThat(puppet.affirms(context -> context.fail(TaskError.of("late")))).isFalse();
    puppet.ends(context -> Map.of("late", true));
    stands.ifPresentOrElse(two::assertShown, () -> two.assertGone(started));
  }

  @Test
  final void s18_s1_endThatAnotherHasWrittenAlready_isTheWorkersToo() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    Task completed = two.other().update(started, change().complete(Map.of("files", 3)));

    assertThat(puppet.affirms(context -> context.complete(Map.of("files", 3))))
        .as("is completed like this")
        .isTrue();

    assertThat(puppet.affirms(context -> context.complete(Map.of("files", 4))))
        .as("is completed in another way")
        .isFalse();
    two.assertShown(completed);
  }

  @Test
  final void s18_s1_endThatAnotherHasWrittenAlready_isTheWorkersTooOnceItWasTold()
      throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("position", 9));
    Task ended = two.other().update(started, change().complete(Map.of("by", "another")));

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> puppet.does(TaskContext::flush));

    assertThat(puppet.affirms(context -> context.complete(Map.of("by", "another")))).isTrue();
    two.assertShown(ended);
  }

  // --- S19: collected progress --------------------------------------------------------------

  @Test
  final void s19_manyReports_areCollectedIntoOneWrite() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    two.backend().takeCalls();

    puppet.does(
        context -> {
          for (int i = 1; i <= 1_000; i++) {
            TaskContext unused =
                context
                    .set("position", i)
                    .set("n" + i % 10, i)
                    .progress(i, 1_000)
                    .message("at " + i);
          }
        });

    assertThat(two.backend().takeCalls()).as("calls before anything is due").isEmpty();
    two.assertShown(started);
    two.backend().takeCalls();
    puppet.does(TaskContext::flush);
    assertThat(two.backend().takeCalls()).as("calls of the flush").containsExactly("putIfVersion");
    Task flushed = two.other().get(two.owner(), started.id());
    assertThat(flushed.version()).isEqualTo(2);
    assertThat(flushed.variables().integer("position")).hasValue(1_000);
    assertThat(flushed.variables().size()).isEqualTo(11);
    assertThat(flushed.progress()).contains(Progress.of(1_000, 1_000));
    assertThat(flushed.message()).contains("at 1000");
    two.assertShown(flushed);
    assertThat(TaskSamples.content(known(puppet))).isEqualTo(TaskSamples.content(flushed));
    two.backend().takeCalls();
    // There is nothing left to write.
    puppet.does(TaskContext::flush);
    puppet.does(TaskContext::flush);
    assertThat(two.backend().takeCalls()).as("calls of a flush of nothing").isEmpty();
    puppet.ends(context -> null);
    assertThat(two.backend().takeCalls()).as("calls of the end").containsExactly("putIfVersion");
    assertThat(two.other().get(two.owner(), started.id()).version()).isEqualTo(3);
  }

  @Test
  final void s19_context_showsWhatIsCollectedToo() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask().set("kept", true), puppet, puppet);
    two.backend().takeCalls();
    List<Integer> list = new ArrayList<>(List.of(1));

    puppet.does(
        context -> {
          TaskContext unused = context.set("position", 2).set("list", list).set("gone", 1);
          list.add(2);
          unused = context.remove("gone").remove("kept");
          assertThat(context.variables().asMap())
              .as("what the handler has set, on top of what is stored")
              .isEqualTo(Map.of("position", 2L, "list", List.of(1L)));
          assertThat(context.task().variables())
              .as("what is stored")
              .isEqualTo(started.variables());
        });

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    puppet.does(
        context -> {
          context.flush();
          assertThat(context.variables().asMap())
              .isEqualTo(Map.of("position", 2L, "list", List.of(1L)));
          assertThat(context.task().variables()).isEqualTo(context.variables());
        });
    Task flushed = two.other().get(two.owner(), started.id());
    assertThat(flushed.variables().asMap()).isEqualTo(Map.of("position", 2L, "list", List.of(1L)));
    two.assertShown(flushed);
  }

  @Test
  final void s19_closeOfTheStore_writesWhatWasCollected() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet first = puppet();
    Puppet second = puppet();
    Task one = two.store().start(two.owner(), newTask(), first, first);
    Task another = two.store().start(two.owner(), newTask(), second, second);
    first.does(context -> context.set("position", 9).progress(9, 9).message("last"));
    two.backend().takeCalls();

    two.store().close();

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("putIfVersion");
    Task left = two.other().get(two.owner(), one.id());
    assertThat(left.variables().asMap()).isEqualTo(Map.of("position", 9L));
    assertThat(left.progress()).contains(Progress.of(9, 9));
    assertThat(left.message()).contains("last");
    assertThat(left.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(two.other().get(two.owner(), another.id()))
        .as("a task of which there was nothing to write")
        .isEqualTo(another);
    two.store().close();
    assertThat(two.backend().takeCalls()).as("calls of a second close").isEmpty();
  }

  @Test
  final void s19_lostRace_losesNothingThatWasCollected() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("position", 9).progress(9, 9));
    two.backend()
        .beforeNextWrite(
            () -> two.other().update(started, change().set("other", 1).message("from elsewhere")));
    two.backend().takeCalls();

    puppet.does(TaskContext::flush);

    assertThat(two.backend().takeCalls())
        .as("calls")
        .containsExactly("putIfVersion", "putIfVersion");
    Task flushed = two.other().get(two.owner(), started.id());
    assertThat(flushed.version()).isEqualTo(3);
    assertThat(flushed.variables().asMap()).isEqualTo(Map.of("position", 9L, "other", 1L));
    assertThat(flushed.message()).contains("from elsewhere");
    assertThat(flushed.progress()).contains(Progress.of(9, 9));
    two.assertShown(flushed);
    assertThat(puppet.<Variables>answers(TaskContext::variables)).isEqualTo(flushed.variables());
  }

  /** Refuses writes while it is down. */
  private static final class Shaky extends PassingBackend {
    private volatile boolean down;

    Shaky(StorageBackend delegate) {
      super(delegate);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      if (down) {
        throw new StorageUnavailableException("putIfVersion", key, false, "down in a test", null);
      }
      return super.putIfVersion(key, value, expected);
    }
  }

  @Test
  final void s19_writeThatFails_keepsWhatWasCollectedForTheNext() throws Exception {
    TwoStores two = twoStores();
    Shaky shaky = new Shaky(backend());
    TaskStore store = two.storeOver(shaky, TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = store.start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("a", 1).set("b", 1).progress(1, 9).message("first"));
    shaky.down = true;
    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> puppet.does(TaskContext::flush));
    two.assertShown(started);
    puppet.does(
        context ->
            assertThat(context.variables().asMap())
                .as("what the handler has set")
                .isEqualTo(Map.of("position", 1L, "a", 1L, "b", 1L)));
    puppet.does(context -> context.set("b", 2));
    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> puppet.does(TaskContext::complete));
    two.assertShown(started);
    shaky.down = false;

    puppet.does(context -> context.set("c", 3));
    puppet.does(TaskContext::flush);

    Task flushed = two.other().get(two.owner(), started.id());
    assertThat(flushed.version()).isEqualTo(2);
    assertThat(flushed.variables().asMap())
        .isEqualTo(Map.of("position", 1L, "a", 1L, "b", 2L, "c", 3L));
    assertThat(flushed.progress()).contains(Progress.of(1, 9));
    assertThat(flushed.message()).contains("first");
    two.assertShown(flushed);
  }

  /** The handler reports while another of its threads writes. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s19_reportsDuringAWrite_areSeenAndNotLost(boolean fails) throws Exception {
    TwoStores two = twoStores();
    Shaky shaky = new Shaky(backend());
    CountingBackend counted = new CountingBackend(shaky);
    TaskStore store = two.storeOver(counted, TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = store.start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("a", 1).set("b", 1).progress(1, 9).message("first"));
    TaskContext hands = puppet.answers(context -> context);
    List<Map<String, Object>> seen = new ArrayList<>();
    counted.beforeNextWrite(
        () -> {
          seen.add(hands.variables().asMap());
          TaskContext unused = hands.set("b", 2).set("c", 3).progress(2, 9);
          seen.add(hands.variables().asMap());
        });

    if (fails) {
      shaky.down = true;
      assertThatExceptionOfType(TaskStorageException.class)
          .isThrownBy(() -> puppet.does(TaskContext::flush));
      shaky.down = false;
      two.assertShown(started);
    } else {
      puppet.does(TaskContext::flush);
      Task flushed = two.other().get(two.owner(), started.id());
      assertThat(flushed.variables().asMap())
          .as("what was collected before the write")
          .isEqualTo(Map.of("position", 1L, "a", 1L, "b", 1L));
      assertThat(flushed.progress()).contains(Progress.of(1, 9));
    }

    assertThat(seen)
        .as("what the handler sees during the write")
        .containsExactly(
            Map.of("position", 1L, "a", 1L, "b", 1L),
            Map.of("position", 1L, "a", 1L, "b", 2L, "c", 3L));
    puppet.ends(context -> context.variables().asMap());
    Task completed = two.other().get(two.owner(), started.id());
    Map<String, Object> all = Map.of("position", 1L, "a", 1L, "b", 2L, "c", 3L);
    assertThat(completed.variables().asMap()).isEqualTo(all);
    assertThat(completed.result()).contains(all);
    assertThat(completed.progress()).contains(Progress.of(2, 9));
    assertThat(completed.message()).contains("first");
    two.assertShown(completed);
  }

  @Test
  final void s19_reportThatIsRefusedWhenItIsWritten_isDroppedAndTheHandlerGoesOn()
      throws Exception {
    TwoStores two =
        twoStores(options -> quiet(options).limits(TaskLimits.defaults().withMaxVariables(2)));
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("a", 1).set("b", 2).progress(1, 9));
    two.backend().takeCalls();

    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> puppet.does(TaskContext::flush));

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    two.assertShown(started);
    puppet.does(context -> context.set("a", 1).progress(2, 9));
    puppet.ends(context -> null);
    Task completed = two.other().get(two.owner(), started.id());
    assertThat(completed.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(completed.variables().asMap()).isEqualTo(Map.of("position", 1L, "a", 1L));
    assertThat(completed.progress()).contains(Progress.of(2, 9));
  }

  /** A value that cannot be stored is refused when it is set, and nothing else suffers. */
  @Test
  final void s19_valueThatCannotBeStored_isRefusedAtOnce() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("a", 1));
    two.backend().takeCalls();

    for (Puppet.Deed bad :
        List.<Puppet.Deed>of(
            context -> context.set("a", Double.NaN),
            context -> context.set("", 1),
            context -> context.set("a", "\ud800"),
            context -> context.message("\ud800"),
            context -> context.progress(-1, 2))) {
      assertThatExceptionOfType(InvalidValueException.class).isThrownBy(() -> puppet.does(bad));
    }
    for (Puppet.Deed bad :
        List.<Puppet.Deed>of(
            context -> context.set("x".repeat(257), 1),
            context -> context.set("a", "s".repeat(70_000)),
            context -> context.message("s".repeat(5_000)))) {
      assertThatExceptionOfType(LimitExceededException.class).isThrownBy(() -> puppet.does(bad));
    }

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    puppet.does(TaskContext::flush);
    Task flushed = two.other().get(two.owner(), started.id());
    assertThat(flushed.variables().asMap()).isEqualTo(Map.of("position", 1L, "a", 1L));
    assertThat(flushed.message()).isEqualTo(started.message());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s19_reportsOfManyThreads_areAllThere(boolean writesByItself) throws Exception {
    TwoStores two =
        twoStores(
            options ->
                writesByItself
                    ? options.lease(LEASE).progressInterval(MILLISECOND)
                    : quiet(options));
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    int threads = 4;
    int each = 50;
    Map<String, Object> expected = new HashMap<>();
    expected.put("position", 1L);
    for (int thread = 0; thread < threads; thread++) {
      for (int i = 0; i < each; i++) {
        expected.put("v" + thread + "-" + i, (long) i);
      }
    }

    List<Integer> missing =
        puppet.answers(
            context ->
                Samples.race(
                    threads + 1,
                    number -> {
                      int lost = 0;
                      for (int i = 0; i < each; i++) {
                        if (number == threads) {
                          if (i % 10 == 0) {
                            context.flush();
                          }
                          continue;
                        }
                        TaskContext unused =
                            context.set("v" + number + "-" + i, i).progress(i, each);
                        if (!context.variables().contains("v" + number + "-" + i)) {
                          lost++;
                        }
                      }
                      return lost;
                    }));
    assertThat(missing).as("variables that a thread has set and did not see").containsOnly(0);
    puppet.ends(context -> null);

    Task completed = two.other().get(two.owner(), started.id());
    assertThat(completed.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(completed.variables().asMap()).isEqualTo(expected);
    assertThat(completed.progress()).contains(Progress.of(each - 1, each));
    two.assertShown(completed);
  }

  @Test
  final void s19_shortInterval_writesByItself() throws Exception {
    TwoStores two =
        twoStores(options -> options.lease(LEASE).progressInterval(Duration.ofMillis(20)));
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    for (int i = 1; i <= 3; i++) {
      Progress progress = Progress.of(i, 3);
      puppet.does(context -> context.set("position", progress.done()).progress(progress));

      Task seen =
          awaitTask(two.other(), started, task -> task.progress().equals(Optional.of(progress)));

      assertThat(seen.variables().integer("position")).hasValue(i);
      assertThat(seen.status()).isEqualTo(TaskStatus.WORKING);
      assertThat(seen.worker()).isEqualTo(started.worker());
    }
  }

  @Test
  final void s19_steadyReports_areAtMostOneWriteAnInterval() throws Exception {
    Duration interval = Duration.ofMillis(50);
    TwoStores two = twoStores(options -> options.lease(LEASE).progressInterval(interval));
    long begun = System.nanoTime();
    Puppet puppet = puppet();
    Task started = two.store().start(two.owner(), newTask(), puppet, puppet);
    two.backend().takeCalls();

    long reports =
        puppet.answers(
            context -> {
              long count = 0;
              long start = System.nanoTime();
              while (isTooEarlyToEnd(context, System.nanoTime() - start, interval)) {
                TaskContext unused = context.set("position", ++count);
                Thread.onSpinWait();
              }
              return count;
            });
    puppet.ends(context -> null);

    long elapsed = System.nanoTime() - begun;
    assertThat(takeWrites(two).size())
        .as("writes of %d reports in %d ms, the end included", reports, elapsed / 1_000_000)
        .isBetween(2, (int) (elapsed / interval.toNanos()) + 1);
    Task completed = two.other().get(two.owner(), started.id());
    assertThat(completed.variables().integer("position")).hasValue(reports);
  }

  /** Whether there is less than six intervals to judge by, or nothing was written by itself yet. */
  private boolean isTooEarlyToEnd(TaskContext context, long nanos, Duration interval) {
    return nanos < interval.toNanos() * 6
        || (context.task().version() == 1 && nanos < patience().toNanos());
  }
}
