// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.dynamodb.DynamoDbStorageBackend;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.dynamodb.RawDynamoDb;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.DynamoDbServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** The prices are promises, unlike the speed: they do not depend on the machine. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DynamoDbSuiteTest {
  private static final DynamoDbSuite.Plan PLAN =
      new DynamoDbSuite.Plan(
          new Rounds.Plan(0, 1, Duration.ofMillis(5)),
          150,
          1,
          List.of(100, 400),
          List.of(200, 600));

  private final ByteArrayOutputStream progress = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(progress, true, UTF_8);

  private @Nullable DynamoDbServer server;
  private Map<String, DynamoDbPrices.Row> prices = Map.of();

  @BeforeAll
  void measurePrices() {
    server = DynamoDbServer.start();
    prices = new LinkedHashMap<>();
    for (DynamoDbPrices.Row row : DynamoDbPrices.rows(PLAN, server, out)) {
      prices.put(row.operation(), row);
    }
  }

  @AfterAll
  void stop() {
    server.close();
  }

  private DynamoDbPrices.Row price(String operation) {
    assertThat(prices).containsKey(operation);
    return prices.get(operation);
  }

  private static double writeUnits(DynamoDbPrices.Row row) {
    return Math.ceil(row.itemBytes() / 1_024.0);
  }

  private static double readUnits(DynamoDbPrices.Row row) {
    return Math.ceil(row.itemBytes() / 4_096.0);
  }

  @Test
  void prices_taskOfOneKilobyte_isNoLargerAndNotMuchSmaller() {
    for (String operation : List.of("create", "get", "update in hand", "finish, in hand")) {
      assertThat(price(operation).itemBytes()).as(operation).isBetween(800, 1_024);
    }
  }

  @Test
  void prices_get_isOneRequestAndOneUnitForFourKilobytes() {
    for (String operation : List.of("get", "get, finished", "get, 300 KB")) {
      DynamoDbPrices.Row row = price(operation);
      assertThat(row.cost())
          .as(operation)
          .isEqualTo(new DynamoDbMeter.Cost(1, readUnits(row), 0, 0));
    }
    assertThat(price("get").cost().read()).isEqualTo(1);
  }

  @Test
  void prices_updateThatKeepsTheExpiry_isOneRequestAndNothingForTheIndex() {
    for (String operation : List.of("update in hand", "update in hand, 300 KB")) {
      DynamoDbPrices.Row row = price(operation);
      assertThat(row.cost())
          .as(operation)
          .isEqualTo(new DynamoDbMeter.Cost(1, 0, writeUnits(row), 0));
    }
    assertThat(price("update in hand, 300 KB").itemBytes()).isGreaterThan(300_000);
  }

  @Test
  void prices_updateById_readsBefore() {
    assertThat(price("update by id").cost()).isEqualTo(new DynamoDbMeter.Cost(2, 1, 1, 0));
  }

  @Test
  void prices_whatChangesTheIndex_isOneUnitMore() {
    for (String operation :
        List.of(
            "create",
            "create, 300 KB",
            "finish, in hand",
            "update in hand that moves the expiry")) {
      DynamoDbPrices.Row row = price(operation);
      assertThat(row.cost().written()).as(operation).isEqualTo(writeUnits(row) + 1);
      assertThat(row.cost().writtenToIndex()).as(operation).isEqualTo(1);
    }
    assertThat(price("finish, in hand").cost().requests()).isEqualTo(1);
    assertThat(price("update in hand that moves the expiry").cost().requests()).isEqualTo(1);
  }

  @Test
  void prices_createBesideManyTasks_readsNoMoreThanTheIndex() {
    DynamoDbMeter.Cost cost =
        price("create, beside 99 active tasks of 1 KB and 150 finished ones").cost();

    assertThat(cost.requests()).isEqualTo(4);
    assertThat(cost.read()).isPositive().isLessThanOrEqualTo(10);
    assertThat(cost.written()).isEqualTo(2);
  }

  /** Each page is some tasks of 300 KB, of which the least that can be charged is charged. */
  @Test
  void prices_createBesideLargeTasks_areNotReadThemselves() {
    DynamoDbMeter.Cost cost = price("create, beside 99 active tasks of 300 KB¹").cost();

    assertThat(cost.read()).isEqualTo(cost.requests() - 1.0);
    assertThat(cost.written()).isEqualTo(2);
  }

  @Test
  void prices_pageOfHeads_isOneRequestAndReadsNoMoreThanTheIndex() {
    DynamoDbMeter.Cost cost =
        price("page of 50 heads of active tasks (`listActive` of the SPI)").cost();

    assertThat(cost.requests()).isEqualTo(1);
    assertThat(cost.read()).isPositive().isLessThanOrEqualTo(10);
  }

  @Test
  void prices_pageOfTasks_isOneRequestAndWhatTheTasksHave() {
    DynamoDbMeter.Cost cost = price("page of 50 tasks of 1 KB").cost();

    assertThat(cost.requests()).isEqualTo(1);
    assertThat(cost.read()).isBetween(9.0, 13.0);
  }

  @Test
  void bill_unitsThatWereReported_areTimesThePrices() {
    String bill = DynamoDbBill.of(List.copyOf(prices.values()));

    // create 2, ten updates 1 each, finish 2; create reads thrice, twenty reads
    assertThat(bill).contains("14 WCU for each", "$8.75 for writing");
    double read = price("create").cost().read() + 20;
    assertThat(bill)
        .contains("%.0f RCU".formatted(read), "$%.2f for reading".formatted(read * 0.125));
    assertThatThrownBy(() -> DynamoDbBill.of(List.of()))
        .hasMessageContaining("there is no price of create");
  }

  @Test
  void prices_text_everyOperationHasARow() {
    String text = DynamoDbPrices.text(List.copyOf(prices.values()));

    assertThat(Measuring.rows(text)).hasSize(1 + prices.size());
    assertThat(text).startsWith("Units as DynamoDB Local reports them").contains("together");
  }

  /** Tasks that are there already must not cost those who do not ask for them. */
  @Test
  void measure_sizes_eachOperationCostsTheSameAtEachSize() throws IOException {
    List<String> rows = Measuring.rows(measure("dynamodb-sizes"));

    assertThat(rows).hasSize(2 * (1 + 6));
    assertThat(rows).filteredOn(row -> row.contains("`get`")).hasSize(2);
    for (String row : rows) {
      List<String> cells = List.of(row.split(" \\| ", -1));
      if (!row.contains(" with ")) {
        assertThat(cells).as(row).hasSize(1 + 2);
        assertThat(cells.get(1)).as(row).contains("RCU").isEqualTo(cells.get(2).replace(" |", ""));
      }
    }
  }

  @Test
  void measure_ratios_eachOperationHasARowForOneThreadAndForEight() throws IOException {
    List<String> rows = Measuring.rows(measure("dynamodb-ratios"));

    assertThat(rows).hasSize(1 + 2 * 2);
    assertThat(rows).filteredOn(row -> row.contains(" | 8 | ")).hasSize(2);
  }

  @Test
  void measure_firstCall_eachClientHasARow() throws IOException {
    List<String> rows = Measuring.rows(measure("dynamodb-first-call"));

    assertThat(rows).hasSize(1 + 2);
    assertThat(rows.get(1)).contains("apache5-client", " ms |");
    assertThat(rows.get(2)).contains("url-connection-client", " ms |");
  }

  private String measure(String name) throws IOException {
    Suite.Options options = new Suite.Options(true, Path.of("."), false, out);
    for (DynamoDbSuite suite : DynamoDbSuite.ALL) {
      if (suite.name().equals(name)) {
        return suite.measure(options, PLAN);
      }
    }
    throw new AssertionError("no suite " + name);
  }

  /** Else the ratio would compare two different things. */
  @Test
  void raw_eachOperation_sendsWhatTheBackendSends() {
    String table = "bytes";
    RecordKey key = DynamoDbRatios.key(1, 1);
    RecordValue value = DynamoDbRatios.value(Instant.parse("2030-01-01T00:00:00Z"));
    Bodies bodies = new Bodies();
    try (DynamoDbClient client = DynamoDbClients.of(server.endpoint(), bodies)) {
      DynamoDbTables.create(client, table);
      RawDynamoDb raw = new RawDynamoDb(client, table);
      try (StorageBackend ours = DynamoDbStorageBackend.builder(client, table).build()) {
        ours.putIfVersion(key, value, StorageBackend.ABSENT);
        bodies.sent.clear();
        ours.get(key);
        ours.putIfVersion(key, value, 1);
        List<String> sentByOurs = List.copyOf(bodies.sent);
        ours.deleteIfVersion(key, 2);
        ours.putIfVersion(key, value, StorageBackend.ABSENT);
        bodies.sent.clear();
        raw.get(key).run();
        raw.putIfVersion(key, value).run(1, value.writeId());

        assertThat(sentByOurs).hasSize(2).allMatch(body -> body.contains("bytes"));
        assertThat(bodies.sent).containsExactlyElementsOf(sentByOurs);
      }
    }
  }

  /** What a client sends. */
  private static final class Bodies implements ExecutionInterceptor {
    private final List<String> sent = new ArrayList<>();

    @Override
    public void afterMarshalling(Context.AfterMarshalling context, ExecutionAttributes attributes) {
      try (InputStream body =
          context.requestBody().orElseThrow().contentStreamProvider().newStream()) {
        sent.add(new String(body.readAllBytes(), UTF_8));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
