// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static io.taskstore.TaskChange.change;

import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskError;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.function.Consumer;

/**
 * The handler: digests a folder in the background, as a task. What it knows at any moment is in the
 * task, so whoever has the task's id can ask, on any connection.
 */
final class DigestTask {
  /** The name of the tool. */
  static final String METHOD = "digest_folder";

  /** The variable that holds the {@link FolderState}. */
  static final String STATE = "state";

  /** How often progress is written at most, and how often it is worth asking for. */
  static final Duration INTERVAL = Duration.ofMillis(100);

  /** A large folder takes its time, and somebody may ask for the result the next morning. */
  private static final Duration TTL = Duration.ofDays(1);

  private static final System.Logger LOGGER = System.getLogger(DigestTask.class.getName());

  private final TaskStore store;
  private final Path folder;
  private final Consumer<String> fileProbe;
  private Task task;
  private long lastWrite = System.nanoTime();

  private DigestTask(TaskStore store, Path folder, Consumer<String> fileProbe, Task task) {
    this.store = store;
    this.folder = folder;
    this.fileProbe = fileProbe;
    this.task = task;
  }

  /**
   * Creates the task and begins to work on it.
   *
   * @param fileProbe is told which file is being read, for tests
   * @return the task as it was created
   */
  static Task start(TaskStore store, Owner owner, Path folder, Consumer<String> fileProbe) {
    Task task =
        store.create(
            owner,
            NewTask.of(METHOD, Map.of("folder", folder.toString()))
                .ttl(TTL)
                .pollInterval(INTERVAL)
                .message("counting files"));
    Thread worker =
        new Thread(new DigestTask(store, folder, fileProbe, task)::run, "digest " + task.id());
    worker.setDaemon(true);
    worker.start();
    return task;
  }

  private void run() {
    FolderDigest digest = new FolderDigest(folder, FolderState.START, this::report);
    try {
      FolderState end = digest.run();
      Counts total = end.total();
      end(
          change()
              .progress(total.bytes(), total.bytes())
              .message(position(digest))
              .remove(STATE)
              .complete(DigestResult.of(folder.toString(), end)));
    } catch (CancellationException e) {
      end(progress(digest).message("cancelled after " + position(digest)).cancel());
    } catch (TaskEndedException | TaskNotFoundException e) {
      // Somebody has ended or deleted the task under us: nobody waits for this work any more.
    } catch (IOException | RuntimeException | StackOverflowError e) {
      String message = Objects.requireNonNullElse(e.getMessage(), "no details");
      end(
          change()
              .fail(TaskError.of(message).withData(Map.of("type", e.getClass().getSimpleName()))));
    }
  }

  /** Writes the progress if it is time to. The answer also tells whether to stop. */
  private void report(FolderDigest digest) {
    fileProbe.accept(digest.current());
    long now = System.nanoTime();
    if (now - lastWrite < INTERVAL.toNanos()) {
      return;
    }
    task = store.update(task, progress(digest));
    lastWrite = now;
    if (task.isCancelRequested()) {
      throw new CancellationException();
    }
  }

  private static TaskChange progress(FolderDigest digest) {
    return digest.isCounting()
        ? change().message("counting files, %d so far".formatted(digest.totalFiles()))
        : change()
            .set(STATE, digest.state())
            .progress(digest.bytes(), digest.totalBytes())
            .message(position(digest));
  }

  private static String position(FolderDigest digest) {
    return "%d of %d files".formatted(digest.state().total().files(), digest.totalFiles());
  }

  private void end(TaskChange ending) {
    try {
      store.update(task, ending);
    } catch (TaskEndedException | TaskNotFoundException e) {
      // As above.
    } catch (RuntimeException e) {
      LOGGER.log(System.Logger.Level.ERROR, "The end of " + task + " could not be stored", e);
    }
  }
}
