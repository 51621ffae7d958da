// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.GenericTaskStore;
import io.taskstore.InvalidConfigurationException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStoreConfiguration;
import io.taskstore.TaskStores;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The backend, chosen by its URL. */
final class FileBackendProviderTest {
  private static final Owner OWNER = Owner.subject("alice");

  @TempDir private Path temp;

  @Test
  void open_url_keepsTasksInTheDirectory() {
    Path directory = temp.resolve("a b%41");
    String id;
    try (GenericTaskStore store = TaskStores.open("file:" + directory + "?lockTimeout=10s")) {
      id = store.create(OWNER, NewTask.of("digest")).id();
    }
    assertThat(directory).as("the path as it stands").isDirectory();
    try (GenericTaskStore store =
        TaskStores.open(
            TaskStoreConfiguration.ofMap(
                Map.of("url", "file://" + directory, "maxActiveTasks", "1")))) {
      assertThat(store.get(OWNER, id)).extracting(Task::method).isEqualTo("digest");
      assertThatThrownBy(() -> store.create(OWNER, NewTask.of("digest"))).hasMessageContaining("1");
    }
  }

  @Test
  void open_options_haveTheLastWord() {
    TaskStoreConfiguration configuration =
        TaskStoreConfiguration.ofUrl("file:" + temp.resolve("s") + "?maxActiveTasks=1");
    try (GenericTaskStore store =
        TaskStores.open(configuration, builder -> builder.maxActiveTasks(2))) {
      assertThat(store).hasToString("GenericTaskStore[file, at most 2 active tasks an owner]");
    }
  }

  @Test
  void open_optionsFail_closesTheBackend() throws IOException {
    Path root = temp.resolve("s");
    TaskStoreConfiguration configuration = TaskStoreConfiguration.ofUrl("file:" + root);

    assertThatThrownBy(
            () ->
                TaskStores.open(
                    configuration,
                    builder -> {
                      throw new IllegalStateException("no");
                    }))
        .isInstanceOf(IllegalStateException.class);

    assertThat(Files.readString(root.resolve("holders")).strip()).as("open in").isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "file:|the url names no directory: write it behind file:, for example file:/var/lib/tasks",
        "file://|the url names another host (file://…), and a directory must be of this one: write file:/… or file:…",
        "file://host/x|the url names another host (file://…), and a directory must be of this one: write file:/… or file:…",
        "file:~/x|the url has a ~, which only a shell replaces: name the directory in full",
        "file:x?durability=fsync|durability must be one of flush, os, not \"fsync\"",
        "file:x?recovery=ignore|recovery must be one of fail, backup, reset, not \"ignore\"",
        "file:x?keptVersions=0|keptVersions must be a whole number from 1 to 100, not \"0\"",
        "file:x?lockTimeout=0|lockTimeout must be a duration from 1ms to 1d, for example 1m30s, not \"0\"",
        "file:x?maxDataBytes=65MiB|maxDataBytes must be a size from 1 to 64MiB, for example 64KiB, not \"65MiB\"",
      })
  void open_mistakes_areNamed(String url, String problem) {
    assertThatThrownBy(() -> TaskStores.open(url))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage("The configuration of the task store is wrong: " + problem);
  }

  @Test
  void open_storageCannotBeUsed_saysWhy() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "hello");
    assertThatThrownBy(() -> TaskStores.open("file:" + file))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: the directory "
                + file
                + " cannot be used: it is not a directory; choose another path");
  }

  /** What is said to be the default is what the builder has. */
  @Test
  void settings_defaults_areThoseOfTheBuilder() {
    StorageBackendProvider provider = new FileBackendProvider();
    try (StorageBackend byDefault = FileStorageBackend.open(temp.resolve("one"));
        StorageBackend configured =
            provider.open(
                new BackendConfiguration("file", temp.resolve("two").toString(), Map.of()))) {
      assertThat(configured.traits()).isEqualTo(byDefault.traits());
    }
  }

  @Test
  void settings_eachReachesTheBackend() {
    FileBackendProvider provider = new FileBackendProvider();
    Map<Setting<?>, Object> values = new HashMap<>();
    Map<String, String> texts =
        Map.of(
            "durability", "os",
            "recovery", "reset",
            "lockTimeout", "1ms",
            "keptVersions", "1",
            "maxDataBytes", "8KiB");
    provider
        .settings()
        .forEach(setting -> values.put(setting, setting.parse(texts.get(setting.name()))));

    try (StorageBackend backend =
        provider.open(new BackendConfiguration("file", temp.resolve("three").toString(), values))) {
      assertThat(backend.traits().durable()).isFalse();
      assertThat(backend.traits().maxDataBytes()).isEqualTo(8_192);
    }
  }

  @Test
  void serviceLoader_findsIt() {
    assertThat(ServiceLoader.load(StorageBackendProvider.class))
        .hasAtLeastOneElementOfType(FileBackendProvider.class);
  }
}
