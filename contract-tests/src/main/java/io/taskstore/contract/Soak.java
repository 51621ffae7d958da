// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.InputRequest;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskConflictException;
import io.taskstore.TaskContext;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskHandler;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.Variables;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Two servers that share a storage, and many tasks that are worked on, asked about, answered,
 * cancelled and waited for, while one server after the other dies, stands still or shuts down, and
 * is replaced by a fresh one. In the end every task has ended once, as it was meant to, and nothing
 * that was acknowledged is lost or done twice.
 *
 * <p>A task has some steps. Each adds its number to a list, so that the list shows what was lost or
 * done twice in what is stored.
 */
final class Soak {
  /*
   * Tasks come in epochs. An epoch ends when all its tasks have ended; then everything that is known
   * of them is compared with what is stored, and they are deleted, so that a long soak needs no more
   * room than a short one. The servers know nothing of epochs.
   */

  static final Duration LEASE = Duration.ofMillis(400);
  static final Duration PROGRESS_INTERVAL = Duration.ofMillis(20);

  private static final int SLOTS = 2;
  private static final int WAITERS = 16;
  private static final int MAX_UNFINISHED = 32;
  private static final int EPOCH = 250;
  private static final InputRequest QUESTION =
      InputRequest.of("elicitation/create", Map.of("message", "Go on?"));

  /** What a task does besides its steps. */
  private enum Kind {
    PLAIN,
    /** Asks in the middle. */
    ASKS,
    /** Fails in the middle. */
    FAILS,
    /** Takes long, so that others have it in hand when a worker comes back. */
    TAKES_LONG,
    /** Somebody asks for its cancellation, sometimes too late. */
    REQUESTED_TO_CANCEL,
    /** Somebody cancels it, sometimes too late. */
    CANCELLED
  }

  /** How a server can go. */
  private enum Departure {
    DIES,
    STANDS_STILL,
    CLOSES,
    SHUTS_DOWN
  }

  /**
   * What happened.
   *
   * @param tasks how many tasks have ended
   * @param servers how many servers there were
   * @param resumed how many runs of a handler were not the first of their task
   */
  record Summary(long tasks, long servers, long resumed) {
    @Override
    public String toString() {
      return "%,d tasks, %,d servers, %,d resumed runs".formatted(tasks, servers, resumed);
    }
  }

  /** How many steps a version of a task has at least. */
  private record Stored(long version, int steps) {
    static Stored newer(Stored one, Stored other) {
      return one.version() > other.version() ? one : other;
    }
  }

  private final BackendStorage storage;
  private final SoakServer.StoreMaker maker;
  private final String ownerText;
  private final Duration patience;
  private final RandomGenerator random;
  private final SoakLog log;
  private final AtomicReferenceArray<SoakServer> servers = new AtomicReferenceArray<>(SLOTS);
  private final AtomicInteger serversMade = new AtomicInteger();
  private final AtomicInteger resumedRuns = new AtomicInteger();
  private final AtomicInteger numbers = new AtomicInteger();

  /** What was acknowledged of each task, the newest. */
  private final Map<String, Stored> stored = new ConcurrentHashMap<>();

  /** In which slot a task was worked on last. */
  private final Map<String, Integer> slots = new ConcurrentHashMap<>();

  private final Set<String> begun = ConcurrentHashMap.newKeySet();

  private volatile boolean stopping;

  /** The tasks that somebody is to care for; null for a moment between two epochs. */
  private volatile @Nullable Epoch current;

  /**
   * @param patience how long anything may take that must happen
   */
  Soak(
      BackendStorage storage,
      SoakServer.StoreMaker maker,
      Clock clock,
      String ownerText,
      Duration patience,
      RandomGenerator random) {
    this.storage = storage;
    this.maker = maker;
    this.ownerText = ownerText;
    this.patience = patience;
    this.random = random;
    this.log = new SoakLog(clock);
  }

  /** What was wrong, nothing if all is well. */
  List<String> problems() {
    return log.problems();
  }

  /** Goes on for at least so long and so many tasks, or until something is wrong. */
  Summary run(Duration atLeast, int tasks) throws Exception {
    long begin = System.nanoTime();
    for (int slot = 0; slot < SLOTS; slot++) {
      servers.set(slot, newServer());
    }
    List<Thread> helpers =
        List.of(helper("chaos", this::replaceServers), helper("steward", this::careForTasks));
    long done = 0;
    try {
      while (!log.hasProblems()
          && (done < tasks || System.nanoTime() - begin < atLeast.toNanos())) {
        int number = (int) Math.min(EPOCH, Math.max(tasks - done, EPOCH / 5));
        done += epoch(Owner.client(ownerText + "-" + done), number);
      }
    } finally {
      stopping = true;
      for (Thread helper : helpers) {
        helper.join(patience.toMillis());
        if (helper.isAlive()) {
          log.problem("the thread " + helper.getName() + " has not ended");
        }
      }
      for (int slot = 0; slot < SLOTS; slot++) {
        retire(Departure.CLOSES, server(slot));
      }
    }
    return new Summary(done, serversMade.get(), resumedRuns.get());
  }

  private SoakServer server(int slot) {
    return Objects.requireNonNull(servers.get(slot));
  }

  private SoakServer anyServer() {
    return server(ThreadLocalRandom.current().nextInt(SLOTS));
  }

  private SoakServer newServer() {
    serversMade.incrementAndGet();
    return new SoakServer(storage.open(), log.new Ear(), maker);
  }

  @FunctionalInterface
  private interface Work {
    void run() throws Exception;
  }

  private Thread helper(String name, Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (Throwable e) {
                log.problem("the thread %s has failed: %s".formatted(name, e));
              }
            },
            SoakServer.THREADS + name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void pause(long fromMillis, long toMillis) {
    LockSupport.parkNanos(
        TimeUnit.MICROSECONDS.toNanos(
            ThreadLocalRandom.current().nextLong(fromMillis * 1_000, toMillis * 1_000)));
  }

  // --- servers come and go ------------------------------------------------------------------

  private void replaceServers() throws Exception {
    SoakServer frozen = null;
    while (!stopping) {
      pause(50, 250);
      anyServer().loseAnAnswer(oneOf(CuttingBackend.Fate.values()));
      int slot = random.nextInt(SLOTS);
      Departure departure = oneOf(Departure.values());
      SoakServer leaving = server(slot);
      if (departure == Departure.STANDS_STILL) {
        leaving.freeze();
        servers.set(slot, newServer());
        if (frozen != null) {
          retire(Departure.STANDS_STILL, frozen);
        }
        frozen = leaving; // until others have its tasks
        pause(LEASE.toMillis(), 2 * LEASE.toMillis());
      } else {
        servers.set(slot, newServer());
        retire(departure, leaving);
      }
    }
    if (frozen != null) {
      retire(Departure.STANDS_STILL, frozen);
    }
  }

  private <T> T oneOf(T[] choices) {
    return choices[random.nextInt(choices.length)];
  }

  private void retire(Departure departure, SoakServer server) throws InterruptedException {
    switch (departure) {
      case DIES -> server.die();
      case STANDS_STILL -> {
        server.thaw();
        pause(20, 50); // its workers go on, and find out
      }
      case SHUTS_DOWN -> server.interruptWorkers();
      case CLOSES -> {
        // Closed in the middle.
      }
    }
    server.close();
    // The records may live in the instance: then there is only one, which the harness closes.
    boolean isShared = false;
    for (int slot = 0; slot < SLOTS; slot++) {
      isShared |= server(slot) != server && server(slot).instance() == server.instance();
    }
    if (!isShared) {
      server.instance().close();
    }
  }

  // --- tasks come and go --------------------------------------------------------------------

  /** The owner of the epoch's tasks, and what waits for them. */
  private final class Epoch {
    private final Owner owner;
    private final Semaphore places = new Semaphore(MAX_UNFINISHED);
    private final BlockingQueue<Task> waited = new LinkedBlockingQueue<>();

    /** How the tasks whose creation was acknowledged have ended, as the waiters were told. */
    private final Map<String, Task> ended = new ConcurrentHashMap<>();

    private volatile boolean isCreated;

    Epoch(Owner owner) {
      this.owner = owner;
    }

    /** Starts a task, or does not know. */
    void start() throws InterruptedException {
      if (!places.tryAcquire(patience.toMillis(), TimeUnit.MILLISECONDS)) {
        log.problem("the tasks do not end");
        return;
      }
      int slot = ThreadLocalRandom.current().nextInt(SLOTS);
      SoakServer server = server(slot);
      try {
        waited.add(server.store().start(owner, newTask(), server.workers(), handler(server, slot)));
      } catch (TaskStorageException | RejectedExecutionException e) {
        places.release(); // the server has gone
      }
    }

    void waitForEnds() throws InterruptedException {
      while (true) {
        boolean wasCreated = isCreated;
        Task task = waited.poll(10, TimeUnit.MILLISECONDS);
        if (task != null) {
          waitFor(task);
          places.release();
        } else if (wasCreated || log.hasProblems()) {
          return;
        }
      }
    }

    private void waitFor(Task task) throws InterruptedException {
      long deadline = System.nanoTime() + patience.toNanos();
      while (!log.hasProblems()) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
          log.problem("%s has not ended: %s".formatted(task, stored.get(task.id())));
          return;
        }
        try {
          Task seen =
              anyServer()
                  .store()
                  .awaitTerminal(owner, task.id(), Duration.ofNanos(Math.min(left, 2_000_000_000)));
          if (seen.isTerminal()) {
            ended.put(seen.id(), seen);
            return;
          }
        } catch (TaskStorageException e) {
          pause(1, 5); // the server has gone
        } catch (TaskNotFoundException e) {
          log.problem("a task whose creation was acknowledged is not there: " + e.getMessage());
          return;
        }
      }
    }
  }

  /** Returns how many tasks have ended. */
  private int epoch(Owner owner, int number) throws Exception {
    Epoch epoch = new Epoch(owner);
    current = epoch;
    List<Thread> waiters = new ArrayList<>();
    for (int i = 0; i < WAITERS; i++) {
      waiters.add(helper("waiter-" + i, epoch::waitForEnds));
    }
    for (int i = 0; i < number && !log.hasProblems(); i++) {
      epoch.start();
    }
    epoch.isCreated = true;
    for (Thread waiter : waiters) {
      waiter.join();
    }
    List<Task> tasks = log.hasProblems() ? List.of() : allEnded(owner);
    current = null;
    if (!log.hasProblems()) {
      check(epoch, tasks);
    }
    if (!log.hasProblems()) {
      delete(tasks);
      log.forget();
      stored.clear();
      slots.clear();
      begun.clear();
    }
    return tasks.size();
  }

  /** All tasks, when those have ended, too, whose creation nobody knows of. */
  private List<Task> allEnded(Owner owner) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (true) {
      List<Task> tasks = insisting(store -> TaskSamples.listAll(store, owner));
      if (tasks.stream().allMatch(Task::isTerminal)) {
        return tasks;
      }
      if (System.nanoTime() - deadline > 0) {
        log.problem(
            "some tasks have not ended: " + tasks.stream().filter(t -> !t.isTerminal()).toList());
        return tasks;
      }
      pause(10, 20);
    }
  }

  private void delete(List<Task> tasks) {
    for (Task task : tasks) {
      boolean unused =
          insisting(
              store -> {
                try {
                  store.delete(task.owner(), task.id());
                } catch (TaskNotFoundException e) {
                  // The store that was asked before has done it.
                }
                return true;
              });
    }
  }

  /** Asks a server, and another one if that has gone. */
  private <T> T insisting(Function<TaskStore, T> call) {
    long deadline = System.nanoTime() + patience.toNanos();
    while (true) {
      try {
        return call.apply(anyServer().store());
      } catch (TaskStorageException | TaskConflictException e) {
        if (System.nanoTime() - deadline > 0) {
          throw e;
        }
        pause(1, 5);
      }
    }
  }

  private NewTask newTask() {
    int number = numbers.incrementAndGet();
    Kind kind = Kind.values()[number % Kind.values().length];
    return NewTask.of("soak")
        .set("number", number)
        .set("kind", kind.name())
        .set("steps", 3 + number % 5)
        .set("done", List.of());
  }

  private static Kind kind(Task task) {
    return Kind.valueOf(task.variables().string("kind").orElseThrow());
  }

  private static int integer(Task task, String name) {
    return Math.toIntExact(task.variables().integer(name).orElseThrow());
  }

  private static int middle(Task task) {
    return 2 + integer(task, "number") % 2;
  }

  private static String answer(Task task) {
    return "answer " + integer(task, "number");
  }

  private static List<Object> done(Variables variables) {
    return new ArrayList<>(
        (List<?>) Objects.requireNonNull(variables.asMap().get("done"), "the steps that are done"));
  }

  // --- what somebody does about every task --------------------------------------------------

  /** Answers and cancels, and lets workers try to go on with every task, whoever has it. */
  private void careForTasks() {
    while (!stopping) {
      Epoch epoch = current;
      if (epoch != null) {
        try {
          for (Task task :
              TaskSamples.listAll(
                      anyServer().store(), epoch.owner, TaskQuery.oldestFirst().activeOnly())
                  .tasks()) {
            careFor(task);
          }
        } catch (TaskStorageException e) {
          // The server has gone.
        }
      }
      pause(5, 30);
    }
  }

  private void careFor(Task task) {
    int slot = ThreadLocalRandom.current().nextInt(SLOTS);
    SoakServer server = server(slot);
    try {
      if (task.status() == TaskStatus.INPUT_REQUIRED) {
        TaskStore elsewhere = server(SLOTS - 1 - slots.getOrDefault(task.id(), slot)).store();
        Task unused =
            elsewhere.provideInput(task.owner(), task.id(), Map.of("go on", answer(task)));
      } else if (kind(task) == Kind.CANCELLED && !done(task.variables()).isEmpty()) {
        Task unused = server.store().cancel(task.owner(), task.id());
      } else if (kind(task) == Kind.REQUESTED_TO_CANCEL && !done(task.variables()).isEmpty()) {
        Task unused = server.store().requestCancel(task.owner(), task.id());
      }
      Optional<Task> unused =
          server.store().resume(task.owner(), task.id(), server.workers(), handler(server, slot));
    } catch (TaskStorageException | RejectedExecutionException e) {
      // The server has gone.
    } catch (TaskEndedException | TaskConflictException e) {
      // Somebody was faster.
    } catch (TaskNotFoundException e) {
      // It was not kept, since the workers were gone, or its epoch is over. If a task that was kept
      // is not there, whoever waits for it finds out.
    }
  }

  // --- the work -----------------------------------------------------------------------------

  private TaskHandler handler(SoakServer server, int slot) {
    return context -> work(context, server, slot);
  }

  private @Nullable Object work(TaskContext context, SoakServer server, int slot) throws Exception {
    Task task = context.task();
    String id = task.id();
    slots.put(id, slot);
    if (!begun.add(id)) {
      resumedRuns.incrementAndGet();
    }
    List<Object> done = done(context.variables());
    // Who begins late may have lost the task already: what it knows is old, and it cannot write.
    Stored known = stored.get(id);
    if (known != null && known.version() < task.version() && done.size() < known.steps()) {
      log.problem("%s were acknowledged, the next worker finds %s".formatted(known, done));
    }
    int steps = integer(task, "steps");
    for (int step = done.size() + 1; step <= steps; step++) {
      context.throwIfCancelled();
      pause(0, 6);
      if (kind(task) == Kind.TAKES_LONG) {
        server.standStill(random(150));
      }
      if (step == middle(task)) {
        inTheMiddle(context);
      }
      done.add((long) step);
      TaskContext unused = context.set("done", done).progress(step, steps);
      if (random(2) == 0) {
        boolean flushed =
            insisting(
                () -> {
                  context.flush();
                  return true;
                });
        if (flushed) {
          stored.merge(id, new Stored(context.task().version(), step), Stored::newer);
        }
      }
    }
    Map<String, Integer> result = Map.of("steps", steps);
    if (random(2) == 0) {
      return result;
    }
    boolean unused = insisting(() -> context.complete(result));
    return null;
  }

  private void inTheMiddle(TaskContext context) throws Exception {
    Task task = context.task();
    switch (kind(task)) {
      case ASKS -> {
        String answer = insisting(() -> context.ask("go on", QUESTION, String.class, patience));
        if (!answer.equals(answer(task))) {
          log.problem("%s got \"%s\"".formatted(task, answer));
        }
        TaskContext unused = context.set("answer", answer);
      }
      case FAILS -> throw new IllegalStateException("as planned");
      case PLAIN, TAKES_LONG, CANCELLED, REQUESTED_TO_CANCEL -> {
        // Goes on.
      }
    }
  }

  private static int random(int bound) {
    return ThreadLocalRandom.current().nextInt(bound);
  }

  @FunctionalInterface
  private interface Attempt<T> {
    T run() throws Exception;
  }

  /** A handler that goes on when its storage is in trouble for a moment. */
  private static <T> T insisting(Attempt<T> attempt) throws Exception {
    while (true) {
      try {
        return attempt.run();
      } catch (TaskStorageException e) {
        if (!e.isRetryable() && !e.isOutcomeUnknown()) {
          throw e;
        }
      } catch (TaskConflictException e) {
        // Others keep writing.
      }
      pause(1, 5);
    }
  }

  // --- the end ------------------------------------------------------------------------------

  private void check(Epoch epoch, List<Task> tasks) throws InterruptedException {
    Map<String, Task> byId = new HashMap<>();
    for (Task task : tasks) {
      byId.put(task.id(), task);
      checkEnd(task);
    }
    epoch.ended.forEach(
        (id, seen) -> {
          Task now = byId.get(id);
          if (now == null || !TaskSamples.content(now).equals(TaskSamples.content(seen))) {
            log.problem("%s was seen finished, and is %s now".formatted(seen, now));
          }
        });
    for (int slot = 0; slot < SLOTS; slot++) {
      server(slot).ear().catchUp(server(slot).store(), patience);
    }
    // Who writes last may be told of last: a listener is told when the writer's thread goes on.
    long deadline = System.nanoTime() + patience.toNanos() / 4;
    for (Task task : tasks) {
      SoakLog.Findings found = log.findings(task);
      while (found.certain().isEmpty()
          && !found.open().isEmpty()
          && System.nanoTime() - deadline < 0) {
        pause(10, 20);
        found = log.findings(task);
      }
      found.certain().forEach(log::problem);
      found.open().forEach(log::problem);
    }
  }

  /** Checks that a task has ended as it was meant to, and that no step is lost or done twice. */
  private void checkEnd(Task task) {
    int steps = integer(task, "steps");
    Kind kind = kind(task);
    List<Object> done = done(task.variables());
    List<Object> expected = new ArrayList<>();
    for (long step = 1; step <= done.size(); step++) {
      expected.add(step);
    }
    if (!done.equals(expected)) {
      log.problem("%s has done %s".formatted(task, done));
    }
    boolean isRight =
        switch (task.status()) {
          case COMPLETED ->
              kind != Kind.FAILS
                  && done.size() == steps
                  && task.result().equals(Optional.of(Map.of("steps", (long) steps)))
                  && (kind != Kind.ASKS
                      || task.variables().string("answer").equals(Optional.of(answer(task))));
          case FAILED -> kind == Kind.FAILS && done.size() == middle(task) - 1;
          case CANCELLED -> kind == Kind.CANCELLED || kind == Kind.REQUESTED_TO_CANCEL;
          default -> false;
        };
    if (!isRight) {
      log.problem(
          "%s of kind %s ended after %d of %d steps: %s, %s"
              .formatted(task, kind, done.size(), steps, task.result(), task.error()));
    }
  }
}
