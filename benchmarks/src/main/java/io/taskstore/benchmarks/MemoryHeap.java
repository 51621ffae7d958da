// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * What the heap grows by, for each record. Keys, values, write ids and times are objects of their
 * own in each record, as they are where calls bring them.
 */
final class MemoryHeap {
  private MemoryHeap() {}

  static String measure(int count, PrintStream progress) throws Exception {
    return BytesTable.measure(count, records -> bytes(records, progress), progress);
  }

  private static double bytes(Records records, PrintStream progress) throws Exception {
    Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    try (StorageBackend backend = MemorySuite.roomy()) {
      long before = usedHeap();
      records.store(now, progress, (key, value) -> store(backend, key, value));
      return (double) (usedHeap() - before) / records.count();
    }
  }

  private static void store(StorageBackend backend, RecordKey key, RecordValue value) {
    Bytes data = Bytes.copyOf(value.data().toByteArray());
    RecordValue own = new RecordValue(data, value.active(), value.expiresAt(), value.writeId());
    Expect.that(backend.putIfVersion(key, own, StorageBackend.ABSENT) instanceof Written);
  }

  /** What is still in use after several collections; soft references and the like take some. */
  private static long usedHeap() {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      System.gc();
      least = Math.min(least, ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
    }
    return least;
  }
}
