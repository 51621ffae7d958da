// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStore;
import io.taskstore.TaskStores;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * How long a program that has just started needs until its store is open, and for its first calls:
 * a JVM for each figure, the backends by turns. The baseline is what the JVM itself needs before it
 * comes to the program.
 */
final class StartSuite implements Suite {
  /** What a child tells, in milliseconds. */
  private record Times(double main, double open, double create, double get) {
    static Times of(String printed) {
      List<Double> times = ChildJvm.figures(printed, 4);
      return new Times(times.get(0), times.get(1), times.get(2), times.get(3));
    }
  }

  @Override
  public String name() {
    return "start";
  }

  @Override
  public String title() {
    return "A store in a JVM that has just started";
  }

  @Override
  public String measure(Options options) throws IOException {
    return measure(options, options.quick() ? 1 : 11);
  }

  String measure(Options options, int starts) throws IOException {
    Path directory = Files.createTempDirectory(options.directory(), "taskstore-start");
    try (RedisServer redis = RedisServer.start();
        DynamoDbServer dynamoDb = DynamoDbServer.start()) {
      try (DynamoDbClient client = DynamoDbClients.of(dynamoDb.endpoint())) {
        DynamoDbTables.create(client, "start");
      }
      Map<String, String> urls = new LinkedHashMap<>();
      urls.put("memory", "memory:");
      urls.put("file", "file:" + directory.resolve("tasks"));
      urls.put("Redis", redis.url());
      urls.put("DynamoDB", "dynamodb://start?region=us-east-1&endpoint=" + dynamoDb.endpoint());
      return "**%s.** %s; `%s`; medians of %d JVMs for each.%n%n%s"
          .formatted(
              title(),
              Machine.describe(),
              String.join(" ", ChildJvm.OPTIONS),
              starts,
              table(urls, starts, options.progress()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    } finally {
      FileSuite.remove(directory);
    }
  }

  private static String table(Map<String, String> urls, int starts, PrintStream progress)
      throws IOException, InterruptedException {
    Map<String, List<Times>> all = new LinkedHashMap<>();
    for (int start = 0; start < starts; start++) {
      for (Map.Entry<String, String> url : urls.entrySet()) {
        Times times = Times.of(ChildJvm.run(StartSuite.class, url.getValue()));
        progress.printf("%s: %s%n", url.getKey(), times);
        all.computeIfAbsent(url.getKey(), unused -> new ArrayList<>()).add(times);
      }
    }
    StringBuilder table = new StringBuilder();
    table.append("| Backend | The JVM, before the program | Open | First create | First get |");
    table.append(" Open / the JVM |\n|---|--:|--:|--:|--:|--:|\n");
    for (String backend : urls.keySet()) {
      List<Times> its = Objects.requireNonNull(all.get(backend));
      table.append("| ").append(backend);
      table.append(ChildJvm.cell(its.stream().map(Times::main).toList()));
      table.append(ChildJvm.cell(its.stream().map(Times::open).toList()));
      table.append(ChildJvm.cell(its.stream().map(Times::create).toList()));
      table.append(ChildJvm.cell(its.stream().map(Times::get).toList()));
      Spread ratio = Spread.of(its.stream().map(t -> t.open() / t.main()).toList());
      table.append(" | ").append(Report.ratio(ratio.median())).append(" |\n");
    }
    return table.toString();
  }

  /** The child: the URL of a store. */
  public static void main(String[] args) {
    long main = ManagementFactory.getRuntimeMXBean().getUptime();
    long begin = System.nanoTime();
    // It ends with the process.
    @SuppressWarnings("resource")
    TaskStore store = TaskStores.open(args[0]);
    long opened = System.nanoTime();
    Owner owner = Owner.subject("alice");
    Task task = store.create(owner, NewTask.of("digest", Map.of("folder", ".")));
    long created = System.nanoTime();
    Expect.that(store.get(owner, task.id()).id().equals(task.id()));
    long read = System.nanoTime();
    System.out.printf(
        Locale.ROOT,
        "%d %s %s %s%n",
        main,
        ChildJvm.millis(opened - begin),
        ChildJvm.millis(created - opened),
        ChildJvm.millis(read - created));
    System.exit(0);
  }
}
