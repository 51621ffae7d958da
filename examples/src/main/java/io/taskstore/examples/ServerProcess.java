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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * An MCP server as a child process, with the SDK's client to talk to it. After {@link #close} it is
 * gone. If it dies earlier, the call that waits for it fails at once; by itself the SDK would
 * notice only when its time is up. It can be killed, and another one takes its place.
 */
final class ServerProcess implements AutoCloseable {
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(20);
  private static final Duration CLOSE_TIMEOUT = Duration.ofMillis(1_500);
  private static final Duration LOOK_INTERVAL = Duration.ofMillis(20);

  /** How long the last words of a server may be under way when it has ended. */
  private static final Duration LAST_WORDS_TIMEOUT = Duration.ofMillis(500);

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

  private final List<String> command;
  private final Consumer<Map<String, String>> environment;
  private final Consumer<String> log;
  private final Function<ElicitFormRequest, ElicitResult> answers;

  /** Held while there is no server, so that whoever wants to call it waits for the next one. */
  private final ReentrantLock replacing = new ReentrantLock();

  private Running running;

  private ServerProcess(
      List<String> command,
      Consumer<Map<String, String>> environment,
      Consumer<String> log,
      Function<ElicitFormRequest, ElicitResult> answers) {
    this.command = command;
    this.environment = environment;
    this.log = log;
    this.answers = answers;
    this.running = launch();
  }

  /** A process and the client that talks to it. */
  private record Running(McpSyncClient client, ProcessHandle process) {}

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
   * @param environment changes the environment of the server, which is that of this process
   * @param log is given the lines that the server writes to its standard error
   * @param answers answers the questions of the server; may take its time
   */
  static ServerProcess start(
      List<String> command,
      Consumer<Map<String, String>> environment,
      Consumer<String> log,
      Function<ElicitFormRequest, ElicitResult> answers) {
    return new ServerProcess(command, environment, log, answers);
  }

  private Running launch() {
    FirstWords words = new FirstWords();
    ServerParameters parameters =
        ServerParameters.builder(command.get(0)).args(command.subList(1, command.size())).build();
    StdioClientTransport transport =
        new StdioClientTransport(parameters, JSON) {
          @Override
          protected ProcessBuilder getProcessBuilder() {
            // The parameters can add variables, but not remove any.
            ProcessBuilder builder = super.getProcessBuilder();
            environment.accept(builder.environment());
            return builder;
          }
        };
    transport.setStdErrorHandler(words);
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
      words.passOn(log);
      return new Running(client, process);
    } catch (InterruptedException e) {
      stop(client, process);
      Thread.currentThread().interrupt();
      throw new ServerException("interrupted while the server was starting", e);
    } catch (ServerException e) {
      List<String> lines = words.await(LAST_WORDS_TIMEOUT);
      // Otherwise the client's threads would go on.
      stop(client, process);
      if (lines.size() == 1) {
        // It says itself why.
        throw new ServerException(lines.get(0), e);
      }
      lines.forEach(log);
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
    Running server = running();
    CallToolRequest request = CallToolRequest.builder(tool).arguments(arguments).build();
    CallToolResult result =
        await(
            CompletableFuture.supplyAsync(() -> server.client().callTool(request), THREADS),
            server.process());
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

  /** Keeps what a server writes to its standard error until it is known whether it starts. */
  private static final class FirstWords implements Consumer<String> {
    private final List<String> kept = new ArrayList<>();
    private @Nullable Consumer<String> log;

    @Override
    public synchronized void accept(String line) {
      if (log == null) {
        kept.add(line);
      } else {
        log.accept(line);
      }
    }

    /** Tells the log, from now on at once. */
    synchronized void passOn(Consumer<String> to) {
      kept.forEach(to);
      kept.clear();
      log = to;
    }

    /** Returns what it has written, or is about to. */
    List<String> await(Duration timeout) {
      long deadline = System.nanoTime() + timeout.toNanos();
      try {
        while (lines().isEmpty() && System.nanoTime() < deadline) {
          Thread.sleep(LOOK_INTERVAL.toMillis());
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      return lines();
    }

    private synchronized List<String> lines() {
      return List.copyOf(kept);
    }
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

  private Running running() {
    replacing.lock();
    try {
      return running;
    } finally {
      replacing.unlock();
    }
  }

  /** Kills the server, which hears nothing of it (SIGKILL), and starts another one like it. */
  void killAndReplace() {
    replacing.lock();
    try {
      running.process().destroyForcibly();
      stop(running.client(), running.process());
      running = launch();
    } finally {
      replacing.unlock();
    }
  }

  /** Ends the server. */
  @Override
  public void close() {
    Running server = running();
    stop(server.client(), server.process());
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
