// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/**
 * The record is larger than the backend can store. Nothing was written, the old record is intact.
 */
public final class RecordTooLargeException extends StorageException {
  private static final long serialVersionUID = 1L;

  private final long limitBytes;
  private final long sizeBytes;

  /**
   * Creates the exception.
   *
   * @param operation the operation, for example {@code putIfVersion}
   * @param key the key of the record
   * @param limitBytes the most bytes of data that can be stored
   * @param sizeBytes the bytes of data that were to be stored
   * @param cause the native error, null if there is none
   */
  public RecordTooLargeException(
      String operation, RecordKey key, long limitBytes, long sizeBytes, @Nullable Throwable cause) {
    super(
        operation,
        key,
        "the data has %d bytes, the limit is %d".formatted(sizeBytes, limitBytes),
        cause);
    this.limitBytes = limitBytes;
    this.sizeBytes = sizeBytes;
  }

  /** The most bytes of data that can be stored. */
  public long limitBytes() {
    return limitBytes;
  }

  /** The bytes of data that were to be stored. */
  public long sizeBytes() {
    return sizeBytes;
  }
}
