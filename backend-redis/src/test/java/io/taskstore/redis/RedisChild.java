// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lettuce.core.RedisURI;
import io.taskstore.GenericTaskStore;
import io.taskstore.Owner;
import io.taskstore.TaskChange;
import io.taskstore.TaskConflictException;
import io.taskstore.TaskStorageException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Another process that works on a server. It says "ready", begins when it is sent a line, and says
 * what it does, line by line. It ends when its input does, so it never outlives the tests.
 */
final class RedisChild implements AutoCloseable {
  private final Process process;
  private final BufferedReader lines;

  private RedisChild(Process process) {
    this.process = process;
    this.lines = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
  }

  // --- in the tests -------------------------------------------------------------------------

  /** Starts a process that waits to begin. */
  static RedisChild start(String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.add(RedisChild.class.getName());
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
    builder.redirectError(ProcessBuilder.Redirect.INHERIT);
    try {
      return new RedisChild(builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What it says next; fails if it has ended. */
  String next() {
    String line = nextOrNull();
    if (line == null) {
      throw new AssertionError("the other process has ended");
    }
    return line;
  }

  private String nextOrNull() {
    try {
      return lines.readLine();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void awaitReady() {
    String line = next();
    if (!line.equals("ready")) {
      throw new AssertionError("instead of \"ready\": " + line);
    }
  }

  void begin() {
    try {
      process.getOutputStream().write('\n');
      process.getOutputStream().flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Kills it at once (SIGKILL). Returns what it had said before. */
  List<String> kill() throws InterruptedException {
    // not the process itself, which would close the pipe and lose what is in it
    process.toHandle().destroyForcibly();
    List<String> last = new ArrayList<>();
    for (String line = nextOrNull(); line != null; line = nextOrNull()) {
      last.add(line);
    }
    process.waitFor();
    return last;
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }

  // --- in the other process -----------------------------------------------------------------

  public static void main(String[] args) throws Exception {
    ClientLog.silence();
    PrintStream out = new PrintStream(System.out, true, UTF_8);
    CountDownLatch begun = new CountDownLatch(1);
    Thread input =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {
                  begun.countDown();
                }
              } catch (IOException e) {
                // as its end
              }
              Runtime.getRuntime().halt(0);
            });
    input.start();
    try (RedisStorageBackend backend =
        RedisStorageBackend.builder(RedisURI.create(args[1]))
            .keyPrefix(args[2])
            // as in the parent: of a larger one records would stay longer than their indexes
            .expiryAllowance(Duration.ZERO)
            .build()) {
      out.println("ready");
      begun.await();
      if (args[0].equals("count")) {
        int unknown =
            count(backend, Owner.subject(args[3]), args[4], args[5], Integer.parseInt(args[6]));
        out.println("done " + unknown);
      } else {
        new RedisLoad(backend, args[3], Long.parseLong(args[4]), out::println).run(() -> false);
      }
    }
    Runtime.getRuntime().halt(0);
  }

  /**
   * Adds 1 to a task's count so many times, each time exactly once, from two threads. Only after an
   * unknown outcome it looks whether the last one was counted: whatever is counted twice or not at
   * all by what lies below can be seen at the end.
   *
   * @return how many outcomes were unknown
   */
  private static int count(
      RedisStorageBackend backend, Owner owner, String task, String name, int times)
      throws InterruptedException {
    AtomicInteger unknown = new AtomicInteger();
    try (GenericTaskStore store =
        GenericTaskStore.builder(backend).operationTimeout(Duration.ofSeconds(10)).build()) {
      List<Thread> threads = new ArrayList<>();
      for (String thread : List.of(name + "a", name + "b")) {
        threads.add(
            new Thread(
                () -> {
                  for (int number = 1; number <= times; number++) {
                    unknown.addAndGet(add(store, owner, task, thread, number));
                  }
                }));
      }
      threads.forEach(Thread::start);
      for (Thread thread : threads) {
        thread.join();
      }
    }
    return unknown.get();
  }

  private static int add(
      GenericTaskStore store, Owner owner, String task, String name, int number) {
    int unknown = 0;
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (true) {
      boolean mayBeDone = unknown > 0;
      try {
        store.update(
            owner,
            task,
            now -> {
              if (mayBeDone && now.variables().integer(name).orElse(0) == number) {
                return TaskChange.change();
              }
              return TaskChange.change()
                  .set("count", now.variables().integer("count").orElse(0) + 1)
                  .set(name, number);
            });
        return unknown;
      } catch (TaskStorageException e) {
        unknown += e.isOutcomeUnknown() ? 1 : 0;
        if (System.nanoTime() - end > 0) {
          throw e;
        }
      } catch (TaskConflictException e) {
        // not done, as the others were faster too often
        if (System.nanoTime() - end > 0) {
          throw e;
        }
      }
    }
  }
}
