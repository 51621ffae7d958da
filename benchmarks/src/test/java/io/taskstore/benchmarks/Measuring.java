// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** What tests of suites have in common: they look at the text, and its figures mean nothing. */
final class Measuring {
  static final Rounds.Plan ONCE = new Rounds.Plan(0, 1, Duration.ofMillis(5));

  private Measuring() {}

  static Suite.Options options(Path directory) {
    PrintStream nowhere =
        new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
    return new Suite.Options(true, directory, false, nowhere);
  }

  /** The lines of tables, heads included; each figure is one. */
  static List<String> rows(String text) {
    assertThat(text).doesNotContain("NaN", "Infinity", "∞");
    return text.lines().filter(line -> line.startsWith("| ")).toList();
  }

  /** A cell of a row, without what makes it bold or separates thousands. */
  static double figure(String row, int cell) {
    String text = row.replaceAll("[*,]|ms", "").split("\\|", -1)[cell].strip();
    return Double.parseDouble(text);
  }
}
