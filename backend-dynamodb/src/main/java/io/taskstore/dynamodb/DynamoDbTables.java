// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.waiters.WaiterResponse;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.BillingMode;
import software.amazon.awssdk.services.dynamodb.model.CreateTableRequest;
import software.amazon.awssdk.services.dynamodb.model.DescribeTableResponse;
import software.amazon.awssdk.services.dynamodb.model.DynamoDbException;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.KeyType;
import software.amazon.awssdk.services.dynamodb.model.LocalSecondaryIndex;
import software.amazon.awssdk.services.dynamodb.model.LocalSecondaryIndexDescription;
import software.amazon.awssdk.services.dynamodb.model.Projection;
import software.amazon.awssdk.services.dynamodb.model.ProjectionType;
import software.amazon.awssdk.services.dynamodb.model.ResourceInUseException;
import software.amazon.awssdk.services.dynamodb.model.ScalarAttributeType;
import software.amazon.awssdk.services.dynamodb.model.TableDescription;
import software.amazon.awssdk.services.dynamodb.model.TableStatus;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveDescription;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveSpecification;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveStatus;
import software.amazon.awssdk.services.dynamodb.model.UpdateTimeToLiveRequest;

/**
 * The table that a {@link DynamoDbStorageBackend} needs: what it is, how to make one, and whether
 * one is right. Who writes tables down elsewhere, as CloudFormation or Terraform, finds the same
 * table in the documentation.
 */
public final class DynamoDbTables {
  /**
   * The name of the local secondary index in which active records are. A local one, because only
   * those can be read consistently; it cannot be added to a table that exists.
   */
  public static final String INDEX = "active";

  /** The attribute that tells DynamoDB when it may delete an item. */
  public static final String TIME_TO_LIVE_ATTRIBUTE = Items.TIME_TO_LIVE;

  private static final Pattern NAME =
      Pattern.compile("(arn:[a-z0-9-]+:dynamodb:[a-z0-9-]+:[0-9]+:table/)?[A-Za-z0-9_.-]{3,255}");

  /** How long making a table may take. */
  private static final Duration PATIENCE = Duration.ofMinutes(5);

  private DynamoDbTables() {}

  /**
   * Returns the table as a request to make it: its keys, its index, and billing by request. {@link
   * #describeTimeToLive} is the other half; DynamoDB takes it only when the table is there.
   *
   * @throws IllegalArgumentException if no table can have this name
   */
  public static CreateTableRequest describe(String table) {
    return CreateTableRequest.builder()
        .tableName(checkName(table))
        .billingMode(BillingMode.PAY_PER_REQUEST)
        .attributeDefinitions(text(Items.PARTITION), text(Items.ID), text(Items.ACTIVE))
        .keySchema(key(Items.PARTITION, KeyType.HASH), key(Items.ID, KeyType.RANGE))
        .localSecondaryIndexes(
            LocalSecondaryIndex.builder()
                .indexName(INDEX)
                .keySchema(key(Items.PARTITION, KeyType.HASH), key(Items.ACTIVE, KeyType.RANGE))
                .projection(
                    Projection.builder()
                        .projectionType(ProjectionType.INCLUDE)
                        .nonKeyAttributes(Items.EXPIRES_AT)
                        .build())
                .build())
        .build();
  }

  /**
   * Returns the request that has DynamoDB delete what has expired.
   *
   * @throws IllegalArgumentException if no table can have this name
   */
  public static UpdateTimeToLiveRequest describeTimeToLive(String table) {
    return UpdateTimeToLiveRequest.builder()
        .tableName(checkName(table))
        .timeToLiveSpecification(
            TimeToLiveSpecification.builder()
                .attributeName(TIME_TO_LIVE_ATTRIBUTE)
                .enabled(true)
                .build())
        .build();
  }

  /**
   * Makes the table unless it is there, waits until it can be used, which takes some seconds, and
   * has DynamoDB delete what has expired. Can be repeated, also by several at once; a table that is
   * there is checked and, but for that deletion, not changed.
   *
   * @throws IllegalArgumentException if no table can have this name
   * @throws StorageException if it cannot be made, or if the one that is there does not fit
   */
  public static void create(DynamoDbClient client, String table) {
    CreateTableRequest request = describe(table);
    String operation = "create table";
    DynamoDbPlace place = DynamoDbPlace.of(client, table);
    try {
      try {
        client.createTable(request);
      } catch (ResourceInUseException e) {
        // it is there, or is being made
      }
      awaitActive(client, table);
      checkKeys(operation, place, client.describeTable(r -> r.tableName(table)).table());
      if (!expires(client, table)) {
        haveExpire(client, table);
      }
    } catch (SdkException | CancellationException e) {
      throw new Failures(place).of(operation, null, true, e);
    }
  }

  private static void haveExpire(DynamoDbClient client, String table) {
    try {
      client.updateTimeToLive(describeTimeToLive(table));
    } catch (DynamoDbException e) {
      // DynamoDB refuses what somebody else has done since we looked
      if (!expires(client, table)) {
        throw e;
      }
    }
  }

  private static void awaitActive(DynamoDbClient client, String table) {
    try (var waiter = client.waiter()) {
      WaiterResponse<DescribeTableResponse> unused =
          waiter.waitUntilTableExists(
              request -> request.tableName(table),
              options -> options.waitTimeout(PATIENCE).maxAttempts(Integer.MAX_VALUE));
    }
  }

  /**
   * Checks that a backend can use the table: its keys, its index, and that what has expired will be
   * deleted. Every backend does so when it is opened.
   *
   * @throws IllegalArgumentException if no table can have this name
   * @throws StorageException if it cannot; the message says why, and what to do
   */
  public static void check(DynamoDbClient client, String table) {
    check("check table", client, table);
  }

  static void check(String operation, DynamoDbClient client, String table) {
    checkName(table);
    DynamoDbPlace place = DynamoDbPlace.of(client, table);
    try {
      TableDescription found = client.describeTable(r -> r.tableName(table)).table();
      if (found.tableStatus() == TableStatus.CREATING) {
        throw misfit(operation, place, true, "is being made: try again in some seconds");
      }
      checkKeys(operation, place, found);
      if (!expires(client, table)) {
        throw misfit(
            operation,
            place,
            false,
            "does not delete what has expired: have it do so by the attribute %s (time to live),"
                    .formatted(TIME_TO_LIVE_ATTRIBUTE)
                + " or with DynamoDbTables.create");
      }
    } catch (SdkException | CancellationException e) {
      throw new Failures(place).of(operation, null, false, e);
    }
  }

  private static void checkKeys(String operation, DynamoDbPlace place, TableDescription found) {
    CreateTableRequest wanted = describe(place.table());
    if (!found.keySchema().equals(wanted.keySchema())
        || !areTexts(found, Items.PARTITION, Items.ID)) {
      throw misfit(
          operation,
          place,
          false,
          "has other keys than %s and %s, both strings: name another table, or make one with"
                  .formatted(Items.PARTITION, Items.ID)
              + " DynamoDbTables.create");
    }
    LocalSecondaryIndex wantedIndex = wanted.localSecondaryIndexes().get(0);
    Optional<LocalSecondaryIndexDescription> index =
        found.localSecondaryIndexes().stream()
            .filter(each -> each.indexName().equals(INDEX))
            .findFirst();
    if (index.isEmpty()) {
      throw misfit(
          operation,
          place,
          false,
          "lacks the local secondary index %s, which cannot be added: make a new table with"
                  .formatted(INDEX)
              + " DynamoDbTables.create");
    }
    if (!index.get().keySchema().equals(wantedIndex.keySchema())
        || !areTexts(found, Items.ACTIVE)
        || !projects(index.get().projection())) {
      throw misfit(
          operation,
          place,
          false,
          "has an index %s with other keys than %s and %s, or without %s: make a new table with"
                  .formatted(INDEX, Items.PARTITION, Items.ACTIVE, Items.EXPIRES_AT)
              + " DynamoDbTables.create");
    }
  }

  private static boolean areTexts(TableDescription found, String... names) {
    return Stream.of(names)
        .map(DynamoDbTables::text)
        .allMatch(found.attributeDefinitions()::contains);
  }

  /** One that has more in it works, and costs more. */
  private static boolean projects(@Nullable Projection projection) {
    return projection != null
        && (projection.projectionType() == ProjectionType.ALL
            || projection.nonKeyAttributes().contains(Items.EXPIRES_AT));
  }

  private static boolean expires(DynamoDbClient client, String table) {
    TimeToLiveDescription found =
        client.describeTimeToLive(r -> r.tableName(table)).timeToLiveDescription();
    return (found.timeToLiveStatus() == TimeToLiveStatus.ENABLED
            || found.timeToLiveStatus() == TimeToLiveStatus.ENABLING)
        && TIME_TO_LIVE_ATTRIBUTE.equals(found.attributeName());
  }

  private static StorageUnavailableException misfit(
      String operation, DynamoDbPlace place, boolean retryable, String problem) {
    return new StorageUnavailableException(
        operation,
        null,
        retryable,
        "the table %s of %s %s".formatted(place.table(), place, problem),
        null);
  }

  static String checkName(String table) {
    if (!NAME.matcher(table).matches()) {
      throw new IllegalArgumentException(
          "no table can have this name: 3 to 255 letters, digits, hyphens, dots and underscores"
              + " are allowed, or the ARN of a table");
    }
    return table;
  }

  private static AttributeDefinition text(String name) {
    return AttributeDefinition.builder()
        .attributeName(name)
        .attributeType(ScalarAttributeType.S)
        .build();
  }

  private static KeySchemaElement key(String name, KeyType type) {
    return KeySchemaElement.builder().attributeName(name).keyType(type).build();
  }
}
