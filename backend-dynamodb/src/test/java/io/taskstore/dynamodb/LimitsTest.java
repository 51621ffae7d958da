// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskQuery;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Created;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import io.taskstore.testservers.DynamoDbServer;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

/** The largest and the strangest records, and those whose time is over. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class LimitsTest {
  private static final String TABLE = "limits";
  private static final int MAX = DynamoDbStorageBackend.MAX_DATA_BYTES;
  private static final Duration ALLOWANCE = Duration.ofMinutes(5);

  private final AtomicInteger partitions = new AtomicInteger();
  private DynamoDbServer server;
  private DynamoDbClient client;
  private StorageBackend backend;

  @BeforeAll
  void open() {
    server = DynamoDbServer.start();
    client = Clients.connect(server.endpoint());
    DynamoDbTables.create(client, TABLE);
    backend = DynamoDbStorageBackend.builder(client, TABLE).expiryAllowance(ALLOWANCE).build();
  }

  @AfterAll
  void close() {
    backend.close();
    client.close();
    server.close();
  }

  private RecordKey key() {
    return new RecordKey("p-" + partitions.incrementAndGet(), "id");
  }

  private Map<String, AttributeValue> item(RecordKey key) {
    return client.getItem(r -> r.tableName(TABLE).key(Items.key(key)).consistentRead(true)).item();
  }

  // --- sizes --------------------------------------------------------------------------------

  /** As long as all can be together: three bytes for a character of some. */
  private RecordKey longest() {
    String partition = "p-" + partitions.incrementAndGet() + "-";
    String rest = "\u20ac".repeat((RecordKey.MAX_PARTITION_BYTES - partition.length()) / 3);
    partition = partition + rest;
    partition += "x".repeat(RecordKey.MAX_PARTITION_BYTES - partition.getBytes(UTF_8).length);
    return new RecordKey(partition, "i".repeat(RecordKey.MAX_ID_BYTES));
  }

  private static RecordValue large(int bytes, boolean active, boolean isText) {
    byte[] data = new byte[bytes];
    Arrays.fill(data, (byte) (isText ? 'x' : 0xFF));
    return new RecordValue(
        Bytes.copyOf(data),
        active,
        RecordValue.MAX_EXPIRY,
        "w".repeat(RecordValue.MAX_WRITE_ID_LENGTH));
  }

  @ParameterizedTest
  @CsvSource({"true,true", "true,false", "false,true", "false,false"})
  void put_largestWithLongestKey_isStored(boolean active, boolean isText) {
    for (int bytes : new int[] {MAX - 1, MAX}) {
      RecordKey key = longest();
      RecordValue value = large(bytes, active, isText);

      assertThat(backend.putIfVersion(key, value, StorageBackend.ABSENT)).isEqualTo(new Written(1));

      assertThat(backend.get(key)).contains(new VersionedRecord(key, value, 1));
      assertThat(backend.putIfVersion(key, value, 1)).isEqualTo(new Written(2));
      assertThat(backend.get(key)).contains(new VersionedRecord(key, value, 2));
    }
  }

  @ParameterizedTest
  @CsvSource({"true,true", "true,false", "false,true", "false,false"})
  void put_tooLarge_isRefusedAndNothingIsWritten(boolean active, boolean isText) {
    RecordKey key = longest();
    RecordValue value = large(MAX + 1, active, isText);

    assertTooLarge(key, value, StorageBackend.ABSENT);
    assertThat(backend.get(key)).isEmpty();

    RecordValue before = large(10, active, isText);
    backend.putIfVersion(key, before, StorageBackend.ABSENT);
    assertTooLarge(key, value, 1);
    assertThat(backend.get(key)).contains(new VersionedRecord(key, before, 1));
  }

  private void assertTooLarge(RecordKey key, RecordValue value, long expected) {
    assertThatThrownBy(() -> backend.putIfVersion(key, value, expected))
        .isExactlyInstanceOf(RecordTooLargeException.class)
        .hasMessage(
            "putIfVersion of "
                + key
                + ": the data has "
                + (MAX + 1)
                + " bytes, the limit is "
                + MAX);
  }

  /** What the service itself says of an item that is too large is understood. */
  @Test
  void isTooLarge_answerOfTheService_isKnown() {
    Map<String, AttributeValue> item =
        Items.item(longest(), large(500 * 1_024, true, true), 1, Instant.EPOCH, Duration.ZERO);

    assertThatThrownBy(() -> client.putItem(r -> r.tableName(TABLE).item(item)))
        .satisfies(
            e -> assertThat(Failures.isTooLarge((SdkException) e)).as(e.getMessage()).isTrue());
  }

  // --- bytes --------------------------------------------------------------------------------

  /** As text where it is text, in hexadecimal digits here. */
  @ParameterizedTest
  @CsvSource({
    "'',true",
    "00,true",
    "7b2200227d,true",
    "e282ac,true",
    "f09f9880,true",
    "efbfbf,true",
    "efbbbf7b7d,true",
    "0d0a,true",
    "ff,false",
    "c080,false",
    "e282,false",
    "eda080,false",
    "edb080,false",
    "eda080edb080,false",
    "f4908080,false",
    "7b8000,false"
  })
  void put_anyBytes_givesThemBack(String hex, boolean isText) {
    byte[] data = HexFormat.of().parseHex(hex);
    RecordKey key = key();
    RecordValue value = new RecordValue(Bytes.copyOf(data), true, null, "w");

    assertThat(backend.putIfVersion(key, value, StorageBackend.ABSENT)).isEqualTo(new Written(1));

    assertThat(backend.get(key)).contains(new VersionedRecord(key, value, 1));
    assertThat(backend.list(new ListQuery(key.partition(), null, false, 1)).records())
        .containsExactly(new VersionedRecord(key, value, 1));
    assertThat(item(key).get("d").type())
        .isEqualTo(isText ? AttributeValue.Type.S : AttributeValue.Type.B);
  }

  // --- expiry -------------------------------------------------------------------------------

  private void put(RecordKey key, @Nullable Instant expiresAt) {
    RecordValue value = new RecordValue(Bytes.EMPTY, true, expiresAt, "w");
    assertThat(backend.putIfVersion(key, value, StorageBackend.ABSENT)).isEqualTo(new Written(1));
    assertThat(backend.get(key)).contains(new VersionedRecord(key, value, 1));
  }

  private long timeToLive(RecordKey key) {
    return Long.parseLong(item(key).get("t").n());
  }

  @Test
  void put_noExpiry_hasNoTimeToLive() {
    RecordKey key = key();

    put(key, null);

    assertThat(item(key)).doesNotContainKeys("t", "e");
  }

  /** A future that is far enough for no test to reach it. */
  @ParameterizedTest
  @CsvSource({"4102444800000,4102444800", "4102444800001,4102444801", "4102444800999,4102444801"})
  void put_expiry_hasSecondsRoundedUpAndTheAllowance(long millis, long seconds) {
    RecordKey key = key();

    put(key, Instant.ofEpochMilli(millis));

    assertThat(item(key).get("e").n()).isEqualTo(Long.toString(millis));
    assertThat(timeToLive(key)).isEqualTo(seconds + ALLOWANCE.toSeconds());
  }

  @Test
  void put_latestExpiry_isStored() {
    RecordKey key = key();

    put(key, RecordValue.MAX_EXPIRY);

    assertThat(timeToLive(key))
        .isEqualTo(RecordValue.MAX_EXPIRY.getEpochSecond() + 1 + ALLOWANCE.toSeconds());
  }

  /** Else the service would take it away at once, under a call that has reported success. */
  @ParameterizedTest
  @ValueSource(
      strings = {"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "2020-01-01T00:00:00Z"})
  void put_expiryInThePast_isKeptForTheAllowanceFromNow(String expiry) {
    RecordKey key = key();
    Instant before = Instant.now();

    put(key, Instant.parse(expiry));

    assertThat(Instant.ofEpochSecond(timeToLive(key)))
        .isAfterOrEqualTo(before.plus(ALLOWANCE))
        .isBeforeOrEqualTo(Instant.now().plus(ALLOWANCE).plusSeconds(1));
    assertThat(item(key).get("e").n())
        .isEqualTo(Long.toString(Instant.parse(expiry).toEpochMilli()));
  }

  /** The service takes its time: some days, as AWS has it. */
  @Test
  void createWithin_expiredThatIsStillThere_holdsNoPlace() {
    RecordKey old = key();
    Instant now = Instant.ofEpochMilli(4_102_444_800_000L);
    put(old, now);
    RecordKey next = new RecordKey(old.partition(), "next");
    RecordValue value = new RecordValue(Bytes.EMPTY, true, null, "n");

    assertThat(backend.createWithin(next, value, 1, now.minusMillis(1))).isEqualTo(Full.FULL);
    assertThat(backend.createWithin(next, value, 1, now)).isEqualTo(Created.CREATED);

    ListQuery all = new ListQuery(old.partition(), null, false, 10);
    assertThat(backend.listActive(all).heads())
        .as("it is there, and told with its expiry")
        .containsExactly(new RecordHead(old, now), new RecordHead(next, null));
  }

  @Test
  void storeList_expiredThatIsStillThere_isNotShown() {
    Owner owner = Owner.subject("alice");
    try (GenericTaskStore store = GenericTaskStore.builder(backend).maxActiveTasks(1).build()) {
      Task task = store.create(owner, NewTask.of("m"));
      RecordKey key = backendKey();
      VersionedRecord stored = backend.get(key).orElseThrow();
      RecordValue value = stored.value();
      backend.putIfVersion(
          key,
          new RecordValue(value.data(), true, Instant.parse("2020-01-01T00:00:00Z"), "x"),
          stored.version());

      assertThat(store.list(owner, TaskQuery.newestFirst()).tasks()).isEmpty();
      assertThat(store.list(owner, TaskQuery.newestFirst().activeOnly()).tasks()).isEmpty();
      assertThat(item(key)).as("it is still there").isNotEmpty();

      Task next = store.create(owner, NewTask.of("m"));
      assertThat(next.id()).isNotEqualTo(task.id());
    }
  }

  private RecordKey backendKey() {
    ListQuery all = new ListQuery("ts:alice", null, false, 10);
    return backend.list(all).records().get(0).key();
  }
}
