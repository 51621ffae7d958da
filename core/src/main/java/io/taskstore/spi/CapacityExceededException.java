// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/**
 * The storage has no room: a full disk, a memory limit. Nothing was written, what was stored is
 * intact, and reading goes on working.
 */
public final class CapacityExceededException extends StorageException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates the exception.
   *
   * @param operation the operation, for example {@code putIfVersion}
   * @param key the key, null if the operation is not about one
   * @param detail what happened and what to do, without data or credentials
   * @param cause the native error, null if there is none
   */
  public CapacityExceededException(
      String operation, @Nullable RecordKey key, String detail, @Nullable Throwable cause) {
    super(operation, key, detail, cause);
  }
}
