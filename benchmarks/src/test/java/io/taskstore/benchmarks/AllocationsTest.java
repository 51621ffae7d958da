// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Guards what operations allocate, which noise does not touch: a change that copies a task once
 * more is seen here. Calls, round trips, flushes and requests are counted by the tests of core and
 * of the backends.
 */
class AllocationsTest {
  /**
   * A compiler that avoids some allocations comes late or not at all, so they are not counted on.
   */
  private static final int WARMUPS = 300;

  private static final int RUNS = 300;

  /** What is measured, with a limit that is a fifth above what was seen when it was written. */
  private enum Operation {
    STORE_GET(4_700),
    STORE_UPDATE_IN_HAND(5_700),
    STORE_UPDATE_BY_ID(10_000),
    STORE_LIST(228_000),
    STORE_LIST_ACTIVE(226_000),
    MEMORY_GET(350),
    MEMORY_PUT(430),
    MEMORY_LIST(18_500);

    private final long limit;

    Operation(long limit) {
      this.limit = limit;
    }

    Object run(StoreBenchmark store) {
      return switch (this) {
        case STORE_GET -> store.get();
        case STORE_UPDATE_IN_HAND -> store.updateInHand();
        case STORE_UPDATE_BY_ID -> store.updateById();
        case STORE_LIST -> store.list();
        case STORE_LIST_ACTIVE -> store.listActive();
        case MEMORY_GET -> store.rawGet();
        case MEMORY_PUT -> store.rawUpdateInHand();
        case MEMORY_LIST -> store.rawList();
      };
    }
  }

  @ParameterizedTest
  @EnumSource
  void operation_allocates_noMoreThanItsLimit(Operation operation) {
    StoreBenchmark store = new StoreBenchmark();
    store.fill();
    repeat(WARMUPS, operation, store);

    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    repeat(RUNS, operation, store);
    long bytes = (threads.getCurrentThreadAllocatedBytes() - before) / RUNS;

    assertThat(bytes).as("bytes that %s allocates", operation).isLessThanOrEqualTo(operation.limit);
  }

  private static void repeat(int times, Operation operation, StoreBenchmark store) {
    for (int i = 0; i < times; i++) {
      Expect.that(operation.run(store) != null);
    }
  }
}
