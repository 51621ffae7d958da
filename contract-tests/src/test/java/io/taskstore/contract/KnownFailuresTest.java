// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class KnownFailuresTest {
  @Test
  void parse_commentsAndEmptyLines_areSkipped() {
    KnownFailures known =
        KnownFailures.parse("f.txt", "# why\n\n  B14  no seeding, yet \r\nC2 slow");

    assertThat(known.reasons())
        .containsExactly(
            java.util.Map.entry(new StatementId('B', 14), "no seeding, yet"),
            java.util.Map.entry(new StatementId('C', 2), "slow"));
  }

  @Test
  void of_classWithoutFile_knowsNone() {
    assertThat(KnownFailures.of(KnownFailuresTest.class).reasons()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "A1 x;B14|f.txt, line 2: a reason must follow the id",
        "A1 x;;b1 y|f.txt, line 3: \"b1\" is not the id of a statement, as B3 is",
        "A1 x;A1 y|f.txt, line 2: A1 stands twice",
      })
  void parse_badLine_isRefusedByNumber(String text, String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> KnownFailures.parse("f.txt", text.replace(';', '\n')))
        .withMessage(message);
  }
}
