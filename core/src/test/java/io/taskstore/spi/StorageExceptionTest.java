// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

final class StorageExceptionTest {
  private static final RecordKey KEY = new RecordKey("owner\n", "i\"d");
  private final IOException cause = new IOException("native");

  @Test
  void getMessage_everyKind_namesOperationAndEscapedKeyAndKeepsTheCause() {
    List<StorageException> all =
        List.of(
            new StorageUnavailableException("op", KEY, true, "detail", cause),
            new OutcomeUnknownException("op", KEY, "detail", cause),
            new CapacityExceededException("op", KEY, "detail", cause),
            new CorruptRecordException("op", KEY, "detail", cause),
            new BackendClosedException("op", KEY, "detail", cause),
            new RecordTooLargeException("op", KEY, 10, 11, cause));

    assertThat(all)
        .allSatisfy(
            thrown -> {
              assertThat(thrown)
                  .hasMessageStartingWith("op of \"owner\\u000a\"/\"i\\\"d\": ")
                  .hasCause(cause);
              assertThat(thrown.operation()).isEqualTo("op");
              assertThat(thrown.key()).contains(KEY);
              // The cause's own text is for the stack trace: nobody has checked it for secrets.
              assertThat(thrown).hasMessageNotContaining("native");
            });
  }

  @Test
  void getMessage_withoutKey_namesTheOperation() {
    StorageException thrown = new BackendClosedException("list", null, "closed", null);

    assertThat(thrown).hasMessage("list: closed").hasNoCause();
    assertThat(thrown.key()).isEmpty();
  }

  @Test
  void isRetryable_tellsWhatWasGiven() {
    assertThat(new StorageUnavailableException("op", null, true, "x", null).isRetryable()).isTrue();
    assertThat(new StorageUnavailableException("op", null, false, "x", null).isRetryable())
        .isFalse();
  }

  @Test
  void recordTooLarge_carriesLimitAndSize() {
    RecordTooLargeException thrown = new RecordTooLargeException("op", KEY, 10, 11, null);

    assertThat(thrown.limitBytes()).isEqualTo(10);
    assertThat(thrown.sizeBytes()).isEqualTo(11);
    assertThat(thrown).hasMessageContainingAll("11 bytes", "limit is 10");
  }

  @Test
  void corruptRecord_carriesTheReason() {
    CorruptRecordException thrown = new CorruptRecordException("get", KEY, "torn entry", null);

    assertThat(thrown.reason()).isEqualTo("torn entry");
    assertThat(thrown).hasMessageContaining("torn entry");
  }

  @Test
  void constructor_missingOperationOrDetail_isRefusedByName() {
    assertThatNullPointerException()
        .isThrownBy(() -> new OutcomeUnknownException(Nulls.of(String.class), KEY, "detail", null))
        .withMessage("operation");
    assertThatNullPointerException()
        .isThrownBy(() -> new OutcomeUnknownException("op", KEY, Nulls.of(String.class), null))
        .withMessage("detail");
  }
}
