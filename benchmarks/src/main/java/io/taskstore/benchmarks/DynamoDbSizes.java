// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.dynamodb.DynamoDbStorageBackend;
import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import io.taskstore.testservers.DynamoDbServer;
import java.io.PrintStream;
import java.time.Instant;
import java.util.Optional;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * Whether operations need as many requests and units with many tasks as with few. Counted, not
 * timed: how long DynamoDB Local takes says nothing about the service.
 */
final class DynamoDbSizes {
  private DynamoDbSizes() {}

  static String measure(DynamoDbSuite.Plan plan, DynamoDbServer server, PrintStream progress)
      throws Exception {
    DynamoDbMeter meter = new DynamoDbMeter();
    try (DynamoDbClient client = DynamoDbClients.of(server.endpoint(), meter)) {
      String tables =
          Sizes.count(
              plan.stores(),
              plan.owners(),
              (records, now, out) -> filled(client, records, now, out),
              operation -> cell(meter.of(operation)),
              progress);
      return """
          Requests, read units and write units of one operation, as DynamoDB Local reports them.

          %s"""
          .formatted(tables);
    }
  }

  private static String cell(DynamoDbMeter.Cost cost) {
    return "%d, %s RCU, %s WCU"
        .formatted(cost.requests(), Report.figure(cost.read()), Report.figure(cost.written()));
  }

  private static Sizes.Filled filled(
      DynamoDbClient client, Records records, Instant now, PrintStream progress) throws Exception {
    String table = "sizes";
    DynamoDbTables.create(client, table);
    StorageBackend backend = DynamoDbStorageBackend.builder(client, table).build();
    records.store(
        now,
        progress,
        (key, value) ->
            Expect.that(
                backend.putIfVersion(key, value, StorageBackend.ABSENT) instanceof Written));
    return new Sizes.Filled(
        backend, Optional.empty(), () -> client.deleteTable(request -> request.tableName(table)));
  }
}
