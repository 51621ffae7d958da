// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static io.taskstore.TaskChange.change;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import io.taskstore.testservers.DynamoDbServer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import software.amazon.awssdk.core.SdkRequest;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.DeleteItemRequest;
import software.amazon.awssdk.services.dynamodb.model.GetItemRequest;
import software.amazon.awssdk.services.dynamodb.model.PutItemRequest;
import software.amazon.awssdk.services.dynamodb.model.QueryRequest;
import software.amazon.awssdk.services.dynamodb.model.ReturnValuesOnConditionCheckFailure;
import software.amazon.awssdk.services.dynamodb.model.ScanRequest;

/**
 * What each operation asks for. DynamoDB Local always reads consistently, so that it would not show
 * if this were not asked for.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class RequestsTest {
  private static final String TABLE = "requests";
  private static final int MAX_ACTIVE = 3;
  private static final Owner ALICE = Owner.subject("alice");

  private final AtomicInteger partitions = new AtomicInteger();
  private final RequestLog log = new RequestLog();
  private final Instant now = Instant.ofEpochSecond(1_800_000_000);
  private DynamoDbServer server;
  private DynamoDbClient client;
  private StorageBackend backend;
  private TaskStore store;

  @BeforeAll
  void open() {
    server = DynamoDbServer.start();
    client = Clients.connect(server.endpoint(), log);
    DynamoDbTables.create(client, TABLE);
    backend = open(client);
    store = GenericTaskStore.builder(backend).maxActiveTasks(100).build();
  }

  private static StorageBackend open(DynamoDbClient client) {
    return DynamoDbStorageBackend.builder(client, TABLE).build();
  }

  @AfterAll
  void close() {
    store.close();
    backend.close();
    client.close();
    server.close();
  }

  @BeforeEach
  void forget() {
    log.take();
  }

  // --- operations ---------------------------------------------------------------------------

  /** An operation, how it ends, and what it sends. */
  private enum Operation {
    GET("GetItem"),
    GET_ABSENT("GetItem"),
    LIST("Query"),
    LIST_DESCENDING_FROM_CURSOR("Query"),
    LIST_EMPTY("Query"),
    LIST_ACTIVE("Query"),
    LIST_ACTIVE_FROM_CURSOR("Query"),
    PUT_NEW("PutItem"),
    PUT_WRITTEN("PutItem"),
    PUT_CONFLICT("PutItem"),
    PUT_CONFLICT_PRESENT("PutItem"),
    PUT_CONFLICT_ABSENT("PutItem"),
    DELETE("DeleteItem"),
    DELETE_CONFLICT("DeleteItem"),
    DELETE_ABSENT("DeleteItem"),
    CREATE("GetItem", "Query", "PutItem", "Query"),
    CREATE_FULL("GetItem", "Query", "GetItem"),
    CREATE_CONFLICT("GetItem"),
    CREATE_OWN("GetItem", "Query");

    @SuppressWarnings("ImmutableEnumChecker") // the list is one that cannot change
    private final List<String> requests;

    Operation(String... requests) {
      this.requests = List.of(requests);
    }
  }

  private static RecordValue value(String writeId) {
    return new RecordValue(Bytes.copyOf("{}".getBytes(UTF_8)), true, null, writeId);
  }

  /** Puts some records there and returns the operation. */
  private Runnable prepare(Operation operation) {
    String partition = "p-" + partitions.incrementAndGet();
    for (String id : List.of("a", "b", "c")) {
      backend.putIfVersion(new RecordKey(partition, id), value(id), StorageBackend.ABSENT);
    }
    RecordKey key = new RecordKey(partition, "b");
    RecordKey absent = new RecordKey(partition, "n");
    RecordValue next = value("next");
    return switch (operation) {
      case GET -> () -> assertThat(backend.get(key)).isPresent();
      case GET_ABSENT -> () -> assertThat(backend.get(absent)).isEmpty();
      case LIST ->
          () -> assertThat(backend.list(page(partition, null, false)).records()).hasSize(2);
      case LIST_DESCENDING_FROM_CURSOR ->
          () -> assertThat(backend.list(page(partition, "b", true)).records()).hasSize(1);
      case LIST_EMPTY ->
          () -> assertThat(backend.list(page("nobody", null, false)).records()).isEmpty();
      case LIST_ACTIVE ->
          () -> assertThat(backend.listActive(page(partition, null, false)).heads()).hasSize(2);
      case LIST_ACTIVE_FROM_CURSOR ->
          () -> assertThat(backend.listActive(page(partition, "b", false)).heads()).hasSize(1);
      case PUT_NEW ->
          () -> assertThat(backend.putIfVersion(absent, next, 0)).isEqualTo(new Written(1));
      case PUT_WRITTEN ->
          () -> assertThat(backend.putIfVersion(key, next, 1)).isEqualTo(new Written(2));
      case PUT_CONFLICT ->
          () -> assertThat(backend.putIfVersion(key, next, 7)).isEqualTo(conflict(key));
      case PUT_CONFLICT_PRESENT ->
          () -> assertThat(backend.putIfVersion(key, next, 0)).isEqualTo(conflict(key));
      case PUT_CONFLICT_ABSENT ->
          () -> assertThat(backend.putIfVersion(absent, next, 7)).isEqualTo(Conflict.ABSENT);
      case DELETE -> () -> assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
      case DELETE_CONFLICT ->
          () -> assertThat(backend.deleteIfVersion(key, 7)).isEqualTo(conflict(key));
      case DELETE_ABSENT ->
          () -> assertThat(backend.deleteIfVersion(absent, 7)).isEqualTo(Conflict.ABSENT);
      case CREATE ->
          () -> assertThat(create(absent, next, MAX_ACTIVE + 1)).isEqualTo(Created.CREATED);
      case CREATE_FULL -> () -> assertThat(create(absent, next, MAX_ACTIVE)).isEqualTo(Full.FULL);
      case CREATE_CONFLICT -> () -> assertThat(create(key, next, 9)).isEqualTo(conflict(key));
      case CREATE_OWN -> () -> assertThat(create(key, value("b"), 3)).isEqualTo(Created.CREATED);
    };
  }

  private static ListQuery page(String partition, String after, boolean descending) {
    return new ListQuery(partition, after, descending, 2);
  }

  private static Conflict conflict(RecordKey key) {
    return new Conflict(new VersionedRecord(key, value("b"), 1));
  }

  private Object create(RecordKey key, RecordValue value, int max) {
    return backend.createWithin(key, value, max, now);
  }

  @ParameterizedTest
  @EnumSource
  void operation_anyEnd_sendsNoMoreThanItNeeds(Operation operation) {
    Runnable call = prepare(operation);
    log.take();

    call.run();

    List<SdkRequest> sent = log.take();
    assertThat(sent).extracting(RequestLog::name).isEqualTo(operation.requests);
    assertThat(sent).allSatisfy(RequestsTest::assertAsksForWhatIsSure);
  }

  /** Reads are consistent, and a lost race comes with its winner. */
  private static void assertAsksForWhatIsSure(SdkRequest request) {
    if (request instanceof GetItemRequest get) {
      assertThat(get.consistentRead()).isTrue();
    } else if (request instanceof QueryRequest query) {
      assertThat(query.consistentRead()).isTrue();
    } else if (request instanceof PutItemRequest put) {
      assertThat(put.conditionExpression()).isNotBlank();
      assertThat(put.returnValuesOnConditionCheckFailure())
          .isEqualTo(ReturnValuesOnConditionCheckFailure.ALL_OLD);
    } else if (request instanceof DeleteItemRequest delete) {
      assertThat(delete.conditionExpression()).isNotBlank();
      assertThat(delete.returnValuesOnConditionCheckFailure())
          .isEqualTo(ReturnValuesOnConditionCheckFailure.ALL_OLD);
    } else {
      throw new AssertionError("a " + RequestLog.name(request) + " is not expected");
    }
  }

  @Test
  void list_anyKind_asksTheTableOrTheIndex() {
    backend.list(page("p", null, false));
    backend.listActive(page("p", "x", true));

    List<QueryRequest> sent = log.take().stream().map(QueryRequest.class::cast).toList();
    assertThat(sent).extracting(QueryRequest::indexName).containsExactly(null, "active");
    assertThat(sent).extracting(QueryRequest::limit).containsOnly(2);
    assertThat(sent).extracting(QueryRequest::scanIndexForward).containsExactly(true, false);
  }

  @Test
  void open_rightTable_describesItAndItsTimeToLive() {
    open(client).close();

    assertThat(log.take())
        .extracting(RequestLog::name)
        .containsExactly("DescribeTable", "DescribeTimeToLive");
  }

  /** The only one that reads everything, for an administrator who has asked for it. */
  @Test
  void purgeExpired_due_scansConsistentlyAndDeletesWithACondition() {
    RecordKey key = new RecordKey("purged", "x");
    RecordValue due = new RecordValue(Bytes.EMPTY, false, now, "w");
    backend.putIfVersion(key, due, StorageBackend.ABSENT);
    log.take();

    assertThat(backend.purgeExpired(now, 10)).isEqualTo(1);

    List<SdkRequest> sent = log.take();
    assertThat(sent).extracting(RequestLog::name).containsExactly("Scan", "DeleteItem");
    assertThat(((ScanRequest) sent.get(0)).consistentRead()).isTrue();
    assertThat(((DeleteItemRequest) sent.get(1)).conditionExpression()).isNotBlank();
  }

  // --- the store over it --------------------------------------------------------------------

  private void assertSent(String... requests) {
    List<SdkRequest> sent = log.take();
    assertThat(sent).extracting(RequestLog::name).containsExactly(requests);
    assertThat(sent).allSatisfy(RequestsTest::assertAsksForWhatIsSure);
  }

  @Test
  void store_lifeOfATask_neverScansAndReadsConsistently() {
    Task task = store.create(ALICE, NewTask.of("m", Map.of("a", 1)).set("b", 2));
    assertSent("GetItem", "Query", "PutItem", "Query");

    assertThat(store.get(ALICE, task.id()).version()).isEqualTo(1);
    assertSent("GetItem");

    task = store.update(task, change().set("i", 1).progress(1, 5));
    assertSent("PutItem");

    store.update(ALICE, task.id(), change().set("i", 2));
    assertSent("GetItem", "PutItem");

    assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks()).hasSize(1);
    assertSent("Query");

    // what is in hand is old, so the answer brings what has won, and nothing is read
    task = store.update(task, change().complete(Map.of("i", 5)));
    assertThat(task.isTerminal()).isTrue();
    assertSent("PutItem", "PutItem");

    store.delete(ALICE, task.id());
    assertSent("GetItem", "DeleteItem");
  }

  @Test
  void storeList_manyPages_sendsAQueryForEach() {
    Owner bob = Owner.subject("bob");
    IntStream.range(0, 5).forEach(i -> store.create(bob, NewTask.of("m")));
    log.take();

    String cursor = null;
    int pages = 0;
    do {
      TaskQuery query = TaskQuery.newestFirst().pageSize(2);
      var page = store.list(bob, cursor == null ? query : query.after(cursor));
      cursor = page.nextCursor().orElse(null);
      pages++;
    } while (cursor != null);

    List<SdkRequest> sent = log.take();
    assertThat(sent).hasSize(pages).allSatisfy(RequestsTest::assertAsksForWhatIsSure);
    assertThat(sent).extracting(RequestLog::name).containsOnly("Query");
  }
}
