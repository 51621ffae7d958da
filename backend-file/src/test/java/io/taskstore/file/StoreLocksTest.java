// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The locks alone: between threads, between instances of a JVM, between processes. */
@SuppressWarnings("try") // locks are held, not used
final class StoreLocksTest {
  private static final long LONG = TimeUnit.SECONDS.toNanos(60);
  private static final long SHORT = TimeUnit.MILLISECONDS.toNanos(50);

  @TempDir private Path root;
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  private StoreLocks open() throws IOException {
    return StoreLocks.open(root.resolve("locks"));
  }

  private <T> T elsewhere(Callable<T> work) throws Exception {
    return threads.submit(work).get(60, TimeUnit.SECONDS);
  }

  private static StoreLocks.Held take(StoreLocks locks, int index)
      throws IOException, InterruptedException {
    return Objects.requireNonNull(locks.lock(index, LONG));
  }

  private boolean isFreeForOthers(StoreLocks locks, int index) throws Exception {
    return elsewhere(
        () -> {
          StoreLocks.Held held = locks.tryLock(index);
          if (held != null) {
            held.close();
          }
          return held != null;
        });
  }

  @Test
  void lock_twiceByAThread_isFreedByTheLastClose() throws Exception {
    StoreLocks locks = open();
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      StoreLocks.Held first = take(locks, 3);
      StoreLocks.Held second = take(locks, 3);
      assertThat(locks.tryLock(3)).as("a try of the same thread").isNull();
      second.close();
      assertThat(isFreeForOthers(locks, 3)).isFalse();
      assertThat(child.ask("hold 3")).isEqualTo("busy");
      first.close();
      assertThat(isFreeForOthers(locks, 3)).isTrue();
      assertThat(child.ask("hold 3")).isEqualTo("held");
    } finally {
      locks.release();
    }
  }

  @Test
  void lock_heldByAThread_isNullWhenTheTimeIsOver() throws Exception {
    StoreLocks locks = open();
    try (StoreLocks.Held held = take(locks, 3)) {
      long begin = System.nanoTime();
      boolean taken = elsewhere(() -> locks.lock(3, SHORT) != null);
      assertThat(taken).isFalse();
      assertThat(System.nanoTime() - begin).isBetween(SHORT, LONG);
      assertThat(isFreeForOthers(locks, 4)).as("another one is free").isTrue();
    } finally {
      locks.release();
    }
  }

  @Test
  void lock_heldByAProcess_isNullWhenTheTimeIsOver() throws Exception {
    StoreLocks locks = open();
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      assertThat(child.ask("hold 3")).isEqualTo("held");
      long begin = System.nanoTime();
      assertThat(locks.lock(3, SHORT)).isNull();
      assertThat(System.nanoTime() - begin).isBetween(SHORT, LONG);
      assertThat(isFreeForOthers(locks, 3)).isFalse();
      assertThat(isFreeForOthers(locks, 4)).as("another one is free").isTrue();

      assertThat(child.ask("free")).isEqualTo("freed");
      try (StoreLocks.Held held = locks.lock(3, SHORT)) {
        assertThat(held).as("nothing was left of the attempts").isNotNull();
      }
    } finally {
      locks.release();
    }
  }

  @Test
  void lock_manyThreadsAndInstances_isExclusiveAndWakesEverybody() throws Exception {
    int each = 2_000;
    int[] counter = new int[1];
    List<Future<?>> futures = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      futures.add(
          threads.submit(
              () -> {
                StoreLocks locks = open();
                for (int n = 0; n < each; n++) {
                  try (StoreLocks.Held held = take(locks, 7)) {
                    counter[0]++;
                  }
                }
                locks.release();
                return null;
              }));
    }
    for (Future<?> future : futures) {
      future.get(60, TimeUnit.SECONDS);
    }
    assertThat(counter[0]).isEqualTo(6 * each);
  }

  @Test
  void release_ofOneOfTwo_keepsTheLocksOfTheOther() throws Exception {
    StoreLocks first = open();
    Path link = Files.createSymbolicLink(root.resolveSibling(root.getFileName() + "-link"), root);
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      try (StoreLocks.Held held = take(first, 3)) {
        open().release();
        StoreLocks.open(link.resolve("locks")).release();
        assertThat(child.ask("hold 3")).isEqualTo("busy");
        StoreLocks second = open();
        assertThat(isFreeForOthers(second, 3)).as("for another instance").isFalse();
        second.release();
        assertThat(child.ask("hold 3")).isEqualTo("busy");
      }
      first.release();
      assertThat(child.ask("hold 3")).isEqualTo("held");
    } finally {
      Files.delete(link);
    }
  }

  @Test
  void lock_holderIsKilled_isFreeAtOnce() throws Exception {
    StoreLocks locks = open();
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      assertThat(child.ask("hold 3")).isEqualTo("held");
      Future<StoreLocks.@Nullable Held> waiting =
          threads.submit(
              () -> {
                StoreLocks.Held held = locks.lock(3, LONG);
                if (held != null) {
                  held.close();
                }
                return held;
              });
      assertThat(locks.tryLock(3)).isNull();
      child.kill();
      assertThat(waiting.get(10, TimeUnit.SECONDS)).isNotNull();
    } finally {
      locks.release();
    }
  }

  @Test
  void lock_interruptedThread_takesWhatIsFree() throws Exception {
    StoreLocks locks = open();
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      StoreLocks.Held other = take(locks, 4);
      Thread.currentThread().interrupt();
      StoreLocks.Held held = take(locks, 3);
      assertThat(Thread.interrupted()).as("the flag is kept").isTrue();
      assertThat(child.ask("hold 3")).isEqualTo("busy");
      Thread.currentThread().interrupt();
      held.close();
      assertThat(Thread.interrupted()).as("the flag is kept").isTrue();
      assertThat(child.ask("hold 4")).as("one that was held all the time").isEqualTo("busy");
      assertThat(child.ask("hold 3")).isEqualTo("held");
      other.close();
    } finally {
      locks.release();
    }
  }

  @Test
  void lock_interruptedWhileItWaits_endsAndLeavesNothing() throws Exception {
    StoreLocks locks = open();
    try (FileLocksProcess child = FileLocksProcess.start(root);
        StoreLocks.Held other = take(locks, 4)) {
      assertThat(child.ask("hold 3")).isEqualTo("held");
      CountDownLatch begun = new CountDownLatch(2);
      List<Thread> waiting = new ArrayList<>();
      List<Future<?>> futures = new ArrayList<>();
      for (int i = 0; i < 2; i++) { // one waits for the process, one for the other thread
        futures.add(
            threads.submit(
                () -> {
                  synchronized (waiting) {
                    waiting.add(Thread.currentThread());
                  }
                  begun.countDown();
                  assertThatThrownBy(() -> locks.lock(3, LONG))
                      .isInstanceOf(InterruptedException.class);
                }));
      }
      assertThat(begun.await(60, TimeUnit.SECONDS)).isTrue();
      for (Future<?> future : futures) {
        while (!future.isDone()) {
          synchronized (waiting) {
            waiting.forEach(Thread::interrupt);
          }
          Thread.onSpinWait();
        }
        future.get();
      }

      assertThat(child.ask("free")).isEqualTo("freed");
      assertThat(isFreeForOthers(locks, 3)).isTrue();
      assertThat(child.ask("hold 4")).as("one that was held all the time").isEqualTo("busy");
    } finally {
      locks.release();
    }
  }
}
