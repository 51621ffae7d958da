// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static io.taskstore.file.FileLocksValues.seen;
import static io.taskstore.file.FileLocksValues.value;
import static io.taskstore.file.FileLocksValues.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageUnavailableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Opening and closing. */
final class FileLifecycleTest {
  private static final Path OPEN_FILES = Path.of("/proc/self/fd");

  @TempDir private Path temp;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final String partition = partition();
  private final RecordKey key = new RecordKey(partition, "a");

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  private Path root() {
    return temp.resolve("store");
  }

  /** The open files of this process that are below the directory. */
  private List<String> openFiles() throws IOException {
    Path real = temp.toRealPath();
    List<String> open = new ArrayList<>();
    try (Stream<Path> files = Files.list(OPEN_FILES)) {
      for (Path file : files.toList()) {
        try {
          open.add(Files.readSymbolicLink(file).toString());
        } catch (IOException e) {
          // It was closed in the meantime.
        }
      }
    }
    open.removeIf(file -> !file.startsWith(real.toString()));
    return open;
  }

  @Test
  void close_afterTwoHundredOpenings_leavesNoFileAndNoThread() throws IOException {
    assumeThat(Files.isDirectory(OPEN_FILES)).as("needs /proc/self/fd").isTrue();
    int before = Thread.getAllStackTraces().size();
    long version = 0;
    for (int i = 0; i < 200; i++) {
      try (FileStorageBackend backend =
          FileStorageBackend.builder(root()).durability(FileStorageBackend.Durability.OS).build()) {
        assertThat(openFiles()).hasSize(1);
        write(backend, key, value("v", true, NOW), version);
        version++;
        assertThat(backend.putIfVersion(key, value("w"), 0)).isInstanceOf(Conflict.class);
        assertThat(backend.deleteIfVersion(key, 100_000)).isInstanceOf(Conflict.class);
        assertThat(backend.createWithin(key, value("w"), 1, NOW)).isInstanceOf(Conflict.class);
        assertThat(backend.list(new ListQuery(partition, null, false, 9)).records()).hasSize(1);
        assertThat(backend.purgeExpired(NOW.minusMillis(1), 1)).isZero();
        assertThat(openFiles()).as("between two calls").hasSize(1);
      }
      assertThat(openFiles()).isEmpty();
    }
    assertThat(Thread.getAllStackTraces().size()).as("threads").isLessThanOrEqualTo(before + 5);
  }

  @Test
  void open_isRefused_leavesNoFile() throws IOException {
    assumeThat(Files.isDirectory(OPEN_FILES)).as("needs /proc/self/fd").isTrue();
    FileStorageBackend.open(root()).close();
    Files.writeString(root().resolve("format.json"), "{\"taskstore\":99,\"id\":\"x\"}\n");
    for (int i = 0; i < 20; i++) {
      assertThatThrownBy(() -> FileStorageBackend.open(root()))
          .isInstanceOf(StorageUnavailableException.class);
    }
    assertThat(openFiles()).isEmpty();
  }

  @Test
  void close_callIsUnderWay_comesToItsEndAndFreesTheFilesThen() throws Exception {
    FileLocksGate files = new FileLocksGate();
    CountDownLatch reached = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    FileStorageBackend backend = FileStorageBackend.builder(root()).build(files);
    write(backend, key, value("v"), 0);
    files.arm(
        (step, isAfter) -> step == Step.FLUSH && !isAfter,
        1,
        (step, path) -> {
          reached.countDown();
          try {
            goOn.await();
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
        });
    Future<Boolean> call =
        threads.submit(
            () -> {
              write(backend, key, value("w"), 1);
              return true;
            });
    reached.await();
    try (FileLocksProcess child = FileLocksProcess.start(root())) {
      threads.submit(backend::close).get(10, TimeUnit.SECONDS);
      List<Callable<?>> calls =
          List.of(
              () -> backend.get(key),
              () -> backend.list(new ListQuery(partition, null, false, 1)),
              () -> backend.listActive(new ListQuery(partition, null, false, 1)),
              () -> backend.putIfVersion(key, value("x"), 2),
              () -> backend.createWithin(key, value("x"), 1, NOW),
              () -> backend.deleteIfVersion(key, 2),
              () -> backend.purgeExpired(NOW, 1));
      for (Callable<?> late : calls) {
        assertThatThrownBy(late::call)
            .isInstanceOf(BackendClosedException.class)
            .hasMessageContaining("open the directory again");
      }
      backend.close();
      String index = String.valueOf(StoreLocks.ofRecord(key.hashCode()));
      assertThat(child.ask("hold " + index)).as("the lock of the call").isEqualTo("busy");

      goOn.countDown();
      assertThat(call.get(60, TimeUnit.SECONDS)).isTrue();
      assertThat(child.ask("hold " + index)).isEqualTo("held");
      assertThat(child.ask("free")).isEqualTo("freed");
    }
    if (Files.isDirectory(OPEN_FILES)) {
      assertThat(openFiles()).isEmpty();
    }
    try (FileStorageBackend again = FileStorageBackend.open(root())) {
      assertThat(seen(again, key)).isEqualTo("2 w");
    }
  }

  @Test
  void open_emptyDirectoryByThreeProcessesAtOnce_isOneStore() throws Exception {
    for (int round = 0; round < 3; round++) {
      Path store = temp.resolve("round-" + round + "/deep/store");
      List<FileLocksProcess> children = new ArrayList<>();
      try {
        for (int i = 0; i < 3; i++) {
          children.add(FileLocksProcess.start(store));
        }
        children.forEach(child -> assertThat(child.ask("run true")).isEqualTo("ok"));
        children.forEach(child -> child.send("open 5000"));
        children.forEach(child -> assertThat(child.answer()).isEqualTo("opened"));
        for (int i = 0; i < 3; i++) {
          children.get(i).send("create " + partition + " id-" + i + " 2 v");
        }
        List<String> answers = children.stream().map(FileLocksProcess::answer).sorted().toList();
        assertThat(answers).containsExactly("created", "created", "full");
        children.forEach(child -> assertThat(child.ask("list " + partition)).isEqualTo("2"));
      } finally {
        children.forEach(FileLocksProcess::close);
      }
      assertThat(FileLocksValues.temporaries(store)).isEmpty();
    }
  }

  @Test
  void open_byManyThreadsAtOnce_allWork() throws Exception {
    List<Future<?>> futures = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      RecordKey own = new RecordKey(partition, "id-" + i);
      futures.add(
          threads.submit(
              () -> {
                for (int n = 0; n < 20; n++) {
                  try (FileStorageBackend backend = FileStorageBackend.open(root())) {
                    write(backend, own, value("v"), n);
                  }
                }
                return null;
              }));
    }
    for (Future<?> future : futures) {
      future.get(60, TimeUnit.SECONDS);
    }
    try (FileStorageBackend backend = FileStorageBackend.open(root())) {
      assertThat(backend.list(new ListQuery(partition, null, false, 9)).records())
          .hasSize(6)
          .allMatch(stored -> stored.version() == 20);
    }
  }

  // --- holders ------------------------------------------------------------------------------

  private List<String> holders() throws IOException {
    return Files.readAllLines(root().resolve("holders")).stream()
        .filter(line -> !line.isBlank())
        .map(line -> line.substring(0, line.indexOf('@')))
        .collect(Collectors.toList());
  }

  @Test
  void holders_openAndClosed_namesTheProcessesThatHaveItOpen() throws Exception {
    String us = String.valueOf(ProcessHandle.current().pid());
    FileStorageBackend first = FileStorageBackend.open(root());
    FileStorageBackend second = FileStorageBackend.open(root());
    try (FileLocksProcess child = FileLocksProcess.start(root());
        FileLocksProcess killed = FileLocksProcess.start(root())) {
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(killed.ask("open 5000")).isEqualTo("opened");
      String other = String.valueOf(child.pid());
      assertThat(holders()).containsExactlyInAnyOrder(us, other, String.valueOf(killed.pid()));
      assertThat(Files.readAllLines(root().resolve("holders")).get(0))
          .matches("\\d+@\\S+ since 2\\d{3}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ");

      first.close();
      killed.kill();
      second.close();
      assertThat(holders()).containsExactly(other);
      FileStorageBackend.open(root()).close();
      assertThat(child.ask("close")).isEqualTo("closed");
      assertThat(holders()).isEmpty();
    }
  }
}
