// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStore;
import io.taskstore.dynamodb.DynamoDbStorageBackend;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.DynamoDbServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * How long a program that has just started waits for its first task, as a function in AWS Lambda
 * does after a cold start: a JVM for each figure, the clients by turns.
 */
final class DynamoDbFirstCall {
  private static final String TABLE = "first-call";

  /** The client of the SDK through which the backend calls. */
  private enum Http {
    APACHE("`apache5-client`, as the backend opens it"),
    URL_CONNECTION("`url-connection-client`, handed in");

    private final String description;

    Http(String description) {
      this.description = description;
    }

    StorageBackend open(String endpoint) {
      return switch (this) {
        case APACHE ->
            DynamoDbStorageBackend.builder(TABLE)
                .endpoint(URI.create(endpoint))
                .region(Region.US_EAST_1)
                .build();
        case URL_CONNECTION -> {
          DynamoDbClient client = DynamoDbClients.of(endpoint, UrlConnectionHttpClient.builder());
          yield DynamoDbStorageBackend.builder(client, TABLE).build();
        }
      };
    }
  }

  /** What a child JVM tells, in milliseconds. */
  private record Times(double open, double create, double get) {
    static Times of(String printed) {
      String[] parts = printed.strip().split(" ", -1);
      if (parts.length != 3) {
        throw new IllegalStateException("the child process has failed: " + printed);
      }
      return new Times(
          Double.parseDouble(parts[0]), Double.parseDouble(parts[1]), Double.parseDouble(parts[2]));
    }
  }

  private DynamoDbFirstCall() {}

  static String measure(DynamoDbSuite.Plan plan, DynamoDbServer server, PrintStream progress)
      throws IOException, InterruptedException {
    try (DynamoDbClient client = DynamoDbClients.of(server.endpoint())) {
      DynamoDbTables.create(client, TABLE);
    }
    Map<Http, List<Times>> all = new EnumMap<>(Http.class);
    for (int start = 0; start < plan.starts(); start++) {
      for (Http http : Http.values()) {
        Times times = inChild(http, server.endpoint());
        progress.printf("%s: %s%n", http, times);
        all.computeIfAbsent(http, unused -> new ArrayList<>()).add(times);
      }
    }
    StringBuilder text = new StringBuilder();
    text.append(
        "%s; `-Xmx512m`; medians of %d JVMs for each.%n%n"
            .formatted(Machine.describe(), plan.starts()));
    text.append("| Client | Open, with two requests | First create, four requests |");
    text.append(" First get | Together |\n|---|--:|--:|--:|--:|\n");
    for (Http http : Http.values()) {
      List<Times> its = Objects.requireNonNull(all.get(http));
      text.append("| ").append(http.description);
      text.append(cell(its.stream().map(Times::open).toList()));
      text.append(cell(its.stream().map(Times::create).toList()));
      text.append(cell(its.stream().map(Times::get).toList()));
      text.append(cell(its.stream().map(t -> t.open() + t.create() + t.get()).toList()));
      text.append(" |\n");
    }
    return text.toString();
  }

  private static String cell(List<Double> millis) {
    return " | " + Report.figure(Spread.of(millis).median()) + " ms";
  }

  private static Times inChild(Http http, String endpoint)
      throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                // or it would send a write again whose answer was lost
                "-Dsun.net.http.retryPost=false",
                DynamoDbFirstCall.class.getName(),
                http.name(),
                endpoint)
            .redirectErrorStream(false)
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    Map<String, String> environment = builder.environment();
    // Unlike an argument, a variable may be as long as class paths are.
    environment.put("CLASSPATH", System.getProperty("java.class.path"));
    environment.put("AWS_ACCESS_KEY_ID", "local");
    environment.put("AWS_SECRET_ACCESS_KEY", "local");
    Process process = builder.start();
    try (InputStream printed = process.getInputStream()) {
      process.getOutputStream().close();
      String text = new String(printed.readAllBytes(), StandardCharsets.UTF_8);
      int code = process.waitFor();
      if (code != 0) {
        throw new IllegalStateException("the child process has failed: " + code + " " + text);
      }
      return Times.of(text);
    } finally {
      process.destroyForcibly();
    }
  }

  /** The child: which client, and where the service is. */
  public static void main(String[] args) {
    long begin = System.nanoTime();
    // It ends with the process.
    @SuppressWarnings("resource")
    StorageBackend backend = Http.valueOf(args[0]).open(args[1]);
    @SuppressWarnings("resource")
    TaskStore store = GenericTaskStore.over(backend);
    long opened = System.nanoTime();
    Owner owner = Owner.subject("alice");
    Task task = store.create(owner, NewTask.of("digest", Map.of("folder", ".")));
    long created = System.nanoTime();
    Expect.that(store.get(owner, task.id()).id().equals(task.id()));
    long read = System.nanoTime();
    System.out.printf(
        Locale.ROOT,
        "%s %s %s%n",
        millis(opened - begin),
        millis(created - opened),
        millis(read - created));
    System.exit(0);
  }

  private static String millis(long nanos) {
    return String.format(Locale.ROOT, "%.1f", nanos / 1e6);
  }
}
