// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.RecordKey;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;

/**
 * How much the records of a backend take, and how much they may take. Room is reserved before a
 * record is stored and released after it is gone, so what is stored never exceeds what is reserved.
 */
final class Capacity {
  private static final Usage NONE = new Usage(0, 0);

  private final int maxRecords;
  private final long maxBytes;

  /*
   * Both numbers are changed by one compare-and-swap. With two counters, a write that gets its place
   * and is then refused for its bytes would for a moment occupy a place, and a second write, for
   * which there is room, would be refused because of the first.
   */
  private final AtomicReference<Usage> used = new AtomicReference<>(NONE);

  /** What is reserved. */
  record Usage(long records, long bytes) {}

  Capacity(int maxRecords, long maxBytes) {
    this.maxRecords = maxRecords;
    this.maxBytes = maxBytes;
  }

  /** What a record counts: its data, its key as UTF-8 and a fixed overhead. */
  static long bytesOf(String partition, Content stored) {
    return (long) stored.dataBytes()
        + utf8Length(partition)
        + stored.idLength()
        + MemoryStorageBackend.RECORD_OVERHEAD_BYTES;
  }

  Usage used() {
    return Objects.requireNonNull(used.get());
  }

  /**
   * Reserves room for a write that adds {@code records} and {@code bytes}.
   *
   * @throws CapacityExceededException if there is not enough; nothing was reserved
   */
  void reserve(String operation, RecordKey key, int records, long bytes) {
    while (true) {
      Usage before = used();
      if (records > maxRecords - before.records()) {
        throw new CapacityExceededException(
            operation,
            key,
            "all places for records are taken, maxRecords is %d; delete or purge records"
                .formatted(maxRecords),
            null);
      }
      if (bytes > maxBytes - before.bytes()) {
        throw new CapacityExceededException(
            operation,
            key,
            "the write needs %d more bytes, %d of maxBytes %d are taken; delete or purge records"
                .formatted(bytes, before.bytes(), maxBytes),
            null);
      }
      Usage after = new Usage(before.records() + records, before.bytes() + bytes);
      if (used.compareAndSet(before, after)) {
        return;
      }
    }
  }

  /** Gives room back. */
  void release(int records, long bytes) {
    used.updateAndGet(before -> new Usage(before.records() - records, before.bytes() - bytes));
  }

  /** Gives everything back. */
  void clear() {
    used.set(NONE);
  }

  /** The length of {@code text} in UTF-8; a key never has a lone surrogate. */
  private static int utf8Length(String text) {
    int bytes = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        bytes += 1;
      } else if (c < 0x800 || Character.isSurrogate(c)) {
        bytes += 2;
      } else {
        bytes += 3;
      }
    }
    return bytes;
  }
}
