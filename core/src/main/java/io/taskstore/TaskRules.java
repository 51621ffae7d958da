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

  /** Room for what core itself adds to an unfinished task, such as {@code cancelRequestedAt}. */
  private static final int MARKS_BYTES = 256;

  /** The part of it that {@code cancelRequestedAt} takes at most. */
  private static final int CANCEL_MARK_BYTES = 128;

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
    this.maxUnfinishedBytes = maxDataBytes - 2 * this.limits.maxMessageBytes() - MARKS_BYTES;
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

  Draft create(Owner owner, String id, NewTask request, Instant now) {
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
            JsonMembers.NONE);
    Instant expiresAt = ttl == null ? null : now.plus(ttl);
    if (!request.variables().isEmpty()) {
      Task withoutVariables = new Task(owner, state, 1, expiresAt, reader);
      state = state.toBuilder().variables(merged(withoutVariables, request.variables())).build();
    }
    return draft(state, expiresAt, maxUnfinishedBytes);
  }

  // --- changing -----------------------------------------------------------------------------

  /** Applies a change to an unfinished task. */
  Draft change(Task task, TaskChange change, Instant now) {
    TaskState.Builder next = task.state().toBuilder().updatedAt(laterOf(task.updatedAt(), now));
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
    if (outcome == null) {
      return draft(
          next.build(),
          expiresAt,
          task.isCancelRequested() ? maxUnfinishedBytes + CANCEL_MARK_BYTES : maxUnfinishedBytes);
    }
    if (!task.status().canBecome(outcome.status())) {
      throw new TaskEndedException(task);
    }
    next.outcome(outcome.status(), result(outcome), error(outcome));
    return draft(next.build(), expiryAtEnd(task.createdAt(), expiresAt, now), maxDataBytes);
  }

  /** Records that somebody wants an unfinished task to be cancelled. */
  Draft requestCancel(Task task, Instant now) {
    TaskState next =
        task.state().toBuilder()
            .updatedAt(laterOf(task.updatedAt(), now))
            .cancelRequestedAt(now)
            .build();
    return draft(next, task.expiresAt().orElse(null), maxUnfinishedBytes + CANCEL_MARK_BYTES);
  }

  /**
   * Whether a finished task is what the change would have made of it: then the change is a repeat
   * whose first answer was lost, or a second worker with the same answer, and nobody is misled by
   * calling it a success.
   */
  boolean isInPlace(Task task, TaskChange change) {
    TaskState state = task.state();
    TaskChange.Outcome outcome = change.outcome();
    if (outcome == null || outcome.status() != state.status()) {
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
      for (Map.Entry<String, @Nullable Json> variable : encoded(change.variables()).entrySet()) {
        if (!Objects.equals(variable.getValue(), state.variables().get(variable.getKey()))) {
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

  private void checkMessage(@Nullable String message) {
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

  private JsonMembers merged(Task task, Map<String, @Nullable Object> incoming) {
    SortedMap<String, @Nullable Json> encoded = encoded(incoming);
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

  private SortedMap<String, @Nullable Json> encoded(Map<String, @Nullable Object> incoming) {
    SortedMap<String, @Nullable Json> encoded = new TreeMap<>();
    incoming.forEach(
        (name, value) -> {
          String what = Variables.what(name);
          if (name.isEmpty()) {
            throw new InvalidValueException(what, "the name is empty");
          }
          Text.checkStoredLength(
              "the name of " + what, name, "maxNameBytes", limits.maxNameBytes());
          Json json = value(what, value, limits.maxVariablesBytes(), "maxVariablesBytes");
          encoded.put(name, isNull(json) ? null : json);
        });
    return encoded;
  }

  /** An empty {@code Optional} removes a variable as null does. */
  private static boolean isNull(Json json) {
    return json.utf8()[0] == 'n';
  }

  private void validate(Task task, Map<String, @Nullable Json> encoded) {
    if (validator == null) {
      return;
    }
    Map<String, @Nullable Object> incoming = new HashMap<>();
    encoded.forEach(
        (name, json) ->
            incoming.put(name, json == null ? null : reader.plain(Variables.what(name), json)));
    List<VariablesValidator.Violation> violations = validator.validate(task, incoming);
    if (!violations.isEmpty()) {
      throw new VariablesRejectedException(violations);
    }
  }

  private @Nullable Json result(TaskChange.Outcome outcome) {
    Object result = outcome.result();
    return result == null
        ? null
        : object("result", result, limits.maxResultBytes(), "maxResultBytes");
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
    return ValueEncoder.encode(what, value, maxBytes, limitName, limits, mapper);
  }

  private Draft draft(TaskState state, @Nullable Instant expiresAt, int maxBytes) {
    Bytes data = codec.encode(state);
    if (data.size() > maxBytes) {
      throw new LimitExceededException(
          "the task with all its parts",
          maxBytes == maxDataBytes
              ? "what the backend can hold"
              : "what the backend can hold, less the room to end the task",
          maxBytes,
          data.size(),
          "bytes");
    }
    return new Draft(state, expiresAt, data);
  }
}
