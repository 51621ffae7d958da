// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.CrashChecks.First;
import io.taskstore.file.CrashFiles.Point;
import io.taskstore.file.CrashFiles.Seen;
import io.taskstore.file.CrashFiles.When;
import io.taskstore.file.CrashHistory.LostException;
import io.taskstore.file.FileStorageBackend.Durability;
import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.VersionedRecord;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Kills processes and looks at what they leave. Two kinds: at each step of each {@link CrashCase},
 * by the process itself; and at random moments, from outside, one of several processes that work on
 * the same directory.
 *
 * <p>A failure says how to come to it again, and keeps its directory.
 */
final class CrashCampaign implements AutoCloseable {
  /** Processes that run at the same time. */
  private static final int AT_ONCE = 3;

  /** As many random rounds are done with one directory. */
  private static final int ROUNDS = 8;

  /** After this many the campaign ends: the others would say the same. */
  private static final int MOST_FAILURES = 20;

  private static final List<First> FIRST = List.of(First.values());

  private final Logger logger = silenced();
  private final long seed;
  private final Path base;
  private final CrashReport report = new CrashReport();
  private final AtomicInteger directories = new AtomicInteger();
  private final Path leaf;
  private final List<CrashWrite> fillers = new ArrayList<>();

  CrashCampaign(long seed) throws IOException {
    this.seed = seed;
    this.base = Files.createTempDirectory("taskstore-crash");
    this.leaf = prepareLeaf();
  }

  CrashReport report() {
    return report;
  }

  private static StorageBackend open(Path root, Recovery recovery) {
    // The time for a lock is short: nobody has one.
    return FileStorageBackend.builder(root)
        .durability(Durability.OS)
        .lockTimeout(Duration.ofSeconds(2))
        .recovery(recovery)
        .build();
  }

  private static Logger silenced() {
    Logger logger = Logger.getLogger(FileStorageBackend.class.getName());
    logger.setLevel(Level.OFF); // it would tell of every damaged file
    return logger;
  }

  /** A leaf that is full. */
  private Path prepareLeaf() throws IOException {
    Path root = base.resolve("leaf");
    try (StorageBackend backend = open(root, Recovery.FAIL)) {
      for (int i = 0; i < PartitionFiles.LEAF_SIZE; i++) {
        RecordKey key = new RecordKey("ts:alice", CrashCase.FILLER + i);
        CrashWrite write = new CrashWrite(key, 1, "filler-" + i, false, null, 100);
        backend.putIfVersion(key, write.value(), 0);
        fillers.add(write);
      }
    }
    FileAccess files = new FileAccess(false);
    return new PartitionFiles(files, root.resolve("p"), "ts:alice").done.resolve("%");
  }

  // --- at each step -------------------------------------------------------------------------

  /** One process that is to die. */
  record Planned(CrashCase how, Point point, String step) {}

  /** All steps that the cases have: each before and after it, and the writes in four places. */
  List<Planned> everyPoint() throws IOException {
    List<Planned> points = new ArrayList<>();
    for (CrashCase how : CrashCase.values()) {
      List<Seen> steps = steps(how);
      for (int i = 1; i <= steps.size(); i++) {
        Seen step = steps.get(i - 1);
        for (When when : When.values()) {
          boolean happens = when == When.BEFORE || step.isDone();
          if (happens && (step.isWrite() || when.compareTo(When.AFTER) <= 0)) {
            points.add(planned(how, i, when, step));
          }
        }
      }
    }
    return points;
  }

  /**
   * One of each state in which the disk can be: after each step that changes something that others
   * can see; of writes also in the middle.
   */
  List<Planned> everyChange() throws IOException {
    List<Planned> points = new ArrayList<>();
    When[] middles = {When.AT_HALF, When.AT_PAGE, When.AT_LAST, When.AT_FIRST};
    int writes = 0;
    for (CrashCase how : CrashCase.values()) {
      List<Seen> steps = steps(how);
      for (int i = 1; i <= steps.size(); i++) {
        Seen step = steps.get(i - 1);
        // Whatever a file in the making has, it is removed.
        if (step.isChange() && step.isDone() && !(step.isWrite() && step.isHidden())) {
          points.add(planned(how, i, When.AFTER, step));
          if (step.isWrite()) {
            points.add(planned(how, i, middles[writes++ % middles.length], step));
          }
        }
      }
    }
    return points;
  }

  private static Planned planned(CrashCase how, int step, When when, Seen seen) {
    return new Planned(how, new Point(step, when), when + " " + seen);
  }

  /** The steps of a case that comes to its end. */
  private List<Seen> steps(CrashCase how) throws IOException {
    Path root = newDirectory();
    prepare(how, root, new CrashHistory());
    CrashFiles files = new CrashFiles(true, root, null);
    try (CrashChild.Teller nobody =
        new CrashChild.Teller(new FileOutputStream(base.resolve("nobody").toFile()))) {
      CrashChild.run(how, root, "steps", files, nobody);
    } catch (StorageException e) {
      throw new AssertionError(how + " cannot be done, also if nobody dies: " + root, e);
    }
    delete(root);
    String needed = how.mustHave();
    boolean has = needed == null;
    for (Seen step : files.seen()) {
      has |= step.isDone() && step.toString().equals(needed);
    }
    if (!has) {
      throw new AssertionError(how + " lacks " + needed + " and has " + files.seen());
    }
    return files.seen();
  }

  private void prepare(CrashCase how, Path root, CrashHistory history) throws IOException {
    if (how.isBare()) {
      return;
    }
    try (StorageBackend backend = open(root, Recovery.FAIL)) {
      CrashWriter writer = new CrashWriter(backend, "prepare", history::hear);
      CrashCase.Stage stage = new CrashCase.Stage(root, writer, history, leaf, fillers);
      stage.writeBystanders();
      how.prepare(stage);
    }
  }

  /** Kills one process at each of some points. */
  void killAt(List<Planned> points) throws InterruptedException {
    inParallel(
        AT_ONCE,
        points.size(),
        i -> {
          Planned planned = points.get(i);
          Path root = newDirectory();
          First first = FIRST.get(i % FIRST.size());
          boolean isOpen = i % 2 == 0 && !planned.how().isOpening();
          String name =
              "%s, %s, step %d; the next call is %s, an instance of another process is %s"
                  .formatted(
                      planned.how(),
                      planned.step(),
                      planned.point().step(),
                      first,
                      isOpen ? "open" : "not open");
          guarded(name, root, () -> killAt(planned, root, first, isOpen));
        });
  }

  private void killAt(Planned planned, Path root, First first, boolean isOpen)
      throws IOException, InterruptedException, LostException {
    CrashCase how = planned.how();
    CrashHistory history = new CrashHistory();
    prepare(how, root, history);
    StorageBackend open = isOpen ? open(root, how.recovery()) : null;
    try {
      CrashProcess child =
          CrashProcess.start(
              history,
              "point",
              root.toString(),
              "child",
              how.name(),
              String.valueOf(planned.point().step()),
              planned.point().when().name());
      child.awaitEnd();
      if (history.hasEnded()) {
        throw new LostException("the process has not come to that step: " + child.errors());
      }
      history.checkTroubles();
      report.killed(
          planned.point().when().compareTo(When.AFTER) <= 0 ? "at a step" : "in a write",
          how.name(),
          planned.step());
      StorageBackend backend = open == null ? open(root, how.recovery()) : open;
      open = backend;
      CrashChecks checks = new CrashChecks(root, history, "check");
      checks.afterDeath(backend, first);
      backend.close();
      open = open(root, how.recovery());
      checks.files(how.recovery() != Recovery.FAIL);
      checks.purgeAll(open);
      report.checked(history);
    } finally {
      if (open != null) {
        open.close();
      }
    }
  }

  // --- at random moments --------------------------------------------------------------------

  /** Kills processes at random moments, three in each round. */
  void killAtRandom(int kills) throws InterruptedException {
    int rounds = (kills + AT_ONCE - 1) / AT_ONCE;
    int lanes = (rounds + ROUNDS - 1) / ROUNDS;
    // Each round has three processes, so one lane is enough to keep a machine busy.
    inParallel(
        1,
        lanes,
        lane -> {
          Path root = newDirectory();
          int last = Math.min(ROUNDS, rounds - lane * ROUNDS);
          Lane work = new Lane(root, seed + lane);
          guarded(
              "random moments, seed %d, directory %d of %d".formatted(seed, lane + 1, lanes),
              root,
              () -> work.run(last));
        });
  }

  /** Some rounds on one directory. */
  private final class Lane {
    private final Path root;
    private final long laneSeed;
    private final Random random;
    private final CrashHistory history = new CrashHistory();

    Lane(Path root, long laneSeed) {
      this.root = root;
      this.laneSeed = laneSeed;
      this.random = new Random(laneSeed);
    }

    void run(int rounds) throws IOException, InterruptedException, LostException {
      try (StorageBackend backend = open(root, Recovery.FAIL)) {
        CrashWriter writer = new CrashWriter(backend, "prepare", history::hear);
        for (int i = 0; i < CrashWork.SHARED; i++) {
          writer.put(CrashWork.shared(i), 0, true, null, 300);
        }
      }
      for (int round = 0; round < rounds; round++) {
        try {
          round(round);
        } catch (LostException e) {
          throw new LostException(
              "round " + round + " of seed " + laneSeed + ": " + e.getMessage());
        }
      }
      try (StorageBackend backend = open(root, Recovery.FAIL)) {
        new CrashChecks(root, history, "last").purgeAll(backend);
      }
      report.checked(history);
    }

    private void round(int round) throws IOException, InterruptedException, LostException {
      First first = FIRST.get(random.nextInt(FIRST.size()));
      boolean isOpen = round % 2 == 0;
      StorageBackend open = isOpen ? open(root, Recovery.FAIL) : null;
      List<CrashProcess> children = new ArrayList<>();
      try {
        for (int i = 0; i < AT_ONCE; i++) {
          children.add(
              CrashProcess.start(
                  history,
                  "work",
                  root.toString(),
                  laneSeed + "-" + round + "-" + i,
                  String.valueOf(laneSeed * 1_000 + round * 10L + i * 3L),
                  String.valueOf(i * 2),
                  String.valueOf(1 + random.nextInt(2)),
                  (random.nextBoolean() ? Durability.FLUSH : Durability.OS).name()));
        }
        for (CrashProcess child : children) {
          child.awaitAcknowledgements(1);
        }
        CrashReader reader = open == null ? null : new CrashReader(open, history);
        kill(children.get(0));
        // The others go on as if nothing had happened.
        for (CrashProcess child : children.subList(1, AT_ONCE)) {
          child.awaitAcknowledgements(child.acknowledged() + 10);
        }
        kill(children.get(1));
        kill(children.get(2));
        if (reader != null) {
          reader.end();
        }
        StorageBackend backend = open == null ? open(root, Recovery.FAIL) : open;
        open = backend;
        CrashChecks checks = new CrashChecks(root, history, laneSeed + "-check-" + round);
        checks.afterDeath(backend, first);
        backend.close();
        open = open(root, Recovery.FAIL);
        checks.files(false);
      } finally {
        for (CrashProcess child : children) {
          child.kill();
        }
        if (open != null) {
          open.close();
        }
      }
    }

    private void kill(CrashProcess child) throws InterruptedException, LostException {
      child.awaitAcknowledgements(child.acknowledged() + random.nextInt(20));
      LockSupport.parkNanos(
          random.nextInt(4) == 0 ? random.nextInt(5_000_000) : random.nextInt(500_000));
      if (!child.kill()) {
        throw new LostException("a process has ended by itself: " + child.errors());
      }
      report.killed("at a random moment", "three processes", "any");
    }
  }

  /** Reads while others write; what it has seen must not go away. */
  private static final class CrashReader {
    private final StorageBackend backend;
    private final CrashHistory history;
    private final Thread thread;

    /** What has gone; a deletion may be heard of later. */
    private final Set<RecordKey> absent = ConcurrentHashMap.newKeySet();

    private volatile boolean ended;
    private volatile @Nullable String trouble;

    CrashReader(StorageBackend backend, CrashHistory history) {
      this.backend = backend;
      this.history = history;
      this.thread = new Thread(this::read, "reader");
      thread.setDaemon(true);
      thread.start();
    }

    private void read() {
      try {
        while (!ended && trouble == null) {
          for (RecordKey key : history.keys()) {
            boolean wasDeleted = history.isDeleted(key);
            long least = history.leastVersion(key);
            VersionedRecord stored = backend.get(key).orElse(null);
            if (stored == null) {
              if (least > 0) {
                absent.add(key);
              }
            } else {
              history.seen(stored);
              if (wasDeleted || absent.contains(key) || stored.version() < least) {
                trouble = "a reader saw %s after version %d was there".formatted(stored, least);
              }
            }
          }
          LockSupport.parkNanos(1_000_000);
        }
      } catch (StorageException e) {
        trouble = "a reader failed: " + e;
      }
    }

    /** Ends when all that was said was heard. */
    void end() throws InterruptedException, LostException {
      ended = true;
      thread.join();
      for (RecordKey key : absent) {
        if (history.leastVersion(key) > 0) {
          trouble = "LOST: a reader saw that " + key + " is absent, and nobody has deleted it";
        }
      }
      String found = trouble;
      if (found != null) {
        throw new LostException(found);
      }
    }
  }

  // --- helpers ------------------------------------------------------------------------------

  private interface Numbered {
    void run(int number);
  }

  private interface Guarded {
    void run() throws IOException, InterruptedException, LostException;
  }

  private void guarded(String name, Path root, Guarded work) {
    try {
      work.run();
      delete(root);
    } catch (IOException | LostException | StorageException e) {
      report.failed("%s\n  %s\n  the directory is kept: %s".formatted(name, e, root));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void inParallel(int threads, int count, Numbered work) throws InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        int number = i;
        all.add(
            pool.submit(
                () -> {
                  if (report.failures().size() < MOST_FAILURES) {
                    work.run(number);
                  }
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    } catch (ExecutionException e) {
      throw new AssertionError(e);
    } finally {
      pool.shutdownNow();
    }
  }

  private Path newDirectory() {
    return base.resolve("d" + directories.incrementAndGet());
  }

  private static void delete(Path root) throws IOException {
    if (!Files.exists(root)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  /** Leaves nothing but the directories of failures. */
  @Override
  public void close() throws IOException {
    logger.setLevel(null);
    if (report.failures().isEmpty()) {
      delete(base);
    }
  }
}
