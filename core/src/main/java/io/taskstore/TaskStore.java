// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Objects;
import java.util.function.Function;

/**
 * Durable tasks. A handler creates a task, reports what it does, and ends it; anybody who knows its
 * owner and id asks how far it is, on any replica of the server.
 *
 * <p>Everything that a method returns normally is stored. Writes to one task happen one after the
 * other, however many stores and processes share the storage: none is lost, none is applied twice.
 * Tasks of one owner cannot be seen, counted or changed through another.
 *
 * <p>Safe for any number of threads. Methods block while the storage works, at most for the store's
 * operation timeout plus what one call of the backend takes.
 *
 * <p>Besides what is listed, every method throws {@link TaskStorageException} if the storage fails,
 * and {@link OwnerNotAllowedException} for {@link Owner#local()} in a store that does not allow it.
 *
 * <p>This interface is implemented by this library only, and may grow in any release.
 */
public interface TaskStore {
  /**
   * Creates a task with status working.
   *
   * @return the task, with the id by which it is found again
   * @throws TaskLimitException if the owner has as many unfinished tasks as it may have
   * @throws DurationNotAllowedException if ttl or poll interval are out of bounds
   * @throws InvalidValueException if a value cannot be stored
   * @throws LimitExceededException if a value is too large
   * @throws VariablesRejectedException if the validator refuses the variables
   */
  Task create(Owner owner, NewTask newTask);

  /**
   * Reads a task.
   *
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   */
  Task get(Owner owner, String taskId);

  /**
   * Lists tasks. What {@link #get} shows is listed, and nothing else; tasks that cannot be read are
   * reported beside the others.
   *
   * @throws InvalidCursorException if the query has a cursor that belongs to another listing
   */
  TaskPage list(Owner owner, TaskQuery query);

  /**
   * Changes a task, from the snapshot in hand: one call to the storage if nobody else has changed
   * it. Otherwise {@code change} is asked again, for the task as the other writer left it, and so
   * on for a bounded number of attempts. So it may run several times and must have no side effects.
   *
   * <p>A finished task takes no more changes; but a change that is already in place, such as
   * completing a task with the very result that it has, is a success and returns the task.
   *
   * @param task the newest snapshot at hand
   * @param change gives the change for a snapshot; it is also asked about finished ones
   * @return the task as it is now
   * @throws TaskNotFoundException if it is gone
   * @throws TaskEndedException if it is finished; carries the task as it stands
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws DurationNotAllowedException if ttl or poll interval are out of bounds
   * @throws InvalidValueException if a value cannot be stored
   * @throws LimitExceededException if a value is too large, or all parts together
   * @throws VariablesRejectedException if the validator refuses the variables
   */
  Task update(Task task, Function<? super Task, TaskChange> change);

  /**
   * Changes a task, from the snapshot in hand: {@link #update(Task, Function)} with a change that
   * is the same for every snapshot.
   */
  default Task update(Task task, TaskChange change) {
    Objects.requireNonNull(change, "change");
    return update(task, current -> change);
  }

  /** Reads a task and changes it: {@link #get}, then {@link #update(Task, Function)}. */
  Task update(Owner owner, String taskId, Function<? super Task, TaskChange> change);

  /** Reads a task and changes it: {@link #get}, then {@link #update(Task, TaskChange)}. */
  default Task update(Owner owner, String taskId, TaskChange change) {
    Objects.requireNonNull(change, "change");
    return update(owner, taskId, current -> change);
  }

  /**
   * Changes a task only if it has exactly this version, for callers who must decide anew if it has
   * not.
   *
   * @throws TaskConflictException if it has another version; nothing was written
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskEndedException if it is finished, whatever its version, and the change is not in
   *     place already
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws DurationNotAllowedException if ttl or poll interval are out of bounds
   * @throws InvalidValueException if a value cannot be stored
   * @throws LimitExceededException if a value is too large, or all parts together
   * @throws VariablesRejectedException if the validator refuses the variables
   */
  Task update(Owner owner, String taskId, long expectedVersion, TaskChange change);

  /**
   * Cancels a task at once: its status becomes cancelled, and whatever its worker reports
   * afterwards is refused.
   *
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskEndedException if it is finished, also if it is cancelled already
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   */
  Task cancel(Owner owner, String taskId);

  /**
   * Asks for the cancellation of a task and leaves it to the worker to end it: {@link
   * Task#isCancelRequested()} becomes true. May be repeated; does nothing to a finished task.
   *
   * @return the task as it is now
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   */
  Task requestCancel(Owner owner, String taskId);

  /**
   * Deletes a task, finished or not. A worker that still reports to it learns that it is gone. A
   * task whose content is damaged, or of a newer release, can be deleted too.
   *
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if the backend itself cannot read the record
   */
  void delete(Owner owner, String taskId);

  /**
   * Removes expired tasks of all owners from the storage. They are invisible already; this gives
   * their room back. Storages that do that by themselves need no such call.
   *
   * @param limit the most tasks to remove in this call
   * @return how many were removed; fewer than {@code limit} when nothing is left to do
   * @throws TaskStorageException if the storage fails; some may have been removed. It is not tried
   *     again
   * @throws InvalidValueException if {@code limit} is below 1
   */
  int purgeExpired(int limit);
}
