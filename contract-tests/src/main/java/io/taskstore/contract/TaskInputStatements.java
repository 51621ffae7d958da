// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.InputRequest;
import io.taskstore.InvalidValueException;
import io.taskstore.LeaseLostException;
import io.taskstore.LimitExceededException;
import io.taskstore.NewTask;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskContext;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskLimits;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStore;
import io.taskstore.ValueConversionException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements S: input is asked for, answered and waited for. */
abstract class TaskInputStatements extends TaskContentStatements {
  static final Duration LEASE = Duration.ofMinutes(10);
  private static final Duration SECOND = Duration.ofSeconds(1);

  private static final InputRequest NAME =
      InputRequest.of(
          "elicitation/create",
          Map.of("message", "Who are you?", "schema", Map.of("type", "string")));
  private static final InputRequest COLOR = InputRequest.of("elicitation/create");

  // --- what tests of handlers begin with ----------------------------------------------------

  /** How long a test waits for something that must happen. */
  Duration patience() {
    return Duration.ofSeconds(30);
  }

  /** A timeout of a call that must end before it. */
  final Duration longerThanPatience() {
    return patience().multipliedBy(2);
  }

  /** A handler that is ended after the test. */
  final Puppet puppet() {
    return closeLater(new Puppet(patience()));
  }

  /** Nothing is written by itself in a test: no heartbeat is due, no interval ends. */
  static GenericTaskStore.Builder quiet(GenericTaskStore.Builder options) {
    return options.lease(LEASE).progressInterval(Duration.ofDays(1));
  }

  /** The writes of the first store since its calls were taken before. */
  static List<String> takeWrites(TwoStores two) {
    List<String> writes = new ArrayList<>(two.backend().takeCalls());
    writes.retainAll(WRITES);
    return writes;
  }

  /** Waits until a store shows the task as it should be. */
  final Task awaitTask(TaskStore store, Task task, Predicate<Task> wanted) throws Exception {
    long deadline = System.nanoTime() + patience().toNanos();
    Task seen = store.get(task.owner(), task.id());
    while (!wanted.test(seen)) {
      long left = deadline - System.nanoTime();
      assertThat(left).as("the nanoseconds left to see what must happen").isPositive();
      seen = store.awaitChange(task.owner(), task.id(), seen.version(), Duration.ofNanos(left + 1));
    }
    return seen;
  }

  final Task awaitQuestion(TaskStore store, Task task) throws Exception {
    return awaitTask(store, task, seen -> seen.status() == TaskStatus.INPUT_REQUIRED);
  }

  // --- S10: questions and answers -----------------------------------------------------------

  @Test
  final void s10_questions_areOpenUntilTheyAreAnswered_andTheLastAnswerReturnsToWorking() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), newTask());
    assertThat(task.inputRequests()).isEmpty();
    assertThat(task.inputResponses().asMap()).isEmpty();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    Task asking =
        two.store()
            .update(
                task,
                change()
                    .message("waiting")
                    .requireInput(Map.of("name", NAME, "color", COLOR, "size", COLOR)));

    assertThat(two.backend().takeCalls())
        .as("calls of the question")
        .containsExactly("putIfVersion");
    assertThat(asking.version()).isEqualTo(2);
    assertThat(asking.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
    assertThat(asking.inputRequests())
        .isEqualTo(Map.of("name", NAME, "color", COLOR, "size", COLOR));
    two.assertShown(asking);

    // Some answers now, through the other store.
    two.clock().advance(SECOND);
    Task partly = two.other().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
    Map<String, Object> expected = TaskSamples.content(asking);
    expected.put("version", 3L);
    expected.put("updatedAt", two.clock().instant());
    expected.put("inputRequests", Map.of("color", COLOR, "size", COLOR));
    expected.put("inputResponses", Map.of("name", "Alice"));
    assertThat(TaskSamples.content(partly)).as("after one of three answers").isEqualTo(expected);
    two.assertShown(partly);

    // The others later, through the first one.
    two.clock().advance(SECOND);
    two.backend().takeCalls();
    Task answered =
        two.store()
            .provideInput(two.owner(), task.id(), Map.of("size", 7, "color", List.of("red", 1.5)));
    assertThat(two.backend().takeCalls()).as("calls").containsExactly("get", "putIfVersion");
    expected.put("version", 4L);
    expected.put("updatedAt", two.clock().instant());
    expected.put("status", TaskStatus.WORKING);
    expected.put("inputRequests", Map.of());
    expected.put(
        "inputResponses", Map.of("name", "Alice", "size", 7L, "color", List.of("red", 1.5)));
    assertThat(TaskSamples.content(answered)).as("after the last answer").isEqualTo(expected);
    two.assertShown(answered);
  }

  /** What could be taken for "no answer", or for something to look into. */
  @Test
  final void s10_answersOfEveryKind_areAnswers() {
    TwoStores two = twoStores();
    Map<String, Object> answers = new HashMap<>();
    answers.put("false", false);
    answers.put("zero", 0L);
    answers.put("empty text", "");
    answers.put("empty list", List.of());
    answers.put("empty object", Map.of());
    answers.put("list of nothing", Collections.singletonList(null));
    answers.put("object of nothing", Collections.singletonMap("a", null));
    answers.put("object", Map.of("action", "accept", "content", Map.of("n", 2.5)));
    answers.put("text of null", "null");
    answers.put("umlaut \u00e4 \ud83d\ude00", "\u0000\n\"\\");
    Map<String, InputRequest> questions = new HashMap<>();
    answers.keySet().forEach(key -> questions.put(key, COLOR));
    Task task = two.store().update(two.create(), change().requireInput(questions));

    for (Map.Entry<String, Object> answer : answers.entrySet()) {
      assertThat(task.status())
          .as("before %s", answer.getKey())
          .isEqualTo(TaskStatus.INPUT_REQUIRED);
      task =
          two.other()
              .provideInput(two.owner(), task.id(), Map.of(answer.getKey(), answer.getValue()));
      assertThat(task.inputRequests()).doesNotContainKey(answer.getKey());
    }

    assertThat(task.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(task.inputResponses().asMap()).isEqualTo(answers);
    two.assertShown(task);
  }

  @Test
  final void s10_roundAfterRound_answersStay() {
    TwoStores two = twoStores();
    Task task = two.create();
    Map<String, Object> answers = new HashMap<>();
    for (int round = 1; round <= 5; round++) {
      String key = "round " + round;
      TaskStore asker = two.both().get(round % 2);
      TaskStore answerer = two.both().get((round + 1) % 2);

      task = asker.update(two.owner(), task.id(), change().requireInput(key, NAME));
      assertThat(task.inputRequests()).as("open in round %d", round).isEqualTo(Map.of(key, NAME));
      assertThat(task.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
      assertThat(task.inputResponses().asMap()).isEqualTo(answers);

      task = answerer.provideInput(two.owner(), task.id(), Map.of(key, round));
      answers.put(key, (long) round);
      assertThat(task.status()).isEqualTo(TaskStatus.WORKING);
      assertThat(task.inputResponses().asMap()).isEqualTo(answers);
      two.assertShown(task);
    }
  }

  /** Where the key was used before. */
  private enum Used {
    OPEN,
    ANSWERED,
    ANSWERED_WITH_ANOTHER_OPEN,
    ANSWERED_IN_AN_EARLIER_ROUND;

    Task task(TwoStores two) {
      Task task =
          two.other()
              .update(two.create(), change().requireInput(Map.of("name", NAME, "size", COLOR)));
      return switch (this) {
        case OPEN -> task;
        case ANSWERED ->
            two.other().provideInput(two.owner(), task.id(), Map.of("name", "A", "size", 1));
        case ANSWERED_WITH_ANOTHER_OPEN ->
            two.other().provideInput(two.owner(), task.id(), Map.of("name", "A"));
        case ANSWERED_IN_AN_EARLIER_ROUND ->
            two.other()
                .update(
                    two.other()
                        .provideInput(two.owner(), task.id(), Map.of("name", "A", "size", 1)),
                    change().requireInput("later", NAME));
      };
    }
  }

  @ParameterizedTest
  @EnumSource(Used.class)
  final void s10_keyThatWasUsedBefore_isRefusedAndNothingIsWritten(Used used) {
    TwoStores two = twoStores();
    Task task = used.task(two);
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    for (TaskChange again :
        List.of(
            change().requireInput("name", COLOR),
            change().requireInput("name", NAME),
            change().requireInput(Map.of("fresh", COLOR, "name", COLOR)).set("a", 1))) {
      for (Runnable write :
          List.<Runnable>of(
              () -> two.store().update(task, again),
              () -> two.store().update(task, current -> again),
              () -> two.store().update(two.owner(), task.id(), again),
              () -> two.store().update(two.owner(), task.id(), task.version(), again))) {
        InvalidValueException refusal =
            catchThrowableOfType(InvalidValueException.class, write::run);
        assertThat(refusal).as("the refusal").isNotNull();
        assertThat(refusal.what()).as("what is refused").contains("\"name\"");
      }
    }

    assertThat(takeWrites(two)).as("writes").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  @Test
  final void s10_keyThatAnotherStoreUsesMeanwhile_isRefused() {
    TwoStores two = twoStores();
    Task inHand = two.create();
    Task asked = two.other().update(inHand, change().requireInput("name", NAME));
    Task answered = two.other().provideInput(two.owner(), asked.id(), Map.of("name", "Alice"));
    TwoStores.Picture before = two.picture();

    // The snapshot in hand knows nothing of the question; the winner of the lost race does.
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> two.store().update(inHand, change().requireInput("name", COLOR)));

    assertThat(two.picture()).as("everything after the refusal").isEqualTo(before);
    two.assertShown(answered);
  }

  @Test
  final void s10_raceForOneKey_oneQuestionIsAsked() throws Exception {
    raceForKey(5);
  }

  @Test
  @Stress
  final void s10_raceForOneKey_manyRounds() throws Exception {
    raceForKey(200);
  }

  private void raceForKey(int rounds) throws Exception {
    TwoStores two = twoStores(options -> options.maxUpdateAttempts(10_000));
    for (int round = 0; round < rounds; round++) {
      Task task = two.create();
      List<Optional<Task>> answers =
          Samples.race(
              6,
              number -> {
                try {
                  return Optional.of(
                      two.both()
                          .get(number % 2)
                          .update(
                              task,
                              change().requireInput("name", InputRequest.of("from " + number))));
                } catch (InvalidValueException e) {
                  return Optional.<Task>empty();
                }
              });

      List<Task> winners = answers.stream().flatMap(Optional::stream).toList();
      assertThat(winners).as("those who have asked").hasSize(1);
      int winner = answers.indexOf(Optional.of(winners.get(0)));
      assertThat(winners.get(0).version()).isEqualTo(2);
      assertThat(winners.get(0).inputRequests())
          .isEqualTo(Map.of("name", InputRequest.of("from " + winner)));
      two.assertShown(winners.get(0));
      two.store().delete(two.owner(), task.id());
    }
  }

  @Test
  final void s10_repeatedAnswer_leavesTheFirst() {
    TwoStores two = twoStores();
    Task asking =
        two.store()
            .update(two.create(), change().requireInput(Map.of("name", NAME, "size", COLOR)));
    Task partly = two.other().provideInput(two.owner(), asking.id(), Map.of("name", "Alice"));
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    for (Object other : List.of("Bob", "Alice", 7)) {
      assertThat(
              TaskSamples.content(
                  two.store().provideInput(two.owner(), asking.id(), Map.of("name", other))))
          .as("the answer to a repeated answer")
          .isEqualTo(TaskSamples.content(partly));
    }
    assertThat(two.backend().takeCalls()).as("calls").containsExactly("get", "get", "get");
    assertThat(two.picture()).as("everything after repeated answers").isEqualTo(before);

    Task answered =
        two.store().provideInput(two.owner(), asking.id(), Map.of("name", "Bob", "size", 7));
    assertThat(answered.inputResponses().asMap()).isEqualTo(Map.of("name", "Alice", "size", 7L));
    assertThat(answered.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(answered.version()).isEqualTo(partly.version() + 1);
    Task again =
        two.other().provideInput(two.owner(), asking.id(), Map.of("name", "Bob", "size", 8));
    assertThat(TaskSamples.content(again)).isEqualTo(TaskSamples.content(answered));
    two.assertShown(answered);
  }

  @Test
  final void s10_raceOfAnswers_theFirstOneStays() throws Exception {
    TwoStores two = twoStores();
    for (int round = 0; round < 5; round++) {
      Task asking = two.store().update(two.create(), change().requireInput("name", NAME));
      List<Task> answers =
          Samples.race(
              4,
              number ->
                  two.both()
                      .get(number % 2)
                      .provideInput(two.owner(), asking.id(), Map.of("name", number)));

      Task stands = two.other().get(two.owner(), asking.id());
      assertThat(stands.version()).as("the version after one answer").isEqualTo(3);
      assertThat(stands.status()).isEqualTo(TaskStatus.WORKING);
      for (Task told : answers) {
        assertThat(TaskSamples.content(told))
            .as("what each of the racers was told")
            .isEqualTo(TaskSamples.content(stands));
      }
      two.assertShown(stands);
      two.store().delete(two.owner(), asking.id());
    }
  }

  /** Answers to different questions through two stores at once: the later one ends the waiting. */
  @Test
  final void s10_raceOfAnswersToDifferentQuestions_noneIsLost() throws Exception {
    TwoStores two = twoStores(options -> options.maxUpdateAttempts(10_000));
    Map<String, InputRequest> questions = new HashMap<>();
    Map<String, Object> expected = new HashMap<>();
    for (int i = 0; i < 8; i++) {
      questions.put("key " + i, COLOR);
      expected.put("key " + i, (long) i);
    }
    Task asking = two.store().update(two.create(), change().requireInput(questions));

    List<Task> answers =
        Samples.race(
            8,
            number ->
                two.both()
                    .get(number % 2)
                    .provideInput(two.owner(), asking.id(), Map.of("key " + number, number)));

    Task answered = two.other().get(two.owner(), asking.id());
    assertThat(answered.version()).isEqualTo(asking.version() + 8);
    assertThat(answered.inputResponses().asMap()).isEqualTo(expected);
    assertThat(answers.stream().filter(task -> task.status() == TaskStatus.WORKING).toList())
        .as("the last one only returns to working")
        .containsExactly(answered);
    two.assertShown(answered);
  }

  @Test
  final void s10_unknownKeys_areIgnoredAndWriteNothing() {
    TwoStores two = twoStores();
    Task working = two.store().create(two.owner(), newTask());
    Task asking = two.store().update(two.create(), change().requireInput("name", NAME));
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    for (Task task : List.of(working, asking)) {
      for (Map<String, Object> answers :
          List.<Map<String, Object>>of(
              Map.of("Name", "Alice"),
              Map.of("", 1, "nam", 2, "name ", 3),
              Map.of("x".repeat(100_000), true),
              Map.of())) {
        assertThat(TaskSamples.content(two.store().provideInput(two.owner(), task.id(), answers)))
            .as("the answer to unknown keys")
            .isEqualTo(TaskSamples.content(task));
        assertThat(two.backend().takeCalls()).as("calls").containsExactly("get");
      }
    }
    assertThat(two.picture()).as("everything after unknown keys").isEqualTo(before);

    Task answered =
        two.store().provideInput(two.owner(), asking.id(), Map.of("name", "Alice", "other", "Bob"));
    assertThat(answered.inputResponses().asMap()).isEqualTo(Map.of("name", "Alice"));
    assertThat(answered.status()).isEqualTo(TaskStatus.WORKING);
    two.assertShown(answered);
  }

  @Test
  final void s10_answerThatIsNullOrCannotBeStored_isRefusedAndNothingIsWritten() {
    TwoStores two = twoStores();
    Task asking =
        two.store()
            .update(two.create(), change().requireInput(Map.of("name", NAME, "size", COLOR)));
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    for (Object bad : new Object[] {null, Optional.empty(), Double.NaN, "\ud800", new Object()}) {
      Map<String, Object> answers = new HashMap<>();
      answers.put("name", bad);
      assertThatExceptionOfType(InvalidValueException.class)
          .as("an answer that is %s", bad)
          .isThrownBy(() -> two.store().provideInput(two.owner(), asking.id(), answers))
          .satisfies(e -> assertThat(e.what()).contains("\"name\""));
      answers.put("size", 7);
      assertThatExceptionOfType(InvalidValueException.class)
          .as("an answer that is %s, beside a good one", bad)
          .isThrownBy(() -> two.store().provideInput(two.owner(), asking.id(), answers));
    }

    assertThat(takeWrites(two)).as("writes").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  @Test
  final void s10_questionThatCannotBeStored_isRefusedAndNothingIsWritten() {
    TwoStores two = twoStores(options -> options.limits(TaskLimits.defaults().withMaxNameBytes(8)));
    Task task = two.create();
    TwoStores.Picture before = two.picture();
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    for (TaskChange bad :
        List.of(
            change().requireInput("", InputRequest.of("m")),
            change().requireInput("\ud800", InputRequest.of("m")),
            change().requireInput("key", InputRequest.of(" ")),
            change().requireInput("key", InputRequest.of("m", List.of(1))),
            change().requireInput("key", InputRequest.of("m", "text")),
            change().requireInput("key", InputRequest.of("m", Map.of("n", Double.NaN))))) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> two.store().update(task, bad.set("a", 1)));
    }
    for (TaskChange bad :
        List.of(
            change().requireInput("k".repeat(9), InputRequest.of("m")),
            change().requireInput("key", InputRequest.of("m".repeat(9))))) {
      LimitExceededException refusal =
          catchThrowableOfType(
              LimitExceededException.class, () -> two.store().update(task, bad.set("a", 1)));
      assertThat(refusal).as("the refusal").isNotNull();
      assertThat(refusal.limitName()).isEqualTo("maxNameBytes");
      assertThat(refusal.actual()).isEqualTo(9);
    }

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
    Task longest =
        two.store()
            .update(task, change().requireInput("k".repeat(8), InputRequest.of("m".repeat(8))));
    two.assertShown(longest);
  }

  /** All questions and all answers of the life of the task count, in their stored form. */
  @Test
  final void s10_limitOfInput_holdsAtItsEdge_andNothingIsWrittenBeyondIt() {
    int limit = 400;
    TwoStores two =
        twoStores(options -> options.limits(TaskLimits.defaults().withMaxInputBytes(limit)));
    int aroundTheQuestion =
        "{'q':{'method':'m','params':{'x':''}}}".length() + "{}".length(); // no answer yet
    Task task = two.store().create(two.owner(), newTask());
    assertInputRefused(
        two, limit, task, () -> two.store().update(task, question(limit - aroundTheQuestion + 1)));
    Task fullOfQuestion = two.store().update(task, question(limit - aroundTheQuestion));
    two.assertShown(fullOfQuestion);
    assertInputBeyond(two, fullOfQuestion);

    int aroundTheAnswer = aroundTheQuestion + "'q':''".length();
    Task other = two.store().create(two.owner(), newTask());
    Task asking = two.store().update(other, question(100));
    assertInputRefused(
        two,
        limit,
        asking,
        () ->
            two.store()
                .provideInput(two.owner(), other.id(), answer(limit - aroundTheAnswer - 99)));
    Task fullOfAnswer =
        two.store().provideInput(two.owner(), other.id(), answer(limit - aroundTheAnswer - 100));
    assertThat(fullOfAnswer.status()).isEqualTo(TaskStatus.WORKING);
    two.assertShown(fullOfAnswer);
    assertInputBeyond(two, fullOfAnswer);
    // A task that is full of input goes on otherwise.
    Task completed =
        two.other().update(fullOfAnswer, change().set("a", "s".repeat(limit)).complete());
    two.assertShown(completed);
  }

  private static TaskChange question(int size) {
    return change().requireInput("q", InputRequest.of("m", Map.of("x", "s".repeat(size))));
  }

  private static Map<String, String> answer(int size) {
    return Map.of("q", "s".repeat(size));
  }

  private static void assertInputBeyond(TwoStores two, Task full) {
    TwoStores.Picture before = two.picture();
    LimitExceededException refusal =
        catchThrowableOfType(
            LimitExceededException.class,
            () ->
                two.other()
                    .update(full, change().requireInput("r", InputRequest.of("m")).set("a", 1)));
    assertThat(refusal).as("the refusal of one more question").isNotNull();
    assertThat(refusal.limitName()).isEqualTo("maxInputBytes");
    assertThat(two.picture()).as("everything after the refusal").isEqualTo(before);
  }

  private static void assertInputRefused(TwoStores two, int limit, Task task, Runnable write) {
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();
    LimitExceededException refusal = catchThrowableOfType(LimitExceededException.class, write::run);
    assertThat(refusal).as("the refusal, one byte beyond the limit").isNotNull();
    assertThat(refusal.limitName()).isEqualTo("maxInputBytes");
    assertThat(refusal.limit()).isEqualTo(limit);
    assertThat(refusal.actual()).isEqualTo(limit + 1);
    assertThat(takeWrites(two)).as("writes").isEmpty();
    assertThat(two.picture()).as("everything after the refusal").isEqualTo(before);
    two.assertShown(task);
  }

  @Test
  final void s10_answersOfAnotherStore_areSeenAfterALostRace() {
    TwoStores two = twoStores();
    Task asking =
        two.store()
            .update(two.create(), change().requireInput(Map.of("name", NAME, "size", COLOR)));
    two.backend()
        .beforeNextWrite(
            () ->
                assertThat(
                        two.other()
                            .provideInput(two.owner(), asking.id(), Map.of("name", "Alice"))
                            .version())
                    .isEqualTo(3));
    List<Map<String, Object>> seen = new ArrayList<>();

    Task updated =
        two.store()
            .update(
                asking,
                current -> {
                  seen.add(current.inputResponses().asMap());
                  return change().message("going on");
                });

    assertThat(seen).containsExactly(Map.of(), Map.of("name", "Alice"));
    assertThat(updated.inputResponses().asMap()).isEqualTo(Map.of("name", "Alice"));
    assertThat(updated.inputRequests()).isEqualTo(Map.of("size", COLOR));
    two.assertShown(updated);

    // The same for answers that lose against an answer, and against a repetition of themselves.
    two.backend()
        .beforeNextWrite(
            () -> two.other().update(updated, change().requireInput("later", NAME).set("a", 1)));
    Task answered =
        two.store().provideInput(two.owner(), asking.id(), Map.of("size", 7, "later", 8));
    assertThat(answered.variables().asMap()).isEqualTo(Map.of("a", 1L));
    assertThat(answered.inputResponses().asMap())
        .as("the winner has asked one more question")
        .isEqualTo(Map.of("name", "Alice", "size", 7L, "later", 8L));
    assertThat(answered.status()).isEqualTo(TaskStatus.WORKING);
    two.assertShown(answered);
  }

  // --- S10: ask -----------------------------------------------------------------------------

  /** Asks, and does not wait. */
  private static String askAtOnce(Puppet puppet, String key, InputRequest request)
      throws Exception {
    return puppet.answers(context -> context.ask(key, request, String.class, Duration.ZERO));
  }

  /** The task as the handler knows it. */
  static Task known(Puppet puppet) throws Exception {
    return puppet.answers(TaskContext::task);
  }

  private static void assertNoAnswer(Puppet puppet, String key, InputRequest request) {
    assertThatExceptionOfType(TimeoutException.class)
        .as("a question without an answer")
        .isThrownBy(() -> askAtOnce(puppet, key, request));
  }

  @Test
  final void s10_ask_writesTheQuestionWithWhatWasCollected_inOneWrite() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.does(context -> context.set("position", 7).progress(3, 9).message("waiting"));
    two.clock().advance(SECOND);
    two.backend().takeCalls();

    assertNoAnswer(puppet, "name", NAME);

    assertThat(takeWrites(two)).as("writes").containsExactly("putIfVersion");
    Task asking = two.other().get(two.owner(), task.id());
    assertThat(asking.version()).isEqualTo(2);
    assertThat(asking.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
    assertThat(asking.inputRequests()).as("open after the timeout").isEqualTo(Map.of("name", NAME));
    assertThat(asking.variables().asMap()).isEqualTo(Map.of("position", 7L));
    assertThat(asking.message()).contains("waiting");
    two.assertShown(asking);
    assertThat(TaskSamples.content(known(puppet)))
        .as("what the handler knows")
        .isEqualTo(TaskSamples.content(asking));
    // It can be repeated, and then writes nothing.
    assertNoAnswer(puppet, "name", NAME);
    assertThat(takeWrites(two)).as("writes of the repeated question").isEmpty();
    two.assertShown(asking);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s10_ask_givesTheAnswerThatEitherStoreWasGiven(boolean elsewhere) throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    TaskStore answerer = elsewhere ? two.other() : two.store();
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);

    Future<Map<?, ?>> answer =
        puppet.begins(context -> context.ask("name", NAME, Map.class, longerThanPatience()));
    Task asking = awaitQuestion(answerer, task);
    assertThat(asking.inputRequests()).isEqualTo(Map.of("name", NAME));
    Task answered =
        answerer.provideInput(
            two.owner(), task.id(), Map.of("name", Map.of("action", "accept", "n", 7)));

    Map<?, ?> given = puppet.await(answer);
    assertThat(given.get("action")).isEqualTo("accept");
    assertThat(given).hasSize(2);
    assertThat(answered.status()).isEqualTo(TaskStatus.WORKING);
    two.assertShown(answered);
    assertThat(TaskSamples.content(known(puppet)))
        .as("what the handler knows after the answer")
        .isEqualTo(TaskSamples.content(answered));
    puppet.ends(context -> Map.of("for", given.get("action")));
    Task completed = two.other().get(two.owner(), task.id());
    assertThat(completed.result()).contains(Map.of("for", "accept"));
    assertThat(completed.version()).isEqualTo(answered.version() + 1);
    two.assertShown(completed);
  }

  @Test
  final void s10_ask_severalQuestionsAtOnce_areAnsweredOneByOne() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    assertNoAnswer(puppet, "name", NAME);
    assertNoAnswer(puppet, "color", COLOR);
    assertThat(two.other().get(two.owner(), task.id()).inputRequests())
        .isEqualTo(Map.of("name", NAME, "color", COLOR));
    Future<String> color =
        puppet.begins(context -> context.ask("color", COLOR, String.class, longerThanPatience()));

    Task partly = two.other().provideInput(two.owner(), task.id(), Map.of("color", "red"));
    assertThat(puppet.await(color)).isEqualTo("red");
    assertThat(partly.status())
        .as("with a question that is open")
        .isEqualTo(TaskStatus.INPUT_REQUIRED);
    Task answered = two.other().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
    two.backend().takeCalls();

    assertThat(askAtOnce(puppet, "name", NAME)).isEqualTo("Alice");
    assertThat(askAtOnce(puppet, "color", COLOR)).isEqualTo("red");
    assertThat(takeWrites(two)).as("writes").isEmpty();
    two.assertShown(answered);
  }

  /** A worker dies while it waits; its successor runs the same handler from the beginning. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s10_ask_inAResumedHandler_takesUpTheQuestion(boolean isAnswered) throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet first = puppet();
    Task task = two.other().start(two.owner(), newTask(), first, first);
    assertNoAnswer(first, "name", NAME);
    if (isAnswered) {
      Task unused = two.store().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
    }
    two.clock().advance(LEASE);
    Puppet second = puppet();
    Task resumed = two.store().resume(two.owner(), task.id(), second, second).orElseThrow();
    two.backend().takeCalls();

    if (isAnswered) {
      assertThat(askAtOnce(second, "name", NAME)).isEqualTo("Alice");
      assertThat(two.backend().takeCalls()).as("calls").doesNotContainAnyElementsOf(WRITES);
    } else {
      assertNoAnswer(second, "name", NAME);
      assertThat(takeWrites(two)).as("writes of a question that is open").isEmpty();
      two.assertShown(resumed);
      Future<String> answer =
          second.begins(context -> context.ask("name", NAME, String.class, longerThanPatience()));
      Task unused = two.other().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
      assertThat(second.await(answer)).isEqualTo("Alice");
      assertThat(takeWrites(two)).as("writes of the waiting").isEmpty();
    }
    Task now = two.other().get(two.owner(), task.id());
    assertThat(now.inputRequests()).isEmpty();
    assertThat(now.inputResponses().asMap()).isEqualTo(Map.of("name", "Alice"));
    assertThat(now.status()).isEqualTo(TaskStatus.WORKING);
  }

  @Test
  final void s10_ask_withWhatWasCollected_writesThatAndNotTheQuestionAgain() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    assertNoAnswer(puppet, "name", NAME);
    puppet.does(context -> context.set("position", 8));
    two.backend().takeCalls();

    assertNoAnswer(puppet, "name", NAME);

    assertThat(takeWrites(two)).as("writes").containsExactly("putIfVersion");
    Task asking = two.other().get(two.owner(), task.id());
    assertThat(asking.variables().asMap()).isEqualTo(Map.of("position", 8L));
    assertThat(asking.inputRequests()).isEqualTo(Map.of("name", NAME));
    two.assertShown(asking);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s10_ask_usedKeyWithAnotherQuestion_isRefusedAndNothingIsWritten(boolean isAnswered)
      throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    assertNoAnswer(puppet, "name", NAME);
    if (isAnswered) {
      Task unused = two.store().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
    }
    puppet.does(context -> context.set("position", 8));
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();

    for (InputRequest another :
        List.of(
            COLOR,
            InputRequest.of("elicitation/create", Map.of("message", "Who?")),
            InputRequest.of("sampling/createMessage", NAME.params().orElseThrow()))) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> askAtOnce(puppet, "name", another))
          .satisfies(e -> assertThat(e.what()).contains("\"name\""));
    }

    assertThat(takeWrites(two)).as("writes").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
    // The handler goes on, with what it has collected.
    puppet.does(TaskContext::flush);
    Task flushed = two.other().get(two.owner(), task.id());
    assertThat(flushed.variables().asMap()).isEqualTo(Map.of("position", 8L));
    two.assertShown(flushed);
  }

  @Test
  final void s10_ask_keyThatAnotherStoreHasUsedMeanwhile_isRefused() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    Task asked = two.other().update(task, change().requireInput("name", COLOR));

    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> askAtOnce(puppet, "name", NAME));

    two.assertShown(asked);
    // The same question is taken up as one of one's own is.
    assertNoAnswer(puppet, "name", COLOR);
    assertThat(two.other().get(two.owner(), task.id()).inputRequests())
        .isEqualTo(Map.of("name", COLOR));
  }

  @Test
  final void s10_ask_answerOfAnotherClass_isAConversionFailureAndStays() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    assertNoAnswer(puppet, "name", NAME);
    Task answered = two.other().provideInput(two.owner(), task.id(), Map.of("name", List.of(1)));

    assertThatExceptionOfType(ValueConversionException.class)
        .isThrownBy(
            () ->
                puppet.does(
                    context -> {
                      Instant unused =
                          context.ask("name", NAME, Instant.class, Duration.ofSeconds(1));
                    }));

    two.assertShown(answered);
    List<?> list = puppet.answers(context -> context.ask("name", NAME, List.class, Duration.ZERO));
    assertThat(list).isEqualTo(List.of(1));
  }

  /** What may happen to a task while its handler waits for an answer. */
  private enum Meanwhile {
    CANCEL_REQUEST(CancellationException.class),
    CANCELLATION(TaskEndedException.class),
    COMPLETION(TaskEndedException.class),
    DELETION(TaskNotFoundException.class),
    LOSS_OF_THE_LEASE(LeaseLostException.class);

    private final Class<? extends Exception> failure;

    Meanwhile(Class<? extends Exception> failure) {
      this.failure = failure;
    }
  }

  @ParameterizedTest
  @EnumSource(Meanwhile.class)
  final void s10_ask_whatHappensElsewhereMeanwhile_endsTheWaiting(Meanwhile meanwhile)
      throws Exception {
    assertWaitingEnds(meanwhile, true);
  }

  @ParameterizedTest
  @EnumSource(Meanwhile.class)
  final void s10_ask_whatHappensHereMeanwhile_endsTheWaiting(Meanwhile meanwhile) throws Exception {
    assertWaitingEnds(meanwhile, false);
  }

  private void assertWaitingEnds(Meanwhile meanwhile, boolean elsewhere) throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    TaskStore meddler = elsewhere ? two.other() : two.store();
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    Future<String> answer =
        puppet.begins(context -> context.ask("name", NAME, String.class, longerThanPatience()));
    Task asking = awaitQuestion(meddler, task);
    assertThat(asking.version()).isEqualTo(2);
    Puppet successor = puppet();

    Optional<Task> after =
        switch (meanwhile) {
          case CANCEL_REQUEST -> Optional.of(meddler.requestCancel(two.owner(), task.id()));
          case CANCELLATION -> Optional.of(meddler.cancel(two.owner(), task.id()));
          case COMPLETION ->
              Optional.of(meddler.update(asking, change().complete(Map.of("by", "another"))));
          case DELETION -> {
            meddler.delete(two.owner(), task.id());
            yield Optional.empty();
          }
          case LOSS_OF_THE_LEASE -> {
            two.clock().advance(LEASE);
            yield Optional.of(
                meddler.resume(two.owner(), task.id(), successor, successor).orElseThrow());
          }
        };

    assertThatExceptionOfType(meanwhile.failure)
        .isThrownBy(() -> puppet.await(answer))
        .satisfies(
            e -> {
              if (e instanceof TaskEndedException ended) {
                assertThat(TaskSamples.content(ended.task()))
                    .as("the task that the exception carries")
                    .isEqualTo(TaskSamples.content(after.orElseThrow()));
              }
            });

    after.ifPresentOrElse(two::assertShown, () -> two.assertGone(task));
    two.backend().takeCalls();
    if (meanwhile == Meanwhile.CANCEL_REQUEST) {
      assertThat(after.orElseThrow().inputRequests()).isEqualTo(Map.of("name", NAME));
      puppet.ends(
          context -> {
            context.throwIfCancelled();
            return null;
          });
      Task cancelled = two.other().get(two.owner(), task.id());
      assertThat(cancelled.status()).isEqualTo(TaskStatus.CANCELLED);
      assertThat(cancelled.inputRequests()).isEmpty();
      return;
    }
    assertThatExceptionOfType(meanwhile.failure)
        .as("the next report")
        .isThrownBy(() -> puppet.does(context -> context.set("late", true)));
    puppet.ends(context -> Map.of("late", true));
    assertThat(takeWrites(two)).as("writes of the handler afterwards").isEmpty();
    after.ifPresentOrElse(two::assertShown, () -> two.assertGone(task));
  }

  @Test
  final void s10_ask_interrupted_leavesTheQuestionAndATaskThatCanBeResumed() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), newTask(), puppet, puppet);
    puppet.endsWith(
        context -> {
          TaskContext unused = context.set("position", 7);
          return context.ask("name", NAME, String.class, longerThanPatience());
        });
    Task asking = awaitQuestion(two.other(), task);

    puppet.interrupt();
    puppet.awaitEnd();

    Task left = two.other().get(two.owner(), task.id());
    assertThat(left.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
    assertThat(left.inputRequests()).isEqualTo(Map.of("name", NAME));
    assertThat(left.variables().asMap()).isEqualTo(Map.of("position", 7L));
    assertThat(left.worker()).as("the lease that was given back").isEmpty();
    assertThat(left.version()).isEqualTo(asking.version() + 1);
    two.assertShown(left);
    Puppet successor = puppet();
    Task resumed = two.other().resume(two.owner(), task.id(), successor, successor).orElseThrow();
    assertThat(resumed.inputRequests()).isEqualTo(Map.of("name", NAME));
    Task unused = two.store().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
    assertThat(askAtOnce(successor, "name", NAME)).isEqualTo("Alice");
  }

  @Test
  final void s10_ask_timeout_leavesTheQuestionOpenForLater() throws Exception {
    TwoStores two = twoStores(TaskInputStatements::quiet);
    Puppet puppet = puppet();
    Task task = two.store().start(two.owner(), NewTask.of("work"), puppet, puppet);

    for (Duration timeout : List.of(Duration.ofMillis(30), Duration.ZERO, Duration.ofSeconds(-1))) {
      assertThatExceptionOfType(TimeoutException.class)
          .as("a question with the timeout %s", timeout)
          .isThrownBy(
              () ->
                  puppet.does(
                      context -> {
                        String unused = context.ask("name", NAME, String.class, timeout);
                      }));
    }

    Task asking = two.other().get(two.owner(), task.id());
    assertThat(asking.version()).isEqualTo(2);
    assertThat(asking.inputRequests()).isEqualTo(Map.of("name", NAME));
    assertThat(asking.worker()).as("the worker goes on").isEqualTo(task.worker());
    Task unused = two.other().provideInput(two.owner(), task.id(), Map.of("name", "Alice"));
    assertThat(askAtOnce(puppet, "name", NAME)).isEqualTo("Alice");
  }
}
