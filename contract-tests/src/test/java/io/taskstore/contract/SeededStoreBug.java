// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.Arrays;
import java.util.List;

/**
 * Faults that {@link SeededTaskStore} and {@link SeededWatchingStore} can be given, each with the
 * statements that must notice it.
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
  CONTEXT_SHOWS_WHAT_IS_WRITTEN_ONLY("S19"),

  // --- waiting ---
  /** Only writes through the same store wake. */
  WAITER_SLEEPS_THROUGH_AN_END_ELSEWHERE("S15"),
  WAITER_IS_NOT_WOKEN_BY_ITS_OWN_STORE("S15"),
  WAITER_MISSES_THE_LAST_LOOK("S15"),
  /** The end is waited for, and a task that still works is returned. */
  WAITER_RETURNS_AT_ANY_CHANGE("S15"),
  EVERY_WAITER_LOOKS("S15"),
  WAITER_SLEEPS_THROUGH_A_DELETE("S15"),
  WAITER_OUTLIVES_THE_STORE("S15"),
  WAITER_KEEPS_THE_INTERRUPT_FLAG("S15"),
  INTERRUPT_OF_A_WAITER_IS_SWALLOWED("S15"),
  KNOWN_VERSION_IS_RETURNED_AT_ONCE("S15"),
  TIMEOUT_OF_A_WAIT_IS_SHORT("S15"),
  TIMEOUT_OF_A_WAIT_IS_IGNORED("S15"),

  // --- listeners ---
  LISTENER_IS_TOLD_BEFORE_THE_COMMIT("S16"),
  LISTENER_IS_TOLD_OF_A_LOST_RACE("S16"),
  LISTENER_IS_TOLD_OF_A_REFUSED_CREATE("S16"),
  LISTENER_IS_TOLD_OF_AN_UNKNOWN_OUTCOME("S16"),
  LISTENER_IS_NOT_TOLD_OF_DELETIONS("S16"),
  LISTENER_IS_TOLD_TWICE("S16"),
  LISTENER_IS_TOLD_OUT_OF_ORDER("S16"),
  LISTENER_IS_SILENCED_BY_ITS_FAILURE("S16"),

  // --- the cache of finished tasks ---
  NOTHING_IS_CACHED("S20"),
  CACHE_FORGETS_THE_MAXIMUM_AGE("S20"),
  CACHE_SHOWS_WHAT_WAS_DELETED_HERE("S20"),
  CACHE_MIXES_UP_OWNERS("S20"),
  CACHE_IGNORES_THE_EXPIRY("S20"),
  CACHE_KEEPS_UNFINISHED_TASKS("S20");

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
