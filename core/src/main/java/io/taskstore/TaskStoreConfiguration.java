// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;

/**
 * Where tasks are kept, and the options of the store, as texts: from a URL, a map, properties, a
 * file, or environment variables. Immutable. Nothing is checked before {@link TaskStores#open}, so
 * that all problems are told at once.
 *
 * <p>The URL is the setting {@code url}. Other settings have names in camelCase: those of the
 * backend and the store's own, as {@code docs/settings.md} lists them. In properties they begin
 * with {@code taskstore.}, and others are ignored; as environment variables they are {@code
 * TASKSTORE_} and the name in capitals with underscores, {@code TASKSTORE_LOCK_TIMEOUT}. Settings
 * may also stand in the query of the URL; one that stands there and by itself in the same
 * configuration is a mistake.
 *
 * <p>What is secret can come from a file: instead of {@code password} set {@code passwordFile} (in
 * the environment {@code TASKSTORE_PASSWORD_FILE}) to its path. A line break at its end does not
 * count. The URL, which may hold a password, can do so too: {@code urlFile}.
 */
public final class TaskStoreConfiguration {
  static final String URL = "url";
  private static final String PROPERTY_PREFIX = "taskstore.";
  private static final String VARIABLE_PREFIX = "TASKSTORE_";

  private final Map<String, Entry> entries;

  /**
   * A text, and what its writer calls it.
   *
   * @param label {@code TASKSTORE_LOCK_TIMEOUT}, {@code taskstore.lockTimeout}, {@code lockTimeout}
   * @param rank of the configuration that it comes from; a higher one overrides a lower one
   */
  record Entry(String label, String text, int rank) {}

  private TaskStoreConfiguration(Map<String, Entry> entries) {
    this.entries = Map.copyOf(entries);
  }

  /** A URL, with settings in its query if there are any: {@code file:/tasks?lockTimeout=10s}. */
  public static TaskStoreConfiguration ofUrl(String url) {
    return ofMap(Map.of(URL, url));
  }

  /** Settings by their names, {@code url} among them. */
  public static TaskStoreConfiguration ofMap(Map<String, String> settings) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    settings.forEach(
        (name, text) ->
            entries.put(name, new Entry(name, Objects.requireNonNull(text, () -> name), 0)));
    return new TaskStoreConfiguration(entries);
  }

  /** Those properties whose names begin with {@code taskstore.}; others are ignored. */
  public static TaskStoreConfiguration ofProperties(Properties properties) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (String label : properties.stringPropertyNames()) {
      if (label.startsWith(PROPERTY_PREFIX)) {
        String name = label.substring(PROPERTY_PREFIX.length());
        entries.put(name, new Entry(label, properties.getProperty(label), 0));
      }
    }
    return new TaskStoreConfiguration(entries);
  }

  /**
   * The same from a properties file in UTF-8.
   *
   * @throws InvalidConfigurationException if it cannot be read, or is no properties file
   */
  public static TaskStoreConfiguration ofFile(Path file) {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      properties.load(reader);
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidConfigurationException(
          List.of("the file %s cannot be read (%s)".formatted(file, reason(e))));
    }
    return ofProperties(properties);
  }

  static String reason(Exception e) {
    // For files of secrets the message must not be more than the kind.
    return e.getClass().getSimpleName();
  }

  /** The variables of this process whose names begin with {@code TASKSTORE_}. */
  public static TaskStoreConfiguration ofEnvironment() {
    return ofEnvironment(System.getenv());
  }

  /** As {@link #ofEnvironment()}, for variables from somewhere else. */
  public static TaskStoreConfiguration ofEnvironment(Map<String, String> variables) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    variables.forEach(
        (label, text) -> {
          if (label.startsWith(VARIABLE_PREFIX)) {
            entries.put(nameOfVariable(label), new Entry(label, text, 0));
          }
        });
    return new TaskStoreConfiguration(entries);
  }

  private static String nameOfVariable(String label) {
    StringBuilder name = new StringBuilder();
    boolean capital = false;
    for (char c : label.substring(VARIABLE_PREFIX.length()).toCharArray()) {
      if (c == '_') {
        capital = name.length() > 0;
      } else {
        name.append(capital ? c : Character.toLowerCase(c));
        capital = false;
      }
    }
    return name.toString();
  }

  /** The environment variable of a setting, for messages and the reference. */
  static String variableOf(String name) {
    return VARIABLE_PREFIX + name.replaceAll("([A-Z])", "_$1").toUpperCase(Locale.ROOT);
  }

  /**
   * Returns a configuration that has the settings of both, and those of the other where both have
   * one: {@code ofFile(file).overriddenBy(ofEnvironment())}. A secret and the file that has it are
   * the same setting. What stands in the query of a URL is a setting of the configuration that has
   * the URL: it overrides and is overridden like the others, and goes with a URL that is
   * overridden.
   */
  public TaskStoreConfiguration overriddenBy(TaskStoreConfiguration other) {
    Map<String, Entry> all = new LinkedHashMap<>(entries);
    for (String name : other.entries.keySet()) {
      all.remove(sibling(name));
    }
    int rank = 1 + entries.values().stream().mapToInt(Entry::rank).max().orElse(0);
    other.entries.forEach(
        (name, entry) ->
            all.put(name, new Entry(entry.label(), entry.text(), rank + entry.rank())));
    return new TaskStoreConfiguration(all);
  }

  /** Behind the name of a secret: the path of the file that has it. */
  static final String FILE_SUFFIX = "File";

  /** The name under which the same secret would come from a file, or the other way round. */
  static String sibling(String name) {
    return name.endsWith(FILE_SUFFIX)
        ? name.substring(0, name.length() - FILE_SUFFIX.length())
        : name + FILE_SUFFIX;
  }

  Map<String, Entry> entries() {
    return entries;
  }

  /** Shows what is set, never to what. */
  @Override
  public String toString() {
    List<String> labels = new ArrayList<>();
    entries.values().forEach(entry -> labels.add(entry.label()));
    labels.sort(null);
    return "TaskStoreConfiguration" + labels;
  }
}
