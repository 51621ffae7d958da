// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Steps that many tests of the task store take. */
final class TaskSamples {
  /** All pages of a listing, put together. */
  record Listing(List<Task> tasks, List<TaskPage.Unreadable> unreadable) {}

  private TaskSamples() {}

  /** Everything that a task shows, by name: tasks themselves are equal by id and version. */
  static Map<String, Object> content(Task task) {
    Map<String, Object> content = new LinkedHashMap<>();
    content.put("owner", task.owner());
    content.put("id", task.id());
    content.put("version", task.version());
    content.put("status", task.status());
    content.put("isTerminal", task.isTerminal());
    content.put("message", task.message());
    content.put("progress", task.progress());
    content.put("createdAt", task.createdAt());
    content.put("updatedAt", task.updatedAt());
    content.put("ttl", task.ttl());
    content.put("expiresAt", task.expiresAt());
    content.put("pollInterval", task.pollInterval());
    content.put("method", task.method());
    content.put("params", task.params());
    content.put("variables", task.variables().asMap());
    content.put("result", task.result());
    content.put("error", task.error());
    content.put("cancelRequestedAt", task.cancelRequestedAt());
    content.put("isCancelRequested", task.isCancelRequested());
    content.put("inputRequests", task.inputRequests());
    content.put("inputResponses", task.inputResponses().asMap());
    content.put("worker", task.worker());
    content.put("leaseUntil", task.leaseUntil());
    return content;
  }

  static List<Map<String, Object>> contents(List<Task> tasks) {
    return tasks.stream().map(TaskSamples::content).toList();
  }

  static List<String> taskIds(List<Task> tasks) {
    return tasks.stream().map(Task::id).toList();
  }

  /** All tasks of a listing, page by page; ends if the listing goes in circles. */
  static Listing listAll(TaskStore store, Owner owner, TaskQuery query) {
    List<Task> tasks = new ArrayList<>();
    List<TaskPage.Unreadable> unreadable = new ArrayList<>();
    Set<String> cursors = new HashSet<>();
    TaskPage page = store.list(owner, query);
    while (true) {
      tasks.addAll(page.tasks());
      unreadable.addAll(page.unreadable());
      String cursor = page.nextCursor().orElse(null);
      if (cursor == null) {
        return new Listing(tasks, unreadable);
      }
      assertThat(cursors.add(cursor)).as("the cursor moves on").isTrue();
      page = store.list(owner, query.after(cursor));
    }
  }

  /** All tasks of an owner, the newest first. */
  static List<Task> listAll(TaskStore store, Owner owner) {
    return listAll(store, owner, TaskQuery.newestFirst()).tasks();
  }

  /** The key under which a store keeps a task: asked of a store, which alone knows it. */
  static RecordKey key(StorageBackend backend, Owner owner, String id) {
    KeyCatcher catcher = new KeyCatcher(backend);
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(
            () -> {
              try (TaskStore asked =
                  GenericTaskStore.builder(catcher).allowLocalOwner(true).build()) {
                Task unused = asked.get(owner, id);
              }
            });
    RecordKey caught = catcher.caught;
    if (caught == null) {
      throw new AssertionError("The store has not asked its backend");
    }
    return caught;
  }

  private static final class KeyCatcher extends PassingBackend {
    private @Nullable RecordKey caught;

    KeyCatcher(StorageBackend delegate) {
      super(delegate);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      caught = key;
      return Optional.empty();
    }
  }

  /** The record of a task, which must be there. */
  static VersionedRecord stored(StorageBackend backend, Task task) {
    return Samples.stored(backend, key(backend, task.owner(), task.id()));
  }

  /** The data of a task's record, which is text. */
  static String text(VersionedRecord stored) {
    return new String(stored.value().data().toByteArray(), StandardCharsets.UTF_8);
  }

  /** Writes other data over a record, as a faulty tool or another release would. */
  static VersionedRecord plant(StorageBackend backend, VersionedRecord over, byte[] data) {
    RecordValue old = over.value();
    RecordValue planted =
        new RecordValue(Bytes.copyOf(data), old.active(), old.expiresAt(), Samples.newWriteId());
    return Samples.write(backend, over.key(), planted, over.version());
  }

  static VersionedRecord plant(StorageBackend backend, VersionedRecord over, String data) {
    return plant(backend, over, data.getBytes(StandardCharsets.UTF_8));
  }
}
