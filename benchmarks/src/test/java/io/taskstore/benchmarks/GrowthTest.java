// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class GrowthTest {
  private static final Path DOCS = Path.of("..", "docs");

  @Test
  void in_tableOfSizes_isReadAsItIsWritten() {
    SizesTable table = new SizesTable("Tasks", List.of(10, 1_000));
    table.add(
        "`get`, any",
        Map.of(
            "10", new Rounds.Rates(List.of(2_000.0)), "1,000", new Rounds.Rates(List.of(1_600.0))));

    List<Growth> found = Growth.in("text\n\n| Not | a size |\n|---|--:|\n| 1 | 2 |\n\n" + table);

    assertThat(found)
        .containsExactly(
            new Growth("Tasks", List.of(10, 1_000), Map.of("get, any", List.of(1.0, 1.25))));
  }

  @Test
  void in_tableWithoutRatios_isRefused() {
    assertThatThrownBy(() -> Growth.in("| Tasks | 10 | 20 |\n|---|--:|--:|\n| get | 1 | 2 |"))
        .isInstanceOf(Report.ReportException.class)
        .hasMessage("no ratio stands in \"2\"");
  }

  @Test
  void svg_namesTheOperations() {
    Growth growth =
        new Growth(
            "Tasks",
            List.of(10, 1_000),
            Map.of("get", List.of(1.0, 1.25), "list", List.of(1.0, 0.9)));

    assertThat(growth.svg()).contains("<svg", "<circle", growth.description());
    assertThat(growth.description()).contains("Tasks", "1000", "get", "1.25", "0.9");
  }

  /** Pictures of other tables than those in the document would show what was measured before. */
  @Test
  void document_eachTableOfSizes_hasItsPicture() throws IOException {
    String document = Files.readString(DOCS.resolve("performance.md"));
    TreeSet<String> shown = new TreeSet<>();
    for (Suite suite : Suites.ALL) {
      List<Growth> growths = Growth.in(Report.extract(document, suite.name()));
      for (int i = 0; i < growths.size(); i++) {
        String name = "plots/%s-%d.svg".formatted(suite.name(), i + 1);
        shown.add(name);
        assertThat(document).contains("](" + name + ")");
        String svg = Files.readString(DOCS.resolve(name));
        assertThat(svg).contains(growths.get(i).description());
      }
    }
    try (var files = Files.list(DOCS.resolve("plots"))) {
      assertThat(files.map(file -> "plots/" + file.getFileName()))
          .containsExactlyInAnyOrderElementsOf(shown);
    }
  }
}
