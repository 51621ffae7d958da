// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The programs of the system, to compare with. */
final class Tools {
  private Tools() {}

  /** Skips the test where one of the programs is missing. */
  static void assumeOnPath(String... programs) {
    for (String program : programs) {
      boolean found =
          Stream.of(System.getenv("PATH").split(File.pathSeparator))
              .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
      assumeThat(found).as("needs the program %s", program).isTrue();
    }
  }

  /**
   * Runs a script of the shell in a folder and returns what it prints, without the last newline.
   */
  static String shell(Path folder, String script) throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(List.of("bash", "-c", "set -o pipefail; " + script));
    builder.directory(folder.toFile()).redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("LC_ALL", "C");
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("the script ends").isTrue();
    assertThat(process.exitValue()).as("exit code of %s", script).isZero();
    return output.stripTrailing();
  }

  /** Whether wc takes a run of bytes for a word that has nothing printable in it. */
  static boolean wcCountsUnprintableWords() throws IOException, InterruptedException {
    return shell(Path.of("."), "printf '\\001' | wc -w").strip().equals("1");
  }
}
