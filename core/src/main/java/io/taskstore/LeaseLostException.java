// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/**
 * Another worker has taken the task over, because the lease of this one was over. Nothing was
 * written; the handler should return at once.
 */
public final class LeaseLostException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String taskId;

  LeaseLostException(String taskId) {
    super(
        "The lease of task %s is lost: another worker may work on it; nothing was written, stop"
            .formatted(Text.quote(taskId)),
        null);
    this.taskId = taskId;
  }

  /** The id of the task. */
  public String taskId() {
    return taskId;
  }
}
