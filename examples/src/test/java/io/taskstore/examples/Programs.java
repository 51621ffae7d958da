// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The demo and the server as they are run: as processes. Without {@code --store} they keep their
 * tasks in the test's folder, never in that of the user who runs the tests, whatever else that user
 * has set.
 */
final class Programs {
  private static final int TIMEOUT_SECONDS = 60;

  /** What DynamoDB Local takes; and nothing of this machine, nor of one in Amazon's cloud. */
  private static final Map<String, String> AWS =
      Map.of(
          "AWS_ACCESS_KEY_ID", "local",
          "AWS_SECRET_ACCESS_KEY", "local",
          "AWS_CONFIG_FILE", "/dev/null",
          "AWS_SHARED_CREDENTIALS_FILE", "/dev/null",
          "AWS_EC2_METADATA_DISABLED", "true");

  private final Path temp;

  /**
   * @param temp for the store and what they write to standard error
   */
  Programs(Path temp) {
    this.temp = temp;
  }

  /** What a process has printed. */
  record Outcome(int exitCode, String out, String err) {}

  /** The directory in which they keep their tasks if they are not told otherwise. */
  Path defaultStore() {
    return temp.resolve("state").resolve(StateDirectory.NAME);
  }

  /** What the last program of this name has written to standard error. */
  List<String> errorLines(String name) throws IOException {
    return Files.readAllLines(errorFile(name), StandardCharsets.UTF_8);
  }

  private Path errorFile(String name) {
    return temp.resolve(name + ".err");
  }

  ProcessBuilder demo(String... arguments) {
    return program("demo", DigestDemo.class, arguments);
  }

  ProcessBuilder server(String... arguments) {
    return program("server", DigestServer.class, arguments);
  }

  ProcessBuilder program(String name, Class<?> main, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // They are short-lived: what counts is how soon they are there.
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-Dfile.encoding=UTF-8", "-cp", System.getProperty("java.class.path")));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(variable -> variable.startsWith("TASKSTORE_"));
    useDynamoDbLocal(builder.environment());
    builder.environment().put("XDG_STATE_HOME", temp.resolve("state").toString());
    builder.redirectError(errorFile(name).toFile());
    return builder;
  }

  static void useDynamoDbLocal(Map<String, String> environment) {
    environment.keySet().removeIf(variable -> variable.startsWith("AWS_"));
    environment.putAll(AWS);
  }

  Outcome runDemo(String... arguments) throws IOException, InterruptedException {
    return outcome("demo", demo(arguments).start());
  }

  Outcome runServer(String... arguments) throws IOException, InterruptedException {
    return outcome("server", server(arguments).start());
  }

  /** Ends the input of a process and waits for its end. */
  Outcome outcome(String name, Process process) throws IOException, InterruptedException {
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).as("the %s ends", name).isTrue();
    return new Outcome(process.exitValue(), out, Files.readString(errorFile(name)));
  }
}
