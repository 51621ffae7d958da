// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class GenericTaskStoreTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final Duration MILLISECOND = Duration.ofMillis(1);

  private final MovableClock clock = new MovableClock();
  private final MapBackend backend = new MapBackend();
  private final GenericTaskStore store = builder().build();

  private GenericTaskStore.Builder builder() {
    return GenericTaskStore.builder(backend).clock(clock).timing(new VirtualTiming());
  }

  private static RecordKey key(Task task) {
    return new RecordKey("t" + task.owner().storedForm(), task.id());
  }

  private String storedText(Task task) {
    return new String(
        backend.get(key(task)).orElseThrow().value().data().toByteArray(), StandardCharsets.UTF_8);
  }

  @Nested
  class Creating {
    @Test
    void create_defaults_areStoredAndReturned() {
      Task task = store.create(ALICE, NewTask.of("digest"));

      assertThat(task.id()).hasSize(TaskIds.LENGTH);
      assertThat(task.owner()).isEqualTo(ALICE);
      assertThat(task.status()).isEqualTo(TaskStatus.WORKING);
      assertThat(task.method()).isEqualTo("digest");
      assertThat(task.version()).isEqualTo(1);
      assertThat(task.createdAt()).isEqualTo(clock.instant());
      assertThat(task.updatedAt()).isEqualTo(clock.instant());
      assertThat(task.ttl()).contains(Duration.ofHours(1));
      assertThat(task.expiresAt()).contains(clock.instant().plus(Duration.ofHours(1)));
      assertThat(task.pollInterval()).isEqualTo(Duration.ofSeconds(1));
      assertThat(task.message()).isEmpty();
      assertThat(task.progress()).isEmpty();
      assertThat(task.params()).isEmpty();
      assertThat(task.result()).isEmpty();
      assertThat(task.error()).isEmpty();
      assertThat(task.variables().isEmpty()).isTrue();
      assertThat(task.isCancelRequested()).isFalse();
      assertSame(store.get(ALICE, task.id()), task);
    }

    @Test
    void create_everything_isStoredAndReturned() {
      record Args(String folder, List<String> patterns) {}
      Task task =
          store.create(
              ALICE,
              NewTask.of("digest", new Args("/data", List.of("*.txt")))
                  .ttl(Duration.ofHours(6))
                  .pollInterval(Duration.ofMillis(250))
                  .message("waiting")
                  .progress(Progress.of(0, 9))
                  .set("position", "a.txt")
                  .variables(Map.of("count", 1.0)));

      Task read = store.get(ALICE, task.id());
      assertSame(read, task);
      assertThat(read.params(Args.class)).contains(new Args("/data", List.of("*.txt")));
      assertThat(read.params().orElseThrow())
          .isEqualTo(Map.of("folder", "/data", "patterns", List.of("*.txt")));
      assertThat(read.ttl()).contains(Duration.ofHours(6));
      assertThat(read.pollInterval()).isEqualTo(Duration.ofMillis(250));
      assertThat(read.message()).contains("waiting");
      assertThat(read.progress()).contains(Progress.of(0, 9));
      assertThat(read.variables().asMap()).isEqualTo(Map.of("position", "a.txt", "count", 1L));
    }

    @Test
    void create_idsOfLaterTasks_areGreater() {
      String previous = "";
      for (int i = 0; i < 100; i++) {
        clock.advance(MILLISECOND);
        String id = store.create(ALICE, NewTask.of("m").ttl(Duration.ofMillis(50))).id();
        assertThat(id).isGreaterThan(previous);
        previous = id;
      }
    }

    @Test
    void create_idIsTaken_takesAnother() {
      GenericTaskStore first = builder().randomness(new Random(1)).build();
      GenericTaskStore second = builder().randomness(new Random(1)).build();

      Task one = first.create(ALICE, NewTask.of("m"));
      Task two = second.create(ALICE, NewTask.of("m"));

      assertThat(two.id()).isNotEqualTo(one.id());
      assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks())
          .containsExactlyInAnyOrder(one, two);
    }

    @Test
    void create_randomnessKeepsRepeating_isRefused() {
      GenericTaskStore broken = builder().randomness(() -> 7L).build();
      broken.create(ALICE, NewTask.of("m"));

      TaskStorageException e =
          catchThrowableOfType(
              TaskStorageException.class, () -> broken.create(ALICE, NewTask.of("m")));

      assertThat(e.isRetryable()).isFalse();
      assertThat(e.isOutcomeUnknown()).isFalse();
      assertThat(backend.everything()).hasSize(1);
    }

    @Test
    void create_limitReached_isRefusedUntilOneFinishesOrExpires() {
      GenericTaskStore small = builder().maxActiveTasks(2).build();
      Task first = small.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
      small.create(ALICE, NewTask.of("m"));

      assertThatExceptionOfType(TaskLimitException.class)
          .isThrownBy(() -> small.create(ALICE, NewTask.of("m")))
          .satisfies(e -> assertThat(e.limit()).isEqualTo(2));
      assertThat(backend.everything()).hasSize(2);
      small.create(Owner.subject("bob"), NewTask.of("m"));

      small.update(first, change().complete());
      Task third = small.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
      assertThatExceptionOfType(TaskLimitException.class)
          .isThrownBy(() -> small.create(ALICE, NewTask.of("m")));

      clock.advance(Duration.ofMinutes(1));
      assertThat(third.expiresAt()).contains(clock.instant());
      small.create(ALICE, NewTask.of("m"));
    }

    @Test
    void create_tooLargeForTheBackend_isRefusedAndNothingIsWritten() {
      GenericTaskStore tiny = GenericTaskStore.over(new MapBackend(4_096));

      assertThatExceptionOfType(LimitExceededException.class)
          .isThrownBy(() -> tiny.create(ALICE, NewTask.of("m").set("x", "y".repeat(3_900))));
      assertThat(tiny.list(ALICE, TaskQuery.newestFirst()).tasks()).isEmpty();
    }
  }

  /** S1, S2, S3: the life of a task. */
  @Nested
  class StateMachine {
    static Stream<BiFunction<TaskStore, Task, Task>> writers() {
      return Stream.of(
          (store, task) -> store.update(task, change()),
          (store, task) -> store.update(task, change().message("late")),
          (store, task) -> store.update(task, change().clearMessage()),
          (store, task) -> store.update(task, change().progress(1, 2)),
          (store, task) -> store.update(task, change().set("late", 1)),
          (store, task) -> store.update(task, change().remove("late")),
          (store, task) -> store.update(task, change().ttl(Duration.ofHours(2))),
          (store, task) -> store.update(task, change().pollInterval(Duration.ofSeconds(9))),
          (store, task) -> store.update(task, change().complete(Map.of("late", 1))),
          (store, task) -> store.update(task, change().fail("late")),
          (store, task) -> store.update(task, change().failWithResult(Map.of("late", 1), null)),
          (store, task) -> store.update(task, t -> change().message("late")),
          (store, task) -> store.update(task.owner(), task.id(), change().message("late")),
          (store, task) -> store.update(task.owner(), task.id(), t -> change().set("late", 1)),
          (store, task) ->
              store.update(task.owner(), task.id(), task.version(), change().message("late")),
          (store, task) -> store.update(task.owner(), task.id(), 99, change().message("late")),
          (store, task) -> store.cancel(task.owner(), task.id()));
    }

    @ParameterizedTest
    @MethodSource("writers")
    void finished_everyWriter_isRefusedWithTheTaskAsItStands(
        BiFunction<TaskStore, Task, Task> writer) {
      for (TaskStatus end :
          List.of(TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED)) {
        Task working = store.create(ALICE, NewTask.of("m"));
        Task ended = store.update(working, ending(end));
        String before = storedText(ended);

        for (Task inHand : List.of(working, ended)) {
          assertThatExceptionOfType(TaskEndedException.class)
              .isThrownBy(() -> writer.apply(store, inHand))
              .satisfies(e -> assertSame(e.task(), ended));
        }

        assertThat(storedText(ended)).isEqualTo(before);
        assertThat(backend.get(key(ended)).orElseThrow().version()).isEqualTo(2);
      }
    }

    private TaskChange ending(TaskStatus status) {
      return switch (status) {
        case COMPLETED -> change().complete(Map.of("files", 3));
        case FAILED -> change().fail(TaskError.of(-32_000, "broken").withData(List.of(1, 2)));
        case CANCELLED -> change().cancel();
        case WORKING, INPUT_REQUIRED -> throw new IllegalArgumentException(status.name());
      };
    }

    @ParameterizedTest
    @EnumSource(
        value = TaskStatus.class,
        names = {"COMPLETED", "FAILED", "CANCELLED"})
    void unfinished_fromBothStatuses_reachesEveryEnd(TaskStatus end) {
      Task working = store.create(ALICE, NewTask.of("m"));
      Task waiting = asInputRequired(store.create(ALICE, NewTask.of("m")));

      assertThat(store.update(working, ending(end)).status()).isEqualTo(end);
      assertThat(store.update(waiting, ending(end)).status()).isEqualTo(end);
    }

    @Test
    void inputRequired_changesInsideOfTheStatus_keepIt() {
      Task waiting = asInputRequired(store.create(ALICE, NewTask.of("m")));

      Task changed = store.update(waiting, change().message("still here").set("a", 1));

      assertThat(changed.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
      assertThat(store.list(ALICE, TaskQuery.newestFirst().activeOnly()).tasks())
          .containsExactly(changed);
    }

    /** Puts a task into the status by writing the record as another release would. */
    private Task asInputRequired(Task task) {
      String text = storedText(task).replace("\"working\"", "\"input_required\"");
      backend.overwriteData(key(task), text.getBytes(StandardCharsets.UTF_8));
      Task read = store.get(ALICE, task.id());
      assertThat(read.status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
      return read;
    }

    @Test
    void complete_statusAndResult_areOneWrite() {
      Task task = store.create(ALICE, NewTask.of("m"));

      Task done = store.update(task, change().complete(Map.of("files", 3)).set("a", 1));

      assertThat(done.version()).isEqualTo(2);
      assertThat(done.isTerminal()).isTrue();
      assertThat(done.result()).contains(Map.of("files", 3L));
      assertThat(done.error()).isEmpty();
      assertThat(done.variables().integer("a")).hasValue(1);
      assertThat(backend.get(key(task)).orElseThrow().value().active()).isFalse();
      assertSame(store.get(ALICE, task.id()), done);
    }

    @Test
    void fail_errorWithResult_keepsBoth() {
      Task task = store.create(ALICE, NewTask.of("m"));

      Task failed =
          store.update(
              task,
              change()
                  .failWithResult(
                      Map.of("isError", true), TaskError.of(7, "seven").withData(Map.of("a", 1))));

      Task read = store.get(ALICE, failed.id());
      assertThat(read.status()).isEqualTo(TaskStatus.FAILED);
      assertThat(read.result()).contains(Map.of("isError", true));
      assertThat(read.error()).contains(TaskError.of(7, "seven").withData(Map.of("a", 1L)));
    }

    @Test
    void repeat_ofTheSameEnding_isSuccessWithoutAWrite() {
      Task task = store.create(ALICE, NewTask.of("m"));
      TaskChange completion =
          change().complete(Map.of("files", 3, "bytes", 4.0)).set("a", 1).message("done");
      Task done = store.update(task, completion);

      assertThat(store.update(task, completion)).isEqualTo(done);
      assertThat(store.update(done, completion)).isEqualTo(done);
      assertThat(store.update(ALICE, task.id(), completion)).isEqualTo(done);
      assertThat(store.update(ALICE, task.id(), 1, completion)).isEqualTo(done);
      assertThat(store.update(done, change().complete(Map.of("bytes", 4, "files", 3))))
          .isEqualTo(done);
      assertThat(backend.get(key(task)).orElseThrow().version()).isEqualTo(2);
    }

    @Test
    void repeat_ofEveryPart_isSuccessWithoutAWrite() {
      Task task = store.create(ALICE, NewTask.of("m").message("first"));
      TaskChange completion =
          change()
              .complete()
              .clearMessage()
              .progress(2, 2)
              .remove("never")
              .ttl(Duration.ofHours(2))
              .pollInterval(Duration.ofSeconds(2));
      Task done = store.update(task, completion);

      assertThat(store.update(done, completion)).isEqualTo(done);
      assertThat(store.update(task, completion)).isEqualTo(done);
      assertThat(backend.get(key(task)).orElseThrow().version()).isEqualTo(2);
    }

    @Test
    void repeat_withTimesFinerThanMilliseconds_isSuccess() {
      Task task = store.create(ALICE, NewTask.of("m"));
      Duration nanos = Duration.ofSeconds(2).plusNanos(999_999);
      for (TaskChange completion :
          List.of(change().complete().ttl(nanos), change().complete().pollInterval(nanos))) {
        Task working = store.create(ALICE, NewTask.of("m"));
        Task done = store.update(working, completion);

        assertThat(store.update(done, completion)).isEqualTo(done);
      }
      assertThat(store.get(ALICE, task.id())).isEqualTo(task);
    }

    @Test
    void repeat_withTimesThatNoTaskCanHave_isRefusedAsAnyDifference() {
      Task done = store.update(store.create(ALICE, NewTask.of("m")), change().complete());

      for (Duration bad : List.of(Duration.ofSeconds(Long.MIN_VALUE), Duration.ofNanos(-1))) {
        assertThatExceptionOfType(TaskEndedException.class)
            .isThrownBy(() -> store.update(done, change().complete().ttl(bad)));
      }
      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(
              () ->
                  store.update(
                      done, change().complete().ttl(Duration.ofSeconds(Long.MAX_VALUE, 999))));
    }

    @Test
    void repeat_withoutTtl_isSuccessWhereThereIsNone() {
      GenericTaskStore unlimited = builder().allowUnlimitedTtl().build();
      Task forever = unlimited.create(ALICE, NewTask.of("m").unlimitedTtl());
      TaskChange completion = change().unlimitedTtl().complete();
      Task done = unlimited.update(forever, completion);

      assertThat(unlimited.update(done, completion)).isEqualTo(done);
    }

    static Stream<TaskChange> nearlyTheSame() {
      return Stream.of(
          change().complete(Map.of("files", 4)),
          change().complete(),
          change().fail("broken"),
          change().failWithResult(Map.of("files", 3), null),
          change().complete(Map.of("files", 3)).set("a", 2),
          change().complete(Map.of("files", 3)).set("b", 1),
          change().complete(Map.of("files", 3)).remove("a"),
          change().complete(Map.of("files", 3)).message("other"),
          change().complete(Map.of("files", 3)).clearMessage(),
          change().complete(Map.of("files", 3)).progress(1, 2),
          change().complete(Map.of("files", 3)).ttl(Duration.ofHours(2)),
          change().complete(Map.of("files", 3)).unlimitedTtl(),
          change().complete(Map.of("files", 3)).pollInterval(Duration.ofSeconds(2)));
    }

    @ParameterizedTest
    @MethodSource("nearlyTheSame")
    void repeat_withAnyDifference_isRefused(TaskChange different) {
      Task task = store.create(ALICE, NewTask.of("m"));
      Task done =
          store.update(task, change().complete(Map.of("files", 3)).set("a", 1).message("done"));

      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(() -> store.update(done, different));
    }

    @Test
    void cancel_lateCompletion_losesAndIsToldWhatWon() {
      Task task = store.create(ALICE, NewTask.of("m"));
      Task cancelled = store.cancel(ALICE, task.id());

      assertThat(cancelled.status()).isEqualTo(TaskStatus.CANCELLED);
      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(() -> store.update(task, change().complete(Map.of("files", 3))))
          .satisfies(e -> assertThat(e.task()).isEqualTo(cancelled));
      assertThat(store.get(ALICE, task.id()).result()).isEmpty();
    }

    @Test
    void cancel_cancelledAlready_isRefused() {
      Task task = store.create(ALICE, NewTask.of("m"));
      store.cancel(ALICE, task.id());

      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(() -> store.cancel(ALICE, task.id()));
    }

    @Test
    void requestCancel_workingTask_isRecordedOnce() {
      Task task = store.create(ALICE, NewTask.of("m"));
      clock.advance(Duration.ofSeconds(5));
      Task asked = store.requestCancel(ALICE, task.id());
      clock.advance(Duration.ofSeconds(5));
      Task again = store.requestCancel(ALICE, task.id());

      assertThat(asked.isCancelRequested()).isTrue();
      assertThat(asked.status()).isEqualTo(TaskStatus.WORKING);
      assertThat(asked.cancelRequestedAt()).contains(clock.instant().minusSeconds(5));
      assertThat(again).isEqualTo(asked);
      assertThat(store.update(task, change().message("stopping")).isCancelRequested()).isTrue();
      assertThat(store.update(ALICE, task.id(), change().complete()).status())
          .isEqualTo(TaskStatus.COMPLETED);
    }

    @Test
    void requestCancel_movesTheTimeOfTheLastUpdate_neverBack() {
      Task task = store.create(ALICE, NewTask.of("m"));
      clock.advance(Duration.ofSeconds(5));
      assertThat(store.requestCancel(ALICE, task.id()).updatedAt()).isEqualTo(clock.instant());

      Task other = store.create(ALICE, NewTask.of("m"));
      clock.advance(Duration.ofSeconds(-30));
      Task asked = store.requestCancel(ALICE, other.id());

      assertThat(asked.updatedAt()).isEqualTo(other.updatedAt());
      assertThat(asked.cancelRequestedAt()).contains(clock.instant());
    }

    @Test
    void requestCancel_finishedTask_doesNothing() {
      Task task = store.create(ALICE, NewTask.of("m"));
      Task done = store.update(task, change().complete());

      assertSame(store.requestCancel(ALICE, task.id()), done);
    }
  }

  /** S4: nobody learns anything of another owner's tasks. */
  @Nested
  class Isolation {
    private final List<Owner> owners =
        List.of(
            Owner.subject("a"),
            Owner.subject("a:b"),
            Owner.subject("a:"),
            Owner.subject("s:a"),
            Owner.subject("a#b"),
            Owner.subject("a/b"),
            Owner.subject("a*"),
            Owner.subject("{a}"),
            Owner.subject("owner1"),
            Owner.subject("owner10"),
            Owner.subject("A"),
            Owner.subject("\u00e9"),
            Owner.subject("e\u0301"),
            Owner.subject("\ud83d\ude00"),
            Owner.subject("x".repeat(1_000)),
            Owner.subject("x".repeat(999)),
            Owner.client("a"),
            Owner.session("a"),
            Owner.local());
    private final GenericTaskStore shared =
        builder().allowLocalOwner(true).maxActiveTasks(3).build();

    static Stream<BiFunction<TaskStore, OwnerAndId, Object>> operations() {
      return Stream.of(
          (store, at) -> store.get(at.owner(), at.id()),
          (store, at) -> store.update(at.owner(), at.id(), change().message("x")),
          (store, at) -> store.update(at.owner(), at.id(), t -> change().message("x")),
          (store, at) -> store.update(at.owner(), at.id(), 1, change().message("x")),
          (store, at) -> store.cancel(at.owner(), at.id()),
          (store, at) -> store.requestCancel(at.owner(), at.id()),
          (store, at) -> {
            store.delete(at.owner(), at.id());
            return "deleted";
          });
    }

    record OwnerAndId(Owner owner, String id) {}

    @ParameterizedTest
    @MethodSource("operations")
    void foreignExpiredDeletedAndMissing_giveTheSameError(
        BiFunction<TaskStore, OwnerAndId, Object> operation) {
      for (Owner owner : owners) {
        Task task = shared.create(owner, NewTask.of("m").ttl(Duration.ofMinutes(1)));
        String expected =
            "No task \"%s\": it does not exist, has expired, was deleted, or belongs to another owner"
                .formatted(task.id());
        for (Owner other : owners) {
          if (!other.equals(owner)) {
            assertThatThrownBy(() -> operation.apply(shared, new OwnerAndId(other, task.id())))
                .isExactlyInstanceOf(TaskNotFoundException.class)
                .hasMessage(expected)
                .hasNoCause();
          }
        }
        assertThat(backend.get(key(task)).orElseThrow().version()).isEqualTo(1);
        clock.advance(Duration.ofMinutes(1));
        assertThatThrownBy(() -> operation.apply(shared, new OwnerAndId(owner, task.id())))
            .isExactlyInstanceOf(TaskNotFoundException.class)
            .hasMessage(expected);
        backend.purgeExpired(clock.instant(), 10);
        assertThatThrownBy(() -> operation.apply(shared, new OwnerAndId(owner, task.id())))
            .isExactlyInstanceOf(TaskNotFoundException.class)
            .hasMessage(expected);
      }
    }

    @ParameterizedTest
    @MethodSource("operations")
    void impossibleIds_areJustNotFound(BiFunction<TaskStore, OwnerAndId, Object> operation) {
      for (String id : List.of("", "\ud800", "x".repeat(513), "../../etc/passwd", "nope\n")) {
        assertThatThrownBy(() -> operation.apply(shared, new OwnerAndId(ALICE, id)))
            .isExactlyInstanceOf(TaskNotFoundException.class)
            .message()
            .hasSizeLessThan(300)
            .doesNotContain("\n");
      }
    }

    @Test
    void everyOwner_listsAndCountsOnlyItsOwn() {
      for (Owner owner : owners) {
        for (int i = 0; i < 3; i++) {
          shared.create(owner, NewTask.of("m"));
        }
      }
      for (Owner owner : owners) {
        assertThat(shared.list(owner, TaskQuery.newestFirst()).tasks())
            .hasSize(3)
            .allSatisfy(task -> assertThat(task.owner()).isEqualTo(owner));
        assertThat(shared.list(owner, TaskQuery.oldestFirst().activeOnly()).tasks()).hasSize(3);
        assertThatExceptionOfType(TaskLimitException.class)
            .isThrownBy(() -> shared.create(owner, NewTask.of("m")));
      }
    }

    @Test
    void local_notAllowed_isRefusedEverywhere() {
      assertThatExceptionOfType(OwnerNotAllowedException.class)
          .isThrownBy(() -> store.create(Owner.local(), NewTask.of("m")));
      assertThatExceptionOfType(OwnerNotAllowedException.class)
          .isThrownBy(() -> store.list(Owner.local(), TaskQuery.newestFirst()));
      Task local = shared.create(Owner.local(), NewTask.of("m"));
      assertThatExceptionOfType(OwnerNotAllowedException.class)
          .isThrownBy(() -> store.update(local, change().message("x")));
      operations()
          .forEach(
              operation ->
                  assertThatExceptionOfType(OwnerNotAllowedException.class)
                      .isThrownBy(
                          () -> operation.apply(store, new OwnerAndId(Owner.local(), local.id()))));
    }

    @Test
    void recordsMixedUp_contentOfAnotherOwner_isNotShown() {
      Task mine = store.create(ALICE, NewTask.of("m"));
      Task other = store.create(Owner.subject("bob"), NewTask.of("secret"));
      backend.overwriteData(key(mine), storedText(other).getBytes(StandardCharsets.UTF_8));

      assertThatExceptionOfType(TaskUnreadableException.class)
          .isThrownBy(() -> store.get(ALICE, mine.id()))
          .withMessageContaining("another task")
          .satisfies(e -> assertThat(e.getMessage()).doesNotContain("secret", "bob", other.id()));
      assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks()).isEmpty();
    }

    @Test
    void recordsMixedUp_ownerOrIdAlone_isEnough() {
      GenericTaskStore twin = builder().randomness(new Random(3)).build();
      GenericTaskStore sameIds = builder().randomness(new Random(3)).build();
      Task mine = twin.create(ALICE, NewTask.of("m"));
      Task sameId = sameIds.create(Owner.subject("bob"), NewTask.of("secret"));
      Task sameOwner = twin.create(ALICE, NewTask.of("secret"));
      assertThat(sameId.id()).isEqualTo(mine.id());

      for (Task wrong : List.of(sameId, sameOwner)) {
        backend.overwriteData(key(mine), storedText(wrong).getBytes(StandardCharsets.UTF_8));

        assertThatExceptionOfType(TaskUnreadableException.class)
            .isThrownBy(() -> store.get(ALICE, mine.id()))
            .withMessageContaining("another task");
        assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks()).containsExactly(sameOwner);
      }
    }
  }

  /** S8: life times. */
  @Nested
  class Lifetimes {
    @Test
    void ttl_visibleOneMillisecondBefore_goneAtTheInstant() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(5)));
      clock.advance(Duration.ofMinutes(5).minus(MILLISECOND));
      assertThat(store.get(ALICE, task.id())).isEqualTo(task);
      assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks()).containsExactly(task);

      clock.advance(MILLISECOND);

      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.get(ALICE, task.id()));
      assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks()).isEmpty();
      assertThat(store.list(ALICE, TaskQuery.newestFirst().activeOnly()).tasks()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"PT0S", "PT-1S", "PT0.000999999S", "PT24H0.001S", "PT2562047788015215H30M7.9S"})
    void ttl_outOfBounds_isRefused(Duration ttl) {
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> store.create(ALICE, NewTask.of("m").ttl(ttl)))
          .satisfies(e -> assertThat(e.duration()).contains(ttl))
          .satisfies(e -> assertThat(e.what()).isEqualTo("ttl"));
      assertThat(backend.everything()).isEmpty();

      Task task = store.create(ALICE, NewTask.of("m"));
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> store.update(task, change().ttl(ttl)));
      assertThat(backend.get(key(task)).orElseThrow().version()).isEqualTo(1);
    }

    @ParameterizedTest
    @CsvSource({"PT0S", "PT-1S", "PT24H0.001S", "PT2562047788015215H30M7.9S"})
    void pollInterval_outOfBounds_isRefused(Duration interval) {
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> store.create(ALICE, NewTask.of("m").pollInterval(interval)));
      Task task = store.create(ALICE, NewTask.of("m"));
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> store.update(task, change().pollInterval(interval)));
    }

    @Test
    void ttl_unlimited_isRefusedUnlessTheMaximumIs() {
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> store.create(ALICE, NewTask.of("m").unlimitedTtl()))
          .satisfies(e -> assertThat(e.duration()).isEmpty());
      GenericTaskStore unlimited = builder().allowUnlimitedTtl().build();

      Task byDefault = unlimited.create(ALICE, NewTask.of("m"));
      Task forever = unlimited.create(ALICE, NewTask.of("m").unlimitedTtl());
      assertThat(byDefault.ttl()).contains(Duration.ofHours(1));
      assertThat(forever.ttl()).isEmpty();
      assertThat(forever.expiresAt()).isEmpty();
      Task later = unlimited.update(byDefault, change().unlimitedTtl());
      assertThat(later.expiresAt()).isEmpty();

      clock.advance(Duration.ofDays(36_000));
      assertThat(unlimited.get(ALICE, forever.id())).isEqualTo(forever);
      Task done = unlimited.update(forever, change().complete());
      assertThat(done.expiresAt()).isEmpty();
    }

    @Test
    void ttl_changed_countsFromCreation() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(10)));
      clock.advance(Duration.ofMinutes(5));

      Task longer = store.update(task, change().ttl(Duration.ofMinutes(20)));
      assertThat(longer.expiresAt()).contains(task.createdAt().plus(Duration.ofMinutes(20)));
      Task shorter = store.update(longer, change().ttl(Duration.ofMinutes(6)));
      assertThat(shorter.expiresAt()).contains(task.createdAt().plus(Duration.ofMinutes(6)));
      assertThat(shorter.ttl()).contains(Duration.ofMinutes(6));

      clock.advance(Duration.ofMinutes(1));
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.get(ALICE, task.id()));
    }

    @Test
    void ttl_nanoseconds_areDropped() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofNanos(1_999_999)));

      assertThat(task.ttl()).contains(MILLISECOND);
      assertThat(task.expiresAt()).contains(task.createdAt().plus(MILLISECOND));
    }

    @Test
    void clock_withNanoseconds_isReadInMilliseconds() {
      clock.set(Instant.parse("2026-01-01T00:00:00.123456789Z"));

      Task task = store.create(ALICE, NewTask.of("m"));

      assertThat(task.createdAt()).isEqualTo(Instant.parse("2026-01-01T00:00:00.123Z"));
      assertSame(store.get(ALICE, task.id()), task);
    }

    @ParameterizedTest
    @CsvSource({
      // ttl, finished after, kept until after creation
      "PT1H, PT10M, PT1H",
      "PT1H, PT59M, PT1H9M",
      "PT24H, PT23H59M, PT24H",
      "PT23H55M, PT23H54M, PT24H",
    })
    void keepResultFor_movesTheExpiryButNotBeyondTheMaximum(
        Duration ttl, Duration finishedAfter, Duration keptUntil) {
      Task task = store.create(ALICE, NewTask.of("m").ttl(ttl));
      clock.advance(finishedAfter);

      Task done = store.update(task, change().complete());

      assertThat(done.expiresAt()).contains(task.createdAt().plus(keptUntil));
      assertThat(done.ttl()).contains(ttl);
      assertSame(store.get(ALICE, task.id()), done);
    }

    @Test
    void keepResultFor_noMaximum_isNotCut() {
      GenericTaskStore unlimited = builder().allowUnlimitedTtl().build();
      Task task = unlimited.create(ALICE, NewTask.of("m").ttl(Duration.ofDays(36_525)));
      clock.advance(Duration.ofDays(36_525).minus(MILLISECOND));

      Task done = unlimited.update(task, change().complete());

      assertThat(done.expiresAt()).contains(clock.instant().plus(Duration.ofMinutes(10)));
    }

    @Test
    void keepResultFor_ttlChangedInTheSameChange_countsWithTheNewOne() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofHours(1)));
      Task longer = store.update(task, change().ttl(Duration.ofHours(2)).complete());
      assertThat(longer.expiresAt()).contains(task.createdAt().plus(Duration.ofHours(2)));

      Task other = store.create(ALICE, NewTask.of("m").ttl(Duration.ofHours(1)));
      Task shorter = store.update(other, change().ttl(MILLISECOND).complete());
      assertThat(shorter.expiresAt()).contains(clock.instant().plus(Duration.ofMinutes(10)));
    }

    @Test
    void expiry_otherChanges_keepWhatIsStored() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofHours(1)));
      Instant stored = task.createdAt().plus(Duration.ofMinutes(7));
      RecordValue value = backend.get(key(task)).orElseThrow().value();
      backend.plant(
          new VersionedRecord(
              key(task), new RecordValue(value.data(), true, stored, value.writeId()), 1));

      assertThat(store.update(ALICE, task.id(), change().message("x")).expiresAt())
          .contains(stored);
      assertThat(store.requestCancel(ALICE, task.id()).expiresAt()).contains(stored);
    }

    @Test
    void ttl_overAlready_endsTheLifeAtOnce() {
      Task task = store.create(ALICE, NewTask.of("m"));
      clock.advance(Duration.ofMinutes(5));

      Task over = store.update(task, change().ttl(Duration.ofMinutes(5)));

      assertThat(over.expiresAt()).contains(clock.instant());
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.get(ALICE, task.id()));
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.update(over, change().message("x")));
    }

    @Test
    void pollInterval_changed_isStored() {
      Task task = store.create(ALICE, NewTask.of("m"));

      Task changed = store.update(task, change().pollInterval(Duration.ofSeconds(7)));

      assertThat(changed.pollInterval()).isEqualTo(Duration.ofSeconds(7));
      assertSame(store.get(ALICE, task.id()), changed);
    }

    @Test
    void keepResultFor_zero_keepsTheTtl() {
      GenericTaskStore strict = builder().keepResultFor(Duration.ZERO).build();
      Task task = strict.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
      clock.advance(Duration.ofSeconds(59));

      assertThat(strict.update(task, change().complete()).expiresAt()).isEqualTo(task.expiresAt());
    }

    @Test
    void keepResultFor_maximumWasLoweredSince_doesNotShortenTheLife() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofHours(20)));
      GenericTaskStore lowered =
          builder().defaultTtl(Duration.ofMinutes(1)).maxTtl(Duration.ofMinutes(2)).build();
      clock.advance(Duration.ofHours(1));

      assertThat(lowered.update(task, change().complete()).expiresAt()).isEqualTo(task.expiresAt());
    }

    @Test
    void updatedAt_clockGoesBack_doesNot() {
      Task task = store.create(ALICE, NewTask.of("m"));
      clock.advance(Duration.ofSeconds(-30));

      Task changed = store.update(task, change().message("x"));

      assertThat(changed.updatedAt()).isEqualTo(task.updatedAt());
    }

    @Test
    void purge_removesWhatIsDueForTheAllowance_andOnlyThat() {
      Task soon = store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
      Task later = store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(2)));
      clock.advance(Duration.ofMinutes(6).minus(MILLISECOND));
      assertThat(store.purgeExpired(10)).isZero();
      clock.advance(MILLISECOND);

      assertThat(store.purgeExpired(10)).isEqualTo(1);

      assertThat(backend.get(key(soon))).isEmpty();
      assertThat(backend.get(key(later))).isPresent();
      assertThat(store.purgeExpired(10)).isZero();
    }

    @Test
    void purge_limit_isKeptAndChecked() {
      for (int i = 0; i < 5; i++) {
        store.create(ALICE, NewTask.of("m").ttl(MILLISECOND));
      }
      clock.advance(Duration.ofHours(1));

      assertThat(store.purgeExpired(3)).isEqualTo(3);
      assertThat(store.purgeExpired(3)).isEqualTo(2);
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> store.purgeExpired(0));
    }
  }

  /** S6: an update of the task in hand. */
  @Nested
  class InHand {
    @Test
    void update_others_haveWritten_changeRunsAgainOnTheWinner() {
      Task task = store.create(ALICE, NewTask.of("m").set("count", 1));
      store.update(task, change().set("other", true));
      store.update(ALICE, task.id(), change().set("count", 41));

      List<Task> seen = new ArrayList<>();
      Task result =
          store.update(
              task,
              current -> {
                seen.add(current);
                return change().set("count", current.variables().integer("count").getAsLong() + 1);
              });

      assertThat(seen).extracting(Task::version).containsExactly(1L, 3L);
      assertThat(result.variables().asMap()).isEqualTo(Map.of("count", 42L, "other", true));
      assertThat(result.version()).isEqualTo(4);
    }

    @Test
    void update_expiredInHand_isReadFirst() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
      store.update(task, change().ttl(Duration.ofHours(1)));
      clock.advance(Duration.ofMinutes(2));

      Task changed = store.update(task, change().message("extended elsewhere"));
      assertThat(changed.version()).isEqualTo(3);

      clock.advance(Duration.ofHours(1));
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.update(task, change().message("gone")));
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.update(changed, change().message("gone")));
    }

    @Test
    void update_deletedElsewhere_isNotFound() {
      Task task = store.create(ALICE, NewTask.of("m"));
      store.delete(ALICE, task.id());

      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.update(task, change().message("x")));
      assertThat(backend.everything()).isEmpty();
    }

    @Test
    void update_winnerIsExpired_isNotFound() {
      Task task = store.create(ALICE, NewTask.of("m").ttl(Duration.ofHours(1)));
      store.update(task, change().ttl(Duration.ofMinutes(1)));
      clock.advance(Duration.ofMinutes(2));

      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.update(task, change().message("x")));
    }

    @Test
    void update_expectedVersion_otherwiseConflict() {
      Task task = store.create(ALICE, NewTask.of("m"));
      Task changed = store.update(ALICE, task.id(), 1, change().set("a", 1));
      assertThat(changed.version()).isEqualTo(2);

      for (long version : new long[] {1, 3, 0, -1, Long.MAX_VALUE}) {
        assertThatExceptionOfType(TaskConflictException.class)
            .isThrownBy(() -> store.update(ALICE, task.id(), version, change().set("a", 2)));
      }
      assertThat(store.get(ALICE, task.id()).variables().integer("a")).hasValue(1);
    }

    @Test
    void update_changeThrows_isPassedOnAndNothingIsWritten() {
      Task task = store.create(ALICE, NewTask.of("m"));

      assertThatThrownBy(
              () ->
                  store.update(
                      task,
                      t -> {
                        throw new IllegalStateException("mine");
                      }))
          .isExactlyInstanceOf(IllegalStateException.class)
          .hasMessage("mine");
      assertThat(backend.get(key(task)).orElseThrow().version()).isEqualTo(1);
    }

    @Test
    void update_nothing_isAnUpdateAllTheSame() {
      Task task = store.create(ALICE, NewTask.of("m"));
      clock.advance(Duration.ofSeconds(1));

      Task changed = store.update(task, change());

      assertThat(changed.version()).isEqualTo(2);
      assertThat(changed.updatedAt()).isEqualTo(task.updatedAt().plusSeconds(1));
    }
  }

  /** S11, S12: what may be written. */
  @Nested
  class Values {
    @Test
    void variables_merge_overwritesRemovesAndKeeps() {
      Task task = store.create(ALICE, NewTask.of("m").variables(Map.of("a", 1, "b", 2, "c", 3)));

      Map<String, Object> incoming = new LinkedHashMap<>();
      incoming.put("b", "new");
      incoming.put("c", null);
      incoming.put("d", List.of());
      incoming.put("missing", null);
      incoming.put("empty", Optional.empty());
      Task changed = store.update(task, change().variables(incoming));

      assertThat(changed.variables().asMap())
          .isEqualTo(Map.of("a", 1L, "b", "new", "d", List.of()));
      assertSame(store.get(ALICE, task.id()), changed);
    }

    @Test
    void limits_atTheEdgeAndOnePast() {
      TaskLimits limits =
          TaskLimits.defaults()
              .withMaxVariables(2)
              .withMaxVariablesBytes(100)
              .withMaxNameBytes(10)
              .withMaxDepth(2)
              .withMaxStringBytes(20)
              .withMaxResultBytes(35)
              .withMaxErrorDataBytes(10)
              .withMaxMessageBytes(8)
              .withMaxParamsBytes(13);
      GenericTaskStore limited = builder().limits(limits).build();
      Task task = limited.create(ALICE, NewTask.of("0123456789", Map.of("p", "12345")));

      refused(
          "maxParamsBytes",
          13,
          14,
          () -> limited.create(ALICE, NewTask.of("m", Map.of("p", "123456"))));
      refused("maxNameBytes", 10, 11, () -> limited.create(ALICE, NewTask.of("01234567891")));
      refused(
          "maxMessageBytes",
          8,
          9,
          () -> limited.create(ALICE, NewTask.of("m").message("123456789")));

      Accepted accepted =
          (c, name) -> assertThat(limited.update(task.owner(), task.id(), c)).as(name).isNotNull();
      accepted.check(change().message("12345678"), "message");
      refused("maxMessageBytes", 8, 9, () -> limited.update(task, change().message("123456789")));
      refused("maxMessageBytes", 8, 9, () -> limited.update(task, change().message("1234567\n")));
      refused("maxMessageBytes", 8, 9, () -> limited.update(task, change().fail("123456789")));
      accepted.check(change().set("0123456789", "x".repeat(20)).remove("0123456789"), "names");
      refused("maxNameBytes", 10, 11, () -> limited.update(task, change().set("01234567890", 1)));
      refused("maxNameBytes", 10, 11, () -> limited.update(task, change().remove("01234567890")));
      refused(
          "maxNameBytes",
          10,
          11,
          () -> limited.update(task, change().set("a", Map.of("01234567890", 1))));
      accepted.check(change().set("s", "x".repeat(20)), "string");
      refused(
          "maxStringBytes", 20, 21, () -> limited.update(task, change().set("s", "x".repeat(21))));
      refused(
          "maxStringBytes",
          20,
          21,
          () -> limited.update(task, change().set("s", "\u00e9".repeat(10) + "x")));
      accepted.check(change().set("s", List.of(List.of(1))), "depth");
      refused(
          "maxDepth",
          2,
          3,
          () -> limited.update(task, change().set("s", List.of(List.of(Map.of())))));
      accepted.check(change().set("s", 1).set("t", 2), "count");
      refused("maxVariables", 2, 3, () -> limited.update(ALICE, task.id(), change().set("u", 3)));
      accepted.check(change().set("u", 3).remove("t"), "count with removal");
      // {"s":["…20…","…20…","…20…","…17…"],"u":3} = 100 bytes
      List<String> full = List.of("x".repeat(20), "x".repeat(20), "x".repeat(20), "x".repeat(15));
      accepted.check(change().set("s", full), "total");
      List<String> over = List.of("x".repeat(20), "x".repeat(20), "x".repeat(20), "x".repeat(16));
      refused(
          "maxVariablesBytes",
          100,
          101,
          () -> limited.update(ALICE, task.id(), change().set("s", over)));
      refused(
          "maxErrorDataBytes",
          10,
          11,
          () -> limited.update(task, change().fail(TaskError.of("e").withData("123456789"))));
      refused(
          "maxResultBytes",
          35,
          36,
          () -> limited.update(task, change().complete(Map.of("r", "x".repeat(20), "s", 123))));
      Task still = limited.get(ALICE, task.id());
      assertThat(still.status()).isEqualTo(TaskStatus.WORKING);
      assertThat(still.variables().as("s", List.class)).contains(full);
      accepted.check(change().complete(Map.of("r", "x".repeat(20), "s", 12)), "result");
    }

    private interface Accepted {
      void check(TaskChange change, String name);
    }

    private void refused(String limitName, long limit, long actual, Runnable write) {
      List<VersionedRecord> before = backend.everything();
      assertThatExceptionOfType(LimitExceededException.class)
          .isThrownBy(write::run)
          .satisfies(e -> assertThat(e.limitName()).isEqualTo(limitName))
          .satisfies(e -> assertThat(e.limit()).isEqualTo(limit))
          .satisfies(e -> assertThat(e.actual()).isEqualTo(actual));
      assertThat(backend.everything()).isEqualTo(before);
    }

    @Test
    void fullTask_canAlwaysEnd() {
      MapBackend small = new MapBackend(20_000);
      GenericTaskStore tight = GenericTaskStore.builder(small).clock(clock).build();
      for (TaskChange ending :
          List.of(
              change().cancel().message("m".repeat(2_500)),
              change().fail("e".repeat(2_500)).message("m".repeat(2_500)),
              change().complete())) {
        Task task = tight.create(ALICE, NewTask.of("m"));
        Task full = fill(tight, task);
        assertThat(small.get(key(full)).orElseThrow().value().data().size()).isGreaterThan(10_000);

        tight.requestCancel(ALICE, task.id());
        assertThat(tight.update(ALICE, task.id(), ending).isTerminal()).isTrue();
      }
    }

    /** The mark takes room of its own: what was accepted before it still is. */
    @Test
    void fullTask_cancelRequested_takesChangesThatDoNotMakeItLarger() {
      GenericTaskStore tight =
          GenericTaskStore.builder(new MapBackend(20_000)).clock(clock).build();
      Task full = fill(tight, tight.create(ALICE, NewTask.of("m")));
      Task asked = tight.requestCancel(ALICE, full.id());

      assertThat(tight.update(asked, change()).version()).isEqualTo(asked.version() + 1);
      assertThatExceptionOfType(LimitExceededException.class)
          .isThrownBy(() -> tight.update(ALICE, full.id(), change().set("more", "x".repeat(200))));
    }

    /** Grows a task until not one more byte is accepted. */
    private Task fill(TaskStore tight, Task empty) {
      Task task = empty;
      int number = 0;
      for (int size = 8_192; size > 0; ) {
        try {
          task = tight.update(task, change().set("v" + number++, "x".repeat(size)));
        } catch (LimitExceededException e) {
          size /= 2;
        }
      }
      return task;
    }

    @Test
    void task_asLargeAsTheBackendCanHold_isAccepted() {
      MapBackend small = new MapBackend(4_096);
      GenericTaskStore tight = GenericTaskStore.builder(small).clock(clock).build();
      Task probe = tight.create(ALICE, NewTask.of("m"));
      int rest =
          4_096
              - small
                  .get(
                      key(
                          tight.update(
                              tight.create(ALICE, NewTask.of("m")),
                              change().complete(Map.of("r", "")))))
                  .orElseThrow()
                  .value()
                  .data()
                  .size();

      assertThatExceptionOfType(LimitExceededException.class)
          .isThrownBy(
              () -> tight.update(probe, change().complete(Map.of("r", "x".repeat(rest + 1)))))
          .satisfies(e -> assertThat(e.actual()).isEqualTo(4_097));
      Task full = tight.update(probe, change().complete(Map.of("r", "x".repeat(rest))));

      assertThat(small.get(key(full)).orElseThrow().value().data().size()).isEqualTo(4_096);
    }

    @Test
    void result_notAnObject_isRefused() {
      Task task = store.create(ALICE, NewTask.of("m"));
      for (Object result : List.of("text", 1, List.of(1), true, Optional.empty())) {
        assertThatExceptionOfType(InvalidValueException.class)
            .isThrownBy(() -> store.update(task, change().complete(result)))
            .withMessageContaining("JSON object");
        assertThatExceptionOfType(InvalidValueException.class)
            .isThrownBy(() -> store.create(ALICE, NewTask.of("m", result)));
      }
      assertThat(store.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.WORKING);
    }

    @Test
    void badValues_areRefusedByNameAndNothingIsWritten() {
      Task task = store.create(ALICE, NewTask.of("m"));
      List<Object> cyclic = new ArrayList<>();
      cyclic.add(Map.of("self", cyclic));
      for (Object bad :
          List.of(
              Double.NaN,
              Float.POSITIVE_INFINITY,
              cyclic,
              new java.util.BitSet(),
              new Object(),
              "\ud800")) {
        assertThatExceptionOfType(InvalidValueException.class)
            .isThrownBy(() -> store.update(task, change().set("bad", bad).message("x")))
            .satisfies(e -> assertThat(e.what()).startsWith("variable \"bad\""));
        assertThatExceptionOfType(InvalidValueException.class)
            .isThrownBy(() -> store.update(task, change().complete(Map.of("r", bad))))
            .satisfies(e -> assertThat(e.what()).startsWith("result.r"));
        assertThatExceptionOfType(InvalidValueException.class)
            .isThrownBy(() -> store.update(task, change().fail(TaskError.of("e").withData(bad))))
            .satisfies(e -> assertThat(e.what()).startsWith("error data"));
      }
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> store.update(task, change().set("", 1)));
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> store.update(task, change().set("\udc00", 1)));
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> store.update(task, change().message("\ud800")));
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> store.create(ALICE, NewTask.of(" ")));
      assertThat(backend.everything()).hasSize(1);
      assertThat(backend.get(key(task)).orElseThrow().version()).isEqualTo(1);
    }

    @Test
    void nulls_areNamed() {
      Task task = store.create(ALICE, NewTask.of("m"));
      assertNull("owner", () -> store.create(null, NewTask.of("m")));
      assertNull("newTask", () -> store.create(ALICE, null));
      assertNull("owner", () -> store.get(null, task.id()));
      assertNull("taskId", () -> store.get(ALICE, null));
      assertNull("query", () -> store.list(ALICE, null));
      assertNull("task", () -> store.update(null, change()));
      assertNull("change", () -> store.update(task, (TaskChange) null));
      assertNull("the change", () -> store.update(task, t -> null));
      assertNull("change", () -> store.update(ALICE, task.id(), 1, null));
      assertNull("change", () -> store.update(task, (Function<Task, TaskChange>) null));
      assertNull("change", () -> store.update(ALICE, task.id(), (Function<Task, TaskChange>) null));
      assertNull("change", () -> store.update(ALICE, task.id(), (TaskChange) null));
      assertNull("type", () -> task.params(null));
      assertNull("type", () -> task.result(null));
      assertNull("method", () -> NewTask.of(null));
      assertNull("ttl", () -> NewTask.of("m").ttl(null));
      assertNull("variables", () -> NewTask.of("m").variables(null));
      assertNull("name", () -> NewTask.of("m").set(null, 1));
      assertNull("pollInterval", () -> change().pollInterval(null));
      assertNull("message", () -> change().message(null));
      assertNull("result", () -> change().complete(null));
      assertNull("error", () -> change().fail((TaskError) null));
      assertNull("message", () -> change().fail((String) null));
      assertNull("name", () -> change().remove(null));
      assertNull("nextCursor", () -> TaskQuery.newestFirst().after(null));
      assertNull("subject", () -> Owner.subject(null));
      assertNull("backend", () -> GenericTaskStore.over(null));
    }

    private void assertNull(String name, Runnable call) {
      assertThatThrownBy(call::run)
          .isExactlyInstanceOf(NullPointerException.class)
          .hasMessage(name);
    }

    @Test
    void validator_seesTaskAndIncoming_beforeTheMerge() {
      List<String> calls = new ArrayList<>();
      GenericTaskStore validated =
          builder()
              .variablesValidator(
                  (task, incoming) -> {
                    calls.add(
                        task.variables().asMap() + " <- " + new java.util.TreeMap<>(incoming));
                    return incoming.get("count") instanceof Long
                        ? List.of()
                        : List.of(
                            new VariablesValidator.Violation("count", "must be an integer"),
                            new VariablesValidator.Violation("x\n", "other"));
                  })
              .build();
      Task task = validated.create(ALICE, NewTask.of("m").set("count", 1.0));
      Task changed = validated.update(task, change().set("count", 2).remove("gone"));

      assertThat(calls).containsExactly("{} <- {count=1}", "{count=1} <- {count=2, gone=null}");
      assertThatExceptionOfType(VariablesRejectedException.class)
          .isThrownBy(() -> validated.update(changed, change().set("count", "three").message("x")))
          .withMessage("Variables rejected: \"count\": must be an integer; \"x\\u000a\": other")
          .satisfies(e -> assertThat(e.violations()).hasSize(2));
      assertThatExceptionOfType(VariablesRejectedException.class)
          .isThrownBy(() -> validated.create(ALICE, NewTask.of("m").set("count", "one")));
      assertThat(validated.get(ALICE, task.id())).isEqualTo(changed);
      assertThat(backend.everything()).hasSize(1);
      validated.update(changed, change().message("no variables, no validation"));
      validated.create(ALICE, NewTask.of("m"));
      assertThat(calls).hasSize(4);
    }

    @Test
    void validator_ofANewTask_seesItAsItWillBe() {
      List<Task> seen = new ArrayList<>();
      GenericTaskStore validated =
          builder()
              .variablesValidator(
                  (task, incoming) -> {
                    seen.add(task);
                    return List.of();
                  })
              .build();

      Task created = validated.create(ALICE, NewTask.of("m").set("a", 1));

      assertThat(seen).containsExactly(created);
      assertThat(seen.get(0).expiresAt()).isEqualTo(created.expiresAt());
      assertThat(seen.get(0).variables().isEmpty()).isTrue();
    }
  }

  /** S9, S14: listing. */
  @Nested
  class Listing {
    @Test
    void list_tenOfOneMillisecond_pageByThreeInBothDirections() {
      List<Task> created =
          IntStream.range(0, 10).mapToObj(i -> store.create(ALICE, NewTask.of("m"))).toList();
      List<String> ids = created.stream().map(Task::id).sorted().toList();

      assertThat(idsOf(all(store, TaskQuery.oldestFirst().pageSize(3)))).isEqualTo(ids);
      List<String> reversed = new ArrayList<>(ids);
      java.util.Collections.reverse(reversed);
      assertThat(idsOf(all(store, TaskQuery.newestFirst().pageSize(3)))).isEqualTo(reversed);
      assertThat(idsOf(all(store, TaskQuery.newestFirst().activeOnly().pageSize(3))))
          .isEqualTo(reversed);
      for (int size : new int[] {1, 9, 10, 11}) {
        assertThat(idsOf(all(store, TaskQuery.oldestFirst().pageSize(size)))).isEqualTo(ids);
      }
    }

    private List<Task> all(TaskStore from, TaskQuery query) {
      List<Task> tasks = new ArrayList<>();
      TaskPage page = from.list(ALICE, query);
      tasks.addAll(page.tasks());
      while (page.nextCursor().isPresent()) {
        page = from.list(ALICE, query.after(page.nextCursor().get()));
        tasks.addAll(page.tasks());
      }
      return tasks;
    }

    private List<String> idsOf(List<Task> tasks) {
      return tasks.stream().map(Task::id).toList();
    }

    @Test
    void list_nothing_isEmptyAndLast() {
      TaskPage page = store.list(ALICE, TaskQuery.newestFirst());

      assertThat(page.tasks()).isEmpty();
      assertThat(page.unreadable()).isEmpty();
      assertThat(page.nextCursor()).isEmpty();
    }

    @Test
    void list_statusFilter_fillsPagesAndMissesNothing() {
      List<String> completed = new ArrayList<>();
      for (int i = 0; i < 60; i++) {
        clock.advance(MILLISECOND);
        Task task = store.create(ALICE, NewTask.of("m"));
        if (i % 7 == 0) {
          completed.add(store.update(task, change().complete()).id());
        }
      }
      TaskQuery query = TaskQuery.oldestFirst().withStatus(TaskStatus.COMPLETED).pageSize(4);

      TaskPage first = store.list(ALICE, query);
      assertThat(idsOf(first.tasks())).isEqualTo(completed.subList(0, 4));
      assertThat(idsOf(all(store, query))).isEqualTo(completed);
      assertThat(idsOf(all(store, query.pageSize(1)))).isEqualTo(completed);
      assertThat(all(store, query.withStatus(TaskStatus.FAILED))).isEmpty();
      assertThat(all(store, query.withStatus(TaskStatus.COMPLETED).activeOnly())).isEmpty();
      assertThat(all(store, query.withStatus(TaskStatus.values()))).hasSize(60);
    }

    @Test
    void list_cursorOfADeletedTask_goesOn_onAnotherStoreToo() {
      List<String> ids =
          IntStream.range(0, 6)
              .mapToObj(i -> store.create(ALICE, NewTask.of("m")).id())
              .sorted()
              .toList();
      TaskQuery query = TaskQuery.oldestFirst().pageSize(3);
      String cursor = store.list(ALICE, query).nextCursor().orElseThrow();
      store.delete(ALICE, ids.get(2));

      TaskPage rest = builder().build().list(ALICE, query.after(cursor).pageSize(100));

      assertThat(idsOf(rest.tasks())).isEqualTo(ids.subList(3, 6));
      assertThat(rest.nextCursor()).isEmpty();
    }

    @Test
    void list_foreignCursors_areRefused() {
      for (int i = 0; i < 3; i++) {
        store.create(ALICE, NewTask.of("m"));
        store.create(Owner.subject("bob"), NewTask.of("m"));
      }
      TaskQuery query = TaskQuery.oldestFirst().pageSize(1);
      String cursor = store.list(ALICE, query).nextCursor().orElseThrow();

      refused(Owner.subject("bob"), query.after(cursor));
      refused(Owner.client("alice"), query.after(cursor));
      refused(ALICE, TaskQuery.newestFirst().after(cursor));
      refused(ALICE, query.activeOnly().after(cursor));
      refused(ALICE, query.withStatus(TaskStatus.WORKING).after(cursor));
      TaskQuery filtered = query.withStatus(TaskStatus.WORKING, TaskStatus.FAILED);
      String filteredCursor = store.list(ALICE, filtered).nextCursor().orElseThrow();
      refused(ALICE, query.withStatus(TaskStatus.WORKING).after(filteredCursor));
      refused(
          ALICE, query.withStatus(TaskStatus.WORKING, TaskStatus.COMPLETED).after(filteredCursor));
      assertThat(
              store
                  .list(
                      ALICE,
                      query.withStatus(TaskStatus.FAILED, TaskStatus.WORKING).after(filteredCursor))
                  .tasks())
          .hasSize(1);
      refused(ALICE, query.after(""));
      refused(ALICE, query.after(cursor + "A"));
      refused(ALICE, query.after(cursor.substring(1)));
      refused(ALICE, query.after("x".repeat(1_000_000)));
      assertThat(store.list(ALICE, query.after(cursor)).tasks()).hasSize(1);
    }

    private void refused(Owner owner, TaskQuery query) {
      assertThatExceptionOfType(InvalidCursorException.class)
          .isThrownBy(() -> store.list(owner, query));
    }

    @Test
    void list_allExpired_makesProgress() {
      for (int i = 0; i < 5; i++) {
        store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
      }
      clock.advance(Duration.ofMinutes(1));
      Task alive = store.create(ALICE, NewTask.of("m"));

      assertThat(store.list(ALICE, TaskQuery.oldestFirst().pageSize(2)).tasks()).isEmpty();
      assertThat(all(store, TaskQuery.oldestFirst().pageSize(2))).containsExactly(alive);
      assertThat(all(store, TaskQuery.oldestFirst().activeOnly().pageSize(2)))
          .containsExactly(alive);
    }

    @Test
    void unreadable_getAndListAgree_andThePageGoesOn() {
      Task before = store.create(ALICE, NewTask.of("m"));
      clock.advance(MILLISECOND);
      Task damaged = store.create(ALICE, NewTask.of("m"));
      clock.advance(MILLISECOND);
      Task lost = store.create(ALICE, NewTask.of("m"));
      clock.advance(MILLISECOND);
      Task after = store.create(ALICE, NewTask.of("m"));
      clock.advance(MILLISECOND);
      Task newer = store.create(ALICE, NewTask.of("m"));
      backend.overwriteData(key(damaged), new byte[] {1, 2, 3});
      backend.overwriteData(
          key(newer),
          storedText(newer)
              .replace("\"schema\":1", "\"schema\":2")
              .getBytes(StandardCharsets.UTF_8));
      backend.corrupt(key(lost));

      for (TaskQuery query :
          List.of(
              TaskQuery.oldestFirst(),
              TaskQuery.oldestFirst().activeOnly(),
              TaskQuery.oldestFirst().withStatus(TaskStatus.WORKING))) {
        TaskPage page = store.list(ALICE, query);
        assertThat(page.tasks()).containsExactly(before, after);
        assertThat(page.unreadable())
            .extracting(TaskPage.Unreadable::taskId)
            .containsExactlyInAnyOrder(damaged.id(), lost.id(), newer.id());
        assertThat(page.unreadable())
            .extracting(TaskPage.Unreadable::reason)
            .anySatisfy(reason -> assertThat(reason).contains("schema 2"));
      }
      for (Task task : List.of(damaged, lost, newer)) {
        assertThatExceptionOfType(TaskUnreadableException.class)
            .isThrownBy(() -> store.get(ALICE, task.id()));
        assertThatExceptionOfType(TaskUnreadableException.class)
            .isThrownBy(() -> store.update(ALICE, task.id(), change().message("x")));
        assertThatExceptionOfType(TaskUnreadableException.class)
            .isThrownBy(() -> store.cancel(ALICE, task.id()));
      }
      store.delete(ALICE, damaged.id());
      store.delete(ALICE, newer.id());
      assertThatExceptionOfType(TaskUnreadableException.class)
          .isThrownBy(() -> store.delete(ALICE, lost.id()));
      assertThat(store.list(ALICE, TaskQuery.newestFirst()).unreadable()).hasSize(1);
    }

    @Test
    void unreadable_cutPage_reportsEachOnce() {
      List<Task> tasks = new ArrayList<>();
      for (int i = 0; i < 9; i++) {
        clock.advance(MILLISECOND);
        Task task = store.create(ALICE, NewTask.of("m"));
        tasks.add(i % 2 == 0 ? store.update(task, change().complete()) : task);
      }
      backend.overwriteData(key(tasks.get(3)), new byte[] {1});
      backend.overwriteData(key(tasks.get(8)), new byte[] {1});
      for (TaskQuery query : List.of(TaskQuery.oldestFirst(), TaskQuery.newestFirst())) {
        TaskQuery filtered = query.withStatus(TaskStatus.COMPLETED).pageSize(3);
        List<String> unreadable = new ArrayList<>();
        TaskPage page = store.list(ALICE, filtered);
        page.unreadable().forEach(u -> unreadable.add(u.taskId()));
        while (page.nextCursor().isPresent()) {
          page = store.list(ALICE, filtered.after(page.nextCursor().get()));
          page.unreadable().forEach(u -> unreadable.add(u.taskId()));
        }
        assertThat(unreadable).containsExactlyInAnyOrder(tasks.get(3).id(), tasks.get(8).id());
      }
    }
  }

  @Nested
  class Deleting {
    @Test
    void delete_anyStatus_isGone() {
      Task working = store.create(ALICE, NewTask.of("m"));
      Task done = store.update(store.create(ALICE, NewTask.of("m")), change().complete());

      store.delete(ALICE, working.id());
      store.delete(ALICE, done.id());

      assertThat(backend.everything()).isEmpty();
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> store.delete(ALICE, done.id()));
    }
  }

  /** S13: the stored form. */
  @Nested
  class StoredForm {
    @Test
    void record_unknownMembers_surviveEveryKindOfChange() {
      Task task = store.create(ALICE, NewTask.of("m").set("a", 1));
      String withUnknown =
          storedText(task)
              .replace("{\"createdAt\"", "{\"aaa\":[1,{\"x\":null}],\"createdAt\"")
              .replace("\"id\"", "\"futureMember\":{\"b\":1.5},\"id\"")
              .replace("\"variables\":", "\"zzz\":\"\\u0001\",\"variables\":");
      backend.overwriteData(key(task), withUnknown.getBytes(StandardCharsets.UTF_8));

      store.update(ALICE, task.id(), change().set("b", 2).message("x"));
      store.requestCancel(ALICE, task.id());
      Task done = store.update(ALICE, task.id(), change().complete(Map.of("r", 1)));

      assertThat(storedText(done))
          .startsWith("{\"aaa\":[1,{\"x\":null}],\"cancelRequestedAt\":")
          .contains(",\"futureMember\":{\"b\":1.5},\"id\":")
          .endsWith(",\"variables\":{\"a\":1,\"b\":2},\"zzz\":\"\\u0001\"}");
    }

    @Test
    void record_sameContentAnyOrder_isTheSameBytes() {
      GenericTaskStore one =
          GenericTaskStore.builder(new MapBackend()).clock(clock).randomness(new Random(5)).build();
      MapBackend otherBackend = new MapBackend();
      GenericTaskStore two =
          GenericTaskStore.builder(otherBackend).clock(clock).randomness(new Random(5)).build();
      Map<String, Object> forwards = new LinkedHashMap<>();
      forwards.put("a", 1.0);
      forwards.put("\u20ac", List.of(0.1f, 1e21));
      Map<String, Object> backwards = new LinkedHashMap<>();
      backwards.put("\u20ac", new double[] {0.1, 1e21});
      backwards.put("a", 1L);

      Task first = one.create(ALICE, NewTask.of("m", forwards).variables(forwards));
      Task second = two.create(ALICE, NewTask.of("m", backwards).variables(backwards));

      assertThat(second.id()).isEqualTo(first.id());
      assertThat(second.state()).isEqualTo(first.state());
      assertThat(new TaskCodec(JsonMappers.create()).encode(first.state()))
          .isEqualTo(otherBackend.get(key(second)).orElseThrow().value().data());
    }

    @Test
    void record_highestVersions_areExact() {
      Task task = store.create(ALICE, NewTask.of("m"));
      VersionedRecord stored = backend.get(key(task)).orElseThrow();
      long high = (1L << 53) + 1;
      backend.plant(new VersionedRecord(stored.key(), stored.value(), high));

      assertThat(store.update(ALICE, task.id(), change().message("x")).version())
          .isEqualTo(high + 1);
    }
  }

  @Test
  void toString_showsNothingOfTheContent() {
    Task task =
        store.create(
            Owner.subject("secret-owner"),
            NewTask.of("m", Map.of("p", "secret-param"))
                .set("secret-name", "secret-value")
                .message("secret-message"));
    TaskChange change = change().set("secret-name", "secret-value").message("secret-message");

    for (Object shown :
        List.of(
            task,
            task.owner(),
            task.variables(),
            change,
            change.fail(TaskError.of("secret-error")),
            TaskError.of("secret-error"),
            NewTask.of("m", Map.of("p", "secret-param")),
            store,
            store.list(task.owner(), TaskQuery.newestFirst()),
            backend.get(key(task)).orElseThrow().value())) {
      assertThat(shown.toString()).doesNotContain("secret").isNotEmpty();
    }
  }

  @Test
  void toString_isForALog() {
    Task task = store.create(ALICE, NewTask.of("m"));

    assertThat(task).hasToString("Task[\"%s\", working, version 1]".formatted(task.id()));
    assertThat(store).hasToString("GenericTaskStore[map, at most 100 active tasks an owner]");
    assertThat(store.list(ALICE, TaskQuery.newestFirst()))
        .hasToString("TaskPage[1 tasks, 0 unreadable, last]");
    store.create(ALICE, NewTask.of("m"));
    backend.corrupt(key(store.list(ALICE, TaskQuery.oldestFirst().pageSize(1)).tasks().get(0)));
    assertThat(store.list(ALICE, TaskQuery.oldestFirst().pageSize(1)))
        .hasToString("TaskPage[0 tasks, 1 unreadable, more]");
  }

  @Test
  void equals_isByOwnerIdAndVersion() {
    GenericTaskStore one = builder().randomness(new Random(3)).build();
    GenericTaskStore two = builder().randomness(new Random(3)).build();
    Task task = one.create(ALICE, NewTask.of("m"));
    Task ofAnother = two.create(Owner.subject("bob"), NewTask.of("m"));
    Task changed = one.update(task, change());
    Task another = one.create(ALICE, NewTask.of("m"));

    assertThat(two.get(ALICE, task.id())).isEqualTo(changed).hasSameHashCodeAs(changed);
    assertThat(ofAnother.id()).isEqualTo(task.id());
    assertThat(task).isNotEqualTo(ofAnother).isNotEqualTo(changed).isNotEqualTo(another);
    assertThat(task).isNotEqualTo(task.id()).isNotEqualTo(null);
    assertThat(changed.hashCode()).isNotEqualTo(task.hashCode());
    assertThat(another.hashCode()).isNotEqualTo(task.hashCode());
  }

  @Test
  void result_asAClass_isReadLikeTheParams() {
    record Answer(int files) {}
    Task task = store.create(ALICE, NewTask.of("m", Map.of("files", 1)));
    assertThat(task.result(Answer.class)).isEmpty();

    Task done = store.update(task, change().complete(Map.of("files", 3)));

    assertThat(done.result(Answer.class)).contains(new Answer(3));
    assertThat(done.params(Answer.class)).contains(new Answer(1));
    assertThat(store.create(ALICE, NewTask.of("m")).params(Answer.class)).isEmpty();
  }

  @Test
  void error_ofAnotherShape_isAConversionError() {
    Task failed = store.update(store.create(ALICE, NewTask.of("m")), change().fail("e"));
    String text = storedText(failed);
    for (String shape :
        List.of(
            "{\"code\":\"x\",\"message\":\"e\"}", "{\"code\":1,\"message\":2}", "{\"code\":1}")) {
      backend.overwriteData(
          key(failed),
          text.replace("{\"code\":-32603,\"message\":\"e\"}", shape)
              .getBytes(StandardCharsets.UTF_8));
      Task read = store.get(ALICE, failed.id());

      assertThatExceptionOfType(ValueConversionException.class).isThrownBy(read::error);
    }
  }

  @Test
  void writeIds_storesWithTheSameRandomness_areDifferentAndNeverUsedTwice() {
    GenericTaskStore one = builder().randomness(new Random(3)).build();
    GenericTaskStore two = builder().randomness(new Random(3)).build();
    List<String> writeIds = new ArrayList<>();
    for (GenericTaskStore each : List.of(one, two)) {
      Task task = each.create(Owner.subject("owner" + writeIds.size()), NewTask.of("m"));
      writeIds.add(backend.get(key(task)).orElseThrow().value().writeId());
      for (int i = 0; i < 40; i++) {
        task = each.update(task, change());
        writeIds.add(backend.get(key(task)).orElseThrow().value().writeId());
      }
    }

    assertThat(writeIds).doesNotHaveDuplicates().allMatch(id -> id.matches("[0-9a-v]{20,26}-.+"));
    assertThat(writeIds.get(0).substring(0, 20)).isNotEqualTo(writeIds.get(41).substring(0, 20));
  }

  private static void assertSame(Task actual, Task expected) {
    assertThat(actual).isEqualTo(expected);
    assertThat(actual.state()).isEqualTo(expected.state());
    assertThat(actual.expiresAt()).isEqualTo(expected.expiresAt());
  }

  @Test
  void recordValue_ofATask_carriesFlagExpiryAndAFreshWriteId() {
    Task task = store.create(ALICE, NewTask.of("m"));
    RecordValue first = backend.get(key(task)).orElseThrow().value();
    store.update(task, change());
    RecordValue second = backend.get(key(task)).orElseThrow().value();

    assertThat(first.active()).isTrue();
    assertThat(first.expiresAt()).isEqualTo(task.expiresAt().orElseThrow());
    assertThat(second.writeId()).isNotEqualTo(first.writeId());
    assertThat(first.data()).isNotEqualTo(Bytes.EMPTY);
  }
}
