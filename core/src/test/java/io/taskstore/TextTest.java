// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TextTest {
  @Provide
  Arbitrary<String> texts() {
    return ValueFixtures.texts();
  }

  @Property
  void utf8Length_wellFormed_isWhatTheEncoderNeeds(@ForAll("texts") String text) {
    assertThat(Text.utf8Length(text)).isEqualTo(text.getBytes(StandardCharsets.UTF_8).length);
  }

  @Property
  void storedLength_wellFormed_isWhatTheWriterWrites(@ForAll("texts") String text) {
    JsonWriter out = new JsonWriter(0);
    out.string(text);

    assertThat(Text.storedLength(text)).isEqualTo(out.size() - 2);
  }

  @Property
  void storedLength_anyUnits_agreesWithTheWriterEvenWhereItRefuses(@ForAll String text) {
    assertThat(Text.storedLength(text)).isEqualTo(new JsonWriter(0).string(text));
  }

  @Test
  void storedLength_everyUnitAlone_agreesWithTheWriter() {
    for (int unit = Character.MIN_VALUE; unit <= Character.MAX_VALUE; unit++) {
      String text = String.valueOf((char) unit);
      if (Text.storedLength(text) != new JsonWriter(0).string(text)) {
        assertThat(Text.storedLength(text))
            .as("U+%04X", unit)
            .isEqualTo(new JsonWriter(0).string(text));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"\ud800", "a\udfff", "\udc00\ud800", "\ud800a\udc00", "\ud800\ud800"})
  void lengths_loneSurrogate_areTheMark(String text) {
    assertThat(Text.utf8Length(text)).isEqualTo(Text.LONE_SURROGATE);
    assertThat(Text.storedLength(text)).isEqualTo(Text.LONE_SURROGATE);
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Text.checkLength("the thing", text, "limit", 1_000))
        .withMessageContaining("the thing")
        .withMessageContaining("surrogate");
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Text.checkStoredLength("the thing", text, "limit", 1_000));
  }

  @Test
  void checkLength_atTheLimitAndOnePast_countsUtf8() {
    assertThatCode(() -> Text.checkLength("t", "\u20ac\"", "limit", 4)).doesNotThrowAnyException();
    LimitExceededException thrown =
        catchThrowableOfType(
            LimitExceededException.class,
            () -> Text.checkLength("the thing", "\u20ac\"a", "someLimit", 4));

    assertThat(thrown.what()).isEqualTo("the thing");
    assertThat(thrown.limitName()).isEqualTo("someLimit");
    assertThat(thrown.limit()).isEqualTo(4);
    assertThat(thrown.actual()).isEqualTo(5);
    assertThat(thrown).hasMessage("Too large: the thing has 5 bytes, the limit (someLimit) is 4");
  }

  @Test
  void checkStoredLength_atTheLimitAndOnePast_countsEscapes() {
    assertThatCode(() -> Text.checkStoredLength("t", "\u20ac\"\u0000", "limit", 11))
        .doesNotThrowAnyException();
    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> Text.checkStoredLength("t", "\u20ac\"\u0000", "limit", 10));
  }

  @Test
  void quote_anything_isOneLineOfPrintableAscii() {
    assertThat(Text.quote("plain 'text'")).isEqualTo("\"plain 'text'\"");
    assertThat(Text.quote("")).isEqualTo("\"\"");
    assertThat(Text.quote("a\"b\\c")).isEqualTo("\"a\\\"b\\\\c\"");
    assertThat(Text.quote("\r\n\u007f\u00e9\ud83d\ude00\u202e"))
        .isEqualTo("\"\\u000d\\u000a\\u007f\\u00e9\\ud83d\\ude00\\u202e\"");
  }

  @Test
  void quote_longText_isCutAndSaysSo() {
    assertThat(Text.quote("a".repeat(80))).isEqualTo('"' + "a".repeat(80) + '"');
    assertThat(Text.quote("a".repeat(81))).isEqualTo('"' + "a".repeat(80) + "\u2026\"");
    assertThat(Text.quote("\u0000".repeat(10_000_000))).hasSizeLessThan(500);
  }
}
