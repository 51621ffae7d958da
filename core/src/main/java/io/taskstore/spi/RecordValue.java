// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What is stored under a key. The four parts and the change of the version become visible together
 * or not at all.
 *
 * @param data the payload: opaque, given back byte for byte
 * @param active whether the record counts against its partition's limit ({@link
 *     StorageBackend#createWithin}) and appears in {@link StorageBackend#listActive}. Callers
 *     create records as active and clear the flag at most once; they never set it again on a record
 *     that has lost it
 * @param expiresAt from when on a backend <em>may</em> drop the record, in whole milliseconds; null
 *     for never. An expiry in the past is legal and is stored like any other
 * @param writeId a short text, unique to the call that writes, given back with the record: by it a
 *     caller recognises its own write after an answer was lost. 1 to {@value #MAX_WRITE_ID_LENGTH}
 *     printable ASCII characters
 */
public record RecordValue(Bytes data, boolean active, @Nullable Instant expiresAt, String writeId) {
  /** The longest legal write id, in characters. */
  public static final int MAX_WRITE_ID_LENGTH = 64;

  /** The earliest legal expiry, the first millisecond of the year 1. */
  public static final Instant MIN_EXPIRY = Instant.parse("0001-01-01T00:00:00Z");

  /** The latest legal expiry, the last millisecond of the year 9999. */
  public static final Instant MAX_EXPIRY = Instant.parse("9999-12-31T23:59:59.999Z");

  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if {@code expiresAt} has a finer part than milliseconds or is
   *     outside of {@link #MIN_EXPIRY} to {@link #MAX_EXPIRY}, or if {@code writeId} is empty, too
   *     long or not printable ASCII
   */
  public RecordValue {
    Objects.requireNonNull(data, "data");
    Objects.requireNonNull(writeId, "writeId");
    if (expiresAt != null) {
      if (expiresAt.isBefore(MIN_EXPIRY) || expiresAt.isAfter(MAX_EXPIRY)) {
        throw new IllegalArgumentException(
            "expiresAt %s is outside of %s to %s".formatted(expiresAt, MIN_EXPIRY, MAX_EXPIRY));
      }
      if (!expiresAt.truncatedTo(ChronoUnit.MILLIS).equals(expiresAt)) {
        throw new IllegalArgumentException(
            "expiresAt %s is not a whole number of milliseconds".formatted(expiresAt));
      }
    }
    if (writeId.isEmpty() || writeId.length() > MAX_WRITE_ID_LENGTH) {
      throw new IllegalArgumentException(
          "writeId has %d characters, 1 to %d are allowed"
              .formatted(writeId.length(), MAX_WRITE_ID_LENGTH));
    }
    for (int i = 0; i < writeId.length(); i++) {
      char c = writeId.charAt(i);
      if (c <= ' ' || c >= 0x7F) {
        throw new IllegalArgumentException(
            "writeId has a character that is not printable ASCII at index " + i);
      }
    }
  }

  /**
   * Whether the record is past its expiry: {@code now >= expiresAt}. Core asks this with its own
   * clock to decide what is visible; a backend only in {@link StorageBackend#purgeExpired} and
   * {@link StorageBackend#createWithin}, with the instant that it is given.
   */
  public boolean isExpired(Instant now) {
    return expiresAt != null && !expiresAt.isAfter(now);
  }

  /** Shows size, flag, expiry and write id, never the data. */
  @Override
  public String toString() {
    return "RecordValue[data=%s, active=%s, expiresAt=%s, writeId=%s]"
        .formatted(data, active, expiresAt, writeId);
  }
}
