// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.examples.RawClient.Answer;
import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Servers that end or die, and others over the same storage that go on with their tasks. */
@Timeout(60)
class DigestServiceTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  @TempDir Path temp;
  private Path folder;
  private DigestResult expected;
  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final MovableClock clock = new MovableClock();
  private final CountDownLatch reached = new CountDownLatch(1);
  private final CountDownLatch release = new CountDownLatch(1);
  private final List<String> readAgain = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> servers = new ArrayList<>();

  @BeforeEach
  void createFolder() throws IOException {
    folder = Files.createDirectory(temp.resolve("folder")).toRealPath();
    for (int i = 100; i < 350; i++) {
      Files.writeString(folder.resolve("file." + i), "one two\n");
    }
    FolderState end = new FolderDigest(folder, FolderState.START, watched -> {}, state -> {}).run();
    expected = DigestResult.of(folder.toString(), end);
  }

  @AfterEach
  void stop() throws Exception {
    release.countDown();
    for (AutoCloseable server : servers) {
      server.close();
    }
    backend.close();
  }

  private static final class MovableClock extends Clock {
    private volatile Instant now = Instant.parse("2026-01-01T00:00:00Z");

    void advance(Duration duration) {
      now = now.plus(duration);
    }

    @Override
    public Instant instant() {
      return now;
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      throw new UnsupportedOperationException();
    }
  }

  private TestServer.Options over(StorageBackend storage) {
    return TestServer.over(storage).clock(clock);
  }

  private DigestService service(TestServer.Options options) {
    DigestService service = options.service();
    servers.add(service);
    return service;
  }

  private TestServer server(TestServer.Options options) {
    TestServer server = options.start();
    servers.add(server);
    return server;
  }

  /** The storage as a process sees it that dies. */
  private StorageBackend mortal(AtomicBoolean dead) {
    return proxy(
        operation -> {
          if (dead.get()) {
            throw new StorageUnavailableException(
                operation, null, false, "this process is dead", null);
          }
        },
        operation -> {});
  }

  /** The storage, which tells when somebody has looked for tasks. */
  private StorageBackend watched(CountDownLatch looked) {
    return proxy(
        operation -> {},
        operation -> {
          if (operation.equals("listActive")) {
            looked.countDown();
          }
        });
  }

  private StorageBackend proxy(Consumer<String> before, Consumer<String> after) {
    return (StorageBackend)
        Proxy.newProxyInstance(
            StorageBackend.class.getClassLoader(),
            new Class<?>[] {StorageBackend.class},
            (proxy, method, arguments) -> {
              before.accept(method.getName());
              try {
                Object result = method.invoke(backend, arguments);
                after.accept(method.getName());
                return result;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  /** Stops the handler at a file, until it is released or interrupted. */
  private Consumer<String> stopAt(String stop) {
    return file -> {
      if (file.equals(stop)) {
        reached.countDown();
        try {
          release.await();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
    };
  }

  private static Task awaitState(DigestService service, Task task) throws InterruptedException {
    Task seen = task;
    while (!seen.variables().contains(DigestTask.STATE)) {
      seen = service.store().awaitChange(Owner.local(), task.id(), seen.version(), PATIENCE);
    }
    return seen;
  }

  private void assertCompleted(DigestService service, String id) throws InterruptedException {
    Task end = service.store().awaitTerminal(Owner.local(), id, PATIENCE);
    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(end.result(DigestResult.class)).contains(expected);
    assertThat(end.variables().contains(DigestTask.STATE)).as("it is of no use any more").isFalse();
  }

  private static void assertResumed(DigestService service, String id, DigestTask.Place place) {
    Task end = service.store().get(Owner.local(), id);
    assertThat(end.variables().as(DigestTask.RESUMED, DigestTask.Place.class)).contains(place);
  }

  @Test
  void close_inTheMiddle_givesTheTaskBack_andAnotherGoesOn() throws Exception {
    DigestService first = service(over(backend).fileProbe(stopAt("file.250")));
    Task task = first.start(folder, null);
    reached.await();

    first.close();

    DigestService second = service(over(backend).fileProbe(readAgain::add));
    Task given = second.store().get(Owner.local(), task.id());
    assertThat(given.worker()).isEmpty();
    assertThat(given.message()).as("all that was reported").contains("150 of 250 files");
    assertThat(given.variables().as(DigestTask.STATE, FolderState.class))
        .map(FolderState::position)
        .contains("file.199");
    second.resumeAll();
    assertCompleted(second, task.id());
    assertResumed(second, task.id(), new DigestTask.Place("file.199", 100));
    assertThat(readAgain).contains("file.200").doesNotContain("file.199");
  }

  @Test
  void resumeAll_whileItCounts_saysStillHowFarItWas() throws Exception {
    DigestService first = service(over(backend).fileProbe(stopAt("file.250")));
    Task task = first.start(folder, null);
    reached.await();
    first.close();
    CountDownLatch counting = new CountDownLatch(1);
    AtomicReference<DigestService> second = new AtomicReference<>();
    second.set(
        service(
            over(backend)
                .fileProbe(
                    file -> {
                      if (file.isEmpty() && counting.getCount() > 0) {
                        counting.countDown();
                        second.get().store().requestCancel(Owner.local(), task.id());
                      }
                    })));

    second.get().resumeAll();

    Task end = second.get().store().awaitTerminal(Owner.local(), task.id(), PATIENCE);
    assertThat(counting.getCount()).isZero();
    assertThat(end.status()).isEqualTo(TaskStatus.CANCELLED);
    assertThat(end.message()).contains("150 of 250 files");
  }

  @Test
  void crash_inTheMiddle_anotherGoesOnWhenTheLeaseIsOver() throws Exception {
    AtomicBoolean dead = new AtomicBoolean();
    DigestService first = service(over(mortal(dead)).fileProbe(stopAt("file.250")));
    Task task = first.start(folder, null);
    reached.await();
    Task written = awaitState(first, task);
    dead.set(true);

    DigestService second = service(over(backend).fileProbe(readAgain::add));
    assertThat(second.resumeAll()).as("when to look again").isEqualTo(DigestService.LOOK_INTERVAL);
    clock.advance(TestServer.LEASE.minusSeconds(3));
    assertThat(second.resumeAll()).as("when to look again").isEqualTo(Duration.ofSeconds(3));
    Task still = second.store().get(Owner.local(), task.id());
    assertThat(still).as("nothing was written").isEqualTo(written);

    clock.advance(Duration.ofSeconds(3));
    assertThat(second.resumeAll()).isEqualTo(DigestService.LOOK_INTERVAL);
    assertCompleted(second, task.id());
    assertResumed(second, task.id(), new DigestTask.Place("file.199", 100));
    assertThat(readAgain).contains("file.200").doesNotContain("file.199");
  }

  /** A server that has seen no task yet, so none for which it would have to wait. */
  private DigestService afterItsFirstLook() throws InterruptedException {
    CountDownLatch looked = new CountDownLatch(1);
    DigestService service = service(TestServer.over(watched(looked)));
    service.keepResuming();
    looked.await();
    return service;
  }

  @Test
  void keepResuming_leaseIsOverAfterTheFirstLook_goesOnSoon() throws Exception {
    AtomicBoolean dead = new AtomicBoolean();
    Duration lease = Duration.ofMillis(1_500);
    DigestService second = afterItsFirstLook();
    DigestService first =
        service(TestServer.over(mortal(dead)).lease(lease).fileProbe(stopAt("file.250")));
    Task task = first.start(folder, null);
    reached.await();

    dead.set(true);

    Task end = second.store().awaitTerminal(Owner.local(), task.id(), PATIENCE.dividedBy(2));
    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
  }

  @Test
  void keepResuming_givenBackAfterTheFirstLook_goesOnSoon() throws Exception {
    DigestService second = afterItsFirstLook();
    DigestService first = service(TestServer.over(backend).fileProbe(stopAt("file.250")));
    Task task = first.start(folder, null);
    reached.await();

    first.close();

    Task end = second.store().awaitTerminal(Owner.local(), task.id(), PATIENCE.dividedBy(2));
    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
  }

  @Test
  void keepResuming_purgesWhatIsOver() throws Exception {
    DigestService first = service(over(backend));
    Task task = first.start(folder, null);
    Task end = first.store().awaitTerminal(Owner.local(), task.id(), PATIENCE);
    first.close();
    ListQuery all = new ListQuery("tl:", null, false, 10); // of the owner of this process
    assertThat(backend.list(all).records()).hasSize(1);
    clock.advance(Duration.between(clock.instant(), end.expiresAt().orElseThrow()).plusHours(1));

    service(over(backend)).keepResuming();

    // Long before it would be swept.
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (!backend.list(all).records().isEmpty()) {
      assertThat(System.nanoTime()).as("in time").isLessThan(deadline);
      Thread.sleep(10);
    }
  }

  @Test
  void close_closesTheStore() {
    DigestService service = service(over(backend));

    service.close();

    assertThatThrownBy(() -> service.store().get(Owner.local(), "any"))
        .hasMessageContaining("task store is closed");
  }

  @Test
  void pace_isStoredWithEachFile_andCancelledAtOnce() throws Exception {
    DigestService service = service(over(backend).pace(Duration.ofSeconds(250)));
    Task task = service.start(folder, null);

    Task seen = awaitState(service, task);
    FolderState state = seen.variables().as(DigestTask.STATE, FolderState.class).orElseThrow();
    assertThat(state.total().files())
        .as("about one a second")
        .isBetween(1L, FolderDigest.CHECKPOINT_ENTRIES / 2L);
    service.store().requestCancel(Owner.local(), task.id());

    Task end = service.store().awaitTerminal(Owner.local(), task.id(), PATIENCE);
    assertThat(end.status()).isEqualTo(TaskStatus.CANCELLED);
  }

  @Test
  void resumeAll_manyServersAtOnce_oneWorks() throws Exception {
    Task task =
        service(over(backend)).store().create(Owner.local(), DigestTask.newTask(folder, null));
    List<String> begun = new CopyOnWriteArrayList<>();
    List<DigestService> all = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      all.add(
          service(
              over(backend)
                  .fileProbe(
                      file -> {
                        if (file.equals("file.100")) {
                          begun.add(Thread.currentThread().getName());
                          stopAt("file.100").accept(file);
                        }
                      })));
    }

    CountDownLatch go = new CountDownLatch(1);
    List<Thread> threads = new ArrayList<>();
    for (DigestService one : all) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  go.await();
                  one.resumeAll();
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              });
      thread.start();
      threads.add(thread);
    }
    go.countDown();
    for (Thread thread : threads) {
      thread.join();
    }
    reached.await();
    release.countDown();

    assertCompleted(all.get(0), task.id());
    // Once before the file, and once after its only buffer.
    assertThat(begun).hasSize(2);
  }

  @Test
  void resumeAll_manyTasks_resumesAllOfItsOwnMethod() throws Exception {
    Path small = Files.createDirectory(temp.resolve("small")).toRealPath();
    DigestService service = service(over(backend).maxActiveTasks(1_000));
    Task other = service.store().create(Owner.local(), NewTask.of("something_else"));
    List<Task> tasks = new ArrayList<>();
    for (int i = 0; i < TaskQuery.DEFAULT_PAGE_SIZE + 10; i++) {
      tasks.add(service.store().create(Owner.local(), DigestTask.newTask(small, null)));
    }

    service.resumeAll();

    for (Task task : tasks) {
      assertThat(service.store().awaitTerminal(Owner.local(), task.id(), PATIENCE).status())
          .isEqualTo(TaskStatus.COMPLETED);
    }
    assertThat(service.store().get(Owner.local(), other.id())).isEqualTo(other);
  }

  @Test
  void resumeAll_openQuestion_isCarriedToTheNewClient() throws Exception {
    TestServer first = server(over(backend).elicitation().askAbove(2));
    String id = first.client().call("digest_folder", Map.of("folder", folder.toString())).taskId();
    first.client().awaitQuestion(id);
    first.close();

    TestServer second = server(over(backend).elicitation().askAbove(5));
    second.service().resumeAll();
    second.client().answerAll("accept");
    Answer end = second.client().awaitEnd(id);

    assertThat(end.status()).isEqualTo("completed");
    assertThat(first.client().questions()).hasSize(1);
    assertThat(second.client().questions()).hasSize(1);
    assertThat(second.client().questions().get(0).get("params"))
        .as("the same question")
        .isEqualTo(first.client().questions().get(0).get("params"));
  }

  @Test
  void resumeAll_answeredQuestion_isNotAskedAgain() throws Exception {
    TestServer first =
        server(over(backend).elicitation().askAbove(2).fileProbe(stopAt("file.100")));
    first.client().answerAll("accept");
    String id = first.client().call("digest_folder", Map.of("folder", folder.toString())).taskId();
    while (!reached.await(20, TimeUnit.MILLISECONDS)) {
      first.client().callTask("task_status", id); // it answers while it waits
    }
    first.close();
    Files.writeString(folder.resolve("file.350"), "");

    TestServer second = server(over(backend).elicitation());
    second.service().resumeAll();
    Answer end = second.client().awaitEnd(id);

    assertThat(end.status()).isEqualTo("completed");
    assertThat(end.get("message")).isEqualTo("251 of 251 files");
    assertThat(second.client().questions()).isEmpty();
  }
}
