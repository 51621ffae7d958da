// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.concurrent.atomic.AtomicLong;

/** Time that passes only while somebody sleeps, and then at once. */
final class VirtualTiming implements Timing {
  private final AtomicLong nanos = new AtomicLong();
  private final AtomicLong sleeps = new AtomicLong();

  long sleeps() {
    return sleeps.get();
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
