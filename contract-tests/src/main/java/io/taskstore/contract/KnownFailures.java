// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The statements that a backend is known to fail, from a file beside its test class: {@code
 * SimpleClassName-known-failures.txt}. Each line is an id and a reason; empty lines and lines that
 * begin with # are skipped.
 */
final class KnownFailures {
  private final String file;
  private final SortedMap<StatementId, String> reasons;

  private KnownFailures(String file, SortedMap<StatementId, String> reasons) {
    this.file = file;
    this.reasons = reasons;
  }

  /** Reads the file of a test class; without one, no failure is known. */
  static KnownFailures of(Class<?> testClass) {
    String name = testClass.getSimpleName() + "-known-failures.txt";
    try (InputStream in = testClass.getResourceAsStream(name)) {
      return in == null
          ? new KnownFailures(name, new TreeMap<>())
          : parse(name, new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * @throws IllegalArgumentException naming file and line if a line has no id or no reason, or its
   *     id stands twice
   */
  static KnownFailures parse(String file, String text) {
    SortedMap<StatementId, String> reasons = new TreeMap<>();
    String[] lines = text.split("\\R", -1);
    for (int i = 0; i < lines.length; i++) {
      String line = lines[i].strip();
      if (line.isEmpty() || line.startsWith("#")) {
        continue;
      }
      String[] parts = line.split("\\s+", 2);
      try {
        if (parts.length < 2) {
          throw new IllegalArgumentException("a reason must follow the id");
        }
        if (reasons.put(StatementId.parse(parts[0]), parts[1]) != null) {
          throw new IllegalArgumentException(parts[0] + " stands twice");
        }
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(
            "%s, line %d: %s".formatted(file, i + 1, e.getMessage()), e);
      }
    }
    return new KnownFailures(file, reasons);
  }

  /** The name of the file, which is a resource of the tests. */
  String file() {
    return file;
  }

  /** Reasons by statement. */
  Map<StatementId, String> reasons() {
    return Collections.unmodifiableMap(reasons);
  }
}
