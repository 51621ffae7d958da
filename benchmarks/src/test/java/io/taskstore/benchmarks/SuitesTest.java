// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.VerboseMode;

/** No benchmark rots, and none is forgotten. */
class SuitesTest {
  @SuppressWarnings("unused") // by name
  private static final Collection<JmhSuite> SUITES = Suites.JMH;

  /** In this JVM, once, for a moment. */
  private static final Settings SMOKE = new Settings(0, 0, 1, Duration.ofMillis(10));

  @ParameterizedTest
  @FieldSource("SUITES")
  void everyBenchmark_runs_andEveryRowFindsItsResults(JmhSuite suite) throws RunnerException {
    Collection<RunResult> results = new Runner(SMOKE.of(suite, VerboseMode.SILENT)).run();

    Map<Measured.Id, Measured> measured = Measured.of(results);
    String table = Report.table(suite, measured, "Here.");
    assertThat(table.lines().filter(line -> line.startsWith("| ")))
        .hasSize(suite.rows().size() + 1);
    assertThat(measured.values()).allMatch(m -> m.opsPerSecond() > 0);
    assertThat(measured.keySet()).as("what is measured stands in a row").isEqualTo(ids(suite));
  }

  private static Set<Measured.Id> ids(JmhSuite suite) {
    Set<Measured.Id> ids = new HashSet<>();
    for (JmhSuite.Row row : suite.rows()) {
      ids.add(row.ours());
      ids.add(row.raw());
    }
    return ids;
  }

  @Test
  void everyMethodOfASuitesClass_standsInARow() {
    Set<String> methods = new HashSet<>();
    Set<String> inRows = new HashSet<>();
    for (JmhSuite suite : Suites.JMH) {
      inRows.addAll(suite.benchmarks());
      for (JmhSuite.Row row : suite.rows()) {
        for (Method method : row.type().getDeclaredMethods()) {
          if (method.isAnnotationPresent(Benchmark.class)) {
            methods.add(row.type().getName() + "." + method.getName());
          }
        }
      }
    }
    assertThat(inRows).isEqualTo(methods);
  }
}
