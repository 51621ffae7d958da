// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class TaskLimitsTest {
  private static final Map<String, Integer> HIGHEST =
      Map.of(
          "maxVariables", Integer.MAX_VALUE,
          "maxNameBytes", 4_096,
          "maxDepth", 100,
          "maxMessageBytes", 65_536);

  static Stream<String> names() {
    return Arrays.stream(TaskLimits.class.getDeclaredMethods())
        .filter(m -> Modifier.isPublic(m.getModifiers()) && m.getName().startsWith("max"))
        .map(Method::getName)
        .sorted();
  }

  private static TaskLimits with(String name, int value) {
    String method = "with" + name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1);
    try {
      return (TaskLimits)
          TaskLimits.class.getMethod(method, int.class).invoke(TaskLimits.defaults(), value);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof InvalidValueException cause) {
        throw cause;
      }
      throw new AssertionError(e);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(e.getMessage(), e);
    }
  }

  private static Map<String, Integer> parts(TaskLimits limits) {
    Map<String, Integer> parts = new TreeMap<>();
    names()
        .forEach(
            name -> {
              try {
                parts.put(name, (Integer) TaskLimits.class.getMethod(name).invoke(limits));
              } catch (ReflectiveOperationException e) {
                throw new LinkageError(e.getMessage(), e);
              }
            });
    return parts;
  }

  @Test
  void defaults_areTheDocumentedOnes() {
    assertThat(parts(TaskLimits.defaults()))
        .isEqualTo(
            Map.of(
                "maxVariablesBytes", 1_048_576,
                "maxVariables", 1_000,
                "maxNameBytes", 256,
                "maxDepth", 10,
                "maxStringBytes", 65_536,
                "maxParamsBytes", 262_144,
                "maxResultBytes", 1_048_576,
                "maxErrorDataBytes", 65_536,
                "maxInputBytes", 262_144,
                "maxMessageBytes", 4_096));
  }

  @ParameterizedTest
  @MethodSource("names")
  void with_anyLimit_changesOnlyThatOne(String name) {
    Map<String, Integer> expected = parts(TaskLimits.defaults());
    expected.put(name, 77);

    assertThat(parts(with(name, 77))).isEqualTo(expected);
    assertThat(TaskLimits.defaults()).isEqualTo(with(name, parts(TaskLimits.defaults()).get(name)));
  }

  @ParameterizedTest
  @MethodSource("names")
  void with_edges_areAcceptedAndOnePastIsRefused(String name) {
    int highest = HIGHEST.getOrDefault(name, 64 * 1_024 * 1_024);

    assertThat(parts(with(name, 1))).containsEntry(name, 1);
    assertThat(parts(with(name, highest))).containsEntry(name, highest);
    for (int value : new int[] {0, -1, Integer.MIN_VALUE}) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> with(name, value))
          .withMessage("Invalid %s: it is %d, it must be from 1 to %d", name, value, highest);
    }
    if (highest < Integer.MAX_VALUE) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> with(name, highest + 1));
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> with(name, Integer.MAX_VALUE));
    }
  }

  @ParameterizedTest
  @MethodSource("names")
  void cappedTo_whatABackendHolds_lowersOnlyBytes(String name) {
    int given = parts(TaskLimits.defaults()).get(name);

    assertThat(TaskLimits.defaults().cappedTo(Integer.MAX_VALUE)).isEqualTo(TaskLimits.defaults());
    for (int bytes : new int[] {4_096, 5_000, 65_536, 400_000}) {
      Map<String, Integer> capped = parts(TaskLimits.defaults().cappedTo(bytes));
      if (name.endsWith("Bytes")) {
        assertThat(capped.get(name)).isPositive().isLessThanOrEqualTo(Math.min(given, bytes));
      } else {
        assertThat(capped).containsEntry(name, given);
      }
    }
  }
}
