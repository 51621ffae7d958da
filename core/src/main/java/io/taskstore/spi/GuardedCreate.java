// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The default of {@link StorageBackend#createWithin}, whose Javadoc lists the steps. */
final class GuardedCreate {
  private static final String OPERATION = "createWithin";
  private static final int ROUNDS = 5;
  private static final int WITHDRAW_ATTEMPTS = 3;
  private static final int COUNT_PAGE = 1_000;
  private static final long MIN_PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(500);
  private static final long MAX_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final StorageBackend backend;
  private final RecordKey key;
  private final RecordValue value;
  private final int max;
  private final Instant now;

  GuardedCreate(StorageBackend backend, RecordKey key, RecordValue value, int max, Instant now) {
    StorageArguments.checkCreateWithin(key, value, max, now);
    this.backend = backend;
    this.key = key;
    this.value = value;
    this.max = max;
    this.now = now;
  }

  CreateResult run() {
    Optional<VersionedRecord> stored = backend.get(key);
    boolean inserted = false;
    if (stored.isPresent()) {
      if (!isOurs(stored.get())) {
        return new Conflict(stored.get());
      }
      inserted = true;
    }
    for (int round = 0; round < ROUNDS; round++) {
      long start = System.nanoTime();
      if (!inserted) {
        if (countUpTo(max) >= max) {
          // What has filled the last place since we looked may be this very call, sent before.
          Optional<VersionedRecord> since = backend.get(key);
          if (since.isEmpty()) {
            return Full.FULL;
          }
          if (!isOurs(since.get())) {
            return new Conflict(since.get());
          }
        } else {
          PutResult result = backend.putIfVersion(key, value, StorageBackend.ABSENT);
          if (result instanceof Conflict conflict && !isOurs(conflict.winner())) {
            return conflict;
          }
        }
      }
      if (countAfterInsert() <= max) {
        return Created.CREATED;
      }
      Withdrawal withdrawal = withdraw();
      if (withdrawal != Withdrawal.CERTAIN) {
        return new Contended(withdrawal == Withdrawal.UNKNOWN);
      }
      inserted = false;
      if (round < ROUNDS - 1) {
        pause(System.nanoTime() - start, round);
      }
    }
    return new Contended(false);
  }

  private boolean isOurs(@Nullable VersionedRecord stored) {
    return stored != null
        && stored.version() == 1
        && stored.value().writeId().equals(value.writeId());
  }

  /** Counts active, unexpired records, but not beyond {@code bound}. */
  private int countUpTo(int bound) {
    int count = 0;
    int pageLimit = Math.min(COUNT_PAGE, bound);
    String after = null;
    do {
      HeadPage page = backend.listActive(new ListQuery(key.partition(), after, false, pageLimit));
      for (RecordHead head : page.heads()) {
        if (!head.isExpired(now) && ++count >= bound) {
          return count;
        }
      }
      after = page.next();
    } while (after != null);
    return count;
  }

  private int countAfterInsert() {
    try {
      return countUpTo(max == Integer.MAX_VALUE ? max : max + 1);
    } catch (StorageException e) {
      // "Unavailable" would say that nothing was written. Repeating the call finds the record.
      throw new OutcomeUnknownException(
          OPERATION, key, "the record was inserted, and then the storage failed", e);
    }
  }

  private enum Withdrawal {
    /** The record is gone, and its key can be used again. */
    CERTAIN,
    /**
     * The record is gone, but an answer was lost: a delete that is still on its way would take a
     * record that is inserted again under this key.
     */
    LATE,
    /** Every answer was lost. */
    UNKNOWN
  }

  /** Takes the record back. */
  private Withdrawal withdraw() {
    boolean answerLost = false;
    for (int attempt = 0; attempt < WITHDRAW_ATTEMPTS; attempt++) {
      DeleteResult result;
      try {
        result = backend.deleteIfVersion(key, 1);
      } catch (OutcomeUnknownException e) {
        if (Thread.currentThread().isInterrupted()) {
          return Withdrawal.UNKNOWN;
        }
        answerLost = true;
        continue;
      } catch (StorageException e) {
        if (!answerLost) {
          // Nothing was sent: the call can be repeated, finds the record and counts again.
          throw new OutcomeUnknownException(
              OPERATION, key, "the record was inserted, and withdrawing it failed", e);
        }
        continue;
      }
      if (result instanceof Conflict conflict && conflict.winner() != null) {
        throw new OutcomeUnknownException(
            OPERATION, key, "another writer changed the record before its withdrawal", null);
      }
      return answerLost ? Withdrawal.LATE : Withdrawal.CERTAIN;
    }
    return Withdrawal.UNKNOWN;
  }

  private void pause(long roundNanos, int round) {
    long base = Math.max(roundNanos, MIN_PAUSE_NANOS) << round;
    long nanos = Math.min(base + ThreadLocalRandom.current().nextLong(base + 1), MAX_PAUSE_NANOS);
    try {
      TimeUnit.NANOSECONDS.sleep(nanos);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StorageUnavailableException(
          OPERATION, key, false, "interrupted while waiting for others; nothing was created", e);
    }
  }
}
