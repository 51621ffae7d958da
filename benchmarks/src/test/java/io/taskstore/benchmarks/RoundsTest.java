// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class RoundsTest {
  private static final Duration SHORT = Duration.ofMillis(5);

  private final List<String> order = new ArrayList<>();

  /** Has a figure that is so many times the number of its turns so far. */
  private final class Scripted implements Rounds.Subject {
    private final String name;
    private final double factor;
    private int turns;

    Scripted(String name, double factor) {
      this.name = name;
      this.factor = factor;
    }

    @Override
    public List<String> names() {
      return List.of(name, name + " again");
    }

    @Override
    public List<Double> rates(Duration length) {
      assertThat(length).isEqualTo(SHORT);
      order.add(name);
      turns++;
      return List.of(factor * turns, 10 * factor * turns);
    }
  }

  @Test
  void measure_manySubjects_allInEveryRoundAndAnotherOneFirst() throws Exception {
    Rounds.measure(
        new Rounds.Plan(0, 3, SHORT),
        List.of(new Scripted("a", 1), new Scripted("b", 1), new Scripted("c", 1)));

    assertThat(String.join("", order)).isEqualTo("abc" + "bca" + "cab");
  }

  @Test
  void measure_warmups_areNotCounted() throws Exception {
    Map<String, Rounds.Rates> rates =
        Rounds.measure(new Rounds.Plan(2, 3, SHORT), List.of(new Scripted("a", 1)));

    assertThat(Rounds.of(rates, "a").perRound()).containsExactly(3.0, 4.0, 5.0);
    assertThat(Rounds.of(rates, "a again").perRound()).containsExactly(30.0, 40.0, 50.0);
  }

  @Test
  void over_allBecomeSlowerTogether_theRatioStays() throws Exception {
    Map<String, Rounds.Rates> rates =
        Rounds.measure(
            new Rounds.Plan(0, 5, SHORT), List.of(new Scripted("a", 8), new Scripted("b", 2)));

    assertThat(Rounds.of(rates, "a").over(Rounds.of(rates, "b"))).isEqualTo(new Spread(4, 4, 4));
  }

  @Test
  void of_unknownName_isNamed() {
    assertThatThrownBy(() -> Rounds.of(Map.of(), "nobody")).hasMessageContaining("nobody");
  }

  @Test
  void rates_manyThreads_workAtTheSameTimeAndAreAdded() throws Exception {
    CyclicBarrier meeting = new CyclicBarrier(4);
    AtomicLong count = new AtomicLong();
    Rounds.Work work =
        () -> {
          if (count.getAndIncrement() < 4) {
            meeting.await(1, TimeUnit.MINUTES);
          }
          Thread.sleep(1);
        };
    long begin = System.nanoTime();

    List<Double> rates =
        new Rounds.Threads("four", Collections.nCopies(4, work)).rates(Duration.ofMillis(100));

    double seconds = (System.nanoTime() - begin) / 1e9;
    assertThat(rates).hasSize(1);
    // Each sleeps for at least a millisecond, and none has been at work for longer than this call.
    assertThat(rates.get(0)).isBetween(0.99 * count.get() / seconds, 4_000.0);
  }

  @Test
  void rates_oneThread_isTheCallers() throws Exception {
    Thread caller = Thread.currentThread();

    List<Double> rates =
        new Rounds.Threads(
                "one", List.of(() -> assertThat(Thread.currentThread()).isSameAs(caller)))
            .rates(SHORT);

    assertThat(rates.get(0)).isPositive();
  }

  @Test
  void rates_workFails_failsWithTheSame() {
    IOException failure = new IOException("no more");
    Rounds.Work works = () -> Thread.sleep(1);
    Rounds.Work fails =
        () -> {
          throw failure;
        };

    assertThatThrownBy(() -> new Rounds.Threads("two", List.of(works, fails)).rates(SHORT))
        .isSameAs(failure);
  }
}
