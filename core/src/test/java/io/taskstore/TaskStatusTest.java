// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class TaskStatusTest {
  @ParameterizedTest
  @CsvSource({
    // from,         WORKING, INPUT_REQUIRED, COMPLETED, FAILED, CANCELLED
    "WORKING,          false,           true,      true,   true,      true",
    "INPUT_REQUIRED,    true,          false,      true,   true,      true",
    "COMPLETED,        false,          false,     false,  false,     false",
    "FAILED,           false,          false,     false,  false,     false",
    "CANCELLED,        false,          false,     false,  false,     false"
  })
  void canBecome_everyPair_isAsInTheTable(
      TaskStatus from,
      boolean working,
      boolean inputRequired,
      boolean completed,
      boolean failed,
      boolean cancelled) {
    assertThat(from.canBecome(TaskStatus.WORKING)).isEqualTo(working);
    assertThat(from.canBecome(TaskStatus.INPUT_REQUIRED)).isEqualTo(inputRequired);
    assertThat(from.canBecome(TaskStatus.COMPLETED)).isEqualTo(completed);
    assertThat(from.canBecome(TaskStatus.FAILED)).isEqualTo(failed);
    assertThat(from.canBecome(TaskStatus.CANCELLED)).isEqualTo(cancelled);
  }

  @ParameterizedTest
  @CsvSource({
    "WORKING, working, false",
    "INPUT_REQUIRED, input_required, false",
    "COMPLETED, completed, true",
    "FAILED, failed, true",
    "CANCELLED, cancelled, true"
  })
  void wireName_isThatOfTheProtocol(TaskStatus status, String wireName, boolean terminal) {
    assertThat(status.wireName()).isEqualTo(wireName);
    assertThat(status.isTerminal()).isEqualTo(terminal);
  }

  @Test
  void values_areTheFive() {
    assertThat(TaskStatus.values()).hasSize(5);
  }
}
