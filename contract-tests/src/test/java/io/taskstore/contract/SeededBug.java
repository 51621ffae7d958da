// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.Arrays;
import java.util.List;

/** Faults that {@link LocalBackend} can be given, each with the statements that must notice it. */
enum SeededBug {
  NONE,

  // --- races: noticed every time, because the contract decides when the threads change ---
  /** Compares outside of the lock, stores inside. */
  PUT_CHECKS_THEN_ACTS("C1", "C2", "C5"),
  /** Compares outside of the lock, removes inside. */
  DELETE_CHECKS_THEN_ACTS("C6"),
  /** Counts outside of the lock, inserts inside. */
  CREATE_COUNTS_THEN_ACTS("C11"),
  /** Finds what is due, and removes it without looking again. */
  PURGE_DOES_NOT_LOOK_AGAIN("C7"),
  /** Data and expiry are read one after the other. */
  READS_IN_TWO_STEPS("C9"),
  /** An update takes the record out of the index of active ones for a moment. */
  INDEX_HAS_A_GAP("C8"),

  // --- reading ---
  STALE_READS("A4"),
  READING_MAKES_A_VERSION("A10"),
  EXPIRED_RECORDS_ARE_HIDDEN("F5"),
  EMPTY_DATA_IS_ABSENT("E1"),

  // --- what is written ---
  DATA_IS_TEXT("E2"),
  DATA_IS_ORDERED_JSON("E3"),
  SHORTER_DATA_LEAVES_A_TAIL("A3"),
  LARGE_DATA_IS_CUT("E4"),
  WRITE_ID_IS_LOST("A2"),
  FLAG_IS_KEPT("A3"),
  EXPIRY_IS_KEPT("A3", "F7"),
  SHORTER_EXPIRY_IS_IGNORED("F6"),
  EXPIRY_IN_SECONDS("F4", "F11"),
  EXPIRY_IN_32_BITS("F9"),
  PAST_EXPIRY_DELETES("F5"),
  OLD_EXPIRY_IS_INHERITED("F12"),
  OLD_ARRAY_IS_OVERWRITTEN("A3"),

  // --- versions ---
  VERSION_IS_A_DOUBLE("B14"),
  VERSION_IS_AN_INT("B14"),
  VERSION_GOES_ON_AFTER_DELETE("B1"),
  PUT_RESTARTS_VERSIONS("B11"),
  SAME_DATA_IS_NO_WRITE("B12"),
  NEGATIVE_VERSION_IS_ABSENT("B13"),
  FUTURE_VERSION_IS_ACCEPTED("B5"),
  STALE_VERSION_IS_ACCEPTED("B4"),
  ZERO_OVERWRITES("B2"),
  UPDATE_RESURRECTS("B6", "B7"),
  CONFLICT_WITHOUT_WINNER("B9"),
  CONFLICT_SHOWS_EXPECTED_VERSION("B9"),
  LARGE_WRITES_ARE_SENT_TWICE("B17"),
  FAILED_WRITE_MOVES_EXPIRY("F8"),

  // --- deleting ---
  DELETE_IGNORES_VERSION("A6"),
  DELETE_TAKES_ALL_BELOW("A7"),
  DELETE_LEAVES_INDEX("F16"),
  DELETE_OF_NOTHING_IS_TRUE("A8"),

  // --- keys ---
  CASE_IS_FOLDED("D6"),
  KEYS_ARE_NORMALIZED("D2"),
  SLASH_IS_ESCAPED_BADLY("D8"),
  PARTS_ARE_JOINED("D12"),
  TRAILING_DOTS_ARE_DROPPED("D7"),
  PREFIX_IS_A_PARTITION("D14", "G2"),
  LONG_KEYS_ARE_CUT("D5"),

  // --- limits ---
  TOO_LARGE_IS_STORED("E5", "K3"),
  DECLARES_MORE_THAN_IT_HOLDS("E4", "K3"),

  // --- purging ---
  PURGE_IS_A_MILLISECOND_LATE("F14"),
  PURGE_IS_A_MILLISECOND_EARLY("F14"),
  PURGE_IGNORES_LIMIT("F15"),
  PURGE_LEAVES_INDEX("F16"),
  PURGE_COUNTS_WRONG("F14"),

  // --- listing ---
  LIST_IN_STRING_ORDER("G3"),
  LIST_ONLY_ASCENDS("G3"),
  CURSOR_IS_INCLUDED("G4"),
  CURSOR_MUST_EXIST("G6"),
  FULL_PAGE_IS_THE_LAST("G4"),
  LIMIT_OF_A_PAGE_IS_IGNORED("G4"),
  PAGES_HAVE_NO_BYTES("G8"),
  ENDED_RECORDS_STAY_ACTIVE("G13", "A12"),
  NEW_RECORDS_ARE_NOT_ACTIVE("G13"),

  // --- createWithin ---
  LIMIT_COUNTS_INACTIVE("C11"),
  LIMIT_COUNTS_EXPIRED("C11"),
  LIMIT_IS_ONE_TOO_MANY("C11"),

  // --- life cycle, honesty ---
  WORKS_AFTER_CLOSE("I2"),
  SECOND_CLOSE_FAILS("I1"),
  THREAD_IS_LEFT_BEHIND("I4"),
  TRAITS_CHANGE("K5"),
  INTERRUPT_IS_SWALLOWED("J8"),
  MESSAGE_SHOWS_DATA("J9");

  /** Parsed when asked for: a constant of an enum holds nothing that could change. */
  private final String noticedBy;

  SeededBug(String... noticedBy) {
    this.noticedBy = String.join(" ", noticedBy);
  }

  /** The statements that name this fault. */
  List<StatementId> noticedBy() {
    return Arrays.stream(noticedBy.split(" ", -1)).map(StatementId::parse).toList();
  }
}
