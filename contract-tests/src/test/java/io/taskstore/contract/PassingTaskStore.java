// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskHandler;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Function;

/** Hands every method on, those with defaults too. Subclasses do some of them badly. */
abstract class PassingTaskStore implements TaskStore {
  private final TaskStore delegate;

  PassingTaskStore(TaskStore delegate) {
    this.delegate = delegate;
  }

  @Override
  public Task create(Owner owner, NewTask newTask) {
    return delegate.create(owner, newTask);
  }

  @Override
  public Task start(Owner owner, NewTask newTask, Executor executor, TaskHandler handler) {
    return delegate.start(owner, newTask, executor, handler);
  }

  @Override
  public Optional<Task> resume(Owner owner, String taskId, Executor executor, TaskHandler handler) {
    return delegate.resume(owner, taskId, executor, handler);
  }

  @Override
  public Optional<Task> claim(Task task, String worker, Duration lease) {
    return delegate.claim(task, worker, lease);
  }

  @Override
  public Task get(Owner owner, String taskId) {
    return delegate.get(owner, taskId);
  }

  @Override
  public Task awaitTerminal(Owner owner, String taskId, Duration timeout)
      throws InterruptedException {
    return delegate.awaitTerminal(owner, taskId, timeout);
  }

  @Override
  public Task awaitChange(Owner owner, String taskId, long sinceVersion, Duration timeout)
      throws InterruptedException {
    return delegate.awaitChange(owner, taskId, sinceVersion, timeout);
  }

  @Override
  public TaskPage list(Owner owner, TaskQuery query) {
    return delegate.list(owner, query);
  }

  @Override
  public Task update(Task task, Function<? super Task, TaskChange> change) {
    return delegate.update(task, change);
  }

  @Override
  public Task update(Task task, TaskChange change) {
    return delegate.update(task, change);
  }

  @Override
  public Task update(Owner owner, String taskId, Function<? super Task, TaskChange> change) {
    return delegate.update(owner, taskId, change);
  }

  @Override
  public Task update(Owner owner, String taskId, TaskChange change) {
    return delegate.update(owner, taskId, change);
  }

  @Override
  public Task update(Owner owner, String taskId, long expectedVersion, TaskChange change) {
    return delegate.update(owner, taskId, expectedVersion, change);
  }

  @Override
  public Task cancel(Owner owner, String taskId) {
    return delegate.cancel(owner, taskId);
  }

  @Override
  public Task requestCancel(Owner owner, String taskId) {
    return delegate.requestCancel(owner, taskId);
  }

  @Override
  public Task provideInput(Owner owner, String taskId, Map<String, ?> responses) {
    return delegate.provideInput(owner, taskId, responses);
  }

  @Override
  public void delete(Owner owner, String taskId) {
    delegate.delete(owner, taskId);
  }

  @Override
  public int purgeExpired(int limit) {
    return delegate.purgeExpired(limit);
  }

  @Override
  public void close() {
    delegate.close();
  }
}
