// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What is to become a task: a request, and what differs from the store's defaults. Immutable; each
 * method returns another one. Values are checked when the task is created.
 */
public final class NewTask {
  private final String method;
  private final @Nullable Object params;
  private final @Nullable Duration ttl;
  private final boolean unlimitedTtl;
  private final @Nullable Duration pollInterval;
  private final @Nullable String message;
  private final @Nullable Progress progress;

  /** In ascending order, as they are stored. */
  private final SortedMap<String, @Nullable Object> variables;

  private NewTask(
      String method,
      @Nullable Object params,
      @Nullable Duration ttl,
      boolean unlimitedTtl,
      @Nullable Duration pollInterval,
      @Nullable String message,
      @Nullable Progress progress,
      SortedMap<String, @Nullable Object> variables) {
    this.method = method;
    this.params = params;
    this.ttl = ttl;
    this.unlimitedTtl = unlimitedTtl;
    this.pollInterval = pollInterval;
    this.message = message;
    this.progress = progress;
    this.variables = variables;
  }

  /** Returns a task for a request without parameters. */
  public static NewTask of(String method) {
    return of(method, null);
  }

  /**
   * Returns a task for a request.
   *
   * @param method what is to be done, for example the name of a tool
   * @param params its parameters, a map or an object of your own that becomes a JSON object; null
   *     for none
   */
  public static NewTask of(String method, @Nullable Object params) {
    return new NewTask(
        Objects.requireNonNull(method, "method"),
        params,
        null,
        false,
        null,
        null,
        null,
        Collections.emptySortedMap());
  }

  /**
   * Keeps the task for this long from its creation. The store refuses more than its maximum; finer
   * parts than milliseconds are dropped.
   */
  public NewTask ttl(Duration newTtl) {
    Objects.requireNonNull(newTtl, "ttl");
    return new NewTask(method, params, newTtl, false, pollInterval, message, progress, variables);
  }

  /** Keeps the task until it is deleted. Only a store without a maximum accepts that. */
  public NewTask unlimitedTtl() {
    return new NewTask(method, params, null, true, pollInterval, message, progress, variables);
  }

  /** Advises clients to ask for the task no more often than this. */
  public NewTask pollInterval(Duration interval) {
    Objects.requireNonNull(interval, "pollInterval");
    return new NewTask(method, params, ttl, unlimitedTtl, interval, message, progress, variables);
  }

  /** Gives the task a first status message. */
  public NewTask message(String text) {
    Objects.requireNonNull(text, "message");
    return new NewTask(method, params, ttl, unlimitedTtl, pollInterval, text, progress, variables);
  }

  /** Gives the task a first progress. */
  public NewTask progress(Progress first) {
    Objects.requireNonNull(first, "progress");
    return new NewTask(method, params, ttl, unlimitedTtl, pollInterval, message, first, variables);
  }

  /** Gives the task a first variable; null is the same as leaving it out. */
  public NewTask set(String name, @Nullable Object value) {
    return variables(Collections.singletonMap(name, value));
  }

  /** Gives the task first variables, on top of those given before. */
  public NewTask variables(Map<String, ? extends @Nullable Object> more) {
    SortedMap<String, @Nullable Object> all = new TreeMap<>(variables);
    TaskChange.putAll(all, more);
    return new NewTask(
        method,
        params,
        ttl,
        unlimitedTtl,
        pollInterval,
        message,
        progress,
        Collections.unmodifiableSortedMap(all));
  }

  String method() {
    return method;
  }

  @Nullable Object params() {
    return params;
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

  @Nullable String message() {
    return message;
  }

  @Nullable Progress progress() {
    return progress;
  }

  SortedMap<String, @Nullable Object> variables() {
    return variables;
  }

  /** Shows the method and nothing of the task's content. */
  @Override
  public String toString() {
    return "NewTask[" + Text.quote(method) + "]";
  }
}
