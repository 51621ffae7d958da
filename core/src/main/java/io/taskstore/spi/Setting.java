// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Something that can be configured by text: its name, what values it takes, and what it is for.
 * Immutable. Two settings are the same if they are the same object, so a provider keeps them in
 * constants.
 *
 * @param <T> what the text stands for
 */
public final class Setting<T> {
  private static final Pattern NAME = Pattern.compile("[a-z][a-zA-Z0-9]{0,39}");
  private static final Pattern DURATION_PART = Pattern.compile("(\\d{1,18})(ms|s|m|h|d)");
  private static final Pattern SIZE = Pattern.compile("(\\d{1,18}) ?(|B|kB|KB|MB|GB|KiB|MiB|GiB)");
  private static final List<String> YES = List.of("true", "yes", "on", "1");
  private static final List<String> NO = List.of("false", "no", "off", "0");

  private final String name;
  private final String description;
  private final Kind<T> kind;
  private final @Nullable T byDefault;
  private final boolean required;
  private final boolean secret;

  /**
   * What values there are.
   *
   * @param text for messages and the reference: "a duration from 1ms to 1d, for example 30s"
   * @param parse fails with an {@link IllegalArgumentException}; its message, if it has one, says
   *     what is wrong with the value, without the value
   * @param show the usual way to write a value
   */
  private record Kind<T>(
      Class<T> type, String text, Function<String, T> parse, Function<T, String> show) {}

  private Setting(
      String name,
      String description,
      Kind<T> kind,
      @Nullable T byDefault,
      boolean required,
      boolean secret) {
    this.name = name;
    this.description = description;
    this.kind = kind;
    this.byDefault = byDefault;
    this.required = required;
    this.secret = secret;
  }

  private static <T> Setting<T> of(String name, String description, Kind<T> kind) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "the name of a setting must be in camelCase, letters and digits, at most 40: " + name);
    }
    Objects.requireNonNull(description, "description");
    return new Setting<>(name, description, kind, null, false, false);
  }

  /** A text that is not empty. */
  public static Setting<String> text(String name, String description) {
    return of(
        name,
        description,
        new Kind<>(
            String.class,
            "a text",
            text -> {
              if (text.isEmpty()) {
                throw new IllegalArgumentException();
              }
              return text;
            },
            Function.identity()));
  }

  /** A whole number. */
  public static Setting<Integer> count(String name, int least, int most, String description) {
    return of(
        name,
        description,
        new Kind<>(
            Integer.class,
            "a whole number from %d to %d".formatted(least, most),
            text -> {
              int number = Integer.parseInt(text);
              require(number >= least && number <= most);
              return number;
            },
            String::valueOf));
  }

  /** A number of bytes: {@code 1MiB} is 1,048,576, {@code 1MB} a million, {@code 4096} itself. */
  public static Setting<Long> size(String name, long least, long most, String description) {
    return of(
        name,
        description,
        new Kind<>(
            Long.class,
            "a size from %s to %s, for example 64KiB".formatted(showSize(least), showSize(most)),
            text -> {
              long bytes = parseSize(text);
              require(bytes >= least && bytes <= most);
              return bytes;
            },
            Setting::showSize));
  }

  /**
   * A duration: {@code 500ms}, {@code 30s}, {@code 1h30m}, or as ISO 8601 has it, {@code PT30S}.
   * Days have 24 hours.
   */
  public static Setting<Duration> duration(
      String name, Duration shortest, Duration longest, String description) {
    return of(
        name,
        description,
        new Kind<>(
            Duration.class,
            "a duration from %s to %s, for example 1m30s"
                .formatted(showDuration(shortest), showDuration(longest)),
            text -> {
              Duration duration = parseDuration(text);
              require(duration.compareTo(shortest) >= 0 && duration.compareTo(longest) <= 0);
              return duration;
            },
            Setting::showDuration));
  }

  /** Yes or no: {@code true}, {@code yes}, {@code on}, {@code 1}, or the opposite. */
  public static Setting<Boolean> flag(String name, String description) {
    return of(
        name,
        description,
        new Kind<>(
            Boolean.class,
            "true or false",
            text -> {
              String word = text.toLowerCase(Locale.ROOT);
              require(YES.contains(word) || NO.contains(word));
              return YES.contains(word);
            },
            String::valueOf));
  }

  /** One of the constants of an enum, in lower case and with hyphens. */
  public static <E extends Enum<E>> Setting<E> choice(
      String name, Class<E> type, String description) {
    List<E> all = Arrays.asList(type.getEnumConstants());
    return of(
        name,
        description,
        new Kind<>(
            type,
            "one of " + all.stream().map(Setting::showChoice).collect(Collectors.joining(", ")),
            text ->
                all.stream()
                    .filter(value -> showChoice(value).equalsIgnoreCase(text))
                    .findFirst()
                    .orElseThrow(IllegalArgumentException::new),
            Setting::showChoice));
  }

  /** Returns this setting with a default. */
  public Setting<T> byDefault(T value) {
    return new Setting<>(
        name, description, kind, Objects.requireNonNull(value, "value"), false, secret);
  }

  /** Returns this setting so that it must be set. */
  public Setting<T> required() {
    return new Setting<>(name, description, kind, null, true, secret);
  }

  /**
   * Returns this setting so that its value is never shown. It can also come from a file, whose path
   * is the value of the setting's name with {@code File} behind it.
   */
  public Setting<T> secret() {
    return new Setting<>(name, description, kind, byDefault, required, true);
  }

  /** The name, in camelCase. */
  public String name() {
    return name;
  }

  /** What it is for. */
  public String description() {
    return description;
  }

  /** Which values there are, in words: {@code a whole number from 1 to 100}. */
  public String type() {
    return kind.text();
  }

  /** What counts if nothing is set. */
  public Optional<T> defaultValue() {
    return Optional.ofNullable(byDefault);
  }

  /** Whether it must be set. */
  public boolean isRequired() {
    return required;
  }

  /** Whether its value must never be shown. */
  public boolean isSecret() {
    return secret;
  }

  /**
   * Returns the value that a text stands for.
   *
   * @throws IllegalArgumentException if it stands for none; the message says why, with the name of
   *     the setting, and with the text unless it is secret
   */
  public T parse(String text) {
    try {
      return kind.parse().apply(text.strip());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "%s must be %s%s"
              .formatted(name, kind.text(), secret ? "" : ", not \"" + printable(text) + "\""));
    }
  }

  /** The usual way to write a value. */
  public String show(T value) {
    return kind.show().apply(value);
  }

  boolean accepts(Object value) {
    return kind.type().isInstance(value);
  }

  T cast(Object value) {
    return kind.type().cast(value);
  }

  /** Shows the name. */
  @Override
  public String toString() {
    return name;
  }

  // --- notations ----------------------------------------------------------------------------

  private static void require(boolean condition) {
    if (!condition) {
      throw new IllegalArgumentException();
    }
  }

  /** Short, and without what would spoil a line of a log. */
  private static String printable(String text) {
    String line = text.replaceAll("\\p{Cntrl}", "?");
    return line.length() <= 60 ? line : line.substring(0, 57) + "...";
  }

  private static Duration parseDuration(String text) {
    if (text.startsWith("P") || text.startsWith("p")) {
      try {
        return Duration.parse(text);
      } catch (RuntimeException e) {
        throw new IllegalArgumentException(e);
      }
    }
    if (text.equals("0")) {
      return Duration.ZERO;
    }
    Matcher part = DURATION_PART.matcher(text);
    Duration sum = Duration.ZERO;
    int at = 0;
    try {
      while (at < text.length() && part.find(at) && part.start() == at) {
        long amount = Long.parseLong(part.group(1));
        sum =
            sum.plus(
                switch (part.group(2)) {
                  case "ms" -> Duration.ofMillis(amount);
                  case "s" -> Duration.ofSeconds(amount);
                  case "m" -> Duration.ofMinutes(amount);
                  case "h" -> Duration.ofHours(amount);
                  default -> Duration.ofDays(amount);
                });
        at = part.end();
      }
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(e);
    }
    require(at == text.length() && at > 0);
    return sum;
  }

  private static String showDuration(Duration duration) {
    if (duration.isZero()) {
      return "0";
    }
    StringBuilder text = new StringBuilder();
    append(text, duration.toDaysPart(), "d");
    append(text, duration.toHoursPart(), "h");
    append(text, duration.toMinutesPart(), "m");
    append(text, duration.toSecondsPart(), "s");
    append(text, duration.toMillisPart(), "ms");
    return text.toString();
  }

  private static void append(StringBuilder text, long amount, String unit) {
    if (amount != 0) {
      text.append(amount).append(unit);
    }
  }

  private static long parseSize(String text) {
    Matcher size = SIZE.matcher(text);
    require(size.matches());
    try {
      return Math.multiplyExact(Long.parseLong(size.group(1)), unit(size.group(2)));
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(e);
    }
  }

  private static long unit(String name) {
    return switch (name) {
      case "kB", "KB" -> 1_000;
      case "MB" -> 1_000_000;
      case "GB" -> 1_000_000_000;
      case "KiB" -> 1L << 10;
      case "MiB" -> 1L << 20;
      case "GiB" -> 1L << 30;
      default -> 1;
    };
  }

  private static String showSize(long bytes) {
    for (String unit : List.of("GiB", "MiB", "KiB")) {
      if (bytes >= unit(unit) && bytes % unit(unit) == 0) {
        return bytes / unit(unit) + unit;
      }
    }
    return String.valueOf(bytes);
  }

  private static String showChoice(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
