// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.RedisServer;
import org.junit.jupiter.api.Test;

/** How the tests behave on a server that is not theirs. */
final class RedisHarnessTest {
  private static void insert(BackendStorage storage, String id) {
    try (StorageBackend backend = storage.open()) {
      RecordValue value = new RecordValue(Bytes.EMPTY, true, null, "write");
      backend.putIfVersion(new RecordKey("partition", id), value, StorageBackend.ABSENT);
    }
  }

  @Test
  @SuppressWarnings("try") // closing one of them is what it is about
  void close_ofStoragesOnSomebodysServer_removesTheirOwnKeysOnly() throws Exception {
    try (RedisServer server = RedisServer.start();
        RedisClient client = RedisClient.create(server.url());
        StatefulRedisConnection<String, String> connection = client.connect()) {
      connection.sync().set("taskstore-test", "somebody's");
      connection.sync().configResetstat();
      try (RedisHarness one = RedisHarness.ofUrl(server.url());
          RedisHarness two = RedisHarness.ofUrl(server.url());
          BackendStorage first = one.newStorage();
          BackendStorage second = one.newStorage()) {
        insert(first, "a");
        insert(second, "a");
        try (BackendStorage third = two.newStorage()) {
          insert(third, "a");
          // the record, and three indexes of its partition
          assertThat(connection.sync().dbsize()).isEqualTo(1 + 3 * 4);
        }
        assertThat(first.faultInjection()).isEmpty();
        assertThat(connection.sync().dbsize()).isEqualTo(1 + 2 * 4);
      }
      assertThat(connection.sync().keys("*")).containsExactly("taskstore-test");
      assertThat(connection.sync().info("commandstats"))
          .contains("cmdstat_evalsha")
          .doesNotContain("cmdstat_flush")
          .doesNotContain("cmdstat_config|set")
          .doesNotContain("cmdstat_acl");
    }
  }

  @Test
  void ofUrl_serverThatIsNotThere_failsAndSaysWhatToDo() {
    RedisServer gone = RedisServer.start();
    gone.close();

    assertThatThrownBy(() -> RedisHarness.ofUrl("redis://user:secret@127.0.0.1:" + gone.port()))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "TASKSTORE_TEST_REDIS_URL is set, but the Redis at 127.0.0.1:"
                + gone.port()
                + " cannot be used; unset it to start a server for the tests");
  }

  @Test
  void ofUrl_noUrlOfRedis_failsWithoutShowingIt() {
    assertThatThrownBy(() -> RedisHarness.ofUrl("rediz://user:secret@localhost"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasNoCause()
        .hasMessage(
            "TASKSTORE_TEST_REDIS_URL is no URL of a Redis, such as redis://localhost:6379");
  }
}
