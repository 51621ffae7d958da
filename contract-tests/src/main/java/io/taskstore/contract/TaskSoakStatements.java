// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.spi.StorageBackend;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Statements S: everything together, for a long time. */
abstract class TaskSoakStatements extends TaskCacheStatements {
  /** The JUnit configuration parameter, or system property, that says how long the soak takes. */
  static final String DURATION_PARAMETER = "taskstore.contract.soak";

  /** The test that every build makes. */
  static final String SOAK = "s18_tasksOfWorkersThatComeAndGo_endOnceEach";

  /** How long a task may take, whatever becomes of its workers. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private static final Duration DEFAULT = Duration.ofMinutes(10);
  private static final int TASKS_IN_DEFAULT = 10_000;

  /** How many tasks the soak of every build has. */
  int soakTasks() {
    return 250;
  }

  @Test
  final void s18_tasksOfWorkersThatComeAndGo_endOnceEach() throws Exception {
    Soak.Summary unused = soak(Duration.ZERO, soakTasks());
  }

  @Test
  @Certification
  @ExtendWith(SoakDuration.class)
  final void s18_tasksOfWorkersThatComeAndGo_endOnceEach_forALongTime(Duration duration)
      throws Exception {
    long tasks = TASKS_IN_DEFAULT * duration.toMillis() / DEFAULT.toMillis();
    Soak.Summary summary = soak(duration, Math.toIntExact(Math.max(soakTasks(), tasks)));
    System.out.println("Soak of %s over %s: %s".formatted(harness().name(), duration, summary));
  }

  private Soak.Summary soak(Duration atLeast, int tasks) throws Exception {
    BackendStorage alone = newStorage();
    Clock clock = new SteadyClock();
    Set<Thread> before = Thread.getAllStackTraces().keySet();
    Soak soak =
        new Soak(
            alone,
            (onto, listener) -> soakStore(onto, clock, listener),
            clock,
            partition(),
            PATIENCE,
            new Random(18));

    Soak.Summary summary = soak.run(atLeast, tasks);

    assertThat(soak.problems()).as("what went wrong in %s", summary).isEmpty();
    assertThat(summary.tasks()).as("tasks that have ended").isGreaterThanOrEqualTo(tasks);
    assertThat(summary.resumed()).as("runs that went on with a task").isPositive();
    assertThat(left(before)).as("threads that are left").isEmpty();
    return summary;
  }

  private TaskStore soakStore(StorageBackend onto, Clock clock, TaskListener listener) {
    return build(
        onto,
        clock,
        options ->
            listening(
                options
                    .lease(Soak.LEASE)
                    .progressInterval(Soak.PROGRESS_INTERVAL)
                    .maxActiveTasks(10_000),
                listener));
  }

  /** The threads of stores and of the soak that are new; waits until there are none. */
  private List<String> left(Set<Thread> before) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      List<String> left = new ArrayList<>();
      for (Thread thread : Thread.getAllStackTraces().keySet()) {
        boolean isOurs =
            thread.getName().startsWith("taskstore-")
                || thread.getName().startsWith(SoakServer.THREADS);
        if (isOurs && !before.contains(thread)) {
          left.add(thread.getName());
        }
      }
      if (left.isEmpty() || System.nanoTime() - deadline > 0) {
        return left;
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  /** Gives a test the duration that the run is configured with. */
  static final class SoakDuration implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == Duration.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return context.getConfigurationParameter(DURATION_PARAMETER, Duration::parse).orElse(DEFAULT);
    }
  }
}
