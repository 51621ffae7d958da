// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The client of a {@link Server} that is an object in the same process: what lies between them can
 * fail in every way that the contract knows, without a network and without long waits.
 */
final class TroubledBackend implements StorageBackend {
  static final BackendTraits TRAITS = new BackendTraits("troubled", false, false, true, 1 << 20);
  static final String ENDPOINT = "troubled.example:1";

  /** How long a client waits for an answer. */
  static final Duration TIMEOUT = Duration.ofMillis(50);

  private final Server server;
  private volatile int session;
  private volatile boolean closed;

  TroubledBackend(Server server) {
    this.server = server;
  }

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    Objects.requireNonNull(key, "key");
    return call("get", key, Need.READ, () -> Optional.ofNullable(server.records.get(key)));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    int size = value.data().size();
    if (size > TRAITS.maxDataBytes()) {
      checkOpen("putIfVersion", key);
      throw new RecordTooLargeException("putIfVersion", key, TRAITS.maxDataBytes(), size, null);
    }
    return call("putIfVersion", key, Need.ROOM, () -> server.put(key, value, expected));
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    return call("deleteIfVersion", key, Need.WRITE, () -> server.delete(key, expected));
  }

  @Override
  public RecordPage list(ListQuery query) {
    return call("list", null, Need.READ, () -> server.page(query));
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    StorageArguments.checkPurge(now, limit);
    return call("purgeExpired", null, Need.WRITE, () -> server.purge(now, limit));
  }

  @Override
  public void close() {
    closed = true;
  }

  private void checkOpen(String operation, @Nullable RecordKey key) {
    if (closed) {
      throw new BackendClosedException(operation, key, "the client was closed", null);
    }
  }

  private enum Need {
    READ,
    WRITE,
    ROOM
  }

  private <T> T call(String operation, @Nullable RecordKey key, Need need, Supplier<T> work) {
    checkOpen(operation, key);
    if (Thread.currentThread().isInterrupted()) {
      throw unavailable(operation, key, false, "interrupted before anything was sent");
    }
    server.lock.lock();
    try {
      if (session != server.session) {
        // The server has refused before it did anything, so signing in and sending again is safe.
        session = server.session;
      }
      Trouble trouble = server.trouble;
      if (trouble == null) {
        return work.get();
      }
      return switch (trouble) {
        case UNREACHABLE ->
            throw unavailable(operation, key, true, "connection to " + ENDPOINT + " refused");
        case SILENT -> {
          String detail = "no answer from " + ENDPOINT + awaitTimeout();
          if (need == Need.READ) {
            throw unavailable(operation, key, true, detail);
          }
          throw new OutcomeUnknownException(operation, key, detail, null);
        }
        case ANSWER_LOST -> {
          T answer = work.get();
          if (need == Need.READ) {
            yield answer;
          }
          String detail = "lost the answer from " + ENDPOINT + awaitTimeout();
          throw new OutcomeUnknownException(operation, key, detail, null);
        }
        case BUSY -> throw unavailable(operation, key, true, "the server is loading");
        case UNAUTHORIZED -> throw unavailable(operation, key, false, "credentials refused");
        case READ_ONLY -> {
          if (need == Need.READ) {
            yield work.get();
          }
          throw unavailable(operation, key, false, "the server is a replica");
        }
        case FULL -> {
          if (need != Need.ROOM) {
            yield work.get();
          }
          throw new CapacityExceededException(operation, key, "the server has no memory", null);
        }
      };
    } finally {
      server.lock.unlock();
    }
  }

  /** Waits as long as a client does for an answer, and says how that ended. */
  private String awaitTimeout() {
    try {
      long left = TIMEOUT.toNanos();
      while (left > 0) {
        left = server.answer.awaitNanos(left);
      }
      return " within " + TIMEOUT;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return ", interrupted";
    }
  }

  private static StorageUnavailableException unavailable(
      String operation, @Nullable RecordKey key, boolean retryable, String detail) {
    return new StorageUnavailableException(operation, key, retryable, detail, null);
  }

  /** Holds the records, and drops those that are long expired by a clock of its own. */
  static final class Server {
    /** How much the clocks of clients may differ from the server's. */
    private static final Duration ALLOWANCE = Duration.ofMinutes(5);

    private final ReentrantLock lock = new ReentrantLock();

    /** Never signalled: an answer that is lost does not come. */
    private final Condition answer = lock.newCondition();

    private final TreeMap<RecordKey, VersionedRecord> records =
        new TreeMap<>(
            Comparator.comparing(RecordKey::partition)
                .thenComparing(RecordKey::id, RecordKey::compareIds));

    private final TreeMap<RecordKey, Instant> drops = new TreeMap<>(records.comparator());
    private @Nullable Trouble trouble;
    private int session;
    private Duration ahead = Duration.ZERO;

    void trouble(@Nullable Trouble newTrouble) {
      lock.lock();
      try {
        trouble = newTrouble;
      } finally {
        lock.unlock();
      }
    }

    /** Forgets who has signed in. */
    void endSessions() {
      lock.lock();
      try {
        session++;
      } finally {
        lock.unlock();
      }
    }

    void advance(Duration duration) {
      lock.lock();
      try {
        ahead = ahead.plus(duration);
        Instant now = now();
        drops
            .entrySet()
            .removeIf(
                drop -> {
                  boolean isDue = !drop.getValue().isAfter(now);
                  if (isDue) {
                    records.remove(drop.getKey());
                  }
                  return isDue;
                });
      } finally {
        lock.unlock();
      }
    }

    void seed(VersionedRecord record) {
      lock.lock();
      try {
        store(record);
      } finally {
        lock.unlock();
      }
    }

    List<String> entries() {
      lock.lock();
      try {
        List<String> entries = new ArrayList<>();
        records.keySet().forEach(key -> entries.add("record " + key));
        drops.keySet().forEach(key -> entries.add("drop " + key));
        return entries;
      } finally {
        lock.unlock();
      }
    }

    private Instant now() {
      return Instant.now().plus(ahead);
    }

    private PutResult put(RecordKey key, RecordValue value, long expected) {
      VersionedRecord stored = records.get(key);
      if ((stored == null ? ABSENT : stored.version()) != expected) {
        return new Conflict(stored);
      }
      store(new VersionedRecord(key, value, expected + 1));
      return new Written(expected + 1);
    }

    private void store(VersionedRecord record) {
      records.put(record.key(), record);
      Instant expiresAt = record.value().expiresAt();
      if (expiresAt == null) {
        drops.remove(record.key());
      } else {
        // A client's clock may be behind: what it has just written lives for a while in any case.
        Instant now = now();
        drops.put(record.key(), (expiresAt.isAfter(now) ? expiresAt : now).plus(ALLOWANCE));
      }
    }

    private DeleteResult delete(RecordKey key, long expected) {
      VersionedRecord stored = records.get(key);
      if (stored == null || stored.version() != expected) {
        return new Conflict(stored);
      }
      records.remove(key);
      drops.remove(key);
      return Deleted.DELETED;
    }

    private int purge(Instant now, int limit) {
      List<RecordKey> due =
          records.values().stream()
              .filter(record -> record.value().isExpired(now))
              .limit(limit)
              .map(VersionedRecord::key)
              .toList();
      due.forEach(records::remove);
      due.forEach(drops::remove);
      return due.size();
    }

    private RecordPage page(ListQuery query) {
      List<VersionedRecord> found = new ArrayList<>();
      long bytes = 0;
      String last = null;
      for (VersionedRecord record :
          (query.descending() ? records.descendingMap() : records).values()) {
        RecordKey key = record.key();
        if (!key.partition().equals(query.partition()) || !isAfter(key.id(), query)) {
          continue;
        }
        if (found.size() == query.limit() || bytes >= RecordPage.TARGET_BYTES) {
          return new RecordPage(found, List.of(), last);
        }
        found.add(record);
        last = key.id();
        bytes += record.value().data().size();
      }
      return new RecordPage(found, List.of(), null);
    }

    private static boolean isAfter(String id, ListQuery query) {
      String after = query.after();
      if (after == null) {
        return true;
      }
      int order = RecordKey.compareIds(id, after);
      return query.descending() ? order < 0 : order > 0;
    }
  }
}
