// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import org.jspecify.annotations.Nullable;

/**
 * Others changed the task: it did not have the version that the caller expected, or an update lost
 * the race against other writers as often as it may.
 */
public final class TaskConflictException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String taskId;

  private TaskConflictException(String taskId, String message, @Nullable Throwable cause) {
    super(message, cause);
    this.taskId = taskId;
  }

  static TaskConflictException versionDiffers(String taskId, long expected, long actual) {
    return new TaskConflictException(
        taskId,
        "Task %s has version %d, not the expected %d; read it again and decide anew"
            .formatted(Text.quote(taskId), actual, expected),
        null);
  }

  static TaskConflictException tooManyAttempts(String taskId, int attempts) {
    return new TaskConflictException(
        taskId,
        "Task %s was changed by others during each of %d attempts to update it; try again later"
            .formatted(Text.quote(taskId), attempts),
        null);
  }

  /** The id of the task. */
  public String taskId() {
    return taskId;
  }
}
