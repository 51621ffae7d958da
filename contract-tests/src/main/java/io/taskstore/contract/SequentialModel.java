// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a backend would be if there were only one thread, no failure and no limit of size: what real
 * backends are compared with. Each call is as obvious as it can be made.
 */
final class SequentialModel implements StorageBackend {
  private static final Comparator<RecordKey> ORDER =
      Comparator.comparing(RecordKey::partition)
          .thenComparing(RecordKey::id, (left, right) -> RecordKey.compareIds(left, right));

  private final NavigableMap<RecordKey, VersionedRecord> records = new TreeMap<>(ORDER);

  SequentialModel() {}

  /** Returns a model that holds the same now, and changes apart from this one. */
  SequentialModel copy() {
    SequentialModel copy = new SequentialModel();
    copy.records.putAll(records);
    return copy;
  }

  /** All keys that hold something. */
  List<RecordKey> keys() {
    return List.copyOf(records.keySet());
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("model", false, false, false, Integer.MAX_VALUE);
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    return Optional.ofNullable(records.get(key));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    VersionedRecord stored = records.get(key);
    if (versionOf(stored) != expected) {
      return new Conflict(stored);
    }
    records.put(key, new VersionedRecord(key, value, expected + 1));
    return new Written(expected + 1);
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    VersionedRecord stored = records.get(key);
    if (stored == null || stored.version() != expected) {
      return new Conflict(stored);
    }
    records.remove(key);
    return Deleted.DELETED;
  }

  @Override
  public RecordPage list(ListQuery query) {
    List<VersionedRecord> page = new ArrayList<>();
    var inOrder = query.descending() ? records.descendingMap() : records;
    for (VersionedRecord stored : inOrder.values()) {
      if (stored.key().partition().equals(query.partition()) && isAfterCursor(stored, query)) {
        if (page.size() == query.limit()) {
          return new RecordPage(page, List.of(), page.get(page.size() - 1).key().id());
        }
        page.add(stored);
      }
    }
    return new RecordPage(page, List.of(), null);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    List<RecordKey> due =
        records.values().stream()
            .filter(stored -> stored.value().isExpired(now))
            .map(VersionedRecord::key)
            .limit(limit)
            .toList();
    due.forEach(records::remove);
    return due.size();
  }

  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    VersionedRecord stored = records.get(key);
    if (stored != null) {
      boolean ours = stored.version() == 1 && stored.value().writeId().equals(value.writeId());
      return ours ? Created.CREATED : new Conflict(stored);
    }
    long active =
        records.values().stream()
            .filter(other -> other.key().partition().equals(key.partition()))
            .filter(other -> other.value().active() && !other.value().isExpired(now))
            .count();
    if (active >= max) {
      return Full.FULL;
    }
    records.put(key, new VersionedRecord(key, value, 1));
    return Created.CREATED;
  }

  @Override
  public void close() {}

  private static long versionOf(@Nullable VersionedRecord stored) {
    return stored == null ? ABSENT : stored.version();
  }

  private static boolean isAfterCursor(VersionedRecord stored, ListQuery query) {
    if (query.after() == null) {
      return true;
    }
    int step = RecordKey.compareIds(stored.key().id(), query.after());
    return query.descending() ? step < 0 : step > 0;
  }
}
