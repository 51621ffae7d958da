// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.Bytes;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * Every rule about what a task may contain and how it may change, without any storage: given a task
 * and a change, what is to be written, or why not.
 */
final class TaskRules {
  /** What an explicit ttl is bounded by where the store has no maximum: a hundred years. */
  static final Duration LONGEST_DURATION = Duration.ofDays(36_525);

  /** The shortest ttl and poll interval. */
  static final Duration SHORTEST_DURATION = Duration.ofMillis(1);

  /** The longest poll interval. */
  static final Duration LONGEST_POLL_INTERVAL = Duration.ofDays(1);

  /** The smallest record that a backend must be able to hold. */
  static final int LEAST_DATA_BYTES = 4 * 1_024;

  /** The longest name of a worker, as stored. */
  static final int LONGEST_WORKER_BYTES = 128;

  /** The longest lease. */
  static final Duration LONGEST_LEASE = Duration.ofDays(1);

  /** Room for {@code cancelRequestedAt}, which core itself adds to an unfinished task. */
  private static final int CANCEL_MARK_BYTES = 128;

  /** Room for {@code leaseUntil} and {@code worker}. */
  private static final int LEASE_MARK_BYTES = LONGEST_WORKER_BYTES + 64;

  /**
   * How long tasks live.
   *
   * @param maximum null for no maximum
   */
  record Lifetimes(
      Duration defaultTtl,
      @Nullable Duration maximum,
      Duration keepResultFor,
      Duration defaultPollInterval) {}

  /** What is to be written. */
  record Draft(TaskState state, @Nullable Instant expiresAt, Bytes data) {}

  private final TaskLimits limits;
  private final Lifetimes lifetimes;
  private final @Nullable VariablesValidator validator;
  private final int maxDataBytes;
  private final int maxUnfinishedBytes;
  private final JsonMapper mapper;
  private final ValueReader reader;
  private final TaskCodec codec;

  TaskRules(
      TaskLimits limits,
      Lifetimes lifetimes,
      @Nullable VariablesValidator validator,
      int maxDataBytes) {
    this.limits = limits.cappedTo(maxDataBytes);
    this.lifetimes = lifetimes;
    this.validator = validator;
    this.maxDataBytes = maxDataBytes;
    // A message and the message of an error must always fit, or a full task could never end.
    this.maxUnfinishedBytes =
        maxDataBytes - 2 * this.limits.maxMessageBytes() - CANCEL_MARK_BYTES - LEASE_MARK_BYTES;
    this.mapper = JsonMappers.create();
    this.reader = new ValueReader(mapper);
    this.codec = new TaskCodec(mapper);
  }

  TaskCodec codec() {
    return codec;
  }

  ValueReader reader() {
    return reader;
  }

  // --- creating -----------------------------------------------------------------------------

  Draft create(
      Owner owner, String id, NewTask request, TaskState.@Nullable Lease lease, Instant now) {
    if (request.method().isBlank()) {
      throw new InvalidValueException("method", "it is blank");
    }
    Text.checkStoredLength("method", request.method(), "maxNameBytes", limits.maxNameBytes());
    checkMessage(request.message());
    Duration ttl =
        request.hasUnlimitedTtl()
            ? checkedTtl(null)
            : request.ttl() == null ? lifetimes.defaultTtl() : checkedTtl(request.ttl());
    Duration pollInterval =
        request.pollInterval() == null
            ? lifetimes.defaultPollInterval()
            : checkedPollInterval(request.pollInterval());
    Object requestParams = request.params();
    Json params =
        requestParams == null
            ? null
            : object("params", requestParams, limits.maxParamsBytes(), "maxParamsBytes");
    TaskState state =
        new TaskState(
            id,
            owner.storedForm(),
            TaskStatus.WORKING,
            request.message(),
            request.progress(),
            now,
            now,
            ttl,
            pollInterval,
            request.method(),
            params,
            JsonMembers.NONE,
            null,
            null,
            null,
            JsonMembers.NONE,
            JsonMembers.NONE,
            lease,
            JsonMembers.NONE);
    Instant expiresAt = ttl == null ? null : now.plus(ttl);
    if (!request.variables().isEmpty()) {
      Task withoutVariables = new Task(owner, state, 1, expiresAt, reader);
      state = state.toBuilder().variables(merged(withoutVariables, request.variables())).build();
    }
    return draft(state, expiresAt);
  }

  // --- changing -----------------------------------------------------------------------------

  /** Applies a change to an unfinished task, and leaves its lease as it is. */
  Draft change(Task task, TaskChange change, Instant now) {
    return change(task, change, task.state().lease(), now);
  }

  /** Applies a change to an unfinished task. */
  Draft change(Task task, TaskChange change, TaskState.@Nullable Lease lease, Instant now) {
    TaskState.Builder next =
        task.state().toBuilder().updatedAt(laterOf(task.updatedAt(), now)).lease(lease);
    Instant expiresAt = task.expiresAt().orElse(null);
    String message = change.message();
    if (message != null || change.clearsMessage()) {
      checkMessage(message);
      next.message(message);
    }
    if (change.progress() != null) {
      next.progress(change.progress());
    }
    if (change.pollInterval() != null) {
      next.pollInterval(checkedPollInterval(change.pollInterval()));
    }
    if (change.ttl() != null || change.hasUnlimitedTtl()) {
      Duration ttl = checkedTtl(change.ttl());
      next.ttl(ttl);
      expiresAt = ttl == null ? null : task.createdAt().plus(ttl);
    }
    if (!change.variables().isEmpty()) {
      next.variables(merged(task, change.variables()));
    }
    TaskChange.Outcome outcome = change.outcome();
    if (!change.inputRequests().isEmpty()) {
      if (outcome != null) {
        throw new InvalidValueException(
            "change", "it asks for input and ends the task; do one of them");
      }
      requireInput(task.state(), change.inputRequests(), next);
    }
    if (outcome == null) {
      return draft(next.build(), expiresAt);
    }
    if (!task.status().canBecome(outcome.status())) {
      throw new TaskEndedException(task);
    }
    next.outcome(outcome.status(), result(outcome), error(outcome)).lease(null);
    return draft(next.build(), expiryAtEnd(task.createdAt(), expiresAt, now));
  }

  /** Gives an unfinished task a lease, or takes it away. That is no change that clients see. */
  Draft lease(Task task, TaskState.@Nullable Lease lease) {
    return draft(task.state().toBuilder().lease(lease).build(), task.expiresAt().orElse(null));
  }

  /** Records that somebody wants an unfinished task to be cancelled. */
  Draft requestCancel(Task task, Instant now) {
    TaskState next =
        task.state().toBuilder()
            .updatedAt(laterOf(task.updatedAt(), now))
            .cancelRequestedAt(now)
            .build();
    return draft(next, task.expiresAt().orElse(null));
  }

  // --- input --------------------------------------------------------------------------------

  private void requireInput(
      TaskState task, Map<String, InputRequest> requests, TaskState.Builder next) {
    SortedMap<String, @Nullable Json> encoded = new TreeMap<>();
    requests.forEach(
        (key, request) -> {
          if (task.inputRequests().get(key) != null) {
            throw keyUsedBefore(key);
          }
          encoded.put(key, inputRequest(key, request));
        });
    JsonMembers merged = task.inputRequests().merge(JsonMembers.Changes.of(encoded));
    checkInputBytes(merged, task.inputResponses());
    next.inputRequests(merged).status(TaskStatus.INPUT_REQUIRED);
  }

  static InvalidValueException keyUsedBefore(String key) {
    return new InvalidValueException(
        inputWhat(key), "the task has used this key before; choose a new one");
  }

  /** Returns a question in its stored form. */
  Json inputRequest(String key, InputRequest request) {
    String what = inputWhat(key);
    if (key.isEmpty()) {
      throw new InvalidValueException(what, "the key is empty");
    }
    Text.checkStoredLength("the key of " + what, key, "maxNameBytes", limits.maxNameBytes());
    if (request.method().isBlank()) {
      throw new InvalidValueException(what, "its method is blank");
    }
    Text.checkStoredLength(
        "the method of " + what, request.method(), "maxNameBytes", limits.maxNameBytes());
    Json params =
        request
            .params()
            .map(
                p ->
                    object("the parameters of " + what, p, limits.maxInputBytes(), "maxInputBytes"))
            .orElse(null);
    return TaskCodec.encodeInputRequest(request.method(), params);
  }

  /** Adds answers to an unfinished task; null if all of them are ignored. */
  @Nullable Draft provideInput(Task task, Map<String, ?> responses, Instant now) {
    TaskState state = task.state();
    SortedMap<String, @Nullable Json> encoded = new TreeMap<>();
    responses.forEach(
        (key, response) -> {
          String what = "input response " + Text.quote(key);
          if (response == null) {
            throw noAnswer(what);
          }
          if (state.inputRequests().get(key) != null && state.inputResponses().get(key) == null) {
            Json json = value(what, response, limits.maxInputBytes(), "maxInputBytes");
            if (isNull(json)) {
              throw noAnswer(what);
            }
            encoded.put(key, json);
          }
        });
    if (encoded.isEmpty()) {
      return null;
    }
    JsonMembers merged = state.inputResponses().merge(JsonMembers.Changes.of(encoded));
    checkInputBytes(state.inputRequests(), merged);
    TaskState.Builder next =
        state.toBuilder().updatedAt(laterOf(task.updatedAt(), now)).inputResponses(merged);
    if (merged.names().containsAll(state.inputRequests().names())) {
      next.status(TaskStatus.WORKING);
    }
    return draft(next.build(), task.expiresAt().orElse(null));
  }

  private static InvalidValueException noAnswer(String what) {
    return new InvalidValueException(what, "it is null; leave it out to answer later");
  }

  private void checkInputBytes(JsonMembers requests, JsonMembers responses) {
    long bytes = (long) requests.storedBytes() + responses.storedBytes();
    if (bytes > limits.maxInputBytes()) {
      throw new LimitExceededException(
          "the task's input",
          "maxInputBytes",
          limits.maxInputBytes(),
          (int) Math.min(bytes, Integer.MAX_VALUE),
          "bytes");
    }
  }

  private static String inputWhat(String key) {
    return "input request " + Text.quote(key);
  }

  // --- repeats ------------------------------------------------------------------------------

  /**
   * Whether a finished task is what the change would have made of it: then the change is a repeat
   * whose first answer was lost, or a second worker with the same answer, and nobody is misled by
   * calling it a success.
   */
  boolean isInPlace(Task task, TaskChange change) {
    TaskState state = task.state();
    TaskChange.Outcome outcome = change.outcome();
    if (outcome == null
        || outcome.status() != state.status()
        || !change.inputRequests().isEmpty()) {
      return false;
    }
    boolean samePlainParts =
        isUnsetOrEqual(change.message(), state.message())
            && !(change.clearsMessage() && state.message() != null)
            && isUnsetOrEqual(change.progress(), state.progress())
            && isUnsetOrEqual(inMillis(change.ttl()), state.ttl())
            && !(change.hasUnlimitedTtl() && state.ttl() != null)
            && isUnsetOrEqual(inMillis(change.pollInterval()), state.pollInterval());
    if (!samePlainParts) {
      return false;
    }
    try {
      JsonMembers.Changes variables = encoded(change.variables());
      for (int i = 0; i < variables.size(); i++) {
        if (!Objects.equals(variables.value(i), state.variables().get(variables.name(i)))) {
          return false;
        }
      }
      return Objects.equals(result(outcome), state.result())
          && Objects.equals(error(outcome), state.error());
    } catch (InvalidValueException | LimitExceededException e) {
      return false; // what cannot be stored is not what is stored
    }
  }

  /** Drops what is finer than the milliseconds that are stored. */
  private static @Nullable Duration inMillis(@Nullable Duration duration) {
    return duration == null ? null : duration.truncatedTo(ChronoUnit.MILLIS);
  }

  private static boolean isUnsetOrEqual(@Nullable Object wanted, @Nullable Object stored) {
    return wanted == null || wanted.equals(stored);
  }

  private static Instant laterOf(Instant left, Instant right) {
    return left.isAfter(right) ? left : right;
  }

  /**
   * A task that ends shortly before its expiry keeps its result for a while, but not beyond the
   * longest life that it could have asked for.
   */
  private @Nullable Instant expiryAtEnd(
      Instant createdAt, @Nullable Instant expiresAt, Instant now) {
    if (expiresAt == null) {
      return null;
    }
    Instant kept = now.plus(lifetimes.keepResultFor());
    Duration maximum = lifetimes.maximum();
    if (maximum != null && kept.isAfter(createdAt.plus(maximum))) {
      kept = createdAt.plus(maximum);
    }
    return laterOf(expiresAt, kept);
  }

  // --- parts --------------------------------------------------------------------------------

  void checkMessage(@Nullable String message) {
    if (message != null) {
      Text.checkStoredLength("message", message, "maxMessageBytes", limits.maxMessageBytes());
    }
  }

  private @Nullable Duration checkedTtl(@Nullable Duration ttl) {
    Duration maximum = lifetimes.maximum();
    if (ttl == null) {
      if (maximum != null) {
        throw new DurationNotAllowedException("ttl", null, SHORTEST_DURATION, maximum);
      }
      return null;
    }
    return checked("ttl", ttl, maximum == null ? LONGEST_DURATION : maximum);
  }

  private static Duration checkedPollInterval(Duration interval) {
    return checked("poll interval", interval, LONGEST_POLL_INTERVAL);
  }

  /** Checks a duration, and drops what is finer than the milliseconds that are stored. */
  static Duration checked(String what, Duration duration, Duration max) {
    if (duration.compareTo(SHORTEST_DURATION) < 0 || duration.compareTo(max) > 0) {
      throw new DurationNotAllowedException(what, duration, SHORTEST_DURATION, max);
    }
    return duration.truncatedTo(ChronoUnit.MILLIS);
  }

  private JsonMembers merged(Task task, SortedMap<String, @Nullable Object> incoming) {
    JsonMembers.Changes encoded = encoded(incoming);
    validate(task, encoded);
    JsonMembers merged = task.state().variables().merge(encoded);
    if (merged.size() > limits.maxVariables()) {
      throw new LimitExceededException(
          "the set of variables",
          "maxVariables",
          limits.maxVariables(),
          merged.size(),
          "variables");
    }
    int bytes = merged.storedBytes();
    if (bytes > limits.maxVariablesBytes()) {
      throw new LimitExceededException(
          "the set of variables", "maxVariablesBytes", limits.maxVariablesBytes(), bytes, "bytes");
    }
    return merged;
  }

  private JsonMembers.Changes encoded(SortedMap<String, @Nullable Object> incoming) {
    String[] names = new String[incoming.size()];
    @Nullable Json[] values = new @Nullable Json[names.length];
    ValueEncoder several = names.length > 1 ? ValueEncoder.ofSeveral(limits, mapper) : null;
    int i = 0;
    for (Map.Entry<String, @Nullable Object> variable : incoming.entrySet()) {
      names[i] = variable.getKey();
      values[i++] = variable(variable.getKey(), variable.getValue(), several);
    }
    return new JsonMembers.Changes(names, values);
  }

  /** Returns a variable in its stored form; null if it is to be removed. */
  @Nullable Json variable(String name, @Nullable Object value) {
    return variable(name, value, null);
  }

  /**
   * @param shared what encodes other values too, null if there are none
   */
  private @Nullable Json variable(
      String name, @Nullable Object value, @Nullable ValueEncoder shared) {
    // Made for messages only: most variables need none.
    Supplier<String> what = () -> Variables.what(name);
    if (name.isEmpty()) {
      throw new InvalidValueException(what.get(), "the name is empty");
    }
    Text.checkStoredLength(
        () -> "the name of " + what.get(), name, "maxNameBytes", limits.maxNameBytes());
    int maxBytes = limits.maxVariablesBytes();
    String limitName = "maxVariablesBytes";
    Json json =
        shared == null || value instanceof Json
            ? value(what, value, maxBytes, limitName)
            : shared.next(what, value, maxBytes, limitName);
    return isNull(json) ? null : json;
  }

  /** An empty {@code Optional} removes a variable as null does. */
  private static boolean isNull(Json json) {
    return json.utf8()[0] == 'n';
  }

  private void validate(Task task, JsonMembers.Changes encoded) {
    if (validator == null) {
      return;
    }
    Map<String, @Nullable Object> incoming = new HashMap<>();
    for (int i = 0; i < encoded.size(); i++) {
      String name = encoded.name(i);
      Json json = encoded.value(i);
      incoming.put(name, json == null ? null : reader.plain(() -> Variables.what(name), json));
    }
    List<VariablesValidator.Violation> violations = validator.validate(task, incoming);
    if (!violations.isEmpty()) {
      throw new VariablesRejectedException(violations);
    }
  }

  private @Nullable Json result(TaskChange.Outcome outcome) {
    Object result = outcome.result();
    return result == null ? null : result(result);
  }

  private @Nullable Json error(TaskChange.Outcome outcome) {
    TaskError error = outcome.error();
    if (error == null) {
      return null;
    }
    Text.checkStoredLength(
        "error message", error.message(), "maxMessageBytes", limits.maxMessageBytes());
    Json data =
        error
            .data()
            .map(d -> value("error data", d, limits.maxErrorDataBytes(), "maxErrorDataBytes"))
            .orElse(null);
    return TaskCodec.encodeError(error, data);
  }

  /** Returns a result in its stored form. */
  Json result(Object value) {
    return object("result", value, limits.maxResultBytes(), "maxResultBytes");
  }

  /** Checks the name of a worker. */
  static String checkedWorker(String worker) {
    if (worker.isBlank()) {
      throw new InvalidValueException("worker", "it is blank");
    }
    Text.checkStoredLength("worker", worker, "length of a worker's name", LONGEST_WORKER_BYTES);
    return worker;
  }

  /** The longest text that a message may be. */
  int maxMessageBytes() {
    return limits.maxMessageBytes();
  }

  private Json object(String what, Object value, int maxBytes, String limitName) {
    Json json = value(what, value, maxBytes, limitName);
    if (json.utf8()[0] != '{') {
      throw new InvalidValueException(
          what,
          "a %s does not become a JSON object; use a map or an object with properties"
              .formatted(value.getClass().getName()));
    }
    return json;
  }

  private Json value(String what, @Nullable Object value, int maxBytes, String limitName) {
    return value(() -> what, value, maxBytes, limitName);
  }

  private Json value(
      Supplier<String> what, @Nullable Object value, int maxBytes, String limitName) {
    if (value instanceof Json encoded) {
      return encoded; // by a worker, when it was given; checked then
    }
    return ValueEncoder.encode(what, value, maxBytes, limitName, limits, mapper);
  }

  /** The most bytes that a task may have, so that it can still be marked, leased and ended. */
  private int maxBytes(TaskState state) {
    if (state.status().isTerminal()) {
      return maxDataBytes;
    }
    return maxUnfinishedBytes
        + (state.cancelRequestedAt() == null ? 0 : CANCEL_MARK_BYTES)
        + (state.lease() == null ? 0 : LEASE_MARK_BYTES);
  }

  private Draft draft(TaskState state, @Nullable Instant expiresAt) {
    Bytes data = codec.encode(state);
    int maxBytes = maxBytes(state);
    if (data.size() > maxBytes) {
      throw new LimitExceededException(
          "the task with all its parts",
          state.status().isTerminal()
              ? "what the backend can hold"
              : "what the backend can hold, less the room to end the task",
          maxBytes,
          data.size(),
          "bytes");
    }
    return new Draft(state, expiresAt, data);
  }
}
