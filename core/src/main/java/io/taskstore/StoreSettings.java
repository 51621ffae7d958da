// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.Setting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;

/** The options of a store that can be configured by text. What takes code is set by code. */
final class StoreSettings {
  private static final Duration MS = Duration.ofMillis(1);
  private static final Duration DAY = Duration.ofDays(1);

  /** A setting, and what it does to the options of a store. */
  private record Option<T>(Setting<T> setting, BiConsumer<GenericTaskStore.Builder, T> effect) {
    void apply(Map<Setting<?>, Object> values, GenericTaskStore.Builder builder) {
      Object value = values.get(setting);
      if (value != null) {
        @SuppressWarnings("unchecked") // it was parsed by the setting
        T typed = (T) value;
        effect.accept(builder, typed);
      }
    }
  }

  private static final Setting<Long> CACHE_MAX_BYTES =
      Setting.size(
              "cacheMaxBytes",
              0,
              1L << 40,
              "Memory for finished tasks, which are then read without asking the storage; 0 for none.")
          .byDefault(16L << 20);

  private static final Setting<Duration> SWEEP_INTERVAL =
      Setting.duration(
              "sweepInterval",
              Duration.ZERO,
              DAY,
              "How often the store removes what has expired, unless the backend does so itself; 0 for"
                  + " never.")
          .byDefault(Duration.ofMinutes(1));

  private static final Setting<Duration> CACHE_MAX_AGE =
      Setting.duration(
              "cacheMaxAge",
              MS,
              DAY,
              "How long a finished task is shown from memory; goes with cacheMaxBytes.")
          .byDefault(Duration.ofSeconds(30));

  private static final List<Option<?>> OPTIONS = options();

  private StoreSettings() {}

  private static List<Option<?>> options() {
    List<Option<?>> options = new ArrayList<>();
    options.add(
        new Option<>(
            Setting.duration(
                    "defaultTtl",
                    TaskRules.SHORTEST_DURATION,
                    TaskRules.LONGEST_DURATION,
                    "How long a task is kept that does not say so itself.")
                .byDefault(Duration.ofHours(1)),
            GenericTaskStore.Builder::defaultTtl));
    options.add(
        new Option<>(
            Setting.duration(
                    "maxTtl",
                    TaskRules.SHORTEST_DURATION,
                    TaskRules.LONGEST_DURATION,
                    "The longest time to live that a task may ask for.")
                .byDefault(DAY),
            GenericTaskStore.Builder::maxTtl));
    options.add(
        new Option<>(
            Setting.flag(
                    "allowUnlimitedTtl",
                    "Whether a task may ask to stay until it is deleted; goes without maxTtl.")
                .byDefault(false),
            (builder, allowed) -> {
              if (allowed) {
                builder.allowUnlimitedTtl();
              }
            }));
    options.add(
        new Option<>(
            Setting.duration(
                    "keepResultFor",
                    Duration.ZERO,
                    TaskRules.LONGEST_DURATION,
                    "How long a finished task is kept at least, within maxTtl.")
                .byDefault(Duration.ofMinutes(10)),
            GenericTaskStore.Builder::keepResultFor));
    options.add(
        new Option<>(
            Setting.duration(
                    "defaultPollInterval",
                    TaskRules.SHORTEST_DURATION,
                    TaskRules.LONGEST_POLL_INTERVAL,
                    "How often clients should ask, if a task does not say so itself.")
                .byDefault(Duration.ofSeconds(1)),
            GenericTaskStore.Builder::defaultPollInterval));
    options.add(
        new Option<>(
            Setting.duration(
                    "operationTimeout",
                    MS,
                    DAY,
                    "For how long one operation is tried again while the storage is in trouble.")
                .byDefault(Duration.ofSeconds(10)),
            GenericTaskStore.Builder::operationTimeout));
    options.add(
        new Option<>(
            Setting.duration(
                    "clockSkewAllowance",
                    Duration.ZERO,
                    DAY,
                    "How far the clocks of the stores on one storage may differ.")
                .byDefault(Duration.ofMinutes(5)),
            GenericTaskStore.Builder::clockSkewAllowance));
    options.add(
        new Option<>(
            Setting.count("maxActiveTasks", 1, 1_000_000, "The most unfinished tasks of an owner.")
                .byDefault(100),
            GenericTaskStore.Builder::maxActiveTasks));
    options.add(
        new Option<>(
            Setting.count(
                    "maxUpdateAttempts",
                    1,
                    10_000,
                    "How often an update may lose against other writers before it gives up.")
                .byDefault(50),
            GenericTaskStore.Builder::maxUpdateAttempts));
    options.add(
        new Option<>(
            Setting.flag(
                    "allowLocalOwner",
                    "Whether the owner of a program that one person runs alone is served.")
                .byDefault(false),
            GenericTaskStore.Builder::allowLocalOwner));
    options.add(
        new Option<>(
            Setting.duration(
                    "lease", MS, TaskRules.LONGEST_LEASE, "How long a silent worker has its task.")
                .byDefault(Duration.ofSeconds(30)),
            GenericTaskStore.Builder::lease));
    options.add(
        new Option<>(
            Setting.duration(
                    "progressInterval",
                    Duration.ZERO,
                    DAY,
                    "How often what a handler reports is written at most.")
                .byDefault(Duration.ofSeconds(1)),
            GenericTaskStore.Builder::progressInterval));
    TaskLimits limits = TaskLimits.defaults();
    options.add(
        limit(
            bytes("maxVariablesBytes", "All variables of a task together."),
            limits.maxVariablesBytes(),
            TaskLimits::withMaxVariablesBytes));
    options.add(
        new Option<>(
            Setting.count("maxVariables", 1, Integer.MAX_VALUE, "The variables of a task.")
                .byDefault(limits.maxVariables()),
            (builder, most) -> builder.limits(builder.limits().withMaxVariables(most))));
    options.add(
        limit(
            Setting.size(
                "maxNameBytes",
                1,
                TaskLimits.HIGHEST_NAME_BYTES,
                "A name of a variable or of a member of an object."),
            limits.maxNameBytes(),
            TaskLimits::withMaxNameBytes));
    options.add(
        new Option<>(
            Setting.count(
                    "maxDepth",
                    1,
                    TaskLimits.HIGHEST_DEPTH,
                    "How many lists and objects may stand within each other.")
                .byDefault(limits.maxDepth()),
            (builder, most) -> builder.limits(builder.limits().withMaxDepth(most))));
    options.add(
        limit(
            bytes("maxStringBytes", "One string."),
            limits.maxStringBytes(),
            TaskLimits::withMaxStringBytes));
    options.add(
        limit(
            bytes("maxParamsBytes", "The parameters of a task."),
            limits.maxParamsBytes(),
            TaskLimits::withMaxParamsBytes));
    options.add(
        limit(
            bytes("maxResultBytes", "The result of a task."),
            limits.maxResultBytes(),
            TaskLimits::withMaxResultBytes));
    options.add(
        limit(
            bytes("maxErrorDataBytes", "The data of an error."),
            limits.maxErrorDataBytes(),
            TaskLimits::withMaxErrorDataBytes));
    options.add(
        limit(
            bytes("maxInputBytes", "Questions and answers of a task together."),
            limits.maxInputBytes(),
            TaskLimits::withMaxInputBytes));
    options.add(
        limit(
            Setting.size(
                "maxMessageBytes", 1, TaskLimits.HIGHEST_MESSAGE_BYTES, "A status message."),
            limits.maxMessageBytes(),
            TaskLimits::withMaxMessageBytes));
    return List.copyOf(options);
  }

  private static Setting<Long> bytes(String name, String description) {
    return Setting.size(name, 1, TaskLimits.HIGHEST_BYTES, description);
  }

  private static Option<Long> limit(
      Setting<Long> setting, int byDefault, BiFunction<TaskLimits, Integer, TaskLimits> change) {
    return new Option<>(
        setting.byDefault((long) byDefault),
        (builder, bytes) -> builder.limits(change.apply(builder.limits(), Math.toIntExact(bytes))));
  }

  /** All of them, in the order of the reference. */
  static List<Setting<?>> all() {
    List<Setting<?>> all = new ArrayList<>();
    OPTIONS.forEach(option -> all.add(option.setting()));
    all.add(SWEEP_INTERVAL);
    all.add(CACHE_MAX_BYTES);
    all.add(CACHE_MAX_AGE);
    return List.copyOf(all);
  }

  /** What is wrong with how they fit together, if anything is. */
  static List<String> conflicts(Map<Setting<?>, Object> values) {
    List<String> conflicts = new ArrayList<>();
    Optional<Duration> max = find(values, "maxTtl", Duration.class);
    Optional<Duration> byDefault = find(values, "defaultTtl", Duration.class);
    boolean unlimited = find(values, "allowUnlimitedTtl", Boolean.class).orElse(false);
    if (unlimited && max.isPresent()) {
      conflicts.add("allowUnlimitedTtl is true and maxTtl is set; choose one of them");
    } else if (!unlimited && byDefault.orElse(Duration.ofHours(1)).compareTo(max.orElse(DAY)) > 0) {
      conflicts.add(
          byDefault.isPresent()
              ? "defaultTtl is longer than maxTtl" + (max.isPresent() ? "" : ", which is 1d")
              : "maxTtl is shorter than defaultTtl, which is 1h");
    }
    if (values.containsKey(CACHE_MAX_AGE) && Objects.equals(values.get(CACHE_MAX_BYTES), 0L)) {
      conflicts.add("cacheMaxAge is set and cacheMaxBytes is 0, with which there is no cache");
    }
    return conflicts;
  }

  private static <T> Optional<T> find(Map<Setting<?>, Object> values, String name, Class<T> type) {
    return values.entrySet().stream()
        .filter(entry -> entry.getKey().name().equals(name))
        .map(entry -> type.cast(entry.getValue()))
        .findFirst();
  }

  /**
   * Gives the builder what was set. What is left alone is the builder's default, but for the
   * sweeper and the cache: who opens a store by configuration gets a whole one.
   */
  static void apply(Map<Setting<?>, Object> values, GenericTaskStore.Builder builder) {
    OPTIONS.forEach(option -> option.apply(values, builder));
    builder.sweepInterval(value(SWEEP_INTERVAL, values));
    long bytes = value(CACHE_MAX_BYTES, values);
    if (bytes > 0) {
      builder.cacheFinishedTasks(bytes, value(CACHE_MAX_AGE, values));
    }
  }

  private static <T> T value(Setting<T> setting, Map<Setting<?>, Object> values) {
    Object value = values.get(setting);
    @SuppressWarnings("unchecked") // it was parsed by the setting
    T typed = value == null ? setting.defaultValue().orElseThrow() : (T) value;
    return typed;
  }
}
