// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/**
 * Slots in an order, in chunks of a few dozen. One thread at a time changes it; any number walk
 * through it meanwhile, without a lock.
 *
 * <p>A chunk never changes. Who adds or removes a slot replaces its chunk in the array of all
 * chunks, or, when their number changes, that array. Slots never pass from one chunk to another in
 * the same array. So a walk, which stays in the array with which it has begun, meets every slot
 * that is there from its beginning to its end exactly once, in order. It may meet slots that were
 * removed meanwhile, and miss some that were added. An id that is removed and added again can come
 * into the chunk before; a walk backwards that has met it passes it over there.
 *
 * <p>A slot costs about five bytes here. In a linked structure it would be an object or two.
 */
final class SortedSlots {
  /** The most slots of a chunk. */
  static final int CHUNK = 64;

  private static final VarHandle CHUNKS = MethodHandles.arrayElementVarHandle(Slot[][].class);
  private static final Slot[][] EMPTY = {};
  private static final Slot[] NONE = {};

  private final Comparator<Content> order;

  /** No chunk is empty. */
  private volatile Slot[][] chunks = EMPTY;

  /**
   * Orders slots by what they hold. Where that changes a slot's place, it must be removed before
   * and added again after the change, and nobody may walk meanwhile.
   */
  SortedSlots(Comparator<Content> order) {
    this.order = order;
  }

  boolean isEmpty() {
    return chunks.length == 0;
  }

  /** Counts them, which takes a look at each chunk. */
  int size() {
    Slot[][] all = chunks;
    int size = 0;
    for (int c = 0; c < all.length; c++) {
      size += chunk(all, c).length;
    }
    return size;
  }

  /** The number of chunks, for tests. */
  int chunkCount() {
    return chunks.length;
  }

  /** The first one, null if there is none. */
  @Nullable Slot first() {
    Slot[][] all = chunks;
    return all.length == 0 ? null : chunk(all, 0)[0];
  }

  /** The slot of the same rank, null if there is none. */
  @Nullable Slot find(Content content) {
    Slot[][] all = chunks;
    int c = chunkOf(all, content);
    Slot[] chunk = c < 0 ? NONE : chunk(all, c);
    int found = search(chunk, content);
    return found < 0 ? null : chunk[found];
  }

  /** Adds a slot, in the place of another one of the same rank if there is one. */
  void add(Slot slot) {
    Slot[][] all = chunks;
    if (all.length == 0) {
      chunks = replaced(all, 0, 0, new Slot[] {slot});
      return;
    }
    Content content = slot.content();
    int c = Math.max(chunkOf(all, content), 0);
    Slot[] chunk = chunk(all, c);
    int found = search(chunk, content);
    int at = -1 - found;
    if (found >= 0) {
      Slot[] same = chunk.clone();
      same[found] = slot;
      CHUNKS.setRelease(all, c, same);
    } else if (chunk.length < CHUNK) {
      CHUNKS.setRelease(all, c, inserted(chunk, at, slot));
    } else if (at == CHUNK && c == all.length - 1) {
      // Most are added at the end. If the last chunk was divided then, all would stay half empty.
      chunks = replaced(all, c, 1, chunk, new Slot[] {slot});
    } else {
      int half = CHUNK / 2;
      Slot[] left = Arrays.copyOf(chunk, half);
      Slot[] right = Arrays.copyOfRange(chunk, half, CHUNK);
      if (at <= half) {
        left = inserted(left, at, slot);
      } else {
        right = inserted(right, at - half, slot);
      }
      chunks = replaced(all, c, 1, left, right);
    }
  }

  /** Removes a slot; there may be none of its rank. */
  void remove(Slot slot) {
    Slot[][] all = chunks;
    Content content = slot.content();
    int c = chunkOf(all, content);
    Slot[] chunk = c < 0 ? NONE : chunk(all, c);
    int at = search(chunk, content);
    if (at < 0) {
      return;
    }
    if (chunk.length == 1) {
      chunks = replaced(all, c, 1);
      return;
    }
    Slot[] rest = removed(chunk, at);
    // Small neighbours become one, or there would be as many chunks as ever were needed.
    if (c > 0 && chunk(all, c - 1).length + rest.length <= CHUNK / 2) {
      chunks = replaced(all, c - 1, 2, joined(chunk(all, c - 1), rest));
    } else if (c < all.length - 1 && rest.length + chunk(all, c + 1).length <= CHUNK / 2) {
      chunks = replaced(all, c, 2, joined(rest, chunk(all, c + 1)));
    } else {
      CHUNKS.setRelease(all, c, rest);
    }
  }

  /** Removes all. */
  void clear() {
    chunks = EMPTY;
  }

  /**
   * Walks through the slots, from the first one behind {@code after}, or from the first of all if
   * that is null; backwards if {@code descending}.
   */
  Iterator<Slot> walk(@Nullable Content after, boolean descending) {
    Slot[][] all = chunks;
    int step = descending ? -1 : 1;
    if (all.length == 0) {
      return new Walk(order, all, step, 0, NONE, 0, after);
    }
    if (after == null) {
      int c = descending ? all.length - 1 : 0;
      Slot[] chunk = chunk(all, c);
      return new Walk(order, all, step, c, chunk, descending ? chunk.length - 1 : 0, null);
    }
    int c = Math.max(chunkOf(all, after), 0);
    Slot[] chunk = chunk(all, c);
    int found = search(chunk, after);
    int at = found >= 0 ? found : -1 - found;
    int begin = descending ? at - 1 : found >= 0 ? at + 1 : at;
    return new Walk(order, all, step, c, chunk, begin, after);
  }

  /** The last chunk that does not begin after {@code content}; -1 if all do. */
  private int chunkOf(Slot[][] all, Content content) {
    int low = 0;
    int high = all.length - 1;
    int middle = high; // most calls are about what is new, and it is at the end
    while (low <= high) {
      if (order.compare(chunk(all, middle)[0].content(), content) <= 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
      middle = (low + high) >>> 1;
    }
    return high;
  }

  /** As {@link Arrays#binarySearch}. */
  private int search(Slot[] chunk, Content content) {
    int low = 0;
    int high = chunk.length - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int compared = order.compare(chunk[middle].content(), content);
      if (compared == 0) {
        return middle;
      }
      if (compared < 0) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return -1 - low;
  }

  private static Slot[] chunk(Slot[][] all, int index) {
    return (Slot[]) CHUNKS.getAcquire(all, index);
  }

  private static Slot[] inserted(Slot[] chunk, int at, Slot slot) {
    Slot[] longer = Arrays.copyOf(chunk, chunk.length + 1);
    System.arraycopy(chunk, at, longer, at + 1, chunk.length - at);
    longer[at] = slot;
    return longer;
  }

  private static Slot[] removed(Slot[] chunk, int at) {
    Slot[] shorter = Arrays.copyOf(chunk, chunk.length - 1);
    System.arraycopy(chunk, at + 1, shorter, at, chunk.length - 1 - at);
    return shorter;
  }

  private static Slot[] joined(Slot[] left, Slot[] right) {
    Slot[] both = Arrays.copyOf(left, left.length + right.length);
    System.arraycopy(right, 0, both, left.length, right.length);
    return both;
  }

  /** All chunks, but {@code instead} for {@code count} of them from {@code from} on. */
  private static Slot[][] replaced(Slot[][] all, int from, int count, Slot[]... instead) {
    int length = all.length - count + instead.length;
    if (length == 0) {
      return EMPTY;
    }
    Slot[][] result = new Slot[length][];
    System.arraycopy(all, 0, result, 0, from);
    System.arraycopy(instead, 0, result, from, instead.length);
    int rest = from + instead.length;
    System.arraycopy(all, from + count, result, rest, length - rest);
    return result;
  }

  /** Stays in the array of chunks with which it has begun. */
  private static final class Walk implements Iterator<Slot> {
    private final Comparator<Content> order;
    private final Slot[][] all;
    private final int step;
    private int c;
    private Slot[] chunk;
    private int next;

    /** Nothing up to here is met any more. */
    private @Nullable Content met;

    Walk(
        Comparator<Content> order,
        Slot[][] all,
        int step,
        int c,
        Slot[] chunk,
        int next,
        @Nullable Content met) {
      this.order = order;
      this.met = met;
      this.all = all;
      this.step = step;
      this.c = c;
      this.chunk = chunk;
      this.next = next;
    }

    @Override
    public boolean hasNext() {
      while (!isIn(chunk, next)) {
        int neighbour = c + step;
        if (neighbour < 0 || neighbour >= all.length) {
          return false;
        }
        c = neighbour;
        chunk = chunk(all, c);
        next = step > 0 ? 0 : chunk.length - 1;
        while (met != null && isIn(chunk, next) && !comesAfter(chunk[next], met)) {
          next += step;
        }
      }
      return true;
    }

    @Override
    public Slot next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      Slot slot = chunk[next];
      met = slot.content();
      next += step;
      return slot;
    }

    private static boolean isIn(Slot[] chunk, int index) {
      return index >= 0 && index < chunk.length;
    }

    private boolean comesAfter(Slot slot, Content met) {
      return order.compare(slot.content(), met) * step > 0;
    }
  }
}
