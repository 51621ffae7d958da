// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

/**
 * Is told how far a call has come, so that a test can do something at exactly that point, or count.
 * It runs on the calling thread; outside of tests it does nothing.
 */
@FunctionalInterface
interface Probe {
  /** The probe of every backend that is not under test. */
  Probe NONE = step -> {};

  /** The points of interest. */
  enum Step {
    /** The backend was seen to be open; the partition is about to be looked up. */
    LOOKUP,
    /** The partition was looked up; it is about to be read, or locked. */
    FOUND,
    /** Under the lock: the indexes know the new record, {@code get} does not. */
    INDEXED,
    /** Under the lock: {@code get} knows the change, the indexes still know the old record. */
    STORED,
    /** An entry of an index is being looked at. */
    VISIT
  }

  /** Called whenever a call reaches {@code step}. */
  void reached(Step step);
}
