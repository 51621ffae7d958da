// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.lettuce.core.MigrateArgs;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.SlotHash;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What is different when there are several nodes. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class RedisClusterTest {
  private static final String PREFIX = "app:";
  private static final Instant PAST = Instant.ofEpochMilli(1_000);

  private final RedisKeys keys = new RedisKeys(PREFIX);
  private @Nullable RedisCluster cluster;
  private @Nullable StorageBackend backend;

  @BeforeAll
  void start() {
    cluster = RedisCluster.start();
  }

  @AfterAll
  void stop() {
    cluster.close();
  }

  @BeforeEach
  void open() {
    backend = RedisStorageBackend.clusterBuilder(List.of(cluster.seed())).keyPrefix(PREFIX).build();
  }

  @AfterEach
  void close() {
    backend.close();
    cluster.nodes().forEach(RedisCommands::flushall);
  }

  private static RecordValue value(String text, @Nullable Instant expiry) {
    return new RecordValue(
        Bytes.copyOf(text.getBytes(UTF_8)), true, expiry, UUID.randomUUID().toString());
  }

  private int slot(String partition) {
    return SlotHash.getSlot(keys.all(partition));
  }

  /** A partition whose slot is one of those that the node began with. */
  private String partitionOn(int node) {
    return Stream.generate(() -> "p" + UUID.randomUUID())
        .filter(name -> slot(name) * 3 / SlotHash.SLOT_COUNT == node)
        .findFirst()
        .orElseThrow();
  }

  private VersionedRecord insert(RecordKey key, RecordValue value) {
    assertThat(backend.putIfVersion(key, value, StorageBackend.ABSENT)).isEqualTo(new Written(1));
    return new VersionedRecord(key, value, 1);
  }

  private RecordPage list(String partition) {
    return backend.list(new ListQuery(partition, null, false, 10));
  }

  private List<Long> sizes() {
    return cluster.nodes().map(RedisCommands::dbsize).toList();
  }

  @Test
  void partitions_ofEveryNode_areKeptThere() {
    for (int node = 0; node < 3; node++) {
      RecordKey key = new RecordKey(partitionOn(node), "task");
      VersionedRecord record = insert(key, value("data", null));
      assertThat(backend.get(key)).contains(record);
      assertThat(list(key.partition()).records()).containsExactly(record);
    }
    // a record, and the three indexes it is in
    assertThat(sizes()).containsExactly(4L, 4L, 4L);
    for (int node = 0; node < 3; node++) {
      assertThat(cluster.node(node).keys(PREFIX + "*:r:task")).hasSize(1);
    }
  }

  @Test
  void purgeExpired_ofRecordsOnEveryNode_removesAllWithinItsLimit() {
    Instant later = PAST.plus(Duration.ofDays(100_000));
    for (int node = 0; node < 3; node++) {
      String partition = partitionOn(node);
      for (int i = 0; i < 2; i++) {
        insert(new RecordKey(partition, "due" + i), value("data", PAST));
      }
      insert(new RecordKey(partition, "stays"), value("data", later));
    }

    int first = backend.purgeExpired(Instant.now(), 5);
    int second = backend.purgeExpired(Instant.now(), 5);

    assertThat(List.of(first, second)).containsExactly(5, 1);
    assertThat(sizes()).containsExactly(4L, 4L, 4L);
    assertThat(backend.purgeExpired(Instant.now(), 5)).isZero();
  }

  @Test
  void calls_ofABackendForOneServer_areToldThatThisIsACluster() {
    RecordKey key = new RecordKey(partitionOn(1), "task");
    try (StorageBackend one =
        RedisStorageBackend.builder(cluster.seed()).keyPrefix(PREFIX).build()) {
      assertThatThrownBy(() -> one.get(key))
          .isInstanceOf(StorageUnavailableException.class)
          .hasMessage(
              "get of %s: Redis at 127.0.0.1:%d refuses it: it is a node of a Cluster, and the key is on another; is the url redis-cluster:?"
                  .formatted(key, cluster.server(0).port()));
    }
  }

  // --- slots that move ----------------------------------------------------------------------

  private String id(int node) {
    return cluster.node(node).clusterMyId();
  }

  private void beginMove(int slot, int from, int to) {
    cluster.node(to).clusterSetSlotImporting(slot, id(from));
    cluster.node(from).clusterSetSlotMigrating(slot, id(to));
  }

  private void move(int from, int to, List<String> moved) {
    cluster
        .node(from)
        .migrate("127.0.0.1", cluster.server(to).port(), 0, 5_000, MigrateArgs.Builder.keys(moved));
  }

  private void endMove(int slot, int from, int to) {
    String owner = id(to);
    // The one that takes it must know first.
    IntStream.of(to, from, 3 - from - to)
        .forEach(node -> cluster.node(node).clusterSetSlotNode(slot, owner));
  }

  /** The client goes by what it knew when it was opened, and is told MOVED. */
  @Test
  void calls_afterTheirSlotHasMoved_goToTheNewNode() {
    String partition = partitionOn(0);
    int slot = slot(partition);
    VersionedRecord record = insert(new RecordKey(partition, "one"), value("data", null));
    try {
      beginMove(slot, 0, 1);
      move(0, 1, cluster.node(0).keys("*{" + partition + "}*"));
      endMove(slot, 0, 1);

      assertThat(backend.get(record.key())).contains(record);
      VersionedRecord other = insert(new RecordKey(partition, "two"), value("more", null));
      assertThat(list(partition).records()).containsExactly(record, other);
      assertThat(backend.deleteIfVersion(record.key(), 1)).isEqualTo(Deleted.DELETED);
      assertThat(sizes()).containsExactly(0L, 4L, 0L);
    } finally {
      cluster.nodes().forEach(RedisCommands::flushall);
      endMove(slot, 1, 0);
    }
  }

  /** With some of its keys here and others there, a record is not there for scripts. */
  @Test
  void list_whileItsSlotMoves_neverShowsLivingRecordsAsCorruptOrAbsent() {
    String partition = partitionOn(0);
    int slot = slot(partition);
    VersionedRecord one = insert(new RecordKey(partition, "one"), value("data", null));
    VersionedRecord two = insert(new RecordKey(partition, "two"), value("data", null));
    try {
      beginMove(slot, 0, 1);
      for (String moved : List.of("r:two", "r:one", "active", "active-due", "all")) {
        assertListIsCompleteOrFails(partition, one, two);
        assertThat(backend.get(one.key())).contains(one);
        move(0, 1, List.of(PREFIX + "{" + partition + "}:" + moved));
      }
      assertListIsCompleteOrFails(partition, one, two);
      endMove(slot, 0, 1);

      assertThat(list(partition).records()).containsExactly(one, two);
    } finally {
      cluster.nodes().forEach(RedisCommands::flushall);
      endMove(slot, 1, 0);
    }
  }

  private void assertListIsCompleteOrFails(String partition, VersionedRecord... records) {
    RecordPage page;
    try {
      page = list(partition);
    } catch (StorageUnavailableException e) {
      assertThat(e.isRetryable()).as(e.getMessage()).isTrue();
      return;
    }
    assertThat(page.corrupt()).isEmpty();
    assertThat(page.records()).containsExactly(records);
  }

  /** The ids of records that Redis has dropped are in the indexes until a write finds them. */
  @Test
  void write_whileItsSlotMovesAndDeadMembersAreInTheIndex_happensWholeOrNotAtAll() {
    String partition = partitionOn(0);
    int slot = slot(partition);
    VersionedRecord dead = insert(new RecordKey(partition, "dead"), value("data", PAST));
    insert(new RecordKey(partition, "alive"), value("data", null));
    // Without any member of an index, Redis would not run the script at all now.
    RecordValue done = new RecordValue(Bytes.EMPTY, false, null, "done");
    insert(new RecordKey(partition, "done"), done);
    cluster.node(0).del(PREFIX + "{" + partition + "}:r:dead");
    RecordKey key = new RecordKey(partition, "alive");
    try {
      beginMove(slot, 0, 1);
      RecordValue next = value("next", PAST.plus(Duration.ofDays(100_000)));
      Throwable failure = catchThrowable(() -> backend.putIfVersion(key, next, 1));

      assertThat(backend.get(key).orElseThrow().version())
          .as("the version after a put that ended in %s", failure)
          .isEqualTo(failure == null ? 2 : 1);
      assertThat(backend.get(dead.key())).isEmpty();
    } finally {
      cluster.nodes().forEach(RedisCommands::flushall);
      endMove(slot, 1, 0);
    }
  }
}
