// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.ArrayList;
import java.util.List;

/**
 * A store cannot be opened because of how it is configured. Nothing was opened. All problems are
 * told at once, each with what to do, and without any secret.
 */
public final class InvalidConfigurationException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final ArrayList<String> problems;

  InvalidConfigurationException(List<String> problems) {
    super(message(problems), null);
    this.problems = new ArrayList<>(problems);
  }

  private static String message(List<String> problems) {
    return problems.size() == 1
        ? "The configuration of the task store is wrong: " + problems.get(0)
        : "The configuration of the task store is wrong in %d places:\n- %s"
            .formatted(problems.size(), String.join("\n- ", problems));
  }

  /** What is wrong, one sentence for each. */
  public List<String> problems() {
    return List.copyOf(problems);
  }
}
