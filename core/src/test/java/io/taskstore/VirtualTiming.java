// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.concurrent.atomic.AtomicLong;

/** Time that passes only while somebody sleeps, and then at once, or when a test says so. */
final class VirtualTiming implements Timing {
  private final AtomicLong nanos = new AtomicLong();
  private final AtomicLong sleeps = new AtomicLong();

  long sleeps() {
    return sleeps.get();
  }

  /** Moves the time to a moment, unless that is past. */
  void moveTo(long moment) {
    nanos.accumulateAndGet(moment, Math::max);
  }

  @Override
  public long nanoTime() {
    return nanos.get();
  }

  @Override
  public void sleep(long duration) throws InterruptedException {
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    sleeps.incrementAndGet();
    nanos.addAndGet(duration);
  }
}
