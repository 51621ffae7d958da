// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.redis.RawRedis;
import io.taskstore.testservers.RedisServer;
import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** What {@code used_memory} grows by, for each record: the keys, the fields, and the indexes. */
final class RedisMemory {
  private RedisMemory() {}

  static String measure(RedisSuite.Plan plan, RedisSuite.Servers servers, PrintStream progress)
      throws Exception {
    return BytesTable.measure(
        plan.memory(), records -> bytes(records, servers, progress), progress);
  }

  private static double bytes(Records records, RedisSuite.Servers servers, PrintStream progress)
      throws Exception {
    try (RedisServer server = servers.start();
        RawRedis watching = new RawRedis(server.url())) {
      long before = usedMemory(watching);
      try (RawRedis raw = new RawRedis(server.url())) {
        RedisSuite.store(records, raw, Instant.now().truncatedTo(ChronoUnit.MILLIS), progress);
      }
      return (double) (usedMemory(watching) - before) / records.count();
    }
  }

  /** What is still in buffers of connections, or in tables that are being replaced, goes away. */
  private static long usedMemory(RawRedis raw) throws InterruptedException {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 20; i++) {
      least = Math.min(least, Long.parseLong(raw.info("used_memory")));
      Thread.sleep(50);
    }
    return least;
  }
}
