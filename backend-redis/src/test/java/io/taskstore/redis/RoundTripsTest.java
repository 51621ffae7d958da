// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static io.taskstore.TaskChange.change;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What each operation sends to the server: one command, and of a reading one nothing that writes.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class RoundTripsTest {
  private static final int MAX_ACTIVE = 3;
  private static final Owner ALICE = Owner.subject("alice");

  /** What a server that takes no writes lets a script do, of what a reading one needs. */
  private static final Set<String> READING =
      Set.of("EVALSHA", "HMGET", "EXISTS", "ZRANGEBYLEX", "ZREVRANGEBYLEX");

  private final RedisKeys keys = new RedisKeys(RedisStorageBackend.DEFAULT_KEY_PREFIX);
  private final Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
  private final AtomicInteger partitions = new AtomicInteger();
  private RedisServer server;
  private RedisClient client;
  private StatefulRedisConnection<byte[], byte[]> connection;
  private StorageBackend backend;
  private TaskStore store;
  private CommandLog log;

  @BeforeAll
  void open() throws IOException {
    server = RedisServer.start();
    client = RedisClient.create(server.url());
    connection = client.connect(ByteArrayCodec.INSTANCE);
    backend = RedisStorageBackend.open(RedisURI.create(server.url()));
    store = GenericTaskStore.builder(backend).maxActiveTasks(100).build();
    log = new CommandLog(server);
  }

  /** Of a server that has not got a script yet, more is asked once. */
  @BeforeEach
  void loadScripts() {
    for (Script script : Script.values()) {
      admin().scriptLoad(script.text());
    }
  }

  @AfterAll
  void close() throws IOException {
    log.close();
    store.close();
    backend.close();
    connection.close();
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    server.close();
  }

  private RedisCommands<byte[], byte[]> admin() {
    return connection.sync();
  }

  /** An operation, and how it ends. */
  private enum Operation {
    GET("HMGET", true),
    GET_ABSENT("HMGET", true),
    LIST("EVALSHA", true),
    LIST_DESCENDING_FROM_CURSOR("EVALSHA", true),
    LIST_EMPTY("EVALSHA", true),
    LIST_WITH_DROPPED("EVALSHA", true),
    LIST_WITH_UNREADABLE("EVALSHA", true),
    LIST_ACTIVE("EVALSHA", true),
    LIST_ACTIVE_WITH_DROPPED("EVALSHA", true),
    PUT_NEW("EVALSHA", false),
    PUT_WRITTEN("EVALSHA", false),
    PUT_NO_LONGER_ACTIVE("EVALSHA", false),
    PUT_CONFLICT("EVALSHA", false),
    PUT_CONFLICT_ABSENT("EVALSHA", false),
    CREATE("EVALSHA", false),
    CREATE_FULL("EVALSHA", false),
    CREATE_CONFLICT("EVALSHA", false),
    CREATE_OWN("EVALSHA", false),
    DELETE("EVALSHA", false),
    DELETE_CONFLICT("EVALSHA", false),
    DELETE_ABSENT("EVALSHA", false);

    private final String command;
    private final boolean isReading;

    Operation(String command, boolean isReading) {
      this.command = command;
      this.isReading = isReading;
    }
  }

  private RecordValue value(boolean active, String writeId) {
    Bytes data = Bytes.unsafeWrap("some data".getBytes(UTF_8));
    return new RecordValue(data, active, now.plus(Duration.ofHours(1)), writeId);
  }

  /** Stores what is needed in a partition of its own, and returns the call. */
  private Runnable prepare(Operation operation) {
    String partition = "p" + partitions.incrementAndGet();
    RecordKey key = new RecordKey(partition, "b");
    RecordKey absent = new RecordKey(partition, "nobody");
    ListQuery query = new ListQuery(partition, null, false, 10);
    ListQuery empty = new ListQuery(partition + "-none", null, false, 10);
    ListQuery descending = new ListQuery(partition, "c", true, 1);
    RecordValue next = value(true, "next");
    RecordValue last = value(false, "last");
    for (String id : List.of("a", "b", "c")) {
      assertThat(backend.createWithin(new RecordKey(partition, id), value(true, id), 9, now))
          .isEqualTo(Created.CREATED);
    }
    if (operation.name().endsWith("_DROPPED")) {
      admin().del(keys.record(new RecordKey(partition, "a"))); // as Redis does by itself
    }
    if (operation.name().endsWith("_UNREADABLE")) {
      admin().hdel(keys.record(new RecordKey(partition, "a")), new byte[] {'v'});
    }
    return switch (operation) {
      case GET -> () -> assertThat(backend.get(key)).isPresent();
      case GET_ABSENT -> () -> assertThat(backend.get(absent)).isEmpty();
      case LIST -> () -> assertThat(backend.list(query).records()).hasSize(3);
      case LIST_DESCENDING_FROM_CURSOR ->
          () -> assertThat(backend.list(descending).next()).isEqualTo("b");
      case LIST_EMPTY -> () -> assertThat(backend.list(empty).records()).isEmpty();
      case LIST_WITH_DROPPED -> () -> assertThat(backend.list(query).records()).hasSize(2);
      case LIST_WITH_UNREADABLE -> () -> assertThat(backend.list(query).corrupt()).hasSize(1);
      case LIST_ACTIVE -> () -> assertThat(backend.listActive(query).heads()).hasSize(3);
      case LIST_ACTIVE_WITH_DROPPED ->
          () -> assertThat(backend.listActive(query).heads()).hasSize(2);
      case PUT_NEW ->
          () -> assertThat(backend.putIfVersion(absent, next, 0)).isEqualTo(new Written(1));
      case PUT_WRITTEN ->
          () -> assertThat(backend.putIfVersion(key, next, 1)).isEqualTo(new Written(2));
      case PUT_NO_LONGER_ACTIVE ->
          () -> assertThat(backend.putIfVersion(key, last, 1)).isEqualTo(new Written(2));
      case PUT_CONFLICT ->
          () -> assertThat(backend.putIfVersion(key, next, 7)).isInstanceOf(Conflict.class);
      case PUT_CONFLICT_ABSENT ->
          () -> assertThat(backend.putIfVersion(absent, next, 7)).isEqualTo(Conflict.ABSENT);
      case CREATE ->
          () -> assertThat(create(absent, next, MAX_ACTIVE + 1)).isEqualTo(Created.CREATED);
      case CREATE_FULL -> () -> assertThat(create(absent, next, MAX_ACTIVE)).isEqualTo(Full.FULL);
      case CREATE_CONFLICT ->
          () -> assertThat(create(key, next, MAX_ACTIVE)).isInstanceOf(Conflict.class);
      case CREATE_OWN ->
          () -> assertThat(create(key, value(true, "b"), 1)).isEqualTo(Created.CREATED);
      case DELETE -> () -> assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
      case DELETE_CONFLICT ->
          () -> assertThat(backend.deleteIfVersion(key, 7)).isInstanceOf(Conflict.class);
      case DELETE_ABSENT ->
          () -> assertThat(backend.deleteIfVersion(absent, 7)).isEqualTo(Conflict.ABSENT);
    };
  }

  private Object create(RecordKey key, RecordValue value, int max) {
    return backend.createWithin(key, value, max, now);
  }

  @ParameterizedTest
  @EnumSource
  void operation_anyEnd_sendsOneCommand(Operation operation) throws IOException {
    Runnable call = prepare(operation);
    log.take();

    call.run();

    assertThat(sent(log.take())).containsExactly(operation.command);
  }

  /** The same by the server's own statistics, which count what scripts call as well. */
  @ParameterizedTest
  @EnumSource
  void operation_anyEnd_isOneCommandInTheStatistics(Operation operation) throws IOException {
    Runnable call = prepare(operation);
    admin().configResetstat();
    log.take();

    call.run();

    Map<String, Long> counted = commandStatistics();
    List<CommandLog.Entry> ran = log.take();
    Map<String, Long> ofScript =
        ran.stream()
            .filter(CommandLog.Entry::isOfScript)
            .collect(Collectors.groupingBy(CommandLog.Entry::name, Collectors.counting()));
    ofScript.forEach((name, count) -> counted.merge(name, -count, Long::sum));
    counted.values().removeIf(count -> count == 0);
    assertThat(counted).isEqualTo(Map.of(operation.command, 1L));
  }

  private static Stream<Operation> reading() {
    return Stream.of(Operation.values()).filter(operation -> operation.isReading);
  }

  @ParameterizedTest
  @MethodSource("reading")
  void operation_reading_writesNothing(Operation operation) throws IOException {
    Runnable call = prepare(operation);
    long before = changes();
    log.take();

    call.run();

    assertThat(log.take()).extracting(CommandLog.Entry::name).isNotEmpty().isSubsetOf(READING);
    assertThat(changes()).isEqualTo(before);
  }

  @Test
  void changes_afterWrite_areCounted() {
    long before = changes();

    prepare(Operation.PUT_NEW).run();

    assertThat(changes()).as("so that reading can be seen to add none").isGreaterThan(before);
  }

  @Test
  void operation_scriptsForgotten_isSentOnceMoreAsText() throws IOException {
    Runnable call = prepare(Operation.PUT_WRITTEN);
    admin().scriptFlush();
    log.take();

    call.run();

    assertThat(sent(log.take())).containsExactly("EVALSHA", "EVAL");
  }

  // --- the store over it --------------------------------------------------------------------

  @Test
  void storeCreate_withinLimit_sendsOneCommand() throws IOException {
    log.take();

    store.create(ALICE, NewTask.of("m", Map.of("a", 1)).set("b", 2));

    assertThat(sent(log.take())).containsExactly("EVALSHA");
  }

  @Test
  void storeGet_found_sendsOneCommand() throws IOException {
    Task task = store.create(ALICE, NewTask.of("m"));
    log.take();

    assertThat(store.get(ALICE, task.id()).version()).isEqualTo(1);

    assertThat(sent(log.take())).containsExactly("HMGET");
  }

  @Test
  void storeUpdate_inHand_sendsOneCommandEach() throws IOException {
    Task task = store.create(ALICE, NewTask.of("m"));
    log.take();

    for (int i = 0; i < 5; i++) {
      task = store.update(task, change().set("i", i).progress(i, 5));
    }
    task = store.update(task, change().complete(Map.of("i", 5)));

    assertThat(task.isTerminal()).isTrue();
    assertThat(sent(log.take())).hasSize(6).containsOnly("EVALSHA");
  }

  @Test
  void storeUpdate_byId_readsAndWrites() throws IOException {
    Task task = store.create(ALICE, NewTask.of("m"));
    log.take();

    store.update(ALICE, task.id(), change().complete(Map.of("i", 5)));

    assertThat(sent(log.take())).containsExactly("HMGET", "EVALSHA");
  }

  @Test
  void storeList_page_sendsOneCommand() throws IOException {
    store.create(ALICE, NewTask.of("m"));
    log.take();

    assertThat(store.list(ALICE, TaskQuery.newestFirst()).tasks()).isNotEmpty();

    assertThat(sent(log.take())).containsExactly("EVALSHA");
  }

  // --- counting -----------------------------------------------------------------------------

  private static List<String> sent(List<CommandLog.Entry> entries) {
    return entries.stream().filter(e -> !e.isOfScript()).map(CommandLog.Entry::name).toList();
  }

  /** Calls by command, without those that this test makes to find out. */
  private Map<String, Long> commandStatistics() {
    Map<String, Long> calls = new TreeMap<>();
    admin()
        .info("commandstats")
        .lines()
        .filter(line -> line.startsWith("cmdstat_"))
        .forEach(
            line -> {
              String name = line.substring("cmdstat_".length(), line.indexOf(':'));
              String count = line.replaceFirst(".*calls=(\\d+),usec=.*", "$1");
              calls.put(name.toUpperCase(Locale.ROOT), Long.parseLong(count));
            });
    calls.remove("CONFIG|RESETSTAT");
    calls.remove("ECHO");
    return calls;
  }

  private long changes() {
    return admin()
        .info("persistence")
        .lines()
        .filter(line -> line.startsWith("rdb_changes_since_last_save:"))
        .mapToLong(line -> Long.parseLong(line.substring(line.indexOf(':') + 1)))
        .sum();
  }
}
