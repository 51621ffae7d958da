// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileSuiteTest {
  private final ByteArrayOutputStream progress = new ByteArrayOutputStream();

  @TempDir Path folder;

  private Suite.Options options(boolean quick, boolean million) {
    PrintStream out = new PrintStream(progress, true, StandardCharsets.UTF_8);
    return new Suite.Options(quick, folder, million, out);
  }

  private static FileSuite.Plan plan(List<Integer> inMany) {
    Rounds.Plan once = new Rounds.Plan(0, 1, Duration.ofMillis(5));
    return new FileSuite.Plan(once, 3, false, once, List.of(100, 101), inMany, 7);
  }

  @Test
  void measure_everything_eachRowHasFigures_andNoFileIsLeft() throws IOException {
    String text = new FileSuite().measure(options(true, false), plan(List.of(10, 20, 30)));

    List<String> rows = text.lines().filter(line -> line.startsWith("| ")).toList();
    // Three heads; six ways of updating less one of the baseline and one of SQLite, with 1 and 8
    // threads; creating and finishing; six operations at two and at three sizes.
    assertThat(rows).hasSize(3 + 2 * 4 + 2 + 2 * 6);
    assertThat(rows).filteredOn(row -> row.contains(" SQLite")).hasSize(2);
    assertThat(rows).filteredOn(row -> row.contains(" H2 MVStore ")).hasSize(2);
    assertThat(rows).filteredOn(row -> row.contains("7 partitions | 10 | 20 | 30 |")).hasSize(1);
    assertThat(text).doesNotContain("NaN", "Infinity", "∞");
    assertThat(folder).isEmptyDirectory();
    assertThat(progress.toString(StandardCharsets.UTF_8)).contains("filling 30 records into 7");
  }

  @Test
  void measure_noRoom_isRefusedBeforeAnythingIsMade() {
    FileSuite.Plan huge = plan(List.of(Integer.MAX_VALUE, Integer.MAX_VALUE));

    assertThatThrownBy(() -> new FileSuite().measure(options(false, true), huge))
        .isInstanceOf(Suite.MeasurementException.class)
        .hasMessageContaining("no room")
        .hasMessageContaining("--directory");
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void plan_withoutMillion_hasAllButTheLargest() {
    List<Integer> most = FileSuite.Plan.of(options(false, false)).inMany();
    List<Integer> all = FileSuite.Plan.of(options(false, true)).inMany();

    assertThat(all).startsWith(most.toArray(new Integer[0])).endsWith(1_000_000);
    assertThat(all).hasSize(most.size() + 1);
  }

  @Test
  void plan_quick_isSmall() {
    FileSuite.Plan quick = FileSuite.Plan.of(options(true, true));

    assertThat(quick.inMany()).allMatch(size -> size <= 1_000);
    assertThat(quick.inOne()).allMatch(size -> size <= 1_000);
  }
}
