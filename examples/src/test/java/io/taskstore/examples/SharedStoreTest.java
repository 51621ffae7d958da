// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.modelcontextprotocol.json.TypeRef;
import io.taskstore.examples.RawClient.Answer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two servers, as processes, on one directory. */
@Timeout(120)
class SharedStoreTest {
  private static final Duration LEASE = Duration.ofSeconds(3);

  /**
   * Half of it is longer than a lease, so that a worker that did not renew its own would lose it.
   */
  private static final Duration PACE = Duration.ofSeconds(8);

  /** Far more than it takes, far less than the lease that a server has by default. */
  private static final Duration PATIENCE = Duration.ofSeconds(15);

  @TempDir Path temp;
  private Path folder;
  private DigestResult expected;
  private final List<Server> servers = new ArrayList<>();

  @BeforeEach
  void createFolder() throws IOException {
    folder = Files.createDirectory(temp.resolve("folder")).toRealPath();
    for (int i = 100; i < 200; i++) {
      Files.writeString(folder.resolve("file." + i), "one two\n".repeat(i));
    }
    FolderState end = new FolderDigest(folder, FolderState.START, watched -> {}, state -> {}).run();
    expected = DigestResult.of(folder.toString(), end);
  }

  @AfterEach
  void stop() {
    servers.forEach(server -> server.process.destroyForcibly());
  }

  /** A line of the audit log that tells of a write. */
  private record Write(Instant at, String event, String task, int version) {}

  /** A server and its client. */
  private final class Server {
    private final String name;
    private final Process process;
    private final RawClient client;

    Server(String name, Map<String, Object> capabilities, String... more) {
      this.name = name;
      List<String> arguments = new ArrayList<>(List.of("--store", "file:" + temp + "/store"));
      arguments.addAll(List.of("--audit", "--lease", Long.toString(LEASE.toSeconds())));
      arguments.addAll(List.of(more));
      try {
        process =
            new Programs(temp)
                .program(name, DigestServer.class, arguments.toArray(String[]::new))
                .start();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      servers.add(this);
      client =
          new RawClient(process.getInputStream(), process.getOutputStream())
              .initialize(capabilities);
    }

    String begin() {
      Answer task = client.call("digest_folder", Map.of("folder", folder.toString()));
      assertThat(task.isError()).as(task.text()).isFalse();
      return task.taskId();
    }

    void kill() throws InterruptedException {
      process.destroyForcibly();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    }

    /** The writes of a task, once there is a certain one: the log may come after the answer. */
    List<Write> writes(String task, String awaited) throws IOException, InterruptedException {
      Instant deadline = Instant.now().plus(PATIENCE);
      while (true) {
        List<Write> writes = writes(task);
        boolean isThere = writes.stream().anyMatch(write -> write.event().equals(awaited));
        if (isThere || Instant.now().isAfter(deadline)) {
          return writes;
        }
        Thread.sleep(20);
      }
    }

    List<Write> writes(String task) throws IOException {
      List<Write> writes = new ArrayList<>();
      for (String line : new Programs(temp).errorLines(name)) {
        Map<String, Object> members =
            Protocol.json()
                .readValue(line.replaceFirst("^INFO: ", ""), new TypeRef<Map<String, Object>>() {});
        if (task.equals(members.get("task")) && members.get("version") instanceof Integer version) {
          Instant at = Instant.parse(String.valueOf(members.get("at")));
          writes.add(new Write(at, String.valueOf(members.get("event")), task, version));
        }
      }
      return writes;
    }
  }

  private Server paced(String name) {
    return new Server(name, Map.of(), "--pace", Long.toString(PACE.toSeconds()));
  }

  private static long number(Object value) {
    return ((Number) value).longValue();
  }

  @Test
  void servers_shareTasks_andTakeOverFromTheDead_butNeverWorkTogetherOnOne() throws Exception {
    Server first = paced("first");
    Server second = paced("second");
    List<String> ofFirst = List.of(first.begin(), first.begin(), first.begin());
    List<String> ofSecond = List.of(second.begin(), second.begin());

    assertThat((List<?>) second.client.call("task_list", Map.of()).get("tasks"))
        .extracting(task -> RawClient.object(task).get("taskId"))
        .as("all of both")
        .containsExactlyInAnyOrder(
            ofFirst.get(0), ofFirst.get(1), ofFirst.get(2), ofSecond.get(0), ofSecond.get(1));
    // That takes longer than a lease: whoever would steal has had the time to do so.
    for (String task : ofFirst) {
      Answer half =
          second.client.await(
              task,
              status ->
                  status.get("total") != null
                      && 2 * number(status.get("progress")) > number(status.get("total")));
      assertThat(half.status()).isEqualTo("working");
      assertThat(half.structured()).containsKey("checkpoint").doesNotContainKey("resumedFrom");
    }
    Instant alive = Instant.now();
    first.kill();
    Instant dead = Instant.now();

    for (String task : ofFirst) {
      Answer end = second.client.awaitEnd(task);
      assertThat(end.status()).isEqualTo("completed");
      long files = number(RawClient.object(end.get("resumedFrom")).get("files"));
      assertThat(files).as("some were done, and some were not").isBetween(1L, 99L);
      assertOneAfterTheOther(first.writes(task), second.writes(task, "completed"), alive, dead);
    }
    for (String task : ofSecond) {
      assertThat(second.client.awaitEnd(task).structured()).doesNotContainKey("resumedFrom");
      assertThat(first.writes(task)).as("not its own").isEmpty();
    }
    for (String task : List.of(ofFirst.get(0), ofFirst.get(2), ofSecond.get(1))) {
      Answer result = second.client.callTask("task_result", task);
      assertThat(RawClient.convert(result.structured(), DigestResult.class)).isEqualTo(expected);
    }
  }

  private static void assertOneAfterTheOther(
      List<Write> first, List<Write> second, Instant alive, Instant dead) {
    assertThat(first).hasSizeGreaterThan(2).extracting(Write::event).startsWith("created");
    assertThat(second).extracting(Write::event).startsWith("lease_taken").endsWith("completed");
    Write last = first.get(first.size() - 1);
    Write taken = second.get(0);
    assertThat(first).extracting(Write::event).doesNotContain("lease_taken", "lease_released");
    assertThat(second.subList(1, second.size()))
        .extracting(Write::event)
        .doesNotContain("lease_taken");
    assertThat(taken.version()).isGreaterThan(last.version());
    assertThat(taken.at())
        .as("not while the first was at work, and not long after its lease was over")
        .isBetween(alive, dead.plus(LEASE).plus(PATIENCE));
  }

  @Test
  void cancel_throughTheOther_stopsTheHandler() throws Exception {
    Server first = paced("first");
    Server second = paced("second");
    String task = first.begin();

    second.client.callTask("task_cancel", task);

    assertThat(first.client.awaitEnd(task).status()).isEqualTo("cancelled");
    assertThat(second.writes(task, "cancel_requested"))
        .extracting(Write::event)
        .containsExactly("cancel_requested");
  }

  @Test
  void question_answeredThroughTheOther_goesOnWhereItWasAsked() throws Exception {
    Server first = new Server("first", Map.of("elicitation", Map.of()), "--ask-above", "10");
    Server second = new Server("second", Map.of());
    String task = first.begin();
    first.client.awaitQuestion(task);

    Answer answer =
        second.client.call(
            "task_answer",
            Map.of(
                "taskId", task, "key", DigestTask.CONFIRM, "response", Map.of("action", "accept")));

    assertThat(answer.isError()).as(answer.text()).isFalse();
    assertThat(first.client.awaitEnd(task).status()).isEqualTo("completed");
    assertThat(first.writes(task, "completed")).extracting(Write::event).endsWith("completed");
    assertThat(second.writes(task, "input_provided"))
        .extracting(Write::event)
        .containsExactly("input_provided");
  }
}
