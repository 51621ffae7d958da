// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Finds slots by id: a hash table with linear probing (Knuth, The Art of Computer Programming, 6.4,
 * Algorithm L), which needs no object for an entry. One thread at a time changes it; any number
 * read meanwhile, without a lock.
 *
 * <p>A removed slot leaves a mark, so that readers who are on their way past it go on. A slot that
 * is added takes the place of the first mark on its way: who has passed that before did so while
 * there was no slot of the id. The other marks go when the table is written anew. A reader who is
 * in the old table then may miss what is added from that moment on, all of which happens during its
 * call; what it finds is as good there as in the new one, for the slot alone knows what it holds.
 */
final class SlotTable {
  private static final int LEAST = 4;
  private static final Slot REMOVED = new Slot(Content.absent("removed"));
  private static final VarHandle ENTRY = MethodHandles.arrayElementVarHandle(Slot[].class);

  /** Changed in place. */
  private volatile @Nullable Slot[] entries = new Slot[LEAST];

  /** The slots. */
  private int size;

  /** The entries that are not empty: slots and marks. */
  private int used;

  /** The slot of the same id, null if there is none. */
  @Nullable Slot find(Content id) {
    @Nullable Slot[] all = entries;
    int i = home(all, id);
    Slot slot = entry(all, i);
    while (slot != null && (slot == REMOVED || !slot.content().hasIdOf(id))) {
      i = next(all, i);
      slot = entry(all, i);
    }
    return slot;
  }

  /** Adds a slot whose id has none. */
  void add(Slot slot) {
    if ((used + 1) * 4L > entries.length * 3L) {
      rewrite();
    }
    if (place(entries, slot)) {
      used++;
    }
    size++;
  }

  /** Removes a slot that is there. */
  void remove(Slot slot) {
    @Nullable Slot[] all = entries;
    int i = home(all, slot.content());
    while (all[i] != slot) {
      i = next(all, i);
    }
    ENTRY.setRelease(all, i, REMOVED);
    size--;
    if (all.length > LEAST && size < all.length / 8) {
      rewrite();
    }
  }

  /** The number of entries, empty ones too, for tests. */
  int length() {
    return entries.length;
  }

  /** The number of slots and marks, for tests. */
  int used() {
    return used;
  }

  /** With room for half as many again, and without marks. */
  private void rewrite() {
    @Nullable Slot[] fresh = new Slot[Math.max(LEAST, 2 * size)];
    for (Slot slot : entries) {
      if (slot != null && slot != REMOVED) {
        place(fresh, slot);
      }
    }
    used = size;
    entries = fresh;
  }

  /** Returns whether the entry was empty; else it had a mark. */
  private static boolean place(@Nullable Slot[] all, Slot slot) {
    int i = home(all, slot.content());
    while (all[i] != null && all[i] != REMOVED) {
      i = next(all, i);
    }
    boolean empty = all[i] == null;
    ENTRY.setRelease(all, i, slot);
    return empty;
  }

  private static @Nullable Slot entry(@Nullable Slot[] all, int index) {
    return (Slot) ENTRY.getAcquire(all, index);
  }

  /** Where the search for an id begins: its hash, taken as a fraction, of the length. */
  private static int home(@Nullable Slot[] all, Content id) {
    return (int) ((Integer.toUnsignedLong(id.idHash()) * all.length) >>> Integer.SIZE);
  }

  private static int next(@Nullable Slot[] all, int index) {
    return index + 1 < all.length ? index + 1 : 0;
  }
}
