// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Creates, changes, finishes and deletes records of its own, for one thread, and says what it does:
 * a line before each write, and one after it. {@link RedisModel} hears them.
 */
final class RedisLoad {
  static final List<String> PARTITIONS = List.of("one", "two", "three");
  private static final int RECORDS_AT_A_TIME = 12;

  private final StorageBackend backend;
  private final String prefix;
  private final Random random;
  private final Consumer<String> journal;
  private final List<VersionedRecord> records = new ArrayList<>();
  private int number;

  /**
   * @param prefix what the ids begin with; nobody else has it
   */
  RedisLoad(StorageBackend backend, String prefix, long seed, Consumer<String> journal) {
    this.backend = backend;
    this.prefix = prefix;
    this.random = new Random(seed);
    this.journal = journal;
  }

  /** Works until it is to stop. May be called again. */
  void run(BooleanSupplier stop) {
    while (!stop.getAsBoolean() && !Thread.currentThread().isInterrupted()) {
      int chosen = random.nextInt(RECORDS_AT_A_TIME);
      if (chosen >= records.size()) {
        String partition = PARTITIONS.get(random.nextInt(PARTITIONS.size()));
        RecordKey key = new RecordKey(partition, prefix + number++);
        VersionedRecord created = new VersionedRecord(key, value(true, expiry()), 1);
        if (write(null, created)) {
          records.add(created);
        }
        continue;
      }
      VersionedRecord current = records.get(chosen);
      Instant expiry = current.value().expiresAt();
      if (expiry != null && expiry.isBefore(Instant.now().plusSeconds(60))) {
        // it goes by itself, and nobody touches it any more
        records.remove(chosen);
      } else if (random.nextInt(10) < 2) {
        if (write(current, null)) {
          records.remove(chosen);
        }
      } else {
        boolean active = current.value().active() && random.nextInt(10) < 7;
        VersionedRecord next =
            new VersionedRecord(
                current.key(),
                value(active, random.nextInt(4) == 0 ? expiry() : expiry),
                current.version() + 1);
        if (write(current, next)) {
          records.set(chosen, next);
        }
      }
    }
  }

  /** None, a far one, or one that the record will not outlive the test with. */
  private @Nullable Instant expiry() {
    return switch (random.nextInt(6)) {
      case 0 -> Instant.ofEpochMilli(8_000_000_000_000L + random.nextInt(1_000_000));
      case 1 -> Instant.ofEpochMilli(System.currentTimeMillis() + 20 + random.nextInt(300));
      default -> null;
    };
  }

  private RecordValue value(boolean active, @Nullable Instant expiry) {
    String writeId = prefix + "-" + Long.toHexString(random.nextLong());
    return new RecordValue(data(writeId), active, expiry, writeId);
  }

  /** Follows from the write id, and is now and then larger than a packet. */
  static Bytes data(String writeId) {
    int times = writeId.hashCode() % 16 == 0 ? 1_000 : 1 + Math.floorMod(writeId.hashCode(), 5);
    return Bytes.unsafeWrap(writeId.repeat(times).getBytes(UTF_8));
  }

  /**
   * Returns whether it was done.
   *
   * @param before what is stored, null if nothing
   * @param after what is to be stored, null to delete
   */
  private boolean write(@Nullable VersionedRecord before, @Nullable VersionedRecord after) {
    RecordKey key = before == null ? after.key() : before.key();
    String name = key.partition() + " " + key.id();
    journal.accept("sending " + name + " " + RedisModel.text(after));
    boolean done;
    try {
      done = send(key, before, after);
    } catch (OutcomeUnknownException e) {
      done = isDone(key, before, after);
    } catch (StorageException e) {
      done = false;
    }
    journal.accept((done ? "done " : "not ") + name);
    return done;
  }

  private boolean send(
      RecordKey key, @Nullable VersionedRecord before, @Nullable VersionedRecord after) {
    Object result;
    Object wanted;
    if (after == null) {
      wanted = Deleted.DELETED;
      result = backend.deleteIfVersion(key, before.version());
    } else if (before == null && random.nextBoolean()) {
      wanted = Created.CREATED;
      result = backend.createWithin(key, after.value(), Integer.MAX_VALUE, Instant.now());
    } else {
      wanted = new Written(after.version());
      result = backend.putIfVersion(key, after.value(), after.version() - 1);
    }
    if (!result.equals(wanted)) {
      throw new AssertionError(
          "of a record that nobody else writes: " + result + " instead of " + wanted);
    }
    return true;
  }

  /** Asks when the server is there again. What was on its way to it before has died with it. */
  private boolean isDone(
      RecordKey key, @Nullable VersionedRecord before, @Nullable VersionedRecord after) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      try {
        VersionedRecord found = backend.get(key).orElse(null);
        String stored = RedisModel.text(found);
        if (stored.equals(RedisModel.text(after)) || (found == null && isGone(after))) {
          return true;
        }
        if (stored.equals(RedisModel.text(before)) || (found == null && isGone(before))) {
          return false;
        }
        throw new AssertionError("neither what was nor what was written: " + key + " " + stored);
      } catch (StorageException e) {
        if (System.nanoTime() - end > 0) {
          throw e;
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
      }
    }
  }

  /** Whether the server may have dropped it. */
  private static boolean isGone(@Nullable VersionedRecord stored) {
    return stored != null && stored.value().isExpired(Instant.now());
  }
}
