// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/** The blocks of code in README.md and docs/, and how to compile and load those of Java. */
final class DocumentedCode {
  static final Path ROOT = Path.of("..");

  private static final Pattern CLASS_NAME =
      Pattern.compile(
          "^(?:public )?(?:final )?(?:class|record|interface) (\\w+)", Pattern.MULTILINE);

  private DocumentedCode() {}

  /** The blocks of a language in a document. */
  static List<String> blocks(Path document, String language) throws IOException {
    return blocks(Files.readString(document, StandardCharsets.UTF_8), language);
  }

  private static List<String> blocks(String text, String language) {
    Matcher matcher =
        Pattern.compile("^```" + language + "\\n(.*?)^```", Pattern.MULTILINE | Pattern.DOTALL)
            .matcher(text);
    List<String> blocks = new ArrayList<>();
    while (matcher.find()) {
      blocks.add(matcher.group(1));
    }
    return blocks;
  }

  /** The first block of a language in {@code docs/tasks.md} under a heading. */
  static String block(String heading, String language) throws IOException {
    String text = Files.readString(ROOT.resolve("docs/tasks.md"), StandardCharsets.UTF_8);
    int begin = text.indexOf("\n" + heading + "\n");
    assertThat(begin).as("the heading %s", heading).isNotNegative();
    int end = text.indexOf("\n#", begin + 1);
    return blocks(text.substring(begin, end), language).get(0);
  }

  /** Compiles a whole source file with all warnings; returns the name of its class. */
  static String compile(String code, Path output) {
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
    return name.group(1);
  }

  /** Compiles the first block of Java under a heading, and makes an instance of its class. */
  static <T> T instance(
      Class<T> type, String heading, Path output, Class<?> parameter, Object argument)
      throws IOException, ReflectiveOperationException {
    String name = compile(block(heading, "java"), output);
    try (URLClassLoader loader =
        new URLClassLoader(
            new URL[] {output.toUri().toURL()}, DocumentedCode.class.getClassLoader())) {
      var constructor = loader.loadClass(name).getDeclaredConstructor(parameter);
      constructor.setAccessible(true);
      return type.cast(constructor.newInstance(argument));
    }
  }
}
