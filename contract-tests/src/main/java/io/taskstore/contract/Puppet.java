// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.TaskContext;
import io.taskstore.TaskHandler;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A handler that does what the test says, one step after the other, on a thread of its own. It is
 * its own executor, for one run. Between two steps it stands still, like a worker that is stalled.
 */
final class Puppet implements TaskHandler, Executor, AutoCloseable {
  /** A step of which nothing is to be known but how it ends. */
  @FunctionalInterface
  interface Deed {
    void run(TaskContext context) throws Exception;
  }

  /** A step with an answer. */
  @FunctionalInterface
  interface Question<T> {
    T run(TaskContext context) throws Exception;
  }

  /** The last step: what the handler returns or throws. */
  @FunctionalInterface
  interface End {
    @Nullable Object run(TaskContext context) throws Exception;
  }

  /**
   * @param answer told the outcome; none for the last step, whose outcome goes to the store
   */
  private record Step(End step, @Nullable CompletableFuture<Optional<Object>> answer) {}

  private final Duration patience;
  private final BlockingQueue<Step> steps = new LinkedBlockingQueue<>();
  private final AtomicReference<Thread> thread = new AtomicReference<>();
  private final AtomicReference<Throwable> escaped = new AtomicReference<>();
  private final CompletableFuture<TaskContext> begun = new CompletableFuture<>();
  private final CountDownLatch ended = new CountDownLatch(1);

  private volatile boolean closed;

  /**
   * @param patience how long a step may take
   */
  Puppet(Duration patience) {
    this.patience = patience;
  }

  @Override
  public void execute(Runnable run) {
    Thread mine =
        new Thread(
            () -> {
              try {
                run.run();
              } catch (Throwable e) {
                escaped.set(e);
              } finally {
                ended.countDown();
              }
            },
            "puppet");
    mine.setDaemon(true);
    if (!thread.compareAndSet(null, mine)) {
      throw new IllegalStateException("A puppet runs once");
    }
    mine.start();
  }

  @Override
  public @Nullable Object run(TaskContext context) throws Exception {
    begun.complete(context);
    while (true) {
      if (closed) {
        throw new InterruptedException("The test is over");
      }
      Step step = steps.take();
      CompletableFuture<Optional<Object>> answer = step.answer();
      if (answer == null) {
        return step.step().run(context);
      }
      try {
        answer.complete(Optional.ofNullable(step.step().run(context)));
      } catch (Throwable e) {
        answer.completeExceptionally(e);
      }
    }
  }

  /** Whether a store has given it something to run. */
  boolean wasExecuted() {
    return thread.get() != null;
  }

  /** Whether its own code was run. */
  boolean hasBegun() {
    return begun.isDone();
  }

  /** Does a step, and waits for its end, which is thrown if it is an exception. */
  void does(Deed deed) throws Exception {
    boolean unused =
        answers(
            context -> {
              deed.run(context);
              return true;
            });
  }

  /** Does a step, and waits for its answer, which is thrown if it is an exception. */
  <T> T answers(Question<T> question) throws Exception {
    return await(begins(question));
  }

  /** Does a step, and waits for the yes or no that is its answer. */
  boolean affirms(Question<Boolean> question) throws Exception {
    return answers(question);
  }

  /** Begins a step that may take long. */
  @SuppressWarnings("unchecked") // what the question returns
  <T> Future<T> begins(Question<T> question) {
    CompletableFuture<Optional<Object>> answer = new CompletableFuture<>();
    steps.add(new Step(question::run, answer));
    return answer.thenApply(result -> (T) result.orElseThrow());
  }

  /** Waits for the answer of a step that was begun, and throws it if it is an exception. */
  <T> T await(Future<T> answer) throws Exception {
    try {
      return answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception failure) {
        throw failure;
      }
      throw e;
    } catch (TimeoutException e) {
      throw new AssertionError("The handler has not done its step", e);
    }
  }

  /** Sets the last step, and does not wait for it. */
  void endsWith(End end) {
    steps.add(new Step(end, null));
  }

  /** Does the last step, and waits until the store is done with the handler. */
  void ends(End end) throws InterruptedException {
    endsWith(end);
    awaitEnd();
  }

  /** Waits until the store is done with the handler. */
  void awaitEnd() throws InterruptedException {
    assertThat(ended.await(patience.toMillis(), TimeUnit.MILLISECONDS))
        .as("the handler has ended")
        .isTrue();
  }

  /** What the store has let through to the executor. */
  Optional<Throwable> escaped() {
    return Optional.ofNullable(escaped.get());
  }

  /** Interrupts it, wherever it is. */
  void interrupt() {
    Thread mine = thread.get();
    if (mine != null) {
      mine.interrupt();
    }
  }

  @Override
  public void close() {
    closed = true;
    if (wasExecuted()) {
      interrupt();
      try {
        awaitEnd();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
