// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.RedisURI;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.contract.TcpProxy;
import io.taskstore.testservers.RedisServer;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two processes hammer one task while their connections are cut. */
final class RedisTwoProcessesTest {
  private static final int TIMES = 40;

  @Test
  @Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void update_twoProcessesWhoseConnectionsAreCut_countsEachOnce() throws Exception {
    Owner owner = Owner.subject("counted");
    try (RedisServer server = RedisServer.start();
        TcpProxy proxy = TcpProxy.to("127.0.0.1", server.port());
        RedisStorageBackend backend =
            RedisStorageBackend.builder(RedisURI.create(server.url())).build();
        GenericTaskStore store = GenericTaskStore.over(backend)) {
      String url = "redis://127.0.0.1:" + proxy.port();
      String prefix = RedisStorageBackend.DEFAULT_KEY_PREFIX;
      Task task = store.create(owner, NewTask.of("count").set("count", 0));
      String id = task.id();
      String times = Integer.toString(TIMES);
      try (RedisChild one = RedisChild.start("count", url, prefix, "counted", id, "one", times);
          RedisChild two = RedisChild.start("count", url, prefix, "counted", id, "two", times)) {
        one.awaitReady();
        two.awaitReady();
        proxy.cutAtRandom(ThreadLocalRandom.current().nextLong(), 25);
        one.begin();
        two.begin();
        assertThat(one.next()).startsWith("done");
        assertThat(two.next()).startsWith("done");
      }

      Task counted = store.get(owner, id);
      assertThat(counted.variables().integer("count")).hasValue(4 * TIMES);
      for (String thread : new String[] {"onea", "oneb", "twoa", "twob"}) {
        assertThat(counted.variables().integer(thread)).as(thread).hasValue(TIMES);
      }
      assertThat(proxy.cuts()).as("cuts").isGreaterThan(10);
    }
  }
}
