// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A real redis-server: that of the PATH, or else one that comes with a test dependency. It can be
 * stopped or killed and started again, with the same options, port and directory.
 */
public final class RedisServer implements AutoCloseable {
  /** With Cluster, the nodes talk to each other on a port that is this much higher. */
  private static final int BUS_OFFSET = 10_000;

  private static final String SENTINEL = "--sentinel";

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Path directory;
  private final Path binary;
  private final int port;
  private final List<String> options;
  private final Thread hook = new Thread(this::end, "redis-end");
  private volatile @Nullable Process process;
  private volatile boolean closed;

  private RedisServer(Path directory, Path binary, int port, List<String> options) {
    this.directory = directory;
    this.binary = binary;
    this.port = port;
    this.options = options;
    Runtime.getRuntime().addShutdownHook(hook); // of a test that is interrupted nothing stays
  }

  /**
   * Starts a server on a port of its own. It keeps nothing on disk unless told to.
   *
   * @param options beside the usual ones; of two equal ones the last counts, so {@code
   *     "--appendonly", "yes"} makes one that has its data again after a restart
   */
  public static RedisServer start(String... options) {
    try {
      for (int attempts = 5; ; attempts--) {
        Path directory = Files.createTempDirectory("redis");
        RedisServer server =
            new RedisServer(directory, binary(directory), freePort(), List.of(options));
        try {
          server.launch();
          return server;
        } catch (IllegalStateException e) {
          server.close();
          // Somebody else may have taken the port since it was seen to be free.
          if (attempts == 0 || !String.valueOf(e.getMessage()).contains("in use")) {
            throw e;
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Starts a Sentinel that looks after a master together with two others: when two of them have not
   * heard from it for a second, a replica takes its place.
   *
   * @param name of the master, by which clients ask for it
   */
  public static RedisServer startSentinel(String name, RedisServer master) {
    return start(SENTINEL, name, Integer.toString(master.port));
  }

  private Path sentinelConfiguration() throws IOException {
    String name = options.get(1);
    return Files.writeString(
        directory.resolve("sentinel.conf"),
        String.join(
            "\n",
            "sentinel monitor " + name + " 127.0.0.1 " + options.get(2) + " 2",
            "sentinel down-after-milliseconds " + name + " 1000",
            "sentinel failover-timeout " + name + " 2000",
            ""));
  }

  /** A port that nobody has now. */
  public static int freePort() {
    while (true) {
      try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        if (socket.getLocalPort() + BUS_OFFSET <= 65_535) {
          return socket.getLocalPort();
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Returns when the server has loaded its data and takes connections. */
  private void launch() throws IOException {
    List<String> command = new ArrayList<>();
    boolean isSentinel = !options.isEmpty() && options.get(0).equals(SENTINEL);
    command.add(binary.toString());
    if (isSentinel) {
      command.addAll(List.of(sentinelConfiguration().toString(), SENTINEL));
    }
    command.addAll(List.of("--port", Integer.toString(port), "--bind", "127.0.0.1"));
    command.addAll(List.of("--dir", directory.toString()));
    if (!isSentinel) {
      command.addAll(List.of("--save", "", "--appendonly", "no"));
      command.addAll(options);
    }
    String ready = isSentinel ? "+monitor master" : "Ready to accept connections";
    Process started = new ProcessBuilder(command).redirectErrorStream(true).start();
    process = started;
    if (closed) {
      started.destroyForcibly();
    }
    started.getOutputStream().close();
    StringBuilder log = new StringBuilder();
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(started.getInputStream(), StandardCharsets.UTF_8));
    String line;
    while ((line = lines.readLine()) != null) {
      log.append(line).append('\n');
      if (line.contains(ready)) {
        drain(lines);
        return;
      }
    }
    throw new IllegalStateException("redis-server does not start:\n" + log);
  }

  /** A full pipe would stop the server. */
  private static void drain(BufferedReader lines) {
    Thread thread =
        new Thread(
            () -> {
              try {
                while (lines.readLine() != null) {}
              } catch (IOException e) {
                // the server has ended
              }
            },
            "redis-log");
    thread.setDaemon(true);
    thread.start();
  }

  private static Path binary(Path directory) throws IOException {
    for (String folder : System.getenv().getOrDefault("PATH", "").split(":", -1)) {
      Path candidate = Path.of(folder, "redis-server");
      if (!folder.isEmpty() && Files.isExecutable(candidate)) {
        return candidate;
      }
    }
    String system = System.getProperty("os.name").startsWith("Mac") ? "darwin" : "linux";
    String machine = System.getProperty("os.arch").matches("aarch64|arm64") ? "arm64" : "amd64";
    String name = "/redis-server-7.0.15-" + system + "-" + machine;
    Path copy = directory.resolve("redis-server");
    try (InputStream in = RedisServer.class.getResourceAsStream(name)) {
      Files.copy(Objects.requireNonNull(in, name), copy);
    }
    if (!copy.toFile().setExecutable(true)) {
      throw new IOException(copy + " cannot be made executable");
    }
    return copy;
  }

  public int port() {
    return port;
  }

  public String url() {
    return "redis://127.0.0.1:" + port;
  }

  /** Where the program is from, for people. */
  public String origin() {
    return binary.startsWith(directory) ? "of org.signal:embedded-redis" : "of the system";
  }

  /** Ends the server as {@code kill -9} does: it saves nothing. Harmless if it has ended. */
  public void kill() {
    end();
    awaitEnd();
  }

  /** Ends the server as its operators do: it saves what it was told to save. */
  public void stop() {
    Process running = process;
    if (running != null) {
      running.destroy();
    }
    awaitEnd();
  }

  /** Starts the server again; kills it before if it still runs. Returns when it can be used. */
  public void restart() {
    kill();
    try {
      launch();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void end() {
    Process running = process;
    if (running != null) {
      running.destroyForcibly();
    }
  }

  private void awaitEnd() {
    Process ending = process;
    try {
      if (ending != null && !ending.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IllegalStateException("redis-server does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while redis-server ends", e);
    }
  }

  /** Ends the server and removes what it has kept. One that is being restarted ends, too. */
  @Override
  public void close() {
    closed = true;
    try {
      kill();
      Runtime.getRuntime().removeShutdownHook(hook);
    } finally {
      delete(directory);
    }
  }

  private static void delete(Path directory) {
    try (var files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
