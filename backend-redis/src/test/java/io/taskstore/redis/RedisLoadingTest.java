// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A server that has restarted and loads its data for a while: to come back later, never absent. */
@Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class RedisLoadingTest {
  /** How long loading takes at least: so many records, so long each. */
  private static final int RECORDS = 60;

  private static final int MICROSECONDS = 50_000;

  @BeforeAll
  static void silenceTheClient() {
    ClientLog.silence();
  }

  @Test
  void calls_whileTheServerLoads_areUnavailableAndRetryable() {
    try (RedisServer server = slowlyLoading();
        RedisStorageBackend backend = open(server)) {
      RecordKey key = new RecordKey("owner", "kept");
      RecordValue value =
          new RecordValue(Bytes.copyOf("data".getBytes(UTF_8)), true, null, "first");
      backend.putIfVersion(key, value, StorageBackend.ABSENT);
      fill(backend);
      CompletableFuture<Void> restarted = restartUntilLoading(server);

      assertUnavailable(() -> backend.get(key));
      assertUnavailable(() -> backend.putIfVersion(key, value, 1));
      assertUnavailable(() -> backend.createWithin(key, value, 100, Instant.now()));
      assertUnavailable(() -> backend.deleteIfVersion(key, 1));
      assertUnavailable(() -> backend.list(new ListQuery("owner", null, false, 10)));
      assertThat(isLoading(server)).as("still loading").isTrue();

      restarted.join();
      assertThat(backend.get(key).orElseThrow().version()).isEqualTo(1);
      assertThat(backend.putIfVersion(key, value, 1)).isEqualTo(new Written(2));
    }
  }

  @Test
  void update_whileTheServerLoads_isDoneAfterwards() {
    Owner owner = Owner.subject("patient");
    try (RedisServer server = slowlyLoading();
        RedisStorageBackend backend = open(server);
        GenericTaskStore store =
            GenericTaskStore.builder(backend).operationTimeout(Duration.ofSeconds(60)).build()) {
      Task task = store.create(owner, NewTask.of("wait"));
      fill(backend);
      CompletableFuture<Void> restarted = restartUntilLoading(server);

      Task changed = store.update(owner, task.id(), now -> TaskChange.change().set("done", true));

      assertThat(changed.variables().bool("done")).hasValue(true);
      assertThat(store.get(owner, task.id()).version()).isEqualTo(task.version() + 1);
      restarted.join();
    }
  }

  private static void assertUnavailable(ThrowingCallable call) {
    StorageUnavailableException e = catchThrowableOfType(StorageUnavailableException.class, call);
    assertThat(e).isNotNull().hasMessageContaining("LOADING");
    assertThat(e.isRetryable()).isTrue();
  }

  /** It answers while it loads, as a server does that has more to load than this one. */
  private static RedisServer slowlyLoading() {
    return RedisServer.start(
        "--rdbcompression",
        "no",
        "--key-load-delay",
        Integer.toString(MICROSECONDS),
        "--loading-process-events-interval-bytes",
        "1024");
  }

  private static RedisStorageBackend open(RedisServer server) {
    return RedisStorageBackend.builder(RedisURI.create(server.url())).build();
  }

  private static void fill(RedisStorageBackend backend) {
    for (int i = 0; i < RECORDS; i++) {
      Bytes data = Bytes.copyOf("x".repeat(4_000).getBytes(UTF_8));
      RecordValue value = new RecordValue(data, true, null, "fill");
      backend.putIfVersion(new RecordKey("filling", "r" + i), value, StorageBackend.ABSENT);
    }
  }

  private static CompletableFuture<Void> restartUntilLoading(RedisServer server) {
    try (RedisClient client = RedisClient.create(server.url());
        StatefulRedisConnection<String, String> connection = client.connect()) {
      connection.sync().save();
    }
    server.kill();
    CompletableFuture<Void> restarted = CompletableFuture.runAsync(server::restart);
    while (!isLoading(server)) {
      assertThat(restarted).as("the restart").isNotDone();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
    }
    return restarted;
  }

  private static boolean isLoading(RedisServer server) {
    try (RedisClient client = RedisClient.create(server.url());
        StatefulRedisConnection<String, String> connection = client.connect()) {
      return connection.sync().info("persistence").contains("loading:1");
    } catch (RedisException e) {
      return false; // it does not listen yet
    }
  }
}
