// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/**
 * A write was sent and its answer was lost: it may have happened, it may still happen, or it may
 * not. The caller finds out by repeating the same call with the same {@link RecordValue#writeId()
 * write id}; a backend never repeats a write by itself.
 */
public final class OutcomeUnknownException extends StorageException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param operation the operation, for example {@code putIfVersion}
   * @param key the key, null if the operation is not about one
   * @param detail what happened and what to do, without data or credentials
   * @param cause the native error, null if there is none
   */
  public OutcomeUnknownException(
      String operation, @Nullable RecordKey key, String detail, @Nullable Throwable cause) {
    super(operation, key, detail, cause);
  }
}
