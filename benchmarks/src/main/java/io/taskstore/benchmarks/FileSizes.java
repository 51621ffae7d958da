// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.file.FileStorageBackend;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Whether operations of the file backend stay as fast as they are while records pile up. There is a
 * store for each size, all at the same time, so that each round measures all sizes.
 */
final class FileSizes {
  private static final String PARTITION = FileContenders.PARTITION;
  private static final int DATA_BYTES = 200;
  private static final int ACTIVE = FileContenders.MAX_ACTIVE;
  private static final int PAGE = 50;

  /** How many finished records the partition has that is looked at, where others pile up. */
  private static final int OWN_FINISHED = 1_000;

  /** How many different records are read where "one" is read: no cache may hold just the one. */
  private static final int READ = 50;

  private static final int FILLERS = 4;

  private FileSizes() {}

  /** What is measured at each size. */
  private enum Operation {
    GET_ACTIVE("`get`, active"),
    GET_FINISHED("`get`, finished"),
    GET_ANY("`get`, any of all finished"),
    PAGE_OF_50("`list`, 50 from the middle"),
    FULL("`createWithin`, refused at 100 active"),
    CREATE_AND_DELETE("`createWithin` and `deleteIfVersion`, flushed");

    private final String text;

    Operation(String text) {
      this.text = text;
    }
  }

  /** A store with so many records, of which all but a hundred are finished. */
  private static final class Store implements AutoCloseable {
    private final StorageBackend backend;
    private final int records;
    private final int partitions;
    private final int finished;
    private int last;

    /**
     * @param partitions over how many partitions they are spread; with 1 the partition that is
     *     looked at has them all
     */
    Store(Path directory, int records, int partitions, PrintStream progress) throws Exception {
      this.records = records;
      this.partitions = partitions;
      this.finished = partitions == 1 ? records : OWN_FINISHED;
      this.last = finished + ACTIVE;
      try (FileStorageBackend quick =
          FileStorageBackend.builder(directory)
              .durability(FileStorageBackend.Durability.OS)
              .build()) {
        fill(quick, progress);
      }
      this.backend = FileStorageBackend.open(directory);
    }

    private void fill(StorageBackend quick, PrintStream progress) throws Exception {
      ExecutorService pool = Executors.newFixedThreadPool(FILLERS);
      try {
        AtomicInteger next = new AtomicInteger();
        List<Future<?>> fillers = new ArrayList<>();
        for (int i = 0; i < FILLERS; i++) {
          fillers.add(
              pool.submit(
                  () -> {
                    for (int n = next.getAndIncrement(); n < records; n = next.getAndIncrement()) {
                      put(quick, anyKey(n), n, false);
                    }
                  }));
        }
        await(fillers, next, progress);
        for (int n = partitions == 1 ? finished : 0; n < finished + ACTIVE; n++) {
          put(quick, FileContenders.key(PARTITION, n), n, n >= finished);
        }
      } finally {
        pool.shutdownNow();
      }
    }

    private void await(List<Future<?>> fillers, AtomicInteger next, PrintStream progress)
        throws Exception {
      long begin = System.nanoTime();
      long said = begin;
      for (Future<?> filler : fillers) {
        while (!filler.isDone()) {
          Thread.sleep(10);
          if (System.nanoTime() - said > TimeUnit.SECONDS.toNanos(10)) {
            said = System.nanoTime();
            int done = Math.min(next.get(), records);
            progress.printf(
                Locale.ROOT,
                "  %,d of %,d records, %,.0f/s%n",
                done,
                records,
                done * 1e9 / (said - begin));
          }
        }
        try {
          filler.get();
        } catch (ExecutionException e) {
          throw e.getCause() instanceof Exception cause ? cause : e;
        }
      }
    }

    private static void put(StorageBackend quick, RecordKey key, int number, boolean active) {
      Expect.that(
          quick.putIfVersion(key, value(number, active), StorageBackend.ABSENT) instanceof Written);
    }

    /** A finished record of all that there are. */
    private RecordKey anyKey(int number) {
      return FileContenders.key(
          partitions == 1 ? PARTITION : "ts:owner" + number % partitions, number);
    }

    Rounds.Work work(Operation operation) {
      return switch (operation) {
        case GET_ACTIVE -> reading(ACTIVE, finished);
        case GET_FINISHED -> reading(finished, 0);
        case GET_ANY -> {
          Random random = new Random(42);
          yield () ->
              Expect.that(
                  backend.get(anyKey(random.nextInt(records))).orElseThrow().version() == 1);
        }
        case PAGE_OF_50 -> {
          String middle = FileContenders.key(PARTITION, finished / 2 - 1).id();
          ListQuery query = new ListQuery(PARTITION, middle, false, PAGE);
          yield () -> Expect.that(backend.list(query).records().size() == PAGE);
        }
        case FULL -> {
          RecordKey key = FileContenders.key(PARTITION, last++);
          RecordValue value = value(0, true);
          yield () ->
              Expect.that(
                  backend.createWithin(key, value, ACTIVE, FileContenders.NOW) == Full.FULL);
        }
        case CREATE_AND_DELETE ->
            () -> {
              RecordKey key = FileContenders.key(PARTITION, last++);
              Expect.that(
                  backend.createWithin(key, value(last, true), ACTIVE + 1, FileContenders.NOW)
                      == Created.CREATED);
              Expect.that(backend.deleteIfVersion(key, 1) == Deleted.DELETED);
            };
      };
    }

    /** Reads records that are spread evenly over a range. */
    private Rounds.Work reading(int range, int from) {
      List<RecordKey> keys = new ArrayList<>();
      for (int i = 0; i < READ; i++) {
        keys.add(FileContenders.key(PARTITION, from + (int) ((long) range * i / READ)));
      }
      return new Rounds.Work() {
        private int turn;

        @Override
        public void run() {
          Expect.that(backend.get(keys.get(turn++ % READ)).orElseThrow().version() == 1);
        }
      };
    }

    @Override
    public void close() {
      backend.close();
    }
  }

  private static final Bytes DATA = Bytes.unsafeWrap(FileContenders.data(DATA_BYTES));

  /** All are due within a day from an hour on. */
  private static RecordValue value(int number, boolean active) {
    Duration life = Duration.ofHours(1).plusSeconds(number % 86_400);
    String writeId = "4f8s1b5k0c2n7d4q9m3e6f1a5-%06x".formatted(number);
    return new RecordValue(DATA, active, FileContenders.NOW.plus(life), writeId);
  }

  /**
   * Fills a store for each size, measures, and returns a table in Markdown.
   *
   * @param partitions over how many the records are spread
   */
  static String measure(
      Path directory, List<Integer> sizes, int partitions, Rounds.Plan plan, PrintStream progress)
      throws Exception {
    List<Store> stores = new ArrayList<>();
    try {
      for (int size : sizes) {
        progress.printf(Locale.ROOT, "filling %,d records into %,d%n", size, partitions);
        stores.add(new Store(directory.resolve("of-" + size), size, partitions, progress));
      }
      FileSuite.sync(progress);
      SizesTable table =
          new SizesTable(
              "Records in "
                  + (partitions == 1
                      ? "one partition"
                      : SizesTable.name(partitions) + " partitions"),
              sizes);
      for (Operation operation : Operation.values()) {
        progress.printf("%s: %s%n", operation.text, plan);
        table.add(operation.text, Rounds.measure(plan, subjects(stores, operation)));
      }
      return table.toString();
    } finally {
      stores.forEach(Store::close);
    }
  }

  private static List<Rounds.Subject> subjects(List<Store> stores, Operation operation) {
    List<Rounds.Subject> subjects = new ArrayList<>();
    for (Store store : stores) {
      subjects.add(
          new Rounds.Threads(SizesTable.name(store.records), List.of(store.work(operation))));
    }
    return subjects;
  }
}
