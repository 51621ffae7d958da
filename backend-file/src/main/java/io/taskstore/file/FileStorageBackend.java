// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.PartitionFiles.Place;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Keeps records in a directory of one host, for any number of instances and processes. A write that
 * was acknowledged is on the disk, and survives the end of the process, of the host, and of the
 * power; what a killed process has left half done is put right by whoever comes across it. Readers
 * never wait for writers.
 *
 * <p>Each record is one small file, which {@code cat} can show: its last versions, each with a line
 * of JSON before its data and a checksum over both. A damaged file is a {@link
 * CorruptRecordException}, unless a {@link Recovery} says otherwise; it is never wrong data.
 *
 * <p>Records that expire go when somebody calls {@link #purgeExpired}. A directory that cannot be
 * written is opened all the same; then all writes fail. Directories on network file systems are
 * refused, for their locks do not hold.
 *
 * <p>The directory belongs to the user who runs the process: it is made with permissions for nobody
 * else, where the system has them.
 */
@SuppressWarnings("try") // locks are held, not used
public final class FileStorageBackend implements StorageBackend {
  /** The largest data of a record, unless the builder is told otherwise: 4 MiB. */
  public static final int DEFAULT_MAX_DATA_BYTES = 4 * 1_024 * 1_024;

  private static final System.Logger LOGGER = System.getLogger(FileStorageBackend.class.getName());

  /** What a success survives. */
  public enum Durability {
    /** The end of the process, of the host, and of the power: every write is flushed. */
    FLUSH,
    /**
     * The end of the process only. When the host goes down, the last seconds may be lost, and not
     * evenly: some newer writes may be there, and older ones not. For caches and tests. The
     * backend's {@link BackendTraits#durable()} is false then.
     */
    OS
  }

  /** What becomes of a record whose file is damaged. */
  public enum Recovery {
    /** It stays as it is, and every call about it is a {@link CorruptRecordException}. */
    FAIL,
    /**
     * The newest good version in its file comes back, if there is one, under a version that is
     * higher than any that the record can have had; the damaged file is kept in {@code quarantine},
     * and a warning is logged. Without a good version it is as with {@link #FAIL}.
     */
    BACKUP,
    /**
     * Its file is moved to {@code quarantine}, a warning is logged, and the record is absent. For
     * whoever prefers the loss of a task to one that cannot be read.
     */
    RESET
  }

  private final BackendTraits traits;
  private final StoreFolder folder;
  private final RecordFiles records;
  private final Purging purging;

  /** How many calls are under way, and one until it is closed. */
  private final AtomicInteger uses = new AtomicInteger(1);

  private final AtomicBoolean closed = new AtomicBoolean();

  private FileStorageBackend(Builder options, StoreFolder folder) {
    this.traits =
        new BackendTraits(
            "file", options.durability == Durability.FLUSH, true, false, options.maxDataBytes);
    this.folder = folder;
    DueHints due = new DueHints(folder.files(), folder.due());
    this.records =
        new RecordFiles(folder, due, options.lockTimeout, options.keptVersions, options.recovery);
    this.purging = new Purging(folder, due, records);
  }

  /**
   * Opens a directory with all defaults; it is made if it is not there.
   *
   * @throws StorageUnavailableException if it cannot be used; the message says why, and what to do
   */
  public static FileStorageBackend open(Path directory) {
    return builder(directory).build();
  }

  /** Returns a builder of a backend in a directory. */
  public static Builder builder(Path directory) {
    return new Builder(directory);
  }

  @Override
  public BackendTraits traits() {
    return traits;
  }

  // --- reading ------------------------------------------------------------------------------

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    Objects.requireNonNull(key, "key");
    return using("get", key, () -> Optional.ofNullable(records.read("get", key, null)));
  }

  @Override
  public RecordPage list(ListQuery query) {
    Objects.requireNonNull(query, "query");
    return using("list", null, () -> page(query));
  }

  private RecordPage page(ListQuery query) throws IOException {
    PartitionFiles partition = records.partition(query.partition());
    List<VersionedRecord> found = new ArrayList<>();
    List<CorruptRecord> corrupt = new ArrayList<>();
    IdCursor places = new IdCursor(records, partition, query);
    long bytes = 0;
    String last = null;
    for (Place place = places.next(); place != null; place = places.next()) {
      if (found.size() + corrupt.size() >= query.limit() || bytes >= RecordPage.TARGET_BYTES) {
        return new RecordPage(found, corrupt, last);
      }
      last = place.id();
      RecordKey key = partition.key(place.id());
      if (place.unreadable() != null) {
        corrupt.add(new CorruptRecord(key, place.unreadable()));
        continue;
      }
      try {
        VersionedRecord stored = records.read("list", key, place.directory());
        if (stored != null) {
          found.add(stored);
          bytes += stored.value().data().size();
        }
      } catch (CorruptRecordException e) {
        corrupt.add(new CorruptRecord(key, e.reason()));
      }
    }
    return new RecordPage(found, corrupt, null);
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    Objects.requireNonNull(query, "query");
    return using("listActive", null, () -> heads(query));
  }

  private HeadPage heads(ListQuery query) throws IOException {
    PartitionFiles partition = records.partition(query.partition());
    List<RecordHead> heads = new ArrayList<>();
    List<CorruptRecord> corrupt = new ArrayList<>();
    String last = null;
    for (Place place : IdCursor.wanted(partition.places(partition.active), query)) {
      if (heads.size() + corrupt.size() >= query.limit()) {
        return new HeadPage(heads, corrupt, last);
      }
      last = place.id();
      RecordKey key = partition.key(place.id());
      if (place.unreadable() != null) {
        corrupt.add(new CorruptRecord(key, place.unreadable()));
        continue;
      }
      try {
        VersionedRecord stored = records.read("listActive", key, place.directory());
        if (stored != null && stored.value().active()) {
          heads.add(new RecordHead(key, stored.value().expiresAt()));
        }
      } catch (CorruptRecordException e) {
        corrupt.add(new CorruptRecord(key, e.reason()));
      }
    }
    return new HeadPage(heads, corrupt, null);
  }

  // --- writing ------------------------------------------------------------------------------

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    String operation = "putIfVersion";
    return using(
        operation,
        key,
        () -> {
          checkSize(operation, key, value);
          try (StoreLocks.Held held = records.lockRecord(operation, key);
              RecordFiles.Current current = records.currentToWrite(operation, key)) {
            long version = current == null ? ABSENT : current.stored().version();
            if (version != expected) {
              return new Conflict(current == null ? null : current.stored());
            }
            VersionedRecord next = new VersionedRecord(key, value, expected + 1);
            if (current == null) {
              records.create(operation, next, () -> true);
            } else {
              records.append(operation, current, next);
            }
            return new Written(expected + 1);
          }
        });
  }

  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    StorageArguments.checkCreateWithin(key, value, max, now);
    String operation = "createWithin";
    return using(
        operation,
        key,
        () -> {
          checkSize(operation, key, value);
          try (StoreLocks.Held held = records.lockRecord(operation, key)) {
            RecordFiles.Current current = records.current(operation, key);
            if (current != null) {
              boolean isOurs =
                  current.stored().version() == 1
                      && current.stored().value().writeId().equals(value.writeId());
              return isOurs ? Created.CREATED : new Conflict(current.stored());
            }
            RecordFiles.Admission admission =
                () -> !records.isFull(operation, key.partition(), max, now);
            // Looked at before the file is written, too: a refusal then costs no flush.
            try (StoreLocks.Held counting = records.lockPartition(operation, key)) {
              if (!admission.admits()) {
                return Full.FULL;
              }
            }
            boolean created =
                records.create(operation, new VersionedRecord(key, value, 1), admission);
            return created ? Created.CREATED : Full.FULL;
          }
        });
  }

  private void checkSize(String operation, RecordKey key, RecordValue value) {
    int size = value.data().size();
    if (size > traits.maxDataBytes()) {
      throw new RecordTooLargeException(operation, key, traits.maxDataBytes(), size, null);
    }
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    String operation = "deleteIfVersion";
    return using(
        operation,
        key,
        () -> {
          try (StoreLocks.Held held = records.lockRecord(operation, key)) {
            RecordFiles.Current current = records.current(operation, key);
            if (current == null || current.stored().version() != expected) {
              return new Conflict(current == null ? null : current.stored());
            }
            records.remove(operation, key, current.file());
            return Deleted.DELETED;
          }
        });
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    Instant until = StorageArguments.checkPurge(now, limit);
    return using("purgeExpired", null, () -> purging.purge(until, limit));
  }

  // --- failing and closing ------------------------------------------------------------------

  private interface Use<T> {
    T call() throws IOException;
  }

  private <T> T using(String operation, @Nullable RecordKey key, Use<T> use) {
    if (!begin()) {
      throw new BackendClosedException(
          operation, key, "the file backend was closed; open the directory again", null);
    }
    try {
      return use.call();
    } catch (IOException e) {
      throw Failures.of(operation, key, "the file system", e);
    } catch (ReadOnlyFileSystemException e) {
      throw Failures.of(operation, key, "the file system", Failures.checked(e));
    } finally {
      end();
    }
  }

  private boolean begin() {
    while (true) {
      int now = uses.get();
      if (now == 0 || closed.get()) {
        return false;
      }
      if (uses.compareAndSet(now, now + 1)) {
        return true;
      }
    }
  }

  private void end() {
    if (uses.decrementAndGet() == 0) {
      try {
        folder.release();
      } catch (IOException e) {
        LOGGER.log(Level.WARNING, "The locks could not be closed", e);
      }
    }
  }

  /** Ends at once. Calls that are under way come to their end, and the last one frees the files. */
  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      end();
    }
  }

  /** Shows the kind only: the path may tell who its user is. */
  @Override
  public String toString() {
    return "FileStorageBackend";
  }

  /** Collects options. */
  public static final class Builder {
    private static final Duration MAX_LOCK_TIMEOUT = Duration.ofDays(1);
    private static final int MAX_KEPT_VERSIONS = 100;
    private static final int MAX_MAX_DATA_BYTES = 64 * 1_024 * 1_024;

    private final Path directory;
    private Durability durability = Durability.FLUSH;
    private Recovery recovery = Recovery.FAIL;
    private Duration lockTimeout = Duration.ofSeconds(5);
    private int keptVersions = 3;
    private int maxDataBytes = DEFAULT_MAX_DATA_BYTES;

    private Builder(Path directory) {
      this.directory = Objects.requireNonNull(directory, "directory");
    }

    /** What a success survives. Default: {@link Durability#FLUSH}. */
    public Builder durability(Durability newDurability) {
      this.durability = Objects.requireNonNull(newDurability, "durability");
      return this;
    }

    /** What becomes of a record whose file is damaged. Default: {@link Recovery#FAIL}. */
    public Builder recovery(Recovery policy) {
      this.recovery = Objects.requireNonNull(policy, "recovery");
      return this;
    }

    /**
     * How long a write waits for other writers of the same record, or of one that shares its lock.
     * Default: five seconds.
     *
     * @throws IllegalArgumentException if it is not positive, or above a day
     */
    public Builder lockTimeout(Duration timeout) {
      Objects.requireNonNull(timeout, "lockTimeout");
      if (timeout.isNegative() || timeout.isZero() || timeout.compareTo(MAX_LOCK_TIMEOUT) > 0) {
        throw new IllegalArgumentException(
            "lockTimeout must be positive and at most " + MAX_LOCK_TIMEOUT + ", not " + timeout);
      }
      this.lockTimeout = timeout;
      return this;
    }

    /**
     * How many good older versions of a record stay in its file at least, once there were so many.
     * Default: 3.
     *
     * @throws IllegalArgumentException if it is not from 1 to 100
     */
    public Builder keptVersions(int versions) {
      if (versions < 1 || versions > MAX_KEPT_VERSIONS) {
        throw new IllegalArgumentException(
            "keptVersions must be from 1 to " + MAX_KEPT_VERSIONS + ", not " + versions);
      }
      this.keptVersions = versions;
      return this;
    }

    /**
     * The largest data of a record, in bytes. Default: {@value #DEFAULT_MAX_DATA_BYTES}. All
     * instances on a directory should have the same; a larger record that is there can be read.
     *
     * @throws IllegalArgumentException if it is not from 1 to 64 MiB
     */
    public Builder maxDataBytes(int bytes) {
      if (bytes < 1 || bytes > MAX_MAX_DATA_BYTES) {
        throw new IllegalArgumentException(
            "maxDataBytes must be from 1 to " + MAX_MAX_DATA_BYTES + ", not " + bytes);
      }
      this.maxDataBytes = bytes;
      return this;
    }

    /**
     * Opens the directory. It is made if it is not there; what killed processes have left half made
     * is removed.
     *
     * @throws StorageUnavailableException if it cannot be used: not a directory, no permission,
     *     other files in it, a newer or damaged format, a network file system; the message says
     *     what to do
     */
    public FileStorageBackend build() {
      return build(new FileAccess(durability == Durability.FLUSH));
    }

    FileStorageBackend build(FileAccess files) {
      return new FileStorageBackend(this, StoreFolder.open(files, directory, lockTimeout));
    }
  }
}
