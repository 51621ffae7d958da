// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.taskstore.testservers.RedisServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a server runs, in order, as its command {@code MONITOR} tells. */
final class CommandLog implements AutoCloseable {
  private static final int PATIENCE_MILLIS = 10_000;

  /** {@code +time [database client] "COMMAND" "argument" …}; the client of a script is lua. */
  private static final Pattern LINE =
      Pattern.compile("\\+[0-9.]+ \\[[0-9]+ (\\S+)] \"([^\"]+)\"(.*)");

  /**
   * A command.
   *
   * @param isOfScript whether a script has called it, so that nothing was sent for it
   * @param name in upper case
   */
  record Entry(boolean isOfScript, String name, String arguments) {}

  private final Socket monitor;
  private final BufferedReader lines;
  private final Socket marking;
  private final BufferedReader marked;
  private int marks;

  CommandLog(RedisServer server) throws IOException {
    this.monitor = connect(server);
    this.lines = reader(monitor);
    this.marking = connect(server);
    this.marked = reader(marking);
    send(monitor, "MONITOR");
    lines.readLine(); // +OK
  }

  private static Socket connect(RedisServer server) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
    socket.setSoTimeout(PATIENCE_MILLIS);
    return socket;
  }

  private static BufferedReader reader(Socket socket) throws IOException {
    return new BufferedReader(new InputStreamReader(socket.getInputStream(), ISO_8859_1));
  }

  private static void send(Socket socket, String command) throws IOException {
    socket.getOutputStream().write((command + "\r\n").getBytes(ISO_8859_1));
  }

  /** What has been run since this was called before. */
  List<Entry> take() throws IOException {
    String mark = "mark-" + marks++;
    send(marking, "ECHO " + mark);
    marked.readLine();
    marked.readLine();
    List<Entry> entries = new ArrayList<>();
    while (true) {
      String line = lines.readLine();
      Matcher matcher = LINE.matcher(String.valueOf(line));
      if (!matcher.matches()) {
        throw new IOException("not a line of MONITOR: " + line);
      }
      if (matcher.group(3).contains(mark)) {
        return entries;
      }
      entries.add(
          new Entry(
              matcher.group(1).equals("lua"),
              matcher.group(2).toUpperCase(Locale.ROOT),
              matcher.group(3)));
    }
  }

  @Override
  public void close() throws IOException {
    monitor.close();
    marking.close();
  }
}
