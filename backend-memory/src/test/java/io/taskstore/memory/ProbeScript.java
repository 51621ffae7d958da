// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Does something whenever a call reaches a step, or counts how often calls do. What it does may
 * call the backend: while it runs, no step of any call is counted or acted upon.
 */
final class ProbeScript implements Probe {
  private record Script(Step step, boolean once, Runnable action) {}

  private final AtomicInteger count = new AtomicInteger();
  private final AtomicBoolean running = new AtomicBoolean();
  private volatile Script script = new Script(Step.VISIT, false, () -> {});

  /** Counts {@code step} from now on. */
  void count(Step step) {
    on(step, () -> {});
  }

  /** Runs {@code action} at every {@code step} from now on. */
  void on(Step step, Runnable action) {
    start(new Script(step, false, action));
  }

  /** Runs {@code action} at the next {@code step} only. */
  void onceAt(Step step, Runnable action) {
    start(new Script(step, true, action));
  }

  /** How often the step was reached. */
  int count() {
    return count.get();
  }

  @Override
  public void reached(Step reached) {
    Script current = script;
    if (reached != current.step()
        || (current.once() && count.get() > 0)
        || !running.compareAndSet(false, true)) {
      return;
    }
    try {
      count.incrementAndGet();
      current.action().run();
    } finally {
      running.set(false);
    }
  }

  private void start(Script next) {
    script = next;
    count.set(0);
  }
}
