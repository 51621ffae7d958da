// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.testservers.DynamoDbServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.time.Instant;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.LocalSecondaryIndex;
import software.amazon.awssdk.services.dynamodb.model.ProjectionType;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;

/**
 * What a release stores, later ones can read: the items in {@code format-1.txt} are what the first
 * one has stored, one in each line, and the table here is the one that it has made. This release
 * still stores the same.
 */
final class FixtureTest {
  private static final String PARTITION = "ts:Zo\u00eb {1}%";
  private static final Instant EXPIRY = Instant.ofEpochMilli(4_102_444_800_123L);

  private static final VersionedRecord ACTIVE =
      new VersionedRecord(
          new RecordKey(PARTITION, "id 1"),
          new RecordValue(
              Bytes.copyOf("{\"n\":\"\u00e9\ud83d\ude00\"}".getBytes(UTF_8)), true, EXPIRY, "w-2"),
          2);

  /** Not UTF-8. */
  private static final VersionedRecord BINARY =
      new VersionedRecord(
          new RecordKey(PARTITION, "id 2"),
          new RecordValue(
              Bytes.copyOf(new byte[] {'{', '"', 0, (byte) 0xFF}), false, EXPIRY, "w-3"),
          1);

  private static final VersionedRecord EMPTY =
      new VersionedRecord(
          new RecordKey(PARTITION, "id {3}"),
          new RecordValue(Bytes.copyOf(new byte[0]), false, null, "w-4"),
          1);

  private static DynamoDbServer server;
  private static DynamoDbClient client;

  private String table;

  @BeforeAll
  static void start() {
    server = DynamoDbServer.start();
    client =
        DynamoDbClient.builder()
            .endpointOverride(URI.create(server.endpoint()))
            .region(Region.EU_WEST_1)
            .credentialsProvider(
                StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local")))
            .httpClientBuilder(Apache5HttpClient.builder())
            .overrideConfiguration(o -> o.retryStrategy(DefaultRetryStrategy.doNotRetry()))
            .build();
  }

  @AfterAll
  static void stop() {
    client.close();
    server.close();
  }

  @BeforeEach
  void nameTable(TestInfo test) {
    table = test.getTestMethod().orElseThrow().getName();
  }

  @AfterEach
  void deleteTable() {
    client.deleteTable(request -> request.tableName(table));
  }

  private StorageBackend open() {
    return DynamoDbStorageBackend.builder(client, table).build();
  }

  private static List<String> fixture() throws IOException {
    try (InputStream in = FixtureTest.class.getResourceAsStream("format-1.txt")) {
      return new String(Objects.requireNonNull(in).readAllBytes(), UTF_8).lines().toList();
    }
  }

  /** The table of the first release, not by the code that makes tables today. */
  private void makeFirstTable() {
    client.createTable(
        request ->
            request
                .tableName(table)
                .billingMode(BillingMode.PAY_PER_REQUEST)
                .attributeDefinitions(definition("p"), definition("i"), definition("a"))
                .keySchema(key("p", KeyType.HASH), key("i", KeyType.RANGE))
                .localSecondaryIndexes(
                    LocalSecondaryIndex.builder()
                        .indexName("active")
                        .keySchema(key("p", KeyType.HASH), key("a", KeyType.RANGE))
                        .projection(
                            p -> p.projectionType(ProjectionType.INCLUDE).nonKeyAttributes("e"))
                        .build()));
    client.updateTimeToLive(
        request ->
            request
                .tableName(table)
                .timeToLiveSpecification(ttl -> ttl.attributeName("t").enabled(true)));
  }

  private static AttributeDefinition definition(String name) {
    return AttributeDefinition.builder()
        .attributeName(name)
        .attributeType(ScalarAttributeType.S)
        .build();
  }

  private static KeySchemaElement key(String name, KeyType type) {
    return KeySchemaElement.builder().attributeName(name).keyType(type).build();
  }

  /** A line has the name, the type and the value of each attribute, all between tabs. */
  private void load(String line) {
    String[] words = line.split("\t", -1);
    Map<String, AttributeValue> item = new HashMap<>();
    for (int i = 0; i < words.length; i += 3) {
      String text = words[i + 2];
      item.put(
          words[i],
          switch (words[i + 1]) {
            case "S" -> AttributeValue.fromS(text);
            case "N" -> AttributeValue.fromN(text);
            case "B" ->
                AttributeValue.fromB(SdkBytes.fromByteArray(Base64.getDecoder().decode(text)));
            default -> throw new AssertionError(line);
          });
    }
    client.putItem(request -> request.tableName(table).item(item));
  }

  private List<String> stored() {
    return client.scan(request -> request.tableName(table).consistentRead(true)).items().stream()
        .map(FixtureTest::line)
        .toList();
  }

  private static String line(Map<String, AttributeValue> item) {
    return new TreeMap<>(item)
        .entrySet().stream()
            .map(attribute -> attribute.getKey() + "\t" + text(attribute.getValue()))
            .collect(Collectors.joining("\t"));
  }

  private static String text(AttributeValue value) {
    return switch (value.type()) {
      case S -> "S\t" + value.s();
      case N -> "N\t" + value.n();
      case B -> "B\t" + Base64.getEncoder().encodeToString(value.b().asByteArray());
      default -> throw new AssertionError(value);
    };
  }

  @Test
  void format1_isRead() throws IOException {
    makeFirstTable();
    fixture().forEach(this::load);

    try (StorageBackend backend = open()) {
      assertThat(backend.get(ACTIVE.key())).contains(ACTIVE);
      assertThat(backend.get(BINARY.key())).contains(BINARY);
      assertThat(backend.get(EMPTY.key())).contains(EMPTY);
      ListQuery all = new ListQuery(PARTITION, null, false, 10);
      assertThat(backend.list(all).records()).containsExactly(ACTIVE, BINARY, EMPTY);
      assertThat(backend.listActive(all).heads())
          .singleElement()
          .satisfies(head -> assertThat(head.key()).isEqualTo(ACTIVE.key()))
          .satisfies(head -> assertThat(head.expiresAt()).isEqualTo(EXPIRY));
      RecordKey another = new RecordKey(PARTITION, "id 4");
      assertThat(backend.createWithin(another, ACTIVE.value(), 1, Instant.EPOCH))
          .isEqualTo(Full.FULL);
    }
  }

  @Test
  void format1_isWritten() throws IOException {
    DynamoDbTables.create(client, table);
    try (StorageBackend backend = open()) {
      RecordValue first = new RecordValue(Bytes.copyOf("x".getBytes(UTF_8)), true, null, "w-1");
      backend.putIfVersion(ACTIVE.key(), first, StorageBackend.ABSENT);
      backend.putIfVersion(ACTIVE.key(), ACTIVE.value(), 1);
      backend.putIfVersion(BINARY.key(), BINARY.value(), StorageBackend.ABSENT);
      backend.putIfVersion(EMPTY.key(), EMPTY.value(), StorageBackend.ABSENT);
    }

    assertThat(stored()).containsExactlyInAnyOrderElementsOf(fixture());
  }
}
