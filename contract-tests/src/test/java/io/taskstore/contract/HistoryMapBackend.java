// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Conflict;
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
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicReference;

/** A correct backend over a map, as far as a history needs one, for others to break. */
class HistoryMapBackend implements StorageBackend {
  final ConcurrentMap<RecordKey, VersionedRecord> records;

  HistoryMapBackend() {
    this(new ConcurrentHashMap<>());
  }

  /** An instance on the storage of another one. */
  HistoryMapBackend(ConcurrentMap<RecordKey, VersionedRecord> records) {
    this.records = records;
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("map", false, false, false, 1_000_000);
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    return Optional.ofNullable(records.get(key));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    AtomicReference<PutResult> result = new AtomicReference<>(Conflict.ABSENT);
    records.compute(
        key,
        (k, stored) -> {
          if (expected != (stored == null ? ABSENT : stored.version())) {
            result.set(new Conflict(stored));
            return stored;
          }
          result.set(new Written(expected + 1));
          return new VersionedRecord(key, value, expected + 1);
        });
    return result.getPlain();
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    AtomicReference<DeleteResult> result = new AtomicReference<>(Conflict.ABSENT);
    records.computeIfPresent(
        key,
        (k, stored) -> {
          if (stored.version() != expected) {
            result.set(new Conflict(stored));
            return stored;
          }
          result.set(Deleted.DELETED);
          return null;
        });
    return result.getPlain();
  }

  @Override
  public RecordPage list(ListQuery query) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
