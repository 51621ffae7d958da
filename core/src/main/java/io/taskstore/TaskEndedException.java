// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/** The task is finished and takes no more changes; it goes only by delete or expiry. */
public final class TaskEndedException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final transient Task task;

  TaskEndedException(Task task) {
    super(
        "Task %s is %s and takes no more changes"
            .formatted(Text.quote(task.id()), task.status().wireName()),
        null);
    this.task = task;
  }

  /** The task as it stands, so that a late worker can see what won. */
  public Task task() {
    return task;
  }
}
