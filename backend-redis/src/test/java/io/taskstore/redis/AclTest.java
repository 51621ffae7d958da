// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a user of Redis must be allowed, who is allowed nothing else. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class AclTest {
  static final String KEY_PREFIX = "taskstore:";

  /** For all that tasks need; the documentation has the same list. */
  static final List<String> COMMANDS =
      List.of(
          "hmget",
          "evalsha",
          "eval",
          "time",
          "exists",
          "hexists",
          "hget",
          "hset",
          "hdel",
          "del",
          "persist",
          "pexpireat",
          "zadd",
          "zrem",
          "zcard",
          "zcount",
          "zrangebyscore",
          "zrevrange",
          "zrangebylex",
          "zrevrangebylex");

  /** For {@link StorageBackend#purgeExpired}, beside those. */
  static final List<String> PURGING = List.of("scan");

  /** For waiting for replicas, beside those. */
  static final List<String> REPLICAS = List.of("wait");

  /** For a Cluster, beside those. */
  static final List<String> CLUSTER = List.of("cluster|nodes");

  private static final String USER = "tasks";
  private static final String PASSWORD = "open-sesame";
  private static final Instant PAST = Instant.ofEpochMilli(1_000);

  private @Nullable RedisServer server;
  private @Nullable RedisClient client;
  private @Nullable StatefulRedisConnection<String, String> connection;

  @BeforeAll
  void start() {
    server = RedisServer.start();
    client = RedisClient.create(server.url());
    connection = client.connect();
  }

  @AfterAll
  void stop() {
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    server.close();
  }

  /** As an operator would write it. */
  static List<String> rules(List<String> commands) {
    List<String> rules = new ArrayList<>(List.of("reset", "on", ">" + PASSWORD));
    rules.addAll(List.of("~" + KEY_PREFIX + "*", "-@all"));
    commands.forEach(command -> rules.add("+" + command));
    return rules;
  }

  private static void allow(RedisCommands<String, String> admin, List<String> commands) {
    CommandArgs<String, String> args = new CommandArgs<>(StringCodec.UTF8);
    args.add("SETUSER").add(USER);
    rules(commands).forEach(args::add);
    admin.dispatch(CommandType.ACL, new StatusOutput<>(StringCodec.UTF8), args);
  }

  private static List<String> with(List<String> first, List<String> second) {
    return Stream.concat(first.stream(), second.stream()).toList();
  }

  private RedisStorageBackend.Builder builder() {
    RedisURI uri =
        RedisURI.builder(RedisURI.create(server.url())).withAuthentication(USER, PASSWORD).build();
    return RedisStorageBackend.builder(uri).keyPrefix(KEY_PREFIX);
  }

  private StorageBackend open() {
    return builder().build();
  }

  private static RecordValue value(String text, boolean isActive, @Nullable Instant expiry) {
    Bytes data = Bytes.copyOf(text.getBytes(UTF_8));
    return new RecordValue(data, isActive, expiry, UUID.randomUUID().toString());
  }

  /** Every operation but the purge, with every answer that it has. */
  private static void useEverything(StorageBackend backend) {
    String partition = UUID.randomUUID().toString();
    RecordKey one = new RecordKey(partition, "one");
    RecordKey two = new RecordKey(partition, "two");
    RecordKey three = new RecordKey(partition, "three");
    Instant later = Instant.ofEpochMilli(4_000_000_000_000L);
    RecordValue first = value("first", true, null);
    RecordValue second = value("second", true, later);

    assertThat(backend.get(one)).isEmpty();
    assertThat(backend.putIfVersion(one, first, 0)).isEqualTo(new Written(1));
    assertThat(backend.putIfVersion(one, second, 0))
        .isEqualTo(new Conflict(new VersionedRecord(one, first, 1)));
    assertThat(backend.putIfVersion(one, second, 1)).isEqualTo(new Written(2));
    assertThat(backend.putIfVersion(one, first, 2)).isEqualTo(new Written(3));
    assertThat(backend.get(one)).contains(new VersionedRecord(one, first, 3));
    assertThat(backend.createWithin(two, second, 2, PAST)).isEqualTo(Created.CREATED);
    assertThat(backend.createWithin(three, second, 2, PAST)).isEqualTo(Full.FULL);
    for (boolean descending : new boolean[] {false, true}) {
      ListQuery all = new ListQuery(partition, null, descending, 10);
      assertThat(backend.list(all).records()).hasSize(2);
      assertThat(backend.listActive(all).heads()).hasSize(2);
    }
    // a member of the indexes whose record was dropped
    assertThat(backend.putIfVersion(three, value("due", false, PAST), 0)).isEqualTo(new Written(1));
    assertThat(backend.deleteIfVersion(one, 1))
        .isEqualTo(new Conflict(new VersionedRecord(one, first, 3)));
    assertThat(backend.deleteIfVersion(one, 3)).isEqualTo(Deleted.DELETED);
  }

  @Test
  void operations_allowedCommandsOnly_work() {
    allow(connection.sync(), COMMANDS);
    connection.sync().scriptFlush();
    try (StorageBackend backend = open()) {
      useEverything(backend);
    }
  }

  @Test
  void tasks_allowedCommandsOnly_liveTheirWholeLife() {
    allow(connection.sync(), COMMANDS);
    Owner owner = Owner.subject("alice");
    try (GenericTaskStore store = GenericTaskStore.builder(open()).build()) {
      Task done = store.create(owner, NewTask.of("digest"));
      Task working = store.update(done, task -> TaskChange.change().set("step", 1));
      store.update(working, task -> TaskChange.change().complete(Map.of("pages", 3)));
      Task cancelled = store.create(owner, NewTask.of("digest"));
      store.cancel(owner, cancelled.id());
      assertThat(store.get(owner, done.id()).status()).isEqualTo(TaskStatus.COMPLETED);
      store.delete(owner, done.id());
      assertThat(store.list(owner, TaskQuery.newestFirst()).tasks())
          .extracting(Task::id)
          .containsExactly(cancelled.id());
    }
  }

  @Test
  void purgeExpired_allowedCommandsAndScan_works() {
    allow(connection.sync(), with(COMMANDS, PURGING));
    try (StorageBackend backend = open()) {
      RecordKey due = new RecordKey(UUID.randomUUID().toString(), "due");
      backend.putIfVersion(due, value("due", true, PAST), 0);

      backend.purgeExpired(PAST, 1_000);

      assertThat(backend.get(due)).isEmpty();
    }
  }

  static List<String> commands() {
    return COMMANDS;
  }

  /**
   * Before anything is written: a script that may not go on ends in the middle of its work, with
   * what it has done.
   */
  @ParameterizedTest
  @MethodSource("commands")
  void open_withoutOneCommand_isRefusedAndSaysWhich(String missing) {
    allow(connection.sync(), COMMANDS.stream().filter(name -> !name.equals(missing)).toList());
    connection.sync().scriptFlush();
    String what =
        missing.startsWith("eval")
            ? "the user may not use all commands and keys that are needed; ACL LOG says which"
            : "the user may not use %s on keys of ours; grant it, see ACL SETUSER"
                .formatted(missing);

    assertThatThrownBy(this::open)
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessage("open: Redis at 127.0.0.1:%d refuses it: %s".formatted(server.port(), what))
        .satisfies(e -> assertThat(((StorageUnavailableException) e).isRetryable()).isFalse());
  }

  @Test
  void replicas_withoutWait_areRefusedAndSayWhy() {
    allow(connection.sync(), COMMANDS);
    assertThatThrownBy(() -> builder().replicas(1).build())
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessageEndingWith(
            "the user may not use all commands and keys that are needed; ACL LOG says which");

    allow(connection.sync(), with(COMMANDS, REPLICAS));
    builder().replicas(1).build().close();
  }

  @Test
  void purgeExpired_withoutScan_isRefusedAndSaysWhy() {
    allow(connection.sync(), COMMANDS);
    try (StorageBackend backend = open()) {
      assertRefused(b -> b.purgeExpired(PAST, 1), backend);
    }
  }

  @Test
  void open_keysOfAnotherPrefix_isRefusedAndSaysSo() {
    allow(connection.sync(), COMMANDS);

    assertThatThrownBy(() -> builder().keyPrefix("other:").build())
        .isInstanceOf(StorageUnavailableException.class)
        .hasMessageContaining("the user may not use ")
        .hasMessageContaining("hset")
        .hasMessageEndingWith(" on keys of ours; grant it, see ACL SETUSER");
  }

  /** What was allowed when it was opened may be taken away. */
  @Test
  void operations_rightsTakenAway_areRefusedAndSayWhy() {
    allow(connection.sync(), COMMANDS);
    try (StorageBackend backend = open()) {
      allow(connection.sync(), COMMANDS.stream().filter(name -> !name.equals("time")).toList());
      assertRefused(AclTest::useEverything, backend);
    }
  }

  @Test
  void documentation_hasTheSameRights() throws IOException {
    String document = Files.readString(Path.of("..", "docs", "backends", "redis.md"));

    List<String> rules = new ArrayList<>(rules(COMMANDS));
    rules.set(rules.indexOf(">" + PASSWORD), ">PASSWORD");
    assertThat(document.lines().filter(line -> line.startsWith("ACL SETUSER")))
        .containsExactly("ACL SETUSER tasks " + String.join(" ", rules));
    for (String command : with(with(PURGING, REPLICAS), CLUSTER)) {
      assertThat(document).contains("`+" + command + "`");
    }
  }

  // --- Cluster ------------------------------------------------------------------------------

  private static StorageBackend open(RedisCluster cluster) {
    RedisURI seed = RedisURI.builder(cluster.seed()).withAuthentication(USER, PASSWORD).build();
    return RedisStorageBackend.clusterBuilder(List.of(seed)).keyPrefix(KEY_PREFIX).build();
  }

  @Test
  void cluster_allowedCommandsOnly_works() {
    try (RedisCluster cluster = RedisCluster.start()) {
      cluster.nodes().forEach(node -> allow(node, with(COMMANDS, CLUSTER)));
      try (StorageBackend backend = open(cluster)) {
        // partitions on all nodes
        for (int i = 0; i < 20; i++) {
          useEverything(backend);
        }
      }
      cluster.nodes().forEach(node -> allow(node, with(with(COMMANDS, CLUSTER), PURGING)));
      try (StorageBackend backend = open(cluster)) {
        assertThat(backend.purgeExpired(PAST, 1_000)).isEqualTo(20);
      }
      for (String missing : CLUSTER) {
        List<String> others = CLUSTER.stream().filter(name -> !name.equals(missing)).toList();
        cluster.nodes().forEach(node -> allow(node, with(COMMANDS, others)));
        assertThatThrownBy(() -> open(cluster).close(), "without %s", missing)
            .isInstanceOf(StorageUnavailableException.class)
            .hasMessage(
                "open: Redis at 127.0.0.1:%d refuses it: the user may not use all commands and keys that are needed; ACL LOG says which"
                    .formatted(cluster.server(0).port()));
      }
    }
  }

  private void assertRefused(Consumer<StorageBackend> work, StorageBackend backend) {
    StorageException refusal =
        catchThrowableOfType(StorageException.class, () -> work.accept(backend));
    assertThat(refusal).isInstanceOf(StorageUnavailableException.class);
    assertThat(((StorageUnavailableException) refusal).isRetryable()).isFalse();
    assertThat(refusal)
        .hasMessageEndingWith(
            "Redis at 127.0.0.1:%d refuses it: the user may not use all commands and keys that are needed; ACL LOG says which"
                .formatted(server.port()));
  }
}
