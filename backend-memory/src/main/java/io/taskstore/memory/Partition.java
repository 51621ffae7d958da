// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.Iterator;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The records of one partition. Whoever changes it holds {@link #lock} and has seen {@link #isDead}
 * to be false; whoever reads {@link #records} or {@link #activeIds} needs neither.
 */
final class Partition {
  /*
   * What is stored, and what is only a hint
   *
   * `records` alone says what is stored. A record in it is immutable and carries data, flag, expiry,
   * write id and version together, so one put or remove of the map is the whole change: that is the
   * linearization point of every write, and no reader can see half of one. Every other structure
   * only says where it may be worth looking, and everybody who finds something in one asks `records`
   * again before believing it.
   *
   * For the two indexes that are read without the lock, `activeIds` and the backend's `byExpiry`,
   * the order of the steps is: first add what the new record needs, then change `records`, then
   * remove what only the old record needed. So at every moment an index holds at least the records
   * that belong into it, and what it holds beyond them is dismissed when `records` is asked:
   *
   *   - listActive cannot miss a record that stays active throughout. Its id stands in `activeIds`
   *     from before the moment it became active until after the moment it ceases to be, writes in
   *     between do not touch the entry, and an iterator of a ConcurrentSkipListSet passes every
   *     element that is there from its creation to its end.
   *   - listActive never disagrees with get, since flag and expiry of a head are those of one record
   *     that `records` held during the call.
   *   - purgeExpired decides under the lock, by the record that is there then.
   *
   * In the other order (records first, then the index) there is a moment in which get shows an
   * active record that no listing knows, and a creation of the same id after a deletion could lose
   * its entry to the deletion's late clean-up. The latter cannot happen here for a second reason
   * too: all steps of one write stand within one hold of the lock.
   *
   * `activeByExpiry` is only touched under the lock, where it agrees exactly with `records`.
   */

  final String name;
  final ReentrantLock lock = new ReentrantLock();

  /** By id, in the order of UTF-8 bytes. */
  final ConcurrentNavigableMap<String, VersionedRecord> records =
      new ConcurrentSkipListMap<>(RecordKey::compareIds);

  /** At least the ids of the active records, in the order of UTF-8 bytes. */
  final NavigableSet<String> activeIds = new ConcurrentSkipListSet<>(RecordKey::compareIds);

  /** Exactly the active records; under the lock. */
  private final NavigableSet<ExpiryEntry> activeByExpiry = new TreeSet<>();

  /** At least the records of all partitions that have an expiry. */
  private final NavigableSet<ExpiryEntry> byExpiry;

  private final Probe probe;
  private boolean dead;

  Partition(String name, NavigableSet<ExpiryEntry> byExpiry, Probe probe) {
    this.name = name;
    this.byExpiry = byExpiry;
    this.probe = probe;
  }

  /**
   * Whether the backend has dropped this partition, so that nothing may be stored in it; locked.
   */
  boolean isDead() {
    return dead;
  }

  /** Ends the use of this partition; locked. */
  void die() {
    dead = true;
    records.clear();
    activeIds.clear();
    activeByExpiry.clear();
  }

  /** Stores {@code next} in the place of {@code old}; locked. */
  void store(@Nullable VersionedRecord old, VersionedRecord next) {
    boolean wasActive = old != null && old.value().active();
    boolean active = next.value().active();
    boolean expiryKept =
        old != null && Objects.equals(old.value().expiresAt(), next.value().expiresAt());
    String id = next.key().id();

    if (active && !wasActive) {
      activeIds.add(id);
    }
    if (!expiryKept && next.value().expiresAt() != null) {
      byExpiry.add(ExpiryEntry.of(next));
    }
    probe.reached(Probe.Step.INDEXED);

    records.put(id, next);
    probe.reached(Probe.Step.STORED);

    if (old != null && wasActive && !(active && expiryKept)) {
      activeByExpiry.remove(ExpiryEntry.of(old));
    }
    if (active && !(wasActive && expiryKept)) {
      activeByExpiry.add(ExpiryEntry.of(next));
    }
    if (wasActive && !active) {
      activeIds.remove(id);
    }
    if (old != null && !expiryKept && old.value().expiresAt() != null) {
      byExpiry.remove(ExpiryEntry.of(old));
    }
  }

  /** Removes {@code old}; locked. */
  void remove(VersionedRecord old) {
    String id = old.key().id();
    records.remove(id);
    probe.reached(Probe.Step.STORED);

    if (old.value().active()) {
      activeByExpiry.remove(ExpiryEntry.of(old));
      activeIds.remove(id);
    }
    if (old.value().expiresAt() != null) {
      byExpiry.remove(ExpiryEntry.of(old));
    }
  }

  /**
   * Counts active records that are not expired, but not beyond {@code bound}; locked. It begins
   * with the latest expiry and ends at the first expired record, so it looks at no more than {@code
   * bound} records.
   */
  int countUnexpired(Instant now, int bound) {
    int count = 0;
    Iterator<ExpiryEntry> latestFirst = activeByExpiry.descendingIterator();
    while (count < bound && latestFirst.hasNext()) {
      probe.reached(Probe.Step.VISIT);
      if (latestFirst.next().isExpired(now)) {
        break;
      }
      count++;
    }
    return count;
  }

  /** The head of the record with this id, null if it is not, or no longer, an active one. */
  @Nullable RecordHead activeHead(String id) {
    VersionedRecord stored = records.get(id);
    return stored != null && stored.value().active()
        ? new RecordHead(stored.key(), stored.value().expiresAt())
        : null;
  }
}
