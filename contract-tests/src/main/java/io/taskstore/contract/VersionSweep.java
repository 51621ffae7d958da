// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Wrote;
import io.taskstore.contract.Verdict.Violation;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Decides exactly, in O(n log n), whether a history is linearizable in which nothing was deleted.
 *
 * <p>Versions then only grow, so a linearization is nothing but a time w(v) for the write of each
 * version v, with w(v) &lt; w(v+1). Every call comes down to limits of these times:
 *
 * <ul>
 *   <li>a write of v was done within its call: after its invocation, before its return, if it did
 *       return with an answer;
 *   <li>whoever saw v did so after w(v) and before w(v+1): w(v) is before the return of the call,
 *       w(v+1) after its invocation;
 *   <li>a conflict with the very version v that was expected compared before w(v), as versions only
 *       grow, and read after it: w(v) is within the call.
 * </ul>
 *
 * <p>Such times exist iff for each v the latest of the lower limits of all versions up to v is
 * before the earliest of the upper limits of v. Otherwise these two limits name two calls that
 * contradict each other.
 */
final class VersionSweep {
  /** What is known of the write of a version. */
  private static final class Limits {
    /** The write itself, and a call that shows that there was one: itself, or who saw it. */
    @Nullable Call write;

    @Nullable Call witness;

    /** The call whose invocation is the lower limit, and whose return is the upper one. */
    @Nullable Call after;

    @Nullable Call before;

    void after(Call call) {
      if (after == null || call.invoked() > after.invoked()) {
        after = call;
      }
    }

    void before(Call call) {
      if (before == null || call.returned() < before.returned()) {
        before = call;
      }
    }
  }

  private final List<Call> calls;
  private final State initial;
  private final NavigableMap<Long, Limits> versions = new TreeMap<>();

  /** For a version the first call, by invocation, that may have written it and was not seen. */
  private final Map<Long, Call> spare = new HashMap<>();

  private final Map<String, Call> open = new HashMap<>();

  private VersionSweep(List<Call> calls, State initial) {
    this.calls = calls;
    this.initial = initial;
  }

  /** Judges a history without deletes and without {@link Linearizability#simpleViolation}. */
  static Verdict check(List<Call> calls, State initial) {
    VersionSweep sweep = new VersionSweep(calls, initial);
    Verdict found = sweep.collect();
    if (found == null) {
      found = sweep.fillGaps();
    }
    if (found == null) {
      found = sweep.compareLimits();
    }
    return found == null ? new Verdict.Linearizable() : found;
  }

  private Limits limits(long version) {
    return versions.computeIfAbsent(version, v -> new Limits());
  }

  private @Nullable Violation collect() {
    for (Call call : calls) {
      if (call.isOpen() && call.operation() instanceof Put put) {
        open.put(put.writeId(), call);
      }
    }
    for (Call call : calls) {
      Violation found = null;
      State seen = call.observed();
      if (call.outcome() instanceof Wrote wrote) {
        found = written(wrote.version(), call, call);
        limits(wrote.version()).before(call);
      } else if (seen != null) {
        found = observed(call, seen);
      }
      if (found != null) {
        return found;
      }
    }
    // What was not seen comes into play only where a version has no write. A put fits one version
    // only and has no upper limit, so the one that was invoked first is the best.
    for (Call call : open.values()) {
      spare.merge(
          call.operation().expected() + 1, call, (a, b) -> a.invoked() < b.invoked() ? a : b);
    }
    return null;
  }

  private @Nullable Violation observed(Call call, State seen) {
    long version = seen.version();
    if (version < initial.version()) {
      return Violation.of("A state was seen from before the first one, " + initial, call);
    }
    if (version == initial.version() && call.isLateWinner()) {
      return Violation.of("A conflict, but the version was the expected one all the time", call);
    }
    // A second id for a version is found here, too: its write is another one.
    Call write = open.remove(seen.writeId());
    Violation found = write == null ? null : written(version, write, call);
    if (found != null) {
      return found;
    }
    limits(version).before(call);
    limits(call.isLateWinner() ? version : version + 1).after(call);
    return null;
  }

  private @Nullable Violation written(long version, Call write, Call witness) {
    if (version <= initial.version()) {
      return Violation.of("A version was written that was already there at first", witness);
    }
    Limits limits = limits(version);
    if (limits.write != null && limits.witness != null) {
      return Violation.of("Version " + version + " was written twice", limits.witness, witness);
    }
    limits.write = write;
    limits.witness = witness;
    return null;
  }

  private @Nullable Violation fillGaps() {
    long next = initial.version() + 1;
    for (Map.Entry<Long, Limits> entry : List.copyOf(versions.entrySet())) {
      Call witness = entry.getValue().witness;
      // Without a write there is only somebody who saw the version before.
      for (; witness != null && next <= entry.getKey(); next++) {
        Limits limits = limits(next);
        Call filler = limits.write == null ? spare.get(next) : limits.write;
        if (filler == null) {
          return Violation.of(
              "Nobody wrote version " + next + ", but a later one is there", witness);
        }
        limits.write = filler;
        limits.after(filler);
      }
    }
    return null;
  }

  private @Nullable Violation compareLimits() {
    Call latest = null;
    long latestVersion = 0;
    for (Map.Entry<Long, Limits> entry : versions.tailMap(initial.version(), false).entrySet()) {
      Limits limits = entry.getValue();
      if (limits.write == null) {
        break; // nothing was written from here on, and whoever saw the version before is right
      }
      if (limits.after != null && (latest == null || limits.after.invoked() > latest.invoked())) {
        latest = limits.after;
        latestVersion = entry.getKey();
      }
      if (latest != null && limits.before != null && latest.invoked() > limits.before.returned()) {
        return Violation.of(
            "Version %d was there when the first of these calls returned, but version %d not yet when the second began"
                .formatted(entry.getKey(), latestVersion),
            limits.before,
            latest);
      }
    }
    return null;
  }
}
