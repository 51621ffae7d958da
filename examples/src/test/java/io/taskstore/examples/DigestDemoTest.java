// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.taskstore.examples.Programs.Outcome;
import io.taskstore.testservers.DynamoDbServer;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
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
  private Programs programs;

  @BeforeEach
  void createFolder() throws IOException {
    programs = new Programs(temp);
    folder = Files.createDirectory(temp.resolve("it's a folder")).toRealPath();
    Files.writeString(folder.resolve("a.txt"), "one two\n");
    Files.writeString(folder.resolve("b.md"), "# three\n");
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
    Outcome outcome = programs.runDemo(folder.toString());

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
    List<String> lines = programs.runDemo(folder.toString()).out().lines().toList();

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
    ProcessBuilder builder = programs.demo(folder.toString());
    builder.environment().put("LC_ALL", "C");

    Outcome outcome = programs.outcome("demo", builder.start());

    String listing =
        Tools.shell(folder, "find . -type f -print0 | sort -z | xargs -0r sha256sum | sha256sum");
    assertThat(outcome.out()).contains("sha256 of all: " + listing.substring(0, 64));
    assertThat(outcome.exitCode()).isZero();
  }

  @Test
  void demo_mistakes_areOneLine() throws IOException, InterruptedException {
    assertUsageError(programs.runDemo(temp + "/missing"), "no such folder: " + temp + "/missing");
    assertUsageError(programs.runDemo(folder + "/a.txt"), "not a folder: " + folder + "/a.txt");
    assertUsageError(programs.runDemo("--bogus"), "Unknown option: '--bogus'");
    assertUsageError(
        programs.runDemo("--ask-above", "-1"),
        "Invalid value for option '--ask-above': not a number from 0 on: -1");
    assertUsageError(
        programs.runDemo("--yes", "--no"),
        "Error: --yes, --no are mutually exclusive (specify only one)");
  }

  @Test
  void demo_dynamoDbCannotBeUsed_isOneLine() throws IOException, InterruptedException {
    DynamoDbServer server = DynamoDbServer.start();
    String url = DynamoDbTable.url(server.port());
    ProcessBuilder nameless = programs.demo("--store", url, folder.toString());
    nameless.environment().remove("AWS_ACCESS_KEY_ID");
    Outcome noTable;
    Outcome noCredentials;
    try (server) {
      noTable = programs.runDemo("--store", url, folder.toString());
      noCredentials = programs.outcome("demo", nameless.start());
    }
    Outcome nobody = programs.runDemo("--store", url, folder.toString());

    String place = "DynamoDB at 127.0.0.1:" + server.port();
    assertCannotBeOpened(
        noTable,
        place
            + " has no table tasks, or none with the index active: make it with"
            + " DynamoDbTables.create");
    assertCannotBeOpened(
        noCredentials,
        "there are no credentials for "
            + place
            + ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the host"
            + " a role");
    assertCannotBeOpened(nobody, place + " cannot be reached (HttpHostConnectException)");
  }

  private static void assertCannotBeOpened(Outcome outcome, String reason) {
    assertThat(outcome.err().lines())
        .containsExactly("examples/run: The task store cannot be opened: open: " + reason);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(1);
  }

  @Test
  void demo_dynamoDbWithoutRegion_isOneLine() throws IOException, InterruptedException {
    Outcome outcome = programs.runDemo("--store", "dynamodb://tasks", folder.toString());

    assertThat(outcome.err().lines())
        .containsExactly(
            "examples/run: The configuration of the task store is wrong: there is no region: set"
                + " region, for example to eu-west-1, or the variable AWS_REGION");
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(2);
  }

  @Test
  void demo_anotherBackend_loadsNothingOfDynamoDb() throws IOException, InterruptedException {
    Files.writeString(folder.resolve("a"), "x\n");
    ProcessBuilder demo = programs.demo("--store", "file:" + temp.resolve("s"), folder.toString());
    demo.environment().put("JAVA_TOOL_OPTIONS", "-Xlog:class+load:file=" + temp + "/%p.classes");
    Outcome outcome = programs.outcome("demo", demo.start());
    assertThat(outcome.exitCode()).as(outcome.err()).isZero();

    List<Path> logs;
    try (Stream<Path> files = Files.list(temp)) {
      logs = files.filter(file -> file.toString().endsWith(".classes")).toList();
    }
    assertThat(logs).as("of the demo, and of its server").hasSize(2);
    for (Path log : logs) {
      assertThat(Files.readString(log))
          .contains(DigestDemo.class.getPackageName())
          .doesNotContain(" software.amazon.", " org.apache.hc.");
    }
  }

  @Test
  void demo_storeIsWrong_isToldBeforeAnythingStarts() throws IOException, InterruptedException {
    ProcessBuilder ofEnvironment = programs.demo(folder.toString());
    ofEnvironment.environment().put("TASKSTORE_URL", "file:" + temp + "/store?lockTimeout=5%20sec");
    ofEnvironment.environment().put("TASKSTORE_MAX_ACTIVE_TASKS", "none");

    Outcome one = programs.runDemo("--store", "ftp://user:secret@host", folder.toString());
    Outcome several = programs.outcome("demo", ofEnvironment.start());

    assertThat(one.err().lines())
        .containsExactly(
            "examples/run: The configuration of the task store is wrong: there is no backend for"
                + " the scheme ftp: there are dynamodb:, file:, jdbc:, memory:, redis:, redis-cluster:, redis-sentinel:, rediss:");
    assertThat(one.exitCode()).isEqualTo(2);
    assertThat(several.err().lines())
        .containsExactly(
            "examples/run: The configuration of the task store is wrong in 2 places:",
            "- lockTimeout must be a duration from 1ms to 1d, for example 1m30s, not \"5 sec\"",
            "- TASKSTORE_MAX_ACTIVE_TASKS: maxActiveTasks must be a whole number from 1 to 1000000,"
                + " not \"none\"");
    assertThat(several.exitCode()).isEqualTo(2);
    assertThat(one.out() + several.out()).isEmpty();
    assertThat(temp.resolve("store")).doesNotExist();
  }

  @Test
  void demo_storeOption_isNeverShown() throws IOException, InterruptedException {
    String url = "ftp://user:secret@host";
    Outcome twice = programs.runDemo("--store", url, "--store", url, folder.toString());
    Outcome help = programs.runDemo("--store", url, "--help");

    assertUsageError(twice, "option '--store' (URL) should be specified only once");
    assertThat(help.out()).contains("--store").doesNotContain("secret");
  }

  @Test
  void demo_storeCannotBeOpened_isOneLine() throws IOException, InterruptedException {
    Outcome foreign = programs.runDemo("--store", "file:" + folder, folder.toString());
    Outcome file = programs.runDemo("--store", "file:" + folder + "/a.txt", folder.toString());

    assertThat(foreign.err().lines())
        .singleElement()
        .asString()
        .startsWith("examples/run: The task store cannot be opened: ")
        .contains(folder.toString());
    assertThat(foreign.exitCode()).isEqualTo(1);
    assertThat(file.err().lines())
        .singleElement()
        .asString()
        .startsWith("examples/run: The task store cannot be opened: ")
        .contains(folder + "/a.txt");
    assertThat(file.exitCode()).isEqualTo(1);
    assertThat(foreign.out() + file.out()).isEmpty();
    assertThat(folder)
        .isDirectoryNotContaining(other -> !other.toString().matches(".*[ab].(txt|md)"));
  }

  @Test
  void demo_storeOfTheEnvironment_isUsedByTheServer() throws IOException, InterruptedException {
    ProcessBuilder demo = programs.demo(folder.toString());
    demo.environment().put("TASKSTORE_URL", "file:" + temp + "/store");

    String out = programs.outcome("demo", demo.start()).out();

    assertThat(theOnlyTask("--store", "file:" + temp + "/store")).isEqualTo(out.split("\\s", 3)[1]);
    assertThat(programs.defaultStore()).doesNotExist();
  }

  @Test
  void demo_storeOption_isUsedByTheServer_butNotOnItsCommandLine()
      throws IOException, InterruptedException {
    assumeThat(commandLine(ProcessHandle.current())).as("needs /proc").isNotEmpty();
    ProcessBuilder builder =
        programs.demo("--store", "file:" + temp + "/store", hugeFolder().toString());
    builder.environment().put("TASKSTORE_URL_FILE", "/no/such/file");
    Process process = builder.start();
    String line = process.inputReader(StandardCharsets.UTF_8).readLine();
    assertThat(line).contains(" digests ");

    List<String> commandLines = process.descendants().map(DigestDemoTest::commandLine).toList();
    process.toHandle().destroy();

    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(commandLines)
        .isNotEmpty()
        .allMatch(command -> command.contains(DigestServer.class.getName()))
        .noneMatch(command -> command.contains("--store") || command.contains(temp + "/store"));
    assertThat(theOnlyTask("--store", "file:" + temp + "/store"))
        .isEqualTo(line.split("\\s", 3)[1]);
  }

  /** All of it; what Java tells of other processes is cut off. Empty where it cannot be had. */
  private static String commandLine(ProcessHandle process) {
    try {
      return Files.readString(Path.of("/proc/" + process.pid() + "/cmdline"));
    } catch (IOException e) {
      return "";
    }
  }

  @Test
  void demo_defaultStore_isOfTheUser_andOutlivesTheServer()
      throws IOException, InterruptedException {
    String out = programs.runDemo(folder.toString()).out();
    assertThat(programs.defaultStore()).isNotEmptyDirectory();

    assertThat(theOnlyTask()).isEqualTo(out.split("\\s", 3)[1]);
  }

  /** The task that a server lists. */
  private Object theOnlyTask(String... arguments) throws IOException, InterruptedException {
    Process process = programs.server(arguments).start();
    RawClient client =
        new RawClient(process.getInputStream(), process.getOutputStream()).initialize();
    List<?> tasks = (List<?>) client.call("task_list", Map.of()).get("tasks");
    client.finish();
    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(tasks).hasSize(1);
    return RawClient.object(tasks.get(0)).get("taskId");
  }

  @Test
  void demo_help() throws IOException, InterruptedException {
    Outcome outcome = programs.runDemo("--help");

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out())
        .contains("examples/run", "--store", "--cancel-after", "--ask-above", "--no", "FOLDER");
  }

  @Test
  void demo_cancelAfter_cancelsTheTask() throws IOException, InterruptedException {
    Outcome outcome = programs.runDemo("--cancel-after", "0", hugeFolder().toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).contains("cancelled: 0 of 1 files").doesNotContain("total");
    assertThat(outcome.exitCode()).isEqualTo(130);
  }

  @Test
  void demo_taskAsks_saysYesWithoutATerminal() throws IOException, InterruptedException {
    Outcome outcome = programs.runDemo("--ask-above", "1", folder.toString());

    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.out().lines())
        .containsOnlyOnce(folder + " has more than 1 files. Digest it all the same? yes")
        .contains("100%  2 of 2 files");
  }

  @Test
  void demo_taskAsks_no_isCancelled() throws IOException, InterruptedException {
    Outcome outcome = programs.runDemo("--ask-above", "1", "--no", folder.toString());

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
    ProcessBuilder builder = programs.demo("--ask-above", "1", folder.toString());
    builder.command().add(1, "-Dtaskstore.examples.interactive=true");
    Process process = builder.start();
    process.getOutputStream().write("no\n".getBytes(StandardCharsets.UTF_8));

    Outcome outcome = programs.outcome("demo", process);

    assertThat(outcome.exitCode()).isEqualTo(130);
    assertThat(outcome.out())
        .contains(folder + " has more than 1 files. Digest it all the same? [y/N] ")
        .contains("cancelled: ");
  }

  @Test
  void demo_audit_showsWhatHappens() throws IOException, InterruptedException {
    Outcome outcome = programs.runDemo("--audit", folder.toString());

    assertThat(outcome.exitCode()).isZero();
    assertThat(outcome.err().lines())
        .allMatch(line -> line.startsWith("server: INFO: {\"at\":"))
        .anyMatch(line -> line.contains("\"event\":\"created\""))
        .anyMatch(line -> line.contains("\"event\":\"completed\""));
  }

  @Test
  void demo_terminated_cancelsTheTaskAndLeavesNoServer() throws IOException, InterruptedException {
    // SIGTERM takes the way of Ctrl-C, and works also where SIGINT is ignored, as in some builds.
    Process process = programs.demo(hugeFolder().toString()).start();
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
    Process process = programs.demo(hugeFolder().toString()).start();
    String line = process.inputReader(StandardCharsets.UTF_8).readLine();
    assertThat(line).contains(" digests ");

    process.descendants().forEach(ProcessHandle::destroyForcibly);

    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(programs.errorLines("demo"))
        .containsExactly("examples/run: the server has ended unexpectedly");
    assertThat(process.exitValue()).isEqualTo(1);
  }

  @Test
  void server_printsNothingButProtocol_andEndsWithItsInput()
      throws IOException, InterruptedException {
    Process process = programs.server().start();
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
    assertThat(programs.errorLines("server")).isEmpty();
  }

  @Test
  void server_inputEnds_tasksAreGivenBack() throws IOException, InterruptedException {
    Process process = programs.server("--audit").start();
    RawClient client =
        new RawClient(process.getInputStream(), process.getOutputStream()).initialize();
    client.call("digest_folder", Map.of("folder", hugeFolder().toString()));

    client.finish();

    assertThat(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
    assertThat(programs.errorLines("server"))
        .last()
        .asString()
        .contains("\"event\":\"lease_released\"");
  }

  @Test
  void server_mistakes_areOneLine() throws IOException, InterruptedException {
    assertSecondsRefused("--lease", "0");
    assertSecondsRefused("--lease", "soon");
    assertSecondsRefused("--pace", "86401");
  }

  private void assertSecondsRefused(String option, String value)
      throws IOException, InterruptedException {
    Outcome outcome = programs.runServer("--store", "memory:", option, value);

    assertThat(outcome.err().lines())
        .singleElement()
        .asString()
        .contains("'" + option + "': not a number of seconds from 1 to 86400: " + value);
    assertThat(outcome.exitCode()).isEqualTo(2);
  }

  @Test
  void server_storeCannotBeOpened_isOneLine() throws IOException, InterruptedException {
    Outcome outcome = programs.runServer("--store", "file:" + folder);

    assertThat(outcome.err().lines())
        .singleElement()
        .asString()
        .startsWith("DigestServer: The task store cannot be opened: ")
        .contains(folder.toString());
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(1);
  }

  @Test
  void server_storeIsWrong_isOneLine() throws IOException, InterruptedException {
    Outcome outcome = programs.runServer("--store", "nowhere:");

    assertThat(outcome.err().lines())
        .containsExactly(
            "DigestServer: The configuration of the task store is wrong: there is no backend for"
                + " the scheme nowhere: there are dynamodb:, file:, jdbc:, memory:, redis:, redis-cluster:, redis-sentinel:, rediss:");
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.exitCode()).isEqualTo(2);
  }
}
