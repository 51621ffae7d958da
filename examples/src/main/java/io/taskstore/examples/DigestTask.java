// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.InputRequest;
import io.taskstore.NewTask;
import io.taskstore.Task;
import io.taskstore.TaskContext;
import io.taskstore.TaskHandler;
import io.taskstore.TaskStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The handler: digests a folder as a task. What it knows is in the task, so whoever has the task's
 * id can ask, and another server can go on if this one dies.
 */
final class DigestTask implements TaskHandler {
  /** The name of the tool. */
  static final String METHOD = "digest_folder";

  /** The variable that holds the {@link FolderState}. */
  static final String STATE = "state";

  /** The variable that holds the {@link Place} at which the task was resumed last, if it was. */
  static final String RESUMED = "resumed";

  /** The key of the question whether to digest so many files. */
  static final String CONFIRM = "confirm";

  /** How long to wait for an answer. */
  static final Duration ANSWER_TIMEOUT = Duration.ofMinutes(10);

  /** How often progress is worth writing, and asking for. */
  static final Duration INTERVAL = Duration.ofMillis(100);

  /** A large folder takes its time, and somebody may ask for the result the next morning. */
  private static final Duration TTL = Duration.ofDays(1);

  private final TaskStore store;
  private final Duration answerTimeout;
  private final Duration atLeast;
  private final Consumer<String> fileProbe;

  /**
   * @param atLeast how long a whole digest takes at least, for those who want to watch; zero for as
   *     fast as it can. If it is not zero, each file is a place to go on from
   * @param fileProbe is told which file is being read, for tests
   */
  DigestTask(
      TaskStore store, Duration answerTimeout, Duration atLeast, Consumer<String> fileProbe) {
    this.store = store;
    this.answerTimeout = answerTimeout;
    this.atLeast = atLeast;
    this.fileProbe = fileProbe;
  }

  /**
   * What to do.
   *
   * @param folder the absolute path
   * @param askAbove with more files than these, ask first; null for never
   */
  record Params(String folder, @Nullable Long askAbove) {}

  /**
   * From where a digest can go on, or has gone on.
   *
   * @param position the last entry that was done, see {@link FolderState#position}
   * @param files how many files were done
   */
  record Place(String position, long files) {
    static Place of(FolderState state) {
      return new Place(state.position(), state.total().files());
    }
  }

  /** The answer to a question, as MCP has it. */
  private record Answer(@Nullable String action) {
    boolean isYes() {
      return "accept".equals(action);
    }
  }

  /** Returns the task to create. */
  static NewTask newTask(Path folder, @Nullable Long askAbove) {
    return NewTask.of(METHOD, new Params(folder.toString(), askAbove))
        .ttl(TTL)
        .pollInterval(INTERVAL)
        .message("counting files");
  }

  @Override
  public DigestResult run(TaskContext context)
      throws IOException, InterruptedException, TimeoutException {
    Params params = context.task().params(Params.class).orElseThrow();
    FolderState start = context.variables().as(STATE, FolderState.class).orElse(FolderState.START);
    if (!start.position().isEmpty()) {
      context.set(RESUMED, Place.of(start));
    }
    Pace pace = new Pace(atLeast);
    FolderDigest digest =
        new FolderDigest(
            Path.of(params.folder()),
            start,
            watched -> report(context, watched, pace),
            state -> context.set(STATE, state),
            atLeast.isZero() ? FolderDigest.CHECKPOINT_ENTRIES : 1);
    digest.count();
    if (params.askAbove() != null && digest.totalFiles() > params.askAbove()) {
      confirm(context, params);
    }
    FolderState end = digest.run();
    long bytes = end.total().bytes();
    context.progress(bytes, bytes).message(position(digest)).remove(STATE);
    return DigestResult.of(params.folder(), end);
  }

  /** Tells how far it is, as often as it likes: the store writes it now and then. */
  private void report(TaskContext context, FolderDigest digest, Pace pace) {
    fileProbe.accept(digest.current());
    if (digest.isCounting()) {
      // Whoever is resumed has said more already.
      if (digest.state().position().isEmpty()) {
        context.message("counting files, %d so far".formatted(digest.totalFiles()));
      }
      throwIfToStop(context);
    } else {
      context.progress(digest.bytes(), digest.totalBytes()).message(position(digest));
      throwIfToStop(context);
      pace.hold(done(digest), () -> throwIfToStop(context));
    }
  }

  private static void throwIfToStop(TaskContext context) {
    context.throwIfCancelled();
    if (Thread.currentThread().isInterrupted()) {
      throw new CancellationException("the server ends; another one can go on");
    }
  }

  /**
   * How much is done, from 0 to 1. Files count as much as bytes, so that neither many empty files
   * nor a single large one are done in no time.
   */
  private static double done(FolderDigest digest) {
    FolderState state = digest.state();
    double files = fraction(state.total().files() + state.skippedCount(), digest.totalFiles());
    return (files + fraction(digest.bytes(), digest.totalBytes())) / 2;
  }

  private static double fraction(long done, long total) {
    return total == 0 ? 0 : Math.min(1, (double) done / total);
  }

  private static String position(FolderDigest digest) {
    return "%d of %d files".formatted(digest.state().total().files(), digest.totalFiles());
  }

  /** Asks whether to go on. When the task is resumed, the answer may be there already. */
  private void confirm(TaskContext context, Params params)
      throws InterruptedException, TimeoutException {
    String what = "%s has more than %d files".formatted(params.folder(), params.askAbove());
    // It must be the same whenever the handler runs: the number of files may have changed.
    InputRequest question =
        InputRequest.of(
            "elicitation/create",
            Map.of(
                "message",
                what + ". Digest it all the same?",
                "requestedSchema",
                Map.of("type", "object", "properties", Map.of())));
    context.message(what + ", waiting for an answer");
    Answer answer;
    try {
      answer = context.ask(CONFIRM, question, Answer.class, answerTimeout);
    } catch (TimeoutException e) {
      throw new TimeoutException(
          "%s, and nobody has said within %d s whether to digest it all the same"
              .formatted(what, answerTimeout.toSeconds()));
    }
    if (!answer.isYes()) {
      context.message(what + ", and the answer was not to digest it");
      Task task = context.task();
      store.requestCancel(task.owner(), task.id());
      context.throwIfCancelled();
    }
  }
}
