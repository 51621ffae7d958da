// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class LogThrottleTest {
  private final MovableClock clock = new MovableClock();
  private final LogThrottle throttle = new LogThrottle(clock);

  @Test
  void admit_withinAMinute_countsWhatIsLeftOut() {
    assertThat(throttle.admit()).isZero();
    assertThat(throttle.admit()).isEqualTo(-1);
    clock.advance(Duration.ofMillis(59_999));
    assertThat(throttle.admit()).isEqualTo(-1);

    clock.advance(Duration.ofMillis(1));
    assertThat(throttle.admit()).isEqualTo(2);

    clock.advance(Duration.ofMinutes(1));
    assertThat(throttle.admit()).isZero();
  }

  @Test
  void admit_afterTheClockWasSetBack_isNotSilent() {
    assertThat(throttle.admit()).isZero();

    clock.advance(Duration.ofDays(-1));

    assertThat(throttle.admit()).isZero();
    assertThat(throttle.admit()).isEqualTo(-1);
  }
}
