// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;

/**
 * A clock that begins in the present, stands still until a test moves it, and never goes back: a
 * storage that drops expired records by its own clock must not find one that is due by then.
 */
final class MovableClock extends Clock {
  private volatile Instant now;

  private MovableClock(Instant start) {
    this.now = start;
  }

  /** A clock that begins now, in whole milliseconds. */
  static MovableClock startingNow() {
    return new MovableClock(Instant.now().truncatedTo(ChronoUnit.MILLIS));
  }

  /** Another clock that shows the same time and moves by itself. */
  MovableClock copy() {
    return new MovableClock(instant());
  }

  synchronized void advance(Duration duration) {
    if (duration.isNegative()) {
      throw new IllegalArgumentException("The clock of a test never goes back");
    }
    now = now.plus(duration);
  }

  /** Moves on to an instant that is not before the present one. */
  void advanceTo(Instant instant) {
    advance(Duration.between(instant(), instant));
  }

  @Override
  public Instant instant() {
    return now;
  }

  @Override
  public ZoneId getZone() {
    return ZoneOffset.UTC;
  }

  @Override
  public Clock withZone(ZoneId zone) {
    throw new UnsupportedOperationException("The zone of a test's clock is UTC");
  }
}
