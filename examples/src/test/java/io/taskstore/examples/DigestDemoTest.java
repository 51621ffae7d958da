// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The demo and the server as they are run: as processes. */
@Timeout(120)
class DigestDemoTest {
  private static final int TIMEOUT_SECONDS = 60;

  @TempDir Path temp;
  private Path folder;

  @BeforeEach
  void createFolder() throws IOException {
    folder = Files.createDirectory(temp.resolve("it's a folder")).toRealPath();
    Files.writeString(folder.resolve("a.txt"), "one two\n");
    Files.writeString(folder.resolve("b.md"), "# three\n");
  }

  /** What a process has printed. */
  private record Outcome(int exitCode, String out, String err) {}

  private static List<String> java(Class<?> main, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Dfile.encoding=UTF-8", "-cp", System.getProperty("java.class.path")));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    return command;
  }

  private ProcessBuilder demo(String... arguments) {
    ProcessBuilder builder = new ProcessBuilder(java(DigestDemo.class, arguments));
    builder.redirectError(temp.resolve("err").toFile());
    return builder;
  }

  private Outcome outcome(Process process, String outSoFar)
      throws IOException, InterruptedException {
    process.getOutputStream().close();
    String out =
        outSoFar + new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).as("the demo ends").isTrue();
    return new Outcome(process.exitValue(), out, Files.readString(temp.resolve("err")));
  }

  private Outcome run(String... arguments) throws IOException, InterruptedException {
    return outcome(demo(arguments).start(), "");
  }

  /** A folder that takes long to read and no room. */
  private Path hugeFolder() throws IOException {
    Path huge = Files.createDirectory(temp.resolve("huge"));
    File file = huge.resolve("huge.bin").toFile();
    try (RandomAccessFile sparse = new RandomAccessFile(file, "rw")) {
      sparse.setLength(64L << 30);
    }
    return huge;
  }

  private void assertUsageError(Outcome outcome, String line) {
    assertThat(outcome.err().lines()).containsExactly("examples/run: " + line + " (see --help)");
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(2);
  }

  @Test
  void demo_printsProgressAndTable() throws IOException, InterruptedException {
    Outcome outcome = run(folder.toString());

    FolderState expected =
        new FolderDigest(folder, FolderState.START, watched -> {}, state -> {}).run();
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out().lines())
        .anyMatch(line -> line.matches("task \\S+ digests \\Q" + folder + "\\E"))
        .contains(
            "  0%  counting files",
            "100%  2 of 2 files",
            "type   files  lines  words  bytes",
            "md         1      1      2      8",
            "txt        1      1      2      8",
            "total      2      2      4     16",
            "sha256 of all: " + expected.listing().sha256())
        .noneMatch(line -> line.contains("\r"));
  }

  @Test
  void demo_commandsToCompare_agree() throws IOException, InterruptedException {
    Tools.assumeOnPath("bash", "find", "sort", "xargs", "sha256sum", "wc", "tail");
    List<String> lines = run(folder.toString()).out().lines().toList();

    int first = lines.indexOf("  cd '" + temp.toRealPath() + "/it'\\''s a folder'");
    assertThat(first).isPositive();
    String output = Tools.shell(temp, String.join("\n", lines.subList(first, lines.size())) + " ");

    String sha256 =
        lines.stream()
            .filter(line -> line.startsWith("sha256 of all: "))
            .findFirst()
            .orElseThrow()
            .substring("sha256 of all: ".length());
    assertThat(output.lines().map(line -> line.strip().replaceAll(" +", " ")))
        .containsExactly("2", "2 4 16 total", sha256 + " -");
  }

  @Test
  void demo_localeC_readsAllNames() throws IOException, InterruptedException {
    Tools.assumeOnPath("bash", "find", "sort", "xargs", "sha256sum");
    try {
      Files.writeString(folder.resolve("größe \uD83D\uDE00.txt"), "x\n");
    } catch (InvalidPathException e) {
      assumeThat(e).as("needs a locale in which file names are Unicode").isNull();
    }
    ProcessBuilder builder = demo(folder.toString());
    builder.environment().put("LC_ALL", "C");

    Outcome outcome = outcome(builder.start(), "");

    String listing =
        Tools.shell(folder, "find . -type f -print0 | sort -z | xargs -0r sha256sum | sha256sum");
    assertThat(outcome.out()).contains("sha256 of all: " + listing.substring(0, 64));
    assertThat(outcome.exitCode()).isZero();
  }

  @Test
  void demo_mistakes_areOneLine() throws IOException, InterruptedException {
    assertUsageError(
        run("--store", "ftp://x", folder.toString()),
        "Invalid value for option '--store': unknown store: ftp: (supported: memory:)");
    assertUsageError(run(temp + "/missing"), "no such folder: " + temp + "/missing");
    assertUsageError(run(folder + "/a.txt"), "not a folder: " + folder + "/a.txt");
    assertUsageError(run("--bogus"), "Unknown option: '--bogus'");
    assertUsageError(
        run("--ask-above", "-1"),
        "Invalid value for option '--ask-above': not a number from 0 on: -1");
    assertUsageError(
        run("--yes", "--no"), "Error: --yes, --no are mutually exclusive (specify only one)");
  }

  @Test
  void demo_help() throws IOException, InterruptedException {
    Outcome outcome = run("--help");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .contains("examples/run", "--store", "--cancel-after", "--ask-above", "--no", "FOLDER");
  }

  @Test
  void demo_cancelAfter_cancelsTheTask() throws IOException, InterruptedException {
    Outcome outcome = run("--cancel-after", "0", hugeFolder().toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("cancelled: 0 of 1 files").doesNotContain("total");
    assertThat(outcome.exitCode()).isEqualTo(130);
  }

  @Test
  void demo_taskAsks_saysYesWithoutATerminal() throws IOException, InterruptedException {
    Outcome outcome = run("--ask-above", "1", folder.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out().lines())
        .containsOnlyOnce(folder + " has more than 1 files. Digest it all the same? yes")
        .contains("100%  2 of 2 files");
  }

  @Test
  void demo_taskAsks_no_isCancelled() throws IOException, InterruptedException {
    Outcome outcome = run("--ask-above", "1", "--no", folder.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(130);
    assertThat(outcome.out().lines())
        .contains(
            folder + " has more than 1 files. Digest it all the same? no",
            "cancelled: " + folder + " has more than 1 files, and the answer was not to digest it")
        .noneMatch(line -> line.contains("sha256"));
  }

  @Test
  void demo_taskAsks_asksOnTheTerminal() throws IOException, InterruptedException {
    ProcessBuilder builder = demo("--ask-above", "1", folder.toString());
    builder.command().add(1, "-Dtaskstore.examples.interactive=true");
    Process process = builder.start();
    process.getOutputStream().write("no\n".getBytes(StandardCharsets.UTF_8));

    Outcome outcome = outcome(process, "");

    assertThat(outcome.exitCode()).isEqualTo(130);
    assertThat(outcome.out())
        .contains(folder + " has more than 1 files. Digest it all the same? [y/N] ")
        .contains("cancelled: ");
  }

  @Test
  void demo_audit_showsWhatHappens() throws IOException, InterruptedException {
    Outcome outcome = run("--audit", folder.toString());

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.err().lines())
        .allMatch(line -> line.startsWith("server: INFO: {\"at\":"))
        .anyMatch(line -> line.contains("\"event\":\"created\""))
        .anyMatch(line -> line.contains("\"event\":\"completed\""));
  }

  @Test
  void demo_terminated_cancelsTheTaskAndLeavesNoServer() throws IOException, InterruptedException {
    // SIGTERM takes the way of Ctrl-C, and works also where SIGINT is ignored, as in some builds.
    Process process = demo(hugeFolder().toString()).start();
    BufferedReader reader = process.inputReader(StandardCharsets.UTF_8);
    String line = reader.readLine();
    assertThat(line).contains(" digests ");
    List<ProcessHandle> servers = process.descendants().toList();
    assertThat(servers).isNotEmpty();

    // Unlike Process.destroy, this leaves us what it prints.
    process.toHandle().destroy();

    String rest = String.join("\n", reader.lines().toList());
    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(rest).contains("cancelled: 0 of 1 files");
    assertThat(process.exitValue()).isEqualTo(128 + 15);
    assertThat(servers)
        .allSatisfy(server -> server.onExit().get(TIMEOUT_SECONDS, TimeUnit.SECONDS));
  }

  @Test
  void demo_serverDies_isOneLine() throws IOException, InterruptedException {
    Process process = demo(hugeFolder().toString()).start();
    String line = process.inputReader(StandardCharsets.UTF_8).readLine();
    assertThat(line).contains(" digests ");

    process.descendants().forEach(ProcessHandle::destroyForcibly);

    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(Files.readString(temp.resolve("err")).lines())
        .containsExactly("examples/run: the server has ended unexpectedly");
    assertThat(process.exitValue()).isEqualTo(1);
  }

  @Test
  void server_printsNothingButProtocol_andEndsWithItsInput()
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(java(DigestServer.class))
            .redirectError(temp.resolve("err").toFile())
            .start();
    RawClient client =
        new RawClient(process.getInputStream(), process.getOutputStream()).initialize();
    client.request("tools/list", Map.of());
    String id = client.call("digest_folder", Map.of("folder", folder.toString())).taskId();
    client.awaitEnd(id);
    client.callTask("task_result", id);
    client.callTask("task_result", "nonsense");
    client.call("digest_folder", Map.of("folder", "/no/such"));

    List<String> seen = client.finish();

    assertThat(process.waitFor(10, TimeUnit.SECONDS)).as("the server ends").isTrue();
    assertThat(process.exitValue()).isZero();
    assertThat(seen).hasSizeGreaterThanOrEqualTo(7).allSatisfy(RawClient::parse);
    assertThat(Files.readString(temp.resolve("err"))).isEmpty();
  }

  @Test
  void server_inputEnds_tasksAreGivenBack() throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(java(DigestServer.class, "--audit"))
            .redirectError(temp.resolve("err").toFile())
            .start();
    RawClient client =
        new RawClient(process.getInputStream(), process.getOutputStream()).initialize();
    client.call("digest_folder", Map.of("folder", hugeFolder().toString()));

    client.finish();

    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
    assertThat(Files.readString(temp.resolve("err")).lines())
        .last()
        .asString()
        .contains("\"event\":\"lease_released\"");
  }

  @Test
  void server_unknownStore_isOneLine() throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(java(DigestServer.class, "--store", "nowhere:"))
            .redirectError(temp.resolve("err").toFile())
            .start();

    Outcome outcome = outcome(process, "");

    assertThat(outcome.err().lines())
        .singleElement()
        .asString()
        .contains("unknown store: nowhere:");
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(2);
  }
}
