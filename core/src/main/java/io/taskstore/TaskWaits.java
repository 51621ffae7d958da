// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.RecordKey;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Waits for tasks to change. A write through this store wakes who waits for it at once; for writes
 * of other stores one poller per task looks every now and then, however many wait for that task.
 *
 * <p>Waiters block in the thread that called and in no other. While nobody waits for a task nothing
 * is kept of it. A waiter never gets a snapshot that is older than its own first look, or than any
 * other that has been shown to it.
 *
 * <p>Predicates are called by any thread, under no lock, and any number of times; they should look
 * at nothing but the task. What one throws ends the wait that it belongs to, and no other.
 */
final class TaskWaits {
  /*
   * No write is missed between look and wait: a waiter registers, then looks. A write that is
   * acknowledged before its look is seen by the look; one that is acknowledged later finds it
   * registered, since writers come to written() after the acknowledgement.
   *
   * Until its first look is over a waiter only takes note of what it is shown, and decides
   * afterwards by the newest: a slow thread may come to written() long after newer versions were
   * read by others, and the caller is to get nothing older than its call.
   *
   * What is shown to a waiter goes into one atomic reference, and the wait ends by a
   * compare-and-set from the very snapshot that its predicate accepted: if a newer one came in
   * between, whoever brought that decides.
   *
   * A waiter watches its deadline itself, with a timed park, so that it returns in time even if
   * all threads of the scheduler are busy. The poller also wakes who is overdue. That changes nothing
   * for a real clock, and lets a virtual one end a wait.
   */

  /** Reads a task anew; throws what {@link TaskStore#get} throws. */
  @FunctionalInterface
  interface Look {
    Task now(Owner owner, RecordKey key);
  }

  private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(2);

  /** Some 146 years: differences of nano times are right up to twice that. */
  private static final Duration LONGEST_WAIT = Duration.ofNanos(Long.MAX_VALUE / 2);

  private final Scheduler scheduler;
  private final Timing timing;
  private final Look look;
  private final ConcurrentHashMap<RecordKey, Watch> watches = new ConcurrentHashMap<>();
  private volatile @Nullable Supplier<? extends RuntimeException> closed;

  TaskWaits(Scheduler scheduler, Timing timing, Look look) {
    this.scheduler = scheduler;
    this.timing = timing;
    this.look = look;
  }

  /**
   * Waits until a predicate holds for a task.
   *
   * @param timeout how long to wait; if it is not positive this just looks, whatever the predicate
   *     says
   * @return the task for which the predicate held; or, when the time is over, the task by a last
   *     look, which is the first one if that took all the time
   * @throws TaskNotFoundException if there is no such task, or it goes meanwhile
   * @throws TaskUnreadableException if what is stored cannot be read
   * @throws TaskStorageException if the first or the last look failed, or any other one for good
   * @throws InterruptedException if the thread is interrupted, now or meanwhile
   */
  Task await(Owner owner, RecordKey key, Predicate<? super Task> done, Duration timeout)
      throws InterruptedException {
    Objects.requireNonNull(done, "done");
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    throwIfClosed();
    if (timeout.isZero() || timeout.isNegative()) {
      return look.now(owner, key);
    }
    Duration wait = timeout.compareTo(LONGEST_WAIT) < 0 ? timeout : LONGEST_WAIT;
    Waiter waiter = new Waiter(done, timing.nanoTime() + wait.toNanos());
    Watch watch = join(owner, key, waiter);
    try {
      throwIfClosed(); // again: a close that came before the waiter joined did not see it
      Task first = look.now(owner, key);
      watch.show(first);
      waiter.begin(first);
      if (!waiter.isOver()) {
        if (isOverdue(waiter)) {
          return waiter.newestOf(first);
        }
        watch.poll();
      }
      while (!waiter.isOver() && !isOverdue(waiter)) {
        // Nothing that blocks may come between the question and the park: it would take the wake.
        LockSupport.parkNanos(waiter, waiter.deadline - timing.nanoTime());
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
      if (waiter.isOver()) {
        return waiter.outcome();
      }
      Task last = look.now(owner, key);
      watch.show(last);
      return waiter.newestOf(last);
    } finally {
      leave(key, watch, waiter);
    }
  }

  /** Takes note of a task that was just written: wakes those whose predicate holds for it. */
  void written(RecordKey key, Task task) {
    Watch watch = watches.get(key);
    if (watch != null) {
      watch.showAll(task);
    }
  }

  /** Takes note of a delete: who waits for the task gets a {@link TaskNotFoundException}. */
  void gone(RecordKey key) {
    Watch watch = watches.get(key);
    if (watch != null) {
      watch.end(() -> new TaskNotFoundException(key.id()));
    }
  }

  /**
   * Ends all waits, and lets none begin.
   *
   * @param exception makes what the callers get, one for each, in the thread of the caller
   */
  void close(Supplier<? extends RuntimeException> exception) {
    closed = exception;
    watches.values().forEach(watch -> watch.end(exception));
  }

  /** For how many tasks somebody waits. */
  int tasks() {
    return watches.size();
  }

  /** How many wait for a task. */
  int waiters(RecordKey key) {
    Watch watch = watches.get(key);
    return watch == null ? 0 : watch.waiters.size();
  }

  private void throwIfClosed() {
    Supplier<? extends RuntimeException> exception = closed;
    if (exception != null) {
      throw exception.get();
    }
  }

  private boolean isOverdue(Waiter waiter) {
    return waiter.deadline - timing.nanoTime() <= 0;
  }

  private Watch join(Owner owner, RecordKey key, Waiter waiter) {
    return watches.compute(
        key,
        (k, present) -> {
          Watch watch = present == null ? new Watch(owner, key) : present;
          watch.waiters.add(waiter);
          return watch;
        });
  }

  private void leave(RecordKey key, Watch watch, Waiter waiter) {
    watches.computeIfPresent(
        key,
        (k, present) -> {
          present.waiters.remove(waiter);
          return present.waiters.isEmpty() ? null : present;
        });
    // Only what the map has is joined, and it has no empty watch: one that is empty stays so.
    if (watch.waiters.isEmpty()) {
      watch.stop();
    }
  }

  /** Those who wait for one task, and the poller that looks for them. */
  private final class Watch {
    private final Owner owner;
    private final RecordKey key;
    private final Set<Waiter> waiters = ConcurrentHashMap.newKeySet();
    private final AtomicLong newestVersion = new AtomicLong();

    private final ReentrantLock lock = new ReentrantLock();
    private boolean stopped;
    private long pauseNanos = FIRST_PAUSE_NANOS;
    private Scheduler.@Nullable Scheduled next;

    Watch(Owner owner, RecordKey key) {
      this.owner = owner;
      this.key = key;
    }

    /**
     * Shows to all what one of them has read, unless they have seen as much. Without the exception
     * those who come one after the other would cost the square of their number.
     */
    void show(Task task) {
      if (newestVersion.get() < task.version()) {
        showAll(task);
      }
    }

    void showAll(Task task) {
      newestVersion.accumulateAndGet(task.version(), Math::max);
      waiters.forEach(waiter -> waiter.show(task));
    }

    void end(Supplier<? extends RuntimeException> exception) {
      waiters.forEach(waiter -> waiter.end(exception));
    }

    /** Starts the poller if it does not run. */
    void poll() {
      lock.lock();
      try {
        if (next == null) {
          schedule();
        }
      } finally {
        lock.unlock();
      }
    }

    /**
     * A pause differs by a fifth at random, so that stores which begin together do not go on so.
     */
    private void schedule() {
      long least = pauseNanos / 5 * 4;
      long most = Math.min(pauseNanos / 5 * 6, LONGEST_PAUSE_NANOS);
      long pause = ThreadLocalRandom.current().nextLong(least, most + 1);
      next = scheduler.schedule(pause, this::lookAndGoOn);
      pauseNanos = Math.min(pauseNanos / 2 * 3, LONGEST_PAUSE_NANOS);
    }

    void stop() {
      lock.lock();
      try {
        stopped = true;
        if (next != null) {
          next.cancel();
        }
      } finally {
        lock.unlock();
      }
    }

    private boolean isStopped() {
      lock.lock();
      try {
        return stopped;
      } finally {
        lock.unlock();
      }
    }

    private void lookAndGoOn() {
      if (isStopped()) {
        return; // what is being begun cannot be cancelled
      }
      lookForAll();
      waiters.forEach(
          waiter -> {
            if (isOverdue(waiter)) {
              waiter.wake();
            }
          });
      lock.lock();
      try {
        if (!stopped) {
          schedule();
        }
      } finally {
        lock.unlock();
      }
    }

    private void lookForAll() {
      try {
        showAll(look.now(owner, key));
      } catch (TaskNotFoundException e) {
        endThoseWhoLooked(() -> new TaskNotFoundException(e.taskId()));
      } catch (TaskStorageException e) {
        if (!e.isRetryable() && !e.isOutcomeUnknown()) {
          endThoseWhoLooked(
              () ->
                  new TaskStorageException(
                      String.valueOf(e.getMessage()), false, false, e.storageFailure()));
        }
      } catch (RuntimeException e) {
        // One exception for all who wait: it cannot be copied, its stack trace shows the place that
        // matters, which is here, and what callers may add to it is guarded by its own lock.
        endThoseWhoLooked(() -> e);
      } catch (Error e) {
        endThoseWhoLooked(
            () -> {
              throw e;
            });
      }
    }

    /** Who is still at the first look learns by that. */
    private void endThoseWhoLooked(Supplier<? extends RuntimeException> exception) {
      waiters.forEach(
          waiter -> {
            if (waiter.hasLooked) {
              waiter.end(exception);
            }
          });
    }
  }

  /**
   * What a waiter knows, and whether its wait is over.
   *
   * @param newest the newest snapshot that it has been shown
   * @param accepted the predicate held for it
   * @param failure makes what the caller gets instead
   */
  private record State(
      @Nullable Task newest,
      boolean accepted,
      @Nullable Supplier<? extends RuntimeException> failure) {
    static final State NEW = new State(null, false, null);

    boolean isOver() {
      return accepted || failure != null;
    }
  }

  /** A call that waits. */
  private static final class Waiter {
    private final Thread thread = Thread.currentThread();
    private final Predicate<? super Task> done;
    private final long deadline;
    private final AtomicReference<State> state = new AtomicReference<>(State.NEW);
    private volatile boolean hasLooked;

    Waiter(Predicate<? super Task> done, long deadline) {
      this.done = done;
      this.deadline = deadline;
    }

    private State state() {
      return Objects.requireNonNull(state.get());
    }

    /** Ends the first look. */
    void begin(Task task) {
      note(task);
      hasLooked = true;
      decide(); // after it is set: whoever shows something newer from now on decides as well
    }

    void show(Task task) {
      if (note(task) && hasLooked) {
        decide();
      }
    }

    /** Returns false if something newer was noted before. */
    private boolean note(Task task) {
      while (true) {
        State current = state();
        if (current.isOver()) {
          return false;
        }
        if (current.newest != null && current.newest.version() >= task.version()) {
          return current.newest.version() == task.version();
        }
        if (state.compareAndSet(current, new State(task, false, null))) {
          return true;
        }
      }
    }

    private void decide() {
      State current = state();
      if (current.isOver() || current.newest == null) {
        return;
      }
      try {
        if (done.test(current.newest)
            && state.compareAndSet(current, new State(current.newest, true, null))) {
          wake();
        }
      } catch (RuntimeException e) {
        end(() -> e);
      } catch (Error e) {
        end(
            () -> {
              throw e;
            });
      }
    }

    void end(Supplier<? extends RuntimeException> exception) {
      while (true) {
        State current = state();
        if (current.isOver()) {
          return;
        }
        if (state.compareAndSet(current, new State(current.newest, false, exception))) {
          wake();
          return;
        }
      }
    }

    void wake() {
      LockSupport.unpark(thread);
    }

    boolean isOver() {
      return state().isOver();
    }

    Task outcome() {
      State last = state();
      if (last.failure != null) {
        throw last.failure.get();
      }
      return Objects.requireNonNull(last.newest);
    }

    /** Returns a snapshot, or the one that it has been shown if that is newer. */
    Task newestOf(Task task) {
      Task newest = state().newest;
      return newest != null && newest.version() > task.version() ? newest : task;
    }
  }
}
