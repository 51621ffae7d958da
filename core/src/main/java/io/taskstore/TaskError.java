// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Why a task failed, in the shape of a JSON-RPC 2.0 error: a code, a message, and data of any kind.
 * Clients see all of it, so it is no place for stack traces or secrets.
 */
public final class TaskError {
  /** The code that JSON-RPC 2.0 gives to an internal error: -32603. */
  public static final int INTERNAL_ERROR = -32_603;

  private final int code;
  private final String message;
  private final @Nullable Object data;

  private TaskError(int code, String message, @Nullable Object data) {
    this.code = code;
    this.message = message;
    this.data = data;
  }

  /** Returns an error with {@link #INTERNAL_ERROR} as its code. */
  public static TaskError of(String message) {
    return of(INTERNAL_ERROR, message);
  }

  /** Returns an error. */
  public static TaskError of(int code, String message) {
    return new TaskError(code, Objects.requireNonNull(message, "message"), null);
  }

  /**
   * Returns this error with data, which may be whatever a variable may be. It is checked when the
   * error is stored.
   */
  public TaskError withData(@Nullable Object newData) {
    return new TaskError(code, message, newData);
  }

  /** The code. */
  public int code() {
    return code;
  }

  /** The message, for people. */
  public String message() {
    return message;
  }

  /** The data; plain Java, as in {@link Variables#asMap()}, where the error comes from a task. */
  public Optional<Object> data() {
    return Optional.ofNullable(data);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TaskError that
        && code == that.code
        && message.equals(that.message)
        && Objects.equals(data, that.data);
  }

  @Override
  public int hashCode() {
    return Objects.hash(code, message, data);
  }

  /** Shows the code only. */
  @Override
  public String toString() {
    return "TaskError[" + code + "]";
  }
}
