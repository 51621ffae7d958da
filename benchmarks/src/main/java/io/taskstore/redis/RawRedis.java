// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Lettuce alone. It sends what the backend sends, byte for byte, and waits for the answer with a
 * timeout; it does not look at what is in it, but for the one number that says that it was done.
 * What does not change from call to call is made beforehand.
 *
 * <p>In this package because the scripts and the keys are; public because the suite is in another
 * one.
 */
public final class RawRedis implements AutoCloseable {
  private static final byte[] NONE = {};
  private static final byte[] YES = {'1'};
  private static final byte[] NO = {'0'};
  private static final byte[][] FIELDS = {{'v'}, {'a'}, {'e'}, {'w'}, {'d'}};
  private static final Long DONE = 1L;

  /** How many commands are under way while a store is filled. */
  private static final int WINDOW = 1_000;

  private final RedisClient client;
  private final StatefulRedisConnection<byte[], byte[]> connection;
  private final RedisAsyncCommands<byte[], byte[]> commands;
  private final RedisKeys keys = new RedisKeys(RedisStorageBackend.DEFAULT_KEY_PREFIX);
  private final byte[] allowance = number(RedisStorageBackend.DEFAULT_ALLOWANCE.toMillis());
  private final long timeoutMillis = RedisStorageBackend.DEFAULT_TIMEOUT.toMillis();

  /**
   * Connects, and gives the server the scripts.
   *
   * @param url for example {@code redis://localhost:6379}
   */
  public RawRedis(String url) {
    client = RedisClient.create(url);
    // those of the backend
    client.setOptions(
        ClientOptions.builder()
            .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
            .replayFilter(command -> true)
            .socketOptions(
                SocketOptions.builder()
                    .connectTimeout(RedisStorageBackend.DEFAULT_TIMEOUT)
                    .keepAlive(true)
                    .tcpNoDelay(true)
                    .build())
            .build());
    connection = client.connect(ByteArrayCodec.INSTANCE);
    commands = connection.async();
    for (Script script : Script.values()) {
      connection.sync().scriptLoad(script.text());
    }
  }

  private static byte[] number(long number) {
    return Long.toString(number).getBytes(UTF_8);
  }

  /** What is done to one record, or read of one partition. */
  public interface Reading {
    /** Sends it, and waits for the answer. */
    void run() throws ExecutionException, InterruptedException, TimeoutException;
  }

  /** A write, of which the version and the write id are new each time. */
  public interface Writing {
    /** Sends it, and waits for the answer. */
    void run(long expected, String writeId)
        throws ExecutionException, InterruptedException, TimeoutException;
  }

  private <T> T await(RedisFuture<T> answer)
      throws ExecutionException, InterruptedException, TimeoutException {
    return answer.get(timeoutMillis, TimeUnit.MILLISECONDS);
  }

  private RedisFuture<List<Object>> send(Script script, byte[][] keysOfCall, byte[][] arguments) {
    return commands.evalsha(script.digest(), ScriptOutputType.MULTI, keysOfCall, arguments);
  }

  private static void check(boolean holds) {
    if (!holds) {
      throw new IllegalStateException("not the answer that is to be measured");
    }
  }

  private static void checkDone(List<Object> answer) {
    check(DONE.equals(answer.get(0)));
  }

  /** Reads a record, which must be there. */
  public Reading get(RecordKey key) {
    byte[] record = keys.record(key);
    return () -> {
      List<KeyValue<byte[], byte[]>> found = await(commands.hmget(record, FIELDS));
      check(found.get(0).hasValue());
    };
  }

  /** Writes a record over a version that it must have. */
  public Writing putIfVersion(RecordKey key, RecordValue value) {
    byte[][] keysOfCall = keys.ofWrite(key);
    byte[][] arguments = arguments(key, value, 0);
    return (expected, writeId) -> {
      byte[][] its = arguments.clone();
      its[2] = number(expected);
      its[3] = number(expected + 1);
      its[6] = writeId.getBytes(UTF_8);
      checkDone(await(send(Script.PUT, keysOfCall, its)));
    };
  }

  /** Creates a record, which must not be there, and for which there must be room. */
  public Writing createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    byte[][] keysOfCall = keys.ofWrite(key);
    byte[][] put = arguments(key, value, 2);
    put[put.length - 2] = number(max);
    put[put.length - 1] = number(now.toEpochMilli());
    return (expected, writeId) -> {
      byte[][] its = put.clone();
      its[6] = writeId.getBytes(UTF_8);
      checkDone(await(send(Script.CREATE_WITHIN, keysOfCall, its)));
    };
  }

  /** Deletes a record, which must have the version. */
  public Reading deleteIfVersion(RecordKey key, long expected) {
    byte[][] keysOfCall = keys.ofWrite(key);
    byte[][] arguments = {
      keys.records(key.partition()), key.id().getBytes(UTF_8), number(expected), allowance
    };
    return () -> checkDone(await(send(Script.DELETE, keysOfCall, arguments)));
  }

  /** Reads a page, which must be full. */
  public Reading list(ListQuery query) {
    return page(query, keys.all(query.partition()), NO);
  }

  /** Reads a page of heads, which must be full. */
  public Reading listActive(ListQuery query) {
    return page(query, keys.active(query.partition()), YES);
  }

  private Reading page(ListQuery query, byte[] index, byte[] heads) {
    String after = query.after();
    byte[][] keysOfCall = {index};
    byte[][] arguments = {
      keys.records(query.partition()),
      after == null ? NONE : after.getBytes(UTF_8),
      query.descending() ? YES : NO,
      number(query.limit()),
      number(RecordPage.TARGET_BYTES),
      heads
    };
    return () -> check(await(send(Script.LIST, keysOfCall, arguments)).size() == query.limit() + 1);
  }

  /** Those of a creation, with some places left at the end. */
  private byte[][] arguments(RecordKey key, RecordValue value, int more) {
    byte[][] all = new byte[10 + more][];
    all[0] = keys.records(key.partition());
    all[1] = key.id().getBytes(UTF_8);
    all[2] = NONE;
    all[3] = YES;
    all[4] = value.active() ? YES : NO;
    Instant expiry = value.expiresAt();
    all[5] = expiry == null ? NONE : number(expiry.toEpochMilli());
    all[6] = value.writeId().getBytes(UTF_8);
    all[7] = value.data().unsafeArray();
    all[8] = allowance;
    all[9] = NO;
    return all;
  }

  /** Stores many records quickly, with the script that stores one. Only one thread may. */
  public final class Filling {
    private final Deque<RedisFuture<List<Object>>> underWay = new ArrayDeque<>();

    private Filling() {
      connection.setAutoFlushCommands(false);
    }

    /** Creates a record, which must not be there. */
    public void create(RecordKey key, RecordValue value)
        throws ExecutionException, InterruptedException, TimeoutException {
      underWay.add(send(Script.PUT, keys.ofWrite(key), arguments(key, value, 0)));
      if (underWay.size() == WINDOW) {
        connection.flushCommands();
        awaitAll(WINDOW / 2);
      }
    }

    private void awaitAll(int butFor)
        throws ExecutionException, InterruptedException, TimeoutException {
      while (underWay.size() > butFor) {
        // Longer than for one: there are many before it.
        checkDone(Objects.requireNonNull(underWay.poll()).get(1, TimeUnit.MINUTES));
      }
    }

    /** Waits for all of them. */
    public void finish() throws ExecutionException, InterruptedException, TimeoutException {
      connection.flushCommands();
      awaitAll(0);
      connection.setAutoFlushCommands(true);
    }
  }

  /** Begins to store many records; nothing else may be done until it is finished. */
  public Filling fill() {
    return new Filling();
  }

  /** The figure or text of this name that the server tells of itself. */
  public String info(String name) {
    return connection
        .sync()
        .info()
        .lines()
        .filter(line -> line.startsWith(name + ":"))
        .map(line -> line.substring(name.length() + 1))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("the server does not tell its " + name));
  }

  @Override
  public void close() {
    connection.close();
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
  }
}
