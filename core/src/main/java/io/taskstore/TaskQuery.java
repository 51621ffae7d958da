// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Collections;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Which tasks of an owner to list, and in which order. Immutable. */
public final class TaskQuery {
  /** The page size where none is given: {@value}. */
  public static final int DEFAULT_PAGE_SIZE = 50;

  /** The largest page size: {@value}. */
  public static final int MAX_PAGE_SIZE = 1_000;

  private static final TaskQuery NEWEST_FIRST =
      new TaskQuery(true, false, Set.of(), DEFAULT_PAGE_SIZE, null);

  private final boolean newestFirst;
  private final boolean activeOnly;
  private final Set<TaskStatus> statuses;
  private final int pageSize;
  private final @Nullable String cursor;

  private TaskQuery(
      boolean newestFirst,
      boolean activeOnly,
      Set<TaskStatus> statuses,
      int pageSize,
      @Nullable String cursor) {
    this.newestFirst = newestFirst;
    this.activeOnly = activeOnly;
    this.statuses = statuses;
    this.pageSize = pageSize;
    this.cursor = cursor;
  }

  /** All tasks, the one that was created last first. */
  public static TaskQuery newestFirst() {
    return NEWEST_FIRST;
  }

  /** All tasks, the one that was created first first. */
  public static TaskQuery oldestFirst() {
    return new TaskQuery(false, false, Set.of(), DEFAULT_PAGE_SIZE, null);
  }

  /**
   * Only tasks that are not finished. However many finished ones there are, they cost nothing: the
   * storage keeps unfinished tasks in an index of their own.
   */
  public TaskQuery activeOnly() {
    return new TaskQuery(newestFirst, true, statuses, pageSize, cursor);
  }

  /**
   * Only tasks in one of these statuses. Tasks in others are read all the same, so a page stops at
   * a bounded number of them and may be short or empty and still have a next one.
   *
   * @throws InvalidValueException if none is given
   */
  public TaskQuery withStatus(TaskStatus... wanted) {
    Objects.requireNonNull(wanted, "wanted");
    EnumSet<TaskStatus> set = EnumSet.noneOf(TaskStatus.class);
    for (TaskStatus status : wanted) {
      set.add(Objects.requireNonNull(status, "status"));
    }
    if (set.isEmpty()) {
      throw new InvalidValueException("status filter", "it is empty and would match no task");
    }
    return new TaskQuery(
        newestFirst, activeOnly, Collections.unmodifiableSet(set), pageSize, cursor);
  }

  /**
   * The most tasks of a page.
   *
   * @throws InvalidValueException if {@code size} is not from 1 to {@value #MAX_PAGE_SIZE}
   */
  public TaskQuery pageSize(int size) {
    if (size < 1 || size > MAX_PAGE_SIZE) {
      throw new InvalidValueException(
          "page size", "it is %d, it must be from 1 to %d".formatted(size, MAX_PAGE_SIZE));
    }
    return new TaskQuery(newestFirst, activeOnly, statuses, size, cursor);
  }

  /**
   * Goes on where a page ended: its {@link TaskPage#nextCursor()}. The cursor belongs to the owner,
   * the order and the filter with which it was given out; the page size may change. It works on
   * every store over the same storage, and also when the task at which the page ended is gone.
   */
  public TaskQuery after(String nextCursor) {
    Objects.requireNonNull(nextCursor, "nextCursor");
    return new TaskQuery(newestFirst, activeOnly, statuses, pageSize, nextCursor);
  }

  boolean isNewestFirst() {
    return newestFirst;
  }

  /** Whether no finished task can match. */
  boolean wantsOnlyUnfinished() {
    return activeOnly
        || (!statuses.isEmpty() && statuses.stream().noneMatch(TaskStatus::isTerminal));
  }

  boolean hasStatusFilter() {
    return !statuses.isEmpty();
  }

  boolean accepts(TaskStatus status) {
    return (statuses.isEmpty() || statuses.contains(status))
        && !(activeOnly && status.isTerminal());
  }

  int pageSize() {
    return pageSize;
  }

  Optional<String> cursor() {
    return Optional.ofNullable(cursor);
  }

  /** Order and filter as a text that differs whenever they do. */
  String filterText() {
    StringBuilder text = new StringBuilder(newestFirst ? "desc" : "asc");
    if (activeOnly) {
      text.append(",active");
    }
    statuses.forEach(status -> text.append(',').append(status.wireName()));
    return text.toString();
  }

  @Override
  public String toString() {
    return "TaskQuery[%s, page size %d]".formatted(filterText(), pageSize);
  }
}
