// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;

/**
 * A proxy on the loopback interface, in front of the server of a backend under test, that can do to
 * connections what networks do. It passes everything on until it is told otherwise, and again after
 * {@link #heal}.
 */
public final class TcpProxy implements AutoCloseable {
  private enum Mode {
    PASS,
    REFUSE,
    STALL,
    CUT_REQUESTS,
    CUT_ANSWERS,
    CUT_AT_RANDOM
  }

  /** A connection of a client, and the one to the server that goes with it. */
  private static final class Pair {
    private final Socket client;
    private final Socket server;

    /** Whether a request was passed on whose answer is to be cut off. */
    private volatile boolean isDoomed;

    /** Whether what is sent is swallowed, whatever becomes of others. */
    private volatile boolean isStranded;

    Pair(Socket client, Socket server) {
      this.client = client;
      this.server = server;
    }

    void close() {
      closeQuietly(client);
      closeQuietly(server);
    }
  }

  private volatile InetSocketAddress server;
  private final int port;
  private final Set<Pair> pairs = ConcurrentHashMap.newKeySet();
  private volatile ServerSocket listener;
  private volatile Thread accepting;
  private volatile Mode mode = Mode.PASS;
  private volatile Predicate<byte[]> cut = request -> true;
  private volatile int passedBytes;
  private volatile int pieceBytes = Integer.MAX_VALUE;
  private volatile Random random = new Random(0);
  private volatile int oneIn = 1;
  private final AtomicLong cuts = new AtomicLong();
  private volatile boolean closed;

  private TcpProxy(InetSocketAddress server) throws IOException {
    this.server = server;
    this.listener = new ServerSocket();
    listener.setReuseAddress(true);
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    this.port = listener.getLocalPort();
    this.accepting = listen(listener);
  }

  /** Begins to listen on a free port, and to pass on to a server. */
  public static TcpProxy to(String host, int port) throws IOException {
    return new TcpProxy(new InetSocketAddress(Objects.requireNonNull(host, "host"), port));
  }

  /** Where it listens. */
  public int port() {
    return port;
  }

  /**
   * Closes all connections and refuses new ones.
   *
   * @throws InterruptedIOException if the thread is interrupted before it is certain that new ones
   *     are refused; its flag stays set
   */
  public void refuse() throws IOException {
    mode = Mode.REFUSE;
    try {
      stopListening();
    } finally {
      pairs.forEach(Pair::close);
    }
  }

  private void stopListening() throws IOException {
    listener.close();
    try {
      // Until it has left its call, the system goes on taking connections.
      accepting.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while the proxy stops listening");
    }
  }

  /** Swallows what is sent, and never answers. Connections stay, and new ones are taken. */
  public void stall() {
    mode = Mode.STALL;
  }

  /**
   * Closes connections instead of passing requests on.
   *
   * @param requests which ones; those that are not, handshakes for example, pass
   */
  public void cutRequests(Predicate<byte[]> requests) {
    cut = Objects.requireNonNull(requests, "requests");
    mode = Mode.CUT_REQUESTS;
  }

  /**
   * Passes requests on, and closes their connections when the server answers.
   *
   * @param requests which ones; others are answered
   * @param passed how many bytes of the answer arrive before
   */
  public void cutAnswers(Predicate<byte[]> requests, int passed) {
    cut = Objects.requireNonNull(requests, "requests");
    passedBytes = passed;
    mode = Mode.CUT_ANSWERS;
  }

  /**
   * Closes connections now and then at a random byte, which may be before or in a request, just
   * after it, or before or in an answer. What is passed on arrives in pieces of random sizes.
   *
   * @param seed decides where, as far as the threads let it
   * @param of of so many requests and answers about one is cut
   */
  public void cutAtRandom(long seed, int of) {
    random = new Random(seed);
    oneIn = of;
    mode = Mode.CUT_AT_RANDOM;
  }

  /** How many connections {@link #cutAtRandom} has closed. */
  public long cuts() {
    return cuts.get();
  }

  /**
   * Swallows what is sent through the connections that are there now, which stay; new ones are not
   * concerned. So do routers that forget a connection, and hosts that lose their power.
   */
  public void strand() {
    pairs.forEach(pair -> pair.isStranded = true);
  }

  /** Passes everything on in pieces of so many bytes, until {@link #heal}. */
  public void split(int bytes) {
    pieceBytes = bytes;
  }

  /**
   * Passes new connections on to another server, as a name does that has got another address. Those
   * that are there now stay with the server that they have.
   */
  public void redirect(String host, int toPort) {
    server = new InetSocketAddress(Objects.requireNonNull(host, "host"), toPort);
  }

  /** Closes all connections; new ones are taken. */
  public void cutConnections() {
    pairs.forEach(Pair::close);
  }

  /** Passes everything on again. What was swallowed is lost, and its connections are closed. */
  public void heal() throws IOException {
    Mode before = mode;
    mode = Mode.PASS;
    pieceBytes = Integer.MAX_VALUE;
    for (Pair pair : pairs) {
      if (before == Mode.STALL || pair.isStranded) {
        pair.close();
      }
    }
    if (listener.isClosed() && !closed) {
      ServerSocket again = new ServerSocket();
      again.setReuseAddress(true);
      again.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
      listener = again;
      accepting = listen(again);
    }
  }

  private Thread listen(ServerSocket socket) {
    return start(
        "accept",
        () -> {
          while (true) {
            Socket client = socket.accept();
            Pair pair;
            try {
              Socket toServer = new Socket();
              toServer.setTcpNoDelay(true);
              client.setTcpNoDelay(true);
              toServer.connect(server, 5_000);
              pair = new Pair(client, toServer);
            } catch (IOException e) {
              closeQuietly(client);
              continue;
            }
            pairs.add(pair);
            start("requests", () -> pump(pair, true));
            start("answers", () -> pump(pair, false));
            if (closed || mode == Mode.REFUSE) {
              pair.close();
            }
          }
        });
  }

  private void pump(Pair pair, boolean isRequest) throws IOException {
    try {
      InputStream in = (isRequest ? pair.client : pair.server).getInputStream();
      OutputStream out = (isRequest ? pair.server : pair.client).getOutputStream();
      byte[] buffer = new byte[64 * 1_024];
      int length;
      while ((length = in.read(buffer)) >= 0) {
        if (!pass(pair, isRequest, buffer, length, out)) {
          return;
        }
      }
    } finally {
      pairs.remove(pair);
      pair.close();
    }
  }

  /** Returns whether the connection goes on. */
  private boolean pass(Pair pair, boolean isRequest, byte[] buffer, int length, OutputStream out)
      throws IOException {
    Mode now = mode;
    if (now == Mode.STALL || pair.isStranded) {
      return true;
    }
    if (now == Mode.CUT_AT_RANDOM) {
      return passAtRandom(buffer, length, out);
    }
    if (isRequest && (now == Mode.CUT_REQUESTS || now == Mode.CUT_ANSWERS)) {
      byte[] request = new byte[length];
      System.arraycopy(buffer, 0, request, 0, length);
      if (cut.test(request)) {
        if (now == Mode.CUT_REQUESTS) {
          return false;
        }
        pair.isDoomed = true;
      }
    }
    if (!isRequest && now == Mode.CUT_ANSWERS && pair.isDoomed) {
      out.write(buffer, 0, Math.min(length, passedBytes));
      out.flush();
      return false;
    }
    for (int at = 0; at < length; ) {
      int piece = Math.min(pieceBytes, length - at);
      out.write(buffer, at, piece);
      out.flush();
      at += piece;
    }
    return true;
  }

  private boolean passAtRandom(byte[] buffer, int length, OutputStream out) throws IOException {
    boolean isCut = random.nextInt(oneIn) == 0;
    int end = isCut ? random.nextInt(length + 1) : length;
    for (int at = 0; at < end; ) {
      int piece = random.nextBoolean() ? end - at : 1 + random.nextInt(end - at);
      out.write(buffer, at, piece);
      out.flush();
      at += piece;
    }
    if (isCut) {
      cuts.incrementAndGet();
    }
    return !isCut;
  }

  private interface Work {
    void run() throws IOException;
  }

  private static Thread start(String name, Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (IOException e) {
                // The socket was closed, by somebody here or there.
              }
            },
            "tcp-proxy-" + name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      // It is gone either way.
    }
  }

  /** Closes all connections and stops listening. */
  @Override
  public void close() {
    closed = true;
    try {
      stopListening();
    } catch (InterruptedIOException e) {
      // The thread knows, and it stops without being waited for.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      pairs.forEach(Pair::close);
    }
  }
}
