// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What to change about a task. All parts of a change are written together or not at all. Immutable
 * (but it holds the values that it is given, which are read when it is applied); each method
 * returns another change. Begin with {@link #change()}:
 *
 * <pre>{@code
 * store.update(task, change().set("position", file).progress(3, 10).message("reading"));
 * store.update(task, change().complete(Map.of("files", 10)));
 * }</pre>
 *
 * <p>Values are checked when the change is applied.
 */
public final class TaskChange {
  /** How a task ends. */
  record Outcome(TaskStatus status, @Nullable Object result, @Nullable TaskError error) {}

  private static final TaskChange NONE =
      new TaskChange(
          null, false, null, Collections.emptySortedMap(), null, null, false, null, Map.of());

  private final @Nullable String message;
  private final boolean clearMessage;
  private final @Nullable Progress progress;

  /** In ascending order, as they are stored. */
  private final SortedMap<String, @Nullable Object> variables;

  private final @Nullable Duration ttl;
  private final @Nullable Duration pollInterval;
  private final boolean unlimitedTtl;
  private final @Nullable Outcome outcome;
  private final Map<String, InputRequest> inputRequests;

  private TaskChange(
      @Nullable String message,
      boolean clearMessage,
      @Nullable Progress progress,
      SortedMap<String, @Nullable Object> variables,
      @Nullable Duration ttl,
      @Nullable Duration pollInterval,
      boolean unlimitedTtl,
      @Nullable Outcome outcome,
      Map<String, InputRequest> inputRequests) {
    this.message = message;
    this.clearMessage = clearMessage;
    this.progress = progress;
    this.variables = variables;
    this.ttl = ttl;
    this.pollInterval = pollInterval;
    this.unlimitedTtl = unlimitedTtl;
    this.outcome = outcome;
    this.inputRequests = inputRequests;
  }

  /** Returns the change that changes nothing but the time of the last update. */
  public static TaskChange change() {
    return NONE;
  }

  /** Replaces the status message. */
  public TaskChange message(String text) {
    Objects.requireNonNull(text, "message");
    return new TaskChange(
        text, false, progress, variables, ttl, pollInterval, unlimitedTtl, outcome, inputRequests);
  }

  /** Removes the status message. */
  public TaskChange clearMessage() {
    return new TaskChange(
        null, true, progress, variables, ttl, pollInterval, unlimitedTtl, outcome, inputRequests);
  }

  /** Replaces the progress. */
  public TaskChange progress(Progress newProgress) {
    Objects.requireNonNull(newProgress, "progress");
    return new TaskChange(
        message,
        clearMessage,
        newProgress,
        variables,
        ttl,
        pollInterval,
        unlimitedTtl,
        outcome,
        inputRequests);
  }

  /**
   * Replaces the progress.
   *
   * @throws InvalidValueException if {@code done} or {@code total} is negative
   */
  public TaskChange progress(long done, long total) {
    return progress(Progress.of(done, total));
  }

  /**
   * Sets a variable; null removes it. Other variables stay as they are. For hundreds at once use
   * {@link #variables}.
   *
   * @param value null, a boolean, a string, a finite number, a map with string or enum keys, a
   *     collection, an array, an enum, a {@code UUID}, {@code Instant}, {@code Duration} or {@code
   *     Optional} of those, or an object of your own class that Jackson can write. A {@code byte[]}
   *     becomes a string in base64
   */
  public TaskChange set(String name, @Nullable Object value) {
    return variables(Collections.singletonMap(name, value));
  }

  /** Removes a variable; it need not be there. */
  public TaskChange remove(String name) {
    return set(name, null);
  }

  /** Sets the given variables, as by {@link #set}, on top of those given before. */
  public TaskChange variables(Map<String, ? extends @Nullable Object> more) {
    SortedMap<String, @Nullable Object> all = new TreeMap<>(variables);
    putAll(all, more);
    return new TaskChange(
        message,
        clearMessage,
        progress,
        Collections.unmodifiableSortedMap(all),
        ttl,
        pollInterval,
        unlimitedTtl,
        outcome,
        inputRequests);
  }

  static void putAll(
      Map<String, @Nullable Object> all, Map<String, ? extends @Nullable Object> more) {
    Objects.requireNonNull(more, "variables");
    more.forEach((name, value) -> all.put(Objects.requireNonNull(name, "name"), value));
  }

  /**
   * Keeps the task for this long, counted from its creation. The store refuses more than its
   * maximum; finer parts than milliseconds are dropped. A time that is already over ends the task's
   * life at once.
   */
  public TaskChange ttl(Duration newTtl) {
    Objects.requireNonNull(newTtl, "ttl");
    return new TaskChange(
        message,
        clearMessage,
        progress,
        variables,
        newTtl,
        pollInterval,
        false,
        outcome,
        inputRequests);
  }

  /** Keeps the task until it is deleted. Only a store without a maximum accepts that. */
  public TaskChange unlimitedTtl() {
    return new TaskChange(
        message,
        clearMessage,
        progress,
        variables,
        null,
        pollInterval,
        true,
        outcome,
        inputRequests);
  }

  /** Advises clients to ask for the task no more often than this. */
  public TaskChange pollInterval(Duration interval) {
    Objects.requireNonNull(interval, "pollInterval");
    return new TaskChange(
        message,
        clearMessage,
        progress,
        variables,
        ttl,
        interval,
        unlimitedTtl,
        outcome,
        inputRequests);
  }

  /**
   * Asks the owner of the task a question; the task then waits for input, until the last of its
   * questions is answered by {@link TaskStore#provideInput}. A change that also ends the task is
   * refused.
   *
   * @param key names the question. It is used once in the life of the task: a key that was used
   *     before is refused, also if it was answered
   */
  public TaskChange requireInput(String key, InputRequest request) {
    Objects.requireNonNull(request, "request");
    return requireInput(Map.of(Objects.requireNonNull(key, "key"), request));
  }

  /** Asks several questions, as by {@link #requireInput(String, InputRequest)}. */
  public TaskChange requireInput(Map<String, InputRequest> requests) {
    Map<String, InputRequest> all = new HashMap<>(inputRequests);
    all.putAll(Map.copyOf(Objects.requireNonNull(requests, "requests")));
    return new TaskChange(
        message,
        clearMessage,
        progress,
        variables,
        ttl,
        pollInterval,
        unlimitedTtl,
        outcome,
        Collections.unmodifiableMap(all));
  }

  /** Ends the task as completed, without a result. */
  public TaskChange complete() {
    return ending(new Outcome(TaskStatus.COMPLETED, null, null));
  }

  /**
   * Ends the task as completed.
   *
   * @param result a map, or an object of your own that becomes a JSON object
   */
  public TaskChange complete(Object result) {
    Objects.requireNonNull(result, "result");
    return ending(new Outcome(TaskStatus.COMPLETED, result, null));
  }

  /** Ends the task as failed, with {@link TaskError#INTERNAL_ERROR} as the code. */
  public TaskChange fail(String errorMessage) {
    return fail(TaskError.of(errorMessage));
  }

  /** Ends the task as failed. */
  public TaskChange fail(TaskError error) {
    Objects.requireNonNull(error, "error");
    return ending(new Outcome(TaskStatus.FAILED, null, error));
  }

  /**
   * Ends the task as failed with a result that tells of the failure, such as a tool result that is
   * marked as an error, and an error or none.
   *
   * @param result a map, or an object of your own that becomes a JSON object
   */
  public TaskChange failWithResult(Object result, @Nullable TaskError error) {
    Objects.requireNonNull(result, "result");
    return ending(new Outcome(TaskStatus.FAILED, result, error));
  }

  /** Ends the task as cancelled. */
  public TaskChange cancel() {
    return ending(new Outcome(TaskStatus.CANCELLED, null, null));
  }

  private TaskChange ending(Outcome newOutcome) {
    return new TaskChange(
        message,
        clearMessage,
        progress,
        variables,
        ttl,
        pollInterval,
        unlimitedTtl,
        newOutcome,
        inputRequests);
  }

  @Nullable String message() {
    return message;
  }

  boolean clearsMessage() {
    return clearMessage;
  }

  @Nullable Progress progress() {
    return progress;
  }

  SortedMap<String, @Nullable Object> variables() {
    return variables;
  }

  @Nullable Duration ttl() {
    return ttl;
  }

  boolean hasUnlimitedTtl() {
    return unlimitedTtl;
  }

  @Nullable Duration pollInterval() {
    return pollInterval;
  }

  @Nullable Outcome outcome() {
    return outcome;
  }

  Map<String, InputRequest> inputRequests() {
    return inputRequests;
  }

  /** Shows how the change ends the task, if it does, and nothing of its content. */
  @Override
  public String toString() {
    return "TaskChange[" + (outcome == null ? "" : outcome.status().wireName()) + "]";
  }
}
