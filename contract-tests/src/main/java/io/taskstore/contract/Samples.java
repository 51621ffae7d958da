// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Values to store and the steps that many tests take. */
final class Samples {
  /** A number of a thread's own, to the thread's result. */
  @FunctionalInterface
  interface Racer<T> {
    T run(int number) throws Exception;
  }

  private Samples() {}

  /** The present, in the milliseconds that a record can hold. */
  static Instant now() {
    return Instant.now().truncatedTo(ChronoUnit.MILLIS);
  }

  static String newWriteId() {
    return UUID.randomUUID().toString();
  }

  /** An active value that does not expire, with a write id of its own. */
  static RecordValue value(String data) {
    return value(data, true, null);
  }

  static RecordValue value(String data, boolean active, @Nullable Instant expiresAt) {
    return value(data.getBytes(StandardCharsets.UTF_8), active, expiresAt);
  }

  static RecordValue value(byte[] data, boolean active, @Nullable Instant expiresAt) {
    return new RecordValue(Bytes.copyOf(data), active, expiresAt, newWriteId());
  }

  /** Bytes that do not compress, the same for the same seed. */
  static byte[] randomBytes(int size, long seed) {
    byte[] bytes = new byte[size];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** Creates a record that is not there yet. */
  static VersionedRecord insert(StorageBackend backend, RecordKey key, RecordValue value) {
    return write(backend, key, value, StorageBackend.ABSENT);
  }

  /** Writes, and checks that the write succeeded as it must. */
  static VersionedRecord write(
      StorageBackend backend, RecordKey key, RecordValue value, long expected) {
    assertThat(backend.putIfVersion(key, value, expected))
        .as("putIfVersion of %s, expected version %d", key, expected)
        .isEqualTo(new Written(expected + 1));
    return new VersionedRecord(key, value, expected + 1);
  }

  /** What is stored under a key, which must be there. */
  static VersionedRecord stored(StorageBackend backend, RecordKey key) {
    return backend.get(key).orElseThrow(() -> new AssertionError("Nothing is stored under " + key));
  }

  /** The winner of a conflict, which must have one. */
  static VersionedRecord winner(Object result) {
    assertThat(result).isInstanceOf(Conflict.class);
    VersionedRecord winner = ((Conflict) result).winner();
    if (winner == null) {
      throw new AssertionError("The conflict says that nothing is stored");
    }
    return winner;
  }

  /** All records of a partition, in pages of {@code limit}. */
  static List<VersionedRecord> listAll(
      StorageBackend backend, String partition, boolean descending, int limit) {
    List<VersionedRecord> all = new ArrayList<>();
    String after = null;
    do {
      RecordPage page = backend.list(new ListQuery(partition, after, descending, limit));
      all.addAll(page.records());
      after = progress(after, page.next(), descending);
    } while (after != null);
    return all;
  }

  /** The heads of all active records of a partition, in pages of {@code limit}. */
  static List<RecordHead> listAllActive(
      StorageBackend backend, String partition, boolean descending, int limit) {
    List<RecordHead> all = new ArrayList<>();
    String after = null;
    do {
      HeadPage page = backend.listActive(new ListQuery(partition, after, descending, limit));
      all.addAll(page.heads());
      after = progress(after, page.next(), descending);
    } while (after != null);
    return all;
  }

  /** Checks that a cursor has moved on, so that a listing that goes in circles fails and ends. */
  private static @Nullable String progress(
      @Nullable String from, @Nullable String to, boolean descending) {
    if (from != null && to != null) {
      int step = RecordKey.compareIds(from, to);
      assertThat(descending ? -step : step).as("the cursor moves on").isNegative();
    }
    return to;
  }

  static List<String> ids(List<VersionedRecord> records) {
    return records.stream().map(stored -> stored.key().id()).toList();
  }

  static List<String> headIds(List<RecordHead> heads) {
    return heads.stream().map(head -> head.key().id()).toList();
  }

  /** Runs {@code racer} in that many threads, all let go at once, and returns what they return. */
  static <T> List<T> race(int racers, Racer<T> racer) throws Exception {
    CyclicBarrier start = new CyclicBarrier(racers);
    ExecutorService threads = Executors.newFixedThreadPool(racers);
    try {
      List<Future<T>> futures = new ArrayList<>();
      for (int i = 0; i < racers; i++) {
        int number = i;
        Callable<T> task =
            () -> {
              start.await();
              return racer.run(number);
            };
        futures.add(threads.submit(task));
      }
      List<T> results = new ArrayList<>();
      for (Future<T> future : futures) {
        results.add(future.get(60, TimeUnit.SECONDS));
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }
}
