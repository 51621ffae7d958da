// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskError;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.TaskUnreadableException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Statements S: waiting for the end or for a change of a task. */
abstract class TaskWaitStatements extends TaskWorkStatements {
  /** Shorter than the first pause of the poller, which so cannot have looked meanwhile. */
  private static final Duration SHORT = Duration.ofMillis(50);

  private static final int WAITERS = 32;

  /** A call that a test goes on beside; ended after the test. */
  final <T> BackgroundCall<T> begin(Callable<T> call) {
    return closeLater(new BackgroundCall<>(call, patience()));
  }

  /** The two calls that wait. */
  private enum Wait {
    FOR_THE_END {
      @Override
      Task on(TaskStore store, Owner owner, String id, long known, Duration timeout)
          throws InterruptedException {
        return store.awaitTerminal(owner, id, timeout);
      }
    },
    FOR_A_CHANGE {
      @Override
      Task on(TaskStore store, Owner owner, String id, long known, Duration timeout)
          throws InterruptedException {
        return store.awaitChange(owner, id, known, timeout);
      }
    };

    abstract Task on(TaskStore store, Owner owner, String id, long known, Duration timeout)
        throws InterruptedException;

    Task on(TaskStore store, Task task, Duration timeout) throws InterruptedException {
      return on(store, task.owner(), task.id(), task.version(), timeout);
    }
  }

  private enum End {
    COMPLETED(change().complete(Map.of("files", 3))),
    FAILED(change().fail(TaskError.of(7, "broken").withData(8))),
    CANCELLED(change().cancel().message("stopped"));

    @SuppressWarnings("ImmutableEnumChecker") // never changed
    private final TaskChange change;

    End(TaskChange change) {
      this.change = change;
    }
  }

  /** A store whose reads a test can see, with a task for which somebody waits. */
  private record Watched(TwoStores two, WatchedReads reads, TaskStore store, Task task) {
    RecordKey key() {
      return TaskSamples.key(two.elsewhere(), task.owner(), task.id());
    }
  }

  private Watched watched() {
    TwoStores two = twoStores();
    WatchedReads reads = new WatchedReads(two.backend());
    return new Watched(two, reads, two.storeOver(reads), two.create());
  }

  /** Begins to wait, and returns when the waiter has had its first look. */
  private BackgroundCall<Task> waiting(Watched watched, Wait wait) throws Exception {
    int before = watched.reads().reads(watched.key());
    BackgroundCall<Task> waiting =
        begin(() -> wait.on(watched.store(), watched.task(), longerThanPatience()));
    watched.reads().awaitReads(watched.key(), before + 1, patience());
    return waiting;
  }

  private static void assertSame(Task answer, Task expected) {
    assertThat(TaskSamples.content(answer))
        .as("the task that the wait returned")
        .isEqualTo(TaskSamples.content(expected));
  }

  // --- ends and changes ---------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(End.class)
  final void s15_endThroughAnotherStore_endsTheWait(End end) throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, Wait.FOR_THE_END);

    Task ended = watched.two().other().update(watched.task(), end.change);

    assertSame(waiting.result(), ended);
  }

  @ParameterizedTest
  @EnumSource(End.class)
  final void s15_endThroughTheSameStore_endsTheWaitAtOnceWithoutALook(End end) throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, Wait.FOR_THE_END);
    watched.reads().freeze();

    Task ended = watched.store().update(watched.task(), end.change);

    assertSame(waiting.result(), ended);
  }

  @Test
  final void s15_changeThroughTheSameStore_endsTheWaitAtOnceWithoutALook() throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, Wait.FOR_A_CHANGE);
    watched.reads().freeze();

    Task changed = watched.store().update(watched.task(), change().message("half"));

    assertSame(waiting.result(), changed);
  }

  @Test
  final void s15_changesBeforeTheEnd_doNotEndTheWaitForIt() throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, Wait.FOR_THE_END);

    Task current = watched.store().update(watched.task(), change().message("here"));
    current = watched.two().other().update(current, change().message("there"));
    // The poller has seen one version more, after it began to look.
    int looks = watched.reads().reads(watched.key());
    watched.reads().awaitReads(watched.key(), looks + 2, patience());
    current = watched.two().other().requestCancel(current.owner(), current.id());
    current = watched.store().update(current, change().message("here again"));
    assertThat(waiting.isDone()).as("the wait is over before the task has ended").isFalse();
    Task ended = watched.two().other().update(current, change().complete());

    assertSame(waiting.result(), ended);
  }

  @Test
  final void s15_changeThroughAnotherStore_isReturned_alsoIfThereWereSeveral() throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, Wait.FOR_A_CHANGE);

    Task second = watched.two().other().update(watched.task(), change().message("half"));
    assertSame(waiting.result(), second);

    // Now there are some that the waiter has not heard of yet.
    Task current = second;
    for (int i = 0; i < 3; i++) {
      current = watched.two().other().update(current, change().set("count", i));
    }
    Task newest = current;
    for (long known = 0; known < newest.version(); known++) {
      long since = known;
      Task answer =
          begin(
                  () ->
                      watched
                          .store()
                          .awaitChange(newest.owner(), newest.id(), since, longerThanPatience()))
              .result();
      assertSame(answer, newest);
    }
  }

  @Test
  final void s15_versionThatIsKnown_isWaitedBeyond() throws Exception {
    Watched watched = watched();
    Task task = watched.two().other().update(watched.task(), change().message("half"));

    long begun = System.nanoTime();
    Task same = watched.store().awaitChange(task.owner(), task.id(), task.version(), SHORT);
    long took = System.nanoTime() - begun;

    assertSame(same, task);
    assertThat(Duration.ofNanos(took))
        .as("the time of a wait in vain")
        .isGreaterThanOrEqualTo(SHORT);
    // Also a version that is not there yet is waited for.
    BackgroundCall<Task> waiting =
        begin(
            () ->
                watched
                    .store()
                    .awaitChange(
                        task.owner(), task.id(), task.version() + 1, longerThanPatience()));
    Task current = watched.two().other().update(task, change().message("one more"));
    int looks = watched.reads().reads(watched.key());
    watched.reads().awaitReads(watched.key(), looks + 2, patience());
    assertThat(waiting.isDone()).as("the wait is over before the version is there").isFalse();
    Task newer = watched.two().other().update(current, change().message("and another"));
    assertSame(waiting.result(), newer);
  }

  @Test
  final void s15_watcher_neverSeesAVersionTwiceAndSeesTheEnd() throws Exception {
    Watched watched = watched();
    BackgroundCall<List<Task>> watcher =
        begin(
            () -> {
              List<Task> seen = new ArrayList<>();
              Task current = watched.task();
              while (!current.isTerminal()) {
                current = Wait.FOR_A_CHANGE.on(watched.store(), current, longerThanPatience());
                seen.add(current);
              }
              return seen;
            });

    Task current = watched.task();
    for (int i = 0; i < 20; i++) {
      TaskStore writer = i % 2 == 0 ? watched.store() : watched.two().other();
      current = writer.update(current, change().set("count", i));
    }
    Task ended = watched.two().other().update(current, change().complete());

    List<Task> seen = watcher.result();
    assertThat(seen.stream().map(Task::version).toList())
        .as("the versions that the watcher saw")
        .isSorted()
        .doesNotHaveDuplicates();
    for (Task each : seen) {
      assertThat(each.variables().integer("count"))
          .as("the variable of version %d", each.version())
          .hasValue(Math.min(each.version() - 2, 19));
    }
    assertSame(seen.get(seen.size() - 1), ended);
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_finishedTask_isReturnedAtOnceByOneRead(Wait wait) throws Exception {
    Watched watched = watched();
    Task ended = watched.two().other().update(watched.task(), change().complete());
    for (TaskStore store : List.of(watched.store(), watched.two().other())) {
      assertSame(begin(() -> wait.on(store, ended, longerThanPatience())).result(), ended);
    }
    assertThat(watched.reads().reads(watched.key())).as("reads").isEqualTo(1);
  }

  // --- timeouts -----------------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_timeout_isKept_andTheTaskIsReturnedAsItIs(Wait wait) throws Exception {
    Watched watched = watched();
    for (Duration timeout : List.of(Duration.ofMillis(1), SHORT, Duration.ofMillis(300))) {
      long begun = System.nanoTime();
      Task answer = begin(() -> wait.on(watched.store(), watched.task(), timeout)).result();
      long took = System.nanoTime() - begun;

      assertSame(answer, watched.task());
      assertThat(Duration.ofNanos(took)).as("the time it took").isGreaterThanOrEqualTo(timeout);
    }
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_timeoutOfZero_isARead(Wait wait) throws Exception {
    Watched watched = watched();
    watched.two().backend().takeCalls();
    for (Duration timeout : List.of(Duration.ZERO, Duration.ofNanos(-1))) {
      assertSame(
          begin(() -> wait.on(watched.store(), watched.task(), timeout)).result(), watched.task());
      assertThat(watched.two().backend().takeCalls()).as("calls").containsExactly("get");
    }
  }

  /** What the poller reads is old, so that only who waited can see the end. */
  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_endJustBeforeTheTimeout_isSeenByALastLook(Wait wait) throws Exception {
    Duration timeout = Duration.ofMillis(200);
    while (true) {
      Watched watched = watched();
      watched.reads().freeze(thread -> !BackgroundCall.isOne(thread));
      Duration atMost = timeout;
      long begun = System.nanoTime();
      BackgroundCall<Task> waiting = begin(() -> wait.on(watched.store(), watched.task(), atMost));
      watched.reads().awaitReads(watched.key(), 1, patience());
      Task ended = watched.two().other().update(watched.task(), change().complete());
      boolean wasInTime = System.nanoTime() - begun < timeout.toNanos();

      Task answer = waiting.result();

      if (wasInTime) {
        assertSame(answer, ended);
        return;
      }
      timeout = timeout.multipliedBy(2); // this storage is slow
    }
  }

  // --- many waiters -------------------------------------------------------------------------

  @Test
  final void s15_manyWaiters_allWake_andOneLooksForAllOfThem() throws Exception {
    TwoStores two = twoStores();
    WatchedReads reads = new WatchedReads(two.backend());
    TaskStore store = two.storeOver(reads);
    // One waits for the first task, a few for the second, nearly all for the third.
    List<Task> tasks = List.of(two.create(), two.create(), two.create());
    List<RecordKey> keys =
        tasks.stream()
            .map(task -> TaskSamples.key(two.elsewhere(), task.owner(), task.id()))
            .toList();
    List<Integer> numbers = List.of(1, 4, WAITERS - 5);
    List<List<BackgroundCall<Task>>> waiting = new ArrayList<>();
    for (int i = 0; i < tasks.size(); i++) {
      List<BackgroundCall<Task>> calls = new ArrayList<>();
      Task task = tasks.get(i);
      for (int n = 0; n < numbers.get(i); n++) {
        Wait wait = n % 2 == 0 ? Wait.FOR_THE_END : Wait.FOR_A_CHANGE;
        calls.add(begin(() -> wait.on(store, task, longerThanPatience())));
      }
      waiting.add(calls);
    }
    for (int i = 0; i < tasks.size(); i++) {
      reads.awaitReads(keys.get(i), numbers.get(i), patience());
    }

    // Now all have had their first look. One poller looks about as often as another in the same
    // time; if each waiter looked, it were that many times as often.
    int single = reads.reads(keys.get(0));
    int crowd = reads.reads(keys.get(2));
    reads.awaitReads(keys.get(0), single + 3, patience());
    assertThat(reads.reads(keys.get(2)) - crowd)
        .as("reads for %d waiters while there were 3 for a single one", numbers.get(2))
        .isLessThanOrEqualTo(10);

    List<Task> ended =
        List.of(
            two.other().update(tasks.get(0), change().complete()),
            store.update(tasks.get(1), change().fail("broken")),
            two.other().update(tasks.get(2), change().cancel()));
    for (int i = 0; i < tasks.size(); i++) {
      for (BackgroundCall<Task> call : waiting.get(i)) {
        assertSame(call.result(), ended.get(i));
      }
    }
  }

  // --- tasks that go ------------------------------------------------------------------------

  /** How a task can go while somebody waits for it. */
  private enum Departure {
    DELETED_HERE(watched -> watched.store().delete(watched.task().owner(), watched.task().id())),
    DELETED_ELSEWHERE(
        watched -> watched.two().other().delete(watched.task().owner(), watched.task().id())),
    EXPIRED(watched -> watched.two().clock().advanceTo(watched.task().expiresAt().orElseThrow()));

    @SuppressWarnings("ImmutableEnumChecker") // has no state
    private final Consumer<Watched> happens;

    Departure(Consumer<Watched> happens) {
      this.happens = happens;
    }
  }

  @ParameterizedTest
  @EnumSource(Departure.class)
  final void s15_taskThatGoes_endsTheWaitAsNotFound(Departure departure) throws Exception {
    for (Wait wait : Wait.values()) {
      Watched watched = watched();
      BackgroundCall<Task> waiting = waiting(watched, wait);
      // Somebody who waits in another store, too.
      BackgroundCall<Task> elsewhere =
          begin(() -> wait.on(watched.two().other(), watched.task(), longerThanPatience()));

      departure.happens.accept(watched);

      for (BackgroundCall<Task> call : List.of(waiting, elsewhere)) {
        assertThatExceptionOfType(TaskNotFoundException.class)
            .as("%s", wait)
            .isThrownBy(call::result)
            .satisfies(e -> assertThat(e.taskId()).isEqualTo(watched.task().id()));
      }
    }
  }

  @Test
  final void s15_deleteThroughTheSameStore_endsTheWaitAtOnceWithoutALook() throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, Wait.FOR_THE_END);
    watched.reads().freeze();

    watched.store().delete(watched.task().owner(), watched.task().id());

    assertThatExceptionOfType(TaskNotFoundException.class).isThrownBy(waiting::result);
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_foreignExpiredDeletedAndMissing_areTheSameErrorAtOnce(Wait wait) throws Exception {
    TwoStores two = twoStores();
    Owner stranger = Owner.client(partition());
    Task foreign = two.create();
    Task expiring = two.store().create(two.owner(), NewTask.of("work").ttl(Duration.ofMinutes(1)));
    Task deleted = two.create();
    two.other().delete(two.owner(), deleted.id());
    two.clock().advanceTo(expiring.expiresAt().orElseThrow());
    String missing = UUID.randomUUID().toString();

    assertNotFound(wait, two.store(), stranger, foreign.id());
    assertNotFound(wait, two.store(), two.owner(), expiring.id());
    assertNotFound(wait, two.store(), two.owner(), deleted.id());
    assertNotFound(wait, two.store(), two.owner(), missing);
    // The one to whom it belongs may be waiting at the same time.
    BackgroundCall<Task> waiting = begin(() -> wait.on(two.store(), foreign, longerThanPatience()));
    assertNotFound(wait, two.store(), stranger, foreign.id());
    Task ended = two.other().update(foreign, change().complete());
    assertSame(waiting.result(), ended);
    assertNotFound(wait, two.store(), stranger, foreign.id());
  }

  private void assertNotFound(Wait wait, TaskStore store, Owner owner, String id) {
    TaskNotFoundException byGet =
        catchThrowableOfType(TaskNotFoundException.class, () -> store.get(owner, id));
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(begin(() -> wait.on(store, owner, id, 0, longerThanPatience()))::result)
        .satisfies(e -> assertThat(e).hasMessage(byGet.getMessage()))
        .satisfies(e -> assertThat(e.taskId()).isEqualTo(id));
  }

  // --- what else ends a wait ----------------------------------------------------------------

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_taskThatBecomesUnreadable_endsTheWait(Wait wait) throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, wait);

    VersionedRecord planted =
        TaskSamples.plant(
            watched.two().elsewhere(), watched.two().stored(watched.task()), "no task");

    assertThatExceptionOfType(TaskUnreadableException.class).isThrownBy(waiting::result);
    assertThat(watched.two().elsewhere().get(planted.key())).contains(planted);
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_interrupt_endsTheWaitOfThatThreadOnly(Wait wait) throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> patient = waiting(watched, wait);
    BackgroundCall<Boolean> interrupted =
        begin(
            () -> {
              Throwable thrown =
                  catchThrowable(
                      () -> wait.on(watched.store(), watched.task(), longerThanPatience()));
              assertThat(thrown).isExactlyInstanceOf(InterruptedException.class);
              return Thread.currentThread().isInterrupted();
            });
    watched.reads().awaitReads(watched.key(), 2, patience());

    interrupted.interrupt();

    assertThat(interrupted.result()).as("the flag after the exception").isFalse();
    assertThat(patient.isDone()).as("the other wait is over").isFalse();
    Task ended = watched.two().other().update(watched.task(), change().complete());
    assertSame(patient.result(), ended);
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_threadThatIsInterruptedAlready_doesNotWait(Wait wait) throws Exception {
    Watched watched = watched();
    BackgroundCall<Boolean> call =
        begin(
            () -> {
              Thread.currentThread().interrupt();
              Throwable thrown =
                  catchThrowable(
                      () -> wait.on(watched.store(), watched.task(), longerThanPatience()));
              assertThat(thrown).isExactlyInstanceOf(InterruptedException.class);
              return Thread.currentThread().isInterrupted();
            });

    assertThat(call.result()).as("the flag after the exception").isFalse();
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_closingTheStore_endsItsWaitsAndLetsNoneBegin(Wait wait) throws Exception {
    Watched watched = watched();
    BackgroundCall<Task> waiting = waiting(watched, wait);
    BackgroundCall<Task> elsewhere =
        begin(() -> wait.on(watched.two().other(), watched.task(), longerThanPatience()));

    watched.store().close();

    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(waiting::result)
        .satisfies(e -> assertThat(e.isRetryable()).isFalse())
        .satisfies(e -> assertThat(e.isOutcomeUnknown()).isFalse());
    for (Duration timeout : List.of(Duration.ZERO, longerThanPatience())) {
      assertThatExceptionOfType(TaskStorageException.class)
          .as("a wait after the close")
          .isThrownBy(begin(() -> wait.on(watched.store(), watched.task(), timeout))::result);
    }
    Task ended = watched.two().other().update(watched.task(), change().complete());
    assertSame(elsewhere.result(), ended);
  }

  @ParameterizedTest
  @EnumSource(Wait.class)
  final void s15_storageThatFailsForGood_endsTheWait(Wait wait) throws Exception {
    TwoStores two = twoStores();
    Task task = two.create();
    CuttingBackend dying = new CuttingBackend(backend());
    WatchedReads reads = new WatchedReads(dying);
    TaskStore store = two.storeOver(reads);
    BackgroundCall<Task> waiting = begin(() -> wait.on(store, task, longerThanPatience()));
    reads.awaitReads(TaskSamples.key(two.elsewhere(), task.owner(), task.id()), 1, patience());

    dying.die();

    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(waiting::result)
        .satisfies(e -> assertThat(e.isOutcomeUnknown()).isFalse());
  }

  @Test
  final void s15_raceOfEnds_everyWaiterGetsTheOneThatWon() throws Exception {
    for (int round = 0; round < 5; round++) {
      TwoStores two = twoStores();
      Task task = two.create();
      List<BackgroundCall<Task>> waiting = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        TaskStore store = two.both().get(i % 2);
        waiting.add(begin(() -> Wait.FOR_THE_END.on(store, task, longerThanPatience())));
      }

      List<Boolean> wins =
          Samples.race(
              4,
              number -> {
                try {
                  Task unused =
                      two.both()
                          .get(number % 2)
                          .update(task, change().complete(Map.of("by", number)));
                  return true;
                } catch (TaskEndedException e) {
                  return false;
                }
              });

      assertThat(wins).as("who has ended the task").containsOnlyOnce(true);
      Task ended = two.other().get(task.owner(), task.id());
      assertThat(ended.result()).contains(Map.of("by", (long) wins.indexOf(true)));
      for (BackgroundCall<Task> call : waiting) {
        assertSame(call.result(), ended);
      }
    }
  }
}
