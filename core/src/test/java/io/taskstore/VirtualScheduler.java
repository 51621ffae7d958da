// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Runs work when a test moves the time, on the test's own thread, in the order in which it is due.
 * Work may be scheduled by any thread. What work throws comes out of {@link #advance}, after
 * everything else that is due was run.
 */
final class VirtualScheduler implements Scheduler {
  private record Entry(long due, long number, Runnable work) {}

  private final VirtualTiming timing;
  private final ReentrantLock lock = new ReentrantLock();
  private final PriorityQueue<Entry> entries =
      new PriorityQueue<>(Comparator.comparingLong(Entry::due).thenComparingLong(Entry::number));
  private long scheduled;
  private boolean closed;

  VirtualScheduler(VirtualTiming timing) {
    this.timing = timing;
  }

  @Override
  public Scheduled schedule(long delayNanos, Runnable work) {
    lock.lock();
    try {
      if (closed) {
        return () -> {};
      }
      Entry entry = new Entry(after(Math.max(0, delayNanos)), ++scheduled, work);
      entries.add(entry);
      return () -> cancel(entry);
    } finally {
      lock.unlock();
    }
  }

  private void cancel(Entry entry) {
    lock.lock();
    try {
      entries.remove(entry);
    } finally {
      lock.unlock();
    }
  }

  /** Lets time pass, and runs what becomes due meanwhile, each at the very time it is due. */
  void advance(Duration duration) {
    long end = after(duration.toNanos());
    Throwable failure = null;
    for (Entry entry = next(end); entry != null; entry = next(end)) {
      timing.moveTo(entry.due());
      try {
        entry.work().run();
      } catch (RuntimeException | Error e) {
        if (failure == null) {
          failure = e;
        } else if (failure != e) {
          failure.addSuppressed(e);
        }
      }
    }
    timing.moveTo(end);
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
  }

  private long after(long nanos) {
    long now = timing.nanoTime();
    return nanos < Long.MAX_VALUE - now ? now + nanos : Long.MAX_VALUE;
  }

  private @Nullable Entry next(long end) {
    lock.lock();
    try {
      Entry first = entries.peek();
      return first == null || first.due() > end ? null : entries.poll();
    } finally {
      lock.unlock();
    }
  }

  /** How much work is to be run later. */
  int waiting() {
    lock.lock();
    try {
      return entries.size();
    } finally {
      lock.unlock();
    }
  }

  /** How much work has been scheduled so far. */
  long scheduled() {
    lock.lock();
    try {
      return scheduled;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      entries.clear();
    } finally {
      lock.unlock();
    }
  }
}
