// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.lettuce.core.RedisURI;
import io.taskstore.redis.RawRedis;
import io.taskstore.redis.RedisStorageBackend;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import io.taskstore.testservers.RedisServer;
import java.io.PrintStream;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What the backend adds to the client: each operation beside Lettuce alone, which sends the same
 * bytes to the same server. Each thread has an owner of its own, and each contender one connection
 * for all threads.
 */
final class RedisRatios {
  static final int THREADS = 8;
  static final int PAGE = 50;

  private static final String OURS = "ours";
  private static final String RAW = "raw";

  /** Each owner's, so that two full pages of the one and one of the other kind are there. */
  private static final int FINISHED = 100;

  private static final int ACTIVE = 60;

  private final StorageBackend backend;
  private final RawRedis raw;
  private final Rounds.Plan plan;
  private final PrintStream progress;
  private final Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
  private final StringBuilder table = new StringBuilder();

  private RedisRatios(
      StorageBackend backend, RawRedis raw, Rounds.Plan plan, PrintStream progress) {
    this.backend = backend;
    this.raw = raw;
    this.plan = plan;
    this.progress = progress;
  }

  static String measure(RedisSuite.Plan plan, RedisSuite.Servers servers, PrintStream progress)
      throws Exception {
    try (RedisServer server = servers.start();
        RawRedis raw = new RawRedis(server.url());
        StorageBackend backend = RedisStorageBackend.open(RedisURI.create(server.url()))) {
      RedisRatios ratios = new RedisRatios(backend, raw, plan.rounds(), progress);
      RedisSuite.store(new Records(THREADS, FINISHED, ACTIVE), raw, ratios.now, progress);
      return "Rounds: %s.\n\n%s".formatted(plan.rounds(), ratios.table());
    }
  }

  private String table() throws Exception {
    table.append("| Operation | Threads | Ours, per second | Raw, per second | Ours / raw |");
    table.append(" Half of the rounds |\n|---|--:|--:|--:|--:|--:|\n");
    for (int threads : new int[] {1, THREADS}) {
      row("`get`", threads, this::get, this::rawGet);
      row("`putIfVersion`", threads, this::put, this::rawPut);
      createAndDelete(threads);
      row("`list`, a page of 50", threads, this::list, this::rawList);
      row("`listActive`, a page of 50", threads, this::listActive, this::rawListActive);
    }
    return table.toString();
  }

  /** What a thread does, with the records of an owner. */
  private interface Working {
    Rounds.Work of(int owner);
  }

  private void row(String operation, int threads, Working ours, Working its) throws Exception {
    progress.printf("%s, %d threads: %s%n", operation, threads, plan);
    Map<String, Rounds.Rates> rates =
        Rounds.measure(plan, List.of(subject(OURS, threads, ours), subject(RAW, threads, its)));
    row(operation, threads, Rounds.of(rates, OURS), Rounds.of(rates, RAW));
  }

  private static Rounds.Subject subject(String name, int threads, Working working) {
    List<Rounds.Work> works = new ArrayList<>();
    for (int owner = 0; owner < threads; owner++) {
      works.add(working.of(owner));
    }
    return new Rounds.Threads(name, works);
  }

  private void row(String operation, int threads, Rounds.Rates ours, Rounds.Rates its) {
    Spread ratio = ours.over(its);
    List<String> cells =
        List.of(
            operation,
            String.valueOf(threads),
            Report.figure(ours.spread().median()),
            Report.figure(its.spread().median()),
            "**" + Report.ratio(ratio.median()) + "**",
            Report.ratio(ratio.low()) + " to " + Report.ratio(ratio.high()));
    String line = "| " + String.join(" | ", cells) + " |\n";
    progress.print(line);
    table.append(line);
  }

  // --- one record ---------------------------------------------------------------------------

  private static RecordKey active(int owner, int index) {
    return Records.key(owner, FINISHED + index % ACTIVE);
  }

  private Rounds.Work get(int owner) {
    List<RecordKey> keys = new ArrayList<>();
    for (int i = 0; i < ACTIVE; i++) {
      keys.add(active(owner, i));
    }
    return new Rounds.Work() {
      private int turn;

      @Override
      public void run() {
        Expect.that(backend.get(keys.get(turn++ % ACTIVE)).isPresent());
      }
    };
  }

  private Rounds.Work rawGet(int owner) {
    List<RawRedis.Reading> readings = new ArrayList<>();
    for (int i = 0; i < ACTIVE; i++) {
      readings.add(raw.get(active(owner, i)));
    }
    return new Rounds.Work() {
      private int turn;

      @Override
      public void run() throws Exception {
        readings.get(turn++ % ACTIVE).run();
      }
    };
  }

  /** The first of the active ones, and it stays what it is but for its version and write id. */
  private Rounds.Work put(int owner) {
    RecordKey key = active(owner, 0);
    RecordValue first = backend.get(key).orElseThrow().value();
    return new Rounds.Work() {
      private long version = backend.get(key).orElseThrow().version();

      @Override
      public void run() {
        RecordValue value =
            new RecordValue(first.data(), true, first.expiresAt(), Records.writeId(version));
        Expect.that(backend.putIfVersion(key, value, version) instanceof Written);
        version++;
      }
    };
  }

  private Rounds.Work rawPut(int owner) {
    RecordKey key = active(owner, 1);
    RawRedis.Writing writing = raw.putIfVersion(key, backend.get(key).orElseThrow().value());
    return new Rounds.Work() {
      private long version = backend.get(key).orElseThrow().version();

      @Override
      public void run() throws Exception {
        writing.run(version, Records.writeId(version));
        version++;
      }
    };
  }

  private void createAndDelete(int threads) throws Exception {
    String create = "`createWithin`, 60 others active";
    String delete = "`deleteIfVersion`";
    progress.printf("%s, %s, %d threads: %s%n", create, delete, threads, plan);
    List<Alternating.Pair> ours = new ArrayList<>();
    List<Alternating.Pair> its = new ArrayList<>();
    for (int owner = 0; owner < threads; owner++) {
      ours.add(createAndDelete(Records.key(owner, FINISHED + ACTIVE)));
      its.add(rawCreateAndDelete(Records.key(owner, FINISHED + ACTIVE + 1)));
    }
    Map<String, Rounds.Rates> rates =
        Rounds.measure(
            plan,
            List.of(
                new Alternating(create + OURS, delete + OURS, ours),
                new Alternating(create + RAW, delete + RAW, its)));
    for (String name : List.of(create, delete)) {
      row(name, threads, Rounds.of(rates, name + OURS), Rounds.of(rates, name + RAW));
    }
  }

  private Alternating.Pair createAndDelete(RecordKey key) {
    RecordValue first = Records.value(now, 0, true);
    return new Alternating.Pair(
        new Rounds.Work() {
          private long created;

          @Override
          public void run() {
            RecordValue value =
                new RecordValue(first.data(), true, first.expiresAt(), Records.writeId(created++));
            Expect.that(
                backend.createWithin(key, value, Records.MAX_ACTIVE, now) == Created.CREATED);
          }
        },
        () -> Expect.that(backend.deleteIfVersion(key, 1) == Deleted.DELETED));
  }

  private Alternating.Pair rawCreateAndDelete(RecordKey key) {
    RawRedis.Writing creation =
        raw.createWithin(key, Records.value(now, 0, true), Records.MAX_ACTIVE, now);
    RawRedis.Reading deletion = raw.deleteIfVersion(key, 1);
    return new Alternating.Pair(
        new Rounds.Work() {
          private long created;

          @Override
          public void run() throws Exception {
            creation.run(0, Records.writeId(created++));
          }
        },
        deletion::run);
  }

  // --- pages --------------------------------------------------------------------------------

  /** The newest first, as somebody who looks at them wants them. */
  private static ListQuery query(int owner) {
    return new ListQuery(Records.partition(owner), null, true, PAGE);
  }

  private Rounds.Work list(int owner) {
    ListQuery query = query(owner);
    return () -> Expect.that(backend.list(query).records().size() == PAGE);
  }

  private Rounds.Work rawList(int owner) {
    return raw.list(query(owner))::run;
  }

  private Rounds.Work listActive(int owner) {
    ListQuery query = query(owner);
    return () -> Expect.that(backend.listActive(query).heads().size() == PAGE);
  }

  private Rounds.Work rawListActive(int owner) {
    return raw.listActive(query(owner))::run;
  }
}
