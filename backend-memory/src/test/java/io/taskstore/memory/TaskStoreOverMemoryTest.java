// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskLimitException;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStatus;
import io.taskstore.TaskStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

/** The task store under real threads: always two stores over one backend, which never meet. */
class TaskStoreOverMemoryTest {
  private static final int LIMIT = 10;

  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final List<TaskStore> stores = List.of(newStore(), newStore());
  private final Owner owner = Owner.subject("alice");
  private final ExecutorService threads = Executors.newCachedThreadPool();

  private TaskStore newStore() {
    return GenericTaskStore.builder(backend)
        .maxActiveTasks(LIMIT)
        .operationTimeout(Duration.ofMinutes(2))
        .maxUpdateAttempts(10_000)
        .build();
  }

  @AfterEach
  void stop() {
    threads.shutdownNow();
  }

  private TaskStore store(int number) {
    return stores.get(number % stores.size());
  }

  /** Runs {@code count} actions that begin at the same moment, and returns what they returned. */
  private <T> List<T> race(int count, ThrowingFunction<T> action) throws Exception {
    CyclicBarrier start = new CyclicBarrier(count);
    List<Callable<T>> racers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int number = i;
      racers.add(
          () -> {
            start.await();
            return action.apply(number);
          });
    }
    List<T> results = new ArrayList<>();
    for (Future<T> result : threads.invokeAll(racers)) {
      results.add(result.get());
    }
    return results;
  }

  private interface ThrowingFunction<T> {
    T apply(int number) throws Exception;
  }

  @RepeatedTest(10)
  void creates_whileOthersFinish_neverExceedTheLimit() throws Exception {
    List<Integer> finished =
        race(
            8,
            worker -> {
              int done = 0;
              for (int i = 0; i < 50; i++) {
                try {
                  Task task = store(worker).create(owner, NewTask.of("churn"));
                  int active =
                      store(worker)
                          .list(owner, TaskQuery.newestFirst().activeOnly())
                          .tasks()
                          .size();
                  assertThat(active).isLessThanOrEqualTo(LIMIT);
                  store(worker).update(task, change().complete());
                  done++;
                } catch (TaskLimitException e) {
                  Thread.onSpinWait();
                }
              }
              return done;
            });

    int total = finished.stream().mapToInt(Integer::intValue).sum();
    // Eight workers with one task each can never meet a limit of ten.
    assertThat(total).isEqualTo(8 * 50);
    assertThat(store(0).list(owner, TaskQuery.newestFirst().activeOnly()).tasks()).isEmpty();
  }

  @RepeatedTest(10)
  void endings_racing_exactlyOneWinsAndTheOthersAreTold() throws Exception {
    Task task = store(0).create(owner, NewTask.of("race"));

    List<Object> outcomes =
        race(
            8,
            racer -> {
              try {
                return racer % 2 == 0
                    ? store(racer).update(task, change().complete(Map.of("by", racer)))
                    : store(racer).cancel(owner, task.id());
              } catch (TaskEndedException e) {
                return e;
              }
            });

    Task ended = store(1).get(owner, task.id());
    assertThat(outcomes).filteredOn(Task.class::isInstance).containsExactly(ended);
    assertThat(outcomes)
        .filteredOn(TaskEndedException.class::isInstance)
        .hasSize(7)
        .allSatisfy(e -> assertThat(((TaskEndedException) e).task()).isEqualTo(ended));
    assertThat(ended.version()).isEqualTo(2);
  }

  @Test
  void requestsToCancel_amongUpdates_areNeverLost() throws Exception {
    for (int round = 0; round < 50; round++) {
      Task task = store(0).create(owner, NewTask.of("race"));
      race(
          2,
          racer -> {
            if (racer == 0) {
              return store(0).requestCancel(owner, task.id());
            }
            Task inHand = task;
            for (int i = 0; i < 20; i++) {
              inHand = store(1).update(inHand, change().progress(i, 20));
            }
            return inHand;
          });

      Task after = store(1).get(owner, task.id());
      assertThat(after.isCancelRequested()).isTrue();
      assertThat(after.progress().orElseThrow().done()).isEqualTo(19);
      assertThat(store(0).cancel(owner, task.id()).status()).isEqualTo(TaskStatus.CANCELLED);
    }
  }
}
