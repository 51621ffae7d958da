// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.CreateResult;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A connection that breaks: it loses the answers of chosen writes, or fails for good. Which write
 * of several threads is cut is left to chance.
 */
final class CuttingBackend extends PassingBackend {
  /** What has become of a write whose answer was lost. */
  enum Fate {
    APPLIED,
    NOT_APPLIED
  }

  /**
   * @param fate null for a write that is answered as usual
   */
  private record Cut(@Nullable Fate fate, Runnable meanwhile) {}

  private final Queue<Cut> cuts = new ConcurrentLinkedQueue<>();

  /** Negative while it lives. */
  private final AtomicInteger writesUntilDeath = new AtomicInteger(-1);

  CuttingBackend(StorageBackend delegate) {
    super(delegate);
  }

  /**
   * Loses the answer of the next write for which nothing is set yet.
   *
   * @param meanwhile what others do after the write has arrived or got lost
   */
  void cutNext(Fate fate, Runnable meanwhile) {
    cuts.add(new Cut(fate, meanwhile));
  }

  /** Lets one more write through, and loses the answer of the one after it. */
  void cutAfterNext(Fate fate) {
    cuts.add(new Cut(null, () -> {}));
    cutNext(fate, () -> {});
  }

  /** Whether every cut that was set has happened. */
  boolean isUsedUp() {
    return cuts.isEmpty();
  }

  /** Fails every call from now on. */
  void die() {
    writesUntilDeath.set(0);
  }

  /** Answers one more write, and fails every call after it. */
  void dieAfterNextWrite() {
    writesUntilDeath.set(1);
  }

  private <T> T write(String operation, RecordKey key, Supplier<T> call) {
    checkAlive(operation, key);
    Cut cut = cuts.poll();
    if (cut == null || cut.fate() == null) {
      int unused = writesUntilDeath.updateAndGet(left -> left > 0 ? left - 1 : left);
      return call.get();
    }
    if (cut.fate() == Fate.APPLIED) {
      Object unused = call.get();
    }
    cut.meanwhile().run();
    throw new OutcomeUnknownException(operation, key, "the answer was cut off by the test", null);
  }

  private void checkAlive(String operation, @Nullable RecordKey key) {
    if (writesUntilDeath.get() == 0) {
      throw new StorageUnavailableException(operation, key, false, "cut off by the test", null);
    }
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    checkAlive("get", key);
    return super.get(key);
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    return write("putIfVersion", key, () -> super.putIfVersion(key, value, expected));
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    return write("deleteIfVersion", key, () -> super.deleteIfVersion(key, expected));
  }

  @Override
  public RecordPage list(ListQuery query) {
    checkAlive("list", null);
    return super.list(query);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    checkAlive("purgeExpired", null);
    return super.purgeExpired(now, limit);
  }

  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    return write("createWithin", key, () -> super.createWithin(key, value, max, now));
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    checkAlive("listActive", null);
    return super.listActive(query);
  }

  @Override
  public long put(RecordKey key, RecordValue value) {
    return write("put", key, () -> super.put(key, value));
  }

  @Override
  public boolean delete(RecordKey key) {
    return write("delete", key, () -> super.delete(key));
  }
}
