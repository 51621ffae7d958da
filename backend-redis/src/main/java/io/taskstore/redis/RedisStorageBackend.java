// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisCommandTimeoutException;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.RedisReadOnlyException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.IntegerOutput;
import io.lettuce.core.output.NestedMultiOutput;
import io.lettuce.core.protocol.AsyncCommand;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Keeps records in Redis: a single server, one with Sentinels, or a Cluster. Every operation is one
 * script, and one round trip. Records that have expired go by themselves.
 *
 * <p>What a success survives is for the server to say: see its {@code appendonly} and its replicas.
 */
public final class RedisStorageBackend implements StorageBackend {
  static final String DEFAULT_KEY_PREFIX = "taskstore:";

  /** Of a key prefix, in UTF-8. */
  static final int MAX_PREFIX_BYTES = 200;

  static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(3);
  static final Duration MIN_TIMEOUT = Duration.ofMillis(10);
  static final Duration MAX_TIMEOUT = Duration.ofMinutes(1);
  static final Duration DEFAULT_ALLOWANCE = Duration.ofMinutes(5);
  static final Duration MAX_ALLOWANCE = Duration.ofDays(1);
  static final int MAX_REPLICAS = 100;
  static final int DEFAULT_MAX_DATA_BYTES = 4 << 20;

  /** The server's own limit of a value ({@code proto-max-bulk-len}) by default. */
  static final int MAX_DATA_BYTES = 512 << 20;

  /** How often at most connections to a replica are given up. */
  private static final long LEAVE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private static final byte[] NONE = {};
  private static final byte[][] NO_KEYS = {};
  private static final byte[] YES = {'1'};
  private static final byte[] NO = {'0'};

  /** Where the write id is among the arguments of the scripts that have one. */
  private static final int WRITE_ID = 6;

  private static final byte[][] FIELDS = {
    {'v'}, {'a'}, {'e'}, {'w'}, {'d'},
  };

  private final RedisLink link;
  private final RedisKeys keys;
  private final BackendTraits traits;
  private final Duration timeout;
  private final byte[] allowance;
  private final int replicas;
  private final AtomicLong leftReplica = new AtomicLong(System.nanoTime() - LEAVE_NANOS);
  private volatile boolean closed;

  private RedisStorageBackend(RedisLink link, Builder options) {
    this.link = link;
    this.keys = new RedisKeys(options.keyPrefix);
    this.traits = new BackendTraits("redis", true, true, true, options.maxDataBytes);
    this.timeout = options.timeout;
    this.allowance = number(options.expiryAllowance.toMillis());
    this.replicas = options.replicas;
  }

  /**
   * Opens a server with the default options.
   *
   * @param uri for example {@code redis://localhost:6379} or {@code
   *     redis-sentinel://host1,host2#nameOfTheMaster}
   * @throws StorageException if the server cannot be used
   */
  public static RedisStorageBackend open(RedisURI uri) {
    return builder(uri).build();
  }

  /** Begins with a server, or with the master that Sentinels name. */
  public static Builder builder(RedisURI uri) {
    return new Builder(false, List.of(uri), null, null);
  }

  /**
   * The same, through a client that is the caller's: it stays open when the backend is closed.
   * Connections of the backend's own are opened from it.
   *
   * <p>The client must send nothing twice and keep nothing for later, so its {@code ClientOptions}
   * need {@code disconnectedBehavior(REJECT_COMMANDS)} and {@code replayFilter(command -> true)};
   * {@link Builder#build} refuses others. How fast it connects again, and whether it finds out that
   * a connection is dead, is for its own options and resources.
   */
  public static Builder builder(RedisClient client, RedisURI uri) {
    return new Builder(false, List.of(uri), Objects.requireNonNull(client, "client"), null);
  }

  /**
   * Begins with a Cluster.
   *
   * @param seeds some of its nodes; the others are found through them
   * @throws IllegalArgumentException if there are none
   */
  public static Builder clusterBuilder(List<RedisURI> seeds) {
    if (seeds.isEmpty()) {
      throw new IllegalArgumentException("a Cluster needs one node at least to find the others");
    }
    return new Builder(true, seeds, null, null);
  }

  /**
   * The same, through a client that is the caller's: it stays open when the backend is closed. See
   * {@link #builder(RedisClient, RedisURI)} for the options that it needs.
   */
  public static Builder clusterBuilder(RedisClusterClient client) {
    return new Builder(true, List.of(), null, Objects.requireNonNull(client, "client"));
  }

  /** The options of a backend. */
  public static final class Builder {
    private final boolean isCluster;
    private final List<RedisURI> uris;
    private final @Nullable RedisClient client;
    private final @Nullable RedisClusterClient clusterClient;
    private String keyPrefix = DEFAULT_KEY_PREFIX;
    private Duration timeout = DEFAULT_TIMEOUT;
    private Duration expiryAllowance = DEFAULT_ALLOWANCE;
    private int replicas;
    private int maxDataBytes = DEFAULT_MAX_DATA_BYTES;
    private @Nullable Path certificates;

    private Builder(
        boolean isCluster,
        List<RedisURI> uris,
        @Nullable RedisClient client,
        @Nullable RedisClusterClient clusterClient) {
      this.isCluster = isCluster;
      this.uris = List.copyOf(uris);
      this.client = client;
      this.clusterClient = clusterClient;
    }

    /**
     * What all keys begin with; by default {@value #DEFAULT_KEY_PREFIX}. Backends with different
     * prefixes share a server without seeing each other's records.
     *
     * @throws IllegalArgumentException if there is a brace in it, which means something in Cluster,
     *     or a lone surrogate, or if it is longer than {@value #MAX_PREFIX_BYTES} bytes
     */
    public Builder keyPrefix(String prefix) {
      this.keyPrefix = RedisKeys.checkPrefix(prefix);
      return this;
    }

    /**
     * How long a request, and connecting, may take; by default three seconds. A call is one
     * request, and two after the server has forgotten its scripts.
     *
     * @throws IllegalArgumentException if it is not from ten milliseconds to a minute
     */
    public Builder timeout(Duration limit) {
      if (limit.compareTo(MIN_TIMEOUT) < 0 || limit.compareTo(MAX_TIMEOUT) > 0) {
        throw new IllegalArgumentException(
            "timeout is %s, from %s to %s are allowed".formatted(limit, MIN_TIMEOUT, MAX_TIMEOUT));
      }
      this.timeout = limit;
      return this;
    }

    /**
     * How much later than its expiry Redis drops a record, because its clock and those of the
     * stores differ; by default five minutes. The same for all who share a storage: where some have
     * a smaller one, records that have expired may stay a little after their indexes.
     *
     * @throws IllegalArgumentException if it is negative, or above a day
     */
    public Builder expiryAllowance(Duration allowance) {
      if (allowance.isNegative() || allowance.compareTo(MAX_ALLOWANCE) > 0) {
        throw new IllegalArgumentException(
            "expiryAllowance is %s, from %s to %s are allowed"
                .formatted(allowance, Duration.ZERO, MAX_ALLOWANCE));
      }
      this.expiryAllowance = allowance;
      return this;
    }

    /**
     * How many replicas must have a write before it is a success, with the server's command {@code
     * WAIT}; by default none. A write that too few have within half the timeout is an {@link
     * OutcomeUnknownException}: the master has it, and a failover may lose it. It makes a loss
     * rarer, not impossible: a Sentinel may choose a replica that has not got it.
     *
     * <p>All writes of this backend then go through one connection, one after the other, so the
     * time to a replica and back bounds their rate.
     *
     * @throws IllegalArgumentException if it is not from 0 to {@value #MAX_REPLICAS}
     */
    public Builder replicas(int count) {
      if (count < 0 || count > MAX_REPLICAS) {
        throw new IllegalArgumentException(
            "replicas is %d, from 0 to %d are allowed".formatted(count, MAX_REPLICAS));
      }
      this.replicas = count;
      return this;
    }

    /**
     * The largest data of a record, in bytes; by default 4 MiB.
     *
     * @throws IllegalArgumentException if it is not from 1 to 512 MiB, which no value of Redis
     *     exceeds
     */
    public Builder maxDataBytes(int bytes) {
      if (bytes < 1 || bytes > MAX_DATA_BYTES) {
        throw new IllegalArgumentException(
            "maxDataBytes is %d, from 1 to %d are allowed".formatted(bytes, MAX_DATA_BYTES));
      }
      this.maxDataBytes = bytes;
      return this;
    }

    /**
     * The certificates, in PEM, of the authorities that the server's certificate may be from,
     * instead of those that the JVM trusts. For URIs with TLS.
     *
     * @throws IllegalArgumentException if the file cannot be read, or if the client is the caller's
     */
    public Builder caFile(Path file) {
      if (client != null || clusterClient != null) {
        throw new IllegalArgumentException("caFile is for the client's own SslOptions");
      }
      if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
        throw new IllegalArgumentException("caFile %s is no file that can be read".formatted(file));
      }
      this.certificates = file;
      return this;
    }

    /**
     * Connects.
     *
     * @throws IllegalArgumentException if the client that was handed in has options that are
     *     refused, or if a Cluster is to wait for replicas: {@code WAIT} has no key, so it would
     *     ask any node
     * @throws StorageException if the server cannot be used
     */
    public RedisStorageBackend build() {
      if (isCluster && replicas > 0) {
        throw new IllegalArgumentException(
            "replicas cannot be waited for in a Cluster; its servers' own min-replicas-to-write"
                + " refuses writes while too few replicas are connected");
      }
      RedisLink link;
      try {
        link = connect();
      } catch (RedisException e) {
        throw Failures.ofOpening(RedisLink.endpoint(uris), e);
      }
      RedisStorageBackend backend = new RedisStorageBackend(link, this);
      try {
        backend.checkServer();
      } catch (RuntimeException e) {
        backend.close();
        throw e;
      }
      return backend;
    }

    private RedisLink connect() {
      if (client != null) {
        return RedisLink.toServer(client, uris.get(0), replicas > 0, () -> {});
      }
      if (clusterClient != null) {
        return RedisLink.toCluster(clusterClient, null, () -> {});
      }
      List<RedisURI> bounded = new ArrayList<>();
      for (RedisURI uri : uris) {
        // for the handshake, which has a minute otherwise
        bounded.add(withTimeout(uri));
      }
      return isCluster
          ? RedisLink.toCluster(bounded, timeout, certificates)
          : RedisLink.toServer(bounded.get(0), timeout, certificates, replicas > 0);
    }

    /** A copy; the client's own way to make one forgets the Sentinels. */
    private RedisURI withTimeout(RedisURI uri) {
      RedisURI.Builder copy = RedisURI.builder(uri).withTimeout(timeout);
      if (!uri.getSentinels().isEmpty()) {
        copy.withSentinelMasterId(uri.getSentinelMasterId());
        for (RedisURI sentinel : uri.getSentinels()) {
          copy.withSentinel(RedisURI.builder(sentinel).withTimeout(timeout).build());
        }
      }
      return copy.build();
    }
  }

  // --- operations ---------------------------------------------------------------------------

  @Override
  public BackendTraits traits() {
    return traits;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    String operation = "get";
    List<KeyValue<byte[], byte[]>> found =
        call(operation, key, false, () -> commands().hmget(keys.record(key), FIELDS));
    byte[][] fields = new byte[FIELDS.length][];
    int there = 0;
    for (int i = 0; i < fields.length; i++) {
      fields[i] = found.get(i).getValueOrElse(NONE);
      there += found.get(i).hasValue() ? 1 : 0;
    }
    if (there == 0) {
      return Optional.empty();
    }
    // Data may be empty, nothing else.
    if (!found.get(4).hasValue()
        || fields[0].length == 0
        || fields[1].length == 0
        || fields[3].length == 0) {
      throw incomplete(operation, key, null);
    }
    return Optional.of(
        record(operation, key, fields[0], fields[1], fields[2], fields[3], fields[4]));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    String operation = "putIfVersion";
    List<Object> answer =
        write(
            Script.PUT,
            operation,
            key,
            keys.ofWrite(key),
            arguments(operation, key, value, expected));
    return isDone(answer) ? new Written(expected + 1) : conflict(operation, key, answer);
  }

  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    Instant at = StorageArguments.checkCreateWithin(key, value, max, now);
    String operation = "createWithin";
    byte[][] put = arguments(operation, key, value, ABSENT);
    byte[][] arguments = Arrays.copyOf(put, put.length + 2);
    arguments[put.length] = number(max);
    arguments[put.length + 1] = number(at.toEpochMilli());
    List<Object> answer = write(Script.CREATE_WITHIN, operation, key, keys.ofWrite(key), arguments);
    if (answer.get(0) instanceof Long code && code == 2) {
      return Full.FULL;
    }
    return isDone(answer) ? Created.CREATED : conflict(operation, key, answer);
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    String operation = "deleteIfVersion";
    byte[][] arguments = {
      keys.records(key.partition()), key.id().getBytes(UTF_8), number(expected), allowance
    };
    List<Object> answer = write(Script.DELETE, operation, key, keys.ofWrite(key), arguments);
    return isDone(answer) ? Deleted.DELETED : conflict(operation, key, answer);
  }

  private byte[][] arguments(String operation, RecordKey key, RecordValue value, long expected) {
    byte[] data = value.data().unsafeArray();
    if (data.length > traits.maxDataBytes()) {
      throw new RecordTooLargeException(operation, key, traits.maxDataBytes(), data.length, null);
    }
    Instant expiry = value.expiresAt();
    return new byte[][] {
      keys.records(key.partition()),
      key.id().getBytes(UTF_8),
      expected == ABSENT ? NONE : number(expected),
      number(expected + 1),
      value.active() ? YES : NO,
      expiry == null ? NONE : number(expiry.toEpochMilli()),
      value.writeId().getBytes(UTF_8),
      data,
      allowance,
      replicas > 0 ? YES : NO
    };
  }

  @Override
  public RecordPage list(ListQuery query) {
    String operation = "list";
    List<VersionedRecord> records = new ArrayList<>();
    List<CorruptRecord> corrupt = new ArrayList<>();
    List<Object> page = page(operation, query, keys.all(query.partition()), false);
    for (List<Object> found : entries(page)) {
      RecordKey key = new RecordKey(query.partition(), text(found, 0));
      try {
        if (found.size() == 1) {
          throw incomplete(operation, key, null);
        }
        records.add(record(operation, key, found));
      } catch (CorruptRecordException e) {
        corrupt.add(new CorruptRecord(key, e.reason()));
      }
    }
    return new RecordPage(records, corrupt, next(page));
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    String operation = "listActive";
    List<RecordHead> heads = new ArrayList<>();
    List<CorruptRecord> corrupt = new ArrayList<>();
    List<Object> page = page(operation, query, keys.active(query.partition()), true);
    for (List<Object> found : entries(page)) {
      RecordKey key = new RecordKey(query.partition(), text(found, 0));
      try {
        if (found.size() == 1) {
          throw incomplete(operation, key, null);
        }
        heads.add(new RecordHead(key, expiry(operation, key, bytes(found, 1))));
      } catch (CorruptRecordException e) {
        corrupt.add(new CorruptRecord(key, e.reason()));
      }
    }
    return new HeadPage(heads, corrupt, next(page));
  }

  private List<Object> page(String operation, ListQuery query, byte[] index, boolean heads) {
    String after = query.after();
    byte[][] arguments = {
      keys.records(query.partition()),
      after == null ? NONE : after.getBytes(UTF_8),
      query.descending() ? YES : NO,
      number(query.limit()),
      number(RecordPage.TARGET_BYTES),
      heads ? YES : NO
    };
    return read(Script.LIST, operation, new byte[][] {index}, arguments);
  }

  @SuppressWarnings("unchecked") // the script's answer
  private static List<List<Object>> entries(List<Object> page) {
    List<List<Object>> entries = new ArrayList<>(page.size());
    for (Object entry : page.subList(1, page.size())) {
      entries.add((List<Object>) entry);
    }
    return entries;
  }

  private static @Nullable String next(List<Object> page) {
    String next = text(page, 0);
    return next.isEmpty() ? null : next;
  }

  /** Looks through all keys of the server, or of all masters of the Cluster. */
  @Override
  public int purgeExpired(Instant now, int limit) {
    Instant until = StorageArguments.checkPurge(now, limit);
    String operation = "purgeExpired";
    ScanArgs ours = ScanArgs.Builder.limit(1_000).match(keys.duePattern());
    int purged = 0;
    KeyScanCursor<byte[]> cursor =
        call(operation, null, false, () -> commands().scan(ScanCursor.INITIAL, ours));
    while (true) {
      for (byte[] index : cursor.getKeys()) {
        if (purged == limit) {
          return purged;
        }
        purged += purge(operation, index, until, limit - purged);
      }
      if (cursor.isFinished()) {
        return purged;
      }
      KeyScanCursor<byte[]> from = cursor;
      cursor = call(operation, null, false, () -> commands().scan(from, ours));
    }
  }

  private int purge(String operation, byte[] index, Instant until, int limit) {
    byte[][] ofPartition = RedisKeys.ofPurge(index);
    byte[][] arguments = {ofPartition[0], number(until.toEpochMilli()), number(limit), allowance};
    List<Object> answer =
        run(
            operation,
            null,
            true,
            byDigest -> send(commands(), Script.PURGE, byDigest, ofPartition, arguments));
    return Math.toIntExact((Long) answer.get(0));
  }

  // --- answers ------------------------------------------------------------------------------

  private static boolean isDone(List<Object> answer) {
    return answer.get(0) instanceof Long code && code == 1;
  }

  private static Conflict conflict(String operation, RecordKey key, List<Object> answer) {
    if ((Long) answer.get(0) < 0) {
      throw incomplete(operation, key, null);
    }
    return answer.size() == 1 ? Conflict.ABSENT : new Conflict(record(operation, key, answer));
  }

  private static VersionedRecord record(String operation, RecordKey key, List<Object> fields) {
    return record(
        operation,
        key,
        bytes(fields, 1),
        bytes(fields, 2),
        bytes(fields, 3),
        bytes(fields, 4),
        bytes(fields, 5));
  }

  private static VersionedRecord record(
      String operation,
      RecordKey key,
      byte[] version,
      byte[] active,
      byte[] expiry,
      byte[] writeId,
      byte[] data) {
    try {
      boolean isActive = active.length == 1 && active[0] == '1';
      RecordValue value =
          new RecordValue(
              Bytes.unsafeWrap(data),
              isActive,
              expiry(operation, key, expiry),
              new String(writeId, UTF_8));
      return new VersionedRecord(key, value, Long.parseLong(new String(version, UTF_8)));
    } catch (IllegalArgumentException e) {
      throw incomplete(operation, key, e);
    }
  }

  private static @Nullable Instant expiry(String operation, RecordKey key, byte[] text) {
    try {
      return text.length == 0
          ? null
          : Instant.ofEpochMilli(Long.parseLong(new String(text, UTF_8)));
    } catch (NumberFormatException e) {
      throw incomplete(operation, key, e);
    }
  }

  private static CorruptRecordException incomplete(
      String operation, RecordKey key, @Nullable Throwable cause) {
    return new CorruptRecordException(
        operation, key, "its hash lacks a field, or has one that nobody of us writes", cause);
  }

  private static byte[] bytes(List<Object> answer, int index) {
    return (byte[]) answer.get(index);
  }

  private static String text(List<Object> answer, int index) {
    return new String(bytes(answer, index), UTF_8);
  }

  private static byte[] number(long number) {
    return Long.toString(number).getBytes(UTF_8);
  }

  // --- calls --------------------------------------------------------------------------------

  private RedisClusterAsyncCommands<byte[], byte[]> commands() {
    return link.commands();
  }

  /** What must be permitted, and is not asked for by each call, is found out when it is opened. */
  private void checkServer() {
    String operation = "open";
    byte[][] key = {keys.all("p")};
    List<Object> missing =
        run(
            operation,
            null,
            false,
            byDigest -> send(commands(), Script.RIGHTS, byDigest, NO_KEYS, key));
    if (!missing.isEmpty()) {
      // A script that may not use one of them would end in the middle of its work.
      throw Failures.ofRights(
          operation,
          link.endpoint(),
          missing.stream().map(name -> new String((byte[]) name, UTF_8)).toList());
    }
    StatefulRedisConnection<byte[], byte[]> connection = link.replicated();
    if (connection != null) {
      call(operation, null, false, () -> connection.async().waitForReplication(0, 1));
    }
  }

  private List<Object> read(
      Script script, String operation, byte[][] keysOfCall, byte[][] arguments) {
    return run(
        operation,
        null,
        false,
        byDigest -> send(commands(), script, byDigest, keysOfCall, arguments));
  }

  private List<Object> write(
      Script script, String operation, RecordKey key, byte[][] keysOfCall, byte[][] arguments) {
    StatefulRedisConnection<byte[], byte[]> replicated = link.replicated();
    if (replicated == null) {
      return run(
          operation,
          key,
          true,
          byDigest -> send(commands(), script, byDigest, keysOfCall, arguments));
    }
    Replication replication = new Replication(replicated);
    List<Object> answer =
        run(
            operation,
            key,
            true,
            byDigest -> replication.send(script, byDigest, keysOfCall, arguments));
    // What is absent may have been deleted by this very call, sent before.
    boolean isAbsent = script == Script.DELETE && answer.size() == 1 && (Long) answer.get(0) == 0;
    if (isDone(answer) || isAbsent || isOwn(answer, arguments)) {
      replication.await(operation, key);
    }
    return answer;
  }

  /** Whether who won a race is this very write, sent before. */
  private static boolean isOwn(List<Object> answer, byte[][] arguments) {
    return arguments.length > WRITE_ID
        && answer.size() > 5
        && Arrays.equals(bytes(answer, 4), arguments[WRITE_ID]);
  }

  private interface Sending {
    RedisFuture<List<Object>> send(boolean byDigest);
  }

  private List<Object> run(
      String operation, @Nullable RecordKey key, boolean writes, Sending sending) {
    try {
      return await(operation, key, writes, () -> sending.send(true));
    } catch (RedisNoScriptException e) {
      // It was not run: the server has restarted, or somebody has flushed the scripts.
      return call(operation, key, writes, () -> sending.send(false));
    }
  }

  private static RedisFuture<List<Object>> send(
      RedisClusterAsyncCommands<byte[], byte[]> to,
      Script script,
      boolean byDigest,
      byte[][] keysOfCall,
      byte[][] arguments) {
    return byDigest
        ? to.evalsha(script.digest(), ScriptOutputType.MULTI, keysOfCall, arguments)
        : to.eval(script.text(), ScriptOutputType.MULTI, keysOfCall, arguments);
  }

  /** How many replicas have what was written: asked in the same trip as the write. */
  private final class Replication {
    private final StatefulRedisConnection<byte[], byte[]> connection;
    private @Nullable RedisFuture<Long> count;
    private long end;

    Replication(StatefulRedisConnection<byte[], byte[]> connection) {
      this.connection = connection;
    }

    /**
     * As one batch: a connection that is made anew between the two has written nothing, so it would
     * have nothing to wait for.
     */
    RedisFuture<List<Object>> send(
        Script script, boolean byDigest, byte[][] keysOfCall, byte[][] arguments) {
      CommandArgs<byte[], byte[]> call =
          new CommandArgs<>(ByteArrayCodec.INSTANCE)
              .add(byDigest ? script.digest() : script.text())
              .add(keysOfCall.length)
              .addKeys(keysOfCall)
              .addValues(arguments);
      AsyncCommand<byte[], byte[], List<Object>> write =
          new AsyncCommand<>(
              new Command<>(
                  byDigest ? CommandType.EVALSHA : CommandType.EVAL,
                  new NestedMultiOutput<>(ByteArrayCodec.INSTANCE),
                  call));
      AsyncCommand<byte[], byte[], Long> wait =
          new AsyncCommand<>(
              new Command<>(
                  CommandType.WAIT,
                  new IntegerOutput<>(ByteArrayCodec.INSTANCE),
                  new CommandArgs<>(ByteArrayCodec.INSTANCE)
                      .add(replicas)
                      .add(timeout.toMillis() / 2)));
      count = wait;
      end = System.nanoTime() + timeout.toNanos();
      connection.dispatch(List.of(write, wait));
      return write;
    }

    void await(String operation, RecordKey key) {
      Throwable cause = null;
      long have = 0;
      try {
        have =
            count == null
                ? 0
                : count.get(Math.max(1, end - System.nanoTime()), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        cause = e;
      } catch (ExecutionException | TimeoutException | CancellationException e) {
        cause = e;
      }
      if (have < replicas) {
        throw new OutcomeUnknownException(
            operation,
            key,
            "Redis at %s has done it, but only %d of %d replicas are known to have it: a failover may lose it"
                .formatted(link.endpoint(), have, replicas),
            cause);
      }
    }
  }

  private <T> T call(
      String operation, @Nullable RecordKey key, boolean writes, Supplier<RedisFuture<T>> command) {
    try {
      return await(operation, key, writes, command);
    } catch (RedisNoScriptException e) {
      throw Failures.of(operation, key, writes, link.endpoint(), e);
    }
  }

  private <T> T await(
      String operation, @Nullable RecordKey key, boolean writes, Supplier<RedisFuture<T>> command) {
    long end = System.nanoTime() + timeout.toNanos();
    while (true) {
      if (closed) {
        throw new BackendClosedException(operation, key, "the backend was closed", null);
      }
      RedisFuture<T> answer = null;
      try {
        answer = command.get();
        return answer.get(Math.max(1, end - System.nanoTime()), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        answer.cancel(true);
        Thread.currentThread().interrupt();
        throw writes
            ? new OutcomeUnknownException(operation, key, "the thread was interrupted", e)
            : new StorageUnavailableException(
                operation, key, true, "the thread was interrupted", e);
      } catch (ExecutionException e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        if (cause instanceof RedisNoScriptException missing) {
          throw missing;
        }
        if (cause instanceof RedisReadOnlyException) {
          leaveReplica();
        }
        if (!canBeSentAgain(cause, writes, end)) {
          throw failure(operation, key, writes, cause);
        }
      } catch (CancellationException e) {
        if (!canBeSentAgain(e, writes, end)) {
          throw failure(operation, key, writes, e);
        }
      } catch (IllegalStateException e) {
        if (!closed) {
          throw e;
        }
        // the client says so of a connection that was closed before the command was sent
        throw new BackendClosedException(operation, key, "the backend was closed", e);
      } catch (RedisException e) {
        if (!canBeSentAgain(e, writes, end)) {
          throw failure(operation, key, writes, e);
        }
      } catch (TimeoutException e) {
        answer.cancel(true);
        throw failure(operation, key, writes, e);
      }
    }
  }

  /** Once for all who are told so at the same time. */
  private void leaveReplica() {
    long now = System.nanoTime();
    long last = leftReplica.get();
    if (now - last >= LEAVE_NANOS && leftReplica.compareAndSet(last, now)) {
      link.leaveReplica().run();
    }
  }

  /**
   * Waits a little for the client to connect again, if there is time and no harm in it: the command
   * was not sent, or it only reads.
   */
  private boolean canBeSentAgain(Throwable e, boolean writes, long end) {
    boolean isLost =
        !(e instanceof RedisCommandExecutionException)
            && !(e instanceof RedisCommandTimeoutException);
    boolean can =
        (Failures.isRejected(e) || (isLost && !writes)) && System.nanoTime() - end < 0 && !closed;
    if (can) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(2));
    }
    return can;
  }

  private StorageException failure(
      String operation, @Nullable RecordKey key, boolean sent, Throwable e) {
    return closed && !sent
        ? new BackendClosedException(operation, key, "the backend was closed", e)
        : Failures.of(operation, key, sent, link.endpoint(), e);
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      link.closing().run();
    }
  }

  /** Shows the kind only: an address may tell who its user is. */
  @Override
  public String toString() {
    return "RedisStorageBackend";
  }
}
