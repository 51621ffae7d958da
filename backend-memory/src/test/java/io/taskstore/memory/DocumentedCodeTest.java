// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every block of Java in README.md and in docs/ is a whole source file that compiles. */
class DocumentedCodeTest {
  private static final Path ROOT = Path.of("..");
  private static final Pattern BLOCK =
      Pattern.compile("^```java\\n(.*?)^```", Pattern.MULTILINE | Pattern.DOTALL);
  private static final Pattern CLASS_NAME =
      Pattern.compile(
          "^(?:public )?(?:final )?(?:class|record|interface) (\\w+)", Pattern.MULTILINE);

  @TempDir Path output;

  private static List<Path> documents() throws IOException {
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      List<Path> all =
          new ArrayList<>(docs.filter(p -> p.toString().endsWith(".md")).sorted().toList());
      all.add(0, ROOT.resolve("README.md"));
      return all;
    }
  }

  private static List<String> blocks(Path document) throws IOException {
    Matcher matcher = BLOCK.matcher(Files.readString(document, StandardCharsets.UTF_8));
    List<String> blocks = new ArrayList<>();
    while (matcher.find()) {
      blocks.add(matcher.group(1));
    }
    return blocks;
  }

  @TestFactory
  Stream<DynamicTest> block_compiles() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path document : documents()) {
      int number = 1;
      for (String code : blocks(document)) {
        tests.add(
            DynamicTest.dynamicTest(
                document.getFileName() + " block " + number++, () -> compile(code)));
      }
    }
    return tests.stream();
  }

  private void compile(String code) {
    Matcher name = CLASS_NAME.matcher(code);
    assertThat(name.find()).as("a class in %s", code).isTrue();
    JavaFileObject source =
        new SimpleJavaFileObject(
            URI.create("string:///" + name.group(1) + ".java"), JavaFileObject.Kind.SOURCE) {
          @Override
          public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return code;
          }
        };
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    boolean compiled =
        compiler
            .getTask(
                messages,
                null,
                null,
                List.of(
                    "-d",
                    output.toString(),
                    "-classpath",
                    System.getProperty("java.class.path"),
                    "-Xlint:all,-classfile,-path",
                    "-proc:none",
                    "-Werror"),
                null,
                List.of(source))
            .call();
    assertThat(compiled).as("%s%n%s", messages, code).isTrue();
  }

  @Test
  void readme_showsCodeOnItsFirstScreen() throws IOException {
    List<String> lines = Files.readAllLines(ROOT.resolve("README.md"), StandardCharsets.UTF_8);

    assertThat(lines.indexOf("```java")).isBetween(1, 25);
  }
}
