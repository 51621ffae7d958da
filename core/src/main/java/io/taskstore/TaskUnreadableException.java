// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import org.jspecify.annotations.Nullable;

/**
 * What is stored for the task cannot be read: it is damaged, or a newer release has written it. It
 * is never overwritten; other tasks are not affected; deleting the task works where the storage can
 * still tell its version.
 */
public final class TaskUnreadableException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String taskId;
  private final String reason;

  TaskUnreadableException(String taskId, String reason, String remedy, @Nullable Throwable cause) {
    super("Task %s cannot be read: %s; %s".formatted(Text.quote(taskId), reason, remedy), cause);
    this.taskId = taskId;
    this.reason = reason;
  }

  /** The id of the task. */
  public String taskId() {
    return taskId;
  }

  /** What is wrong, without data. */
  public String reason() {
    return reason;
  }
}
