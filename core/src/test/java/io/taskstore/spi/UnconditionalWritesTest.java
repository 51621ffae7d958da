// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import io.taskstore.spi.MinimalBackend.Call;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/** What the defaults of {@link StorageBackend#put} and {@link StorageBackend#delete} cost. */
final class UnconditionalWritesTest {
  private static final Instant EXPIRY = Instant.parse("2030-01-01T00:00:00Z");
  private static final RecordKey KEY = new RecordKey("owner", "mine");
  private static final RecordValue VALUE = new RecordValue(Bytes.EMPTY, true, EXPIRY, "w");

  private final MinimalBackend backend = new MinimalBackend();

  @Test
  void put_existing_isOneReadAndOneWrite() {
    backend.plant(KEY, VALUE, 7);

    assertThat(backend.put(KEY, VALUE)).isEqualTo(8);

    assertThat(backend.count(Call.GET)).isEqualTo(1);
    assertThat(backend.count(Call.PUT)).isEqualTo(1);
  }

  @Test
  void put_lostAHundredTimes_givesUpAndSaysSo() {
    for (int number = 1; number <= 100; number++) {
      int version = number;
      backend.before(Call.PUT, number, () -> backend.plant(KEY, VALUE, version));
    }

    assertThatExceptionOfType(StorageUnavailableException.class)
        .isThrownBy(() -> backend.put(KEY, VALUE))
        .withMessageContaining("100 attempts lost against other writers");

    assertThat(backend.count(Call.PUT)).isEqualTo(100);
  }

  @Test
  void put_lostButTheHundredthTime_isWritten() {
    for (int number = 1; number <= 99; number++) {
      int version = number;
      backend.before(Call.PUT, number, () -> backend.plant(KEY, VALUE, version));
    }

    assertThat(backend.put(KEY, VALUE)).isEqualTo(100);
  }

  @Test
  void delete_lostAHundredTimes_givesUpAndSaysSo() {
    backend.plant(KEY, VALUE, 1);
    for (int number = 1; number <= 100; number++) {
      int version = number + 1;
      backend.before(Call.DELETE, number, () -> backend.plant(KEY, VALUE, version));
    }

    assertThatExceptionOfType(StorageUnavailableException.class)
        .isThrownBy(() -> backend.delete(KEY))
        .withMessageContaining("100 attempts lost against other writers");

    assertThat(backend.count(Call.DELETE)).isEqualTo(100);
  }

  @Test
  void delete_lostButTheHundredthTime_isDone() {
    backend.plant(KEY, VALUE, 1);
    for (int number = 1; number <= 99; number++) {
      int version = number + 1;
      backend.before(Call.DELETE, number, () -> backend.plant(KEY, VALUE, version));
    }

    assertThat(backend.delete(KEY)).isTrue();
  }

  @Test
  void badArguments_areRefusedBeforeAnyCall() {
    assertThatNullPointerException()
        .isThrownBy(() -> backend.put(Nulls.of(RecordKey.class), VALUE))
        .withMessage("key");
    assertThatNullPointerException()
        .isThrownBy(() -> backend.put(KEY, Nulls.of(RecordValue.class)))
        .withMessage("value");
    assertThatNullPointerException()
        .isThrownBy(() -> backend.delete(Nulls.of(RecordKey.class)))
        .withMessage("key");

    assertThat(backend.count(Call.GET)).isZero();
    assertThat(backend.count(Call.PUT)).isZero();
    assertThat(backend.count(Call.DELETE)).isZero();
  }
}
