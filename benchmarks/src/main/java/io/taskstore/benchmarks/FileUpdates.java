// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.benchmarks.FileContenders.Append;
import io.taskstore.benchmarks.FileContenders.Contender;
import io.taskstore.benchmarks.FileContenders.CreateAndFinish;
import io.taskstore.benchmarks.FileContenders.MvStore;
import io.taskstore.benchmarks.FileContenders.Ours;
import io.taskstore.benchmarks.FileContenders.Sqlite;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Durable writes of records of 1 KiB, beside appending and flushing as many bytes. */
final class FileUpdates {
  /** How many threads there are where there are several. */
  static final int THREADS = 8;

  private static final int MANY = 64;
  private static final String RAW = "append";
  private static final String OURS = "`putIfVersion`, one record each";
  private static final String OURS_MANY = "`putIfVersion`, " + MANY + " records each";
  private static final String SQLITE = "SQLite, a connection each";
  private static final String SQLITE_SHARED = "SQLite, one connection for all";
  private static final String MV_STORE = "H2 MVStore";

  private final Path directory;
  private final Rounds.Plan plan;
  private final PrintStream progress;
  private final int age;
  private final int entryBytes;
  private final List<Row> rows = new ArrayList<>();

  private FileUpdates(Path directory, FileSuite.Plan plan, PrintStream progress)
      throws IOException {
    this.directory = Files.createDirectories(directory);
    this.plan = plan.updates();
    this.age = plan.age();
    this.progress = progress;
    this.entryBytes = Ours.entryBytes(directory.resolve("probe"));
  }

  /**
   * A line of the table.
   *
   * @param flushes of one operation; null if it is not known
   * @param ours our update in the same rounds; null if this is ours
   */
  private record Row(
      String operation,
      int threads,
      @Nullable Double flushes,
      Rounds.Rates rates,
      Rounds.Rates raw,
      Rounds.@Nullable Rates ours) {}

  /**
   * What was measured.
   *
   * @param entryBytes what the baseline appends
   * @param raw the baseline, by the number of threads
   */
  record Results(int entryBytes, Map<Integer, Spread> raw, String table) {}

  static Results measure(Path directory, FileSuite.Plan plan, PrintStream progress)
      throws Exception {
    FileUpdates updates = new FileUpdates(directory, plan, progress);
    Map<String, Double> flushes = Map.of();
    if (plan.countsFlushes()) {
      progress.println("counting flushes");
      flushes = FileFlushes.count(directory.resolve("flushes"));
    }
    Map<Integer, Spread> raw = new LinkedHashMap<>();
    for (int threads : new int[] {1, THREADS}) {
      raw.put(threads, updates.update(threads, flushes).spread());
    }
    updates.createAndFinish(flushes);
    return new Results(updates.entryBytes, raw, table(updates.rows));
  }

  /** Returns the rates of the baseline. */
  private Rounds.Rates update(int threads, Map<String, Double> flushes) throws Exception {
    progress.printf("updates, %d threads: %s%n", threads, plan);
    Path folder = directory.resolve("updates-" + threads);
    try (Contender raw = new Append(folder.resolve("raw"), entryBytes);
        Contender ours = new Ours(folder.resolve("ours"), threads, 1, age);
        Contender oursMany = new Ours(folder.resolve("ours-many"), threads, MANY, age);
        Contender sqlite = new Sqlite(folder.resolve("sqlite"), false);
        Contender sqliteShared = new Sqlite(folder.resolve("sqlite-shared"), true);
        Contender mvStore = new MvStore(folder.resolve("mvstore"))) {
      List<Rounds.Subject> subjects = new ArrayList<>();
      subjects.add(subject(RAW, raw, threads));
      subjects.add(subject(OURS, ours, threads));
      subjects.add(subject(OURS_MANY, oursMany, threads));
      subjects.add(subject(SQLITE, sqlite, threads));
      if (threads > 1) {
        subjects.add(subject(SQLITE_SHARED, sqliteShared, threads));
      }
      subjects.add(subject(MV_STORE, mvStore, threads));
      FileSuite.sync(progress);
      Map<String, Rounds.Rates> rates = Rounds.measure(plan, subjects);
      Rounds.Rates baseline = Rounds.of(rates, RAW);
      Rounds.Rates our = Rounds.of(rates, OURS);
      String slower = slower(rates);
      rates.forEach(
          (name, its) -> {
            if (name.equals(OURS) || name.equals(OURS_MANY)) {
              Double count = flushes.get(FileFlushes.UPDATE);
              rows.add(new Row(name, threads, count, its, baseline, null));
            } else if (!name.equals(RAW) && !name.equals(slower)) {
              rows.add(new Row(name, threads, null, its, baseline, our));
            }
          });
      return baseline;
    }
  }

  private static Rounds.Subject subject(String name, Contender contender, int threads)
      throws Exception {
    List<Rounds.Work> works = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      works.add(contender.update());
    }
    return new Rounds.Threads(name, works);
  }

  /** Which way of using SQLite is not to be shown; null if there is but one. */
  private static @Nullable String slower(Map<String, Rounds.Rates> rates) {
    Rounds.Rates shared = rates.get(SQLITE_SHARED);
    if (shared == null) {
      return null;
    }
    double own = Rounds.of(rates, SQLITE).spread().median();
    return own < shared.spread().median() ? SQLITE : SQLITE_SHARED;
  }

  private void createAndFinish(Map<String, Double> flushes) throws Exception {
    progress.printf("creating and finishing: %s%n", plan);
    Path folder = directory.resolve("life");
    try (Contender raw = new Append(folder.resolve("raw"), entryBytes);
        Ours ours = new Ours(folder.resolve("ours"))) {
      Map<String, Rounds.Rates> rates =
          Rounds.measure(plan, List.of(subject(RAW, raw, 1), new CreateAndFinish(ours)));
      Rounds.Rates baseline = Rounds.of(rates, RAW);
      for (String name : List.of(CreateAndFinish.CREATE, CreateAndFinish.FINISH)) {
        rows.add(new Row(name, 1, flushes.get(name), Rounds.of(rates, name), baseline, null));
      }
    }
  }

  private static String table(List<Row> rows) {
    StringBuilder text = new StringBuilder();
    text.append(
            "| Durable write of 1 KiB | Threads | Flushes each | Per second | Raw, per second |")
        .append(" Of raw | Half of the rounds | Ours is so many times as fast |\n");
    text.append("|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for (Row row : rows) {
      Spread ratio = row.rates().over(row.raw());
      Rounds.Rates ours = row.ours();
      List<String> cells =
          List.of(
              row.operation(),
              String.valueOf(row.threads()),
              row.flushes() == null ? "" : String.format(Locale.ROOT, "%.2f", row.flushes()),
              Report.figure(row.rates().spread().median()),
              Report.figure(row.raw().spread().median()),
              "**" + Report.ratio(ratio.median()) + "**",
              Report.ratio(ratio.low()) + " to " + Report.ratio(ratio.high()),
              ours == null ? "" : Report.ratio(ours.over(row.rates()).median()));
      text.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }
    return text.toString();
  }
}
