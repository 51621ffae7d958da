// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.Locale;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** In front of a server that answers "HELLO" to "hello". */
final class TcpProxyTest {
  private final BlockingQueue<String> received = new LinkedBlockingQueue<>();
  private ServerSocket server;
  private TcpProxy proxy;

  @BeforeEach
  void setUp() throws IOException {
    server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    daemon(
        () -> {
          while (true) {
            Socket socket = server.accept();
            daemon(() -> answer(socket));
          }
        });
    proxy = TcpProxy.to("127.0.0.1", server.getLocalPort());
  }

  @AfterEach
  void tearDown() throws IOException {
    proxy.close();
    server.close();
  }

  private interface Work {
    void run() throws IOException;
  }

  private static void daemon(Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (IOException e) {
                // the test has ended
              }
            });
    thread.setDaemon(true);
    thread.start();
  }

  private void answer(Socket socket) throws IOException {
    byte[] buffer = new byte[1_024];
    int length;
    while ((length = socket.getInputStream().read(buffer)) >= 0) {
      String text = new String(buffer, 0, length, US_ASCII);
      received.add(text);
      socket.getOutputStream().write(text.toUpperCase(Locale.ROOT).getBytes(US_ASCII));
    }
  }

  private Socket connect() throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), proxy.port());
    socket.setSoTimeout(10_000);
    return socket;
  }

  private static void send(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(US_ASCII));
  }

  private static String ask(Socket socket, String text) throws IOException {
    send(socket, text);
    return new String(socket.getInputStream().readNBytes(text.length()), US_ASCII);
  }

  /** All that still comes, until the connection ends. */
  private static String rest(Socket socket) throws IOException {
    return new String(socket.getInputStream().readAllBytes(), US_ASCII);
  }

  @Test
  void untold_passesEverythingOn() throws IOException {
    try (Socket socket = connect()) {
      assertThat(ask(socket, "hello")).isEqualTo("HELLO");
      assertThat(ask(socket, "again")).isEqualTo("AGAIN");
    }
  }

  @Test
  void refuse_endsConnectionsAndTakesNone_untilHealed() throws IOException {
    try (Socket socket = connect()) {
      ask(socket, "hello");

      proxy.refuse();

      assertThat(socket.getInputStream().read()).isEqualTo(-1);
      assertThatThrownBy(this::connect).isInstanceOf(ConnectException.class);
    }
    proxy.heal();
    try (Socket socket = connect()) {
      assertThat(ask(socket, "hello")).isEqualTo("HELLO");
    }
  }

  @Test
  void stall_swallows_andHealingEndsTheConnection() throws IOException {
    try (Socket socket = connect()) {
      ask(socket, "hello");

      proxy.stall();

      socket.setSoTimeout(50);
      assertThatThrownBy(() -> ask(socket, "swallowed")).isInstanceOf(SocketTimeoutException.class);
      socket.setSoTimeout(10_000);
      proxy.heal();
      assertThat(rest(socket)).isEmpty();
    }
    assertThat(received).containsExactly("hello");
    try (Socket socket = connect()) {
      assertThat(ask(socket, "hello")).isEqualTo("HELLO");
    }
  }

  @Test
  void cutRequests_thoseThatAreMeant_doNotArrive() throws IOException {
    proxy.cutRequests(request -> new String(request, US_ASCII).contains("write"));
    try (Socket socket = connect()) {
      assertThat(ask(socket, "read")).isEqualTo("READ");

      send(socket, "write");

      assertThat(rest(socket)).isEmpty();
    }
    assertThat(received).containsExactly("read");
  }

  @Test
  void cutAnswers_thoseThatAreMeant_arriveAndAreAnsweredInPart()
      throws IOException, InterruptedException {
    proxy.cutAnswers(request -> new String(request, US_ASCII).contains("write"), 2);
    try (Socket socket = connect()) {
      assertThat(ask(socket, "read")).isEqualTo("READ");

      send(socket, "write");

      assertThat(rest(socket)).isEqualTo("WR");
    }
    assertThat(received.poll(10, TimeUnit.SECONDS)).isEqualTo("read");
    assertThat(received.poll(10, TimeUnit.SECONDS)).isEqualTo("write");
  }

  @Test
  void split_everythingArrives_inPieces() throws IOException {
    proxy.split(1);
    try (Socket socket = connect()) {
      assertThat(ask(socket, "hello")).isEqualTo("HELLO");
    }
    assertThat(String.join("", received)).isEqualTo("hello");
  }

  @Test
  void cutConnections_endsThoseThatAre_andTakesNewOnes() throws IOException {
    try (Socket socket = connect()) {
      ask(socket, "hello");

      proxy.cutConnections();

      assertThat(rest(socket)).isEmpty();
    }
    try (Socket socket = connect()) {
      assertThat(ask(socket, "hello")).isEqualTo("HELLO");
    }
  }

  @Test
  void strand_swallowsWhatIsThere_untilHealed_andNewConnectionsWork() throws IOException {
    try (Socket socket = connect()) {
      ask(socket, "hello");

      proxy.strand();

      socket.setSoTimeout(50);
      assertThatThrownBy(() -> ask(socket, "swallowed")).isInstanceOf(SocketTimeoutException.class);
      try (Socket another = connect()) {
        assertThat(ask(another, "new")).isEqualTo("NEW");
      }
      socket.setSoTimeout(10_000);
      proxy.heal();
      assertThat(rest(socket)).isEmpty();
    }
    assertThat(received).containsExactly("hello", "new");
  }

  @Test
  void redirect_newConnectionsGoThere_andTheOthersStay() throws IOException {
    try (ServerSocket other = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
        Socket socket = connect()) {
      ask(socket, "hello");

      proxy.redirect("127.0.0.1", other.getLocalPort());

      try (Socket another = connect();
          Socket accepted = other.accept()) {
        send(another, "there");
        assertThat(new String(accepted.getInputStream().readNBytes(5), US_ASCII))
            .isEqualTo("there");
      }
      assertThat(ask(socket, "here")).isEqualTo("HERE");
    }
  }

  @Test
  void cutAtRandom_someConnectionsEnd_andWhatArrivesIsRight() throws IOException {
    proxy.cutAtRandom(1, 5);
    int answered = 0;
    while (proxy.cuts() < 20 || answered < 20) {
      try (Socket socket = connect()) {
        for (int i = 0; i < 10; i++) {
          String answer = ask(socket, "hello");
          assertThat("HELLO").startsWith(answer);
          answered += answer.length() == 5 ? 1 : 0;
        }
      } catch (SocketException e) {
        // cut while a request was written
      }
    }

    proxy.heal();

    try (Socket socket = connect()) {
      assertThat(ask(socket, "hello")).isEqualTo("HELLO");
    }
  }

  @Test
  void close_endsConnectionsAndTakesNone() throws IOException {
    try (Socket socket = connect()) {
      ask(socket, "hello");

      proxy.close();

      assertThat(rest(socket)).isEmpty();
      assertThatThrownBy(this::connect).isInstanceOf(ConnectException.class);
    }
  }
}
