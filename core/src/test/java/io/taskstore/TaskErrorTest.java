// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.util.List;
import org.junit.jupiter.api.Test;

final class TaskErrorTest {
  @Test
  void of_messageAlone_isAnInternalError() {
    TaskError error = TaskError.of("broken");

    assertThat(error.code()).isEqualTo(-32_603).isEqualTo(TaskError.INTERNAL_ERROR);
    assertThat(error.message()).isEqualTo("broken");
    assertThat(error.data()).isEmpty();
  }

  @Test
  void withData_givesAnotherError() {
    TaskError error = TaskError.of(7, "broken");
    TaskError withData = error.withData(List.of(1));

    assertThat(withData.data()).contains(List.of(1));
    assertThat(withData.code()).isEqualTo(7);
    assertThat(withData.message()).isEqualTo("broken");
    assertThat(error.data()).isEmpty();
    assertThat(withData.withData(null)).isEqualTo(error).hasSameHashCodeAs(error);
  }

  @Test
  void equals_everyPartCounts() {
    TaskError error = TaskError.of(7, "broken").withData("d");

    assertThat(error).isEqualTo(TaskError.of(7, "broken").withData("d"));
    assertThat(error)
        .isNotEqualTo(TaskError.of(8, "broken").withData("d"))
        .isNotEqualTo(TaskError.of(7, "other").withData("d"))
        .isNotEqualTo(TaskError.of(7, "broken").withData("e"))
        .isNotEqualTo(TaskError.of(7, "broken"))
        .isNotEqualTo("broken");
  }

  @Test
  void of_null_isRefused() {
    assertThatNullPointerException().isThrownBy(() -> TaskError.of(null)).withMessage("message");
    assertThatNullPointerException().isThrownBy(() -> TaskError.of(1, null)).withMessage("message");
  }

  @Test
  void toString_showsTheCodeOnly() {
    assertThat(TaskError.of(7, "secret").withData("secret")).hasToString("TaskError[7]");
  }
}
