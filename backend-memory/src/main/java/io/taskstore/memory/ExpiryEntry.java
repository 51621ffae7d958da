// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/**
 * A record's place in an index ordered by expiry: the earliest first, those that never expire last.
 */
record ExpiryEntry(@Nullable Instant expiresAt, RecordKey key) implements Comparable<ExpiryEntry> {
  // Any total order of the keys would do: it only keeps entries of the same instant apart.
  private static final Comparator<RecordKey> BY_KEY =
      Comparator.comparing(RecordKey::partition).thenComparing(RecordKey::id);

  static ExpiryEntry of(VersionedRecord stored) {
    return new ExpiryEntry(stored.value().expiresAt(), stored.key());
  }

  boolean isExpired(Instant now) {
    return expiresAt != null && !expiresAt.isAfter(now);
  }

  @Override
  public int compareTo(ExpiryEntry other) {
    int byExpiry;
    if (expiresAt == null) {
      byExpiry = other.expiresAt == null ? 0 : 1;
    } else {
      byExpiry = other.expiresAt == null ? -1 : expiresAt.compareTo(other.expiresAt);
    }
    return byExpiry != 0 ? byExpiry : BY_KEY.compare(key, other.key);
  }
}
