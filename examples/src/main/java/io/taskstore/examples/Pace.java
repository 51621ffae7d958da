// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Holds work back so that all of it takes a certain time at least. For one piece of work. */
final class Pace {
  /** How long whoever wants to stop the work may have to wait. */
  private static final long SLICE_MILLIS = 50;

  private final Duration atLeast;
  private @Nullable Begin begin;

  /** Where the work began: it may go on from where somebody else has stopped. */
  private record Begin(long nanos, double fraction) {}

  Pace(Duration atLeast) {
    this.atLeast = atLeast;
  }

  /**
   * Returns when the time for so much work is over; at once the first time, and when the work is
   * slower than that.
   *
   * @param fraction how much is done, from 0 to 1
   * @param check is called now and then; what it throws ends the waiting, and it must throw if the
   *     thread is interrupted
   */
  void hold(double fraction, Runnable check) {
    if (begin == null) {
      begin = new Begin(System.nanoTime(), fraction);
    }
    double due = (fraction - begin.fraction()) * atLeast.toNanos();
    while (System.nanoTime() - begin.nanos() < due) {
      try {
        Thread.sleep(SLICE_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      check.run();
    }
  }
}
