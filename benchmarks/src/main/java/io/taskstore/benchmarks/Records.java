// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * The records that a storage is filled with: 1 KiB each, of owners who have so many finished and so
 * many active ones, the finished ones first.
 */
record Records(int owners, int finishedEach, int activeEach) {
  static final int DATA_BYTES = 1_024;
  static final int MAX_ACTIVE = 100;

  private static final Bytes DATA = Bytes.unsafeWrap(FileContenders.data(DATA_BYTES));

  int count() {
    return owners * each();
  }

  private int each() {
    return finishedEach + activeEach;
  }

  static String partition(int owner) {
    return "ts:owner-" + owner;
  }

  static RecordKey key(int owner, int index) {
    return FileContenders.key(partition(owner), index);
  }

  /** As long as the write ids of core. */
  static String writeId(long number) {
    String digits = Long.toString(number + 1_000_000_000L);
    return "4f8s1b5k0c2n7d4q9m3e6f-" + digits;
  }

  /** Within a day from tomorrow on: none goes while it is measured. */
  static RecordValue value(Instant now, long number, boolean active) {
    Instant expiry = now.plus(Duration.ofDays(1)).plusSeconds(number % 86_400);
    return new RecordValue(DATA, active, expiry, writeId(number));
  }

  /** Stores a record that is not there yet. */
  @FunctionalInterface
  interface Creation {
    void create(RecordKey key, RecordValue value) throws Exception;
  }

  void store(Instant now, PrintStream progress, Creation creation) throws Exception {
    progress.printf(
        Locale.ROOT,
        "storing %,d records: %,d owners, %,d finished and %,d active each%n",
        count(),
        owners,
        finishedEach,
        activeEach);
    long said = System.nanoTime();
    for (int n = 0; n < count(); n++) {
      // Not owner after owner: nobody's records are neighbours in memory.
      int index = n / owners;
      creation.create(key(n % owners, index), value(now, n, index >= finishedEach));
      if (System.nanoTime() - said > TimeUnit.SECONDS.toNanos(10)) {
        said = System.nanoTime();
        progress.printf(Locale.ROOT, "  %,d%n", n);
      }
    }
  }
}
