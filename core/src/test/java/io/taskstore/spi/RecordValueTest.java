// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class RecordValueTest {
  private static final Instant NOW = Instant.parse("2030-01-01T00:00:00.123Z");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00Z",
        "2030-01-01T00:00:00.001Z",
        "9999-12-31T23:59:59.999Z"
      })
  void constructor_expiryWithinBounds_isKeptExactly(String expiry) {
    assertThat(expiring(Instant.parse(expiry)).expiresAt()).isEqualTo(expiry);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0000-12-31T23:59:59.999Z",
        "-1000000000-01-01T00:00:00Z",
        "+10000-01-01T00:00:00Z",
        "+1000000000-12-31T23:59:59.999999999Z"
      })
  void constructor_expiryOutOfBounds_isRefused(String expiry) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> expiring(Instant.parse(expiry)))
        .withMessageContainingAll("expiresAt", "outside");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "2030-01-01T00:00:00.000000001Z",
        "2030-01-01T00:00:00.123999999Z",
        "1969-12-31T23:59:59.9990001Z"
      })
  void constructor_expiryFinerThanMilliseconds_isRefused(String expiry) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> expiring(Instant.parse(expiry)))
        .withMessageContainingAll("expiresAt", "milliseconds");
  }

  @Test
  void isExpired_atTheBoundary_isDecidedToTheMillisecond() {
    assertThat(expiring(NOW).isExpired(NOW.minusNanos(1))).isFalse();
    assertThat(expiring(NOW).isExpired(NOW)).isTrue();
    assertThat(expiring(NOW).isExpired(NOW.plusNanos(1))).isTrue();
    assertThat(expiring(null).isExpired(Instant.MAX)).isFalse();
  }

  @Test
  void isExpired_head_agreesWithTheRecord() {
    RecordKey key = new RecordKey("p", "i");
    assertThat(new RecordHead(key, NOW).isExpired(NOW.minusNanos(1))).isFalse();
    assertThat(new RecordHead(key, NOW).isExpired(NOW)).isTrue();
    assertThat(new RecordHead(key, null).isExpired(Instant.MAX)).isFalse();
  }

  @Test
  void constructor_writeIdWithinBounds_isKept() {
    String longest = "~".repeat(RecordValue.MAX_WRITE_ID_LENGTH);
    assertThat(withWriteId(longest).writeId()).isEqualTo(longest);
    assertThat(withWriteId("!").writeId()).isEqualTo("!");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "a b", "a\n", "\u0000", "\u007f", "\u00e9", "\ud83d\ude00"})
  void constructor_writeIdNotPrintableAscii_isRefused(String writeId) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> withWriteId(writeId))
        .withMessageContaining("writeId");
  }

  @Test
  void constructor_writeIdTooLong_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> withWriteId("w".repeat(65)))
        .withMessageContainingAll("writeId", "65", "64");
  }

  @Test
  void constructor_missingParts_areRefusedByName() {
    assertThatNullPointerException()
        .isThrownBy(() -> new RecordValue(Nulls.of(Bytes.class), true, null, "w"))
        .withMessage("data");
    assertThatNullPointerException()
        .isThrownBy(() -> new RecordValue(Bytes.EMPTY, true, null, Nulls.of(String.class)))
        .withMessage("writeId");
  }

  @Test
  void toString_showsSizeButNoData() {
    Bytes data = Bytes.copyOf("secret".getBytes(StandardCharsets.UTF_8));
    RecordValue value = new RecordValue(data, true, NOW, "w1");

    assertThat(value)
        .hasToString(
            "RecordValue[data=Bytes[6], active=true, expiresAt=%s, writeId=w1]".formatted(NOW));
    assertThat(new VersionedRecord(new RecordKey("p", "i"), value, 1).toString())
        .contains("\"p\"/\"i\"", "version=1")
        .doesNotContain("secret", "115");
    assertThat(new Conflict(new VersionedRecord(new RecordKey("p", "i"), value, 1)).toString())
        .doesNotContain("secret", "115");
  }

  @Test
  void equals_everyPart_counts() {
    RecordValue value = new RecordValue(Bytes.EMPTY, true, NOW, "w");
    assertThat(value)
        .isEqualTo(new RecordValue(Bytes.copyOf(new byte[0]), true, NOW, "w"))
        .isNotEqualTo(new RecordValue(Bytes.copyOf(new byte[1]), true, NOW, "w"))
        .isNotEqualTo(new RecordValue(Bytes.EMPTY, false, NOW, "w"))
        .isNotEqualTo(new RecordValue(Bytes.EMPTY, true, null, "w"))
        .isNotEqualTo(new RecordValue(Bytes.EMPTY, true, NOW, "x"));
  }

  private static RecordValue expiring(@Nullable Instant expiresAt) {
    return new RecordValue(Bytes.EMPTY, true, expiresAt, "w");
  }

  private static RecordValue withWriteId(String writeId) {
    return new RecordValue(Bytes.EMPTY, true, null, writeId);
  }
}
