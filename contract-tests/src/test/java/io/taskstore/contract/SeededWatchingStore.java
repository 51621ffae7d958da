// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskEvent;
import io.taskstore.TaskLimitException;
import io.taskstore.TaskListener;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A task store with a bug in waiting, in its listeners or in its cache, or without one: the store
 * that it stands before is never wrong.
 */
final class SeededWatchingStore extends PassingTaskStore {
  private static final Duration INSTANT = Duration.ofMillis(1);
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private final SeededStoreBug bug;
  private final Clock clock;
  private final TaskStore honest;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition written = lock.newCondition();
  private final Map<String, Task> cache = new ConcurrentHashMap<>();
  private final AtomicReference<Task> inHand = new AtomicReference<>();

  /** What must be done before a call that writes returns. */
  private final Runnable finish;

  private SeededWatchingStore(SeededStoreBug bug, Clock clock, TaskStore honest, Runnable finish) {
    super(honest);
    this.bug = bug;
    this.clock = clock;
    this.honest = honest;
    this.finish = finish;
  }

  /** How the other bugs are made. */
  @FunctionalInterface
  interface Base {
    TaskStore store(
        StorageBackend onto, Clock clock, UnaryOperator<GenericTaskStore.Builder> options);
  }

  /** Makes a store with the bug, before the store that {@code base} makes. */
  static TaskStore over(
      StorageBackend onto,
      Clock clock,
      UnaryOperator<GenericTaskStore.Builder> options,
      SeededStoreBug bug,
      List<Listener> listeners,
      Base base) {
    EarlyBackend early = new EarlyBackend(onto);
    boolean isEarly = bug == SeededStoreBug.LISTENER_IS_TOLD_BEFORE_THE_COMMIT;
    StorageBackend line = isEarly ? early : onto;
    UnaryOperator<GenericTaskStore.Builder> all =
        bug == SeededStoreBug.NOTHING_IS_CACHED
            ? builder -> options.apply(builder).cacheFinishedTasks(1, INSTANT)
            : options;
    SeededWatchingStore store =
        new SeededWatchingStore(bug, clock, base.store(line, clock, all), early::finish);
    listeners.forEach(listener -> listener.store.set(store));
    return store;
  }

  private boolean has(SeededStoreBug other) {
    return bug == other;
  }

  // --- waiting ------------------------------------------------------------------------------

  private interface Wait {
    Task on(TaskStore store, Duration timeout) throws InterruptedException;
  }

  @Override
  public Task awaitTerminal(Owner owner, String taskId, Duration timeout)
      throws InterruptedException {
    if (has(SeededStoreBug.WAITER_RETURNS_AT_ANY_CHANGE)) {
      Task known = honest.get(owner, taskId);
      return known.isTerminal()
          ? known
          : honest.awaitChange(owner, taskId, known.version(), timeout);
    }
    if (has(SeededStoreBug.WAITER_SLEEPS_THROUGH_AN_END_ELSEWHERE)) {
      return sleep(() -> honest.get(owner, taskId), Task::isTerminal, timeout, Long.MAX_VALUE);
    }
    return await(
        owner,
        taskId,
        Task::isTerminal,
        (store, atMost) -> store.awaitTerminal(owner, taskId, atMost),
        timeout);
  }

  @Override
  public Task awaitChange(Owner owner, String taskId, long sinceVersion, Duration timeout)
      throws InterruptedException {
    if (has(SeededStoreBug.KNOWN_VERSION_IS_RETURNED_AT_ONCE)) {
      return honest.get(owner, taskId);
    }
    return await(
        owner,
        taskId,
        task -> task.isTerminal() || task.version() > sinceVersion,
        (store, atMost) -> store.awaitChange(owner, taskId, sinceVersion, atMost),
        timeout);
  }

  private Task await(Owner owner, String taskId, Predicate<Task> done, Wait wait, Duration timeout)
      throws InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    return switch (bug) {
      case WAITER_IS_NOT_WOKEN_BY_ITS_OWN_STORE ->
          sleep(() -> honest.get(owner, taskId), done, timeout, LOOK_NANOS);
      case WAITER_MISSES_THE_LAST_LOOK -> elsewhere(wait, timeout);
      case EVERY_WAITER_LOOKS -> {
        Task seen;
        do {
          long left = Math.min(LOOK_NANOS, deadline - System.nanoTime());
          seen = wait.on(honest, Duration.ofNanos(left));
        } while (!done.test(seen) && deadline - System.nanoTime() > 0);
        yield seen;
      }
      case WAITER_SLEEPS_THROUGH_A_DELETE -> {
        try {
          yield wait.on(honest, timeout);
        } catch (TaskNotFoundException e) {
          sleepUntil(deadline);
          throw e;
        }
      }
      case WAITER_OUTLIVES_THE_STORE -> {
        try {
          yield wait.on(honest, timeout);
        } catch (TaskStorageException e) {
          sleepUntil(deadline);
          throw e;
        }
      }
      case WAITER_KEEPS_THE_INTERRUPT_FLAG -> {
        try {
          yield wait.on(honest, timeout);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw e;
        }
      }
      case INTERRUPT_OF_A_WAITER_IS_SWALLOWED -> {
        try {
          yield wait.on(honest, timeout);
        } catch (InterruptedException e) {
          yield honest.get(owner, taskId);
        }
      }
      case TIMEOUT_OF_A_WAIT_IS_SHORT -> wait.on(honest, timeout.dividedBy(2));
      case TIMEOUT_OF_A_WAIT_IS_IGNORED -> wait.on(honest, timeout.plus(Duration.ofDays(1)));
      default -> wait.on(honest, timeout);
    };
  }

  /** Looks now and then, and after writes through this store. */
  private Task sleep(Supplier<Task> look, Predicate<Task> done, Duration timeout, long pauseNanos)
      throws InterruptedException {
    boolean wakes = has(SeededStoreBug.WAITER_SLEEPS_THROUGH_AN_END_ELSEWHERE);
    long deadline = System.nanoTime() + timeout.toNanos();
    Task seen = look.get();
    while (!done.test(seen) && deadline - System.nanoTime() > 0) {
      long left = Math.min(pauseNanos, deadline - System.nanoTime());
      lock.lockInterruptibly();
      try {
        if (wakes) {
          long unused = written.awaitNanos(left);
        }
      } finally {
        lock.unlock();
      }
      if (!wakes) {
        TimeUnit.NANOSECONDS.sleep(left);
      }
      seen = look.get();
    }
    return seen;
  }

  private static void sleepUntil(long deadline) throws InterruptedException {
    TimeUnit.NANOSECONDS.sleep(deadline - System.nanoTime());
  }

  /** Waits in another thread, to which the storage may show less. */
  private Task elsewhere(Wait wait, Duration timeout) throws InterruptedException {
    FutureTask<Task> call = new FutureTask<>(() -> wait.on(honest, timeout));
    Thread thread = new Thread(call, "seeded-wait");
    thread.setDaemon(true);
    thread.start();
    try {
      return call.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IllegalStateException(e);
    } finally {
      boolean unused = call.cancel(true);
    }
  }

  private <T> T telling(Supplier<T> write) {
    try {
      return write.get();
    } finally {
      finish.run();
      lock.lock();
      try {
        written.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  @Override
  public Task update(Task task, Function<? super Task, TaskChange> change) {
    inHand.set(task);
    return telling(() -> honest.update(task, change));
  }

  @Override
  public Task update(Task task, TaskChange change) {
    inHand.set(task);
    return telling(() -> honest.update(task, change));
  }

  @Override
  public Task update(Owner owner, String taskId, Function<? super Task, TaskChange> change) {
    return telling(() -> honest.update(owner, taskId, change));
  }

  @Override
  public Task update(Owner owner, String taskId, TaskChange change) {
    return telling(() -> honest.update(owner, taskId, change));
  }

  @Override
  public Task update(Owner owner, String taskId, long expectedVersion, TaskChange change) {
    return telling(() -> honest.update(owner, taskId, expectedVersion, change));
  }

  @Override
  public Task cancel(Owner owner, String taskId) {
    return telling(() -> honest.cancel(owner, taskId));
  }

  @Override
  public Task create(Owner owner, NewTask newTask) {
    Task created = telling(() -> honest.create(owner, newTask));
    inHand.set(created);
    return created;
  }

  @Override
  public void close() {
    boolean unused =
        telling(
            () -> {
              honest.close();
              return true;
            });
  }

  // --- the cache ----------------------------------------------------------------------------

  private boolean caches() {
    return switch (bug) {
      case CACHE_FORGETS_THE_MAXIMUM_AGE,
          CACHE_SHOWS_WHAT_WAS_DELETED_HERE,
          CACHE_MIXES_UP_OWNERS,
          CACHE_IGNORES_THE_EXPIRY,
          CACHE_KEEPS_UNFINISHED_TASKS ->
          true;
      default -> false;
    };
  }

  private String name(Owner owner, String taskId) {
    return has(SeededStoreBug.CACHE_MIXES_UP_OWNERS)
        ? taskId
        : owner.kind() + " " + owner.value() + " " + taskId;
  }

  @Override
  public Task get(Owner owner, String taskId) {
    if (!caches()) {
      return honest.get(owner, taskId);
    }
    Task known = cache.get(name(owner, taskId));
    if (known != null && (has(SeededStoreBug.CACHE_IGNORES_THE_EXPIRY) || !isExpired(known))) {
      return known;
    }
    Task read = honest.get(owner, taskId);
    if (read.isTerminal() || has(SeededStoreBug.CACHE_KEEPS_UNFINISHED_TASKS)) {
      cache.put(name(owner, taskId), read);
    }
    return read;
  }

  private boolean isExpired(Task task) {
    return task.expiresAt().map(expiry -> !expiry.isAfter(clock.instant())).orElse(false);
  }

  @Override
  public void delete(Owner owner, String taskId) {
    boolean unused =
        telling(
            () -> {
              honest.delete(owner, taskId);
              return true;
            });
    if (!has(SeededStoreBug.CACHE_SHOWS_WHAT_WAS_DELETED_HERE)) {
      cache.keySet().removeIf(name(owner, taskId)::equals);
    }
  }

  // --- listeners ----------------------------------------------------------------------------

  /** Stands between a store and one of its listeners. */
  static final class Listener implements TaskListener {
    private final TaskListener delegate;
    private final SeededStoreBug bug;
    private final AtomicReference<SeededWatchingStore> store = new AtomicReference<>();
    private @Nullable TaskEvent held;
    private @Nullable Task created;
    private boolean silenced;

    Listener(TaskListener delegate, SeededStoreBug bug) {
      this.delegate = delegate;
      this.bug = bug;
    }

    /** Called by one thread. */
    @Override
    public void onEvent(TaskEvent event) {
      for (TaskEvent told : tellingOf(event)) {
        tell(told);
      }
    }

    private void tell(TaskEvent event) {
      if (silenced) {
        return;
      }
      try {
        delegate.onEvent(event);
      } catch (RuntimeException e) {
        silenced = bug == SeededStoreBug.LISTENER_IS_SILENCED_BY_ITS_FAILURE;
        throw e;
      }
    }

    private List<TaskEvent> tellingOf(TaskEvent event) {
      List<TaskEvent> all = new ArrayList<>(List.of(event));
      switch (bug) {
        case LISTENER_IS_TOLD_TWICE -> {
          if (event instanceof TaskEvent.Write) {
            all.add(event);
          }
        }
        case LISTENER_IS_TOLD_OUT_OF_ORDER -> {
          if (held == null && event instanceof TaskEvent.Updated) {
            held = event;
            return List.of();
          }
          if (held != null) {
            all.add(held);
            held = null;
          }
        }
        case LISTENER_IS_TOLD_OF_A_LOST_RACE -> {
          if (event instanceof TaskEvent.ConflictRetried lost && store.get() != null) {
            all.add(
                new TaskEvent.Updated(
                    lost.at(), store.get().honest.get(lost.taskOwner(), lost.id())));
          }
        }
        case LISTENER_IS_TOLD_OF_AN_UNKNOWN_OUTCOME -> {
          Task task = store.get() == null ? null : store.get().inHand.get();
          if (event instanceof TaskEvent.OutcomeUnknown && task != null) {
            all.add(new TaskEvent.Updated(event.at(), task));
          }
        }
        case LISTENER_IS_TOLD_OF_A_REFUSED_CREATE -> {
          if (event instanceof TaskEvent.Created write) {
            created = write.task();
          }
          if (event instanceof TaskEvent.Refused refused
              && refused.reason() instanceof TaskLimitException
              && created != null) {
            all.add(new TaskEvent.Created(event.at(), created));
          }
        }
        case LISTENER_IS_NOT_TOLD_OF_DELETIONS -> all.removeIf(TaskEvent.Deleted.class::isInstance);
        default -> {
          // Told as it was.
        }
      }
      return all;
    }
  }

  /** Says that a write has happened, and makes it a little later. Its own reads wait for that. */
  private static final class EarlyBackend extends PassingBackend {
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable CompletableFuture<?> underWay;

    EarlyBackend(StorageBackend delegate) {
      super(delegate);
    }

    private <T> T early(Supplier<T> write, RecordKey key, long expected, T answer) {
      lock.lock();
      try {
        finish();
        long version = super.get(key).map(VersionedRecord::version).orElse(0L);
        if (version != expected) {
          return write.get();
        }
        underWay =
            CompletableFuture.supplyAsync(
                write, CompletableFuture.delayedExecutor(30, TimeUnit.MILLISECONDS));
        return answer;
      } finally {
        lock.unlock();
      }
    }

    /** Waits for the write that is said to have happened. */
    void finish() {
      lock.lock();
      try {
        CompletableFuture<?> write = underWay;
        if (write != null) {
          Object unused = write.join();
          underWay = null;
        }
      } finally {
        lock.unlock();
      }
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      finish();
      return super.get(key);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      return early(
          () -> super.putIfVersion(key, value, expected), key, expected, new Written(expected + 1));
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      return early(
          () -> super.createWithin(key, value, max, now),
          key,
          StorageBackend.ABSENT,
          Created.CREATED);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      return early(() -> super.deleteIfVersion(key, expected), key, expected, Deleted.DELETED);
    }
  }
}
