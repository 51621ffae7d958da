// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingTest {
  private static final Setting<Duration> DURATION =
      Setting.duration("wait", Duration.ZERO, Duration.ofDays(100_000), "How long to wait.");
  private static final Setting<Long> SIZE = Setting.size("most", 1, Long.MAX_VALUE, "How much.");
  private static final Setting<Boolean> FLAG = Setting.flag("really", "Whether to do it.");
  private static final Setting<Integer> COUNT = Setting.count("many", -5, 70, "How many.");
  private static final Setting<TimeUnit> CHOICE =
      Setting.choice("unit", TimeUnit.class, "What to count in.");
  private static final Setting<String> SECRET =
      Setting.text("password", "What to say to be let in.").secret();

  @ParameterizedTest
  @CsvSource({
    "0, PT0S",
    "1ms, PT0.001S",
    "30s, PT30S",
    "' 30s ', PT30S",
    "5m, PT5M",
    "1h30m, PT1H30M",
    "2d, PT48H",
    "1d2h3m4s5ms, PT26H3M4.005S",
    "PT30S, PT30S",
    "p1d, PT24H"
  })
  void duration_usualNotations_areUnderstood(String text, Duration expected) {
    assertThat(DURATION.parse(text)).isEqualTo(expected);
    assertThat(DURATION.parse(DURATION.show(expected))).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "30",
        "s",
        "30 s",
        "30S",
        "-1s",
        "1.5s",
        "30sec",
        "1s!",
        "PT",
        "P1Y",
        "PT-1S",
        "9999999999999999999s",
        "999999999999999999d",
        "1e3s",
        "٣s"
      })
  void duration_anythingElse_isRefused(String text) {
    assertThatThrownBy(() -> DURATION.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "wait must be a duration from 0 to 100000d, for example 1m30s, not \"" + text + "\"");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "4096, 4096",
    "64KiB, 65536",
    "1 MiB, 1048576",
    "1MiB, 1048576",
    "2GiB, 2147483648",
    "3kB, 3000",
    "3KB, 3000",
    "1MB, 1000000",
    "1GB, 1000000000",
    "5B, 5"
  })
  void size_usualNotations_areUnderstood(String text, long expected) {
    assertThat(SIZE.parse(text)).isEqualTo(expected);
    assertThat(SIZE.parse(SIZE.show(expected))).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "0", "-1", "MiB", "1mib", "1M", "1.5MiB", "999999999999999999GiB", "1  MiB"})
  void size_anythingElse_isRefused(String text) {
    assertThatThrownBy(() -> SIZE.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "most must be a size from 1 to 9223372036854775807, for example 64KiB, not \""
                + text
                + "\"");
  }

  @ParameterizedTest
  @CsvSource({
    "true, true",
    "YES, true",
    "on, true",
    "1, true",
    "false, false",
    "No, false",
    "off, false",
    "0, false"
  })
  void flag_usualWords_areUnderstood(String text, boolean expected) {
    assertThat(FLAG.parse(text)).isEqualTo(expected);
  }

  @Test
  void flag_anythingElse_isRefused() {
    assertThatThrownBy(() -> FLAG.parse("maybe"))
        .hasMessage("really must be true or false, not \"maybe\"");
    assertThatThrownBy(() -> FLAG.parse("")).hasMessage("really must be true or false, not \"\"");
  }

  @Test
  void count_bounds_areKept() {
    assertThat(COUNT.parse("-5")).isEqualTo(-5);
    assertThat(COUNT.parse(" 70 ")).isEqualTo(70);
    for (String text : new String[] {"-6", "71", "", "7.0", "0x7", "99999999999"}) {
      assertThatThrownBy(() -> COUNT.parse(text))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("many must be a whole number from -5 to 70, not \"" + text + "\"");
    }
  }

  @Test
  void choice_constants_areUnderstoodInAnyCase() {
    assertThat(CHOICE.parse("seconds")).isEqualTo(TimeUnit.SECONDS);
    assertThat(CHOICE.parse("SECONDS")).isEqualTo(TimeUnit.SECONDS);
    assertThat(CHOICE.show(TimeUnit.SECONDS)).isEqualTo("seconds");
    assertThatThrownBy(() -> CHOICE.parse("weeks"))
        .hasMessage(
            "unit must be one of nanoseconds, microseconds, milliseconds, seconds, minutes, hours,"
                + " days, not \"weeks\"");
  }

  @Test
  void text_isTakenAsItIs_butNotEmpty() {
    Setting<String> text = Setting.text("prefix", "What keys begin with.");
    assertThat(text.parse("ä b")).isEqualTo("ä b");
    assertThatThrownBy(() -> text.parse(" ")).hasMessage("prefix must be a text, not \" \"");
  }

  @Test
  void parse_valueIsLongOrHasControlCharacters_isShownOnOneLine() {
    assertThatThrownBy(() -> FLAG.parse("a\nb" + "c".repeat(100)))
        .hasMessage("really must be true or false, not \"a?b" + "c".repeat(54) + "...\"");
  }

  @Test
  void secret_isNeverShown() {
    Setting<Integer> pin = Setting.count("pin", 1, 9, "A secret.").secret();
    assertThatThrownBy(() -> pin.parse("4711"))
        .hasMessage("pin must be a whole number from 1 to 9")
        .hasNoCause();
    BackendConfiguration configuration =
        new BackendConfiguration("x", "//u:hidden@host", Map.of(SECRET, "hidden"));
    assertThat(configuration).hasToString("BackendConfiguration[x, settings [password]]");
  }

  @Test
  void configuration_find_returnsWhatWasSetOrTheDefault() {
    Setting<Integer> withDefault = COUNT.byDefault(7);
    BackendConfiguration configuration =
        new BackendConfiguration("x", "", Map.of(FLAG, true, SECRET, "s"));

    assertThat(configuration.find(FLAG)).contains(true);
    assertThat(configuration.get(SECRET)).isEqualTo("s");
    assertThat(configuration.get(withDefault)).isEqualTo(7);
    assertThat(configuration.find(COUNT)).isEmpty();
    assertThatThrownBy(() -> configuration.get(COUNT))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("many is not set and has no default");
  }

  @Test
  void configuration_valueOfAnotherType_isRefused() {
    Map<Setting<?>, Object> values = Map.of(FLAG, "true");
    assertThatThrownBy(() -> new BackendConfiguration("x", "", values))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("the value of really is not of its type");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "Upper", "with-hyphen", "with_underscore", "1st", "ünder"})
  void name_notInCamelCase_isRefused(String name) {
    assertThatThrownBy(() -> Setting.flag(name, "x"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "the name of a setting must be in camelCase, letters and digits, at most 40: " + name);
  }
}
