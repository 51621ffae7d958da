// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;

/**
 * Counts the reads of each record, and lets a test wait for them. When it is frozen it repeats the
 * last answer, so that nobody learns anything by looking.
 */
final class WatchedReads extends PassingBackend {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Map<RecordKey, Integer> reads = new HashMap<>();
  private final Map<RecordKey, Optional<VersionedRecord>> answers = new HashMap<>();
  private Predicate<Thread> frozenFor = thread -> false;

  WatchedReads(StorageBackend delegate) {
    super(delegate);
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    Optional<VersionedRecord> present = super.get(key);
    Optional<VersionedRecord> answer;
    lock.lock();
    try {
      if (!frozenFor.test(Thread.currentThread()) || !answers.containsKey(key)) {
        answers.put(key, present);
      }
      answer = answers.getOrDefault(key, present);
      reads.merge(key, 1, Integer::sum);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    return answer;
  }

  /** Answers every read of a record as the last one from now on. */
  void freeze() {
    freeze(thread -> true);
  }

  /** Answers every read of a record as the last one from now on, if such a thread reads it. */
  void freeze(Predicate<Thread> readers) {
    lock.lock();
    try {
      frozenFor = readers;
    } finally {
      lock.unlock();
    }
  }

  /** How often a record was read. */
  int reads(RecordKey key) {
    lock.lock();
    try {
      return reads.getOrDefault(key, 0);
    } finally {
      lock.unlock();
    }
  }

  /** Waits until a record was read that often, since this was made. */
  void awaitReads(RecordKey key, int wanted, Duration patience) throws InterruptedException {
    long left = patience.toNanos();
    lock.lock();
    try {
      while (reads.getOrDefault(key, 0) < wanted) {
        if (left <= 0) {
          throw new AssertionError(
              "The record was read %d times instead of %d"
                  .formatted(reads.getOrDefault(key, 0), wanted));
        }
        left = changed.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }
}
