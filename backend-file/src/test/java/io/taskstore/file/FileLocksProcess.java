// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assumptions.assumeThat;

import io.taskstore.spi.StorageBackend;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Another process, which does to a directory what it is told; see {@link FileLocksChild}. */
final class FileLocksProcess implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 120;

  private final Process process;
  private final Writer commands;
  private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();
  private final Queue<String> errors = new ConcurrentLinkedQueue<>();

  private FileLocksProcess(Process process) {
    this.process = process;
    this.commands = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8);
    pump(process.getErrorStream(), errors::add, () -> {});
    pump(process.getInputStream(), answers::add, () -> answers.add("the process has ended"));
  }

  /** Starts a process. */
  static FileLocksProcess start(Path root) throws IOException {
    return start(List.of(), classPath(), root);
  }

  /**
   * Starts a process by way of another program.
   *
   * @param prefix what stands before the command
   */
  static FileLocksProcess start(List<String> prefix, String classPath, Path root)
      throws IOException {
    List<String> command = new ArrayList<>(prefix);
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-Xshare:auto",
            "-Dfile.encoding=UTF-8",
            "-cp",
            classPath,
            FileLocksChild.class.getName(),
            root.toString()));
    return new FileLocksProcess(new ProcessBuilder(command).start());
  }

  /** Starts a process that alone sees a file system in memory; where none may be mounted, skips. */
  static FileLocksProcess startOnMount(Path mount, String size, Path root) throws IOException {
    assumeThat(isOnPath("unshare") && isOnPath("mount"))
        .as("needs the programs unshare and mount")
        .isTrue();
    String script =
        "mount -t tmpfs -o size=" + size + " tmpfs \"$1\" || exit 9; shift; exec \"$@\"";
    FileLocksProcess child =
        start(
            List.of("unshare", "-m", "sh", "-c", script, "sh", mount.toString()),
            classPath(),
            root);
    String answer = child.ask("run true");
    assumeThat(answer)
        .as("may not mount a file system here; the contract has one that pretends")
        .isEqualTo("ok");
    return child;
  }

  /** Where the classes are that such a process needs. */
  static List<Path> classPlaces() {
    return Stream.of(FileStorageBackend.class, StorageBackend.class, FileLocksChild.class)
        .map(
            type -> {
              try {
                return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
              } catch (URISyntaxException e) {
                throw new AssertionError(e);
              }
            })
        .toList();
  }

  static String classPath() {
    return classPlaces().stream()
        .map(Path::toString)
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** Whether a program can be run; the tests that need one are skipped elsewhere. */
  static boolean isOnPath(String program) {
    String path = System.getenv("PATH");
    return path != null
        && Arrays.stream(path.split(File.pathSeparator, -1))
            .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
  }

  private static void pump(InputStream stream, Consumer<String> to, Runnable atEnd) {
    Thread thread =
        new Thread(
            () -> {
              try (BufferedReader reader =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                reader.lines().forEach(to);
              } catch (IOException | UncheckedIOException e) {
                // It was killed.
              }
              atEnd.run();
            },
            "child-output");
    thread.setDaemon(true);
    thread.start();
  }

  void send(String command) {
    try {
      commands.write(command + "\n");
      commands.flush();
    } catch (IOException e) {
      throw new AssertionError("the process does not read; it wrote: " + errors, e);
    }
  }

  /** The next answer. */
  String answer() {
    try {
      String answer = answers.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (answer == null) {
        throw new AssertionError("no answer; the process wrote: " + errors);
      }
      return answer.equals("the process has ended") ? answer + ": " + errors : answer;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  String ask(String command) {
    send(command);
    return answer();
  }

  long pid() {
    return process.pid();
  }

  /** Ends it as nothing else can, and waits until it is gone. */
  void kill() {
    process.destroyForcibly();
    await();
  }

  private void await() {
    try {
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        throw new AssertionError("the process does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /** Lets it end by itself: its input is over. */
  void end() {
    try {
      commands.close();
    } catch (IOException e) {
      // It has ended already.
    }
    await();
  }

  @Override
  public void close() {
    if (process.isAlive()) {
      try {
        commands.close();
        if (!process.waitFor(5, TimeUnit.SECONDS)) {
          kill();
        }
      } catch (IOException e) {
        kill();
      } catch (InterruptedException e) {
        kill();
        Thread.currentThread().interrupt();
      }
    }
  }
}
