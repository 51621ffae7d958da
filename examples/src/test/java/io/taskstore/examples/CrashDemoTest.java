// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.examples.Programs.Outcome;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The demo that kills its server, as it is run. */
@Timeout(120)
class CrashDemoTest {
  private static final int FILES = 60;
  private static final Pattern RESUMED = Pattern.compile("resumed behind (\\S+): (\\d+) files .*");

  @TempDir Path temp;
  private Path folder;
  private Programs programs;

  @BeforeEach
  void createFolder() throws IOException {
    programs = new Programs(temp);
    folder = Files.createDirectory(temp.resolve("folder")).toRealPath();
  }

  /** Fewer than would be stored if nobody watched. */
  private void fill() throws IOException {
    assertThat(FILES).isLessThan(FolderDigest.CHECKPOINT_ENTRIES);
    for (int i = 100; i < 100 + FILES; i++) {
      Files.writeString(folder.resolve("file." + i), "one two\n".repeat(i));
    }
  }

  private String store() {
    return "file:" + temp.resolve("store");
  }

  /** The table and the digest; what it took to get there differs. */
  private static List<String> result(List<String> out) {
    int first = out.indexOf("") + 1;
    int last = out.lastIndexOf("");
    assertThat(first).isPositive().isLessThan(last);
    List<String> lines = new ArrayList<>(out.subList(first, last));
    lines.add(out.get(last + 1));
    return lines;
  }

  @Test
  void crash_redis_goesOnFromWhereItWasKilled_andIsTheSameInTheEnd()
      throws IOException, InterruptedException {
    try (RedisServer server = RedisServer.start()) {
      assertGoesOn(server.url());
    }
  }

  @Test
  void crash_dynamoDb_goesOnFromWhereItWasKilled_andIsTheSameInTheEnd()
      throws IOException, InterruptedException {
    try (DynamoDbServer server = DynamoDbServer.start()) {
      assertGoesOn(DynamoDbTable.make(server));
    }
  }

  @Test
  void crash_goesOnFromWhereItWasKilled_andIsTheSameInTheEnd()
      throws IOException, InterruptedException {
    assertGoesOn(store());
  }

  private void assertGoesOn(String store) throws IOException, InterruptedException {
    fill();
    List<String> uninterrupted =
        result(programs.runDemo("--store", store, folder.toString()).out().lines().toList());
    assertThat(uninterrupted).last().asString().startsWith("sha256 of all: ");

    Process process =
        programs.demo("--crash", "--audit", "--store", store, folder.toString()).start();
    BufferedReader reader = process.inputReader(StandardCharsets.UTF_8);
    List<String> out = new ArrayList<>();
    for (String line; (line = reader.readLine()) != null; ) {
      out.add(line);
      if (line.startsWith("killing the server")) {
        // Whoever begins anew reads something else.
        Files.writeString(folder.resolve("file.100"), "changed\n");
      }
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();

    List<String> err = programs.errorLines("demo");
    assertThat(process.exitValue()).as(() -> out + "\n" + err).isZero();
    assertThat(result(out)).isEqualTo(uninterrupted);
    assertThat(out)
        .filteredOn(line -> line.startsWith("killing the server (SIGKILL) at "))
        .singleElement()
        .asString()
        .endsWith(" of " + FILES + " files");
    String resumed = out.stream().filter(RESUMED.asMatchPredicate()).findFirst().orElseThrow();
    Matcher matcher = RESUMED.matcher(resumed);
    assertThat(matcher.matches()).isTrue();
    int files = Integer.parseInt(matcher.group(2));
    assertThat(files).as("some were done, and some were not").isBetween(1, FILES - 1);
    assertThat(matcher.group(1)).as("in order").isEqualTo("file." + (100 + files - 1));
    assertThat(err)
        .as("nothing but the audit log")
        .allMatch(line -> line.startsWith("server: INFO: {\"at\":"))
        .satisfiesOnlyOnce(line -> assertThat(line).contains("\"event\":\"created\""))
        .satisfiesOnlyOnce(line -> assertThat(line).contains("\"event\":\"lease_taken\""))
        .noneMatch(line -> line.contains("\"event\":\"lease_released\""));
  }

  @Test
  void crash_terminatedAfterTheKill_cancelsTheTaskWithTheNextServer()
      throws IOException, InterruptedException {
    fill();
    Process process = programs.demo("--crash", "--store", store(), folder.toString()).start();
    BufferedReader reader = process.inputReader(StandardCharsets.UTF_8);
    List<String> out = new ArrayList<>();
    for (String line; (line = reader.readLine()) != null; ) {
      out.add(line);
      if (line.startsWith("killing the server")) {
        process.toHandle().destroy();
      }
    }

    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(128 + 15);
    assertThat(out)
        .as(() -> String.valueOf(process.info()))
        .last()
        .asString()
        .matches("cancelled: \\d+ of " + FILES + " files");
  }

  @Test
  void crash_twoFiles_isResumedBehindTheFirst() throws IOException, InterruptedException {
    Files.writeString(folder.resolve("a"), "the large one\n".repeat(10_000));
    Files.writeString(folder.resolve("b"), "");

    Outcome outcome = programs.runDemo("--crash", "--store", store(), folder.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out().lines()).contains("resumed behind a: 1 files were done");
  }

  @Test
  void crash_emptyFiles_isResumedToo() throws IOException, InterruptedException {
    for (int i = 0; i < 5; i++) {
      Files.writeString(folder.resolve("empty." + i), "");
    }

    Outcome outcome = programs.runDemo("--crash", "--store", store(), folder.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out().lines()).anyMatch(RESUMED.asMatchPredicate());
  }

  @Test
  void crash_nothingToKillAtHalf_saysSo() throws IOException, InterruptedException {
    Outcome empty = programs.runDemo("--crash", "--store", store(), folder.toString());
    Files.writeString(folder.resolve("a"), "x\n");
    Outcome single = programs.runDemo("--crash", "--store", store(), folder.toString());

    assertThat(empty.err().lines())
        .containsExactly("there is nothing to kill at half: the folder has no files");
    assertThat(empty.exitCode()).isZero();
    assertThat(single.err().lines())
        .containsExactly("there is nothing to kill at half: the folder has one file only");
    assertThat(single.exitCode()).isZero();
    assertThat(empty.out() + single.out()).doesNotContain("killing");
  }

  @Test
  void crash_memory_isWrongUsage() throws IOException, InterruptedException {
    ProcessBuilder ofEnvironment = programs.demo("--crash", folder.toString());
    ofEnvironment.environment().put("TASKSTORE_URL", "memory:?maxRecords=9");

    assertMemoryRefused(programs.runDemo("--crash", "--store", "memory:", folder.toString()));
    assertMemoryRefused(programs.outcome("demo", ofEnvironment.start()));
  }

  private static void assertMemoryRefused(Outcome outcome) {
    assertThat(outcome.err().lines())
        .containsExactly(
            "examples/run: --crash needs a store that outlives the server, as file: does: with"
                + " memory: the task would be gone with it (see --help)");
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(2);
  }
}
