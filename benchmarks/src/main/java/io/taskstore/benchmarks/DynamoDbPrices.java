// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.dynamodb.DynamoDbStorageBackend;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import io.taskstore.testservers.DynamoDbServer;
import java.io.PrintStream;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

/**
 * What each operation of a store costs: requests and units, as the service reports them. None of
 * the figures is computed here, but for those of the bill.
 */
final class DynamoDbPrices {
  static final int PAGE = 50;

  /** One less than the store admits, so that one more can be created. */
  static final int ACTIVE = 99;

  private static final int KILOBYTE = 1_024;

  /** What a task of 1 KB grows by until it is finished. */
  private static final int SLACK = 160;

  private static final String FEW_SUBJECT = "alice";
  private static final String LARGE_SUBJECT = "bob";

  /** The longest one for which the prices are promised. */
  private static final String MANY_SUBJECT = "s".repeat(64);

  private static final Owner FEW = Owner.subject(FEW_SUBJECT);
  private static final Owner LARGE = Owner.subject(LARGE_SUBJECT);
  private static final String MANY_LARGE_SUBJECT = "l".repeat(64);

  private static final Owner MANY = Owner.subject(MANY_SUBJECT);
  private static final Owner MANY_LARGE = Owner.subject(MANY_LARGE_SUBJECT);

  private final DynamoDbMeter meter;
  private final DynamoDbClient client;
  private final StorageBackend backend;
  private final TaskStore store;
  private final String table;
  private final PrintStream progress;
  private final List<Row> rows = new ArrayList<>();

  /**
   * A line of the table.
   *
   * @param itemBytes the size of the item that is read or written, as the service counts it; 0 if
   *     there are several
   */
  record Row(String operation, int itemBytes, DynamoDbMeter.Cost cost) {}

  private DynamoDbPrices(
      DynamoDbMeter meter,
      DynamoDbClient client,
      StorageBackend backend,
      String table,
      PrintStream progress) {
    this.meter = meter;
    this.client = client;
    this.backend = backend;
    this.store = GenericTaskStore.builder(backend).maxActiveTasks(ACTIVE + 1).build();
    this.table = table;
    this.progress = progress;
  }

  static String measure(DynamoDbSuite.Plan plan, DynamoDbServer server, PrintStream progress) {
    return text(rows(plan, server, progress));
  }

  static String text(List<Row> rows) {
    StringBuilder text = new StringBuilder();
    text.append(
        "Units as DynamoDB Local reports them (`ReturnConsumedCapacity`), %s UTC.%n%n"
            .formatted(LocalDate.now(Clock.systemUTC())));
    text.append("| Operation | Requests | RCU | WCU | of these, the index |\n");
    text.append("|---|--:|--:|--:|--:|\n");
    for (Row row : rows) {
      DynamoDbMeter.Cost cost = row.cost();
      text.append(
          "| %s | %d | %s | %s | %s |%n"
              .formatted(
                  row.operation(),
                  cost.requests(),
                  units(cost.read()),
                  units(cost.written()),
                  units(cost.writtenToIndex())));
    }
    text.append(
            "\n¹ DynamoDB Local ends a page of the index after 1 MB of whole tasks, so it needs a")
        .append(" request for every few; with pages of 1 MB of what is in the index, one would")
        .append(" do, as beside tasks of 1 KB. What is charged is the index alone. How AWS ends")
        .append(" such pages was not measured.\n\n");
    return text.append(DynamoDbBill.of(rows)).toString();
  }

  /** Nothing is nothing, and halves are there. */
  private static String units(double units) {
    return units == 0 ? "" : String.format(Locale.ROOT, units % 1 == 0 ? "%,.0f" : "%,.1f", units);
  }

  static List<Row> rows(DynamoDbSuite.Plan plan, DynamoDbServer server, PrintStream progress) {
    String table = "prices";
    DynamoDbMeter meter = new DynamoDbMeter();
    try (DynamoDbClient client = DynamoDbClients.of(server.endpoint(), meter)) {
      DynamoDbTables.create(client, table);
      try (StorageBackend backend = DynamoDbStorageBackend.builder(client, table).build()) {
        DynamoDbPrices prices = new DynamoDbPrices(meter, client, backend, table, progress);
        prices.oneTask();
        prices.largeTask();
        prices.manyTasks(plan.finished());
        return prices.rows;
      }
    }
  }

  // --- one task -------------------------------------------------------------------------------

  private void oneTask() {
    int room = KILOBYTE - SLACK - itemBytes(FEW_SUBJECT, store.create(FEW, task(0)));
    Task[] its = new Task[1];
    add("create", FEW_SUBJECT, its, () -> its[0] = store.create(FEW, task(room)));
    Task first = its[0];
    add("get", FEW_SUBJECT, its, () -> store.get(FEW, first.id()));
    add(
        "update in hand",
        FEW_SUBJECT,
        its,
        () -> its[0] = store.update(first, TaskChange.change().progress(1, 9)));
    add(
        "update by id",
        FEW_SUBJECT,
        its,
        () -> its[0] = store.update(FEW, first.id(), TaskChange.change().progress(2, 9)));
    Task second = its[0];
    add(
        "update in hand that moves the expiry",
        FEW_SUBJECT,
        its,
        () -> its[0] = store.update(second, TaskChange.change().ttl(Duration.ofHours(5))));
    Task third = its[0];
    add(
        "finish, in hand",
        FEW_SUBJECT,
        its,
        () -> its[0] = store.update(third, TaskChange.change().complete()));
    add("get, finished", FEW_SUBJECT, its, () -> store.get(FEW, first.id()));
    addGone("delete, finished", () -> store.delete(FEW, first.id()));
    Task other = store.create(FEW, task(room));
    addGone("delete, not finished", () -> store.delete(FEW, other.id()));
  }

  private void largeTask() {
    Task[] its = new Task[1];
    add(
        "create, 300 KB",
        LARGE_SUBJECT,
        its,
        () -> its[0] = store.create(LARGE, largeTaskToCreate()));
    Task first = its[0];
    add("get, 300 KB", LARGE_SUBJECT, its, () -> store.get(LARGE, first.id()));
    add(
        "update in hand, 300 KB",
        LARGE_SUBJECT,
        its,
        () -> its[0] = store.update(first, TaskChange.change().progress(1, 9)));
  }

  // --- many tasks -----------------------------------------------------------------------------

  private void manyTasks(int finished) {
    int room = KILOBYTE - SLACK - itemBytes(MANY_SUBJECT, store.create(MANY, task(0)));
    fill(MANY, MANY_SUBJECT, finished, task(room));
    rows.add(
        new Row(
            "create, beside %d active tasks of 1 KB and %,d finished ones"
                .formatted(ACTIVE, finished),
            0,
            meter.of(() -> store.create(MANY, task(room)))));
    ListQuery heads = new ListQuery("ts:" + MANY_SUBJECT, null, true, PAGE);
    rows.add(
        new Row(
            "page of %d heads of active tasks (`listActive` of the SPI)".formatted(PAGE),
            0,
            meter.of(() -> Expect.that(backend.listActive(heads).heads().size() == PAGE))));
    Owner reader = Owner.subject("carol");
    for (int i = 0; i < PAGE + 1; i++) {
      store.create(reader, task(room));
    }
    TaskQuery page = TaskQuery.newestFirst().pageSize(PAGE);
    rows.add(
        new Row(
            "page of %d tasks of 1 KB".formatted(PAGE),
            0,
            meter.of(() -> Expect.that(store.list(reader, page).tasks().size() == PAGE))));
    fill(MANY_LARGE, MANY_LARGE_SUBJECT, 1, largeTaskToCreate());
    rows.add(
        new Row(
            "create, beside %d active tasks of 300 KB¹".formatted(ACTIVE),
            0,
            meter.of(() -> store.create(MANY_LARGE, task(room)))));
  }

  /**
   * Gives an owner so many finished tasks, and active ones up to {@link #ACTIVE}. They are copies,
   * as to create each would count those before it.
   */
  private void fill(Owner owner, String subject, int finished, NewTask active) {
    progress.printf(Locale.ROOT, "storing %,d finished tasks, %d active ones%n", finished, ACTIVE);
    Task first = store.create(owner, active);
    RecordValue toCopy = backend.get(key(subject, first)).orElseThrow().value();
    String partition = key(subject, first).partition();
    int there = backend.listActive(new ListQuery(partition, null, false, ACTIVE)).heads().size();
    for (int i = there; i < ACTIVE; i++) {
      put(FileContenders.key(partition, finished + i), toCopy);
    }
    RecordValue done = new RecordValue(toCopy.data(), false, toCopy.expiresAt(), toCopy.writeId());
    for (int i = 0; i < finished; i++) {
      put(FileContenders.key(partition, i), done);
    }
  }

  private void put(RecordKey key, RecordValue value) {
    Expect.that(backend.putIfVersion(key, value, StorageBackend.ABSENT) instanceof Written);
  }

  // --- tasks and items ------------------------------------------------------------------------

  private static NewTask task(int room) {
    return NewTask.of("digest", Map.of("folder", "a".repeat(room)));
  }

  /** In pieces, as no single text may be so large. */
  private static NewTask largeTaskToCreate() {
    NewTask task = NewTask.of("digest");
    for (int i = 0; i < 30; i++) {
      task = task.set("part" + i, "a".repeat(10_000));
    }
    return task;
  }

  private void add(String operation, String subject, Task[] task, Runnable work) {
    DynamoDbMeter.Cost cost = meter.of(work);
    rows.add(new Row(operation, itemBytes(subject, task[0]), cost));
  }

  private void addGone(String operation, Runnable work) {
    rows.add(new Row(operation, 0, meter.of(work)));
  }

  private static RecordKey key(String subject, Task task) {
    return new RecordKey("ts:" + subject, task.id());
  }

  /** The size of an item by the rules of the service: names and values. */
  private int itemBytes(String subject, Task task) {
    RecordKey key = key(subject, task);
    Map<String, AttributeValue> item =
        client
            .getItem(
                request ->
                    request
                        .tableName(table)
                        .consistentRead(true)
                        .key(
                            Map.of(
                                "p",
                                AttributeValue.fromS(key.partition()),
                                "i",
                                AttributeValue.fromS(key.id()))))
            .item();
    Expect.that(!item.isEmpty());
    int bytes = 0;
    for (Map.Entry<String, AttributeValue> attribute : item.entrySet()) {
      AttributeValue value = attribute.getValue();
      bytes += attribute.getKey().getBytes(UTF_8).length;
      // two digits a byte, and one byte more
      bytes += value.n() != null ? value.n().length() / 2 + 1 : value.s().getBytes(UTF_8).length;
    }
    return bytes;
  }
}
