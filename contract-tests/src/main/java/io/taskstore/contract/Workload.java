// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What the tests' own process and another one do to the same storage, in the same code. */
final class Workload {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final int RECORDS_AT_A_TIME = 3;

  /** Told of every step of {@link #mix}. */
  interface Journal {
    /** A write is about to be sent; {@code after} is what it leaves, null if it deletes. */
    void sending(RecordKey key, @Nullable VersionedRecord after);

    /** The write that was sent last under this key was acknowledged. */
    void acknowledged(RecordKey key);
  }

  private Workload() {}

  /** A value whose data, flag and expiry all follow from its write id. */
  static RecordValue newValue(boolean active) {
    return fromWriteId((active ? "a" : "i") + "-" + UUID.randomUUID());
  }

  private static RecordValue fromWriteId(String writeId) {
    long seed = UUID.fromString(writeId.substring(2)).getLeastSignificantBits();
    Random random = new Random(seed);
    // Now and then more than a page of a disk or a packet.
    byte[] data = new byte[random.nextInt(8) == 0 ? 20_000 : random.nextInt(600)];
    random.nextBytes(data);
    Instant expiresAt =
        random.nextBoolean() ? null : Instant.ofEpochMilli(8_000_000_000_000L + random.nextInt());
    return new RecordValue(Bytes.unsafeWrap(data), writeId.startsWith("a"), expiresAt, writeId);
  }

  /** Checks that all parts of a record come from one {@link #newValue}. */
  static void assertWhole(VersionedRecord stored) {
    assertThat(stored.value())
        .as("the value of %s, version %d, all of one write", stored.key(), stored.version())
        .isEqualTo(fromWriteId(stored.value().writeId()));
  }

  /** Adds 1 to the number that a record holds, {@code times} times, and creates it if need be. */
  static void increment(StorageBackend backend, RecordKey key, int times) {
    VersionedRecord current = backend.get(key).orElse(null);
    for (int done = 0; done < times; ) {
      long expected = current == null ? StorageBackend.ABSENT : current.version();
      RecordValue next = Samples.value(Long.toString(number(current) + 1));
      PutResult result = backend.putIfVersion(key, next, expected);
      if (result instanceof Written written) {
        current = new VersionedRecord(key, next, written.version());
        done++;
      } else {
        current = ((Conflict) result).winner();
      }
    }
  }

  /** The number that {@link #increment} has left. */
  static long number(@Nullable VersionedRecord stored) {
    return stored == null
        ? 0
        : Long.parseLong(new String(stored.value().data().toByteArray(), StandardCharsets.UTF_8));
  }

  /**
   * Waits for a record of version 1, and then tries to be the one who writes version 2, 3 and so
   * on, each of them once.
   *
   * @return the versions that were won
   */
  static List<Long> contest(StorageBackend backend, RecordKey key, int rounds) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (backend.get(key).isEmpty()) {
      assertThat(System.nanoTime() - end).as("waiting for the record of a contest").isNegative();
      Thread.onSpinWait();
    }
    List<Long> won = new ArrayList<>();
    for (long expected = 1; expected <= rounds; expected++) {
      RecordValue value = newValue(true);
      PutResult result = backend.putIfVersion(key, value, expected);
      if (result instanceof Written written) {
        assertThat(written.version()).as("the version of a won round").isEqualTo(expected + 1);
        won.add(written.version());
      } else {
        VersionedRecord winner = Samples.winner(result);
        assertThat(winner.version()).as("the version of the winner").isGreaterThan(expected);
        assertThat(winner.value().writeId())
            .as("the write id of the winner")
            .isNotEqualTo(value.writeId());
        assertWhole(winner);
      }
    }
    return won;
  }

  /**
   * Has {@code threads} threads create a record each within a limit.
   *
   * @return the ids of those that were created
   */
  static List<String> createWithin(
      StorageBackend backend, String partition, int threads, int max, Instant now)
      throws Exception {
    List<String> created = Collections.synchronizedList(new ArrayList<>());
    Samples.race(
        threads,
        number -> {
          RecordKey key = new RecordKey(partition, UUID.randomUUID().toString());
          CreateResult result = backend.createWithin(key, newValue(true), max, now);
          if (result == Created.CREATED) {
            created.add(key.id());
          } else if (result instanceof Conflict) {
            throw new AssertionError("A conflict about a key that nobody else has: " + key);
          } else if (result instanceof Contended contended) {
            assertThat(contended.mayRemain()).as("may remain, without any trouble").isFalse();
          }
          return result;
        });
    return List.copyOf(created);
  }

  /** Writes a record again and again, and tells of every version that was acknowledged. */
  static void write(StorageBackend backend, RecordKey key, Journal journal) {
    VersionedRecord current = backend.get(key).orElse(null);
    while (!Thread.currentThread().isInterrupted()) {
      VersionedRecord next =
          new VersionedRecord(key, newValue(true), current == null ? 1 : current.version() + 1);
      put(backend, journal, next);
      current = next;
    }
  }

  /**
   * Creates, updates, finishes and deletes records of its own, without end, and tells of every
   * step. Nobody else may write them.
   *
   * @param prefix what the ids begin with; it must be new
   */
  static void mix(StorageBackend backend, String partition, String prefix, Journal journal) {
    Random random = new Random();
    List<VersionedRecord> records = new ArrayList<>();
    for (int number = 0; !Thread.currentThread().isInterrupted(); ) {
      int chosen = random.nextInt(RECORDS_AT_A_TIME);
      if (chosen >= records.size()) {
        RecordKey key = new RecordKey(partition, prefix + number++);
        records.add(create(backend, journal, key, random.nextBoolean()));
        continue;
      }
      VersionedRecord current = records.get(chosen);
      int step = random.nextInt(10);
      if (step < 3) {
        journal.sending(current.key(), null);
        assertThat(backend.deleteIfVersion(current.key(), current.version()))
            .as("deleteIfVersion of a record of the process's own")
            .isEqualTo(Deleted.DELETED);
        journal.acknowledged(current.key());
        records.remove(chosen);
      } else {
        boolean active = current.value().active() && step < 8;
        VersionedRecord next =
            new VersionedRecord(current.key(), newValue(active), current.version() + 1);
        put(backend, journal, next);
        records.set(chosen, next);
      }
    }
  }

  private static VersionedRecord create(
      StorageBackend backend, Journal journal, RecordKey key, boolean within) {
    VersionedRecord created = new VersionedRecord(key, newValue(true), 1);
    if (!within) {
      put(backend, journal, created);
      return created;
    }
    journal.sending(key, created);
    assertThat(backend.createWithin(key, created.value(), Integer.MAX_VALUE, Samples.now()))
        .as("createWithin without a limit")
        .isEqualTo(Created.CREATED);
    journal.acknowledged(key);
    return created;
  }

  private static void put(StorageBackend backend, Journal journal, VersionedRecord next) {
    journal.sending(next.key(), next);
    assertThat(backend.putIfVersion(next.key(), next.value(), next.version() - 1))
        .as("putIfVersion of a record of the process's own")
        .isEqualTo(new Written(next.version()));
    journal.acknowledged(next.key());
  }
}
