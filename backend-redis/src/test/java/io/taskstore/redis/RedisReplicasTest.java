// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Writes that wait for a replica, and one that is connected and does not answer. */
final class RedisReplicasTest {
  private static final RecordKey KEY = new RecordKey("owner", "record");

  private RedisServer master;
  private RedisServer replica;
  private RedisClient client;
  private RedisCommands<String, String> ofReplica;
  private StatefulRedisConnection<String, String> blocker;

  @BeforeEach
  void start() {
    master = RedisServer.start("--repl-diskless-sync-delay", "0");
    replica = RedisServer.start("--replicaof", "127.0.0.1", Integer.toString(master.port()));
    client = RedisClient.create(replica.url());
    ofReplica = client.connect().sync();
    ofReplica.configSet("busy-reply-threshold", "5");
    blocker = client.connect();
    RedisCommands<String, String> ofMaster = client.connect(RedisURI.create(master.url())).sync();
    await(
        "the replica to be in step",
        () ->
            ofReplica.info("replication").contains("master_link_status:up")
                && ofMaster.info("replication").contains("state=online"));
  }

  @AfterEach
  void close() {
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    replica.close();
    master.close();
  }

  private static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as("waiting for %s", what).isNegative();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
  }

  private boolean isReplicaBusy() {
    try {
      ofReplica.ping();
      return false;
    } catch (RedisException e) {
      return String.valueOf(e.getMessage()).startsWith("BUSY");
    }
  }

  private void stallReplica() {
    var unused = blocker.async().eval("while true do end", ScriptOutputType.STATUS);
    await("the replica to be busy", this::isReplicaBusy);
  }

  private void healReplica() {
    ofReplica.scriptKill();
    await("the replica to be back", () -> !isReplicaBusy());
  }

  private RedisStorageBackend open() {
    return RedisStorageBackend.builder(RedisURI.create(master.url()))
        .timeout(Duration.ofSeconds(3))
        .replicas(1)
        .build();
  }

  private static RecordValue value(String writeId) {
    return new RecordValue(Bytes.EMPTY, true, null, writeId);
  }

  private void assertNotAcknowledged(String operation, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOf(OutcomeUnknownException.class)
        .hasMessage(
            "%s of %s: Redis at 127.0.0.1:%d has done it, but only 0 of 1 replicas are known to have it: a failover may lose it"
                .formatted(operation, KEY, master.port()));
  }

  @Test
  void write_replicaHasIt_isASuccess() {
    try (StorageBackend backend = open()) {
      assertThat(backend.createWithin(KEY, value("one"), 1, Instant.EPOCH))
          .isEqualTo(Created.CREATED);
      assertThat(ofReplica.hget("taskstore:{owner}:r:record", "w")).isEqualTo("one");
      assertThat(backend.putIfVersion(KEY, value("two"), 1)).isEqualTo(new Written(2));
      assertThat(ofReplica.hget("taskstore:{owner}:r:record", "w")).isEqualTo("two");
      assertThat(backend.deleteIfVersion(KEY, 2)).isEqualTo(Deleted.DELETED);
      assertThat(ofReplica.dbsize()).isZero();
    }
  }

  @Test
  void write_replicaIsSilent_isUnknown_andSoIsItsRepetition_untilTheReplicaHasIt() {
    try (StorageBackend backend = open();
        StorageBackend another = open()) {
      assertThat(backend.createWithin(KEY, value("one"), 1, Instant.EPOCH))
          .isEqualTo(Created.CREATED);
      stallReplica();
      assertNotAcknowledged("putIfVersion", () -> backend.putIfVersion(KEY, value("two"), 1));
      // Its connection has written nothing yet.
      assertNotAcknowledged("putIfVersion", () -> another.putIfVersion(KEY, value("two"), 1));

      healReplica();

      VersionedRecord two = new VersionedRecord(KEY, value("two"), 2);
      assertThat(another.putIfVersion(KEY, value("two"), 1)).isEqualTo(new Conflict(two));
      assertThat(ofReplica.hget("taskstore:{owner}:r:record", "w")).isEqualTo("two");
    }
  }

  @Test
  void create_replicaIsSilent_isUnknown_andSoIsItsRepetition_untilTheReplicaHasIt() {
    try (StorageBackend backend = open();
        StorageBackend another = open()) {
      stallReplica();
      assertNotAcknowledged(
          "createWithin", () -> backend.createWithin(KEY, value("one"), 1, Instant.EPOCH));
      assertNotAcknowledged(
          "createWithin", () -> another.createWithin(KEY, value("one"), 1, Instant.EPOCH));

      healReplica();

      assertThat(another.createWithin(KEY, value("one"), 1, Instant.EPOCH))
          .isEqualTo(Created.CREATED);
      assertThat(ofReplica.hget("taskstore:{owner}:r:record", "w")).isEqualTo("one");
    }
  }

  @Test
  void delete_replicaIsSilent_isUnknown_andSoIsItsRepetition_untilTheReplicaHasIt() {
    try (StorageBackend backend = open()) {
      backend.createWithin(KEY, value("one"), 1, Instant.EPOCH);
      stallReplica();
      assertNotAcknowledged("deleteIfVersion", () -> backend.deleteIfVersion(KEY, 1));
      assertNotAcknowledged("deleteIfVersion", () -> backend.deleteIfVersion(KEY, 1));

      healReplica();

      assertThat(backend.deleteIfVersion(KEY, 1)).isEqualTo(Conflict.ABSENT);
      assertThat(ofReplica.dbsize()).isZero();
    }
  }

  @Test
  void writeThatLost_replicaIsSilent_isAConflictAtOnce() {
    try (StorageBackend backend = open()) {
      backend.createWithin(KEY, value("one"), 1, Instant.EPOCH);
      stallReplica();

      assertThat(backend.putIfVersion(KEY, value("two"), 5))
          .isEqualTo(new Conflict(new VersionedRecord(KEY, value("one"), 1)));
      healReplica();
    }
  }
}
