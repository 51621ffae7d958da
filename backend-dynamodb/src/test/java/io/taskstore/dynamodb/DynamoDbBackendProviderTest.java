// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.taskstore.GenericTaskStore;
import io.taskstore.InvalidConfigurationException;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStorageException;
import io.taskstore.TaskStoreConfiguration;
import io.taskstore.TaskStores;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackendProvider;
import io.taskstore.testservers.DynamoDbServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** The backend, chosen by its URL. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class DynamoDbBackendProviderTest {
  private static final Owner OWNER = Owner.subject("alice");
  private static final String TABLE = "configured";

  private static final String CONFIGURATION =
      """
      [profile joe]
      region = eu-west-2
      """;

  private static final String CREDENTIALS =
      """
      [joe]
      aws_access_key_id = joeskey
      aws_secret_access_key = joessecret
      [default]
      aws_access_key_id = key
      aws_secret_access_key = secret
      """;

  private final AwsFiles aws = new AwsFiles();
  private DynamoDbServer server;

  @BeforeAll
  void start() {
    server = DynamoDbServer.start();
    try (DynamoDbClient client = Clients.connect(server.endpoint())) {
      DynamoDbTables.create(client, TABLE);
    }
  }

  @AfterAll
  void stop() {
    server.close();
  }

  @BeforeEach
  void haveCredentials(@TempDir Path directory) throws IOException {
    aws.use(directory, CONFIGURATION, CREDENTIALS);
  }

  @AfterEach
  void restore() {
    aws.restore();
  }

  // --- what works ---------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(strings = {"region=eu-west-1", "profile=joe", "profile=joe&region=us-east-1"})
  void open_url_keepsTasksInTheTable(String how) {
    String url = "dynamodb://" + TABLE + "?" + how + "&endpoint=" + server.endpoint();
    String id;
    try (GenericTaskStore store = TaskStores.open(url + "&timeout=1m&expiryAllowance=1h")) {
      id = store.create(OWNER, NewTask.of("digest")).id();
    }
    try (GenericTaskStore store = TaskStores.open(url)) {
      assertThat(store.get(OWNER, id)).extracting(Task::method).isEqualTo("digest");
      store.delete(OWNER, id);
    }
  }

  @Test
  void open_arn_namesTheTable() {
    assertThatThrownBy(
            () ->
                TaskStores.open(
                    "dynamodb://arn:aws:dynamodb:eu-west-1:000000000000:table/nothing"
                        + "?region=eu-west-1&endpoint="
                        + server.endpoint()))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: DynamoDB at 127.0.0.1:"
                + server.port()
                + " has no table arn:aws:dynamodb:eu-west-1:000000000000:table/nothing, or none"
                + " with the index active: make it with DynamoDbTables.create");
  }

  // --- mistakes -----------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "dynamodb:|the url names no table: write dynamodb://table, with the name of the table",
        "dynamodb:tasks|the url names no table: write dynamodb://table, with the name of the table",
        "dynamodb:/tasks|the url names no table: write dynamodb://table, with the name of the"
            + " table",
        "dynamodb://|the url names no table: no table can have this name: 3 to 255 letters, digits,"
            + " hyphens, dots and underscores are allowed, or the ARN of a table",
        "dynamodb://ab|the url names no table: no table can have this name: 3 to 255 letters,"
            + " digits, hyphens, dots and underscores are allowed, or the ARN of a table",
        "dynamodb://tasks/|the url names no table: no table can have this name: 3 to 255 letters,"
            + " digits, hyphens, dots and underscores are allowed, or the ARN of a table",
        "dynamodb://localhost:8000/tasks|the url names no table: no table can have this name: 3 to"
            + " 255 letters, digits, hyphens, dots and underscores are allowed, or the ARN of a"
            + " table",
        "dynamodb://tasks|there is no region: set region, for example to eu-west-1, or the variable"
            + " AWS_REGION",
        "dynamodb://tasks?region=|region must be a text, not \"\"",
        "dynamodb://tasks?profile=|profile must be a text, not \"\"",
        "dynamodb://tasks?endpoint=localhost:8000|endpoint must be a URL of HTTP with a host, for"
            + " example http://localhost:8000",
        "dynamodb://tasks?endpoint=local host|endpoint must be a URL of HTTP with a host, for"
            + " example http://localhost:8000",
        "dynamodb://tasks?endpoint=ftp://localhost|endpoint must be a URL of HTTP with a host, for"
            + " example http://localhost:8000",
        "dynamodb://tasks?timeout=0|timeout must be a duration from 10ms to 1m, for example 1m30s,"
            + " not \"0\"",
        "dynamodb://tasks?timeout=61s|timeout must be a duration from 10ms to 1m, for example"
            + " 1m30s, not \"61s\"",
        "dynamodb://tasks?expiryAllowance=2d|expiryAllowance must be a duration from 0 to 1d, for"
            + " example 1m30s, not \"2d\"",
      })
  void open_mistakes_areNamed(String url, String problem) {
    assertThatThrownBy(() -> TaskStores.open(url))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage("The configuration of the task store is wrong: " + problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "http://joe:s3cret@127.0.0.1:1", "http://joe:s3cret@local host", "ftp://joe:s3cret@host",
        "joe:s3cret@localhost", "http://joe:s3cret@/", "http://joe:s3cret@[::1"
      })
  void open_endpointWithAPassword_isShownWithoutIt(String endpoint) {
    Throwable failure =
        catchThrowable(
            () ->
                TaskStores.open(
                    TaskStoreConfiguration.ofMap(
                        Map.of("url", "dynamodb://tasks?region=eu-west-1", "endpoint", endpoint))));
    assertThat(failure)
        .isInstanceOfAny(InvalidConfigurationException.class, TaskStorageException.class);
    assertThat(Texts.withCauses(failure)).doesNotContain("s3cret");
  }

  // --- services that refuse -----------------------------------------------------------------

  @Test
  void open_serviceThatIsNotThere_isNamed() {
    assertThatThrownBy(
            () -> TaskStores.open("dynamodb://tasks?region=eu-west-1&endpoint=http://127.0.0.1:1"))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: DynamoDB at 127.0.0.1:1 cannot be reached"
                + " (HttpHostConnectException)");
  }

  @Test
  void open_noSuchProfile_isTold() {
    assertThatThrownBy(
            () ->
                TaskStores.open(
                    "dynamodb://tasks?region=eu-west-1&profile=nobody&endpoint="
                        + server.endpoint()))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: there are no credentials for DynamoDB at"
                + " 127.0.0.1:"
                + server.port()
                + ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the"
                + " host a role");
  }

  // --- settings -----------------------------------------------------------------------------

  /** What is said to be the default is what the builder has. */
  @Test
  void settings_defaults_areThoseOfTheBuilder() {
    Map<String, Object> defaults =
        new DynamoDbBackendProvider()
            .settings().stream()
                .filter(setting -> setting.defaultValue().isPresent())
                .collect(Collectors.toMap(Setting::name, setting -> setting.defaultValue().get()));
    assertThat(defaults)
        .isEqualTo(
            Map.of(
                "timeout", Durations.DEFAULT_TIMEOUT,
                "expiryAllowance", Durations.DEFAULT_ALLOWANCE));
  }

  @Test
  void toString_ofTheConfiguration_showsNoPasswordOfAnEndpoint() {
    assertThat(
            new BackendConfiguration(
                "dynamodb",
                "//tasks",
                Map.of(
                    new DynamoDbBackendProvider().settings().get(1),
                    "http://joe:s3cret@localhost")))
        .asString()
        .doesNotContain("s3cret");
  }

  @Test
  void example_isOneThatFits() {
    DynamoDbBackendProvider provider = new DynamoDbBackendProvider();
    assertThat(provider.schemes()).containsExactly("dynamodb");
    assertThat(provider.example()).startsWith("dynamodb://");
  }

  @Test
  void serviceLoader_findsIt() {
    assertThat(ServiceLoader.load(StorageBackendProvider.class))
        .hasAtLeastOneElementOfType(DynamoDbBackendProvider.class);
  }
}
