// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;

import io.taskstore.GenericTaskStore;
import io.taskstore.InputRequest;
import io.taskstore.InvalidValueException;
import io.taskstore.LeaseLostException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Progress;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskContext;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskError;
import io.taskstore.TaskHandler;
import io.taskstore.TaskLimits;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStore;
import io.taskstore.Variables;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A task store with a bug, or without one: the store that it stands before is never wrong. */
final class SeededTaskStore extends PassingTaskStore {
  private static final Duration MILLISECOND = Duration.ofMillis(1);
  private static final JsonMapper JSON = new JsonMapper();

  private final SeededStoreBug bug;
  private final Line line;
  private final TaskStore honest;

  /** The same store to which it is another time. */
  private final TaskStore shifted;

  private SeededTaskStore(SeededStoreBug bug, Line line, TaskStore honest, TaskStore shifted) {
    super(honest);
    this.bug = bug;
    this.line = line;
    this.honest = honest;
    this.shifted = shifted;
  }

  /** Makes a store with the bug, and with everything else as it was asked for. */
  static TaskStore over(
      StorageBackend onto,
      Clock clock,
      UnaryOperator<GenericTaskStore.Builder> options,
      SeededStoreBug bug) {
    Line line = new Line(onto);
    Duration shift =
        switch (bug) {
          case LIVING_LEASE_IS_IGNORED_BY_RESUME -> Duration.ofMinutes(10);
          case LEASE_ENDS_A_MILLISECOND_EARLY -> MILLISECOND;
          case LEASE_ENDS_A_MILLISECOND_LATE -> MILLISECOND.negated();
          default -> Duration.ZERO;
        };
    return new SeededTaskStore(
        bug,
        line,
        store(line, clock, options, bug),
        store(line, Clock.offset(clock, shift), options, bug));
  }

  private static TaskStore store(
      Line line, Clock clock, UnaryOperator<GenericTaskStore.Builder> options, SeededStoreBug bug) {
    GenericTaskStore.Builder builder = options.apply(GenericTaskStore.builder(line).clock(clock));
    return switch (bug) {
      case INPUT_HAS_NO_LIMIT ->
          builder.limits(TaskLimits.defaults().withMaxInputBytes(TaskLimits.HIGHEST_BYTES)).build();
      case FAILURE_HAS_A_STACK_TRACE ->
          builder.handlerErrors(failure -> TaskError.of(stackTrace(failure))).build();
      case FAILURE_HAS_NO_MESSAGE ->
          builder.handlerErrors(failure -> TaskError.of("failed")).build();
      case REPORTS_WAIT_FOR_THE_END -> builder.progressInterval(Duration.ofDays(1)).build();
      default -> builder.build();
    };
  }

  private static String stackTrace(Throwable failure) {
    StringWriter text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  /** The way to the storage, which can be cut. */
  private static final class Line extends PassingBackend {
    private volatile boolean cut;

    Line(StorageBackend delegate) {
      super(delegate);
    }

    void cut() {
      cut = true;
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      if (cut) {
        throw new StorageUnavailableException("putIfVersion", key, false, "cut by the bug", null);
      }
      return super.putIfVersion(key, value, expected);
    }
  }

  private boolean has(SeededStoreBug other) {
    return bug == other;
  }

  /** Changes the stored data of a task, past all rules. */
  private Task edit(Task task, Consumer<ObjectNode> change) {
    VersionedRecord stored = TaskSamples.stored(line, task);
    ObjectNode data = (ObjectNode) JSON.readTree(stored.value().data().toByteArray());
    change.accept(data);
    VersionedRecord unused = TaskSamples.plant(line, stored, JSON.writeValueAsBytes(data));
    return honest.get(task.owner(), task.id());
  }

  // --- input --------------------------------------------------------------------------------

  @Override
  public Task update(Task task, Function<? super Task, TaskChange> change) {
    return accepting(task.owner(), task.id(), () -> honest.update(task, change));
  }

  @Override
  public Task update(Task task, TaskChange change) {
    return accepting(task.owner(), task.id(), () -> honest.update(task, change));
  }

  @Override
  public Task update(Owner owner, String taskId, Function<? super Task, TaskChange> change) {
    return accepting(owner, taskId, () -> honest.update(owner, taskId, change));
  }

  @Override
  public Task update(Owner owner, String taskId, TaskChange change) {
    return accepting(owner, taskId, () -> honest.update(owner, taskId, change));
  }

  private Task accepting(Owner owner, String taskId, Supplier<Task> update) {
    try {
      return update.get();
    } catch (InvalidValueException e) {
      if (has(SeededStoreBug.USED_KEY_IS_ACCEPTED)
          && String.valueOf(e.getMessage()).contains("used this key")) {
        return honest.get(owner, taskId);
      }
      throw e;
    }
  }

  @Override
  public Task provideInput(Owner owner, String taskId, Map<String, ?> responses) {
    Map<String, Object> given = new HashMap<>(responses);
    if (has(SeededStoreBug.NULL_ANSWER_IS_LEFT_OUT)) {
      given.values().removeIf(Objects::isNull);
    }
    Task after = provided(owner, taskId, given);
    return switch (bug) {
      case REPEATED_ANSWER_REPLACES_THE_FIRST ->
          given.entrySet().stream().anyMatch(answer -> isAnsweredOtherwise(after, answer))
              ? edit(after, data -> replace((ObjectNode) data.get("inputResponses"), given))
              : after;
      case UNKNOWN_KEY_IS_A_WRITE ->
          given.keySet().stream().noneMatch(after.inputResponses()::contains)
              ? honest.update(after, change())
              : after;
      case LAST_ANSWER_LEAVES_THE_STATUS ->
          after.status() == TaskStatus.WORKING
              ? edit(after, data -> data.put("status", "input_required"))
              : after;
      case FIRST_ANSWER_RETURNS_TO_WORKING ->
          after.status() == TaskStatus.INPUT_REQUIRED && !after.inputResponses().isEmpty()
              ? edit(after, data -> data.put("status", "working"))
              : after;
      default -> after;
    };
  }

  private Task provided(Owner owner, String taskId, Map<String, Object> given) {
    try {
      return honest.provideInput(owner, taskId, given);
    } catch (TaskEndedException e) {
      if (has(SeededStoreBug.FINISHED_TASK_TAKES_INPUT_WITHOUT_A_WORD)) {
        return e.task();
      }
      throw e;
    }
  }

  private static boolean isAnsweredOtherwise(Task task, Map.Entry<String, Object> answer) {
    return task.inputResponses()
        .as(answer.getKey(), Object.class)
        .filter(stored -> !String.valueOf(stored).equals(String.valueOf(answer.getValue())))
        .isPresent();
  }

  private static void replace(ObjectNode answers, Map<String, Object> given) {
    given.forEach(
        (key, answer) -> {
          if (answers.has(key)) {
            ObjectNode unused = answers.set(key, JSON.valueToTree(answer));
          }
        });
  }

  // --- leases -------------------------------------------------------------------------------

  private TaskStore whoseTimeCounts() {
    return switch (bug) {
      case LEASE_ENDS_A_MILLISECOND_EARLY, LEASE_ENDS_A_MILLISECOND_LATE -> shifted;
      default -> honest;
    };
  }

  @Override
  public Optional<Task> claim(Task task, String worker, Duration lease) {
    Optional<Task> claimed;
    try {
      claimed =
          switch (bug) {
            case LEASE_ENDS_A_MILLISECOND_EARLY ->
                shifted.claim(task, worker, lease.minus(MILLISECOND));
            case LEASE_ENDS_A_MILLISECOND_LATE ->
                shifted.claim(task, worker, lease.plus(MILLISECOND));
            default -> honest.claim(task, worker, lease);
          };
    } catch (TaskEndedException e) {
      if (has(SeededStoreBug.FINISHED_TASK_IS_CLAIMED_WITHOUT_A_WORD)) {
        return Optional.empty();
      }
      throw e;
    }
    if (claimed.isEmpty() && has(SeededStoreBug.REFUSED_CLAIM_IS_A_WRITE)) {
      Task unused = honest.update(task, change());
    }
    return claimed;
  }

  @Override
  public Task start(Owner owner, NewTask newTask, Executor executor, TaskHandler handler) {
    if (has(SeededStoreBug.START_CLAIMS_AFTER_THE_CREATE)) {
      Task created = honest.create(owner, newTask);
      return honest.resume(owner, created.id(), executor, handler(handler, false)).orElseThrow();
    }
    Ignoring ignoring = new Ignoring(executor, has(SeededStoreBug.REFUSED_START_LEAVES_A_TASK));
    Task task = honest.start(owner, newTask, ignoring, handler(handler, false));
    ignoring.rethrow();
    return task;
  }

  @Override
  public Optional<Task> resume(Owner owner, String taskId, Executor executor, TaskHandler handler) {
    Ignoring ignoring = new Ignoring(executor, has(SeededStoreBug.REFUSED_RESUME_KEEPS_THE_LEASE));
    Optional<Task> resumed;
    try {
      resumed = whoseTimeCounts().resume(owner, taskId, ignoring, handler(handler, true));
    } catch (TaskEndedException e) {
      if (has(SeededStoreBug.FINISHED_TASK_IS_RESUMED_WITHOUT_A_WORD)) {
        return Optional.empty();
      }
      throw e;
    }
    ignoring.rethrow();
    if (resumed.isEmpty() && has(SeededStoreBug.LIVING_LEASE_IS_IGNORED_BY_RESUME)) {
      return shifted.resume(owner, taskId, executor, handler(handler, true));
    }
    return resumed;
  }

  /** Runs handlers, and keeps a refusal to itself for a while. */
  private static final class Ignoring implements Executor {
    private final Executor executor;
    private final boolean ignores;
    private final AtomicReference<RejectedExecutionException> refusal = new AtomicReference<>();

    Ignoring(Executor executor, boolean ignores) {
      this.executor = executor;
      this.ignores = ignores;
    }

    @Override
    public void execute(Runnable run) {
      try {
        executor.execute(run);
      } catch (RejectedExecutionException e) {
        if (!ignores) {
          throw e;
        }
        refusal.set(e);
      }
    }

    void rethrow() {
      RejectedExecutionException refused = refusal.get();
      if (refused != null) {
        throw refused;
      }
    }
  }

  // --- handlers -----------------------------------------------------------------------------

  private TaskHandler handler(TaskHandler handler, boolean resumed) {
    return honestContext -> {
      Context context = new Context(honestContext, resumed);
      Object result;
      try {
        result = handler.run(context);
      } catch (InterruptedException e) {
        return interrupted(context, e);
      } catch (CancellationException e) {
        if (has(SeededStoreBug.CANCELLED_HANDLER_FAILS)) {
          throw new IllegalStateException(e);
        }
        if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_CANCEL)) {
          boolean unused = context.endAtOnce(change().cancel());
        }
        throw e;
      } catch (Exception e) {
        if (has(SeededStoreBug.FAILED_HANDLER_COMPLETES)) {
          return null;
        }
        if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_THROW)) {
          boolean unused = context.endAtOnce(change().fail(String.valueOf(e.getMessage())));
        }
        throw e;
      }
      if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_RETURN)) {
        boolean unused =
            context.endAtOnce(result == null ? change().complete() : change().complete(result));
      }
      return result;
    };
  }

  private @Nullable Object interrupted(Context context, InterruptedException e)
      throws InterruptedException {
    if (has(SeededStoreBug.INTERRUPTED_HANDLER_FAILS)) {
      throw new IllegalStateException(e);
    }
    if (has(SeededStoreBug.INTERRUPTED_HANDLER_KEEPS_THE_LEASE)) {
      line.cut(); // its end is not stored
    }
    if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_GIVING_BACK)) {
      Task unused =
          edit(
              context.task(),
              data -> {
                data.remove("worker");
                data.remove("leaseUntil");
              });
    }
    throw e;
  }

  private static final class NotMineException extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private final class Context extends PassingTaskContext {
    private final TaskContext context;
    private final boolean resumed;
    private final Map<String, Object> reports = new ConcurrentHashMap<>();

    Context(TaskContext context, boolean resumed) {
      super(context);
      this.context = context;
      this.resumed = resumed;
    }

    /** Ends the task past the context, without what it has collected. */
    boolean endAtOnce(TaskChange end) {
      Task inHand = task();
      return endWith(
          current -> {
            if (!current.isTerminal() && !current.worker().equals(inHand.worker())) {
              throw new NotMineException();
            }
            return end;
          });
    }

    /** Ends the task past the context, whoever holds the lease. */
    boolean endRegardless(TaskChange end) {
      return endWith(current -> end);
    }

    private boolean endWith(Function<Task, TaskChange> end) {
      try {
        Task unused = honest.update(task(), end);
        return true;
      } catch (TaskEndedException | TaskNotFoundException | NotMineException e) {
        return false;
      }
    }

    private TaskContext reported() {
      if (has(SeededStoreBug.REPORTS_ARE_NOT_COLLECTED)) {
        flush();
      }
      return this;
    }

    @Override
    public TaskContext set(String name, @Nullable Object value) {
      if (value != null) {
        reports.put(name, value);
      }
      TaskContext unused = context.set(name, value);
      return reported();
    }

    @Override
    public TaskContext progress(Progress progress) {
      TaskContext unused = context.progress(progress);
      return reported();
    }

    @Override
    public TaskContext message(String text) {
      TaskContext unused = context.message(text);
      return reported();
    }

    @Override
    public Variables variables() {
      return has(SeededStoreBug.CONTEXT_SHOWS_WHAT_IS_WRITTEN_ONLY)
          ? context.task().variables()
          : context.variables();
    }

    @Override
    public void flush() {
      try {
        context.flush();
      } catch (LeaseLostException e) {
        if (!has(SeededStoreBug.LOST_LEASE_IS_IGNORED_BY_FLUSH)) {
          throw e;
        }
        Task unused = honest.update(task().owner(), task().id(), change().variables(reports));
      }
    }

    @Override
    public <T> T ask(String key, InputRequest request, Class<T> type, Duration timeout)
        throws InterruptedException, TimeoutException {
      if (has(SeededStoreBug.QUESTION_IS_A_WRITE_OF_ITS_OWN)) {
        context.flush();
      }
      boolean again = resumed && has(SeededStoreBug.RESUMED_HANDLER_ASKS_AGAIN);
      try {
        return context.ask(again ? key + ", again" : key, request, type, timeout);
      } catch (TimeoutException e) {
        if (has(SeededStoreBug.TIMEOUT_OF_A_QUESTION_IS_A_CANCELLATION)) {
          throw new CancellationException(e.getMessage());
        }
        throw e;
      }
    }

    @Override
    public boolean complete() {
      if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_COMPLETE)) {
        return endAtOnce(change().complete());
      }
      return context.complete()
          || (has(SeededStoreBug.LOST_LEASE_IS_IGNORED_BY_COMPLETE)
              && endRegardless(change().complete()));
    }

    @Override
    public boolean complete(Object result) {
      if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_COMPLETE)) {
        return endAtOnce(change().complete(result));
      }
      return context.complete(result)
          || (has(SeededStoreBug.LOST_LEASE_IS_IGNORED_BY_COMPLETE)
              && endRegardless(change().complete(result)));
    }

    @Override
    public boolean fail(TaskError error) {
      if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_FAIL)) {
        return endAtOnce(change().fail(error));
      }
      return context.fail(error)
          || (has(SeededStoreBug.LOST_LEASE_IS_IGNORED_BY_FAIL)
              && endRegardless(change().fail(error)));
    }
  }

  @Override
  public void close() {
    if (has(SeededStoreBug.LAST_REPORT_IS_DROPPED_AT_CLOSE)) {
      line.cut();
    }
    shifted.close();
    honest.close();
  }
}
