// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every block of Java in README.md and in docs/ is a whole source file that compiles; but for the
 * guide for authors of backends, whose code is that of an example, where a test compares it.
 */
class DocumentedCodeTest {
  @TempDir Path output;

  private static List<Path> documents() throws IOException {
    try (Stream<Path> docs = Files.walk(DocumentedCode.ROOT.resolve("docs"))) {
      List<Path> all =
          new ArrayList<>(
              docs.filter(p -> p.toString().endsWith(".md"))
                  .filter(p -> !p.endsWith("writing-a-backend.md"))
                  .sorted()
                  .toList());
      all.add(0, DocumentedCode.ROOT.resolve("README.md"));
      return all;
    }
  }

  @TestFactory
  Stream<DynamicTest> block_compiles() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path document : documents()) {
      int number = 1;
      for (String code : DocumentedCode.blocks(document, "java")) {
        tests.add(
            DynamicTest.dynamicTest(
                document.getFileName() + " block " + number++,
                () -> DocumentedCode.compile(code, output)));
      }
    }
    return tests.stream();
  }

  @Test
  void readme_showsCodeOnItsFirstScreen() throws IOException {
    List<String> lines =
        Files.readAllLines(DocumentedCode.ROOT.resolve("README.md"), StandardCharsets.UTF_8);

    assertThat(lines.indexOf("```java")).isBetween(1, 25);
  }
}
