// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ReportTest {
  private static final JmhSuite SUITE =
      new JmhSuite(
          "some",
          "Some things",
          List.of(
              new JmhSuite.Row("do it", Report.class, Map.of(), "ours", "raw", "`do`"),
              new JmhSuite.Row(
                  "do more", Report.class, Map.of("size", "16"), "ours", "raw", "`do`")));
  private static final JmhSuite.Row PLAIN = SUITE.rows().get(0);
  private static final JmhSuite.Row SIZED = SUITE.rows().get(1);
  private static final String DOCUMENT =
      """
      Before.
      <!-- benchmark:some:begin -->
      old
      <!-- benchmark:some:end -->
      After.
      <!-- benchmark:other:begin -->
      <!-- benchmark:other:end -->
      """;

  @Test
  void table_hasOneLineForEachRow() {
    String table =
        Report.table(
            SUITE,
            Map.of(
                PLAIN.ours(), new Measured(12_345_678, 370_000, 1_234.4),
                PLAIN.raw(), new Measured(24_691_356, 1_000_000, 0.0004),
                SIZED.ours(), new Measured(0.789, 0.01, 56),
                SIZED.raw(), new Measured(79.4, Double.NaN, 7.5)),
            "Here and now.");

    assertThat(table)
        .isEqualTo(
            """
            **Some things.** Here and now.

            | Operation | Ours, ops/s | Raw baseline | Raw, ops/s | Ours / raw | Ours, B/op | Raw, B/op |
            |---|--:|---|--:|--:|--:|--:|
            | do it | 12,300,000 ± 3 % | `do` | 24,700,000 ± 4 % | 0.50 | 1,230 | 0 |
            | do more | 0.789 ± 1 % | `do` | 79.4 ± ? | 0.0099 | 56 | 8 |
            """);
  }

  @Test
  void table_resultOfABenchmarkMissing_isRefused() {
    Measured measured = new Measured(1, 1, 1);

    assertThatThrownBy(
            () ->
                Report.table(
                    SUITE,
                    Map.of(PLAIN.ours(), measured, PLAIN.raw(), measured, SIZED.raw(), measured),
                    ""))
        .hasMessageContaining("do more")
        .hasMessageContaining("Report.ours with {size=16}");
  }

  @Test
  void table_resultOfABaselineMissing_isRefused() {
    assertThatThrownBy(() -> Report.table(SUITE, Map.of(PLAIN.ours(), new Measured(1, 1, 1)), ""))
        .hasMessageContaining("do it")
        .hasMessageContaining("Report.raw");
  }

  @Test
  void insert_replacesWhatIsBetweenTheMarkers_andNothingElse() {
    assertThat(Report.insert(DOCUMENT, "some", "new\n"))
        .isEqualTo(DOCUMENT.replace("old\n", "new\n"));
  }

  @Test
  void insert_twice_isAsOnce() {
    String once = Report.insert(DOCUMENT, "other", "new\n");

    assertThat(Report.insert(once, "other", "new\n")).isEqualTo(once);
  }

  @Test
  void insert_markersMissing_isRefused() {
    String begin = "<!-- benchmark:some:begin -->";
    String end = "<!-- benchmark:some:end -->";

    assertThatThrownBy(() -> Report.insert(DOCUMENT, "none", ""))
        .hasMessageContaining("<!-- benchmark:none:begin -->");
    assertThatThrownBy(() -> Report.insert(DOCUMENT.replace(end, ""), "some", ""))
        .hasMessageContaining(end);
    assertThatThrownBy(() -> Report.insert(DOCUMENT + begin, "some", ""))
        .hasMessageContaining("two lines");
    assertThatThrownBy(() -> Report.insert(end + begin, "some", ""))
        .hasMessageContaining("stands before");
  }
}
