// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.Arrays;
import java.util.List;

/**
 * Faults that {@link SeededTaskStore} can be given, each with the statements that must notice it.
 */
enum SeededStoreBug {
  NONE,

  // --- finished tasks ---
  FINISHED_TASK_TAKES_INPUT_WITHOUT_A_WORD("S1"),
  FINISHED_TASK_IS_CLAIMED_WITHOUT_A_WORD("S1"),
  FINISHED_TASK_IS_RESUMED_WITHOUT_A_WORD("S1"),

  // --- input ---
  /** Asking with a key that was used before is silently ignored. */
  USED_KEY_IS_ACCEPTED("S10"),
  REPEATED_ANSWER_REPLACES_THE_FIRST("S10"),
  UNKNOWN_KEY_IS_A_WRITE("S10"),
  NULL_ANSWER_IS_LEFT_OUT("S10"),
  LAST_ANSWER_LEAVES_THE_STATUS("S10", "S1"),
  FIRST_ANSWER_RETURNS_TO_WORKING("S10", "S1"),
  INPUT_HAS_NO_LIMIT("S10"),
  /** A handler that runs again asks under another key. */
  RESUMED_HANDLER_ASKS_AGAIN("S10"),
  QUESTION_IS_A_WRITE_OF_ITS_OWN("S10"),
  TIMEOUT_OF_A_QUESTION_IS_A_CANCELLATION("S10"),

  // --- leases ---
  START_CLAIMS_AFTER_THE_CREATE("S18"),
  LIVING_LEASE_IS_IGNORED_BY_RESUME("S18"),
  LEASE_ENDS_A_MILLISECOND_EARLY("S18"),
  LEASE_ENDS_A_MILLISECOND_LATE("S18"),
  REFUSED_CLAIM_IS_A_WRITE("S18"),
  /** What the worker that has lost its lease flushes, and its end of the task, are written. */
  LOST_LEASE_IS_IGNORED_BY_FLUSH("S18"),
  LOST_LEASE_IS_IGNORED_BY_COMPLETE("S18"),
  LOST_LEASE_IS_IGNORED_BY_FAIL("S18"),
  REFUSED_START_LEAVES_A_TASK("S18"),
  REFUSED_RESUME_KEEPS_THE_LEASE("S18"),
  INTERRUPTED_HANDLER_KEEPS_THE_LEASE("S18"),
  INTERRUPTED_HANDLER_FAILS("S18"),
  CANCELLED_HANDLER_FAILS("S18"),
  FAILED_HANDLER_COMPLETES("S18"),
  FAILURE_HAS_A_STACK_TRACE("S18"),
  FAILURE_HAS_NO_MESSAGE("S18"),

  // --- progress ---
  REPORTS_ARE_NOT_COLLECTED("S19"),
  REPORTS_WAIT_FOR_THE_END("S19"),
  LAST_REPORT_IS_DROPPED_AT_COMPLETE("S19"),
  LAST_REPORT_IS_DROPPED_AT_RETURN("S19"),
  LAST_REPORT_IS_DROPPED_AT_FAIL("S19"),
  LAST_REPORT_IS_DROPPED_AT_THROW("S19"),
  LAST_REPORT_IS_DROPPED_AT_CANCEL("S19"),
  LAST_REPORT_IS_DROPPED_AT_CLOSE("S19"),
  LAST_REPORT_IS_DROPPED_AT_GIVING_BACK("S19"),
  CONTEXT_SHOWS_WHAT_IS_WRITTEN_ONLY("S19");

  /** Parsed when asked for: a constant of an enum holds nothing that could change. */
  private final String noticedBy;

  SeededStoreBug(String... noticedBy) {
    this.noticedBy = String.join(" ", noticedBy);
  }

  /** The statements that name this fault. */
  List<StatementId> noticedBy() {
    return Arrays.stream(noticedBy.split(" ", -1)).map(StatementId::parse).toList();
  }
}
