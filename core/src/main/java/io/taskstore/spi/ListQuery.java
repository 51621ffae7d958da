// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Which records of one partition to list.
 *
 * @param partition the partition; partitions of which it is a prefix do not belong to it
 * @param after the cursor: only ids strictly after it, in the direction of the listing, are
 *     returned; null begins at the start. A record with this id may never have existed
 * @param descending whether to list from the highest id to the lowest
 * @param limit the most records to return, at least 1
 */
public record ListQuery(String partition, @Nullable String after, boolean descending, int limit) {
  /**
   * Checks the parts.
   *
   * @throws IllegalArgumentException if {@code limit} is below 1, or no key could have this
   *     partition or this id
   */
  public ListQuery {
    Objects.requireNonNull(partition, "partition");
    RecordKey.checkPartition(partition);
    if (after != null) {
      RecordKey.checkId(after);
    }
    if (limit < 1) {
      throw new IllegalArgumentException("limit " + limit + " of a listing is below 1");
    }
  }

  /** Returns this query, going on after {@code id}. */
  public ListQuery withAfter(String id) {
    return new ListQuery(partition, id, descending, limit);
  }

  /** Shows the texts in quotes with everything but printable ASCII escaped. */
  @Override
  public String toString() {
    return "ListQuery[partition=%s, after=%s, descending=%s, limit=%d]"
        .formatted(
            RecordKey.quote(partition),
            after == null ? "start" : RecordKey.quote(after),
            descending,
            limit);
  }
}
