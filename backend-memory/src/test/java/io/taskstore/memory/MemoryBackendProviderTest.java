// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.GenericTaskStore;
import io.taskstore.InvalidConfigurationException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.TaskStoreConfiguration;
import io.taskstore.TaskStores;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The backend, chosen by its URL. */
final class MemoryBackendProviderTest {
  private static final Owner OWNER = Owner.subject("alice");

  @Test
  void open_url_isANewStorageEachTime() {
    try (GenericTaskStore store = TaskStores.open("memory:");
        GenericTaskStore other = TaskStores.open("memory:")) {
      String id = store.create(OWNER, NewTask.of("digest")).id();
      assertThat(store.get(OWNER, id).method()).isEqualTo("digest");
      assertThatThrownBy(() -> other.get(OWNER, id)).hasMessageContaining(id);
    }
  }

  @Test
  void open_environment_setsBackendAndStore() {
    TaskStoreConfiguration configuration =
        TaskStoreConfiguration.ofEnvironment(
            Map.of(
                "TASKSTORE_URL", "memory:",
                "TASKSTORE_MAX_RECORDS", "1",
                "TASKSTORE_MAX_ACTIVE_TASKS", "5"));
    try (GenericTaskStore store = TaskStores.open(configuration)) {
      store.create(OWNER, NewTask.of("digest"));
      assertThat(store).hasToString("GenericTaskStore[memory, at most 5 active tasks an owner]");
      assertThatThrownBy(() -> store.create(OWNER, NewTask.of("digest")))
          .as("no room")
          .isInstanceOf(RuntimeException.class);
    }
  }

  @Test
  void open_schemeOfNoBackend_listsWhatThereIs() {
    assertThatThrownBy(() -> TaskStores.open("ftp://u:hunter2@localhost"))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong: there is no backend for the scheme"
                + " ftp: there are dynamodb:, file:, memory:, redis:, redis-cluster:,"
                + " redis-sentinel:, rediss:");
  }

  @Test
  void open_providerSeenByTwoClassLoaders_isNoDuplicate() throws IOException {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    try (URLClassLoader child = new URLClassLoader(new URL[0], before)) {
      thread.setContextClassLoader(child);
      TaskStores.open("memory:").close();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  @Test
  void open_location_isRefused() {
    assertThatThrownBy(() -> TaskStores.open("memory:tasks"))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong: the url has something behind memory:,"
                + " which is always a new, empty storage: write memory:");
  }

  @Test
  void settings_eachReachesTheBackend() {
    MemoryBackendProvider provider = new MemoryBackendProvider();
    Map<Setting<?>, Object> values = new HashMap<>();
    Map<String, String> texts =
        Map.of("maxRecords", "3", "maxBytes", "1MiB", "maxDataBytes", "8KiB");
    provider
        .settings()
        .forEach(setting -> values.put(setting, setting.parse(texts.get(setting.name()))));
    try (StorageBackend backend = provider.open(new BackendConfiguration("memory", "", values))) {
      assertThat(backend.traits().maxDataBytes()).isEqualTo(8_192);
    }
    values.replaceAll((setting, value) -> setting.name().equals("maxBytes") ? (Object) 1L : value);
    assertThatThrownBy(() -> provider.open(new BackendConfiguration("memory", "", values)))
        .as("they do not fit together")
        .isInstanceOf(IllegalArgumentException.class);
  }
}
