// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Runs the work of one store on at most {@value #MAX_THREADS} daemon threads, which are made when
 * work comes and given back after ten idle seconds: a store that nobody closes keeps no thread for
 * long after its last work.
 *
 * <p>As long as fewer than {@value #MAX_THREADS} pieces of work block, the others run when they are
 * due. What work throws is logged, errors too, and harms nothing else.
 *
 * <p>{@link #close} waits five seconds at most for work that has begun, then interrupts it. Called
 * by work that runs here it does not wait, since that would be for itself.
 */
final class ThreadScheduler implements Scheduler {
  static final int MAX_THREADS = 4;

  private static final Duration IDLE = Duration.ofSeconds(10);
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final System.Logger LOGGER = System.getLogger(ThreadScheduler.class.getName());

  private final ScheduledThreadPoolExecutor executor;
  private final Duration patience;
  private final AtomicInteger threadsMade = new AtomicInteger();
  private volatile boolean closed;
  private volatile boolean abandoned;

  ThreadScheduler() {
    this(IDLE, PATIENCE);
  }

  ThreadScheduler(Duration idle, Duration patience) {
    this.patience = patience;
    this.executor =
        new ScheduledThreadPoolExecutor(
            MAX_THREADS, Worker::new, new ThreadPoolExecutor.DiscardPolicy());
    executor.setKeepAliveTime(idle.toNanos(), TimeUnit.NANOSECONDS);
    executor.allowCoreThreadTimeOut(true);
    executor.setRemoveOnCancelPolicy(true);
    executor.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  @Override
  public Scheduled schedule(long delayNanos, Runnable work) {
    Objects.requireNonNull(work, "work");
    Future<?> future = executor.schedule(() -> run(work), delayNanos, TimeUnit.NANOSECONDS);
    return () -> future.cancel(false);
  }

  private void run(Runnable work) {
    if (closed) {
      return; // shutdown() drops what is not due yet; the executor would still run what is
    }
    keepOneThreadFree();
    try {
      work.run();
    } catch (Throwable e) {
      LOGGER.log(Level.WARNING, "Work of a task store failed; the store goes on", e);
    }
  }

  /**
   * Makes a thread if all are busy and something waits. The executor makes threads only when work
   * is scheduled, and lets idle ones go down to the last: work that was scheduled long ago would be
   * held up by that last one's.
   */
  private void keepOneThreadFree() {
    if (!closed
        && !executor.getQueue().isEmpty()
        && executor.getActiveCount() >= executor.getPoolSize()) {
      executor.prestartCoreThread();
    }
  }

  @Override
  public void close() {
    closed = true;
    executor.shutdown();
    if (abandoned || isOwn(Thread.currentThread())) {
      return;
    }
    try {
      if (!executor.awaitTermination(patience.toNanos(), TimeUnit.NANOSECONDS)) {
        abandon();
      }
    } catch (InterruptedException e) {
      abandon();
      Thread.currentThread().interrupt();
    }
  }

  private boolean isOwn(Thread thread) {
    return thread instanceof Worker worker && worker.isOf(this);
  }

  private void abandon() {
    abandoned = true;
    executor.shutdownNow();
  }

  /** How many threads there are. */
  int threads() {
    return executor.getPoolSize();
  }

  /** How much work is to be run later. */
  int waiting() {
    return executor.getQueue().size();
  }

  private final class Worker extends Thread {
    Worker(Runnable runnable) {
      // no inherited thread locals and no foreign class loader: both would live as long as this
      super(null, runnable, "taskstore-" + threadsMade.incrementAndGet(), 0, false);
      setDaemon(true);
      setContextClassLoader(ThreadScheduler.class.getClassLoader());
    }

    boolean isOf(ThreadScheduler scheduler) {
      return ThreadScheduler.this == scheduler;
    }

    @Override
    public void run() {
      super.run();
      keepOneThreadFree(); // those that are left may all be busy
    }
  }
}
