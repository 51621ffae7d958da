// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/**
 * Whether operations stay as fast as they are while tasks pile up. There is a storage for each
 * size, all at the same time, so that each round measures all sizes.
 */
final class Sizes {
  private static final int PAGE = RedisRatios.PAGE;
  private static final int ACTIVE_EACH = 10;
  private static final int OF_AN_OWNER = 100;

  private static final String ALL_TASKS = "All tasks, an owner has 100";
  private static final String FINISHED_TASKS = "Finished tasks of one owner";

  private static final String GET = "`get`, any";
  private static final String PUT = "`putIfVersion`, any that is active";
  private static final String CREATE = "`createWithin`, 10 others active";
  private static final String DELETE = "`deleteIfVersion`";
  private static final String LIST = "`list`, 50 from the middle";
  private static final String LIST_ACTIVE = "`listActive`, all 10";

  private Sizes() {}

  /** Makes a storage that has these records. */
  @FunctionalInterface
  interface Source {
    Filled fill(Records records, Instant now, PrintStream progress) throws Exception;
  }

  /**
   * A storage with records.
   *
   * @param raw what it is compared with, if that has any sizes
   * @param closing ends what is behind the backend
   */
  record Filled(StorageBackend backend, Optional<Raw> raw, Closeable closing) {}

  /** The same records, in something that does less. */
  interface Raw {
    /** What {@link #contains} does, for the table. */
    String getting();

    /** Whether a record is there, by reading it. */
    boolean contains(RecordKey key);

    /** What {@link #list} does, for the table. */
    String listing();

    /** Reads so many records of a partition, and returns how many there were. */
    int list(String partition, String after, int limit);
  }

  /**
   * @param stores sizes of a whole storage
   * @param owners sizes of one owner
   */
  static String measure(
      Rounds.Plan plan,
      List<Integer> stores,
      List<Integer> owners,
      Source source,
      PrintStream progress)
      throws Exception {
    String ofStores = table(ALL_TASKS, stores, Sizes::ofMany, plan, source, progress);
    String ofOwners = table(FINISHED_TASKS, owners, Sizes::ofOne, plan, source, progress);
    return """
        Time of one operation of one thread, and how many times as long that is as with the fewest \
        tasks; %s.

        %s
        %s"""
        .formatted(plan, ofStores, ofOwners);
  }

  /** What one operation needs, for a cell of a table. */
  @FunctionalInterface
  interface Meter {
    String of(Runnable operation);
  }

  /** As {@link #measure}, but with what {@code meter} tells in the place of times. */
  static String count(
      List<Integer> stores, List<Integer> owners, Source source, Meter meter, PrintStream progress)
      throws Exception {
    return counts(ALL_TASKS, stores, Sizes::ofMany, source, meter, progress)
        + "\n"
        + counts(FINISHED_TASKS, owners, Sizes::ofOne, source, meter, progress);
  }

  private static String counts(
      String of,
      List<Integer> sizes,
      IntFunction<Records> records,
      Source source,
      Meter meter,
      PrintStream progress)
      throws Exception {
    StringBuilder head = new StringBuilder("| " + of);
    Map<String, StringBuilder> rows = new LinkedHashMap<>();
    for (int size : sizes) {
      head.append(" | with ").append(SizesTable.name(size));
      try (Store store = new Store(source, records.apply(size), progress)) {
        store
            .operations()
            .forEach(
                (name, operation) ->
                    rows.computeIfAbsent(name, first -> new StringBuilder("| " + name))
                        .append(" | ")
                        .append(meter.of(operation)));
      }
    }
    head.append(" |\n|---").append("|--:".repeat(sizes.size())).append("|\n");
    rows.values().forEach(row -> head.append(row).append(" |\n"));
    progress.println(head);
    return head.toString();
  }

  private static Records ofMany(int size) {
    return new Records(size / OF_AN_OWNER, OF_AN_OWNER - ACTIVE_EACH, ACTIVE_EACH);
  }

  private static Records ofOne(int size) {
    return new Records(1, size, ACTIVE_EACH);
  }

  private static String table(
      String of,
      List<Integer> sizes,
      IntFunction<Records> records,
      Rounds.Plan plan,
      Source source,
      PrintStream progress)
      throws Exception {
    Map<Integer, Store> stores = new LinkedHashMap<>();
    try {
      for (int size : sizes) {
        stores.put(size, new Store(source, records.apply(size), progress));
      }
      SizesTable table = new SizesTable(of, sizes);
      Optional<Raw> raw = stores.values().iterator().next().raw;
      row(GET, Store::get, stores, table, plan, progress);
      if (raw.isPresent()) {
        row(raw.get().getting(), Store::getRaw, stores, table, plan, progress);
      }
      row(PUT, Store::put, stores, table, plan, progress);
      row(LIST, Store::list, stores, table, plan, progress);
      if (raw.isPresent()) {
        row(raw.get().listing(), Store::listRaw, stores, table, plan, progress);
      }
      row(LIST_ACTIVE, Store::listActive, stores, table, plan, progress);
      createAndDelete(stores, table, plan, progress);
      progress.println(table);
      return table.toString();
    } finally {
      for (Store store : stores.values()) {
        store.close();
      }
    }
  }

  private static void row(
      String operation,
      Consumer<Store> work,
      Map<Integer, Store> stores,
      SizesTable table,
      Rounds.Plan plan,
      PrintStream progress)
      throws Exception {
    progress.printf("%s: %s%n", operation, plan);
    List<Rounds.Subject> subjects = new ArrayList<>();
    stores.forEach(
        (size, store) ->
            subjects.add(
                new Rounds.Threads(SizesTable.name(size), List.of(() -> work.accept(store)))));
    table.add(operation, Rounds.measure(plan, subjects));
  }

  private static void createAndDelete(
      Map<Integer, Store> stores, SizesTable table, Rounds.Plan plan, PrintStream progress)
      throws Exception {
    progress.printf("%s, %s: %s%n", CREATE, DELETE, plan);
    List<Rounds.Subject> subjects = new ArrayList<>();
    stores.forEach(
        (size, store) ->
            subjects.add(
                new Alternating(
                    CREATE + SizesTable.name(size),
                    DELETE + SizesTable.name(size),
                    List.of(new Alternating.Pair(store::create, store::delete)))));
    Map<String, Rounds.Rates> rates = Rounds.measure(plan, subjects);
    for (String operation : List.of(CREATE, DELETE)) {
      Map<String, Rounds.Rates> bySize = new LinkedHashMap<>();
      for (int size : stores.keySet()) {
        String name = SizesTable.name(size);
        bySize.put(name, Rounds.of(rates, operation + name));
      }
      table.add(operation, bySize);
    }
  }

  /** A storage with so many records. */
  private static final class Store implements AutoCloseable {
    private final Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    private final Random random = new Random(42);
    private final Closeable closing;
    private final StorageBackend backend;
    private final Optional<Raw> raw;
    private final Records records;

    /** Of the active records, owner by owner. */
    private final int[] versions;

    /** Who has what was created last. */
    private int owner;

    private int created;

    Store(Source source, Records records, PrintStream progress) throws Exception {
      this.records = records;
      this.versions = new int[records.owners() * records.activeEach()];
      Filled filled = source.fill(records, now, progress);
      this.backend = filled.backend();
      this.raw = filled.raw();
      this.closing = filled.closing();
    }

    private int anyOwner() {
      return random.nextInt(records.owners());
    }

    private RecordKey anyKey() {
      int index = random.nextInt(records.finishedEach() + records.activeEach());
      return Records.key(anyOwner(), index);
    }

    private void get() {
      Expect.that(backend.get(anyKey()).isPresent());
    }

    private void getRaw() {
      Expect.that(raw.orElseThrow().contains(anyKey()));
    }

    private void put() {
      int any = random.nextInt(versions.length);
      int owner = any / records.activeEach();
      int index = records.finishedEach() + any % records.activeEach();
      // As it was stored, but for its version and write id.
      RecordValue first = Records.value(now, (long) index * records.owners() + owner, true);
      int version = 1 + versions[any]++;
      RecordValue value =
          new RecordValue(first.data(), true, first.expiresAt(), Records.writeId(version));
      RecordKey key = Records.key(owner, index);
      Expect.that(backend.putIfVersion(key, value, version) instanceof Written);
    }

    private void list() {
      int owner = anyOwner();
      String after = Records.key(owner, (records.finishedEach() - PAGE) / 2).id();
      ListQuery query = new ListQuery(Records.partition(owner), after, false, PAGE);
      Expect.that(backend.list(query).records().size() == PAGE);
    }

    private void listRaw() {
      int owner = anyOwner();
      String after = Records.key(owner, (records.finishedEach() - PAGE) / 2).id();
      Expect.that(raw.orElseThrow().list(Records.partition(owner), after, PAGE) == PAGE);
    }

    private void listActive() {
      ListQuery query = new ListQuery(Records.partition(anyOwner()), null, true, PAGE);
      Expect.that(backend.listActive(query).heads().size() == records.activeEach());
    }

    private void create() {
      owner = anyOwner();
      RecordValue value = Records.value(now, ++created, true);
      Expect.that(
          backend.createWithin(created(), value, Records.MAX_ACTIVE, now) == Created.CREATED);
    }

    /** Takes back what {@link #create} did last. */
    private void delete() {
      Expect.that(backend.deleteIfVersion(created(), 1) == Deleted.DELETED);
    }

    /** All of them, in an order in which they can be called. */
    private Map<String, Runnable> operations() {
      Map<String, Runnable> operations = new LinkedHashMap<>();
      operations.put(GET, this::get);
      operations.put(PUT, this::put);
      operations.put(LIST, this::list);
      operations.put(LIST_ACTIVE, this::listActive);
      operations.put(CREATE, this::create);
      operations.put(DELETE, this::delete);
      return operations;
    }

    private RecordKey created() {
      return Records.key(owner, records.finishedEach() + records.activeEach() + created);
    }

    @Override
    public void close() throws IOException {
      backend.close();
      closing.close();
    }
  }
}
