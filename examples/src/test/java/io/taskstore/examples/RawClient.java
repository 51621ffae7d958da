// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.TypeRef;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * An MCP client that writes and reads the lines itself, so that nothing that the server says
 * escapes it. For one thread. Questions of the server are heard, and answered if an answer was set,
 * while it waits for something else.
 */
final class RawClient {
  private static final McpJsonMapper JSON = Protocol.json();
  private static final int TIMEOUT_SECONDS = 30;
  private static final String END = "";

  private final OutputStream toServer;
  private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
  private final List<String> seen = new ArrayList<>();
  private final List<Map<String, Object>> questions = new ArrayList<>();
  private @Nullable Map<String, Object> answer;
  private int lastId;

  RawClient(InputStream fromServer, OutputStream toServer) {
    this.toServer = toServer;
    Thread reader = new Thread(() -> read(fromServer), "raw client");
    reader.setDaemon(true);
    reader.start();
  }

  private void read(InputStream fromServer) {
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(fromServer, StandardCharsets.UTF_8))) {
      for (String line; (line = reader.readLine()) != null; ) {
        lines.add(line);
      }
    } catch (IOException e) {
      // The server has gone, as far as we can see.
    }
    lines.add(END);
  }

  /** What a tool has answered. */
  record Answer(boolean isError, Map<String, Object> structured, String text) {
    Object get(String name) {
      return structured.get(name);
    }

    String taskId() {
      return (String) structured.get("taskId");
    }

    String status() {
      return (String) structured.get("status");
    }
  }

  /** Shakes hands, as every client has to. */
  RawClient initialize() {
    return initialize(Map.of());
  }

  /** Shakes hands as a client with these capabilities. */
  RawClient initialize(Map<String, Object> capabilities) {
    Map<String, Object> result =
        request(
            "initialize",
            Map.of(
                "protocolVersion",
                "2025-06-18",
                "capabilities",
                capabilities,
                "clientInfo",
                Map.of("name", "raw", "version", "1")));
    assertThat(result).containsKeys("protocolVersion", "serverInfo", "capabilities");
    send(Map.of("jsonrpc", "2.0", "method", "notifications/initialized"));
    return this;
  }

  /** Answers every question like this from now on. */
  void answerAll(String action) {
    answer = Map.of("action", action, "content", Map.of());
  }

  /** The questions so far, as requests of the protocol. */
  List<Map<String, Object>> questions() {
    return List.copyOf(questions);
  }

  /** Answers a question. */
  void answer(Map<String, Object> question, Map<String, Object> result) {
    send(Map.of("jsonrpc", "2.0", "id", question.get("id"), "result", result));
  }

  Map<String, Object> request(String method, Map<String, Object> params) {
    lastId++;
    send(Map.of("jsonrpc", "2.0", "id", lastId, "method", method, "params", params));
    while (true) {
      Map<String, Object> message = parse(nextLine());
      if (message.containsKey("method")) {
        assertThat(message).containsEntry("method", "elicitation/create").containsKey("id");
        questions.add(message);
        if (answer != null) {
          answer(message, answer);
        }
      } else if (Integer.valueOf(lastId).equals(message.get("id"))) {
        assertThat(message).as("answer to %s", method).containsKey("result");
        return object(message.get("result"));
      }
    }
  }

  Answer call(String tool, Map<String, Object> arguments) {
    Map<String, Object> result =
        request("tools/call", Map.of("name", tool, "arguments", arguments));
    Object structured = result.get("structuredContent");
    List<?> content = (List<?>) result.get("content");
    String text = (String) object(content.get(0)).get("text");
    return new Answer(
        Boolean.TRUE.equals(result.get("isError")),
        structured == null ? Map.of() : object(structured),
        text);
  }

  Answer callTask(String tool, String taskId) {
    return call(tool, Map.of("taskId", taskId));
  }

  /** Asks for the task until it is finished. */
  Answer awaitEnd(String taskId) throws InterruptedException {
    Set<String> ends = Set.of("completed", "failed", "cancelled");
    return await(taskId, status -> ends.contains(status.status()));
  }

  /** Asks for the task until it has a question, and this client has heard it too. */
  Answer awaitQuestion(String taskId) throws InterruptedException {
    return await(
        taskId, status -> status.status().equals("input_required") && !questions.isEmpty());
  }

  /** Asks for the task until it is as wanted. */
  Answer await(String taskId, Predicate<Answer> wanted) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
    while (true) {
      Answer status = callTask("task_status", taskId);
      assertThat(status.isError()).as(status.text()).isFalse();
      if (wanted.test(status)) {
        return status;
      }
      assertThat(System.nanoTime()).as("in time; now it is %s", status).isLessThan(deadline);
      Thread.sleep(20);
    }
  }

  /** Ends the server's input and returns all lines that it has ever printed. */
  List<String> finish() throws IOException {
    toServer.close();
    while (!nextLine().equals(END)) {
      // It is remembered.
    }
    return List.copyOf(seen);
  }

  private String nextLine() {
    try {
      String line = lines.poll(TIMEOUT_SECONDS, TimeUnit.SECONDS);
      assertThat(line).as("a line from the server in time").isNotNull();
      if (!line.equals(END)) {
        seen.add(line);
      }
      return line;
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private void send(Map<String, Object> message) {
    try {
      toServer.write((JSON.writeValueAsString(message) + "\n").getBytes(StandardCharsets.UTF_8));
      toServer.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads a line of the protocol; anything else fails the test. */
  static Map<String, Object> parse(String line) {
    try {
      Map<String, Object> message = JSON.readValue(line, new TypeRef<Map<String, Object>>() {});
      assertThat(message).as(line).containsEntry("jsonrpc", "2.0");
      return message;
    } catch (IOException | RuntimeException e) {
      throw new AssertionError("not JSON: " + line, e);
    }
  }

  static <T> T convert(Map<String, Object> object, Class<T> type) {
    return JSON.convertValue(object, type);
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(Object value) {
    assertThat(value).isInstanceOf(Map.class);
    return new LinkedHashMap<>((Map<String, Object>) value);
  }
}
