// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Full;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * What the store makes of each answer, and of each lack of one. Every case of the table in {@link
 * StorageCalls} is here.
 */
class UncertainWritesTest {
  private static final Owner ALICE = Owner.subject("alice");

  /** Runs one step of a script in place of each call, as long as there are steps. */
  private static final class Scripted extends ForwardingBackend {
    private final Deque<Step> steps = new ArrayDeque<>();
    private final List<String> writeIds = new ArrayList<>();
    private int calls;

    private interface Step {
      Object run(Supplier<Object> call);
    }

    Scripted(MapBackend delegate) {
      super(delegate);
    }

    Scripted then(Step step) {
      steps.add(step);
      return this;
    }

    /** The call takes effect, and its answer is lost. */
    Scripted appliedButLost() {
      return appliedButLost(() -> {});
    }

    Scripted appliedButLost(Runnable after) {
      return then(
          call -> {
            Object unused = call.get();
            after.run();
            throw new OutcomeUnknownException("write", null, "cut off", null);
          });
    }

    /** The call takes no effect, and nobody says so. */
    Scripted lost(Runnable after) {
      return then(
          call -> {
            after.run();
            throw new OutcomeUnknownException("write", null, "cut off", null);
          });
    }

    Scripted fail(StorageException failure) {
      return then(
          call -> {
            throw failure;
          });
    }

    Scripted unavailable(boolean retryable) {
      return fail(new StorageUnavailableException("call", null, retryable, "down", null));
    }

    @SuppressWarnings("unchecked")
    private <T> T step(Supplier<T> call) {
      calls++;
      return steps.isEmpty() ? call.get() : (T) steps.remove().run((Supplier<Object>) call);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      return step(() -> delegate.get(key));
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      writeIds.add(value.writeId());
      return step(() -> delegate.putIfVersion(key, value, expected));
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      return step(() -> delegate.deleteIfVersion(key, expected));
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      writeIds.add(value.writeId() + " for " + key.id());
      return step(
          () -> {
            PutResult result = delegate.putIfVersion(key, value, ABSENT);
            return result instanceof Conflict conflict ? conflict : Created.CREATED;
          });
    }
  }

  private final MapBackend map = new MapBackend();
  private final Scripted backend = new Scripted(map);
  private final VirtualTiming timing = new VirtualTiming();
  private final GenericTaskStore store = GenericTaskStore.builder(backend).timing(timing).build();
  private final GenericTaskStore other = GenericTaskStore.over(map);
  private final Task task = other.create(ALICE, NewTask.of("m").set("count", 0));

  private static TaskChange increment(Task current) {
    return change().set("count", current.variables().integer("count").getAsLong() + 1);
  }

  private long count() {
    return other.get(ALICE, task.id()).variables().integer("count").getAsLong();
  }

  @AfterEach
  void scriptIsUsedUp() {
    assertThat(backend.steps).isEmpty();
    assertThat(Thread.interrupted()).isFalse();
  }

  // --- updates ------------------------------------------------------------------------------

  @Test
  void update_appliedAndLost_isSuccessByItsWriteId() {
    backend.appliedButLost().appliedButLost();

    Task updated = store.update(task, UncertainWritesTest::increment);

    assertThat(updated.version()).isEqualTo(2);
    assertThat(count()).isEqualTo(1);
    assertThat(backend.writeIds).hasSize(3).containsOnly(backend.writeIds.get(0));
  }

  @Test
  void update_notAppliedAndLost_isWrittenByTheRepeat() {
    backend.lost(() -> {}).lost(() -> {});

    assertThat(store.update(task, UncertainWritesTest::increment).version()).isEqualTo(2);
    assertThat(count()).isEqualTo(1);
  }

  @Test
  void update_lostAndAnotherTookTheNextVersion_isADefiniteRaceAndRunsAgain() {
    backend.lost(() -> other.update(task, UncertainWritesTest::increment));

    Task updated = store.update(task, UncertainWritesTest::increment);

    assertThat(updated.version()).isEqualTo(3);
    assertThat(count()).isEqualTo(2);
  }

  @Test
  void update_appliedLostAndOverwritten_isUnknownAndNotRunAgain() {
    backend.appliedButLost(() -> other.update(ALICE, task.id(), UncertainWritesTest::increment));

    assertUnknown(() -> store.update(task, UncertainWritesTest::increment));

    assertThat(count()).isEqualTo(2);
    assertThat(backend.calls).isEqualTo(2);
  }

  @Test
  void update_notAppliedAndOthersWroteTwice_isUnknownAndNotRunAgain() {
    backend.lost(
        () -> {
          other.update(task, UncertainWritesTest::increment);
          other.update(ALICE, task.id(), UncertainWritesTest::increment);
        });

    assertUnknown(() -> store.update(task, UncertainWritesTest::increment));

    assertThat(count()).isEqualTo(2);
  }

  @Test
  void update_appliedLostAndDeleted_isUnknown() {
    backend.appliedButLost(() -> other.delete(ALICE, task.id()));

    assertUnknown(() -> store.update(task, UncertainWritesTest::increment));

    assertThat(map.everything()).isEmpty();
  }

  @Test
  void update_ownSuccessReportedAsConflictByALibraryThatRepeats_isSuccess() {
    backend.then(
        call -> {
          Object unused = call.get();
          return call.get();
        });

    assertThat(store.update(task, UncertainWritesTest::increment).version()).isEqualTo(2);
    assertThat(count()).isEqualTo(1);
  }

  @Test
  void update_lostForEver_isUnknownAtTheDeadline() {
    for (int i = 0; i < 5_000; i++) {
      backend.lost(() -> {});
    }

    assertUnknownBecauseCutOff(() -> store.update(task, UncertainWritesTest::increment));

    assertThat(timing.nanoTime()).isBetween(9_000_000_000L, 10_000_000_000L);
    assertThat(backend.calls).isBetween(100, 1_000);
    backend.steps.clear();
    assertThat(count()).isZero();
  }

  @Test
  void update_unavailable_isTriedAgainUntilTheDeadline() {
    backend.unavailable(true).unavailable(true);
    assertThat(store.update(task, UncertainWritesTest::increment).version()).isEqualTo(2);
    for (int i = 0; i < 5_000; i++) {
      backend.unavailable(true);
    }

    assertFailed(true, () -> store.update(ALICE, task.id(), UncertainWritesTest::increment));

    backend.steps.clear();
    assertThat(count()).isEqualTo(1);
  }

  @Test
  void update_unavailableAfterALostAnswer_isUnknownNotUnavailable() {
    backend.appliedButLost().unavailable(false);
    assertUnknownBecauseCutOff(() -> store.update(task, UncertainWritesTest::increment));

    backend
        .then(Supplier::get)
        .lost(() -> {})
        .fail(new BackendClosedException("putIfVersion", null, "closed", null));
    assertUnknown(() -> store.update(ALICE, task.id(), change()));
  }

  @Test
  void update_refusedByTheStorage_isNotTriedAgain() {
    backend.unavailable(false);
    assertFailed(false, () -> store.update(task, change()));
    backend.fail(new CapacityExceededException("putIfVersion", null, "disk full", null));
    assertFailed(false, () -> store.update(task, change()));
    backend.fail(new BackendClosedException("putIfVersion", null, "closed", null));
    assertFailed(false, () -> store.update(task, change()));

    assertThat(backend.calls).isEqualTo(3);
    assertThat(timing.sleeps()).isZero();
    assertThat(count()).isZero();
  }

  @Test
  void update_tooLargeForTheStorage_isALimit() {
    RecordKey key = map.everything().get(0).key();
    backend.fail(new RecordTooLargeException("putIfVersion", key, 10, 20, null));

    LimitExceededException e =
        catchThrowableOfType(LimitExceededException.class, () -> store.update(task, change()));

    assertThat(e.limit()).isEqualTo(10);
    assertThat(e.actual()).isEqualTo(20);
  }

  @Test
  void update_interruptedWhileUncertain_isUnknownAtOnceAndKeepsTheFlag() {
    backend.lost(() -> Thread.currentThread().interrupt());

    assertUnknown(() -> store.update(task, UncertainWritesTest::increment));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(backend.calls).isEqualTo(1);
  }

  @Test
  void update_interruptedWhileUnavailable_endsAndKeepsTheFlag() {
    backend.then(
        call -> {
          Thread.currentThread().interrupt();
          throw new StorageUnavailableException("putIfVersion", null, true, "interrupted", null);
        });

    assertFailed(true, () -> store.update(task, UncertainWritesTest::increment));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(backend.calls).isEqualTo(1);
    assertThat(store.update(task, UncertainWritesTest::increment).version()).isEqualTo(2);
  }

  /** Only waiting looks at the flag: whether a call is made is for the backend to say. */
  @Test
  void interruptedThread_withoutTrouble_isServed() {
    Thread.currentThread().interrupt();
    try {
      Task created = store.create(ALICE, NewTask.of("m"));
      Task updated = store.update(created, change().message("x"));
      assertThat(store.get(ALICE, created.id())).isEqualTo(updated);
      store.delete(ALICE, created.id());
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
    assertThat(map.everything()).hasSize(1);
  }

  @Test
  void cancel_appliedAndLost_isSuccess_notRefusedBecauseOfItself() {
    backend.then(Supplier::get).appliedButLost();

    assertThat(store.cancel(ALICE, task.id()).status()).isEqualTo(TaskStatus.CANCELLED);
  }

  @Test
  void update_contendedForEver_endsAtTheDeadline() {
    GenericTaskStore patient =
        GenericTaskStore.builder(backend).timing(timing).maxUpdateAttempts(10_000).build();
    for (int i = 0; i < 5_000; i++) {
      backend.then(
          call -> {
            other.update(ALICE, task.id(), change());
            return call.get();
          });
    }

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> patient.update(task, UncertainWritesTest::increment));

    assertThat(Duration.ofNanos(timing.nanoTime())).isEqualTo(Duration.ofSeconds(10));
    assertThat(backend.calls).isBetween(100, 1_000);
    backend.steps.clear();
    assertThat(count()).isZero();
  }

  @Test
  void update_lostAfterAWonRaceForTheNextVersion_isUnknownByTheLatestLoss() {
    backend
        .lost(() -> other.update(task, UncertainWritesTest::increment))
        .then(Supplier::get)
        .appliedButLost(() -> other.update(ALICE, task.id(), UncertainWritesTest::increment));

    assertUnknown(() -> store.update(task, UncertainWritesTest::increment));

    assertThat(count()).isEqualTo(3);
  }

  @Test
  void update_lastAttemptLostAgainstADelete_isNotFound() {
    GenericTaskStore once =
        GenericTaskStore.builder(backend).timing(timing).maxUpdateAttempts(1).build();
    backend.then(
        call -> {
          other.delete(ALICE, task.id());
          return call.get();
        });

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> once.update(task, change()));
  }

  @Test
  void updateByVersion_lostRace_tellsTheVersionOfTheWinner() {
    backend
        .then(Supplier::get)
        .then(
            call -> {
              other.update(task, change());
              other.update(ALICE, task.id(), change());
              return call.get();
            });

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> store.update(ALICE, task.id(), 1, increment(task)))
        .withMessageContaining("has version 3, not the expected 1");

    assertThat(count()).isZero();
  }

  @Test
  void updateByVersion_lostAgainstAnotherEnd_isRefusedWithTheTaskAsItStands() {
    backend
        .then(Supplier::get)
        .then(
            call -> {
              other.cancel(ALICE, task.id());
              return call.get();
            });

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> store.update(ALICE, task.id(), 1, change().complete()))
        .satisfies(e -> assertThat(e.task()).isEqualTo(other.get(ALICE, task.id())));
  }

  @Test
  void updateByVersion_lostAgainstTheSameEnd_isSuccess() {
    TaskChange completion = change().complete(Map.of("files", 3));
    backend
        .then(Supplier::get)
        .then(
            call -> {
              other.update(task, completion);
              return call.get();
            });

    Task done = store.update(ALICE, task.id(), 1, completion);

    assertThat(done).isEqualTo(other.get(ALICE, task.id()));
    assertThat(done.version()).isEqualTo(2);
  }

  @Test
  void updateByVersion_lostAgainstADelete_isNotFound() {
    backend
        .then(Supplier::get)
        .then(
            call -> {
              other.delete(ALICE, task.id());
              return call.get();
            });

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.update(ALICE, task.id(), 1, change()));
  }

  // --- reads --------------------------------------------------------------------------------

  @Test
  void get_interruptedInAPause_endsAndKeepsTheFlag() {
    Timing interrupting =
        new Timing() {
          @Override
          public long nanoTime() {
            return 0;
          }

          @Override
          public void sleep(long nanos) throws InterruptedException {
            throw new InterruptedException();
          }
        };
    GenericTaskStore interrupted = GenericTaskStore.builder(backend).timing(interrupting).build();
    backend.unavailable(true).unavailable(true);

    assertFailed(true, () -> interrupted.get(ALICE, task.id()));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(backend.calls).isEqualTo(2);
  }

  @Test
  void get_unavailable_isRepeatedAtOnceAndThenAfterPauses() {
    backend.unavailable(true);
    assertThat(store.get(ALICE, task.id())).isEqualTo(task);
    assertThat(timing.sleeps()).isZero();

    backend.unavailable(true).unavailable(true).unavailable(true);
    assertThat(store.get(ALICE, task.id())).isEqualTo(task);
    assertThat(timing.sleeps()).isEqualTo(2);
  }

  @Test
  void get_unavailableForEver_endsAtTheDeadline_withTheLastFailure() {
    for (int i = 0; i < 5_000; i++) {
      backend.unavailable(true);
    }

    TaskStorageException e =
        catchThrowableOfType(TaskStorageException.class, () -> store.get(ALICE, task.id()));

    assertThat(e.isRetryable()).isTrue();
    assertThat(e).hasCauseInstanceOf(StorageUnavailableException.class);
    assertThat(Duration.ofNanos(timing.nanoTime())).isEqualTo(Duration.ofSeconds(10));
    // Pauses grow to a tenth of a second, with jitter, and no further.
    assertThat(backend.calls).isBetween(100, 1_000);
    backend.steps.clear();
  }

  @Test
  void get_unavailable_isNeverAbsent() {
    backend.unavailable(true).unavailable(true);
    assertThat(store.get(ALICE, task.id())).isEqualTo(task);

    backend.unavailable(false);
    assertFailed(false, () -> store.get(ALICE, task.id()));
  }

  @Test
  void get_corrupt_isUnreadable() {
    RecordKey key = map.everything().get(0).key();
    backend.fail(new CorruptRecordException("get", key, "checksum differs", null));

    assertThatExceptionOfType(TaskUnreadableException.class)
        .isThrownBy(() -> store.get(ALICE, task.id()))
        .withCauseInstanceOf(CorruptRecordException.class)
        .satisfies(e -> assertThat(e.reason()).isEqualTo("checksum differs"))
        .satisfies(e -> assertThat(e.taskId()).isEqualTo(task.id()));
  }

  @Test
  void pauses_growWithJitterToATenthOfASecond() {
    List<Long> pauses = new ArrayList<>();
    Timing recording =
        new Timing() {
          @Override
          public long nanoTime() {
            return 0;
          }

          @Override
          public void sleep(long nanos) {
            pauses.add(nanos);
          }
        };
    GenericTaskStore patient = GenericTaskStore.builder(backend).timing(recording).build();
    for (int i = 0; i < 101; i++) {
      backend.unavailable(true);
    }

    assertThat(patient.get(ALICE, task.id())).isEqualTo(task);

    assertThat(pauses).hasSize(100);
    for (int i = 0; i < pauses.size(); i++) {
      long longest = Duration.ofMillis(i < 6 ? 2L << i : 100).toNanos();
      assertThat(pauses.get(i)).isBetween(1L, longest);
    }
    assertThat(pauses.subList(10, 100))
        .anyMatch(pause -> pause > 50_000_000)
        .anyMatch(pause -> pause < 50_000_000);
  }

  // --- deletes ------------------------------------------------------------------------------

  @Test
  void delete_appliedAndLost_isSuccess() {
    backend.then(Supplier::get).appliedButLost();

    store.delete(ALICE, task.id());

    assertThat(map.everything()).isEmpty();
  }

  @Test
  void delete_lostAndAnotherWrote_deletesTheWinner() {
    backend.then(Supplier::get).lost(() -> other.update(task, change()));

    store.delete(ALICE, task.id());

    assertThat(map.everything()).isEmpty();
  }

  @Test
  void delete_deletedByAnotherFirst_isNotFound() {
    backend.then(
        call -> {
          Object found = call.get();
          other.delete(ALICE, task.id());
          return found;
        });

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.delete(ALICE, task.id()));
  }

  @Test
  void delete_lostForEver_isUnknown() {
    backend.then(Supplier::get);
    for (int i = 0; i < 5_000; i++) {
      backend.lost(() -> {});
    }

    assertUnknownBecauseCutOff(
        () -> {
          store.delete(ALICE, task.id());
          return task;
        });

    backend.steps.clear();
    assertThat(map.everything()).hasSize(1);
  }

  @Test
  void delete_notAppliedAndLost_isDeletedByTheRepeat() {
    backend.then(Supplier::get).lost(() -> {});

    store.delete(ALICE, task.id());

    assertThat(map.everything()).isEmpty();
  }

  @Test
  void delete_contended_endsAfterItsAttempts() {
    GenericTaskStore impatient =
        GenericTaskStore.builder(backend).timing(timing).maxUpdateAttempts(3).build();
    backend.then(Supplier::get);
    for (int i = 0; i < 3; i++) {
      backend.then(
          call -> {
            other.update(ALICE, task.id(), change());
            return call.get();
          });
    }

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> impatient.delete(ALICE, task.id()))
        .withMessageContaining("3 attempts");

    assertThat(other.get(ALICE, task.id()).version()).isEqualTo(4);
  }

  @Test
  void delete_contendedForEver_endsAtTheDeadline() {
    GenericTaskStore patient =
        GenericTaskStore.builder(backend).timing(timing).maxUpdateAttempts(10_000).build();
    backend.then(Supplier::get);
    for (int i = 0; i < 5_000; i++) {
      backend.then(
          call -> {
            other.update(ALICE, task.id(), change());
            return call.get();
          });
    }

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> patient.delete(ALICE, task.id()));

    assertThat(Duration.ofNanos(timing.nanoTime())).isEqualTo(Duration.ofSeconds(10));
    backend.steps.clear();
    assertThat(count()).isZero();
  }

  @Test
  void delete_lastAttemptLostAgainstADelete_isNotFound() {
    GenericTaskStore once =
        GenericTaskStore.builder(backend).timing(timing).maxUpdateAttempts(1).build();
    backend
        .then(Supplier::get)
        .then(
            call -> {
              other.delete(ALICE, task.id());
              return call.get();
            });

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> once.delete(ALICE, task.id()));
  }

  @Test
  void delete_winnerIsExpired_isNotFound() {
    MovableClock clock = new MovableClock();
    GenericTaskStore first = GenericTaskStore.builder(backend).clock(clock).timing(timing).build();
    GenericTaskStore second = GenericTaskStore.builder(map).clock(clock).build();
    Task mine = second.create(ALICE, NewTask.of("m"));
    backend
        .then(Supplier::get)
        .then(
            call -> {
              second.update(mine, change().ttl(Duration.ofMinutes(1)));
              clock.advance(Duration.ofMinutes(1));
              return call.get();
            });

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> first.delete(ALICE, mine.id()));

    assertThat(map.everything()).hasSize(2);
  }

  @Test
  void delete_unavailableAfterALostAnswer_isUnknownNotUnavailable() {
    backend.then(Supplier::get).appliedButLost().unavailable(false);

    assertUnknown(
        () -> {
          store.delete(ALICE, task.id());
          return task;
        });
  }

  @Test
  void delete_unavailable_isTriedAgainUnlessTheStorageRefuses() {
    backend.then(Supplier::get).unavailable(false);
    assertFailed(
        false,
        () -> {
          store.delete(ALICE, task.id());
          return task;
        });

    backend.then(Supplier::get).unavailable(true).unavailable(true);
    store.delete(ALICE, task.id());

    assertThat(map.everything()).isEmpty();
  }

  // --- creates ------------------------------------------------------------------------------

  @Test
  void create_appliedAndLost_isSuccessAndOneTask() {
    backend.appliedButLost().appliedButLost();

    Task created = store.create(ALICE, NewTask.of("m"));

    assertThat(created.version()).isEqualTo(1);
    assertThat(map.everything()).hasSize(2);
    assertThat(backend.writeIds).hasSize(3).containsOnly(backend.writeIds.get(0));
  }

  @Test
  void create_appliedLostAndChangedByAnother_isUnknown() {
    backend.appliedButLost(
        () ->
            other.list(ALICE, TaskQuery.newestFirst()).tasks().stream()
                .filter(t -> !t.equals(task))
                .forEach(t -> other.update(t, change())));

    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));

    assertThat(map.everything()).hasSize(2);
  }

  @Test
  void create_contended_triesAgainWithANewId() {
    backend.then(call -> new Contended(false)).then(call -> new Contended(false));

    store.create(ALICE, NewTask.of("m"));

    assertThat(backend.writeIds).hasSize(3).doesNotHaveDuplicates();
    assertThat(map.everything()).hasSize(2);
  }

  @Test
  void create_fullAfterARecordThatMayRemain_isUnknown() {
    backend.then(call -> new Contended(true)).then(call -> Full.FULL);
    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));

    backend.then(call -> new Contended(false)).then(call -> Full.FULL);
    assertThatExceptionOfType(TaskLimitException.class)
        .isThrownBy(() -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_fullOrContendedAfterALostAnswer_isUnknown() {
    backend.lost(() -> {}).then(call -> Full.FULL);
    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));

    backend.lost(() -> {}).then(call -> new Contended(false)).then(call -> Full.FULL);
    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_failsAfterARecordThatMayRemain_isUnknown() {
    backend.then(call -> new Contended(true)).unavailable(false);
    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));

    VersionedRecord taken = map.everything().get(0);
    backend.then(call -> new Contended(true));
    for (int i = 0; i < 3; i++) {
      backend.then(call -> new Conflict(taken));
    }
    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_recordThatMayRemain_isRememberedInLaterAttempts() {
    backend
        .then(call -> new Contended(true))
        .then(call -> new Contended(false))
        .then(call -> Full.FULL);

    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_failsAfterARecordThatMayRemain_keepsTheCause() {
    backend
        .then(call -> new Contended(true))
        .fail(new CapacityExceededException("createWithin", null, "disk full", null));

    TaskStorageException e =
        catchThrowableOfType(
            TaskStorageException.class, () -> store.create(ALICE, NewTask.of("m")));

    assertThat(e.isOutcomeUnknown()).isTrue();
    assertThat(e).hasCauseInstanceOf(CapacityExceededException.class);
  }

  @Test
  void create_contendedForEverAfterARecordThatMayRemain_isUnknown() {
    backend.then(call -> new Contended(true));
    for (int i = 0; i < 5_000; i++) {
      backend.then(call -> new Contended(false));
    }

    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));

    backend.steps.clear();
  }

  @Test
  void create_idsTaken_triesThreeAndNoMore() {
    other.update(task, change());
    VersionedRecord foreign = map.everything().get(0);
    backend.then(call -> new Conflict(foreign)).then(call -> new Conflict(foreign));
    assertThat(store.create(ALICE, NewTask.of("m")).version()).isEqualTo(1);
    assertThat(backend.calls).isEqualTo(3);

    for (int i = 0; i < 3; i++) {
      backend.then(call -> new Conflict(foreign));
    }
    assertFailed(false, () -> store.create(ALICE, NewTask.of("m")));

    assertThat(backend.calls).isEqualTo(6);
    assertThat(map.everything()).hasSize(2);
  }

  @Test
  void create_idWasTakenByAnotherAfterALostAnswer_takesAnotherId() {
    RecordValue foreign = map.everything().get(0).value();
    backend
        .lost(() -> {})
        .then(
            call -> new Conflict(new VersionedRecord(new RecordKey("ts:alice", "x"), foreign, 1)));

    assertThat(store.create(ALICE, NewTask.of("m")).version()).isEqualTo(1);

    assertThat(map.everything()).hasSize(2);
  }

  @Test
  void create_lostAndThenGone_isUnknown() {
    backend.appliedButLost().then(call -> Conflict.ABSENT);

    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_lostForEver_isUnknownAtTheDeadline() {
    for (int i = 0; i < 5_000; i++) {
      backend.lost(() -> {});
    }

    assertUnknownBecauseCutOff(() -> store.create(ALICE, NewTask.of("m")));

    assertThat(Duration.ofNanos(timing.nanoTime())).isEqualTo(Duration.ofSeconds(10));
    backend.steps.clear();
  }

  @Test
  void create_unavailableAfterALostAnswer_isUnknownNotUnavailable() {
    backend.lost(() -> {}).unavailable(false);

    assertUnknown(() -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_unavailable_isTriedAgainUnlessTheStorageRefuses() {
    backend.unavailable(false);
    assertFailed(false, () -> store.create(ALICE, NewTask.of("m")));
    assertThat(backend.calls).isEqualTo(1);

    backend.unavailable(true).unavailable(true);
    store.create(ALICE, NewTask.of("m"));

    assertThat(backend.calls).isEqualTo(4);
    assertThat(map.everything()).hasSize(2);
  }

  @Test
  void create_corruptRecordUnderTheKey_isAFailureOfTheStorage() {
    RecordKey key = map.everything().get(0).key();
    backend.fail(new CorruptRecordException("get", key, "checksum differs", null));

    assertFailed(false, () -> store.create(ALICE, NewTask.of("m")));
  }

  @Test
  void create_contended_isDatedAtTheAttemptThatSucceeds() {
    MovableClock clock = new MovableClock();
    GenericTaskStore dated = GenericTaskStore.builder(backend).clock(clock).timing(timing).build();
    backend.then(
        call -> {
          clock.advance(Duration.ofSeconds(3));
          return new Contended(false);
        });

    Task created = dated.create(ALICE, NewTask.of("m"));

    assertThat(created.createdAt()).isEqualTo(clock.instant());
    assertThat(created.expiresAt()).contains(clock.instant().plus(Duration.ofHours(1)));
  }

  @Test
  void create_contendedForEver_endsAtTheDeadline() {
    for (int i = 0; i < 5_000; i++) {
      backend.then(call -> new Contended(false));
    }

    assertFailed(true, () -> store.create(ALICE, NewTask.of("m")));

    backend.steps.clear();
    assertThat(Duration.ofNanos(timing.nanoTime())).isLessThanOrEqualTo(Duration.ofSeconds(10));
  }

  // ------------------------------------------------------------------------------------------

  private void assertUnknown(Supplier<Task> call) {
    TaskStorageException e = catchThrowableOfType(TaskStorageException.class, call::get);
    assertThat(e).isNotNull();
    assertThat(e.isOutcomeUnknown()).isTrue();
    assertThat(e.isRetryable()).isFalse();
  }

  private void assertUnknownBecauseCutOff(Supplier<Task> call) {
    TaskStorageException e = catchThrowableOfType(TaskStorageException.class, call::get);
    assertThat(e).isNotNull();
    assertThat(e.isOutcomeUnknown()).isTrue();
    assertThat(e).hasCauseInstanceOf(OutcomeUnknownException.class);
  }

  private void assertFailed(boolean retryable, Supplier<Task> call) {
    TaskStorageException e = catchThrowableOfType(TaskStorageException.class, call::get);
    assertThat(e).isNotNull();
    assertThat(e.isOutcomeUnknown()).isFalse();
    assertThat(e.isRetryable()).isEqualTo(retryable);
    assertThat(e.getCause() == null || e.getCause() instanceof StorageException).isTrue();
  }
}
