// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpFullResponse;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;

/** A client of HTTP that loses, spoils, delays or replaces an answer: that of the next request. */
final class FaultyHttpClient implements SdkHttpClient {
  /** What happens to a request. */
  interface Fault {
    HttpExecuteResponse answer(ExecutableHttpRequest real, CountDownLatch aborted)
        throws IOException;
  }

  private static final String CHECKSUM = "x-amz-crc32";

  private final SdkHttpClient real = Apache5HttpClient.create();
  private final Queue<SdkHttpRequest> sent = new ConcurrentLinkedQueue<>();
  private volatile @Nullable Fault next;
  private volatile String target = "";

  /** Has the next request, and no other, end like this. */
  void breakNext(Fault fault) {
    breakNext("", fault);
  }

  /** The same for the next request of a kind, for example PutItem. */
  void breakNext(String kind, Fault fault) {
    target = kind;
    next = fault;
  }

  /** Whether what was to be broken has come. */
  boolean hasBroken() {
    return next == null;
  }

  /** As the service calls it: GetItem. */
  static String name(SdkHttpRequest request) {
    return request.firstMatchingHeader("X-Amz-Target").orElseThrow().replaceFirst(".*\\.", "");
  }

  /** Returns what was sent since the last time, as often as it was. */
  List<SdkHttpRequest> take() {
    List<SdkHttpRequest> taken = new ArrayList<>();
    for (SdkHttpRequest each = sent.poll(); each != null; each = sent.poll()) {
      taken.add(each);
    }
    return taken;
  }

  // --- faults -------------------------------------------------------------------------------

  /** It is done, and the connection breaks before the answer. */
  static Fault lost() {
    return (real, aborted) -> {
      done(real);
      throw new IOException("connection reset");
    };
  }

  /** It is done, and the answer does not come until the client has given up. */
  static Fault late() {
    return (real, aborted) -> {
      done(real);
      try {
        aborted.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      throw new InterruptedIOException("aborted");
    };
  }

  /**
   * It is not sent: the thread is interrupted before it has a connection, as Apache's pool says.
   */
  static Fault interrupted() {
    return (real, aborted) -> {
      Thread.currentThread().interrupt();
      throw new CancellationException();
    };
  }

  /** It is done, and the bytes of the answer are others than were sent. */
  static Fault changed() {
    return garbled(
        true,
        body -> {
          body[body.length / 2] ^= 1;
          return body;
        });
  }

  /** It is done, and the answer ends in its middle. */
  static Fault cut() {
    return garbled(true, body -> Arrays.copyOf(body, body.length / 2));
  }

  /** It is done, and the answer lacks its last byte, and what it could be checked by. */
  static Fault cutUnchecked() {
    return garbled(false, body -> Arrays.copyOf(body, body.length - 1));
  }

  /** It is done, and somebody on the way answers with something else. */
  static Fault notJson() {
    return garbled(false, body -> "<html>Welcome</html>".getBytes(UTF_8));
  }

  private static Fault garbled(boolean withChecksum, UnaryOperator<byte[]> change) {
    return (real, aborted) -> {
      HttpExecuteResponse answer = real.call();
      byte[] body = change.apply(body(answer));
      SdkHttpFullResponse.Builder spoilt =
          SdkHttpFullResponse.builder()
              .statusCode(answer.httpResponse().statusCode())
              .statusText(answer.httpResponse().statusText().orElse(null))
              .headers(answer.httpResponse().headers());
      if (!withChecksum) {
        spoilt.removeHeader(CHECKSUM);
      } else if (answer.httpResponse().firstMatchingHeader(CHECKSUM).isEmpty()) {
        throw new AssertionError("there is no checksum");
      }
      return response(spoilt.build(), body);
    };
  }

  /** It is not done: the service answers with an error. */
  static Fault refused(int status, String code, String message) {
    return refused(status, code, message, null);
  }

  /**
   * The same, by a service with another clock.
   *
   * @param time that of the service, null for none
   */
  static Fault refused(int status, String code, String message, @Nullable Instant time) {
    return (real, aborted) -> {
      SdkHttpFullResponse.Builder answer =
          SdkHttpFullResponse.builder()
              .statusCode(status)
              .statusText("as it was told")
              .putHeader("Content-Type", "application/x-amz-json-1.0");
      if (time != null) {
        answer.putHeader(
            "Date", DateTimeFormatter.RFC_1123_DATE_TIME.format(time.atOffset(ZoneOffset.UTC)));
      }
      String body =
          "{\"__type\":\"com.amazonaws.dynamodb.v20120810#%s\",\"message\":\"%s\"}"
              .formatted(code, message);
      return response(answer.build(), body.getBytes(UTF_8));
    };
  }

  /** It is not done: something between us and the service answers. */
  static Fault gateway(int status) {
    return (real, aborted) ->
        response(
            SdkHttpFullResponse.builder()
                .statusCode(status)
                .statusText("as it was told")
                .putHeader("Content-Type", "text/html")
                .build(),
            "<html>Sorry</html>".getBytes(UTF_8));
  }

  private static void done(ExecutableHttpRequest real) throws IOException {
    HttpExecuteResponse answer = real.call();
    if (!answer.httpResponse().isSuccessful()) {
      throw new AssertionError(new String(body(answer), UTF_8));
    }
    body(answer);
  }

  private static byte[] body(HttpExecuteResponse answer) throws IOException {
    try (AbortableInputStream in = answer.responseBody().orElseThrow()) {
      return in.readAllBytes();
    }
  }

  private static HttpExecuteResponse response(SdkHttpResponse head, byte[] body) {
    return HttpExecuteResponse.builder()
        .response(head)
        .responseBody(AbortableInputStream.create(new ByteArrayInputStream(body)))
        .build();
  }

  // --- the client ---------------------------------------------------------------------------

  @Override
  public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
    ExecutableHttpRequest executable = real.prepareRequest(request);
    CountDownLatch aborted = new CountDownLatch(1);
    return new ExecutableHttpRequest() {
      @Override
      public HttpExecuteResponse call() throws IOException {
        sent.add(request.httpRequest());
        Fault fault = next;
        if (fault == null || !name(request.httpRequest()).endsWith(target)) {
          return executable.call();
        }
        next = null;
        return fault.answer(executable, aborted);
      }

      @Override
      public void abort() {
        // what was sent is not called back: the service gets it all the same
        aborted.countDown();
      }
    };
  }

  @Override
  public String clientName() {
    return "Faulty";
  }

  @Override
  public void close() {
    real.close();
  }
}
