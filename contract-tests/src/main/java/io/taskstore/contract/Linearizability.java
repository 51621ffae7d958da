// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.History.Anomaly;
import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Delete;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Wrote;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether the calls on one key of a {@link io.taskstore.spi.StorageBackend} are
 * linearizable (Herlihy and Wing 1990): whether each call can be given a point between its
 * invocation and its return, such that a single thread that makes the calls at these points, in
 * this order, gets the same answers.
 *
 * <p>What a single thread gets is what the Javadoc of the backend says. Two kinds of calls are
 * special. A write whose answer was lost has its point anywhere after its invocation, or none. A
 * lost race has two points, the comparison and, not before it, the reading of the winner; they
 * matter only if the winner has the expected version, since otherwise one point does for both.
 *
 * <p>Finding such points is hard in general (Gibbons and Korach 1997), but write ids tell who wrote
 * what was read, and versions tell the order of the writes: {@link VersionSweep} decides at once.
 * After a delete the versions start again, and {@link LinearizationSearch} has to search.
 */
final class Linearizability {
  /** What a search may look at, which is some hundred megabytes at worst. */
  static final int BOUND = 1_000_000;

  private Linearizability() {}

  /**
   * Judges the calls on a key.
   *
   * @param calls the calls, in any order; no stamp may be there twice, and no write id may belong
   *     to two puts, or to a put and the initial state
   * @param initial what the key held before the first call
   * @throws IllegalArgumentException if a write id is not unique
   */
  static Verdict check(List<Call> calls, State initial) {
    Verdict simple = simpleViolation(calls, initial);
    if (simple != null) {
      return simple;
    }
    return calls.stream().anyMatch(Linearizability::mayHaveDeleted)
        ? LinearizationSearch.check(calls, initial, BOUND)
        : VersionSweep.check(calls, initial);
  }

  private static boolean mayHaveDeleted(Call call) {
    return call.operation() instanceof Delete && (call.hasWritten() || call.isOpen());
  }

  /**
   * Finds what is wrong with a call alone, or with what it saw and the write that should have
   * written it. Both checkers rely on it: afterwards every version that was seen is the initial one
   * or has a write that is, or may be, done, began in time and produces this version.
   */
  static @Nullable Verdict simpleViolation(List<Call> calls, State initial) {
    Map<String, Call> puts = new HashMap<>();
    for (Call call : calls) {
      if (call.operation() instanceof Put put
          && (put.writeId().equals(initial.writeId())
              || puts.putIfAbsent(put.writeId(), call) != null)) {
        throw new IllegalArgumentException("write id " + put.writeId() + " is not unique");
      }
    }
    for (Call call : calls) {
      if (call.outcome() instanceof Anomaly anomaly) {
        return Verdict.Violation.of("A call went wrong: " + anomaly, call);
      }
      if (call.outcome() instanceof Wrote wrote
          && wrote.version() != call.operation().expected() + 1) {
        return Verdict.Violation.of("A write must add exactly 1 to the expected version", call);
      }
      State seen = call.observed();
      Verdict wrong =
          seen == null || seen.isAbsent() ? null : wrongSource(call, seen, initial, puts);
      if (wrong != null) {
        return wrong;
      }
    }
    return null;
  }

  private static @Nullable Verdict wrongSource(
      Call call, State seen, State initial, Map<String, Call> puts) {
    if (seen.writeId().equals(initial.writeId())) {
      return seen.equals(initial)
          ? null
          : Verdict.Violation.of(
              "A record was seen with a version that it never had; at first it was " + initial,
              call);
    }
    Call put = puts.get(seen.writeId());
    if (put == null) {
      return Verdict.Violation.of("A record was seen that nobody wrote", call);
    }
    if (put.equals(call)) {
      return Verdict.Violation.of(
          "A write lost against itself: it was done, but not so answered", call);
    }
    if (!put.hasWritten() && !put.isOpen()) {
      return Verdict.Violation.of("The record of a write was seen that had no effect", put, call);
    }
    if (seen.version() != put.operation().expected() + 1) {
      return Verdict.Violation.of("A record was seen with a version that it never had", put, call);
    }
    if (call.returned() < put.invoked()) {
      return Verdict.Violation.of("A record was seen before it was written", call, put);
    }
    return null;
  }
}
