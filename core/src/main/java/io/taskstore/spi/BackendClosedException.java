// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/** The backend was closed before the call. Nothing was read or written. */
public final class BackendClosedException extends StorageException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param operation the operation, for example {@code putIfVersion}
   * @param key the key, null if the operation is not about one
   * @param detail what happened and what to do, without data or credentials
   * @param cause the native error, null if there is none
   */
  public BackendClosedException(
      String operation, @Nullable RecordKey key, String detail, @Nullable Throwable cause) {
    super(operation, key, detail, cause);
  }
}
