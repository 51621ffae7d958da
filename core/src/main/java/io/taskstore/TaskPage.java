// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A page of a listing. It may have fewer tasks than its size, even none, and still have a next one:
 * expired tasks are left out, and pages of large tasks end early.
 */
public final class TaskPage {
  /**
   * A task that is there and cannot be read.
   *
   * @param taskId its id
   * @param reason what is wrong with it, without data
   */
  public record Unreadable(String taskId, String reason) {
    /** Checks that both are there. */
    public Unreadable {
      Objects.requireNonNull(taskId, "taskId");
      Objects.requireNonNull(reason, "reason");
    }
  }

  private final List<Task> tasks;
  private final List<Unreadable> unreadable;
  private final @Nullable String nextCursor;

  TaskPage(List<Task> tasks, List<Unreadable> unreadable, @Nullable String nextCursor) {
    this.tasks = List.copyOf(tasks);
    this.unreadable = List.copyOf(unreadable);
    this.nextCursor = nextCursor;
  }

  /** The tasks, in the order of the query. */
  public List<Task> tasks() {
    return tasks;
  }

  /** Tasks for which {@link TaskStore#get} would throw {@link TaskUnreadableException}. */
  public List<Unreadable> unreadable() {
    return unreadable;
  }

  /** What to give to {@link TaskQuery#after} for the next page; empty if this is the last one. */
  public Optional<String> nextCursor() {
    return Optional.ofNullable(nextCursor);
  }

  @Override
  public String toString() {
    return "TaskPage[%d tasks, %d unreadable, %s]"
        .formatted(tasks.size(), unreadable.size(), nextCursor == null ? "last" : "more");
  }
}
