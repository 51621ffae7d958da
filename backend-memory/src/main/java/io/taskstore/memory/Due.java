// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import java.time.Instant;

/**
 * From when on something in a partition can be purged. The earliest come first; a name keeps those
 * of the same instant apart, for no two partitions that are alive have the same.
 *
 * @param at in milliseconds
 */
record Due(long at, Partition partition) implements Comparable<Due> {
  boolean hasCome(Instant now) {
    return Content.isExpired(at, now);
  }

  @Override
  public int compareTo(Due other) {
    int byTime = Long.compare(at, other.at);
    return byTime != 0 ? byTime : partition.name.compareTo(other.partition.name);
  }
}
