// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
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
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The task store over any {@link StorageBackend}. It keeps no state of its own: any number of
 * stores may share a backend, and any number of backends a storage.
 *
 * <p>Calls to the backend: {@code create} makes one, {@code get} one, an update of the task in hand
 * one and one more for every attempt that another writer won, an update by id one more to read it.
 * A page of a list is one call; of unfinished tasks only it is one, and one for each unfinished
 * task looked at; with a filter by status it is as many as it takes to fill the page, at most
 * {@value #MAX_SCANS}.
 *
 * <p>The backend belongs to whoever opened it: the store never closes it.
 */
public final class GenericTaskStore implements TaskStore {
  /** The most backend pages that are read for one page with a filter by status. */
  private static final int MAX_SCANS = 10;

  /** The least that such a page reads at once: a small page may have to look at many tasks. */
  private static final int MIN_SCAN = 200;

  /** How often an id that is taken is replaced: with 125 random bits, once is a broken source. */
  private static final int MAX_ID_COLLISIONS = 3;

  /** Tasks are one kind of record among others to come; the kinds' partitions never meet. */
  private static final char PARTITION_KIND = 't';

  private static final System.Logger LOGGER = System.getLogger(GenericTaskStore.class.getName());

  private final StorageBackend backend;
  private final Clock clock;
  private final TaskIds ids;
  private final WriteIds writeIds;
  private final TaskRules rules;
  private final StorageCalls calls;
  private final int maxActiveTasks;
  private final int maxUpdateAttempts;
  private final Duration clockSkewAllowance;
  private final boolean localOwnerAllowed;

  private GenericTaskStore(Builder options) {
    this.backend = options.backend;
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
    String partition = partition(owner);
    Objects.requireNonNull(newTask, "newTask");
    StorageCalls.Operation operation = calls.operation("create a task");
    int collisions = 0;
    boolean mayRemain = false;
    while (true) {
      Instant now = now();
      String id = ids.mint(now);
      TaskRules.Draft draft = rules.create(owner, id, newTask, now);
      RecordKey key = new RecordKey(partition, id);
      CreateResult result;
      try {
        result = calls.create(operation, key, value(draft), maxActiveTasks, now);
      } catch (TaskStorageException e) {
        if (mayRemain && !e.isOutcomeUnknown()) {
          throw StorageCalls.unknown(operation, e.storageFailure());
        }
        throw e;
      }
      if (result instanceof Created) {
        return task(owner, draft, 1);
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
    String partition = partition(owner);
    RecordKey key = key(partition, taskId);
    return read(owner, key, calls.operation("read task", taskId));
  }

  private Task read(Owner owner, RecordKey key, StorageCalls.Operation operation) {
    Optional<VersionedRecord> stored = calls.read(operation, () -> backend.get(key));
    return visible(owner, key, stored.orElse(null));
  }

  /** Decodes what is stored under the key, if anybody may see it. */
  private Task visible(Owner owner, RecordKey key, @Nullable VersionedRecord stored) {
    if (stored == null || stored.value().isExpired(now())) {
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
    String partition = partition(owner);
    Objects.requireNonNull(query, "query");
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
    private final StorageCalls.Operation operation = calls.operation("list tasks");
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
              calls
                  .read(operation.part("read task", id), () -> backend.get(head.key()))
                  .orElse(null);
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
    String partition = partition(task.owner());
    RecordKey key = new RecordKey(partition, task.id());
    StorageCalls.Operation operation = calls.operation("update task", task.id());
    Task current = isExpired(task) ? read(task.owner(), key, operation) : task;
    return write(key, current, operation, step(change));
  }

  @Override
  public Task update(Owner owner, String taskId, Function<? super Task, TaskChange> change) {
    String partition = partition(owner);
    RecordKey key = key(partition, taskId);
    Objects.requireNonNull(change, "change");
    StorageCalls.Operation operation = calls.operation("update task", taskId);
    return write(key, read(owner, key, operation), operation, step(change));
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
    String partition = partition(owner);
    RecordKey key = key(partition, taskId);
    Objects.requireNonNull(change, "change");
    StorageCalls.Operation operation = calls.operation("update task", taskId);
    Task task = read(owner, key, operation);
    Step step = step(current -> change);
    if (!task.isTerminal() && task.version() != expectedVersion) {
      throw TaskConflictException.versionDiffers(taskId, expectedVersion, task.version());
    }
    Instant now = now();
    TaskRules.Draft draft = step.next(task, now);
    if (draft == null) {
      return task;
    }
    PutResult result = calls.put(operation, key, value(draft), task.version());
    if (result instanceof Written written) {
      return task(owner, draft, written.version());
    }
    Task winner = visible(owner, key, ((Conflict) result).winner());
    if (winner.isTerminal() && step.next(winner, now) == null) {
      return winner;
    }
    throw TaskConflictException.versionDiffers(taskId, expectedVersion, winner.version());
  }

  @Override
  public Task cancel(Owner owner, String taskId) {
    String partition = partition(owner);
    RecordKey key = key(partition, taskId);
    StorageCalls.Operation operation = calls.operation("cancel task", taskId);
    TaskChange cancellation = TaskChange.change().cancel();
    return write(
        key,
        read(owner, key, operation),
        operation,
        (task, now) -> {
          if (task.isTerminal()) {
            throw new TaskEndedException(task);
          }
          return rules.change(task, cancellation, now);
        });
  }

  @Override
  public Task requestCancel(Owner owner, String taskId) {
    String partition = partition(owner);
    RecordKey key = key(partition, taskId);
    StorageCalls.Operation operation = calls.operation("request the cancellation of task", taskId);
    return write(
        key,
        read(owner, key, operation),
        operation,
        (task, now) ->
            task.isTerminal() || task.isCancelRequested() ? null : rules.requestCancel(task, now));
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
      PutResult result = calls.put(operation, key, value(draft), current.version());
      if (result instanceof Written written) {
        return task(current.owner(), draft, written.version());
      }
      current = visible(current.owner(), key, ((Conflict) result).winner());
      mayWrite = attempt < maxUpdateAttempts && operation.pauseAfterLostRace(attempt);
    }
  }

  // --- deleting -----------------------------------------------------------------------------

  @Override
  public void delete(Owner owner, String taskId) {
    String partition = partition(owner);
    RecordKey key = key(partition, taskId);
    StorageCalls.Operation operation = calls.operation("delete task", taskId);
    VersionedRecord current = calls.read(operation, () -> backend.get(key)).orElse(null);
    for (int attempt = 1; ; attempt++) {
      // The content is not decoded: what cannot be read can be deleted.
      if (current == null || current.value().isExpired(now())) {
        throw new TaskNotFoundException(taskId);
      }
      if (attempt > 1
          && (attempt > maxUpdateAttempts || !operation.pauseAfterLostRace(attempt - 1))) {
        throw TaskConflictException.tooManyAttempts(taskId, attempt - 1);
      }
      if (!(calls.delete(operation, key, current.version()) instanceof Conflict conflict)) {
        return;
      }
      current = conflict.winner();
    }
  }

  @Override
  public int purgeExpired(int limit) {
    if (limit < 1) {
      throw new InvalidValueException("purge limit", "it is " + limit + ", it must be 1 or more");
    }
    // Another store's clock may be behind ours: to it, what has just expired is still there.
    Instant due = now().minus(clockSkewAllowance);
    return calls.purge(calls.operation("purge expired tasks"), due, limit);
  }

  // --- small parts --------------------------------------------------------------------------

  /** The stored instants have milliseconds, so that is what counts everywhere. */
  private Instant now() {
    return clock.instant().truncatedTo(ChronoUnit.MILLIS);
  }

  private boolean isExpired(Task task) {
    return task.expiresAt().map(expiry -> !expiry.isAfter(now())).orElse(false);
  }

  private String partition(Owner owner) {
    Objects.requireNonNull(owner, "owner");
    if (owner.kind() == Owner.Kind.LOCAL && !localOwnerAllowed) {
      throw new OwnerNotAllowedException();
    }
    return PARTITION_KIND + owner.storedForm();
  }

  /** An id that no record could have is simply not that of a task. */
  private static RecordKey key(String partition, String taskId) {
    Objects.requireNonNull(taskId, "taskId");
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
      Objects.requireNonNull(duration, "keepResultFor");
      this.keepResultFor =
          duration.isZero()
              ? duration
              : checked("keepResultFor", duration, TaskRules.LONGEST_DURATION);
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
      Objects.requireNonNull(allowance, "clockSkewAllowance");
      this.clockSkewAllowance =
          allowance.isZero() ? allowance : checked("clockSkewAllowance", allowance, DAY);
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
