// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
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
public interface TaskStore extends AutoCloseable {
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
   * Creates a task and begins to work on it: {@link #create} with a lease for this worker, then the
   * handler on the executor. {@link TaskHandler} tells how the task ends.
   *
   * @param executor runs the handler; the store never closes it. If it refuses, the task is deleted
   *     again
   * @return the task as it was created
   * @throws TaskLimitException if the owner has as many unfinished tasks as it may have
   * @throws DurationNotAllowedException if ttl or poll interval are out of bounds
   * @throws InvalidValueException if a value cannot be stored
   * @throws LimitExceededException if a value is too large
   * @throws VariablesRejectedException if the validator refuses the variables
   * @throws RejectedExecutionException if the executor refuses
   */
  Task start(Owner owner, NewTask newTask, Executor executor, TaskHandler handler);

  /**
   * Goes on with a task whose worker has died or has given it back: takes the lease, then runs the
   * handler on the executor. Of all who try at once, one succeeds.
   *
   * @param executor runs the handler; the store never closes it. If it refuses, the lease is given
   *     back
   * @return the task as it is now; empty if another worker holds a lease that is not over
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskEndedException if it is finished; carries the task as it stands
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws RejectedExecutionException if the executor refuses
   */
  Optional<Task> resume(Owner owner, String taskId, Executor executor, TaskHandler handler);

  /**
   * Takes or renews the lease of a task, from the snapshot in hand, for workers that do without
   * {@link TaskContext}. Succeeds if nobody holds a lease, the same worker does, or the one that is
   * held is over by this store's clock. Only writes through a {@link TaskContext} check the lease;
   * who uses this method must call it again before the lease is over, and stop if it is lost. The
   * end of the task ends the lease.
   *
   * @param worker names the worker; give every run a name of its own, a restarted process too
   * @param lease for how long, from now
   * @return the task as it is now; empty if another worker holds a lease that is not over
   * @throws TaskNotFoundException if it is gone
   * @throws TaskEndedException if it is finished; carries the task as it stands
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws InvalidValueException if {@code worker} is blank, or no valid Unicode
   * @throws LimitExceededException if {@code worker} is longer than 128 bytes
   * @throws DurationNotAllowedException if {@code lease} is not from one millisecond to one day
   */
  Optional<Task> claim(Task task, String worker, Duration lease);

  /**
   * Reads a task.
   *
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   */
  Task get(Owner owner, String taskId);

  /**
   * Waits until a task has ended, on whatever replica. The end of a task that was written through
   * this store wakes at once, one that was written elsewhere is noticed by looking every now and
   * then, at most two seconds late. However many wait for a task, one of them looks.
   *
   * @param timeout how long to wait at most; zero just reads
   * @return the task when it has ended; or as it is when the time is over, so look at {@link
   *     Task#isTerminal()}
   * @throws TaskNotFoundException if the owner has no such task, or has it no more, also if it goes
   *     while this waits
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws InterruptedException if the thread was interrupted
   */
  Task awaitTerminal(Owner owner, String taskId, Duration timeout) throws InterruptedException;

  /**
   * Waits until a task has a newer version than the one that the caller knows, or has ended. A
   * worker that renews its lease makes new versions too.
   *
   * @param sinceVersion the version that is known; 0 returns at once
   * @param timeout how long to wait at most; zero just reads
   * @return the task as it is now; with the known version if the time is over
   * @throws TaskNotFoundException if the owner has no such task, or has it no more, also if it goes
   *     while this waits
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws InterruptedException if the thread was interrupted
   */
  Task awaitChange(Owner owner, String taskId, long sinceVersion, Duration timeout)
      throws InterruptedException;

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
   * Answers questions that a task has asked with {@link TaskContext#ask} or {@link
   * TaskChange#requireInput}. Some answers may come now and others later: the task goes back to
   * working with the last one. Keys that were never asked for or are answered already are ignored;
   * the first answer stays.
   *
   * @param responses the answers by key; a value may be whatever a variable may be, but null
   * @return the task as it is now
   * @throws TaskNotFoundException if the owner has no such task, or has it no more
   * @throws TaskEndedException if it is finished; carries the task as it stands
   * @throws TaskConflictException if every attempt lost against another writer
   * @throws TaskUnreadableException if what is stored is damaged, or of a newer release
   * @throws InvalidValueException if an answer is null or cannot be stored
   * @throws LimitExceededException if an answer is too large, or all input together
   */
  Task provideInput(Owner owner, String taskId, Map<String, ?> responses);

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

  /**
   * Writes what running handlers have collected, and gives back the threads of this store; the
   * backend is not closed, and tasks are not ended. Handlers that still run can write no more, and
   * their leases run out, so another store can resume their tasks. Calls that wait end. Every other
   * call afterwards throws {@link TaskStorageException}. Idempotent.
   */
  @Override
  void close();
}
