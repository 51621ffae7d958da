// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Measures several subjects by turns, in short rounds, all of them in every round. A disk that
 * becomes slow for a minute then does so for all of them, and the ratios of each round stay what
 * they are. Each round begins with another subject.
 */
final class Rounds {
  private Rounds() {}

  /**
   * How often and how long.
   *
   * @param warmups rounds that are not counted
   * @param length of the part of one subject in a round
   */
  record Plan(int warmups, int rounds, Duration length) {
    @Override
    public String toString() {
      return "%d × %d ms by turns, after %d to warm up"
          .formatted(rounds, length.toMillis(), warmups);
    }
  }

  /** One operation, which one thread does again and again. */
  interface Work {
    void run() throws Exception;
  }

  /** Something that is measured. */
  interface Subject {
    /** The names of its figures. */
    List<String> names();

    /** Works for about so long, and returns operations per second, one figure for each name. */
    List<Double> rates(Duration length) throws Exception;
  }

  /** The operations per second of one subject, round by round. */
  record Rates(List<Double> perRound) {
    Rates {
      perRound = List.copyOf(perRound);
    }

    Spread spread() {
      return Spread.of(perRound);
    }

    /** How many times as fast as another subject, each round by itself. */
    Spread over(Rates other) {
      List<Double> ratios = new ArrayList<>();
      for (int i = 0; i < perRound.size(); i++) {
        ratios.add(perRound.get(i) / other.perRound.get(i));
      }
      return Spread.of(ratios);
    }
  }

  static Map<String, Rates> measure(Plan plan, List<? extends Subject> subjects) throws Exception {
    Map<String, List<Double>> figures = new LinkedHashMap<>();
    subjects.forEach(s -> s.names().forEach(name -> figures.put(name, new ArrayList<>())));
    for (int round = -plan.warmups(); round < plan.rounds(); round++) {
      for (int turn = 0; turn < subjects.size(); turn++) {
        Subject subject = subjects.get(Math.floorMod(round + turn, subjects.size()));
        List<Double> rates = subject.rates(plan.length());
        for (int i = 0; i < rates.size() && round >= 0; i++) {
          Objects.requireNonNull(figures.get(subject.names().get(i))).add(rates.get(i));
        }
      }
    }
    Map<String, Rates> results = new LinkedHashMap<>();
    figures.forEach((name, perRound) -> results.put(name, new Rates(perRound)));
    return results;
  }

  /** The figures of a name, which must be among the results. */
  static Rates of(Map<String, Rates> results, String name) {
    return Objects.requireNonNull(results.get(name), name);
  }

  /** Threads that do the same, each with what is its own. */
  record Threads(String name, List<? extends Work> works) implements Subject {
    @Override
    public List<String> names() {
      return List.of(name);
    }

    @Override
    public List<Double> rates(Duration length) throws Exception {
      if (works.size() == 1) {
        return List.of(rate(works.get(0), length));
      }
      ExecutorService pool = Executors.newFixedThreadPool(works.size());
      try {
        CountDownLatch ready = new CountDownLatch(works.size());
        List<Future<Double>> rates = new ArrayList<>();
        for (Work work : works) {
          rates.add(
              pool.submit(
                  () -> {
                    ready.countDown();
                    ready.await();
                    return rate(work, length);
                  }));
        }
        double together = 0;
        for (Future<Double> rate : rates) {
          together += rate.get();
        }
        return List.of(together);
      } catch (ExecutionException e) {
        if (e.getCause() instanceof Exception cause) {
          throw cause;
        }
        throw e;
      } finally {
        pool.shutdown();
      }
    }

    private static double rate(Work work, Duration length) throws Exception {
      long begin = System.nanoTime();
      long count = 0;
      long now;
      do {
        work.run();
        count++;
        now = System.nanoTime();
      } while (now - begin < length.toNanos());
      return count * 1e9 / (now - begin);
    }
  }
}
