// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A question to the owner of a task: a method and its parameters, for example {@code
 * elicitation/create} of MCP with a message and a schema. What it means is between the handler and
 * whoever answers; the store keeps it and never looks inside. Immutable.
 */
public final class InputRequest {
  private final String method;
  private final @Nullable Object params;

  private InputRequest(String method, @Nullable Object params) {
    this.method = method;
    this.params = params;
  }

  /** Returns a request without parameters. */
  public static InputRequest of(String method) {
    return of(method, null);
  }

  /**
   * Returns a request. It is checked when it is stored.
   *
   * @param method what is asked for
   * @param params a map, or an object of your own that becomes a JSON object; null for none
   */
  public static InputRequest of(String method, @Nullable Object params) {
    return new InputRequest(Objects.requireNonNull(method, "method"), params);
  }

  /** What is asked for. */
  public String method() {
    return method;
  }

  /** The parameters; plain Java, as in {@link Variables#asMap()}, where it comes from a task. */
  public Optional<Object> params() {
    return Optional.ofNullable(params);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof InputRequest that
        && method.equals(that.method)
        && Objects.equals(params, that.params);
  }

  @Override
  public int hashCode() {
    return Objects.hash(method, params);
  }

  /** Shows the method only. */
  @Override
  public String toString() {
    return "InputRequest[" + Text.quote(method) + "]";
  }
}
