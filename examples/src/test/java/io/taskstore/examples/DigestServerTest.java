// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStore;
import io.taskstore.examples.RawClient.Answer;
import io.taskstore.memory.MemoryStorageBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The server, its tools and its questions. */
@Timeout(60)
class DigestServerTest {
  @TempDir Path temp;
  private Path folder;
  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final List<TestServer> servers = new ArrayList<>();
  private volatile Consumer<String> fileProbe = file -> {};
  private TaskStore store;
  private RawClient client;

  @BeforeEach
  void start() throws IOException {
    folder = Files.createDirectory(temp.resolve("folder")).toRealPath();
    Files.writeString(folder.resolve("a.txt"), "one two\n");
    Files.writeString(folder.resolve("b.txt"), "three\n");
    Files.writeString(folder.resolve("c.md"), "# four\n");
    start(options());
  }

  private TestServer.Options options() {
    return TestServer.over(backend).fileProbe(file -> fileProbe.accept(file));
  }

  /** Starts a server, which the tests talk to from now on. */
  private void start(TestServer.Options options) {
    TestServer server = options.start();
    servers.add(server);
    store = server.service().store();
    client = server.client();
  }

  @AfterEach
  void stop() {
    servers.forEach(TestServer::close);
    backend.close();
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
  void tools_areSix_withStrictSchemas() {
    List<?> tools = (List<?>) client.request("tools/list", Map.of()).get("tools");

    assertThat(tools)
        .extracting(tool -> RawClient.object(tool).get("name"))
        .containsExactlyInAnyOrder(
            "digest_folder",
            "task_status",
            "task_result",
            "task_list",
            "task_answer",
            "task_cancel");
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
    FolderState expected =
        new FolderDigest(folder, FolderState.START, watched -> {}, state -> {}).run();
    assertThat(result).isEqualTo(DigestResult.of(folder.toString(), expected));
    assertThat(result.total()).isEqualTo(new Counts(3, 3, 5, 21));
    assertThat(result.types())
        .containsExactly(
            new DigestResult.Type("txt", new Counts(2, 2, 3, 14)),
            new DigestResult.Type("md", new Counts(1, 1, 2, 7)));

    Task task = store.get(Owner.local(), begin.taskId());
    assertThat(task.method()).isEqualTo("digest_folder");
    assertThat(task.params(DigestTask.Params.class))
        .as("this client cannot be asked")
        .contains(new DigestTask.Params(folder.toString(), null));
  }

  @Test
  void digest_inTheMiddle_stateIsInTheTask_andCancelWorks() throws Exception {
    Path many = Files.createDirectory(temp.resolve("many")).toRealPath();
    for (int i = 100; i < 350; i++) {
      Files.writeString(many.resolve("file." + i), "x\n");
    }
    CountDownLatch release = new CountDownLatch(1);
    fileProbe =
        file -> {
          if (file.equals("file.250")) {
            await(release);
          }
        };
    String id = digest(many).taskId();

    Task seen = store.get(Owner.local(), id);
    while (!seen.variables().contains(DigestTask.STATE)) {
      seen = store.awaitChange(Owner.local(), id, seen.version(), Duration.ofSeconds(30));
    }
    Answer status = client.callTask("task_status", id);
    assertThat(status.status()).isEqualTo("working");
    assertThat(status.get("total")).isEqualTo(500);
    FolderState state = seen.variables().as(DigestTask.STATE, FolderState.class).orElseThrow();
    assertThat(state.position()).isEqualTo("file.199");
    assertThat(state.total()).isEqualTo(new Counts(100, 100, 100, 200));
    assertThat(new FolderDigest(many, state, watched -> {}, checkpoint -> {}).run())
        .as("from there somebody else could go on")
        .isEqualTo(new FolderDigest(many, FolderState.START, watched -> {}, s -> {}).run());
    assertError(client.callTask("task_result", id), "is not finished");

    Answer asked = client.callTask("task_cancel", id);
    assertThat(asked.status()).isEqualTo("working");
    assertThat(asked.get("cancelRequested")).isEqualTo(true);
    release.countDown();

    Answer end = client.awaitEnd(id);
    assertThat(end.status()).isEqualTo("cancelled");
    assertThat(end.get("message")).isEqualTo("150 of 250 files");
    assertError(client.callTask("task_result", id), "was cancelled");
    assertThat(client.callTask("task_cancel", id).status()).as("again").isEqualTo("cancelled");
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
  void digest_taskIsDeleted_handlerStops() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    BlockingQueue<Thread> workers = new LinkedBlockingQueue<>();
    List<String> files = new CopyOnWriteArrayList<>();
    fileProbe =
        file -> {
          if (file.equals("a.txt") && workers.isEmpty()) {
            workers.add(Thread.currentThread());
            await(release);
          }
          files.add(file);
        };
    String id = digest(folder).taskId();
    Thread worker = workers.take();
    store.delete(Owner.local(), id);
    release.countDown();

    while (isAt(DigestTask.class, worker)) {
      Thread.onSpinWait(); // bounded by the timeout of the class
    }
    assertThat(files).contains("a.txt").doesNotContain("b.txt");
    assertError(client.callTask("task_status", id), "No task");
  }

  private static boolean isAt(Class<?> type, Thread thread) {
    return Stream.of(thread.getStackTrace())
        .anyMatch(frame -> frame.getClassName().equals(type.getName()));
  }

  // --- questions ----------------------------------------------------------------------------

  @Test
  void ask_accepted_goesOn() throws Exception {
    start(options().elicitation().askAbove(2));
    client.answerAll("accept");

    String id = digest(folder).taskId();

    assertThat(client.awaitEnd(id).status()).isEqualTo("completed");
    assertThat(client.questions()).hasSize(1);
    assertThat(RawClient.object(client.questions().get(0).get("params")))
        .containsEntry("message", folder + " has more than 2 files. Digest it all the same?")
        .containsEntry("requestedSchema", Map.of("type", "object", "properties", Map.of()));
    assertThat(store.get(Owner.local(), id).inputResponses().asMap())
        .containsEntry(DigestTask.CONFIRM, Map.of("action", "accept", "content", Map.of()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"decline", "cancel"})
  void ask_notAccepted_cancelsTheTask(String action) throws Exception {
    start(options().elicitation().askAbove(2));
    client.answerAll(action);
    List<String> files = new CopyOnWriteArrayList<>();
    fileProbe = files::add;

    Answer end = client.awaitEnd(digest(folder).taskId());

    assertThat(end.status()).isEqualTo("cancelled");
    assertThat(end.get("message"))
        .isEqualTo(folder + " has more than 2 files, and the answer was not to digest it");
    assertThat(files).as("nothing was read").containsOnly("");
  }

  @Test
  void ask_fewFiles_isNotAsked() throws Exception {
    start(options().elicitation().askAbove(3));

    assertThat(client.awaitEnd(digest(folder).taskId()).status()).isEqualTo("completed");
    assertThat(client.questions()).isEmpty();
  }

  @Test
  void ask_clientCannotBeAsked_goesOn() throws Exception {
    start(options().askAbove(0));

    assertThat(client.awaitEnd(digest(folder).taskId()).status()).isEqualTo("completed");
    assertThat(client.questions()).isEmpty();
  }

  @Test
  void ask_noAnswer_fails() throws Exception {
    start(options().elicitation().askAbove(2).answerTimeout(Duration.ofMillis(50)));

    Answer end = client.awaitEnd(digest(folder).taskId());

    assertThat(end.status()).isEqualTo("failed");
    assertThat(RawClient.object(end.get("error")).get("message"))
        .isEqualTo(
            folder
                + " has more than 2 files, and nobody has said within 0 s whether to digest it all"
                + " the same");
  }

  @Test
  void ask_open_isInTheStatus_andTaskAnswerAnswers() throws Exception {
    start(options().elicitation().askAbove(2));
    String id = digest(folder).taskId();

    Answer status = client.awaitQuestion(id);

    assertThat(RawClient.object(status.get("inputRequests")))
        .containsOnlyKeys(DigestTask.CONFIRM)
        .extractingByKey(DigestTask.CONFIRM)
        .extracting(question -> RawClient.object(question).get("method"))
        .isEqualTo("elicitation/create");
    assertThat(status.get("message"))
        .isEqualTo(folder + " has more than 2 files, waiting for an answer");
    assertError(answer(id, "what", Map.of("action", "accept")), "no open question what");
    assertError(answer(id, DigestTask.CONFIRM, Map.of("action", "perhaps")), "action");
    assertError(answer(id, DigestTask.CONFIRM, "accept"), "response");
    assertThat(client.callTask("task_status", id).status()).isEqualTo("input_required");

    assertThat(answer(id, DigestTask.CONFIRM, Map.of("action", "accept")).isError()).isFalse();

    assertThat(client.awaitEnd(id).status()).isEqualTo("completed");
    assertThat(client.questions()).hasSize(1);
    client.answer(client.questions().get(0), Map.of("action", "decline"));
    assertThat(client.callTask("task_status", id).status()).as("too late").isEqualTo("completed");
    assertError(answer(id, DigestTask.CONFIRM, Map.of("action", "accept")), "no open question");
  }

  private Answer answer(String id, String key, Object response) {
    return client.call("task_answer", Map.of("taskId", id, "key", key, "response", response));
  }

  @Test
  void cancel_whileAsking_works() throws Exception {
    start(options().elicitation().askAbove(2));
    String id = digest(folder).taskId();
    client.awaitQuestion(id);

    client.callTask("task_cancel", id);

    assertThat(client.awaitEnd(id).status()).isEqualTo("cancelled");
  }

  // --- mistakes -----------------------------------------------------------------------------

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
