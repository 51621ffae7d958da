// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.openjdk.jmh.util.Version;

/** Benchmarks that JMH runs, and that become one table. */
record JmhSuite(String name, String title, List<Row> rows) implements Suite {
  JmhSuite {
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

  @Override
  public String measure(Options options) throws IOException {
    Settings settings = options.quick() ? Settings.QUICK : Settings.FULL;
    try {
      Map<Measured.Id, Measured> results =
          Measured.of(new Runner(settings.of(this, VerboseMode.NORMAL)).run());
      String circumstances =
          "%s; JMH %s: %s.".formatted(Machine.describe(), Version.getPlainVersion(), settings);
      return Report.table(this, results, circumstances);
    } catch (RunnerException e) {
      throw new MeasurementException(String.valueOf(e.getMessage()), e);
    }
  }
}
