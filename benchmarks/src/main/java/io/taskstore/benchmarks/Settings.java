// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.Options;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** How long and how often JMH measures. */
record Settings(int forks, int warmups, int iterations, Duration iteration) {
  /** Two forks, because the compiler may decide otherwise in another JVM. */
  static final Settings FULL = new Settings(2, 4, 5, Duration.ofMillis(500));

  /** To see that a benchmark works; its figures mean little. */
  static final Settings QUICK = new Settings(1, 1, 2, Duration.ofMillis(100));

  /** The heap and the collector are fixed, or JVMs would choose them by the size of the machine. */
  private static final List<String> JVM = List.of("-Xms1g", "-Xmx1g", "-XX:+UseG1GC");

  Options of(JmhSuite suite, VerboseMode verbosity) {
    TimeValue time = TimeValue.milliseconds(iteration.toMillis());
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .mode(Mode.Throughput)
            .timeUnit(TimeUnit.SECONDS)
            .forks(forks)
            .warmupIterations(warmups)
            .warmupTime(time)
            .measurementIterations(iterations)
            .measurementTime(time)
            .addProfiler(GCProfiler.class)
            .shouldFailOnError(true)
            .verbosity(verbosity);
    if (forks > 0) {
      options.jvmArgs(JVM.toArray(new String[0]));
    }
    suite.benchmarks().forEach(name -> options.include("^" + Pattern.quote(name) + "$"));
    return options.build();
  }

  @Override
  public String toString() {
    return "%d forks, %d × %d ms to warm up, %d × %d ms measured, `%s`"
        .formatted(
            forks,
            warmups,
            iteration.toMillis(),
            iterations,
            iteration.toMillis(),
            String.join(" ", JVM));
  }
}
