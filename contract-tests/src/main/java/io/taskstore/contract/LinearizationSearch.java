// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Unknown;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Decides by search whether a history is linearizable in which records may have been deleted.
 *
 * <p>The search of Wing and Gong (1993) tries all orders of the calls, and Lowe (2017) remembers
 * which configurations, the calls done so far and the state they lead to, were tried already. This
 * is Lowe's just-in-time form of it: it goes through the invocations and returns by time and keeps
 * every configuration in which all calls that have returned are done; at a return, others are done
 * before the call only as far as they are needed for it. What is remembered of a call is forgotten
 * when it returns, so at a moment without open calls nothing is left but the possible states:
 * histories are cut there by themselves, and the number of calls at the same time counts, not the
 * length. A write with an unknown outcome stays open to the end, and need not be done.
 *
 * <p>Calls that change nothing are done as soon as the state fits. That loses no solution: in an
 * order that does such a call later, it can be left out at its later place.
 */
final class LinearizationSearch {
  /** How much is spent on each attempt to show fewer calls. */
  private static final int SHRINK_BOUND = 10_000;

  /** Longer histories are shown as they are. */
  private static final int SHRINK_CALLS = 300;

  /** A state that the key can have, and which of the open calls are done then. Never changed. */
  private record Configuration(State state, BitSet done) {
    Configuration with(State newState, int bit) {
      BitSet bits = (BitSet) done.clone();
      bits.set(bit);
      return new Configuration(newState, bits);
    }

    Configuration without(Open call) {
      BitSet bits = (BitSet) done.clone();
      bits.clear(call.slot);
      bits.clear(call.slot + 1);
      return new Configuration(state, bits);
    }
  }

  /**
   * A call that was invoked and has not returned.
   *
   * @param slot the bit that is set when the call is done; the one above it, when it has made the
   *     comparison that it lost
   * @param result the state after a write; null if the call changes nothing
   */
  private record Open(Call call, int slot, @Nullable State result) {
    /** Whether there is something left that can be done in this state without changing it. */
    boolean canCompare(Configuration now) {
      return call.isLateWinner()
          && !now.done.get(slot + 1)
          && now.state.version() != call.operation().expected();
    }

    boolean canSee(Configuration now) {
      return !now.done.get(slot)
          && now.state.equals(call.observed())
          && (!call.isLateWinner() || now.done.get(slot + 1));
    }

    boolean canWrite(Configuration now) {
      return !now.done.get(slot) && now.state.version() == call.operation().expected();
    }
  }

  private record Cut(State state, long stamp) {}

  /** The bound was reached. */
  private static final class GivenUp extends Exception {
    private static final long serialVersionUID = 1L;

    GivenUp() {
      super(null, null, false, false);
    }
  }

  private final List<Call> calls;
  private final State initial;
  private final int bound;
  private final Set<String> seenIds = new HashSet<>();
  private final List<Open> readers = new ArrayList<>();
  private final List<Open> writers = new ArrayList<>();
  private final BitSet slots = new BitSet();
  private int visited;
  // The last two moments without open calls at which the key held one certain state, and another
  // one. From such a moment on nothing before it matters; both only serve to explain a violation.
  private Cut cut;
  private Cut cutBefore;

  private LinearizationSearch(List<Call> calls, State initial, int bound) {
    this.calls = calls;
    this.initial = initial;
    this.bound = bound;
    cut = new Cut(initial, 0);
    cutBefore = cut;
  }

  /** Judges a history without {@link Linearizability#simpleViolation}, of any kind. */
  static Verdict check(List<Call> calls, State initial, int bound) {
    try {
      LinearizationSearch search = new LinearizationSearch(calls, initial, bound);
      Call failure = search.firstInexplicable();
      return failure == null
          ? new Verdict.Linearizable()
          : new Verdict.Violation(
              "No order of these calls explains their answers; before them the key held: "
                  + search.cutBefore.state,
              search.shrink(failure));
    } catch (GivenUp e) {
      return new Verdict.Undecided(bound);
    }
  }

  /** The first call, by return, that no order of the calls explains; null if there is an order. */
  private @Nullable Call firstInexplicable() throws GivenUp {
    TreeMap<Long, Call> events = new TreeMap<>();
    for (Call call : calls) {
      State seen = call.observed();
      if (seen == null && !call.hasWritten() && !call.isOpen()) {
        continue; // it failed, or was a read that says nothing
      }
      events.put(call.invoked(), call);
      if (!call.isOpen()) {
        events.put(call.returned(), call);
      }
      if (seen != null) {
        seenIds.add(seen.writeId());
      }
    }
    Set<Configuration> configurations = Set.of(new Configuration(initial, new BitSet()));
    for (var event : events.entrySet()) {
      Call call = event.getValue();
      if (event.getKey() == call.invoked()) {
        configurations = invoke(call, configurations);
      } else {
        configurations = complete(call, configurations);
        if (configurations.isEmpty()) {
          return call;
        }
        if (readers.isEmpty() && writers.isEmpty() && configurations.size() == 1) {
          State state = configurations.iterator().next().state;
          cutBefore = state.equals(cut.state) ? cutBefore : cut;
          cut = new Cut(state, event.getKey());
        }
      }
    }
    return null;
  }

  private Set<Configuration> invoke(Call call, Set<Configuration> configurations) {
    int slot = 0;
    while (slots.get(slot)) {
      slot += 2;
    }
    slots.set(slot);
    if (call.observed() == null) {
      writers.add(new Open(call, slot, result(call)));
      return configurations;
    }
    readers.add(new Open(call, slot, null));
    Set<Configuration> settled = new HashSet<>();
    for (Configuration configuration : configurations) {
      settled.add(settle(configuration));
    }
    return settled;
  }

  /** The state after a write. Puts that nobody saw are alike, which saves trying each of them. */
  private State result(Call call) {
    return call.operation() instanceof Put put
        ? new State(put.expected() + 1, seenIds.contains(put.writeId()) ? put.writeId() : "?")
        : State.ABSENT;
  }

  /** Does all open calls that change nothing and that the state explains. */
  private Configuration settle(Configuration configuration) {
    Configuration now = configuration;
    for (Open reader : readers) {
      if (reader.canCompare(now)) {
        now = now.with(now.state, reader.slot + 1);
      }
      if (reader.canSee(now)) {
        now = now.with(now.state, reader.slot);
      }
    }
    return now;
  }

  /** The configurations after the return of a call. */
  private Set<Configuration> complete(Call call, Set<Configuration> configurations) throws GivenUp {
    List<Open> kind = call.observed() == null ? writers : readers;
    Open open = kind.stream().filter(other -> other.call.equals(call)).findAny().orElseThrow();
    Set<Configuration> after = new HashSet<>();
    Set<Configuration> tried = new HashSet<>(configurations);
    Deque<Configuration> rest = new ArrayDeque<>(configurations);
    while (!rest.isEmpty()) {
      Configuration now = rest.pop();
      if (++visited > bound) {
        throw new GivenUp();
      }
      if (now.done.get(open.slot)) {
        after.add(now.without(open));
        continue;
      }
      Set<State> guesses = new HashSet<>();
      for (Open writer : writers) {
        if (!writer.canWrite(now) || writer.result == null) {
          continue;
        }
        // Of unknown writes with the same effect the first one will do.
        if (writer.call.isOpen() && !guesses.add(writer.result)) {
          continue;
        }
        Configuration next = settle(now.with(writer.result, writer.slot));
        if (tried.add(next)) {
          rest.push(next);
        }
      }
    }
    kind.remove(open);
    slots.clear(open.slot);
    return after;
  }

  /**
   * The calls that contradict each other, without those that can be left out (if they only read) or
   * be taken for unknown (if they wrote) with the same verdict.
   */
  private List<Call> shrink(Call failure) {
    List<Call> rest = new ArrayList<>(calls);
    rest.removeIf(call -> call.invoked() > failure.returned() || call.invoked() < cutBefore.stamp);
    rest.sort(Comparator.comparingLong(Call::invoked));
    if (rest.size() > SHRINK_CALLS) {
      return List.of(failure);
    }
    List<Call> concerned = new ArrayList<>();
    for (Call call : List.copyOf(rest)) {
      List<Call> attempt = new ArrayList<>(rest);
      attempt.remove(call);
      if (call.hasWritten() || call.isOpen()) {
        attempt.add(
            new Call(
                call.process(), call.operation(), call.invoked(), History.NEVER, new Unknown()));
      }
      if (isViolation(attempt, cutBefore.state)) {
        rest = attempt;
      } else {
        concerned.add(call);
      }
    }
    Set<String> seen = new HashSet<>();
    concerned.stream()
        .map(Call::observed)
        .filter(Objects::nonNull)
        .forEach(state -> seen.add(state.writeId()));
    return calls.stream()
        .filter(
            call ->
                concerned.contains(call)
                    || (call.operation() instanceof Put put && seen.contains(put.writeId())))
        .sorted(Comparator.comparingLong(Call::invoked))
        .toList();
  }

  private static boolean isViolation(List<Call> calls, State initial) {
    try {
      return new LinearizationSearch(calls, initial, SHRINK_BOUND).firstInexplicable() != null;
    } catch (GivenUp e) {
      return false;
    }
  }
}
