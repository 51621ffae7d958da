// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskEvent;
import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A listener that remembers what it hears until a test takes it. */
final class Ears implements TaskListener {
  private final BlockingQueue<TaskEvent> heard = new LinkedBlockingQueue<>();

  @Override
  public void onEvent(TaskEvent event) {
    heard.add(event);
  }

  /** Waits for the next event. */
  TaskEvent next(Duration patience) throws InterruptedException {
    TaskEvent event = heard.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
    if (event == null) {
      throw new AssertionError("The listener has not heard of the next event");
    }
    return event;
  }

  /** What was heard and not taken yet. */
  List<TaskEvent> take() {
    List<TaskEvent> events = new ArrayList<>();
    heard.drainTo(events);
    return events;
  }

  /**
   * What the store tells of all that it has done by now: asks it for a task that is not there, and
   * takes everything that is told before the failure of that.
   */
  List<TaskEvent> takeAll(TaskStore store, Duration patience) throws InterruptedException {
    String marker = UUID.randomUUID().toString();
    Throwable failure = catchThrowable(() -> ask(store, marker));
    assertThat(failure).as("the failure that is the marker").isInstanceOf(TaskStoreException.class);
    List<TaskEvent> events = new ArrayList<>();
    while (true) {
      TaskEvent event = next(patience);
      if (event.taskId().equals(Optional.of(marker))) {
        return events;
      }
      events.add(event);
    }
  }

  private static Task ask(TaskStore store, String marker) {
    return store.get(Owner.session("marker"), marker);
  }

  /** The events that tell of a write, or of a deletion. */
  static List<TaskEvent> writes(List<TaskEvent> events) {
    return events.stream()
        .filter(event -> event instanceof TaskEvent.Write || event instanceof TaskEvent.Deleted)
        .toList();
  }

  /** Those about a task. */
  static List<TaskEvent> about(Task task, List<TaskEvent> events) {
    return events.stream().filter(event -> event.taskId().equals(Optional.of(task.id()))).toList();
  }

  /** What kind of event, and of which version of a task if it is a write. */
  static String summary(TaskEvent event) {
    Task task = taskOf(event);
    return task == null ? event.type() : event.type() + " " + task.version();
  }

  static List<String> summaries(List<TaskEvent> events) {
    return events.stream().map(Ears::summary).toList();
  }

  /** The versions of the tasks that writes are about. */
  static List<Long> versions(List<TaskEvent> events) {
    List<Long> versions = new ArrayList<>();
    for (TaskEvent event : events) {
      Task task = taskOf(event);
      if (task != null) {
        versions.add(task.version());
      }
    }
    return versions;
  }

  /** The task of a write. */
  static Task task(TaskEvent event) {
    return ((TaskEvent.Write) event).task();
  }

  /** The task of a write; null for other events. */
  static @Nullable Task taskOf(TaskEvent event) {
    return event instanceof TaskEvent.Write write ? write.task() : null;
  }
}
