// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.InputRequest;
import io.taskstore.LeaseLostException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskEvent;
import io.taskstore.TaskLimitException;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import io.taskstore.TaskUnreadableException;
import io.taskstore.contract.BackendStorage.Damage;
import io.taskstore.contract.CuttingBackend.Fate;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Statements S: what listeners hear of. */
abstract class TaskListenerStatements extends TaskWaitStatements {
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private static final InputRequest QUESTION = InputRequest.of("elicitation/create");

  private static final Executor REFUSING =
      handler -> {
        throw new RejectedExecutionException("no room");
      };

  /** A store, and who listens to it. */
  private record Heard(TaskStore store, Ears ears) {}

  private Heard heard(TwoStores two, StorageBackend onto) {
    return heard(two, onto, UnaryOperator.identity());
  }

  private Heard heard(
      TwoStores two, StorageBackend onto, UnaryOperator<GenericTaskStore.Builder> options) {
    Ears ears = new Ears();
    return new Heard(
        two.storeOver(onto, builder -> listening(options.apply(quiet(builder)), ears)), ears);
  }

  private List<TaskEvent> takeAll(Heard heard) throws InterruptedException {
    return heard.ears().takeAll(heard.store(), patience());
  }

  /** Checks exactly these events, and that each carries the task as the writer got it. */
  private static void assertEvents(List<TaskEvent> heard, List<TaskEvent> expected) {
    assertThat(Ears.summaries(heard)).as("events").isEqualTo(Ears.summaries(expected));
    assertThat(heard).as("events with all that they say").isEqualTo(expected);
    for (int i = 0; i < heard.size(); i++) {
      Task task = Ears.taskOf(heard.get(i));
      Task written = Ears.taskOf(expected.get(i));
      if (task != null && written != null) {
        assertThat(TaskSamples.content(task))
            .as("the task of event %d", i)
            .isEqualTo(TaskSamples.content(written));
      }
    }
  }

  // --- every write, once, to its own store's listeners --------------------------------------

  @Test
  final void s16_everyWrite_isToldOnceToTheListenersOfItsStoreOnly() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Heard there = heard(two, two.elsewhere());
    List<TaskEvent> expectedHere = new ArrayList<>();
    List<TaskEvent> expectedThere = new ArrayList<>();

    Task task = here.store().create(two.owner(), NewTask.of("work").set("secret", "x"));
    expectedHere.add(new TaskEvent.Created(two.clock().instant(), task));
    two.clock().advance(SECOND);
    task = there.store().update(task, change().message("half"));
    expectedThere.add(new TaskEvent.Updated(two.clock().instant(), task));
    two.clock().advance(SECOND);
    task = here.store().update(two.owner(), task.id(), current -> change().progress(1, 2));
    expectedHere.add(new TaskEvent.Updated(two.clock().instant(), task));
    task = there.store().update(two.owner(), task.id(), 3, change().set("count", 1));
    expectedThere.add(new TaskEvent.Updated(two.clock().instant(), task));
    task = here.store().update(task, change().requireInput(Map.of("b", QUESTION, "a", QUESTION)));
    expectedHere.add(new TaskEvent.InputRequested(two.clock().instant(), task, List.of("a", "b")));
    task = there.store().provideInput(two.owner(), task.id(), Map.of("b", 1, "unknown", 2));
    expectedThere.add(new TaskEvent.InputProvided(two.clock().instant(), task, List.of("b")));
    task = here.store().provideInput(two.owner(), task.id(), Map.of("a", 1, "b", 2));
    expectedHere.add(new TaskEvent.InputProvided(two.clock().instant(), task, List.of("a")));
    task = there.store().requestCancel(two.owner(), task.id());
    expectedThere.add(new TaskEvent.CancelRequested(two.clock().instant(), task));
    task = here.store().claim(task, "worker", MINUTE).orElseThrow();
    expectedHere.add(new TaskEvent.LeaseTaken(two.clock().instant(), task));
    two.clock().advance(SECOND);
    task = here.store().claim(task, "worker", MINUTE).orElseThrow(); // renews: nobody is told
    task = there.store().update(task, change().complete(Map.of("files", 3)));
    expectedThere.add(new TaskEvent.Finished(two.clock().instant(), task));
    // What writes nothing is not told: it was done before, or only reads.
    assertThat(here.store().update(task, change().complete(Map.of("files", 3)))).isEqualTo(task);
    assertThat(here.store().requestCancel(two.owner(), task.id())).isEqualTo(task);
    assertThat(here.store().get(two.owner(), task.id())).isEqualTo(task);
    assertThat(TaskSamples.listAll(here.store(), two.owner())).containsExactly(task);
    assertThat(here.store().awaitTerminal(two.owner(), task.id(), SECOND)).isEqualTo(task);
    here.store().delete(two.owner(), task.id());
    expectedHere.add(new TaskEvent.Deleted(two.clock().instant(), two.owner(), task.id()));

    assertEvents(takeAll(here), expectedHere);
    assertEvents(takeAll(there), expectedThere);
    assertThat(Ears.summaries(expectedHere))
        .containsExactly(
            "created 1",
            "updated 3",
            "input_requested 5",
            "input_provided 7",
            "lease_taken 9",
            "deleted");
    assertThat(Ears.summaries(expectedThere))
        .containsExactly(
            "updated 2", "updated 4", "input_provided 6", "cancel_requested 8", "completed 11");
  }

  @Test
  final void s16_everyEnd_isToldAsWhatItIs() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    List<TaskEvent> expected = new ArrayList<>();
    List<String> types = new ArrayList<>();
    for (var end :
        List.of(
            Map.entry("completed", change().complete()),
            Map.entry("failed", change().fail("broken")),
            Map.entry("cancelled", change().cancel()),
            Map.entry("completed", change().complete().message("and more").progress(1, 1)))) {
      Task ended = here.store().update(two.create(), end.getValue());
      expected.add(
          end.getKey().equals("cancelled")
              ? new TaskEvent.Cancelled(two.clock().instant(), ended)
              : new TaskEvent.Finished(two.clock().instant(), ended));
      types.add(end.getKey() + " 2");
    }
    Task asking = two.other().update(two.create(), change().requireInput("key", QUESTION));
    Task cancelled = here.store().cancel(two.owner(), asking.id());
    expected.add(new TaskEvent.Cancelled(two.clock().instant(), cancelled));
    types.add("cancelled 3");

    List<TaskEvent> heard = takeAll(here);

    assertEvents(heard, expected);
    assertThat(Ears.summaries(heard)).isEqualTo(types);
  }

  @Test
  final void s16_workOfAHandler_isToldWriteByWrite() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Heard there = heard(two, two.elsewhere());
    Puppet first = puppet();
    Puppet second = puppet();

    Task started = here.store().start(two.owner(), NewTask.of("work"), first, first);
    first.does(context -> context.set("step", 1).flush());
    var answer =
        first.begins(context -> context.ask("name", QUESTION, String.class, longerThanPatience()));
    Task asking = awaitQuestion(two.other(), started);
    Task unused = there.store().provideInput(two.owner(), started.id(), Map.of("name", "Alice"));
    assertThat(first.await(answer)).isEqualTo("Alice");
    first.ends(
        context -> {
          throw new InterruptedException("the worker shuts down");
        });
    Optional<Task> resumed = there.store().resume(two.owner(), started.id(), second, second);
    assertThat(resumed).isPresent();
    IllegalStateException broken = new IllegalStateException("broken");
    second.ends(
        context -> {
          throw broken;
        });

    List<TaskEvent> heardHere = takeAll(here);
    assertThat(Ears.summaries(heardHere))
        .containsExactly("created 1", "updated 2", "input_requested 3", "lease_released 5");
    assertThat(TaskSamples.content(Ears.task(heardHere.get(0))))
        .isEqualTo(TaskSamples.content(started));
    assertThat(TaskSamples.content(Ears.task(heardHere.get(2))))
        .isEqualTo(TaskSamples.content(asking));
    List<TaskEvent> heardThere = takeAll(there);
    assertThat(Ears.summaries(heardThere))
        .containsExactlyInAnyOrder(
            "input_provided 4", "lease_taken 6", "handler_failed", "failed 7");
    assertThat(Ears.summaries(Ears.writes(heardThere)))
        .containsExactly("input_provided 4", "lease_taken 6", "failed 7");
    assertThat(heardThere)
        .contains(
            new TaskEvent.HandlerFailed(two.clock().instant(), two.owner(), started.id(), broken));
    assertThat(TaskSamples.content(Ears.task(Ears.writes(heardThere).get(2))))
        .isEqualTo(TaskSamples.content(two.other().get(two.owner(), started.id())));
  }

  @Test
  final void s16_cancelledAndRefusedHandlers_areTold() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Puppet puppet = puppet();

    Task cancelled = here.store().start(two.owner(), NewTask.of("work"), puppet, puppet);
    Task unused = two.other().requestCancel(two.owner(), cancelled.id());
    puppet.does(context -> context.set("step", 1).flush()); // learns of the request
    puppet.ends(
        context -> {
          throw new CancellationException("stopped");
        });
    assertThat(Ears.summaries(Ears.writes(takeAll(here))))
        .containsExactly("created 1", "updated 3", "cancelled 4");

    RejectedExecutionException refused =
        catchThrowableOfType(
            RejectedExecutionException.class,
            () -> here.store().start(two.owner(), NewTask.of("work"), REFUSING, puppet));
    assertThat(refused).isNotNull();
    assertThat(Ears.summaries(takeAll(here))).containsExactly("created 1", "deleted");

    Task task = two.create();
    refused =
        catchThrowableOfType(
            RejectedExecutionException.class,
            () -> here.store().resume(two.owner(), task.id(), REFUSING, puppet));
    assertThat(refused).isNotNull();
    assertThat(Ears.summaries(takeAll(here))).containsExactly("lease_taken 2", "lease_released 3");
  }

  @Test
  final void s16_lostLease_isToldByWhoFindsOut() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Heard there = heard(two, two.elsewhere());
    Puppet stalled = puppet();
    Puppet second = puppet();
    Task task = here.store().start(two.owner(), NewTask.of("work"), stalled, stalled);
    stalled.does(context -> context.set("step", 1));
    two.clock().advance(LEASE);
    assertThat(there.store().resume(two.owner(), task.id(), second, second)).isPresent();

    LeaseLostException lost =
        catchThrowableOfType(
            LeaseLostException.class,
            () -> stalled.does(context -> context.set("step", 2).flush()));

    assertThat(lost).isNotNull();
    List<TaskEvent> heard = takeAll(here);
    assertThat(Ears.summaries(Ears.writes(heard))).containsExactly("created 1");
    assertThat(heard)
        .filteredOn(TaskEvent.LeaseLost.class::isInstance)
        .containsExactly(new TaskEvent.LeaseLost(two.clock().instant(), two.owner(), task.id()));
    assertThat(Ears.summaries(takeAll(there))).containsExactly("lease_taken 2");
  }

  // --- what is no write ---------------------------------------------------------------------

  @Test
  final void s16_lostRace_isToldAsSuch_andTheWriteThatWinsOnce() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Heard there = heard(two, two.elsewhere());
    Task task = two.create();
    two.backend().beforeNextWrite(() -> touch(there.store(), task));
    two.backend().beforeNextWrite(() -> touch(there.store(), task));

    Task updated = here.store().update(task, change().message("half"));

    assertThat(updated.version()).isEqualTo(4);
    List<TaskEvent> heard = takeAll(here);
    assertThat(Ears.summaries(heard))
        .containsExactlyInAnyOrder("conflict_retried", "conflict_retried", "updated 4");
    assertThat(heard)
        .contains(
            new TaskEvent.ConflictRetried(two.clock().instant(), two.owner(), task.id(), 1),
            new TaskEvent.ConflictRetried(two.clock().instant(), two.owner(), task.id(), 2));
    assertEvents(Ears.writes(heard), List.of(new TaskEvent.Updated(updated.updatedAt(), updated)));
    assertThat(Ears.summaries(takeAll(there))).containsExactly("updated 2", "updated 3");
  }

  private static void touch(TaskStore store, Task task) {
    Task unused = store.update(task.owner(), task.id(), change().message("faster"));
  }

  @Test
  final void s16_raceLostForGood_isNoWrite() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Heard there = heard(two, two.elsewhere());
    Task task = two.create();
    two.backend()
        .beforeNextWrite(
            () -> {
              Task unused = there.store().update(task, change().complete());
            });

    TaskEndedException late =
        catchThrowableOfType(
            TaskEndedException.class, () -> here.store().cancel(two.owner(), task.id()));

    assertThat(late).isNotNull();
    List<TaskEvent> heard = takeAll(here);
    assertThat(Ears.summaries(heard)).containsExactlyInAnyOrder("conflict_retried", "refused");
    assertRefusals(heard, two.owner(), task.id(), late);
    assertThat(Ears.summaries(takeAll(there))).containsExactly("completed 2");
  }

  /** Checks that among the events there is one failure, which is this one. */
  private static void assertRefusals(
      List<TaskEvent> heard, @Nullable Owner owner, @Nullable String id, TaskStoreException told) {
    List<TaskEvent> failures = heard.stream().filter(TaskEvent.Failure.class::isInstance).toList();
    assertThat(failures).hasSize(1);
    TaskEvent.Failure failure = (TaskEvent.Failure) failures.get(0);
    assertThat(failure.reason()).as("what the listener is told").isSameAs(told);
    assertThat(failure.owner()).isEqualTo(Optional.ofNullable(owner));
    assertThat(failure.taskId()).isEqualTo(Optional.ofNullable(id));
    assertThat(failure.operation()).isNotBlank();
  }

  @Test
  final void s16_refusedOperations_areToldAndAreNoWrites() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend(), options -> options.maxActiveTasks(2));
    Task task = two.create();
    Task ended = two.other().update(two.create(), change().complete());
    Task foreign = two.other().create(Owner.client(partition()), NewTask.of("work"));
    Task last = two.create();
    Map<String, Runnable> refused =
        Map.of(
            "a task too many", () -> here.store().create(two.owner(), NewTask.of("work")),
            "a ttl too long",
                () ->
                    here.store()
                        .create(two.owner(), NewTask.of("work").ttl(Duration.ofDays(1_000))),
            "a change of a finished task",
                () -> here.store().update(ended, change().message("late")),
            "a cancellation of a finished task", () -> here.store().cancel(two.owner(), ended.id()),
            "a version that is not there",
                () -> here.store().update(two.owner(), task.id(), 7, change().message("x")),
            "a value that cannot be stored", () -> here.store().update(task, change().set("", 1)),
            "somebody else's task",
                () -> here.store().update(two.owner(), foreign.id(), change().message("x")),
            "a delete of nothing", () -> here.store().delete(two.owner(), "nothing"),
            "a wait for nothing",
                () ->
                    assertThatNobodyWaits(
                        () -> here.store().awaitTerminal(two.owner(), "nothing", SECOND)));

    refused.forEach(
        (what, operation) -> {
          TaskStoreException told = catchThrowableOfType(TaskStoreException.class, operation::run);
          assertThat(told).as("the refusal of %s", what).isNotNull();
          List<TaskEvent> heard = takeAllUnchecked(here);
          assertThat(Ears.summaries(heard)).as("events for %s", what).containsExactly("refused");
          TaskEvent.Failure failure = (TaskEvent.Failure) heard.get(0);
          assertThat(failure.reason()).as("what is told of %s", what).isSameAs(told);
          assertThat(failure.owner()).as("whose, for %s", what).contains(two.owner());
          assertThat(failure.operation()).isNotBlank();
          boolean isOfATask = !(told instanceof TaskLimitException) && !what.contains("ttl");
          assertThat(failure.taskId().isPresent()).as("an id for %s", what).isEqualTo(isOfATask);
        });
    assertThat(last.version()).isEqualTo(1);
  }

  private static void assertThatNobodyWaits(Waiting call) {
    try {
      Task unused = call.run();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @FunctionalInterface
  private interface Waiting {
    Task run() throws InterruptedException;
  }

  private List<TaskEvent> takeAllUnchecked(Heard heard) {
    try {
      return takeAll(heard);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  final void s16_expiredTask_isToldWhenSomebodyAsksForIt() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Heard there = heard(two, two.elsewhere());
    Task task = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE));
    two.clock().advance(MINUTE);

    TaskNotFoundException gone =
        catchThrowableOfType(
            TaskNotFoundException.class, () -> here.store().get(two.owner(), task.id()));

    assertThat(gone).isNotNull();
    List<TaskEvent> heard = takeAll(here);
    assertThat(Ears.summaries(heard)).containsExactlyInAnyOrder("expired", "refused");
    assertThat(heard)
        .contains(new TaskEvent.Expired(two.clock().instant(), two.owner(), task.id()));
    assertRefusals(heard, two.owner(), task.id(), gone);
    assertThat(takeAll(there)).as("what the other store tells").isEmpty();
  }

  @Test
  final void s16_purge_isToldWithItsNumber() throws Exception {
    TwoStores two = twoStoresAlone(UnaryOperator.identity());
    Heard here = heard(two, two.backend());
    for (int i = 0; i < 3; i++) {
      Task unused = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE));
    }
    assertThat(here.store().purgeExpired(10)).isZero();
    assertThat(takeAll(here)).as("events of a purge of nothing").isEmpty();
    two.clock().advance(Duration.ofMinutes(10));

    int purged = here.store().purgeExpired(10);

    if (!traits().purgesItself()) {
      assertThat(purged).isEqualTo(3);
    }
    if (purged == 0) {
      assertThat(takeAll(here)).isEmpty();
    } else {
      assertThat(takeAll(here))
          .containsExactly(new TaskEvent.Purged(two.clock().instant(), purged));
    }
  }

  @Test
  final void s16_recordThatIsNoTask_isTold() throws Exception {
    TwoStores two = twoStores();
    Heard here = heard(two, two.backend());
    Task task = two.create();
    VersionedRecord unused = TaskSamples.plant(two.elsewhere(), two.stored(task), "no task");

    assertUnreadableIsTold(two, here, task);
  }

  @Test
  final void s16_recordThatTheStorageCannotRead_isTold() throws Exception {
    BackendStorage alone = newStorage();
    Damage damage = require(Hook.DAMAGE, alone.damage());
    TwoStores two =
        TwoStores.over(
            open(alone), open(alone), partition(), this::newStore, UnaryOperator.identity());
    Heard here = heard(two, two.backend());
    Task task = two.create();
    damage.damage(TaskSamples.key(two.elsewhere(), two.owner(), task.id()));

    assertUnreadableIsTold(two, here, task);
  }

  private void assertUnreadableIsTold(TwoStores two, Heard here, Task task) throws Exception {
    TaskUnreadableException unreadable =
        catchThrowableOfType(
            TaskUnreadableException.class, () -> here.store().get(two.owner(), task.id()));
    TaskEvent expected =
        new TaskEvent.Unreadable(
            two.clock().instant(), two.owner(), task.id(), unreadable.reason());
    assertThat(takeAll(here)).as("events of a get").containsExactly(expected);

    assertThat(TaskSamples.listAll(here.store(), two.owner())).isEmpty();
    List<TaskEvent> heard = takeAll(here);
    assertThat(heard).as("events of a listing").hasSize(1);
    assertThat(heard.get(0)).isInstanceOf(TaskEvent.Unreadable.class);
    assertThat(heard.get(0).owner()).contains(two.owner());
    assertThat(heard.get(0).taskId()).contains(task.id());
  }

  // --- creates that are withdrawn, answers that are lost ------------------------------------

  @ParameterizedTest
  @EnumSource(Creation.class)
  final void s16_racingCreates_areToldOnlyWhereTheyWereKept(Creation creation) throws Exception {
    int limit = 2;
    TwoStores two = twoStores();
    List<Heard> heard = new ArrayList<>();
    for (StorageBackend each : List.of(two.backend(), two.elsewhere())) {
      heard.add(heard(two, creation.over(each), options -> options.maxActiveTasks(limit)));
    }
    for (int round = 0; round < 5; round++) {
      Owner owner = Owner.client(partition() + "-" + round);

      List<Optional<Task>> answers =
          Samples.race(
              8,
              number -> {
                try {
                  return Optional.of(
                      heard.get(number % 2).store().create(owner, NewTask.of("work")));
                } catch (TaskLimitException | TaskStorageException e) {
                  return Optional.empty();
                }
              });

      List<Task> kept = answers.stream().flatMap(Optional::stream).toList();
      for (int i = 0; i < 2; i++) {
        int store = i;
        List<Task> itsOwn = new ArrayList<>();
        for (int number = store; number < answers.size(); number += 2) {
          answers.get(number).ifPresent(itsOwn::add);
        }
        List<TaskEvent> writes = Ears.writes(takeAll(heard.get(store)));
        assertThat(Ears.summaries(writes)).as("writes that are told").allMatch("created 1"::equals);
        assertThat(TaskSamples.contents(writes.stream().map(Ears::task).toList()))
            .as("tasks that are told to be created")
            .containsExactlyInAnyOrderElementsOf(TaskSamples.contents(itsOwn));
      }
      assertThat(TaskSamples.listAll(two.other(), owner))
          .as("tasks that are there")
          .containsExactlyInAnyOrderElementsOf(kept);
    }
  }

  /** How a store gets its tasks into the storage within the limit. */
  private enum Creation {
    OF_THE_BACKEND {
      @Override
      StorageBackend over(StorageBackend backend) {
        return backend;
      }
    },
    BY_DEFAULT {
      @Override
      StorageBackend over(StorageBackend backend) {
        return new SevenMethods(backend);
      }
    };

    abstract StorageBackend over(StorageBackend backend);
  }

  /** The writes of which an answer can be lost, each on a task of version 1. */
  private enum Write {
    CREATE("created") {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.create(task.owner(), NewTask.of("work"));
      }
    },
    UPDATE("updated") {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.update(task, change().message("half"));
      }
    },
    QUESTION("input_requested") {
      @Override
      void run(TaskStore store, Task task) {
        Task unused =
            store.update(task, change().requireInput("key", TaskListenerStatements.QUESTION));
      }
    },
    CLAIM("lease_taken") {
      @Override
      void run(TaskStore store, Task task) {
        Optional<Task> unused = store.claim(task, "worker", MINUTE);
      }
    },
    COMPLETION("completed") {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.update(task, change().complete());
      }
    },
    CANCELLATION("cancelled") {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.cancel(task.owner(), task.id());
      }
    },
    DELETE("deleted") {
      @Override
      void run(TaskStore store, Task task) {
        store.delete(task.owner(), task.id());
      }
    };

    private final String type;

    Write(String type) {
      this.type = type;
    }

    abstract void run(TaskStore store, Task task);
  }

  @ParameterizedTest
  @EnumSource(Write.class)
  final void s16_lostAnswerThatIsFoundOut_isOneWrite(Write write) throws Exception {
    for (Fate fate : Fate.values()) {
      for (Creation creation : Creation.values()) {
        TwoStores two = twoStores();
        CuttingBackend cutting = new CuttingBackend(two.backend());
        Heard here = heard(two, creation.over(cutting));
        Task task = two.create();
        cutting.cutNext(fate, () -> {});

        write.run(here.store(), task);

        assertThat(cutting.isUsedUp()).isTrue();
        List<TaskEvent> heard = takeAll(here);
        assertThat(heard).as("%s, %s", fate, creation).hasSize(1);
        assertThat(heard.get(0).type()).isEqualTo(write.type);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Write.class)
  final void s16_unknownOutcome_isToldAsSuchAndNotAsAWrite(Write write) throws Exception {
    for (Fate fate : Fate.values()) {
      for (Creation creation : Creation.values()) {
        TwoStores two = twoStores();
        CuttingBackend dying = new CuttingBackend(two.backend());
        Heard here = heard(two, creation.over(dying));
        Heard there = heard(two, two.elsewhere());
        Task task = two.create();
        dying.cutNext(fate, dying::die);

        TaskStorageException unknown =
            catchThrowableOfType(TaskStorageException.class, () -> write.run(here.store(), task));

        assertThat(unknown.isOutcomeUnknown()).as("%s, %s", fate, creation).isTrue();
        List<TaskEvent> heard = takeAll(here);
        assertThat(Ears.summaries(heard)).containsExactly("outcome_unknown");
        assertThat(((TaskEvent.Failure) heard.get(0)).reason()).isSameAs(unknown);
        assertThat(takeAll(there)).as("what the other store tells").isEmpty();
      }
    }
  }

  @Test
  final void s16_storageThatFailsBeforeAWrite_isToldAsSuch() throws Exception {
    TwoStores two = twoStores();
    CuttingBackend dead = new CuttingBackend(two.backend());
    Heard here = heard(two, dead);
    Task task = two.create();
    dead.die();

    for (Write write : Write.values()) {
      TaskStorageException failure =
          catchThrowableOfType(TaskStorageException.class, () -> write.run(here.store(), task));

      assertThat(failure.isOutcomeUnknown()).as("%s", write).isFalse();
      List<TaskEvent> heard = takeAll(here);
      assertThat(Ears.summaries(heard)).as("%s", write).containsExactly("storage_failed");
      assertThat(((TaskEvent.Failure) heard.get(0)).reason()).isSameAs(failure);
    }
  }

  // --- order, and after the commit ----------------------------------------------------------

  @Test
  final void s16_writesOfOneTask_areToldInTheOrderOfItsVersions_whoeverMakesThem()
      throws Exception {
    tellManyWrites(10);
  }

  @Test
  @Stress
  final void s16_writesOfOneTask_areToldInTheOrderOfItsVersions_atLength() throws Exception {
    tellManyWrites(500);
  }

  private void tellManyWrites(int each) throws Exception {
    TwoStores two = twoStores();
    Heard here =
        heard(
            two,
            two.backend(),
            options -> options.maxUpdateAttempts(10_000).operationTimeout(Duration.ofMinutes(5)));
    Task task = here.store().create(two.owner(), NewTask.of("work"));

    List<List<Long>> versions =
        Samples.race(
            8,
            number -> {
              List<Long> mine = new ArrayList<>();
              for (int i = 0; i < each; i++) {
                mine.add(here.store().update(task, change().set("by" + number, i)).version());
              }
              return mine;
            });

    List<TaskEvent> writes = Ears.writes(takeAll(here));
    List<Long> expected = new ArrayList<>(List.of(1L));
    versions.forEach(expected::addAll);
    expected.sort(null);
    assertThat(Ears.versions(writes)).as("the versions, as they were told").isEqualTo(expected);
    for (TaskEvent event : writes) {
      assertThat(event.taskId()).contains(task.id());
    }
    here.store().delete(two.owner(), task.id());
    assertThat(Ears.summaries(takeAll(here))).containsExactly("deleted");
  }

  /** Two writers come back from the storage in another order than that of their writes. */
  @Test
  final void s16_writeWhoseAnswerIsLate_isToldBeforeThoseThatFollowIt() throws Exception {
    TwoStores two = twoStores();
    LateBackend late = new LateBackend(two.backend());
    Heard here = heard(two, late);
    Task task = here.store().create(two.owner(), NewTask.of("work"));
    assertThat(Ears.summaries(takeAll(here))).containsExactly("created 1");

    late.holdNextAnswer();
    BackgroundCall<Task> first = begin(() -> here.store().update(task, change().message("first")));
    late.awaitWrite(patience());
    for (int i = 3; i < 6; i++) {
      assertThat(here.store().update(two.owner(), task.id(), change().message("next")).version())
          .isEqualTo(i);
    }
    here.store().delete(two.owner(), task.id());
    late.release();

    assertThat(first.result().version()).isEqualTo(2);
    assertThat(Ears.summaries(takeAll(here)))
        .containsExactly("updated 2", "updated 3", "updated 4", "updated 5", "deleted");
  }

  @Test
  final void s16_createWhoseAnswerIsLate_isToldBeforeTheUpdatesOfTheTask() throws Exception {
    TwoStores two = twoStores();
    LateBackend late = new LateBackend(two.backend());
    Heard here = heard(two, late);

    late.holdNextAnswer();
    BackgroundCall<Task> create = begin(() -> here.store().create(two.owner(), NewTask.of("work")));
    late.awaitWrite(patience());
    List<Task> found = TaskSamples.listAll(two.other(), two.owner());
    assertThat(found).as("the task that is created already").hasSize(1);
    touch(here.store(), found.get(0));
    late.release();

    assertThat(create.result()).isEqualTo(found.get(0));
    assertThat(Ears.summaries(takeAll(here))).containsExactly("created 1", "updated 2");
  }

  /** Holds the answer of a write that was made. */
  private static final class LateBackend extends PassingBackend {
    private final AtomicBoolean isNext = new AtomicBoolean();
    private final CountDownLatch written = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);

    LateBackend(StorageBackend delegate) {
      super(delegate);
    }

    void holdNextAnswer() {
      isNext.set(true);
    }

    void awaitWrite(Duration patience) throws InterruptedException {
      assertThat(written.await(patience.toMillis(), TimeUnit.MILLISECONDS))
          .as("the write has been made")
          .isTrue();
    }

    void release() {
      released.countDown();
    }

    private <T> T late(T answer) {
      if (isNext.getAndSet(false)) {
        written.countDown();
        awaitUninterruptibly(released);
      }
      return answer;
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      return late(super.putIfVersion(key, value, expected));
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      return late(super.createWithin(key, value, max, now));
    }
  }

  @Test
  final void s16_writesThroughTwoStores_areToldByOneOfThem_inOrder() throws Exception {
    TwoStores two = twoStores();
    List<Heard> both = List.of(heard(two, two.backend()), heard(two, two.elsewhere()));
    Task task = both.get(0).store().create(two.owner(), NewTask.of("work"));

    List<List<Long>> versions =
        Samples.race(
            2,
            number -> {
              List<Long> mine = new ArrayList<>();
              for (int i = 0; i < 10; i++) {
                mine.add(
                    both.get(number)
                        .store()
                        .update(task, change().set("by" + number, i))
                        .version());
              }
              return mine;
            });

    List<Long> first = new ArrayList<>(List.of(1L));
    first.addAll(versions.get(0));
    assertThat(Ears.versions(takeAll(both.get(0)))).as("told by one").isEqualTo(first);
    assertThat(Ears.versions(takeAll(both.get(1))))
        .as("told by the other")
        .isEqualTo(versions.get(1));
  }

  @Test
  final void s16_whenAWriteIsTold_theOtherStoreHasIt() throws Exception {
    TwoStores two = twoStores();
    Queue<String> early = new ConcurrentLinkedQueue<>();
    Ears ears = new Ears();
    TaskStore here =
        two.storeOver(
            two.backend(),
            options ->
                listening(
                    options.maxUpdateAttempts(1_000),
                    event -> {
                      if (!isThere(event, two.other())) {
                        early.add(Ears.summary(event));
                      }
                      ears.onEvent(event);
                    }));
    Heard heard = new Heard(here, ears);

    List<Task> tasks =
        Samples.race(
            4,
            number -> {
              Task task = here.create(two.owner(), NewTask.of("work"));
              for (int i = 0; i < 5; i++) {
                task = here.update(task, change().set("count", i));
              }
              return here.update(task, change().complete());
            });
    assertThat(takeAll(heard)).hasSize(4 * 7);
    for (Task task : tasks) {
      here.delete(two.owner(), task.id());
    }
    assertThat(Ears.summaries(takeAll(heard))).hasSize(4).containsOnly("deleted");

    assertThat(early).as("events that were told before the other store could see it").isEmpty();
  }

  /** Whether what is told can be seen: the version or a newer one, or that the task is gone. */
  private static boolean isThere(TaskEvent event, TaskStore reader) {
    Optional<Owner> owner = event.owner();
    Optional<String> id = event.taskId();
    if (owner.isEmpty() || id.isEmpty()) {
      return true;
    }
    long told =
        event instanceof TaskEvent.Write write
            ? write.task().version()
            : event instanceof TaskEvent.Deleted ? Long.MAX_VALUE : 0;
    try {
      return reader.get(owner.get(), id.get()).version() >= told;
    } catch (TaskNotFoundException e) {
      // Later a task may be deleted, but in this test that comes after everything was heard.
      return told == Long.MAX_VALUE || told == 0;
    }
  }

  // --- listeners that behave badly ----------------------------------------------------------

  @Test
  final void s16_listenersThatThrowOrBlock_harmNobody() throws Exception {
    TwoStores two = twoStores();
    Ears good = new Ears();
    Ears slow = new Ears();
    Ears failing = new Ears();
    CountDownLatch released = new CountDownLatch(1);
    TaskStore here =
        two.storeOver(
            two.backend(),
            options ->
                listening(
                    listening(
                        listening(
                            quiet(options),
                            event -> {
                              failing.onEvent(event);
                              throw new IllegalStateException("the listener is broken");
                            }),
                        event -> {
                          awaitUninterruptibly(released);
                          slow.onEvent(event);
                        }),
                    good));
    try {
      List<TaskEvent> expected = new ArrayList<>();
      Task task = here.create(two.owner(), NewTask.of("work"));
      expected.add(new TaskEvent.Created(two.clock().instant(), task));
      for (int i = 0; i < 20; i++) {
        task = here.update(task, change().set("count", i));
        expected.add(new TaskEvent.Updated(two.clock().instant(), task));
      }
      task = here.update(task, change().complete());
      expected.add(new TaskEvent.Finished(two.clock().instant(), task));
      two.assertShown(task);

      assertEvents(good.takeAll(here, patience()), expected);
      assertEvents(Ears.writes(failing.takeAll(here, patience())), expected);
      assertThat(slow.take()).as("what the blocked listener has heard").isEmpty();
      released.countDown();
      List<TaskEvent> late = slow.takeAll(here, patience());
      assertEvents(Ears.writes(late), expected);
    } finally {
      released.countDown();
    }
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    boolean interrupted = false;
    while (true) {
      try {
        latch.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  final void s16_listener_mayCallItsStore() throws Exception {
    TwoStores two = twoStores();
    Ears ears = new Ears();
    Queue<TaskStore> itself = new ConcurrentLinkedQueue<>();
    TaskStore here =
        two.storeOver(
            two.backend(),
            options ->
                listening(
                    quiet(options),
                    event -> {
                      if (event instanceof TaskEvent.Created created) {
                        touch(itself.element(), created.task());
                      }
                      ears.onEvent(event);
                    }));
    itself.add(here);

    Task task = here.create(two.owner(), NewTask.of("work"));

    assertThat(Ears.summary(ears.next(patience()))).isEqualTo("created 1");
    assertThat(Ears.summary(ears.next(patience()))).isEqualTo("updated 2");
    assertThat(two.other().get(two.owner(), task.id()).version()).isEqualTo(2);
  }

  @Test
  final void s16_closing_tellsWhatIsWaiting() throws Exception {
    TwoStores two = twoStores();
    Ears ears = new Ears();
    CountDownLatch released = new CountDownLatch(1);
    TaskStore here =
        two.storeOver(
            two.backend(),
            options ->
                listening(
                    quiet(options),
                    event -> {
                      awaitUninterruptibly(released);
                      ears.onEvent(event);
                    }));
    try {
      Task task = here.create(two.owner(), NewTask.of("work"));
      for (int i = 0; i < 5; i++) {
        task = here.update(task, change().set("count", i));
      }
      assertThat(ears.take()).isEmpty();
    } finally {
      released.countDown();
    }

    here.close();

    assertThat(Ears.summaries(ears.take()))
        .containsExactly(
            "created 1", "updated 2", "updated 3", "updated 4", "updated 5", "updated 6");
  }
}
