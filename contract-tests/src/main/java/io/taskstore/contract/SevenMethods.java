// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.Optional;

/**
 * Hands the seven methods on that a backend must have. The four others keep their defaults,
 * whatever the backend overrides: the defaults must be right over every backend.
 */
record SevenMethods(StorageBackend delegate) implements StorageBackend {
  @Override
  public BackendTraits traits() {
    return delegate.traits();
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    return delegate.get(key);
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    return delegate.putIfVersion(key, value, expected);
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    return delegate.deleteIfVersion(key, expected);
  }

  @Override
  public RecordPage list(ListQuery query) {
    return delegate.list(query);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    return delegate.purgeExpired(now, limit);
  }

  @Override
  public void close() {
    delegate.close();
  }
}
