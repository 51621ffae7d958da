// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/**
 * Threads that do one thing, and then another one that takes it back. Each is timed by itself, and
 * has a figure of its own.
 */
record Alternating(String first, String second, List<Pair> pairs) implements Rounds.Subject {
  /** What one thread does by turns. */
  record Pair(Rounds.Work first, Rounds.Work second) {}

  @Override
  public List<String> names() {
    return List.of(first, second);
  }

  @Override
  public List<Double> rates(Duration length) throws Exception {
    List<Callable<List<Double>>> parts = new ArrayList<>();
    for (Pair pair : pairs) {
      parts.add(() -> rates(pair, length));
    }
    return Rounds.together(parts);
  }

  private static List<Double> rates(Pair pair, Duration length) throws Exception {
    long begin = System.nanoTime();
    long inFirst = 0;
    long inSecond = 0;
    long count = 0;
    long now = begin;
    while (now - begin < length.toNanos()) {
      pair.first().run();
      long between = System.nanoTime();
      pair.second().run();
      inFirst += between - now;
      now = System.nanoTime();
      inSecond += now - between;
      count++;
    }
    return List.of(count * 1e9 / inFirst, count * 1e9 / inSecond);
  }
}
