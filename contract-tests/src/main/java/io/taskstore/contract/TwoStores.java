// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * What a test of the task store begins with: two stores over two instances on one storage, one
 * clock, and an owner whom nobody else knows.
 *
 * @param backend the instance of the first store, which counts calls
 * @param elsewhere the instance of the other store, which is not wrapped
 * @param factory makes more stores like these
 */
record TwoStores(
    MovableClock clock,
    CountingBackend backend,
    StorageBackend elsewhere,
    TaskStore store,
    TaskStore other,
    Owner owner,
    Factory factory) {

  /** Makes the stores under test, and closes them after it. */
  @FunctionalInterface
  interface Factory {
    TaskStore newStore(
        StorageBackend onto, Clock clock, UnaryOperator<GenericTaskStore.Builder> options);
  }

  /**
   * What can be seen of an owner's tasks: through both stores, and in the records through both
   * instances. Equal before and after means that nothing was changed.
   */
  record Picture(
      List<Map<String, Object>> tasks,
      List<Map<String, Object>> active,
      List<TaskPage.Unreadable> unreadable,
      List<VersionedRecord> records,
      List<RecordHead> heads) {}

  static TwoStores over(
      StorageBackend first,
      StorageBackend second,
      String ownerText,
      Factory factory,
      UnaryOperator<GenericTaskStore.Builder> options) {
    MovableClock clock = MovableClock.startingNow();
    CountingBackend backend = new CountingBackend(first);
    return new TwoStores(
        clock,
        backend,
        second,
        factory.newStore(backend, clock, options),
        factory.newStore(second, clock, options),
        Owner.subject(ownerText),
        factory);
  }

  /** One more store, with the same clock. */
  TaskStore storeOver(StorageBackend onto) {
    return storeOver(onto, UnaryOperator.identity());
  }

  /** One more store, with the same clock. */
  TaskStore storeOver(StorageBackend onto, UnaryOperator<GenericTaskStore.Builder> options) {
    return factory.newStore(onto, clock, options);
  }

  /** One more store, with a clock of its own. */
  TaskStore storeOver(
      StorageBackend onto, Clock itsClock, UnaryOperator<GenericTaskStore.Builder> options) {
    return factory.newStore(onto, itsClock, options);
  }

  /** Both stores; what one has written the other must see. */
  List<TaskStore> both() {
    return List.of(store, other);
  }

  /** Creates a task that says nothing of itself. */
  Task create() {
    return store.create(owner, NewTask.of("work"));
  }

  /** The record of a task, which must be there. */
  VersionedRecord stored(Task task) {
    return TaskSamples.stored(elsewhere, task);
  }

  /** Checks that both stores show the task exactly like this, by id and in listings. */
  void assertShown(Task expected) {
    Map<String, Object> content = TaskSamples.content(expected);
    for (TaskStore reader : both()) {
      assertThat(TaskSamples.content(reader.get(expected.owner(), expected.id())))
          .as("the task by its id")
          .isEqualTo(content);
      assertThat(TaskSamples.contents(TaskSamples.listAll(reader, expected.owner())))
          .as("all tasks")
          .contains(content);
      List<Task> active =
          TaskSamples.listAll(reader, expected.owner(), TaskQuery.newestFirst().activeOnly())
              .tasks();
      if (expected.isTerminal()) {
        assertThat(active).as("unfinished tasks").doesNotContain(expected);
      } else {
        assertThat(TaskSamples.contents(active)).as("unfinished tasks").contains(content);
      }
    }
    assertThat(stored(expected).version())
        .as("the version of the record")
        .isEqualTo(expected.version());
    assertThat(stored(expected).value().active())
        .as("the record's active flag")
        .isEqualTo(!expected.isTerminal());
    assertThat(stored(expected).value().expiresAt())
        .as("the record's expiry")
        .isEqualTo(expected.expiresAt().orElse(null));
  }

  /** Checks that both stores know nothing of a task any more. */
  void assertGone(Task task) {
    for (TaskStore reader : both()) {
      assertThatExceptionOfType(TaskNotFoundException.class)
          .isThrownBy(() -> reader.get(task.owner(), task.id()));
      assertThat(TaskSamples.taskIds(TaskSamples.listAll(reader, task.owner())))
          .as("all tasks")
          .doesNotContain(task.id());
      assertThat(
              TaskSamples.taskIds(
                  TaskSamples.listAll(reader, task.owner(), TaskQuery.oldestFirst().activeOnly())
                      .tasks()))
          .as("unfinished tasks")
          .doesNotContain(task.id());
    }
  }

  Picture picture() {
    return picture(owner);
  }

  Picture picture(Owner of) {
    Picture seen = picture(of, store, backend);
    Picture seenElsewhere = picture(of, other, elsewhere);
    assertThat(seenElsewhere).as("what the other store sees").isEqualTo(seen);
    return seen;
  }

  private static Picture picture(Owner of, TaskStore reader, StorageBackend instance) {
    String partition = TaskSamples.key(instance, of, "any").partition();
    TaskSamples.Listing all = TaskSamples.listAll(reader, of, TaskQuery.newestFirst());
    List<VersionedRecord> records = Samples.listAll(instance, partition, false, 50);
    Set<String> activeIds = new HashSet<>();
    for (VersionedRecord each : records) {
      if (each.value().active()) {
        activeIds.add(each.key().id());
      }
    }
    List<RecordHead> heads = new ArrayList<>(Samples.listAllActive(instance, partition, false, 50));
    // A record that has just become inactive may be listed a little longer.
    heads.removeIf(head -> !activeIds.contains(head.key().id()));
    return new Picture(
        TaskSamples.contents(all.tasks()),
        TaskSamples.contents(
            TaskSamples.listAll(reader, of, TaskQuery.newestFirst().activeOnly()).tasks()),
        all.unreadable(),
        records,
        heads);
  }
}
