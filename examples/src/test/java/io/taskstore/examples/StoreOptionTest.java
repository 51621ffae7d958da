// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.InvalidConfigurationException;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskLimitException;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StoreOptionTest {
  private static final String WRONG = "The configuration of the task store is wrong: ";

  @TempDir Path temp;

  /** Without the option and without a variable it is a directory in the test's folder. */
  private StoreOption store(@Nullable String option, Map<String, String> variables) {
    Map<String, String> environment = new HashMap<>(variables);
    environment.put("XDG_STATE_HOME", temp.resolve("state").toString());
    return new StoreOption(option, environment);
  }

  private TaskStore open(@Nullable String option, Map<String, String> variables) {
    return store(option, variables).open(null, List.of());
  }

  private TaskStore open(String option) {
    return open(option, Map.of());
  }

  private String url(String name) {
    return "file:" + temp.resolve(name);
  }

  private Task create(TaskStore store) {
    return store.create(DigestService.OWNER, DigestTask.newTask(temp, null));
  }

  /** Creates a task, which must be kept in this directory and nowhere else. */
  private void assertKeptIn(
      String directory, @Nullable String option, Map<String, String> variables) {
    String id;
    try (TaskStore store = open(option, variables)) {
      id = create(store).id();
    }

    try (TaskStore store = open("file:" + temp.resolve(directory))) {
      assertThat(store.get(Owner.local(), id).method()).isEqualTo(DigestTask.METHOD);
    }
    Path top = temp.resolve(directory.replaceFirst("/.*", ""));
    assertThat(temp).isDirectoryNotContaining(other -> !other.equals(top));
  }

  // --- which one ------------------------------------------------------------------------------

  @Test
  void nothingSet_isTheDirectoryOfTheUser() {
    assertKeptIn("state/taskstore-digest", null, Map.of());
  }

  @ParameterizedTest
  @ValueSource(strings = {"file:", "FILE:", " file: "})
  void fileAlone_isTheDirectoryOfTheUser(String url) {
    assertKeptIn("state/taskstore-digest", url, Map.of("TASKSTORE_URL", url("other")));
    assertKeptIn("state/taskstore-digest", null, Map.of("TASKSTORE_URL", url));
  }

  @Test
  void environment_isInsteadOfTheDirectoryOfTheUser() {
    assertKeptIn("tasks", null, Map.of("TASKSTORE_URL", url("tasks")));
  }

  @Test
  void environment_fileWithTheUrl_isInsteadOfTheDirectoryOfTheUser(@TempDir Path secrets)
      throws IOException {
    Path file = Files.writeString(secrets.resolve("url"), url("tasks") + "\n");

    assertKeptIn("tasks", null, Map.of("TASKSTORE_URL_FILE", file.toString()));
  }

  @Test
  void option_isInsteadOfTheEnvironment() {
    assertKeptIn("tasks", url("tasks"), Map.of("TASKSTORE_URL", url("other")));
    assertKeptIn("tasks", url("tasks"), Map.of("TASKSTORE_URL_FILE", "/no/such/file"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"file:", "jdbc:h2:"})
  void option_anotherBackend_keepsTheTasksToo(String scheme) {
    assertKept(scheme + temp.resolve("tasks"));
    assertThat(Files.exists(temp.resolve("tasks/format.json")))
        .as("a directory of the file backend")
        .isEqualTo(scheme.equals("file:"));
  }

  @Test
  void option_redis_keepsTheTasksThere() {
    try (RedisServer server = RedisServer.start()) {
      // Longer than by default: this is not about a machine that is slow.
      assertKept(server.url() + "?keyPrefix=demo:&timeout=1m");
    }
    assertThat(temp).isEmptyDirectory();
  }

  @Test
  void option_dynamoDb_keepsTheTasksThere() {
    try (DynamoDbServer server = DynamoDbServer.start()) {
      assertKept(DynamoDbTable.make(server));
    }
    assertThat(temp).isEmptyDirectory();
  }

  private void assertKept(String url) {
    String id;
    try (TaskStore store = open(url)) {
      id = create(store).id();
    }

    try (TaskStore store = open(null, Map.of("TASKSTORE_URL", url))) {
      assertThat(store.get(Owner.local(), id).method()).isEqualTo(DigestTask.METHOD);
    }
  }

  @Test
  void passTo_child_hasTheSameStore() {
    Map<String, String> variables = Map.of("TASKSTORE_URL_FILE", "/x", "TASKSTORE_LEASE", "9s");
    Map<String, String> ofChild = new HashMap<>(variables);

    store(null, variables).passTo(ofChild);
    assertThat(ofChild).as("it finds out itself").isEqualTo(variables);

    store("file:/a?b=c", variables).passTo(ofChild);
    assertThat(ofChild).isEqualTo(Map.of("TASKSTORE_URL", "file:/a?b=c", "TASKSTORE_LEASE", "9s"));
  }

  @ParameterizedTest
  @CsvSource({
    "memory:, false",
    "' Memory:?maxRecords=9', false",
    "file:, true",
    "file:/memory:, true",
    "elsewhere://host, true",
  })
  void isDurable_allButMemory(String url, boolean expected) {
    assertThat(store(url, Map.of("TASKSTORE_URL", "memory:")).isDurable()).isEqualTo(expected);
    assertThat(store(null, Map.of("TASKSTORE_URL", url)).isDurable()).isEqualTo(expected);
  }

  // --- settings -------------------------------------------------------------------------------

  private void assertHasRoomFor(int tasks, TaskStore opened) {
    try (opened) {
      for (int i = 0; i < tasks; i++) {
        create(opened);
      }
      assertThatThrownBy(() -> create(opened))
          .isInstanceOf(TaskLimitException.class)
          .hasMessageContaining(Integer.toString(tasks));
    }
  }

  @Test
  void settings_ofTheUser_areInsteadOfOurOwn() {
    assertHasRoomFor(StoreOption.MAX_ACTIVE_TASKS, open("memory:"));
    assertHasRoomFor(3, open("memory:?maxActiveTasks=3"));
    assertHasRoomFor(3, open("memory:", Map.of("TASKSTORE_MAX_ACTIVE_TASKS", "3")));
    assertHasRoomFor(3, open(null, Map.of("TASKSTORE_URL", "memory:?maxActiveTasks=3")));
    assertHasRoomFor(20, open(url("tasks?lockTimeout=10s&maxActiveTasks=20")));
  }

  @Test
  void settings_allOfOurOwn_canBeInTheQuery() {
    String query = "maxActiveTasks=3&progressInterval=1s&&sweepInterval=0";

    assertThatCode(() -> open("memory:?" + query).close()).doesNotThrowAnyException();
  }

  @Test
  void settings_inTheQueryOfTheOption_overrideTheEnvironment() {
    Map<String, String> environment = Map.of("TASKSTORE_MAX_RECORDS", "0", "TASKSTORE_URL", "x:");

    assertThatCode(() -> open("memory:?maxRecords=1", environment).close())
        .doesNotThrowAnyException();
  }

  @Test
  void settings_twiceInTheEnvironment_areRefused() {
    Map<String, String> environment =
        Map.of("TASKSTORE_URL", "memory:?sweepInterval=1s", "TASKSTORE_SWEEP_INTERVAL", "1s");

    assertThatThrownBy(() -> open(null, environment))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            WRONG
                + "TASKSTORE_SWEEP_INTERVAL is set in the query of the url and once more; remove"
                + " one of them");
  }

  @Test
  void settings_ofTheBackend_areItsOwn() {
    try (TaskStore store = open("memory:?maxRecords=1")) {
      create(store);

      assertThatThrownBy(() -> create(store)).isInstanceOf(TaskStorageException.class);
    }
  }

  @ParameterizedTest
  @CsvSource({"memory:, 30, 7", "memory:?lease=9s, 9, 7", "file:, 30, 7"})
  void lease_asGiven_elseAsTheSetting(String url, long seconds, long given) {
    assertLease(Duration.ofSeconds(seconds), store(url, Map.of()).open(null, List.of()));
    Duration lease = Duration.ofSeconds(given);
    assertLease(lease, store(url, Map.of()).open(lease, List.of()));
    assertLease(lease, open("memory:", Map.of("TASKSTORE_LEASE", given + "s")));
  }

  private void assertLease(Duration expected, TaskStore opened) {
    try (opened) {
      Task claimed =
          opened.start(
              Owner.local(), DigestTask.newTask(temp, null), handler -> {}, context -> null);

      assertThat(claimed.leaseUntil()).contains(claimed.createdAt().plus(expected));
    }
  }

  // --- mistakes -------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "fiel:/x | there is no backend for the scheme fiel: there are dynamodb:, file:, jdbc:, memory:, redis:,"
            + " redis-cluster:, redis-sentinel:, rediss:; did you mean file:",
        "ftp://user:secret@host | there is no backend for the scheme ftp: there are dynamodb:, file:,"
            + " jdbc:, memory:, redis:, redis-cluster:, redis-sentinel:, rediss:",
        "nonsense | the url has no scheme, which says what kind of backend it is; an example is"
            + " dynamodb://table?region=eu-west-1",
        "'' | the url has no scheme, which says what kind of backend it is; an example is"
            + " dynamodb://table?region=eu-west-1",
        "memory:x | the url has something behind memory:, which is always a new, empty storage:"
            + " write memory:",
        "file:/x?lockTimeout=5 sec | lockTimeout must be a duration from 1ms to 1d, for example"
            + " 1m30s, not \"5 sec\"",
        "file://host/x | the url names another host (file://…), and a directory must be of this"
            + " one: write file:/… or file:…",
        "file:~/x | the url has a ~, which only a shell replaces: name the directory in full",
        "file:?lockTimeout=1s | the url names no directory: write it behind file:, for example"
            + " file:/var/lib/tasks",
      })
  void open_wrong_isTheMessageOfTheStore(String url, String problem) {
    assertThatThrownBy(() -> open(url))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(WRONG + problem);
    assertThatThrownBy(() -> open(null, Map.of("TASKSTORE_URL", url)))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(WRONG + problem);
    assertThat(temp).isEmptyDirectory();
  }

  @Test
  void open_directoryOfSomebodyElse_saysWhichAndWhy() throws IOException {
    Path foreign = Files.createDirectory(temp.resolve("foreign"));
    Files.writeString(foreign.resolve("notes.txt"), "mine\n");

    assertThatThrownBy(() -> open("file:" + foreign))
        .isInstanceOf(TaskStorageException.class)
        .hasMessageStartingWith("The task store cannot be opened: ")
        .hasMessageContaining(foreign.toString());
    assertThat(foreign).isDirectoryNotContaining(file -> !file.endsWith("notes.txt"));
  }
}
