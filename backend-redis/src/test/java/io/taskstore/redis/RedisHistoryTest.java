// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.taskstore.contract.HistoryWorkload;
import io.taskstore.contract.TcpProxy;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Threads on two instances race for a few keys while connections are cut at random bytes, what is
 * sent arrives in pieces, and the server forgets its scripts: whatever the callers were told is
 * linearizable, where a write whose outcome is unknown may be done at any later time, or never.
 */
final class RedisHistoryTest {
  private static final Path REPORT = Path.of("target", "history-report.md");
  private static final int THREADS = 8;

  /** Of so many requests and answers about one is cut; then all threads wait for a connection. */
  private static final int SELDOM = 150;

  private static final int OFTEN = 50;

  @BeforeAll
  static void silenceTheClient() {
    ClientLog.silence();
  }

  @Test
  void history_connectionsCut_isLinearizable() throws Exception {
    System.out.println(run(ThreadLocalRandom.current().nextLong(), 1_500, OFTEN));
  }

  /**
   * How many calls by {@code -Dtaskstore.redis.calls}, from which seed by {@code
   * -Dtaskstore.redis.seed}.
   */
  @Test
  @Tag("campaign")
  void history_connectionsCutThousandsOfTimes_isLinearizable() throws Exception {
    long seed = Long.getLong("taskstore.redis.seed", System.nanoTime() % 1_000_000);
    String report = run(seed, Integer.getInteger("taskstore.redis.calls", 200_000) / 2, SELDOM);
    System.out.println(report);
    Files.createDirectories(REPORT.toAbsolutePath().getParent());
    Files.writeString(REPORT, "# Histories under connection cuts\n\n" + report + "\n");
  }

  /** Half of the calls without deletes, whose judgement is exact at any length, half with some. */
  private static String run(long seed, int callsOfEach, int cutOf) throws Exception {
    try (Troubled troubled = new Troubled(seed, cutOf)) {
      long start = System.nanoTime();
      String free = troubled.run(HistoryWorkload.deleteFree(seed, THREADS, callsOfEach), "free");
      String deletes = troubled.run(HistoryWorkload.withDeletes(seed, THREADS, callsOfEach), "del");
      return "histories over Redis, seed %d, %d threads, 2 instances, %d s%nwithout deletes: %s%nwith deletes: %s"
          .formatted(
              seed,
              THREADS,
              Duration.ofNanos(System.nanoTime() - start).toSeconds(),
              free,
              deletes);
    }
  }

  /** A server whose connections are cut, and two instances on it. */
  private static final class Troubled implements AutoCloseable {
    private final RedisServer server = RedisServer.start();
    private final TcpProxy proxy;
    private final List<StorageBackend> instances;
    private final long seed;
    private final int cutOf;
    private final Thread flushing = new Thread(this::flushScripts, "script-flush");
    private volatile boolean stopped;
    private volatile long flushes;

    Troubled(long seed, int cutOf) throws IOException {
      this.seed = seed;
      this.cutOf = cutOf;
      this.proxy = TcpProxy.to("127.0.0.1", server.port());
      RedisURI uri = RedisURI.create("redis://127.0.0.1:" + proxy.port());
      this.instances =
          List.of(
              RedisStorageBackend.builder(uri).build(), RedisStorageBackend.builder(uri).build());
      flushing.start();
    }

    String run(HistoryWorkload workload, String partition) {
      proxy.cutAtRandom(seed, cutOf);
      long cutsBefore = proxy.cuts();
      long flushesBefore = flushes;
      long start = System.nanoTime();
      HistoryWorkload.Summary done = workload.run(instances, partition);
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      long cuts = proxy.cuts() - cutsBefore;
      assertThat(done.calls()).as("calls that were judged").isEqualTo(workload.calls());
      assertThat(cuts).as("cuts").isGreaterThan(workload.calls() / cutOf / 10);
      assertThat(done.unknown()).as("writes with an unknown outcome").isPositive();
      assertThat(done.writes()).as("writes that succeeded").isGreaterThan(done.calls() / 100);
      assertThat(done.conflicts()).as("writes that lost").isPositive();
      assertThat(flushes).as("flushed scripts").isGreaterThan(flushesBefore);
      return "linearizable: %,d operations on %,d keys, %,d cuts, %,d script flushes, %,d writes done, %,d conflicts, %,d outcomes unknown, %,d failed without an effect, %,d ms"
          .formatted(
              done.calls(),
              done.keys(),
              cuts,
              flushes - flushesBefore,
              done.writes(),
              done.conflicts(),
              done.unknown(),
              done.failed(),
              took.toMillis());
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes it
    private void flushScripts() {
      try (RedisClient client = RedisClient.create(server.url());
          StatefulRedisConnection<String, String> admin = client.connect()) {
        while (!stopped) {
          admin.sync().scriptFlush();
          flushes++;
          LockSupport.parkNanos(
              ThreadLocalRandom.current().nextLong(TimeUnit.MILLISECONDS.toNanos(20)));
        }
      }
    }

    @Override
    public void close() {
      stopped = true;
      try {
        flushing.join(10_000);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      instances.forEach(StorageBackend::close);
      proxy.close();
      server.close();
    }
  }
}
