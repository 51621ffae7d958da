// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.redis.RawRedis;
import io.taskstore.testservers.RedisServer;
import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** What {@code used_memory} grows by, for each record: the keys, the fields, and the indexes. */
final class RedisMemory {
  private RedisMemory() {}

  static String measure(RedisSuite.Plan plan, RedisSuite.Servers servers, PrintStream progress)
      throws Exception {
    int count = plan.memory();
    Map<String, Integer> owners = new LinkedHashMap<>();
    owners.put("of one owner", 1);
    owners.put("of owners who have 100 each", count / 100);
    owners.put("of owners who have one each", count);
    StringBuilder table = new StringBuilder();
    table.append("| Bytes for a task of 1,024 bytes | Active | beside the data | Finished |");
    table.append(" beside the data |\n|---|--:|--:|--:|--:|\n");
    for (Map.Entry<String, Integer> row : owners.entrySet()) {
      int each = count / row.getValue();
      double active = bytes(new RedisRecords(row.getValue(), 0, each), servers, progress);
      double finished = bytes(new RedisRecords(row.getValue(), each, 0), servers, progress);
      String line =
          "| %s | %s | **%s** | %s | **%s** |%n"
              .formatted(
                  row.getKey(),
                  Report.figure(active),
                  Report.figure(active - RedisRecords.DATA_BYTES),
                  Report.figure(finished),
                  Report.figure(finished - RedisRecords.DATA_BYTES));
      progress.print(line);
      table.append(line);
    }
    return "%s tasks for each figure.\n\n%s".formatted(SizesTable.name(count), table);
  }

  private static double bytes(
      RedisRecords records, RedisSuite.Servers servers, PrintStream progress) throws Exception {
    try (RedisServer server = servers.start();
        RawRedis watching = new RawRedis(server.url())) {
      long before = usedMemory(watching);
      try (RawRedis raw = new RawRedis(server.url())) {
        records.store(raw, Instant.now().truncatedTo(ChronoUnit.MILLIS), progress);
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
