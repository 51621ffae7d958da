// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Full;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Tells of every write before it is made, and of what became of it before the next one. {@link
 * CrashHistory} understands the lines:
 *
 * <pre>{@code
 * write WRITEID PARTITION ID VERSION ACTIVE EXPIRY SIZE      then  written|full|conflict WRITEID
 * delete PARTITION ID VERSION                                then  deleted|undeleted PARTITION ID
 * purge NOW LIMIT                                            then  purged COUNT NOW LIMIT
 * }</pre>
 */
final class CrashWriter {
  private final StorageBackend backend;
  private final String tag;
  private final Consumer<String> tell;
  private final AtomicLong count = new AtomicLong();

  /**
   * @param tag begins all write ids; no other writer of the same store may have it
   */
  CrashWriter(StorageBackend backend, String tag, Consumer<String> tell) {
    this.backend = backend;
    this.tag = tag;
    this.tell = tell;
  }

  StorageBackend backend() {
    return backend;
  }

  /** Writes the version above {@code expected}; false if another one was faster. */
  boolean put(RecordKey key, long expected, boolean active, @Nullable Instant expiresAt, int size) {
    CrashWrite write = announced(key, expected + 1, active, expiresAt, size);
    PutResult result = backend.putIfVersion(key, write.value(), expected);
    tell.accept((result instanceof Written ? "written " : "conflict ") + write.writeId());
    return result instanceof Written;
  }

  boolean create(RecordKey key, @Nullable Instant expiresAt, int size, int max, Instant now) {
    CrashWrite write = announced(key, 1, true, expiresAt, size);
    CreateResult result = backend.createWithin(key, write.value(), max, now);
    String word = result instanceof Full ? "full " : "conflict ";
    tell.accept((result instanceof Created ? "written " : word) + write.writeId());
    return result instanceof Created;
  }

  private CrashWrite announced(
      RecordKey key, long version, boolean active, @Nullable Instant expiresAt, int size) {
    String writeId = tag + '-' + count.incrementAndGet();
    CrashWrite write = new CrashWrite(key, version, writeId, active, expiresAt, size);
    tell.accept("write " + write.line());
    return write;
  }

  boolean delete(RecordKey key, long expected) {
    tell.accept("delete " + key.partition() + ' ' + key.id() + ' ' + expected);
    DeleteResult result = backend.deleteIfVersion(key, expected);
    boolean deleted = !(result instanceof Conflict);
    tell.accept((deleted ? "deleted " : "undeleted ") + key.partition() + ' ' + key.id());
    return deleted;
  }

  int purge(Instant now, int limit) {
    tell.accept("purge " + now.toEpochMilli() + ' ' + limit);
    int purged = backend.purgeExpired(now, limit);
    tell.accept("purged " + purged + ' ' + now.toEpochMilli() + ' ' + limit);
    return purged;
  }

  /** What is stored; it must be there. */
  VersionedRecord stored(RecordKey key) {
    return backend.get(key).orElseThrow(() -> new AssertionError(key + " is not there"));
  }
}
