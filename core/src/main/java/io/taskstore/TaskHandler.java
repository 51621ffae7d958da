// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import org.jspecify.annotations.Nullable;

/**
 * The work of a task, run by {@link TaskStore#start} and {@link TaskStore#resume}.
 *
 * <p>A handler is run again from its beginning when its worker has died and another one resumes the
 * task. So it should begin with what the task's variables say is done already, and effects outside
 * of the task should be such that doing them twice does no harm.
 */
@FunctionalInterface
public interface TaskHandler {
  /**
   * Does the work. What becomes of the task when this method ends, if the handler has not ended it
   * itself with {@link TaskContext#complete} or {@link TaskContext#fail}:
   *
   * <ul>
   *   <li>it returns: the task is completed with what it returned;
   *   <li>it throws what {@link TaskContext#throwIfCancelled} threw, or any {@link
   *       java.util.concurrent.CancellationException} after a cancellation was requested: the task
   *       is cancelled;
   *   <li>it throws {@link InterruptedException}, or its thread is interrupted when it throws: the
   *       task stays unfinished and its lease is given back, so that another worker can resume it;
   *   <li>it throws anything else: the task fails.
   * </ul>
   *
   * @param context the task, for as long as this method runs
   * @return the result, a map or an object of your own that becomes a JSON object; null for none
   * @throws Exception to let the task fail
   */
  @Nullable Object run(TaskContext context) throws Exception;
}
