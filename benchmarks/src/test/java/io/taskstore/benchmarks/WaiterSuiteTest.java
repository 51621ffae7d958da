// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WaiterSuiteTest {
  @TempDir Path folder;

  @Test
  void measure_eachWay_hasARow() throws IOException {
    List<String> rows =
        Measuring.rows(
            new WaiterSuite().measure(Measuring.options(folder), 200, Duration.ofSeconds(1)));

    assertThat(rows).hasSize(1 + 4);
    // One poller for all, and a loop for each.
    assertThat(Measuring.figure(rows.get(1), 2)).isLessThan(100);
    assertThat(Measuring.figure(rows.get(4), 2)).isBetween(100.0, 2_000.0);
  }
}
