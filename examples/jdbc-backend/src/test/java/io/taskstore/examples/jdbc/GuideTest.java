// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** All code in the guide for authors of backends is code of this module, which is tested. */
final class GuideTest {
  private static final Path GUIDE = Path.of("..", "..", "docs", "writing-a-backend.md");
  private static final Path BACKEND =
      Path.of("src/main/java/io/taskstore/examples/jdbc/JdbcStorageBackend.java");

  private static final Pattern BLOCK =
      Pattern.compile("^```java\\n(.*?)^```", Pattern.MULTILINE | Pattern.DOTALL);

  private static List<String> sources() throws IOException {
    List<String> sources = new ArrayList<>();
    try (Stream<Path> files = Files.walk(Path.of("src"))) {
      for (Path file : files.filter(path -> path.toString().endsWith(".java")).toList()) {
        sources.add(Files.readString(file));
      }
    }
    return sources;
  }

  @TestFactory
  Stream<DynamicTest> block_standsInTheSources() throws IOException {
    List<String> sources = sources();
    List<String> blocks =
        BLOCK
            .matcher(Files.readString(GUIDE))
            .results()
            .map((MatchResult r) -> r.group(1))
            .toList();
    assertThat(blocks).as("the blocks of Java in the guide").hasSizeGreaterThan(8);
    return blocks.stream()
        .map(
            block ->
                DynamicTest.dynamicTest(
                    block.strip().lines().findFirst().orElseThrow(),
                    () ->
                        assertThat(sources)
                            .as("the code of this module, which has%n%s", block)
                            .anyMatch(source -> source.contains(block))));
  }

  @Test
  void backend_hasFewerThanTwoHundredLines_asTheGuideSays() throws IOException {
    long lines;
    try (Stream<String> all = Files.lines(BACKEND)) {
      lines = all.count();
    }

    assertThat(lines).isLessThan(200);
    assertThat(Files.readString(GUIDE)).contains(lines + " lines");
  }
}
