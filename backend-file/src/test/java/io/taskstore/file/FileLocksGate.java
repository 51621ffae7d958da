// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Does something once, before or after the n-th step from when it was armed: stops there, or fails.
 */
final class FileLocksGate extends FileAccess {
  /** What is done there. */
  @FunctionalInterface
  interface Surprise {
    void happen(Step step, Path path) throws IOException;
  }

  /** Which steps count. */
  @FunctionalInterface
  interface Choice {
    boolean isMeant(Step step, boolean isAfter);
  }

  private record Armed(Choice choice, AtomicInteger left, Surprise surprise) {}

  private volatile Armed armed = disarmed();

  FileLocksGate() {
    super(true);
  }

  private static Armed disarmed() {
    return new Armed((step, isAfter) -> false, new AtomicInteger(), (step, path) -> {});
  }

  /** Arms the gate for the n-th of the chosen steps, beginning with 1. */
  void arm(Choice choice, int nth, Surprise surprise) {
    armed = new Armed(choice, new AtomicInteger(nth), surprise);
  }

  void disarm() {
    armed = disarmed();
  }

  /** Whether the n-th step was reached since the gate was armed. */
  boolean isOver() {
    return armed.left().get() <= 0;
  }

  @Override
  void before(Step step, Path path) throws IOException {
    pass(step, path, false);
  }

  @Override
  void after(Step step, Path path) throws IOException {
    pass(step, path, true);
  }

  private void pass(Step step, Path path, boolean isAfter) throws IOException {
    Armed now = armed;
    if (now.choice().isMeant(step, isAfter) && now.left().decrementAndGet() == 0) {
      now.surprise().happen(step, path);
    }
  }
}
