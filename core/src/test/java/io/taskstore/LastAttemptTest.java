// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A store with a single attempt: what won the race is what counts, not that it was lost. */
class LastAttemptTest {
  private static final Owner ALICE = Owner.subject("alice");

  /** Lets somebody act just before the next write. */
  private static final class Interfering extends ForwardingBackend {
    private final List<Runnable> beforeWrite = new ArrayList<>();
    private VersionedRecord wrong;

    Interfering(MapBackend delegate) {
      super(delegate);
    }

    private void interfere() {
      if (!beforeWrite.isEmpty()) {
        beforeWrite.remove(0).run();
      }
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      return wrong == null ? super.get(key) : Optional.of(wrong);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      interfere();
      return super.putIfVersion(key, value, expected);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      interfere();
      return super.deleteIfVersion(key, expected);
    }
  }

  private final MapBackend map = new MapBackend();
  private final Interfering backend = new Interfering(map);
  private final GenericTaskStore other = GenericTaskStore.over(map);
  private final GenericTaskStore store =
      GenericTaskStore.builder(backend).timing(new VirtualTiming()).maxUpdateAttempts(1).build();
  private final Task task = other.create(ALICE, NewTask.of("m"));

  private void meanwhile(TaskChange theirs) {
    backend.beforeWrite.add(() -> other.update(ALICE, task.id(), theirs));
  }

  @Test
  void update_winnerIsFinished_isEnded() {
    meanwhile(change().complete(Map.of("by", "other")));

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> store.update(task, change().message("late")))
        .satisfies(e -> assertThat(e.task().version()).isEqualTo(2));
  }

  @Test
  void update_winnerIsTheSameCompletion_isSuccess() {
    TaskChange completion = change().complete(Map.of("files", 3));
    meanwhile(completion);
    assertThat(store.update(task, completion).version()).isEqualTo(2);

    Task second = other.create(ALICE, NewTask.of("m"));
    backend.beforeWrite.add(() -> other.update(second, completion));
    assertThat(store.update(ALICE, second.id(), 1, completion).version()).isEqualTo(2);
  }

  @Test
  void requestCancel_winnerIsFinished_returnsIt() {
    meanwhile(change().complete());

    assertThat(store.requestCancel(ALICE, task.id()).status()).isEqualTo(TaskStatus.COMPLETED);
  }

  @Test
  void requestCancel_winnerHasRequestedIt_returnsIt() {
    backend.beforeWrite.add(() -> other.requestCancel(ALICE, task.id()));

    Task asked = store.requestCancel(ALICE, task.id());

    assertThat(asked.isCancelRequested()).isTrue();
    assertThat(asked.version()).isEqualTo(2);
  }

  @Test
  void update_winnerIsUnfinished_isAConflict() {
    meanwhile(change().message("first"));

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> store.update(task, change().message("second")));
    assertThat(other.get(ALICE, task.id()).message()).contains("first");
  }

  @Test
  void delete_deletedMeanwhile_isNotFound() {
    backend.beforeWrite.add(() -> other.delete(ALICE, task.id()));

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.delete(ALICE, task.id()));
  }

  @Test
  void delete_changedMeanwhile_isAConflict() {
    meanwhile(change().message("first"));

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> store.delete(ALICE, task.id()));
    assertThat(other.get(ALICE, task.id()).version()).isEqualTo(2);
  }

  /** Whatever the ending that comes too late, it is too late. */
  @Test
  void update_finishedAndTheValueIsBadToo_isEnded() {
    Task done = other.update(task, change().complete(Map.of("files", 3)));

    for (TaskChange late :
        List.of(
            change().complete("text"),
            change().set("x", Double.NaN).complete(Map.of("files", 3)),
            change().set("x", "y".repeat(100_000)).complete(Map.of("files", 3)))) {
      assertThatExceptionOfType(TaskEndedException.class)
          .isThrownBy(() -> store.update(done, late));
    }
  }

  @Test
  void get_backendReturnsAnotherRecord_isNotBelieved() {
    Task second = other.create(ALICE, NewTask.of("m"));
    backend.wrong = map.get(new RecordKey("ts:alice", second.id())).orElseThrow();

    assertThatExceptionOfType(TaskUnreadableException.class)
        .isThrownBy(() -> store.get(ALICE, task.id()));
  }
}
