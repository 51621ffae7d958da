// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * Counts the flushes of an operation as the system sees them: with strace, over a process that does
 * more of it and one that does less. The difference has neither what opening costs nor what the
 * first operation does alone.
 */
final class FileFlushes {
  static final String UPDATE = "update";

  private static final Pattern FLUSH =
      Pattern.compile("\\b(fsync|fdatasync|msync|sync|syncfs|sync_file_range)\\(");
  private static final String TRACED = "trace=fsync,fdatasync,msync,sync,syncfs,sync_file_range";
  private static final int LESS = 100;
  private static final int MORE = 300;

  private FileFlushes() {}

  /** What a process is to do. */
  private record Deeds(int creates, int updates, int finishes) {}

  /**
   * Returns the flushes of one operation each, by name.
   *
   * @return nothing where there is no strace, or where it may not look
   */
  static Map<String, Double> count(Path directory) throws IOException, InterruptedException {
    return count(directory, LESS, MORE);
  }

  static Map<String, Double> count(Path directory, int less, int more)
      throws IOException, InterruptedException {
    if (!canTrace()) {
      return Map.of();
    }
    Files.createDirectories(directory);
    int few = trace(directory.resolve("few"), new Deeds(less, 0, 0));
    int creates = trace(directory.resolve("creates"), new Deeds(less + more, 0, 0));
    int updates = trace(directory.resolve("updates"), new Deeds(less, more, 0));
    int finishes = trace(directory.resolve("finishes"), new Deeds(less, 0, less));
    return Map.of(
        FileContenders.CreateAndFinish.CREATE,
        (creates - few) / (double) more,
        UPDATE,
        (updates - few) / (double) more,
        FileContenders.CreateAndFinish.FINISH,
        (finishes - few) / (double) less);
  }

  private static boolean canTrace() throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder("strace", "-qq", "-o", "/dev/null", "true")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0;
    } catch (IOException e) {
      return false; // there is none
    }
  }

  private static int trace(Path store, Deeds deeds) throws IOException, InterruptedException {
    Path log = store.resolveSibling(store.getFileName() + ".strace");
    List<String> command = new ArrayList<>();
    command.addAll(List.of("strace", "-f", "-qq", "-e", TRACED, "-e", "signal=none"));
    command.addAll(List.of("-o", log.toString()));
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(FileFlushes.class.getName(), store.toString()));
    for (int count : new int[] {deeds.creates(), deeds.updates(), deeds.finishes()}) {
      command.add(String.valueOf(count));
    }
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.INHERIT)
            .start();
    if (process.waitFor() != 0) {
      throw new IllegalStateException("the process whose flushes are counted has failed");
    }
    return flushes(Files.readString(log));
  }

  /** How many flushes a log of strace has; a call that another one interrupts has two lines. */
  static int flushes(String log) {
    return (int) FLUSH.matcher(log).results().count();
  }

  /** The process that is looked at: a directory, and how often to create, update and finish. */
  public static void main(String[] args) {
    int updates = Integer.parseInt(args[2]);
    int finishes = Integer.parseInt(args[3]);
    try (FileContenders.Ours ours = new FileContenders.Ours(Path.of(args[0]))) {
      List<FileContenders.Ours.Slot> slots = new ArrayList<>();
      for (int i = Integer.parseInt(args[1]); i > 0; i--) {
        slots.add(ours.create(Integer.MAX_VALUE));
      }
      for (int i = 0; i < updates; i++) {
        ours.update(slots.get(0));
      }
      slots.subList(0, finishes).forEach(ours::finish);
    }
  }
}
