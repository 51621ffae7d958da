// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.lettuce.core.RedisURI;
import io.taskstore.dynamodb.DynamoDbStorageBackend;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.file.FileStorageBackend;
import io.taskstore.redis.RedisStorageBackend;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * {@link Handlers} at work over each backend, beside the backend alone and beside libraries that
 * can do some of it. What stands in a table is measured by turns: see {@link Rounds}.
 */
final class HandlerSuite implements Suite {
  private static final String OURS = "**TaskStore**";

  private static final Rounds.Plan FULL = new Rounds.Plan(5, 15, Duration.ofMillis(500));
  private static final Rounds.Plan QUICK = new Rounds.Plan(1, 3, Duration.ofMillis(50));

  /**
   * One of several at the same work.
   *
   * @param lacks what it does not do that ours does
   */
  record Contender(String name, String lacks, Handlers.Opener opener) {}

  @Override
  public String name() {
    return "handlers";
  }

  @Override
  public String title() {
    return "Handlers at work, beside the backends alone and other libraries";
  }

  @Override
  public String measure(Options options) throws IOException {
    return measure(options, options.quick() ? QUICK : FULL);
  }

  String measure(Options options, Rounds.Plan plan) throws IOException {
    Path directory = Files.createTempDirectory(options.directory(), "taskstore-handlers");
    try {
      PrintStream progress = options.progress();
      Handlers.Stored stored = Handlers.Stored.make();
      Directories directories = new Directories(directory);
      List<String> tables = new ArrayList<>();
      tables.add(
          table(
              "In memory",
              contenders("memory", MemorySuite::roomy, stored, Peers.inMemory()),
              plan,
              progress));
      tables.add(
          table(
              "On a disk, " + Files.getFileStore(directory).type(),
              contenders(
                  "file",
                  () -> FileStorageBackend.open(directories.next()),
                  stored,
                  Peers.onDisk(directories)),
              plan,
              progress));
      tables.add(redis(stored, plan, progress));
      tables.add(dynamoDb(stored, plan, progress));
      return "**%s.** %s; %s; `%s`.\n\n%s"
          .formatted(
              title(), Machine.describe(), plan, Machine.jvmOptions(), String.join("\n", tables));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    } catch (Exception e) {
      e.printStackTrace(options.progress());
      throw new MeasurementException(e.toString(), e);
    } finally {
      FileSuite.remove(directory);
    }
  }

  /** Makes directories that nobody has used. */
  static final class Directories {
    private final Path parent;
    private int made;

    Directories(Path parent) {
      this.parent = parent;
    }

    Path next() throws IOException {
      return Files.createDirectory(parent.resolve("place-" + made++));
    }
  }

  /** Ours first, which the others are compared with. */
  private static List<Contender> contenders(
      String backend,
      Callable<StorageBackend> opener,
      Handlers.Stored stored,
      List<Contender> others) {
    List<Contender> all = new ArrayList<>();
    all.add(
        new Contender(
            OURS + " with the " + backend + " backend",
            "",
            () -> new Handlers.InStore(opener.call())));
    all.add(
        new Contender(
            "the " + backend + " backend alone",
            "what a task is: states, checks, JSON, merging",
            () -> new Handlers.InBackend(opener.call(), stored)));
    all.addAll(others);
    return all;
  }

  private static String redis(Handlers.Stored stored, Rounds.Plan plan, PrintStream progress)
      throws Exception {
    try (RedisServer server = RedisServer.start()) {
      return table(
          "`redis-server` on the same machine",
          contenders(
              "Redis",
              () ->
                  RedisStorageBackend.builder(RedisURI.create(server.url()))
                      .keyPrefix("handlers-" + UUID.randomUUID() + ":")
                      .build(),
              stored,
              List.of()),
          plan,
          progress);
    }
  }

  private static String dynamoDb(Handlers.Stored stored, Rounds.Plan plan, PrintStream progress)
      throws Exception {
    try (DynamoDbServer server = DynamoDbServer.start();
        DynamoDbClient client = DynamoDbClients.of(server.endpoint())) {
      return table(
          "DynamoDB Local on the same machine",
          contenders(
              "DynamoDB",
              () -> {
                String table = "handlers-" + UUID.randomUUID();
                DynamoDbTables.create(client, table);
                return DynamoDbStorageBackend.builder(client, table).build();
              },
              stored,
              List.of()),
          plan,
          progress);
    }
  }

  private static String table(
      String where, List<Contender> contenders, Rounds.Plan plan, PrintStream progress)
      throws Exception {
    progress.printf("%s: %s%n", where, plan);
    List<Rounds.Subject> subjects = new ArrayList<>();
    for (Contender contender : contenders) {
      subjects.add(new Handlers.AtWork(contender.name(), contender.opener()));
    }
    Map<String, Rounds.Rates> rates = Rounds.measure(plan, subjects);
    Rounds.Rates ours = Rounds.of(rates, contenders.get(0).name());
    StringBuilder table = new StringBuilder();
    table.append("| ").append(where);
    table.append(" | Tasks a second | Ours is so many times as fast | Half of the rounds |");
    table.append(" What it does not do |\n|---|--:|--:|--:|---|\n");
    for (Contender contender : contenders) {
      Rounds.Rates its = Rounds.of(rates, contender.name());
      boolean isOurs = contender.lacks().isEmpty();
      Spread ratio = ours.over(its);
      List<String> cells =
          List.of(
              contender.name(),
              Report.figure(its.spread().median()),
              isOurs ? "" : "**" + Report.ratio(ratio.median()) + "**",
              isOurs ? "" : Report.ratio(ratio.low()) + " to " + Report.ratio(ratio.high()),
              contender.lacks());
      String line = "| " + String.join(" | ", cells) + " |\n";
      progress.print(line);
      table.append(line);
    }
    return table.toString();
  }
}
