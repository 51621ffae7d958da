package com.example.tasks;

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

/** Keeps records in … */
public final class ExampleStorageBackend implements StorageBackend {
  /** Opens the storage at a location. */
  ExampleStorageBackend(String location) {}

  @Override
  public BackendTraits traits() {
    throw new UnsupportedOperationException("traits is not implemented yet");
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    throw new UnsupportedOperationException("get is not implemented yet");
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    throw new UnsupportedOperationException("putIfVersion is not implemented yet");
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    throw new UnsupportedOperationException("deleteIfVersion is not implemented yet");
  }

  @Override
  public RecordPage list(ListQuery query) {
    throw new UnsupportedOperationException("list is not implemented yet");
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    throw new UnsupportedOperationException("purgeExpired is not implemented yet");
  }

  @Override
  public void close() {
    throw new UnsupportedOperationException("close is not implemented yet");
  }
}
