// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class RecordKeyTest {
  /** One character each of 1, 2, 3 and 4 bytes of UTF-8. */
  @ParameterizedTest
  @ValueSource(strings = {"a", "\u00e9", "\u20ac", "\ud83d\ude00"})
  void constructor_partAtOrOverItsLimit_isDecidedByUtf8Bytes(String character) {
    String partition = filled(character, RecordKey.MAX_PARTITION_BYTES);
    String id = filled(character, RecordKey.MAX_ID_BYTES);

    RecordKey key = new RecordKey(partition, id);

    assertThat(key.partition()).isEqualTo(partition);
    assertThat(key.id()).isEqualTo(id);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey(partition + "a", id))
        .withMessageContainingAll("partition", "1101", "1100")
        .withMessageNotContaining(partition);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey(partition, id + "a"))
        .withMessageContainingAll("id", "513", "512");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey(partition, id.substring(1) + "\u00e9" + "a"));
  }

  @ParameterizedTest
  @CsvSource({"1, 512", "2, 512", "3, 512", "4, 512"})
  void constructor_widestCharacterThatDoesNotFit_isRefused(int width, int limit) {
    String character = Character.toString(new int[] {0x61, 0xe9, 0x20ac, 0x1f600}[width - 1]);
    String fits = "a".repeat(limit - width) + character;

    assertThat(new RecordKey("p", fits).id()).isEqualTo(fits);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey("p", "a".repeat(limit - width + 1) + character));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"\ud83d", "\ude00", "\ude00\ud83d", "a\ud83d", "\ud83da", "\ud83d\ud83d\ude00"})
  void constructor_loneSurrogate_isRefused(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey(text, "id"))
        .withMessageContainingAll("partition", "lone surrogate", "index");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey("partition", text))
        .withMessageContainingAll("id", "lone surrogate", "index");
  }

  @Test
  void constructor_emptyOrNullPart_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey("", "id"))
        .withMessageContaining("partition");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new RecordKey("partition", ""))
        .withMessageContaining("id");
    assertThatNullPointerException()
        .isThrownBy(() -> new RecordKey(Nulls.of(String.class), "id"))
        .withMessage("partition");
    assertThatNullPointerException()
        .isThrownBy(() -> new RecordKey("partition", Nulls.of(String.class)))
        .withMessage("id");
  }

  @Test
  void equals_partsThatJoinToTheSameText_areDifferentKeys() {
    assertThat(new RecordKey("a:b", "c")).isNotEqualTo(new RecordKey("a", "b:c"));
    assertThat(new RecordKey("p", "A")).isNotEqualTo(new RecordKey("p", "a"));
    assertThat(new RecordKey("p", "\u00e9")).isNotEqualTo(new RecordKey("p", "e\u0301"));
    assertThat(new RecordKey("p", "a"))
        .isEqualTo(new RecordKey("p", "a"))
        .hasSameHashCodeAs(new RecordKey("p", "a"));
  }

  @Test
  void toString_anythingButPrintableAscii_isEscaped() {
    assertThat(new RecordKey("a b", "c-1")).hasToString("\"a b\"/\"c-1\"");
    assertThat(new RecordKey("a\"/\"b", "c\\d")).hasToString("\"a\\\"/\\\"b\"/\"c\\\\d\"");
    assertThat(new RecordKey("line\r\nbreak", "\u0000\u001b[31m\u007f"))
        .hasToString("\"line\\u000d\\u000abreak\"/\"\\u0000\\u001b[31m\\u007f\"");
    assertThat(new RecordKey("\u0085\u2028\u202e", "\ud83d\ude00"))
        .hasToString("\"\\u0085\\u2028\\u202e\"/\"\\ud83d\\ude00\"");
  }

  @Property
  void toString_anyKey_isPrintableAscii(
      @ForAll("text") String partition, @ForAll("text") String id) {
    assertThat(new RecordKey(partition, id).toString()).matches("[ -~]+");
  }

  @Test
  void compareIds_astralCharacters_comeAfterTheWholeBasicPlane() {
    String astral = "\ud83d\ude00";
    assertThat(RecordKey.compareIds(astral, "\ue000")).isPositive();
    assertThat(RecordKey.compareIds("\uffff", astral)).isNegative();
    assertThat(RecordKey.compareIds(astral, "\ud7ff")).isPositive();
    assertThat(RecordKey.compareIds("\ud800\udc00", "\udbff\udfff")).isNegative();
    assertThat(RecordKey.compareIds("\ud83d\ude00", "\ud83d\ude01")).isNegative();
    assertThat(RecordKey.compareIds("a", "ab")).isNegative();
    assertThat(RecordKey.compareIds("a", "a")).isZero();
  }

  @Property(tries = 5_000)
  void compareIds_anyTwoTexts_ordersLikeUnsignedUtf8(
      @ForAll("text") String left, @ForAll("text") String right) {
    int expected =
        Arrays.compareUnsigned(
            left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));

    assertThat(Integer.signum(RecordKey.compareIds(left, right)))
        .isEqualTo(Integer.signum(expected));
  }

  /** Few different characters, on both sides of every border, so that long prefixes are shared. */
  @Provide
  Arbitrary<String> text() {
    return Arbitraries.of(
            0x00, 0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x103ff,
            0x10400, 0x1f600, 0x10fc00, 0x10ffff)
        .list()
        .ofMinSize(1)
        .ofMaxSize(6)
        .map(
            points -> {
              StringBuilder text = new StringBuilder();
              points.forEach(text::appendCodePoint);
              return text.toString();
            });
  }

  /** Returns {@code character} repeated and padded with {@code x} to exactly {@code bytes}. */
  private static String filled(String character, int bytes) {
    int width = character.getBytes(StandardCharsets.UTF_8).length;
    return "x".repeat(bytes % width) + character.repeat(bytes / width);
  }
}
