// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Trouble with the storage. A lost race is not trouble, it is a {@link Conflict}. A backend throws
 * one of the six kinds and nothing else, maps native errors to them in one place, and keeps the
 * native error as the cause.
 *
 * <p>The message names the operation and the key, never data or credentials. A key contains the
 * name of an owner: a message is for the administrator's log, not for a client.
 */
public abstract sealed class StorageException extends RuntimeException
    permits StorageUnavailableException,
        OutcomeUnknownException,
        RecordTooLargeException,
        CapacityExceededException,
        CorruptRecordException,
        BackendClosedException {
  private static final long serialVersionUID = 1L;

  private final String operation;
  private final transient @Nullable RecordKey key;

  StorageException(
      String operation, @Nullable RecordKey key, String detail, @Nullable Throwable cause) {
    super(
        Objects.requireNonNull(operation, "operation")
            + (key == null ? "" : " of " + key)
            + ": "
            + Objects.requireNonNull(detail, "detail"),
        cause);
    this.operation = operation;
    this.key = key;
  }

  /** The operation that failed, for example {@code putIfVersion}. */
  public final String operation() {
    return operation;
  }

  /** The key that the operation was about, if it was about one. */
  public final Optional<RecordKey> key() {
    return Optional.ofNullable(key);
  }
}
