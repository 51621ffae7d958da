// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static io.taskstore.file.FileLocksValues.seen;
import static io.taskstore.file.FileLocksValues.value;
import static io.taskstore.file.FileLocksValues.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What writers that stop, die, or are interrupted mean to all others. */
final class FileLocksTest {
  private static final Duration SHORT = Duration.ofMillis(200);

  @TempDir private Path root;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final String partition = partition();
  private final RecordKey key = new RecordKey(partition, "a");

  @AfterEach
  void stop() throws InterruptedException {
    threads.shutdownNow();
    threads.awaitTermination(60, TimeUnit.SECONDS);
  }

  private FileStorageBackend open() {
    return FileStorageBackend.builder(root).lockTimeout(SHORT).build();
  }

  private static <T> T within(Future<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  /** A writer that has stopped at a step. */
  private final class Stopped implements AutoCloseable {
    private final FileLocksGate files = new FileLocksGate();
    private final FileStorageBackend backend =
        FileStorageBackend.builder(root).lockTimeout(SHORT).build(files);
    private final CountDownLatch reached = new CountDownLatch(1);
    private final CountDownLatch goOn = new CountDownLatch(1);
    private final Future<?> call;
    private final boolean isReached;

    Stopped(FileLocksGate.Choice where, int nth, Writer writer) throws Exception {
      this(where, nth, writer, false);
    }

    Stopped(FileLocksGate.Choice where, int nth, Writer writer, boolean fails) throws Exception {
      files.arm(
          where,
          nth,
          (step, path) -> {
            reached.countDown();
            try {
              goOn.await();
            } catch (InterruptedException e) {
              throw new IOException(e);
            }
            if (fails) {
              throw new IOException("Input/output error");
            }
          });
      call =
          threads.submit(
              () -> {
                try {
                  writer.write(backend);
                } finally {
                  reached.countDown();
                }
                return null;
              });
      reached.await();
      isReached = files.isOver();
    }

    void goOn() throws Exception {
      goOn.countDown();
      within(call);
    }

    @Override
    public void close() {
      goOn.countDown();
      try {
        call.get(60, TimeUnit.SECONDS);
      } catch (Exception e) {
        // What it says is for who asks.
      }
      backend.close();
    }
  }

  private interface Writer {
    void write(FileStorageBackend backend) throws Exception;
  }

  private static FileLocksGate.Choice before(Step step) {
    return (at, isAfter) -> at == step && !isAfter;
  }

  // --- closing ------------------------------------------------------------------------------

  @Test
  void close_ofAnotherInstance_keepsTheLocksOfAWriter() throws Exception {
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      assertThat(child.ask("open 200")).isEqualTo("opened");
      assertThat(child.ask("put " + partition + " a 0 v")).isEqualTo("written 1");
      try (Stopped writer =
          new Stopped(before(Step.FLUSH), 1, backend -> write(backend, key, value("w"), 1))) {
        assertThat(writer.isReached).isTrue();
        try (FileStorageBackend other = open()) {
          assertThat(seen(other, key)).isEqualTo("1 v");
          assertThat(other.list(new ListQuery(partition, null, false, 9)).records()).hasSize(1);
          assertThat(other.purgeExpired(NOW, 10)).isZero();
        }
        assertThat(child.ask("put " + partition + " a 1 x"))
            .startsWith("StorageUnavailableException retryable putIfVersion of ");
        writer.goOn();
      }
      assertThat(child.ask("put " + partition + " a 1 x")).isEqualTo("conflict 2");
    }
  }

  // --- waiting ------------------------------------------------------------------------------

  @Test
  void putIfVersion_lockIsHeldByAProcess_namesOperationKeyAndHolder() throws Exception {
    try (FileStorageBackend backend = open();
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, key, value("v"), 0);
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("stop before FLUSH 1")).isEqualTo("armed");
      assertThat(child.ask("put " + partition + " a 1 w")).isEqualTo("stopped");

      assertThatThrownBy(() -> backend.putIfVersion(key, value("x"), 1))
          .isInstanceOfSatisfying(
              StorageUnavailableException.class,
              e -> {
                assertThat(e.isRetryable()).isTrue();
                assertThat(e.operation()).isEqualTo("putIfVersion");
                assertThat(e.key()).contains(key);
              })
          .hasMessageContaining("putIfVersion of " + key)
          .hasMessageContaining("PT0.2S")
          .hasMessageContaining(child.pid() + "@");

      child.kill();
      assertThat(backend.putIfVersion(key, value("x"), 1)).as("it is dead").isNotNull();
      assertThat(seen(backend, key)).startsWith("2 ");
    }
  }

  @Test
  void everyWrite_lockIsHeld_isRefusedAndCanBeRepeated() throws Exception {
    try (FileStorageBackend backend = open();
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, key, value("v", true, NOW), 0);
      assertThat(child.ask("hold " + StoreLocks.ofRecord(key.hashCode()))).isEqualTo("held");

      assertRefused(() -> backend.putIfVersion(key, value("w"), 1));
      assertRefused(() -> backend.createWithin(key, value("w"), 9, NOW));
      assertRefused(() -> backend.deleteIfVersion(key, 1));
      assertRefused(() -> backend.purgeExpired(NOW, 9));

      assertThat(child.ask("free")).isEqualTo("freed");
      assertThat(backend.purgeExpired(NOW, 9)).isEqualTo(1);
      assertThat(backend.createWithin(key, value("w"), 9, NOW)).isEqualTo(Created.CREATED);
      assertThat(child.ask("hold " + StoreLocks.ofPartition(partition.hashCode())))
          .isEqualTo("held");
      RecordKey other = new RecordKey(partition, "b");
      assertRefused(() -> backend.putIfVersion(other, value("w"), 0));
      assertRefused(() -> backend.createWithin(other, value("w"), 9, NOW));
      assertThat(backend.putIfVersion(key, value("x"), 1)).isEqualTo(new Written(2));
      assertThat(FileLocksValues.temporaries(root)).isEmpty();
    }
  }

  private static void assertRefused(Callable<?> write) {
    assertThatThrownBy(write::call)
        .isInstanceOfSatisfying(
            StorageUnavailableException.class, e -> assertThat(e.isRetryable()).isTrue());
  }

  @Test
  void putIfVersion_oneThreadWithoutPauses_lockIsNotKeptFromAProcess() throws Exception {
    AtomicBoolean ends = new AtomicBoolean();
    AtomicInteger writes = new AtomicInteger();
    try (FileStorageBackend backend = FileStorageBackend.open(root);
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, key, value("v"), 0);
      assertThat(child.ask("open 20000")).isEqualTo("opened");
      Future<?> writer =
          threads.submit(
              () -> {
                long version = 1;
                while (!ends.get()) {
                  PutResult result = backend.putIfVersion(key, value("v"), version);
                  version = result instanceof Written written ? written.version() : winner(result);
                  writes.incrementAndGet();
                }
              });
      try {
        for (int i = 0; i < 3; i++) {
          assertThat(child.ask("put " + partition + " a 0 w")).startsWith("conflict ");
        }
      } finally {
        ends.set(true);
        within(writer);
      }
      assertThat(writes.get()).isPositive();
    }
  }

  private static long winner(PutResult result) {
    VersionedRecord winner = ((Conflict) result).winner();
    return winner == null ? 0 : winner.version();
  }

  // --- readers ------------------------------------------------------------------------------

  private String listed(FileStorageBackend backend) {
    return backend.list(new ListQuery(partition, null, false, 9)).records().stream()
        .map(stored -> stored.version() + " " + FileLocksValues.text(stored))
        .collect(Collectors.joining(","));
  }

  private String active(FileStorageBackend backend) {
    return backend.listActive(new ListQuery(partition, null, false, 9)).heads().stream()
        .map(head -> head.key().id())
        .collect(Collectors.joining(","));
  }

  /** Stops a writer before each of its steps, and reads. */
  private void readAtEveryStep(Writer prepare, Writer writer, String old, String after)
      throws Exception {
    String oldActive = old.isEmpty() ? "" : "a";
    int steps = 0;
    boolean isReached = true;
    int shownOld = 0;
    for (int nth = 1; isReached; nth++) {
      try (FileStorageBackend reader =
          FileStorageBackend.builder(root).lockTimeout(Duration.ofMinutes(2)).build()) {
        prepare.write(reader);
        FileLocksGate.Choice each =
            (step, isAfter) -> !isAfter && step != Step.READ && step != Step.LIST;
        try (Stopped stopped = new Stopped(each, nth, writer)) {
          isReached = stopped.isReached;
          if (isReached) {
            steps++;
            String listed = within(threads.submit(() -> listed(reader)));
            String got = within(threads.submit(() -> seen(reader, key)));
            String active = within(threads.submit(() -> active(reader)));
            assertThat(listed).as("list at step %s", nth).isIn(old, after);
            assertThat(got).as("get at step %s", nth).isIn(orAbsent(old), orAbsent(after));
            assertThat(got.equals(orAbsent(after)))
                .as("get shows it once list has, at step %s", nth)
                .isEqualTo(listed.equals(after));
            if (listed.equals(old)) {
              shownOld++;
              assertThat(active).as("listActive at step %s", nth).isEqualTo(oldActive);
            }
            stopped.goOn();
          } else {
            within(stopped.call);
          }
          assertThat(listed(reader)).as("at the end").isEqualTo(after);
        }
        reader.get(key).ifPresent(stored -> reader.deleteIfVersion(key, stored.version()));
      }
    }
    assertThat(steps).as("steps").isGreaterThan(3);
    assertThat(shownOld).as("steps at which the old one is seen").isGreaterThan(1);
  }

  private static String orAbsent(String listed) {
    return listed.isEmpty() ? "absent" : listed;
  }

  @Test
  void read_updateIsStoppedAtAnyStep_showsOldOrNewAtOnce() throws Exception {
    readAtEveryStep(
        backend -> write(backend, key, value("v"), 0),
        backend -> write(backend, key, value("w", true, NOW), 1),
        "1 v",
        "2 w");
  }

  @Test
  void read_createIsStoppedAtAnyStep_showsOldOrNewAtOnce() throws Exception {
    readAtEveryStep(
        backend -> {}, backend -> write(backend, key, value("v", true, NOW), 0), "", "1 v");
  }

  @Test
  void read_finishIsStoppedAtAnyStep_showsOldOrNewAtOnce() throws Exception {
    readAtEveryStep(
        backend -> write(backend, key, value("v"), 0),
        backend -> write(backend, key, value("w", false, NOW), 1),
        "1 v",
        "2 w");
  }

  @Test
  void read_compactionIsStoppedAtAnyStep_showsOldOrNewAtOnce() throws Exception {
    String large = "x".repeat(150 * 1_024);
    readAtEveryStep(
        backend -> {
          for (int version = 0; version < 8; version++) {
            write(backend, key, value(large), version);
          }
        },
        backend -> write(backend, key, value("w"), 8),
        "8 " + large,
        "9 w");
  }

  @Test
  void read_deleteIsStoppedAtAnyStep_showsOldOrNewAtOnce() throws Exception {
    readAtEveryStep(
        backend -> write(backend, key, value("v"), 0),
        backend -> assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED),
        "1 v",
        "");
  }

  @Test
  void read_writerOfAProcessIsStoppedBeforeItsMark_showsTheOldUntilItIsKilled() throws Exception {
    try (FileStorageBackend backend = open();
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, key, value("v"), 0);
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("stop after FLUSH 1")).isEqualTo("armed");
      assertThat(child.ask("put " + partition + " a 1 w")).isEqualTo("stopped");
      for (int i = 0; i < 3; i++) {
        assertThat(seen(backend, key)).isEqualTo("1 v");
        assertThat(listed(backend)).isEqualTo("1 v");
        assertThat(active(backend)).isEqualTo("a");
      }
      child.kill();
      assertThat(seen(backend, key)).isEqualTo("2 w");
      assertThat(listed(backend)).isEqualTo("2 w");
      write(backend, key, value("x"), 2);
    }
  }

  @Test
  void read_writerOfAProcessIsStoppedBeforeItsMark_showsTheNewWhenItGoesOn() throws Exception {
    try (FileStorageBackend backend = open();
        FileLocksProcess child = FileLocksProcess.start(root)) {
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("stop before FLUSH_DIRECTORY 3")).isEqualTo("armed");
      assertThat(child.ask("put " + partition + " a 0 v")).isEqualTo("stopped");
      assertThat(seen(backend, key)).isEqualTo("absent");
      assertThat(listed(backend)).isEmpty();
      child.send("goes on");
      assertThat(child.answer()).isEqualTo("written 1");
      assertThat(seen(backend, key)).isEqualTo("1 v");
    }
  }

  // --- counting -----------------------------------------------------------------------------

  @Test
  void createWithin_finishIsNotFlushedYet_isFull() throws Exception {
    RecordKey next = new RecordKey(partition, "b");
    try (FileStorageBackend backend = open()) {
      write(backend, key, value("v"), 0);
      try (Stopped finish =
          new Stopped(
              before(Step.FLUSH),
              1,
              other -> write(other, key, value("w", false, null), 1),
              true)) {
        assertThat(finish.isReached).isTrue();
        assertThat(backend.createWithin(next, value("v"), 1, NOW))
            .as("the finish is not known to have happened, and will not have")
            .isEqualTo(Full.FULL);
        assertThatThrownBy(finish::goOn).hasCauseInstanceOf(StorageUnavailableException.class);
      }
      assertThat(listed(backend)).isEqualTo("1 v");
      assertThat(backend.createWithin(next, value("v"), 1, NOW)).isEqualTo(Full.FULL);
      write(backend, key, value("w", false, null), 1);
      assertThat(backend.createWithin(next, value("v"), 1, NOW)).isEqualTo(Created.CREATED);
    }
  }

  @Test
  void createWithin_finishWasLeftBeforeItsMark_takesThePlace() throws Exception {
    RecordKey next = new RecordKey(partition, "b");
    try (FileStorageBackend backend = open();
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, key, value("v"), 0);
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("stop before FLUSH 1")).isEqualTo("armed");
      assertThat(child.ask("put " + partition + " a 1 w inactive")).isEqualTo("stopped");
      child.kill();
      assertThat(backend.createWithin(next, value("v"), 1, NOW)).isEqualTo(Created.CREATED);
      assertThat(seen(backend, key)).isEqualTo("2 w");
      assertThat(active(backend)).isEqualTo("b");
    }
  }

  // --- interrupts ---------------------------------------------------------------------------

  @Test
  void everyCall_threadIsInterruptedAllTheTime_endsTypedAndKeepsTheFlag() throws Exception {
    int workers = 4;
    AtomicInteger running = new AtomicInteger(workers);
    AtomicInteger refused = new AtomicInteger();
    AtomicInteger unknown = new AtomicInteger();
    AtomicInteger written = new AtomicInteger();
    AtomicInteger sent = new AtomicInteger();
    List<Thread> busy = new ArrayList<>();
    RecordKey counter = new RecordKey(partition, "counter");
    try (FileStorageBackend backend = FileStorageBackend.open(root);
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, counter, value("0"), 0);
      write(backend, key, value("v"), 0);
      Stopped holder =
          new Stopped(before(Step.FLUSH), 1, other -> write(other, key, value("w"), 1));
      List<Future<?>> futures = new ArrayList<>();
      for (int i = 0; i < workers; i++) {
        int number = i;
        futures.add(
            threads.submit(
                () -> {
                  synchronized (busy) {
                    busy.add(Thread.currentThread());
                  }
                  try {
                    for (int n = 0; n < 20 || sent.get() <= 1_000; n++) {
                      Thread.currentThread().interrupt(); // at least this one, in each call
                      try {
                        if (increment(backend, counter)) {
                          written.incrementAndGet();
                        }
                        backend.list(new ListQuery(partition, null, false, 9));
                        RecordKey own = new RecordKey(partition, number + "-" + n % 7);
                        backend
                            .get(own)
                            .ifPresent(it -> backend.deleteIfVersion(own, it.version()));
                        backend.createWithin(own, value("v"), 100, NOW);
                      } catch (StorageUnavailableException e) {
                        refused.incrementAndGet();
                      } catch (OutcomeUnknownException e) {
                        unknown.incrementAndGet();
                      }
                      assertThat(Thread.interrupted()).as("the flag is kept").isTrue();
                    }
                  } finally {
                    running.decrementAndGet();
                    synchronized (busy) {
                      busy.remove(Thread.currentThread());
                    }
                    Thread.interrupted();
                  }
                  return null;
                }));
      }
      SplittableRandom random = new SplittableRandom(1);
      while (running.get() > 0) {
        synchronized (busy) {
          for (Thread thread : busy) {
            thread.interrupt();
            sent.incrementAndGet();
          }
        }
        long pause = System.nanoTime() + random.nextInt(300_000);
        while (System.nanoTime() < pause) {
          Thread.onSpinWait();
        }
      }
      for (Future<?> future : futures) {
        within(future);
      }

      assertThat(sent.get()).as("interrupts").isGreaterThan(1_000);
      assertThat(written.get()).as("writes that succeeded all the same").isGreaterThan(10);
      assertThat(unknown.get()).as("unknown outcomes").isZero();
      String count = FileLocksValues.text(backend.get(counter).orElseThrow());
      assertThat(Integer.parseInt(count)).isEqualTo(written.get());
      assertThat(FileLocksValues.temporaries(root)).isEmpty();
      // One lock was held all the time: it is still.
      assertThat(child.ask("open 200")).isEqualTo("opened");
      assertThat(child.ask("put " + partition + " a 1 x"))
          .startsWith("StorageUnavailableException retryable");
      holder.goOn();
      holder.close();
      assertThat(child.ask("put " + partition + " a 2 x")).isEqualTo("written 3");
      write(backend, key, value("y"), 3);
    }
  }

  private static boolean increment(FileStorageBackend backend, RecordKey counter) {
    VersionedRecord seen = backend.get(counter).orElseThrow();
    long count = Long.parseLong(FileLocksValues.text(seen));
    return backend.putIfVersion(counter, value(String.valueOf(count + 1)), seen.version())
        instanceof Written;
  }

  @Test
  void putIfVersion_interruptedWhileItWaits_writesNothing() throws Exception {
    try (FileStorageBackend backend =
            FileStorageBackend.builder(root).lockTimeout(Duration.ofMinutes(2)).build();
        FileLocksProcess child = FileLocksProcess.start(root)) {
      write(backend, key, value("v"), 0);
      assertThat(child.ask("hold " + StoreLocks.ofRecord(key.hashCode()))).isEqualTo("held");
      Future<Boolean> waiting =
          threads.submit(
              () -> {
                Thread.currentThread().interrupt();
                assertThatThrownBy(() -> backend.putIfVersion(key, value("w"), 1))
                    .isInstanceOfSatisfying(
                        StorageUnavailableException.class,
                        e -> assertThat(e.isRetryable()).isFalse())
                    .hasMessageContaining("interrupted")
                    .hasMessageContaining("nothing was written");
                return Thread.interrupted();
              });
      assertThat(within(waiting)).as("the flag is kept").isTrue();
      assertThat(child.ask("free")).isEqualTo("freed");
      assertThat(seen(backend, key)).isEqualTo("1 v");
      write(backend, key, value("w"), 1);
    }
  }

  @Test
  void open_interruptedThread_opensAndKeepsTheFlag() {
    Thread.currentThread().interrupt();
    FileStorageBackend backend = open();
    assertThat(Thread.interrupted()).isTrue();
    write(backend, key, value("v"), 0);
    Thread.currentThread().interrupt();
    backend.close();
    assertThat(Thread.interrupted()).isTrue();
  }
}
