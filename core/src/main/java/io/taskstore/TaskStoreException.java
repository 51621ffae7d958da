// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import org.jspecify.annotations.Nullable;

/**
 * The root of everything that a {@link TaskStore} throws. Unless a subclass says otherwise, nothing
 * was written. Messages never show an owner, or the content of a task.
 */
public abstract class TaskStoreException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  TaskStoreException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
