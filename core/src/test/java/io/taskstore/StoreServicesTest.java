// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What a store does besides operations on tasks: its cache, its sweeper, its listeners, its end.
 */
@Timeout(60)
class StoreServicesTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final NewTask WORK = NewTask.of("work");
  private static final Duration SECOND = Duration.ofSeconds(1);

  private static final class Backend extends ForwardingBackend {
    private final AtomicInteger reads = new AtomicInteger();
    private final List<Instant> purges = new ArrayList<>();
    private int due;
    private boolean purgesItself;
    private boolean isDown;
    private @Nullable Runnable afterRead;
    private boolean losesDeletes;
    private boolean isClosed;

    Backend(StorageBackend delegate) {
      super(delegate);
    }

    @Override
    public BackendTraits traits() {
      return new BackendTraits("b", false, false, purgesItself, 1_000_000);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      reads.incrementAndGet();
      Optional<VersionedRecord> found = super.get(key);
      if (afterRead != null) {
        Runnable hook = afterRead;
        afterRead = null;
        hook.run();
      }
      return found;
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      DeleteResult result = super.deleteIfVersion(key, expected);
      if (losesDeletes) {
        throw new OutcomeUnknownException("delete", key, "cut off", null);
      }
      return result;
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      purges.add(now);
      if (isDown) {
        throw new StorageUnavailableException("purge", null, true, "down", null);
      }
      int purged = Math.min(due, limit);
      due -= purged;
      return purged;
    }

    @Override
    public void close() {
      isClosed = true;
    }

    int takeReads() {
      return reads.getAndSet(0);
    }
  }

  private final MapBackend map = new MapBackend();
  private final Backend backend = new Backend(map);
  private final MovableClock clock = new MovableClock();
  private final VirtualTiming timing = new VirtualTiming();
  private final VirtualScheduler scheduler = new VirtualScheduler(timing);
  private final List<TaskEvent> events = Collections.synchronizedList(new ArrayList<>());
  private final List<GenericTaskStore> stores = new ArrayList<>();
  private final GenericTaskStore other =
      GenericTaskStore.builder(map).clock(clock).timing(timing).build();

  private GenericTaskStore.Builder builder() {
    return GenericTaskStore.builder(backend).clock(clock).timing(timing).scheduler(scheduler);
  }

  private GenericTaskStore open(GenericTaskStore.Builder builder) {
    GenericTaskStore store = builder.build();
    stores.add(store);
    return store;
  }

  private GenericTaskStore caching() {
    return open(builder().cacheFinishedTasks(100_000, SECOND.multipliedBy(30)));
  }

  @AfterEach
  void close() {
    stores.forEach(GenericTaskStore::close);
  }

  // --- the cache ----------------------------------------------------------------------------

  @Test
  void cache_finishedTask_isReadOnceAtMost() {
    GenericTaskStore store = caching();
    Task written = store.update(store.create(ALICE, WORK), change().complete(Map.of("r", 1)));
    Task elsewhere = other.update(other.create(ALICE, WORK), change().fail("broken"));
    backend.takeReads();

    assertThat(store.get(ALICE, written.id()).result()).contains(Map.of("r", 1L));
    assertThat(backend.takeReads()).as("it was written here").isZero();
    assertThat(store.get(ALICE, elsewhere.id())).isEqualTo(elsewhere);
    assertThat(backend.takeReads()).isEqualTo(1);
    assertThat(store.get(ALICE, elsewhere.id())).isEqualTo(elsewhere);
    assertThat(backend.takeReads()).isZero();

    GenericTaskStore.CacheStatistics statistics = store.cacheStatistics().orElseThrow();
    assertThat(statistics.hits()).isEqualTo(2);
    assertThat(statistics.misses()).isEqualTo(1);
    assertThat(statistics.hitRate()).isEqualTo(2 / 3.0);
    assertThat(statistics.entries()).isEqualTo(2);
    assertThat(statistics.bytes()).isPositive();
    assertThat(open(builder()).cacheStatistics()).isEmpty();
    assertThat(new GenericTaskStore.CacheStatistics(0, 0, 0, 0).hitRate()).isEqualTo(1);
  }

  @Test
  void cache_unfinishedTask_isAlwaysRead() {
    GenericTaskStore store = caching();
    Task task = store.create(ALICE, WORK);
    store.get(ALICE, task.id());
    Task changed = other.update(task, change().set("a", 1));

    assertThat(store.get(ALICE, task.id())).isEqualTo(changed);
    assertThat(store.get(ALICE, task.id()).variables().integer("a")).hasValue(1);
  }

  @Test
  void cache_taskOfAnotherOwner_isNotShown() {
    GenericTaskStore store = caching();
    Task task = store.update(store.create(ALICE, WORK), change().complete());

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(Owner.subject("bob"), task.id()));
  }

  @Test
  void cache_deleteHere_isSeenAtOnce_andElsewhereAfterTheMaximumAge() {
    GenericTaskStore store = caching();
    Task here = store.update(store.create(ALICE, WORK), change().complete());
    Task elsewhere = store.update(store.create(ALICE, WORK), change().complete());

    store.delete(ALICE, here.id());
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(ALICE, here.id()));

    other.delete(ALICE, elsewhere.id());
    timing.moveTo(timing.nanoTime() + SECOND.multipliedBy(30).toNanos() - 1);
    assertThat(store.get(ALICE, elsewhere.id())).isEqualTo(elsewhere);
    timing.moveTo(timing.nanoTime() + 1);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(ALICE, elsewhere.id()));
  }

  @Test
  void cache_deleteWhoseOutcomeIsUnknown_isNotServedFromMemory() {
    GenericTaskStore store = caching();
    Task task = store.update(store.create(ALICE, WORK), change().complete());
    backend.losesDeletes = true;

    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> store.delete(ALICE, task.id()))
        .matches(TaskStorageException::isOutcomeUnknown);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(ALICE, task.id()));
  }

  @Test
  void cache_readThatADeleteOvertakes_isNotKept() {
    GenericTaskStore store = caching();
    Task task = other.update(other.create(ALICE, WORK), change().complete());
    backend.afterRead = () -> store.delete(ALICE, task.id());

    assertThat(store.get(ALICE, task.id())).as("read before the delete").isEqualTo(task);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(ALICE, task.id()));
  }

  @Test
  void cache_expiredTask_isGoneToTheMillisecond() {
    GenericTaskStore store = caching();
    Task task = store.update(store.create(ALICE, WORK), change().complete());
    Instant expiry = task.expiresAt().orElseThrow();

    clock.set(expiry.minusMillis(1));
    assertThat(store.get(ALICE, task.id())).isEqualTo(task);
    clock.set(expiry);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(ALICE, task.id()));
  }

  @Test
  void cache_isNeverTheBasisOfAWrite() {
    GenericTaskStore store = caching();
    Task task = store.update(store.create(ALICE, WORK), change().complete());
    other.delete(ALICE, task.id());

    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.requestCancel(ALICE, task.id()));
    assertThat(store.get(ALICE, task.id())).as("cached still").isEqualTo(task);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.delete(ALICE, task.id()));
    assertThatExceptionOfType(TaskNotFoundException.class)
        .as("after this store has found out")
        .isThrownBy(() -> store.get(ALICE, task.id()));
  }

  // --- the sweeper --------------------------------------------------------------------------

  @Test
  void sweeper_purgesAtItsInterval_withJitter_untilNothingIsDue() {
    backend.due = 2_500;
    open(builder().sweepInterval(Duration.ofMinutes(1)));

    scheduler.advance(Duration.ofSeconds(53));
    assertThat(backend.purges).isEmpty();
    scheduler.advance(Duration.ofSeconds(14));
    assertThat(backend.purges)
        .hasSize(3)
        .containsOnly(clock.instant().minus(Duration.ofMinutes(5)));
    assertThat(backend.due).isZero();
    scheduler.advance(Duration.ofMinutes(10));
    assertThat(backend.purges.size()).isBetween(3 + 9, 3 + 12);
  }

  @Test
  void sweeper_goesOn_afterAFailure() {
    backend.isDown = true;
    open(builder().sweepInterval(Duration.ofMinutes(1)));
    scheduler.advance(Duration.ofMinutes(5));
    int tries = backend.purges.size();
    assertThat(tries).isBetween(4, 6);

    scheduler.advance(Duration.ofMinutes(5));
    assertThat(backend.purges.size()).isBetween(tries + 4, tries + 6);
  }

  @Test
  void sweeper_isOffByDefault_whereTheBackendPurges_andAfterClose() {
    open(builder());
    assertThat(scheduler.waiting()).isZero();
    open(builder().sweepInterval(Duration.ZERO));
    assertThat(scheduler.waiting()).isZero();
    backend.purgesItself = true;
    open(builder().sweepInterval(SECOND));
    assertThat(scheduler.waiting()).isZero();
    backend.purgesItself = false;
    GenericTaskStore sweeping = open(builder().sweepInterval(SECOND));
    assertThat(scheduler.waiting()).isEqualTo(1);
    sweeping.close();
    scheduler.advance(Duration.ofMinutes(1));
    assertThat(backend.purges).isEmpty();
  }

  // --- listeners ----------------------------------------------------------------------------

  /** What a listener has heard when the store is closed. */
  private List<String> heard(GenericTaskStore store) {
    store.close();
    return events.stream().map(TaskEvent::type).toList();
  }

  @Test
  void listener_hearsOneEventForEachWrite() throws Exception {
    GenericTaskStore store = open(builder().listener(events::add));
    Task task = store.create(ALICE, WORK);
    task = store.update(task, change().set("a", 1));
    task = store.update(task, change().requireInput("k", InputRequest.of("ask")).set("b", 1));
    store.provideInput(ALICE, task.id(), Map.of("unknown", 1));
    store.provideInput(ALICE, task.id(), Map.of("k", 1));
    store.requestCancel(ALICE, task.id());
    store.requestCancel(ALICE, task.id());
    task = store.claim(store.get(ALICE, task.id()), "w", SECOND).orElseThrow();
    task = store.claim(task, "w", SECOND.multipliedBy(2)).orElseThrow();
    assertThat(store.claim(task, "rival", SECOND)).isEmpty();
    store.cancel(ALICE, task.id());
    store.delete(ALICE, task.id());
    store.start(ALICE, WORK, Runnable::run, context -> Map.of());
    store.start(
        ALICE,
        WORK,
        Runnable::run,
        context -> {
          throw new InterruptedException();
        });
    backend.due = 3;
    store.purgeExpired(10);
    store.purgeExpired(10);
    Task last = store.create(ALICE, WORK);
    store.awaitTerminal(ALICE, last.id(), Duration.ZERO);

    assertThat(heard(store))
        .containsExactly(
            "created",
            "updated",
            "input_requested",
            "input_provided",
            "cancel_requested",
            "lease_taken",
            "cancelled",
            "deleted",
            "created",
            "completed",
            "created",
            "lease_released",
            "purged",
            "created");
    assertThat(events.get(2))
        .matches(e -> ((TaskEvent.InputRequested) e).keys().equals(List.of("k")));
    assertThat(events.get(3))
        .matches(e -> ((TaskEvent.InputProvided) e).keys().equals(List.of("k")));
    assertThat(events).allMatch(event -> event.at().equals(clock.instant()));
  }

  @Test
  void listener_hearsWhyOperationsAreRefused() {
    GenericTaskStore store = open(builder().maxActiveTasks(1).listener(events::add));
    Task task = store.create(ALICE, WORK);
    refused(() -> store.create(ALICE, WORK));
    refused(() -> store.get(ALICE, "missing"));
    refused(() -> store.get(Owner.local(), "x"));
    refused(() -> store.update(ALICE, task.id(), 9, change()));
    refused(() -> store.update(task, change().set("x", new Object())));
    refused(() -> store.list(ALICE, TaskQuery.newestFirst().after("?")));
    Task ended = store.update(task, change().complete());
    refused(() -> store.update(ended, change().set("x", 1)));
    refused(() -> store.claim(ended, "w", SECOND));

    assertThat(heard(store))
        .containsExactly(
            "created",
            "refused",
            "refused",
            "refused",
            "refused",
            "refused",
            "refused",
            "completed",
            "refused",
            "refused");
    assertThat(events)
        .filteredOn(TaskEvent.Refused.class::isInstance)
        .extracting(e -> ((TaskEvent.Refused) e).reason().getClass().getSimpleName())
        .containsExactly(
            "TaskLimitException",
            "TaskNotFoundException",
            "OwnerNotAllowedException",
            "TaskConflictException",
            "InvalidValueException",
            "InvalidCursorException",
            "TaskEndedException",
            "TaskEndedException");
  }

  private static void refused(Runnable call) {
    assertThatExceptionOfType(TaskStoreException.class).isThrownBy(call::run);
  }

  @Test
  void listener_hearsOfExpiryDamageConflictsAndLostAnswers() {
    GenericTaskStore store = open(builder().listener(events::add));
    Task task = store.create(ALICE, WORK);
    other.update(task, change().set("b", 1));
    store.update(task, change().set("a", 1));
    RecordKey key = new RecordKey("ts:alice", task.id());
    map.corrupt(key);
    refused(() -> store.get(ALICE, task.id()));
    store.list(ALICE, TaskQuery.newestFirst());
    map.repair(key);
    clock.advance(Duration.ofHours(2));
    refused(() -> store.get(ALICE, task.id()));

    assertThat(heard(store))
        .containsExactly(
            "created",
            "conflict_retried",
            "updated",
            "unreadable",
            "unreadable",
            "expired",
            "refused");
    assertThat(events).allMatch(event -> event.owner().equals(Optional.of(ALICE)));
    assertThat(events).allMatch(event -> event.taskId().equals(Optional.of(task.id())));
  }

  // --- waiting ----------------------------------------------------------------------------

  /** Waits in a thread of its own, which cannot wake by itself: nobody advances the scheduler. */
  private CompletableFuture<Task> awaiting(TaskStore store, Task task) {
    int reads = backend.reads.get();
    CompletableFuture<Task> end = new CompletableFuture<>();
    Thread waiter =
        new Thread(
            () -> {
              try {
                end.complete(store.awaitTerminal(ALICE, task.id(), Duration.ofDays(1)));
              } catch (InterruptedException | RuntimeException e) {
                end.completeExceptionally(e);
              }
            });
    waiter.setDaemon(true);
    waiter.start();
    while (backend.reads.get() == reads) {
      Thread.onSpinWait(); // registered before it reads
    }
    return end;
  }

  @Test
  void waiter_isWokenByTheStoresOwnWritesDeletesAndEnd() throws Exception {
    GenericTaskStore store = open(builder());
    Task first = store.create(ALICE, WORK);
    CompletableFuture<Task> ended = awaiting(store, first);
    Task completed = store.update(first, change().complete());
    assertThat(ended.get(30, TimeUnit.SECONDS)).isEqualTo(completed);

    Task second = store.create(ALICE, WORK);
    CompletableFuture<Task> gone = awaiting(store, second);
    store.delete(ALICE, second.id());
    assertThatExceptionOfType(ExecutionException.class)
        .isThrownBy(() -> gone.get(30, TimeUnit.SECONDS))
        .withCauseInstanceOf(TaskNotFoundException.class);

    CompletableFuture<Task> closed = awaiting(store, store.create(ALICE, WORK));
    store.close();
    assertThatExceptionOfType(ExecutionException.class)
        .isThrownBy(() -> closed.get(30, TimeUnit.SECONDS))
        .withCauseInstanceOf(TaskStorageException.class);
  }

  // --- the end ------------------------------------------------------------------------------

  @Test
  void close_leavesTheBackendOpen_andRefusesEverythingElse() {
    GenericTaskStore store = open(builder().listener(events::add));
    Task task = store.create(ALICE, WORK);

    store.close();
    store.close();

    assertThat(backend.isClosed).isFalse();
    List<Runnable> calls =
        List.of(
            () -> store.create(ALICE, WORK),
            () -> store.start(ALICE, WORK, Runnable::run, context -> null),
            () -> store.resume(ALICE, task.id(), Runnable::run, context -> null),
            () -> store.claim(task, "w", SECOND),
            () -> store.get(ALICE, task.id()),
            () -> store.list(ALICE, TaskQuery.newestFirst()),
            () -> store.update(task, change()),
            () -> store.update(ALICE, task.id(), change()),
            () -> store.update(ALICE, task.id(), 1, change()),
            () -> store.cancel(ALICE, task.id()),
            () -> store.requestCancel(ALICE, task.id()),
            () -> store.provideInput(ALICE, task.id(), Map.of()),
            () -> store.delete(ALICE, task.id()),
            () -> store.purgeExpired(1),
            () -> await(store, task));
    for (Runnable call : calls) {
      assertThatExceptionOfType(TaskStorageException.class)
          .isThrownBy(call::run)
          .withMessage("The task store is closed; nothing was changed; open a new one")
          .matches(e -> !e.isRetryable() && !e.isOutcomeUnknown());
    }
    assertThat(other.get(ALICE, task.id())).isEqualTo(task);
  }

  private static void await(TaskStore store, Task task) {
    try {
      store.awaitTerminal(task.owner(), task.id(), SECOND);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
