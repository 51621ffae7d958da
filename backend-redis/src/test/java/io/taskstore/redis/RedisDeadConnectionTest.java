// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.taskstore.contract.TcpProxy;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Connections on which nothing arrives any more, and which nobody closes: a host without power, a
 * router that has forgotten them. They are replaced, not waited for.
 */
@Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class RedisDeadConnectionTest {
  private static final Duration TIMEOUT = Duration.ofSeconds(1);

  /** One of them times out, and those that are under way when the connection is replaced. */
  private static final int CALLS = 5;

  private static final RecordKey KEY = new RecordKey("owner", "record");

  @BeforeAll
  static void silenceTheClient() {
    ClientLog.silence();
  }

  @Test
  void call_connectionIsDead_isReplaced() throws Exception {
    try (RedisServer server = RedisServer.start();
        TcpProxy proxy = TcpProxy.to("127.0.0.1", server.port());
        RedisStorageBackend backend =
            RedisStorageBackend.builder(RedisURI.create(url(proxy))).timeout(TIMEOUT).build()) {
      assertReplaced(proxy, backend);
    }
  }

  @Test
  void call_connectionOfClusterIsDead_isReplaced() throws Exception {
    try (RedisServer server = RedisServer.start("--cluster-enabled", "yes");
        TcpProxy proxy = TcpProxy.to("127.0.0.1", server.port())) {
      beClusterBehind(proxy, server);
      try (RedisStorageBackend backend =
          RedisStorageBackend.clusterBuilder(List.of(RedisURI.create(url(proxy))))
              .timeout(TIMEOUT)
              .build()) {
        assertReplaced(proxy, backend);
      }
    }
  }

  private static String url(TcpProxy proxy) {
    return "redis://127.0.0.1:" + proxy.port();
  }

  /** Nodes tell clients where they are: here, behind the proxy. */
  private static void beClusterBehind(TcpProxy proxy, RedisServer server) {
    try (RedisClient client = RedisClient.create(server.url());
        StatefulRedisConnection<String, String> admin = client.connect()) {
      admin.sync().configSet("cluster-announce-ip", "127.0.0.1");
      admin.sync().configSet("cluster-announce-port", Integer.toString(proxy.port()));
      admin.sync().clusterAddSlots(IntStream.range(0, 16_384).toArray());
      while (!admin.sync().clusterInfo().contains("cluster_state:ok")) {
        Thread.onSpinWait();
      }
    }
  }

  private static void assertReplaced(TcpProxy proxy, RedisStorageBackend backend) {
    backend.putIfVersion(KEY, value("w1"), StorageBackend.ABSENT);
    proxy.strand();
    Optional<VersionedRecord> read = untilAnswered(() -> backend.get(KEY));
    assertThat(read.orElseThrow().version()).isEqualTo(1);

    assertThat(backend.putIfVersion(KEY, value("w2"), 1)).isEqualTo(new Written(2));
    proxy.strand();
    Object written = untilAnswered(() -> backend.putIfVersion(KEY, value("w3"), 2));
    assertThat(written).as("of a write that was swallowed").isEqualTo(new Written(3));
    assertThat(backend.get(KEY).orElseThrow().value().writeId()).isEqualTo("w3");
  }

  /** Every call ends in time, and one of the first ones with an answer. */
  private static <T> T untilAnswered(Supplier<T> call) {
    for (int failed = 0; ; failed++) {
      long start = System.nanoTime();
      try {
        T answer = call.get();
        assertThat(failed).as("calls on the dead connection").isPositive();
        return answer;
      } catch (OutcomeUnknownException | StorageUnavailableException e) {
        assertThat(failed).as("failed calls, the last with %s", describe(e)).isLessThan(CALLS);
        assertThat(Duration.ofNanos(System.nanoTime() - start))
            .as("how long a call took")
            .isLessThan(TIMEOUT.multipliedBy(10));
      }
    }
  }

  private static String describe(StorageException e) {
    return e.getMessage();
  }

  private static RecordValue value(String writeId) {
    return new RecordValue(Bytes.copyOf("data".getBytes(UTF_8)), true, null, writeId);
  }
}
