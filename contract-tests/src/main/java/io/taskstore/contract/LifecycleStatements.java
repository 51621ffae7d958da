// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.race;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.winner;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements I: opening and closing. Every test has storages of its own. */
abstract class LifecycleStatements extends DurabilityStatements {
  /** How long a call after {@code close} may take, which is to fail at once. */
  private static final Duration FAST = Duration.ofSeconds(5);

  /** How long calls in flight may take to end. */
  private static final Duration BOUND = Duration.ofSeconds(30);

  /** How long threads and files may take to go after {@code close} has returned. */
  Duration releaseBound() {
    return Duration.ofSeconds(10);
  }

  // --- I1 -----------------------------------------------------------------------------------

  @Test
  final void i1_closingAgain_isHarmless() throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend closed = open(storage);
    StorageBackend bystander = open(storage);
    VersionedRecord before = insert(closed, key("id"), value("before"));

    closed.close();
    closed.close();
    BackendTraits traits = closed.traits();
    closed.close();

    assertThat(traits).as("traits of a closed instance").isEqualTo(traits());
    assertThat(closed.traits()).as("traits of a closed instance").isEqualTo(traits());
    assertClosed(() -> closed.get(key("id")));
    if (bystander != closed) {
      assertThat(bystander.get(key("id"))).contains(before);
      write(bystander, key("id"), value("after"), 1);
    }
  }

  @Test
  final void i1_closingAtOnceFromSeveralThreads_isHarmless() throws Exception {
    for (int round = 0; round < 3; round++) {
      StorageBackend closed = open(newStorage());
      insert(closed, key("id"), value("data"));
      race(
          4,
          number -> {
            closed.close();
            assertClosed(() -> closed.get(key("id")));
            return number;
          });
    }
  }

  @Test
  final void i1_instanceThatWasNeverUsed_canBeClosed() throws Exception {
    StorageBackend closed = open(newStorage());
    closed.close();
    closed.close();
    assertClosed(() -> closed.get(key("id")));
  }

  // --- I2 -----------------------------------------------------------------------------------

  @ParameterizedTest(name = "used before: {0}")
  @ValueSource(booleans = {true, false})
  final void i2_everyCallAfterClose_failsFast(boolean used) throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend closed = open(storage);
    BackendTraits traits = closed.traits();
    if (used) {
      insert(closed, key("id"), value("data"));
    }
    closed.close();

    ListQuery query = new ListQuery(partition(), null, false, 10);
    Map<String, ThrowingCallable> calls = new LinkedHashMap<>();
    for (String id : List.of("id", "missing")) {
      calls.put("get of " + id, () -> closed.get(key(id)));
      calls.put("create of " + id, () -> closed.putIfVersion(key(id), value("new"), 0));
      calls.put("update of " + id, () -> closed.putIfVersion(key(id), value("new"), 1));
      calls.put("deleteIfVersion of " + id, () -> closed.deleteIfVersion(key(id), 1));
      calls.put(
          "createWithin of " + id, () -> closed.createWithin(key(id), value("new"), 10, now()));
      calls.put("put of " + id, () -> closed.put(key(id), value("new")));
      calls.put("delete of " + id, () -> closed.delete(key(id)));
    }
    calls.put("list", () -> closed.list(query));
    calls.put("list from a cursor", () -> closed.list(query.withAfter("id")));
    calls.put("listActive", () -> closed.listActive(query));
    calls.put("purgeExpired", () -> closed.purgeExpired(RecordValue.MAX_EXPIRY, 10));
    for (int round = 0; round < 2; round++) {
      calls.forEach(
          (name, call) -> {
            long start = System.nanoTime();
            assertThatThrownBy(call)
                .as("%s after close", name)
                .isInstanceOf(BackendClosedException.class);
            assertThat(Duration.ofNanos(System.nanoTime() - start))
                .as("time of %s after close", name)
                .isLessThan(FAST);
          });
    }
    assertThat(closed.traits()).as("traits after close").isEqualTo(traits);
  }

  @Test
  final void i2_callsAfterClose_changeNothingForOtherInstances() throws Exception {
    BackendStorage storage = newStorage();
    StorageBackend closed = open(storage);
    StorageBackend bystander = open(storage);
    if (bystander == closed) {
      requireReopening();
    }
    VersionedRecord before = insert(closed, key("id"), value("data", true, now().minusSeconds(60)));
    closed.close();

    assertClosed(() -> closed.putIfVersion(key("id"), value("new"), 1));
    assertClosed(() -> closed.putIfVersion(key("missing"), value("new"), 0));
    assertClosed(() -> closed.put(key("id"), value("new")));
    assertClosed(() -> closed.deleteIfVersion(key("id"), 1));
    assertClosed(() -> closed.delete(key("id")));
    assertClosed(() -> closed.createWithin(key("missing"), value("new"), 10, now()));
    assertClosed(() -> closed.purgeExpired(now(), 10));

    StorageBackend instance = bystander == closed ? open(storage) : bystander;
    assertThat(listAll(instance, partition(), false, 10)).containsExactly(before);
    assertThat(instance.get(key("id"))).contains(before);
    VersionedRecord after = write(instance, key("id"), value("after"), 1);
    StorageBackend late = open(storage);
    if (late != closed) {
      assertThat(late.get(key("id"))).contains(after);
    }
  }

  // --- I3 -----------------------------------------------------------------------------------

  @Test
  final void i3_closeWithCallsInFlight_endsThemInBoundedTime() throws Exception {
    for (int round = 0; round < 3; round++) {
      BackendStorage storage = newStorage();
      StorageBackend closing = open(storage);
      StorageBackend bystander = open(storage);
      insert(closing, key("shared"), value("shared"));

      List<Worker> workers = closeUnderLoad(closing);

      StorageBackend afterwards = bystander;
      if (bystander == closing) {
        if (!storage.reopens()) {
          continue;
        }
        afterwards = open(storage);
      }
      for (Worker worker : workers) {
        worker.check(afterwards);
      }
      StorageBackend alive = afterwards;
      assertThat(alive.get(key("shared"))).as("the record that all wrote").isPresent();
      insert(alive, key("new"), value("new"));
    }
  }

  @Test
  final void i3_closeWithCallsInFlight_keepsWhatWasAcknowledged() throws Exception {
    requireReopening();
    BackendStorage storage = newStorage();
    StorageBackend closing = open(storage);
    insert(closing, key("shared"), value("shared"));

    List<Worker> workers = closeUnderLoad(closing);

    StorageBackend reopened = open(storage);
    for (Worker worker : workers) {
      worker.check(reopened);
    }
  }

  /** Closes an instance while eight threads use it; returns what they know. */
  private List<Worker> closeUnderLoad(StorageBackend closing) throws Exception {
    int number = 8;
    CountDownLatch busy = new CountDownLatch(number);
    AtomicBoolean closeBegan = new AtomicBoolean();
    AtomicBoolean closeReturned = new AtomicBoolean();
    List<Worker> workers = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(number + 1);
    try {
      List<Future<?>> ends = new ArrayList<>();
      for (int i = 0; i < number; i++) {
        Worker worker = new Worker(closing, i, busy, closeBegan, closeReturned);
        workers.add(worker);
        ends.add(threads.submit(worker::work));
      }
      ends.add(
          threads.submit(
              () -> {
                // Each of them has made every kind of call, and is in the middle of another.
                assertThat(busy.await(BOUND.toSeconds(), TimeUnit.SECONDS))
                    .as("all threads make their calls")
                    .isTrue();
                closeBegan.set(true);
                closing.close();
                closeReturned.set(true);
                return null;
              }));
      long deadline = System.nanoTime() + 2 * BOUND.toNanos();
      for (Future<?> end : ends) {
        // Whatever a thread met that it should not have is thrown here.
        end.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
    } finally {
      threads.shutdownNow();
    }
    return workers;
  }

  /** Calls an instance until that is closed, and keeps account of a record of its own. */
  private final class Worker {
    private static final int BUSY_CALLS = 16;

    private final StorageBackend backend;
    private final int number;
    private final CountDownLatch busy;
    private final AtomicBoolean closeBegan;
    private final AtomicBoolean closeReturned;
    private final RecordKey own;
    private @Nullable VersionedRecord acknowledged;
    private @Nullable VersionedRecord unknown;

    Worker(
        StorageBackend backend,
        int number,
        CountDownLatch busy,
        AtomicBoolean closeBegan,
        AtomicBoolean closeReturned) {
      this.backend = backend;
      this.number = number;
      this.busy = busy;
      this.closeBegan = closeBegan;
      this.closeReturned = closeReturned;
      this.own = key("own" + number);
    }

    void work() {
      int calls = 0;
      try {
        while (unknown == null && makesCall(calls)) {
          calls++;
          if (calls == BUSY_CALLS) {
            busy.countDown();
          }
        }
      } finally {
        if (calls < BUSY_CALLS) {
          busy.countDown();
        }
      }
    }

    /** Makes a call; returns whether the instance was open. */
    private boolean makesCall(int number) {
      boolean isClosed = closeReturned.get();
      try {
        call(number);
        assertThat(isClosed).as("a call after close has ended normally").isFalse();
      } catch (BackendClosedException e) {
        assertThat(closeBegan.get()).as("it was closed when a call said so").isTrue();
        return false;
      } catch (StorageException e) {
        assertThat(closeBegan.get()).as("it was closed when a call failed with %s", e).isTrue();
        assertThat(isClosed).as("a call after close has failed with %s", e).isFalse();
      }
      return true;
    }

    private void call(int i) {
      ListQuery query = new ListQuery(partition(), null, i % 2 == 0, 5);
      switch (i % 8) {
        case 0, 4 -> writeOwn();
        case 1 -> assertThat(backend.get(own)).isEqualTo(Optional.ofNullable(acknowledged));
        case 2 ->
            assertThat(backend.list(query).records())
                .as("a listing of a partition that has records")
                .isNotEmpty();
        case 3 ->
            assertThat(backend.put(key("shared"), value("by " + number)))
                .as("a version of the record that all write")
                .isGreaterThan(1);
        case 5 ->
            assertThat(backend.get(key("shared"))).as("the record that all write").isPresent();
        case 6 -> backend.listActive(query);
        default -> {
          RecordKey passing = key("passing" + number + "-" + i);
          if (backend.createWithin(passing, value("passing"), 100, now()) == Created.CREATED) {
            backend.deleteIfVersion(passing, 1);
          }
          backend.purgeExpired(RecordValue.MIN_EXPIRY, 5);
        }
      }
    }

    private void writeOwn() {
      VersionedRecord last = acknowledged;
      long expected = last == null ? 0 : last.version();
      VersionedRecord next = new VersionedRecord(own, value("own " + expected), expected + 1);
      try {
        assertThat(backend.putIfVersion(own, next.value(), expected))
            .as("a write that nobody races with")
            .isEqualTo(new Written(next.version()));
        acknowledged = next;
      } catch (OutcomeUnknownException e) {
        unknown = next;
        throw e;
      }
    }

    /** What was acknowledged is there; what failed is not, unless that is unknown. */
    void check(StorageBackend afterwards) {
      VersionedRecord last = acknowledged;
      VersionedRecord perhaps = unknown;
      assertThat(last).as("a write of each thread was acknowledged").isNotNull();
      VersionedRecord found = stored(afterwards, own);
      if (perhaps == null || !found.equals(perhaps)) {
        assertThat(found).as("the last write that was acknowledged").isEqualTo(last);
      }
    }
  }

  // --- I4, I5 -------------------------------------------------------------------------------

  @Test
  final void i4_threadsAndFilesOfAnInstance_areReleasedByClose() throws Exception {
    // What a process opens once, for all instances, stays.
    boolean single = useOnce(newStorage());
    Resources beforeStorage = Resources.ofThisProcess();
    BackendStorage storage = newStorage();
    StorageBackend bystander = single ? null : open(storage);
    if (bystander != null) {
      use(bystander, "bystander");
    }
    Resources before = single ? beforeStorage : Resources.ofThisProcess();

    StorageBackend instance = open(storage);
    use(instance, "instance");
    instance.close();

    assertReleased(before);
    if (bystander != null) {
      use(bystander, "afterwards");
    }
  }

  @Test
  final void i4_instanceThatWasUsedByManyThreads_isReleasedByClose() throws Exception {
    boolean single = useOnce(newStorage());
    Resources beforeStorage = Resources.ofThisProcess();
    BackendStorage storage = newStorage();
    Resources before = single ? beforeStorage : Resources.ofThisProcess();

    StorageBackend instance = open(storage);
    race(
        8,
        number -> {
          use(instance, "thread" + number);
          return number;
        });
    instance.close();

    assertReleased(before);
  }

  @Test
  final void i5_openingAndClosingAHundredTimes_leaksNothing() throws Exception {
    boolean single = useOnce(newStorage());
    BackendStorage storage = newStorage();
    StorageBackend witness = single ? null : open(storage);
    if (witness != null) {
      insert(witness, key("count"), value("0"));
    }
    Resources before = Resources.ofThisProcess();

    for (int round = 1; round <= 100; round++) {
      if (witness == null) {
        BackendStorage another = harness().newStorage();
        try (another;
            StorageBackend instance = another.open()) {
          insert(instance, key("id"), value("data"));
        }
      } else {
        try (StorageBackend instance = storage.open()) {
          write(instance, key("count"), value("" + round), round);
        }
      }
    }

    assertReleased(before);
    if (witness != null) {
      assertThat(stored(witness, key("count")).version()).isEqualTo(101);
    }
  }

  /** Makes every call once. */
  private void use(StorageBackend backend, String id) {
    RecordKey key = new RecordKey(partition() + "-" + id, id);
    ListQuery query = new ListQuery(key.partition(), null, false, 10);
    VersionedRecord written = insert(backend, key, value("a"));
    written = write(backend, key, value("b", true, RecordValue.MAX_EXPIRY), written.version());
    assertThat(winner(backend.putIfVersion(key, value("late"), 0))).isEqualTo(written);
    assertThat(backend.get(key)).contains(written);
    assertThat(backend.list(query).records()).hasSizeLessThanOrEqualTo(1);
    assertThat(backend.listActive(query).heads()).hasSizeLessThanOrEqualTo(1);
    RecordKey second = new RecordKey(key.partition(), id + "2");
    assertThat(backend.createWithin(second, value("c"), 10, now())).isEqualTo(Created.CREATED);
    assertThat(backend.put(second, value("d"))).isEqualTo(2);
    assertThat(backend.purgeExpired(now(), 10)).isZero();
    assertThat(backend.delete(second)).isTrue();
    assertThat(backend.deleteIfVersion(key, 2)).isEqualTo(Deleted.DELETED);
  }

  /** Opens, uses and closes an instance; returns whether the storage has only that one object. */
  private boolean useOnce(BackendStorage storage) {
    StorageBackend first = open(storage);
    boolean single = open(storage) == first;
    use(first, "once");
    first.close();
    return single;
  }

  private void assertReleased(Resources before) {
    Resources after = Resources.ofThisProcess();
    // Threads may take their time to end, but nobody else's are waited for.
    List<String> left = after.beyond(before, after);
    long deadline = System.nanoTime() + releaseBound().toNanos();
    while (!left.isEmpty() && System.nanoTime() < deadline) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
      left = Resources.ofThisProcess().beyond(before, after);
    }
    assertThat(left)
        .as(
            "threads and files that are left after close; the storage may be open in another"
                + " instance of this process")
        .isEmpty();
  }

  /**
   * What a process has to give back.
   *
   * @param threads those that are alive
   * @param files what the file descriptors stand for; empty where the system does not say
   */
  private record Resources(Set<Thread> threads, List<String> files) {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    static Resources ofThisProcess() {
      Set<Thread> threads = Collections.newSetFromMap(new IdentityHashMap<>());
      for (Thread thread : Thread.getAllStackTraces().keySet()) {
        if (!isOfTheJdk(thread)) {
          threads.add(thread);
        }
      }
      List<String> files = new ArrayList<>();
      String[] descriptors = new File(DESCRIPTORS.toString()).list();
      for (String descriptor : descriptors == null ? new String[0] : descriptors) {
        try {
          String file = Files.readSymbolicLink(DESCRIPTORS.resolve(descriptor)).toString();
          if (!isOfTheJdk(file)) {
            files.add(file);
          }
        } catch (IOException e) {
          // It was closed in the meantime.
        }
      }
      return new Resources(threads, files);
    }

    /** What is here and was not before; only what was there at the {@code end}, too. */
    List<String> beyond(Resources before, Resources end) {
      List<String> beyond = new ArrayList<>();
      for (Thread thread : threads) {
        if (!before.threads.contains(thread) && end.threads.contains(thread)) {
          beyond.add("thread " + thread.getName());
        }
      }
      List<String> known = new ArrayList<>(before.files);
      List<String> relevant = new ArrayList<>(end.files);
      for (String file : files) {
        if (relevant.remove(file) && !known.remove(file)) {
          beyond.add("file " + file);
        }
      }
      return beyond;
    }

    /** The cleaner, the compiler, the common pool: they come when they are needed. */
    private static boolean isOfTheJdk(Thread thread) {
      return thread.getClass().getName().startsWith("jdk.internal.")
          || thread.getName().startsWith("ForkJoinPool.commonPool-")
          || (thread.getThreadGroup() != null
              && thread.getThreadGroup().getName().equals("system"));
    }

    /** Classes are loaded from archives when they are needed; random numbers come from a device. */
    private static boolean isOfTheJdk(String file) {
      return file.endsWith(".jar")
          || file.endsWith("/lib/modules")
          || file.startsWith("/dev/")
          || file.startsWith("/proc/")
          || file.startsWith("/sys/");
    }
  }

  // --- I6 -----------------------------------------------------------------------------------

  @Test
  final void i6_threeInstancesOpenAnEmptyStorageAtOnce_allWork() throws Exception {
    for (int round = 0; round < 3; round++) {
      BackendStorage storage = newStorage();
      int openers = 3;
      List<RecordValue> values = new ArrayList<>();
      for (int i = 0; i < openers; i++) {
        values.add(value("by " + i));
      }

      List<StorageBackend> instances = new ArrayList<>();
      List<PutResult> firsts = new ArrayList<>();
      for (Map.Entry<StorageBackend, PutResult> opened :
          race(
              openers,
              number -> {
                StorageBackend instance = open(storage);
                insert(instance, key("own" + number), values.get(number));
                RecordKey limited = key("limited" + number);
                assertThat(instance.createWithin(limited, values.get(number), 1_000, now()))
                    .isEqualTo(Created.CREATED);
                PutResult first = instance.putIfVersion(key("first"), values.get(number), 0);
                return Map.entry(instance, first);
              })) {
        instances.add(opened.getKey());
        firsts.add(opened.getValue());
      }

      assertThat(Collections.frequency(firsts, new Written(1)))
          .as("creates of one key that succeeded")
          .isEqualTo(1);
      VersionedRecord first =
          new VersionedRecord(key("first"), values.get(firsts.indexOf(new Written(1))), 1);
      assertThat(Collections.frequency(firsts, new Conflict(first))).isEqualTo(openers - 1);
      List<VersionedRecord> expected = new ArrayList<>();
      expected.add(first);
      for (String id : List.of("limited", "own")) {
        for (int i = 0; i < openers; i++) {
          expected.add(new VersionedRecord(key(id + i), values.get(i), 1));
        }
      }
      for (StorageBackend instance : instances) {
        assertThat(listAll(instance, partition(), false, 100)).isEqualTo(expected);
        for (VersionedRecord stored : expected) {
          assertThat(instance.get(stored.key())).contains(stored);
        }
      }
      for (int i = 0; i < openers; i++) {
        write(instances.get(i), key("first"), value("next"), 1 + i);
      }
    }
  }

  // --- helpers ------------------------------------------------------------------------------

  private static void assertClosed(ThrowingCallable call) {
    assertThatThrownBy(call).isInstanceOf(BackendClosedException.class);
  }
}
