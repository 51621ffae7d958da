// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.SlotHash;
import io.taskstore.testservers.RedisServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A Cluster of three masters, each with a third of the slots. */
final class RedisCluster implements AutoCloseable {
  private static final int NODES = 3;

  private final List<RedisServer> servers = new ArrayList<>();
  private final List<RedisClient> clients = new ArrayList<>();
  private final List<StatefulRedisConnection<String, String>> connections = new ArrayList<>();

  private RedisCluster() {}

  @SuppressWarnings("unchecked") // an array of ranges
  static RedisCluster start() {
    RedisCluster cluster = new RedisCluster();
    try {
      for (int i = 0; i < NODES; i++) {
        RedisServer server = RedisServer.start("--cluster-enabled", "yes");
        cluster.servers.add(server);
        RedisClient client = RedisClient.create(server.url());
        cluster.clients.add(client);
        cluster.connections.add(client.connect());
      }
      for (int i = 0; i < NODES; i++) {
        RedisCommands<String, String> node = cluster.node(i);
        // Or the nodes would have to agree on who comes first.
        node.clusterSetConfigEpoch(i + 1L);
        node.clusterAddSlots(IntStream.range(firstSlot(i), firstSlot(i + 1)).toArray());
      }
      for (int i = 1; i < NODES; i++) {
        cluster.node(i).clusterMeet("127.0.0.1", cluster.servers.get(0).port());
      }
      await("all nodes know all slots", () -> cluster.nodes().allMatch(RedisCluster::isComplete));
      return cluster;
    } catch (RuntimeException e) {
      cluster.close();
      throw e;
    }
  }

  private static int firstSlot(int node) {
    return node * SlotHash.SLOT_COUNT / NODES;
  }

  private static boolean isComplete(RedisCommands<String, String> node) {
    String info = node.clusterInfo();
    return info.contains("cluster_state:ok")
        && info.contains("cluster_known_nodes:" + NODES)
        && info.contains("cluster_slots_ok:" + SlotHash.SLOT_COUNT);
  }

  static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("not in time: " + what);
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
    }
  }

  /** Commands of one node, which knows nothing of the others' keys. */
  RedisCommands<String, String> node(int number) {
    return connections.get(number).sync();
  }

  Stream<RedisCommands<String, String>> nodes() {
    return connections.stream().map(StatefulRedisConnection::sync);
  }

  RedisServer server(int number) {
    return servers.get(number);
  }

  /** Clients are told of one node only, and find the others. */
  RedisURI seed() {
    return RedisURI.create(servers.get(0).url());
  }

  @Override
  public void close() {
    connections.forEach(StatefulRedisConnection::close);
    clients.forEach(client -> client.shutdown(Duration.ZERO, Duration.ofSeconds(2)));
    servers.forEach(RedisServer::close);
  }
}
