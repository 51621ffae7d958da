// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.sentinel.api.sync.RedisSentinelCommands;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskStore;
import io.taskstore.TaskStores;
import io.taskstore.contract.HistoryWorkload;
import io.taskstore.contract.TcpProxy;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A master, a replica, and three Sentinels that put the one in the place of the other. */
@Timeout(value = 3, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class RedisSentinelTest {
  private static final String NAME = "tasks";
  private static final RecordKey KEY = new RecordKey("owner", "record");

  private final List<AutoCloseable> opened = new ArrayList<>();
  private RedisServer master;
  private RedisServer replica;
  private final List<RedisServer> sentinels = new ArrayList<>();
  private RedisSentinelCommands<String, String> sentinel;
  private RedisClient client;
  private String url;
  private RedisCommands<String, String> ofMaster;
  private RedisCommands<String, String> ofReplica;

  @BeforeAll
  static void silenceTheClient() {
    ClientLog.silence();
  }

  @BeforeEach
  void start() {
    master = opened(RedisServer.start("--repl-diskless-sync-delay", "0"));
    replica =
        opened(RedisServer.start("--replicaof", "127.0.0.1", Integer.toString(master.port())));
    client = RedisClient.create();
    opened.add(() -> client.shutdown(Duration.ZERO, Duration.ofSeconds(2)));
    ofMaster = connect(master);
    ofReplica = connect(replica);
    await("the replica to be in step", this::isReplicated);
    for (int i = 0; i < 3; i++) {
      sentinels.add(opened(RedisServer.startSentinel(NAME, master)));
    }
    List<String> hosts = sentinels.stream().map(at -> "127.0.0.1:" + at.port()).toList();
    url = "redis-sentinel://" + String.join(",", hosts) + "#" + NAME;
    for (RedisServer one : sentinels) {
      var connection = client.connectSentinel(RedisURI.create(one.url()));
      opened.add(connection);
      sentinel = connection.sync();
      await(
          "the Sentinels to know each other",
          () -> {
            Map<String, String> known = connection.sync().master(NAME);
            return "2".equals(known.get("num-other-sentinels"))
                && "1".equals(known.get("num-slaves"))
                && "master".equals(known.get("flags"));
          });
    }
  }

  @AfterEach
  void close() throws Exception {
    for (int i = opened.size() - 1; i >= 0; i--) {
      opened.get(i).close();
    }
  }

  private <T extends AutoCloseable> T opened(T closeable) {
    opened.add(closeable);
    return closeable;
  }

  private RedisCommands<String, String> connect(RedisServer server) {
    StatefulRedisConnection<String, String> connection =
        opened(client.connect(RedisURI.create(server.url())));
    return connection.sync();
  }

  private RedisStorageBackend open() {
    return opened(RedisStorageBackend.builder(RedisURI.create(url)).build());
  }

  // --- tests --------------------------------------------------------------------------------

  @Test
  void failover_masterKilledUnderLoad_isLinearizableAndGoesOnByItself() {
    Owner owner = Owner.subject("through-sentinel");
    TaskStore store = opened(TaskStores.open(url + "?sweepInterval=0"));
    Task task = store.create(owner, NewTask.of("stay"));
    List<StorageBackend> instances = List.of(open(), open());
    long seed = ThreadLocalRandom.current().nextLong();
    HistoryWorkload workload = HistoryWorkload.deleteFree(seed, 6, 4_000);

    CompletableFuture<HistoryWorkload.Summary> done =
        CompletableFuture.supplyAsync(() -> workload.run(instances, "load"));
    await("writes", () -> ofMaster.zcard("taskstore:{load}:all") == 2);
    // Writes are sent on and on, but from here on none is done before its replica has it.
    send(ofMaster, CommandType.CLIENT, "PAUSE", "60000", "WRITE");
    await("the replica to have all", this::isReplicated);
    assertThat(done).as("the load").isNotDone();
    master.kill();

    HistoryWorkload.Summary summary = done.orTimeout(90, TimeUnit.SECONDS).join();
    System.out.println("failover under load, seed " + seed + ": linearizable, " + summary);
    assertThat(summary.writes()).as("writes").isPositive();
    assertThat(summary.unknown()).as("writes that the kill left unknown").isPositive();
    assertThat(ofReplica.role().get(0)).as("the new master").isEqualTo("master");
    assertThat(store.get(owner, task.id()).version()).isEqualTo(task.version());
    assertThat(store.update(owner, task.id(), now -> change()).version())
        .isEqualTo(task.version() + 1);
  }

  @Test
  void failover_writeNotReplicated_isLost() {
    StorageBackend backend = open();
    assertThat(backend.putIfVersion(KEY, value("first"), 0)).isEqualTo(new Written(1));
    await("the replica to have it", this::isReplicated);
    breakReplication();

    assertThat(backend.putIfVersion(KEY, value("second"), 1)).isEqualTo(new Written(2));
    master.kill();

    VersionedRecord stored = untilAnswered(() -> backend.get(KEY)).orElseThrow();
    assertThat(stored.version()).as("the version before the lost write").isEqualTo(1);
    assertThat(stored.value().writeId()).isEqualTo("first");
  }

  @Test
  void failover_writeNotReplicatedButWaitedFor_wasNotAcknowledged() {
    RedisStorageBackend backend =
        opened(RedisStorageBackend.builder(RedisURI.create(url)).replicas(1).build());
    assertThat(backend.putIfVersion(KEY, value("first"), 0)).isEqualTo(new Written(1));
    breakReplication();

    assertThatThrownBy(() -> backend.putIfVersion(KEY, value("second"), 1))
        .isInstanceOf(OutcomeUnknownException.class)
        .hasMessageContaining("0 of 1 replicas");
    master.kill();

    VersionedRecord stored = untilAnswered(() -> backend.get(KEY)).orElseThrow();
    assertThat(stored.value().writeId()).as("what was acknowledged").isEqualTo("first");
  }

  @Test
  void failover_askedFor_isFollowed() {
    StorageBackend backend = open();
    assertThat(backend.putIfVersion(KEY, value("first"), 0)).isEqualTo(new Written(1));
    await("the replica to have it", this::isReplicated);

    assertThat(sentinel.failover(NAME)).isEqualTo("OK");
    await("the replica to be promoted", () -> isNow(ofReplica, "master"));
    await("the master to be demoted", () -> isNow(ofMaster, "slave"));

    assertThat(untilAnswered(() -> backend.putIfVersion(KEY, value("second"), 1)))
        .isEqualTo(new Written(2));
    assertThat(ofReplica.hget("taskstore:{owner}:r:record", "w")).isEqualTo("second");
  }

  @Test
  void failover_nameGetsAnotherAddress_isFollowedThoughTheOldConnectionStays() throws Exception {
    try (TcpProxy name = TcpProxy.to("127.0.0.1", master.port());
        StorageBackend backend =
            RedisStorageBackend.open(RedisURI.create("redis://127.0.0.1:" + name.port()))) {
      assertThat(backend.putIfVersion(KEY, value("first"), 0)).isEqualTo(new Written(1));
      await("the replica to have it", this::isReplicated);

      // As services do whose clients know a name: unlike a Sentinel they leave connections be.
      sentinels.forEach(RedisServer::kill);
      name.redirect("127.0.0.1", replica.port());
      ofReplica.replicaofNoOne();
      ofMaster.replicaof("127.0.0.1", replica.port());
      assertThatThrownBy(() -> backend.putIfVersion(KEY, value("refused"), 1))
          .isInstanceOf(StorageUnavailableException.class)
          .hasMessageContaining("replica");

      assertThat(untilAnswered(() -> backend.putIfVersion(KEY, value("second"), 1)))
          .isEqualTo(new Written(2));
      assertThat(ofReplica.hget("taskstore:{owner}:r:record", "w")).isEqualTo("second");
    }
  }

  // --- helpers ------------------------------------------------------------------------------

  private static TaskChange change() {
    return TaskChange.change().set("changed", true);
  }

  private static RecordValue value(String writeId) {
    return new RecordValue(Bytes.copyOf("data".getBytes(UTF_8)), true, null, writeId);
  }

  /** The replica loses its master and does not get it back, while Sentinels and clients do. */
  private void breakReplication() {
    send(ofMaster, CommandType.ACL, "SETUSER", "default", "-psync", "-sync");
    ofMaster.clientKill(KillArgs.Builder.typeSlave());
    await("the replica to be cut off", () -> !isConnected());
  }

  /** A Sentinel closes all connections of whom it gives another role. */
  private static boolean isNow(RedisCommands<String, String> server, String role) {
    try {
      return server.role().get(0).equals(role);
    } catch (RedisException e) {
      return false;
    }
  }

  /** For what the client has no method for. */
  private static void send(
      RedisCommands<String, String> server, CommandType type, String... words) {
    CommandArgs<String, String> arguments = new CommandArgs<>(StringCodec.UTF8);
    for (String word : words) {
      arguments.add(word);
    }
    server.dispatch(type, new StatusOutput<>(StringCodec.UTF8), arguments);
  }

  private boolean isConnected() {
    return info(ofReplica, "master_link_status").equals("up");
  }

  private boolean isReplicated() {
    return isConnected()
        && info(ofMaster, "connected_slaves").equals("1")
        && info(ofMaster, "master_repl_offset").equals(info(ofReplica, "slave_repl_offset"));
  }

  private static String info(RedisCommands<String, String> server, String name) {
    return server
        .info("replication")
        .lines()
        .filter(line -> line.startsWith(name + ":"))
        .map(line -> line.substring(name.length() + 1).strip())
        .findFirst()
        .orElse("");
  }

  private static <T> T untilAnswered(Supplier<T> call) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (true) {
      try {
        return call.get();
      } catch (StorageUnavailableException | OutcomeUnknownException e) {
        if (System.nanoTime() - end > 0) {
          throw e;
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
      }
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as("waiting for %s", what).isNegative();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(10));
    }
  }
}
