// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.modelcontextprotocol.spec.McpSchema.ElicitFormRequest;
import io.modelcontextprotocol.spec.McpSchema.ElicitResult;
import io.taskstore.examples.DigestTask.Place;
import io.taskstore.examples.ServerProcess.ServerException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * A client of {@link DigestServer}: starts it as a child process, has it digest a folder, asks how
 * far it is, and prints the result.
 */
@Command(
    name = "examples/run",
    description = {
      "Digests a folder as a task of an MCP server, shows its progress, and prints the result.",
      ""
    },
    footer = {
      "",
      "Ctrl-C cancels the task.",
      "Exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."
    },
    sortOptions = false)
final class DigestDemo implements Callable<Integer> {
  private static final int MAX_ROWS = 20;
  private static final Duration CANCEL_TIMEOUT = Duration.ofSeconds(5);

  /** So that nobody has to wait for long until another server goes on. */
  private static final Duration CRASH_LEASE = Duration.ofSeconds(2);

  /** So that even a small folder can be caught in the middle. */
  private static final Duration CRASH_PACE = Duration.ofSeconds(4);

  @Parameters(
      arity = "0..1",
      paramLabel = "FOLDER",
      description = "The folder; this repository if it is left out.",
      defaultValue = "${sys:taskstore.examples.folder:-.}")
  private String folderName = ".";

  @Option(
      names = "--store",
      paramLabel = "URL",
      description = "Where the server keeps its tasks: " + StoreOption.HELP)
  private @Nullable String storeUrl;

  @Option(
      names = "--cancel-after",
      paramLabel = "PERCENT",
      description = "Cancel the task when so much is done, to see it happen.")
  private @Nullable Integer cancelAfter;

  @Option(
      names = "--crash",
      description = {
        "Kill the server when half is done, and start it again: it goes on from there.",
        "The server takes its time, so that even a small folder can be caught in the middle."
      })
  private boolean crash;

  @Option(
      names = "--ask-above",
      paramLabel = "N",
      description =
          "Let the task ask before it digests more than N files: ${DEFAULT-VALUE} (default).",
      defaultValue = DigestServer.DEFAULT_ASK_ABOVE,
      converter = Commands.CountConverter.class)
  private long askAbove;

  @ArgGroup private @Nullable FixedAnswer fixedAnswer;

  @Option(names = "--audit", description = "Show the audit log of the server.")
  private boolean audit;

  @Spec private CommandSpec spec;

  private final PrintStream out = System.out;
  private final PrintStream err = System.err;
  private final ProgressLine progress =
      new ProgressLine(out, Boolean.getBoolean("taskstore.examples.terminal"));
  private final boolean interactive = Boolean.getBoolean("taskstore.examples.interactive");
  private final CountDownLatch announced = new CountDownLatch(1);
  private boolean crashed;
  private boolean resumed;
  private volatile boolean interrupted;
  private volatile boolean finished;

  /** Runs the demo. */
  public static void main(String[] args) {
    System.exit(Commands.commandLine(new DigestDemo()).execute(args));
  }

  /** One of them at most. */
  private static final class FixedAnswer {
    @Option(
        names = "--yes",
        description = "If the task asks, say yes. Without a terminal that is what is said anyway.")
    private boolean yes;

    @Option(names = "--no", description = "If the task asks, say no, which cancels it.")
    private boolean no;

    boolean isYes() {
      return yes && !no;
    }
  }

  /** What task_status answers, as far as it is of interest here. */
  private record Status(
      String taskId,
      String status,
      @Nullable String message,
      @Nullable Long progress,
      @Nullable Long total,
      @Nullable Failure error,
      @Nullable Place checkpoint,
      @Nullable Place resumedFrom,
      long pollIntervalMillis) {
    record Failure(String message) {}

    boolean isFinished() {
      return is("completed") || is("failed") || is("cancelled");
    }

    boolean is(String name) {
      return status.equals(name);
    }

    String text() {
      String text = message == null ? "" : Table.printable(message);
      return is("cancelled") ? "cancelled: " + text : text;
    }

    double fraction() {
      if (is("completed")) {
        return 1;
      }
      return progress == null || total == null || total == 0
          ? 0
          : Math.min(1, (double) progress / total);
    }

    /** Whether half is done, and stored. Where nothing has bytes, any file is as good. */
    boolean isHalfDone() {
      boolean hasNoBytes = total != null && total == 0;
      return !isFinished() && checkpoint != null && (hasNoBytes || fraction() >= 0.5);
    }
  }

  @Override
  public Integer call() throws InterruptedException {
    Path folder = folder();
    if (cancelAfter != null && (cancelAfter < 0 || cancelAfter > 100)) {
      throw new ParameterException(
          spec.commandLine(), "--cancel-after must be from 0 to 100: " + cancelAfter);
    }
    StoreOption storeOption = new StoreOption(storeUrl, System.getenv());
    if (crash && !storeOption.isDurable()) {
      throw new ParameterException(
          spec.commandLine(),
          "--crash needs a store that outlives the server, as file: does: with memory: the task"
              + " would be gone with it");
    }
    // What is wrong with it is better said here than by a server that does not start.
    storeOption.open(null, List.of()).close();
    try (ServerProcess server =
        ServerProcess.start(
            serverCommand(), storeOption::passTo, this::logOfServer, this::answer)) {
      long begin = System.nanoTime();
      Status task = server.call("digest_folder", Map.of("folder", folder.toString()), Status.class);
      Runtime.getRuntime()
          .addShutdownHook(new Thread(() -> onExit(server, task.taskId()), "cancel"));
      out.println("task " + task.taskId() + " digests " + Table.printable(folder.toString()));
      announced.countDown();
      Status end = follow(server, task);
      progress.close();
      finished = true;
      return report(server, end, Duration.ofNanos(System.nanoTime() - begin));
    } catch (ServerException e) {
      waitIfInterrupted();
      progress.close();
      throw e;
    } finally {
      finished = true;
    }
  }

  private Path folder() {
    try {
      return FolderDigest.folder(folderName);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private List<String> serverCommand() {
    List<String> command = new ArrayList<>();
    Path shell = Path.of("/bin/sh");
    if (Files.isExecutable(shell)) {
      // A terminal sends Ctrl-C to both of us. The server has to outlive it, to be told to cancel.
      command.addAll(List.of(shell.toString(), "-c", "trap '' INT; exec \"$@\"", "server"));
    }
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // It is small and short-lived: what counts is how soon it is there.
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(DigestServer.class.getName());
    command.addAll(List.of("--ask-above", Long.toString(askAbove)));
    if (crash) {
      command.addAll(List.of("--lease", Long.toString(CRASH_LEASE.toSeconds())));
      command.addAll(List.of("--pace", Long.toString(CRASH_PACE.toSeconds())));
    }
    if (audit) {
      command.add("--audit");
    }
    return command;
  }

  private void logOfServer(String line) {
    progress.printApart(err, "server: " + line);
  }

  /** Answers a question of the task: asks whoever sits at the terminal, or says what was said. */
  private ElicitResult answer(ElicitFormRequest request) {
    try {
      announced.await(); // first things first
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    String question = Table.printable(request.message());
    boolean yes = fixedAnswer == null || fixedAnswer.isYes();
    if (fixedAnswer == null && interactive) {
      yes = askOnTerminal(question);
    } else {
      progress.printApart(out, question + (yes ? " yes" : " no"));
    }
    return ElicitResult.builder(yes ? ElicitResult.Action.ACCEPT : ElicitResult.Action.DECLINE)
        .content(Map.of())
        .build();
  }

  private boolean askOnTerminal(String question) {
    progress.pause(question + " [y/N] ");
    @Nullable String line = null;
    try {
      // Not closed: it is the terminal's.
      line = new BufferedReader(new InputStreamReader(System.in, UTF_8)).readLine();
    } catch (IOException e) {
      // No answer is no.
    }
    progress.resume(line != null);
    return line != null && List.of("y", "yes").contains(line.strip().toLowerCase(Locale.ROOT));
  }

  /** Asks for the task until it is finished. */
  private Status follow(ServerProcess server, Status task) throws InterruptedException {
    boolean cancelling = false;
    Status status = task;
    while (!status.isFinished()) {
      progress.show(status.fraction(), status.text());
      if (cancelAfter != null && !cancelling && 100 * status.fraction() >= cancelAfter) {
        server.call("task_cancel", Map.of("taskId", task.taskId()), Status.class);
        cancelling = true;
      }
      if (crash && !crashed && status.isHalfDone()) {
        crash(server, status);
      }
      Thread.sleep(status.pollIntervalMillis());
      waitIfInterrupted();
      status = server.call("task_status", Map.of("taskId", task.taskId()), Status.class);
      tellResumed(status);
    }
    waitIfInterrupted();
    if (status.is("completed")) {
      progress.show(status.fraction(), status.text());
    }
    return status;
  }

  private void crash(ServerProcess server, Status status) {
    crashed = true;
    progress.printApart(out, "killing the server (SIGKILL) at %s".formatted(status.text()));
    server.killAndReplace();
    waitIfInterrupted();
    Status found = server.call("task_status", Map.of("taskId", status.taskId()), Status.class);
    if (found.isFinished() && found.resumedFrom() == null) {
      crashed = false; // it was too late
      return;
    }
    progress.printApart(
        out,
        "another server is up; it goes on when the lease of the dead one, %d s, is over"
            .formatted(CRASH_LEASE.toSeconds()));
  }

  private void tellResumed(Status status) {
    Place place = status.resumedFrom();
    if (place != null && !resumed) {
      resumed = true;
      progress.printApart(
          out,
          "resumed behind %s: %d files were done"
              .formatted(Table.printable(place.position()), place.files()));
    }
  }

  private int report(ServerProcess server, Status end, Duration elapsed) {
    if (end.is("cancelled")) {
      out.println(end.text());
      return Commands.CANCELLED;
    }
    if (end.is("failed")) {
      err.println(
          "the task failed: " + (end.error() == null ? "no details" : end.error().message()));
      return CommandLine.ExitCode.SOFTWARE;
    }
    DigestResult result =
        server.call("task_result", Map.of("taskId", end.taskId()), DigestResult.class);
    print(result, elapsed);
    if (out.checkError()) {
      err.println("the result could not be printed");
      return CommandLine.ExitCode.SOFTWARE;
    }
    if (cancelAfter != null) {
      err.println("the task was done before it could be cancelled");
    }
    return crash ? reportCrash(result) : CommandLine.ExitCode.OK;
  }

  private int reportCrash(DigestResult result) {
    long entries = result.total().files() + result.skippedCount();
    if (crashed && resumed) {
      return CommandLine.ExitCode.OK;
    } else if (crashed) {
      err.println("the task was not resumed, it began anew");
    } else if (entries < 2) {
      // It goes on behind whole files only.
      err.println(
          "there is nothing to kill at half: the folder has "
              + (entries == 0 ? "no files" : "one file only"));
      return CommandLine.ExitCode.OK;
    } else {
      err.println("the task was done before the server could be killed");
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  private void print(DigestResult result, Duration elapsed) {
    out.println();
    Table types = new Table();
    types.row("type", "files", "lines", "words", "bytes");
    for (DigestResult.Type type :
        result.types().subList(0, Math.min(MAX_ROWS, result.types().size()))) {
      row(types, type.type(), type.total());
    }
    result.types().stream()
        .skip(MAX_ROWS)
        .map(DigestResult.Type::total)
        .reduce(Counts::plus)
        .ifPresent(
            rest -> row(types, "(%d more)".formatted(result.types().size() - MAX_ROWS), rest));
    row(types, "total", result.total());
    types.print(out);

    if (!result.largest().isEmpty()) {
      out.println();
      Table largest = new Table();
      largest.row("largest files", "lines", "words", "bytes", "sha256");
      for (FileDigest file : result.largest()) {
        largest.row(file.path(), file.lines(), file.words(), file.bytes(), file.sha256());
      }
      largest.print(out);
    }

    if (result.skippedCount() > 0) {
      out.println();
      out.println("skipped: " + result.skippedCount());
      result.skipped().forEach(skipped -> out.println("  " + Table.printable(skipped)));
    }

    out.println();
    out.println("sha256 of all: " + result.sha256());
    out.printf(Locale.ROOT, "in %.1f s; to compare:%n", elapsed.toMillis() / 1_000.0);
    out.println("  cd '" + result.folder().replace("'", "'\\''") + "'");
    out.println("  find . -type f -printf . | wc -c");
    out.println("  find . -type f -print0 | LC_ALL=C wc -lwc --files0-from=- | tail -n 1");
    out.println("  find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum | sha256sum");
  }

  private static void row(Table table, String name, Counts counts) {
    table.row(name, counts.files(), counts.lines(), counts.words(), counts.bytes());
  }

  // --- Ctrl-C -------------------------------------------------------------------------------

  /** Runs while the process is being ended: cancels the task if it is not finished. */
  private void onExit(ServerProcess server, String taskId) {
    if (finished) {
      return;
    }
    interrupted = true;
    progress.close();
    try (server) {
      Map<String, Object> arguments = Map.of("taskId", taskId);
      Status status = server.call("task_cancel", arguments, Status.class);
      long deadline = System.nanoTime() + CANCEL_TIMEOUT.toNanos();
      while (!status.isFinished() && System.nanoTime() < deadline) {
        Thread.sleep(status.pollIntervalMillis() / 4);
        status = server.call("task_status", arguments, Status.class);
      }
      out.println(status.isFinished() ? status.text() : "cancellation requested");
    } catch (ServerException | InterruptedException e) {
      err.println("the task could not be cancelled: " + e.getMessage());
    }
    out.flush();
  }

  /**
   * The process is being ended by the other thread: from here there is nothing more to do or say.
   */
  private void waitIfInterrupted() {
    while (interrupted) {
      try {
        Thread.sleep(Long.MAX_VALUE);
      } catch (InterruptedException e) {
        // Nothing to be done about that either.
      }
    }
  }
}
