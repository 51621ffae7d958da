// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A task in the hands of the worker that holds its lease. Safe for several threads of one handler.
 *
 * <p>{@link #set}, {@link #progress} and {@link #message} are cheap, however often they are called:
 * they are collected and written together, one write for each {@linkplain
 * GenericTaskStore.Builder#progressInterval progress interval} at most. The end of the task, {@link
 * #ask} and {@link #flush} write what was collected; a crash loses at most what was not written
 * yet.
 *
 * <p>Every write renews the lease, and so does a heartbeat while the handler says nothing. If the
 * worker loses the lease all the same, because it stood still for longer, another worker may have
 * taken the task over. Nothing is written then any more: every method here but {@link #task},
 * {@link #variables} and {@link #isCancelRequested} throws {@link LeaseLostException}, and the
 * handler should return at once. In the same way they throw {@link TaskEndedException} or {@link
 * TaskNotFoundException} once the answer to a write has told that somebody else ended or deleted
 * the task.
 *
 * <p>A value that was collected may be refused only when it is written, for example because all
 * variables together are too large. Then nothing of what was collected is written, and the next
 * call throws the refusal, once.
 *
 * <p>This interface is implemented by this library; implement it in tests of handlers only, it may
 * grow in any release.
 */
public interface TaskContext {
  /** The task as it was last read or written by this worker, without what is only collected. */
  Task task();

  /** The variables, with what was set here on top of what is stored. */
  Variables variables();

  /**
   * Sets a variable; null removes it. The value is encoded at once, so later changes of a mutable
   * object do not matter.
   *
   * @return this
   * @throws InvalidValueException if the value cannot be stored
   * @throws LimitExceededException if the value is too large
   */
  TaskContext set(String name, @Nullable Object value);

  /** Removes a variable; it need not be there. */
  default TaskContext remove(String name) {
    return set(name, null);
  }

  /** Replaces the progress. */
  TaskContext progress(Progress progress);

  /**
   * Replaces the progress.
   *
   * @throws InvalidValueException if {@code done} or {@code total} is negative
   */
  default TaskContext progress(long done, long total) {
    return progress(Progress.of(done, total));
  }

  /**
   * Replaces the status message.
   *
   * @throws LimitExceededException if it is too long
   */
  TaskContext message(String text);

  /**
   * Writes what was collected, now.
   *
   * @throws TaskStorageException if the storage fails; what was collected is kept for the next
   *     write
   */
  void flush();

  /**
   * Whether somebody asked for the cancellation of the task, as far as this worker knows: no round
   * trip, the answer to the last write or heartbeat tells.
   */
  boolean isCancelRequested();

  /**
   * Ends the handler if somebody asked for the cancellation of the task. No round trip, as for
   * {@link #isCancelRequested}.
   *
   * @throws CancellationException if so; let it pass, and the task is cancelled
   */
  void throwIfCancelled();

  /**
   * Asks the owner of the task, and waits for the answer, which may come through any replica. The
   * task is {@linkplain TaskStatus#INPUT_REQUIRED waiting for input} meanwhile.
   *
   * <p>Can be repeated, as a handler does that is resumed: if the key was answered already the
   * stored answer is returned at once; if the same question is still open, this waits for its
   * answer, with the whole timeout again. After a timeout the question stays open. So the request
   * must not hold anything that changes between two runs of the handler: it would be another
   * question under the same key.
   *
   * @param key names the question, uniquely for the life of the task
   * @param type the class of the answer, read as by {@link Variables#as}
   * @param timeout how long to wait
   * @return the answer
   * @throws TimeoutException if there was no answer in time
   * @throws CancellationException if somebody asked for the cancellation of the task
   * @throws InterruptedException if the thread was interrupted
   * @throws InvalidValueException if the key was used before for another question
   * @throws LimitExceededException if the question is too large
   * @throws ValueConversionException if the answer does not fit the class
   */
  <T> T ask(String key, InputRequest request, Class<T> type, Duration timeout)
      throws InterruptedException, TimeoutException;

  /**
   * Completes the task with what was collected, without a result.
   *
   * @return whether the task is completed like this now; false if it had ended in another way, or
   *     was deleted, or the lease was lost
   * @throws TaskStorageException if the storage fails or the store is closed; the task may be
   *     unfinished, and this can be called again
   */
  boolean complete();

  /**
   * Completes the task with what was collected.
   *
   * @param result a map, or an object of your own that becomes a JSON object
   * @return as {@link #complete()}
   * @throws InvalidValueException if the result cannot be stored; the task is still unfinished
   * @throws LimitExceededException if the result is too large; the task is still unfinished
   */
  boolean complete(Object result);

  /**
   * Ends the task as failed, with what was collected.
   *
   * @return as {@link #complete()}
   */
  boolean fail(TaskError error);
}
