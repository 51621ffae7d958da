// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StartSuiteTest {
  @TempDir Path folder;

  @Test
  void measure_eachBackend_opensInAJvmOfItsOwn() throws IOException {
    String text = new StartSuite().measure(Measuring.options(folder), 1);

    assertThat(Measuring.rows(text))
        .extracting(row -> row.split(" ", -1)[1])
        .containsExactly("Backend", "memory", "file", "Redis", "DynamoDB");
    for (String row : Measuring.rows(text).subList(1, 5)) {
      for (int cell = 2; cell <= 5; cell++) {
        assertThat(Measuring.figure(row, cell)).isPositive();
      }
    }
    assertThat(folder).isEmptyDirectory();
  }
}
