// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
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
import java.lang.System.Logger.Level;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The task store over any {@link StorageBackend}. What it knows of tasks beyond the storage is of
 * passing use: who waits, which handlers run here, and finished tasks in a cache. So any number of
 * stores may share a backend, and any number of backends a storage.
 *
 * <p>Calls to the backend: {@code create} makes one, {@code get} one, an update of the task in hand
 * one and one more for every attempt that another writer won, an update by id one more to read it.
 * A page of a list is one call; of unfinished tasks only it is one, and one for each unfinished
 * task looked at; with a filter by status it is as many as it takes to fill the page, at most
 * {@value #MAX_SCANS}.
 *
 * <p>Threads: a store has none until something is to be done later (a handler runs, somebody waits,
 * a sweeper or a listener is set); then it has a few daemon threads, given back when idle.
 *
 * <p>The backend belongs to whoever opened it: the store never closes it. Close the store first.
 */
public final class GenericTaskStore implements TaskStore {
  /** The most backend pages that are read for one page with a filter by status. */
  private static final int MAX_SCANS = 10;

  /** The least that such a page reads at once: a small page may have to look at many tasks. */
  private static final int MIN_SCAN = 200;

  /** How often an id that is taken is replaced: with 125 random bits, once is a broken source. */
  private static final int MAX_ID_COLLISIONS = 3;

  /** How many tasks the sweeper removes in one call. */
  private static final int SWEEP_LIMIT = 1_000;

  /** For how long a store that is closed waits for the last writes of its handlers. */
  private static final Duration LAST_WRITES = Duration.ofSeconds(5);

  private static final String CREATE = "create a task";
  private static final String READ = "read task";
  private static final String LIST = "list tasks";
  private static final String UPDATE = "update task";
  private static final String DELETE = "delete task";
  private static final String PURGE = "purge expired tasks";

  /** Tasks are one kind of record among others to come; the kinds' partitions never meet. */
  private static final char PARTITION_KIND = 't';

  private static final System.Logger LOGGER = System.getLogger(GenericTaskStore.class.getName());

  private final StorageBackend backend;
  private final boolean closesBackend;
  private final Clock clock;
  private final TaskIds ids;
  private final WriteIds writeIds;
  private final TaskRules rules;
  private final StorageCalls calls;
  private final int maxActiveTasks;
  private final int maxUpdateAttempts;
  private final Duration clockSkewAllowance;
  private final boolean localOwnerAllowed;
  private final Timing timing;
  private final Scheduler scheduler;
  private final TaskWaits waits;
  private final TaskEvents events;
  private final @Nullable FinishedTasks finished;
  private final RunningTasks running = new RunningTasks();
  private final Duration lease;
  private final Duration progressInterval;
  private final Function<? super Throwable, TaskError> errorMapper;
  private final AtomicBoolean closed = new AtomicBoolean();

  private GenericTaskStore(Builder options) {
    this.backend = options.backend;
    this.closesBackend = options.closesBackend;
    this.clock = options.clock;
    SecureRandom secure = new SecureRandom();
    this.ids = new TaskIds(options.random == null ? secure : options.random);
    this.writeIds = new WriteIds(secure);
    this.rules =
        new TaskRules(
            options.limits,
            new TaskRules.Lifetimes(
                options.defaultTtl,
                options.maxTtl,
                options.keepResultFor,
                options.defaultPollInterval),
            options.validator,
            options.backend.traits().maxDataBytes());
    this.calls = new StorageCalls(options.backend, options.operationTimeout, options.timing);
    this.maxActiveTasks = options.maxActiveTasks;
    this.maxUpdateAttempts = options.maxUpdateAttempts;
    this.clockSkewAllowance = options.clockSkewAllowance;
    this.localOwnerAllowed = options.localOwnerAllowed;
    this.timing = options.timing;
    this.scheduler = options.scheduler == null ? new ThreadScheduler() : options.scheduler;
    this.waits =
        new TaskWaits(
            scheduler, timing, (owner, key) -> read(owner, key, calls.operation(READ, key.id())));
    this.events = new TaskEvents(options.listeners, options.clock);
    this.finished =
        options.cacheBytes == 0
            ? null
            : new FinishedTasks(options.cacheBytes, options.cacheMaxAge, timing);
    this.lease = options.lease;
    this.progressInterval = options.progressInterval;
    this.errorMapper = options.errorMapper;
    if (!options.sweepInterval.isZero() && !backend.traits().purgesItself()) {
      new Sweeper(options.sweepInterval).scheduleNext();
    }
  }

  /** Returns a store over a backend, with all defaults. */
  public static GenericTaskStore over(StorageBackend backend) {
    return builder(backend).build();
  }

  /** Returns a builder of a store over a backend. */
  public static Builder builder(StorageBackend backend) {
    return new Builder(backend);
  }

  // --- creating -----------------------------------------------------------------------------

  @Override
  public Task create(Owner owner, NewTask newTask) {
    Objects.requireNonNull(newTask, "newTask");
    return told(owner, null, CREATE, () -> create(owner, newTask, null));
  }

  /**
   * @param worker who begins to work on it at once; null for nobody
   */
  private Task create(Owner owner, NewTask newTask, @Nullable String worker) {
    String partition = partition(owner);
    StorageCalls.Operation operation = calls.operation(CREATE);
    int collisions = 0;
    boolean mayRemain = false;
    while (true) {
      Instant now = now();
      String id = ids.mint(now);
      TaskRules.Draft draft = rules.create(owner, id, newTask, leaseOf(worker, now), now);
      RecordKey key = new RecordKey(partition, id);
      CreateResult result;
      TaskEvents.Ticket ticket = events.begin(key);
      try {
        result = calls.create(operation, key, value(draft), maxActiveTasks, now);
        if (result instanceof Created) {
          Task created = task(owner, draft, 1);
          events.committed(ticket, new TaskEvent.Created(now(), created));
          return created;
        }
      } catch (TaskStorageException e) {
        if (mayRemain && !e.isOutcomeUnknown()) {
          throw StorageCalls.unknown(operation, e.storageFailure());
        }
        throw e;
      } finally {
        events.withdrawn(ticket);
      }
      if (result instanceof Full) {
        if (mayRemain) {
          // What fills the last place may be our own earlier record.
          throw StorageCalls.unknown(operation, null);
        }
        throw new TaskLimitException(maxActiveTasks);
      }
      // Nobody has seen the id yet, so the next attempt takes another: the old one may be taken, or
      // a withdrawal of it may still be on its way to the storage.
      if (result instanceof Contended contended) {
        mayRemain |= contended.mayRemain();
        if (!operation.pause()) {
          throw mayRemain
              ? StorageCalls.unknown(operation, null)
              : new TaskStorageException(
                  "The storage did not create a task, nothing was changed: too many are being"
                      + " created at once for this owner; try again later",
                  true,
                  false,
                  null);
        }
      }
      if (result instanceof Conflict && ++collisions >= MAX_ID_COLLISIONS) {
        if (mayRemain) {
          throw StorageCalls.unknown(operation, null);
        }
        throw new TaskStorageException(
            "The storage did not create a task, nothing was changed: the source of randomness keeps"
                + " repeating ids",
            false,
            false,
            null);
      }
    }
  }

  // --- reading ------------------------------------------------------------------------------

  @Override
  public Task get(Owner owner, String taskId) {
    Objects.requireNonNull(taskId, "taskId");
    return told(
        owner,
        taskId,
        READ,
        () -> {
          RecordKey key = key(partition(owner), taskId);
          Task known = finished == null ? null : finished.find(key);
          return known != null && !isExpired(known)
              ? known
              : read(owner, key, calls.operation(READ, taskId));
        });
  }

  private Task read(Owner owner, RecordKey key, StorageCalls.Operation operation) {
    long stamp = finished == null ? 0 : finished.beforeRead();
    VersionedRecord stored = calls.read(operation, () -> backend.get(key)).orElse(null);
    Task task = visible(owner, key, stored);
    if (finished != null && stored != null && task.isTerminal()) {
      finished.keep(key, task, stored.value().data().size(), stamp);
    }
    return task;
  }

  /** Decodes what is stored under the key, if anybody may see it. */
  private Task visible(Owner owner, RecordKey key, @Nullable VersionedRecord stored) {
    if (stored != null && stored.value().isExpired(now())) {
      events.tell(new TaskEvent.Expired(now(), owner, key.id()));
      throw new TaskNotFoundException(key.id());
    }
    if (stored == null) {
      throw new TaskNotFoundException(key.id());
    }
    try {
      return decode(owner, key, stored);
    } catch (TaskCodec.UnreadableException e) {
      TaskUnreadableException unreadable =
          new TaskUnreadableException(key.id(), e.reason(), e.remedy(), null);
      LOGGER.log(Level.WARNING, unreadable.getMessage());
      throw unreadable;
    }
  }

  private Task decode(Owner owner, RecordKey key, VersionedRecord stored)
      throws TaskCodec.UnreadableException {
    TaskState state = rules.codec().decode(stored.value().data());
    // The key has brought us here; the content must agree, or a storage has mixed up its records.
    if (!stored.key().equals(key)
        || !state.owner().equals(owner.storedForm())
        || !state.id().equals(key.id())) {
      throw new TaskCodec.UnreadableException("it is the record of another task");
    }
    return new Task(owner, state, stored.version(), stored.value().expiresAt(), rules.reader());
  }

  @Override
  public TaskPage list(Owner owner, TaskQuery query) {
    Objects.requireNonNull(query, "query");
    return told(owner, null, LIST, () -> page(owner, query));
  }

  private TaskPage page(Owner owner, TaskQuery query) {
    String partition = partition(owner);
    String after =
        query.cursor().map(cursor -> Cursors.decode(partition, query, cursor)).orElse(null);
    ListQuery start = new ListQuery(partition, after, query.isNewestFirst(), query.pageSize());
    Listing listing = new Listing(owner, partition, query);
    return query.wantsOnlyUnfinished() ? listing.active(start) : listing.all(start);
  }

  /** One page in the making. */
  private final class Listing {
    private final Owner owner;
    private final String partition;
    private final TaskQuery query;
    private final Instant now = now();
    private final StorageCalls.Operation operation = calls.operation(LIST);
    private final List<Task> tasks = new ArrayList<>();
    private final List<TaskPage.Unreadable> unreadable = new ArrayList<>();

    Listing(Owner owner, String partition, TaskQuery query) {
      this.owner = owner;
      this.partition = partition;
      this.query = query;
    }

    TaskPage all(ListQuery start) {
      ListQuery scan =
          query.hasStatusFilter()
              ? new ListQuery(
                  partition, start.after(), start.descending(), Math.max(start.limit(), MIN_SCAN))
              : start;
      for (int scans = 1; ; scans++) {
        ListQuery request = scan;
        RecordPage page = calls.read(operation, () -> backend.list(request));
        page.corrupt().forEach(this::report);
        for (VersionedRecord stored : page.records()) {
          if (tasks.size() == query.pageSize()) {
            // Only with a filter: the records read so far have filled the page before their end.
            return cutAfter(tasks.get(tasks.size() - 1).id());
          }
          show(stored);
        }
        String next = page.next();
        if (next == null
            || !query.hasStatusFilter()
            || tasks.size() == query.pageSize()
            || scans == MAX_SCANS) {
          return page(next);
        }
        scan = scan.withAfter(next);
      }
    }

    TaskPage active(ListQuery start) {
      HeadPage page = calls.read(operation, () -> backend.listActive(start));
      page.corrupt().forEach(this::report);
      long bytes = 0;
      for (RecordHead head : page.heads()) {
        if (head.isExpired(now)) {
          continue;
        }
        String id = head.key().id();
        try {
          VersionedRecord stored =
              calls.read(operation.part(READ, id), () -> backend.get(head.key())).orElse(null);
          if (stored != null) {
            show(stored);
            bytes += stored.value().data().size();
          }
        } catch (TaskUnreadableException e) {
          unreadable.add(new TaskPage.Unreadable(e.taskId(), e.reason()));
        }
        if (bytes >= RecordPage.TARGET_BYTES) {
          return cutAfter(id);
        }
      }
      return page(page.next());
    }

    /** Ends the page at a task; what lies beyond it is left to the next page. */
    private TaskPage cutAfter(String id) {
      unreadable.removeIf(
          entry -> {
            int order = RecordKey.compareIds(entry.taskId(), id);
            return query.isNewestFirst() ? order < 0 : order > 0;
          });
      return page(id);
    }

    private void show(VersionedRecord stored) {
      if (stored.value().isExpired(now)) {
        return;
      }
      try {
        Task task = decode(owner, new RecordKey(partition, stored.key().id()), stored);
        if (query.accepts(task.status())) {
          tasks.add(task);
        }
      } catch (TaskCodec.UnreadableException e) {
        unreadable.add(new TaskPage.Unreadable(stored.key().id(), e.reason()));
      }
    }

    private void report(CorruptRecord corrupt) {
      unreadable.add(new TaskPage.Unreadable(corrupt.key().id(), corrupt.reason()));
    }

    private TaskPage page(@Nullable String next) {
      if (!events.isSilent()) {
        unreadable.forEach(
            entry ->
                events.tell(
                    new TaskEvent.Unreadable(now(), owner, entry.taskId(), entry.reason())));
      }
      return new TaskPage(
          tasks, unreadable, next == null ? null : Cursors.encode(partition, query, next));
    }
  }

  // --- changing -----------------------------------------------------------------------------

  /** What to write for a task as it stands; null if there is nothing to do. */
  private interface Step {
    TaskRules.@Nullable Draft next(Task task, Instant now);
  }

  @Override
  public Task update(Task task, Function<? super Task, TaskChange> change) {
    Objects.requireNonNull(task, "task");
    Objects.requireNonNull(change, "change");
    return told(task.owner(), task.id(), UPDATE, () -> writeInHand(task, UPDATE, step(change)));
  }

  @Override
  public Task update(Owner owner, String taskId, Function<? super Task, TaskChange> change) {
    Objects.requireNonNull(change, "change");
    return writeById(owner, taskId, UPDATE, step(change));
  }

  private Step step(Function<? super Task, TaskChange> change) {
    return (task, now) -> {
      TaskChange wanted = Objects.requireNonNull(change.apply(task), "the change");
      if (!task.isTerminal()) {
        return rules.change(task, wanted, now);
      }
      if (!rules.isInPlace(task, wanted)) {
        throw new TaskEndedException(task);
      }
      return null;
    };
  }

  @Override
  public Task update(Owner owner, String taskId, long expectedVersion, TaskChange change) {
    Objects.requireNonNull(taskId, "taskId");
    Objects.requireNonNull(change, "change");
    return told(owner, taskId, UPDATE, () -> writeVersion(owner, taskId, expectedVersion, change));
  }

  private Task writeVersion(Owner owner, String taskId, long expectedVersion, TaskChange change) {
    RecordKey key = key(partition(owner), taskId);
    StorageCalls.Operation operation = calls.operation(UPDATE, taskId);
    Task task = read(owner, key, operation);
    Step step = step(current -> change);
    if (!task.isTerminal() && task.version() != expectedVersion) {
      throw TaskConflictException.versionDiffers(taskId, expectedVersion, task.version());
    }
    TaskRules.Draft draft = step.next(task, now());
    if (draft == null) {
      return task;
    }
    Attempt attempt = attempt(key, task, draft, operation);
    if (attempt.written() != null) {
      return attempt.written();
    }
    Task winner = visible(owner, key, attempt.winner());
    if (winner.isTerminal() && step.next(winner, now()) == null) {
      return winner;
    }
    throw TaskConflictException.versionDiffers(taskId, expectedVersion, winner.version());
  }

  @Override
  public Task cancel(Owner owner, String taskId) {
    TaskChange cancellation = TaskChange.change().cancel();
    return writeById(
        owner,
        taskId,
        "cancel task",
        (task, now) -> rules.change(unfinished(task), cancellation, now));
  }

  @Override
  public Task requestCancel(Owner owner, String taskId) {
    return writeById(
        owner,
        taskId,
        "request the cancellation of task",
        (task, now) ->
            task.isTerminal() || task.isCancelRequested() ? null : rules.requestCancel(task, now));
  }

  @Override
  public Task provideInput(Owner owner, String taskId, Map<String, ?> responses) {
    Map<String, ?> copy = new HashMap<>(Objects.requireNonNull(responses, "responses"));
    return writeById(
        owner,
        taskId,
        "provide input to task",
        (task, now) -> rules.provideInput(unfinished(task), copy, now));
  }

  private static Task unfinished(Task task) {
    if (task.isTerminal()) {
      throw new TaskEndedException(task);
    }
    return task;
  }

  private Task writeById(Owner owner, String taskId, String verb, Step step) {
    Objects.requireNonNull(taskId, "taskId");
    return told(
        owner,
        taskId,
        verb,
        () -> {
          RecordKey key = key(partition(owner), taskId);
          StorageCalls.Operation operation = calls.operation(verb, taskId);
          return write(key, read(owner, key, operation), operation, step);
        });
  }

  private Task writeInHand(Task task, String verb, Step step) {
    RecordKey key = new RecordKey(partition(task.owner()), task.id());
    StorageCalls.Operation operation = calls.operation(verb, task.id());
    return write(key, current(task, key, operation), operation, step);
  }

  /** The snapshot in hand, unless it is due. */
  private Task current(Task task, RecordKey key, StorageCalls.Operation operation) {
    return isExpired(task) ? read(task.owner(), key, operation) : task;
  }

  /** Writes what {@code step} makes of the task, again for every winner of a lost race. */
  private Task write(RecordKey key, Task first, StorageCalls.Operation operation, Step step) {
    Task current = first;
    boolean mayWrite = true;
    for (int attempt = 1; ; attempt++) {
      // Asked for the last winner too: what won may be all that was wanted, or the end of the task.
      TaskRules.Draft draft = step.next(current, now());
      if (draft == null) {
        return current;
      }
      if (!mayWrite) {
        throw TaskConflictException.tooManyAttempts(key.id(), attempt - 1);
      }
      Attempt result = attempt(key, current, draft, operation);
      if (result.written() != null) {
        return result.written();
      }
      current = visible(current.owner(), key, result.winner());
      if (!events.isSilent()) {
        events.tell(new TaskEvent.ConflictRetried(now(), current.owner(), key.id(), attempt));
      }
      mayWrite = attempt < maxUpdateAttempts && operation.pauseAfterLostRace(attempt);
    }
  }

  /**
   * What became of one attempt.
   *
   * @param written the task as it is now; null if somebody else was faster
   * @param winner what they left, null for nothing
   */
  private record Attempt(@Nullable Task written, @Nullable VersionedRecord winner) {}

  /** Writes once, and tells everybody of it if it succeeds. */
  private Attempt attempt(
      RecordKey key, Task before, TaskRules.Draft draft, StorageCalls.Operation operation) {
    long stamp = finished == null ? 0 : finished.beforeRead();
    RecordValue value = value(draft);
    TaskEvents.Ticket ticket = events.begin(key);
    try {
      PutResult result = calls.put(operation, key, value, before.version());
      if (!(result instanceof Written written)) {
        return new Attempt(null, ((Conflict) result).winner());
      }
      Task task = task(before.owner(), draft, written.version());
      TaskEvent event = events.isSilent() ? null : Changes.event(before, task, now());
      if (event != null) {
        events.committed(ticket, event);
      }
      if (finished != null && task.isTerminal()) {
        finished.keep(key, task, value.data().size(), stamp);
      }
      running.seen(key, task);
      waits.written(key, task);
      return new Attempt(task, null);
    } finally {
      events.withdrawn(ticket); // does nothing to one that was committed
    }
  }

  // --- deleting -----------------------------------------------------------------------------

  @Override
  public void delete(Owner owner, String taskId) {
    Objects.requireNonNull(taskId, "taskId");
    told(
        owner,
        taskId,
        DELETE,
        () -> {
          deleteNow(owner, taskId);
          return taskId;
        });
  }

  private void deleteNow(Owner owner, String taskId) {
    RecordKey key = key(partition(owner), taskId);
    StorageCalls.Operation operation = calls.operation(DELETE, taskId);
    VersionedRecord current = calls.read(operation, () -> backend.get(key)).orElse(null);
    for (int attempt = 1; ; attempt++) {
      // The content is not decoded: what cannot be read can be deleted.
      if (current == null || current.value().isExpired(now())) {
        if (finished != null) {
          finished.forget(key); // another store may have deleted it
        }
        throw new TaskNotFoundException(taskId);
      }
      if (attempt > 1
          && (attempt > maxUpdateAttempts || !operation.pauseAfterLostRace(attempt - 1))) {
        throw TaskConflictException.tooManyAttempts(taskId, attempt - 1);
      }
      TaskEvents.Ticket ticket = events.begin(key);
      DeleteResult result;
      try {
        try {
          result = calls.delete(operation, key, current.version());
        } finally {
          if (finished != null) {
            finished.forget(key); // also if the outcome is unknown
          }
        }
        if (result instanceof Deleted) {
          events.committed(ticket, new TaskEvent.Deleted(now(), owner, taskId));
          running.gone(key);
          waits.gone(key);
          return;
        }
      } finally {
        events.withdrawn(ticket);
      }
      current = ((Conflict) result).winner();
    }
  }

  @Override
  public int purgeExpired(int limit) {
    if (limit < 1) {
      throw new InvalidValueException("purge limit", "it is " + limit + ", it must be 1 or more");
    }
    return told(
        null,
        null,
        PURGE,
        () -> {
          ensureOpen();
          // Another store's clock may be behind ours: to it, what has just expired is still there.
          Instant due = now().minus(clockSkewAllowance);
          int purged = calls.purge(calls.operation(PURGE), due, limit);
          if (purged > 0) {
            events.tell(new TaskEvent.Purged(now(), purged));
          }
          return purged;
        });
  }

  /** Purges now and then. */
  private final class Sweeper implements Runnable {
    private final Duration interval;

    Sweeper(Duration interval) {
      this.interval = interval;
    }

    /** With jitter, so that replicas that were started together do not sweep together. */
    void scheduleNext() {
      long nanos = interval.toNanos();
      long jitter = nanos / 10;
      scheduler.schedule(
          nanos - jitter + ThreadLocalRandom.current().nextLong(2 * jitter + 1), this);
    }

    @Override
    public void run() {
      try {
        while (!closed.get() && purgeExpired(SWEEP_LIMIT) == SWEEP_LIMIT) {
          // There is more.
        }
      } catch (TaskStoreException e) {
        if (!closed.get()) {
          LOGGER.log(Level.WARNING, "Expired tasks could not be purged, the next try comes", e);
        }
      } finally {
        scheduleNext();
      }
    }
  }

  // --- working ------------------------------------------------------------------------------

  @Override
  public Task start(Owner owner, NewTask newTask, Executor executor, TaskHandler handler) {
    Objects.requireNonNull(newTask, "newTask");
    Objects.requireNonNull(executor, "executor");
    Objects.requireNonNull(handler, "handler");
    String worker = writeIds.next();
    Task task = told(owner, null, CREATE, () -> create(owner, newTask, worker));
    run(task, worker, executor, handler, () -> delete(owner, task.id()));
    return task;
  }

  @Override
  public Optional<Task> resume(Owner owner, String taskId, Executor executor, TaskHandler handler) {
    Objects.requireNonNull(taskId, "taskId");
    Objects.requireNonNull(executor, "executor");
    Objects.requireNonNull(handler, "handler");
    String worker = writeIds.next();
    Task task = writeById(owner, taskId, "resume task", claiming(worker, lease));
    if (!isHeld(task, worker)) {
      return Optional.empty();
    }
    run(task, worker, executor, handler, () -> release(task, worker, TaskChange.change()));
    return Optional.of(task);
  }

  /**
   * Begins to run a handler, or throws.
   *
   * @param undo what to do if the handler has not begun; one that has, in this very thread, has
   *     ended its task itself whatever it lets through
   */
  private void run(
      Task task, String worker, Executor executor, TaskHandler handler, Runnable undo) {
    RecordKey key = new RecordKey(PARTITION_KIND + task.owner().storedForm(), task.id());
    RunningTask run = new RunningTask(new HeldTask(key, worker), task, handler);
    running.add(key, run);
    try {
      ensureOpen(); // again: a close that came before the handler was added did not see it
      run.begin();
      executor.execute(run);
    } catch (RuntimeException | Error e) {
      if (!run.hasBegun()) {
        run.stop();
        undo(undo, e);
      }
      throw e;
    }
  }

  private static void undo(Runnable remedy, Throwable failure) {
    try {
      remedy.run();
    } catch (TaskStoreException e) {
      failure.addSuppressed(e);
    }
  }

  @Override
  public Optional<Task> claim(Task task, String worker, Duration newLease) {
    Objects.requireNonNull(task, "task");
    Objects.requireNonNull(worker, "worker");
    Objects.requireNonNull(newLease, "lease");
    return told(
        task.owner(),
        task.id(),
        "claim task",
        () -> {
          String name = TaskRules.checkedWorker(worker);
          Duration duration = TaskRules.checked("lease", newLease, TaskRules.LONGEST_LEASE);
          Task claimed = writeInHand(task, "claim task", claiming(name, duration));
          return isHeld(claimed, name) ? Optional.of(claimed) : Optional.empty();
        });
  }

  private Step claiming(String worker, Duration duration) {
    return (task, now) -> {
      TaskState.Lease held = unfinished(task).state().lease();
      boolean free = held == null || held.worker().equals(worker) || !held.until().isAfter(now);
      return free ? rules.lease(task, new TaskState.Lease(worker, now.plus(duration))) : null;
    };
  }

  private TaskState.@Nullable Lease leaseOf(@Nullable String worker, Instant now) {
    return worker == null ? null : new TaskState.Lease(worker, now.plus(lease));
  }

  private static boolean isHeld(Task task, String worker) {
    TaskState.Lease held = task.state().lease();
    return held != null && held.worker().equals(worker);
  }

  private Task release(Task task, String worker, TaskChange change) {
    return told(
        task.owner(),
        task.id(),
        "release task",
        () ->
            writeInHand(
                task,
                "release task",
                (current, now) ->
                    rules.change(held(unfinished(current), worker), change, null, now)));
  }

  private static Task held(Task task, String worker) {
    if (!isHeld(task, worker)) {
      throw new LeaseLostException(task.id());
    }
    return task;
  }

  /** A task in the hands of one worker of this store: what a {@link RunningTask} needs of it. */
  private final class HeldTask implements RunningTask.Store {
    private final RecordKey key;
    private final String worker;

    HeldTask(RecordKey key, String worker) {
      this.key = key;
      this.worker = worker;
    }

    @Override
    public Task write(
        Task inHand, String verb, Duration atMost, Function<Task, TaskChange> change) {
      return held(
          inHand,
          verb,
          atMost,
          (task, now) -> {
            if (task.isTerminal()) {
              return step(change).next(task, now);
            }
            TaskChange wanted = change.apply(GenericTaskStore.held(task, worker));
            return rules.change(task, wanted, leaseOf(worker, now), now);
          });
    }

    @Override
    public Task renew(Task inHand, Duration atMost) {
      return held(
          inHand,
          "renew the lease of task",
          atMost,
          (task, now) ->
              rules.lease(GenericTaskStore.held(unfinished(task), worker), leaseOf(worker, now)));
    }

    @Override
    public Task release(Task inHand, TaskChange change) {
      return GenericTaskStore.this.release(inHand, worker, change);
    }

    /** Works while the store is closing, too. */
    private Task held(Task inHand, String verb, Duration atMost, Step step) {
      return told(
          inHand.owner(),
          inHand.id(),
          verb,
          () -> {
            StorageCalls.Operation operation = calls.operation(verb, inHand.id(), atMost);
            return GenericTaskStore.this.write(
                key, current(inHand, key, operation), operation, step);
          });
    }

    @Override
    public Task await(Task inHand, Predicate<? super Task> done, Duration timeout)
        throws InterruptedException {
      return waits.await(inHand.owner(), key, done, timeout);
    }

    @Override
    public void handlerFailed(Task task, Throwable cause) {
      events.tell(new TaskEvent.HandlerFailed(now(), task.owner(), task.id(), cause));
    }

    @Override
    public TaskError errorFor(Throwable cause) {
      return errorMapper.apply(cause);
    }

    @Override
    public void stopped(RunningTask run) {
      running.remove(key, run);
    }

    @Override
    public TaskRules rules() {
      return rules;
    }

    @Override
    public Scheduler scheduler() {
      return scheduler;
    }

    @Override
    public Timing timing() {
      return timing;
    }

    @Override
    public Duration lease() {
      return lease;
    }

    @Override
    public Duration progressInterval() {
      return progressInterval;
    }

    @Override
    public Duration operationTimeout() {
      return calls.timeout();
    }
  }

  // --- waiting ------------------------------------------------------------------------------

  @Override
  public Task awaitTerminal(Owner owner, String taskId, Duration timeout)
      throws InterruptedException {
    return await(owner, taskId, Task::isTerminal, timeout);
  }

  @Override
  public Task awaitChange(Owner owner, String taskId, long sinceVersion, Duration timeout)
      throws InterruptedException {
    return await(
        owner, taskId, task -> task.isTerminal() || task.version() > sinceVersion, timeout);
  }

  private Task await(Owner owner, String taskId, Predicate<? super Task> done, Duration timeout)
      throws InterruptedException {
    Objects.requireNonNull(taskId, "taskId");
    Objects.requireNonNull(timeout, "timeout");
    try {
      RecordKey key = key(partition(owner), taskId);
      return waits.await(owner, key, done, timeout);
    } catch (TaskStoreException e) {
      tellFailure(owner, taskId, "wait for task", e);
      throw e;
    }
  }

  // --- closing ------------------------------------------------------------------------------

  @Override
  public void close() {
    if (closed.getAndSet(true)) {
      return;
    }
    running.close(GenericTaskStore::closedFailure, LAST_WRITES, timing);
    waits.close(GenericTaskStore::closedFailure);
    scheduler.close();
    events.close();
    if (closesBackend) {
      backend.close();
    }
  }

  private void ensureOpen() {
    if (closed.get()) {
      throw closedFailure();
    }
  }

  private static TaskStorageException closedFailure() {
    return new TaskStorageException(
        "The task store is closed; nothing was changed; open a new one", false, false, null);
  }

  // --- telling ------------------------------------------------------------------------------

  /** Does something, and tells the listeners if it is refused or fails. */
  private <T> T told(
      @Nullable Owner owner, @Nullable String taskId, String operation, Supplier<T> body) {
    try {
      return body.get();
    } catch (TaskStoreException e) {
      tellFailure(owner, taskId, operation, e);
      throw e;
    }
  }

  private void tellFailure(
      @Nullable Owner owner, @Nullable String taskId, String operation, TaskStoreException e) {
    if (events.isSilent()) {
      return;
    }
    Instant now = now();
    if (e instanceof TaskStorageException storage) {
      events.tell(
          storage.isOutcomeUnknown()
              ? new TaskEvent.OutcomeUnknown(now, owner, taskId, operation, e)
              : new TaskEvent.StorageFailed(now, owner, taskId, operation, e));
    } else if (e instanceof TaskUnreadableException unreadable && owner != null) {
      events.tell(new TaskEvent.Unreadable(now, owner, unreadable.taskId(), unreadable.reason()));
    } else if (e instanceof LeaseLostException lost && owner != null) {
      events.tell(new TaskEvent.LeaseLost(now, owner, lost.taskId()));
    } else {
      events.tell(new TaskEvent.Refused(now, owner, taskId, operation, e));
    }
  }

  /**
   * How often finished tasks were found in the cache.
   *
   * @param hits how often one was found
   * @param misses how often one was looked for and not found, also because it was not finished
   * @param entries how many are kept now, about
   * @param bytes how many bytes they take, about
   */
  public record CacheStatistics(long hits, long misses, long entries, long bytes) {
    /** The part of the lookups that found a task, from 0 to 1; 1 if there was none. */
    public double hitRate() {
      long lookups = hits + misses;
      return lookups == 0 ? 1 : (double) hits / lookups;
    }
  }

  /** How the cache of finished tasks does; empty if there is none. */
  public Optional<CacheStatistics> cacheStatistics() {
    return Optional.ofNullable(finished).map(FinishedTasks::statistics);
  }

  // --- small parts --------------------------------------------------------------------------

  /** The stored instants have milliseconds, so that is what counts everywhere. */
  private Instant now() {
    return clock.instant().truncatedTo(ChronoUnit.MILLIS);
  }

  private boolean isExpired(Task task) {
    return task.expiresAt().map(expiry -> !expiry.isAfter(now())).orElse(false);
  }

  /** Where the tasks of an owner are; every operation of a caller begins with it. */
  private String partition(Owner owner) {
    Objects.requireNonNull(owner, "owner");
    ensureOpen();
    if (owner.kind() == Owner.Kind.LOCAL && !localOwnerAllowed) {
      throw new OwnerNotAllowedException();
    }
    return PARTITION_KIND + owner.storedForm();
  }

  /** An id that no record could have is simply not that of a task. */
  private static RecordKey key(String partition, String taskId) {
    long bytes = Text.utf8Length(taskId);
    if (bytes < 1 || bytes > RecordKey.MAX_ID_BYTES) {
      throw new TaskNotFoundException(taskId);
    }
    return new RecordKey(partition, taskId);
  }

  private RecordValue value(TaskRules.Draft draft) {
    return new RecordValue(
        draft.data(), !draft.state().status().isTerminal(), draft.expiresAt(), writeIds.next());
  }

  private Task task(Owner owner, TaskRules.Draft draft, long version) {
    return new Task(owner, draft.state(), version, draft.expiresAt(), rules.reader());
  }

  /** Whether a handler runs here. */
  boolean isWorking() {
    return !running.isEmpty();
  }

  /** Names the backend and the limits, nothing of what is stored. */
  @Override
  public String toString() {
    return "GenericTaskStore[%s, at most %d active tasks an owner]"
        .formatted(backend.traits().name(), maxActiveTasks);
  }

  /**
   * Collects the options of a store. Every option has a default; {@link #build} checks how they fit
   * together.
   */
  public static final class Builder {
    private static final Duration DAY = Duration.ofDays(1);

    private final StorageBackend backend;
    private Clock clock = Clock.systemUTC();
    private @Nullable RandomGenerator random;
    private Timing timing = Timing.SYSTEM;
    private TaskLimits limits = TaskLimits.defaults();
    private Duration defaultTtl = Duration.ofHours(1);
    private @Nullable Duration maxTtl = DAY;
    private Duration keepResultFor = Duration.ofMinutes(10);
    private Duration defaultPollInterval = Duration.ofSeconds(1);
    private Duration operationTimeout = Duration.ofSeconds(10);
    private Duration clockSkewAllowance = Duration.ofMinutes(5);
    private int maxActiveTasks = 100;
    private int maxUpdateAttempts = 50;
    private boolean localOwnerAllowed;
    private @Nullable VariablesValidator validator;
    private @Nullable Scheduler scheduler;
    private Duration lease = Duration.ofSeconds(30);
    private Duration progressInterval = Duration.ofSeconds(1);
    private Function<? super Throwable, TaskError> errorMapper = HandlerErrors::messageAndType;
    private final List<TaskListener> listeners = new ArrayList<>();
    private long cacheBytes;
    private Duration cacheMaxAge = Duration.ZERO;
    private Duration sweepInterval = Duration.ZERO;
    private boolean closesBackend;

    private Builder(StorageBackend backend) {
      this.backend = Objects.requireNonNull(backend, "backend");
    }

    /** The clock by which tasks are dated and expire. Default: the system's. */
    public Builder clock(Clock newClock) {
      this.clock = Objects.requireNonNull(newClock, "clock");
      return this;
    }

    /**
     * The source of the random part of ids. It must be safe for many threads, and must not be
     * guessable where an id is all that a client needs to show. Default: a {@link SecureRandom}.
     */
    public Builder randomness(RandomGenerator newRandom) {
      this.random = Objects.requireNonNull(newRandom, "randomness");
      return this;
    }

    Builder timing(Timing newTiming) {
      this.timing = newTiming;
      return this;
    }

    Builder scheduler(Scheduler newScheduler) {
      this.scheduler = newScheduler;
      return this;
    }

    /** For a store whose user has not opened the backend. */
    Builder closingBackend() {
      this.closesBackend = true;
      return this;
    }

    TaskLimits limits() {
      return limits;
    }

    /** How large the parts of a task may be. Default: {@link TaskLimits#defaults()}. */
    public Builder limits(TaskLimits newLimits) {
      this.limits = Objects.requireNonNull(newLimits, "limits");
      return this;
    }

    /**
     * How long a task is kept, from its creation, if it does not say so itself. Default: one hour.
     */
    public Builder defaultTtl(Duration ttl) {
      this.defaultTtl = checked("defaultTtl", ttl, TaskRules.LONGEST_DURATION);
      return this;
    }

    /** The longest ttl that a task may ask for; a longer one is refused. Default: one day. */
    public Builder maxTtl(Duration ttl) {
      this.maxTtl = checked("maxTtl", ttl, TaskRules.LONGEST_DURATION);
      return this;
    }

    /**
     * Allows tasks without a ttl, which stay until they are deleted. A task that does not ask for
     * it still has the default ttl.
     */
    public Builder allowUnlimitedTtl() {
      this.maxTtl = null;
      return this;
    }

    /**
     * How long a finished task is kept at least, so that a result can be fetched that came just
     * before the ttl was over; but never beyond the maximum ttl. Zero is allowed. Default: ten
     * minutes.
     */
    public Builder keepResultFor(Duration duration) {
      this.keepResultFor = checkedOrZero("keepResultFor", duration, TaskRules.LONGEST_DURATION);
      return this;
    }

    /** How often clients should ask, if a task does not say so itself. Default: one second. */
    public Builder defaultPollInterval(Duration interval) {
      this.defaultPollInterval =
          checked("defaultPollInterval", interval, TaskRules.LONGEST_POLL_INTERVAL);
      return this;
    }

    /**
     * For how long one operation is tried again while the storage is unavailable for a moment, its
     * answers are lost, or others keep writing. Default: ten seconds.
     */
    public Builder operationTimeout(Duration timeout) {
      this.operationTimeout = checked("operationTimeout", timeout, DAY);
      return this;
    }

    /**
     * How far the clocks of the stores on one storage may differ: {@link #purgeExpired} leaves a
     * task alone until it has been expired for this long. Zero is allowed. Default: five minutes.
     */
    public Builder clockSkewAllowance(Duration allowance) {
      this.clockSkewAllowance = checkedOrZero("clockSkewAllowance", allowance, DAY);
      return this;
    }

    /**
     * The most unfinished tasks of an owner. Default: 100.
     *
     * @throws InvalidValueException if it is not from 1 to 1,000,000
     */
    public Builder maxActiveTasks(int max) {
      this.maxActiveTasks = checked("maxActiveTasks", max, 1_000_000);
      return this;
    }

    /**
     * How often an update may lose against other writers before it gives up. Default: 50.
     *
     * @throws InvalidValueException if it is not from 1 to 10,000
     */
    public Builder maxUpdateAttempts(int max) {
      this.maxUpdateAttempts = checked("maxUpdateAttempts", max, 10_000);
      return this;
    }

    /**
     * Whether {@link Owner#local()} is served: right for a program that one person runs for
     * themselves, wrong for a server with many users. Default: no.
     */
    public Builder allowLocalOwner(boolean allow) {
      this.localOwnerAllowed = allow;
      return this;
    }

    /** A check of incoming variables. Default: none. */
    public Builder variablesValidator(VariablesValidator newValidator) {
      this.validator = Objects.requireNonNull(newValidator, "variablesValidator");
      return this;
    }

    /**
     * For how long a worker of {@link #start} and {@link #resume} has a task to itself after its
     * last sign of life, which it gives at every third of this. Shorter: tasks of dead workers are
     * resumed sooner. Longer: a worker may stand still for longer without losing its task. Default:
     * 30 seconds.
     *
     * @throws DurationNotAllowedException if it is not from one millisecond to one day
     */
    public Builder lease(Duration newLease) {
      this.lease = checked("lease", newLease, TaskRules.LONGEST_LEASE);
      return this;
    }

    /**
     * How often what a handler reports through its {@link TaskContext} is written at most. Zero: as
     * fast as the storage takes it. Default: one second.
     *
     * @throws DurationNotAllowedException if it is neither zero nor from one millisecond to one day
     */
    public Builder progressInterval(Duration interval) {
      this.progressInterval = checkedOrZero("progressInterval", interval, DAY);
      return this;
    }

    /**
     * What clients are told when a handler throws an exception. Must not throw. Default: {@link
     * TaskError#INTERNAL_ERROR}, the message of the exception, shortened if it is too long, and the
     * simple name of its class as {@code type} in the data; no stack trace. The whole exception
     * goes to the listeners, as {@link TaskEvent.HandlerFailed}.
     */
    public Builder handlerErrors(Function<? super Throwable, TaskError> mapper) {
      this.errorMapper = Objects.requireNonNull(mapper, "handlerErrors");
      return this;
    }

    /** Adds a listener. Default: none. */
    public Builder listener(TaskListener listener) {
      listeners.add(Objects.requireNonNull(listener, "listener"));
      return this;
    }

    /**
     * Keeps finished tasks in memory, so that {@link #get} needs no call to the storage for them. A
     * finished task never changes, but may be deleted: what this store deletes is gone from the
     * cache at once; what another store deletes may be shown by this one until {@code maxAge} after
     * it was read. Default: no cache.
     *
     * @param maxBytes how much memory to use, about; the least recently or least often used tasks
     *     go first
     * @param maxAge how long a task is shown without asking the storage; 30 seconds are a good
     *     choice
     * @throws InvalidValueException if {@code maxBytes} is below 1
     * @throws DurationNotAllowedException if {@code maxAge} is not from one millisecond to one day
     */
    public Builder cacheFinishedTasks(long maxBytes, Duration maxAge) {
      if (maxBytes < 1) {
        throw new InvalidValueException("maxBytes", "it is " + maxBytes + ", it must be 1 or more");
      }
      this.cacheMaxAge = checked("maxAge", maxAge, DAY);
      this.cacheBytes = maxBytes;
      return this;
    }

    /**
     * How often the store calls {@link #purgeExpired} by itself, on a daemon thread, with some
     * jitter; a backend that purges by itself is left to do so. Zero: never. Default: never.
     *
     * @throws DurationNotAllowedException if it is neither zero nor from one millisecond to one day
     */
    public Builder sweepInterval(Duration interval) {
      this.sweepInterval = checkedOrZero("sweepInterval", interval, DAY);
      return this;
    }

    private static Duration checkedOrZero(String what, Duration duration, Duration max) {
      Objects.requireNonNull(duration, what);
      return duration.isZero() ? duration : checked(what, duration, max);
    }

    private static Duration checked(String what, Duration duration, Duration max) {
      return TaskRules.checked(what, Objects.requireNonNull(duration, what), max);
    }

    private static int checked(String what, int value, int max) {
      if (value < 1 || value > max) {
        throw new InvalidValueException(
            what, "it is %d, it must be from 1 to %d".formatted(value, max));
      }
      return value;
    }

    /**
     * Returns the store.
     *
     * @throws DurationNotAllowedException if the default ttl is longer than the maximum
     * @throws InvalidValueException if the backend cannot hold records of a useful size
     */
    public GenericTaskStore build() {
      if (maxTtl != null && defaultTtl.compareTo(maxTtl) > 0) {
        throw new DurationNotAllowedException(
            "defaultTtl", defaultTtl, TaskRules.SHORTEST_DURATION, maxTtl);
      }
      int maxDataBytes = backend.traits().maxDataBytes();
      if (maxDataBytes < TaskRules.LEAST_DATA_BYTES) {
        throw new InvalidValueException(
            "backend",
            "its records hold %d bytes, a task needs %d or more"
                .formatted(maxDataBytes, TaskRules.LEAST_DATA_BYTES));
      }
      return new GenericTaskStore(this);
    }
  }
}
