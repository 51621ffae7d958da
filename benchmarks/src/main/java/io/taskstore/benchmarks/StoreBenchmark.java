// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static io.taskstore.TaskChange.change;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskConflictException;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
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
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;

/**
 * The store over the memory backend, beside that backend given the same calls with the same bytes:
 * the difference is what the rules cost, with encoding, decoding, ids and time.
 *
 * <p>Public, as are its methods, because JMH calls them from another package.
 */
@State(Scope.Benchmark)
public class StoreBenchmark {
  private static final Owner OWNER = Owner.subject("alice");

  /** Where core keeps the tasks of that owner. */
  private static final String PARTITION = "ts:alice";

  private static final TaskQuery NEWEST = TaskQuery.newestFirst().pageSize(MemoryBenchmark.PAGE);
  private static final TaskQuery NEWEST_ACTIVE = NEWEST.activeOnly();
  private static final ListQuery RAW_NEWEST =
      new ListQuery(PARTITION, null, true, MemoryBenchmark.PAGE);

  private static final NewTask NEW_TASK =
      NewTask.of("digest", Map.of("algorithm", "SHA-256", "folder", "/data/reports/2026"))
          .ttl(Duration.ofHours(12))
          .message("digesting reports/2026/01.csv")
          .variables(variables());

  private final MemoryStorageBackend backend = MemoryStorageBackend.create();

  /** With room for one more task beside the active ones. */
  private final TaskStore store = GenericTaskStore.builder(backend).maxActiveTasks(200).build();

  private final List<RecordKey> all = new ArrayList<>();
  private final List<RecordKey> active = new ArrayList<>();
  private int last;
  private Task inHand;
  private VersionedRecord rawInHand;

  /** About 700 bytes, which make a task of about 1 KB. */
  private static Map<String, Object> variables() {
    Random random = new Random(42);
    List<Integer> sizes = random.ints(40, 0, 1_000_000).boxed().toList();
    return Map.of(
        "count",
        0,
        "position",
        "reports/2026/01.csv",
        "ratio",
        0.625,
        "sizes",
        sizes,
        "source",
        Map.of("host", "files-7", "share", "reports", "port", 2_049, "secure", true),
        "state",
        "0123456789abcdef".repeat(16));
  }

  private static TaskChange step(int number) {
    return change().progress(number % 1_000, 1_000).set("position", "reports/2026/02.csv");
  }

  /** Creates the tasks, of which one in ten is left unfinished. */
  @Setup
  public void fill() {
    for (int i = 0; i < MemoryBenchmark.RECORDS; i++) {
      Task task = store.create(OWNER, NEW_TASK);
      RecordKey key = new RecordKey(PARTITION, task.id());
      all.add(key);
      if (i % MemoryBenchmark.ACTIVE_EVERY == 0) {
        active.add(key);
      } else {
        store.update(task, change().complete(Map.of("files", 1_000)));
      }
    }
    inHand = store.get(OWNER, active.get(0).id());
    rawInHand = read(backend, active.get(0));
  }

  private static VersionedRecord read(StorageBackend backend, RecordKey key) {
    return backend.get(key).orElseThrow();
  }

  private RecordKey next(List<RecordKey> keys) {
    last = last + 1 >= keys.size() ? 0 : last + 1;
    return keys.get(last);
  }

  // --- reading ------------------------------------------------------------------------------

  @Benchmark
  public Task get() {
    return store.get(OWNER, next(all).id());
  }

  @Benchmark
  public VersionedRecord rawGet() {
    return read(backend, next(all));
  }

  @Benchmark
  public TaskPage list() {
    TaskPage page = store.list(OWNER, NEWEST);
    Expect.that(page.tasks().size() == MemoryBenchmark.PAGE);
    return page;
  }

  @Benchmark
  public RecordPage rawList() {
    RecordPage page = backend.list(RAW_NEWEST);
    Expect.that(page.records().size() == MemoryBenchmark.PAGE);
    return page;
  }

  @Benchmark
  public TaskPage listActive() {
    TaskPage page = store.list(OWNER, NEWEST_ACTIVE);
    Expect.that(page.tasks().size() == MemoryBenchmark.PAGE);
    return page;
  }

  @Benchmark
  public List<VersionedRecord> rawListActive() {
    List<VersionedRecord> page = new ArrayList<>();
    HeadPage heads = backend.listActive(RAW_NEWEST);
    for (RecordHead head : heads.heads()) {
      page.add(read(backend, head.key()));
    }
    Expect.that(page.size() == MemoryBenchmark.PAGE);
    return page;
  }

  // --- updating -----------------------------------------------------------------------------

  @Benchmark
  public Task updateInHand() {
    Task updated = store.update(inHand, step(++last));
    Expect.that(updated.version() == inHand.version() + 1);
    inHand = updated;
    return updated;
  }

  @Benchmark
  public VersionedRecord rawUpdateInHand() {
    rawInHand = put(rawInHand);
    return rawInHand;
  }

  @Benchmark
  public Task updateById() {
    RecordKey key = next(active);
    return store.update(OWNER, key.id(), step(last));
  }

  @Benchmark
  public VersionedRecord rawUpdateById() {
    return put(read(backend, next(active)));
  }

  private VersionedRecord put(VersionedRecord stored) {
    PutResult result = backend.putIfVersion(stored.key(), stored.value(), stored.version());
    Expect.that(result instanceof Written);
    return new VersionedRecord(stored.key(), stored.value(), ((Written) result).version());
  }

  // --- creating -----------------------------------------------------------------------------

  /**
   * Begins every batch with nothing, so that the memory does not grow and the limit of active tasks
   * is that of the default: a batch goes from none to it. The time between two batches is not
   * measured, and what it allocates is little beside the batch.
   */
  @State(Scope.Benchmark)
  public static class Empty {
    private final List<RecordKey> keys = new ArrayList<>();
    private MemoryStorageBackend backend = MemoryStorageBackend.create();
    private TaskStore store;
    private RecordValue value;
    private Instant now;

    /** Makes keys and bytes as the store would. */
    @Setup
    public void prepare() {
      reset();
      for (int i = 0; i < MemoryBenchmark.BATCH; i++) {
        keys.add(new RecordKey(PARTITION, store.create(OWNER, NEW_TASK).id()));
      }
      value = read(backend, keys.get(0)).value();
      now = store.get(OWNER, keys.get(0).id()).createdAt();
    }

    /** Forgets the last batch. */
    @Setup(Level.Invocation)
    public void reset() {
      backend.close();
      backend = MemoryStorageBackend.create();
      store = GenericTaskStore.over(backend);
    }
  }

  @Benchmark
  @OperationsPerInvocation(MemoryBenchmark.BATCH)
  public Task create(Empty empty) {
    Task task = empty.store.create(OWNER, NEW_TASK);
    for (int i = 1; i < MemoryBenchmark.BATCH; i++) {
      task = empty.store.create(OWNER, NEW_TASK);
    }
    return task;
  }

  @Benchmark
  @OperationsPerInvocation(MemoryBenchmark.BATCH)
  public StorageBackend rawCreate(Empty empty) {
    for (RecordKey key : empty.keys) {
      Expect.that(
          empty.backend.createWithin(key, empty.value, MemoryBenchmark.BATCH, empty.now)
              == Created.CREATED);
    }
    return empty.backend;
  }

  // --- many threads -------------------------------------------------------------------------

  /**
   * One of several threads that update the same task, without a pause between two updates. Somebody
   * may lose for long against so many, so an update that gives up is one that is not counted: the
   * thread reads the task anew and goes on.
   */
  @State(Scope.Thread)
  public static class Rival {
    private TaskStore impatient;
    private Task inHand;
    private VersionedRecord rawInHand;

    /** Reads the task. */
    @Setup
    public void read(StoreBenchmark shared) {
      RecordKey key = shared.active.get(0);
      impatient =
          GenericTaskStore.builder(shared.backend).operationTimeout(Duration.ofMillis(50)).build();
      inHand = impatient.get(OWNER, key.id());
      rawInHand = StoreBenchmark.read(shared.backend, key);
    }

    /** Every write has counted, and none twice. */
    @TearDown
    public void check() {
      Expect.that(count(inHand) == inHand.version() - 1);
    }
  }

  private static long count(Task task) {
    return task.variables().integer("count").orElseThrow();
  }

  @Benchmark
  @Threads(MemoryBenchmark.THREADS)
  public Task updateSame(Rival rival) {
    while (true) {
      try {
        rival.inHand =
            rival.impatient.update(rival.inHand, task -> change().set("count", count(task) + 1));
        return rival.inHand;
      } catch (TaskConflictException e) {
        rival.inHand = rival.impatient.get(OWNER, rival.inHand.id());
      }
    }
  }

  @Benchmark
  @Threads(MemoryBenchmark.THREADS)
  public VersionedRecord rawUpdateSame(Rival rival) {
    VersionedRecord seen = rival.rawInHand;
    while (true) {
      PutResult result = backend.putIfVersion(seen.key(), seen.value(), seen.version());
      if (result instanceof Conflict conflict) {
        seen = Objects.requireNonNull(conflict.winner());
      } else {
        rival.rawInHand =
            new VersionedRecord(seen.key(), seen.value(), ((Written) result).version());
        return rival.rawInHand;
      }
    }
  }
}
