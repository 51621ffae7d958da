// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/**
 * What is stored under the key cannot be read. Other records are not affected; a listing reports
 * the key in {@link RecordPage#corrupt()} and goes on.
 */
public final class CorruptRecordException extends StorageException {
  private static final long serialVersionUID = 1L;

  private final String reason;

  /**
   * Creates the exception.
   *
   * @param operation the operation, for example {@code get}
   * @param key the key of the record
   * @param reason what is wrong with it, without its data
   * @param cause the native error, null if there is none
   */
  public CorruptRecordException(
      String operation, RecordKey key, String reason, @Nullable Throwable cause) {
    super(operation, key, "the stored record is corrupt: " + reason, cause);
    this.reason = reason;
  }

  /** What is wrong with the record, without its data. */
  public String reason() {
    return reason;
  }
}
