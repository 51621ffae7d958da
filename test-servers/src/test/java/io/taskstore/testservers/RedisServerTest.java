// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the tests of this module rely on. */
final class RedisServerTest {
  private static String ask(
      RedisServer server, Function<RedisCommands<String, String>, Object> question) {
    try (RedisClient client = RedisClient.create(server.url());
        StatefulRedisConnection<String, String> connection = client.connect()) {
      return question.apply(connection.sync()).toString();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void restart_ofAServerThatWritesAtOnce_keepsPortOptionsAndData(boolean killed) {
    try (RedisServer server = RedisServer.start("--appendonly", "yes", "--appendfsync", "always")) {
      int port = server.port();
      ask(server, redis -> redis.set("key", "value"));

      if (killed) {
        server.kill();
      } else {
        server.stop();
      }
      assertThatThrownBy(() -> ask(server, redis -> redis.ping()))
          .isInstanceOf(RedisConnectionException.class);
      server.restart();

      assertThat(server.port()).isEqualTo(port);
      assertThat(ask(server, redis -> redis.get("key"))).isEqualTo("value");
      assertThat(ask(server, redis -> redis.configGet("appendonly"))).isEqualTo("{appendonly=yes}");
    }
  }

  @Test
  void restart_ofARunningServerThatKeepsNothing_isEmpty() {
    try (RedisServer server = RedisServer.start()) {
      ask(server, redis -> redis.set("key", "value"));

      server.restart();

      assertThat(ask(server, redis -> redis.dbsize())).isEqualTo("0");
    }
  }

  @Test
  void start_optionThatDoesNotExist_showsWhatTheServerSays() {
    assertThatThrownBy(() -> RedisServer.start("--no-such-option", "x"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("no-such-option");
  }
}
