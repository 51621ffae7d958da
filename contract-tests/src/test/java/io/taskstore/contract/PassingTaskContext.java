// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.InputRequest;
import io.taskstore.Progress;
import io.taskstore.Task;
import io.taskstore.TaskContext;
import io.taskstore.TaskError;
import io.taskstore.Variables;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Hands every method on. Subclasses do some of them badly. */
abstract class PassingTaskContext implements TaskContext {
  private final TaskContext delegate;

  PassingTaskContext(TaskContext delegate) {
    this.delegate = delegate;
  }

  @Override
  public Task task() {
    return delegate.task();
  }

  @Override
  public Variables variables() {
    return delegate.variables();
  }

  @Override
  public TaskContext set(String name, @Nullable Object value) {
    TaskContext unused = delegate.set(name, value);
    return this;
  }

  @Override
  public TaskContext progress(Progress progress) {
    TaskContext unused = delegate.progress(progress);
    return this;
  }

  @Override
  public TaskContext message(String text) {
    TaskContext unused = delegate.message(text);
    return this;
  }

  @Override
  public void flush() {
    delegate.flush();
  }

  @Override
  public boolean isCancelRequested() {
    return delegate.isCancelRequested();
  }

  @Override
  public void throwIfCancelled() {
    delegate.throwIfCancelled();
  }

  @Override
  public <T> T ask(String key, InputRequest request, Class<T> type, Duration timeout)
      throws InterruptedException, TimeoutException {
    return delegate.ask(key, request, type, timeout);
  }

  @Override
  public boolean complete() {
    return delegate.complete();
  }

  @Override
  public boolean complete(Object result) {
    return delegate.complete(result);
  }

  @Override
  public boolean fail(TaskError error) {
    return delegate.fail(error);
  }
}
