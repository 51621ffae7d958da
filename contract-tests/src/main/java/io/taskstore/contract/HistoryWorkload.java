// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Failed;
import io.taskstore.contract.History.Lost;
import io.taskstore.contract.History.Outcome;
import io.taskstore.contract.History.Removed;
import io.taskstore.contract.History.Saw;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Wrote;
import io.taskstore.contract.Verdict.Undecided;
import io.taskstore.contract.Verdict.Violation;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Lets threads race for a few keys, and judges what they saw. The work is divided into rounds: each
 * has keys of its own, which all threads begin to use at the same moment; after it the histories of
 * its keys are judged and forgotten, so memory does not grow with the number of calls.
 *
 * <p>A call may fail: a write whose outcome is unknown is judged as one that takes effect at some
 * time after it began, or never. So a workload may be run while connections are cut.
 *
 * <p>The seed decides what each thread does, not how the threads meet: a failure need not come back
 * with its seed.
 *
 * @param seed decides what is called
 * @param threads how many threads there are
 * @param keys how many keys each round has
 * @param rounds how many rounds there are
 * @param calls how many calls there are altogether
 * @param deletePercent how many calls of a hundred are deletes; if there are any, let there be some
 *     fifty calls for each key of a round, since their judgement is a search
 * @param dataSize how many bytes of data each record has
 */
public record HistoryWorkload(
    long seed, int threads, int keys, int rounds, int calls, int deletePercent, int dataSize) {
  private static final int DELETE_FREE_CALLS = 2_000;
  private static final int DELETE_CALLS = 48;
  private static final int READ_PERCENT = 35;

  /** How much of a history a failure shows. */
  private static final int SHOWN_CALLS = 80;

  /**
   * What was done.
   *
   * @param calls all calls
   * @param writes puts and deletes that took effect
   * @param conflicts puts and deletes that lost
   * @param unknown writes whose answer was lost
   * @param failed calls that failed without an effect
   * @param keys how many histories were judged
   */
  public record Summary(
      long calls, long writes, long conflicts, long unknown, long failed, long keys) {
    private static final Summary NOTHING = new Summary(0, 0, 0, 0, 0, 0);

    private Summary plus(List<Call> history) {
      return new Summary(
          calls + history.size(),
          writes + history.stream().filter(Call::hasWritten).count(),
          conflicts + history.stream().filter(call -> call.outcome() instanceof Lost).count(),
          unknown + history.stream().filter(Call::isOpen).count(),
          failed + history.stream().filter(call -> call.outcome() instanceof Failed).count(),
          keys + 1);
    }
  }

  /** Checks that there is something to do. */
  public HistoryWorkload {
    if (threads < 1 || keys < 1 || rounds < 1 || calls < 1) {
      throw new IllegalArgumentException("A workload needs threads, keys, rounds and calls");
    }
  }

  /** Reads, writes and creations on two keys at a time. */
  public static HistoryWorkload deleteFree(long seed, int threads, int calls) {
    int rounds = Math.max(1, calls / (2 * DELETE_FREE_CALLS));
    return new HistoryWorkload(seed, threads, 2, rounds, calls, 0, 64);
  }

  /** Deletes, too, on two keys at a time. */
  public static HistoryWorkload withDeletes(long seed, int threads, int calls) {
    int rounds = Math.max(1, calls / (2 * DELETE_CALLS));
    return new HistoryWorkload(seed, threads, 2, rounds, calls, 15, 64);
  }

  /**
   * Runs the workload.
   *
   * @param backends instances on the same storage; the threads are spread over them
   * @param partition a partition that nothing was stored in before
   * @throws AssertionError if the calls on a key are not linearizable, or if the search was given
   *     up
   */
  public Summary run(List<? extends StorageBackend> backends, String partition) {
    AtomicInteger thread = new AtomicInteger();
    ExecutorService executor =
        Executors.newFixedThreadPool(
            threads,
            task -> {
              Thread created = new Thread(task, "t" + thread.incrementAndGet());
              created.setDaemon(true);
              return created;
            });
    try {
      Summary summary = Summary.NOTHING;
      for (int round = 0; round < rounds; round++) {
        summary = runRound(executor, backends, partition, round, summary);
      }
      return summary;
    } finally {
      executor.shutdownNow();
    }
  }

  private Summary runRound(
      ExecutorService executor,
      List<? extends StorageBackend> backends,
      String partition,
      int round,
      Summary before) {
    List<RecordKey> names = new ArrayList<>();
    List<History> histories = new ArrayList<>();
    for (int key = 0; key < keys; key++) {
      String name = "r" + round + "k" + key;
      names.add(new RecordKey(partition, name));
      histories.add(new History(name));
    }
    AtomicInteger arrived = new AtomicInteger();
    AtomicBoolean stop = new AtomicBoolean();
    SplittableRandom seeds = new SplittableRandom(seed + 0x9E3779B97F4A7C15L * round);
    int roundCalls = share(calls, rounds, round);
    List<Future<?>> tasks = new ArrayList<>();
    for (int thread = 0; thread < threads; thread++) {
      StorageBackend backend = backends.get(thread % backends.size());
      List<HistoryRecorder> recorders = new ArrayList<>();
      for (int key = 0; key < keys; key++) {
        recorders.add(new HistoryRecorder(backend, names.get(key), dataSize, histories.get(key)));
      }
      SplittableRandom random = seeds.split();
      int share = share(roundCalls, threads, thread);
      tasks.add(
          executor.submit(
              () -> {
                meet(arrived, stop);
                work(recorders, random, share, stop);
              }));
    }
    await(tasks, stop);
    Summary summary = before;
    for (int key = 0; key < keys; key++) {
      List<Call> history = histories.get(key).calls();
      Verdict verdict = Linearizability.check(history, State.ABSENT);
      if (!(verdict instanceof Verdict.Linearizable)) {
        throw new AssertionError(message(verdict, names.get(key), history));
      }
      summary = summary.plus(history);
    }
    return summary;
  }

  /** The part of {@code total} that belongs to one of {@code parts}. */
  private static int share(int total, int parts, int index) {
    return total / parts + (index < total % parts ? 1 : 0);
  }

  /**
   * Waits for all threads. A latch would wake them up one after the other, with more time between
   * them than a fast backend needs for all of its calls.
   */
  private void meet(AtomicInteger arrived, AtomicBoolean stop) {
    arrived.incrementAndGet();
    for (int turn = 0; arrived.get() < threads && !stop.get(); turn++) {
      if (turn < 200) {
        Thread.onSpinWait();
      } else if (turn < 2_000) {
        letOthersRun();
      } else {
        LockSupport.parkNanos(50_000);
      }
    }
  }

  private void work(
      List<HistoryRecorder> recorders, SplittableRandom random, int count, AtomicBoolean stop) {
    long[] lastSeen = new long[keys];
    for (int i = 0; i < count && !stop.get(); i++) {
      int key = random.nextInt(keys);
      Outcome outcome = call(recorders.get(key), random, lastSeen[key]);
      if (outcome instanceof Saw saw) {
        lastSeen[key] = saw.state().version();
      } else if (outcome instanceof Lost lost) {
        lastSeen[key] = lost.winner().version();
      } else if (outcome instanceof Wrote wrote) {
        lastSeen[key] = wrote.version();
      } else if (outcome instanceof Removed) {
        lastSeen[key] = StorageBackend.ABSENT;
      }
      if (random.nextInt(8) == 0) {
        letOthersRun();
      }
    }
  }

  /** Lets another thread come in between, where there are more threads than processors. */
  @SuppressWarnings("ThreadPriorityCheck") // nothing relies on it but how much there is to judge
  private static void letOthersRun() {
    Thread.yield();
  }

  private Outcome call(HistoryRecorder recorder, SplittableRandom random, long lastSeen) {
    int dice = random.nextInt(100);
    if (dice < READ_PERCENT) {
      return recorder.get();
    }
    if (dice >= 100 - deletePercent) {
      return lastSeen == StorageBackend.ABSENT ? recorder.get() : recorder.delete(lastSeen);
    }
    // mostly what was seen last, which is fresh or not as the others let it; else one behind, one
    // ahead, or a creation
    return switch (random.nextInt(16)) {
      case 0 -> recorder.put(Math.max(StorageBackend.ABSENT, lastSeen - 1));
      case 1 -> recorder.put(lastSeen + 1);
      case 2 -> recorder.put(StorageBackend.ABSENT);
      default -> recorder.put(lastSeen);
    };
  }

  private void await(List<Future<?>> tasks, AtomicBoolean stop) {
    for (Future<?> task : tasks) {
      try {
        task.get();
      } catch (ExecutionException e) {
        stop.set(true);
        throw new AssertionError("A thread of " + this + " failed", e.getCause());
      } catch (InterruptedException e) {
        stop.set(true);
        Thread.currentThread().interrupt();
        throw new AssertionError("Interrupted during " + this, e);
      }
    }
  }

  private String message(Verdict verdict, RecordKey key, List<Call> history) {
    StringBuilder text = new StringBuilder("The calls on ").append(key).append(" are not ");
    if (verdict instanceof Violation violation) {
      text.append("linearizable. ").append(violation.explanation());
    } else if (verdict instanceof Undecided undecided) {
      text.append("shown to be linearizable: more than ")
          .append(undecided.bound())
          .append(" configurations to search");
    }
    text.append("\nin ").append(this);
    if (history.size() <= SHOWN_CALLS) {
      text.append("\nAll calls on this key:");
      history.forEach(call -> text.append("\n  ").append(call));
    }
    return text.toString();
  }
}
