// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/** Runs what a store does by itself, later and on other threads, so that tests can do without. */
interface Scheduler {
  /** Work that was scheduled. */
  @FunctionalInterface
  interface Scheduled {
    /** Drops the work if it has not begun. */
    void cancel();
  }

  /**
   * Runs work once after a delay, which may be zero. The work may block for a while; what it throws
   * is logged. After {@link #close} nothing is run.
   */
  Scheduled schedule(long delayNanos, Runnable work);

  /**
   * Drops what has not begun, waits a moment for what has, and gives the threads back. Idempotent.
   */
  void close();
}
