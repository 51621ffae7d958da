// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static io.taskstore.TaskChange.change;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStore;
import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.Created;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Handlers at their work. Each creates a task, reports on it ten times, and completes it; after
 * each report somebody looks at the task twice. That is 12 writes and 20 reads.
 */
final class Handlers {
  static final int HANDLERS = 8;
  static final int REPORTS = 10;
  static final int READS_EACH = 2;

  /** What a task begins with: 812 bytes as core stores it, and 870 in the end. */
  static final Map<String, Object> VARIABLES =
      Map.of(
          "count",
          0,
          "position",
          "reports/2026/01.csv",
          "ratio",
          0.625,
          "source",
          Map.of("host", "files-7", "share", "reports", "port", 2_049, "secure", true),
          "state",
          "0123456789abcdef".repeat(24));

  static final Map<String, Object> RESULT = Map.of("files", 1_000);
  static final String POSITION = "position";

  private Handlers() {}

  /** Where tasks are kept. It is made for one turn, so that nothing piles up in it. */
  interface Place extends AutoCloseable {
    /** The work on one task, from its beginning to its end; called once for each handler. */
    Rounds.Work handler(int number) throws Exception;

    @Override
    void close();
  }

  /** Makes an empty place. */
  @FunctionalInterface
  interface Opener {
    Place open() throws Exception;
  }

  /** All handlers at once, in a place that is new. The figure is the tasks that they end. */
  record AtWork(String name, Opener opener) implements Rounds.Subject {
    @Override
    public List<String> names() {
      return List.of(name);
    }

    @Override
    public List<Double> rates(Duration length) throws Exception {
      try (Place place = opener.open()) {
        List<Rounds.Work> works = new ArrayList<>();
        for (int number = 0; number < HANDLERS; number++) {
          works.add(place.handler(number));
        }
        return new Rounds.Threads(name, works).rates(length);
      }
    }
  }

  static String position(int report) {
    return "reports/2026/" + (10 + report) + ".csv";
  }

  /** A store with its defaults; each handler works for an owner of its own. */
  static final class InStore implements Place {
    private static final NewTask NEW_TASK =
        NewTask.of("digest", Map.of("folder", "/data/reports/2026"))
            .message("digesting reports/2026")
            .variables(VARIABLES);

    private final StorageBackend backend;
    private final TaskStore store;

    InStore(StorageBackend backend) {
      this.backend = backend;
      this.store = GenericTaskStore.over(backend);
    }

    @Override
    public Rounds.Work handler(int number) {
      Owner owner = owner(number);
      return () -> handle(owner);
    }

    private static Owner owner(int number) {
      return Owner.subject("owner-" + number);
    }

    private void handle(Owner owner) {
      Task task = store.create(owner, NEW_TASK);
      for (int report = 1; report <= REPORTS; report++) {
        task =
            store.update(task, change().progress(report, REPORTS).set(POSITION, position(report)));
        for (int read = 0; read < READS_EACH; read++) {
          Expect.that(store.get(owner, task.id()).version() == task.version());
        }
      }
      Task completed = store.update(task, change().complete(RESULT));
      Expect.that(completed.status() == TaskStatus.COMPLETED);
    }

    @Override
    public void close() {
      store.close();
      backend.close();
    }
  }

  /** What core stores of such a task: at the beginning, on the way, and in the end. */
  record Stored(RecordValue created, RecordValue reported, RecordValue completed) {
    static Stored make() {
      try (StorageBackend backend = MemoryStorageBackend.create();
          TaskStore store = GenericTaskStore.over(backend)) {
        Owner owner = InStore.owner(0);
        Task task = store.create(owner, InStore.NEW_TASK);
        RecordKey key = new RecordKey("ts:owner-0", task.id());
        final RecordValue created = value(backend, key);
        task = store.update(task, change().progress(1, REPORTS).set(POSITION, position(1)));
        final RecordValue reported = value(backend, key);
        store.update(task, change().complete(RESULT));
        return new Stored(created, reported, value(backend, key));
      }
    }

    private static RecordValue value(StorageBackend backend, RecordKey key) {
      return backend.get(key).orElseThrow().value();
    }
  }

  /** The same calls with the same bytes, without a store. */
  static final class InBackend implements Place {
    private static final int MAX_ACTIVE = 100;

    private final StorageBackend backend;
    private final Stored stored;
    private final Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);

    InBackend(StorageBackend backend, Stored stored) {
      this.backend = backend;
      this.stored = stored;
    }

    @Override
    public Rounds.Work handler(int number) {
      return new Rounds.Work() {
        private int tasks;

        @Override
        public void run() {
          handle(FileContenders.key("ts:owner-" + number, tasks++));
        }
      };
    }

    private void handle(RecordKey key) {
      Expect.that(backend.createWithin(key, stored.created(), MAX_ACTIVE, now) == Created.CREATED);
      for (int report = 1; report <= REPORTS; report++) {
        put(key, stored.reported(), report);
        for (int read = 0; read < READS_EACH; read++) {
          Expect.that(backend.get(key).orElseThrow().version() == report + 1);
        }
      }
      put(key, stored.completed(), REPORTS + 1);
    }

    private void put(RecordKey key, RecordValue value, long expected) {
      Expect.that(backend.putIfVersion(key, value, expected) instanceof Written);
    }

    @Override
    public void close() {
      backend.close();
    }
  }
}
