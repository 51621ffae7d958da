// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScoredValue;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.InputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What a release stores, later ones can read: the commands in {@code format-1.txt} are what the
 * first one has stored, one for each key, all bytes as ISO 8859-1. This release still stores the
 * same.
 */
final class FixtureTest {
  private static final String PARTITION = "ts:Zo\u00eb {1}%";
  private static final Instant EXPIRY = Instant.ofEpochMilli(4_102_444_800_123L);

  private static final VersionedRecord ACTIVE =
      new VersionedRecord(
          new RecordKey(PARTITION, "id 1"),
          new RecordValue(Bytes.copyOf(new byte[] {'{', '"', 0, (byte) 0xFF}), true, EXPIRY, "w-2"),
          2);

  private static final VersionedRecord DONE =
      new VersionedRecord(
          new RecordKey(PARTITION, "id {2}"),
          new RecordValue(Bytes.copyOf(new byte[0]), false, null, "w-3"),
          1);

  private RedisServer server;
  private RedisClient client;
  private StatefulRedisConnection<byte[], byte[]> connection;
  private StorageBackend backend;

  @BeforeEach
  void setUp() {
    server = RedisServer.start();
    client = RedisClient.create(server.url());
    connection = client.connect(ByteArrayCodec.INSTANCE);
    backend =
        RedisStorageBackend.builder(RedisURI.create(server.url())).keyPrefix("fixture:").build();
  }

  @AfterEach
  void tearDown() {
    backend.close();
    connection.close();
    client.shutdown();
    server.close();
  }

  private static List<String> fixture() throws IOException {
    try (InputStream in = FixtureTest.class.getResourceAsStream("format-1.txt")) {
      String text = new String(Objects.requireNonNull(in).readAllBytes(), ISO_8859_1);
      return Arrays.asList(text.split("\n", -1)).stream().filter(line -> !line.isEmpty()).toList();
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(ISO_8859_1);
  }

  /** A line is a command, a tab, its key, and what it sets, all between tabs. */
  private void load(String line) {
    RedisCommands<byte[], byte[]> redis = connection.sync();
    String[] words = line.split("\t", -1);
    byte[] key = bytes(words[1]);
    for (int i = 2; i < words.length; i += 2) {
      switch (words[0]) {
        case "HSET" -> redis.hset(key, bytes(words[i]), bytes(words[i + 1]));
        case "ZADD" -> redis.zadd(key, Double.parseDouble(words[i]), bytes(words[i + 1]));
        case "PEXPIREAT" -> redis.pexpireat(key, Long.parseLong(words[i]));
        default -> throw new AssertionError(line);
      }
    }
  }

  private List<String> stored() {
    RedisCommands<byte[], byte[]> redis = connection.sync();
    List<String> lines = new ArrayList<>();
    for (byte[] key : redis.keys("*")) {
      String name = new String(key, ISO_8859_1);
      if (redis.type(key).equals("hash")) {
        TreeMap<String, String> fields = new TreeMap<>();
        redis
            .hgetall(key)
            .forEach((f, v) -> fields.put(new String(f, ISO_8859_1), new String(v, ISO_8859_1)));
        lines.add(
            fields.entrySet().stream()
                .map(field -> "\t" + field.getKey() + "\t" + field.getValue())
                .collect(Collectors.joining("", "HSET\t" + name, "")));
      } else {
        StringBuilder line = new StringBuilder("ZADD\t" + name);
        for (ScoredValue<byte[]> member : redis.zrangeWithScores(key, 0, -1)) {
          line.append('\t').append(member.getScore());
          line.append('\t').append(new String(member.getValue(), ISO_8859_1));
        }
        lines.add(line.toString());
      }
      long expiry = redis.pexpiretime(key);
      if (expiry > 0) {
        lines.add("PEXPIREAT\t" + name + "\t" + expiry);
      }
    }
    return lines;
  }

  @Test
  void format1_isRead() throws IOException {
    fixture().forEach(this::load);

    assertThat(backend.get(ACTIVE.key())).contains(ACTIVE);
    assertThat(backend.get(DONE.key())).contains(DONE);
    ListQuery all = new ListQuery(PARTITION, null, false, 10);
    assertThat(backend.list(all).records()).containsExactly(ACTIVE, DONE);
    assertThat(backend.listActive(all).heads())
        .extracting(head -> head.key())
        .containsExactly(ACTIVE.key());
    RecordKey another = new RecordKey(PARTITION, "id 3");
    assertThat(backend.createWithin(another, ACTIVE.value(), 1, Instant.EPOCH))
        .isEqualTo(Full.FULL);
  }

  @Test
  void format1_isWritten() throws IOException {
    RecordValue first = new RecordValue(Bytes.copyOf("x".getBytes(UTF_8)), true, null, "w-1");
    backend.putIfVersion(ACTIVE.key(), first, StorageBackend.ABSENT);
    backend.putIfVersion(ACTIVE.key(), ACTIVE.value(), 1);
    backend.putIfVersion(DONE.key(), DONE.value(), StorageBackend.ABSENT);

    assertThat(stored()).containsExactlyInAnyOrderElementsOf(fixture());
  }
}
