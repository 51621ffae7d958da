// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A check of incoming variables, for example against a JSON Schema. It runs before they are merged,
 * on every attempt to write them, and must be pure and quick.
 */
@FunctionalInterface
public interface VariablesValidator {
  /** What is wrong with a variable. */
  record Violation(String variable, String reason) {
    /** Checks that both are there. */
    public Violation {
      Objects.requireNonNull(variable, "variable");
      Objects.requireNonNull(reason, "reason");
    }
  }

  /**
   * Checks variables that somebody is about to set.
   *
   * @param task the task before the change; on creation it has no variables yet
   * @param incoming the variables that are given, in the plain form in which {@link
   *     Variables#asMap()} will show them; null means that the variable is to be removed
   * @return the violations; empty to accept
   */
  List<Violation> validate(Task task, Map<String, @Nullable Object> incoming);
}
