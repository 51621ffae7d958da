// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskConflictException;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskLimitException;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.ReadCounter;
import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.contract.CuttingBackend.Fate;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements S: concurrent writers, limits, lost answers. */
abstract class TaskConcurrencyStatements extends TaskLifecycleStatements {
  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private static final int LIMIT = 10;

  /** However slow the storage is: whoever loses races goes on until it has won. */
  private static GenericTaskStore.Builder patient(GenericTaskStore.Builder options) {
    return options.maxUpdateAttempts(10_000).operationTimeout(MINUTE);
  }

  private static TaskChange increment(Task current) {
    return change().set("count", current.variables().integer("count").orElse(0) + 1);
  }

  // --- S5: variables of many threads --------------------------------------------------------

  @Test
  final void s5_variablesOfManyThreadsThroughTwoStores_allSurvive() throws Exception {
    writeVariables(8);
  }

  @Test
  @Stress
  final void s5_variablesOfManyThreadsThroughTwoStores_atLength() throws Exception {
    writeVariables(100);
  }

  private void writeVariables(int each) throws Exception {
    TwoStores two = twoStores(TaskConcurrencyStatements::patient);
    Task task = two.store().create(two.owner(), NewTask.of("work").set("first", true));
    Map<String, Object> expected = new HashMap<>();
    expected.put("first", true);
    for (int thread = 0; thread < 8; thread++) {
      for (int i = 0; i < each; i++) {
        expected.put("t" + thread + "-" + i, (long) i);
      }
    }

    Samples.race(
        8,
        thread -> {
          TaskStore store = two.both().get(thread % 2);
          Task current = task;
          for (int i = 0; i < each; i++) {
            TaskChange mine = change().set("t" + thread + "-" + i, i);
            // Some go by the newest snapshot, some by the oldest, some by the id.
            current =
                switch (thread / 2) {
                  case 0 -> store.update(two.owner(), task.id(), mine);
                  case 1 -> store.update(task, mine);
                  default -> store.update(current, mine);
                };
            assertThat(current.variables().integer("t" + thread + "-" + i))
                .as("a thread's own variable in the answer")
                .hasValue(i);
          }
          return current.version();
        });

    for (TaskStore store : two.both()) {
      Task last = store.get(two.owner(), task.id());
      assertThat(last.variables().asMap()).as("the variables").isEqualTo(expected);
      assertThat(last.version()).as("one version for each write").isEqualTo(1 + 8L * each);
    }
  }

  @Test
  final void s5_counterThatIsIncrementedByFunction_isExact() throws Exception {
    TwoStores two = twoStores(TaskConcurrencyStatements::patient);
    Task task = two.create();
    int each = 8;

    List<List<Long>> answers =
        Samples.race(
            8,
            thread -> {
              List<Long> seen = new ArrayList<>();
              for (int i = 0; i < each; i++) {
                TaskStore store = two.both().get((thread + i) % 2);
                Task updated =
                    thread < 4
                        ? store.update(task, TaskConcurrencyStatements::increment)
                        : store.update(
                            two.owner(), task.id(), TaskConcurrencyStatements::increment);
                seen.add(updated.variables().integer("count").orElse(-1));
              }
              return seen;
            });

    List<Long> all = new ArrayList<>();
    answers.forEach(all::addAll);
    List<Long> expected = Stream.iterate(1L, n -> n + 1).limit(8L * each).toList();
    assertThat(all)
        .as("the counts that were answered")
        .containsExactlyInAnyOrderElementsOf(expected);
    for (TaskStore store : two.both()) {
      Task last = store.get(two.owner(), task.id());
      assertThat(last.variables().integer("count")).hasValue(8L * each);
      assertThat(last.version()).isEqualTo(1 + 8L * each);
    }
  }

  // --- S6: calls and the task in hand -------------------------------------------------------

  @Test
  final void s6_everyOperation_makesItsNumberOfCalls() {
    TwoStores two = twoStores();
    Task task = two.create();
    assertCalls(two, "createWithin");
    for (int i = 0; i < 3; i++) {
      task = two.store().update(task, change().set("i", i).progress(i, 3));
    }
    assertCalls(two, "putIfVersion", "putIfVersion", "putIfVersion");
    assertThat(two.store().get(two.owner(), task.id()).version()).isEqualTo(4);
    assertCalls(two, "get");
    assertThat(two.store().list(two.owner(), TaskQuery.newestFirst()).tasks()).hasSize(1);
    assertCalls(two, "list");
    task = two.store().update(two.owner(), task.id(), change().message("by id"));
    assertCalls(two, "get", "putIfVersion");
    task = two.store().update(two.owner(), task.id(), 5, change().message("by version"));
    assertCalls(two, "get", "putIfVersion");
    task = two.store().requestCancel(two.owner(), task.id());
    assertCalls(two, "get", "putIfVersion");
    task = two.store().cancel(two.owner(), task.id());
    assertCalls(two, "get", "putIfVersion");
    assertThat(task.version()).isEqualTo(8);
    two.store().delete(two.owner(), task.id());
    assertCalls(two, "get", "deleteIfVersion");
    two.assertGone(task);
  }

  private static void assertCalls(TwoStores two, String... expected) {
    assertThat(two.backend().takeCalls()).as("calls to the backend").containsExactly(expected);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  final void s6_lostRaces_costOneCallEach(int races) {
    TwoStores two = twoStores();
    Task task = two.create();
    for (int i = 0; i < races; i++) {
      int number = i;
      two.backend()
          .beforeNextWrite(
              () ->
                  two.other()
                      .update(two.owner(), task.id(), change().set("other" + number, number)));
    }
    two.backend().takeCalls();

    Task updated = two.store().update(task, change().set("mine", true));

    assertThat(two.backend().takeCalls())
        .as("calls to the backend")
        .hasSize(races + 1)
        .containsOnly("putIfVersion");
    Map<String, Object> expected = new HashMap<>();
    for (int i = 0; i < races; i++) {
      expected.put("other" + i, (long) i);
    }
    expected.put("mine", true);
    assertThat(updated.variables().asMap()).isEqualTo(expected);
    assertThat(updated.version()).isEqualTo(races + 2);
    two.assertShown(updated);
  }

  @Test
  final void s6_moreLostRacesThanAllowed_endInAConflictAndNothingIsWritten() {
    TwoStores two = twoStores(options -> options.maxUpdateAttempts(3));
    Task task = two.create();
    for (int i = 0; i < 10; i++) {
      two.backend()
          .beforeNextWrite(
              () ->
                  two.other().update(two.owner(), task.id(), TaskConcurrencyStatements::increment));
    }
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> two.store().update(task, change().set("mine", true)))
        .satisfies(e -> assertThat(e.taskId()).isEqualTo(task.id()));

    assertThat(two.backend().takeCalls())
        .as("calls to the backend")
        .containsExactly("putIfVersion", "putIfVersion", "putIfVersion");
    assertThat(two.other().get(two.owner(), task.id()).variables().asMap())
        .isEqualTo(Map.of("count", 3L));
  }

  @Test
  final void s6_raceLostToTheSameVersion_isAConflictForWhoExpectsAVersion() {
    TwoStores two = twoStores();
    Task task = two.create();
    two.backend().beforeNextWrite(() -> two.other().update(task, change().set("other", true)));
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(
            () -> two.store().update(two.owner(), task.id(), 1, change().set("mine", true)));

    assertCalls(two, "get", "putIfVersion");
    assertThat(two.other().get(two.owner(), task.id()).variables().asMap())
        .isEqualTo(Map.of("other", true));
  }

  @Test
  final void s6_taskInHandThatIsExpired_isReadFirstAndNotFound() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    VersionedRecord before = two.stored(task);
    two.clock().advance(MINUTE.multipliedBy(20));
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.store().update(task, change().ttl(HOUR)));

    assertCalls(two, "get");
    assertThat(two.stored(task)).as("the record").isEqualTo(before);
  }

  @Test
  final void s6_taskInHandThatWasDeletedElsewhere_isNotFoundAndStaysDeleted() {
    TwoStores two = twoStores();
    Task task = two.create();
    Task updated = two.store().update(task, change().message("more"));
    two.other().delete(two.owner(), task.id());
    two.backend().takeCalls();

    for (Task inHand : List.of(task, updated)) {
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> two.store().update(inHand, change().message("late")));
      assertCalls(two, "putIfVersion");
    }

    two.assertGone(task);
    assertThat(two.elsewhere().get(TaskSamples.key(two.elsewhere(), two.owner(), task.id())))
        .as("the record")
        .isEmpty();
  }

  @Test
  final void s6_taskInHandThatWasFinishedElsewhere_isToldHow() {
    TwoStores two = twoStores();
    Task task = two.create();
    Task finished = two.other().update(task, change().complete(Map.of("files", 3)));
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> two.store().update(task, change().message("late")))
        .satisfies(
            e ->
                assertThat(TaskSamples.content(e.task())).isEqualTo(TaskSamples.content(finished)));

    assertCalls(two, "putIfVersion");
    two.assertShown(finished);
    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> two.store().update(finished, change().message("late")));
    assertThat(two.backend().takeCalls()).as("calls").doesNotContain("putIfVersion");
  }

  @Test
  final void s6_taskInHandThatWasExtendedElsewhere_isUpdated() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    Task extended = two.other().update(task, change().ttl(HOUR));
    two.clock().advance(MINUTE.multipliedBy(30));
    two.backend().takeCalls();

    Task updated = two.store().update(task, change().message("going on"));

    assertCalls(two, "get", "putIfVersion");
    assertThat(updated.expiresAt()).isEqualTo(extended.expiresAt());
    assertThat(updated.version()).isEqualTo(3);
    two.assertShown(updated);
  }

  @Test
  final void s6_taskInHandThatWasShortenedElsewhere_isNotFound() {
    TwoStores two = twoStores();
    Task task = two.create();
    two.other().update(task, change().ttl(MINUTE.multipliedBy(20)));
    two.clock().advance(MINUTE.multipliedBy(20));
    VersionedRecord before = two.stored(task);
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.store().update(task, change().ttl(HOUR)));

    assertCalls(two, "putIfVersion");
    assertThat(two.stored(task)).as("the record").isEqualTo(before);
  }

  @Test
  final void s6_deleteThatLosesRaces_deletesWhatWon() {
    TwoStores two = twoStores();
    Task task = two.create();
    two.backend().beforeNextWrite(() -> two.other().update(task, change().message("more")));
    two.backend().beforeNextWrite(() -> two.other().cancel(two.owner(), task.id()));
    two.backend().takeCalls();

    two.store().delete(two.owner(), task.id());

    assertCalls(two, "get", "deleteIfVersion", "deleteIfVersion", "deleteIfVersion");
    two.assertGone(task);
    assertThat(two.picture().records()).as("records").isEmpty();
  }

  @Test
  final void s6_deleteThatLosesAgainstADelete_isNotFound() {
    TwoStores two = twoStores();
    Task task = two.create();
    two.backend().beforeNextWrite(() -> two.other().delete(two.owner(), task.id()));
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.store().delete(two.owner(), task.id()));

    assertCalls(two, "get", "deleteIfVersion");
    two.assertGone(task);
  }

  // --- S7: the limit of active tasks --------------------------------------------------------

  @Test
  final void s7_raceOfCreates_keepsToTheLimit() throws Exception {
    raceOfCreates(1);
  }

  @Test
  @Stress
  final void s7_raceOfCreates_manyRounds() throws Exception {
    raceOfCreates(30);
  }

  private void raceOfCreates(int rounds) throws Exception {
    boolean isExact =
        overrides("createWithin", RecordKey.class, RecordValue.class, int.class, Instant.class);
    for (int round = 0; round < rounds; round++) {
      Owner owner = Owner.session(partition() + "-" + round);
      // Where creates step on each other's feet they give up after this time.
      TwoStores two =
          twoStores(
              options -> options.maxActiveTasks(LIMIT).operationTimeout(Duration.ofSeconds(3)));

      List<Optional<Task>> answers =
          Samples.race(32, number -> createIfAllowed(two.both().get(number % 2), owner, !isExact));

      List<Task> admitted = answers.stream().flatMap(Optional::stream).toList();
      if (isExact) {
        assertThat(admitted).as("tasks that were admitted").hasSize(LIMIT);
      } else {
        assertThat(admitted).as("tasks that were admitted").hasSizeLessThanOrEqualTo(LIMIT);
      }
      for (TaskStore store : two.both()) {
        assertThat(TaskSamples.contents(TaskSamples.listAll(store, owner)))
            .as("tasks that are there")
            .containsExactlyInAnyOrderElementsOf(TaskSamples.contents(admitted));
      }
      List<Task> all = new ArrayList<>(admitted);
      while (all.size() < LIMIT) {
        all.add(two.both().get(all.size() % 2).create(owner, NewTask.of("work")));
      }
      assertFull(two, owner, all);
    }
  }

  private static Optional<Task> createIfAllowed(
      TaskStore store, Owner owner, boolean mayBeContended) {
    try {
      return Optional.of(store.create(owner, NewTask.of("work")));
    } catch (TaskLimitException e) {
      assertThat(e.limit()).isEqualTo(LIMIT);
      return Optional.empty();
    } catch (TaskStorageException e) {
      if (mayBeContended && e.isRetryable() && !e.isOutcomeUnknown()) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /** Checks that the owner has exactly these tasks, and may have no more. */
  private static void assertFull(TwoStores two, Owner owner, List<Task> tasks) {
    two.backend().takeCreated();
    TwoStores.Picture before = two.picture(owner);
    assertThat(before.records()).as("the owner's records").hasSize(tasks.size());
    for (TaskStore store : two.both()) {
      assertThatExceptionOfType(TaskLimitException.class)
          .as("one task more")
          .isThrownBy(() -> store.create(owner, NewTask.of("work")));
    }
    assertThat(two.picture(owner)).as("everything after the refusals").isEqualTo(before);
    for (RecordKey refused : two.backend().takeCreated()) {
      assertThat(two.elsewhere().get(refused)).as("the record of a refused create").isEmpty();
    }
    assertThat(TaskSamples.taskIds(TaskSamples.listAll(two.other(), owner)))
        .containsExactlyInAnyOrderElementsOf(TaskSamples.taskIds(tasks));
  }

  private boolean overrides(String method, Class<?>... parameters) throws NoSuchMethodException {
    return backend().getClass().getMethod(method, parameters).getDeclaringClass()
        != StorageBackend.class;
  }

  @Test
  final void s7_refusedCreate_leavesNothing_andAPlaceThatIsLeftIsTaken() {
    TwoStores two = twoStores(options -> options.maxActiveTasks(3));
    Owner stranger = Owner.client(partition());
    List<Task> tasks = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      tasks.add(two.create());
    }
    assertFull(two, two.owner(), tasks);
    Task foreign = two.store().create(stranger, NewTask.of("work"));

    two.store().update(tasks.get(0), change().complete());
    Task afterCompletion = two.other().create(two.owner(), NewTask.of("work"));
    assertThat(TaskSamples.listAll(two.store(), two.owner())).hasSize(4);
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);
    two.other().cancel(two.owner(), tasks.get(1).id());
    two.create();
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);
    two.other().delete(two.owner(), afterCompletion.id());
    two.create();
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);
    // A change of a task that stays unfinished leaves no place.
    two.store().requestCancel(two.owner(), tasks.get(2).id());
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);
    // The end of a task that has ended already leaves no second one.
    two.store().delete(two.owner(), tasks.get(0).id());
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);

    assertThat(
            TaskSamples.listAll(two.other(), two.owner(), TaskQuery.newestFirst().activeOnly())
                .tasks())
        .hasSize(3);
    assertThat(TaskSamples.listAll(two.other(), stranger)).containsExactly(foreign);
  }

  @Test
  final void s7_createsAndEndsAtOnce_keepToTheLimitAndLeaveNoPlaceTaken() throws Exception {
    int limit = 3;
    TwoStores two =
        twoStores(options -> options.maxActiveTasks(limit).operationTimeout(Duration.ofSeconds(1)));
    AtomicInteger active = new AtomicInteger();
    AtomicInteger most = new AtomicInteger();

    Samples.race(
        6,
        thread -> {
          int done = 0;
          for (int i = 0; i < 5; i++) {
            TaskStore store = two.both().get((thread + i) % 2);
            Task task;
            try {
              task = store.create(two.owner(), NewTask.of("work"));
            } catch (TaskLimitException e) {
              continue;
            } catch (TaskStorageException e) {
              assertThat(e.isRetryable()).as("only contention is accepted").isTrue();
              continue;
            }
            most.accumulateAndGet(active.incrementAndGet(), Math::max);
            task = store.update(task, change().message("holding its place"));
            active.decrementAndGet();
            done++;
            if (i % 2 == 0) {
              task = store.update(task, change().complete());
            } else {
              store.delete(two.owner(), task.id());
            }
          }
          return done;
        });

    assertThat(most.get()).as("acknowledged tasks that were active at once").isBetween(1, limit);
    assertThat(
            TaskSamples.listAll(two.other(), two.owner(), TaskQuery.newestFirst().activeOnly())
                .tasks())
        .isEmpty();
    for (int i = 0; i < limit; i++) {
      two.create();
    }
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);
  }

  @ParameterizedTest
  @EnumSource(Fate.class)
  final void s7_createWhoseAnswerWasLost_holdsItsOwnPlace(Fate fate) {
    TwoStores two = twoStores(options -> options.maxActiveTasks(2));
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(cutting, options -> options.maxActiveTasks(2));
    cutting.cutNext(fate, () -> {});

    Task first = cut.create(two.owner(), NewTask.of("work"));

    assertThat(first.version()).isEqualTo(1);
    assertThat(TaskSamples.listAll(two.other(), two.owner())).containsExactly(first);
    // The last free place, and several answers lost.
    cutting.cutNext(fate, () -> {});
    cutting.cutNext(fate, () -> {});
    Task second = cut.create(two.owner(), NewTask.of("work"));
    assertThat(cutting.isUsedUp()).isTrue();
    assertFull(two, two.owner(), List.of(first, second));
    two.assertShown(second);
  }

  @Test
  final void s7_placeThatAnotherTookAfterALostAnswer_isNoRefusal() {
    TwoStores two = twoStores(options -> options.maxActiveTasks(1));
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(cutting, options -> options.maxActiveTasks(1));
    List<Task> others = new ArrayList<>();
    cutting.cutNext(
        Fate.NOT_APPLIED, () -> others.add(two.other().create(two.owner(), NewTask.of("work"))));

    TaskStorageException unknown =
        catchThrowableOfType(
            TaskStorageException.class, () -> cut.create(two.owner(), NewTask.of("work")));

    // The first sending may still arrive and find a place: "full" would be a promise.
    assertThat(unknown).isNotNull();
    assertThat(unknown.isOutcomeUnknown()).isTrue();
    assertFull(two, two.owner(), others);
  }

  /** The store's process dies while its create is under way: nobody learns of the task. */
  @ParameterizedTest
  @EnumSource(Fate.class)
  final void s7_storeThatDiesInACreate_leavesAtMostOneTaskUntilItsTtl(Fate fate) {
    TwoStores two = twoStores(options -> options.maxActiveTasks(2));
    CuttingBackend dying = new CuttingBackend(backend());
    dying.cutNext(fate, dying::die);

    assertUnknown(
        () ->
            two.storeOver(dying, options -> options.maxActiveTasks(2))
                .create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20))));

    assertUnacknowledged(two, fate == Fate.APPLIED ? 1 : 0);
  }

  /**
   * The same within the steps of the default {@code createWithin}, which must be right over every
   * backend: after the insert, and before the count that follows it.
   */
  @Test
  final void s7_storeThatDiesBetweenInsertAndCount_leavesOneTaskUntilItsTtl() {
    TwoStores two = twoStores(options -> options.maxActiveTasks(2));
    CuttingBackend dying = new CuttingBackend(backend());
    dying.dieAfterNextWrite();

    assertUnknown(
        () ->
            two.storeOver(new SevenMethods(dying), options -> options.maxActiveTasks(2))
                .create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20))));

    assertUnacknowledged(two, 1);
  }

  private static void assertUnacknowledged(TwoStores two, int expected) {
    List<Task> left = TaskSamples.listAll(two.other(), two.owner());
    assertThat(left).as("tasks that nobody was told of").hasSize(expected);
    List<Task> all = new ArrayList<>(left);
    while (all.size() < 2) {
      all.add(two.other().create(two.owner(), NewTask.of("work")));
    }
    assertFull(two, two.owner(), all);
    two.clock().advance(MINUTE.multipliedBy(20));
    for (Task gone : left) {
      two.assertGone(gone);
      all.remove(gone);
      all.add(two.other().create(two.owner(), NewTask.of("work")));
    }
    assertThatExceptionOfType(TaskLimitException.class).isThrownBy(two::create);
    assertThat(TaskSamples.listAll(two.store(), two.owner()))
        .containsExactlyInAnyOrderElementsOf(all);
  }

  private static void assertUnknown(Runnable call) {
    TaskStorageException failure = catchThrowableOfType(TaskStorageException.class, call::run);
    assertThat(failure).as("the failure").isNotNull();
    assertThat(failure.isOutcomeUnknown()).as("the outcome is unknown").isTrue();
    assertThat(failure.isRetryable()).as("it can be repeated without thinking").isFalse();
  }

  // --- S17: finished tasks cost nothing -----------------------------------------------------

  @Test
  final void s17_finishedTasks_doNotChangeWhatACreateReads() throws Exception {
    BackendStorage alone = newStorage();
    ReadCounter counter = require(Hook.READ_COUNTER, alone.readCounter());
    if (!overrides("listActive", ListQuery.class)) {
      throw ExcludedException.byDefault(
          "the backend keeps the default of listActive, which reads the finished tasks");
    }
    TwoStores two =
        TwoStores.over(
            open(alone), open(alone), partition(), this::newStore, UnaryOperator.identity());
    // Some are finished by the store, and leave whatever a backend leaves of them; the others are
    // copies, which is quicker.
    Owner busy = Owner.client(partition());
    for (Owner owner : List.of(two.owner(), busy)) {
      for (int i = 0; i < 3; i++) {
        two.store().create(owner, NewTask.of("work"));
      }
    }
    List<String> lastIds = new ArrayList<>();
    lastIds.addAll(Samples.race(8, thread -> finishTasks(two.both().get(thread % 2), busy, 250)));
    VersionedRecord finished =
        TaskSamples.stored(two.elsewhere(), two.store().get(busy, lastIds.get(0)));
    lastIds.addAll(Samples.race(8, thread -> copyRecord(two.elsewhere(), finished, thread, 1_000)));

    long before = counter.recordsRead();
    two.store().create(two.owner(), NewTask.of("work"));
    long withoutFinished = counter.recordsRead() - before;
    before = counter.recordsRead();
    two.store().create(busy, NewTask.of("work"));
    long withFinished = counter.recordsRead() - before;

    assertThat(withFinished)
        .as("records that a create reads beside 10,000 finished tasks")
        .isEqualTo(withoutFinished);
    for (String id : lastIds) {
      assertThat(two.store().get(busy, id).status())
          .as("one of the finished tasks")
          .isEqualTo(TaskStatus.COMPLETED);
    }
  }

  /** Creates and completes tasks, and returns the id of the last one. */
  private static String finishTasks(TaskStore store, Owner owner, int count) {
    String last = "";
    for (int i = 0; i < count; i++) {
      Task task = store.create(owner, NewTask.of("work"));
      last = store.update(task, change().complete()).id();
    }
    return last;
  }

  /** Stores copies of a task's record, each under an id of its own; returns the id of the last. */
  private static String copyRecord(
      StorageBackend backend, VersionedRecord original, int thread, int count) {
    String id = original.key().id();
    String last = id;
    for (int i = 0; i < count; i++) {
      last = id.substring(0, id.length() - 8) + "%02d%06d".formatted(thread, i);
      String data = TaskSamples.text(original).replace(id, last);
      Samples.insert(
          backend,
          new RecordKey(original.key().partition(), last),
          Samples.value(data, false, original.value().expiresAt()));
    }
    return last;
  }

  // --- J5: lost answers ---------------------------------------------------------------------

  /** What an update or a delete by another store can do between a write and its repetition. */
  private enum Meanwhile {
    NOTHING,
    ONE_WRITE,
    TWO_WRITES,
    COMPLETION,
    DELETE;

    /** How often the other store increments the counter. */
    int increments() {
      return this == ONE_WRITE ? 1 : this == TWO_WRITES ? 2 : 0;
    }

    void run(TaskStore other, Owner owner, String id) {
      for (int i = 0; i < increments(); i++) {
        Task unused = other.update(owner, id, TaskConcurrencyStatements::increment);
      }
      if (this == COMPLETION) {
        Task unused = other.update(owner, id, change().complete(Map.of("by", "other")));
      }
      if (this == DELETE) {
        other.delete(owner, id);
      }
    }
  }

  /** Every operation that writes to a task; each says of itself whether its write is there. */
  private enum Write {
    UPDATE {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.update(task, TaskConcurrencyStatements::increment);
      }
    },
    UPDATE_BY_ID {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.update(task.owner(), task.id(), TaskConcurrencyStatements::increment);
      }
    },
    UPDATE_BY_VERSION {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.update(task.owner(), task.id(), task.version(), increment(task));
      }
    },
    COMPLETE {
      @Override
      void run(TaskStore store, Task task) {
        Task unused =
            store.update(task, current -> increment(current).complete(Map.of("by", "me")));
      }
    },
    CANCEL {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.cancel(task.owner(), task.id());
      }
    },
    REQUEST_CANCEL {
      @Override
      void run(TaskStore store, Task task) {
        Task unused = store.requestCancel(task.owner(), task.id());
      }
    },
    DELETE {
      @Override
      void run(TaskStore store, Task task) {
        store.delete(task.owner(), task.id());
      }
    };

    abstract void run(TaskStore store, Task task);

    boolean increments() {
      return this == UPDATE
          || this == UPDATE_BY_ID
          || this == UPDATE_BY_VERSION
          || this == COMPLETE;
    }

    /** Whether a task shows that this write is beneath it. */
    boolean isIn(Task task, Meanwhile meanwhile) {
      return switch (this) {
        case UPDATE, UPDATE_BY_ID, UPDATE_BY_VERSION, COMPLETE ->
            task.variables().integer("count").orElse(0) == meanwhile.increments() + 1;
        case CANCEL -> task.status() == TaskStatus.CANCELLED;
        case REQUEST_CANCEL -> task.isCancelRequested();
        case DELETE -> false;
      };
    }
  }

  /** What the caller may be told. */
  private enum Answer {
    SUCCESS,
    UNKNOWN,
    CONFLICT,
    ENDED
  }

  private static Answer answer(Runnable call) {
    try {
      call.run();
      return Answer.SUCCESS;
    } catch (TaskStorageException e) {
      assertThat(e.isOutcomeUnknown()).as("a failure after a lost answer is unknown").isTrue();
      assertThat(e.isRetryable()).as("it can be repeated without thinking").isFalse();
      return Answer.UNKNOWN;
    } catch (TaskConflictException e) {
      return Answer.CONFLICT;
    } catch (TaskEndedException e) {
      return Answer.ENDED;
    }
  }

  /** One lost answer. */
  private record Loss(Write write, Fate fate, Meanwhile meanwhile, Answer expected) {
    @Override
    public String toString() {
      return "%s, %s, then %s: %s".formatted(write, fate, meanwhile, expected);
    }
  }

  /**
   * All that can be told for certain is told: a write whose traces are there has succeeded, a next
   * version that is another's is a lost race. Where the record is gone, or more than one version
   * ahead, nobody can know.
   */
  static Stream<Loss> losses() {
    List<Loss> losses = new ArrayList<>();
    for (Write write : Write.values()) {
      boolean ends = write == Write.COMPLETE || write == Write.CANCEL;
      losses.add(new Loss(write, Fate.APPLIED, Meanwhile.NOTHING, Answer.SUCCESS));
      losses.add(new Loss(write, Fate.NOT_APPLIED, Meanwhile.NOTHING, Answer.SUCCESS));
      if (write == Write.DELETE) {
        for (Meanwhile meanwhile : Meanwhile.values()) {
          losses.add(new Loss(write, Fate.NOT_APPLIED, meanwhile, Answer.SUCCESS));
        }
        continue;
      }
      losses.add(new Loss(write, Fate.APPLIED, Meanwhile.DELETE, Answer.UNKNOWN));
      losses.add(new Loss(write, Fate.NOT_APPLIED, Meanwhile.DELETE, Answer.UNKNOWN));
      if (!ends) {
        losses.add(new Loss(write, Fate.APPLIED, Meanwhile.ONE_WRITE, Answer.UNKNOWN));
        losses.add(new Loss(write, Fate.APPLIED, Meanwhile.TWO_WRITES, Answer.UNKNOWN));
        losses.add(new Loss(write, Fate.APPLIED, Meanwhile.COMPLETION, Answer.UNKNOWN));
      }
      losses.add(
          new Loss(
              write,
              Fate.NOT_APPLIED,
              Meanwhile.ONE_WRITE,
              write == Write.UPDATE_BY_VERSION ? Answer.CONFLICT : Answer.SUCCESS));
      losses.add(new Loss(write, Fate.NOT_APPLIED, Meanwhile.TWO_WRITES, Answer.UNKNOWN));
      losses.add(
          new Loss(
              write,
              Fate.NOT_APPLIED,
              Meanwhile.COMPLETION,
              write == Write.REQUEST_CANCEL ? Answer.SUCCESS : Answer.ENDED));
    }
    return losses.stream().distinct();
  }

  @ParameterizedTest
  @MethodSource("io.taskstore.contract.TaskConcurrencyStatements#losses")
  final void j5_lostAnswer_isNeverAFalseConflictAndNeverAppliedTwice(Loss loss) {
    TwoStores two = twoStores();
    Task task = two.create();
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(cutting);
    cutting.cutNext(loss.fate, () -> loss.meanwhile.run(two.other(), two.owner(), task.id()));

    Answer answer = answer(() -> loss.write.run(cut, task));

    assertThat(answer).isEqualTo(loss.expected);
    assertThat(cutting.isUsedUp()).isTrue();
    if (loss.write == Write.DELETE || loss.meanwhile == Meanwhile.DELETE) {
      two.assertGone(task);
      assertThat(two.picture().records()).as("records").isEmpty();
      return;
    }
    Task now = two.store().get(two.owner(), task.id());
    two.assertShown(now);
    boolean isThere = loss.write.isIn(now, loss.meanwhile);
    if (answer == Answer.SUCCESS && loss.meanwhile != Meanwhile.COMPLETION) {
      assertThat(isThere).as("what was reported as a success is there").isTrue();
    } else {
      assertThat(isThere).as("nothing more was applied").isEqualTo(loss.fate == Fate.APPLIED);
    }
    long mine = isThere && loss.write.increments() ? 1 : 0;
    assertThat(now.variables().integer("count").orElse(0))
        .as("increments of the other and at most one of mine")
        .isEqualTo(loss.meanwhile.increments() + mine);
    int othersWrites = loss.meanwhile == Meanwhile.COMPLETION ? 1 : loss.meanwhile.increments();
    assertThat(now.version()).as("versions").isEqualTo(1 + othersWrites + (isThere ? 1 : 0));
  }

  @ParameterizedTest
  @EnumSource(Write.class)
  final void j5_severalAnswersLost_isStillOneWrite(Write write) {
    TwoStores two = twoStores();
    Task task = two.create();
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(cutting);
    cutting.cutNext(Fate.NOT_APPLIED, () -> {});
    cutting.cutNext(Fate.APPLIED, () -> {});
    cutting.cutNext(Fate.APPLIED, () -> {});
    cutting.cutNext(Fate.NOT_APPLIED, () -> {});

    assertThat(answer(() -> write.run(cut, task))).isEqualTo(Answer.SUCCESS);

    assertThat(cutting.isUsedUp()).isTrue();
    if (write == Write.DELETE) {
      two.assertGone(task);
      return;
    }
    Task now = two.other().get(two.owner(), task.id());
    assertThat(write.isIn(now, Meanwhile.NOTHING)).isTrue();
    assertThat(now.version()).isEqualTo(2);
    two.assertShown(now);
  }

  @ParameterizedTest
  @EnumSource(Write.class)
  final void j5_storageThatFailsAfterALostAnswer_isUnknown(Write write) {
    for (Fate fate : Fate.values()) {
      TwoStores two = twoStores();
      Task task = two.create();
      CuttingBackend dying = new CuttingBackend(backend());
      TaskStore cut = two.storeOver(dying);
      dying.cutNext(fate, dying::die);

      assertThat(answer(() -> write.run(cut, task))).as("%s", fate).isEqualTo(Answer.UNKNOWN);

      if (write == Write.DELETE && fate == Fate.APPLIED) {
        two.assertGone(task);
        continue;
      }
      Task now = two.other().get(two.owner(), task.id());
      assertThat(write.isIn(now, Meanwhile.NOTHING)).isEqualTo(fate == Fate.APPLIED);
      assertThat(now.version()).isEqualTo(fate == Fate.APPLIED ? 2 : 1);
      two.store().delete(two.owner(), task.id());
    }
  }

  @ParameterizedTest
  @EnumSource(Meanwhile.class)
  final void j5_createWhoseAnswerIsLost_isOneTaskOrUnknown(Meanwhile meanwhile) {
    TwoStores two = twoStores();
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(cutting);
    // The other store finds the task by listing.
    cutting.cutNext(
        Fate.APPLIED,
        () -> {
          List<Task> found = TaskSamples.listAll(two.other(), two.owner());
          assertThat(found).hasSize(1);
          meanwhile.run(two.other(), two.owner(), found.get(0).id());
        });

    @Nullable Task created = createOrUnknown(cut, two.owner());

    List<Task> tasks = TaskSamples.listAll(two.other(), two.owner());
    switch (meanwhile) {
      case NOTHING -> {
        assertThat(created).as("the task that was created").isNotNull();
        assertThat(tasks).containsExactly(created);
      }
      case DELETE -> {
        // Nobody can tell a create that did not arrive from one whose task is gone again.
        if (created == null) {
          assertThat(tasks).isEmpty();
        } else {
          assertThat(tasks).containsExactly(created);
        }
      }
      case ONE_WRITE, TWO_WRITES, COMPLETION -> {
        assertThat(created).as("a create whose task was changed meanwhile").isNull();
        assertThat(tasks).hasSize(1);
        assertThat(tasks.get(0).variables().integer("count").orElse(0))
            .isEqualTo(meanwhile.increments());
      }
    }
    if (created != null) {
      two.assertShown(created);
    }
  }

  @ParameterizedTest
  @EnumSource(Fate.class)
  final void j5_createWithSeveralAnswersLost_isOneTask(Fate last) {
    TwoStores two = twoStores();
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(cutting);
    cutting.cutNext(Fate.NOT_APPLIED, () -> {});
    cutting.cutNext(Fate.APPLIED, () -> {});
    cutting.cutNext(last, () -> {});

    Task created = cut.create(two.owner(), NewTask.of("work"));

    assertThat(cutting.isUsedUp()).isTrue();
    assertThat(created.version()).isEqualTo(1);
    assertThat(TaskSamples.listAll(two.other(), two.owner())).containsExactly(created);
    two.assertShown(created);
  }

  /** Within the steps of the default {@code createWithin}: the insert loses its answer. */
  @ParameterizedTest
  @EnumSource(Fate.class)
  final void j5_insertWhoseAnswerIsLost_isOneTask(Fate fate) {
    TwoStores two = twoStores(options -> options.maxActiveTasks(1));
    CuttingBackend cutting = new CuttingBackend(backend());
    TaskStore cut = two.storeOver(new SevenMethods(cutting), options -> options.maxActiveTasks(1));
    cutting.cutNext(fate, () -> {});

    Task created = cut.create(two.owner(), NewTask.of("work"));

    assertThat(cutting.isUsedUp()).isTrue();
    assertThat(TaskSamples.listAll(two.other(), two.owner())).containsExactly(created);
    two.assertShown(created);
  }

  /**
   * Within the steps of the default {@code createWithin}: another takes the last place between
   * count and insert, so the insert is withdrawn, and the answer to the withdrawal is lost.
   */
  @ParameterizedTest
  @EnumSource(Fate.class)
  final void s7_j5_withdrawalWhoseAnswerIsLost_leavesNothing(Fate fate) {
    TwoStores two = twoStores(options -> options.maxActiveTasks(1));
    CuttingBackend cutting = new CuttingBackend(backend());
    CountingBackend watched = new CountingBackend(cutting);
    TaskStore cut = two.storeOver(new SevenMethods(watched), options -> options.maxActiveTasks(1));
    List<Task> others = new ArrayList<>();
    watched.beforeNextWrite(
        () -> {
          others.add(two.other().create(two.owner(), NewTask.of("work")));
          // The insert itself is answered, what follows it is not.
          cutting.cutAfterNext(fate);
        });

    assertThatExceptionOfType(TaskLimitException.class)
        .isThrownBy(() -> cut.create(two.owner(), NewTask.of("work")));

    assertThat(cutting.isUsedUp()).isTrue();
    assertThat(watched.takeCalls()).contains("putIfVersion", "deleteIfVersion");
    assertFull(two, two.owner(), others);
  }

  private static @Nullable Task createOrUnknown(TaskStore store, Owner owner) {
    try {
      return store.create(owner, NewTask.of("work"));
    } catch (TaskStorageException e) {
      assertThat(e.isOutcomeUnknown()).as("a failure after a lost answer is unknown").isTrue();
      assertThat(e.isRetryable()).as("it can be repeated without thinking").isFalse();
      return null;
    }
  }

  /** The storage itself loses every answer until it is healed. */
  @Test
  final void j5_answersLostByTheStorage_areSuccessOrUnknownAndAppliedOnce() throws Exception {
    BackendStorage alone = newStorage();
    FaultInjection faults = require(Hook.FAULT_INJECTION, alone.faultInjection());
    if (!faults.supported().contains(Trouble.ANSWER_LOST)) {
      throw ExcludedException.byMissing(Trouble.ANSWER_LOST);
    }
    TwoStores two =
        TwoStores.over(
            open(alone),
            open(alone),
            partition(),
            this::newStore,
            options -> options.operationTimeout(Duration.ofMillis(500)));
    for (Write write : Write.values()) {
      Task task = two.create();
      Answer answer;
      faults.cause(Trouble.ANSWER_LOST);
      try {
        answer = answer(() -> write.run(two.store(), task));
      } finally {
        faults.heal();
      }
      assertThat(answer).as("%s", write).isIn(Answer.SUCCESS, Answer.UNKNOWN);
      if (write == Write.DELETE) {
        if (answer == Answer.SUCCESS) {
          two.assertGone(task);
        }
        continue;
      }
      Task now = two.other().get(two.owner(), task.id());
      boolean isThere = write.isIn(now, Meanwhile.NOTHING);
      if (answer == Answer.SUCCESS) {
        assertThat(isThere).as("%s that succeeded is there", write).isTrue();
      }
      assertThat(now.version()).as("versions after %s", write).isEqualTo(isThere ? 2 : 1);
      two.store().delete(two.owner(), task.id());
    }
    Owner creator = Owner.client(partition());
    @Nullable Task created;
    faults.cause(Trouble.ANSWER_LOST);
    try {
      created = createOrUnknown(two.store(), creator);
    } finally {
      faults.heal();
    }
    List<Task> tasks = TaskSamples.listAll(two.other(), creator);
    assertThat(tasks).as("tasks of one create").hasSizeLessThanOrEqualTo(1);
    if (created != null) {
      assertThat(tasks).containsExactly(created);
    }
  }

  @Test
  final void j5_storageThatFailsBeforeAWrite_saysThatNothingWasChanged() {
    TwoStores two = twoStores();
    Task task = two.create();
    TwoStores.Picture before = two.picture();
    CuttingBackend dead = new CuttingBackend(backend());
    dead.die();
    TaskStore cut = two.storeOver(dead);

    for (Write write : Write.values()) {
      assertFailedBefore(() -> write.run(cut, task));
    }
    assertFailedBefore(() -> cut.create(two.owner(), NewTask.of("work")));
    assertFailedBefore(() -> cut.get(two.owner(), task.id()));
    assertFailedBefore(() -> cut.list(two.owner(), TaskQuery.newestFirst()));

    assertThat(two.picture()).as("everything afterwards").isEqualTo(before);
  }

  private static void assertFailedBefore(Runnable call) {
    TaskStoreException failure = catchThrowableOfType(TaskStoreException.class, call::run);
    assertThat(failure).isInstanceOf(TaskStorageException.class);
    assertThat(((TaskStorageException) failure).isOutcomeUnknown())
        .as("the outcome is unknown")
        .isFalse();
  }
}
