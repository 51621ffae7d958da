// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemorySuiteTest {
  @TempDir Path folder;

  private String measure(String name) throws IOException {
    MemorySuite.Plan plan =
        new MemorySuite.Plan(Measuring.ONCE, List.of(100, 101), List.of(200, 300), 10_000);
    for (MemorySuite suite : MemorySuite.ALL) {
      if (suite.name().equals(name)) {
        return suite.measure(Measuring.options(folder), plan);
      }
    }
    throw new AssertionError("no suite " + name);
  }

  @Test
  void measure_sizes_bothTablesHaveARowForEachOperation() throws IOException {
    String text = measure("memory-sizes");

    assertThat(Measuring.rows(text)).hasSize(2 * (1 + 6 + 2));
    assertThat(text)
        .contains("raw: `ConcurrentHashMap.get`", "raw: `ConcurrentSkipListMap.tailMap`");
    assertThat(text).contains(" | 200 | 300 |", " | 100 | 101 |");
  }

  @Test
  void measure_heap_eachTaskNeedsMoreThanItsData() throws IOException {
    List<String> rows = Measuring.rows(measure("memory-heap"));

    assertThat(rows).hasSize(1 + 3);
    for (String row : rows.subList(1, 4)) {
      assertThat(Measuring.figure(row, 2)).isBetween(1_100.0, 4_000.0);
      assertThat(Measuring.figure(row, 5)).isBetween(76.0, 3_000.0);
    }
  }
}
