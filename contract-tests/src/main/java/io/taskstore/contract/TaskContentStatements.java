// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.InvalidCursorException;
import io.taskstore.InvalidValueException;
import io.taskstore.LimitExceededException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Progress;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskError;
import io.taskstore.TaskLimits;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStore;
import io.taskstore.TaskUnreadableException;
import io.taskstore.contract.BackendStorage.Damage;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements S: variables, sizes, canonical form, listings. */
abstract class TaskContentStatements extends TaskConcurrencyStatements {
  private static final Duration MINUTE = Duration.ofMinutes(1);
  private static final String BASE64 =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

  // --- S9: listings -------------------------------------------------------------------------

  private static TaskQuery order(boolean newestFirst) {
    return newestFirst ? TaskQuery.newestFirst() : TaskQuery.oldestFirst();
  }

  /** The ids in the order of a listing; those of one millisecond are in the order of their text. */
  private static List<String> idsInOrder(List<Task> tasks, boolean newestFirst) {
    List<String> ids = new ArrayList<>(TaskSamples.taskIds(tasks));
    ids.sort(RecordKey::compareIds);
    if (newestFirst) {
      Collections.reverse(ids);
    }
    return ids;
  }

  private static List<Task> createInOneMillisecond(TwoStores two, int count) {
    List<Task> tasks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      tasks.add(two.both().get(i % 2).create(two.owner(), NewTask.of("work")));
    }
    assertThat(tasks).extracting(Task::createdAt).containsOnly(two.clock().instant());
    return tasks;
  }

  /** Pages through a listing, each page through another store than the one before. */
  private static List<String> pagedIds(TwoStores two, TaskQuery query, int pageSize) {
    List<String> ids = new ArrayList<>();
    TaskQuery next = query.pageSize(pageSize);
    for (int page = 0; page < 200; page++) {
      TaskPage found = two.both().get(page % 2).list(two.owner(), next);
      assertThat(found.tasks()).as("tasks of one page").hasSizeLessThanOrEqualTo(pageSize);
      assertThat(found.unreadable()).isEmpty();
      ids.addAll(TaskSamples.taskIds(found.tasks()));
      String cursor = found.nextCursor().orElse(null);
      if (cursor == null) {
        return ids;
      }
      next = next.after(cursor);
    }
    throw new AssertionError("The listing does not end");
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s9_tenTasksOfOneMillisecond_pageByThree(boolean newestFirst) {
    TwoStores two = twoStores();
    List<Task> tasks = createInOneMillisecond(two, 10);
    List<Task> finished = new ArrayList<>();
    for (int i = 0; i < 10; i += 2) {
      finished.add(two.store().update(tasks.get(i), change().complete()));
    }
    List<Task> unfinished = new ArrayList<>(tasks);
    unfinished.removeIf(task -> TaskSamples.taskIds(finished).contains(task.id()));
    TaskQuery query = order(newestFirst);

    for (int pageSize : new int[] {1, 3, 9, 10, 11}) {
      assertThat(pagedIds(two, query, pageSize))
          .as("all, by %d", pageSize)
          .containsExactlyElementsOf(idsInOrder(tasks, newestFirst));
    }
    assertThat(pagedIds(two, query.activeOnly(), 3))
        .as("unfinished ones")
        .containsExactlyElementsOf(idsInOrder(unfinished, newestFirst));
    assertThat(pagedIds(two, query.withStatus(TaskStatus.WORKING), 3))
        .as("working ones")
        .containsExactlyElementsOf(idsInOrder(unfinished, newestFirst));
    assertThat(pagedIds(two, query.withStatus(TaskStatus.COMPLETED), 3))
        .as("completed ones")
        .containsExactlyElementsOf(idsInOrder(finished, newestFirst));
    assertThat(pagedIds(two, query.withStatus(TaskStatus.COMPLETED, TaskStatus.WORKING), 3))
        .as("completed and working ones")
        .containsExactlyElementsOf(idsInOrder(tasks, newestFirst));
    assertThat(pagedIds(two, query.withStatus(TaskStatus.FAILED), 3)).as("failed ones").isEmpty();
    assertThat(pagedIds(two, query.activeOnly().withStatus(TaskStatus.COMPLETED), 3))
        .as("unfinished ones that are completed")
        .isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s9_tasksOfSeveralMilliseconds_areInTheOrderOfTheirCreation(boolean newestFirst) {
    TwoStores two = twoStores();
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      ids.add(two.both().get(i % 2).create(two.owner(), NewTask.of("work")).id());
      two.clock().advance(Duration.ofMillis(1));
    }
    // A change does not move a task in the order.
    Task unused = two.store().update(two.owner(), ids.get(0), change().message("changed"));
    if (newestFirst) {
      Collections.reverse(ids);
    }

    assertThat(pagedIds(two, order(newestFirst), 3)).containsExactlyElementsOf(ids);
  }

  /** The first page that has tasks; there must be a next one. */
  private static TaskPage pageWithCursor(TaskStore store, Owner owner, TaskQuery query) {
    TaskPage page = store.list(owner, query);
    for (int i = 0; page.tasks().isEmpty() && page.nextCursor().isPresent() && i < 200; i++) {
      page = store.list(owner, query.after(page.nextCursor().orElseThrow()));
    }
    assertThat(page.tasks()).as("tasks of the first page").isNotEmpty();
    assertThat(page.nextCursor()).as("the cursor of the first page").isPresent();
    return page;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  final void s9_cursor_survivesItsTaskAndAllBeforeIt(boolean newestFirst) {
    TwoStores two = twoStores();
    List<Task> tasks = createInOneMillisecond(two, 8);
    List<String> ids = idsInOrder(tasks, newestFirst);
    for (TaskQuery query : List.of(order(newestFirst), order(newestFirst).activeOnly())) {
      TaskPage first = pageWithCursor(two.store(), two.owner(), query.pageSize(3));
      String cursor = first.nextCursor().orElseThrow();
      int seen = first.tasks().size();
      List<String> rest = ids.subList(seen, ids.size());
      Task last = first.tasks().get(seen - 1);
      assertThat(TaskSamples.taskIds(first.tasks())).isEqualTo(ids.subList(0, seen));

      two.other().delete(two.owner(), last.id());
      for (TaskStore store : two.both()) {
        assertThat(
                TaskSamples.taskIds(
                    TaskSamples.listAll(store, two.owner(), query.pageSize(2).after(cursor))
                        .tasks()))
            .as("what follows a cursor whose task is deleted")
            .isEqualTo(rest);
      }
      assertThat(
              TaskSamples.taskIds(
                  TaskSamples.listAll(
                          two.storeOver(two.elsewhere()),
                          two.owner(),
                          query.pageSize(1_000).after(cursor))
                      .tasks()))
          .as("what follows in a store that is new, with another page size")
          .isEqualTo(rest);
      // The second round begins with the tasks that are left.
      ids = idsInOrder(TaskSamples.listAll(two.store(), two.owner()), newestFirst);
    }
  }

  @Test
  final void s9_cursor_survivesTheExpiryAndThePurgeOfItsTask() throws Exception {
    TwoStores two = twoStoresAlone(UnaryOperator.identity());
    for (int i = 0; i < 3; i++) {
      Task unused =
          two.store().create(two.owner(), NewTask.of("work").ttl(MINUTE.multipliedBy(20)));
      two.clock().advance(Duration.ofMillis(1));
    }
    List<Task> staying = createInOneMillisecond(two, 3);
    TaskQuery query = TaskQuery.oldestFirst().pageSize(2);
    String cursor = pageWithCursor(two.store(), two.owner(), query).nextCursor().orElseThrow();
    two.clock().advance(MINUTE.multipliedBy(20));

    for (int round = 0; round < 2; round++) {
      assertThat(
              TaskSamples.taskIds(
                  TaskSamples.listAll(two.other(), two.owner(), query.after(cursor)).tasks()))
          .isEqualTo(idsInOrder(staying, false));
      two.clock().advance(MINUTE.multipliedBy(10));
      two.other().purgeExpired(100);
    }
  }

  @Test
  final void s9_alteredCursor_isRefusedWithoutACall() {
    TwoStores two = twoStores();
    createInOneMillisecond(two, 3);
    TaskQuery query = TaskQuery.newestFirst().pageSize(1);
    String cursor = pageWithCursor(two.store(), two.owner(), query).nextCursor().orElseThrow();
    List<String> altered = new ArrayList<>();
    for (int i = 0; i < cursor.length(); i++) {
      String before = cursor.substring(0, i);
      String after = cursor.substring(i + 1);
      for (int c = 0; c < BASE64.length(); c++) {
        if (BASE64.charAt(c) != cursor.charAt(i)) {
          altered.add(before + BASE64.charAt(c) + after);
        }
      }
      altered.add(before + "+" + after);
      altered.add(before + "\u00e9" + after);
      altered.add(before + after);
      altered.add(before);
      altered.add(before + cursor.charAt(i) + cursor.substring(i));
    }
    altered.addAll(
        List.of("", " ", "=", "x", cursor + "=", cursor + "A", " " + cursor, cursor + cursor));
    altered.add("A".repeat(100_000));
    two.backend().takeCalls();

    for (String each : altered) {
      assertThatExceptionOfType(InvalidCursorException.class)
          .as("a cursor with a change, of %d characters", each.length())
          .isThrownBy(() -> two.store().list(two.owner(), query.after(each)));
    }

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    assertThat(two.store().list(two.owner(), query.after(cursor)).unreadable()).isEmpty();
  }

  @Test
  final void s9_cursorOfAnotherListing_isRefused() {
    TwoStores two = twoStores();
    createInOneMillisecond(two, 6);
    Owner stranger = Owner.client(partition());
    for (int i = 0; i < 3; i++) {
      Task unused = two.store().create(stranger, NewTask.of("work"));
    }
    List<TaskQuery> listings =
        List.of(
            TaskQuery.newestFirst(),
            TaskQuery.oldestFirst(),
            TaskQuery.newestFirst().activeOnly(),
            TaskQuery.oldestFirst().activeOnly(),
            TaskQuery.newestFirst().withStatus(TaskStatus.WORKING),
            TaskQuery.newestFirst().withStatus(TaskStatus.WORKING, TaskStatus.FAILED),
            TaskQuery.newestFirst().activeOnly().withStatus(TaskStatus.WORKING));
    for (int from = 0; from < listings.size(); from++) {
      String cursor =
          pageWithCursor(two.store(), two.owner(), listings.get(from).pageSize(1))
              .nextCursor()
              .orElseThrow();
      for (int to = 0; to < listings.size(); to++) {
        TaskQuery query = listings.get(to).after(cursor);
        if (from == to) {
          assertThat(TaskSamples.listAll(two.other(), two.owner(), query).tasks())
              .as("listing %d goes on", to)
              .hasSize(5);
        } else {
          assertThatExceptionOfType(InvalidCursorException.class)
              .as("a cursor of listing %d in listing %d", from, to)
              .isThrownBy(() -> two.other().list(two.owner(), query));
        }
        assertThatExceptionOfType(InvalidCursorException.class)
            .as("a cursor in the listing of another owner")
            .isThrownBy(() -> two.store().list(stranger, query));
      }
    }
  }

  @Test
  final void s9_list_showsExactlyWhatGetShows() {
    TwoStores two = twoStores();
    List<Task> all = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      boolean isShort = i % 3 == 2;
      Task task =
          two.both()
              .get(i % 2)
              .create(
                  two.owner(),
                  NewTask.of("work", Map.of("number", i))
                      .set("position", i)
                      .progress(Progress.of(i, 12))
                      .ttl(MINUTE.multipliedBy(isShort ? 20 : 90)));
      all.add(
          switch (i / 3) {
            case 0 -> two.store().update(task, change().message("going on"));
            case 1 -> two.other().update(task, change().complete(Map.of("files", i)));
            case 2 -> two.store().update(task, change().fail(TaskError.of(i, "broken")));
            default -> two.other().requestCancel(two.owner(), task.id());
          });
      two.clock().advance(Duration.ofMillis(i % 2));
    }
    two.store().delete(two.owner(), all.get(1).id());
    two.store().delete(two.owner(), all.get(4).id());
    all.set(11, two.store().update(all.get(11), change().ttl(MINUTE.multipliedBy(60))));
    assertListsWhatGetShows(two, all, 10);
    two.clock().advance(MINUTE.multipliedBy(20));
    assertListsWhatGetShows(two, all, 7);
  }

  private static void assertListsWhatGetShows(TwoStores two, List<Task> all, int expected) {
    for (int reader = 0; reader < 2; reader++) {
      TaskStore store = two.both().get(reader);
      TaskStore lister = two.both().get(1 - reader);
      List<Task> shown = new ArrayList<>();
      for (Task task : all) {
        find(store, task).ifPresent(shown::add);
      }
      assertThat(shown).as("tasks that get shows").hasSize(expected);
      shown.sort((left, right) -> RecordKey.compareIds(left.id(), right.id()));
      for (int pageSize : new int[] {2, 50}) {
        assertThat(contents(lister, two.owner(), TaskQuery.oldestFirst().pageSize(pageSize)))
            .as("all tasks")
            .isEqualTo(TaskSamples.contents(shown));
        for (TaskStatus status : TaskStatus.values()) {
          assertThat(
                  contents(
                      lister,
                      two.owner(),
                      TaskQuery.oldestFirst().withStatus(status).pageSize(pageSize)))
              .as("tasks that are %s", status)
              .isEqualTo(
                  TaskSamples.contents(
                      shown.stream().filter(task -> task.status() == status).toList()));
        }
        assertThat(
                contents(
                    lister, two.owner(), TaskQuery.oldestFirst().activeOnly().pageSize(pageSize)))
            .as("unfinished tasks")
            .isEqualTo(
                TaskSamples.contents(shown.stream().filter(task -> !task.isTerminal()).toList()));
      }
    }
  }

  private static Optional<Task> find(TaskStore store, Task task) {
    try {
      return Optional.of(store.get(task.owner(), task.id()));
    } catch (TaskNotFoundException e) {
      return Optional.empty();
    }
  }

  private static List<Map<String, Object>> contents(TaskStore store, Owner owner, TaskQuery query) {
    TaskSamples.Listing listing = TaskSamples.listAll(store, owner, query);
    assertThat(listing.unreadable()).isEmpty();
    return TaskSamples.contents(listing.tasks());
  }

  // --- S11: variables -----------------------------------------------------------------------

  @Test
  final void s11_variables_areSetRemovedAndLeftAsAModelSays() {
    mergeVariables(60);
  }

  @Test
  @Stress
  final void s11_variables_manyMerges() {
    mergeVariables(5_000);
  }

  private void mergeVariables(int rounds) {
    TwoStores two = twoStores();
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    Map<String, @Nullable Object> model = new HashMap<>();
    Task task = two.create();
    for (int round = 0; round < rounds; round++) {
      Map<String, @Nullable Object> incoming = new HashMap<>();
      int count = random.nextInt(4);
      for (int i = 0; i < count; i++) {
        incoming.put(name(random), random.nextInt(3) == 0 ? null : smallValue(random));
      }
      TaskChange change = change().variables(incoming);
      TaskStore store = two.both().get(round % 2);
      task =
          switch (random.nextInt(3)) {
            case 0 -> store.update(two.owner(), task.id(), change);
            case 1 -> store.update(two.owner(), task.id(), task.version(), change);
            default -> store.update(task, change);
          };
      incoming.forEach(
          (name, value) -> {
            if (value == null) {
              model.remove(name);
            } else {
              model.put(name, value);
            }
          });
      assertThat(task.variables().asMap())
          .as("the answer to round %d with seed %d", round, seed)
          .isEqualTo(model);
      assertThat(two.both().get(1 - round % 2).get(two.owner(), task.id()).variables().asMap())
          .as("what the other store reads in round %d with seed %d", round, seed)
          .isEqualTo(model);
    }
    assertThat(task.version()).isEqualTo(1L + rounds);
  }

  private static String name(Random random) {
    String[] names = {
      "a", "b", "A", "a.b", "", " ", "\"", "\\", "\u0000", "\u20ac", "\ud83d\ude00"
    };
    return "n" + names[random.nextInt(names.length)];
  }

  /** So small that all of them together fit into a small record too. */
  private static Object smallValue(Random random) {
    Object value = value(random, 3);
    while (value.toString().length() > 60) {
      value = value(random, 3);
    }
    return value;
  }

  /** A value that comes back as what it is. */
  private static Object value(Random random, int depth) {
    return switch (random.nextInt(depth == 0 ? 7 : 9)) {
      case 0 -> random.nextBoolean();
      case 1 -> random.nextLong();
      case 2 -> (long) random.nextInt(10);
      case 3 -> random.nextInt(1_000) + 0.5;
      case 4 -> new BigInteger(100, random).setBit(80);
      case 5 -> name(random) + "/\b\t\n\f\r\u001f\u007f\u2028" + random.nextInt(10);
      case 6 -> "";
      case 7 -> list(random, depth - 1);
      default -> map(random, depth - 1);
    };
  }

  private static @Nullable Object nullOrValue(Random random, int depth) {
    return random.nextInt(5) == 0 ? null : value(random, depth);
  }

  private static List<@Nullable Object> list(Random random, int depth) {
    List<@Nullable Object> list = new ArrayList<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      list.add(nullOrValue(random, depth));
    }
    return list;
  }

  private static Map<String, @Nullable Object> map(Random random, int depth) {
    Map<String, @Nullable Object> map = new HashMap<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      map.put(name(random), nullOrValue(random, depth));
    }
    return map;
  }

  @Test
  final void s11_nullThatWasNeverThere_changesNothingElse() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), NewTask.of("work").set("a", 1).set("gone", null));
    assertThat(task.variables().asMap()).isEqualTo(Map.of("a", 1L));

    Task updated = two.store().update(task, change().remove("b").set("c", null));

    assertThat(updated.variables().asMap()).isEqualTo(Map.of("a", 1L));
    Task cleared = two.store().update(updated, change().set("a", null));
    assertThat(cleared.variables().isEmpty()).isTrue();
    two.assertShown(cleared);
  }

  /** A limit, with changes that just keep to it and changes that go one beyond. */
  private enum Edge {
    VARIABLES("maxVariables", TaskLimits.defaults().withMaxVariables(5), 5) {
      @Override
      TaskChange of(int size) {
        Map<String, Object> variables = new HashMap<>();
        for (int i = 0; i < size; i++) {
          variables.put("v" + i, i);
        }
        return change().variables(variables);
      }
    },
    NAME("maxNameBytes", TaskLimits.defaults().withMaxNameBytes(16), 16) {
      @Override
      TaskChange of(int size) {
        return change().set("\u20ac\"" + "n".repeat(size - 5), 1);
      }
    },
    NAME_IN_A_VALUE("maxNameBytes", TaskLimits.defaults().withMaxNameBytes(16), 16) {
      @Override
      TaskChange of(int size) {
        return change().set("x", List.of(Map.of("\n" + "n".repeat(size - 2), 1)));
      }
    },
    STRING("maxStringBytes", TaskLimits.defaults().withMaxStringBytes(100), 100) {
      @Override
      TaskChange of(int size) {
        return change().set("x", "\ud83d\ude00\u0001" + "s".repeat(size - 10));
      }
    },
    STRING_IN_A_VALUE("maxStringBytes", TaskLimits.defaults().withMaxStringBytes(100), 100) {
      @Override
      TaskChange of(int size) {
        return change().set("x", Map.of("a", List.of("", "s".repeat(size))));
      }
    },
    DEPTH("maxDepth", TaskLimits.defaults().withMaxDepth(4), 4) {
      @Override
      TaskChange of(int size) {
        Object value = 1;
        for (int i = 0; i < size; i++) {
          value = i % 2 == 0 ? List.of(value) : Map.of("in", value);
        }
        return change().set("x", value);
      }
    },
    DIGITS("digits of an integer", TaskLimits.defaults(), 1_000) {
      @Override
      TaskChange of(int size) {
        return change().set("x", BigInteger.TEN.pow(size - 1));
      }
    },
    /** {@code {"x":"…"}} is eight bytes and the text. */
    ONE_VARIABLE("maxVariablesBytes", TaskLimits.defaults().withMaxVariablesBytes(200), 200) {
      @Override
      TaskChange of(int size) {
        return change().set("x", "s".repeat(size - 8));
      }
    },
    /** {@code {"x":"…","y":1}} is fourteen bytes and the text. */
    ALL_VARIABLES("maxVariablesBytes", TaskLimits.defaults().withMaxVariablesBytes(200), 200) {
      @Override
      TaskChange of(int size) {
        return change().set("x", "s".repeat(size - 14)).set("y", 1);
      }
    };

    private final String limitName;

    @SuppressWarnings("ImmutableEnumChecker") // immutable
    private final TaskLimits limits;

    private final int limit;

    Edge(String limitName, TaskLimits limits, int limit) {
      this.limitName = limitName;
      this.limits = limits;
      this.limit = limit;
    }

    abstract TaskChange of(int size);
  }

  @ParameterizedTest
  @EnumSource(Edge.class)
  final void s11_limit_holdsAtItsEdge_andNothingIsWrittenBeyondIt(Edge edge) {
    TwoStores two = twoStores(options -> options.limits(edge.limits));
    Task task = two.create();
    TwoStores.Picture before = two.picture();
    two.clock().advance(MINUTE);

    assertBeyond(two, edge, task);
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);

    Task updated = two.store().update(task, edge.of(edge.limit));
    two.assertShown(updated);
    TwoStores.Picture full = two.picture();
    assertBeyond(two, edge, updated);
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(full);
    // What is there already does not count twice.
    Task again = two.other().update(updated, edge.of(edge.limit));
    assertThat(again.variables()).isEqualTo(updated.variables());
  }

  private static void assertBeyond(TwoStores two, Edge edge, Task task) {
    TaskChange beyond = edge.of(edge.limit + 1);
    two.backend().takeCalls();
    for (Function<TaskStore, Task> write :
        List.<Function<TaskStore, Task>>of(
            store -> store.update(task, beyond),
            store -> store.update(task, beyond.complete(Map.of("files", 3))),
            store -> store.update(task.owner(), task.id(), beyond.message("more")),
            store -> store.update(task.owner(), task.id(), task.version(), beyond))) {
      LimitExceededException refusal =
          catchThrowableOfType(LimitExceededException.class, () -> write.apply(two.store()));
      assertThat(refusal).as("the refusal of %s", edge).isNotNull();
      assertThat(refusal.limitName()).isEqualTo(edge.limitName);
      assertThat(refusal.limit()).isEqualTo(edge.limit);
      assertThat(refusal.actual()).isEqualTo(edge.limit + 1);
    }
    assertThat(two.backend().takeCalls()).as("calls").containsOnly("get");
  }

  @Test
  final void s11_limitOfTheSetOfVariables_countsWhatIsThereAlready() {
    TwoStores two =
        twoStores(
            options ->
                options.limits(
                    TaskLimits.defaults().withMaxVariables(3).withMaxVariablesBytes(100)));
    Task task = two.store().create(two.owner(), NewTask.of("work").set("a", 1).set("b", 2));
    Task full = two.store().update(task, change().set("c", 3));
    TwoStores.Picture before = two.picture();

    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> two.store().update(full, change().set("d", 4)))
        .satisfies(e -> assertThat(e.limitName()).isEqualTo("maxVariables"));
    // {"a":1,"b":2,"c":"…"} is twenty bytes and the text.
    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> two.store().update(full, change().set("c", "s".repeat(81))))
        .satisfies(
            e -> {
              assertThat(e.limitName()).isEqualTo("maxVariablesBytes");
              assertThat(e.actual()).isEqualTo(101);
            });
    assertThatExceptionOfType(LimitExceededException.class)
        .as("a create with too many")
        .isThrownBy(
            () ->
                two.store()
                    .create(
                        two.owner(),
                        NewTask.of("work").variables(Map.of("a", 1, "b", 2, "c", 3, "d", 4))));
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);

    Task swapped = two.store().update(full, change().set("d", 4).remove("a"));
    assertThat(swapped.variables().names()).containsExactly("b", "c", "d");
    Task atTheEdge = two.store().update(swapped, change().set("c", "s".repeat(80)));
    two.assertShown(atTheEdge);
  }

  @Test
  final void s11_valueThatCannotBeStored_isRefusedWithAllOfItsChange() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), NewTask.of("work").set("a", 1));
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();

    for (Object bad :
        List.of(
            Double.NaN,
            Double.POSITIVE_INFINITY,
            "\ud800",
            new Object(),
            Map.of("\udc00", 1),
            new BigDecimal("0.10000000000000000001"))) {
      assertThatExceptionOfType(InvalidValueException.class)
          .as("a value that cannot be stored")
          .isThrownBy(
              () -> two.store().update(task, change().set("b", 2).set("bad", bad).message("more")));
    }
    assertThatExceptionOfType(InvalidValueException.class)
        .as("a variable without a name")
        .isThrownBy(() -> two.store().update(task, change().set("", 1)));

    assertThat(two.backend().takeCalls()).as("calls").isEmpty();
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
  }

  /** Declares that it can hold no more than this, so that a record is filled quickly. */
  private static final class SmallBackend extends PassingBackend {
    private final int maxDataBytes;

    SmallBackend(StorageBackend delegate, int maxDataBytes) {
      super(delegate);
      this.maxDataBytes = maxDataBytes;
    }

    @Override
    public BackendTraits traits() {
      BackendTraits real = super.traits();
      return new BackendTraits(
          real.name(),
          real.durable(),
          real.shared(),
          real.purgesItself(),
          Math.min(real.maxDataBytes(), maxDataBytes));
    }
  }

  @Test
  final void s11_s12_taskThatFillsItsRecord_takesNoByteMoreAndCanStillEnd() {
    TwoStores two = twoStores();
    CountingBackend counted = new CountingBackend(new SmallBackend(backend(), 16 * 1_024));
    int capacity = counted.traits().maxDataBytes();
    TaskStore small = two.storeOver(counted);
    Task task = small.create(two.owner(), NewTask.of("work"));
    counted.takeCalls();
    LimitExceededException tooLarge =
        catchThrowableOfType(
            LimitExceededException.class,
            () -> small.update(task, change().set("x", "s".repeat(capacity - 1_000))));
    assertThat(tooLarge).as("the refusal of a task as large as a record").isNotNull();
    assertThat(tooLarge.limit()).isLessThan(capacity);
    int fits = (int) (capacity - 1_000 - (tooLarge.actual() - tooLarge.limit()));

    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> small.update(task, change().set("x", "s".repeat(fits + 1))))
        .satisfies(e -> assertThat(e.actual()).isEqualTo(e.limit() + 1));
    assertThat(counted.takeCalls()).as("calls").isEmpty();
    Task full = small.update(task, change().set("x", "s".repeat(fits)));

    two.assertShown(full);
    assertThat(two.stored(full).value().data().size()).isEqualTo((int) tooLarge.limit());
    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> small.update(full, change().set("y", 1)));
    Task requested = small.requestCancel(two.owner(), task.id());
    String longest = "m".repeat(capacity / 8);
    Task ended = small.update(requested, change().fail(longest).message(longest));
    assertThat(ended.status()).isEqualTo(TaskStatus.FAILED);
    two.assertShown(ended);
  }

  // --- S12: results and messages ------------------------------------------------------------

  /** What can be too large in a change that ends a task, or in a message. */
  private enum Part {
    RESULT("maxResultBytes", 100) {
      @Override
      TaskChange of(int size) {
        return change().complete(Map.of("x", "r".repeat(size - 8)));
      }
    },
    RESULT_OF_A_FAILURE("maxResultBytes", 100) {
      @Override
      TaskChange of(int size) {
        return change().failWithResult(Map.of("x", "r".repeat(size - 8)), null);
      }
    },
    ERROR_DATA("maxErrorDataBytes", 100) {
      @Override
      TaskChange of(int size) {
        return change().fail(TaskError.of("broken").withData("d".repeat(size - 2)));
      }
    },
    ERROR_MESSAGE("maxMessageBytes", 50) {
      @Override
      TaskChange of(int size) {
        return change().fail("\u20ac" + "e".repeat(size - 3));
      }
    },
    MESSAGE("maxMessageBytes", 50) {
      @Override
      TaskChange of(int size) {
        return change().message("\n" + "m".repeat(size - 2));
      }
    };

    private final String limitName;
    private final int limit;

    Part(String limitName, int limit) {
      this.limitName = limitName;
      this.limit = limit;
    }

    abstract TaskChange of(int size);
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  final void s12_partOverItsLimit_isRefusedAndTheTaskIsStillWorking(Part part) {
    TwoStores two =
        twoStores(
            options ->
                options.limits(
                    TaskLimits.defaults()
                        .withMaxResultBytes(100)
                        .withMaxErrorDataBytes(100)
                        .withMaxMessageBytes(50)));
    Task task = two.store().create(two.owner(), NewTask.of("work").set("a", 1));
    TwoStores.Picture before = two.picture();
    two.backend().takeCalls();
    two.clock().advance(MINUTE);

    for (Function<TaskStore, Task> write :
        List.<Function<TaskStore, Task>>of(
            store -> store.update(task, part.of(part.limit + 1).set("a", 2)),
            store -> store.update(two.owner(), task.id(), part.of(part.limit + 1)),
            store -> store.update(two.owner(), task.id(), 1, part.of(part.limit + 1)))) {
      LimitExceededException refusal =
          catchThrowableOfType(LimitExceededException.class, () -> write.apply(two.store()));
      assertThat(refusal).as("the refusal of a %s", part).isNotNull();
      assertThat(refusal.limitName()).isEqualTo(part.limitName);
      assertThat(refusal.limit()).isEqualTo(part.limit);
      assertThat(refusal.actual()).isEqualTo(part.limit + 1);
    }

    assertThat(two.backend().takeCalls()).as("calls").containsExactly("get", "get");
    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
    Task working = two.other().get(two.owner(), task.id());
    assertThat(working.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(working.version()).isEqualTo(1);
    Task updated = two.store().update(task, part.of(part.limit));
    assertThat(updated.version()).isEqualTo(2);
    two.assertShown(updated);
  }

  @Test
  final void s12_resultThatIsNoObject_isRefusedAndTheTaskIsStillWorking() {
    TwoStores two = twoStores();
    Task task = two.create();
    TwoStores.Picture before = two.picture();

    for (Object bad : List.of("text", 1, true, List.of(Map.of()), Map.of("x", Double.NaN))) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> two.store().update(task, change().complete(bad)));
    }

    assertThat(two.picture()).as("everything after the refusals").isEqualTo(before);
    two.assertShown(two.store().update(task, change().complete(Map.of())));
  }

  // --- S13: the stored form -----------------------------------------------------------------

  @Test
  final void s13_storedForm_isTheSameBytesOnEveryBackend() {
    TwoStores two = twoStores();
    long created = two.clock().instant().toEpochMilli();
    Map<String, Object> params = new LinkedHashMap<>();
    params.put("folder", "/data");
    params.put("Deep", List.of(1, 2.5, true, Map.of()));
    Task task =
        two.store()
            .create(
                two.owner(),
                NewTask.of("digest", params)
                    .message("wait \"here\"")
                    .progress(Progress.of(3, 10))
                    .set("b", "\u20ac")
                    .set("a", 1.0)
                    .pollInterval(Duration.ofMillis(1_500)));
    String head = "{\"createdAt\":%d,\"id\":\"%s\"".formatted(created, task.id());
    String owner = "\"owner\":\"s:%s\"".formatted(partition());
    String rest =
        "\"params\":{\"Deep\":[1,2.5,true,{}],\"folder\":\"/data\"},\"pollInterval\":1500";
    assertThat(TaskSamples.text(two.stored(task)))
        .as("the data of a new task")
        .isEqualTo(
            head
                + ",\"message\":\"wait \\\"here\\\"\",\"method\":\"digest\","
                + owner
                + ","
                + rest
                + ",\"progress\":3,\"progressTotal\":10,\"schema\":1,\"status\":\"working\","
                + "\"ttl\":3600000,\"updatedAt\":%d,\"variables\":{\"a\":1,\"b\":\"\u20ac\"}}"
                    .formatted(created));

    two.clock().advance(MINUTE);
    long requested = two.clock().instant().toEpochMilli();
    task = two.other().requestCancel(two.owner(), task.id());
    two.clock().advance(MINUTE);
    long failed = two.clock().instant().toEpochMilli();
    task =
        two.other()
            .update(
                task,
                change()
                    .failWithResult(Map.of("z", 1, "B", 2), TaskError.of(-9, "no").withData("x"))
                    .clearMessage()
                    .progress(Progress.of(4))
                    .remove("a")
                    .remove("b"));

    assertThat(TaskSamples.text(two.stored(task)))
        .as("the data of a failed task")
        .isEqualTo(
            "{\"cancelRequestedAt\":%d,".formatted(requested)
                + "\"createdAt\":%d,".formatted(created)
                + "\"error\":{\"code\":-9,\"data\":\"x\",\"message\":\"no\"},"
                + "\"id\":\"%s\",\"method\":\"digest\",".formatted(task.id())
                + owner
                + ","
                + rest
                + ",\"progress\":4,\"result\":{\"B\":2,\"z\":1},\"schema\":1,"
                + "\"status\":\"failed\",\"ttl\":3600000,\"updatedAt\":%d}".formatted(failed));
    assertThat(two.backend().get(two.stored(task).key()))
        .as("the record through the other instance")
        .contains(two.stored(task));
  }

  @Test
  final void s13_permutedMaps_areTheSameBytes() {
    TwoStores two = twoStores();
    Task task = two.create();
    List<String> names = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      names.add(i % 2 == 0 ? "name" + i : i + "\u20ac");
    }
    long seed = new Random().nextLong();
    Random random = new Random(seed);
    String first = null;
    for (int round = 0; round < 10; round++) {
      Collections.shuffle(names, random);
      Map<String, Object> inner = new LinkedHashMap<>();
      Map<String, Object> outer = round % 2 == 0 ? new LinkedHashMap<>() : new HashMap<>();
      TaskChange change = change();
      for (String name : names) {
        inner.put(name, name.length());
        outer.put(name, inner);
        change = change.set(name, name.length());
      }
      change = change.set("all", outer);
      task = two.both().get(round % 2).update(task, change);
      String text = TaskSamples.text(two.stored(task));
      first = first == null ? text : first;
      assertThat(text).as("the data of round %d with seed %d", round, seed).isEqualTo(first);
    }
    assertThat(task.version()).isEqualTo(11);
  }

  /** The stored form of one value, as the variable {@code x}. */
  private static String storedForm(TwoStores two, Task task, Object value) {
    Task updated = two.store().update(two.owner(), task.id(), change().set("x", value));
    String text = TaskSamples.text(two.stored(updated));
    String before = "\"variables\":{\"x\":";
    int start = text.indexOf(before);
    assertThat(start).as("where the variables begin").isPositive();
    return text.substring(start + before.length(), text.length() - 2);
  }

  /** The example of section 3.2.2, and the order of names of section 3.2.3. */
  @Test
  final void s13_examplesOfRfc8785_comeOutAsItSays() {
    TwoStores two = twoStores();
    Task task = two.create();
    Map<String, Object> example = new LinkedHashMap<>();
    List<@Nullable Object> literals = new ArrayList<>(List.of(true, false));
    literals.add(0, null);
    example.put("numbers", List.of(Double.valueOf("333333333.33333329"), 1E30, 4.50, 2e-3, 1e-27));
    example.put("string", "\u20ac$\u000f\nA'B\"\\\\\"/");
    example.put("literals", literals);
    assertThat(storedForm(two, task, example))
        .isEqualTo(
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
                + "\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");

    Map<String, Object> names = new LinkedHashMap<>();
    names.put("\u20ac", "Euro Sign");
    names.put("\r", "Carriage Return");
    names.put("\ufb33", "Hebrew Letter Dalet With Dagesh");
    names.put("1", "One");
    names.put("\ud83d\ude00", "Emoji: Grinning Face");
    names.put("\u0080", "Control");
    names.put("\u00f6", "Latin Small Letter O With Diaeresis");
    assertThat(storedForm(two, task, names))
        .isEqualTo(
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\","
                + "\"\u00f6\":\"Latin Small Letter O With Diaeresis\",\"\u20ac\":\"Euro Sign\","
                + "\"\ud83d\ude00\":\"Emoji: Grinning Face\","
                + "\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}");
  }

  /** The numbers of its appendix B. */
  @Test
  final void s13_numbersOfRfc8785_comeOutAsItSays() {
    TwoStores two = twoStores();
    Map<Long, String> numbers = new LinkedHashMap<>();
    numbers.put(0x0000000000000000L, "0");
    numbers.put(0x8000000000000000L, "0");
    numbers.put(0x0000000000000001L, "5e-324");
    numbers.put(0x8000000000000001L, "-5e-324");
    numbers.put(0x7fefffffffffffffL, "1.7976931348623157e+308");
    numbers.put(0xffefffffffffffffL, "-1.7976931348623157e+308");
    numbers.put(0x4340000000000000L, "9007199254740992");
    numbers.put(0xc340000000000000L, "-9007199254740992");
    numbers.put(0x4430000000000000L, "295147905179352830000");
    numbers.put(0x44b52d02c7e14af5L, "9.999999999999997e+22");
    numbers.put(0x44b52d02c7e14af6L, "1e+23");
    numbers.put(0x44b52d02c7e14af7L, "1.0000000000000001e+23");
    numbers.put(0x444b1ae4d6e2ef4eL, "999999999999999700000");
    numbers.put(0x444b1ae4d6e2ef4fL, "999999999999999900000");
    numbers.put(0x444b1ae4d6e2ef50L, "1e+21");
    numbers.put(0x3eb0c6f7a0b5ed8cL, "9.999999999999997e-7");
    numbers.put(0x3eb0c6f7a0b5ed8dL, "0.000001");
    numbers.put(0x41b3de4355555553L, "333333333.3333332");
    numbers.put(0x41b3de4355555554L, "333333333.33333325");
    numbers.put(0x41b3de4355555555L, "333333333.3333333");
    numbers.put(0x41b3de4355555556L, "333333333.3333334");
    numbers.put(0x41b3de4355555557L, "333333333.33333343");
    numbers.put(0xbecbf647612f3696L, "-0.0000033333333333333333");
    numbers.put(0x43143ff3c1cb0959L, "1424953923781206.2");
    List<Double> values = numbers.keySet().stream().map(Double::longBitsToDouble).toList();

    assertThat(storedForm(two, two.create(), values))
        .isEqualTo("[" + String.join(",", numbers.values()) + "]");
  }

  /** The one difference to RFC 8785, which knows doubles only. */
  @Test
  final void s13_integersOfAnySize_areExact() {
    TwoStores two = twoStores();
    Task task = two.create();
    BigInteger beyond = BigInteger.TWO.pow(53).add(BigInteger.ONE);
    BigInteger huge = BigInteger.TWO.pow(2_000).negate();
    List<Object> integers =
        List.of(
            9_007_199_254_740_993L,
            -9_007_199_254_740_993L,
            Long.MAX_VALUE,
            Long.MIN_VALUE,
            beyond,
            huge,
            0,
            -1);

    assertThat(storedForm(two, task, integers))
        .isEqualTo(
            "[9007199254740993,-9007199254740993,9223372036854775807,-9223372036854775808,"
                + "9007199254740993,"
                + huge
                + ",0,-1]");
    assertThat(two.other().get(two.owner(), task.id()).variables().asMap().get("x"))
        .isEqualTo(
            List.of(
                9_007_199_254_740_993L,
                -9_007_199_254_740_993L,
                Long.MAX_VALUE,
                Long.MIN_VALUE,
                9_007_199_254_740_993L,
                huge,
                0L,
                -1L));
  }

  @Test
  final void s13_strings_areEscapedAsRfc8785Says() {
    TwoStores two = twoStores();
    Task task = two.create();
    StringBuilder text = new StringBuilder();
    StringBuilder expected = new StringBuilder("\"");
    for (char c = 0; c < 0x20; c++) {
      text.append(c);
      int shortForm = "\b\t\n\f\r".indexOf(c);
      expected.append(
          shortForm < 0 ? "\\u%04x".formatted((int) c) : "\\" + "btnfr".charAt(shortForm));
    }
    String unescaped = " !#/<>&'[]^\u007f\u0080\u2028\u2029\ufeff\uffff\ud83d\ude00e\u0301";
    text.append("\"\\").append(unescaped);
    expected.append("\\\"\\\\").append(unescaped).append('"');

    assertThat(storedForm(two, task, text.toString())).isEqualTo(expected.toString());
    assertThat(two.other().get(two.owner(), task.id()).variables().string("x"))
        .contains(text.toString());
  }

  /** What a newer release has added, an older one carries along, and in its place. */
  @Test
  final void s13_unknownMembers_surviveEveryUpdate() {
    TwoStores two = twoStores();
    Task task = two.store().create(two.owner(), NewTask.of("work", Map.of("a", 1)).set("v", 1));
    VersionedRecord original = two.stored(task);
    String unknownError = "\"error\":{\"code\":1,\"message\":\"soon\",\"retry\":[true,{\"in\":1}]}";
    String planted =
        TaskSamples.text(original)
            .replace("{\"createdAt\"", "{\"aaa\":{\"x\":[1,{\"y\":null}]},\"createdAt\"")
            .replace(",\"id\":", "," + unknownError + ",\"id\":")
            .replace(",\"schema\":1", ",\"reserved\":12345678901234567890,\"schema\":1")
            .replace(
                ",\"variables\":{\"v\":1}}", ",\"variables\":{\"v\":1},\"\ud83d\ude00\":\"z\"}");
    assertThat(planted).contains("\"aaa\"", "\"retry\"", "\"reserved\"", "\ud83d\ude00");
    VersionedRecord stored = TaskSamples.plant(two.elsewhere(), original, planted);

    Task read = two.store().get(two.owner(), task.id());
    assertThat(read.version()).isEqualTo(2);
    Task messaged = two.store().update(read, change().message("more"));
    assertThat(TaskSamples.text(two.stored(messaged)))
        .as("the data after an update in hand")
        .isEqualTo(planted.replace(",\"method\"", ",\"message\":\"more\",\"method\""));
    Task cleared = two.other().update(two.owner(), task.id(), change().clearMessage().set("w", 2));
    assertThat(TaskSamples.text(two.stored(cleared)))
        .as("the data after an update by id")
        .isEqualTo(planted.replace("{\"v\":1}", "{\"v\":1,\"w\":2}"));
    Task cancelled = two.store().cancel(two.owner(), task.id());
    assertThat(TaskSamples.text(two.stored(cancelled)))
        .as("the data after the end, which has no error")
        .isEqualTo(
            planted
                .replace("{\"v\":1}", "{\"v\":1,\"w\":2}")
                .replace("," + unknownError, "")
                .replace("\"working\"", "\"cancelled\""));
    assertThat(stored.version()).isEqualTo(2);
    assertThat(cancelled.version()).isEqualTo(5);
  }

  // --- S14: corrupt records -----------------------------------------------------------------

  /** What can be stored under the key of a task instead of it. */
  private enum Garbage {
    NOTHING {
      @Override
      byte[] of(String task) {
        return new byte[0];
      }
    },
    NO_JSON {
      @Override
      byte[] of(String task) {
        return "garbage".getBytes(StandardCharsets.UTF_8);
      }
    },
    NO_TEXT {
      @Override
      byte[] of(String task) {
        return new byte[] {(byte) 0xff, 0, (byte) 0xc0, (byte) 0x80};
      }
    },
    TRUNCATED {
      @Override
      byte[] of(String task) {
        return task.substring(0, task.length() / 2).getBytes(StandardCharsets.UTF_8);
      }
    },
    TRUNCATED_BY_A_BYTE {
      @Override
      byte[] of(String task) {
        return task.substring(0, task.length() - 1).getBytes(StandardCharsets.UTF_8);
      }
    },
    FOLLOWED_BY_MORE {
      @Override
      byte[] of(String task) {
        return (task + "}").getBytes(StandardCharsets.UTF_8);
      }
    },
    NO_OBJECT {
      @Override
      byte[] of(String task) {
        return "[]".getBytes(StandardCharsets.UTF_8);
      }
    },
    WITHOUT_STATUS {
      @Override
      byte[] of(String task) {
        return task.replace("\"status\":\"working\",", "").getBytes(StandardCharsets.UTF_8);
      }
    },
    UNKNOWN_STATUS {
      @Override
      byte[] of(String task) {
        return task.replace("\"working\"", "\"sleeping\"").getBytes(StandardCharsets.UTF_8);
      }
    },
    NEWER_SCHEMA {
      @Override
      byte[] of(String task) {
        return task.replace("\"schema\":1", "\"schema\":2").getBytes(StandardCharsets.UTF_8);
      }
    },
    ANOTHER_ID {
      @Override
      byte[] of(String task) {
        return task.replace("\"id\":\"", "\"id\":\"0").getBytes(StandardCharsets.UTF_8);
      }
    },
    ANOTHER_OWNER {
      @Override
      byte[] of(String task) {
        return task.replace("\"owner\":\"s:", "\"owner\":\"c:").getBytes(StandardCharsets.UTF_8);
      }
    };

    abstract byte[] of(String task);
  }

  @ParameterizedTest
  @EnumSource(Garbage.class)
  final void s14_recordThatIsNoTask_isTheSameToGetAndList_andThePageGoesOn(Garbage garbage) {
    TwoStores two = twoStores();
    List<Task> good = new ArrayList<>();
    good.add(two.create());
    two.clock().advance(Duration.ofMillis(1));
    Task task = two.create();
    two.clock().advance(Duration.ofMillis(1));
    good.add(two.create());
    VersionedRecord original = two.stored(task);
    byte[] data = garbage.of(TaskSamples.text(original));
    assertThat(data).isNotEqualTo(original.value().data().toByteArray());
    VersionedRecord planted = TaskSamples.plant(two.elsewhere(), original, data);

    assertUnreadable(two, task, good);

    assertThat(two.stored(task)).as("the record after all this").isEqualTo(planted);
    two.other().delete(two.owner(), task.id());
    two.assertGone(task);
    assertThat(two.elsewhere().get(planted.key())).as("the record after the delete").isEmpty();
    assertThat(TaskSamples.listAll(two.store(), two.owner()))
        .containsExactlyInAnyOrderElementsOf(good);
  }

  /** Checks every operation but delete: refused for the same reason, and nothing is changed. */
  private static void assertUnreadable(TwoStores two, Task task, List<Task> good) {
    TaskUnreadableException first =
        catchThrowableOfType(
            TaskUnreadableException.class, () -> two.other().get(two.owner(), task.id()));
    assertThat(first).as("the failure of get").isNotNull();
    TaskStore writer = two.store();
    for (Runnable call :
        List.<Runnable>of(
            () -> writer.get(two.owner(), task.id()),
            () -> writer.update(task, change().message("late")),
            () -> writer.update(two.owner(), task.id(), change().message("late")),
            () -> writer.update(two.owner(), task.id(), current -> change().complete()),
            () -> writer.update(two.owner(), task.id(), 1, change().message("late")),
            () -> writer.update(two.owner(), task.id(), 2, change().message("late")),
            () -> writer.cancel(two.owner(), task.id()),
            () -> writer.requestCancel(two.owner(), task.id()))) {
      TaskUnreadableException failure =
          catchThrowableOfType(TaskUnreadableException.class, call::run);
      assertThat(failure).as("the failure").isNotNull();
      assertThat(failure.taskId()).isEqualTo(task.id());
      assertThat(failure.reason()).as("the reason").isEqualTo(first.reason());
    }
    for (TaskStore store : two.both()) {
      List<TaskPage.Unreadable> expected =
          List.of(new TaskPage.Unreadable(task.id(), first.reason()));
      for (boolean newestFirst : new boolean[] {true, false}) {
        for (int pageSize : new int[] {1, 2, 50}) {
          TaskQuery query = order(newestFirst).pageSize(pageSize);
          TaskSamples.Listing all = TaskSamples.listAll(store, two.owner(), query);
          assertThat(TaskSamples.taskIds(all.tasks()))
              .as("the readable tasks, by %d", pageSize)
              .isEqualTo(idsInOrder(good, newestFirst));
          assertThat(all.unreadable())
              .as("the unreadable tasks, by %d", pageSize)
              .isEqualTo(expected);
        }
        assertThat(
                TaskSamples.taskIds(
                    TaskSamples.listAll(store, two.owner(), order(newestFirst).activeOnly())
                        .tasks()))
            .as("the readable unfinished tasks")
            .isEqualTo(idsInOrder(good, newestFirst));
      }
    }
    for (Task each : good) {
      two.assertShown(each);
    }
  }

  @Test
  final void s14_unfinishedTaskThatCannotBeDecoded_isReportedAmongTheUnfinishedToo() {
    TwoStores two = twoStores();
    Task good = two.create();
    Task task = two.create();
    VersionedRecord planted = TaskSamples.plant(two.elsewhere(), two.stored(task), "garbage");
    assertThat(planted.value().active()).isTrue();

    for (TaskQuery query :
        List.of(
            TaskQuery.newestFirst().activeOnly(),
            TaskQuery.oldestFirst().withStatus(TaskStatus.WORKING),
            TaskQuery.oldestFirst().withStatus(TaskStatus.WORKING, TaskStatus.COMPLETED))) {
      TaskSamples.Listing listing = TaskSamples.listAll(two.other(), two.owner(), query);
      assertThat(listing.tasks()).containsExactly(good);
      assertThat(listing.unreadable())
          .extracting(TaskPage.Unreadable::taskId)
          .containsExactly(task.id());
    }
  }

  /** What the storage itself cannot read. */
  @Test
  final void s14_recordThatTheStorageCannotRead_isTheSameToGetAndList_andIsLeftAsItIs()
      throws Exception {
    BackendStorage alone = newStorage();
    Damage damage = require(Hook.DAMAGE, alone.damage());
    TwoStores two =
        TwoStores.over(
            open(alone), open(alone), partition(), this::newStore, UnaryOperator.identity());
    List<Task> good = new ArrayList<>();
    good.add(two.create());
    two.clock().advance(Duration.ofMillis(1));
    Task task = two.create();
    two.clock().advance(Duration.ofMillis(1));
    good.add(two.create());
    damage.damage(two.stored(task).key());

    assertUnreadable(two, task, good);
    for (TaskStore store : two.both()) {
      assertThatExceptionOfType(TaskUnreadableException.class)
          .as("a delete, which has no version to go by")
          .isThrownBy(() -> store.delete(two.owner(), task.id()))
          .satisfies(e -> assertThat(e.taskId()).isEqualTo(task.id()));
    }

    assertUnreadable(two, task, good);
    Task created = two.create();
    good.add(created);
    assertUnreadable(two, task, good);
  }
}
