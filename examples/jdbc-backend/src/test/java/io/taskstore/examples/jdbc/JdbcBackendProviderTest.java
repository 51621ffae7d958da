// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.InvalidConfigurationException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreConfiguration;
import io.taskstore.TaskStores;
import io.taskstore.spi.StorageException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class JdbcBackendProviderTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final String SECRET = "correct horse";

  @TempDir private Path temp;

  private TaskStoreConfiguration configuration(String password) {
    return TaskStoreConfiguration.ofMap(
        Map.of("url", "jdbc:h2:" + temp.resolve("tasks"), "user", "bob", "password", password));
  }

  @Test
  void open_again_hasTheTasks() {
    String id;
    try (TaskStore store = TaskStores.open(configuration(SECRET))) {
      id = store.create(ALICE, NewTask.of("m").set("size", 1)).id();
    }

    try (TaskStore store = TaskStores.open(configuration(SECRET))) {
      assertThat(store.get(ALICE, id).method()).isEqualTo("m");
    }
  }

  @Test
  void open_wrongPassword_isRefused_andNeverShown() {
    TaskStores.open(configuration(SECRET)).close();

    assertThatThrownBy(() -> TaskStores.open(configuration("wrong horse")))
        .isInstanceOfSatisfying(
            TaskStorageException.class, e -> assertThat(e.isRetryable()).isFalse())
        .hasMessage("The task store cannot be opened: open: wrong user or password")
        .satisfies(
            e -> {
              for (Throwable t = e; t != null; t = t.getCause()) {
                assertThat(t.toString()).doesNotContain("horse");
              }
            });
    assertThat(temp).isDirectoryNotContaining("glob:**trace*");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"jdbc:", "jdbc:h2:", "jdbc:h2:tasks", "jdbc:h2:mem:x", "jdbc:postgresql://h/db"})
  void open_noFileOfH2_isRefused(String url) {
    assertThatThrownBy(() -> TaskStores.open(url))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong: the url names no file of an H2 database:"
                + " write jdbc:h2: and its path, which begins with / or ./ or ~/");
  }

  @Test
  void open_directoryThatCannotBeMade_isUnavailable() throws Exception {
    Path file = Files.writeString(temp.resolve("file"), "mine");

    assertThatThrownBy(() -> TaskStores.open("jdbc:h2:" + file.resolve("tasks")))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage("The task store cannot be opened: open: H2 failed with ErrorCode 90031")
        .hasCauseInstanceOf(StorageException.class);
    assertThat(file).hasContent("mine");
  }
}
