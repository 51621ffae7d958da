// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** A JVM that has just started, does something once, and prints how long that took. */
final class ChildJvm {
  static final List<String> OPTIONS = List.of("-Xmx512m");

  private ChildJvm() {}

  /** Runs a class with a main method, and returns what it prints. */
  static String run(Class<?> program, String... args) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(OPTIONS);
    // or the SDK's client would send a write again whose answer was lost
    command.add("-Dsun.net.http.retryPost=false");
    command.add(program.getName());
    command.addAll(List.of(args));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    Map<String, String> environment = builder.environment();
    // Unlike an argument, a variable may be as long as class paths are.
    environment.put("CLASSPATH", System.getProperty("java.class.path"));
    environment.put("AWS_ACCESS_KEY_ID", "local");
    environment.put("AWS_SECRET_ACCESS_KEY", "local");
    Process process = builder.start();
    try (InputStream printed = process.getInputStream()) {
      process.getOutputStream().close();
      String text = new String(printed.readAllBytes(), StandardCharsets.UTF_8);
      int code = process.waitFor();
      if (code != 0) {
        throw new IllegalStateException("the child process has failed: " + code + " " + text);
      }
      return text;
    } finally {
      process.destroyForcibly();
    }
  }

  /** The figures that a child has printed, separated by blanks. */
  static List<Double> figures(String printed, int count) {
    String[] parts = printed.strip().split(" ", -1);
    if (parts.length != count) {
      throw new IllegalStateException("the child process has failed: " + printed);
    }
    return Stream.of(parts).map(Double::valueOf).toList();
  }

  static String millis(long nanos) {
    return String.format(Locale.ROOT, "%.1f", nanos / 1e6);
  }

  /** The median, as a cell of a table. */
  static String cell(List<Double> millis) {
    return " | " + Report.figure(Spread.of(millis).median()) + " ms";
  }
}
