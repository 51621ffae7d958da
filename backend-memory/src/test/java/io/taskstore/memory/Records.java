// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

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
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What the tests of this package share. */
final class Records {
  static final Instant NOW = Instant.parse("2030-01-01T00:00:00Z");

  /** A task that cannot do its work; whoever submits it learns why from its future. */
  @FunctionalInterface
  interface Racer<T> {
    T run(int number) throws Exception;
  }

  private Records() {}

  static String partition() {
    return "owner-" + UUID.randomUUID();
  }

  /** A value that never expires, with a write id of its own. */
  static RecordValue value(String data) {
    return value(data, true, null);
  }

  static RecordValue value(String data, boolean active, @Nullable Instant expiresAt) {
    return value(data.getBytes(StandardCharsets.UTF_8), active, expiresAt);
  }

  static RecordValue value(byte[] data, boolean active, @Nullable Instant expiresAt) {
    return new RecordValue(Bytes.copyOf(data), active, expiresAt, UUID.randomUUID().toString());
  }

  /** What is stored under a key that the test knows to be there. */
  static VersionedRecord stored(StorageBackend backend, RecordKey key) {
    return backend.get(key).orElseThrow();
  }

  /** The winner of a conflict that is known to have one. */
  static VersionedRecord winner(Object result) {
    VersionedRecord winner = ((Conflict) result).winner();
    if (winner == null) {
      throw new AssertionError("The conflict has no winner");
    }
    return winner;
  }

  static List<VersionedRecord> listAll(
      StorageBackend backend, String partition, boolean descending, int limit) {
    List<VersionedRecord> all = new ArrayList<>();
    String after = null;
    do {
      RecordPage page = backend.list(new ListQuery(partition, after, descending, limit));
      all.addAll(page.records());
      after = page.next();
    } while (after != null);
    return all;
  }

  static List<RecordHead> listAllActive(
      StorageBackend backend, String partition, boolean descending, int limit) {
    List<RecordHead> all = new ArrayList<>();
    String after = null;
    do {
      HeadPage page = backend.listActive(new ListQuery(partition, after, descending, limit));
      all.addAll(page.heads());
      after = page.next();
    } while (after != null);
    return all;
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
