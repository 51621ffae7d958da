// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/** The owner has as many unfinished tasks as it may have. */
public final class TaskLimitException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final int limit;

  TaskLimitException(int limit) {
    super(
        "The owner has %d unfinished tasks, the limit (maxActiveTasks); wait for one to finish, or cancel one"
            .formatted(limit),
        null);
    this.limit = limit;
  }

  /** The most unfinished tasks that an owner may have. */
  public int limit() {
    return limit;
  }
}
