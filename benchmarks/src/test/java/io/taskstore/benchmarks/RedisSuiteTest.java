// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisURI;
import io.taskstore.redis.RawRedis;
import io.taskstore.redis.RedisStorageBackend;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.RedisServer;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RedisSuiteTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

  private final ByteArrayOutputStream progress = new ByteArrayOutputStream();

  @TempDir Path folder;

  private String measure(String name) throws IOException {
    PrintStream out = new PrintStream(progress, true, StandardCharsets.UTF_8);
    Suite.Options options = new Suite.Options(true, folder, false, out);
    Rounds.Plan once = new Rounds.Plan(0, 1, Duration.ofMillis(5));
    RedisSuite.Plan plan = new RedisSuite.Plan(once, List.of(100, 101), List.of(200, 300), 200);
    for (RedisSuite suite : RedisSuite.ALL) {
      if (suite.name().equals(name)) {
        return suite.measure(options, plan);
      }
    }
    throw new AssertionError("no suite " + name);
  }

  @Test
  void measure_ratios_eachOperationHasARowForOneThreadAndForEight() throws IOException {
    List<String> rows = Measuring.rows(measure("redis"));

    assertThat(rows).hasSize(1 + 2 * 6);
    assertThat(rows).filteredOn(row -> row.contains(" | 8 | ")).hasSize(6);
  }

  @Test
  void measure_sizes_bothTablesHaveARowForEachOperation() throws IOException {
    String text = measure("redis-sizes");

    assertThat(Measuring.rows(text)).hasSize(2 * (1 + 6));
    assertThat(text).contains(" | 200 | 300 |", " | 100 | 101 |", "redis-server ");
    assertThat(progress.toString(StandardCharsets.UTF_8))
        .contains("storing 300 records: 3 owners, 90 finished and 10 active each");
  }

  @Test
  void measure_memory_eachTaskNeedsMoreThanItsData() throws IOException {
    List<String> rows = Measuring.rows(measure("redis-memory"));

    assertThat(rows).hasSize(1 + 3);
    for (String row : rows.subList(1, 4)) {
      String[] cells = row.replace("*", "").replace(",", "").split("\\|", -1);
      assertThat(Double.parseDouble(cells[2].strip())).isBetween(1_200.0, 5_000.0);
      assertThat(Double.parseDouble(cells[5].strip())).isBetween(100.0, 4_000.0);
    }
  }

  /** Else the ratio would compare two different things. */
  @Test
  void raw_eachOperation_sendsWhatTheBackendSends() throws Exception {
    RecordKey key = Records.key(7, 1);
    RecordValue value = Records.value(NOW, 3, true);
    ListQuery all = new ListQuery(key.partition(), null, true, 1);
    ListQuery some = new ListQuery(key.partition(), "0", false, 1);
    try (RedisServer server = RedisServer.start();
        StorageBackend ours = RedisStorageBackend.open(RedisURI.create(server.url()));
        RawRedis raw = new RawRedis(server.url());
        Monitor monitor = new Monitor(server)) {
      for (int contender = 0; contender < 2; contender++) {
        boolean isRaw = contender == 1;
        monitor.begin(isRaw ? "raw" : "ours");
        if (isRaw) {
          raw.createWithin(key, value, 10, NOW).run(0, value.writeId());
          raw.putIfVersion(key, value).run(1, value.writeId());
          raw.get(key).run();
          raw.list(all).run();
          raw.list(some).run();
          raw.listActive(all).run();
          raw.deleteIfVersion(key, 2).run();
          RawRedis.Filling filling = raw.fill();
          filling.create(key, value);
          filling.finish();
        } else {
          ours.createWithin(key, value, 10, NOW);
          ours.putIfVersion(key, value, 1);
          ours.get(key);
          ours.list(all);
          ours.list(some);
          ours.listActive(all);
          ours.deleteIfVersion(key, 2);
          ours.putIfVersion(key, value, StorageBackend.ABSENT);
          monitor.begin("between");
          ours.deleteIfVersion(key, 1);
        }
      }

      assertThat(monitor.sentSince("raw"))
          .hasSize(8)
          .containsExactlyElementsOf(monitor.sentSince("ours"));
    }
  }

  /** What clients send, and the server shows with each byte that is no letter escaped. */
  private static final class Monitor implements AutoCloseable {
    private final Socket lines;
    private final Socket marks;
    private final Map<String, List<String>> sent = new HashMap<>();
    private final BufferedReader reader;
    private String current = "";

    Monitor(RedisServer server) throws IOException {
      int port = URI.create(server.url()).getPort();
      this.lines = new Socket(InetAddress.getLoopbackAddress(), port);
      this.marks = new Socket(InetAddress.getLoopbackAddress(), port);
      lines.setSoTimeout(10_000);
      this.reader =
          new BufferedReader(
              new InputStreamReader(lines.getInputStream(), StandardCharsets.ISO_8859_1));
      lines.getOutputStream().write("MONITOR\r\n".getBytes(StandardCharsets.ISO_8859_1));
      reader.readLine();
    }

    /** What was sent until now belongs to what began before. */
    void begin(String name) throws IOException {
      List<String> commands = new ArrayList<>();
      String mark = "mark-" + name;
      marks
          .getOutputStream()
          .write(("ECHO " + mark + "\r\n").getBytes(StandardCharsets.ISO_8859_1));
      String line;
      while ((line = reader.readLine()) != null && !line.contains(mark)) {
        if (!line.contains(" lua] ")) {
          commands.add(line.substring(line.indexOf("] ") + 2));
        }
      }
      sent.put(current, commands);
      current = name;
    }

    List<String> sentSince(String name) throws IOException {
      if (current.equals(name)) {
        begin("end");
      }
      return sent.getOrDefault(name, List.of());
    }

    @Override
    public void close() throws IOException {
      lines.close();
      marks.close();
    }
  }
}
