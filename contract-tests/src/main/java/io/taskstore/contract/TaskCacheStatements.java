// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.InputRequest;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStore;
import io.taskstore.contract.CuttingBackend.Fate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Statements S: finished tasks that a store keeps in memory. */
abstract class TaskCacheStatements extends TaskListenerStatements {
  private static final long ENOUGH_BYTES = 10_000_000;
  private static final Duration MILLISECOND = Duration.ofMillis(1);
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private static final Duration SHORT_AGE = Duration.ofMillis(200);
  private static final Duration LONG_AGE = Duration.ofDays(1);

  private static final List<TaskChange> ENDS =
      List.of(
          change().complete(Map.of("files", 3)).message("done"),
          change().fail("broken").set("count", 1),
          change().cancel());

  /** Two stores of which each keeps finished tasks; a read within the age costs no call. */
  private TwoStores caching(Duration maxAge) {
    return twoStores(options -> caching(options, maxAge));
  }

  private static GenericTaskStore.Builder caching(
      GenericTaskStore.Builder options, Duration maxAge) {
    return options.cacheFinishedTasks(ENOUGH_BYTES, maxAge);
  }

  private static void assertSame(Task shown, Task expected) {
    assertThat(TaskSamples.content(shown))
        .as("the task that is shown")
        .isEqualTo(TaskSamples.content(expected));
  }

  private static void assertNotFound(TaskStore store, Task task) {
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(task.owner(), task.id()))
        .satisfies(e -> assertThat(e.taskId()).isEqualTo(task.id()));
  }

  // --- what is kept -------------------------------------------------------------------------

  @Test
  final void s20_finishedTask_isShownWithoutACall_asTheStorageHasIt() {
    TwoStores two = caching(LONG_AGE);
    for (TaskChange end : ENDS) {
      Task here = two.store().update(two.create(), end);
      Task there = two.other().update(two.create(), end);
      two.backend().takeCalls();

      for (Task ended : List.of(here, there)) {
        assertSame(two.store().get(two.owner(), ended.id()), ended); // may have to be read once
        two.backend().takeCalls();
        for (int i = 0; i < 5; i++) {
          assertSame(two.store().get(two.owner(), ended.id()), ended);
        }
        assertThat(two.backend().takeCalls()).as("calls for a task that is kept").isEmpty();
        two.assertShown(ended);
        two.backend().takeCalls();
      }
    }
  }

  @Test
  final void s20_unfinishedTask_isReadEveryTime() {
    TwoStores two = caching(LONG_AGE);
    Task task = two.create();
    for (TaskChange change :
        List.of(
            change().message("half"),
            change().requireInput("key", InputRequest.of("elicitation/create")),
            change().set("count", 1),
            change().complete())) {
      Task changed = two.other().update(task, change);
      two.backend().takeCalls();

      assertSame(two.store().get(two.owner(), task.id()), changed);

      assertThat(two.backend().takeCalls()).as("calls").containsExactly("get");
      two.assertShown(changed);
      task = changed;
    }
  }

  @Test
  final void s20_finishedTaskThatIsKept_absorbsEveryWriter() {
    TwoStores two = caching(LONG_AGE);
    Task task = two.create();
    Task ended = two.other().update(task, change().complete(Map.of("files", 3)));
    assertSame(two.store().get(two.owner(), task.id()), ended);
    TwoStores.Picture before = two.picture();
    for (Runnable late :
        List.<Runnable>of(
            () -> two.store().update(task, change().message("late")),
            () -> two.store().update(ended, change().message("late")),
            () -> two.store().update(two.owner(), task.id(), change().complete()),
            () -> two.store().cancel(two.owner(), task.id()))) {
      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(late::run)
          .satisfies(e -> assertSame(e.task(), ended));
    }
    assertThat(two.picture()).isEqualTo(before);
    assertSame(two.store().get(two.owner(), task.id()), ended);
  }

  @ParameterizedTest
  @EnumSource(Fate.class)
  final void s20_endWhoseAnswerWasLost_isShownAsTheStorageHasIt(Fate fate) {
    TwoStores two = caching(LONG_AGE);
    CuttingBackend cutting = new CuttingBackend(two.backend());
    TaskStore cut = two.storeOver(cutting, options -> caching(options, LONG_AGE));
    Task task = two.create();
    cutting.cutNext(fate, () -> {});

    Task ended = cut.update(task, change().complete());

    assertThat(cutting.isUsedUp()).isTrue();
    assertSame(cut.get(two.owner(), task.id()), ended);
    two.assertShown(ended);
  }

  // --- deleting -----------------------------------------------------------------------------

  @Test
  final void s20_taskThatIsDeletedThroughTheSameStore_isGoneAtOnce() {
    TwoStores two = caching(LONG_AGE);
    for (TaskChange end : ENDS) {
      Task ended = two.store().update(two.create(), end);
      assertSame(two.store().get(two.owner(), ended.id()), ended);

      two.store().delete(two.owner(), ended.id());

      assertNotFound(two.store(), ended);
      assertNotFound(two.other(), ended);
      assertThat(TaskSamples.listAll(two.store(), two.owner())).isEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(Fate.class)
  final void s20_deleteWhoseAnswerWasLost_isADelete(Fate fate) {
    TwoStores two = caching(LONG_AGE);
    CuttingBackend cutting = new CuttingBackend(two.backend());
    TaskStore cut = two.storeOver(cutting, options -> caching(options, LONG_AGE));
    Task ended = cut.update(two.create(), change().complete());
    assertSame(cut.get(two.owner(), ended.id()), ended);
    cutting.cutNext(fate, () -> {});

    cut.delete(two.owner(), ended.id());

    assertThat(cutting.isUsedUp()).isTrue();
    assertNotFound(cut, ended);
  }

  @Test
  final void s20_taskThatIsDeletedElsewhere_isGoneAfterTheMaximumAge_howeverOftenItIsAskedFor() {
    TwoStores two = caching(SHORT_AGE);
    Task ended = two.other().update(two.create(), change().complete());
    assertSame(two.store().get(two.owner(), ended.id()), ended);
    // What is shown from now on was read before now.
    long read = System.nanoTime();
    two.other().delete(two.owner(), ended.id());

    long deadline = read + patience().toNanos();
    boolean isThere = true;
    while (isThere) {
      long asked = System.nanoTime();
      try {
        assertSame(two.store().get(two.owner(), ended.id()), ended);
        assertThat(asked - read)
            .as("nanoseconds after the read at which the task is still shown")
            .isLessThan(SHORT_AGE.toNanos());
        assertThat(asked).isLessThan(deadline);
      } catch (TaskNotFoundException e) {
        isThere = false;
      }
    }

    // Gone is gone, also after it was looked for.
    assertNotFound(two.store(), ended);
    assertNotFound(two.other(), ended);
  }

  @Test
  final void s20_taskThatIsDeletedElsewhere_mayBeShownUntilItIsDeletedHere() {
    TwoStores two = caching(LONG_AGE);
    Task ended = two.other().update(two.create(), change().complete());
    assertSame(two.store().get(two.owner(), ended.id()), ended);
    two.other().delete(two.owner(), ended.id());
    assertNotFound(two.other(), ended);

    // The store that does not know shows it as it was, or not at all.
    two.backend().takeCalls();
    assertSame(two.store().get(two.owner(), ended.id()), ended);
    assertThat(two.backend().takeCalls()).as("calls for a task that is kept").isEmpty();
    assertThat(TaskSamples.listAll(two.store(), two.owner())).as("a listing reads").isEmpty();
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.store().awaitTerminal(two.owner(), ended.id(), MINUTE));
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.store().delete(two.owner(), ended.id()));
  }

  @Test
  final void s20_readersDuringADelete_doNotSeeTheTaskAfterIt() throws Exception {
    TwoStores two = caching(LONG_AGE);
    for (int round = 0; round < 20; round++) {
      Task ended = two.other().update(two.create(), change().complete());
      AtomicBoolean deleted = new AtomicBoolean();

      List<Boolean> sawItAfterwards =
          Samples.race(
              4,
              number -> {
                if (number == 0) {
                  two.store().delete(two.owner(), ended.id());
                  deleted.set(true);
                  return false;
                }
                boolean isDeleted;
                boolean isShown;
                do {
                  isDeleted = deleted.get();
                  isShown = isShown(two.store(), ended);
                } while (!isDeleted && isShown);
                return isDeleted && isShown;
              });

      assertThat(sawItAfterwards).as("who saw the task after the delete").containsOnly(false);
      assertNotFound(two.store(), ended);
    }
  }

  private static boolean isShown(TaskStore store, Task task) {
    try {
      assertSame(store.get(task.owner(), task.id()), task);
      return true;
    } catch (TaskNotFoundException e) {
      return false;
    }
  }

  // --- expiry and owners --------------------------------------------------------------------

  @Test
  final void s20_expiry_isKeptToTheMillisecond() {
    TwoStores two = caching(LONG_AGE);
    List<Task> ended = new ArrayList<>();
    for (TaskStore store : two.both()) {
      Task task = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
      ended.add(store.update(task, change().complete()));
    }
    ended.forEach(task -> assertSame(two.store().get(two.owner(), task.id()), task));
    two.backend().takeCalls();
    two.clock().advanceTo(ended.get(0).expiresAt().orElseThrow().minus(MILLISECOND));
    ended.forEach(task -> assertSame(two.store().get(two.owner(), task.id()), task));
    assertThat(two.backend().takeCalls()).as("calls for tasks that are kept").isEmpty();

    two.clock().advance(MILLISECOND);

    ended.forEach(task -> assertNotFound(two.store(), task));
    ended.forEach(two::assertGone);
  }

  @Test
  final void s20_otherOwners_neverGetATaskThatIsKept() {
    TwoStores two = caching(LONG_AGE);
    Task ended = two.store().update(two.create(), change().complete(Map.of("secret", true)));
    List<Owner> strangers =
        List.of(
            Owner.client(two.owner().value()),
            Owner.session(two.owner().value()),
            Owner.subject(two.owner().value() + "x"));
    for (Owner stranger : strangers) {
      assertStranger(two, stranger, ended);
    }
    assertSame(two.store().get(two.owner(), ended.id()), ended);
    for (Owner stranger : strangers) {
      assertStranger(two, stranger, ended);
    }
    // That strangers were told of nothing is not kept either.
    Task task = two.create();
    for (Owner stranger : strangers) {
      assertStranger(two, stranger, task);
    }
    assertSame(two.store().get(two.owner(), task.id()), task);
  }

  private static void assertStranger(TwoStores two, Owner stranger, Task task) {
    for (TaskStore store : two.both()) {
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.get(stranger, task.id()));
    }
  }

  @Test
  final void s20_tasksOfTwoOwnersWithTheSameId_areApart() {
    MovableClock clock = MovableClock.startingNow();
    TaskStore store = newStore(backend(), clock, options -> caching(options, LONG_AGE));
    List<Task> ended = new ArrayList<>();
    for (Owner owner : List.of(Owner.client(partition()), Owner.subject(partition()))) {
      TaskStore alike =
          newStore(
              backend(), clock, options -> caching(options, LONG_AGE).randomness(new Random(4)));
      Task task = alike.create(owner, NewTask.of("work"));
      ended.add(store.update(task, change().complete(Map.of("number", ended.size()))));
    }
    assertThat(ended.get(0).id()).as("the second id").isEqualTo(ended.get(1).id());

    for (int i = 0; i < 3; i++) {
      for (Task task : ended) {
        assertSame(store.get(task.owner(), task.id()), task);
      }
    }
    store.delete(ended.get(0).owner(), ended.get(0).id());

    assertNotFound(store, ended.get(0));
    assertSame(store.get(ended.get(1).owner(), ended.get(1).id()), ended.get(1));
  }

  @Test
  final void s20_cacheThatIsFull_stillShowsEverything() {
    TwoStores two = twoStores(options -> options.cacheFinishedTasks(1_500, LONG_AGE));
    List<Task> ended = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      ended.add(two.store().update(two.create(), change().complete(Map.of("number", i))));
    }
    for (int i = 0; i < 2; i++) {
      for (Task task : ended) {
        assertSame(two.store().get(two.owner(), task.id()), task);
      }
    }
    two.store().delete(two.owner(), ended.get(19).id());
    assertNotFound(two.store(), ended.get(19));
  }
}
