// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.RecordKey;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class FinishedTasksTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final Duration MAX_AGE = Duration.ofSeconds(30);
  private static final RecordKey KEY = new RecordKey("p", "id");

  private final VirtualTiming timing = new VirtualTiming();
  private final GenericTaskStore store =
      GenericTaskStore.builder(new MapBackend())
          .timing(new VirtualTiming())
          .maxActiveTasks(10_000)
          .build();
  private final FinishedTasks cache = new FinishedTasks(1_000_000, MAX_AGE, timing);

  private final Task working = store.create(ALICE, NewTask.of("digest"));
  private final Task second = store.update(working, change().complete());
  private final Task third =
      store.update(
          store.update(store.create(ALICE, NewTask.of("digest")), change().message("two")),
          change().complete());

  private void advance(Duration duration) {
    timing.moveTo(timing.nanoTime() + duration.toNanos());
  }

  private static RecordKey key(int number) {
    return new RecordKey("p", "id-" + number);
  }

  @Test
  void find_kept_isFoundAndCounted() {
    assertThat(cache.find(KEY)).isNull();
    cache.keep(KEY, second, 100, cache.beforeRead());

    assertThat(cache.find(KEY)).isSameAs(second);
    assertThat(cache.find(KEY)).isSameAs(second);
    assertThat(cache.find(key(1))).isNull();

    GenericTaskStore.CacheStatistics statistics = cache.statistics();
    assertThat(statistics.hits()).isEqualTo(2);
    assertThat(statistics.misses()).isEqualTo(2);
    assertThat(statistics.entries()).isEqualTo(1);
    assertThat(statistics.bytes())
        .isEqualTo(100 + FinishedTasks.TASK_OVERHEAD + "p".length() + "id".length());
  }

  @Test
  void keep_unfinished_isIgnored() {
    cache.keep(KEY, working, 100, cache.beforeRead());

    assertThat(cache.find(KEY)).isNull();
    assertThat(cache.statistics().entries()).isZero();
  }

  @Test
  void keep_severalVersions_theNewestStays() {
    cache.keep(KEY, second, 100, cache.beforeRead());
    cache.keep(KEY, third, 100, cache.beforeRead());
    assertThat(cache.find(KEY)).isSameAs(third);

    cache.keep(KEY, second, 100, cache.beforeRead());
    assertThat(cache.find(KEY)).isSameAs(third);
  }

  @Test
  void keep_manyVariables_countMore() {
    Map<String, Integer> values = new HashMap<>();
    for (int i = 0; i < 1_000; i++) {
      values.put("v" + i, i);
    }
    Task large =
        store.update(
            store.create(ALICE, NewTask.of("digest").variables(values)), change().complete());

    cache.keep(KEY, large, 100, cache.beforeRead());

    assertThat(cache.statistics().bytes()).isGreaterThan(1_000L * FinishedTasks.VARIABLE_OVERHEAD);
  }

  // --- age ------------------------------------------------------------------------------------

  @Test
  void find_olderThanTheMaximumAge_isGoneHoweverOftenItWasRead() {
    cache.keep(KEY, second, 100, cache.beforeRead());
    for (int i = 0; i < 29; i++) {
      advance(Duration.ofSeconds(1));
      assertThat(cache.find(KEY)).isSameAs(second);
    }
    advance(Duration.ofSeconds(1).minusNanos(1));
    assertThat(cache.find(KEY)).isSameAs(second);

    advance(Duration.ofNanos(1));

    assertThat(cache.find(KEY)).isNull();
    assertThat(cache.statistics().entries()).isZero();
    assertThat(cache.statistics().bytes()).isZero();
  }

  @Test
  void keep_longAfterTheRead_ageCountsFromTheRead() {
    long stamp = cache.beforeRead();
    advance(MAX_AGE.minusSeconds(1));
    cache.keep(KEY, second, 100, stamp);
    assertThat(cache.find(KEY)).isSameAs(second);

    advance(Duration.ofSeconds(1));

    assertThat(cache.find(KEY)).isNull();
  }

  @Test
  void keep_readTooLongAgo_isNotServed() {
    long stamp = cache.beforeRead();
    advance(MAX_AGE.multipliedBy(2));

    cache.keep(KEY, second, 100, stamp);

    assertThat(cache.find(KEY)).isNull();
    assertThat(cache.statistics().entries()).isZero();
  }

  @Test
  void keep_anOlderReadOfTheSameVersion_doesNotMakeItYounger() {
    long slow = cache.beforeRead();
    cache.keep(KEY, second, 100, cache.beforeRead());
    advance(MAX_AGE.minusSeconds(1));
    cache.keep(KEY, second, 100, slow);

    advance(Duration.ofSeconds(1));

    assertThat(cache.find(KEY)).isNull();
  }

  @Test
  void keep_afterTheAge_isServedAgain() {
    cache.keep(KEY, second, 100, cache.beforeRead());
    advance(MAX_AGE);

    cache.keep(KEY, second, 100, cache.beforeRead());
    advance(MAX_AGE.minusNanos(1));

    assertThat(cache.find(KEY)).isSameAs(second);
  }

  @Test
  void find_veryLongMaximumAge_isServed() {
    FinishedTasks eternal =
        new FinishedTasks(1_000_000, Duration.ofSeconds(Long.MAX_VALUE), timing);
    eternal.keep(KEY, second, 100, eternal.beforeRead());
    advance(Duration.ofDays(36_500));

    assertThat(eternal.find(KEY)).isSameAs(second);
  }

  // --- bounds ---------------------------------------------------------------------------------

  @Test
  void keep_moreThanTheBytesAllow_staysWithin() {
    for (int i = 0; i < 1_000; i++) {
      cache.keep(key(i), second, 10_000, cache.beforeRead());
      assertThat(cache.statistics().bytes()).isLessThanOrEqualTo(1_000_000);
    }

    assertThat(cache.statistics().entries()).isBetween(50L, 99L);
  }

  @Test
  void keep_manySmallOnes_overheadCounts() {
    for (int i = 0; i < 5_000; i++) {
      cache.keep(key(i), second, 1, cache.beforeRead());
    }

    assertThat(cache.statistics().entries())
        .isBetween(500L, 1_000_000L / FinishedTasks.TASK_OVERHEAD);
  }

  @Test
  void keep_oneThatIsTooLarge_isNotKeptAndDrivesNothingOut() {
    cache.keep(KEY, second, 100, cache.beforeRead());

    cache.keep(key(1), second, 1_000_000, cache.beforeRead());
    cache.keep(key(2), second, Integer.MAX_VALUE, cache.beforeRead());

    assertThat(cache.statistics().entries()).isEqualTo(1);
    assertThat(cache.find(KEY)).isSameAs(second);
    assertThat(cache.find(key(1))).isNull();
    assertThat(cache.find(key(2))).isNull();
  }

  // --- deletes --------------------------------------------------------------------------------

  @Test
  void forget_kept_isGone() {
    cache.keep(KEY, second, 100, cache.beforeRead());

    cache.forget(KEY);

    assertThat(cache.find(KEY)).isNull();
  }

  @Test
  void forget_betweenReadAndKeep_nothingIsKept() {
    long stamp = cache.beforeRead();
    cache.forget(KEY);

    cache.keep(KEY, second, 100, stamp);

    assertThat(cache.find(KEY)).isNull();
  }

  @Test
  void forget_twiceAtOneMoment_theSecondCountsToo() {
    cache.forget(key(1));
    long stamp = cache.beforeRead();
    cache.forget(key(2));

    cache.keep(KEY, second, 100, stamp);

    assertThat(cache.find(KEY)).isNull();
  }

  @Test
  void forget_beforeTheRead_isKeptAgain() {
    for (int i = 0; i < 10; i++) {
      cache.forget(KEY);
    }

    cache.keep(KEY, second, 100, cache.beforeRead());

    assertThat(cache.find(KEY)).isSameAs(second);
  }

  /**
   * Stops a thread wherever {@link FinishedTasks#keep} asks for the time: at its beginning, and
   * while the map holds the key, on both sides of the check. Another thread deletes meanwhile, or
   * begins to.
   */
  @Test
  void forget_inTheMiddleOfKeep_nothingIsServed() throws Exception {
    int points = 0;
    boolean paused = true;
    while (paused) {
      paused = deleteAt(++points);
    }
    assertThat(points).as("places in keep").isGreaterThan(3);
  }

  /** Returns false if there is no such place. */
  private boolean deleteAt(int point) throws InterruptedException {
    AtomicInteger readings = new AtomicInteger();
    CountDownLatch paused = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    Timing stopping =
        new Timing() {
          @Override
          public long nanoTime() {
            if (Thread.currentThread().getName().equals("reader")
                && readings.incrementAndGet() == point) {
              paused.countDown();
              await(goOn);
            }
            return 0;
          }

          @Override
          public void sleep(long nanos) {
            throw new UnsupportedOperationException();
          }
        };
    FinishedTasks shared = new FinishedTasks(1_000_000, MAX_AGE, stopping);
    long stamp = shared.beforeRead();
    Thread reader = new Thread(() -> shared.keep(KEY, second, 100, stamp), "reader");
    reader.start();
    eventually(() -> paused.getCount() == 0 || !reader.isAlive());
    boolean reached = paused.getCount() == 0;
    Thread deleter = new Thread(() -> shared.forget(KEY));
    deleter.start();
    eventually(
        () ->
            !deleter.isAlive()
                || deleter.getState() == Thread.State.BLOCKED
                || deleter.getState() == Thread.State.WAITING);
    goOn.countDown();
    reader.join(30_000);
    deleter.join(30_000);

    assertThat(reader.isAlive() || deleter.isAlive()).isFalse();
    assertThat(shared.find(KEY)).as("stopped at reading %d of the time", point).isNull();
    return reached;
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
}
