// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.StorageException;
import org.jspecify.annotations.Nullable;

/**
 * The storage failed, and kept failing for as long as the store tried. The cause tells more to an
 * administrator; it may name the owner.
 */
public final class TaskStorageException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final boolean retryable;
  private final boolean outcomeUnknown;

  TaskStorageException(
      String message, boolean retryable, boolean outcomeUnknown, @Nullable StorageException cause) {
    super(message, cause);
    this.retryable = retryable;
    this.outcomeUnknown = outcomeUnknown;
  }

  /** The cause, as what it is. */
  @Nullable StorageException storageFailure() {
    return getCause() instanceof StorageException failure ? failure : null;
  }

  /**
   * Whether the same call may succeed later without anybody's help, and can be made again without
   * thinking. Never together with {@link #isOutcomeUnknown()}.
   */
  public boolean isRetryable() {
    return retryable;
  }

  /**
   * Whether the change may have been written all the same. If so, read the task before doing it
   * again; if not, nothing was written.
   */
  public boolean isOutcomeUnknown() {
    return outcomeUnknown;
  }
}
