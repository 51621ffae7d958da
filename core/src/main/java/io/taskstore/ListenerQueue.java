// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.lang.System.Logger.Level;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The events that wait for one listener, and the thread that tells it. The thread is a daemon, is
 * made when there is something to tell, and ends when there has been nothing for a while: a store
 * that is never closed keeps nothing for long.
 *
 * <p>What does not fit is counted. The gap is told as {@link TaskEvent.Dropped} at the place in the
 * row of events where it is.
 */
final class ListenerQueue {
  private final TaskListener listener;
  private final String threadName;
  private final long idleNanos;
  private final System.Logger logger;
  private final LogThrottle failures;
  private final LogThrottle gaps;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Condition quiet = lock.newCondition();
  private final ArrayDeque<TaskEvent> waiting = new ArrayDeque<>();

  /** How many events were dropped after the last one in {@link #waiting}. */
  private long dropped;

  private Instant droppedAt = Instant.EPOCH;

  /** The thread, while there is one. */
  private @Nullable Thread thread;

  private boolean busy;
  private boolean refusing;

  /** Whether a gap has begun that is not in the log yet. */
  private volatile boolean gapBegan;

  ListenerQueue(
      TaskListener listener, String threadName, Clock clock, Duration idle, System.Logger logger) {
    this.listener = listener;
    this.threadName = threadName;
    this.idleNanos = idle.toNanos();
    this.logger = logger;
    this.failures = new LogThrottle(clock);
    this.gaps = new LogThrottle(clock);
  }

  /** Takes an event, or drops it if too many are waiting. */
  void offer(TaskEvent event) {
    lock.lock();
    try {
      if (waiting.size() >= TaskEvents.CAPACITY) {
        leaveOut(event);
      } else if (!refusing) {
        if (dropped > 0) {
          waiting.add(gap());
        }
        waiting.add(event);
        wake();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Drops an event, and tells the listener that it did. */
  void leaveOut(TaskEvent event) {
    lock.lock();
    try {
      if (!refusing) {
        if (dropped++ == 0) {
          gapBegan = true;
        }
        droppedAt = event.at();
        wake();
      }
    } finally {
      lock.unlock();
    }
  }

  private TaskEvent gap() {
    TaskEvent event = new TaskEvent.Dropped(droppedAt, dropped);
    dropped = 0;
    return event;
  }

  private void wake() {
    if (thread != null) {
      work.signal();
      return;
    }
    // Nothing of the writer that happens to come first is inherited.
    Thread started = new Thread(null, this::run, threadName, 0, false);
    started.setDaemon(true);
    started.setContextClassLoader(listener.getClass().getClassLoader());
    thread = started;
    try {
      started.start();
    } catch (OutOfMemoryError e) {
      thread = null; // the system has no more threads; the next event tries again
    }
  }

  // --- on the listener's thread -------------------------------------------------------------

  private void run() {
    for (TaskEvent event = next(); event != null; event = next()) {
      try {
        listener.onEvent(event);
      } catch (Throwable e) { // errors too: a failing assertion must not silence the next event
        log(failures, "failed on an event of type " + event.type(), e);
      }
      // The listener's own affair, which must not disturb its next event.
      Thread.interrupted();
    }
  }

  /** Waits for an event; null if this thread is to end. */
  private @Nullable TaskEvent next() {
    lock.lock();
    try {
      busy = false;
      long left = idleNanos;
      while (waiting.isEmpty() && dropped == 0) {
        quiet.signalAll();
        if (refusing || left <= 0) {
          thread = null;
          return null;
        }
        try {
          left = work.awaitNanos(left);
        } catch (InterruptedException e) {
          // Nobody but the listener knows this thread, and it is not in the listener.
        }
      }
      busy = true;
      TaskEvent event = waiting.poll();
      return event == null ? gap() : event;
    } finally {
      lock.unlock();
    }
  }

  // --- closing ------------------------------------------------------------------------------

  /** Takes no more events. */
  void refuse() {
    lock.lock();
    try {
      refusing = true;
      work.signal();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until the listener has heard everything; at the deadline, drops the rest and interrupts
   * it.
   *
   * @return whether the caller was interrupted meanwhile
   */
  boolean finish(long deadline) {
    boolean interrupted = false;
    long lost = 0;
    lock.lock();
    try {
      if (Thread.currentThread() == thread) {
        return false; // it would wait for itself; the rest is told when the listener returns
      }
      while (busy || !waiting.isEmpty() || dropped > 0) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          lost = waiting.size() + dropped;
          waiting.clear();
          dropped = 0;
          if (thread != null) {
            thread.interrupt();
          }
          break;
        }
        try {
          quiet.awaitNanos(left);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      lock.unlock();
    }
    if (lost > 0) {
      log(null, "was too slow to hear of the last %d events".formatted(lost), null);
    }
    return interrupted;
  }

  // --- logging ------------------------------------------------------------------------------

  /** Logs that events are dropped, if that has just begun. Called under no lock. */
  void reportDropping() {
    if (gapBegan) {
      gapBegan = false;
      log(
          gaps,
          "is too slow: it does not hear of some events, since %d are waiting"
              .formatted(TaskEvents.CAPACITY),
          null);
    }
  }

  private void log(@Nullable LogThrottle throttle, String message, @Nullable Throwable failure) {
    try {
      long leftOut = throttle == null ? 0 : throttle.admit();
      if (leftOut >= 0) {
        String more = leftOut == 0 ? "" : " (and %d times more before this)".formatted(leftOut);
        String name = listener.getClass().getName();
        logger.log(Level.WARNING, "Listener " + name + " " + message + more, failure);
      }
    } catch (Throwable e) {
      // A log that is out of order must not fail a write, nor end the listener's thread.
    }
  }
}
