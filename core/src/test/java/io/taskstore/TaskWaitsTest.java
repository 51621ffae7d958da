// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageUnavailableException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class TaskWaitsTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final Duration MINUTE = Duration.ofMinutes(1);

  /** No poll comes later than this after a moment. */
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(2);

  /** Runs nothing. */
  private static class Idle implements Scheduler {
    @Override
    public Scheduled schedule(long delayNanos, Runnable work) {
      return () -> {};
    }

    @Override
    public void close() {}
  }

  private final VirtualTiming timing = new VirtualTiming();
  private final VirtualScheduler scheduler = new VirtualScheduler(timing);
  private final ExecutorService callers =
      Executors.newCachedThreadPool(
          work -> {
            Thread thread = new Thread(null, work, "caller", 128 * 1024);
            thread.setDaemon(true);
            return thread;
          });
  private final Thread tester = Thread.currentThread();

  private final Task v1;
  private final Task v2;
  private final Task v3;
  private final Task ended;
  private final RecordKey key;

  private final AtomicInteger looks = new AtomicInteger();
  private volatile Supplier<Task> stored;
  private final TaskWaits waits =
      new TaskWaits(
          scheduler,
          timing,
          (owner, k) -> {
            looks.incrementAndGet();
            return stored.get();
          });

  TaskWaitsTest() {
    GenericTaskStore store =
        GenericTaskStore.builder(new MapBackend()).timing(new VirtualTiming()).build();
    v1 = store.create(ALICE, NewTask.of("digest"));
    v2 = store.update(v1, change().message("two"));
    v3 = store.update(v2, change().message("three"));
    ended = store.update(v3, change().complete());
    key = new RecordKey("p", v1.id());
    stored = () -> v1;
  }

  @AfterEach
  void endCallers() {
    callers.shutdownNow();
  }

  private static boolean never(Task unused) {
    return false;
  }

  // --- helpers --------------------------------------------------------------------------------

  private Future<Task> call(Predicate<? super Task> done, Duration timeout) {
    return callers.submit(() -> waits.await(ALICE, key, done, timeout));
  }

  private static <T> T get(Future<T> future) {
    try {
      return future.get(30, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new AssertionError("not a result", e);
    }
  }

  private static Throwable failure(Future<?> future) {
    return assertThatExceptionOfType(ExecutionException.class)
        .isThrownBy(() -> future.get(30, TimeUnit.SECONDS))
        .actual()
        .getCause();
  }

  private static void eventually(BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(30)) {
        throw new AssertionError("it did not come true in 30 s");
      }
      LockSupport.parkNanos(100_000);
    }
  }

  /** Waits until so many callers have looked in vain. */
  private void untilWaiting(int callers) {
    eventually(
        () -> waits.waiters(key) == callers && looks.get() >= callers && scheduler.waiting() == 1);
  }

  private void assertNothingIsRetained() {
    eventually(() -> waits.tasks() == 0);
    eventually(() -> scheduler.waiting() == 0);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static TaskStorageException storageFailure(boolean retryable, boolean unknown) {
    return new TaskStorageException(
        "down",
        retryable,
        unknown,
        new StorageUnavailableException("read", null, retryable, "down", null));
  }

  // --- looking --------------------------------------------------------------------------------

  @Test
  void await_firstLookSatisfies_schedulesNothing() throws Exception {
    stored = () -> ended;

    assertThat(waits.await(ALICE, key, Task::isTerminal, MINUTE)).isSameAs(ended);
    assertThat(looks).hasValue(1);
    assertThat(scheduler.scheduled()).isZero();
    assertNothingIsRetained();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void await_timeoutNotPositive_justLooks(long seconds) throws Exception {
    assertThat(waits.await(ALICE, key, TaskWaitsTest::never, Duration.ofSeconds(seconds)))
        .isSameAs(v1);
    assertThat(looks).hasValue(1);
    assertThat(scheduler.scheduled()).isZero();
  }

  @Test
  void await_firstLookFails_throwsThat() {
    TaskStorageException down = storageFailure(true, false);
    stored =
        () -> {
          throw down;
        };

    assertThatThrownBy(() -> waits.await(ALICE, key, TaskWaitsTest::never, MINUTE)).isSameAs(down);
    assertThat(scheduler.scheduled()).isZero();
    assertNothingIsRetained();
  }

  @Test
  void await_firstLookTakesTheWholeTimeout_returnsItsResult() throws Exception {
    stored =
        () -> {
          timing.moveTo(MINUTE.toNanos());
          return v1;
        };

    assertThat(waits.await(ALICE, key, TaskWaitsTest::never, MINUTE)).isSameAs(v1);
    assertThat(looks).hasValue(1);
    assertThat(scheduler.scheduled()).isZero();
  }

  // --- being woken ----------------------------------------------------------------------------

  @Test
  void written_predicateHolds_wakesWithoutALook() {
    Future<Task> terminal = call(Task::isTerminal, MINUTE);
    untilWaiting(1);

    waits.written(key, v2);
    waits.written(key, ended);

    assertThat(get(terminal)).isSameAs(ended);
    assertThat(looks).hasValue(1);
    assertNothingIsRetained();
  }

  @Test
  void written_duringTheFirstLook_isNotMissed() throws Exception {
    stored =
        () -> {
          waits.written(key, ended);
          return v1;
        };

    assertThat(waits.await(ALICE, key, Task::isTerminal, MINUTE)).isSameAs(ended);
    assertThat(scheduler.scheduled()).isZero();
  }

  /**
   * Starting the poller may block, on a lock for example, and what blocks takes a wake for itself.
   */
  @Test
  void written_whileThePollerIsStarted_isNotMissed() {
    AtomicReference<TaskWaits> own = new AtomicReference<>();
    own.set(
        new TaskWaits(
            new Idle() {
              @Override
              public Scheduled schedule(long delayNanos, Runnable work) {
                own.get().written(key, ended);
                LockSupport.parkNanos(1);
                return super.schedule(delayNanos, work);
              }
            },
            Timing.SYSTEM,
            (owner, k) -> {
              looks.incrementAndGet();
              return v1;
            }));

    Future<Task> call =
        callers.submit(
            () -> own.get().await(ALICE, key, Task::isTerminal, MINUTE.multipliedBy(10)));

    assertThat(get(call)).isSameAs(ended);
    assertThat(looks).hasValue(1);
  }

  @Test
  void written_olderThanTheFirstLook_isNotReturned() throws Exception {
    stored =
        () -> {
          waits.written(key, v1);
          return v3;
        };

    assertThat(waits.await(ALICE, key, task -> true, MINUTE)).isSameAs(v3);
  }

  @Test
  void written_olderThanWhatWasSeen_isIgnored() {
    stored = () -> v3;
    Future<Task> second = call(task -> task.version() == 2, MINUTE);
    untilWaiting(1);

    waits.written(key, v2);
    waits.written(key, ended);
    scheduler.advance(MINUTE.plus(LONGEST_PAUSE));

    assertThat(get(second)).isSameAs(ended);
  }

  @Test
  void written_newerComesWhileThePredicateIsAsked_olderIsNotReturned() {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    Future<Task> second =
        call(
            task -> {
              if (task.version() == 2) {
                asked.countDown();
                await(answer);
              }
              return task.version() == 2;
            },
            MINUTE);
    untilWaiting(1);
    Future<?> slowWriter = callers.submit(() -> waits.written(key, v2));
    await(asked);

    waits.written(key, v3);
    answer.countDown();
    get(slowWriter);
    scheduler.advance(MINUTE.plus(LONGEST_PAUSE));

    assertThat(get(second)).isSameAs(v3);
  }

  @Test
  void written_predicateBlocks_delaysNobodyElse() {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch answer = new CountDownLatch(1);
    Future<Task> blocked =
        call(
            task -> {
              if (task.version() == 2) {
                asked.countDown();
                await(answer);
              }
              return task.version() == 2;
            },
            MINUTE);
    untilWaiting(1);
    Future<?> writer = callers.submit(() -> waits.written(key, v2));
    await(asked);

    Future<Task> other = call(Task::isTerminal, MINUTE);
    eventually(() -> waits.waiters(key) == 2 && looks.get() == 2);
    get(callers.submit(() -> waits.written(key, ended)));
    assertThat(get(other)).isSameAs(ended);

    answer.countDown();
    get(writer);
    waits.gone(key);
    assertThat(failure(blocked)).isInstanceOf(TaskNotFoundException.class);
  }

  @Test
  void written_predicateThrows_endsThatWaitOnly() {
    IllegalStateException mistake = new IllegalStateException("a mistake");
    Future<Task> mistaken =
        call(
            task -> {
              if (task.version() == 2) {
                throw mistake;
              }
              return false;
            },
            MINUTE);
    Future<Task> erring =
        call(
            task -> {
              assertThat(task.version()).isNotEqualTo(2);
              return false;
            },
            MINUTE);
    Future<Task> right = call(task -> task.version() == 2, MINUTE);
    untilWaiting(3);

    waits.written(key, v2);

    assertThat(failure(mistaken)).isSameAs(mistake);
    assertThat(failure(erring)).isInstanceOf(AssertionError.class);
    assertThat(get(right)).isSameAs(v2);
    assertNothingIsRetained();
  }

  @Test
  void written_otherTask_wakesNobody() {
    Future<Task> any = call(task -> task.version() > 1, MINUTE);
    untilWaiting(1);

    waits.written(new RecordKey("p", "other"), v3);
    waits.written(key, v2);

    assertThat(get(any)).isSameAs(v2);
  }

  @Test
  void gone_endsEveryWaitWithAnExceptionOfItsOwn() {
    Future<Task> one = call(TaskWaitsTest::never, MINUTE);
    Future<Task> two = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(2);

    waits.gone(new RecordKey("p", "other"));
    waits.gone(key);

    Throwable first = failure(one);
    assertThat(first)
        .isInstanceOfSatisfying(
            TaskNotFoundException.class, e -> assertThat(e.taskId()).isEqualTo(v1.id()));
    assertThat(failure(two)).isInstanceOf(TaskNotFoundException.class).isNotSameAs(first);
    assertNothingIsRetained();
  }

  @Test
  void close_endsEveryWaitAndLaterOnes() {
    Future<Task> one = call(TaskWaitsTest::never, MINUTE);
    Future<Task> two = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(2);

    waits.close(() -> new IllegalStateException("closed"));

    Throwable first = failure(one);
    assertThat(first).isInstanceOf(IllegalStateException.class).hasMessage("closed");
    assertThat(failure(two)).isInstanceOf(IllegalStateException.class).isNotSameAs(first);
    assertThatThrownBy(() -> waits.await(ALICE, key, TaskWaitsTest::never, MINUTE))
        .hasMessage("closed");
    assertThatThrownBy(() -> waits.await(ALICE, key, TaskWaitsTest::never, Duration.ZERO))
        .hasMessage("closed");
    assertThat(looks).hasValue(2);
    assertNothingIsRetained();
  }

  @Test
  void close_duringTheFirstLook_endsTheWait() {
    stored =
        () -> {
          waits.close(() -> new IllegalStateException("closed"));
          return v1;
        };

    assertThatThrownBy(() -> waits.await(ALICE, key, TaskWaitsTest::never, MINUTE))
        .hasMessage("closed");
    assertThat(scheduler.scheduled()).isZero();
    assertNothingIsRetained();
  }

  // --- polling --------------------------------------------------------------------------------

  @Test
  void await_changeElsewhere_isNoticedByThePoller() {
    Future<Task> one = call(Task::isTerminal, MINUTE);
    Future<Task> two = call(task -> task.version() > 3, MINUTE);
    untilWaiting(2);
    scheduler.advance(Duration.ofSeconds(20));
    stored = () -> ended;
    int before = looks.get();

    scheduler.advance(LONGEST_PAUSE);

    assertThat(get(one)).isSameAs(ended);
    assertThat(get(two)).isSameAs(ended);
    assertThat(looks.get() - before).as("one look for both, or two").isBetween(1, 2);
    assertNothingIsRetained();
  }

  @Test
  void await_firstLookOfALateWaiter_servesTheOthersToo() {
    Future<Task> early = call(task -> task.version() > 1, MINUTE);
    untilWaiting(1);
    stored = () -> v2;

    Future<Task> late = call(Task::isTerminal, MINUTE);

    assertThat(get(early)).isSameAs(v2);
    assertThat(looks).hasValue(2);
    untilWaiting(1);
    waits.written(key, ended);
    assertThat(get(late)).isSameAs(ended);
  }

  @Test
  void await_polls_backOffWithJitterUpToTwoSeconds() {
    List<Long> pauses = new ArrayList<>();
    long[] last = {0};
    stored =
        () -> {
          if (Thread.currentThread() == tester) {
            pauses.add(timing.nanoTime() - last[0]);
            last[0] = timing.nanoTime();
          }
          return v1;
        };
    Future<Task> call = call(TaskWaitsTest::never, MINUTE.multipliedBy(3));
    untilWaiting(1);

    scheduler.advance(MINUTE);

    assertThat(pauses).hasSizeBetween(30, 50);
    double base = 100e6;
    for (long pause : pauses) {
      assertThat((double) pause).isBetween(base * 0.799, Math.min(base * 1.201, 2e9));
      base = Math.min(base * 1.5, 2e9);
    }
    assertThat(pauses.stream().distinct().count()).isGreaterThan(20);
    waits.written(key, ended);
    waits.gone(key);
    assertThat(failure(call)).isInstanceOf(TaskNotFoundException.class);
  }

  @Test
  void await_moreWaiters_neitherMultiplyNorRestartThePoller() {
    List<Long> times = new ArrayList<>();
    stored =
        () -> {
          if (Thread.currentThread() == tester) {
            times.add(timing.nanoTime());
          }
          return v1;
        };
    List<Future<Task>> calls = new ArrayList<>();
    calls.add(call(Task::isTerminal, MINUTE));
    untilWaiting(1);
    scheduler.advance(Duration.ofSeconds(20));
    times.clear();

    for (int i = 0; i < 20; i++) {
      calls.add(call(Task::isTerminal, MINUTE));
      untilWaiting(i + 2);
      scheduler.advance(Duration.ofSeconds(1));
    }

    assertThat(times).hasSizeBetween(10, 13); // 20 s in steps of 1.6 s to 2 s
    assertThat(scheduler.waiting()).isOne();
    waits.written(key, ended);
    calls.forEach(call -> assertThat(get(call)).isSameAs(ended));
    assertNothingIsRetained();
  }

  @Test
  void await_lastWaiterLeavesDuringALook_thePollerStops() {
    Future<Task> call = call(Task::isTerminal, MINUTE);
    untilWaiting(1);
    stored =
        () -> {
          waits.written(key, ended);
          assertThat(get(call)).isSameAs(ended);
          eventually(() -> waits.tasks() == 0);
          return ended;
        };

    scheduler.advance(MINUTE);

    assertThat(looks).hasValue(2);
    assertNothingIsRetained();
  }

  @Test
  void await_oneOfTwoLeaves_theOtherIsStillServed() {
    Future<Task> one = call(task -> task.version() > 1, MINUTE);
    Future<Task> two = call(Task::isTerminal, MINUTE);
    untilWaiting(2);
    waits.written(key, v2);
    assertThat(get(one)).isSameAs(v2);
    untilWaiting(1);
    stored = () -> ended;

    scheduler.advance(LONGEST_PAUSE);

    assertThat(get(two)).isSameAs(ended);
    assertNothingIsRetained();
  }

  @Test
  void await_pollFindsNothing_endsEveryWaitWithAnExceptionOfItsOwn() {
    Future<Task> one = call(TaskWaitsTest::never, MINUTE);
    Future<Task> two = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(2);
    stored =
        () -> {
          throw new TaskNotFoundException(v1.id());
        };

    scheduler.advance(LONGEST_PAUSE);

    Throwable first = failure(one);
    assertThat(first)
        .isInstanceOfSatisfying(
            TaskNotFoundException.class, e -> assertThat(e.taskId()).isEqualTo(v1.id()));
    assertThat(failure(two)).isInstanceOf(TaskNotFoundException.class).isNotSameAs(first);
    assertNothingIsRetained();
  }

  static List<Throwable> finalFailures() {
    return List.of(
        new TaskUnreadableException("id", "damaged", "delete it", null),
        new IllegalStateException("a defect"),
        new AssertionError("an error"));
  }

  @ParameterizedTest
  @MethodSource("finalFailures")
  void await_pollFailsForGood_endsTheWait(Throwable failure) {
    Future<Task> call = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(1);
    stored =
        () -> {
          if (failure instanceof Error error) {
            throw error;
          }
          throw (RuntimeException) failure;
        };

    scheduler.advance(LONGEST_PAUSE);

    assertThat(failure(call)).isSameAs(failure);
    assertNothingIsRetained();
  }

  @Test
  void await_storageFailsForGood_endsTheWait() {
    Future<Task> call = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(1);
    TaskStorageException refused = storageFailure(false, false);
    stored =
        () -> {
          throw refused;
        };

    scheduler.advance(LONGEST_PAUSE);

    assertThat(failure(call))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage("down")
        .hasCause(refused.getCause());
    assertNothingIsRetained();
  }

  @Test
  void await_storageFailsForAWhile_pollingGoesOn() {
    Future<Task> call = call(Task::isTerminal, MINUTE);
    untilWaiting(1);
    AtomicInteger failures = new AtomicInteger();
    stored =
        () -> {
          throw storageFailure(failures.incrementAndGet() % 2 == 0, failures.get() % 2 == 1);
        };
    scheduler.advance(Duration.ofSeconds(30));
    assertThat(failures).hasValueGreaterThan(10);

    stored = () -> ended;
    scheduler.advance(LONGEST_PAUSE);

    assertThat(get(call)).isSameAs(ended);
  }

  @Test
  void await_pollFailsDuringAFirstLook_theLookCounts() {
    Future<Task> early = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(1);
    CountDownLatch looking = new CountDownLatch(1);
    CountDownLatch found = new CountDownLatch(1);
    stored =
        () -> {
          if (Thread.currentThread() == tester) {
            throw new IllegalStateException("a defect");
          }
          looking.countDown();
          await(found);
          return ended;
        };
    Future<Task> late = call(Task::isTerminal, MINUTE);
    await(looking);

    scheduler.advance(Duration.ofMillis(120));
    assertThat(failure(early)).isInstanceOf(IllegalStateException.class);
    found.countDown();

    assertThat(get(late)).isSameAs(ended);
  }

  // --- deadlines ------------------------------------------------------------------------------

  @Test
  void await_timeOver_returnsALastLookOfItsOwn() {
    stored =
        () -> Thread.currentThread() != tester && timing.nanoTime() >= MINUTE.toNanos() ? v3 : v1;
    Future<Task> call = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(1);

    scheduler.advance(MINUTE.plus(LONGEST_PAUSE));

    assertThat(get(call)).isSameAs(v3);
    assertNothingIsRetained();
  }

  @Test
  void await_lastLookFails_throwsThat() {
    TaskStorageException down = storageFailure(true, false);
    Future<Task> call = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(1);
    stored =
        () -> {
          throw down;
        };

    scheduler.advance(MINUTE.plus(LONGEST_PAUSE));

    assertThat(failure(call)).isSameAs(down);
    assertNothingIsRetained();
  }

  @Test
  void await_lastLookOlderThanWhatWasSeen_returnsTheNewer() {
    Future<Task> call = call(TaskWaitsTest::never, MINUTE);
    untilWaiting(1);
    waits.written(key, v3);

    scheduler.advance(MINUTE.plus(LONGEST_PAUSE));

    assertThat(get(call)).isSameAs(v3);
  }

  @Test
  void await_lastLookOfOne_servesTheOthersToo() {
    stored =
        () -> Thread.currentThread() != tester && timing.nanoTime() >= MINUTE.toNanos() ? v2 : v1;
    Future<Task> brief = call(TaskWaitsTest::never, MINUTE);
    Future<Task> patient = call(task -> task.version() > 1, MINUTE.multipliedBy(9));
    untilWaiting(2);

    scheduler.advance(MINUTE.plus(LONGEST_PAUSE));

    assertThat(get(brief)).isSameAs(v2);
    assertThat(get(patient)).isSameAs(v2);
  }

  @Test
  void await_schedulerNeverRuns_theWaiterEndsByItself() throws Exception {
    AtomicInteger own = new AtomicInteger();
    TaskWaits unserved =
        new TaskWaits(
            new Idle(),
            Timing.SYSTEM,
            (owner, k) -> {
              own.incrementAndGet();
              return v1;
            });

    assertThat(unserved.await(ALICE, key, TaskWaitsTest::never, Duration.ofMillis(30)))
        .isSameAs(v1);
    assertThat(own).hasValue(2);
  }

  @ParameterizedTest
  @ValueSource(longs = {365_000L * 86_400, Long.MAX_VALUE})
  void await_veryLongTimeout_waits(long seconds) {
    timing.moveTo(Long.MAX_VALUE - 5);
    Future<Task> call = call(Task::isTerminal, Duration.ofSeconds(seconds));
    untilWaiting(1);

    waits.written(key, ended);

    assertThat(get(call)).isSameAs(ended);
    assertThat(looks).hasValue(1);
  }

  // --- interrupts -----------------------------------------------------------------------------

  @Test
  void await_interruptedMeanwhile_throwsAndLeaves() {
    AtomicReference<Thread> caller = new AtomicReference<>();
    Future<Task> call =
        callers.submit(
            () -> {
              caller.set(Thread.currentThread());
              return waits.await(ALICE, key, TaskWaitsTest::never, MINUTE);
            });
    untilWaiting(1);

    caller.get().interrupt();

    assertThat(failure(call)).isInstanceOf(InterruptedException.class);
    assertNothingIsRetained();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 60})
  void await_interruptedBefore_throwsWithoutALook(long seconds) {
    Thread.currentThread().interrupt();

    Throwable thrown =
        catchThrowable(
            () -> waits.await(ALICE, key, TaskWaitsTest::never, Duration.ofSeconds(seconds)));

    assertThat(Thread.interrupted()).isFalse();
    assertThat(thrown).isInstanceOf(InterruptedException.class);
    assertThat(looks).hasValue(0);
    assertNothingIsRetained();
  }

  // --- many -----------------------------------------------------------------------------------

  @Test
  void await_thousandsOnOneTask_oneWriteWakesThem() {
    List<Future<Task>> calls = new ArrayList<>();
    for (int i = 0; i < 2_000; i++) {
      calls.add(call(Task::isTerminal, MINUTE));
    }
    untilWaiting(2_000);
    int before = looks.get();
    scheduler.advance(Duration.ofMillis(120));
    assertThat(looks.get() - before).isOne();

    waits.written(key, ended);

    calls.forEach(call -> assertThat(get(call)).isSameAs(ended));
    assertThat(looks.get() - before).isOne();
    assertNothingIsRetained();
  }

  @Test
  void await_writersRace_noWakeIsMissedAndNoVersionGoesBack() {
    GenericTaskStore store =
        GenericTaskStore.builder(new MapBackend()).timing(new VirtualTiming()).build();
    List<Task> versions = new ArrayList<>(List.of(store.create(ALICE, NewTask.of("digest"))));
    while (versions.size() < 2_000) {
      Task last = versions.get(versions.size() - 1);
      versions.add(store.update(last, change().message("version " + last.version())));
    }
    AtomicReference<Task> current = new AtomicReference<>(versions.get(0));
    AtomicInteger ownLooks = new AtomicInteger();
    AtomicInteger awaits = new AtomicInteger();
    TaskWaits unpolled =
        new TaskWaits(
            new Idle(),
            Timing.SYSTEM,
            (owner, k) -> {
              ownLooks.incrementAndGet();
              return current.get();
            });
    ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
    List<Future<?>> all = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      all.add(
          callers.submit(
              () -> {
                long since = 1;
                while (since < versions.size()) {
                  long known = since;
                  long least = Math.max(known + 1, current.get().version());
                  awaits.incrementAndGet();
                  Task task =
                      unpolled.await(ALICE, key, t -> t.version() > known, Duration.ofSeconds(40));
                  if (task.version() < least) {
                    wrong.add(task.version() + " for " + least);
                  }
                  since = Math.max(since, task.version());
                }
                return null;
              }));
    }
    AtomicInteger next = new AtomicInteger(1);
    for (int i = 0; i < 2; i++) {
      all.add(
          callers.submit(
              () -> {
                for (int n = next.getAndIncrement();
                    n < versions.size();
                    n = next.getAndIncrement()) {
                  Task task = versions.get(n);
                  current.accumulateAndGet(task, (a, b) -> a.version() > b.version() ? a : b);
                  unpolled.written(key, task);
                }
              }));
    }

    all.forEach(TaskWaitsTest::get);

    assertThat(wrong).isEmpty();
    assertThat(ownLooks.get())
        .as("a last look means that a wake was missed")
        .isEqualTo(awaits.get());
    assertThat(unpolled.tasks()).isZero();
  }
}
