// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.McpSyncServer;
import io.modelcontextprotocol.server.transport.StdioServerTransportProvider;
import io.modelcontextprotocol.spec.McpSchema.ServerCapabilities;
import io.taskstore.AuditListener;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * An MCP server on standard input and output with the tools of {@link DigestTools}. Any MCP client
 * can start it:
 *
 * <pre>{@code
 * java -cp 'examples/target/classes:examples/target/lib/*' io.taskstore.examples.DigestServer
 * }</pre>
 */
@Command(
    name = "DigestServer",
    description = "MCP server on standard input and output that digests folders as tasks.")
final class DigestServer implements Callable<Integer> {
  static final String DEFAULT_ASK_ABOVE = "100000";

  private static final String LOG_FORMAT = "java.util.logging.SimpleFormatter.format";

  /** How long calls may go on after the client has gone. */
  private static final Duration GRACE = Duration.ofSeconds(1);

  @Option(
      names = "--store",
      paramLabel = "URL",
      description = "Where to keep the tasks: " + StoreOption.HELP)
  private @Nullable String storeUrl;

  @Option(
      names = "--ask-above",
      paramLabel = "N",
      description =
          "Let tasks ask before they digest more than N files: ${DEFAULT-VALUE} (default).",
      defaultValue = DEFAULT_ASK_ABOVE,
      converter = Commands.CountConverter.class)
  private long askAbove;

  @Option(
      names = "--lease",
      paramLabel = "SECONDS",
      description =
          "How long after the last sign of life of a server others go on with its tasks."
              + " Default: the setting lease, which is 30 s if nobody sets it.",
      converter = Commands.SecondsConverter.class)
  private @Nullable Duration lease;

  @Option(
      names = "--pace",
      paramLabel = "SECONDS",
      description = "Let every digest take so long at least, to watch it.",
      converter = Commands.SecondsConverter.class)
  private Duration pace = Duration.ZERO;

  @Option(names = "--audit", description = "Write an audit log to standard error.")
  private boolean audit;

  private final PrintStream protocol;

  private DigestServer(PrintStream protocol) {
    this.protocol = protocol;
  }

  /** Starts the server. It ends when its standard input does. */
  public static void main(String[] args) {
    // Nothing but protocol may go to standard output, whatever some library prints.
    PrintStream protocol = System.out;
    System.setOut(System.err);
    // Unless somebody has set it otherwise, what is logged is a line each.
    System.getProperties().putIfAbsent(LOG_FORMAT, "%4$s: %5$s%6$s%n");
    int exitCode = Commands.commandLine(new DigestServer(protocol)).execute(args);
    if (exitCode != CommandLine.ExitCode.OK) {
      System.exit(exitCode);
    }
    // The transport's thread goes on until standard input ends.
  }

  @Override
  public Integer call() {
    StoreOption storeOption = new StoreOption(storeUrl, System.getenv());
    DigestService service =
        new DigestService(
            questions ->
                storeOption.open(
                    lease,
                    audit ? List.of(questions, AuditListener.hashingOwners()) : List.of(questions)),
            store -> new DigestTask(store, DigestTask.ANSWER_TIMEOUT, pace, file -> {}),
            Clock.systemUTC());
    // Also if it is told to end, what its tasks have reported is written.
    Runtime.getRuntime().addShutdownHook(new Thread(service::close, "close"));
    service.keepResuming();
    serve(new ExitAtEnd(System.in, service::close), protocol, service, askAbove);
    return CommandLine.ExitCode.OK;
  }

  /**
   * Serves one client until {@code in} ends. Returns at once.
   *
   * @param askAbove how many files a task digests without asking
   */
  static McpSyncServer serve(
      InputStream in, OutputStream out, DigestService service, long askAbove) {
    McpJsonMapper json = Protocol.json();
    return McpServer.sync(new StdioServerTransportProvider(json, in, out))
        .serverInfo("taskstore-digest", "0.1.0")
        .instructions(
            "digest_folder begins to digest a folder and returns a task id at once. Ask task_status"
                + " until the task is finished, then task_result. task_cancel stops it.")
        .capabilities(ServerCapabilities.builder().tools(false).build())
        .requestTimeout(DigestTask.ANSWER_TIMEOUT)
        .tools(new DigestTools(service, askAbove, json).specifications())
        .build();
  }

  /**
   * Standard input, at whose end the tasks are given back and the process ends: the SDK waits for
   * calls that are being answered, and one that hangs (a folder on a network drive that is gone)
   * would keep the process.
   */
  private static final class ExitAtEnd extends FilterInputStream {
    private final Runnable close;

    ExitAtEnd(InputStream in, Runnable close) {
      super(in);
      this.close = close;
    }

    @Override
    public int read() throws IOException {
      return checked(super.read());
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
      return checked(super.read(buffer, offset, length));
    }

    private int checked(int result) {
      if (result < 0) {
        new Thread(this::exitAfterGrace, "exit").start();
      }
      return result;
    }

    private void exitAfterGrace() {
      try {
        Thread.sleep(GRACE.toMillis());
      } catch (InterruptedException e) {
        // Then without it.
      }
      close.run();
      System.exit(CommandLine.ExitCode.OK);
    }
  }
}
