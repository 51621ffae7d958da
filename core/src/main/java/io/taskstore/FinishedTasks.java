// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Expiry;
import com.github.benmanes.caffeine.cache.Policy;
import io.taskstore.spi.RecordKey;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Finished tasks that were read or written lately, so that asking for a result again costs no call.
 * A finished task never changes, it only goes: by a delete through this store, which is {@linkplain
 * #forget told}; by a delete elsewhere, which shows after the maximum age; or by its own expiry,
 * which the caller must check, as nothing here does.
 *
 * <p>Bounded by an estimate of the bytes on the heap. A task is served until the maximum age after
 * its read or write <em>began</em>, however often it is asked for; unfinished tasks are never kept.
 *
 * <p>Has no threads: what is to be tidied up is tidied up by callers.
 */
final class FinishedTasks {
  /*
   * A reader may read a task, stand still while another thread deletes it through this store, and
   * come to keep() after that delete was acknowledged. So a reader takes a stamp before it reads,
   * and forget() makes a mark before it drops. keep() compares the two inside of the map's own
   * exclusion for the key: if forget() has made its mark, keep() sees it and keeps nothing; if it
   * has not, its drop comes after what keep() is putting.
   *
   * Stamps and marks are moments, since the age of an entry counts from its stamp. In one and the
   * same nanosecond each mark is one above the last, and a stamp is above the last mark: a stamp is
   * above exactly the marks that were made before it, as long as nanoTime() does not go back.
   *
   * One mark for all keys means that a delete also keeps out what is being read of other tasks;
   * they are kept the next time.
   */

  private record Entry(Task task, int bytes, long readAt) {}

  /**
   * What a task takes besides its bytes: key, entry, task, and the cache's own nodes. Some 600
   * bytes were measured on 64 bits with compressed pointers.
   */
  static final int TASK_OVERHEAD = 700;

  /** The same for each variable: its name, its value, and the arrays of both; 40 to 90 bytes. */
  static final int VARIABLE_OVERHEAD = 90;

  private final Cache<RecordKey, Entry> cache;
  private final Policy.Eviction<RecordKey, Entry> bounds;
  private final Duration maxAge;
  private final Timing timing;
  private final AtomicLong lastForgotten;
  private final LongAdder hits = new LongAdder();
  private final LongAdder misses = new LongAdder();

  FinishedTasks(long maxBytes, Duration maxAge, Timing timing) {
    this.maxAge = maxAge;
    this.timing = timing;
    this.lastForgotten = new AtomicLong(timing.nanoTime() - 1);
    this.cache =
        Caffeine.newBuilder()
            .executor(Runnable::run)
            .ticker(timing::nanoTime)
            .maximumWeight(maxBytes)
            .weigher((RecordKey key, Entry entry) -> entry.bytes())
            .expireAfter(Expiry.writing((RecordKey key, Entry entry) -> restOf(entry.readAt())))
            .build();
    this.bounds = cache.policy().eviction().orElseThrow();
  }

  /** How much longer something may be served; never negative. */
  private Duration restOf(long readAt) {
    long age = Math.max(0, timing.nanoTime() - readAt);
    return maxAge.compareTo(Duration.ofNanos(age)) > 0 ? maxAge.minusNanos(age) : Duration.ZERO;
  }

  /** Looks for a task; counts a hit or a miss. */
  @Nullable Task find(RecordKey key) {
    Entry entry = cache.getIfPresent(key);
    (entry == null ? misses : hits).increment();
    return entry == null ? null : entry.task();
  }

  /** To be called before a task is read or written that is to be {@linkplain #keep kept}. */
  long beforeRead() {
    return nowAbove(lastForgotten.get());
  }

  private long nowAbove(long mark) {
    long now = timing.nanoTime();
    return now - mark > 0 ? now : mark + 1;
  }

  private boolean isAnyForgottenSince(long stamp) {
    return stamp - lastForgotten.get() <= 0;
  }

  /**
   * Keeps a task if it is finished, unless any task was forgotten since the stamp, the stamp is too
   * old, or this version or a newer one is kept already.
   *
   * @param dataBytes the length of the record's data
   * @param stamp from before the task was read or written
   */
  void keep(RecordKey key, Task task, int dataBytes, long stamp) {
    if (!task.isTerminal() || restOf(stamp).isZero()) {
      return;
    }
    Entry entry = new Entry(task, weigh(key, task, dataBytes), stamp);
    cache
        .asMap()
        .compute(
            key,
            (k, present) -> {
              if (isAnyForgottenSince(stamp)) {
                return present;
              }
              return present == null || present.task().version() < task.version() ? entry : present;
            });
  }

  /** Drops a task that the storage has deleted, before anybody is told of it. */
  void forget(RecordKey key) {
    lastForgotten.updateAndGet(this::nowAbove);
    cache.invalidate(key);
  }

  GenericTaskStore.CacheStatistics statistics() {
    cache.cleanUp();
    return new GenericTaskStore.CacheStatistics(
        hits.sum(), misses.sum(), cache.estimatedSize(), bounds.weightedSize().orElse(0));
  }

  private static int weigh(RecordKey key, Task task, int dataBytes) {
    long bytes =
        (long) TASK_OVERHEAD
            + (long) VARIABLE_OVERHEAD * task.variables().size()
            + key.partition().length()
            + key.id().length()
            + dataBytes;
    return (int) Math.min(bytes, Integer.MAX_VALUE);
  }
}
