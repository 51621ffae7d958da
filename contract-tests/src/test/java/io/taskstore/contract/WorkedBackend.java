// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A whole backend in the fewest lines: the seven methods, and the defaults for the rest. */
final class WorkedBackend implements StorageBackend {
  static final BackendTraits TRAITS = new BackendTraits("worked", false, false, false, 1 << 20);

  private final ConcurrentHashMap<RecordKey, VersionedRecord> records = new ConcurrentHashMap<>();
  private volatile boolean closed;

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    return Optional.ofNullable(records("get", key).get(key));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    int size = value.data().size();
    if (size > TRAITS.maxDataBytes()) {
      throw new RecordTooLargeException("putIfVersion", key, TRAITS.maxDataBytes(), size, null);
    }
    // compute() is atomic for its key, and what it stores has data and version in one object.
    AtomicReference<PutResult> result = new AtomicReference<>();
    records("putIfVersion", key)
        .compute(
            key,
            (k, stored) -> {
              boolean matches = expected == (stored == null ? ABSENT : stored.version());
              result.setPlain(matches ? new Written(expected + 1) : new Conflict(stored));
              return matches ? new VersionedRecord(key, value, expected + 1) : stored;
            });
    return result.getPlain();
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    VersionedRecord stored = records("deleteIfVersion", key).get(key);
    boolean matches = stored != null && stored.version() == expected;
    // Removes exactly what was compared; if another write has come between, that is the winner.
    return matches && records.remove(key, stored)
        ? Deleted.DELETED
        : new Conflict(records.get(key));
  }

  @Override
  public RecordPage list(ListQuery query) {
    Comparator<String> ascending = RecordKey::compareIds;
    Comparator<String> order = query.descending() ? ascending.reversed() : ascending;
    String after = query.after();
    List<VersionedRecord> rest =
        records("list", null).values().stream()
            .filter(stored -> stored.key().partition().equals(query.partition()))
            .filter(stored -> after == null || order.compare(stored.key().id(), after) > 0)
            .sorted(Comparator.comparing(stored -> stored.key().id(), order))
            .toList();
    int end = 0;
    long bytes = 0;
    while (end < rest.size() && end < query.limit() && bytes < RecordPage.TARGET_BYTES) {
      bytes += rest.get(end++).value().data().size();
    }
    String next = end < rest.size() ? rest.get(end - 1).key().id() : null;
    return new RecordPage(rest.subList(0, end), List.of(), next);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    StorageArguments.checkPurge(now, limit);
    // Removes exactly what was found due: a write since then has put another record there.
    return (int)
        records("purgeExpired", null).values().stream()
            .filter(stored -> stored.value().isExpired(now))
            .filter(stored -> records.remove(stored.key(), stored))
            .limit(limit)
            .count();
  }

  @Override
  public void close() {
    closed = true;
  }

  private ConcurrentHashMap<RecordKey, VersionedRecord> records(
      String operation, @Nullable RecordKey key) {
    if (closed) {
      throw new BackendClosedException(operation, key, "the worked backend is closed", null);
    }
    return records;
  }
}
