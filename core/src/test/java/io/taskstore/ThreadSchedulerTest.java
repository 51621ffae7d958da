// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ThreadSchedulerTest {
  private static final Duration LONG = Duration.ofMinutes(10);

  private final CountDownLatch release = new CountDownLatch(1);
  private final List<ThreadScheduler> made = new ArrayList<>();

  private ThreadScheduler scheduler(Duration idle, Duration patience) {
    ThreadScheduler scheduler = new ThreadScheduler(idle, patience);
    made.add(scheduler);
    return scheduler;
  }

  private ThreadScheduler scheduler() {
    return scheduler(LONG, LONG);
  }

  @AfterEach
  void close() {
    release.countDown();
    made.forEach(ThreadScheduler::close);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
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

  /** Work that begins, and goes on until the test lets it end, whatever interrupts it. */
  private Runnable stubborn(CountDownLatch begun) {
    return () -> {
      begun.countDown();
      boolean ended = false;
      while (!ended) {
        try {
          release.await();
          ended = true;
        } catch (InterruptedException e) {
          // goes on
        }
      }
    };
  }

  @Test
  void schedule_nothingYet_hasNoThread() {
    assertThat(scheduler().threads()).isZero();
  }

  @Test
  void schedule_work_runsOnANamedDaemonThreadWhenItIsDue() throws Exception {
    CompletableFuture<Thread> ran = new CompletableFuture<>();
    CompletableFuture<Long> at = new CompletableFuture<>();
    long start = System.nanoTime();
    scheduler()
        .schedule(
            TimeUnit.MILLISECONDS.toNanos(20),
            () -> {
              at.complete(System.nanoTime());
              ran.complete(Thread.currentThread());
            });

    Thread thread = ran.get(30, TimeUnit.SECONDS);
    assertThat(at.get(30, TimeUnit.SECONDS) - start)
        .isGreaterThanOrEqualTo(TimeUnit.MILLISECONDS.toNanos(20));
    assertThat(thread.getName()).startsWith("taskstore-");
    assertThat(thread.isDaemon()).isTrue();
  }

  @Test
  void schedule_threeBlock_otherWorkRuns() {
    ThreadScheduler scheduler = scheduler();
    CountDownLatch begun = new CountDownLatch(3);
    for (int i = 0; i < 3; i++) {
      scheduler.schedule(0, stubborn(begun));
    }
    await(begun);
    CountDownLatch ran = new CountDownLatch(100);
    for (int i = 0; i < 100; i++) {
      scheduler.schedule(0, ran::countDown);
    }

    await(ran);
    assertThat(scheduler.threads()).isEqualTo(4);
  }

  @Test
  void schedule_idle_givesThreadsBackAndMakesThemAgain() {
    ThreadScheduler scheduler = scheduler(Duration.ofMillis(20), LONG);
    CountDownLatch ran = new CountDownLatch(8);
    for (int i = 0; i < 8; i++) {
      scheduler.schedule(0, ran::countDown);
    }
    await(ran);

    eventually(() -> scheduler.threads() == 0);

    CountDownLatch again = new CountDownLatch(1);
    scheduler.schedule(0, again::countDown);
    await(again);
  }

  @Test
  void schedule_idleDownToOneThreadWhichBlocks_laterWorkStillRuns() {
    ThreadScheduler scheduler = scheduler(Duration.ofMillis(10), LONG);
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch ran = new CountDownLatch(1);
    scheduler.schedule(TimeUnit.MILLISECONDS.toNanos(300), stubborn(begun));
    scheduler.schedule(TimeUnit.MILLISECONDS.toNanos(600), ran::countDown);
    eventually(() -> scheduler.threads() == 1);

    await(begun);

    await(ran);
  }

  @Test
  void cancel_notBegun_dropsIt() {
    ThreadScheduler scheduler = scheduler();
    List<Scheduler.Scheduled> all = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      all.add(scheduler.schedule(LONG.toNanos(), () -> {}));
    }
    assertThat(scheduler.waiting()).isEqualTo(1_000);

    all.forEach(Scheduler.Scheduled::cancel);

    assertThat(scheduler.waiting()).isZero();
  }

  @Test
  void cancel_begun_doesNotInterrupt() {
    ThreadScheduler scheduler = scheduler();
    CountDownLatch begun = new CountDownLatch(1);
    CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
    Scheduler.Scheduled scheduled =
        scheduler.schedule(
            0,
            () -> {
              begun.countDown();
              try {
                release.await();
                interrupted.complete(false);
              } catch (InterruptedException e) {
                interrupted.complete(true);
              }
            });
    await(begun);

    scheduled.cancel();
    release.countDown();

    assertThat(interrupted).succeedsWithin(Duration.ofSeconds(30)).isEqualTo(false);
  }

  @Test
  void schedule_workThrows_isLoggedAndHarmsNothing() {
    ConcurrentLinkedQueue<LogRecord> records = new ConcurrentLinkedQueue<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord entry) {
            records.add(entry);
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger logger = Logger.getLogger(ThreadScheduler.class.getName());
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try {
      ThreadScheduler scheduler = scheduler();
      IllegalStateException exception = new IllegalStateException("a mistake");
      StackOverflowError error = new StackOverflowError("an error");
      scheduler.schedule(
          0,
          () -> {
            throw exception;
          });
      scheduler.schedule(
          0,
          () -> {
            throw error;
          });
      eventually(() -> records.size() == 2);
      CountDownLatch ran = new CountDownLatch(1);
      scheduler.schedule(0, ran::countDown);
      await(ran);

      assertThat(records)
          .allSatisfy(entry -> assertThat(entry.getLevel()).isEqualTo(Level.WARNING))
          .extracting(LogRecord::getThrown)
          .containsExactlyInAnyOrder(exception, error);
    } finally {
      logger.setUseParentHandlers(true);
      logger.removeHandler(handler);
    }
  }

  @Test
  void close_waitsForWhatHasBegun_andDropsTheRest() {
    ThreadScheduler scheduler = scheduler();
    CountDownLatch begun = new CountDownLatch(4);
    AtomicInteger ended = new AtomicInteger();
    AtomicInteger dropped = new AtomicInteger();
    for (int i = 0; i < 4; i++) {
      Runnable work = stubborn(begun);
      scheduler.schedule(
          0,
          () -> {
            work.run();
            ended.incrementAndGet();
          });
    }
    await(begun);
    scheduler.schedule(0, dropped::incrementAndGet);
    scheduler.schedule(TimeUnit.MILLISECONDS.toNanos(1), dropped::incrementAndGet);
    scheduler.schedule(LONG.toNanos(), dropped::incrementAndGet);
    Thread closer = new Thread(scheduler::close);
    closer.start();
    eventually(() -> closer.getState() == Thread.State.TIMED_WAITING);

    release.countDown();
    scheduler.close();

    assertThat(ended).hasValue(4);
    assertThat(dropped).hasValue(0);
    eventually(() -> !closer.isAlive());
    assertThat(scheduler.threads()).isZero();
    assertThat(scheduler.waiting()).isZero();
  }

  @Test
  void close_scheduleAfterwards_isDropped() {
    ThreadScheduler scheduler = scheduler();
    scheduler.close();
    AtomicBoolean ran = new AtomicBoolean();

    Scheduler.Scheduled scheduled = scheduler.schedule(0, () -> ran.set(true));
    scheduled.cancel();
    scheduler.close();

    assertThat(scheduler.threads()).isZero();
    assertThat(scheduler.waiting()).isZero();
    assertThat(ran).isFalse();
  }

  @Test
  void close_workDoesNotEnd_isInterruptedAndCloseReturns() {
    ThreadScheduler scheduler = scheduler(LONG, Duration.ofMillis(20));
    CountDownLatch begun = new CountDownLatch(2);
    CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
    scheduler.schedule(0, stubborn(begun));
    scheduler.schedule(
        0,
        () -> {
          begun.countDown();
          try {
            release.await();
            interrupted.complete(false);
          } catch (InterruptedException e) {
            interrupted.complete(true);
          }
        });
    await(begun);

    scheduler.close();
    scheduler.close();

    assertThat(interrupted).succeedsWithin(Duration.ofSeconds(30)).isEqualTo(true);
  }

  @Test
  void close_callerIsInterrupted_doesNotWaitAndStaysInterrupted() {
    ThreadScheduler scheduler = scheduler();
    CountDownLatch begun = new CountDownLatch(1);
    scheduler.schedule(0, stubborn(begun));
    await(begun);
    Thread.currentThread().interrupt();

    scheduler.close();

    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void close_fromItsOwnThread_doesNotWaitForItself() {
    ThreadScheduler scheduler = scheduler();
    CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
    scheduler.schedule(
        0,
        () -> {
          scheduler.close();
          interrupted.complete(Thread.currentThread().isInterrupted());
        });

    assertThat(interrupted).succeedsWithin(Duration.ofSeconds(30)).isEqualTo(false);
    eventually(() -> scheduler.threads() == 0);
  }
}
