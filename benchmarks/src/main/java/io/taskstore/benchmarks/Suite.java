// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Benchmarks that are run together and become one table.
 *
 * @param name what it is called on the command line, and in the markers of the document
 * @param title what it measures, for people
 */
record Suite(String name, String title, List<Row> rows) {
  Suite {
    rows = List.copyOf(rows);
  }

  /**
   * One line of a table: a benchmark, and beside it what it is to be compared with. A baseline may
   * stand in several rows; it is measured once.
   *
   * @param type the class of both methods
   * @param params the parameters of both, by name; none for a class without
   * @param baselineName what the baseline does
   */
  record Row(
      String operation,
      Class<?> type,
      Map<String, String> params,
      String benchmark,
      String baseline,
      String baselineName) {
    Row {
      params = Map.copyOf(params);
    }

    Measured.Id ours() {
      return new Measured.Id(type.getName() + "." + benchmark, params);
    }

    Measured.Id raw() {
      return new Measured.Id(type.getName() + "." + baseline, params);
    }
  }

  /** The full names of all benchmarks, each once. */
  Set<String> benchmarks() {
    Set<String> names = new LinkedHashSet<>();
    for (Row row : rows) {
      names.add(row.ours().benchmark());
      names.add(row.raw().benchmark());
    }
    return names;
  }
}
