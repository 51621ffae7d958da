// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.HeadPage;
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
 * Hands every method on, those with defaults too, so that what the backend under test overrides
 * stays in use. Subclasses watch or disturb the calls.
 */
abstract class PassingBackend implements StorageBackend {
  private final StorageBackend delegate;

  PassingBackend(StorageBackend delegate) {
    this.delegate = delegate;
  }

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
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    return delegate.createWithin(key, value, max, now);
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    return delegate.listActive(query);
  }

  @Override
  public long put(RecordKey key, RecordValue value) {
    return delegate.put(key, value);
  }

  @Override
  public boolean delete(RecordKey key) {
    return delegate.delete(key);
  }

  @Override
  public void close() {
    delegate.close();
  }
}
