// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.Trouble;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Stands between a backend and DynamoDB Local, passes requests on, and makes trouble. */
final class DynamoDbFaults implements FaultInjection, AutoCloseable {
  static {
    // or every answer waits for an acknowledgement of its first part
    System.setProperty("sun.net.httpserver.nodelay", "true");
    // or it closes connections of clients that are not finished with them
    System.setProperty("sun.net.httpserver.maxIdleConnections", "10000");
    // shorter than that of the server behind it
    System.setProperty("jdk.httpclient.keepalive.timeout", "5");
  }

  private static final List<String> PASSED_ON = List.of("Content-Type", "x-amz-crc32");

  /** For how long Apache's client uses a connection without looking at it. */
  private static final Duration TRUSTED = Duration.ofSeconds(2);

  /** All there from the beginning: threads that come later would be taken for a backend's. */
  static final class Threads implements AutoCloseable {
    private final ExecutorService forwarding = start(8);
    private final ExecutorService handling = start(64);
    private final HttpClient client =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).executor(forwarding).build();

    private static ExecutorService start(int count) {
      ThreadPoolExecutor threads =
          new ThreadPoolExecutor(
              count,
              count,
              0,
              TimeUnit.SECONDS,
              new LinkedBlockingQueue<>(),
              work -> {
                Thread thread = new Thread(work, "dynamodb-faults");
                thread.setDaemon(true);
                return thread;
              });
      threads.prestartAllCoreThreads();
      return threads;
    }

    @Override
    public void close() {
      handling.shutdownNow();
      forwarding.shutdownNow();
    }
  }

  private final URI server;
  private final Duration timeout;

  private final Threads threads;
  private final int port;
  private HttpServer listener;
  private volatile @Nullable Trouble trouble;
  private volatile CountDownLatch healed = new CountDownLatch(1);

  /**
   * @param timeout of the backend
   * @param threads for all of them
   */
  DynamoDbFaults(URI server, Duration timeout, Threads threads) {
    this.server = server;
    this.threads = threads;
    this.timeout = timeout;
    this.listener = listen(0);
    this.port = listener.getAddress().getPort();
  }

  private HttpServer listen(int atPort) {
    try {
      HttpServer created =
          HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), atPort), 0);
      created.setExecutor(threads.handling);
      created.createContext("/", this::handle);
      created.start();
      return created;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  URI url() {
    return URI.create("http://" + endpoint());
  }

  @Override
  public Set<Trouble> supported() {
    return EnumSet.allOf(Trouble.class);
  }

  @Override
  public String endpoint() {
    return "127.0.0.1:" + port;
  }

  @Override
  public Duration timeout() {
    return timeout;
  }

  @Override
  public void cause(Trouble next) {
    healed = new CountDownLatch(1);
    trouble = next;
    if (next == Trouble.UNREACHABLE) {
      listener.stop(0);
    }
  }

  @Override
  public void heal() {
    Trouble before = trouble;
    trouble = null;
    healed.countDown();
    if (before == Trouble.UNREACHABLE) {
      listener = listen(port);
    }
  }

  /**
   * Closes all connections, and lets them become so old that the client looks at them before it
   * uses them again. Nothing but a repeated call helps against one that is closed a moment before.
   */
  @Override
  public void disturb() throws InterruptedException {
    listener.stop(0);
    listener = listen(port);
    TimeUnit.MILLISECONDS.sleep(TRUSTED.toMillis() + 100);
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      byte[] body = exchange.getRequestBody().readAllBytes();
      String target = String.valueOf(exchange.getRequestHeaders().getFirst("X-Amz-Target"));
      boolean writes = target.endsWith(".PutItem") || target.endsWith(".DeleteItem");
      Trouble now = trouble;
      if (now == Trouble.SILENT) {
        healed.await();
        return; // without an answer
      }
      String error = error(now, writes, target.endsWith(".PutItem"));
      if (error != null) {
        byte[] answer =
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"secret-of-the-service\"}"
                .formatted(error)
                .getBytes(UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/x-amz-json-1.0");
        answer(exchange, 400, answer);
        return;
      }
      HttpRequest.Builder request =
          HttpRequest.newBuilder(server).POST(HttpRequest.BodyPublishers.ofByteArray(body));
      for (String name : List.of("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")) {
        String value = exchange.getRequestHeaders().getFirst(name);
        if (value != null) {
          request.header(name, value);
        }
      }
      HttpResponse<byte[]> response =
          threads.client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
      if (now == Trouble.ANSWER_LOST && writes) {
        return;
      }
      for (String name : PASSED_ON) {
        response
            .headers()
            .firstValue(name)
            .ifPresent(value -> exchange.getResponseHeaders().set(name, value));
      }
      answer(exchange, response.statusCode(), response.body());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
    exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
    exchange.getResponseBody().write(body);
  }

  /** The error of the service, if it has one for this request. */
  private static @Nullable String error(@Nullable Trouble now, boolean writes, boolean puts) {
    if (now == null) {
      return null;
    }
    return switch (now) {
      case BUSY -> "ThrottlingException";
      case UNAUTHORIZED -> "UnrecognizedClientException";
      // a policy that only lets read
      case READ_ONLY -> writes ? "AccessDeniedException" : null;
      case FULL -> puts ? "ItemCollectionSizeLimitExceededException" : null;
      case UNREACHABLE, SILENT, ANSWER_LOST -> null;
    };
  }

  @Override
  public void close() {
    healed.countDown();
    listener.stop(0);
  }
}
