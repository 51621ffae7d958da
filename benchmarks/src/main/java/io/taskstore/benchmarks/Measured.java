// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/**
 * What was measured of one benchmark.
 *
 * @param opsPerSecond by all threads together
 * @param error half of the interval that has the true mean with 99.9 %; NaN if there were too few
 *     iterations to tell
 */
record Measured(double opsPerSecond, double error, double bytesPerOp) {
  private static final String ALLOCATED = "gc.alloc.rate.norm";

  /** Which benchmark, with which parameters. */
  record Id(String benchmark, Map<String, String> params) {
    Id {
      params = Map.copyOf(params);
    }
  }

  static Map<Id, Measured> of(Collection<RunResult> results) {
    Map<Id, Measured> all = new HashMap<>();
    for (RunResult result : results) {
      Result<?> score = result.getPrimaryResult();
      Result<?> allocated = result.getSecondaryResults().get(ALLOCATED);
      if (allocated == null) {
        throw new IllegalStateException("JMH has not measured what " + id(result) + " allocates");
      }
      all.put(
          id(result), new Measured(score.getScore(), score.getScoreError(), allocated.getScore()));
    }
    return all;
  }

  private static Id id(RunResult result) {
    BenchmarkParams params = result.getParams();
    Map<String, String> values = new HashMap<>();
    for (String key : params.getParamsKeys()) {
      values.put(key, params.getParam(key));
    }
    return new Id(params.getBenchmark(), values);
  }
}
