// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Options, and clients that are the caller's. */
final class BuilderTest {
  private static final String WHY =
      "the client could send a write twice, or after its caller was told that it failed, or stay"
          + " without a connection: give its ClientOptions ";

  private static RedisServer server;
  private static RedisClient client;

  @BeforeAll
  static void start() {
    server = RedisServer.start();
    client = RedisClient.create();
  }

  @AfterAll
  static void stop() {
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    server.close();
  }

  private static ClientOptions.Builder required(ClientOptions.Builder options) {
    return options
        .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
        .replayFilter(command -> true);
  }

  private static RedisURI uri() {
    return RedisURI.create(server.url());
  }

  private static void assertWorks(StorageBackend backend) {
    RecordKey key = new RecordKey("p", "id-" + System.nanoTime());
    RecordValue value = new RecordValue(Bytes.EMPTY, true, null, "w");
    assertThat(backend.putIfVersion(key, value, StorageBackend.ABSENT)).isEqualTo(new Written(1));
    assertThat(backend.get(key)).isPresent();
  }

  // --- clients of the caller ----------------------------------------------------------------

  @Test
  void ownClient_staysOpen_andTheConnectionsOfTheBackendDoNot() {
    client.setOptions(required(ClientOptions.builder()).build());
    try (StatefulRedisConnection<String, String> admin = client.connect(uri())) {
      long before = admin.sync().clientList().lines().count();
      for (int replicas = 0; replicas < 2; replicas++) {
        StorageBackend backend =
            RedisStorageBackend.builder(client, uri()).replicas(replicas).build();
        if (replicas == 0) {
          assertWorks(backend);
        }
        assertThat(admin.sync().clientList().lines().count()).isEqualTo(before + 1 + replicas);

        backend.close();

        long end = System.nanoTime() + 10_000_000_000L;
        while (admin.sync().clientList().lines().count() > before && System.nanoTime() < end) {
          Thread.onSpinWait();
        }
        assertThat(admin.sync().clientList().lines().count()).isEqualTo(before);
      }
      assertThat(admin.sync().ping()).isEqualTo("PONG");
    }
  }

  private static void assertRefused(Consumer<ClientOptions.Builder> change, String missing) {
    ClientOptions.Builder options = required(ClientOptions.builder());
    change.accept(options);
    client.setOptions(options.build());

    assertThatThrownBy(() -> RedisStorageBackend.builder(client, uri()).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(WHY + missing);
  }

  @Test
  void ownClient_thatSendsTwiceOrLate_isRefused() {
    assertRefused(
        options -> options.disconnectedBehavior(DisconnectedBehavior.DEFAULT),
        "disconnectedBehavior(REJECT_COMMANDS)");
    assertRefused(
        options -> options.replayFilter(command -> false), "replayFilter(command -> true)");
    assertRefused(
        options -> options.replayFilter(command -> command.getType().toString().equals("EVAL")),
        "replayFilter(command -> true)");
    assertRefused(options -> options.autoReconnect(false), "autoReconnect(true)");

    client.setOptions(ClientOptions.create());
    assertThatThrownBy(() -> RedisStorageBackend.builder(client, uri()).build())
        .hasMessage(WHY + "disconnectedBehavior(REJECT_COMMANDS), replayFilter(command -> true)");
  }

  @Test
  void ownClusterClient_worksAndStaysOpen_orIsRefused() {
    try (RedisCluster cluster = RedisCluster.start();
        RedisClusterClient own = RedisClusterClient.create(cluster.seed())) {
      assertThatThrownBy(() -> RedisStorageBackend.clusterBuilder(own).build())
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith(WHY);

      ClusterClientOptions.Builder options = ClusterClientOptions.builder();
      required(options);
      own.setOptions(options.build());
      try (StorageBackend backend = RedisStorageBackend.clusterBuilder(own).build()) {
        assertWorks(backend);
      }
      try (var connection = own.connect()) {
        assertThat(connection.sync().ping()).isEqualTo("PONG");
      }
    }
  }

  // --- options ------------------------------------------------------------------------------

  private static void assertWrong(Consumer<RedisStorageBackend.Builder> setting, String message) {
    assertThatThrownBy(() -> setting.accept(RedisStorageBackend.builder(uri())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void options_outOfTheirRange_areRefused() {
    assertWrong(b -> b.timeout(Duration.ZERO), "timeout is PT0S, from PT0.01S to PT1M are allowed");
    assertWrong(
        b -> b.timeout(Duration.ofMinutes(2)), "timeout is PT2M, from PT0.01S to PT1M are allowed");
    assertWrong(
        b -> b.expiryAllowance(Duration.ofMillis(-1)),
        "expiryAllowance is PT-0.001S, from PT0S to PT24H are allowed");
    assertWrong(
        b -> b.expiryAllowance(Duration.ofDays(2)),
        "expiryAllowance is PT48H, from PT0S to PT24H are allowed");
    assertWrong(b -> b.replicas(-1), "replicas is -1, from 0 to 100 are allowed");
    assertWrong(b -> b.replicas(101), "replicas is 101, from 0 to 100 are allowed");
    assertWrong(b -> b.maxDataBytes(0), "maxDataBytes is 0, from 1 to 536870912 are allowed");
    assertWrong(
        b -> b.maxDataBytes((512 << 20) + 1),
        "maxDataBytes is 536870913, from 1 to 536870912 are allowed");
    assertWrong(b -> b.keyPrefix("a\uD800"), "keyPrefix has a lone surrogate, which is no text");
    assertWrong(
        b -> b.keyPrefix("\u00e9".repeat(101)), "keyPrefix has 202 bytes, up to 200 are allowed");
    assertWrong(b -> b.caFile(Path.of("none.pem")), "caFile none.pem is no file that can be read");
  }

  @Test
  void options_thatDoNotFit_areRefused() {
    assertThatThrownBy(() -> RedisStorageBackend.clusterBuilder(List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a Cluster needs one node at least to find the others");
    assertThatThrownBy(() -> RedisStorageBackend.builder(client, uri()).caFile(Path.of("pom.xml")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("caFile is for the client's own SslOptions");
  }

  @Test
  void open_defaults_work() {
    try (StorageBackend backend = RedisStorageBackend.open(uri())) {
      assertWorks(backend);
      assertThat(backend).hasToString("RedisStorageBackend");
    }
  }
}
