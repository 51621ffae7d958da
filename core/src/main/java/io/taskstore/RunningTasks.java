// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.RecordKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * The handlers that run on tasks of one store. Two may run on one task: the one that has lost its
 * lease and does not know it yet, and its successor.
 */
final class RunningTasks {
  private final Map<RecordKey, List<RunningTask>> byKey = new ConcurrentHashMap<>();

  void add(RecordKey key, RunningTask run) {
    byKey.merge(
        key,
        List.of(run),
        (runs, one) -> {
          List<RunningTask> more = new ArrayList<>(runs);
          more.addAll(one);
          return List.copyOf(more);
        });
  }

  void remove(RecordKey key, RunningTask run) {
    byKey.computeIfPresent(
        key,
        (k, runs) -> {
          List<RunningTask> fewer = runs.stream().filter(other -> other != run).toList();
          return fewer.isEmpty() ? null : fewer;
        });
  }

  /** Tells the handlers of a task how it stands. */
  void seen(RecordKey key, Task task) {
    byKey.getOrDefault(key, List.of()).forEach(run -> run.seen(task));
  }

  /** Tells the handlers of a task that it is gone. */
  void gone(RecordKey key) {
    byKey.getOrDefault(key, List.of()).forEach(run -> run.lose(() -> notFound(key)));
  }

  private static TaskStoreException notFound(RecordKey key) {
    return new TaskNotFoundException(key.id());
  }

  /**
   * Lets every handler write what it has collected, and nothing more.
   *
   * @param atMost for how long; who has no time left does not write
   */
  void close(Supplier<TaskStoreException> failure, Duration atMost, Timing timing) {
    long deadline = timing.nanoTime() + atMost.toNanos();
    for (List<RunningTask> runs : byKey.values()) {
      for (RunningTask run : runs) {
        long left = Math.max(0, deadline - timing.nanoTime());
        run.close(failure, Duration.ofNanos(left));
      }
    }
  }

  boolean isEmpty() {
    return byKey.isEmpty();
  }
}
