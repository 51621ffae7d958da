// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.RecordKey;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class NamesTest {
  /** What the longest suffix of ours takes: a dot, a UUID, and another suffix. */
  private static final int SUFFIX = 1 + 36 + 3;

  private static final int NAME_MAX = 255;

  @ParameterizedTest
  @CsvSource({
    "abc-1_z, abc-1_z",
    "a/b, a%2fb",
    "a%2Fb, a%252%46b",
    "a%2fb, a%252fb",
    "%, %25",
    "%%, %25%25",
    "., %2e",
    ".., %2e%2e",
    "A, %41",
    "é, %c3%a9",
    "con, %con",
    "nul, %nul",
    "com1, %com1",
    "lpt9, %lpt9",
    "CON, %43%4f%4e",
    "con.txt, con%2etxt",
    "%con, %25con",
    "console, console",
    "a:b, a%3ab",
    "a\\b, a%5cb",
  })
  void encode_text_isThisName(String text, String name) {
    assertThat(Names.encode(text)).isEqualTo(name);
    assertThat(Names.decode(name)).isEqualTo(text);
  }

  @Test
  void encode_blanksAndControls_areEscaped() {
    assertThat(Names.encode(" a\n\u0000.")).isEqualTo("%20a%0a%00%2e");
  }

  @Test
  void encode_atTheLimit_isWholeAndOverItHasAHash() {
    String longest = "a".repeat(120);

    assertThat(Names.encode(longest)).isEqualTo(longest);
    assertThat(Names.isPlain(Names.encode(longest))).isTrue();
    assertThat(Names.encode(longest + "a")).startsWith("a".repeat(80) + "%%").hasSize(80 + 2 + 32);
    assertThat(Names.isPlain(Names.encode(longest + "a"))).isFalse();
    assertThat(Names.decode(Names.encode(longest + "a"))).isNull();
  }

  @Test
  void encode_longTextsThatBeginAlike_differ() {
    Map<String, String> seen = new HashMap<>();
    for (int i = 0; i < 1_000; i++) {
      String text = "x".repeat(200) + i;
      assertThat(seen.put(Names.encode(text), text)).isNull();
    }
  }

  @Test
  void encode_longText_isNotCutWithinAnEscape() {
    for (int before = 70; before < 85; before++) {
      String name = Names.encode("a".repeat(before) + "é".repeat(60));
      String kept = name.substring(0, name.indexOf("%%"));

      assertThat(kept).matches("a*(%[0-9a-f]{2})*").hasSizeBetween(78, 80);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"A", "%", "%2", "%2F", "%zz", "a.b", "a b", "é", "%ff", "%c3", "a%%b", "%%", "~"})
  void decode_notAName_isNull(String name) {
    assertThat(Names.decode(name)).isNull();
  }

  @Provide
  Arbitrary<String> texts() {
    Arbitrary<String> odd =
        Arbitraries.of(
            "a",
            "A",
            "/",
            "%",
            "2",
            "f",
            "F",
            ".",
            "-",
            "_",
            " ",
            "\n",
            "\u0000",
            "é",
            "é",
            "\uFFFD",
            "\uE000",
            "😀",
            "con",
            "aux",
            "com1",
            "%%",
            "%2f",
            "\\",
            ":",
            "\u007f",
            "x".repeat(79),
            "é".repeat(40),
            "y".repeat(120));
    return odd.list().ofMinSize(1).ofMaxSize(6).map(parts -> String.join("", parts));
  }

  @Property(tries = 3_000)
  void decode_ofEncoded_isTheTextOrNotTold(@ForAll("texts") String text) {
    String name = Names.encode(text);

    if (Names.isPlain(name)) {
      assertThat(Names.decode(name)).isEqualTo(text);
    } else {
      assertThat(Names.decode(name)).isNull();
    }
    assertThat(name).matches("[a-z0-9_%-]+").hasSizeLessThanOrEqualTo(NAME_MAX - SUFFIX);
    // Not one of Windows' devices, which come with any extension.
    assertThat(name).doesNotMatch("(con|prn|aux|nul|com[0-9]|lpt[0-9])(\\..*)?");
  }

  @Property(tries = 3_000)
  void encode_twoTexts_differAlsoWithoutCase(
      @ForAll("texts") String left, @ForAll("texts") String right) {
    String leftName = Names.encode(left).toLowerCase(Locale.ROOT);
    String rightName = Names.encode(right).toLowerCase(Locale.ROOT);

    assertThat(leftName.equals(rightName)).isEqualTo(left.equals(right));
  }

  @Property(tries = 2_000)
  void decode_anyName_isNullOrComesFromIt(@ForAll("names") String name) {
    String text = Names.decode(name);

    if (text != null && !text.isEmpty()) {
      // Two names never stand for one text: then one file could hide another.
      assertThat(Names.encode(text)).isEqualTo(name);
    }
  }

  @Provide
  Arbitrary<String> names() {
    return Arbitraries.of(
            "a",
            "%2f",
            "%61",
            "%41",
            "%c3%a9",
            "con",
            "%con",
            "%",
            "%25",
            "-",
            "%2F",
            "y".repeat(60))
        .list()
        .ofMinSize(1)
        .ofMaxSize(5)
        .map(parts -> String.join("", parts));
  }

  @Property(tries = 2_000)
  void compareIds_ofDecoded_isTheOrderOfTheTexts(
      @ForAll("texts") String left, @ForAll("texts") String right) {
    String leftText = Names.decode(Names.encode(left));
    String rightText = Names.decode(Names.encode(right));
    if (leftText == null || rightText == null) {
      return;
    }
    int expected =
        Arrays.compareUnsigned(
            left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));

    assertThat(Integer.signum(RecordKey.compareIds(leftText, rightText)))
        .isEqualTo(Integer.signum(expected));
  }

  @Test
  void encode_longestParts_fitIntoNames() {
    List<String> longest =
        List.of(
            "a".repeat(1_100),
            "/".repeat(1_100),
            "😀".repeat(275),
            "%".repeat(512),
            "con".repeat(40));

    for (String text : longest) {
      assertThat(Names.encode(text).length() + SUFFIX).isLessThanOrEqualTo(NAME_MAX);
    }
  }

  @Test
  void beginning_ofHashedName_isWhatTheTextBeginsWith() {
    String text = "é" + "b".repeat(300);

    assertThat(Names.beginning(Names.encode(text) + ".tj"))
        .isNotNull()
        .satisfies(start -> assertThat(text).startsWith(start));
  }
}
