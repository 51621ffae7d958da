// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Delete;
import io.taskstore.contract.History.Failed;
import io.taskstore.contract.History.Get;
import io.taskstore.contract.History.Lost;
import io.taskstore.contract.History.Operation;
import io.taskstore.contract.History.Outcome;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.Removed;
import io.taskstore.contract.History.Saw;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Unknown;
import io.taskstore.contract.History.Wrote;
import io.taskstore.contract.Verdict.Linearizable;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Compares the checkers with each other, and with one so simple that it must be right. */
class LinearizabilityCrossCheckTest {
  private static final int SEARCH_BOUND = 1_000_000;

  /** Expected by deletes that only lose, which may be in a history without deletes. */
  private static final long LOSING = 1_000;

  @Test
  void simulatedHistories_areLinearizable() {
    for (long seed = 0; seed < 6_000; seed++) {
      Simulation simulation = new Simulation(seed, 4, 30, seed % 2 == 0 ? 0 : 20);
      List<Call> calls = simulation.run();
      assertThat(Linearizability.check(calls, simulation.initial))
          .as(() -> show(calls, simulation.initial))
          .isEqualTo(new Linearizable());
      assertThat(LinearizationSearch.check(calls, simulation.initial, SEARCH_BOUND))
          .as(() -> show(calls, simulation.initial))
          .isEqualTo(new Linearizable());
    }
  }

  @Test
  void smallSimulatedHistories_areLinearizableByBruteForce() {
    for (long seed = 0; seed < 6_000; seed++) {
      Simulation simulation = new Simulation(seed, 3, 6, 20);
      List<Call> calls = simulation.run();
      assertThat(new BruteForce(calls).explains(simulation.initial))
          .as(() -> show(calls, simulation.initial))
          .isTrue();
    }
  }

  @Test
  void smallChangedHistories_areJudgedAsByBruteForce() {
    int good = 0;
    int bad = 0;
    for (long seed = 0; seed < 40_000; seed++) {
      SplittableRandom random = new SplittableRandom(~seed);
      Simulation simulation =
          new Simulation(
              seed, random.nextInt(2, 4), random.nextInt(2, 7), random.nextInt(0, 3) * 15);
      List<Call> calls = changed(simulation.run(), simulation.initial, random);
      boolean explained = new BruteForce(calls).explains(simulation.initial);
      assertThat(Linearizability.check(calls, simulation.initial).equals(new Linearizable()))
          .as(() -> show(calls, simulation.initial))
          .isEqualTo(explained);
      assertThat(searched(calls, simulation.initial))
          .as(() -> show(calls, simulation.initial))
          .isEqualTo(explained);
      if (explained) {
        good++;
      } else {
        bad++;
      }
    }
    assertThat(Math.min(good, bad)).as(good + " good, " + bad + " bad").isGreaterThan(5_000);
  }

  @Test
  void changedHistoriesWithoutDeletes_areJudgedAlike() {
    int good = 0;
    int bad = 0;
    for (long seed = 0; seed < 8_000; seed++) {
      SplittableRandom random = new SplittableRandom(~seed);
      Simulation simulation = new Simulation(seed, 4, random.nextInt(6, 25), 0);
      List<Call> calls = changed(simulation.run(), simulation.initial, random);
      boolean swept = Linearizability.check(calls, simulation.initial).equals(new Linearizable());
      assertThat(searched(calls, simulation.initial))
          .as(() -> show(calls, simulation.initial))
          .isEqualTo(swept);
      if (swept) {
        good++;
      } else {
        bad++;
      }
    }
    assertThat(Math.min(good, bad)).as(good + " good, " + bad + " bad").isGreaterThan(1_000);
  }

  private static boolean searched(List<Call> calls, State initial) {
    return Linearizability.simpleViolation(calls, initial) == null
        && LinearizationSearch.check(calls, initial, SEARCH_BOUND).equals(new Linearizable());
  }

  private static String show(List<Call> calls, State initial) {
    return calls.stream()
        .map(call -> "\n  " + call)
        .collect(Collectors.joining("", "at first " + initial, ""));
  }

  /** A correct register, whose callers come and go at random. */
  private static final class Simulation {
    private final SplittableRandom random;
    private final int processes;
    private final int deletePercent;
    private final State initial;
    private final List<Running> running = new ArrayList<>();
    private final List<Operation> late = new ArrayList<>();
    private final List<Call> done = new ArrayList<>();
    private State state;
    private int toStart;
    private long stamp;

    Simulation(long seed, int processes, int calls, int deletePercent) {
      random = new SplittableRandom(seed);
      this.processes = processes;
      this.deletePercent = deletePercent;
      initial = random.nextInt(4) == 0 ? new State(2, "old") : State.ABSENT;
      state = initial;
      toStart = calls;
    }

    private static final class Running {
      private final Operation operation;
      private final long invoked;
      private boolean lost;
      private Outcome outcome;

      Running(Operation operation, long invoked) {
        this.operation = operation;
        this.invoked = invoked;
      }
    }

    List<Call> run() {
      while (toStart > 0 || !running.isEmpty()) {
        if (!late.isEmpty() && random.nextInt(6) == 0) {
          compareAndSet(late.remove(random.nextInt(late.size())));
        }
        int chosen = random.nextInt(processes);
        if (chosen < running.size()) {
          advance(running.get(chosen));
        } else if (toStart > 0) {
          toStart--;
          running.add(new Running(operation(), ++stamp));
        }
      }
      return done;
    }

    private Operation operation() {
      long version = state.version();
      long expected =
          switch (random.nextInt(8)) {
            case 0 -> 0;
            case 1 -> version + 1;
            case 2 -> Math.max(0, version - 1);
            default -> version;
          };
      int dice = random.nextInt(100);
      if (dice < 35) {
        return new Get();
      }
      if (dice >= 100 - deletePercent) {
        return new Delete(Math.max(1, expected));
      }
      if (dice < 40) {
        return new Delete(LOSING);
      }
      return new Put(expected, "w" + stamp);
    }

    private void advance(Running call) {
      if (call.outcome != null) {
        running.remove(call);
        long until =
            call.outcome instanceof Unknown && random.nextBoolean() ? History.NEVER : ++stamp;
        done.add(new Call("p", call.operation, call.invoked, until, call.outcome));
      } else if (call.operation instanceof Get) {
        call.outcome = random.nextInt(10) == 0 ? new Failed("x") : new Saw(state);
      } else if (call.lost) {
        call.outcome = new Lost(state);
      } else if (random.nextInt(8) == 0 && call.operation.expected() != LOSING) {
        call.outcome = new Unknown();
        if (random.nextInt(3) > 0) {
          late.add(call.operation);
        }
      } else if (state.version() != call.operation.expected()) {
        call.lost = true;
      } else {
        compareAndSet(call.operation);
        call.outcome =
            call.operation instanceof Put put ? new Wrote(put.expected() + 1) : new Removed();
      }
    }

    private void compareAndSet(Operation operation) {
      if (state.version() == operation.expected()) {
        state =
            operation instanceof Put put
                ? new State(put.expected() + 1, put.writeId())
                : State.ABSENT;
      }
    }
  }

  /** Changes one to three things in a history, so that it may be wrong. */
  private static List<Call> changed(List<Call> original, State initial, SplittableRandom random) {
    List<Call> calls = new ArrayList<>(original);
    boolean deletes = calls.stream().anyMatch(call -> call.outcome() instanceof Removed);
    Set<State> states = new LinkedHashSet<>(List.of(State.ABSENT, initial));
    for (Call call : calls) {
      if (call.operation() instanceof Put put) {
        states.add(new State(put.expected() + 1, put.writeId()));
      }
    }
    List<State> pool = List.copyOf(states);
    for (int changes = random.nextInt(1, 4); changes > 0 && !calls.isEmpty(); changes--) {
      int index = random.nextInt(calls.size());
      Call call = calls.get(index);
      State other = pool.get(random.nextInt(pool.size()));
      switch (random.nextInt(6)) {
        case 0 -> calls.remove(index);
        case 1 -> swapStamps(calls, index, random.nextInt(calls.size()));
        case 2, 3 -> calls.set(index, with(call, outcome(call, other, deletes, random)));
        case 4 -> {
          if (call.outcome() instanceof Saw) {
            calls.set(index, with(call, new Saw(other)));
          }
        }
        default -> {
          if (call.outcome() instanceof Lost) {
            calls.set(index, with(call, new Lost(other)));
          }
        }
      }
    }
    return calls;
  }

  private static Outcome outcome(Call call, State other, boolean deletes, SplittableRandom random) {
    if (call.operation() instanceof Get) {
      return new Saw(other);
    }
    boolean put = call.operation() instanceof Put;
    return switch (random.nextInt(4)) {
      case 0 -> new Lost(other);
      case 1 -> new Failed("x");
      case 2 -> put || deletes ? new Unknown() : new Lost(other);
      default ->
          put
              ? new Wrote(call.operation().expected() + 1)
              : deletes ? new Removed() : new Lost(other);
    };
  }

  private static Call with(Call call, Outcome outcome) {
    long until = call.returned();
    // What was never answered is unknown.
    return new Call(
        call.process(),
        call.operation(),
        call.invoked(),
        until,
        until == History.NEVER ? new Unknown() : outcome);
  }

  /** Exchanges the returns of two calls, or their invocations, or one for the other. */
  private static void swapStamps(List<Call> calls, int i, int j) {
    Call a = calls.get(i);
    Call b = calls.get(j);
    if (i == j || a.returned() == History.NEVER || b.returned() == History.NEVER) {
      return;
    }
    if (a.invoked() < b.returned() && b.invoked() < a.returned()) {
      calls.set(i, at(a, a.invoked(), b.returned()));
      calls.set(j, at(b, b.invoked(), a.returned()));
    } else {
      calls.set(i, at(a, b.invoked(), b.returned()));
      calls.set(j, at(b, a.invoked(), a.returned()));
    }
  }

  private static Call at(Call call, long invoked, long returned) {
    return new Call(call.process(), call.operation(), invoked, returned, call.outcome());
  }

  /** Tries every order of the calls, with two steps for each lost race, and remembers nothing. */
  private static final class BruteForce {
    private final List<Call> calls;
    private final boolean[] compared;
    private final boolean[] finished;

    BruteForce(List<Call> calls) {
      this.calls = calls;
      compared = new boolean[calls.size()];
      finished = new boolean[calls.size()];
    }

    boolean explains(State state) {
      boolean allFinished = true;
      for (int i = 0; i < calls.size(); i++) {
        allFinished &= finished[i] || isOptional(calls.get(i));
      }
      if (allFinished) {
        return true;
      }
      for (int i = 0; i < calls.size(); i++) {
        if (!finished[i] && isItsTurn(calls.get(i)) && step(i, state)) {
          return true;
        }
      }
      return false;
    }

    private static boolean isOptional(Call call) {
      return call.outcome() instanceof Unknown || call.outcome() instanceof Failed;
    }

    private boolean isItsTurn(Call call) {
      for (int i = 0; i < calls.size(); i++) {
        Call other = calls.get(i);
        if (!finished[i] && !isOptional(other) && other.returned() < call.invoked()) {
          return false;
        }
      }
      return true;
    }

    private boolean step(int i, State state) {
      Operation operation = calls.get(i).operation();
      Outcome outcome = calls.get(i).outcome();
      boolean matches = state.version() == operation.expected();
      if (outcome instanceof Lost && !compared[i]) {
        compared[i] = true;
        boolean found = !matches && explains(state);
        compared[i] = false;
        return found;
      }
      State next = state;
      boolean possible;
      if (outcome instanceof Saw saw) {
        possible = saw.state().equals(state);
      } else if (outcome instanceof Lost lost) {
        possible = lost.winner().equals(state);
      } else if (outcome instanceof Failed || operation instanceof Get) {
        possible = false;
      } else {
        possible = matches;
        next =
            operation instanceof Put put
                ? new State(put.expected() + 1, put.writeId())
                : State.ABSENT;
      }
      if (!possible) {
        return false;
      }
      finished[i] = true;
      boolean found = explains(next);
      finished[i] = false;
      return found;
    }
  }
}
