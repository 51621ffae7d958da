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
import java.io.PrintStream;
import java.net.URI;
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
      List<Double> times = ChildJvm.figures(printed, 3);
      return new Times(times.get(0), times.get(1), times.get(2));
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
        Times times =
            Times.of(ChildJvm.run(DynamoDbFirstCall.class, http.name(), server.endpoint()));
        progress.printf("%s: %s%n", http, times);
        all.computeIfAbsent(http, unused -> new ArrayList<>()).add(times);
      }
    }
    StringBuilder text = new StringBuilder();
    text.append(
        "%s; `%s`; medians of %d JVMs for each.%n%n"
            .formatted(Machine.describe(), String.join(" ", ChildJvm.OPTIONS), plan.starts()));
    text.append("| Client | Open, with two requests | First create, four requests |");
    text.append(" First get | Together |\n|---|--:|--:|--:|--:|\n");
    for (Http http : Http.values()) {
      List<Times> its = Objects.requireNonNull(all.get(http));
      text.append("| ").append(http.description);
      text.append(ChildJvm.cell(its.stream().map(Times::open).toList()));
      text.append(ChildJvm.cell(its.stream().map(Times::create).toList()));
      text.append(ChildJvm.cell(its.stream().map(Times::get).toList()));
      text.append(ChildJvm.cell(its.stream().map(t -> t.open() + t.create() + t.get()).toList()));
      text.append(" |\n");
    }
    return text.toString();
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
        ChildJvm.millis(opened - begin),
        ChildJvm.millis(created - opened),
        ChildJvm.millis(read - created));
    System.exit(0);
  }
}
