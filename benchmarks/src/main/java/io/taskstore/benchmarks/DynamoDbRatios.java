// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.taskstore.dynamodb.DynamoDbStorageBackend;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.dynamodb.RawDynamoDb;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import io.taskstore.testservers.DynamoDbServer;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * What the backend adds to the SDK: two operations beside the SDK alone, which sends the same bytes
 * through the same client. Each thread has an owner of its own.
 */
final class DynamoDbRatios {
  static final int THREADS = 8;

  private static final String OURS = "ours";
  private static final String RAW = "raw";

  /** Of an item that has 1 KB together with its keys, as a task has. */
  private static final int DATA_BYTES = 850;

  private final StorageBackend backend;
  private final RawDynamoDb raw;
  private final Rounds.Plan plan;
  private final PrintStream progress;
  private final StringBuilder table = new StringBuilder();

  private DynamoDbRatios(
      StorageBackend backend, RawDynamoDb raw, Rounds.Plan plan, PrintStream progress) {
    this.backend = backend;
    this.raw = raw;
    this.plan = plan;
    this.progress = progress;
  }

  static String measure(DynamoDbSuite.Plan plan, DynamoDbServer server, PrintStream progress)
      throws Exception {
    String table = "ratios";
    try (DynamoDbClient client = DynamoDbClients.of(server.endpoint())) {
      DynamoDbTables.create(client, table);
      try (StorageBackend backend = DynamoDbStorageBackend.builder(client, table).build()) {
        DynamoDbRatios ratios =
            new DynamoDbRatios(backend, new RawDynamoDb(client, table), plan.rounds(), progress);
        return ratios.text();
      }
    }
  }

  private String text() throws Exception {
    Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    for (int owner = 0; owner < THREADS; owner++) {
      for (int index = 0; index < 2; index++) {
        Expect.that(
            backend.putIfVersion(key(owner, index), value(now), StorageBackend.ABSENT)
                instanceof Written);
      }
    }
    table.append("| Operation | Threads | Ours, per second | Raw, per second | Ours / raw |");
    table.append(" Half of the rounds |\n|---|--:|--:|--:|--:|--:|\n");
    for (int threads : new int[] {1, THREADS}) {
      row("`get`", threads, this::get, this::rawGet);
      row("`putIfVersion`", threads, this::put, this::rawPut);
    }
    return "%s; `%s`.%n%nRounds: %s.%n%n%s"
        .formatted(Machine.describe(), Machine.jvmOptions(), plan, table);
  }

  static RecordKey key(int owner, int index) {
    return FileContenders.key("ts:owner-" + owner, index);
  }

  /** Text, as tasks are. */
  static RecordValue value(Instant now) {
    String json = "{\"data\":\"" + "a".repeat(DATA_BYTES - 11) + "\"}";
    Bytes data = Bytes.unsafeWrap(json.getBytes(UTF_8));
    return new RecordValue(data, true, now.plus(Duration.ofDays(1)), Records.writeId(0));
  }

  /** What a thread does, with the records of an owner. */
  private interface Working {
    Rounds.Work of(int owner);
  }

  private void row(String operation, int threads, Working ours, Working its) throws Exception {
    progress.printf("%s, %d threads: %s%n", operation, threads, plan);
    Map<String, Rounds.Rates> rates =
        Rounds.measure(plan, List.of(subject(OURS, threads, ours), subject(RAW, threads, its)));
    Rounds.Rates ourRates = Rounds.of(rates, OURS);
    Rounds.Rates itsRates = Rounds.of(rates, RAW);
    Spread ratio = ourRates.over(itsRates);
    List<String> cells =
        List.of(
            operation,
            String.valueOf(threads),
            Report.figure(ourRates.spread().median()),
            Report.figure(itsRates.spread().median()),
            "**" + Report.ratio(ratio.median()) + "**",
            Report.ratio(ratio.low()) + " to " + Report.ratio(ratio.high()));
    String line = "| " + String.join(" | ", cells) + " |\n";
    progress.print(line);
    table.append(line);
  }

  private static Rounds.Subject subject(String name, int threads, Working working) {
    List<Rounds.Work> works = new ArrayList<>();
    for (int owner = 0; owner < threads; owner++) {
      works.add(working.of(owner));
    }
    return new Rounds.Threads(name, works);
  }

  private Rounds.Work get(int owner) {
    RecordKey key = key(owner, 0);
    return () -> Expect.that(backend.get(key).isPresent());
  }

  private Rounds.Work rawGet(int owner) {
    return raw.get(key(owner, 0))::run;
  }

  private Rounds.Work put(int owner) {
    RecordKey key = key(owner, 0);
    RecordValue first = backend.get(key).orElseThrow().value();
    return new Rounds.Work() {
      private long version = backend.get(key).orElseThrow().version();

      @Override
      public void run() {
        RecordValue value =
            new RecordValue(first.data(), true, first.expiresAt(), Records.writeId(version));
        Expect.that(backend.putIfVersion(key, value, version) instanceof Written);
        version++;
      }
    };
  }

  private Rounds.Work rawPut(int owner) {
    RecordKey key = key(owner, 1);
    RawDynamoDb.Writing writing = raw.putIfVersion(key, backend.get(key).orElseThrow().value());
    return new Rounds.Work() {
      private long version = backend.get(key).orElseThrow().version();

      @Override
      public void run() {
        writing.run(version, Records.writeId(version));
        version++;
      }
    };
  }
}
