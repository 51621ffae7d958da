// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Lets one message a minute through, and counts the others. */
final class LogThrottle {
  private static final Duration PAUSE = Duration.ofMinutes(1);

  private final Clock clock;
  private @Nullable Instant last;
  private long leftOut;

  LogThrottle(Clock clock) {
    this.clock = clock;
  }

  /** Returns how many messages were left out before this one, or -1 if it is left out itself. */
  synchronized long admit() {
    Instant now = clock.instant();
    // A clock that was set back must not silence the log until it has caught up.
    if (last != null && !now.isBefore(last) && now.isBefore(last.plus(PAUSE))) {
      leftOut++;
      return -1;
    }
    last = now;
    long count = leftOut;
    leftOut = 0;
    return count;
  }
}
