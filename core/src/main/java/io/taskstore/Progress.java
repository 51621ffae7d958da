// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * How far a task is, in units of the handler's choice. The total is optional and is allowed to be
 * wrong: {@code done} may exceed it, since estimates do.
 */
public final class Progress {
  private static final long UNKNOWN = -1;

  private final long done;
  private final long total;

  private Progress(long done, long total) {
    this.done = done;
    this.total = total;
  }

  /**
   * Returns progress towards an unknown total.
   *
   * @throws InvalidValueException if {@code done} is negative
   */
  public static Progress of(long done) {
    return new Progress(notNegative("done", done), UNKNOWN);
  }

  /**
   * Returns progress towards a total.
   *
   * @throws InvalidValueException if {@code done} or {@code total} is negative
   */
  public static Progress of(long done, long total) {
    return new Progress(notNegative("done", done), notNegative("total", total));
  }

  private static long notNegative(String name, long value) {
    if (value < 0) {
      throw new InvalidValueException(
          "progress " + name, "it is " + value + ", it must not be negative");
    }
    return value;
  }

  /** The units that are done. */
  public long done() {
    return done;
  }

  /** All units, if known. */
  public OptionalLong total() {
    return total == UNKNOWN ? OptionalLong.empty() : OptionalLong.of(total);
  }

  /** The part that is done, from 0 to 1; empty if the total is unknown or zero. */
  public OptionalDouble fraction() {
    return total <= 0
        ? OptionalDouble.empty()
        : OptionalDouble.of(Math.min(1.0, (double) done / total));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Progress that && done == that.done && total == that.total;
  }

  @Override
  public int hashCode() {
    return Long.hashCode(31 * done + total);
  }

  /** For example {@code 3/10}, or {@code 3} where the total is unknown. */
  @Override
  public String toString() {
    return total == UNKNOWN ? Long.toString(done) : done + "/" + total;
  }
}
