// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Counts the steps that did not fail. */
final class FlushCountFiles extends FileAccess {
  private final Map<Step, Integer> counts = new ConcurrentHashMap<>();

  FlushCountFiles() {
    super(true);
  }

  @Override
  void after(Step step, Path path) {
    counts.merge(step, 1, Integer::sum);
  }

  int count(Step step) {
    return counts.getOrDefault(step, 0);
  }

  /** Flushes of files and of directories. */
  int flushes() {
    return count(Step.FLUSH) + count(Step.FLUSH_DIRECTORY);
  }

  void reset() {
    counts.clear();
  }

  /** The flushes that some work needs. */
  int flushesOf(Runnable work) {
    int before = flushes();
    work.run();
    return flushes() - before;
  }

  /** How often some work looks into files and directories. */
  int looksOf(Runnable work) {
    int before = count(Step.READ) + count(Step.LIST);
    work.run();
    return count(Step.READ) + count(Step.LIST) - before;
  }
}
