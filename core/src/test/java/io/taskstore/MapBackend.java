// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A backend that is simple enough to be right by inspection: one lock around sorted maps. It
 * implements the seven methods only, so the store runs on the SPI's defaults.
 */
final class MapBackend implements StorageBackend {
  private final ReentrantLock lock = new ReentrantLock();
  private final Map<String, NavigableMap<String, VersionedRecord>> partitions = new HashMap<>();
  private final Set<RecordKey> corrupt = new HashSet<>();
  private final int maxDataBytes;

  MapBackend() {
    this(8 * 1024 * 1024);
  }

  MapBackend(int maxDataBytes) {
    this.maxDataBytes = maxDataBytes;
  }

  /** Makes a key unreadable, as a damaged file would be. */
  void corrupt(RecordKey key) {
    corrupt.add(key);
  }

  /** Undoes {@link #corrupt}. */
  void repair(RecordKey key) {
    corrupt.remove(key);
  }

  /** Stores other data under a key, as a faulty tool would. */
  void overwriteData(RecordKey key, byte[] data) {
    VersionedRecord old = get(key).orElseThrow();
    RecordValue value =
        new RecordValue(
            Bytes.copyOf(data), old.value().active(), old.value().expiresAt(), "overwritten");
    records(key.partition()).put(key.id(), new VersionedRecord(key, value, old.version()));
  }

  /** Stores a record of any version. */
  void plant(VersionedRecord stored) {
    records(stored.key().partition()).put(stored.key().id(), stored);
  }

  /** Every record there is. */
  List<VersionedRecord> everything() {
    List<VersionedRecord> all = new ArrayList<>();
    partitions.values().forEach(partition -> all.addAll(partition.values()));
    return all;
  }

  /** Forgets everything. */
  void clear() {
    partitions.clear();
  }

  private NavigableMap<String, VersionedRecord> records(String partition) {
    return partitions.computeIfAbsent(partition, p -> new TreeMap<>(RecordKey::compareIds));
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("map", false, false, false, maxDataBytes);
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    lock.lock();
    try {
      if (corrupt.contains(key)) {
        throw new CorruptRecordException("get", key, "checksum differs", null);
      }
      return Optional.ofNullable(records(key.partition()).get(key.id()));
    } finally {
      lock.unlock();
    }
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    lock.lock();
    try {
      NavigableMap<String, VersionedRecord> records = records(key.partition());
      VersionedRecord stored = records.get(key.id());
      if (expected != (stored == null ? ABSENT : stored.version())) {
        return new Conflict(stored);
      }
      records.put(key.id(), new VersionedRecord(key, value, expected + 1));
      return new Written(expected + 1);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    lock.lock();
    try {
      NavigableMap<String, VersionedRecord> records = records(key.partition());
      VersionedRecord stored = records.get(key.id());
      if (stored == null || stored.version() != expected) {
        return new Conflict(stored);
      }
      records.remove(key.id());
      return Deleted.DELETED;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public RecordPage list(ListQuery query) {
    lock.lock();
    try {
      NavigableMap<String, VersionedRecord> records = records(query.partition());
      if (query.descending()) {
        records = records.descendingMap();
      }
      if (query.after() != null) {
        records = records.tailMap(query.after(), false);
      }
      List<VersionedRecord> page = new ArrayList<>();
      List<CorruptRecord> unreadable = new ArrayList<>();
      String last = null;
      for (VersionedRecord stored : records.values()) {
        if (page.size() + unreadable.size() == query.limit()) {
          return new RecordPage(page, unreadable, last);
        }
        last = stored.key().id();
        if (corrupt.contains(stored.key())) {
          unreadable.add(new CorruptRecord(stored.key(), "checksum differs"));
        } else {
          page.add(stored);
        }
      }
      return new RecordPage(page, unreadable, null);
    } finally {
      lock.unlock();
    }
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    StorageArguments.checkPurge(now, limit);
    lock.lock();
    try {
      List<RecordKey> due =
          everything().stream()
              .filter(stored -> stored.value().isExpired(now))
              .map(VersionedRecord::key)
              .sorted(Comparator.comparing(RecordKey::id))
              .limit(limit)
              .toList();
      due.forEach(key -> records(key.partition()).remove(key.id()));
      return due.size();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void close() {}
}
