// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.modelcontextprotocol.server.McpSyncServer;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStore;
import io.taskstore.examples.RawClient.Answer;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server and a client in this process, with pipes between them. */
@Timeout(60)
class DigestServerTest {
  /** Long enough for the handler to think of writing its progress at the next file. */
  private static final long PAUSE_MILLIS = DigestTask.INTERVAL.toMillis() + 50;

  @TempDir Path temp;
  private Path folder;
  private final TaskStore store = new StoreOption(StoreOption.DEFAULT).open();
  private volatile Consumer<String> fileProbe = file -> {};
  private McpSyncServer server;
  private RawClient client;

  @BeforeEach
  void start() throws IOException {
    folder = Files.createDirectory(temp.resolve("folder")).toRealPath();
    Files.writeString(folder.resolve("a.txt"), "one two\n");
    Files.writeString(folder.resolve("b.txt"), "three\n");
    Files.writeString(folder.resolve("c.md"), "# four\n");
    Pipe toServer = Pipe.open();
    Pipe toClient = Pipe.open();
    server =
        DigestServer.serve(
            Channels.newInputStream(toServer.source()),
            Channels.newOutputStream(toClient.sink()),
            store,
            file -> fileProbe.accept(file));
    client =
        new RawClient(
                Channels.newInputStream(toClient.source()),
                Channels.newOutputStream(toServer.sink()))
            .initialize();
  }

  @AfterEach
  void stop() {
    server.closeGracefully();
  }

  private Answer digest(Path path) {
    return client.call("digest_folder", Map.of("folder", path.toString()));
  }

  private void assertError(Answer answer, String text) {
    assertThat(answer.isError()).as(answer.text()).isTrue();
    assertThat(answer.text()).contains(text);
    assertThat(answer.structured()).isEmpty();
  }

  @Test
  void tools_areFive_withStrictSchemas() {
    List<?> tools = (List<?>) client.request("tools/list", Map.of()).get("tools");

    assertThat(tools)
        .extracting(tool -> RawClient.object(tool).get("name"))
        .containsExactlyInAnyOrder(
            "digest_folder", "task_status", "task_result", "task_list", "task_cancel");
    for (Object tool : tools) {
      assertThat(RawClient.object(RawClient.object(tool).get("inputSchema")))
          .containsEntry("additionalProperties", false)
          .containsKey("required");
      assertThat((String) RawClient.object(tool).get("description")).isNotBlank();
    }
  }

  @Test
  void digest_toItsEnd() throws Exception {
    Answer begin = digest(folder);
    assertThat(begin.status()).isEqualTo("working");
    assertThat(begin.get("pollIntervalMillis")).isEqualTo(100);
    assertThat(begin.get("version")).isEqualTo(1);

    Answer end = client.awaitEnd(begin.taskId());
    assertThat(end.status()).isEqualTo("completed");
    assertThat(end.get("progress")).isEqualTo(21);
    assertThat(end.get("total")).isEqualTo(21);
    assertThat(end.get("message")).isEqualTo("3 of 3 files");

    Answer answer = client.callTask("task_result", begin.taskId());
    assertThat(RawClient.parse("{\"jsonrpc\":\"2.0\",\"x\":" + answer.text() + "}").get("x"))
        .as("the text says the same")
        .isEqualTo(answer.structured());
    DigestResult result = RawClient.convert(answer.structured(), DigestResult.class);
    FolderState expected = new FolderDigest(folder, FolderState.START, watched -> {}).run();
    assertThat(result).isEqualTo(DigestResult.of(folder.toString(), expected));
    assertThat(result.total()).isEqualTo(new Counts(3, 3, 5, 21));
    assertThat(result.types())
        .containsExactly(
            new DigestResult.Type("txt", new Counts(2, 2, 3, 14)),
            new DigestResult.Type("md", new Counts(1, 1, 2, 7)));

    Task task = store.get(Owner.local(), begin.taskId());
    assertThat(task.method()).isEqualTo("digest_folder");
    assertThat(task.params()).contains(Map.of("folder", folder.toString()));
    assertThat(task.variables().isEmpty()).as("the state is of no use any more").isTrue();
  }

  @Test
  void digest_inTheMiddle_stateIsInTheTask_andCancelWorks() throws Exception {
    CountDownLatch reached = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    fileProbe =
        file -> {
          if (file.equals("b.txt")) {
            pause();
          } else if (file.equals("c.md")) {
            reached.countDown();
            await(release);
            pause();
          }
        };
    String id = digest(folder).taskId();
    await(reached);

    Answer working = client.callTask("task_status", id);
    assertThat(working.status()).isEqualTo("working");
    assertThat(working.get("message")).isEqualTo("1 of 3 files");
    assertThat(working.get("progress")).as("a.txt, and what is read of b.txt").isEqualTo(14);
    assertThat(working.get("total")).isEqualTo(21);
    FolderState state =
        store
            .get(Owner.local(), id)
            .variables()
            .as(DigestTask.STATE, FolderState.class)
            .orElseThrow();
    assertThat(state.position()).isEqualTo("a.txt");
    assertThat(state.total()).isEqualTo(new Counts(1, 1, 2, 8));
    assertThat(new FolderDigest(folder, state, watched -> {}).run())
        .as("from there somebody else could go on")
        .isEqualTo(new FolderDigest(folder, FolderState.START, watched -> {}).run());
    assertError(client.callTask("task_result", id), "is not finished");

    Answer asked = client.callTask("task_cancel", id);
    assertThat(asked.status()).isEqualTo("working");
    assertThat(asked.get("cancelRequested")).isEqualTo(true);
    release.countDown();

    Answer end = client.awaitEnd(id);
    assertThat(end.status()).isEqualTo("cancelled");
    assertThat(end.get("message")).isEqualTo("cancelled after 2 of 3 files");
    assertError(client.callTask("task_result", id), "was cancelled");
    assertThat(client.callTask("task_cancel", id).status()).as("again").isEqualTo("cancelled");
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void cancel_whileCounting_works() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    fileProbe =
        file -> {
          if (file.isEmpty()) {
            await(release);
            pause();
          }
        };
    String id = digest(folder).taskId();
    client.callTask("task_cancel", id);
    release.countDown();

    assertThat(client.awaitEnd(id).status()).isEqualTo("cancelled");
  }

  @Test
  void cancel_finishedTask_staysAsItIs() throws Exception {
    String id = digest(folder).taskId();
    client.awaitEnd(id);

    Answer answer = client.callTask("task_cancel", id);

    assertThat(answer.status()).isEqualTo("completed");
    assertThat(answer.get("cancelRequested")).isEqualTo(false);
  }

  @Test
  void digest_twoAtOnce_bothEnd() throws Exception {
    CountDownLatch both = new CountDownLatch(2);
    fileProbe =
        file -> {
          if (file.equals("b.txt")) {
            both.countDown();
            await(both);
          }
        };
    String first = digest(folder).taskId();
    String second = digest(folder).taskId();

    assertThat(first).isNotEqualTo(second);
    assertThat(client.awaitEnd(first).status()).isEqualTo("completed");
    assertThat(client.awaitEnd(second).status()).isEqualTo("completed");
    assertThat(client.callTask("task_result", second).structured())
        .isEqualTo(client.callTask("task_result", first).structured());
  }

  @Test
  void digest_tooManyAtOnce_isRefused() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    fileProbe = file -> await(release);
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < StoreOption.MAX_ACTIVE_TASKS; i++) {
      ids.add(digest(folder).taskId());
    }

    assertError(digest(folder), Integer.toString(StoreOption.MAX_ACTIVE_TASKS));

    release.countDown();
    for (String id : ids) {
      assertThat(client.awaitEnd(id).status()).isEqualTo("completed");
    }
    assertThat(digest(folder).isError()).isFalse();
  }

  @Test
  void digest_handlerFails_taskFails() throws Exception {
    fileProbe =
        file -> {
          if (file.equals("b.txt")) {
            throw new IllegalStateException("the disk is on fire");
          }
        };
    String id = digest(folder).taskId();

    Answer end = client.awaitEnd(id);

    assertThat(end.status()).isEqualTo("failed");
    assertThat(RawClient.object(end.get("error")))
        .containsEntry("message", "the disk is on fire")
        .containsEntry("data", Map.of("type", "IllegalStateException"));
    assertError(client.callTask("task_result", id), "failed: the disk is on fire");
  }

  @Test
  void digest_taskIsDeleted_handlerStops() {
    CountDownLatch reached = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    List<String> files = new ArrayList<>();
    fileProbe =
        file -> {
          if (file.equals("a.txt") && reached.getCount() > 0) {
            reached.countDown();
            await(release);
            pause();
          }
          files.add(file);
        };
    String id = digest(folder).taskId();
    await(reached);
    Thread worker =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().equals("digest " + id))
            .findFirst()
            .orElseThrow();
    store.delete(Owner.local(), id);
    release.countDown();

    assertThat(worker)
        .satisfies(thread -> thread.join(TimeUnit.SECONDS.toMillis(30)))
        .matches(thread -> !thread.isAlive());
    assertThat(files).contains("a.txt").doesNotContain("b.txt");
    assertError(client.callTask("task_status", id), "No task");
  }

  @Test
  void folder_mistakes_areErrorsOfTheTool() {
    assertError(digest(temp.resolve("missing")), "no such folder: " + temp.resolve("missing"));
    assertError(digest(folder.resolve("a.txt")), "not a folder: " + folder.resolve("a.txt"));
    assertError(client.call("digest_folder", Map.of("folder", "")), "folder");
    assertError(client.call("digest_folder", Map.of("folder", 5)), "folder");
    assertError(client.call("digest_folder", Map.of()), "folder");
    assertError(
        client.call("digest_folder", Map.of("folder", folder.toString(), "depth", 2)), "depth");
    assertThat((List<?>) client.call("task_list", Map.of()).get("tasks")).isEmpty();
  }

  @Test
  void taskId_unknown_isAnErrorOfTheTool() {
    for (String tool : List.of("task_status", "task_result", "task_cancel")) {
      assertError(client.callTask(tool, "nonsense"), "No task \"nonsense\"");
      assertError(client.call(tool, Map.of()), "taskId");
    }
  }

  @Test
  void list_newestFirst() throws Exception {
    String first = digest(folder).taskId();
    client.awaitEnd(first);
    String second = digest(folder).taskId();
    client.awaitEnd(second);

    Answer list = client.call("task_list", Map.of());

    assertThat((List<?>) list.get("tasks"))
        .extracting(task -> RawClient.object(task).get("taskId"))
        .containsExactly(second, first);
    assertThat(list.structured()).doesNotContainKey("nextCursor");
    assertError(client.call("task_list", Map.of("cursor", "nonsense")), "ursor");
  }
}
