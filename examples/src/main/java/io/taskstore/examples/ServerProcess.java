// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.modelcontextprotocol.client.McpClient;
import io.modelcontextprotocol.client.McpSyncClient;
import io.modelcontextprotocol.client.transport.ServerParameters;
import io.modelcontextprotocol.client.transport.StdioClientTransport;
import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.spec.McpSchema.CallToolRequest;
import io.modelcontextprotocol.spec.McpSchema.CallToolResult;
import io.modelcontextprotocol.spec.McpSchema.ElicitFormRequest;
import io.modelcontextprotocol.spec.McpSchema.ElicitResult;
import io.modelcontextprotocol.spec.McpSchema.Implementation;
import io.modelcontextprotocol.spec.McpSchema.TextContent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * An MCP server as a child process, with the SDK's client to talk to it. After {@link #close} it is
 * gone. If it dies earlier, the call that waits for it fails at once; by itself the SDK would
 * notice only when its time is up.
 */
final class ServerProcess implements AutoCloseable {
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(20);
  private static final Duration CLOSE_TIMEOUT = Duration.ofMillis(1_500);
  private static final Duration LOOK_INTERVAL = Duration.ofMillis(20);
  private static final McpJsonMapper JSON = Protocol.json();

  /**
   * Runs what blocks. Not the common pool: with two processors it may have one thread, and the news
   * that a process has ended comes through it.
   */
  private static final Executor THREADS =
      task -> {
        Thread thread = new Thread(task, "server call");
        thread.setDaemon(true);
        thread.start();
      };

  private final McpSyncClient client;
  private final ProcessHandle process;

  private ServerProcess(McpSyncClient client, ProcessHandle process) {
    this.client = client;
    this.process = process;
  }

  /** The server, or one of its tools, reports a failure. */
  static final class ServerException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ServerException(@Nullable String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * Starts the server and waits until it answers.
   *
   * @param log is given the lines that the server writes to its standard error
   * @param answers answers the questions of the server; may take its time
   */
  static ServerProcess start(
      List<String> command,
      Consumer<String> log,
      Function<ElicitFormRequest, ElicitResult> answers) {
    StdioClientTransport transport =
        new StdioClientTransport(
            ServerParameters.builder(command.get(0))
                .args(command.subList(1, command.size()))
                .build(),
            JSON);
    transport.setStdErrorHandler(log);
    McpSyncClient client =
        McpClient.sync(transport)
            .clientInfo(Implementation.builder("taskstore-digest-demo", "0.1.0").build())
            .elicitation(answers)
            .requestTimeout(CALL_TIMEOUT)
            .initializationTimeout(CALL_TIMEOUT)
            .build();
    // The transport does not show its process, but it is the one that was not there before.
    Set<ProcessHandle> before = ProcessHandle.current().children().collect(Collectors.toSet());
    CompletableFuture<?> initialization =
        CompletableFuture.supplyAsync(client::initialize, THREADS);
    @Nullable ProcessHandle process = null;
    try {
      while (process == null && !initialization.isDone()) {
        process = child(before);
        Thread.sleep(LOOK_INTERVAL.toMillis());
      }
      if (process == null) {
        process = child(before);
      }
      await(initialization, process);
      if (process == null) {
        throw new ServerException("the server has ended unexpectedly", null);
      }
      return new ServerProcess(client, process);
    } catch (InterruptedException e) {
      stop(client, process);
      Thread.currentThread().interrupt();
      throw new ServerException("interrupted while the server was starting", e);
    } catch (ServerException e) {
      // Otherwise the client's threads would go on.
      stop(client, process);
      throw new ServerException("the server does not start: " + e.getMessage(), e);
    }
  }

  private static @Nullable ProcessHandle child(Set<ProcessHandle> before) {
    return ProcessHandle.current()
        .children()
        .filter(child -> !before.contains(child))
        .findFirst()
        .orElse(null);
  }

  /**
   * Calls a tool.
   *
   * @return its structured result
   * @throws ServerException if the tool reports an error, or the server has ended
   */
  <T> T call(String tool, Map<String, Object> arguments, Class<T> type) {
    CallToolRequest request = CallToolRequest.builder(tool).arguments(arguments).build();
    CallToolResult result =
        await(CompletableFuture.supplyAsync(() -> client.callTool(request), THREADS), process);
    if (Boolean.TRUE.equals(result.isError())) {
      throw new ServerException(text(result), null);
    }
    return JSON.convertValue(result.structuredContent(), type);
  }

  private static String text(CallToolResult result) {
    return result.content().stream()
        .filter(TextContent.class::isInstance)
        .map(content -> ((TextContent) content).text())
        .collect(Collectors.joining("\n"));
  }

  /** Waits for an answer, and no longer than the process lives. */
  private static <T> T await(CompletableFuture<T> answer, @Nullable ProcessHandle process) {
    try {
      CompletableFuture<?> either =
          process == null ? answer : CompletableFuture.anyOf(answer, process.onExit());
      either.get(CALL_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      if (!answer.isDone()) {
        throw new ServerException("the server has ended unexpectedly", null);
      }
      return answer.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ServerException("interrupted while waiting for the server", e);
    } catch (TimeoutException e) {
      throw new ServerException("the server does not answer", e);
    } catch (ExecutionException e) {
      throw new ServerException(String.valueOf(e.getCause()), e);
    }
  }

  /** Ends the server. */
  @Override
  public void close() {
    stop(client, process);
  }

  private static void stop(McpSyncClient client, @Nullable ProcessHandle process) {
    // It asks the process to end and waits for long: not for a stubborn one.
    Supplier<Boolean> closing = client::closeGracefully;
    CompletableFuture<Boolean> closed = CompletableFuture.supplyAsync(closing, THREADS);
    try {
      if (process != null) {
        process.onExit().get(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      }
    } catch (TimeoutException | ExecutionException e) {
      process.destroyForcibly();
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
    closed.join();
  }
}
