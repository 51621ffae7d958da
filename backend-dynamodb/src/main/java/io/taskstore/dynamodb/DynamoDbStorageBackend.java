// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.auth.credentials.ProfileCredentialsProvider;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbClientBuilder;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;
import software.amazon.awssdk.services.dynamodb.model.ConditionalCheckFailedException;
import software.amazon.awssdk.services.dynamodb.model.DeleteItemRequest;
import software.amazon.awssdk.services.dynamodb.model.GetItemRequest;
import software.amazon.awssdk.services.dynamodb.model.PutItemRequest;
import software.amazon.awssdk.services.dynamodb.model.QueryRequest;
import software.amazon.awssdk.services.dynamodb.model.QueryResponse;
import software.amazon.awssdk.services.dynamodb.model.ReturnValuesOnConditionCheckFailure;
import software.amazon.awssdk.services.dynamodb.model.ScanRequest;
import software.amazon.awssdk.services.dynamodb.model.ScanResponse;

/**
 * Keeps records in a table of Amazon DynamoDB, an item for each. Every operation but creating
 * within a limit is one request, and every read is consistent. Records that have expired go by
 * themselves.
 *
 * <p>The table has to be there: see {@link DynamoDbTables}.
 */
public final class DynamoDbStorageBackend implements StorageBackend {
  /**
   * An item may have 400 KiB, together with its entry in the index. The largest key is in both, and
   * its id once more in each; the rest is for the other attributes and for all their names.
   */
  static final int MAX_DATA_BYTES = 400 * 1_024 - 2 * (1_100 + 2 * 512) - 352;

  /** As many requests at once as a busy host has threads for; connections are made when needed. */
  private static final int MAX_CONNECTIONS = 256;

  private static final String IS_ABSENT = "attribute_not_exists(" + Items.PARTITION + ")";
  private static final String IS_VERSION = Items.VERSION + " = :v";
  private static final String IN_PARTITION = Items.PARTITION + " = :p";

  /** What cannot be read is left for whoever can mend it. */
  private static final String IS_EXPIRED =
      Items.EXPIRES_AT
          + " <= :now AND attribute_exists("
          + String.join(") AND attribute_exists(", Items.VERSION, Items.WRITE_ID, Items.DATA)
          + ")";

  private static final BackendTraits TRAITS =
      new BackendTraits("dynamodb", true, true, true, MAX_DATA_BYTES);

  private final DynamoDbClient client;
  private final boolean ownsClient;
  private final String table;
  private final Duration expiryAllowance;
  private final Failures failures;
  private volatile boolean closed;

  private DynamoDbStorageBackend(DynamoDbClient client, Builder options) {
    this.client = client;
    this.ownsClient = options.client == null;
    this.table = options.table;
    this.expiryAllowance = options.expiryAllowance;
    this.failures = new Failures(DynamoDbPlace.of(client, options.table));
  }

  /**
   * Opens a table in the region, and with the credentials, that the AWS SDK finds by itself: in
   * variables, system properties, profiles, or the host's role.
   *
   * @param table its name or its ARN
   * @throws IllegalArgumentException if no table can have this name, or if there is no region
   * @throws StorageException if the table cannot be used
   */
  public static DynamoDbStorageBackend open(String table) {
    return builder(table).build();
  }

  /**
   * Begins with a table.
   *
   * @param table its name or its ARN
   * @throws IllegalArgumentException if no table can have this name
   */
  public static Builder builder(String table) {
    return new Builder(null, table);
  }

  /**
   * The same, through a client that is the caller's: it stays open when the backend is closed.
   *
   * <p>The client must send nothing twice: one that repeats a write whose answer was lost takes its
   * own success for somebody else's. So it needs {@code overrideConfiguration(o ->
   * o.retryStrategy(DefaultRetryStrategy.doNotRetry()))}; {@link Builder#build} refuses others.
   * What can be repeated without harm, the store repeats. Below the SDK, {@code
   * UrlConnectionHttpClient} repeats requests on connections that were closed, unless the JVM runs
   * with {@code -Dsun.net.http.retryPost=false}.
   *
   * @throws IllegalArgumentException if no table can have this name
   */
  public static Builder builder(DynamoDbClient client, String table) {
    return new Builder(Objects.requireNonNull(client, "client"), table);
  }

  /** The options of a backend. */
  public static final class Builder {
    private final @Nullable DynamoDbClient client;
    private final String table;
    private @Nullable Region region;
    private @Nullable URI endpoint;
    private @Nullable String profile;
    private Duration timeout = Durations.DEFAULT_TIMEOUT;
    private Duration expiryAllowance = Durations.DEFAULT_ALLOWANCE;

    private Builder(@Nullable DynamoDbClient client, String table) {
      this.client = client;
      this.table = DynamoDbTables.checkName(table);
    }

    /**
     * The region of the table; by default the one that the AWS SDK finds.
     *
     * @throws IllegalArgumentException if the client is the caller's
     */
    public Builder region(Region where) {
      requireOwnClient("region");
      this.region = Objects.requireNonNull(where, "where");
      return this;
    }

    /**
     * The service to ask instead of AWS' own of the region: DynamoDB Local for example, or a VPC
     * endpoint.
     *
     * @throws IllegalArgumentException if it is not an absolute URI with a host, or if the client
     *     is the caller's
     */
    public Builder endpoint(URI uri) {
      requireOwnClient("endpoint");
      if (uri.getHost() == null
          || !("http".equalsIgnoreCase(uri.getScheme())
              || "https".equalsIgnoreCase(uri.getScheme()))) {
        throw new IllegalArgumentException(
            "endpoint must be a URL of HTTP with a host, for example http://localhost:8000");
      }
      this.endpoint = uri;
      return this;
    }

    /**
     * The profile, of the files of AWS, that has the credentials, and the region unless that is set
     * here or in the environment; by default the one that the AWS SDK chooses.
     *
     * @throws IllegalArgumentException if the client is the caller's
     */
    public Builder profile(String name) {
      requireOwnClient("profile");
      this.profile = Objects.requireNonNull(name, "name");
      return this;
    }

    private void requireOwnClient(String option) {
      if (client != null) {
        throw new IllegalArgumentException(
            option + " is for the client that was handed in to have");
      }
    }

    /**
     * How long connecting may take, and how long the service may say nothing; by default five
     * seconds. A call is one request, but for creating within a limit.
     *
     * @throws IllegalArgumentException if it is not from ten milliseconds to a minute, or if the
     *     client is the caller's
     */
    public Builder timeout(Duration limit) {
      requireOwnClient("timeout");
      if (limit.compareTo(Durations.MIN_TIMEOUT) < 0
          || limit.compareTo(Durations.MAX_TIMEOUT) > 0) {
        throw new IllegalArgumentException(
            "timeout is %s, from %s to %s are allowed"
                .formatted(limit, Durations.MIN_TIMEOUT, Durations.MAX_TIMEOUT));
      }
      this.timeout = limit;
      return this;
    }

    /**
     * How much later than its expiry DynamoDB may drop a record, because clocks differ; by default
     * five minutes. It takes its time beyond that: up to some days, as AWS has it.
     *
     * @throws IllegalArgumentException if it is negative, or above a day
     */
    public Builder expiryAllowance(Duration allowance) {
      if (allowance.isNegative() || allowance.compareTo(Durations.MAX_ALLOWANCE) > 0) {
        throw new IllegalArgumentException(
            "expiryAllowance is %s, from %s to %s are allowed"
                .formatted(allowance, Duration.ZERO, Durations.MAX_ALLOWANCE));
      }
      this.expiryAllowance = allowance;
      return this;
    }

    /**
     * Looks at the table.
     *
     * @throws IllegalArgumentException if there is no region, or if the client that was handed in
     *     repeats requests
     * @throws StorageException if the table is not there or does not fit, as {@link
     *     DynamoDbTables#check} has it
     */
    public DynamoDbStorageBackend build() {
      DynamoDbStorageBackend backend =
          new DynamoDbStorageBackend(client == null ? connect() : checked(client), this);
      try {
        DynamoDbTables.check("open", backend.client, table);
      } catch (RuntimeException e) {
        backend.close();
        throw e;
      }
      return backend;
    }

    private DynamoDbClient connect() {
      DynamoDbClientBuilder builder =
          DynamoDbClient.builder()
              // Not apiCallTimeout, which interrupts the thread, and takes an interrupt by others
              // away.
              .httpClientBuilder(
                  Apache5HttpClient.builder()
                      .maxConnections(MAX_CONNECTIONS)
                      .connectionTimeout(timeout)
                      .connectionAcquisitionTimeout(timeout)
                      .socketTimeout(timeout))
              .overrideConfiguration(
                  options -> {
                    options.retryStrategy(DefaultRetryStrategy.doNotRetry());
                    if (profile != null) {
                      options.defaultProfileName(profile);
                    }
                  });
      if (profile != null) {
        // In the SDK's own chain the variables of the environment would win over what was asked
        // for.
        builder.credentialsProvider(ProfileCredentialsProvider.create(profile));
      }
      if (region != null) {
        builder.region(region);
      }
      if (endpoint != null) {
        builder.endpointOverride(endpoint);
      }
      try {
        return builder.build();
      } catch (SdkException e) {
        if (String.valueOf(e.getMessage()).startsWith("Unable to load region")) {
          throw new IllegalArgumentException(
              "there is no region: set region, for example to eu-west-1, or the variable"
                  + " AWS_REGION",
              e);
        }
        throw new IllegalArgumentException("the client cannot be made: " + e.getMessage(), e);
      }
    }

    private static DynamoDbClient checked(DynamoDbClient client) {
      if (attempts(client.serviceClientConfiguration().overrideConfiguration()) > 1) {
        throw new IllegalArgumentException(
            "the client repeats requests, and would take its own success for somebody else's: make"
                + " it with overrideConfiguration(o ->"
                + " o.retryStrategy(DefaultRetryStrategy.doNotRetry()))");
      }
      return client;
    }

    /** Beside an older policy there is a strategy too, which is not used. */
    @SuppressWarnings("deprecation") // what a client may still be made with
    private static int attempts(ClientOverrideConfiguration configuration) {
      return configuration
          .retryPolicy()
          .map(policy -> policy.numRetries() + 1)
          .or(() -> configuration.retryStrategy().map(strategy -> strategy.maxAttempts()))
          .orElse(Integer.MAX_VALUE);
    }
  }

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    String operation = "get";
    Objects.requireNonNull(key, "key");
    GetItemRequest request =
        GetItemRequest.builder().tableName(table).key(Items.key(key)).consistentRead(true).build();
    Map<String, AttributeValue> item =
        call(operation, key, false, () -> client.getItem(request)).item();
    return item.isEmpty() ? Optional.empty() : Optional.of(Items.record(operation, key, item));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    String operation = "putIfVersion";
    int size = value.data().size();
    if (size > MAX_DATA_BYTES) {
      throw new RecordTooLargeException(operation, key, MAX_DATA_BYTES, size, null);
    }
    PutItemRequest.Builder request =
        PutItemRequest.builder()
            .tableName(table)
            .item(Items.item(key, value, expected + 1, Instant.now(), expiryAllowance))
            .returnValuesOnConditionCheckFailure(ReturnValuesOnConditionCheckFailure.ALL_OLD);
    if (expected == ABSENT) {
      request.conditionExpression(IS_ABSENT);
    } else {
      request
          .conditionExpression(IS_VERSION)
          .expressionAttributeValues(Map.of(":v", Items.number(expected)));
    }
    try {
      call(operation, key, true, () -> client.putItem(request.build()));
      return new Written(expected + 1);
    } catch (ConditionalCheckFailedException e) {
      return conflict(operation, key, e);
    } catch (StorageUnavailableException e) {
      if (e.getCause() instanceof SdkException answer && Failures.isTooLarge(answer)) {
        throw new RecordTooLargeException(operation, key, MAX_DATA_BYTES, size, answer);
      }
      throw e;
    }
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    String operation = "deleteIfVersion";
    DeleteItemRequest request =
        DeleteItemRequest.builder()
            .tableName(table)
            .key(Items.key(key))
            .conditionExpression(IS_VERSION)
            .expressionAttributeValues(Map.of(":v", Items.number(expected)))
            .returnValuesOnConditionCheckFailure(ReturnValuesOnConditionCheckFailure.ALL_OLD)
            .build();
    try {
      call(operation, key, true, () -> client.deleteItem(request));
      return Deleted.DELETED;
    } catch (ConditionalCheckFailedException e) {
      return conflict(operation, key, e);
    }
  }

  private static Conflict conflict(
      String operation, RecordKey key, ConditionalCheckFailedException e) {
    return e.hasItem() && !e.item().isEmpty()
        ? new Conflict(Items.record(operation, key, e.item()))
        : Conflict.ABSENT;
  }

  @Override
  public RecordPage list(ListQuery query) {
    String operation = "list";
    QueryResponse page = page(operation, query, null);
    List<VersionedRecord> records = new ArrayList<>(page.count());
    List<CorruptRecord> corrupt = new ArrayList<>();
    for (Map<String, AttributeValue> item : page.items()) {
      RecordKey key = Items.key(query.partition(), item);
      try {
        records.add(Items.record(operation, key, item));
      } catch (CorruptRecordException e) {
        corrupt.add(new CorruptRecord(key, e.reason()));
      }
    }
    return new RecordPage(records, corrupt, next(page));
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    String operation = "listActive";
    QueryResponse page = page(operation, query, DynamoDbTables.INDEX);
    List<RecordHead> heads = new ArrayList<>(page.count());
    List<CorruptRecord> corrupt = new ArrayList<>();
    for (Map<String, AttributeValue> item : page.items()) {
      RecordKey key = Items.key(query.partition(), item);
      try {
        heads.add(Items.head(operation, key, item));
      } catch (CorruptRecordException e) {
        corrupt.add(new CorruptRecord(key, e.reason()));
      }
    }
    return new HeadPage(heads, corrupt, next(page));
  }

  /** A page is one request: DynamoDB ends it at the limit, or at 1 MB. */
  private QueryResponse page(String operation, ListQuery query, @Nullable String index) {
    QueryRequest.Builder request =
        QueryRequest.builder()
            .tableName(table)
            .indexName(index)
            .keyConditionExpression(IN_PARTITION)
            .expressionAttributeValues(Map.of(":p", Items.text(query.partition())))
            .consistentRead(true)
            .scanIndexForward(!query.descending())
            .limit(query.limit());
    if (query.after() != null) {
      request.exclusiveStartKey(
          Items.cursor(new RecordKey(query.partition(), query.after()), index != null));
    }
    return call(operation, null, false, () -> client.query(request.build()));
  }

  private static @Nullable String next(QueryResponse page) {
    return page.hasLastEvaluatedKey() && !page.lastEvaluatedKey().isEmpty()
        ? Items.id(page.lastEvaluatedKey())
        : null;
  }

  /** Reads the whole table, and pays for it. */
  @Override
  public int purgeExpired(Instant now, int limit) {
    Instant until = StorageArguments.checkPurge(now, limit);
    String operation = "purgeExpired";
    Map<String, AttributeValue> untilValue = Map.of(":now", Items.number(until.toEpochMilli()));
    ScanRequest.Builder request =
        ScanRequest.builder()
            .tableName(table)
            .consistentRead(true)
            .filterExpression(IS_EXPIRED)
            .expressionAttributeValues(untilValue)
            .projectionExpression(Items.PARTITION + ", " + Items.ID);
    int purged = 0;
    ScanResponse page;
    do {
      page = call(operation, null, false, () -> client.scan(request.build()));
      for (Map<String, AttributeValue> item : page.items()) {
        if (purged == limit) {
          return purged;
        }
        if (purge(operation, item, untilValue)) {
          purged++;
        }
      }
      request.exclusiveStartKey(page.lastEvaluatedKey());
    } while (page.hasLastEvaluatedKey() && !page.lastEvaluatedKey().isEmpty());
    return purged;
  }

  private boolean purge(
      String operation, Map<String, AttributeValue> item, Map<String, AttributeValue> until) {
    DeleteItemRequest request =
        DeleteItemRequest.builder()
            .tableName(table)
            .key(item)
            .conditionExpression(IS_EXPIRED)
            .expressionAttributeValues(until)
            .build();
    try {
      call(operation, null, true, () -> client.deleteItem(request));
      return true;
    } catch (ConditionalCheckFailedException e) {
      return false; // somebody has extended it, or has been faster
    }
  }

  // --- calls --------------------------------------------------------------------------------

  private interface Call<T> {
    T run();
  }

  /**
   * Sends one request, once.
   *
   * @throws ConditionalCheckFailedException for the caller to answer
   */
  private <T> T call(String operation, @Nullable RecordKey key, boolean writes, Call<T> request) {
    if (closed) {
      throw new BackendClosedException(operation, key, "the backend was closed", null);
    }
    if (Thread.currentThread().isInterrupted()) {
      throw new StorageUnavailableException(
          operation, key, true, "the thread was interrupted, nothing was sent", null);
    }
    try {
      return request.run();
    } catch (ConditionalCheckFailedException e) {
      throw e;
    } catch (SdkException | CancellationException e) {
      throw failures.of(operation, key, writes, e);
    } catch (IllegalStateException e) {
      if (!closed) {
        throw e;
      }
      // the connections were closed while it was looking for one
      throw new BackendClosedException(operation, key, "the backend was closed", e);
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      if (ownsClient) {
        client.close();
      }
    }
  }

  /** Shows the kind only: names of tables and hosts may tell who their user is. */
  @Override
  public String toString() {
    return "DynamoDbStorageBackend";
  }
}
