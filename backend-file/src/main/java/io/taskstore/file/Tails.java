// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.RecordKey;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Where the newest entries of some records were last seen, so that reading begins there. What is
 * found there is compared with the checksum: whatever others have done to the file, a wrong
 * remembrance only costs the reading of the whole. Bounded; a newer one takes the place of another.
 */
final class Tails {
  private static final int SLOTS = 8_192;

  /**
   * The newest entry of a record.
   *
   * @param offset where it begins in the file
   * @param length how long it is
   * @param room how long the file is at least
   * @param count how many entries its file has up to there
   */
  record Tail(RecordKey key, Path file, int offset, int length, int room, String hash, int count) {
    static Tail of(RecordKey key, Path file, Journal.Entry entry, int count) {
      int length = entry.end() - entry.offset();
      int room = Math.toIntExact(entry.room());
      return new Tail(key, file, entry.offset(), length, room, entry.hash(), count);
    }

    static Tail of(RecordKey key, Path file, int offset, Journal.Encoded encoded, int count) {
      int length = encoded.bytes().length;
      return new Tail(key, file, offset, length, encoded.room(), encoded.hash(), count);
    }
  }

  private final AtomicReferenceArray<@Nullable Tail> slots = new AtomicReferenceArray<>(SLOTS);

  private static int slot(RecordKey key) {
    int hash = key.hashCode();
    return Math.floorMod(hash ^ (hash >>> 16), SLOTS);
  }

  @Nullable Tail get(RecordKey key) {
    Tail tail = slots.get(slot(key));
    return tail != null && tail.key().equals(key) ? tail : null;
  }

  void remember(Tail tail) {
    slots.set(slot(tail.key()), tail);
  }

  void forget(RecordKey key) {
    if (get(key) != null) {
      slots.set(slot(key), null);
    }
  }
}
