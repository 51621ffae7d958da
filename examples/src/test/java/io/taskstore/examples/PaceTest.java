// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PaceTest {
  private static void stop() {
    throw new CancellationException("stop");
  }

  @Test
  void hold_takesItsShareOfTheTime() {
    Pace pace = new Pace(Duration.ofMillis(400));
    long begin = System.nanoTime();

    pace.hold(0.25, () -> {});
    pace.hold(0.5, () -> {});
    pace.hold(1, () -> {});

    assertThat(Duration.ofNanos(System.nanoTime() - begin))
        .as("three quarters")
        .isGreaterThanOrEqualTo(Duration.ofMillis(300));
  }

  @Test
  void hold_whatWasDoneBefore_takesNoTime() {
    Pace pace = new Pace(Duration.ofDays(1));

    pace.hold(0.75, PaceTest::stop);
    pace.hold(0.75, PaceTest::stop);

    assertThatThrownBy(() -> pace.hold(0.76, PaceTest::stop))
        .isInstanceOf(CancellationException.class);
  }

  @Test
  void hold_none_neverHolds() {
    Pace pace = new Pace(Duration.ZERO);

    pace.hold(0, PaceTest::stop);
    pace.hold(1, PaceTest::stop);
  }

  @Test
  void hold_interrupted_leavesItToTheCheck() {
    Pace pace = new Pace(Duration.ofDays(1));
    pace.hold(0, PaceTest::stop);
    Thread.currentThread().interrupt();

    assertThatThrownBy(
            () ->
                pace.hold(
                    1,
                    () -> {
                      if (Thread.currentThread().isInterrupted()) {
                        stop();
                      }
                    }))
        .isInstanceOf(CancellationException.class);
    assertThat(Thread.interrupted()).isTrue();
  }
}
