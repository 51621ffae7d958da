// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/**
 * The storage did not do what was asked, and it is known that a write did not happen: not reached,
 * overloaded, still loading, read-only, or not permitted.
 */
public final class StorageUnavailableException extends StorageException {
  private static final long serialVersionUID = 1L;

  private final boolean retryable;

  /**
   * Creates the exception.
   *
   * @param operation the operation, for example {@code get}
   * @param key the key, null if the operation is not about one
   * @param retryable whether the same call may succeed soon: true for a lost connection or
   *     throttling, false for refused credentials or a read-only server
   * @param detail what happened and what to do, without data or credentials
   * @param cause the native error, null if there is none
   */
  public StorageUnavailableException(
      String operation,
      @Nullable RecordKey key,
      boolean retryable,
      String detail,
      @Nullable Throwable cause) {
    super(operation, key, detail, cause);
    this.retryable = retryable;
  }

  /** Whether the same call may succeed soon without anybody's help. */
  public boolean isRetryable() {
    return retryable;
  }
}
