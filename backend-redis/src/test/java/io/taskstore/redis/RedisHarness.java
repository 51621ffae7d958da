// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanIterator;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;

/**
 * Starts a redis-server, or three that are a Cluster, or goes to one that is there; and gives each
 * storage a prefix of its own.
 */
final class RedisHarness implements BackendHarness {
  /** The variable of the environment that names a server to use. */
  static final String URL_VARIABLE = "TASKSTORE_TEST_REDIS_URL";

  private static final String OF_ENVIRONMENT = "redis-of-the-environment";
  private static final String CLUSTER = "cluster";
  private static final String CLUSTER_SCHEME = "redis-cluster:";

  /** A user of our own servers that the faults leave alone. */
  private static final String ADMIN = "admin";

  /** How long connecting may take. */
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  /**
   * Opens {@code server redis://host:port prefix}, {@code cluster …} or {@code environment -
   * prefix}.
   */
  static final class RedisOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) {
      String[] parts = location.split(" ", -1);
      Target target =
          parts[0].equals("environment")
              ? Target.of(System.getenv(URL_VARIABLE))
              : new Target(RedisURI.create(parts[1]), parts[0].equals(CLUSTER));
      return target.open(parts[2]);
    }
  }

  /** Where a server is. */
  private record Target(RedisURI uri, boolean isCluster) {
    static Target of(String url) {
      boolean isCluster = url.startsWith(CLUSTER_SCHEME);
      try {
        String known = isCluster ? "redis:" + url.substring(CLUSTER_SCHEME.length()) : url;
        RedisURI uri = RedisURI.create(known);
        uri.setTimeout(PATIENCE);
        return new Target(uri, isCluster);
      } catch (IllegalArgumentException e) {
        // Its message may have a password in it.
        throw new IllegalArgumentException(
            URL_VARIABLE + " is no URL of a Redis, such as redis://localhost:6379");
      }
    }

    StorageBackend open(String prefix) {
      RedisStorageBackend.Builder builder =
          isCluster
              ? RedisStorageBackend.clusterBuilder(List.of(uri))
              : RedisStorageBackend.builder(uri);
      return builder.keyPrefix(prefix).build();
    }
  }

  /** Our own server, which may be harmed. */
  private record Own(String host, int port, RedisClient admin) {}

  private final String name;
  private final Target target;
  private final @Nullable Own own;
  private final AbstractRedisClient client;
  private final RedisClusterCommands<byte[], byte[]> commands;
  private final Runnable closing;
  private final Map<String, String> versions;
  private final AtomicInteger storages = new AtomicInteger();

  /** Two runs may meet on one server. */
  private final String run = "taskstore-test-" + UUID.randomUUID() + "-";

  private RedisHarness(String name, Target target, @Nullable Own own, Runnable closing) {
    this.name = name;
    this.target = target;
    this.own = own;
    this.closing = closing;
    if (target.isCluster()) {
      RedisClusterClient ofCluster = RedisClusterClient.create(target.uri());
      this.client = ofCluster;
      this.commands = connect(() -> ofCluster.connect(ByteArrayCodec.INSTANCE).sync());
    } else {
      RedisClient ofServer = own == null ? RedisClient.create(target.uri()) : own.admin();
      this.client = ofServer;
      this.commands = connect(() -> ofServer.connect(ByteArrayCodec.INSTANCE).sync());
    }
    this.versions = serverVersions();
  }

  private <T> T connect(Supplier<T> connecting) {
    try {
      return connecting.get();
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** A server of our own; or the one that the environment names, which may be anybody's. */
  static RedisHarness ofServer() {
    String url = System.getenv(URL_VARIABLE);
    if (url != null && !url.isBlank()) {
      return ofUrl(url);
    }
    RedisServer server = RedisServer.start();
    return ofOwn("redis", "127.0.0.1", server.port(), server::close);
  }

  /** A server that is ours to harm. */
  static RedisHarness ofOwn(String name, String host, int port, Runnable closing) {
    RedisURI uri = RedisURI.create(host, port);
    try (RedisClient first = RedisClient.create(uri);
        StatefulRedisConnection<String, String> setup = first.connect()) {
      AclSetuserArgs all = AclSetuserArgs.Builder.on().addPassword(ADMIN);
      setup.sync().aclSetuser(ADMIN, all.allKeys().allChannels().allCommands());
      setup.sync().configSet("busy-reply-threshold", "5");
    }
    RedisURI admin = RedisURI.builder(uri).withAuthentication(ADMIN, ADMIN).build();
    Own own = new Own(host, port, RedisClient.create(admin));
    return new RedisHarness(name, new Target(uri, false), own, closing);
  }

  /** A server in a container; fails if there is no engine for it. */
  @SuppressWarnings("resource") // closed with the harness
  static RedisHarness ofContainer() {
    GenericContainer<?> container =
        new GenericContainer<>(DockerImageName.parse("redis:7.4.2")).withExposedPorts(6_379);
    container.start();
    return ofOwn(
        "redis-container", container.getHost(), container.getMappedPort(6_379), container::stop);
  }

  static RedisHarness ofCluster() {
    RedisCluster cluster = RedisCluster.start();
    return new RedisHarness(
        "redis-cluster", new Target(cluster.seed(), true), null, cluster::close);
  }

  /**
   * A server of somebody, on which nothing is changed but keys of our own.
   *
   * @throws IllegalStateException if it cannot be used; that is no reason to skip anything
   */
  static RedisHarness ofUrl(String url) {
    Target target = Target.of(url);
    try {
      return new RedisHarness(OF_ENVIRONMENT, target, null, () -> {});
    } catch (RedisException e) {
      throw new IllegalStateException(
          "%s is set, but the Redis at %s cannot be used; unset it to start a server for the tests"
              .formatted(URL_VARIABLE, RedisLink.endpoint(List.of(target.uri()))),
          e);
    }
  }

  private Map<String, String> serverVersions() {
    Map<String, String> found = new LinkedHashMap<>();
    commands
        .info("server")
        .lines()
        .filter(line -> line.startsWith("redis_version:"))
        .forEach(line -> found.put("Redis", line.substring("redis_version:".length())));
    return found;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("redis", true, true, true, 4 << 20);
  }

  @Override
  public Map<String, String> versions() {
    return versions; // asked for when the server is gone
  }

  @Override
  public BackendStorage newStorage() {
    String prefix = run + storages.incrementAndGet() + ":";
    RedisKeys keys = new RedisKeys(prefix);
    return new BackendStorage() {
      private final @Nullable RedisFaults faults =
          own == null ? null : RedisFaults.of(own.host(), own.port(), own.admin());

      private Target behindFaults() {
        return faults == null
            ? target
            : new Target(RedisURI.create("127.0.0.1", faults.port()), false);
      }

      @Override
      public StorageBackend open() {
        return behindFaults().open(prefix);
      }

      /** Not with a Cluster, whose nodes tell clients their own addresses, or somebody's server. */
      @Override
      public Optional<FaultInjection> faultInjection() {
        return Optional.ofNullable(faults);
      }

      @Override
      public boolean reopens() {
        return true;
      }

      @Override
      public Optional<OtherProcess> otherProcess() {
        RedisURI uri = behindFaults().uri();
        String location =
            name.equals(OF_ENVIRONMENT)
                ? "environment - " + prefix
                : "%s redis://%s:%d %s"
                    .formatted(
                        target.isCluster() ? CLUSTER : "server",
                        uri.getHost(),
                        uri.getPort(),
                        prefix);
        return Optional.of(new OtherProcess(RedisOpener.class, location));
      }

      @Override
      public Optional<VersionSeeding> versionSeeding() {
        return Optional.of(
            seeded -> {
              try (StorageBackend backend = open()) {
                backend.delete(seeded.key());
                backend.putIfVersion(seeded.key(), seeded.value(), StorageBackend.ABSENT);
              }
              commands.hset(
                  keys.record(seeded.key()),
                  new byte[] {'v'},
                  Long.toString(seeded.version()).getBytes(UTF_8));
            });
      }

      @Override
      public Optional<Damage> damage() {
        return Optional.of(key -> commands.hdel(keys.record(key), new byte[] {'v'}));
      }

      @Override
      public Optional<RawInspection> rawInspection() {
        return Optional.of(
            () -> {
              List<String> entries = new ArrayList<>();
              for (byte[] key : all(prefix)) {
                String name = new String(key, UTF_8);
                entries.add(name);
                if (!name.contains("}:r:")) {
                  for (byte[] id : commands.zrange(key, 0, -1)) {
                    entries.add(name + " " + new String(id, UTF_8));
                  }
                }
              }
              return entries;
            });
      }

      @Override
      public Optional<TimeControl> timeControl() {
        return Optional.of(
            duration -> {
              // The server's clock stays, so all that is to go by it is moved towards it.
              for (byte[] key : all(prefix)) {
                long at = commands.pexpiretime(key);
                if (at > 0) {
                  commands.pexpireat(key, at - duration.toMillis());
                }
              }
            });
      }

      @Override
      public void close() {
        if (faults != null) {
          faults.close();
        }
        for (byte[] key : all(prefix)) {
          commands.del(key);
        }
      }
    };
  }

  private List<byte[]> all(String prefix) {
    List<byte[]> keys = new ArrayList<>();
    ScanIterator.scan(commands, ScanArgs.Builder.limit(10_000).match(prefix + "*"))
        .forEachRemaining(keys::add);
    return keys;
  }

  @Override
  public void close() {
    client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    closing.run();
  }
}
