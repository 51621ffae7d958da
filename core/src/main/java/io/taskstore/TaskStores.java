// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.TaskStoreConfiguration.Entry;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Opens stores as they are configured. The backend is the one whose {@link StorageBackendProvider}
 * has the scheme of the URL: add its artifact to the class path or module path, nothing else.
 *
 * <pre>{@code
 * try (TaskStore store = TaskStores.open("file:/var/lib/tasks?lockTimeout=10s")) {
 *   ...
 * }
 * }</pre>
 */
public final class TaskStores {
  private TaskStores() {}

  /**
   * Opens the store of a URL, see {@link TaskStoreConfiguration#ofUrl}. Closing it closes the
   * backend too.
   *
   * @throws InvalidConfigurationException if the URL or what is in its query is wrong
   * @throws TaskStorageException if the storage cannot be used
   */
  public static GenericTaskStore open(String url) {
    return open(TaskStoreConfiguration.ofUrl(url));
  }

  /**
   * Opens a store. Closing it closes the backend too. Unlike one that is made by a builder it
   * sweeps, unless the backend purges by itself, and caches finished tasks: the settings {@code
   * sweepInterval} and {@code cacheMaxBytes}.
   *
   * @throws InvalidConfigurationException if the configuration is wrong; all problems are told
   * @throws TaskStorageException if the storage cannot be used
   */
  public static GenericTaskStore open(TaskStoreConfiguration configuration) {
    return open(configuration, builder -> {});
  }

  /**
   * Opens a store, with options that text cannot express, such as listeners. Closing it closes the
   * backend too.
   *
   * @param options is given the builder when all settings have been applied, so it has the last
   *     word
   * @throws InvalidConfigurationException if the configuration is wrong; all problems are told
   * @throws TaskStorageException if the storage cannot be used
   */
  public static GenericTaskStore open(
      TaskStoreConfiguration configuration, Consumer<? super GenericTaskStore.Builder> options) {
    Map<String, Entry> entries = configuration.entries();
    ResolvedConfiguration resolved =
        ResolvedConfiguration.of(entries, BackendProviders.ofThisProcess());
    StorageBackend backend = openBackend(resolved.provider(), resolved.backend());
    boolean opened = false;
    try {
      GenericTaskStore.Builder builder = GenericTaskStore.builder(backend).closingBackend();
      StoreSettings.apply(resolved.options(), builder);
      options.accept(builder);
      GenericTaskStore store = builder.build();
      opened = true;
      return store;
    } finally {
      if (!opened) {
        backend.close();
      }
    }
  }

  private static StorageBackend openBackend(
      StorageBackendProvider provider, BackendConfiguration configuration) {
    try {
      return provider.open(configuration);
    } catch (IllegalArgumentException e) {
      throw new InvalidConfigurationException(List.of(String.valueOf(e.getMessage())));
    } catch (StorageException e) {
      boolean retryable = e instanceof StorageUnavailableException u && u.isRetryable();
      throw new TaskStorageException(
          "The task store cannot be opened: " + e.getMessage(), retryable, false, e);
    }
  }

  /**
   * The settings that every store has, in the order of the reference. Those of a backend are in its
   * {@link StorageBackendProvider#settings()}.
   */
  public static List<Setting<?>> settings() {
    return StoreSettings.all();
  }
}
