// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.testservers.RedisServer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A server that flushes every write, and its clients, are killed at random moments under load: what
 * was acknowledged is there, indexes and records agree, and when all has expired nothing is left.
 */
@Timeout(value = 30, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class RedisCrashTest {
  private static final Path REPORT = Path.of("target", "crash-report.md");

  @BeforeAll
  static void silenceTheClient() {
    ClientLog.silence();
  }

  @Test
  void kill_serverUnderLoad_keepsWhatWasAcknowledged() throws Exception {
    System.out.println(killServer(ThreadLocalRandom.current().nextLong(), 6));
  }

  @Test
  void kill_clientUnderLoad_leavesNothingHalfWritten() throws Exception {
    System.out.println(killClients(ThreadLocalRandom.current().nextLong(), 3));
  }

  /**
   * How many kills of each by {@code -Dtaskstore.redis.kills}, from which seed by {@code
   * -Dtaskstore.redis.seed}.
   */
  @Test
  @Tag("campaign")
  void kill_hundredsOfTimes_keepsWhatWasAcknowledged() throws Exception {
    long seed = Long.getLong("taskstore.redis.seed", System.nanoTime() % 1_000_000);
    int kills = Integer.getInteger("taskstore.redis.kills", 200);
    String report = killServer(seed, kills) + "\n" + killClients(seed, kills / 4);
    System.out.println(report);
    Files.createDirectories(REPORT.toAbsolutePath().getParent());
    Files.writeString(REPORT, "# Killed servers and clients\n\n" + report + "\n");
  }

  private static String killServer(long seed, int kills) throws Exception {
    long start = System.nanoTime();
    try (Storage storage = new Storage()) {
      Random random = new Random(seed);
      List<RedisLoad> loads = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        RedisStorageBackend backend = storage.backends.get(thread % 2);
        loads.add(
            new RedisLoad(backend, "t" + thread + "-", random.nextLong(), storage.model::hear));
      }
      ExecutorService executor = Executors.newFixedThreadPool(loads.size());
      try {
        for (int kill = 0; kill < kills; kill++) {
          long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
          Stop stop = new Stop();
          List<Future<?>> working = new ArrayList<>();
          loads.forEach(load -> working.add(executor.submit(() -> load.run(stop))));
          // a random moment, which nothing waits for
          LockSupport.parkNanos(
              TimeUnit.MILLISECONDS.toNanos(5) + random.nextInt(100) * 1_000_000L);
          storage.assertNoScan();
          storage.server.kill();
          storage.server.restart();
          long again = storage.model.writes() + 20;
          while (storage.model.writes() < again && working.stream().noneMatch(Future::isDone)) {
            assertThat(System.nanoTime() - end).as("waiting for writes").isNegative();
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
          }
          stop.stopped = true;
          for (Future<?> load : working) {
            load.get(60, TimeUnit.SECONDS);
          }
          storage.check();
        }
      } finally {
        executor.shutdownNow();
      }
      storage.assertAllExpires();
      return "kill -9 of the server, seed %d: %d kills, %,d acknowledged writes, none lost, indexes and records agreed after each, nothing left after expiry, %d s"
          .formatted(seed, kills, storage.model.writes(), seconds(start));
    }
  }

  private static String killClients(long seed, int kills) throws Exception {
    long start = System.nanoTime();
    try (Storage storage = new Storage()) {
      Random random = new Random(seed);
      String url = storage.server.url();
      for (int kill = 0; kill < kills; kill++) {
        long clients = storage.clients();
        String prefix = "c" + kill + "-";
        String childSeed = Long.toString(random.nextLong());
        try (RedisChild child = RedisChild.start("load", url, Storage.PREFIX, prefix, childSeed)) {
          child.awaitReady();
          child.begin();
          for (int lines = 20 + random.nextInt(400); lines > 0; lines--) {
            storage.model.hear(child.next());
          }
          child.kill().forEach(storage.model::hear);
        }
        await("the connection of a killed client to end", () -> storage.clients() == clients);
        storage.check();
      }
      storage.assertAllExpires();
      return "kill -9 of clients, seed %d: %d kills, %,d acknowledged writes, none lost, %d of %d others were done whole, nothing left after expiry, %d s"
          .formatted(
              seed,
              kills,
              storage.model.writes(),
              storage.model.survivors(),
              kills,
              seconds(start));
    }
  }

  private static long seconds(long start) {
    return Duration.ofNanos(System.nanoTime() - start).toSeconds();
  }

  private static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - end).as("waiting for %s", what).isNegative();
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
  }

  private static final class Stop implements BooleanSupplier {
    private volatile boolean stopped;

    @Override
    public boolean getAsBoolean() {
      return stopped;
    }
  }

  /** A server that flushes every write, and two instances that let it drop records when due. */
  private static final class Storage implements RedisModel.RedisIndexes, AutoCloseable {
    private static final String PREFIX = "crash:";

    private final RedisServer server =
        RedisServer.start("--appendonly", "yes", "--appendfsync", "always");
    private final RedisClient client = RedisClient.create(server.url());
    private final StatefulRedisConnection<String, String> admin = client.connect();
    private final RedisKeys keys = new RedisKeys(PREFIX);
    private final RedisModel model = new RedisModel();
    private final List<RedisStorageBackend> backends = List.of(open(), open());

    private RedisStorageBackend open() {
      return RedisStorageBackend.builder(RedisURI.create(server.url()))
          .keyPrefix(PREFIX)
          .expiryAllowance(Duration.ZERO)
          .build();
    }

    private RedisCommands<String, String> redis() {
      return admin.sync();
    }

    long clients() {
      return redis().clientList().lines().count();
    }

    void check() {
      model.check(backends.get(0), this);
      for (String partition : RedisLoad.PARTITIONS) {
        Instant now = Instant.now();
        int active = model.active(partition, now);
        RecordKey key = new RecordKey(partition, "one-more");
        RecordValue value = new RecordValue(RedisLoad.data("one-more"), true, null, "one-more");
        RedisStorageBackend backend = backends.get(1);
        if (active > 0) {
          assertThat(backend.createWithin(key, value, active, now)).isEqualTo(Full.FULL);
        }
        assertThat(backend.createWithin(key, value, active + 1, now)).isEqualTo(Created.CREATED);
        assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
      }
    }

    /** Neither of a script, nor of a client: no command may look through somebody's server. */
    void assertNoScan() {
      assertThat(redis().info("commandstats"))
          .contains("cmdstat_")
          .doesNotContain("cmdstat_scan")
          .doesNotContain("cmdstat_keys");
    }

    /** Gives all a near expiry; then it goes without any call of ours. */
    void assertAllExpires() {
      RedisStorageBackend backend = backends.get(0);
      int changed = 0;
      for (String partition : RedisLoad.PARTITIONS) {
        for (VersionedRecord stored : RedisModel.list(backend, partition)) {
          RecordValue was = stored.value();
          Instant soon = Instant.now().plusMillis(300).truncatedTo(ChronoUnit.MILLIS);
          RecordValue value = new RecordValue(was.data(), was.active(), soon, "last");
          backend.putIfVersion(stored.key(), value, stored.version());
          changed++;
        }
      }
      assertThat(changed).as("records that were there").isPositive();
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (redis().dbsize() > 0) {
        assertThat(System.nanoTime() - end).as("what is still there: %s", rest()).isNegative();
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
      }
      assertNoScan();
    }

    /** What the test knows to be there, with what is in it, and in how many ms it goes. */
    private List<String> rest() {
      List<String> rest = new ArrayList<>();
      for (String partition : RedisLoad.PARTITIONS) {
        for (int number = 1; number <= 4; number++) {
          String index = new String(index(partition, number), UTF_8);
          rest.add(
              index + " " + redis().zrangeWithScores(index, 0, -1) + " " + redis().pttl(index));
        }
        for (VersionedRecord stored : RedisModel.list(backends.get(0), partition)) {
          String key = new String(keys.record(stored.key()), UTF_8);
          rest.add(RedisModel.text(stored) + " " + redis().pttl(key));
        }
      }
      return rest;
    }

    private Set<String> members(byte[] index) {
      return new TreeSet<>(redis().zrange(new String(index, UTF_8), 0, -1));
    }

    private byte[] index(String partition, int number) {
      return keys.ofWrite(new RecordKey(partition, "any"))[number];
    }

    @Override
    public Set<String> all(String partition) {
      return members(index(partition, 1));
    }

    @Override
    public Set<String> active(String partition) {
      return members(index(partition, 2));
    }

    @Override
    public Set<String> activeDue(String partition) {
      return members(index(partition, 3));
    }

    @Override
    public Set<String> doneDue(String partition) {
      return members(index(partition, 4));
    }

    @Override
    public void close() {
      backends.forEach(RedisStorageBackend::close);
      admin.close();
      client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
      server.close();
    }
  }
}
