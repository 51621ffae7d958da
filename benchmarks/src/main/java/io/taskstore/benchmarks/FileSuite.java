// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The file backend on a real disk, all in this process and by turns: see {@link Rounds}. JMH would
 * measure one thing for half a minute and the next one after it, and between the two the disk may
 * become ten times as slow.
 */
final class FileSuite implements Suite {
  /** What is kept at hand for each file that will be made, with some to spare. */
  private static final long BYTES_A_RECORD = 5_000;

  /** What the updates write: other libraries and the baseline never take anything back. */
  private static final long BYTES_OF_UPDATES = 4_000_000_000L;

  /**
   * How much is measured.
   *
   * @param age how often records have been updated, at most, before their updates are measured
   * @param inOne sizes of one partition
   * @param inMany sizes of a store with many partitions
   */
  record Plan(
      Rounds.Plan updates,
      int age,
      boolean countsFlushes,
      Rounds.Plan sizes,
      List<Integer> inOne,
      List<Integer> inMany,
      int partitions) {
    Plan {
      inOne = List.copyOf(inOne);
      inMany = List.copyOf(inMany);
    }

    private static final Plan QUICK =
        new Plan(
            new Rounds.Plan(1, 3, Duration.ofMillis(100)),
            5,
            true,
            new Rounds.Plan(1, 3, Duration.ofMillis(20)),
            List.of(100, 1_000),
            List.of(100, 1_000),
            10);

    static Plan of(Options options) {
      if (options.quick()) {
        return QUICK;
      }
      List<Integer> inMany = new ArrayList<>(List.of(1_000, 10_000, 100_000));
      if (options.million()) {
        inMany.add(1_000_000);
      }
      return new Plan(
          new Rounds.Plan(3, 15, Duration.ofSeconds(1)),
          100,
          true,
          new Rounds.Plan(3, 15, Duration.ofMillis(250)),
          List.of(100, 1_000, 10_000, 100_000),
          inMany,
          10_000);
    }
  }

  @Override
  public String name() {
    return "file";
  }

  @Override
  public String title() {
    return "The file backend on this disk, beside raw appends, SQLite and H2 MVStore";
  }

  @Override
  public String measure(Options options) throws IOException {
    return measure(options, Plan.of(options));
  }

  String measure(Options options, Plan plan) throws IOException {
    checkRoom(options.directory(), plan);
    Path directory = Files.createTempDirectory(options.directory(), "taskstore-benchmarks-");
    try {
      return measure(directory, plan, options.progress());
    } finally {
      remove(directory);
    }
  }

  /** A full disk would end the run after minutes, and disturb others. */
  private static void checkRoom(Path directory, Plan plan) throws IOException {
    long records = 0;
    for (List<Integer> sizes : List.of(plan.inOne(), plan.inMany())) {
      records = Math.max(records, sizes.stream().mapToLong(Integer::longValue).sum());
    }
    long needed = Math.max(BYTES_OF_UPDATES, records * BYTES_A_RECORD);
    if (Files.getFileStore(directory).getUsableSpace() < needed) {
      throw new MeasurementException(
          "%s has no room for %d MB of files; choose another --directory"
              .formatted(directory, needed / 1_000_000),
          null);
    }
  }

  /** Measures in an empty directory that it may fill. */
  private String measure(Path directory, Plan plan, PrintStream progress) {
    try {
      progress.println("in " + directory);
      Path updates = directory.resolve("updates");
      FileUpdates.Results written = FileUpdates.measure(updates, plan, progress);
      progress.println(written.table());
      remove(updates);

      Path one = directory.resolve("one");
      String inOne = FileSizes.measure(one, plan.inOne(), 1, plan.sizes(), progress);
      progress.println(inOne);
      remove(one);
      Path many = directory.resolve("many");
      String inMany =
          FileSizes.measure(many, plan.inMany(), plan.partitions(), plan.sizes(), progress);
      progress.println(inMany);
      progress.println("removing the files");
      remove(many);
      return """
          **%s.** %s

          %s
          **While records pile up in one partition.** Time of one operation, and how many times as \
          long that is as with the fewest records; %s.

          %s
          **While records pile up in the store.** The same in a partition of 1,000 finished records.

          %s"""
          .formatted(
              title(),
              circumstances(directory, plan, written),
              written.table(),
              plan.sizes(),
              inOne,
              inMany);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    } catch (Exception e) {
      e.printStackTrace(progress);
      throw new MeasurementException(e.toString(), e);
    }
  }

  private static String circumstances(Path directory, Plan plan, FileUpdates.Results written)
      throws IOException {
    Spread one = Objects.requireNonNull(written.raw().get(1));
    Spread many = Objects.requireNonNull(written.raw().get(FileUpdates.THREADS));
    return "%s; %s. Raw: append %d bytes, `force(false)`: %s by one thread, %s by %d. %s; `%s`."
        .formatted(
            Machine.describe(),
            Files.getFileStore(directory).type(),
            written.entryBytes(),
            flushes(one),
            flushes(many),
            FileUpdates.THREADS,
            plan.updates(),
            Machine.jvmOptions());
  }

  private static String flushes(Spread spread) {
    return "%s/s (half of the rounds %s to %s)"
        .formatted(
            Report.figure(spread.median()),
            Report.figure(spread.low()),
            Report.figure(spread.high()));
  }

  /** Or the first flushes would have to wait for all that was written without one. */
  static void sync(PrintStream progress) throws InterruptedException {
    try {
      new ProcessBuilder("sync").inheritIO().start().waitFor();
    } catch (IOException e) {
      progress.println("there is no command sync; the first rounds may be slow");
    }
  }

  /** A directory with all that is in it. */
  static void remove(Path directory) throws IOException {
    if (Files.notExists(directory)) {
      return;
    }
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.delete(folder);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
