// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BenchmarksTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @TempDir Path folder;

  private int run(String... args) {
    return new Benchmarks(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            folder)
        .run(List.of(args));
  }

  private String out() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private String err() {
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void help_listsEverySuite() {
    assertThat(run("--help")).isZero();
    assertThat(out())
        .contains(
            "--quick",
            "  codec ",
            "  memory ",
            "  store ",
            "  file ",
            "  redis ",
            "  dynamodb ",
            "  all ");
  }

  @Test
  void unknownName_listsTheKnownOnes() {
    assertThat(run("nope")).isEqualTo(2);
    assertThat(err())
        .contains(
            "nope",
            "codec, memory, store, handlers, start, waiters, memory-sizes, memory-heap, file, redis,"
                + " redis-sizes, redis-memory, dynamodb, dynamodb-sizes, dynamodb-ratios,"
                + " dynamodb-first-call, all, plots");
  }

  @Test
  void wrongUsage_saysWhatIsWrong() {
    assertThat(run()).isEqualTo(2);
    assertThat(run("codec", "memory")).isEqualTo(2);
    assertThat(run("--fast", "codec")).isEqualTo(2);
    assertThat(err()).contains("name one suite", "--fast");
  }

  @Test
  void directoryWrong_saysWhatIsWrong() {
    assertThat(run("file", "--directory")).isEqualTo(2);
    assertThat(err()).contains("--directory needs a directory");
    assertThat(run("--directory", folder.resolve("none").toString(), "file")).isEqualTo(2);
    assertThat(err()).contains("there is no directory", "none");
  }

  @Test
  void optionsOfFile_areNoNames() {
    assertThat(run("--directory", folder.toString(), "--without-million", "file")).isEqualTo(1);
    assertThat(err()).contains("docs/performance.md cannot be read");
  }

  @Test
  void documentMissing_isSaidBeforeAnythingRuns() {
    assertThat(run("memory")).isEqualTo(1);
    assertThat(err()).contains("docs/performance.md cannot be read");
    assertThat(out()).isEmpty();
  }

  @Test
  void markersMissing_isSaidBeforeAnythingRuns() throws IOException {
    Files.writeString(folder.resolve("performance.md"), "nothing");

    assertThat(run("memory")).isEqualTo(1);
    assertThat(err()).contains("left as it is", "<!-- benchmark:memory:begin -->");
    assertThat(out()).isEmpty();
  }

  @Test
  void markersMissingInTheSecondDocument_isSaidBeforeAnythingRuns() throws IOException {
    Files.writeString(
        folder.resolve("performance.md"),
        "<!-- benchmark:dynamodb:begin -->\n<!-- benchmark:dynamodb:end -->");
    Files.createDirectory(folder.resolve("backends"));
    Files.writeString(folder.resolve("backends").resolve("dynamodb.md"), "nothing");

    assertThat(run("dynamodb")).isEqualTo(1);
    assertThat(err()).contains("docs/backends/dynamodb.md is left as it is");
    assertThat(out()).isEmpty();
  }

  @Test
  void documents_haveMarkersOfEverySuite() throws IOException {
    for (Suite suite : Suites.ALL) {
      for (String name : suite.documents()) {
        String document =
            Files.readString(Path.of("..", "docs").resolve(name), StandardCharsets.UTF_8);
        assertThat(Report.insert(document, suite.name(), "new")).contains("new");
      }
    }
  }
}
