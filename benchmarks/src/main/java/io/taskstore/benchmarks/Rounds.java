// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
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

  /** Does the parts at the same time, a thread each, and adds up their figures. */
  static List<Double> together(List<? extends Callable<List<Double>>> parts) throws Exception {
    if (parts.size() == 1) {
      return parts.get(0).call();
    }
    ExecutorService pool = Executors.newFixedThreadPool(parts.size());
    try {
      CountDownLatch ready = new CountDownLatch(parts.size());
      List<Future<List<Double>>> figures = new ArrayList<>();
      for (Callable<List<Double>> part : parts) {
        figures.add(
            pool.submit(
                () -> {
                  ready.countDown();
                  ready.await();
                  return part.call();
                }));
      }
      List<Double> sums = new ArrayList<>(figures.get(0).get());
      for (Future<List<Double>> its : figures.subList(1, figures.size())) {
        for (int i = 0; i < sums.size(); i++) {
          sums.set(i, sums.get(i) + its.get().get(i));
        }
      }
      return sums;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Exception cause) {
        throw cause;
      }
      throw e;
    } finally {
      pool.shutdown();
    }
  }

  /** Threads that do the same, each with what is its own. */
  record Threads(String name, List<? extends Work> works) implements Subject {
    @Override
    public List<String> names() {
      return List.of(name);
    }

    @Override
    public List<Double> rates(Duration length) throws Exception {
      List<Callable<List<Double>>> parts = new ArrayList<>();
      for (Work work : works) {
        parts.add(() -> List.of(rate(work, length)));
      }
      return together(parts);
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
