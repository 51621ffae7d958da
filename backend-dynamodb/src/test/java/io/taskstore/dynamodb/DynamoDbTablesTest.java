// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.testservers.DynamoDbServer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.assertj.core.api.ObjectAssert;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.core.util.DefaultSdkAutoConstructList;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.CreateTableRequest;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.LocalSecondaryIndex;
import software.amazon.awssdk.services.dynamodb.model.Projection;
import software.amazon.awssdk.services.dynamodb.model.ProjectionType;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;
import software.amazon.awssdk.services.dynamodb.model.TableDescription;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveDescription;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveStatus;

/** Tables as they have to be, and others. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class DynamoDbTablesTest {
  private static final String OTHER_KEYS =
      "has other keys than p and i, both strings: name another table, or make one with"
          + " DynamoDbTables.create";

  private static final String NO_INDEX =
      "lacks the local secondary index active, which cannot be added: make a new table with"
          + " DynamoDbTables.create";

  private static final String OTHER_INDEX =
      "has an index active with other keys than p and a, or without e: make a new table with"
          + " DynamoDbTables.create";

  private static final String NO_EXPIRY =
      "does not delete what has expired: have it do so by the attribute t (time to live), or with"
          + " DynamoDbTables.create";

  private final AtomicInteger tables = new AtomicInteger();
  private DynamoDbServer server;
  private DynamoDbClient client;

  @BeforeAll
  void start() {
    server = DynamoDbServer.start();
    client = Clients.connect(server.endpoint());
  }

  @AfterAll
  void stop() {
    client.close();
    server.close();
  }

  private String name() {
    return "table-" + tables.incrementAndGet();
  }

  private void open(String table) {
    DynamoDbStorageBackend.builder(client, table).build().close();
  }

  // --- making them ----------------------------------------------------------------------------

  @Test
  void create_newTable_isAsDescribed() {
    String table = name();

    DynamoDbTables.create(client, table);

    TableDescription found = client.describeTable(r -> r.tableName(table)).table();
    assertThat(found.keySchema()).containsExactly(key("p", KeyType.HASH), key("i", KeyType.RANGE));
    assertThat(found.localSecondaryIndexes()).hasSize(1);
    var index = found.localSecondaryIndexes().get(0);
    assertThat(index.indexName()).isEqualTo("active");
    assertThat(index.keySchema()).containsExactly(key("p", KeyType.HASH), key("a", KeyType.RANGE));
    assertThat(index.projection().projectionType()).isEqualTo(ProjectionType.INCLUDE);
    assertThat(index.projection().nonKeyAttributes()).containsExactly("e");
    assertThat(found.billingModeSummary().billingMode()).isEqualTo(BillingMode.PAY_PER_REQUEST);
    assertThatTimeToLive(table)
        .isEqualTo(
            TimeToLiveDescription.builder()
                .attributeName("t")
                .timeToLiveStatus(TimeToLiveStatus.ENABLED)
                .build());
    open(table);
  }

  private ObjectAssert<TimeToLiveDescription> assertThatTimeToLive(String table) {
    return assertThat(client.describeTimeToLive(r -> r.tableName(table)).timeToLiveDescription());
  }

  @Test
  void create_again_changesNothing() {
    String table = name();
    DynamoDbTables.create(client, table);
    TableDescription before = client.describeTable(r -> r.tableName(table)).table();

    DynamoDbTables.create(client, table);

    assertThat(client.describeTable(r -> r.tableName(table)).table()).isEqualTo(before);
    open(table);
  }

  @Test
  void create_atTheSameTime_makesOneThatAllCanUse() throws Exception {
    String table = name();
    ExecutorService pool = Executors.newFixedThreadPool(6);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        all.add(
            pool.submit(
                () -> {
                  DynamoDbTables.create(client, table);
                  open(table);
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void create_tableWithoutTimeToLive_getsIt() {
    String table = name();
    client.createTable(DynamoDbTables.describe(table));

    DynamoDbTables.create(client, table);

    open(table);
  }

  @Test
  void create_tableThatDoesNotFit_isRefusedAndLeftAsItIs() {
    String table = make(r -> r.localSecondaryIndexes((List<LocalSecondaryIndex>) null), false);

    assertThatThrownBy(() -> DynamoDbTables.create(client, table))
        .isExactlyInstanceOf(StorageUnavailableException.class)
        .hasMessage("create table: " + subject(table) + NO_INDEX);

    assertThatTimeToLive(table)
        .extracting(TimeToLiveDescription::timeToLiveStatus)
        .isEqualTo(TimeToLiveStatus.DISABLED);
  }

  // --- looking at them ------------------------------------------------------------------------

  private String subject(String table) {
    return "the table " + table + " of DynamoDB at 127.0.0.1:" + server.port() + " ";
  }

  private static AttributeDefinition attribute(String name, ScalarAttributeType type) {
    return AttributeDefinition.builder().attributeName(name).attributeType(type).build();
  }

  private static AttributeDefinition text(String name) {
    return attribute(name, ScalarAttributeType.S);
  }

  private static KeySchemaElement key(String name, KeyType type) {
    return KeySchemaElement.builder().attributeName(name).keyType(type).build();
  }

  private static LocalSecondaryIndex index(
      String name, String range, ProjectionType type, String... attributes) {
    Projection.Builder projection = Projection.builder().projectionType(type);
    if (attributes.length > 0) {
      projection.nonKeyAttributes(attributes);
    }
    return LocalSecondaryIndex.builder()
        .indexName(name)
        .keySchema(key("p", KeyType.HASH), key(range, KeyType.RANGE))
        .projection(projection.build())
        .build();
  }

  /** Makes a table that differs from the right one by a change. */
  private String make(Consumer<CreateTableRequest.Builder> change, boolean expires) {
    String table = name();
    CreateTableRequest.Builder request = DynamoDbTables.describe(table).toBuilder();
    change.accept(request);
    CreateTableRequest changed = request.build();
    if (changed.localSecondaryIndexes().isEmpty()) {
      List<String> keys =
          changed.keySchema().stream().map(KeySchemaElement::attributeName).toList();
      changed =
          changed.toBuilder()
              .attributeDefinitions(
                  changed.attributeDefinitions().stream()
                      .filter(each -> keys.contains(each.attributeName()))
                      .toList())
              .localSecondaryIndexes(DefaultSdkAutoConstructList.getInstance())
              .build();
    }
    client.createTable(changed);
    if (expires) {
      client.updateTimeToLive(DynamoDbTables.describeTimeToLive(table));
    }
    return table;
  }

  /** By the check, and by opening a backend. */
  private void assertUnfit(String table, String problem) {
    assertUnfit(() -> DynamoDbTables.check(client, table), "check table: " + problem);
    assertUnfit(() -> open(table), "open: " + problem);
  }

  private static void assertUnfit(Runnable call, String message) {
    assertThatThrownBy(call::run)
        .isExactlyInstanceOf(StorageUnavailableException.class)
        .hasMessage(message)
        .extracting(e -> ((StorageUnavailableException) e).isRetryable())
        .isEqualTo(false);
  }

  @Test
  void check_noTable_saysHowToMakeIt() {
    assertUnfit(
        "nothing",
        "DynamoDB at 127.0.0.1:%d has no table nothing, or none with the index active: make it with"
                .formatted(server.port())
            + " DynamoDbTables.create");
  }

  @Test
  void check_otherKeys_isRefused() {
    String otherNames =
        make(
            r ->
                r.attributeDefinitions(text("x"), text("i"))
                    .keySchema(key("x", KeyType.HASH), key("i", KeyType.RANGE))
                    .localSecondaryIndexes((List<LocalSecondaryIndex>) null),
            true);
    assertUnfit(otherNames, subject(otherNames) + OTHER_KEYS);
    String numbers =
        make(
            r ->
                r.attributeDefinitions(text("p"), attribute("i", ScalarAttributeType.N), text("a")),
            true);
    assertUnfit(numbers, subject(numbers) + OTHER_KEYS);
    String noRange =
        make(
            r ->
                r.keySchema(key("p", KeyType.HASH))
                    .localSecondaryIndexes((List<LocalSecondaryIndex>) null),
            true);
    assertUnfit(noRange, subject(noRange) + OTHER_KEYS);
  }

  @Test
  void check_noIndex_isRefused() {
    String none = make(r -> r.localSecondaryIndexes((List<LocalSecondaryIndex>) null), true);
    assertUnfit(none, subject(none) + NO_INDEX);
    String otherName =
        make(r -> r.localSecondaryIndexes(index("live", "a", ProjectionType.INCLUDE, "e")), true);
    assertUnfit(otherName, subject(otherName) + NO_INDEX);
  }

  @Test
  void check_otherIndex_isRefused() {
    String otherKey =
        make(
            r ->
                r.attributeDefinitions(text("p"), text("i"), text("b"))
                    .localSecondaryIndexes(index("active", "b", ProjectionType.INCLUDE, "e")),
            true);
    assertUnfit(otherKey, subject(otherKey) + OTHER_INDEX);
    String number =
        make(
            r ->
                r.attributeDefinitions(text("p"), text("i"), attribute("a", ScalarAttributeType.N)),
            true);
    assertUnfit(number, subject(number) + OTHER_INDEX);
    String keysOnly =
        make(r -> r.localSecondaryIndexes(index("active", "a", ProjectionType.KEYS_ONLY)), true);
    assertUnfit(keysOnly, subject(keysOnly) + OTHER_INDEX);
    String withoutExpiry =
        make(r -> r.localSecondaryIndexes(index("active", "a", ProjectionType.INCLUDE, "w")), true);
    assertUnfit(withoutExpiry, subject(withoutExpiry) + OTHER_INDEX);
  }

  @Test
  void check_indexWithMore_isFine() {
    String all = make(r -> r.localSecondaryIndexes(index("active", "a", ProjectionType.ALL)), true);
    DynamoDbTables.check(client, all);
    open(all);
    String more =
        make(
            r -> r.localSecondaryIndexes(index("active", "a", ProjectionType.INCLUDE, "w", "e")),
            true);
    DynamoDbTables.check(client, more);
  }

  @Test
  void check_noTimeToLive_isRefused() {
    String off = make(r -> {}, false);
    assertUnfit(off, subject(off) + NO_EXPIRY);
    client.updateTimeToLive(
        r -> r.tableName(off).timeToLiveSpecification(t -> t.attributeName("other").enabled(true)));
    assertUnfit(off, subject(off) + NO_EXPIRY);
  }

  // --- names ----------------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(
      strings = {
        "abc",
        "A-b_c.9",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/tasks",
        "arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/t.a",
        "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/a_b"
      })
  void name_legal_isTaken(String name) {
    assertThat(DynamoDbTables.describe(name).tableName()).isEqualTo(name);
    assertThat(DynamoDbTables.describeTimeToLive(name).tableName()).isEqualTo(name);
    DynamoDbStorageBackend.builder(name);
  }

  @Test
  void name_longest_isTaken() {
    assertThat(DynamoDbTables.checkName("x".repeat(255))).hasSize(255);
    assertIllegal("x".repeat(256));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "ab",
        "a b",
        "tasks/x",
        "t\u00e4sks",
        "tasks\n",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/ab",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/tasks/index/active",
        "arn:aws:s3:eu-west-1:123456789012:table/tasks",
        "arn:aws:dynamodb:eu-west-1::table/tasks"
      })
  void name_illegal_isRefusedEverywhere(String name) {
    assertIllegal(name);
  }

  private void assertIllegal(String name) {
    for (Runnable call :
        List.<Runnable>of(
            () -> DynamoDbTables.describe(name),
            () -> DynamoDbTables.describeTimeToLive(name),
            () -> DynamoDbTables.create(client, name),
            () -> DynamoDbTables.check(client, name),
            () -> DynamoDbStorageBackend.open(name),
            () -> DynamoDbStorageBackend.builder(name),
            () -> DynamoDbStorageBackend.builder(client, name))) {
      assertThatThrownBy(call::run)
          .isExactlyInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "no table can have this name: 3 to 255 letters, digits, hyphens, dots and underscores"
                  + " are allowed, or the ARN of a table");
    }
  }
}
