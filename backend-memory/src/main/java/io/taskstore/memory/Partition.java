// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.Iterator;
import java.util.NavigableSet;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The records of one partition. Whoever changes it holds {@link #lock} and has seen {@link #isDead}
 * to be false; whoever calls {@link #get}, or walks through {@link #ids} or {@link #activeIds},
 * needs neither.
 */
final class Partition {
  /*
   * What is stored, and what is only a hint
   *
   * The content of a slot alone says what is stored. It is immutable and carries data, flag, expiry,
   * write id and version together, so setting it is the whole change: that is the linearization point
   * of every write, and no reader can see half of one. Every other structure only says where it may
   * be worth looking, and everybody who finds a slot in one asks the slot before believing it.
   *
   * For the structures that are read without the lock, `slots`, `ids` and `activeIds`, the order of
   * the steps is: first add what the new record needs, then set the content, then remove what only
   * the old record needed. So at every moment they hold at least the slots that belong into them,
   * and what they hold beyond those is dismissed when the slot is asked:
   *
   *   - get finds the slot of a record that is there, or the record was not there at the moment at
   *     which it looked. An id gets a new slot when it is created again; who has found the old one
   *     sees in it that the record is gone, and it was, at a moment between the two.
   *   - listActive cannot miss a record that stays active throughout. Its slot stands in `activeIds`
   *     from before the moment it became active until after the moment it ceases to be, writes in
   *     between do not touch the entry, and a walk meets every slot that is there from its beginning
   *     to its end.
   *   - listActive never disagrees with get, since flag and expiry of a head are those of one record
   *     that the slot held during the call.
   *
   * In the other order (content first, then the index) there is a moment in which get shows an
   * active record that no listing knows.
   *
   * `byExpiry` and `activeByExpiry` are ordered by what changes with the content, so a slot is taken
   * out before its expiry changes and put back after. They are only touched under the lock, where
   * nobody sees that moment. The backend's `dues` has the earliest expiry of each partition that has
   * any; it too is brought up to date before the lock is released, but may be read at any time, so
   * purgeExpired decides under the lock.
   */

  /** Up to so many slots are found by their order alone. */
  private static final int MAX_WITHOUT_TABLE = 8;

  final String name;
  final ReentrantLock lock = new ReentrantLock();

  /** At least the slots of all records, in the order of their ids. */
  final SortedSlots ids = new SortedSlots(Content.BY_ID);

  /** At least the slots of the active records, in the order of their ids. */
  final SortedSlots activeIds = new SortedSlots(Content.BY_ID);

  /** At least the slots of all records; null while they are so few that a search is as good. */
  private volatile @Nullable SlotTable slots;

  /** Exactly the records that have an expiry; under the lock. */
  private final SortedSlots byExpiry = new SortedSlots(Content.BY_EXPIRY);

  /** Exactly the active records; under the lock. */
  private final SortedSlots activeByExpiry = new SortedSlots(Content.BY_EXPIRY);

  /** Of all partitions. */
  private final NavigableSet<Due> dues;

  /** What {@link #dues} has of this partition. */
  private @Nullable Due due;

  private final Probe probe;
  private boolean dead;

  Partition(String name, NavigableSet<Due> dues, Probe probe) {
    this.name = name;
    this.dues = dues;
    this.probe = probe;
  }

  /**
   * Whether the backend has dropped this partition, so that nothing may be stored in it; locked.
   */
  boolean isDead() {
    return dead;
  }

  /** Whether there is no record; locked. */
  boolean isEmpty() {
    return ids.isEmpty();
  }

  /** Ends the use of this partition; locked. */
  void die() {
    dead = true;
    ids.clear();
    slots = null;
    activeIds.clear();
    byExpiry.clear();
    activeByExpiry.clear();
    updateDue();
  }

  /** The record of this key, null if there is none. */
  @Nullable VersionedRecord get(RecordKey key) {
    Slot slot = find(Content.absent(key.id()));
    Content stored = slot == null ? null : slot.content();
    return stored == null || !stored.isPresent() ? null : stored.record(key);
  }

  /** The slot of this id; one that is in no index yet if there is no record. Locked. */
  Slot slot(String id) {
    Content absent = Content.absent(id);
    Slot found = find(absent);
    return found == null ? new Slot(absent) : found;
  }

  private @Nullable Slot find(Content id) {
    SlotTable table = slots;
    return table == null ? ids.find(id) : table.find(id);
  }

  /** Stores {@code next} in a slot that {@link #slot} has returned; locked. */
  void store(Slot slot, Content next) {
    Content old = slot.content();
    boolean expiryKept = old.isPresent() && old.expiresAt() == next.expiresAt();
    boolean activeKept = old.isActive() && next.isActive() && expiryKept;

    if (!old.isPresent()) {
      add(slot);
    }
    if (next.isActive() && !old.isActive()) {
      activeIds.add(slot);
    }
    if (!expiryKept && old.expiresAt() != Content.NEVER) {
      byExpiry.remove(slot);
    }
    if (old.isActive() && !activeKept) {
      activeByExpiry.remove(slot);
    }
    probe.reached(Probe.Step.INDEXED);

    slot.set(next);
    probe.reached(Probe.Step.STORED);

    if (!expiryKept && next.expiresAt() != Content.NEVER) {
      byExpiry.add(slot);
    }
    if (next.isActive() && !activeKept) {
      activeByExpiry.add(slot);
    }
    if (old.isActive() && !next.isActive()) {
      activeIds.remove(slot);
    }
    updateDue();
  }

  private void add(Slot slot) {
    ids.add(slot);
    SlotTable table = slots;
    if (table != null) {
      table.add(slot);
    } else if (ids.size() > MAX_WITHOUT_TABLE) {
      SlotTable first = new SlotTable();
      ids.walk(null, false).forEachRemaining(first::add);
      slots = first;
    }
  }

  /** Removes the record of {@code slot}; locked. */
  void remove(Slot slot) {
    Content old = slot.content();
    Content gone = old.gone();
    if (old.expiresAt() != Content.NEVER) {
      byExpiry.remove(slot);
    }
    if (old.isActive()) {
      activeByExpiry.remove(slot);
    }

    slot.set(gone);
    probe.reached(Probe.Step.STORED);

    if (old.isActive()) {
      activeIds.remove(slot);
    }
    ids.remove(slot);
    if (slots != null) {
      slots.remove(slot);
    }
    updateDue();
  }

  /** A slot whose record is expired, null if there is none; locked. */
  @Nullable Slot firstExpired(Instant now) {
    Slot first = byExpiry.first();
    if (first == null) {
      return null;
    }
    probe.reached(Probe.Step.VISIT);
    return first.content().isExpired(now) ? first : null;
  }

  /** Sees to it that {@link #dues} has the earliest expiry of this partition; locked. */
  void updateDue() {
    Slot first = byExpiry.first();
    long at = first == null ? Content.NEVER : first.content().expiresAt();
    Due old = due;
    if (at == (old == null ? Content.NEVER : old.at())) {
      return;
    }
    Due next = at == Content.NEVER ? null : new Due(at, this);
    if (next != null) {
      dues.add(next);
    }
    due = next;
    if (old != null) {
      dues.remove(old);
    }
  }

  /**
   * Counts active records that are not expired, but not beyond {@code bound}; locked. It begins
   * with the latest expiry and ends at the first expired record, so it looks at no more than {@code
   * bound} records.
   */
  int countUnexpired(Instant now, int bound) {
    int count = 0;
    Iterator<Slot> latestFirst = activeByExpiry.walk(null, true);
    while (count < bound && latestFirst.hasNext()) {
      probe.reached(Probe.Step.VISIT);
      if (latestFirst.next().content().isExpired(now)) {
        break;
      }
      count++;
    }
    return count;
  }

  /** The number of records that have an expiry, for tests. */
  int expiryCount() {
    return byExpiry.size();
  }

  /** The slots and marks in the table, 0 if there is none; for tests. */
  int tableUsed() {
    SlotTable table = slots;
    return table == null ? 0 : table.used();
  }
}
