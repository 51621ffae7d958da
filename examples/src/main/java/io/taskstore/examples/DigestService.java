// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskHandler;
import io.taskstore.TaskListener;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Runs the digests of one server process, and goes on with those of servers that have died. */
final class DigestService implements AutoCloseable {
  /** Whoever started this process. */
  static final Owner OWNER = Owner.local();

  /**
   * How often to look for tasks whose server has died or given them back; sooner where a lease ends
   * sooner.
   */
  static final Duration LOOK_INTERVAL = Duration.ofSeconds(5);

  /** But not more often than this. */
  private static final Duration SHORTEST_LOOK_INTERVAL = Duration.ofSeconds(1);

  /** How long handlers have to stop. */
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(1);

  private static final int PURGE_LIMIT = 1_000;

  private static final System.Logger LOGGER = System.getLogger(DigestService.class.getName());

  /**
   * A thread for each task that runs here and each question that is open. The store's limit of
   * unfinished tasks bounds them.
   */
  private final ExecutorService threads = Executors.newCachedThreadPool(daemons("digest"));

  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(daemons("resume"));
  private final Questions questions = new Questions(threads, Protocol.json());
  private final TaskStore store;
  private final TaskHandler handler;
  private final Clock clock;

  /**
   * @param opening opens the store; it has to tell the listener, and is closed with this
   * @param handler makes the handler of the digests
   * @param clock the clock of the store
   */
  DigestService(
      Function<TaskListener, TaskStore> opening,
      Function<TaskStore, TaskHandler> handler,
      Clock clock) {
    this.store = opening.apply(questions);
    this.handler = handler.apply(store);
    this.clock = clock;
  }

  private static ThreadFactory daemons(String name) {
    return work -> {
      Thread thread = new Thread(work, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  TaskStore store() {
    return store;
  }

  Questions questions() {
    return questions;
  }

  /**
   * Begins to digest a folder.
   *
   * @param askAbove with more files than these, the task asks first; null for never
   */
  Task start(Path folder, @Nullable Long askAbove) {
    return store.start(OWNER, DigestTask.newTask(folder, askAbove), threads, handler);
  }

  // --- tasks of other servers ---------------------------------------------------------------

  /**
   * Goes on with tasks whose server has died, now and whenever there may be one. Of those that are
   * over some are removed at once: a store of programs that run for moments only would never be
   * swept.
   */
  void keepResuming() {
    timer.execute(this::purge);
    timer.execute(this::resumeAndLookAgain);
  }

  private void purge() {
    try {
      store.purgeExpired(PURGE_LIMIT);
    } catch (TaskStoreException e) {
      if (!timer.isShutdown()) {
        LOGGER.log(System.Logger.Level.WARNING, "Tasks that are over could not be removed", e);
      }
    }
  }

  private void resumeAndLookAgain() {
    Duration pause = LOOK_INTERVAL;
    try {
      pause = Collections.max(List.of(SHORTEST_LOOK_INTERVAL, resumeAll()));
    } catch (RuntimeException e) {
      // Whatever it is, the next look may go better.
      if (!timer.isShutdown()) {
        LOGGER.log(System.Logger.Level.WARNING, "Tasks could not be resumed", e);
      }
    }
    if (!timer.isShutdown()) {
      var unused =
          timer.schedule(this::resumeAndLookAgain, pause.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  /**
   * Goes on with all tasks on which nobody works.
   *
   * @return when to look again: when the first lease is over, if nobody renews it until then
   */
  Duration resumeAll() {
    Duration pause = LOOK_INTERVAL;
    @Nullable String cursor = null;
    do {
      TaskQuery all = TaskQuery.oldestFirst().activeOnly();
      TaskPage page = store.list(OWNER, cursor == null ? all : all.after(cursor));
      for (Task task : page.tasks()) {
        if (task.method().equals(DigestTask.METHOD)) {
          Instant free = task.leaseUntil().orElse(Instant.MIN);
          if (free.isAfter(clock.instant())) {
            pause = Collections.min(List.of(pause, Duration.between(clock.instant(), free)));
          } else {
            resume(task);
          }
        }
      }
      cursor = page.nextCursor().orElse(null);
    } while (cursor != null);
    return pause;
  }

  /** Of all servers that try at once, one succeeds. */
  private void resume(Task task) {
    try {
      store.resume(OWNER, task.id(), threads, handler);
    } catch (TaskEndedException | TaskNotFoundException e) {
      // Then there is nothing left to do.
    } catch (TaskStoreException e) {
      LOGGER.log(System.Logger.Level.WARNING, "A task could not be resumed", e);
    }
  }

  /**
   * Interrupts the handlers, which give their tasks back for other servers, and closes the store.
   * Whatever a handler has reported is written.
   */
  @Override
  public void close() {
    timer.shutdownNow();
    threads.shutdownNow();
    try {
      threads.awaitTermination(STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    store.close();
  }
}
