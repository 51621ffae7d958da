// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Threads;

/**
 * The memory backend, beside a map of Java that holds the same records. The map has no versions of
 * its own, no limits, no partitions and no index of active or expiring records.
 *
 * <p>Public, as are its methods, because JMH calls them from another package.
 */
@State(Scope.Benchmark)
public class MemoryBenchmark {
  /** The records of the partition that most of the benchmarks use. */
  static final int RECORDS = 1_000;

  /** One record of so many is active: most tasks of an owner are finished ones. */
  static final int ACTIVE_EVERY = 10;

  static final int PAGE = 50;
  static final int THREADS = 8;

  /** What a batch of creations creates, which is also the default of {@code maxActiveTasks}. */
  static final int BATCH = 100;

  private static final String PARTITION = "ts:alice";
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Bytes DATA = data();

  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final ConcurrentMap<RecordKey, VersionedRecord> map = new ConcurrentHashMap<>();
  private final ConcurrentNavigableMap<String, VersionedRecord> sorted =
      new ConcurrentSkipListMap<>();
  private final ConcurrentNavigableMap<String, RecordHead> sortedActive =
      new ConcurrentSkipListMap<>();
  private final Slot[] slots = new Slot[RECORDS];
  private int last;

  /** A record, and what the next write of it must expect. */
  private static final class Slot {
    final RecordKey key;
    final RecordValue value;
    long version = 1;
    VersionedRecord current;

    Slot(RecordKey key, RecordValue value) {
      this.key = key;
      this.value = value;
      this.current = new VersionedRecord(key, value, version);
    }
  }

  private static Bytes data() {
    byte[] data = new byte[1_024];
    new Random(42).nextBytes(data);
    return Bytes.unsafeWrap(data);
  }

  /** Ids as core makes them: the time first, so neighbours in time are neighbours in order. */
  private static RecordKey key(String partition, int index) {
    return new RecordKey(partition, "01jgfjs%04d%s".formatted(index, "v8s1b5k0c2n7d4q9m3e6f1a5"));
  }

  private static RecordValue value(boolean active, int index) {
    return new RecordValue(DATA, active, NOW.plusSeconds(3_600 + index), "w" + index);
  }

  /** Fills the backend and the maps with the same. */
  @Setup
  public void fill() {
    for (int i = 0; i < RECORDS; i++) {
      Slot slot = new Slot(key(PARTITION, i), value(i % ACTIVE_EVERY == 0, i));
      slots[i] = slot;
      create(backend, slot);
      map.put(slot.key, slot.current);
      sorted.put(slot.key.id(), slot.current);
      if (slot.value.active()) {
        sortedActive.put(slot.key.id(), new RecordHead(slot.key, slot.value.expiresAt()));
      }
    }
  }

  private static void create(StorageBackend backend, Slot slot) {
    Expect.that(
        backend.putIfVersion(slot.key, slot.value, StorageBackend.ABSENT) instanceof Written);
  }

  /** The slots in turn; no two of a run are the same, so no cache holds just the one. */
  private Slot next() {
    last = last + 1 == RECORDS ? 0 : last + 1;
    return slots[last];
  }

  // --- one thread ---------------------------------------------------------------------------

  @Benchmark
  public VersionedRecord get() {
    return backend.get(next().key).orElseThrow();
  }

  @Benchmark
  public VersionedRecord rawGet() {
    return Objects.requireNonNull(map.get(next().key));
  }

  @Benchmark
  public PutResult update() {
    return update(backend, next());
  }

  @Benchmark
  public VersionedRecord rawUpdate() {
    return update(map, next());
  }

  private static PutResult update(StorageBackend backend, Slot slot) {
    PutResult result = backend.putIfVersion(slot.key, slot.value, slot.version);
    Expect.that(result instanceof Written);
    slot.version = ((Written) result).version();
    return result;
  }

  private static VersionedRecord update(ConcurrentMap<RecordKey, VersionedRecord> map, Slot slot) {
    VersionedRecord next = new VersionedRecord(slot.key, slot.value, slot.current.version() + 1);
    Expect.that(map.replace(slot.key, slot.current, next));
    slot.current = next;
    return next;
  }

  @Benchmark
  public Deleted deleteAndCreate() {
    Slot slot = next();
    Expect.that(backend.deleteIfVersion(slot.key, 1) == Deleted.DELETED);
    create(backend, slot);
    return Deleted.DELETED;
  }

  @Benchmark
  public VersionedRecord rawDeleteAndCreate() {
    Slot slot = next();
    Expect.that(map.remove(slot.key, slot.current));
    slot.current = new VersionedRecord(slot.key, slot.value, 1);
    Expect.that(map.putIfAbsent(slot.key, slot.current) == null);
    return slot.current;
  }

  @Benchmark
  public RecordPage list() {
    RecordPage page = backend.list(new ListQuery(PARTITION, pageStart(), false, PAGE));
    Expect.that(page.records().size() == PAGE);
    return page;
  }

  @Benchmark
  public List<VersionedRecord> rawList() {
    return page(sorted, pageStart());
  }

  @Benchmark
  public HeadPage listActive() {
    HeadPage page = backend.listActive(new ListQuery(PARTITION, activePageStart(), false, PAGE));
    Expect.that(page.heads().size() == PAGE);
    return page;
  }

  @Benchmark
  public List<RecordHead> rawListActive() {
    return page(sortedActive, activePageStart());
  }

  /** An id that is followed by a whole page. */
  private String pageStart() {
    last = (last + 1) % (RECORDS - PAGE);
    return slots[last].key.id();
  }

  /** An id that is followed by a whole page of active records. */
  private String activePageStart() {
    last = (last + ACTIVE_EVERY) % (RECORDS - PAGE * ACTIVE_EVERY);
    return slots[last].key.id();
  }

  private static <V> List<V> page(ConcurrentNavigableMap<String, V> map, String after) {
    List<V> page = new ArrayList<>();
    for (V value : map.tailMap(after, false).values()) {
      page.add(value);
      if (page.size() == PAGE) {
        break;
      }
    }
    Expect.that(page.size() == PAGE);
    return List.copyOf(page);
  }

  // --- a limit ------------------------------------------------------------------------------

  /**
   * Begins every batch with nothing. What a creation costs depends on how many active records there
   * are, so a batch goes from none to the limit; and the memory does not grow. The time between two
   * batches is not measured, and what it allocates is little.
   */
  @State(Scope.Benchmark)
  public static class Empty {
    private final Slot[] slots = new Slot[BATCH];
    private final ConcurrentMap<RecordKey, VersionedRecord> map = new ConcurrentHashMap<>();
    private MemoryStorageBackend backend = MemoryStorageBackend.create();

    /** Makes the records, which every batch stores again. */
    @Setup
    public void fill() {
      for (int i = 0; i < BATCH; i++) {
        slots[i] = new Slot(key(PARTITION, i), value(true, i));
      }
    }

    /** Forgets the last batch. */
    @Setup(Level.Invocation)
    public void clear() {
      backend.close();
      backend = MemoryStorageBackend.create();
      map.clear();
    }
  }

  @Benchmark
  @OperationsPerInvocation(BATCH)
  public StorageBackend createWithin(Empty empty) {
    for (Slot slot : empty.slots) {
      Expect.that(empty.backend.createWithin(slot.key, slot.value, BATCH, NOW) == Created.CREATED);
    }
    return empty.backend;
  }

  @Benchmark
  @OperationsPerInvocation(BATCH)
  public Object rawCreate(Empty empty) {
    for (Slot slot : empty.slots) {
      VersionedRecord created = new VersionedRecord(slot.key, slot.value, 1);
      Expect.that(empty.map.putIfAbsent(slot.key, created) == null);
    }
    return empty.map;
  }

  // --- many threads -------------------------------------------------------------------------

  /** One of several threads that never meet: each has a partition of its own. */
  @State(Scope.Thread)
  public static class Loner {
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final int OWN_RECORDS = RECORDS / THREADS;

    private final Slot[] slots = new Slot[OWN_RECORDS];
    private int last;

    /** Fills the partition of this thread. */
    @Setup
    public void fill(MemoryBenchmark shared) {
      String partition = "ts:loner" + COUNT.incrementAndGet();
      for (int i = 0; i < OWN_RECORDS; i++) {
        slots[i] = new Slot(key(partition, i), value(true, i));
        create(shared.backend, slots[i]);
        shared.map.put(slots[i].key, slots[i].current);
      }
    }

    private Slot next() {
      last = last + 1 == OWN_RECORDS ? 0 : last + 1;
      return slots[last];
    }
  }

  @Benchmark
  @Threads(THREADS)
  public PutResult updateApart(Loner loner) {
    return update(backend, loner.next());
  }

  @Benchmark
  @Threads(THREADS)
  public VersionedRecord rawUpdateApart(Loner loner) {
    return update(map, loner.next());
  }

  /** One of several threads that update the same record. */
  @State(Scope.Thread)
  public static class Rival {
    private VersionedRecord seen = new VersionedRecord(key(PARTITION, 0), value(true, 0), 1);
  }

  @Benchmark
  @Threads(THREADS)
  public VersionedRecord updateSame(Rival rival) {
    VersionedRecord seen = rival.seen;
    while (true) {
      PutResult result = backend.putIfVersion(seen.key(), seen.value(), seen.version());
      if (result instanceof Conflict conflict) {
        seen = Objects.requireNonNull(conflict.winner());
      } else {
        rival.seen = new VersionedRecord(seen.key(), seen.value(), ((Written) result).version());
        return rival.seen;
      }
    }
  }

  @Benchmark
  @Threads(THREADS)
  public VersionedRecord rawUpdateSame(Rival rival) {
    VersionedRecord seen = rival.seen;
    while (true) {
      VersionedRecord next = new VersionedRecord(seen.key(), seen.value(), seen.version() + 1);
      if (map.replace(seen.key(), seen, next)) {
        rival.seen = next;
        return next;
      }
      seen = Objects.requireNonNull(map.get(seen.key()));
    }
  }
}
