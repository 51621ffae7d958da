// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What a campaign has done, and found. */
final class CrashReport {
  private final long start = System.nanoTime();
  private final Map<String, Integer> kinds = new TreeMap<>();
  private final Map<String, Integer> cases = new TreeMap<>();
  private final Map<String, Integer> steps = new TreeMap<>();
  private final List<String> failures = new ArrayList<>();
  private int kills;
  private long acknowledged;
  private long survivors;

  synchronized void killed(String kind, String how, String step) {
    kills++;
    kinds.merge(kind, 1, Integer::sum);
    cases.merge(how, 1, Integer::sum);
    steps.merge(step, 1, Integer::sum);
  }

  synchronized void checked(CrashHistory history) {
    acknowledged += history.acknowledged();
    survivors += history.survivors();
  }

  synchronized void failed(String failure) {
    failures.add(failure);
  }

  synchronized int kills() {
    return kills;
  }

  synchronized List<String> failures() {
    return List.copyOf(failures);
  }

  private long count(String word) {
    return failures.stream().filter(failure -> failure.contains(word)).count();
  }

  /** All of it in one line. */
  synchronized String summary() {
    return ("kill -9: %d kills %s, %d acknowledged writes checked, %d not acknowledged and there,"
            + " lost: %d, torn or foreign: %d, other failures: %d, %d s")
        .formatted(
            kills,
            kinds,
            acknowledged,
            survivors,
            count("LOST"),
            count("TORN") + count("FOREIGN") + count("CORRUPT"),
            failures.size() - count("LOST") - count("TORN") - count("FOREIGN") - count("CORRUPT"),
            Duration.ofNanos(System.nanoTime() - start).toSeconds());
  }

  synchronized void write(Path file) throws IOException {
    StringBuilder out = new StringBuilder("# Killed processes\n\n").append(summary()).append("\n");
    table(out, "Kind", kinds);
    table(out, "Scenario", cases);
    table(out, "Step", steps);
    for (String failure : failures) {
      out.append("\n```text\n").append(failure).append("\n```\n");
    }
    Path directory = file.toAbsolutePath().getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    Files.writeString(file, out);
  }

  private static void table(StringBuilder out, String title, Map<String, Integer> counts) {
    out.append("\n| ").append(title).append(" | Kills |\n|---|---|\n");
    counts.forEach((name, count) -> out.append("| %s | %d |%n".formatted(name, count)));
  }
}
