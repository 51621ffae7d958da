// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/**
 * Random histories over a transport that loses answers: a write is applied, or not, or only later,
 * and the answer never comes; other writers act in between. Whatever happens, no change is applied
 * twice, none that was acknowledged is missing, none that was refused is there, and nobody is told
 * of a conflict with themselves.
 */
class LostAnswersTest {
  /** Of each kind: 100,000 together. */
  private static final int HISTORIES = 50_000;

  /** That run beside each other. */
  private static final int PARTS = 2;

  private static final int OPERATIONS = 6;

  private enum Outcome {
    DONE,
    REFUSED,
    UNKNOWN
  }

  private interface Call<T> {
    T run();
  }

  /** Loses answers by a seeded source, and lets others act around every call. */
  private static final class LossyBackend extends ForwardingBackend {
    private final boolean exactCreate;
    private final Deque<Runnable> late = new ArrayDeque<>();
    private Random random = new Random(0);
    private int trouble;
    private Runnable others = () -> {};

    LossyBackend(MapBackend delegate, boolean exactCreate) {
      super(delegate);
      this.exactCreate = exactCreate;
    }

    void begin(Random newRandom, Runnable newOthers) {
      random = newRandom;
      others = newOthers;
      late.clear();
      // From a few per cent of lost answers to nearly all of them, so that deadlines run out too.
      trouble = random.nextInt(10) == 0 ? 97 : random.nextInt(70);
    }

    void deliverLateWrites() {
      while (!late.isEmpty()) {
        late.remove().run();
      }
    }

    private void disturb() {
      if (!late.isEmpty() && random.nextInt(3) == 0) {
        late.remove().run();
      }
      if (random.nextInt(4) == 0) {
        others.run();
      }
    }

    private <T> T write(String operation, RecordKey key, boolean mayBeLate, Call<T> call) {
      disturb();
      if (random.nextInt(100) >= trouble) {
        return call.run();
      }
      switch (random.nextInt(mayBeLate ? 4 : 3)) {
        case 0 -> throw new StorageUnavailableException(operation, key, true, "no route", null);
        case 1 -> call.run();
        case 2 -> {
          // never sent
        }
        default -> late.add(call::run);
      }
      disturb();
      throw new OutcomeUnknownException(operation, key, "the answer was lost", null);
    }

    private <T> T read(String operation, RecordKey key, Call<T> call) {
      disturb();
      if (random.nextInt(100) < trouble && random.nextInt(3) == 0) {
        throw new StorageUnavailableException(operation, key, true, "no route", null);
      }
      return call.run();
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      return read("get", key, () -> delegate.get(key));
    }

    @Override
    public RecordPage list(ListQuery query) {
      return read("list", null, () -> delegate.list(query));
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      // A late insert after a delete would create again; ids are never reused, so nobody else can.
      return write(
          "putIfVersion",
          key,
          expected != ABSENT,
          () -> delegate.putIfVersion(key, value, expected));
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      return write("deleteIfVersion", key, true, () -> delegate.deleteIfVersion(key, expected));
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      if (exactCreate) {
        return write("createWithin", key, false, () -> createAtomically(key, value, max, now));
      }
      // The default of the interface: every call that it makes goes through this transport.
      return super.createWithin(key, value, max, now);
    }

    private CreateResult createAtomically(RecordKey key, RecordValue value, int max, Instant now) {
      VersionedRecord stored = delegate.get(key).orElse(null);
      if (stored != null) {
        boolean ours = stored.version() == 1 && stored.value().writeId().equals(value.writeId());
        return ours ? Created.CREATED : new Conflict(stored);
      }
      ListQuery everything = new ListQuery(key.partition(), null, false, Integer.MAX_VALUE);
      long active =
          delegate.list(everything).records().stream()
              .filter(r -> r.value().active() && !r.value().isExpired(now))
              .count();
      if (active >= max) {
        return Full.FULL;
      }
      delegate.putIfVersion(key, value, ABSENT);
      return Created.CREATED;
    }
  }

  /** What is known of a task while a history runs. */
  private static final class Known {
    private final String id;
    private final Map<String, Outcome> increments = new HashMap<>();
    private boolean deletable;
    private boolean endable;
    private int writesOfOthers;
    private Task inHand;

    Known(Task task) {
      this.id = task.id();
      this.inHand = task;
    }
  }

  /** One history. In a crowded one most of what happens is creating, up to the limit. */
  private static final class History {
    private static final int MAX_ACTIVE = 3;

    private final Random random;
    private final Owner owner;
    private final MapBackend map;
    private final LossyBackend lossy;
    private final GenericTaskStore store;
    private final GenericTaskStore calm;
    private final Map<String, Known> tasks = new HashMap<>();
    private final Map<String, Outcome> creates = new HashMap<>();
    private final boolean crowded;
    private int tokens;
    private boolean inOthers;

    History(
        long seed,
        MapBackend map,
        LossyBackend lossy,
        GenericTaskStore store,
        GenericTaskStore calm) {
      this.random = new Random(seed);
      this.crowded = random.nextBoolean();
      this.owner = Owner.subject("history" + seed);
      this.map = map;
      this.lossy = lossy;
      this.store = store;
      this.calm = calm;
    }

    void run() {
      add(calm.create(owner, NewTask.of("first")));
      lossy.begin(random, this::others);
      for (int i = 0; i < OPERATIONS; i++) {
        operation();
        checkLimit();
      }
      lossy.deliverLateWrites();
      checkTasks();
      checkCreates();
    }

    private void add(Task task) {
      tasks.put(task.id(), new Known(task));
    }

    private Known any() {
      List<String> ids = new ArrayList<>(tasks.keySet());
      ids.sort(null);
      return tasks.get(ids.get(random.nextInt(ids.size())));
    }

    private String token() {
      return "t" + tokens++;
    }

    // --- the other writers, whose answers are never lost ------------------------------------

    private void others() {
      if (inOthers) {
        return;
      }
      inOthers = true;
      Known known = any();
      try {
        switch (crowded && random.nextBoolean() ? 3 : random.nextInt(12)) {
          case 0 -> {
            calm.delete(owner, known.id);
            known.deletable = true;
          }
          case 1 -> {
            calm.cancel(owner, known.id);
            known.endable = true;
          }
          case 2 -> {
            calm.update(owner, known.id, change().complete(Map.of("by", "others")));
            known.endable = true;
          }
          case 3 -> add(calm.create(owner, NewTask.of("others")));
          default -> {
            String token = token();
            calm.update(owner, known.id, append(token));
            known.increments.put(token, Outcome.DONE);
          }
        }
        known.writesOfOthers++;
      } catch (TaskNotFoundException | TaskEndedException | TaskLimitException e) {
        // It is as the history has left it.
      } finally {
        inOthers = false;
      }
    }

    // --- the store under test ---------------------------------------------------------------

    private static Function<Task, TaskChange> append(String token) {
      return task -> {
        List<Object> log = new ArrayList<>(log(task));
        log.add(token);
        return change().set("log", log);
      };
    }

    private static List<?> log(Task task) {
      return task.variables().as("log", List.class).orElse(List.of());
    }

    private void operation() {
      Known known = any();
      String token = token();
      switch (crowded && random.nextBoolean() ? 0 : random.nextInt(10)) {
        case 0 -> create(token);
        case 1 -> {
          if (attempt(known, token, () -> store.cancel(owner, known.id)) != Outcome.REFUSED) {
            known.endable = true;
          }
        }
        case 2 -> {
          TaskChange completion = change().complete(Map.of("by", token));
          if (attempt(known, token, () -> store.update(known.inHand, completion))
              != Outcome.REFUSED) {
            known.endable = true;
          }
        }
        case 3 -> {
          Outcome outcome =
              attempt(
                  known,
                  token,
                  () -> {
                    store.delete(owner, known.id);
                    assertThat(stored(known)).isNull();
                    return known.inHand;
                  });
          if (outcome != Outcome.REFUSED) {
            known.deletable = true;
          }
        }
        case 4 -> attempt(known, token, () -> store.requestCancel(owner, known.id));
        case 5 ->
            known.increments.put(
                token, attempt(known, token, () -> store.update(owner, known.id, append(token))));
        default ->
            known.increments.put(
                token, attempt(known, token, () -> store.update(known.inHand, append(token))));
      }
    }

    private Outcome attempt(Known known, String token, Supplier<Task> call) {
      int before = known.writesOfOthers;
      boolean deletableBefore = known.deletable;
      boolean endableBefore = known.endable;
      try {
        known.inHand = call.get();
        return Outcome.DONE;
      } catch (TaskNotFoundException e) {
        assertThat(known.deletable || deletableBefore).as("not found, but nobody deleted").isTrue();
        assertThat(stored(known)).isNull();
        return Outcome.REFUSED;
      } catch (TaskEndedException e) {
        assertThat(known.endable || endableBefore).as("ended, but nobody ended it").isTrue();
        assertThat(e.task().result().map(result -> result.get("by")))
            .as("refused because of itself")
            .isNotEqualTo(Optional.of(token));
        return Outcome.REFUSED;
      } catch (TaskConflictException e) {
        assertThat(known.writesOfOthers).as("a conflict, but nobody wrote").isGreaterThan(before);
        return Outcome.REFUSED;
      } catch (TaskStorageException e) {
        return e.isOutcomeUnknown() ? Outcome.UNKNOWN : Outcome.REFUSED;
      }
    }

    private void create(String token) {
      try {
        Task created = store.create(owner, NewTask.of(token));
        creates.put(token, Outcome.DONE);
        // Others may have changed or deleted it before we were told.
        Known known = new Known(created);
        VersionedRecord stored = stored(known);
        known.deletable = stored == null;
        tasks.put(created.id(), known);
      } catch (TaskLimitException e) {
        creates.put(token, Outcome.REFUSED);
      } catch (TaskStorageException e) {
        creates.put(token, e.isOutcomeUnknown() ? Outcome.UNKNOWN : Outcome.REFUSED);
      }
    }

    // --- what must hold ---------------------------------------------------------------------

    private VersionedRecord stored(Known known) {
      return map.get(new RecordKey("t" + owner.storedForm(), known.id)).orElse(null);
    }

    private void checkLimit() {
      long active =
          tasks.values().stream()
              .map(this::stored)
              .filter(record -> record != null && record.value().active())
              .count();
      assertThat(active).as("acknowledged active tasks").isLessThanOrEqualTo(MAX_ACTIVE);
    }

    private void checkTasks() {
      for (Known known : tasks.values()) {
        if (stored(known) == null) {
          assertThat(known.deletable).as("an acknowledged task has vanished").isTrue();
          continue;
        }
        List<?> log = log(calm.get(owner, known.id));
        known.increments.forEach(
            (token, outcome) -> {
              long times = log.stream().filter(token::equals).count();
              switch (outcome) {
                case DONE -> assertThat(times).as("acknowledged %s", token).isEqualTo(1);
                case REFUSED -> assertThat(times).as("refused %s", token).isZero();
                case UNKNOWN -> assertThat(times).as("unknown %s", token).isLessThanOrEqualTo(1);
              }
            });
        assertThat(log).doesNotHaveDuplicates();
      }
    }

    private void checkCreates() {
      Map<String, Integer> found = new HashMap<>();
      calm.list(owner, TaskQuery.newestFirst().pageSize(1_000))
          .tasks()
          .forEach(task -> found.merge(task.method(), 1, Integer::sum));
      creates.forEach(
          (token, outcome) -> {
            int times = found.getOrDefault(token, 0);
            if (outcome == Outcome.REFUSED) {
              assertThat(times).as("refused create %s", token).isZero();
            } else if (lossy.exactCreate) {
              assertThat(times).as("create %s", token).isLessThanOrEqualTo(1);
            }
          });
    }
  }

  @Test
  void histories_exactCreate_areAppliedAtMostOnceAndNeverFalselyRefused() throws Exception {
    run(true);
  }

  @Test
  void histories_defaultCreate_areAppliedAtMostOnceAndNeverFalselyRefused() throws Exception {
    run(false);
  }

  private static void run(boolean exactCreate) throws Exception {
    // Threads of their own have few frames. Below those of a test, the traces of all the exceptions
    // would cost more than the histories.
    ExecutorService threads = Executors.newFixedThreadPool(PARTS);
    try {
      List<Future<?>> parts = new ArrayList<>();
      for (int part = 0; part < PARTS; part++) {
        int first = part;
        parts.add(threads.submit(() -> run(exactCreate, first)));
      }
      for (Future<?> part : parts) {
        part.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  /** Every history of a part, which has a store of its own. */
  private static void run(boolean exactCreate, int part) {
    MapBackend map = new MapBackend();
    LossyBackend lossy = new LossyBackend(map, exactCreate);
    GenericTaskStore store =
        GenericTaskStore.builder(lossy)
            .timing(new VirtualTiming())
            .maxActiveTasks(History.MAX_ACTIVE)
            .build();
    GenericTaskStore calm =
        GenericTaskStore.builder(map).maxActiveTasks(History.MAX_ACTIVE).build();
    for (long seed = part; seed < HISTORIES; seed += PARTS) {
      try {
        new History(seed, map, lossy, store, calm).run();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("history " + seed + ", exactCreate " + exactCreate, e);
      }
      map.clear();
    }
  }
}
