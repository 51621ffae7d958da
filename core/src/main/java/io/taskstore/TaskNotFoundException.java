// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/**
 * There is no such task for this owner. Whether it never existed, has expired, was deleted or
 * belongs to somebody else cannot be told apart, so that nobody can probe for foreign tasks.
 */
public final class TaskNotFoundException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String taskId;

  TaskNotFoundException(String taskId) {
    super(
        "No task "
            + Text.quote(taskId)
            + ": it does not exist, has expired, was deleted, or belongs to another owner",
        null);
    this.taskId = taskId;
  }

  /** The id that was asked for. */
  public String taskId() {
    return taskId;
  }
}
