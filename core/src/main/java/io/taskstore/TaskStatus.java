// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Locale;

/**
 * Where a task stands in its life. The names in lower case are those of MCP tasks.
 *
 * <p>A task begins as {@link #WORKING}. It may change between working and {@link #INPUT_REQUIRED}
 * any number of times, and ends in one of the other three, which it never leaves: a finished task
 * absorbs every writer.
 */
public enum TaskStatus {
  /** A worker is busy with it. */
  WORKING,
  /** It waits for answers from its owner. */
  INPUT_REQUIRED,
  /** It ended with a result. */
  COMPLETED,
  /** It ended with an error. */
  FAILED,
  /** It was cancelled before it ended by itself. */
  CANCELLED;

  private final String wireName = name().toLowerCase(Locale.ROOT);

  /** Whether this is the end: completed, failed or cancelled. */
  public boolean isTerminal() {
    return this == COMPLETED || this == FAILED || this == CANCELLED;
  }

  /**
   * Whether a task may go from this status to {@code next}. A status is not its own successor:
   * changing message, progress, variables, ttl or poll interval within a status is no transition.
   */
  public boolean canBecome(TaskStatus next) {
    return !isTerminal() && next != this;
  }

  /** The name in lower case, as it is stored and as MCP spells it, for example {@code working}. */
  public String wireName() {
    return wireName;
  }
}
