// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
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
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import io.taskstore.testservers.RedisServer;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The backend, chosen by its URL. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class RedisBackendProviderTest {
  private static final Owner OWNER = Owner.subject("alice");
  private static final String SECRET = "s3cret/#@%";
  private static final String IN_URL = "s3cret%2F%23%40%25";

  private @Nullable RedisServer server;
  private @Nullable RedisClient client;
  private @Nullable StatefulRedisConnection<String, String> connection;

  @BeforeAll
  void start() {
    server = RedisServer.start();
    client = RedisClient.create(server.url());
    connection = client.connect();
    AclSetuserArgs joe = AclSetuserArgs.Builder.on().addPassword(SECRET);
    connection.sync().aclSetuser("joe", joe.allKeys().allCommands());
  }

  @AfterAll
  void stop() {
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    server.close();
  }

  private String here() {
    return "127.0.0.1:" + server.port();
  }

  // --- what works ---------------------------------------------------------------------------

  @Test
  void open_url_keepsTasksUnderThePrefixInTheDatabase() {
    String url = "redis://" + here() + "/3?keyPrefix=app:";
    String id;
    try (GenericTaskStore store = TaskStores.open(url)) {
      id = store.create(OWNER, NewTask.of("digest")).id();
    }
    try (GenericTaskStore store = TaskStores.open(url)) {
      assertThat(store.get(OWNER, id)).extracting(Task::method).isEqualTo("digest");
      connection.sync().select(3);
      assertThat(connection.sync().keys("*")).hasSize(4).allMatch(key -> key.startsWith("app:"));
      store.delete(OWNER, id);
    } finally {
      connection.sync().select(0);
    }
  }

  private static void useTasks(GenericTaskStore store) {
    Task task = store.create(OWNER, NewTask.of("digest"));
    store.delete(OWNER, task.id());
  }

  @ParameterizedTest
  @ValueSource(strings = {"joe:" + IN_URL + "@", "joe@", "", "joe:wrong@", "x:y@"})
  void open_credentials_areThoseOfTheSettingsAndThenOfTheUrl(String inUrl) {
    Map<String, String> settings =
        switch (inUrl) {
          case "joe@", "joe:wrong@" -> Map.of("password", SECRET);
          case "", "x:y@" -> Map.of("user", "joe", "password", SECRET);
          default -> Map.of();
        };
    Map<String, String> all = new HashMap<>(settings);
    all.put("url", "redis://" + inUrl + here());
    try (GenericTaskStore store = TaskStores.open(TaskStoreConfiguration.ofMap(all))) {
      useTasks(store);
      assertThat(connection.sync().clientList()).contains("user=joe");
    }
  }

  @Test
  void open_passwordAlone_isThatOfTheDefaultUser() {
    try (RedisServer locked = RedisServer.start("--requirepass", "s3cret");
        GenericTaskStore store = TaskStores.open("redis://:s3cret@127.0.0.1:" + locked.port())) {
      useTasks(store);
    }
  }

  /** Services of containers are often called so. */
  @Test
  void open_nameWithAnUnderscore_isAName() {
    assertThatThrownBy(() -> TaskStores.open("redis://my_redis.invalid:1"))
        .hasMessage(
            "The task store cannot be opened: open: Redis at my_redis.invalid:1 cannot be reached"
                + " (UnknownHostException)");
  }

  // --- mistakes -----------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "redis:|the url names no Redis: write redis://host:port",
        "redis://|the url names no Redis: write redis://host:port",
        "redis:localhost|the url names no Redis: write redis://host:port",
        "redis:/localhost|the url names no Redis: write redis://host:port",
        "redis://:6379|the url names no Redis: write redis://host:port",
        "redis://localhost:|the url names no Redis: write redis://host:port",
        "redis://localhost:port|the url names no Redis: write redis://host:port",
        "redis://localhost:-1|the url names no Redis: write redis://host:port",
        "redis://local host|the url names no Redis: write redis://host:port",
        "redis://localhost/one|the url names no Redis: write redis://host:port",
        "redis://localhost/-1|the url names no Redis: write redis://host:port",
        "redis://localhost/1/2|the url names no Redis: write redis://host:port",
        "redis://localhost#main|the url names no Redis: write redis://host:port",
        "rediss://|the url names no Redis: write rediss://host:port",
        "redis://localhost:0|the url has the port 0, not one from 1 to 65535",
        "redis://localhost:65536|the url has the port 65536, not one from 1 to 65535",
        "redis://one:1,two:2|the url names several hosts, which is for redis-cluster: and redis-sentinel:",
        "redis-cluster://|the url names no Redis: write redis-cluster://host:port,host:port",
        "redis-cluster://one:1,|the url names no Redis: write redis-cluster://host:port,host:port",
        "redis-cluster://one:1,two:x|the url names no Redis: write redis-cluster://host:port,host:port",
        "redis-cluster://one:1/2|the url names the database 2, and a Cluster has none: leave it out",
        "redis-sentinel://one:1|the url names no Redis: write redis-sentinel://host:port,host:port#nameOfTheMaster",
        "redis-sentinel://#main|the url names no Redis: write redis-sentinel://host:port,host:port#nameOfTheMaster",
        "redis://joe@localhost|there is a user and no password: write user:password@ or :password@ before the host, or use the setting password",
        "redis://localhost?user=joe|there is a user and no password: write user:password@ or :password@ before the host, or use the setting password",
        "redis://localhost?keyPrefix=a{b}|keyPrefix has a brace, which in Redis Cluster marks the part of a key that says where it is",
        "redis-cluster://one:1?replicas=1|replicas cannot be waited for in a Cluster; its servers' own min-replicas-to-write refuses writes while too few replicas are connected",
        "rediss://localhost?caFile=/no/such/file.pem|caFile /no/such/file.pem is no file that can be read",
        "redis://localhost?keyPrefix=|keyPrefix must be a text, not \"\"",
        "redis://localhost?tls=perhaps|tls must be true or false, not \"perhaps\"",
        "redis://localhost?timeout=0|timeout must be a duration from 10ms to 1m, for example 1m30s, not \"0\"",
        "redis://localhost?expiryAllowance=2d|expiryAllowance must be a duration from 0 to 1d, for example 1m30s, not \"2d\"",
        "redis://localhost?maxDataBytes=1GiB|maxDataBytes must be a size from 1 to 512MiB, for example 64KiB, not \"1GiB\"",
      })
  void open_mistakes_areNamed(String url, String problem) {
    assertThatThrownBy(() -> TaskStores.open(url))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage("The configuration of the task store is wrong: " + problem);
  }

  /** What would be cut in two, so that a part of it is taken for the name of a host. */
  @ParameterizedTest
  @ValueSource(strings = {"s3cr#et", "s3cr/et", "s3cr@et", "s3cr%et", "s3cr%2", "#s3cret"})
  void open_passwordThatMustBeEscaped_isNotShown(String password) {
    Throwable failure =
        catchThrowable(() -> TaskStores.open("redis://joe:" + password + "@localhost:1"));
    assertThat(failure)
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong: user or password in the url have a"
                + " character that must be percent-encoded; or use the settings user and"
                + " password");
    assertThat(withCauses(failure)).doesNotContain("s3cr");
  }

  private static String withCauses(Throwable failure) {
    StringWriter text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  // --- servers that refuse ------------------------------------------------------------------

  @Test
  void open_serverThatIsNotThere_isNamedWithoutThePassword() {
    int port = RedisServer.freePort();
    Throwable failure =
        catchThrowable(() -> TaskStores.open("redis://joe:s3cret@127.0.0.1:" + port));
    assertThat(failure)
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: Redis at 127.0.0.1:%d cannot be reached"
                    .formatted(port)
                + " (ConnectException)");
    assertThat(withCauses(failure)).doesNotContain("s3cret");
  }

  @Test
  void open_sentinelsThatAreNotThere_areNamed() {
    int one = RedisServer.freePort();
    int two = RedisServer.freePort();
    assertThatThrownBy(
            () ->
                TaskStores.open(
                    "redis-sentinel://joe:s3cret@127.0.0.1:%d,127.0.0.1:%d#main"
                        .formatted(one, two)))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: Redis at 127.0.0.1:%d,127.0.0.1:%d"
                    .formatted(one, two)
                + " cannot be reached (ConnectException)");
  }

  @Test
  void open_wrongPassword_isRefusedWithoutShowingIt() {
    Throwable failure = catchThrowable(() -> TaskStores.open("redis://joe:wr0ng@" + here()));
    assertThat(failure)
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: Redis at "
                + here()
                + " refuses it: user or password are wrong or missing");
    assertThat(withCauses(failure)).doesNotContain("wr0ng");
  }

  @Test
  void open_noPasswordWhereOneIsNeeded_isRefused() {
    try (RedisServer locked = RedisServer.start("--requirepass", "s3cret")) {
      assertThatThrownBy(() -> TaskStores.open(locked.url()))
          .isInstanceOf(TaskStorageException.class)
          .hasMessage(
              "The task store cannot be opened: open: Redis at 127.0.0.1:"
                  + locked.port()
                  + " refuses it: user or password are wrong or missing");
    }
  }

  @Test
  void open_databaseThatIsNotThere_isRefused() {
    assertThatThrownBy(() -> TaskStores.open("redis://" + here() + "/99"))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: Redis at "
                + here()
                + " refuses it: it has no such database");
  }

  /** A server is no Cluster. */
  @Test
  void open_clusterThatIsNone_isRefused() {
    assertThatThrownBy(() -> TaskStores.open("redis-cluster://" + here()))
        .isInstanceOf(TaskStorageException.class)
        .hasMessage(
            "The task store cannot be opened: open: Redis at "
                + here()
                + " refuses it: it is no Cluster; is the url redis: or rediss:?");
  }

  // --- settings -----------------------------------------------------------------------------

  /** What is said to be the default is what the builder has. */
  @Test
  void settings_defaults_areThoseOfTheBuilder() {
    Map<String, Object> defaults =
        new RedisBackendProvider()
            .settings().stream()
                .filter(setting -> setting.defaultValue().isPresent())
                .collect(Collectors.toMap(Setting::name, setting -> setting.defaultValue().get()));
    assertThat(defaults)
        .containsEntry("keyPrefix", RedisStorageBackend.DEFAULT_KEY_PREFIX)
        .containsEntry("timeout", RedisStorageBackend.DEFAULT_TIMEOUT)
        .containsEntry("expiryAllowance", RedisStorageBackend.DEFAULT_ALLOWANCE)
        .containsEntry("maxDataBytes", (long) RedisStorageBackend.DEFAULT_MAX_DATA_BYTES)
        .containsEntry("tls", false);
  }

  @Test
  void settings_timeoutAndLargestRecord_reachTheBackend() {
    RedisBackendProvider provider = new RedisBackendProvider();
    Map<String, String> texts = Map.of("timeout", "150ms", "maxDataBytes", "8KiB");
    Map<Setting<?>, Object> values =
        provider.settings().stream()
            .filter(setting -> texts.containsKey(setting.name()))
            .collect(
                Collectors.toMap(
                    Function.identity(), setting -> setting.parse(texts.get(setting.name()))));
    try (StorageBackend backend =
        provider.open(new BackendConfiguration("redis", "//" + here(), values))) {
      assertThat(backend.traits().maxDataBytes()).isEqualTo(8_192);
    }
  }

  @Test
  void toString_ofTheConfiguration_showsNoSecret() {
    assertThat(TaskStoreConfiguration.ofUrl("redis://joe:s3cret@localhost?password=s3cret"))
        .asString()
        .doesNotContain("s3cret");
    assertThat(new BackendConfiguration("redis", "//joe:s3cret@localhost", Map.of()))
        .asString()
        .doesNotContain("s3cret");
  }

  @Test
  void serviceLoader_findsIt() {
    assertThat(ServiceLoader.load(StorageBackendProvider.class))
        .hasAtLeastOneElementOfType(RedisBackendProvider.class);
  }
}
