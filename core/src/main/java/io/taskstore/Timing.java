// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.concurrent.TimeUnit;

/** Elapsed time and waiting, apart from the wall clock, so that tests need not wait. */
interface Timing {
  /** The real thing. */
  Timing SYSTEM =
      new Timing() {
        @Override
        public long nanoTime() {
          return System.nanoTime();
        }

        @Override
        public void sleep(long nanos) throws InterruptedException {
          TimeUnit.NANOSECONDS.sleep(nanos);
        }
      };

  /** As {@link System#nanoTime()}. */
  long nanoTime();

  /** Waits. */
  void sleep(long nanos) throws InterruptedException;
}
