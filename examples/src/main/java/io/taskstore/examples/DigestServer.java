// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.modelcontextprotocol.json.McpJsonDefaults;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.server.McpServer;
import io.modelcontextprotocol.server.McpSyncServer;
import io.modelcontextprotocol.server.transport.StdioServerTransportProvider;
import io.modelcontextprotocol.spec.McpSchema.ServerCapabilities;
import io.taskstore.TaskStore;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
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
  private static final Duration PURGE_INTERVAL = Duration.ofMinutes(1);
  private static final int PURGE_LIMIT = 1_000;

  /** How long calls may go on after the client has gone. */
  private static final Duration GRACE = Duration.ofSeconds(1);

  private static final System.Logger LOGGER = System.getLogger(DigestServer.class.getName());

  @Option(
      names = "--store",
      paramLabel = "URL",
      description = "Where to keep the tasks: memory: (default).",
      defaultValue = StoreOption.DEFAULT,
      converter = Commands.StoreConverter.class)
  private StoreOption storeOption = new StoreOption(StoreOption.DEFAULT);

  private final PrintStream protocol;

  private DigestServer(PrintStream protocol) {
    this.protocol = protocol;
  }

  /** Starts the server. It ends when its standard input does. */
  public static void main(String[] args) {
    // Nothing but protocol may go to standard output, whatever some library prints.
    PrintStream protocol = System.out;
    System.setOut(System.err);
    int exitCode = Commands.commandLine(new DigestServer(protocol)).execute(args);
    if (exitCode != CommandLine.ExitCode.OK) {
      System.exit(exitCode);
    }
    // The transport's thread goes on until standard input ends.
  }

  @Override
  public Integer call() {
    TaskStore store = storeOption.open();
    startPurging(store);
    serve(new ExitAtEnd(System.in), protocol, store, file -> {});
    return CommandLine.ExitCode.OK;
  }

  /**
   * Serves one client until {@code in} ends. Returns at once.
   *
   * @param fileProbe is told which file is being read, for tests
   */
  static McpSyncServer serve(
      InputStream in, OutputStream out, TaskStore store, Consumer<String> fileProbe) {
    McpJsonMapper json = McpJsonDefaults.getMapper();
    return McpServer.sync(new StdioServerTransportProvider(json, in, out))
        .serverInfo("taskstore-digest", "0.1.0")
        .instructions(
            "digest_folder begins to digest a folder and returns a task id at once. Ask task_status"
                + " until the task is finished, then task_result. task_cancel stops it.")
        .capabilities(ServerCapabilities.builder().tools(false).build())
        .tools(new DigestTools(store, json, fileProbe).specifications())
        .build();
  }

  private static void startPurging(TaskStore store) {
    Thread purger =
        new Thread(
            () -> {
              try {
                while (true) {
                  Thread.sleep(PURGE_INTERVAL.toMillis());
                  purge(store);
                }
              } catch (InterruptedException e) {
                // Nobody does that; if somebody did it would mean to stop.
              }
            },
            "purge");
    purger.setDaemon(true);
    purger.start();
  }

  private static void purge(TaskStore store) {
    try {
      store.purgeExpired(PURGE_LIMIT);
    } catch (RuntimeException e) {
      LOGGER.log(System.Logger.Level.WARNING, "Expired tasks could not be removed", e);
    }
  }

  /**
   * Standard input, at whose end the process ends too: the SDK waits for calls that are being
   * answered, and one that hangs (a folder on a network drive that is gone) would keep the process.
   */
  private static final class ExitAtEnd extends FilterInputStream {
    ExitAtEnd(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      return checked(super.read());
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
      return checked(super.read(buffer, offset, length));
    }

    private static int checked(int result) {
      if (result < 0) {
        Thread exit = new Thread(ExitAtEnd::exitAfterGrace, "exit");
        exit.setDaemon(true);
        exit.start();
      }
      return result;
    }

    private static void exitAfterGrace() {
      try {
        Thread.sleep(GRACE.toMillis());
      } catch (InterruptedException e) {
        // Then without it.
      }
      Runtime.getRuntime().halt(CommandLine.ExitCode.OK);
    }
  }
}
