// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

final class ProgressTest {
  @Test
  void of_doneAlone_hasNoTotal() {
    Progress progress = Progress.of(3);

    assertThat(progress.done()).isEqualTo(3);
    assertThat(progress.total()).isEmpty();
    assertThat(progress.fraction()).isEmpty();
    assertThat(progress).hasToString("3");
  }

  @Test
  void of_doneAndTotal_hasAFraction() {
    Progress progress = Progress.of(3, 12);

    assertThat(progress.done()).isEqualTo(3);
    assertThat(progress.total()).hasValue(12);
    assertThat(progress.fraction()).hasValue(0.25);
    assertThat(progress).hasToString("3/12");
  }

  @Test
  void fraction_edges_stayFromZeroToOne() {
    assertThat(Progress.of(0, 0).fraction()).isEmpty();
    assertThat(Progress.of(5, 0).fraction()).isEmpty();
    assertThat(Progress.of(0, 1).fraction()).hasValue(0);
    assertThat(Progress.of(5, 4).fraction()).hasValue(1);
    assertThat(Progress.of(Long.MAX_VALUE, 1).fraction()).hasValue(1);
    assertThat(Progress.of(Long.MAX_VALUE, Long.MAX_VALUE).fraction()).hasValue(1);
  }

  @Property
  void fraction_anyProgress_isFromZeroToOne(
      @ForAll @LongRange(min = 0) long done, @ForAll @LongRange(min = 1) long total) {
    assertThat(Progress.of(done, total).fraction().orElseThrow()).isBetween(0.0, 1.0);
  }

  @Test
  void of_negative_isRefused() {
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Progress.of(-1))
        .withMessage("Invalid progress done: it is -1, it must not be negative");
    assertThatExceptionOfType(InvalidValueException.class).isThrownBy(() -> Progress.of(-1, 1));
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Progress.of(1, -1))
        .withMessageContaining("progress total");
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Progress.of(1, Long.MIN_VALUE));
  }

  @Test
  void equals_doneAndTotalCount() {
    assertThat(Progress.of(1, 2)).isEqualTo(Progress.of(1, 2)).hasSameHashCodeAs(Progress.of(1, 2));
    assertThat(Progress.of(1)).isEqualTo(Progress.of(1)).hasSameHashCodeAs(Progress.of(1));
    assertThat(Progress.of(1, 2))
        .isNotEqualTo(Progress.of(1, 3))
        .isNotEqualTo(Progress.of(2, 2))
        .isNotEqualTo(Progress.of(1))
        .isNotEqualTo("1/2");
    assertThat(Progress.of(1)).isNotEqualTo(Progress.of(1, 0));
  }
}
