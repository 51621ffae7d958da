// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;

/**
 * A key at which something is stored that cannot be read. Where not even the key can be made out, a
 * backend leaves the entry out and logs it.
 *
 * @param key the key
 * @param reason what is wrong with it, for an administrator; never part of the data
 */
public record CorruptRecord(RecordKey key, String reason) {
  /** Checks the parts. */
  public CorruptRecord {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(reason, "reason");
  }
}
