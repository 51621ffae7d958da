// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;

/**
 * A record as it is stored.
 *
 * @param key its name
 * @param value its content
 * @param version 1 for a created record and one more with every write
 */
public record VersionedRecord(RecordKey key, RecordValue value, long version) {
  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if {@code version} is below 1
   */
  public VersionedRecord {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(value, "value");
    if (version < 1) {
      throw new IllegalArgumentException("version " + version + " of a stored record is below 1");
    }
  }
}
