// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.CrashHistory.LostException;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A {@link CrashChild} in its own process, and somebody who listens to it. */
final class CrashProcess {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Process process;
  private final Thread listener;
  private final Path errors;
  private final AtomicInteger acknowledged = new AtomicInteger();

  private CrashProcess(Process process, Path errors, CrashHistory history) {
    this.process = process;
    this.errors = errors;
    this.listener = new Thread(() -> listen(history), "listener-" + process.pid());
    listener.setDaemon(true);
    listener.start();
  }

  static CrashProcess start(CrashHistory history, String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // It is small and short-lived: what counts is how soon it is there.
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xshare:auto",
                "-Dfile.encoding=UTF-8",
                CrashChild.class.getName()));
    command.addAll(List.of(arguments));
    Path errors = Files.createTempFile("taskstore-crash", ".err");
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
    // Unlike an argument, a variable may be as long as class paths are.
    builder
        .environment()
        .put(
            "CLASSPATH",
            Stream.of("java.class.path", "jdk.module.path")
                .map(name -> System.getProperty(name, ""))
                .filter(path -> !path.isEmpty())
                .collect(Collectors.joining(File.pathSeparator)));
    return new CrashProcess(builder.start(), errors, history);
  }

  private void listen(CrashHistory history) {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        history.hear(line);
        if (line.startsWith("written ") || line.startsWith("deleted ")) {
          acknowledged.incrementAndGet();
        }
      }
    } catch (IOException e) {
      history.hear("trouble: the pipe broke: " + e);
    }
  }

  int acknowledged() {
    return acknowledged.get();
  }

  /** Waits until some writes were acknowledged. */
  void awaitAcknowledgements(int count) throws LostException {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (acknowledged.get() < count) {
      if (System.nanoTime() - deadline > 0 || !process.isAlive()) {
        throw new LostException(
            "a process that was not killed has stopped after %d writes: %s"
                .formatted(acknowledged.get(), errors()));
      }
      LockSupport.parkNanos(20_000);
    }
  }

  /** Kills it; false if it was dead already. Afterwards all that it said was heard. */
  boolean kill() throws InterruptedException {
    boolean wasAlive = process.isAlive();
    // Process.destroyForcibly would close the pipe, with what is still in it.
    process.toHandle().destroyForcibly();
    process.waitFor();
    listener.join();
    if (wasAlive) {
      errors.toFile().delete();
    }
    return wasAlive;
  }

  /** Waits until it has died by itself. */
  void awaitEnd() throws InterruptedException, LostException {
    if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
      kill();
      throw new LostException("a process hangs");
    }
    listener.join();
    if (errors.toFile().length() == 0) {
      errors.toFile().delete();
    }
  }

  /** What it has complained of. */
  String errors() {
    try {
      return Files.exists(errors) ? Files.readString(errors).strip() : "";
    } catch (IOException e) {
      return e.toString();
    }
  }
}
