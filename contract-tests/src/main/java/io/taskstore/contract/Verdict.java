// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.History.Call;
import java.util.List;
import java.util.stream.Collectors;

/** What {@link Linearizability} says about a history. */
sealed interface Verdict {
  /** There is an order of the calls that explains every answer. */
  record Linearizable() implements Verdict {}

  /**
   * There is no such order.
   *
   * @param reason why not, in a sentence
   * @param calls the calls that cannot be reconciled, as few as were found
   */
  record Violation(String reason, List<Call> calls) implements Verdict {
    public Violation {
      calls = List.copyOf(calls);
    }

    static Violation of(String reason, Call... calls) {
      return new Violation(reason, List.of(calls));
    }

    /** The reason and the calls, a line each. */
    String explanation() {
      return calls.stream().map(call -> "\n  " + call).collect(Collectors.joining("", reason, ""));
    }
  }

  /**
   * The search was given up. That is no "yes".
   *
   * @param bound how many configurations were looked at
   */
  record Undecided(int bound) implements Verdict {}
}
