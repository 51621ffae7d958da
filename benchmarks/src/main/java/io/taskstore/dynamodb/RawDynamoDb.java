// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.GetItemRequest;
import software.amazon.awssdk.services.dynamodb.model.PutItemRequest;
import software.amazon.awssdk.services.dynamodb.model.ReturnValuesOnConditionCheckFailure;

/**
 * The SDK alone. It sends what the backend sends, byte for byte; it does not look at what comes
 * back, but for whether something does. What does not change from call to call is made beforehand.
 *
 * <p>In this package because the items are; public because the suite is in another one.
 */
public final class RawDynamoDb {
  private final DynamoDbClient client;
  private final String table;

  /** Uses a client, which stays open. */
  public RawDynamoDb(DynamoDbClient client, String table) {
    this.client = client;
    this.table = table;
  }

  /** A write, of which the version and the write id are new each time. */
  public interface Writing {
    /** Sends it, and waits for the answer. */
    void run(long expected, String writeId);
  }

  /** Reads a record, which must be there. */
  public Runnable get(RecordKey key) {
    GetItemRequest request =
        GetItemRequest.builder().tableName(table).key(Items.key(key)).consistentRead(true).build();
    return () -> {
      if (!client.getItem(request).hasItem()) {
        throw new IllegalStateException("not the answer that is to be measured");
      }
    };
  }

  /** Writes a record over a version that it must have; else the SDK throws. */
  public Writing putIfVersion(RecordKey key, RecordValue value) {
    Map<String, AttributeValue> fixed =
        Items.item(key, value, 0, Instant.now(), Durations.DEFAULT_ALLOWANCE);
    return (expected, writeId) -> {
      Map<String, AttributeValue> item = new HashMap<>(fixed);
      item.put(Items.VERSION, Items.number(expected + 1));
      item.put(Items.WRITE_ID, Items.text(writeId));
      client.putItem(
          PutItemRequest.builder()
              .tableName(table)
              .item(item)
              .returnValuesOnConditionCheckFailure(ReturnValuesOnConditionCheckFailure.ALL_OLD)
              .conditionExpression(Items.VERSION + " = :v")
              .expressionAttributeValues(Map.of(":v", Items.number(expected)))
              .build());
    };
  }
}
