// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SslOptions;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.lettuce.core.resource.NettyCustomizer;
import io.netty.channel.Channel;
import io.netty.resolver.DefaultAddressResolverGroup;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The connections to Redis, whichever kind it is. Commands are for any number of threads.
 *
 * @param commands for what reads, and for all if nothing waits for replicas
 * @param replicated for writes that wait for replicas, which nothing else should wait behind; null
 *     if none do
 * @param leaveReplica has the connections made anew, since the server is not the master any more; a
 *     Sentinel, or a name, tells where that is now
 * @param endpoint where they go to, for messages; no credentials
 * @param closing closes what was opened here
 */
record RedisLink(
    RedisClusterAsyncCommands<byte[], byte[]> commands,
    @Nullable StatefulRedisConnection<byte[], byte[]> replicated,
    Runnable leaveReplica,
    String endpoint,
    Runnable closing) {
  /** How long closing waits for threads to end. */
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  /** A server, or the master that Sentinels name, through a client of its own. */
  static RedisLink toServer(
      RedisURI uri, Duration timeout, @Nullable Path certificates, boolean writesApart) {
    ClientResources resources = resources(timeout);
    RedisClient client = RedisClient.create(resources, uri);
    client.setOptions(options(ClientOptions.builder(), timeout, certificates).build());
    Runnable end = () -> shutDown(client, resources);
    return closedOnFailure(end, () -> toServer(client, uri, writesApart, end));
  }

  /** Through a client that is somebody's, and stays open. */
  static RedisLink toServer(RedisClient client, RedisURI uri, boolean writesApart, Runnable end) {
    StatefulRedisConnection<byte[], byte[]> connection =
        client.connect(ByteArrayCodec.INSTANCE, uri);
    return closedOnFailure(
        connection::close,
        () -> {
          checkOptions(connection);
          StatefulRedisConnection<byte[], byte[]> replicated =
              writesApart ? client.connect(ByteArrayCodec.INSTANCE, uri) : null;
          return new RedisLink(
              connection.async(),
              replicated,
              () -> quit(connection, replicated),
              endpoint(List.of(uri)),
              () -> {
                connection.close();
                if (replicated != null) {
                  replicated.close();
                }
                end.run();
              });
        });
  }

  /** The server closes the connections then, and the client connects again. */
  private static void quit(
      StatefulRedisConnection<byte[], byte[]> connection,
      @Nullable StatefulRedisConnection<byte[], byte[]> replicated) {
    try {
      var unused = connection.async().quit();
      if (replicated != null) {
        unused = replicated.async().quit();
      }
    } catch (RedisException e) {
      // they are closed already
    }
  }

  static RedisLink toCluster(List<RedisURI> uris, Duration timeout, @Nullable Path certificates) {
    ClientResources resources = resources(timeout);
    RedisClusterClient client = RedisClusterClient.create(resources, uris);
    ClusterClientOptions.Builder options = ClusterClientOptions.builder();
    options(options, timeout, certificates);
    client.setOptions(
        options
            .topologyRefreshOptions(
                ClusterTopologyRefreshOptions.builder().enablePeriodicRefresh().build())
            .build());
    Runnable end = () -> shutDown(client, resources);
    return closedOnFailure(end, () -> toCluster(client, endpoint(uris), end));
  }

  static RedisLink toCluster(RedisClusterClient client, @Nullable String endpoint, Runnable end) {
    StatefulRedisClusterConnection<byte[], byte[]> connection =
        client.connect(ByteArrayCodec.INSTANCE);
    return closedOnFailure(
        connection::close,
        () -> {
          checkOptions(connection);
          List<RedisURI> nodes = new ArrayList<>();
          client.getPartitions().forEach(node -> nodes.add(node.getUri()));
          return new RedisLink(
              connection.async(),
              null,
              () -> {}, // a node of a Cluster says where to go
              endpoint == null ? endpoint(nodes) : endpoint,
              () -> {
                connection.close();
                end.run();
              });
        });
  }

  private interface Opening {
    RedisLink open();
  }

  private static RedisLink closedOnFailure(Runnable end, Opening opening) {
    try {
      return opening.open();
    } catch (RuntimeException e) {
      end.run();
      throw e;
    }
  }

  private static ClientResources resources(Duration timeout) {
    return ClientResources.builder()
        // That of Netty leaves a socket behind when it is closed.
        .addressResolverGroup(DefaultAddressResolverGroup.INSTANCE)
        // Whoever waits for a connection does so for seconds, not for the half a minute of the
        // default.
        .reconnectDelay(
            Delay.exponential(
                Duration.ofMillis(1), Duration.ofMillis(500), 2, TimeUnit.MILLISECONDS))
        .nettyCustomizer(
            new NettyCustomizer() {
              @Override
              public void afterChannelInitialized(Channel channel) {
                channel.pipeline().addFirst(new SilenceGuard(timeout));
              }
            })
        .build();
  }

  private static void shutDown(AbstractRedisClient client, ClientResources resources) {
    boolean interrupted = Thread.interrupted(); // or the client's threads would be left
    try {
      client.shutdown(Duration.ZERO, PATIENCE);
      resources
          .shutdown(0, PATIENCE.toMillis(), TimeUnit.MILLISECONDS)
          .awaitUninterruptibly(PATIENCE.toMillis());
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /**
   * Nothing is sent twice. What was in flight when a connection broke may have been done, and what
   * waits for a connection would be done after its caller was told that it failed.
   */
  private static ClientOptions.Builder options(
      ClientOptions.Builder builder, Duration timeout, @Nullable Path certificates) {
    if (certificates != null) {
      builder.sslOptions(SslOptions.builder().trustManager(certificates.toFile()).build());
    }
    return builder
        .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
        .replayFilter(command -> true)
        .socketOptions(
            SocketOptions.builder()
                .connectTimeout(timeout)
                .keepAlive(true)
                .tcpNoDelay(true)
                .build());
  }

  /** Refuses a client that would do what {@link #options} prevents. */
  private static void checkOptions(StatefulConnection<byte[], byte[]> connection) {
    ClientOptions options = connection.getOptions();
    List<String> missing = new ArrayList<>();
    if (!options.isAutoReconnect()) {
      missing.add("autoReconnect(true)");
    }
    if (options.getDisconnectedBehavior() != ClientOptions.DisconnectedBehavior.REJECT_COMMANDS) {
      missing.add("disconnectedBehavior(REJECT_COMMANDS)");
    }
    for (CommandType type : List.of(CommandType.EVALSHA, CommandType.EVAL)) {
      CommandArgs<byte[], byte[]> script =
          new CommandArgs<>(ByteArrayCodec.INSTANCE).add("return 1".getBytes(US_ASCII)).add(0);
      Command<byte[], byte[], String> command =
          new Command<>(type, new StatusOutput<>(ByteArrayCodec.INSTANCE), script);
      if (!options.getReplayFilter().test(command)) {
        missing.add("replayFilter(command -> true)");
        break;
      }
    }
    if (!missing.isEmpty()) {
      throw new IllegalArgumentException(
          "the client could send a write twice, or after its caller was told that it failed, or"
              + " stay without a connection: give its ClientOptions "
              + String.join(", ", missing));
    }
  }

  static String endpoint(List<RedisURI> uris) {
    StringBuilder text = new StringBuilder();
    for (RedisURI uri : uris) {
      List<RedisURI> hosts = uri.getSentinels().isEmpty() ? List.of(uri) : uri.getSentinels();
      for (RedisURI host : hosts) {
        text.append(text.isEmpty() ? "" : ",");
        text.append(
            host.getSocket() == null ? host.getHost() + ":" + host.getPort() : host.getSocket());
      }
    }
    return text.toString();
  }
}
