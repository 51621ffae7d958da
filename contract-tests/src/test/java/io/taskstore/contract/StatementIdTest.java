// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class StatementIdTest {
  @ParameterizedTest
  @CsvSource({
    "b3_currentVersion_addsOne, B3",
    "f4_f11_expiry_isExact, F4 F11",
    "b14_aTest, B14",
    "works_a1_test, ''",
    "a1, ''",
    "a1_, ''",
    "utf8_x, ''",
  })
  void ofTest_name_givesTheIdsItBeginsWith(String name, String ids) {
    assertThat(StatementId.ofTest(name).stream().map(StatementId::toString).toList())
        .isEqualTo(ids.isEmpty() ? java.util.List.of() : java.util.List.of(ids.split(" ", -1)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "B", "3", "b3", "B3 ", "BB3", "B1234"})
  void parse_noId_isRefused(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> StatementId.parse(text));
  }

  @Test
  void compareTo_numbers_areInNumericOrder() {
    assertThat(StatementId.parse("B9")).isLessThan(StatementId.parse("B10"));
    assertThat(StatementId.parse("B10")).isLessThan(StatementId.parse("C1"));
  }
}
