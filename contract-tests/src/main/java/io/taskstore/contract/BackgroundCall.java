// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A call that may take long, on a thread of its own. Closing interrupts it and waits for its end.
 */
final class BackgroundCall<T> implements AutoCloseable {
  private static final String NAME = "background-call";

  private final FutureTask<T> call;
  private final Thread thread;
  private final Duration patience;

  /**
   * @param patience how long to wait for its end when somebody does
   */
  BackgroundCall(Callable<T> call, Duration patience) {
    this.call = new FutureTask<>(call);
    this.thread = new Thread(this.call, NAME);
    this.patience = patience;
    thread.setDaemon(true);
    thread.start();
  }

  /** Whether a thread is that of such a call. */
  static boolean isOne(Thread thread) {
    return thread.getName().equals(NAME);
  }

  /** Waits for what the call returns, or throws what it throws. */
  T result() throws Exception {
    try {
      return call.get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception failure) {
        throw failure;
      }
      if (e.getCause() instanceof Error failure) {
        throw failure;
      }
      throw e;
    } catch (TimeoutException e) {
      throw new AssertionError("The call has not ended", e);
    }
  }

  boolean isDone() {
    return call.isDone();
  }

  void interrupt() {
    thread.interrupt();
  }

  @Override
  public void close() {
    thread.interrupt();
    try {
      thread.join(patience.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
