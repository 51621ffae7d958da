// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.List;
import java.util.stream.Collectors;

/** The store's {@link VariablesValidator} refused incoming variables. */
public final class VariablesRejectedException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final transient List<VariablesValidator.Violation> violations;

  VariablesRejectedException(List<VariablesValidator.Violation> violations) {
    super(
        violations.stream()
            .map(v -> Text.quote(v.variable()) + ": " + v.reason())
            .collect(Collectors.joining("; ", "Variables rejected: ", "")),
        null);
    this.violations = List.copyOf(violations);
  }

  /** What the validator found, at least one violation. */
  public List<VariablesValidator.Violation> violations() {
    return violations;
  }
}
