// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Instant;
import java.util.Objects;

/**
 * The checks of arguments that every backend makes before any input or output, in one place so that
 * all backends refuse the same calls with the same words.
 */
public final class StorageArguments {
  private StorageArguments() {}

  /**
   * Checks the expected version of a {@link StorageBackend#putIfVersion}.
   *
   * @throws IllegalArgumentException if it is negative, or so high that the version after it would
   *     not be exact any more
   */
  public static void checkPut(RecordKey key, RecordValue value, long expected) {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(value, "value");
    if (expected < 0) {
      throw new IllegalArgumentException("expected version " + expected + " is negative");
    }
    if (expected >= StorageBackend.MAX_VERSION) {
      throw new IllegalArgumentException(
          "expected version " + expected + " is the last one, no write can follow it");
    }
  }

  /**
   * Checks the expected version of a {@link StorageBackend#deleteIfVersion}.
   *
   * @throws IllegalArgumentException if it is below 1, the first version that a record can have
   */
  public static void checkDelete(RecordKey key, long expected) {
    Objects.requireNonNull(key, "key");
    if (expected < 1) {
      throw new IllegalArgumentException(
          "expected version " + expected + " of a delete is below 1");
    }
  }

  /**
   * Checks the arguments of a {@link StorageBackend#createWithin}.
   *
   * @return {@code now}, as {@link #checkPurge} returns it
   * @throws IllegalArgumentException if {@code value} is not active or {@code max} is below 1
   */
  public static Instant checkCreateWithin(RecordKey key, RecordValue value, int max, Instant now) {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(value, "value");
    Objects.requireNonNull(now, "now");
    if (!value.active()) {
      throw new IllegalArgumentException("a record that is created within a limit must be active");
    }
    if (max < 1) {
      throw new IllegalArgumentException("max " + max + " of active records is below 1");
    }
    return withinReach(now);
  }

  /**
   * Checks the arguments of a {@link StorageBackend#purgeExpired}.
   *
   * @return {@code now}, or where records cannot expire the nearest instant that has the same ones
   *     behind it: its milliseconds fit into a long, those of {@link Instant#MAX} do not
   * @throws IllegalArgumentException if {@code limit} is below 1
   */
  public static Instant checkPurge(Instant now, int limit) {
    Objects.requireNonNull(now, "now");
    if (limit < 1) {
      throw new IllegalArgumentException("limit " + limit + " of a purge is below 1");
    }
    return withinReach(now);
  }

  private static Instant withinReach(Instant now) {
    if (now.isAfter(RecordValue.MAX_EXPIRY)) {
      return RecordValue.MAX_EXPIRY;
    }
    return now.isBefore(RecordValue.MIN_EXPIRY) ? RecordValue.MIN_EXPIRY.minusMillis(1) : now;
  }
}
