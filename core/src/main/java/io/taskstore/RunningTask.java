// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;

import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A handler at work on a task: collects what it reports, keeps the lease, and ends the task. */
final class RunningTask implements TaskContext, Runnable {
  /*
   * Two locks. `writing` is held during a write, so that this worker has one write under way at most
   * and each begins from the answer to the one before: nobody else writes to the task as a rule, so
   * as a rule no write meets a conflict. `state` guards the fields and is never held during a call to
   * the storage or to anybody else, so that collecting never waits for a write.
   *
   * One timer serves both the collected changes and the heartbeat. A write of either kind renews the
   * lease and carries what was collected.
   *
   * `lost` is set once and for good when nothing can be written any more, and says why.
   */

  /** What a running task needs of its store. Writes check that this worker holds the lease. */
  interface Store {
    /** Writes a change and renews the lease. */
    Task write(Task inHand, String verb, Duration atMost, Function<Task, TaskChange> change);

    /** Renews the lease. */
    Task renew(Task inHand, Duration atMost);

    /** Writes a change and gives the lease back. */
    Task release(Task inHand, TaskChange change);

    /** Waits for the task to change. */
    Task await(Task inHand, Predicate<? super Task> done, Duration timeout)
        throws InterruptedException;

    /** Tells the listeners. */
    void handlerFailed(Task task, Throwable cause);

    /** What clients are told of an exception. */
    TaskError errorFor(Throwable cause);

    /** Forgets the handler. */
    void stopped(RunningTask run);

    TaskRules rules();

    Scheduler scheduler();

    Timing timing();

    Duration lease();

    Duration progressInterval();

    Duration operationTimeout();
  }

  private static final long LONGEST_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long SHORTEST_RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private static final System.Logger LOGGER = System.getLogger(RunningTask.class.getName());

  private final Store store;
  private final TaskHandler handler;
  private final String worker;
  private final long intervalNanos;
  private final long renewalNanos;
  private final long retryNanos;
  private final ReentrantLock writing = new ReentrantLock();

  private final ReentrantLock state = new ReentrantLock();
  private Task latest;
  private Collected collected = new Collected();
  private Collected underWay = new Collected();
  private @Nullable Supplier<? extends TaskStoreException> lost;
  private @Nullable TaskStoreException refused;
  private boolean hasEnded;
  private volatile boolean hasBegun;
  private long lastWrite;
  private long notBefore;
  private Scheduler.@Nullable Scheduled timer;
  private long timerDue;

  RunningTask(Store store, Task task, TaskHandler handler) {
    this.store = store;
    this.handler = handler;
    this.latest = task;
    this.worker = task.worker().orElseThrow();
    this.intervalNanos = store.progressInterval().toNanos();
    this.renewalNanos = store.lease().toNanos() / 3;
    this.retryNanos =
        Math.max(SHORTEST_RETRY_NANOS, Math.min(LONGEST_RETRY_NANOS, renewalNanos / 4));
    this.lastWrite = store.timing().nanoTime();
    this.notBefore = lastWrite;
  }

  /** What was reported and is not written yet. */
  private static final class Collected {
    private final SortedMap<String, @Nullable Json> variables = new TreeMap<>();
    private @Nullable Progress progress;
    private @Nullable String message;

    boolean isEmpty() {
      return variables.isEmpty() && progress == null && message == null;
    }

    /** Adds what was reported later. */
    void addAll(Collected later) {
      variables.putAll(later.variables);
      progress = later.progress == null ? progress : later.progress;
      message = later.message == null ? message : later.message;
    }

    TaskChange onTopOf(TaskChange change) {
      TaskChange all = variables.isEmpty() ? change : change.variables(variables);
      all = progress == null ? all : all.progress(progress);
      return message == null ? all : all.message(message);
    }
  }

  // --- running ------------------------------------------------------------------------------

  /** Begins to keep the lease, before the handler runs: an executor may take its time. */
  void begin() {
    state.lock();
    try {
      setTimer();
    } finally {
      state.unlock();
    }
  }

  /** Whether an executor has run the handler, or is about to. */
  boolean hasBegun() {
    return hasBegun;
  }

  @Override
  public void run() {
    hasBegun = true;
    @Nullable Object result = null;
    Throwable failure = null;
    try {
      throwIfUnusable(); // it may have waited in a queue for longer than the lease
      result = handler.run(this);
    } catch (Throwable e) {
      failure = e;
    }
    // What the handler has done is to be stored, though its thread is asked to stop.
    boolean interrupted = Thread.interrupted();
    try {
      if (failure == null) {
        completeWith(result);
      } else {
        endAfter(failure, interrupted);
      }
    } catch (RuntimeException e) {
      LOGGER.log(
          Level.ERROR,
          "The end of " + latest() + " could not be stored; it can be resumed after its lease",
          e);
    } finally {
      stop();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    if (failure instanceof Error error) {
      throw error;
    }
  }

  private void completeWith(@Nullable Object result) {
    if (isOver()) {
      return;
    }
    try {
      persist(() -> end(completion(result)));
    } catch (TaskStorageException | TaskConflictException e) {
      throw e;
    } catch (TaskStoreException e) {
      // The result, or what was collected, is refused: nobody else can tell the client.
      store.handlerFailed(latest(), e);
      failWith(e);
    }
  }

  private TaskChange completion(@Nullable Object result) {
    return result == null ? change().complete() : change().complete(store.rules().result(result));
  }

  private void endAfter(Throwable failure, boolean interrupted) {
    if (isOver()) {
      boolean wasToldToStop =
          failure instanceof TaskStoreException
              || failure instanceof CancellationException
              || failure instanceof InterruptedException;
      if (!wasToldToStop) {
        store.handlerFailed(latest(), failure);
      }
    } else if (failure instanceof CancellationException && isCancelRequested()) {
      insist(change().cancel());
    } else if (failure instanceof InterruptedException || interrupted) {
      release();
    } else {
      store.handlerFailed(latest(), failure);
      failWith(failure);
    }
  }

  private void failWith(Throwable failure) {
    TaskError error = errorFor(failure);
    try {
      insist(change().fail(error));
    } catch (TaskStorageException | TaskConflictException e) {
      throw e;
    } catch (TaskStoreException e) {
      // The error itself is refused: then without its data.
      insist(change().fail(TaskError.of(error.code(), error.message())));
    }
  }

  /**
   * Ends the task though what was collected may be refused: earlier, in the background, or now. A
   * refusal drops it, so the third attempt has nothing to refuse but the end itself.
   */
  private void insist(TaskChange ending) {
    for (int attempt = 1; ; attempt++) {
      try {
        persist(() -> end(ending));
        return;
      } catch (TaskStorageException | TaskConflictException e) {
        throw e;
      } catch (TaskStoreException e) {
        if (attempt == 3) {
          throw e;
        }
      }
    }
  }

  private TaskError errorFor(Throwable failure) {
    TaskError error;
    try {
      error = Objects.requireNonNull(store.errorFor(failure), "the error");
    } catch (RuntimeException e) {
      LOGGER.log(Level.WARNING, "handlerErrors has failed, the default is used", e);
      error = HandlerErrors.messageAndType(failure);
    }
    return HandlerErrors.fitting(error, store.rules().maxMessageBytes());
  }

  /** Does it again while the storage is in trouble and the lease may still be ours. */
  private void persist(Runnable ending) {
    while (true) {
      TaskStoreException failure;
      try {
        ending.run();
        return;
      } catch (TaskStorageException e) {
        failure = e;
        if (!e.isRetryable() && !e.isOutcomeUnknown()) {
          throw e;
        }
      } catch (TaskConflictException e) {
        failure = e;
      }
      if (store.timing().nanoTime() - lastWrite() > store.lease().toNanos()) {
        throw failure;
      }
      try {
        store.timing().sleep(retryNanos);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw failure;
      }
    }
  }

  private void release() {
    writing.lock();
    try {
      try {
        release(take());
      } catch (TaskStorageException | TaskConflictException e) {
        throw e;
      } catch (LeaseLostException | TaskEndedException | TaskNotFoundException e) {
        // There is nothing to give back any more.
      } catch (TaskStoreException e) {
        release(take()); // what was collected is refused, and dropped
      }
    } finally {
      writing.unlock();
    }
  }

  private void release(Collected taken) {
    Task inHand = latest();
    send(taken, true, () -> store.release(inHand, taken.onTopOf(change())));
  }

  /** Ends the timer, and forgets the handler. */
  void stop() {
    state.lock();
    try {
      hasEnded = true;
      cancelTimer();
    } finally {
      state.unlock();
    }
    store.stopped(this);
  }

  /** Writes what was collected, then nothing more, because the store is closed. */
  void close(Supplier<TaskStoreException> failure, Duration atMost) {
    try {
      // A write that is under way may have begun before the last report.
      if (writing.tryLock(atMost.toNanos(), TimeUnit.NANOSECONDS)) {
        try {
          if (!isOver()) {
            writeCollected(atMost, false);
          }
        } finally {
          writing.unlock();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (TaskStoreException e) {
      LOGGER.log(Level.WARNING, "The last progress of " + latest() + " could not be stored", e);
    }
    lose(failure);
  }

  // --- what is known ------------------------------------------------------------------------

  private Task latest() {
    state.lock();
    try {
      return latest;
    } finally {
      state.unlock();
    }
  }

  private long lastWrite() {
    state.lock();
    try {
      return lastWrite;
    } finally {
      state.unlock();
    }
  }

  /** Hears how the task stands, from whatever write or look, our own end too. */
  void seen(Task task) {
    state.lock();
    try {
      if (task.version() <= latest.version()) {
        return;
      }
      latest = task;
      if (task.isTerminal()) {
        loseLocked(() -> new TaskEndedException(task));
      } else if (!task.worker().equals(Optional.of(worker))) {
        loseLocked(() -> new LeaseLostException(task.id()));
      }
    } finally {
      state.unlock();
    }
  }

  /** Writes nothing from now on. */
  void lose(Supplier<? extends TaskStoreException> reason) {
    state.lock();
    try {
      loseLocked(reason);
    } finally {
      state.unlock();
    }
  }

  private void loseLocked(Supplier<? extends TaskStoreException> reason) {
    if (lost == null && !hasEnded) {
      lost = reason;
      collected = new Collected();
      cancelTimer();
    }
  }

  private boolean isOver() {
    state.lock();
    try {
      return lost != null || hasEnded;
    } finally {
      state.unlock();
    }
  }

  private void throwIfUnusable() {
    state.lock();
    try {
      throwIfUnusableLocked();
    } finally {
      state.unlock();
    }
  }

  private void throwIfUnusableLocked() {
    TaskStoreException refusal = refused;
    if (refusal != null) {
      refused = null;
      throw refusal;
    }
    if (lost != null) {
      throw lost.get();
    }
    if (hasEnded) {
      throw latest.isTerminal()
          ? new TaskEndedException(latest)
          : new LeaseLostException(latest.id()); // it was given back
    }
  }

  // --- writing ------------------------------------------------------------------------------

  /** Takes what was collected, to write it. For the holder of {@code writing}. */
  private Collected take() {
    state.lock();
    try {
      underWay = collected;
      collected = new Collected();
      return underWay;
    } finally {
      state.unlock();
    }
  }

  /** One write, with all that goes with it. For the holder of {@code writing}. */
  private void send(Collected taken, boolean ending, Supplier<Task> write) {
    long begun = store.timing().nanoTime();
    try {
      Task after = write.get();
      seen(after);
      wrote(begun, ending);
    } catch (LeaseLostException e) {
      lose(() -> new LeaseLostException(e.taskId()));
      throw e;
    } catch (TaskEndedException e) {
      seen(e.task()); // what it has ended with may be what this worker is about to write
      throw e;
    } catch (TaskNotFoundException e) {
      lose(() -> new TaskNotFoundException(e.taskId()));
      throw e;
    } catch (TaskUnreadableException e) {
      lose(() -> e);
      throw e;
    } catch (TaskStorageException | TaskConflictException e) {
      giveBack(taken);
      throw e;
    } finally {
      done();
    }
  }

  private void wrote(long begun, boolean ending) {
    state.lock();
    try {
      lastWrite = begun;
      notBefore = begun;
      hasEnded |= ending;
    } finally {
      state.unlock();
    }
  }

  private void giveBack(Collected taken) {
    state.lock();
    try {
      if (lost == null) {
        taken.addAll(collected);
        collected = taken;
      }
    } finally {
      state.unlock();
    }
  }

  private void done() {
    state.lock();
    try {
      underWay = new Collected();
      setTimer();
    } finally {
      state.unlock();
    }
  }

  /** Writes what was collected, or renews the lease. For the holder of {@code writing}. */
  private void writeCollected(Duration atMost, boolean renew) {
    Collected taken = take();
    Task inHand = latest();
    if (!taken.isEmpty()) {
      TaskChange reported = taken.onTopOf(change());
      send(
          taken,
          false,
          () -> store.write(inHand, "report progress of task", atMost, task -> reported));
    } else if (renew) {
      send(taken, false, () -> store.renew(inHand, atMost));
    }
  }

  @Override
  public void flush() {
    writing.lock();
    try {
      throwIfUnusable();
      writeCollected(store.operationTimeout(), false);
    } finally {
      writing.unlock();
    }
  }

  /** Ends the task; false if it has ended otherwise, or is not ours any more. */
  private boolean end(TaskChange ending) {
    writing.lock();
    try {
      Task task = latest();
      if (task.isTerminal() && isOver()) {
        return store.rules().isInPlace(task, ending);
      }
      throwIfUnusable();
      Collected taken = take();
      Task inHand = latest();
      TaskChange last = taken.onTopOf(ending);
      send(taken, true, () -> store.write(inHand, "end task", store.operationTimeout(), t -> last));
      return true;
    } catch (LeaseLostException | TaskEndedException | TaskNotFoundException e) {
      return false;
    } finally {
      writing.unlock();
    }
  }

  // --- the timer ----------------------------------------------------------------------------

  /** Sets the timer to what is due next. For the holder of {@code state}. */
  private void setTimer() {
    if (lost != null || hasEnded) {
      return;
    }
    long due = lastWrite + renewalNanos;
    if (!collected.isEmpty() && lastWrite + intervalNanos - due < 0) {
      due = lastWrite + intervalNanos;
    }
    if (notBefore - due > 0) {
      due = notBefore;
    }
    if (timer != null && timerDue - due <= 0) {
      return; // it comes in time, and looks again then
    }
    cancelTimer();
    timerDue = due;
    timer = store.scheduler().schedule(Math.max(0, due - store.timing().nanoTime()), this::onTimer);
  }

  private void cancelTimer() {
    if (timer != null) {
      timer.cancel();
      timer = null;
    }
  }

  private void onTimer() {
    boolean renew;
    state.lock();
    try {
      timer = null;
      long now = store.timing().nanoTime();
      renew = now - (lastWrite + renewalNanos) >= 0;
      boolean flush = !collected.isEmpty() && now - (lastWrite + intervalNanos) >= 0;
      if (lost != null || hasEnded || !(renew || flush)) {
        setTimer();
        return;
      }
      // Whatever comes of it, the next try is not at once.
      notBefore = now + retryNanos;
    } finally {
      state.unlock();
    }
    if (!writing.tryLock()) {
      resetTimer(); // a write is under way; it does not have to be ours
      return;
    }
    try {
      writeCollected(store.lease().dividedBy(3), renew);
    } catch (LeaseLostException | TaskEndedException | TaskNotFoundException e) {
      // The handler hears of it at its next call.
    } catch (TaskStorageException | TaskConflictException e) {
      LOGGER.log(Level.DEBUG, "Progress could not be written, the next try comes soon", e);
    } catch (TaskStoreException e) {
      refuse(e);
    } finally {
      writing.unlock();
      resetTimer();
    }
  }

  private void resetTimer() {
    state.lock();
    try {
      setTimer();
    } finally {
      state.unlock();
    }
  }

  private void refuse(TaskStoreException refusal) {
    state.lock();
    try {
      refused = refusal;
    } finally {
      state.unlock();
    }
  }

  // --- for the handler ----------------------------------------------------------------------

  @Override
  public Task task() {
    return latest();
  }

  @Override
  public Variables variables() {
    state.lock();
    try {
      SortedMap<String, @Nullable Json> changes = new TreeMap<>(underWay.variables);
      changes.putAll(collected.variables);
      return latest.variablesWith(changes);
    } finally {
      state.unlock();
    }
  }

  private interface Report {
    void addTo(Collected collected);
  }

  private TaskContext collect(Report report) {
    state.lock();
    try {
      throwIfUnusableLocked();
      boolean wasEmpty = collected.isEmpty();
      report.addTo(collected);
      if (wasEmpty) {
        setTimer();
      }
      return this;
    } finally {
      state.unlock();
    }
  }

  @Override
  public TaskContext set(String name, @Nullable Object value) {
    Json json = store.rules().variable(Objects.requireNonNull(name, "name"), value);
    return collect(all -> all.variables.put(name, json));
  }

  @Override
  public TaskContext progress(Progress progress) {
    Objects.requireNonNull(progress, "progress");
    return collect(all -> all.progress = progress);
  }

  @Override
  public TaskContext message(String text) {
    store.rules().checkMessage(Objects.requireNonNull(text, "message"));
    return collect(all -> all.message = text);
  }

  @Override
  public boolean isCancelRequested() {
    return latest().isCancelRequested();
  }

  @Override
  public void throwIfCancelled() {
    throwIfUnusable();
    Task task = latest();
    if (task.isCancelRequested()) {
      throw new CancellationException(
          "Somebody asked for the cancellation of task " + Text.quote(task.id()));
    }
  }

  @Override
  public <T> T ask(String key, InputRequest request, Class<T> type, Duration timeout)
      throws InterruptedException, TimeoutException {
    Objects.requireNonNull(key, "key");
    Objects.requireNonNull(request, "request");
    Objects.requireNonNull(type, "type");
    Objects.requireNonNull(timeout, "timeout");
    Task asked = ask(key, store.rules().inputRequest(key, request), request);
    Task task;
    try {
      task =
          store.await(
              asked,
              t ->
                  t.state().inputResponses().get(key) != null
                      || t.isTerminal()
                      || t.isCancelRequested()
                      || !t.worker().equals(Optional.of(worker)),
              timeout);
    } catch (TaskNotFoundException e) {
      lose(() -> new TaskNotFoundException(e.taskId()));
      throw e;
    }
    seen(task);
    throwIfUnusable();
    Optional<T> answer = task.inputResponses().as(key, type);
    if (answer.isPresent()) {
      return answer.get();
    }
    throwIfCancelled();
    throw new TimeoutException(
        "Task %s has no answer to %s after %s"
            .formatted(Text.quote(task.id()), Text.quote(key), timeout));
  }

  /** Sees to it that the question is asked, and what was collected is written. */
  private Task ask(String key, Json question, InputRequest request) {
    writing.lock();
    try {
      throwIfUnusable();
      Task inHand = latest();
      checkQuestion(inHand, key, question);
      boolean isKnown = inHand.state().inputRequests().get(key) != null;
      Collected taken = take();
      if (isKnown && taken.isEmpty()) {
        return inHand;
      }
      send(
          taken,
          false,
          () ->
              store.write(
                  inHand,
                  "ask for input of task",
                  store.operationTimeout(),
                  task -> {
                    checkQuestion(task, key, question);
                    TaskChange reported = taken.onTopOf(change());
                    return task.state().inputRequests().get(key) == null
                        ? reported.requireInput(key, request)
                        : reported;
                  }));
      return latest();
    } finally {
      writing.unlock();
    }
  }

  private static void checkQuestion(Task task, String key, Json question) {
    Json used = task.state().inputRequests().get(key);
    if (used != null && !used.equals(question)) {
      throw TaskRules.keyUsedBefore(key);
    }
  }

  @Override
  public boolean complete() {
    return end(change().complete());
  }

  @Override
  public boolean complete(Object result) {
    Objects.requireNonNull(result, "result");
    return end(completion(result));
  }

  @Override
  public boolean fail(TaskError error) {
    return end(change().fail(Objects.requireNonNull(error, "error")));
  }

  /** Shows what the task shows. */
  @Override
  public String toString() {
    return "TaskContext[" + latest() + "]";
  }
}
