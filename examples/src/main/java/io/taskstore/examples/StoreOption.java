// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreConfiguration;
import io.taskstore.TaskStores;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where to keep the tasks: as the option {@code --store} says it, else as the environment does
 * ({@code TASKSTORE_URL}), else in the {@link StateDirectory}, which is also what {@code file:}
 * alone means. Whatever else there is to know about URLs and settings, {@link TaskStores} knows.
 *
 * <p>Not a record: a URL may have a password in it, and nothing is to print it.
 */
final class StoreOption {
  /** More digests at once would only wait for the same disk. */
  static final int MAX_ACTIVE_TASKS = 8;

  /** For the help of the commands. */
  static final String HELP =
      "file:DIRECTORY, file: for a directory of your own, memory:, which ends with the server, or"
          + " the URL of another backend on the class path. Settings go into its query, as in"
          + " file:DIRECTORY?lockTimeout=10s, or into environment variables, as"
          + " TASKSTORE_LOCK_TIMEOUT. Default: TASKSTORE_URL, where a URL with a password belongs"
          + " (others see a command line), else file:.";

  private static final String URL = "TASKSTORE_URL";
  private static final String URL_FILE = "TASKSTORE_URL_FILE";

  private static final String OF_THIS_USER = "file:";
  private static final String MEMORY = "memory:";

  /** What suits these programs, for settings that the user leaves alone. */
  private static final Map<String, String> OWN_SETTINGS =
      Map.of(
          "maxActiveTasks",
          Integer.toString(MAX_ACTIVE_TASKS),
          // A progress bar should move.
          "progressInterval",
          DigestTask.INTERVAL.toString());

  private final @Nullable String option;
  private final Map<String, String> environment;

  /**
   * @param option what {@code --store} says; null if it is not given
   * @param environment the variables of the environment
   */
  StoreOption(@Nullable String option, Map<String, String> environment) {
    this.option = option;
    this.environment = Map.copyOf(environment);
  }

  /** Whether tasks survive the process that has made them, as far as the URL shows it. */
  boolean isDurable() {
    return !url().toLowerCase(Locale.ROOT).startsWith(MEMORY);
  }

  /** The URL; empty if only the file of {@code TASKSTORE_URL_FILE} has it. */
  private String url() {
    if (option != null) {
      return option.strip();
    }
    String byDefault = environment.containsKey(URL_FILE) ? "" : OF_THIS_USER;
    return environment.getOrDefault(URL, byDefault).strip();
  }

  /**
   * Has a child process use the same store, without naming it on its command line, which everybody
   * on this host can read.
   *
   * @param ofChild the environment of the child, which is that of this process so far
   */
  void passTo(Map<String, String> ofChild) {
    if (option != null) {
      ofChild.put(URL, option);
      ofChild.remove(URL_FILE);
    }
  }

  /**
   * Opens the store. Closing it closes all that is under it.
   *
   * @param lease how long a task stays with a server that gives no sign of life; null for as long
   *     as the setting says
   * @throws io.taskstore.InvalidConfigurationException if what the user has set is wrong
   * @throws io.taskstore.TaskStorageException if the storage cannot be used
   * @throws IllegalArgumentException if the user has no directory, see {@link StateDirectory}
   */
  TaskStore open(@Nullable Duration lease, List<TaskListener> listeners) {
    return TaskStores.open(
        configuration(),
        builder -> {
          // Standard input and output belong to whoever started the process, so there is one owner.
          builder.allowLocalOwner(true);
          if (lease != null) {
            builder.lease(lease);
          }
          listeners.forEach(builder::listener);
        });
  }

  private TaskStoreConfiguration configuration() {
    TaskStoreConfiguration configuration =
        TaskStoreConfiguration.ofMap(OWN_SETTINGS)
            .overriddenBy(TaskStoreConfiguration.ofEnvironment(environment));
    String url = url();
    if (url.equalsIgnoreCase(OF_THIS_USER)) {
      url = OF_THIS_USER + StateDirectory.ofThisUser(environment);
    } else if (option == null) {
      return configuration; // the environment has the URL
    }
    return configuration.overriddenBy(TaskStoreConfiguration.ofUrl(url));
  }
}
