// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/**
 * A task as it was when it was read or written: an immutable snapshot. Use {@link TaskStore#get}
 * for a newer one; {@link #version()} tells whether it has changed.
 *
 * <p>Two snapshots are equal if they are of the same task and version.
 */
public final class Task {
  private final Owner owner;
  private final TaskState state;
  private final long version;
  private final @Nullable Instant expiresAt;
  private final ValueReader reader;

  Task(
      Owner owner, TaskState state, long version, @Nullable Instant expiresAt, ValueReader reader) {
    this.owner = owner;
    this.state = state;
    this.version = version;
    this.expiresAt = expiresAt;
    this.reader = reader;
  }

  /**
   * The name of the task, unique in its store. Ids of later tasks are greater, to the millisecond,
   * by the clocks of the stores that created them.
   */
  public String id() {
    return state.id();
  }

  /** To whom it belongs. */
  public Owner owner() {
    return owner;
  }

  /** Where it stands. */
  public TaskStatus status() {
    return state.status();
  }

  /** Whether it is finished: completed, failed or cancelled. */
  public boolean isTerminal() {
    return state.status().isTerminal();
  }

  /** What it is doing, or why it ended, for people. */
  public Optional<String> message() {
    return Optional.ofNullable(state.message());
  }

  /** How far it is. */
  public Optional<Progress> progress() {
    return Optional.ofNullable(state.progress());
  }

  /** When it was created, by the clock of the store that did it. */
  public Instant createdAt() {
    return state.createdAt();
  }

  /**
   * When it was last changed, by the clock of the store that did it; never before {@link
   * #createdAt}.
   */
  public Instant updatedAt() {
    return state.updatedAt();
  }

  /** For how long after its creation it is kept, as it was asked for; empty for unlimited. */
  public Optional<Duration> ttl() {
    return Optional.ofNullable(state.ttl());
  }

  /**
   * From when on it is gone; empty for never. It is {@code createdAt + ttl}, or later for a task
   * that ended shortly before that.
   */
  public Optional<Instant> expiresAt() {
    return Optional.ofNullable(expiresAt);
  }

  /** How often clients should ask at most. */
  public Duration pollInterval() {
    return state.pollInterval();
  }

  /** What was asked for, for example the name of a tool. */
  public String method() {
    return state.method();
  }

  /** The parameters of the request as plain Java, see {@link Variables#asMap()}. */
  public Optional<Map<String, @Nullable Object>> params() {
    return object("params", state.params());
  }

  /**
   * The parameters of the request as an object of a class.
   *
   * @throws ValueConversionException if they do not fit the class
   */
  public <T> Optional<T> params(Class<T> type) {
    return as("params", state.params(), type);
  }

  /** The variables. */
  public Variables variables() {
    return new Variables(state.variables(), reader);
  }

  /** The result as plain Java, see {@link Variables#asMap()}. */
  public Optional<Map<String, @Nullable Object>> result() {
    return object("result", state.result());
  }

  /**
   * The result as an object of a class.
   *
   * @throws ValueConversionException if it does not fit the class
   */
  public <T> Optional<T> result(Class<T> type) {
    return as("result", state.result(), type);
  }

  /** Why it failed. */
  public Optional<TaskError> error() {
    return object("error", state.error()).map(Task::toError);
  }

  private static TaskError toError(Map<String, @Nullable Object> json) {
    if (json.get("code") instanceof Long code && json.get("message") instanceof String message) {
      return TaskError.of(Math.toIntExact(code), message).withData(json.get("data"));
    }
    throw new ValueConversionException("error", "an error", null);
  }

  /** When somebody first asked for cancellation with {@link TaskStore#requestCancel}. */
  public Optional<Instant> cancelRequestedAt() {
    return Optional.ofNullable(state.cancelRequestedAt());
  }

  /** Whether somebody asked for cancellation; the task may have ended in another way since. */
  public boolean isCancelRequested() {
    return state.cancelRequestedAt() != null;
  }

  /**
   * The questions that wait for an answer, by key; none for a finished task. Decodes anew at every
   * call.
   */
  public Map<String, InputRequest> inputRequests() {
    if (state.status() != TaskStatus.INPUT_REQUIRED) {
      return Map.of();
    }
    JsonMembers requests = state.inputRequests();
    Map<String, InputRequest> open = new LinkedHashMap<>();
    for (int i = 0; i < requests.size(); i++) {
      String key = requests.name(i);
      if (state.inputResponses().get(key) == null) {
        open.put(key, toInputRequest(key, requests.value(i)));
      }
    }
    return Collections.unmodifiableMap(open);
  }

  private InputRequest toInputRequest(String key, Json json) {
    String what = "input request " + Text.quote(key);
    Map<String, @Nullable Object> request = reader.object(what, json);
    if (request.get("method") instanceof String method) {
      return InputRequest.of(method, request.get("params"));
    }
    throw new ValueConversionException(what, "an input request", null);
  }

  /** The answers that were given so far, by the keys of their questions. */
  public Variables inputResponses() {
    return Variables.ofInputResponses(state.inputResponses(), reader);
  }

  /**
   * Who works on the task: the name of the worker that holds or last held the lease; empty if there
   * was none yet, it was given back, or the task is finished.
   */
  public Optional<String> worker() {
    return Optional.ofNullable(state.lease()).map(TaskState.Lease::worker);
  }

  /** When the lease of {@link #worker()} is over, if it is not renewed; it may be over already. */
  public Optional<Instant> leaseUntil() {
    return Optional.ofNullable(state.lease()).map(TaskState.Lease::until);
  }

  /** 1 for a new task, and one more with every change. */
  public long version() {
    return version;
  }

  TaskState state() {
    return state;
  }

  /** The variables with changes on top that are not written yet. */
  Variables variablesWith(SortedMap<String, @Nullable Json> changes) {
    return new Variables(state.variables().merge(JsonMembers.Changes.of(changes)), reader);
  }

  private Optional<Map<String, @Nullable Object>> object(String what, @Nullable Json json) {
    return json == null ? Optional.empty() : Optional.of(reader.object(what, json));
  }

  private <T> Optional<T> as(String what, @Nullable Json json, Class<T> type) {
    Objects.requireNonNull(type, "type");
    return json == null ? Optional.empty() : reader.as(what, json, type);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Task that
        && version == that.version
        && id().equals(that.id())
        && owner.equals(that.owner);
  }

  @Override
  public int hashCode() {
    return 31 * id().hashCode() + Long.hashCode(version);
  }

  /** Shows id, status and version, nothing of the content. */
  @Override
  public String toString() {
    return "Task[%s, %s, version %d]".formatted(Text.quote(id()), status().wireName(), version);
  }
}
