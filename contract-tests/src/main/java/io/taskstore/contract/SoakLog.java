// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskEvent;
import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What the listeners of a {@link Soak} have heard of each task, and what is wrong with it. Of a
 * task about which an outcome stayed unknown something may be missing.
 */
final class SoakLog {
  /**
   * A write that was told.
   *
   * @param worker who held the lease then; null for nobody
   * @param leaseUntil until when; null for nobody
   * @param heardAt by the clock of the stores, at the earliest when the write was acknowledged
   */
  private record Told(
      String type,
      long version,
      boolean ended,
      @Nullable String worker,
      @Nullable Instant leaseUntil,
      Instant heardAt) {
    static Told of(TaskEvent event, Task task, Instant heardAt) {
      return new Told(
          event.type(),
          task.version(),
          task.isTerminal(),
          task.worker().orElse(null),
          task.leaseUntil().orElse(null),
          heardAt);
    }

    @Override
    public String toString() {
      return type + " " + version;
    }
  }

  /**
   * What is wrong with what was told of a task.
   *
   * @param certain what is wrong whatever is told later
   * @param open what may be put right by an event that is late
   */
  record Findings(List<String> certain, List<String> open) {}

  private final Clock clock;
  private final Queue<String> problems = new ConcurrentLinkedQueue<>();
  private final Map<String, Queue<Told>> byTask = new ConcurrentHashMap<>();
  private final Set<String> unknown = ConcurrentHashMap.newKeySet();
  private final Map<String, CountDownLatch> markers = new ConcurrentHashMap<>();

  SoakLog(Clock clock) {
    this.clock = clock;
  }

  /** Takes note of something that must not be. */
  void problem(String what) {
    if (problems.size() < 20) {
      problems.add(what);
    }
  }

  boolean hasProblems() {
    return !problems.isEmpty();
  }

  List<String> problems() {
    return List.copyOf(problems);
  }

  /** Forgets the tasks so far. */
  void forget() {
    byTask.clear();
    unknown.clear();
  }

  /** The listener of one store. */
  final class Ear implements TaskListener {
    private final Map<String, Long> lastVersions = new ConcurrentHashMap<>();

    @Override
    public void onEvent(TaskEvent event) {
      Instant heardAt = clock.instant();
      String id = event.taskId().orElse("");
      CountDownLatch marker = markers.get(id);
      if (marker != null) {
        marker.countDown();
      }
      if (event instanceof TaskEvent.Dropped) {
        problem("a listener was told that it is too slow");
      }
      if (event instanceof TaskEvent.OutcomeUnknown) {
        unknown.add(id);
      }
      if (event instanceof TaskEvent.Write write) {
        Task task = write.task();
        Long last = lastVersions.put(id, task.version());
        if (last != null && last >= task.version()) {
          problem("version %d was told after version %d".formatted(task.version(), last));
        }
        byTask
            .computeIfAbsent(id, i -> new ConcurrentLinkedQueue<>())
            .add(Told.of(event, task, heardAt));
      }
    }

    /** Waits until everything was heard that the store has done by now. */
    void catchUp(TaskStore store, Duration patience) throws InterruptedException {
      String marker = UUID.randomUUID().toString();
      CountDownLatch heard = new CountDownLatch(1);
      markers.put(marker, heard);
      try {
        Task unused = store.get(Owner.session("marker"), marker);
      } catch (TaskStoreException e) {
        // Whatever failed, it is told.
      }
      if (!heard.await(patience.toMillis(), TimeUnit.MILLISECONDS)) {
        problem("a listener has not heard of the last event");
      }
      markers.remove(marker);
    }
  }

  /** What is wrong with what was told of a task, given how it stands in the storage. */
  Findings findings(Task task) {
    List<Told> told =
        new ArrayList<>(byTask.getOrDefault(task.id(), new ConcurrentLinkedQueue<>()));
    told.sort(Comparator.comparingLong(Told::version));
    Findings findings = new Findings(new ArrayList<>(), new ArrayList<>());
    for (int i = 1; i < told.size(); i++) {
      if (told.get(i - 1).version() == told.get(i).version()) {
        findings.certain().add("one version was told twice: " + told);
      }
    }
    List<Told> ends = told.stream().filter(Told::ended).toList();
    boolean isUnknown = unknown.contains(task.id());
    if (ends.isEmpty() && !isUnknown) {
      findings.open().add("the end of %s was not told: %s".formatted(task, told));
    }
    if (ends.stream().anyMatch(end -> end.version() != task.version())) {
      findings.certain().add("these were told as the end of %s: %s".formatted(task, ends));
    }
    if (!isUnknown) {
      addLeases(told, findings);
    }
    return findings;
  }

  private static void addLeases(List<Told> told, Findings findings) {
    Set<String> workers = new HashSet<>();
    Told before = null;
    for (Told each : told) {
      String worker = each.worker();
      if (worker != null && !worker.equals(before == null ? null : before.worker())) {
        if (!workers.add(worker)) {
          findings
              .certain()
              .add("a worker wrote after another one had taken its task over: " + told);
        }
        Instant until = before == null ? null : before.leaseUntil();
        if (before != null && until != null && each.heardAt().isBefore(until)) {
          // Between the two the lease may have been given back.
          boolean isNext = before.version() + 1 == each.version();
          (isNext ? findings.certain() : findings.open())
              .add(
                  "a lease was taken before %s, while another one lasted until %s: %s"
                      .formatted(each.heardAt(), until, told));
        }
      }
      before = each;
    }
  }
}
