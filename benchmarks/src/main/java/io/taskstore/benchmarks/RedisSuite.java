// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.lettuce.core.RedisURI;
import io.taskstore.redis.RawRedis;
import io.taskstore.redis.RedisStorageBackend;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The Redis backend and servers of our own on this machine, by turns: see {@link Rounds}. Several
 * suites, because what one of them measures need not be measured again with the others.
 */
record RedisSuite(String name, String title, Plan full, Plan quick, Measurement measurement)
    implements Suite {

  /**
   * How much is measured.
   *
   * @param owners sizes of one owner
   * @param stores sizes of a whole server
   * @param memory how many records memory is measured with
   */
  record Plan(Rounds.Plan rounds, List<Integer> owners, List<Integer> stores, int memory) {
    Plan {
      owners = List.copyOf(owners);
      stores = List.copyOf(stores);
    }

    private static final List<Integer> OWNERS = List.of(100, 1_000, 10_000, 100_000);
    private static final List<Integer> STORES = List.of(1_000, 10_000, 100_000, 1_000_000);

    private static final Plan FULL =
        new Plan(new Rounds.Plan(5, 15, Duration.ofMillis(400)), OWNERS, STORES, 100_000);

    /** Four sizes take turns, where in the others two contenders do. */
    private static final Plan FULL_SIZES =
        new Plan(new Rounds.Plan(4, 15, Duration.ofMillis(250)), OWNERS, STORES, 100_000);

    private static final Plan QUICK =
        new Plan(
            new Rounds.Plan(1, 3, Duration.ofMillis(50)),
            List.of(100, 1_000),
            List.of(1_000, 10_000),
            1_000);
  }

  /** What a suite does. */
  interface Measurement {
    /** Returns the text that follows the circumstances. */
    String measure(Plan plan, Servers servers, PrintStream progress) throws Exception;
  }

  /** Starts servers. */
  interface Servers {
    RedisServer start();
  }

  static final List<RedisSuite> ALL =
      List.of(
          new RedisSuite(
              "redis",
              "The Redis backend, beside Lettuce sending the same bytes",
              Plan.FULL,
              Plan.QUICK,
              RedisRatios::measure),
          new RedisSuite(
              "redis-sizes",
              "The Redis backend while tasks pile up",
              Plan.FULL_SIZES,
              Plan.QUICK,
              RedisSuite::sizes),
          new RedisSuite(
              "redis-memory",
              "The memory of Redis that a task needs",
              Plan.FULL,
              Plan.QUICK,
              RedisMemory::measure));

  @Override
  public String measure(Options options) throws IOException {
    return measure(options, options.quick() ? quick : full);
  }

  String measure(Options options, Plan plan) throws IOException {
    try {
      Servers servers = RedisServer::start;
      String server = describe(servers);
      options.progress().println(server);
      String tables = measurement.measure(plan, servers, options.progress());
      return "**%s.** %s; %s; `%s`.\n\n%s"
          .formatted(title, Machine.describe(), server, Machine.jvmOptions(), tables);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    } catch (Exception e) {
      e.printStackTrace(options.progress());
      throw new MeasurementException(e.toString(), e);
    }
  }

  /** Version and build: how memory is allocated decides how fast a server is, and how large. */
  private static String describe(Servers servers) throws IOException {
    try (RedisServer server = servers.start();
        RawRedis raw = new RawRedis(server.url())) {
      return "redis-server %s (%s), %s"
          .formatted(raw.info("redis_version"), raw.info("mem_allocator"), server.origin());
    }
  }

  private static String sizes(Plan plan, Servers servers, PrintStream progress) throws Exception {
    return Sizes.measure(
        plan.rounds(),
        plan.stores(),
        plan.owners(),
        (records, now, out) -> {
          RedisServer server = servers.start();
          try (RawRedis raw = new RawRedis(server.url())) {
            store(records, raw, now, out);
            return new Sizes.Filled(
                RedisStorageBackend.open(RedisURI.create(server.url())),
                Optional.empty(),
                server::close);
          } catch (Exception e) {
            server.close();
            throw e;
          }
        },
        progress);
  }

  static void store(Records records, RawRedis raw, Instant now, PrintStream progress)
      throws Exception {
    RawRedis.Filling filling = raw.fill();
    records.store(now, progress, filling::create);
    filling.finish();
  }
}
