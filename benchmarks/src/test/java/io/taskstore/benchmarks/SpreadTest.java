// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SpreadTest {
  @Test
  void of_anyOrder_hasMedianAndQuartiles() {
    assertThat(Spread.of(List.of(50.0, 10.0, 30.0, 20.0, 40.0))).isEqualTo(new Spread(20, 30, 40));
  }

  @Test
  void of_positionBetweenTwoFigures_isBetweenThem() {
    assertThat(Spread.of(List.of(1.0, 2.0, 3.0, 4.0))).isEqualTo(new Spread(1.75, 2.5, 3.25));
  }

  @Test
  void of_oneFigure_isThatFigure() {
    assertThat(Spread.of(List.of(7.0))).isEqualTo(new Spread(7, 7, 7));
  }

  @Test
  void of_oneFigureFarOff_hardlyMatters() {
    assertThat(Spread.of(List.of(3.0, 1.0, 1_000.0, 4.0, 2.0))).isEqualTo(new Spread(2, 3, 4));
  }
}
