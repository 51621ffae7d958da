// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.KillArgs;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.protocol.CommandType;
import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.contract.TcpProxy;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** Makes trouble between a backend and a server, and in the server. */
final class RedisFaults implements FaultInjection, AutoCloseable {
  private final TcpProxy proxy;
  private final RedisClient client;
  private @Nullable StatefulRedisConnection<String, String> admin;
  private @Nullable StatefulRedisConnection<String, String> blocker;

  private RedisFaults(TcpProxy proxy, RedisClient client) {
    this.proxy = proxy;
    this.client = client;
  }

  /** Most storages have no trouble, and need no connection for it. */
  private RedisCommands<String, String> admin() {
    if (admin == null) {
      admin = client.connect();
    }
    return admin.sync();
  }

  static RedisFaults of(String host, int port, RedisClient client) {
    try {
      return new RedisFaults(TcpProxy.to(host, port), client);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  int port() {
    return proxy.port();
  }

  @Override
  public Set<Trouble> supported() {
    return EnumSet.allOf(Trouble.class);
  }

  @Override
  public String endpoint() {
    return "127.0.0.1:" + proxy.port();
  }

  @Override
  public Duration timeout() {
    return RedisStorageBackend.DEFAULT_TIMEOUT;
  }

  /** Not handshakes and reads, unless they are sent together with a write. */
  private static boolean isWrite(byte[] request) {
    String text = new String(request, ISO_8859_1);
    return Arrays.stream(Script.values())
        .filter(script -> script != Script.LIST)
        .anyMatch(script -> text.contains(script.digest()) || text.contains(script.text()));
  }

  @Override
  public void cause(Trouble trouble) throws Exception {
    switch (trouble) {
      case UNREACHABLE -> proxy.refuse();
      case SILENT -> proxy.stall();
      case ANSWER_LOST -> proxy.cutAnswers(RedisFaults::isWrite, 0);
      case BUSY -> {
        blocker = client.connect();
        var unused = blocker.async().eval("while true do end", ScriptOutputType.STATUS);
        while (!isBusy()) {
          Thread.onSpinWait();
        }
      }
      case READ_ONLY -> admin().replicaof("127.0.0.1", 1);
      case UNAUTHORIZED -> {
        AclSetuserArgs none = AclSetuserArgs.Builder.removeCommand(CommandType.EVAL);
        none.removeCommand(CommandType.EVALSHA).removeCommand(CommandType.HMGET);
        admin().aclSetuser("default", none.removeCommand(CommandType.SCAN));
      }
      case FULL -> admin().configSet("maxmemory", "1");
    }
  }

  private boolean isBusy() {
    try {
      admin().ping();
      return false;
    } catch (RedisException e) {
      return String.valueOf(e.getMessage()).startsWith("BUSY");
    }
  }

  @Override
  public void heal() throws Exception {
    if (isBusy()) {
      admin().scriptKill();
      while (isBusy()) {
        Thread.onSpinWait();
      }
    }
    if (blocker != null) {
      blocker.close();
      blocker = null;
    }
    admin().replicaofNoOne();
    admin().aclSetuser("default", AclSetuserArgs.Builder.allCommands());
    admin().configSet("maxmemory", "0");
    proxy.heal();
  }

  /** Drops cached scripts and idle connections. */
  @Override
  public void disturb() {
    admin().scriptFlush();
    long before = connections();
    long killed = admin().clientKill(KillArgs.Builder.user("default"));
    // Until the clients are there again; but some that were killed may have been closed.
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(1);
    while (killed > 0 && connections() < before && System.nanoTime() < end) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
    }
  }

  private long connections() {
    return admin().clientList().lines().filter(line -> line.contains("user=default")).count();
  }

  @Override
  public void close() {
    proxy.close();
    if (admin != null) {
      admin.close();
    }
    if (blocker != null) {
      blocker.close();
    }
  }
}
