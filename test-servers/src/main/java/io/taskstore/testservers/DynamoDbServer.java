// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/**
 * Amazon's DynamoDB Local, in a process of its own, with everything in memory. It takes any
 * credentials and any region, and shows the same tables to all.
 */
public final class DynamoDbServer implements AutoCloseable {
  private static final String MAIN = "software.amazon.dynamodb.services.local.main.ServerRunner";

  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final int port;
  private final Path log;
  private final Process process;
  private final Thread hook;

  private DynamoDbServer(int port, Path log, Process process) {
    this.port = port;
    this.log = log;
    this.process = process;
    this.hook = new Thread(process::destroyForcibly, "dynamodb-end");
    Runtime.getRuntime().addShutdownHook(hook); // of a test that is interrupted nothing stays
  }

  /** Starts a server on a port of its own. Returns when it can be used. */
  public static DynamoDbServer start() {
    for (int attempts = 5; ; attempts--) {
      DynamoDbServer server = launch();
      if (server.awaitReady()) {
        return server;
      }
      String printed = server.printed();
      server.close();
      // Somebody else may have taken the port since it was seen to be free.
      if (attempts == 0 || !printed.contains("in use")) {
        throw new IllegalStateException("DynamoDB Local does not start:\n" + printed);
      }
    }
  }

  private static DynamoDbServer launch() {
    try {
      int port = RedisServer.freePort();
      Path log = Files.createTempFile("dynamodb", ".log");
      ProcessBuilder builder =
          new ProcessBuilder(
                  List.of(
                      Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                      "-Xmx512m",
                      "-XX:+UseSerialGC",
                      "-XX:TieredStopAtLevel=1",
                      MAIN,
                      "-inMemory",
                      "-sharedDb",
                      "-disableTelemetry",
                      "-port",
                      Integer.toString(port)))
              .redirectErrorStream(true)
              .redirectOutput(log.toFile());
      // Unlike an argument, a variable may be as long as class paths are.
      builder.environment().put("CLASSPATH", classPath());
      return new DynamoDbServer(port, log, builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The build has written down where it is on this machine. */
  private static String classPath() throws IOException {
    String name = "/dynamodb-local.classpath";
    try (InputStream in = DynamoDbServer.class.getResourceAsStream(name)) {
      String path = new String(Objects.requireNonNull(in, name).readAllBytes(), UTF_8).strip();
      for (String entry : path.split(File.pathSeparator, -1)) {
        if (!Files.exists(Path.of(entry))) {
          throw new IOException(
              entry + " is not there any more: build the module test-servers again");
        }
      }
      return path;
    }
  }

  private boolean awaitReady() {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (process.isAlive() && System.nanoTime() - end < 0) {
      if (answers()) {
        return true;
      }
      try {
        TimeUnit.MILLISECONDS.sleep(20);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        close();
        throw new IllegalStateException("interrupted while DynamoDB Local starts", e);
      }
    }
    return false;
  }

  /** Any answer will do: without a request there is none that is good. */
  private boolean answers() {
    try {
      HttpURLConnection connection =
          (HttpURLConnection) URI.create(endpoint()).toURL().openConnection();
      connection.setConnectTimeout(1_000);
      connection.setReadTimeout(5_000);
      return connection.getResponseCode() > 0;
    } catch (IOException e) {
      return false;
    }
  }

  private String printed() {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return String.valueOf(e.getMessage());
    }
  }

  /** Where it listens. */
  public int port() {
    return port;
  }

  /** The URL for clients. */
  public String endpoint() {
    return "http://127.0.0.1:" + port;
  }

  /** Ends the server; nothing of it stays. */
  @Override
  public void close() {
    process.destroyForcibly();
    try {
      if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IllegalStateException("DynamoDB Local does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
      Files.deleteIfExists(log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
