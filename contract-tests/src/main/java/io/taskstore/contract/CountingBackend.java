// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Writes down the calls that a store makes, and lets another writer in before chosen writes. What a
 * method with a default calls in turn goes to the backend itself, and is not counted.
 */
final class CountingBackend extends PassingBackend {
  private final Queue<String> calls = new ConcurrentLinkedQueue<>();
  private final Queue<RecordKey> created = new ConcurrentLinkedQueue<>();
  private final Queue<Runnable> beforeWrites = new ConcurrentLinkedQueue<>();

  CountingBackend(StorageBackend delegate) {
    super(delegate);
  }

  /** The calls since this was asked before. */
  List<String> takeCalls() {
    return take(calls);
  }

  /** The keys under which a create was tried since this was asked before. */
  List<RecordKey> takeCreated() {
    return take(created);
  }

  /** Runs {@code writer} before the next conditional write for which none is set yet. */
  void beforeNextWrite(Runnable writer) {
    beforeWrites.add(writer);
  }

  private void letOthersWrite() {
    Runnable writer = beforeWrites.poll();
    if (writer != null) {
      writer.run();
    }
  }

  private static <T> List<T> take(Queue<T> queue) {
    List<T> taken = new ArrayList<>();
    for (T next = queue.poll(); next != null; next = queue.poll()) {
      taken.add(next);
    }
    return taken;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    calls.add("get");
    return super.get(key);
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    calls.add("putIfVersion");
    letOthersWrite();
    return super.putIfVersion(key, value, expected);
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    calls.add("deleteIfVersion");
    letOthersWrite();
    return super.deleteIfVersion(key, expected);
  }

  @Override
  public RecordPage list(ListQuery query) {
    calls.add("list");
    return super.list(query);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    calls.add("purgeExpired");
    return super.purgeExpired(now, limit);
  }

  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    calls.add("createWithin");
    created.add(key);
    return super.createWithin(key, value, max, now);
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    calls.add("listActive");
    return super.listActive(query);
  }

  @Override
  public long put(RecordKey key, RecordValue value) {
    calls.add("put");
    return super.put(key, value);
  }

  @Override
  public boolean delete(RecordKey key) {
    calls.add("delete");
    return super.delete(key);
  }
}
