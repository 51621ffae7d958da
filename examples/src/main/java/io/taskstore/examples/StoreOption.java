// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.GenericTaskStore;
import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.StorageBackend;
import java.time.Duration;
import java.util.List;

/**
 * Where to keep the tasks, as the option {@code --store} says it.
 *
 * @param url {@code memory:}, so far the only one
 */
record StoreOption(String url) {
  static final String DEFAULT = "memory:";

  /** More digests at once would only wait for the same disk. */
  static final int MAX_ACTIVE_TASKS = 8;

  private static final Duration SWEEP_INTERVAL = Duration.ofMinutes(1);

  StoreOption {
    if (!url.equals(DEFAULT)) {
      // Not the whole of it: what follows the scheme may hold a password.
      String scheme = url.substring(0, url.indexOf(':') + 1);
      throw new IllegalArgumentException(
          "unknown store: " + (scheme.isEmpty() ? url : scheme) + " (supported: memory:)");
    }
  }

  /** Opens a store; what it stores lives as long as the process. */
  TaskStore open(List<TaskListener> listeners) {
    GenericTaskStore.Builder options = options(MemoryStorageBackend.create());
    listeners.forEach(options::listener);
    return options.build();
  }

  /** What is the same for every backend. */
  static GenericTaskStore.Builder options(StorageBackend backend) {
    return GenericTaskStore.builder(backend)
        // Standard input and output belong to whoever started the process, so there is one owner.
        .allowLocalOwner(true)
        .maxActiveTasks(MAX_ACTIVE_TASKS)
        // A progress bar should move.
        .progressInterval(DigestTask.INTERVAL)
        .sweepInterval(SWEEP_INTERVAL);
  }
}
