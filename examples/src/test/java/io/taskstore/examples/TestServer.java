// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.modelcontextprotocol.server.McpSyncServer;
import io.taskstore.GenericTaskStore;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;

/** A server in this process, and clients that talk to it through pipes. */
final class TestServer implements AutoCloseable {
  static final Duration LEASE = Duration.ofSeconds(30);

  private final DigestService service;
  private final McpSyncServer server;
  private final RawClient client;

  private TestServer(Options options) {
    this.service = options.service();
    try {
      Pipe toServer = Pipe.open();
      Pipe toClient = Pipe.open();
      server =
          DigestServer.serve(
              Channels.newInputStream(toServer.source()),
              Channels.newOutputStream(toClient.sink()),
              service,
              options.askAbove);
      client =
          new RawClient(
                  Channels.newInputStream(toClient.source()),
                  Channels.newOutputStream(toServer.sink()))
              .initialize(options.capabilities);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** How a server and its client are to be. */
  static final class Options {
    private final StorageBackend backend;
    private Clock clock = Clock.systemUTC();
    private Duration lease = LEASE;
    private Duration atLeast = Duration.ZERO;
    private Duration answerTimeout = DigestTask.ANSWER_TIMEOUT;
    private long askAbove = Long.MAX_VALUE;
    private int maxActiveTasks = StoreOption.MAX_ACTIVE_TASKS;
    private Map<String, Object> capabilities = Map.of();
    private Consumer<String> fileProbe = file -> {};

    private Options(StorageBackend backend) {
      this.backend = backend;
    }

    Options clock(Clock newClock) {
      clock = newClock;
      return this;
    }

    Options lease(Duration newLease) {
      lease = newLease;
      return this;
    }

    Options answerTimeout(Duration timeout) {
      answerTimeout = timeout;
      return this;
    }

    Options pace(Duration newAtLeast) {
      atLeast = newAtLeast;
      return this;
    }

    Options askAbove(long files) {
      askAbove = files;
      return this;
    }

    Options maxActiveTasks(int max) {
      maxActiveTasks = max;
      return this;
    }

    /** The client supports elicitation. */
    Options elicitation() {
      capabilities = Map.of("elicitation", Map.of());
      return this;
    }

    Options fileProbe(Consumer<String> probe) {
      fileProbe = probe;
      return this;
    }

    /** The server without a client. */
    DigestService service() {
      return new DigestService(
          questions ->
              GenericTaskStore.builder(backend)
                  .allowLocalOwner(true)
                  .clock(clock)
                  .lease(lease)
                  .maxActiveTasks(maxActiveTasks)
                  .progressInterval(DigestTask.INTERVAL)
                  .listener(questions)
                  .build(),
          store -> new DigestTask(store, answerTimeout, atLeast, fileProbe),
          clock);
    }

    TestServer start() {
      return new TestServer(this);
    }
  }

  static Options over(StorageBackend backend) {
    return new Options(backend);
  }

  DigestService service() {
    return service;
  }

  RawClient client() {
    return client;
  }

  @Override
  public void close() {
    server.closeGracefully();
    service.close();
  }
}
