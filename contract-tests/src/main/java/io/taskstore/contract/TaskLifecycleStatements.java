// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.DurationNotAllowedException;
import io.taskstore.GenericTaskStore;
import io.taskstore.InputRequest;
import io.taskstore.InvalidCursorException;
import io.taskstore.InvalidValueException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Progress;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskConflictException;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskError;
import io.taskstore.TaskLimitException;
import io.taskstore.TaskListener;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Statements S: the life of a task, its owner, its end. */
abstract class TaskLifecycleStatements extends ContractBase {
  private static final Duration MILLISECOND = Duration.ofMillis(1);
  private static final Duration SECOND = Duration.ofSeconds(1);
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private static final Duration HOUR = Duration.ofHours(1);

  /** The calls with which a store writes to its backend. */
  static final Set<String> WRITES =
      Set.of("createWithin", "putIfVersion", "deleteIfVersion", "purgeExpired", "put", "delete");

  // --- the beginning of a test --------------------------------------------------------------

  /** Two stores with all defaults over the storage that most tests share. */
  final TwoStores twoStores() {
    return twoStores(UnaryOperator.identity());
  }

  final TwoStores twoStores(UnaryOperator<GenericTaskStore.Builder> options) {
    return TwoStores.over(backend(), other(), partition(), this::newStore, options);
  }

  /** Two stores over a storage of their own. */
  final TwoStores twoStoresAlone(UnaryOperator<GenericTaskStore.Builder> options) throws Exception {
    BackendStorage alone = newStorage();
    return TwoStores.over(open(alone), open(alone), partition(), this::newStore, options);
  }

  /** A store under test, closed after it. */
  final TaskStore newStore(
      StorageBackend onto, Clock clock, UnaryOperator<GenericTaskStore.Builder> options) {
    return closeLater(build(onto, clock, options));
  }

  /** Makes a store under test. Only the tests of this contract put another one in its place. */
  TaskStore build(
      StorageBackend onto, Clock clock, UnaryOperator<GenericTaskStore.Builder> options) {
    return options.apply(GenericTaskStore.builder(onto).clock(clock)).build();
  }

  /** Adds a listener. Only the tests of this contract put another one in its place. */
  GenericTaskStore.Builder listening(GenericTaskStore.Builder options, TaskListener listener) {
    return options.listener(listener);
  }

  // --- S1, S2, S3: the state machine --------------------------------------------------------

  /** For handlers that must not be run. */
  private static final Executor NOWHERE =
      handler -> {
        throw new AssertionError("A handler was to be run");
      };

  /** Every kind of change, all of them different from what the finished tasks of a test have. */
  private enum Kind {
    NOTHING(change(), TaskStatus.WORKING, (content, before) -> {}),
    MESSAGE(
        change().message("late"),
        TaskStatus.WORKING,
        (content, before) -> content.put("message", Optional.of("late"))),
    CLEARED_MESSAGE(
        change().clearMessage(),
        TaskStatus.WORKING,
        (content, before) -> content.put("message", Optional.empty())),
    PROGRESS(
        change().progress(7, 9),
        TaskStatus.WORKING,
        (content, before) -> content.put("progress", Optional.of(Progress.of(7, 9)))),
    VARIABLE(
        change().set("late", List.of(1)),
        TaskStatus.WORKING,
        (content, before) -> content.put("variables", Map.of("position", 1L, "late", List.of(1L)))),
    REMOVED_VARIABLE(
        change().remove("position"),
        TaskStatus.WORKING,
        (content, before) -> content.put("variables", Map.of())),
    TTL(
        change().ttl(HOUR.multipliedBy(2)),
        TaskStatus.WORKING,
        (content, before) -> {
          content.put("ttl", Optional.of(HOUR.multipliedBy(2)));
          content.put("expiresAt", Optional.of(before.createdAt().plus(HOUR.multipliedBy(2))));
        }),
    POLL_INTERVAL(
        change().pollInterval(MINUTE),
        TaskStatus.WORKING,
        (content, before) -> content.put("pollInterval", MINUTE)),
    QUESTION(
        change().requireInput("late", InputRequest.of("ask", Map.of("question", "why?"))),
        TaskStatus.INPUT_REQUIRED,
        (content, before) -> {
          Map<String, InputRequest> open = new LinkedHashMap<>(before.inputRequests());
          open.put("late", InputRequest.of("ask", Map.of("question", "why?")));
          content.put("inputRequests", open);
        }),
    COMPLETION(
        change().complete().message("late"),
        TaskStatus.COMPLETED,
        (content, before) -> content.put("message", Optional.of("late"))),
    COMPLETION_WITH_RESULT(
        change().complete(Map.of("late", true)),
        TaskStatus.COMPLETED,
        (content, before) -> content.put("result", Optional.of(Map.of("late", true)))),
    FAILURE(
        change().fail(TaskError.of(-7, "late").withData("x")),
        TaskStatus.FAILED,
        (content, before) ->
            content.put("error", Optional.of(TaskError.of(-7, "late").withData("x")))),
    FAILURE_WITH_RESULT(
        change().failWithResult(Map.of("late", true), TaskError.of("late")),
        TaskStatus.FAILED,
        (content, before) -> {
          content.put("result", Optional.of(Map.of("late", true)));
          content.put("error", Optional.of(TaskError.of("late")));
        }),
    CANCELLATION(
        change().cancel().message("late"),
        TaskStatus.CANCELLED,
        (content, before) -> content.put("message", Optional.of("late")));

    @SuppressWarnings("ImmutableEnumChecker") // never changed
    private final TaskChange change;

    private final TaskStatus to;

    @SuppressWarnings("ImmutableEnumChecker") // has no state
    private final BiConsumer<Map<String, Object>, Task> difference;

    Kind(TaskChange change, TaskStatus to, BiConsumer<Map<String, Object>, Task> difference) {
      this.change = change;
      this.to = to;
      this.difference = difference;
    }

    /** What an unfinished task must show after this change. */
    Map<String, Object> expected(Task before, Instant now) {
      Map<String, Object> content = TaskSamples.content(before);
      content.put("version", before.version() + 1);
      content.put("updatedAt", now);
      difference.accept(content, before);
      if (to != TaskStatus.WORKING) {
        content.put("status", to);
      }
      if (to.isTerminal()) {
        content.put("isTerminal", true);
        content.put("inputRequests", Map.of());
        content.put("worker", Optional.empty());
        content.put("leaseUntil", Optional.empty());
      }
      return content;
    }
  }

  /** Every way in which a store takes a change. */
  private enum Entrance {
    IN_HAND {
      @Override
      Task write(TaskStore store, Task task, TaskChange change) {
        return store.update(task, change);
      }
    },
    IN_HAND_BY_FUNCTION {
      @Override
      Task write(TaskStore store, Task task, TaskChange change) {
        return store.update(task, current -> change);
      }
    },
    BY_ID {
      @Override
      Task write(TaskStore store, Task task, TaskChange change) {
        return store.update(task.owner(), task.id(), change);
      }
    },
    BY_ID_AND_FUNCTION {
      @Override
      Task write(TaskStore store, Task task, TaskChange change) {
        return store.update(task.owner(), task.id(), current -> change);
      }
    },
    BY_VERSION {
      @Override
      Task write(TaskStore store, Task task, TaskChange change) {
        return store.update(task.owner(), task.id(), task.version(), change);
      }
    };

    abstract Task write(TaskStore store, Task task, TaskChange change);
  }

  /** Every way in which a task can have ended. */
  private enum Ending {
    COMPLETED(change().complete()),
    COMPLETED_WITH_RESULT(change().complete(Map.of("files", 3, "bytes", 4.5)).message("done")),
    FAILED(change().fail("broken").progress(3, 9)),
    FAILED_WITH_RESULT(
        change().failWithResult(Map.of("isError", true), TaskError.of(7, "broken").withData(8))),
    CANCELLED(change().cancel()),
    CANCELLED_AFTER_REQUEST(change().cancel().message("stopped"));

    @SuppressWarnings("ImmutableEnumChecker") // never changed
    private final TaskChange change;

    Ending(TaskChange change) {
      this.change = change;
    }

    Task end(TaskStore store, Task working) {
      if (this == CANCELLED) {
        return store.cancel(working.owner(), working.id());
      }
      return store.update(
          this == CANCELLED_AFTER_REQUEST
              ? store.requestCancel(working.owner(), working.id())
              : working,
          change);
    }
  }

  static NewTask newTask() {
    return NewTask.of("work", Map.of("folder", "/data"))
        .message("begun")
        .progress(Progress.of(0, 9))
        .set("position", 1);
  }

  @ParameterizedTest
  @EnumSource(Entrance.class)
  final void s1_workingTask_everyChange_isOneStep(Entrance entrance) {
    TwoStores two = twoStores();
    for (Kind kind : Kind.values()) {
      Task before = two.store().create(two.owner(), newTask());
      two.clock().advance(SECOND);

      Task after = entrance.write(two.store(), before, kind.change);

      assertThat(TaskSamples.content(after))
          .as("%s after %s", entrance, kind)
          .isEqualTo(kind.expected(before, two.clock().instant()));
      assertThat(TaskSamples.content(two.other().get(two.owner(), before.id())))
          .as("%s after %s, read through the other store", entrance, kind)
          .isEqualTo(TaskSamples.content(after));
      assertThat(two.stored(after).value().active())
          .as("the record's active flag after %s", kind)
          .isEqualTo(!kind.to.isTerminal());
    }
  }

  /** Nothing but the last answer returns to working; the end is open to everybody. */
  @ParameterizedTest
  @EnumSource(Entrance.class)
  final void s1_taskThatWaitsForInput_everyChange_isOneStep(Entrance entrance) {
    TwoStores two = twoStores();
    for (Kind kind : Kind.values()) {
      Task before = asking(two, newTask());
      two.clock().advance(SECOND);

      Task after = entrance.write(two.store(), before, kind.change);

      assertThat(TaskSamples.content(after))
          .as("%s after %s", entrance, kind)
          .isEqualTo(kind.expected(before, two.clock().instant()));
      assertThat(TaskSamples.content(two.other().get(two.owner(), before.id())))
          .as("%s after %s, read through the other store", entrance, kind)
          .isEqualTo(TaskSamples.content(after));
      assertThat(two.stored(after).value().active())
          .as("the record's active flag after %s", kind)
          .isEqualTo(!kind.to.isTerminal());
    }
  }

  /** A task with a lease, and two questions of which one is answered. */
  private static Task asking(TwoStores two, NewTask newTask) {
    Task working = two.store().create(two.owner(), newTask);
    Task leased = two.store().claim(working, "worker", HOUR).orElseThrow();
    Task asking =
        two.store()
            .update(
                leased,
                change()
                    .requireInput("name", InputRequest.of("ask"))
                    .requireInput("color", InputRequest.of("ask")));
    Task answered = two.store().provideInput(two.owner(), asking.id(), Map.of("color", "green"));
    assertThat(answered.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
    return answered;
  }

  @Test
  final void s1_taskThatWaitsForInput_requestCancelAndLastAnswer_areOneStep() {
    TwoStores two = twoStores();
    Task first = asking(two, newTask());
    Task second = asking(two, newTask());
    Task third = asking(two, newTask());
    two.clock().advance(SECOND);
    Map<String, Object> requested = TaskSamples.content(first);
    requested.put("version", first.version() + 1);
    requested.put("updatedAt", two.clock().instant());
    requested.put("isCancelRequested", true);
    requested.put("cancelRequestedAt", Optional.of(two.clock().instant()));
    Map<String, Object> cancelled = Kind.CANCELLATION.expected(second, two.clock().instant());
    cancelled.put("message", second.message());
    Map<String, Object> answered = TaskSamples.content(third);
    answered.put("version", third.version() + 1);
    answered.put("updatedAt", two.clock().instant());
    answered.put("status", TaskStatus.WORKING);
    answered.put("inputRequests", Map.of());
    answered.put("inputResponses", Map.of("color", "green", "name", "Alice"));

    Task afterRequest = two.store().requestCancel(two.owner(), first.id());
    Task afterCancel = two.store().cancel(two.owner(), second.id());
    Task afterAnswer = two.store().provideInput(two.owner(), third.id(), Map.of("name", "Alice"));

    assertThat(TaskSamples.content(afterRequest)).isEqualTo(requested);
    assertThat(TaskSamples.content(afterCancel)).isEqualTo(cancelled);
    assertThat(TaskSamples.content(afterAnswer)).isEqualTo(answered);
    two.assertShown(afterRequest);
    two.assertShown(afterCancel);
    two.assertShown(afterAnswer);
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s1_changeThatAsksAndEnds_isRefusedAndNothingIsWritten(Ending ending) {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), newTask());
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();
    TaskChange both = ending.change.requireInput("name", InputRequest.of("ask"));

    for (Entrance entrance : Entrance.values()) {
      assertThatExceptionOfType(InvalidValueException.class)
          .as("a question and an end at once, %s", entrance)
          .isThrownBy(() -> entrance.write(two.store(), task, both));
    }

    assertThat(two.backend().takeCalls()).as("calls").doesNotContainAnyElementsOf(WRITES);
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  @Test
  final void s1_workingTask_cancelAndRequest_areOneStep() {
    TwoStores two = twoStores();
    Task first = two.store().create(two.owner(), newTask());
    Task second = two.store().create(two.owner(), newTask());
    two.clock().advance(SECOND);
    Map<String, Object> cancelled = TaskSamples.content(first);
    cancelled.put("version", 2L);
    cancelled.put("updatedAt", two.clock().instant());
    cancelled.put("status", TaskStatus.CANCELLED);
    cancelled.put("isTerminal", true);
    Map<String, Object> requested = TaskSamples.content(second);
    requested.put("version", 2L);
    requested.put("updatedAt", two.clock().instant());
    requested.put("isCancelRequested", true);
    requested.put("cancelRequestedAt", Optional.of(two.clock().instant()));

    Task afterCancel = two.store().cancel(two.owner(), first.id());
    Task afterRequest = two.store().requestCancel(two.owner(), second.id());

    assertThat(TaskSamples.content(afterCancel)).isEqualTo(cancelled);
    assertThat(TaskSamples.content(afterRequest)).isEqualTo(requested);
    two.assertShown(afterCancel);
    two.assertShown(afterRequest);
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s1_finishedTask_everyWriter_isRefusedAndToldWhatStands(Ending ending) {
    TwoStores two = twoStores();
    Task working = two.store().create(two.owner(), newTask());
    Task ended = ending.end(two.other(), working);
    two.assertShown(ended);
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);

    for (Kind kind : Kind.values()) {
      for (Entrance entrance : Entrance.values()) {
        for (Task inHand : List.of(working, ended)) {
          assertRefused(two, ended, () -> entrance.write(two.store(), inHand, kind.change));
        }
      }
      assertRefused(two, ended, () -> two.store().update(two.owner(), ended.id(), 99, kind.change));
    }
    assertRefused(two, ended, () -> two.store().cancel(two.owner(), ended.id()));
    assertAbsorbed(two, ended, List.of(working, ended));

    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  /** Checks that a finished task has no use for workers and answers. */
  private static void assertAbsorbed(TwoStores two, Task ended, List<Task> inHand) {
    for (Map<String, Integer> answers : List.of(Map.of("name", 1), Map.<String, Integer>of())) {
      assertRefused(two, ended, () -> two.store().provideInput(two.owner(), ended.id(), answers));
    }
    for (Task task : inHand) {
      assertRefused(two, ended, () -> two.store().claim(task, "worker", MINUTE));
    }
    assertRefused(
        two,
        ended,
        () -> two.store().resume(two.owner(), ended.id(), NOWHERE, context -> "never run"));
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s1_taskThatEndedWhileItWaitedForInput_absorbsAnswersAndWorkers(Ending ending) {
    TwoStores two = twoStores();
    Task asking = asking(two, newTask());
    Task ended = ending.end(two.other(), asking);
    assertThat(ended.inputRequests()).as("open questions").isEmpty();
    assertThat(ended.inputResponses().asMap()).isEqualTo(Map.of("color", "green"));
    assertThat(ended.worker()).as("the worker of a finished task").isEmpty();
    assertThat(ended.leaseUntil()).as("the lease of a finished task").isEmpty();
    two.assertShown(ended);
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);

    for (Entrance entrance : Entrance.values()) {
      assertRefused(two, ended, () -> entrance.write(two.store(), asking, Kind.QUESTION.change));
    }
    assertAbsorbed(two, ended, List.of(asking, ended));

    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  private static void assertRefused(TwoStores two, Task ended, Runnable write) {
    two.backend().takeCalls();
    TaskEndedException refusal = catchThrowableOfType(TaskEndedException.class, write::run);
    assertThat(refusal).as("the refusal").isNotNull();
    assertThat(TaskSamples.content(refusal.task()))
        .as("the task that the refusal carries")
        .isEqualTo(TaskSamples.content(ended));
    // A snapshot from before the end is found to be old by one attempt, which must not succeed.
    assertThat(two.backend().takeCalls()).as("calls to the backend").hasSizeLessThanOrEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s1_finishedTask_theSameEndingAgain_isSuccessWithoutAWrite(Ending ending) {
    TwoStores two = twoStores();
    Task working = two.store().create(two.owner(), newTask());
    Task ended = ending.end(two.store(), working);
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);

    for (Entrance entrance : Entrance.values()) {
      for (TaskStore store : two.both()) {
        for (Task inHand : List.of(working, ended)) {
          assertThat(TaskSamples.content(entrance.write(store, inHand, ending.change)))
              .as("the answer to the same ending again, %s", entrance)
              .isEqualTo(TaskSamples.content(ended));
        }
      }
    }

    assertThat(two.picture()).as("everything after the repetitions").isEqualTo(before);
  }

  @Test
  final void s1_wrongVersion_isRefusedAndNothingIsWritten() {
    TwoStores two = twoStores();
    Task task = two.store().update(two.create(), change().set("a", 1));
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    for (long version : new long[] {0, 1, 3, 99}) {
      for (Kind kind : Kind.values()) {
        assertThatExceptionOfType(TaskConflictException.class)
            .as("%s, expected version %d", kind, version)
            .isThrownBy(() -> two.store().update(two.owner(), task.id(), version, kind.change))
            .satisfies(e -> assertThat(e.taskId()).isEqualTo(task.id()));
      }
    }

    assertThat(two.backend().takeCalls()).as("calls").doesNotContainAnyElementsOf(WRITES);
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s1_finishedTask_goesByDeleteAndByExpiryOnly(Ending ending) {
    TwoStores two = twoStores();
    Task deleted = ending.end(two.store(), two.create());
    Task expiring = ending.end(two.store(), two.create());
    Task staying =
        ending.end(
            two.store(), two.store().create(two.owner(), newTask().ttl(HOUR.multipliedBy(2))));

    two.other().delete(two.owner(), deleted.id());

    two.assertGone(deleted);
    two.assertShown(expiring);
    two.clock().advanceTo(expiring.expiresAt().orElseThrow());
    two.assertGone(expiring);
    two.assertShown(staying);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.store().delete(two.owner(), deleted.id()));
  }

  @Test
  final void s1_unfinishedTask_isDeleted() {
    TwoStores two = twoStores();
    Task task = two.create();
    Task staying = two.create();

    two.other().delete(two.owner(), task.id());

    two.assertGone(task);
    two.assertShown(staying);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.other().delete(two.owner(), task.id()));
    assertThatExceptionOfType(TaskNotFoundException.class)
        .as("an update of the snapshot that is still in hand")
        .isThrownBy(() -> two.store().update(task, change().message("late")));
    two.assertGone(task);
  }

  @Test
  final void s1_s3_raceOfDifferentEndings_oneWinsAndTheOthersAreToldWhich() throws Exception {
    TwoStores two = twoStores();
    raceOfEndings(two, 5);
  }

  @Test
  @Stress
  final void s1_s3_raceOfDifferentEndings_manyRounds() throws Exception {
    TwoStores two = twoStores();
    raceOfEndings(two, 300);
  }

  private static void raceOfEndings(TwoStores two, int rounds) throws Exception {
    for (int round = 0; round < rounds; round++) {
      Task task = two.create();
      List<Object> answers =
          Samples.race(
              8,
              number -> {
                TaskStore store = two.both().get(number % 2);
                try {
                  return switch (number) {
                    case 0, 1, 2 -> store.update(task, change().complete(Map.of("by", number)));
                    case 3, 4 ->
                        store.update(
                            two.owner(), task.id(), change().fail(TaskError.of(number, "broken")));
                    case 5 -> store.cancel(two.owner(), task.id());
                    default -> store.update(task, change().complete(Map.of("by", "everybody")));
                  };
                } catch (TaskEndedException e) {
                  return e;
                }
              });

      Task winner = two.store().get(two.owner(), task.id());
      assertThat(winner.isTerminal()).as("the task has ended").isTrue();
      assertThat(winner.version()).as("the version, after one ending").isEqualTo(2);
      for (Object answer : answers) {
        Task told = answer instanceof TaskEndedException e ? e.task() : (Task) answer;
        assertThat(TaskSamples.content(told))
            .as("what each of the racers was told")
            .isEqualTo(TaskSamples.content(winner));
      }
      long successes = answers.stream().filter(Task.class::isInstance).count();
      // Two of them bring the very same ending, and may both call it theirs.
      boolean isTheSame = winner.result().equals(Optional.of(Map.of("by", "everybody")));
      assertThat(successes).as("racers that succeeded").isEqualTo(isTheSame ? 2 : 1);
      two.assertShown(winner);
      two.store().delete(two.owner(), task.id());
    }
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s2_statusAndResult_areOneWrite(Ending ending) {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), newTask());
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    Task ended = two.store().update(task, ending.change.set("position", 9).set("seen", "all"));

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("putIfVersion");
    assertThat(ended.version()).isEqualTo(2);
    assertThat(ended.isTerminal()).isTrue();
    assertThat(ended.variables().asMap()).isEqualTo(Map.of("position", 9L, "seen", "all"));
    two.assertShown(ended);
  }

  @Test
  final void s2_readerDuringEndings_neverSeesAStatusWithoutItsResult() throws Exception {
    TwoStores two = twoStores();
    int tasks = 20;
    List<Task> working = new ArrayList<>();
    for (int i = 0; i < tasks; i++) {
      working.add(two.create());
    }
    List<String> problems =
        Samples.race(
            3,
            number -> {
              if (number == 0) {
                for (Task task : working) {
                  Task unused =
                      two.store().update(task, change().complete(Map.of("of", task.id())));
                }
                return "";
              }
              TaskStore reader = two.both().get(number - 1);
              for (Task task : working) {
                Task seen;
                do {
                  seen = reader.get(two.owner(), task.id());
                  boolean hasResult = seen.result().equals(Optional.of(Map.of("of", task.id())));
                  if (seen.isTerminal() != hasResult || seen.version() != (hasResult ? 2 : 1)) {
                    return "a reader saw %s, version %d, with%s the result"
                        .formatted(seen.status(), seen.version(), hasResult ? "" : "out");
                  }
                } while (!seen.isTerminal() && !Thread.currentThread().isInterrupted());
              }
              return "";
            });
    assertThat(problems).as("what was wrong with what readers saw").containsOnly("");
  }

  @Test
  final void s3_completionAfterACancel_losesAndIsToldWhatWon() {
    TwoStores two = twoStores();
    Task task = two.create();
    Task cancelled = two.other().cancel(two.owner(), task.id());

    for (Entrance entrance : Entrance.values()) {
      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(
              () -> entrance.write(two.store(), task, change().complete(Map.of("files", 3))))
          .satisfies(
              e -> {
                assertThat(e.task().status()).isEqualTo(TaskStatus.CANCELLED);
                assertThat(TaskSamples.content(e.task())).isEqualTo(TaskSamples.content(cancelled));
              });
    }

    two.assertShown(cancelled);
    assertThat(two.other().get(two.owner(), task.id()).result()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s3_finishedTask_strictCancelIsRefused_requestedOneIsNot(Ending ending) {
    TwoStores two = twoStores();
    Task ended = ending.end(two.other(), two.create());
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> two.store().cancel(two.owner(), ended.id()))
        .satisfies(
            e -> assertThat(TaskSamples.content(e.task())).isEqualTo(TaskSamples.content(ended)));
    assertThat(TaskSamples.content(two.store().requestCancel(two.owner(), ended.id())))
        .as("the answer to the request")
        .isEqualTo(TaskSamples.content(ended));

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("get", "get");
    assertThat(two.picture()).as("everything afterwards").isEqualTo(before);
  }

  @Test
  final void s3_cancelTwice_theSecondIsRefused() {
    TwoStores two = twoStores();
    Task cancelled = two.store().cancel(two.owner(), two.create().id());

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> two.other().cancel(two.owner(), cancelled.id()));

    two.assertShown(cancelled);
  }

  @Test
  final void s3_cancelRequest_isWrittenOnceAndLeavesTheEndToTheWorker() {
    TwoStores two = twoStores();
    Task task = two.create();
    two.clock().advance(SECOND);
    Task requested = two.store().requestCancel(two.owner(), task.id());
    assertThat(requested.isCancelRequested()).isTrue();
    assertThat(requested.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(requested.cancelRequestedAt()).contains(two.clock().instant());
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    Task again = two.store().requestCancel(two.owner(), task.id());

    assertThat(two.backend().takeCalls()).as("calls of the second request").containsExactly("get");
    assertThat(TaskSamples.content(again)).isEqualTo(TaskSamples.content(requested));
    two.assertShown(requested);

    Task reported = two.other().update(task, change().message("going on"));
    assertThat(reported.isCancelRequested()).as("the worker learns of the request").isTrue();
    assertThat(reported.version()).isEqualTo(3);
    Task completed = two.other().update(reported, change().complete(Map.of("files", 3)));
    assertThat(completed.isCancelRequested()).isTrue();
    assertThat(completed.status()).isEqualTo(TaskStatus.COMPLETED);
    two.assertShown(completed);
  }

  // --- S4: owners ---------------------------------------------------------------------------

  /** Every operation on one task by its owner and id. */
  private enum Operation {
    GET {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.get(owner, id);
      }
    },
    UPDATE {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.update(owner, id, change().message("foreign"));
      }
    },
    UPDATE_BY_FUNCTION {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.update(owner, id, task -> change().complete());
      }
    },
    UPDATE_BY_VERSION {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.update(owner, id, 1, change().set("foreign", true));
      }
    },
    CANCEL {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.cancel(owner, id);
      }
    },
    REQUEST_CANCEL {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.requestCancel(owner, id);
      }
    },
    PROVIDE_INPUT {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = store.provideInput(owner, id, Map.of("name", "foreign"));
      }
    },
    RESUME {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Optional<Task> unused = store.resume(owner, id, NOWHERE, context -> "foreign");
      }
    },
    AWAIT_TERMINAL {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = uninterrupted(() -> store.awaitTerminal(owner, id, HOUR));
      }
    },
    AWAIT_CHANGE {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        Task unused = uninterrupted(() -> store.awaitChange(owner, id, 99, HOUR));
      }
    },
    DELETE {
      @Override
      void run(TaskStore store, Owner owner, String id) {
        store.delete(owner, id);
      }
    };

    abstract void run(TaskStore store, Owner owner, String id);

    private interface Waiting {
      Task run() throws InterruptedException;
    }

    private static Task uninterrupted(Waiting waiting) {
      try {
        return waiting.run();
      } catch (InterruptedException e) {
        throw new AssertionError("The test was interrupted", e);
      }
    }
  }

  /** What an operation throws, with the id taken out, so that different ids can be compared. */
  private static String failure(Runnable operation, String id) {
    TaskStoreException thrown = catchThrowableOfType(TaskStoreException.class, operation::run);
    assertThat(thrown).as("the failure").isNotNull();
    assertThat(thrown).as("the failure").hasNoCause().hasNoSuppressedExceptions();
    if (thrown instanceof TaskNotFoundException notFound) {
      assertThat(notFound.taskId()).isEqualTo(id);
    }
    String message = String.valueOf(thrown.getMessage());
    assertThat(message).as("the message names the id").contains(id);
    return thrown.getClass().getName() + ": " + message.replace(id, "ID");
  }

  @Test
  final void s4_foreignExpiredDeletedAndMissing_areTheSameErrorForEveryOperation() {
    TwoStores two = twoStores();
    Owner owner = two.owner();
    Owner stranger = Owner.subject(partition() + ":stranger");
    Task living = two.create();
    Task finished = two.store().update(two.create(), change().complete(Map.of("files", 3)));
    Task expired = two.store().create(owner, NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    Task finishedAndExpired =
        two.store()
            .update(
                two.store().create(owner, NewTask.of("work").ttl(MINUTE.multipliedBy(20))),
                change().fail("broken"));
    Task deleted = two.create();
    two.store().delete(owner, deleted.id());
    Task own = two.store().create(stranger, NewTask.of("work"));
    String missing = living.id().substring(0, living.id().length() - 4) + "zzzz";
    two.clock().advance(MINUTE.multipliedBy(20));
    TwoStores.Picture ownersBefore = two.picture(owner);
    TwoStores.Picture strangersBefore = two.picture(stranger);
    record Case(String name, Owner owner, String id) {}
    List<Case> cases =
        List.of(
            new Case("another owner's", stranger, living.id()),
            new Case("another owner's, finished", stranger, finished.id()),
            new Case("another owner's, expired", stranger, expired.id()),
            new Case("another owner's, the other way round", owner, own.id()),
            new Case("expired", owner, expired.id()),
            new Case("finished and expired", owner, finishedAndExpired.id()),
            new Case("deleted", owner, deleted.id()),
            new Case("missing", owner, missing),
            new Case("missing, no id of a task", owner, "../" + partition()));

    String wanted = failure(() -> two.store().get(owner, missing), missing);
    assertThat(wanted).startsWith(TaskNotFoundException.class.getName() + ":");
    for (Case each : cases) {
      for (Operation operation : Operation.values()) {
        for (TaskStore store : two.both()) {
          assertThat(failure(() -> operation.run(store, each.owner, each.id), each.id))
              .as("%s of %s", operation, each.name)
              .isEqualTo(wanted);
        }
      }
    }
    for (Task inHand : List.of(expired, deleted)) {
      assertThat(failure(() -> two.store().update(inHand, change().message("late")), inHand.id()))
          .as("an update of a snapshot whose task is gone")
          .isEqualTo(wanted);
      assertThat(failure(() -> two.store().claim(inHand, "worker", MINUTE), inHand.id()))
          .as("a claim of a snapshot whose task is gone")
          .isEqualTo(wanted);
    }

    assertThat(two.picture(owner)).as("the owner's tasks").isEqualTo(ownersBefore);
    assertThat(two.picture(stranger)).as("the stranger's tasks").isEqualTo(strangersBefore);
  }

  @Test
  final void s4_idsThatNoTaskHas_areNotFound() {
    TwoStores two = twoStores();
    two.create();
    TwoStores.Picture before = two.picture();

    for (String id : List.of("", " ", "\u0000", "\ud800", "x".repeat(100_000), "%", "*", "..")) {
      for (Operation operation : Operation.values()) {
        assertThatExceptionOfType(TaskNotFoundException.class)
            .as("%s of an id of %d characters", operation, id.length())
            .isThrownBy(() -> operation.run(two.store(), two.owner(), id))
            .satisfies(e -> assertThat(e.taskId()).isEqualTo(id));
      }
    }

    assertThat(two.picture()).as("everything afterwards").isEqualTo(before);
  }

  /** Owners of every shape, many of them a prefix, an escape or another case of another. */
  private static List<Owner> owners(String base) {
    List<Owner> owners = new ArrayList<>();
    for (String text :
        List.of(
            base,
            base + "1",
            base + "10",
            base + ":",
            base + ":b",
            base + "::b",
            base + "#b",
            base + "/b",
            base + "%2Fb",
            base + "__0x2f__b",
            base + "\\b",
            base + "/../" + base,
            base + "//b",
            base + "*",
            base + "?",
            base + "%",
            base + "_",
            base + "[ab]",
            base + "{b}",
            "{" + base + "}",
            "{" + base + "}b",
            base + " ",
            base + ".",
            base + "\u0000",
            base + "\nb",
            base + "'; --",
            base + "B",
            base + "b",
            base + "\u00e9",
            base + "e\u0301",
            base + "\u20ac",
            base + "\ud83d\ude00",
            base + "\uffff",
            "s:" + base,
            "ts:" + base,
            filled(base, "x", 'x'),
            filled(base, "x", 'y'),
            filled(base, "\u20ac", 'x'),
            filled(base, "\u20ac", 'y'))) {
      owners.add(Owner.subject(text));
    }
    for (String text : List.of(base, base + ":b", "s:" + base, filled(base, "x", 'x'))) {
      owners.add(Owner.client(text));
      owners.add(Owner.session(text));
    }
    return owners;
  }

  /** An owner of exactly 1,000 bytes, of which only the last is its own. */
  private static String filled(String base, String with, char last) {
    int bytes = with.getBytes(StandardCharsets.UTF_8).length;
    int left = Owner.MAX_BYTES - 1 - base.length();
    return base + "-".repeat(left % bytes) + with.repeat(left / bytes) + last;
  }

  /**
   * All these owners have a task of the same id: nothing but the owner tells the tasks apart. The
   * limit of one unfinished task shows that none counts for another.
   */
  @Test
  final void s4_ownersOfEveryShape_areApartInEverything() {
    MovableClock clock = MovableClock.startingNow();
    List<Owner> owners = owners(partition());
    List<Task> tasks = new ArrayList<>();
    for (Owner owner : owners) {
      TaskStore alike = storeWithIdsLikeOthers(backend(), clock);
      tasks.add(alike.create(owner, NewTask.of("work").set("number", tasks.size())));
      assertThatExceptionOfType(TaskLimitException.class)
          .as("a second task of owner %d", tasks.size())
          .isThrownBy(() -> alike.create(owner, NewTask.of("work")));
    }
    String id = tasks.get(0).id();
    assertThat(TaskSamples.taskIds(tasks)).as("the ids").containsOnly(id);
    TaskStore reader = newStore(other(), clock, UnaryOperator.identity());

    for (int i = 0; i < owners.size(); i++) {
      assertOnlyTask(reader, owners.get(i), i, tasks.get(i));
    }
    for (int i = 0; i < owners.size(); i += 3) {
      reader.delete(owners.get(i), id);
      int next = (i + 1) % owners.size();
      if (next % 3 != 0) {
        tasks.set(next, reader.update(owners.get(next), id, change().set("changed", i)));
      }
    }
    for (int i = 0; i < owners.size(); i++) {
      Owner owner = owners.get(i);
      if (i % 3 != 0) {
        assertOnlyTask(reader, owner, i, tasks.get(i));
        continue;
      }
      assertThat(TaskSamples.listAll(reader, owner)).as("tasks of owner %d", i).isEmpty();
      Task gone = tasks.get(i);
      for (Operation operation : Operation.values()) {
        assertThatExceptionOfType(TaskNotFoundException.class)
            .as("%s by owner %d, whose task is deleted", operation, i)
            .isThrownBy(() -> operation.run(reader, owner, id));
      }
      assertThatExceptionOfType(TaskNotFoundException.class)
          .as("an update in hand by owner %d, whose task is deleted", i)
          .isThrownBy(() -> reader.update(gone, change().message("late")));
    }
  }

  private TaskStore storeWithIdsLikeOthers(StorageBackend backend, MovableClock clock) {
    return newStore(backend, clock, options -> options.randomness(new Random(4)).maxActiveTasks(1));
  }

  private static void assertOnlyTask(TaskStore reader, Owner owner, int number, Task task) {
    Map<String, Object> content = TaskSamples.content(task);
    assertThat(TaskSamples.content(reader.get(owner, task.id())))
        .as("the task of owner %d", number)
        .isEqualTo(content);
    assertThat(TaskSamples.contents(TaskSamples.listAll(reader, owner)))
        .as("the list of owner %d", number)
        .containsExactly(content);
    assertThat(
            TaskSamples.contents(
                TaskSamples.listAll(reader, owner, TaskQuery.newestFirst().activeOnly()).tasks()))
        .as("the unfinished tasks of owner %d", number)
        .containsExactly(content);
  }

  @Test
  final void s4_cursorOfOneOwner_isRefusedForEveryOther() {
    TwoStores two = twoStores();
    for (int i = 0; i < 3; i++) {
      two.create();
    }
    TaskQuery query = TaskQuery.newestFirst().pageSize(1);
    String cursor = two.store().list(two.owner(), query).nextCursor().orElseThrow();
    for (Owner stranger : owners(partition())) {
      if (!stranger.equals(two.owner())) {
        assertThatExceptionOfType(InvalidCursorException.class)
            .isThrownBy(() -> two.other().list(stranger, query.after(cursor)));
      }
    }
  }

  @Test
  final void s4_localOwner_isApartFromTheOthers() throws Exception {
    TwoStores two = twoStoresAlone(options -> options.allowLocalOwner(true));
    Task local = two.store().create(Owner.local(), NewTask.of("work"));
    Task subject = two.store().create(Owner.subject("l:"), NewTask.of("work"));

    assertThat(TaskSamples.listAll(two.other(), Owner.local())).containsExactly(local);
    assertThat(TaskSamples.listAll(two.other(), Owner.subject("l:"))).containsExactly(subject);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.other().get(Owner.local(), subject.id()));
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> two.other().get(Owner.subject("l:"), local.id()));
  }

  // --- S8: time to live ---------------------------------------------------------------------

  @Test
  final void s8_oneMillisecondBeforeTheEnd_theTaskIsThere_andThenItIsGone() {
    TwoStores two = twoStores();
    Duration ttl = MINUTE.multipliedBy(30).plusMillis(123);
    Task working = two.store().create(two.owner(), NewTask.of("work").ttl(ttl));
    Task completed =
        two.store()
            .update(
                two.store().create(two.owner(), NewTask.of("work").ttl(ttl)),
                change().complete(Map.of("files", 3)));
    Instant end = two.clock().instant().plus(ttl);
    assertThat(working.expiresAt()).contains(end);
    assertThat(completed.expiresAt()).contains(end);

    two.clock().advanceTo(end.minus(MILLISECOND));
    two.assertShown(working);
    two.assertShown(completed);
    Task updated = two.store().update(working, change().message("in time"));
    Task requested = two.other().requestCancel(two.owner(), working.id());
    assertThat(updated.expiresAt()).as("an update does not prolong").contains(end);
    two.assertShown(requested);

    two.clock().advance(MILLISECOND);
    for (Task task : List.of(working, updated, requested, completed)) {
      two.assertGone(task);
      for (TaskStore store : two.both()) {
        for (Operation operation : Operation.values()) {
          assertThatExceptionOfType(TaskNotFoundException.class)
              .as("%s when the time is over", operation)
              .isThrownBy(() -> operation.run(store, two.owner(), task.id()));
        }
        assertThatExceptionOfType(TaskNotFoundException.class)
            .as("an update in hand when the time is over")
            .isThrownBy(() -> store.update(task, change().ttl(HOUR)));
        assertThatExceptionOfType(TaskNotFoundException.class)
            .as("a claim in hand when the time is over")
            .isThrownBy(() -> store.claim(task, "worker", MINUTE));
      }
    }
    two.clock().advance(HOUR.multipliedBy(24));
    two.assertGone(requested);
  }

  @Test
  final void s8_ttlOfTheDefault_isAnHourOrWhatTheStoreSays() {
    TwoStores two = twoStores();
    Task byDefault = two.create();
    TaskStore shorter =
        two.storeOver(two.elsewhere(), options -> options.defaultTtl(MINUTE.multipliedBy(20)));
    Task byStore = shorter.create(two.owner(), NewTask.of("work"));

    assertThat(byDefault.ttl()).contains(HOUR);
    assertThat(byDefault.expiresAt()).contains(two.clock().instant().plus(HOUR));
    assertThat(byStore.expiresAt()).contains(two.clock().instant().plus(MINUTE.multipliedBy(20)));
    two.clock().advance(MINUTE.multipliedBy(20).minus(MILLISECOND));
    two.assertShown(byStore);
    two.clock().advance(MILLISECOND);
    two.assertGone(byStore);
    two.clock().advance(MINUTE.multipliedBy(40).minus(MILLISECOND));
    two.assertShown(byDefault);
    two.clock().advance(MILLISECOND);
    two.assertGone(byDefault);
  }

  @Test
  final void s8_expiredTask_doesNotCountForTheLimit() {
    TwoStores two = twoStores(options -> options.maxActiveTasks(1));
    Task first = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(30)));
    two.clock().advance(MINUTE.multipliedBy(30).minus(MILLISECOND));
    for (TaskStore store : two.both()) {
      assertThatExceptionOfType(TaskLimitException.class)
          .as("one millisecond before the end of the first task")
          .isThrownBy(() -> store.create(two.owner(), NewTask.of("work")));
    }
    two.clock().advance(MILLISECOND);

    Task second = two.other().create(two.owner(), NewTask.of("work"));

    two.assertGone(first);
    two.assertShown(second);
    assertThatExceptionOfType(TaskLimitException.class)
        .isThrownBy(() -> two.store().create(two.owner(), NewTask.of("work")));
  }

  @Test
  final void s8_ttlOutOfBounds_isRefusedAndNothingIsWritten() {
    TwoStores two = twoStores(options -> options.maxTtl(HOUR.multipliedBy(2)));
    Task task = two.create();
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();

    for (Duration bad :
        List.of(
            HOUR.multipliedBy(2).plus(MILLISECOND),
            Duration.ofDays(4_000_000),
            Duration.ofSeconds(Long.MAX_VALUE, 999_999_999),
            Duration.ZERO,
            Duration.ofNanos(999_999),
            Duration.ofMillis(-1))) {
      assertThat(
              refusedDuration(() -> two.store().create(two.owner(), NewTask.of("work").ttl(bad))))
          .as("the duration that a create refused")
          .contains(bad);
      assertThat(refusedDuration(() -> two.store().update(task, change().ttl(bad))))
          .as("the duration that an update refused")
          .contains(bad);
    }
    assertThat(
            refusedDuration(
                () -> two.store().create(two.owner(), NewTask.of("work").unlimitedTtl())))
        .as("a create without end")
        .isEmpty();
    assertThat(refusedDuration(() -> two.store().update(task, change().unlimitedTtl())))
        .as("an update to no end")
        .isEmpty();
    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);

    Task longest = two.store().create(two.owner(), NewTask.of("work").ttl(HOUR.multipliedBy(2)));
    assertThat(longest.expiresAt()).contains(two.clock().instant().plus(HOUR.multipliedBy(2)));
  }

  private static Optional<Duration> refusedDuration(Runnable call) {
    DurationNotAllowedException refusal =
        catchThrowableOfType(DurationNotAllowedException.class, call::run);
    assertThat(refusal).as("the refusal of a duration").isNotNull();
    assertThat(refusal.what()).isEqualTo("ttl");
    return refusal.duration();
  }

  @Test
  final void s8_defaultBeyondTheMaximum_isRefusedBeforeThereIsAStore() {
    TwoStores two = twoStores();
    // A ttl that is left out can so never be longer than the maximum.
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(
            () -> two.storeOver(backend(), options -> options.maxTtl(HOUR.minus(MILLISECOND))))
        .satisfies(e -> assertThat(e.duration()).contains(HOUR));
    assertThat(
            two.storeOver(backend(), options -> options.maxTtl(HOUR))
                .create(two.owner(), NewTask.of("x"))
                .ttl())
        .contains(HOUR);
  }

  @Test
  final void s8_withoutEnd_theTaskStaysUntilItIsDeleted() {
    TwoStores two = twoStores(options -> options.allowUnlimitedTtl());
    Task task = two.store().create(two.owner(), NewTask.of("work").unlimitedTtl());
    assertThat(task.ttl()).isEmpty();
    assertThat(task.expiresAt()).isEmpty();
    Task limited = two.create();
    assertThat(limited.expiresAt()).as("a ttl that is left out").isPresent();
    Task unlimited = two.other().update(limited, change().unlimitedTtl());

    two.clock().advance(Duration.ofDays(3_650));

    two.assertShown(task);
    two.assertShown(unlimited);
    Task completed = two.store().update(task, change().complete());
    assertThat(completed.expiresAt()).isEmpty();
    two.clock().advance(Duration.ofDays(3_650));
    two.assertShown(completed);
    two.store().delete(two.owner(), task.id());
    two.assertGone(task);
  }

  @Test
  final void s8_changeOfTheTtl_countsFromTheCreation() {
    TwoStores two = twoStores();
    Instant created = two.clock().instant();
    Task shortened = two.create();
    Task extended = two.create();
    Task over = two.create();
    two.clock().advance(MINUTE.multipliedBy(30));

    shortened = two.store().update(shortened, change().ttl(MINUTE.multipliedBy(45)));
    extended = two.store().update(extended, change().ttl(MINUTE.multipliedBy(120)));
    Task overNow = two.store().update(over, change().ttl(MINUTE.multipliedBy(20)));

    assertThat(shortened.expiresAt()).contains(created.plus(MINUTE.multipliedBy(45)));
    assertThat(extended.expiresAt()).contains(created.plus(MINUTE.multipliedBy(120)));
    assertThat(overNow.expiresAt()).contains(created.plus(MINUTE.multipliedBy(20)));
    two.assertGone(over);
    two.clock().advanceTo(created.plus(MINUTE.multipliedBy(45)).minus(MILLISECOND));
    two.assertShown(shortened);
    two.clock().advance(MILLISECOND);
    two.assertGone(shortened);
    two.clock().advanceTo(created.plus(MINUTE.multipliedBy(120)).minus(MILLISECOND));
    two.assertShown(extended);
    two.clock().advance(MILLISECOND);
    two.assertGone(extended);
  }

  @ParameterizedTest
  @EnumSource(Ending.class)
  final void s8_endShortlyBeforeTheTime_keepsTheResultForAWhile(Ending ending) {
    TwoStores two = twoStores();
    Instant created = two.clock().instant();
    Task task = two.create();
    two.clock().advance(MINUTE.multipliedBy(59));

    Task ended = ending.end(two.store(), task);

    assertThat(ended.ttl()).as("the ttl as it was asked for").contains(HOUR);
    assertThat(ended.expiresAt()).contains(created.plus(MINUTE.multipliedBy(69)));
    two.clock().advance(MINUTE.multipliedBy(10).minus(MILLISECOND));
    two.assertShown(ended);
    two.clock().advance(MILLISECOND);
    two.assertGone(ended);
  }

  @Test
  final void s8_keepingAResult_staysWithinTheMaximumAndNeverShortens() {
    TwoStores two =
        twoStores(
            options ->
                options.maxTtl(MINUTE.multipliedBy(65)).keepResultFor(MINUTE.multipliedBy(10)));
    Instant created = two.clock().instant();
    Task early = two.create();
    Task late = two.create();
    Task keptForNoTime = two.create();
    Task underAHigherMaximum =
        two.storeOver(two.elsewhere())
            .create(two.owner(), NewTask.of("work").ttl(HOUR.multipliedBy(3)));
    TaskStore keepsNothing =
        two.storeOver(two.elsewhere(), options -> options.keepResultFor(Duration.ZERO));
    two.clock().advance(MINUTE.multipliedBy(10));

    early = two.store().update(early, change().complete());
    assertThat(early.expiresAt()).as("ended early").contains(created.plus(HOUR));
    two.clock().advance(MINUTE.multipliedBy(49));
    late = two.store().update(late, change().complete());
    keptForNoTime = keepsNothing.update(keptForNoTime, change().complete());
    underAHigherMaximum = two.store().update(underAHigherMaximum, change().fail("broken"));

    assertThat(late.expiresAt())
        .as("ended late, with a maximum")
        .contains(created.plus(MINUTE.multipliedBy(65)));
    assertThat(keptForNoTime.expiresAt()).as("kept for no time").contains(created.plus(HOUR));
    assertThat(underAHigherMaximum.expiresAt())
        .as("ended by a store with a lower maximum")
        .contains(created.plus(HOUR.multipliedBy(3)));
    for (Task task : List.of(keptForNoTime, late, underAHigherMaximum)) {
      two.assertShown(task);
      two.clock().advanceTo(task.expiresAt().orElseThrow().minus(MILLISECOND));
      two.assertShown(task);
      two.clock().advance(MILLISECOND);
      two.assertGone(task);
    }
  }

  @Test
  final void s8_purge_leavesWhatAnotherClockMayStillSee() throws Exception {
    TwoStores two =
        twoStoresAlone(
            options -> options.clockSkewAllowance(MINUTE.multipliedBy(5)).allowUnlimitedTtl());
    Task first = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    Task second =
        two.store()
            .update(
                two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(40))),
                change().complete());
    Task foreign =
        two.store()
            .create(Owner.client(partition()), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    Task forever = two.store().create(two.owner(), NewTask.of("work").unlimitedTtl());
    TwoStores.Picture before = two.picture();

    assertPurged(two, 0);
    two.clock().advance(MINUTE.multipliedBy(25).minus(MILLISECOND));
    assertPurged(two, 0);
    assertThat(two.picture().records())
        .as("the records, all of them within the allowance")
        .isEqualTo(before.records());
    two.assertGone(first);
    two.clock().advance(MILLISECOND);
    assertPurged(two, 2);

    two.assertGone(first);
    two.assertGone(foreign);
    two.assertShown(second);
    two.assertShown(forever);
    RecordKey purged = TaskSamples.key(two.elsewhere(), two.owner(), first.id());
    if (!traits().purgesItself()) {
      assertThat(two.elsewhere().get(purged)).as("the purged record").isEmpty();
    }
    two.clock().advanceTo(second.expiresAt().orElseThrow().plus(MINUTE.multipliedBy(5)));
    assertPurged(two, 1);
    assertPurged(two, 0);
    two.assertShown(forever);
  }

  /** What a backend has purged by itself is not counted. */
  private void assertPurged(TwoStores two, int expected) {
    int purged = two.store().purgeExpired(100);
    if (!traits().purgesItself()) {
      assertThat(purged).as("tasks that a purge removed").isEqualTo(expected);
    }
  }

  @Test
  final void s8_purge_keepsToItsLimitAndRemovesTheRestLater() throws Exception {
    TwoStores two = twoStoresAlone(UnaryOperator.identity());
    for (int i = 0; i < 5; i++) {
      two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    }
    Task staying = two.create();
    two.clock().advance(MINUTE.multipliedBy(30));

    int first = two.store().purgeExpired(2);
    int rest = two.other().purgeExpired(100);
    int nothing = two.store().purgeExpired(100);

    if (!traits().purgesItself()) {
      assertThat(List.of(first, rest, nothing)).as("removed").containsExactly(2, 3, 0);
      assertThat(two.picture().records()).hasSize(1);
    }
    two.assertShown(staying);
    assertThat(TaskSamples.listAll(two.other(), two.owner())).containsExactly(staying);
  }

  @Test
  final void s8_extendedTask_survivesTheSweeper() throws Exception {
    TwoStores two = twoStoresAlone(UnaryOperator.identity());
    Task task = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    two.clock().advance(MINUTE.multipliedBy(20).minus(MILLISECOND));
    two.other().purgeExpired(100);

    Task extended = two.store().update(task, change().ttl(MINUTE.multipliedBy(60)));

    two.other().purgeExpired(100);
    two.assertShown(extended);
    two.clock().advance(MINUTE.multipliedBy(30));
    two.other().purgeExpired(100);
    two.assertShown(extended);
    two.clock().advanceTo(extended.expiresAt().orElseThrow().minus(MILLISECOND));
    two.store().purgeExpired(100);
    two.assertShown(extended);
    two.clock().advance(MILLISECOND);
    two.assertGone(extended);
  }

  @Test
  final void s8_taskWithinTheAllowance_canBeExtendedByAStoreWhoseClockIsBehind() throws Exception {
    TwoStores two = twoStoresAlone(UnaryOperator.identity());
    MovableClock behind = two.clock().copy();
    TaskStore late = two.storeOver(two.elsewhere(), behind, UnaryOperator.identity());
    Task task = two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
    behind.advance(MINUTE.multipliedBy(20).minus(MILLISECOND));
    two.clock().advance(MINUTE.multipliedBy(25).minus(MILLISECOND));
    two.store().purgeExpired(100);
    two.assertGone(task);

    Task extended = late.update(task, change().ttl(MINUTE.multipliedBy(60)));

    two.store().purgeExpired(100);
    two.assertShown(extended);
    assertThat(TaskSamples.content(late.get(two.owner(), task.id())))
        .isEqualTo(TaskSamples.content(extended));
  }

  @Test
  final void s8_extensionsAgainstASweeper_eachStaysOrIsNotFound() throws Exception {
    extendAgainstSweeper(20);
  }

  @Test
  @Stress
  final void s8_extensionsAgainstASweeper_manyTasks() throws Exception {
    extendAgainstSweeper(1_000);
  }

  /**
   * The sweeper's clock is so far ahead that all tasks are due, the extender's is not: each task
   * goes to whoever comes first, and what was extended stays.
   */
  private void extendAgainstSweeper(int tasks) throws Exception {
    TwoStores two = twoStoresAlone(options -> options.maxActiveTasks(1_000_000));
    List<Task> all = new ArrayList<>();
    for (int i = 0; i < tasks; i++) {
      all.add(two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20))));
    }
    MovableClock ahead = two.clock().copy();
    ahead.advance(MINUTE.multipliedBy(30));
    TaskStore sweeper = two.storeOver(two.elsewhere(), ahead, UnaryOperator.identity());

    List<Map<String, Task>> answers =
        Samples.race(
            2,
            number -> {
              Map<String, Task> extended = new LinkedHashMap<>();
              if (number == 0) {
                for (int i = 0; i < tasks; i++) {
                  sweeper.purgeExpired(1);
                }
                return extended;
              }
              // From the other end, so that they meet in the middle.
              for (int i = tasks - 1; i >= 0; i--) {
                Task task = all.get(i);
                @Nullable Task updated = extend(two.store(), task);
                if (updated != null) {
                  extended.put(updated.id(), updated);
                }
              }
              return extended;
            });

    sweeper.purgeExpired(tasks + 1);
    Map<String, Task> extended = answers.get(1);
    for (Task task : all) {
      Task updated = extended.get(task.id());
      if (updated == null) {
        two.assertGone(task);
      } else {
        assertThat(TaskSamples.content(two.other().get(two.owner(), task.id())))
            .as("a task that was extended")
            .isEqualTo(TaskSamples.content(updated));
        assertThat(sweeper.get(two.owner(), task.id())).isEqualTo(updated);
      }
    }
    assertThat(TaskSamples.listAll(two.other(), two.owner()))
        .as("the tasks that are left")
        .containsExactlyInAnyOrderElementsOf(extended.values());
  }

  private static @Nullable Task extend(TaskStore store, Task task) {
    try {
      return store.update(task, change().ttl(HOUR));
    } catch (TaskNotFoundException e) {
      return null;
    }
  }
}
