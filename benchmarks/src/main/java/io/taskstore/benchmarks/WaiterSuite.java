// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static io.taskstore.TaskChange.change;

import com.sun.management.OperatingSystemMXBean;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStore;
import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * Many threads that wait for tasks to end: how often the storage is read meanwhile, and how long
 * after the end they go on. The baseline is a loop of reading and sleeping in each thread.
 */
final class WaiterSuite implements Suite {
  private static final Duration TIMEOUT = Duration.ofMinutes(10);

  /** Between two reads of the baseline; what clients of tasks often do. */
  private static final Duration PAUSE = Duration.ofMillis(500);

  private static final int TASKS_OF_AN_OWNER = 100;

  /** As small as it may be: nothing deep is called. */
  private static final long STACK_BYTES = 128 * 1_024;

  /** How they wait, and who ends the tasks. */
  private enum Way {
    ONE_TASK("`awaitTerminal`, all for one task, ended through the same store"),
    OWN_TASKS("`awaitTerminal`, each for its own task, ended through the same store"),
    OWN_TASKS_ELSEWHERE("`awaitTerminal`, each for its own task, ended through another store"),
    LOOP("a loop of `get` and 500 ms of sleep, each for its own task");

    private final String description;

    Way(String description) {
      this.description = description;
    }
  }

  @Override
  public String name() {
    return "waiters";
  }

  @Override
  public String title() {
    return "Threads that wait for tasks";
  }

  @Override
  public String measure(Options options) throws IOException {
    return options.quick()
        ? measure(options, 100, Duration.ofMillis(600))
        : measure(options, 10_000, Duration.ofSeconds(20));
  }

  String measure(Options options, int count, Duration window) throws IOException {
    StringBuilder table = new StringBuilder();
    table.append("| ").append(SizesTable.name(count)).append(" threads that wait |");
    table.append(" Reads a second | Processors in use | Wake-up, median | Wake-up, the last |\n");
    table.append("|---|--:|--:|--:|--:|\n");
    try {
      for (Way way : Way.values()) {
        table.append(row(way, count, window, options.progress()));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    }
    return "**%s.** %s; `%s`; memory backend; reads of %s s.%n%n%s"
        .formatted(
            title(),
            Machine.describe(),
            Machine.jvmOptions(),
            Report.figure(window.toMillis() / 1e3),
            table);
  }

  private static String row(Way way, int count, Duration window, PrintStream progress)
      throws InterruptedException {
    LongAdder reads = new LongAdder();
    try (StorageBackend backend = MemoryStorageBackend.create();
        TaskStore store = GenericTaskStore.over(counting(backend, reads));
        TaskStore elsewhere = GenericTaskStore.over(backend)) {
      List<Task> tasks = new ArrayList<>();
      for (int i = 0; i < (way == Way.ONE_TASK ? 1 : count); i++) {
        Owner owner = owner(i);
        tasks.add(store.create(owner, NewTask.of("digest")));
      }
      long[] ended = new long[tasks.size()];
      long[] woken = new long[count];
      List<Thread> threads = new ArrayList<>();
      reads.reset();
      for (int i = 0; i < count; i++) {
        int number = i;
        int of = i % tasks.size();
        Runnable waiting =
            () -> {
              await(way, store, owner(of), tasks.get(of).id());
              woken[number] = System.nanoTime();
            };
        Thread thread = new Thread(null, waiting, "waiter", STACK_BYTES);
        thread.start();
        threads.add(thread);
      }
      while (reads.sum() < count) {
        Thread.sleep(10);
      }
      double[] meanwhile = meanwhile(reads, window);
      TaskStore ending = way == Way.OWN_TASKS_ELSEWHERE ? elsewhere : store;
      for (int i = 0; i < tasks.size(); i++) {
        ended[i] = System.nanoTime();
        ending.update(tasks.get(i), change().complete());
      }
      List<Double> wakes = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        threads.get(i).join();
        wakes.add((woken[i] - ended[i % tasks.size()]) / 1e6);
      }
      String line =
          "| %s | %s | %s | %s ms | %s ms |%n"
              .formatted(
                  way.description,
                  Report.figure(meanwhile[0]),
                  Report.ratio(meanwhile[1]),
                  Report.figure(Spread.of(wakes).median()),
                  Report.figure(wakes.stream().mapToDouble(Double::doubleValue).max().orElse(0)));
      progress.print(line);
      return line;
    }
  }

  private static Owner owner(int task) {
    return Owner.subject("owner-" + task / TASKS_OF_AN_OWNER);
  }

  private static void await(Way way, TaskStore store, Owner owner, String id) {
    try {
      if (way == Way.LOOP) {
        while (!store.get(owner, id).status().isTerminal()) {
          TimeUnit.NANOSECONDS.sleep(PAUSE.toNanos());
        }
      } else {
        Expect.that(store.awaitTerminal(owner, id, TIMEOUT).status().isTerminal());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Reads a second, and how many processors are in use, after all have come to rest. */
  private static double[] meanwhile(LongAdder reads, Duration window) throws InterruptedException {
    TimeUnit.NANOSECONDS.sleep(window.toNanos() / 2);
    OperatingSystemMXBean system =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    reads.reset();
    long begin = System.nanoTime();
    long cpu = system.getProcessCpuTime();
    TimeUnit.NANOSECONDS.sleep(window.toNanos());
    double nanos = System.nanoTime() - begin;
    return new double[] {reads.sum() * 1e9 / nanos, (system.getProcessCpuTime() - cpu) / nanos};
  }

  private static StorageBackend counting(StorageBackend backend, LongAdder reads) {
    return (StorageBackend)
        Proxy.newProxyInstance(
            WaiterSuite.class.getClassLoader(),
            new Class<?>[] {StorageBackend.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("get")) {
                reads.increment();
              }
              try {
                return method.invoke(backend, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause() == null ? e : e.getCause();
              }
            });
  }
}
