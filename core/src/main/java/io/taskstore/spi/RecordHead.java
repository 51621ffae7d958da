// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What {@link StorageBackend#listActive} tells of a record. It has neither data nor version, so
 * that a backend can keep an index of active records that an update of a record does not touch.
 *
 * @param key the record's name
 * @param expiresAt the record's expiry, null for never
 */
public record RecordHead(RecordKey key, @Nullable Instant expiresAt) {
  /** Checks the key. */
  public RecordHead {
    Objects.requireNonNull(key, "key");
  }

  /** Whether the record is past its expiry: {@code now >= expiresAt}. */
  public boolean isExpired(Instant now) {
    return expiresAt != null && !expiresAt.isAfter(now);
  }
}
