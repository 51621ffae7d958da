// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.contract.Interleavings.Call;
import io.taskstore.contract.Interleavings.Check;
import io.taskstore.contract.Interleavings.Explored;
import io.taskstore.contract.Interleavings.Order;
import io.taskstore.contract.Interleavings.Trial;
import io.taskstore.contract.Interleavings.Trials;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class InterleavingsTest {
  private final Interleavings interleavings =
      new Interleavings(TimeUnit.MILLISECONDS.toNanos(300), Interleavings.SCHEDULES);

  /** A counter whose steps can be told apart, with locks of several kinds around them. */
  private final class Counter {
    private int count;
    final Lock lock = new ReentrantLock();
    final Object monitor = new Object();
    final AtomicBoolean taken = new AtomicBoolean();

    Object increment() {
      interleavings.pausePoint();
      int seen = count;
      interleavings.pausePoint();
      count = seen + 1;
      interleavings.pausePoint();
      return seen + 1;
    }

    Object incrementLocked() {
      interleavings.pausePoint();
      lock.lock();
      try {
        return increment();
      } finally {
        lock.unlock();
        interleavings.pausePoint();
      }
    }

    Object incrementSynchronized() {
      synchronized (monitor) {
        return increment();
      }
    }

    /** Asks for the lock again and again, with sleeps in between. */
    Object incrementPolling() throws InterruptedException {
      while (!lock.tryLock(1, TimeUnit.MILLISECONDS)) {
        Thread.onSpinWait();
      }
      try {
        return increment();
      } finally {
        lock.unlock();
      }
    }

    /** Spins, and can be stopped while it does. */
    Object incrementSpinning() {
      while (!taken.compareAndSet(false, true)) {
        interleavings.pausePoint();
      }
      try {
        return increment();
      } finally {
        taken.set(false);
        interleavings.pausePoint();
      }
    }

    /** Spins, and cannot be stopped while it does. */
    Object incrementSpinningHard() {
      while (!taken.compareAndSet(false, true)) {
        Thread.onSpinWait();
      }
      try {
        interleavings.pausePoint();
        count++;
        return count;
      } finally {
        taken.set(false);
      }
    }
  }

  /** An increment of a counter. */
  @FunctionalInterface
  private interface Increment {
    Object of(Counter counter) throws Exception;
  }

  private static Trials increments(CounterMaker counters, Increment increment) {
    return () -> {
      Counter counter = counters.make();
      return new Trial(
          new Call("first", () -> increment.of(counter)),
          new Call("second", () -> increment.of(counter)),
          outcome -> {
            assertThat(List.of(outcome.first(), outcome.second()))
                .as("two increments")
                .containsExactlyInAnyOrder(1, 2);
            assertThat(counter.count).isEqualTo(2);
          });
    };
  }

  @FunctionalInterface
  private interface CounterMaker {
    Counter make();
  }

  @RepeatedTest(10)
  void explore_checkThenAct_isFoundInEveryRun() {
    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(() -> interleavings.explore(increments(Counter::new, Counter::increment)))
        .withMessageContaining("two increments")
        .withMessageContaining(
            "The schedule: first ran to its 2nd pause point, second ran to its end,"
                + " first ran to its end");
  }

  @Test
  void explore_lockedSteps_passesAndTriesAll() throws Exception {
    Explored explored = interleavings.explore(increments(Counter::new, Counter::incrementLocked));

    assertThat(explored.firstPoints()).isEqualTo(5);
    assertThat(explored.secondPoints()).isEqualTo(5);
    // The leader runs alone, or stops at one of 5 points; the follower runs on to its end, or stops
    // at one of 5 points if the lock is free (before the leader's first step, after its last), at
    // the first else.
    assertThat(explored.schedules()).isEqualTo(2 * (1 + 5 + 5 + 1 + 1 + 1 + 5));
    assertThat(explored.waits()).isPositive();
  }

  @Test
  void explore_pauseWithALockHeld_doesNotHang() throws Exception {
    List<Increment> increments =
        List.of(
            Counter::incrementSynchronized,
            Counter::incrementPolling,
            Counter::incrementSpinning,
            Counter::incrementSpinningHard);
    for (Increment increment : increments) {

      assertThat(interleavings.explore(increments(Counter::new, increment)).schedules())
          .isGreaterThan(3);
    }
  }

  @Test
  void explore_deadlock_isReportedWithItsSchedule() {
    Trials trials =
        () -> {
          Lock one = new ReentrantLock();
          Lock two = new ReentrantLock();
          return new Trial(
              new Call("forth", () -> inBoth(one, two)),
              new Call("back", () -> inBoth(two, one)),
              outcome -> {});
        };

    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(() -> interleavings.explore(trials))
        .withMessageContaining("Both calls wait for each other")
        .withMessageContaining("forth ran to its 1st pause point, back waited for the other")
        .withMessageContaining("InterleavingsTest.inBoth");
  }

  private Object inBoth(Lock first, Lock second) throws InterruptedException {
    first.lockInterruptibly();
    try {
      interleavings.pausePoint();
      second.lockInterruptibly();
      try {
        return "both";
      } finally {
        second.unlock();
      }
    } finally {
      first.unlock();
    }
  }

  @Test
  void explore_callThatNeverReturns_isReported() {
    Trials trials =
        () ->
            new Trial(
                new Call(
                    "stuck",
                    () -> {
                      interleavings.pausePoint();
                      Thread.sleep(60_000);
                      return "late";
                    }),
                new Call("other", () -> "done"),
                outcome -> {});

    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(() -> interleavings.explore(trials))
        .withMessageContaining("stuck waits though no other call is on its way");
  }

  @Test
  void explore_callThatPassesPausePointsForEver_isReported() {
    AtomicBoolean stop = new AtomicBoolean();
    Trials trials =
        () ->
            new Trial(
                new Call(
                    "endless",
                    () -> {
                      while (!stop.get()) {
                        interleavings.pausePoint();
                      }
                      return "late";
                    }),
                new Call("other", () -> "done"),
                outcome -> {});
    try {
      assertThatExceptionOfType(AssertionError.class)
          .isThrownBy(() -> interleavings.explore(trials))
          .withMessageContaining("do not end");
    } finally {
      stop.set(true);
    }
  }

  /** What is broken only for those who look twice while the other is in the middle of something. */
  @RepeatedTest(10)
  void explore_defectThatNeedsTwoPreemptions_isFound() {
    Trials trials =
        () -> {
          AtomicInteger shared = new AtomicInteger();
          return new Trial(
              new Call(
                  "reader",
                  () -> {
                    interleavings.pausePoint();
                    int before = shared.get();
                    interleavings.pausePoint();
                    return shared.get() - before;
                  }),
              new Call(
                  "writer",
                  () -> {
                    interleavings.pausePoint();
                    shared.set(1);
                    interleavings.pausePoint();
                    shared.set(0);
                    interleavings.pausePoint();
                    return "done";
                  }),
              outcome -> assertThat(outcome.first()).as("change").isNotEqualTo(1));
        };

    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(() -> interleavings.explore(trials))
        .withMessageContaining(
            "The schedule: reader ran to its 2nd pause point, writer ran to its 2nd pause point,"
                + " reader ran to its end, writer ran to its end");
  }

  @Test
  void explore_callThatThrows_isReportedWithItsSchedule() {
    Trials trials =
        () ->
            new Trial(
                new Call("good", () -> "done"),
                new Call(
                    "bad",
                    () -> {
                      throw new IllegalStateException("broken");
                    }),
                outcome -> {});

    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(() -> interleavings.explore(trials))
        .withMessageContaining("bad threw java.lang.IllegalStateException: broken")
        .withMessageContaining("The schedule: good ran to its end, bad ran to its end")
        .withCauseInstanceOf(IllegalStateException.class);
  }

  @Test
  void explore_noPausePoint_isReported() {
    Trials trials =
        () -> new Trial(new Call("a", () -> "a"), new Call("b", () -> "b"), outcome -> {});

    assertThatExceptionOfType(AssertionError.class)
        .isThrownBy(() -> interleavings.explore(trials))
        .withMessageContaining("The pause point was never reached");
  }

  @Test
  void explore_orderOfCallsThatDoNotOverlap_isTold() throws Exception {
    List<Order> orders = new ArrayList<>();
    Trials trials =
        () ->
            new Trial(
                new Call("a", () -> pause("a")),
                new Call("b", () -> "b"),
                outcome -> orders.add(outcome.order()));

    interleavings.explore(trials);

    assertThat(orders)
        .containsExactly(Order.OVERLAPPING, Order.FIRST_BEFORE_SECOND, Order.SECOND_BEFORE_FIRST);
  }

  @Test
  void explore_moreSchedulesThanTheLimit_takesSomeOfAll() throws Exception {
    Interleavings limited = new Interleavings(TimeUnit.SECONDS.toNanos(5), 20);
    Check nothing = outcome -> {};
    Trials trials =
        () ->
            new Trial(
                new Call("a", () -> many(limited)), new Call("b", () -> many(limited)), nothing);

    // 15 points each: 1 + 15 schedules with one preemption, and 225 with two, of which every 12th.
    assertThat(limited.explore(trials)).isEqualTo(new Explored(2 * (16 + 19), 15, 15, 0));
  }

  private static Object many(Interleavings limited) {
    for (int i = 0; i < 15; i++) {
      limited.pausePoint();
    }
    return "many";
  }

  private Object pause(Object result) {
    interleavings.pausePoint();
    return result;
  }

  @Test
  void pausePoint_onOtherThreads_doesNothing() {
    assertThatCode(interleavings::pausePoint).doesNotThrowAnyException();
  }
}
