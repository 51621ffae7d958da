// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.Written;
import io.taskstore.testservers.DynamoDbServer;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.retry.RetryMode;
import software.amazon.awssdk.core.retry.RetryPolicy;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** Options, clients that are the caller's, and what the AWS SDK finds by itself. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class BuilderTest {
  private static final String TABLE = "options";

  private static final String REPEATS =
      "the client repeats requests, and would take its own success for somebody else's: make it"
          + " with overrideConfiguration(o -> o.retryStrategy(DefaultRetryStrategy.doNotRetry()))";

  private final AwsFiles aws = new AwsFiles();
  private DynamoDbServer server;
  private DynamoDbClient client;

  @BeforeAll
  void start() {
    server = DynamoDbServer.start();
    client = Clients.connect(server.endpoint());
    DynamoDbTables.create(client, TABLE);
  }

  @AfterAll
  void stop() {
    client.close();
    server.close();
  }

  private static void assertWorks(StorageBackend backend) {
    RecordKey key = new RecordKey("p", "id-" + System.nanoTime());
    RecordValue value = new RecordValue(Bytes.EMPTY, true, null, "w");
    assertThat(backend.putIfVersion(key, value, StorageBackend.ABSENT)).isEqualTo(new Written(1));
    assertThat(backend.get(key)).isPresent();
  }

  // --- clients of the caller ----------------------------------------------------------------

  @Test
  void ownClient_staysOpen() {
    StorageBackend backend = DynamoDbStorageBackend.builder(client, TABLE).build();
    assertWorks(backend);

    backend.close();

    assertThatThrownBy(() -> assertWorks(backend)).isInstanceOf(BackendClosedException.class);
    assertThat(client.listTables().tableNames()).contains(TABLE);
  }

  private DynamoDbClient with(Consumer<ClientOverrideConfiguration.Builder> options) {
    return DynamoDbClient.builder()
        .endpointOverride(URI.create(server.endpoint()))
        .region(Clients.REGION)
        .credentialsProvider(Clients.CREDENTIALS)
        .overrideConfiguration(options)
        .build();
  }

  private void assertRefused(Consumer<ClientOverrideConfiguration.Builder> options) {
    try (DynamoDbClient repeating = with(options)) {
      assertThatThrownBy(() -> DynamoDbStorageBackend.builder(repeating, TABLE).build())
          .isExactlyInstanceOf(IllegalArgumentException.class)
          .hasMessage(REPEATS);
      assertThat(repeating.listTables().tableNames()).as("it stays open").contains(TABLE);
    }
  }

  private void assertAccepted(Consumer<ClientOverrideConfiguration.Builder> options) {
    try (DynamoDbClient once = with(options);
        StorageBackend backend = DynamoDbStorageBackend.builder(once, TABLE).build()) {
      assertWorks(backend);
    }
  }

  @Test
  void ownClient_thatRepeats_isRefused() {
    assertRefused(options -> {});
    assertRefused(options -> options.retryStrategy(RetryMode.STANDARD));
    assertRefused(options -> options.retryStrategy(RetryMode.LEGACY));
    assertRefused(options -> options.retryStrategy(RetryMode.ADAPTIVE_V2));
    assertRefused(
        options ->
            options.retryStrategy(
                DefaultRetryStrategy.standardStrategyBuilder().maxAttempts(2).build()));
  }

  @Test
  @SuppressWarnings("deprecation") // what a client may still be made with
  void ownClient_thatRepeatsByTheOlderPolicy_isRefused() {
    assertRefused(options -> options.retryPolicy(RetryPolicy.defaultRetryPolicy()));
    assertRefused(options -> options.retryPolicy(RetryPolicy.builder().numRetries(1).build()));
    // what was set last is used
    assertRefused(
        options -> options.retryPolicy(RetryPolicy.none()).retryStrategy(RetryMode.STANDARD));
  }

  @Test
  @SuppressWarnings("deprecation") // what a client may still be made with
  void ownClient_thatSendsOnce_isAccepted() {
    assertAccepted(options -> options.retryStrategy(DefaultRetryStrategy.doNotRetry()));
    assertAccepted(
        options ->
            options.retryStrategy(
                DefaultRetryStrategy.standardStrategyBuilder().maxAttempts(1).build()));
    assertAccepted(options -> options.retryPolicy(RetryPolicy.none()));
    assertAccepted(options -> options.retryPolicy(RetryPolicy.builder().numRetries(0).build()));
    assertAccepted(
        options -> options.retryStrategy(RetryMode.STANDARD).retryPolicy(RetryPolicy.none()));
  }

  @Test
  void ownClient_optionsOfAClient_areRefused() {
    assertForOwnClient("region", b -> b.region(Region.EU_WEST_1));
    assertForOwnClient("endpoint", b -> b.endpoint(URI.create("http://localhost:1")));
    assertForOwnClient("profile", b -> b.profile("joe"));
    assertForOwnClient("timeout", b -> b.timeout(Duration.ofSeconds(1)));
  }

  private void assertForOwnClient(String option, Consumer<DynamoDbStorageBackend.Builder> setting) {
    assertThatThrownBy(() -> setting.accept(DynamoDbStorageBackend.builder(client, TABLE)))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage(option + " is for the client that was handed in to have");
  }

  // --- options ------------------------------------------------------------------------------

  private static void assertWrong(
      Consumer<DynamoDbStorageBackend.Builder> setting, String message) {
    assertThatThrownBy(() -> setting.accept(DynamoDbStorageBackend.builder(TABLE)))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void options_outOfTheirRange_areRefused() {
    assertWrong(b -> b.timeout(Duration.ZERO), "timeout is PT0S, from PT0.01S to PT1M are allowed");
    assertWrong(
        b -> b.timeout(Duration.ofNanos(9_999_999)),
        "timeout is PT0.009999999S, from PT0.01S to PT1M are allowed");
    assertWrong(
        b -> b.timeout(Duration.ofMillis(60_001)),
        "timeout is PT1M0.001S, from PT0.01S to PT1M are allowed");
    assertWrong(
        b -> b.expiryAllowance(Duration.ofMillis(-1)),
        "expiryAllowance is PT-0.001S, from PT0S to PT24H are allowed");
    assertWrong(
        b -> b.expiryAllowance(Duration.ofDays(1).plusMillis(1)),
        "expiryAllowance is PT24H0.001S, from PT0S to PT24H are allowed");
  }

  @Test
  void options_atTheirBounds_areTaken() {
    aws.set("aws.accessKeyId", "local").set("aws.secretAccessKey", "local");
    try (StorageBackend backend =
        own()
            .region(Clients.REGION)
            .timeout(Duration.ofMillis(10))
            .timeout(Duration.ofMinutes(1))
            .expiryAllowance(Duration.ZERO)
            .expiryAllowance(Duration.ofDays(1))
            .build()) {
      assertWorks(backend);
      assertThat(backend).hasToString("DynamoDbStorageBackend");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"localhost:8000", "/tables", "http:///x", "ftp://localhost"})
  void endpoint_thatIsNone_isRefused(String endpoint) {
    assertWrong(
        b -> b.endpoint(URI.create(endpoint)),
        "endpoint must be a URL of HTTP with a host, for example http://localhost:8000");
  }

  /** Whoever writes a password there will not find it in a log. */
  @Test
  void endpoint_withAPassword_isShownWithoutIt() {
    try (DynamoDbClient gone = Clients.connect("http://joe:s3cret@127.0.0.1:1")) {
      Throwable told = catchThrowable(() -> DynamoDbStorageBackend.builder(gone, TABLE).build());
      assertThat(told)
          .isExactlyInstanceOf(StorageUnavailableException.class)
          .hasMessage("open: DynamoDB at 127.0.0.1:1 cannot be reached (HttpHostConnectException)");
      assertThat(Texts.withCauses(told)).doesNotContain("s3cret");
    }
  }

  // --- what the SDK finds -------------------------------------------------------------------

  private static final String CONFIGURATION =
      """
      [default]
      region = eu-west-3
      [profile joe]
      region = eu-west-2
      """;

  private static final String JOE =
      """
      [joe]
      aws_access_key_id = joeskey
      aws_secret_access_key = joessecret
      """;

  @AfterEach
  void restore() {
    aws.restore();
  }

  @Test
  void build_noRegion_saysSo(@TempDir Path directory) throws IOException {
    aws.use(directory, "", "");

    assertThatThrownBy(() -> DynamoDbStorageBackend.open(TABLE))
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "there is no region: set region, for example to eu-west-1, or the variable AWS_REGION");
  }

  @Test
  void build_noSuchProfile_saysThatThereAreNoCredentials(@TempDir Path directory)
      throws IOException {
    // what the SDK would find before it looks at profiles
    aws.use(directory, CONFIGURATION, JOE)
        .set("aws.accessKeyId", "a")
        .set("aws.secretAccessKey", "b");

    assertThatThrownBy(() -> own().region(Region.EU_WEST_1).profile("nobody").build())
        .isExactlyInstanceOf(StorageUnavailableException.class)
        .hasMessage(
            "open: there are no credentials for DynamoDB at 127.0.0.1:"
                + server.port()
                + ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the"
                + " host a role")
        .extracting(e -> ((StorageUnavailableException) e).isRetryable())
        .isEqualTo(false);
  }

  @Test
  void build_profile_hasRegionAndCredentials(@TempDir Path directory) throws IOException {
    aws.use(directory, CONFIGURATION, JOE);

    try (StorageBackend backend = own().profile("joe").build()) {
      assertWorks(backend);
    }
    // the default one has a region only
    assertThatThrownBy(() -> own().build())
        .isExactlyInstanceOf(StorageUnavailableException.class)
        .hasMessageStartingWith("open: there are no credentials for DynamoDB at ");
  }

  private DynamoDbStorageBackend.Builder own() {
    return DynamoDbStorageBackend.builder(TABLE).endpoint(URI.create(server.endpoint()));
  }
}
