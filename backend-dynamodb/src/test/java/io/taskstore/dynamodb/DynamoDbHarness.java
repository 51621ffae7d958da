// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.DynamoDbServer;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

/**
 * Starts DynamoDB Local, or goes to a service that is there; and gives each storage a table of its
 * own.
 */
final class DynamoDbHarness implements BackendHarness {
  /** The variable of the environment that names an endpoint to use. */
  static final String ENDPOINT_VARIABLE = "TASKSTORE_TEST_DYNAMODB_ENDPOINT";

  private static final String OF_ENVIRONMENT = "dynamodb-of-the-environment";
  private static final Region REGION = Region.EU_WEST_1;

  private static final List<String> CREDENTIALS = List.of("aws.accessKeyId", "aws.secretAccessKey");

  /** Of the calls of tests; far longer than Local takes. */
  private static final Duration TIMEOUT = Duration.ofSeconds(2);

  /** Opens {@code endpoint table}. */
  static final class DynamoDbOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) {
      String[] parts = location.split(" ", -1);
      return DynamoDbHarness.open(URI.create(parts[0]), parts[1]);
    }
  }

  private final String name;
  private final URI endpoint;

  /** Of those of our own services that are harmed; null if the service is somebody's. */
  private final DynamoDbFaults.@Nullable Threads threads;

  private final DynamoDbClient admin;
  private final Runnable closing;
  private final AtomicInteger storages = new AtomicInteger();

  /** Two runs may meet on one service. */
  private final String run = "taskstore-test-" + UUID.randomUUID() + "-";

  private DynamoDbHarness(
      String name, URI endpoint, DynamoDbFaults.@Nullable Threads threads, Runnable closing) {
    this.name = name;
    this.endpoint = endpoint;
    this.threads = threads;
    this.closing = closing;
    setCredentials();
    this.admin = DynamoDbClient.builder().endpointOverride(endpoint).region(region()).build();
  }

  /** A service of our own; or the one that the environment names, which may be anybody's. */
  static DynamoDbHarness ofServer() {
    String url = System.getenv(ENDPOINT_VARIABLE);
    if (url != null && !url.isBlank()) {
      return ofEndpoint(url);
    }
    DynamoDbServer server = DynamoDbServer.start();
    return ofOwn("dynamodb", URI.create(server.endpoint()), server::close);
  }

  /** Amazon's image of DynamoDB Local; fails if there is no engine for it. */
  static DynamoDbHarness ofLocalContainer() {
    return ofContainer("dynamodb-container", "amazon/dynamodb-local:3.3.1", 8_000);
  }

  /** LocalStack; fails if there is no engine for it. */
  static DynamoDbHarness ofLocalStack() {
    return ofContainer("dynamodb-localstack", "localstack/localstack:4.14.0", 4_566);
  }

  @SuppressWarnings("resource") // closed with the harness
  private static DynamoDbHarness ofContainer(String name, String image, int port) {
    GenericContainer<?> container =
        new GenericContainer<>(DockerImageName.parse(image)).withExposedPorts(port);
    container.start();
    URI endpoint =
        URI.create("http://%s:%d".formatted(container.getHost(), container.getMappedPort(port)));
    return ofOwn(name, endpoint, container::stop);
  }

  private static DynamoDbHarness ofOwn(String name, URI endpoint, Runnable closing) {
    DynamoDbFaults.Threads threads = new DynamoDbFaults.Threads();
    return new DynamoDbHarness(
        name,
        endpoint,
        threads,
        () -> {
          threads.close();
          closing.run();
        });
  }

  /**
   * A service of somebody, in which nothing is changed but tables of our own.
   *
   * @throws IllegalStateException if it cannot be used; that is no reason to skip anything
   */
  static DynamoDbHarness ofEndpoint(String url) {
    DynamoDbHarness harness = new DynamoDbHarness(OF_ENVIRONMENT, URI.create(url), null, () -> {});
    try {
      harness.admin.listTables();
      return harness;
    } catch (SdkException e) {
      harness.close();
      throw new IllegalStateException(
          "%s is set, but the DynamoDB at %s cannot be used; unset it to start one for the tests"
              .formatted(ENDPOINT_VARIABLE, harness.endpoint.getAuthority()),
          e);
    }
  }

  /** Local takes any; others need those of the environment, which win. */
  private static void setCredentials() {
    if (System.getenv("AWS_ACCESS_KEY_ID") == null
        && System.getenv("AWS_PROFILE") == null
        && System.getenv(ENDPOINT_VARIABLE) == null) {
      CREDENTIALS.forEach(name -> System.setProperty(name, "local"));
    }
  }

  private static Region region() {
    String region = System.getenv("AWS_REGION");
    return region == null ? REGION : Region.of(region);
  }

  private static StorageBackend open(URI endpoint, String table) {
    setCredentials();
    return DynamoDbStorageBackend.builder(table)
        .endpoint(endpoint)
        .region(region())
        .timeout(TIMEOUT)
        .build();
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("dynamodb", true, true, true, DynamoDbStorageBackend.MAX_DATA_BYTES);
  }

  @Override
  public Map<String, String> versions() {
    return Map.of("DynamoDB", name.equals("dynamodb") ? "Local 3.3.1" : "of " + name);
  }

  @Override
  public BackendStorage newStorage() {
    String table = run + storages.incrementAndGet();
    DynamoDbTables.create(admin, table);
    return new BackendStorage() {
      private @Nullable DynamoDbFaults faults;

      /** Straight, unless it is to suffer: that is faster. */
      private URI endpointOfBackends() {
        return faults == null ? endpoint : faults.url();
      }

      @Override
      public StorageBackend open() {
        return DynamoDbHarness.open(endpointOfBackends(), table);
      }

      /** Not with somebody's service. */
      @Override
      public Optional<FaultInjection> faultInjection() {
        if (faults == null && threads != null) {
          faults = new DynamoDbFaults(endpoint, TIMEOUT, threads);
        }
        return Optional.ofNullable(faults);
      }

      @Override
      public boolean reopens() {
        return true;
      }

      @Override
      public Optional<OtherProcess> otherProcess() {
        return Optional.of(
            new OtherProcess(DynamoDbOpener.class, endpointOfBackends() + " " + table));
      }

      @Override
      public Optional<VersionSeeding> versionSeeding() {
        return Optional.of(
            seeded -> {
              Map<String, AttributeValue> item =
                  Items.item(
                      seeded.key(),
                      seeded.value(),
                      seeded.version(),
                      Instant.now(),
                      Durations.DEFAULT_ALLOWANCE);
              admin.putItem(request -> request.tableName(table).item(item));
            });
      }

      @Override
      public Optional<Damage> damage() {
        return Optional.of(this::damage);
      }

      private void damage(RecordKey key) {
        admin.updateItem(
            request -> request.tableName(table).key(Items.key(key)).updateExpression("REMOVE v"));
      }

      @Override
      public Optional<RawInspection> rawInspection() {
        return Optional.of(
            () -> {
              List<String> entries = new ArrayList<>();
              for (Map<String, AttributeValue> item : all(table, null)) {
                entries.add("item " + item.get("p").s() + " " + item.get("i").s());
              }
              for (Map<String, AttributeValue> item : all(table, DynamoDbTables.INDEX)) {
                entries.add("active " + item.get("p").s() + " " + item.get("i").s());
              }
              return entries;
            });
      }

      /** Does what the service does some time after an item's time to live is over. */
      @Override
      public Optional<TimeControl> timeControl() {
        return Optional.of(
            duration -> {
              long now = Instant.now().plus(duration).getEpochSecond();
              for (Map<String, AttributeValue> item : all(table, null)) {
                if (item.containsKey("t") && Long.parseLong(item.get("t").n()) <= now) {
                  Map<String, AttributeValue> key = Map.of("p", item.get("p"), "i", item.get("i"));
                  admin.deleteItem(request -> request.tableName(table).key(key));
                }
              }
            });
      }

      @Override
      public void close() {
        if (faults != null) {
          faults.close();
        }
        admin.deleteTable(request -> request.tableName(table));
      }
    };
  }

  private List<Map<String, AttributeValue>> all(String table, @Nullable String index) {
    return admin
        .scanPaginator(request -> request.tableName(table).indexName(index).consistentRead(true))
        .items()
        .stream()
        .toList();
  }

  @Override
  public void close() {
    CREDENTIALS.forEach(System::clearProperty);
    admin.close();
    closing.run();
  }
}
