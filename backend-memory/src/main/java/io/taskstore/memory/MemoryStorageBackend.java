// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
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
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Keeps records in the heap of this process: for tests, and for tools whose tasks may end with
 * them. It keeps every promise of {@link StorageBackend} that does not need a second process, so
 * code that works on it works on a remote store; in particular, values that go in or come out are
 * immutable.
 *
 * <h2>Guarantees</h2>
 *
 * <ul>
 *   <li>Every operation on a key is linearizable. A write takes effect at one instant; no reader
 *       sees a part of it.
 *   <li>{@link #get}, {@link #list} and {@link #listActive} take no lock and never wait. Writers
 *       wait for writers of the same partition only, for the microseconds that a write takes; now
 *       and then one takes milliseconds, when the hash table of a large partition is written anew.
 *       An interrupt changes nothing: no call of this class is worth interrupting.
 *   <li>{@link #createWithin} is exact, in one step against every other write of the partition: it
 *       admits exactly the limit however many race, and never answers {@link
 *       io.taskstore.spi.Contended}.
 *   <li>The number of records and the bytes they take are bounded. A write beyond a bound throws
 *       {@link CapacityExceededException} and changes nothing. Replacing a record by one that is
 *       not larger, reading, deleting and purging always work.
 *   <li>Nothing is dropped by itself: expired records stay, and count against the bounds, until
 *       {@link #purgeExpired} is called. Nothing survives {@link #close()} or the end of the
 *       process.
 *   <li>A write that ends with an {@link OutOfMemoryError}, or another error of the virtual
 *       machine, may be done by half. Nothing of the above is promised from then on.
 * </ul>
 *
 * <h2>Layout and cost</h2>
 *
 * <p>A hash map leads from the name of a partition to its records. A partition has a hash table
 * that finds them by id, and beside it four sorted lists: of all its records and of the active ones
 * in the order of {@link RecordKey#compareIds}, of those that have an expiry and of the active ones
 * in the order of expiry. One more index has the earliest expiry of each partition. A partition
 * exists while it has a record.
 *
 * <p>A record is kept in three arrays and objects beside its data; together with its entries in the
 * indexes it needs less than 200 bytes more than the data with ids as core makes them, but the only
 * record of a partition some 700. What calls return is made for them.
 *
 * <p>With <i>n</i> records in a partition, <i>a</i> of them active, and <i>p</i> partitions that
 * have a record with an expiry, on average, and with ids that were not chosen to have the same hash
 * code (those of core are random):
 *
 * <table>
 *   <caption>Cost of the operations</caption>
 *   <tr><th>Operation</th><th>Cost</th></tr>
 *   <tr><td>{@code get}</td><td>O(1)</td></tr>
 *   <tr><td>{@code putIfVersion} that keeps flag and expiry</td><td>O(1)</td></tr>
 *   <tr><td>other {@code putIfVersion}, {@code deleteIfVersion}</td>
 *       <td>O(log n), and O(log p) if the earliest expiry changes</td></tr>
 *   <tr><td>{@code createWithin}</td>
 *       <td>as a put, and a look at as many active, unexpired records as there are, at most {@code
 *       max}; inactive and expired ones cost nothing</td></tr>
 *   <tr><td>{@code list}</td><td>O(log n), and the records of the page</td></tr>
 *   <tr><td>{@code listActive}</td>
 *       <td>O(log a), and the heads of the page; inactive records cost nothing</td></tr>
 *   <tr><td>{@code purgeExpired}</td><td>a delete for each record that is due, and a look at one
 *       more of each of their partitions</td></tr>
 * </table>
 *
 * <h2>Limits</h2>
 *
 * <p>By default {@value #DEFAULT_MAX_RECORDS} records, 256 MiB in total and 4 MiB of data a record
 * ({@link RecordTooLargeException}). A record counts with its data, its key in UTF-8 and {@value
 * #RECORD_OVERHEAD_BYTES} bytes for the objects around them.
 */
public final class MemoryStorageBackend implements StorageBackend {
  /*
   * Partitions come and go
   *
   * There is a partition for every owner that has a record, and owners are many, so a partition goes
   * when its last record does. Whoever holds the lock of an empty partition marks it as dead and
   * takes it out of the map, both before unlocking. A writer that had looked it up before then gets
   * the lock, sees the mark, and looks again; it cannot find the dead one twice. So no record is ever
   * stored where no reader looks, and at most one partition of a name is alive.
   *
   * A reader that holds a dead partition finds it empty. That is a true answer: it looked the
   * partition up while it was alive, so the moment at which it was empty lies within the call.
   *
   * Closing
   *
   * `closed` is set before the first record is dropped. A reader looks at `closed` again after it has
   * read, so "absent" is never said because of a close. A writer looks at it under the partition's
   * lock, which close takes before it empties the partition: either the write is finished before, or
   * it does not happen. A partition that is added too late for close to see it belongs to a writer
   * that has yet to look at `closed`, and goes with that writer, being empty.
   *
   * Locks: a partition's lock is the only one, no call ever holds two, and nothing waits under it.
   * What is stored and what is only a hint, and in which order they change: see Partition.
   */

  /** How many records a backend holds unless it is told otherwise. */
  public static final int DEFAULT_MAX_RECORDS = 100_000;

  /** How many bytes the records of a backend may take unless it is told otherwise: 256 MiB. */
  public static final long DEFAULT_MAX_BYTES = 256L * 1024 * 1024;

  /** How many bytes of data a record may have unless the backend is told otherwise: 4 MiB. */
  public static final int DEFAULT_MAX_DATA_BYTES = 4 * 1024 * 1024;

  /** What a record counts in addition to its data and key, for the objects that hold them. */
  public static final int RECORD_OVERHEAD_BYTES = 1_024;

  /** How many records a purge removes before it lets others have the lock of their partition. */
  private static final int PURGE_BATCH = 64;

  private final BackendTraits traits;
  private final Probe probe;
  private final Capacity capacity;
  private final ConcurrentMap<String, Partition> partitions = new ConcurrentHashMap<>();

  /** The earliest expiry of each partition that has any. */
  private final NavigableSet<Due> dues = new ConcurrentSkipListSet<>();

  private volatile boolean closed;

  private MemoryStorageBackend(Builder builder, Probe probe) {
    this.traits = new BackendTraits("memory", false, false, false, builder.maxDataBytes);
    this.probe = probe;
    this.capacity = new Capacity(builder.maxRecords, builder.maxBytes);
  }

  /** Returns a new, empty backend with the default limits. */
  public static MemoryStorageBackend create() {
    return builder().build();
  }

  /** Returns a builder that begins with the default limits. */
  public static Builder builder() {
    return new Builder();
  }

  @Override
  public BackendTraits traits() {
    return traits;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    Objects.requireNonNull(key, "key");
    Partition partition = find("get", key, key.partition());
    VersionedRecord stored = partition == null ? null : partition.get(key);
    checkOpen("get", key);
    return Optional.ofNullable(stored);
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    String operation = "putIfVersion";
    checkOpen(operation, key);
    checkSize(operation, key, value);
    return this.<PutResult>write(
        operation,
        key,
        expected == ABSENT,
        Conflict.ABSENT,
        partition -> {
          Slot slot = partition.slot(key.id());
          Content stored = slot.content();
          if (expected != stored.version()) {
            return conflict(key, stored);
          }
          store(operation, partition, key, slot, stored.next(value, expected + 1));
          return new Written(expected + 1);
        });
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    return this.<DeleteResult>write(
        "deleteIfVersion",
        key,
        false,
        Conflict.ABSENT,
        partition -> {
          Slot slot = partition.slot(key.id());
          if (slot.content().version() != expected) {
            return conflict(key, slot.content());
          }
          remove(partition, slot);
          return Deleted.DELETED;
        });
  }

  @Override
  public RecordPage list(ListQuery query) {
    Objects.requireNonNull(query, "query");
    Partition partition = find("list", null, query.partition());
    List<VersionedRecord> page = new ArrayList<>();
    String next = null;
    if (partition != null) {
      Iterator<Slot> slots = partition.ids.walk(after(query), query.descending());
      long bytes = 0;
      while (next == null && slots.hasNext()) {
        Content stored = slots.next().content();
        if (!stored.isPresent()) {
          continue;
        }
        VersionedRecord listed = stored.record(new RecordKey(partition.name, stored.id()));
        page.add(listed);
        bytes += stored.dataBytes();
        boolean ends = page.size() >= query.limit() || bytes >= RecordPage.TARGET_BYTES;
        if (ends && slots.hasNext()) {
          next = listed.key().id();
        } else if (ends) {
          break;
        }
      }
    }
    checkOpen("list", null);
    return new RecordPage(page, List.of(), next);
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    StorageArguments.checkPurge(now, limit);
    String operation = "purgeExpired";
    checkOpen(operation, null);
    int removed = 0;
    while (removed < limit) {
      probe.reached(Probe.Step.LOOKUP);
      Iterator<Due> earliest = dues.iterator();
      if (!earliest.hasNext()) {
        break;
      }
      Due due = earliest.next();
      probe.reached(Probe.Step.FOUND);
      if (!due.hasCome(now)) {
        break;
      }
      removed += purge(operation, due.partition(), now, Math.min(limit - removed, PURGE_BATCH));
    }
    checkOpen(operation, null);
    return removed;
  }

  /** Removes expired records of one partition; when it returns, its {@link Due} is up to date. */
  private int purge(String operation, Partition partition, Instant now, int limit) {
    int removed = 0;
    partition.lock.lock();
    try {
      checkOpen(operation, null);
      try {
        while (removed < limit) {
          Slot expired = partition.firstExpired(now);
          if (expired == null) {
            break;
          }
          remove(partition, expired);
          removed++;
        }
      } finally {
        partition.updateDue();
        dropIfEmpty(partition);
      }
    } finally {
      partition.lock.unlock();
    }
    return removed;
  }

  /**
   * Drops all records. Later calls throw {@link BackendClosedException}, but for {@link #traits()}
   * and this one; calls in flight end normally or with that exception.
   */
  @Override
  public void close() {
    closed = true;
    for (Partition partition : partitions.values()) {
      partition.lock.lock();
      try {
        partition.die();
        partitions.remove(partition.name, partition);
      } finally {
        partition.lock.unlock();
      }
    }
    dues.clear();
    capacity.clear();
  }

  /** As the interface has it; exact, and never answered with {@code Contended}. */
  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    StorageArguments.checkCreateWithin(key, value, max, now);
    String operation = "createWithin";
    checkOpen(operation, key);
    checkSize(operation, key, value);
    return this.<CreateResult>write(
        operation,
        key,
        true,
        Conflict.ABSENT,
        partition -> {
          Slot slot = partition.slot(key.id());
          Content stored = slot.content();
          if (stored.isPresent()) {
            boolean ours = stored.version() == 1 && stored.hasWriteId(value.writeId());
            return ours ? Created.CREATED : conflict(key, stored);
          }
          if (partition.countUnexpired(now, max) >= max) {
            return Full.FULL;
          }
          store(operation, partition, key, slot, stored.next(value, 1));
          return Created.CREATED;
        });
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    Objects.requireNonNull(query, "query");
    Partition partition = find("listActive", null, query.partition());
    List<RecordHead> heads = new ArrayList<>();
    String next = null;
    if (partition != null) {
      Iterator<Slot> slots = partition.activeIds.walk(after(query), query.descending());
      while (next == null && slots.hasNext()) {
        probe.reached(Probe.Step.VISIT);
        Content stored = slots.next().content();
        if (stored.isPresent() && stored.isActive()) {
          RecordHead head = stored.head(partition.name);
          heads.add(head);
          if (heads.size() >= query.limit()) {
            if (!slots.hasNext()) {
              break;
            }
            next = head.key().id();
          }
        }
      }
    }
    checkOpen("listActive", null);
    return new HeadPage(heads, List.of(), next);
  }

  /** Shows counts and limits, never a key or data. */
  @Override
  public String toString() {
    Capacity.Usage used = capacity.used();
    return "MemoryStorageBackend[%d records, %d bytes%s]"
        .formatted(used.records(), used.bytes(), closed ? ", closed" : "");
  }

  /** What the records take, for tests. */
  Capacity.Usage used() {
    return capacity.used();
  }

  /** The number of partitions, for tests. */
  int partitionCount() {
    return partitions.size();
  }

  /** The number of entries in the indexes of expiries, for tests. */
  int expiryCount() {
    return partitions.values().stream().mapToInt(Partition::expiryCount).sum();
  }

  /** The number of partitions that are known to have something that expires, for tests. */
  int dueCount() {
    return dues.size();
  }

  /** Stores a record under a version that would take too long to reach, for tests. */
  void seed(VersionedRecord seeded) {
    RecordKey key = seeded.key();
    write(
        "seed",
        key,
        true,
        false,
        partition -> {
          Slot slot = partition.slot(key.id());
          Content stored = slot.content();
          Content next = stored.next(seeded.value(), seeded.version());
          store("seed", partition, key, slot, next);
          return true;
        });
  }

  private static @Nullable Content after(ListQuery query) {
    return query.after() == null ? null : Content.absent(query.after());
  }

  private static Conflict conflict(RecordKey key, Content winner) {
    return winner.isPresent() ? new Conflict(winner.record(key)) : Conflict.ABSENT;
  }

  private @Nullable Partition find(String operation, @Nullable RecordKey key, String name) {
    checkOpen(operation, key);
    probe.reached(Probe.Step.LOOKUP);
    Partition partition = partitions.get(name);
    probe.reached(Probe.Step.FOUND);
    return partition;
  }

  /**
   * Runs {@code action} under the lock of the key's partition.
   *
   * @param create whether to make the partition if there is none
   * @param ifNone the answer if there is none and none is to be made
   */
  private <R> R write(
      String operation,
      RecordKey key,
      boolean create,
      R ifNone,
      Function<Partition, ? extends R> action) {
    while (true) {
      Partition partition = find(operation, key, key.partition());
      if (partition == null) {
        if (!create) {
          checkOpen(operation, key);
          return ifNone;
        }
        Partition fresh = new Partition(key.partition(), dues, probe);
        Partition other = partitions.putIfAbsent(key.partition(), fresh);
        partition = other == null ? fresh : other;
      }
      partition.lock.lock();
      try {
        if (!partition.isDead()) {
          try {
            checkOpen(operation, key);
            return action.apply(partition);
          } finally {
            dropIfEmpty(partition);
          }
        }
      } finally {
        partition.lock.unlock();
      }
    }
  }

  /** Locked. */
  private void dropIfEmpty(Partition partition) {
    if (partition.isEmpty()) {
      partition.die();
      partitions.remove(partition.name, partition);
    }
  }

  private void store(
      String operation, Partition partition, RecordKey key, Slot slot, Content next) {
    Content old = slot.content();
    long growth =
        old.isPresent()
            ? next.dataBytes() - (long) old.dataBytes()
            : Capacity.bytesOf(partition.name, next);
    int records = old.isPresent() ? 0 : 1;
    if (growth > 0) {
      capacity.reserve(operation, key, records, growth);
    }
    partition.store(slot, next);
    if (growth < 0) {
      capacity.release(records, -growth);
    }
  }

  private void remove(Partition partition, Slot slot) {
    Content stored = slot.content();
    partition.remove(slot);
    capacity.release(1, Capacity.bytesOf(partition.name, stored));
  }

  private void checkSize(String operation, RecordKey key, RecordValue value) {
    int size = value.data().size();
    if (size > traits.maxDataBytes()) {
      throw new RecordTooLargeException(operation, key, traits.maxDataBytes(), size, null);
    }
  }

  private void checkOpen(String operation, @Nullable RecordKey key) {
    if (closed) {
      throw new BackendClosedException(operation, key, "the memory backend is closed", null);
    }
  }

  /** Sets the limits of a {@link MemoryStorageBackend}. */
  public static final class Builder {
    private int maxRecords = DEFAULT_MAX_RECORDS;
    private long maxBytes = DEFAULT_MAX_BYTES;
    private int maxDataBytes = DEFAULT_MAX_DATA_BYTES;

    private Builder() {}

    /**
     * Sets how many records may be stored at a time, {@value #DEFAULT_MAX_RECORDS} by default.
     *
     * @throws IllegalArgumentException if it is below 1
     */
    public Builder maxRecords(int maxRecords) {
      this.maxRecords = Math.toIntExact(atLeastOne("maxRecords", maxRecords));
      return this;
    }

    /**
     * Sets how many bytes the records may take together, 256 MiB by default; see the limits of
     * {@link MemoryStorageBackend} for what is counted.
     *
     * @throws IllegalArgumentException if it is below 1
     */
    public Builder maxBytes(long maxBytes) {
      this.maxBytes = atLeastOne("maxBytes", maxBytes);
      return this;
    }

    /**
     * Sets how many bytes of data a record may have, 4 MiB by default. It is what {@link
     * BackendTraits#maxDataBytes()} declares.
     *
     * @throws IllegalArgumentException if it is below 1
     */
    public Builder maxDataBytes(int maxDataBytes) {
      this.maxDataBytes = Math.toIntExact(atLeastOne("maxDataBytes", maxDataBytes));
      return this;
    }

    /**
     * Returns a new, empty backend.
     *
     * @throws IllegalArgumentException if {@code maxBytes} has no room for even one record of
     *     {@code maxDataBytes} under the longest key, so that the declared limit would not be true
     */
    public MemoryStorageBackend build() {
      return build(Probe.NONE);
    }

    /** Returns a backend that tells {@code probe} how far its calls come, for tests. */
    MemoryStorageBackend build(Probe probe) {
      long largest =
          (long) maxDataBytes
              + RecordKey.MAX_PARTITION_BYTES
              + RecordKey.MAX_ID_BYTES
              + RECORD_OVERHEAD_BYTES;
      if (maxBytes < largest) {
        throw new IllegalArgumentException(
            "maxBytes %d has no room for a record with maxDataBytes %d, which takes up to %d bytes"
                .formatted(maxBytes, maxDataBytes, largest));
      }
      return new MemoryStorageBackend(this, probe);
    }

    private static long atLeastOne(String name, long number) {
      if (number < 1) {
        throw new IllegalArgumentException(name + " " + number + " is below 1");
      }
      return number;
    }
  }
}
