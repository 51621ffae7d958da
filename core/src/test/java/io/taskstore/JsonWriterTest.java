// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.erdtman.jcs.NumberToJSON;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class JsonWriterTest {
  private static String string(String text) {
    JsonWriter out = new JsonWriter(0);
    assertThat(out.string(text)).isEqualTo(out.size() - 2);
    return new String(out.toByteArray(), StandardCharsets.UTF_8);
  }

  private static void agreesWithTheOracle(double value) throws IOException {
    String canonical = JsonWriter.canonical(value);

    // Plain comparisons first: this runs a million times.
    String expected = expected(value);
    if (!canonical.equals(expected)) {
      assertThat(canonical).as("bits %016x", Double.doubleToRawLongBits(value)).isEqualTo(expected);
    }
    if (Double.parseDouble(canonical) != value) {
      assertThat(Double.parseDouble(canonical)).isEqualTo(value);
    }
  }

  private static String expected(double value) throws IOException {
    // Subnormal numbers make the oracle fail, run for minutes, or print dozens of zeros.
    return value != 0 && Math.abs(value) < Double.MIN_NORMAL
        ? subnormalByDefinition(value)
        : NumberToJSON.serializeNumber(value);
  }

  /** The fewest digits that give the number back, and of those the closest: tried one by one. */
  private static String subnormalByDefinition(double value) {
    BigDecimal exact = new BigDecimal(Math.abs(value));
    for (int digits = 1; digits <= 17; digits++) {
      BigDecimal down = exact.round(new MathContext(digits, RoundingMode.DOWN));
      BigDecimal up = down.add(down.ulp());
      boolean upIsCloser = up.subtract(exact).compareTo(exact.subtract(down)) < 0;
      for (BigDecimal candidate : upIsCloser ? List.of(up, down) : List.of(down, up)) {
        if (candidate.doubleValue() == Math.abs(value)) {
          BigDecimal shortest = candidate.stripTrailingZeros();
          String unscaled = shortest.unscaledValue().toString();
          int exponent = unscaled.length() - 1 - shortest.scale();
          String fraction = unscaled.length() == 1 ? "" : "." + unscaled.substring(1);
          return (value < 0 ? "-" : "") + unscaled.charAt(0) + fraction + "e" + exponent;
        }
      }
    }
    throw new AssertionError("17 digits are always enough");
  }

  // --- doubles ------------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({
    "0000000000000000, 0",
    "8000000000000000, 0",
    "0000000000000001, 5e-324",
    "8000000000000001, -5e-324",
    "7fefffffffffffff, 1.7976931348623157e+308",
    "ffefffffffffffff, -1.7976931348623157e+308",
    "4340000000000000, 9007199254740992",
    "c340000000000000, -9007199254740992",
    "4430000000000000, 295147905179352830000",
    "44b52d02c7e14af5, 9.999999999999997e+22",
    "44b52d02c7e14af6, 1e+23",
    "44b52d02c7e14af7, 1.0000000000000001e+23",
    "444b1ae4d6e2ef4e, 999999999999999700000",
    "444b1ae4d6e2ef4f, 999999999999999900000",
    "444b1ae4d6e2ef50, 1e+21",
    "3eb0c6f7a0b5ed8c, 9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d, 0.000001",
    "41b3de4355555553, 333333333.3333332",
    "41b3de4355555554, 333333333.33333325",
    "41b3de4355555555, 333333333.3333333",
    "41b3de4355555556, 333333333.3333334",
    "41b3de4355555557, 333333333.33333343",
    "becbf647612f3696, -0.0000033333333333333333",
    "43143ff3c1cb0959, 1424953923781206.2"
  })
  void canonical_vectorsOfRfc8785AppendixB_match(String bits, String expected) {
    double value = Double.longBitsToDouble(Long.parseUnsignedLong(bits, 16));

    assertThat(JsonWriter.canonical(value)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "1e21, 1e+21",
    "-1e21, -1e+21",
    "999999999999999999999, 1e+21",
    "999999999999999900000, 999999999999999900000",
    "123456789012345678901, 123456789012345680000",
    "1e20, 100000000000000000000",
    "1.5e300, 1.5e+300",
    "1e-6, 0.000001",
    "1e-7, 1e-7",
    "-1.5e-7, -1.5e-7",
    "1.25e-6, 0.00000125",
    "0.1, 0.1",
    "-0.1, -0.1",
    "100.5, 100.5",
    "4.9e-324, 5e-324",
    "9.88e-324, 1e-323",
    "1.5e-323, 1.5e-323",
    "2e-323, 2e-323",
    "2.2250738585072014e-308, 2.2250738585072014e-308",
    "1.7976931348623157e308, 1.7976931348623157e+308",
    "9007199254740991, 9007199254740991",
    "9007199254740992, 9007199254740992",
    "9007199254740993, 9007199254740992",
    "9007199254740994, 9007199254740994",
    "-9007199254740991, -9007199254740991",
    "1152921504606846976, 1152921504606847000",
    "5.684341886080802E-14, 5.684341886080802e-14",
    "2e23, 2e+23"
  })
  void canonical_edgesOfTheLayout_areThoseOfEcmaScript(double value, String expected) {
    assertThat(JsonWriter.canonical(value)).isEqualTo(expected);
  }

  @Test
  void canonical_negativeZero_isZero() {
    assertThat(JsonWriter.canonical(-0.0)).isEqualTo("0");
  }

  @Property(tries = 110)
  void canonical_randomBits_equalsTheOracleAndReadsBack(@ForAll long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 1_000; i++) {
      double value = Double.longBitsToDouble(random.nextLong());
      if (Double.isFinite(value)) {
        agreesWithTheOracle(value);
      }
    }
  }

  @Property(tries = 50)
  void canonical_shortDecimals_equalTheOracle(@ForAll long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 300; i++) {
      long digits = random.nextLong(1, 1L << random.nextInt(1, 60));
      agreesWithTheOracle(Double.parseDouble(digits + "e" + random.nextInt(-340, 290)));
    }
  }

  @Test
  void canonical_subnormalsFromTheSmallest_areShortestAndClosest() throws IOException {
    for (long bits = 1; bits <= 1_000; bits++) {
      agreesWithTheOracle(Double.longBitsToDouble(bits));
      agreesWithTheOracle(-Double.longBitsToDouble(bits));
    }
  }

  @Property(tries = 10)
  void canonical_randomSubnormals_areShortestAndClosest(@ForAll long seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 100; i++) {
      agreesWithTheOracle(Double.longBitsToDouble(random.nextLong(1L << 52)));
    }
  }

  @Test
  void canonical_powersOfTwoAndTheirNeighbours_equalTheOracle() throws IOException {
    for (int exponent = -1_074; exponent <= 1_023; exponent++) {
      double power = Math.scalb(1.0, exponent);
      agreesWithTheOracle(power);
      agreesWithTheOracle(Math.nextUp(power));
      agreesWithTheOracle(Math.nextDown(power));
    }
  }

  @Test
  void canonical_oneDigitTimesPowersOfTen_equalTheOracle() throws IOException {
    for (int exponent = -323; exponent <= 307; exponent++) {
      for (int digit = 1; digit <= 9; digit++) {
        double value = Double.parseDouble(digit + "e" + exponent);
        agreesWithTheOracle(value);
        agreesWithTheOracle(Math.nextUp(value));
        agreesWithTheOracle(Math.nextDown(value));
      }
    }
  }

  @Test
  void canonical_integersAroundTheLimitOfExactness_equalTheOracle() throws IOException {
    for (long distance = -300; distance <= 300; distance++) {
      agreesWithTheOracle((double) ((1L << 53) + distance));
      agreesWithTheOracle((double) ((1L << 62) + distance * 512));
      agreesWithTheOracle((double) (-(1L << 53) + distance));
    }
    agreesWithTheOracle((double) Long.MAX_VALUE);
    agreesWithTheOracle((double) Long.MIN_VALUE);
  }

  // --- decimals -----------------------------------------------------------------------------

  @ParameterizedTest
  @CsvSource({
    "0.1, 0.1",
    "1E+21, 1e21",
    "100.00, 100",
    "-100.00, -100",
    "0.10, 0.1",
    "0E-5, 0",
    "0E+1000000000, 0",
    "0.0, 0",
    "5E-324, 5e-324",
    "1E-323, 1e-323",
    "1.7976931348623157E+308, 1.7976931348623157e308",
    "9007199254740992.0, 9007199254740992",
    "1E+23, 1e23",
    "1152921504606847000.0, 1152921504606846976"
  })
  void exactDouble_shortestDecimalOfADouble_isThatDouble(BigDecimal value, double expected) {
    assertThat(JsonWriter.exactDouble(value)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0.1000000000000000055",
        "0.1000000000000000055511151231257827021181583404541015625",
        "9007199254740993.0",
        "1152921504606846976.0",
        "123456789012345678901E+1",
        "4.9E-324",
        "4E-324",
        "1E-324",
        "1E-400",
        "1E+309",
        "1.7976931348623158E+308",
        "-1E+400",
        "1E+1000000000",
        "-1E+1000000000",
        "1E-1000000000",
        "1E+2147483647",
        "1E-2147483647",
        "99999999999999999999E+2147483647"
      })
  @Timeout(value = 5, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void exactDouble_anyOtherDecimal_hasNone(BigDecimal value) {
    assertThat(JsonWriter.exactDouble(value)).isNaN();
  }

  @Test
  @Timeout(value = 5, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void exactDouble_aHundredThousandDigits_isRefusedQuickly() {
    BigInteger digits = BigInteger.TEN.pow(100_000).subtract(BigInteger.ONE);

    for (int scale : new int[] {1, 50_000, 100_000, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
      assertThat(JsonWriter.exactDouble(new BigDecimal(digits, scale))).isNaN();
    }
  }

  @Test
  void exactDouble_trailingZeros_countOnlyUpToTheDigitsOfAnInteger() {
    BigDecimal tenth = new BigDecimal("0.1");

    assertThat(JsonWriter.exactDouble(tenth.setScale(TaskLimits.MAX_DIGITS))).isEqualTo(0.1);
    assertThat(JsonWriter.exactDouble(tenth.setScale(TaskLimits.MAX_DIGITS + 1))).isNaN();
  }

  @Property(tries = 60)
  void exactDouble_randomDoubles_acceptsTheShortestDecimalAndNothingNextToIt(@ForAll long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 50; i++) {
      double value = Double.longBitsToDouble(random.nextLong());
      if (!Double.isFinite(value) || value == 0) {
        continue;
      }
      BigDecimal shortest = new BigDecimal(JsonWriter.canonical(value));
      assertThat(JsonWriter.exactDouble(shortest)).isEqualTo(value);
      assertThat(JsonWriter.exactDouble(shortest.setScale(shortest.scale() + 7))).isEqualTo(value);
      assertThat(JsonWriter.exactDouble(shortest.stripTrailingZeros())).isEqualTo(value);

      BigDecimal all = new BigDecimal(value);
      assertThat(Double.isNaN(JsonWriter.exactDouble(all))).isEqualTo(all.compareTo(shortest) != 0);

      BigDecimal step = shortest.round(new MathContext(1)).movePointLeft(25);
      assertThat(JsonWriter.exactDouble(shortest.add(step))).isNaN();
      assertThat(JsonWriter.exactDouble(shortest.subtract(step))).isNaN();
    }
  }

  // --- integers -----------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(longs = {0, -1, 9_007_199_254_740_993L, Long.MAX_VALUE, Long.MIN_VALUE})
  void number_long_isExact(long value) {
    JsonWriter out = new JsonWriter(0);
    out.number(value);
    assertThat(new String(out.toByteArray(), StandardCharsets.US_ASCII))
        .isEqualTo(Long.toString(value));
  }

  @Test
  void number_bigInteger_isExact() {
    BigInteger value = BigInteger.TEN.pow(999).negate().subtract(BigInteger.ONE);
    JsonWriter out = new JsonWriter(0);
    out.number(value);
    assertThat(new String(out.toByteArray(), StandardCharsets.US_ASCII))
        .isEqualTo(value.toString());
  }

  // --- strings ------------------------------------------------------------------------------

  static Stream<String[]> escapes() {
    return Stream.of(
        new String[] {"\u0000\u0001\u0002\u0003", "\\u0000\\u0001\\u0002\\u0003"},
        new String[] {"\u0004\u0005\u0006\u0007", "\\u0004\\u0005\\u0006\\u0007"},
        new String[] {"\b\t\n\u000b\f\r", "\\b\\t\\n\\u000b\\f\\r"},
        new String[] {"\u000e\u000f\u0010\u0011", "\\u000e\\u000f\\u0010\\u0011"},
        new String[] {"\u0012\u0013\u0014\u0015", "\\u0012\\u0013\\u0014\\u0015"},
        new String[] {"\u0016\u0017\u0018\u0019", "\\u0016\\u0017\\u0018\\u0019"},
        new String[] {"\u001a\u001b\u001c\u001d", "\\u001a\\u001b\\u001c\\u001d"},
        new String[] {"\u001e\u001f\u007f\u0080", "\\u001e\\u001f\u007f\u0080"},
        new String[] {"\"\\/'<>&", "\\\"\\\\/'<>&"},
        new String[] {
          "\u07ff\u0800\ud7ff\ue000\ufffd\uffff", "\u07ff\u0800\ud7ff\ue000\ufffd\uffff"
        },
        new String[] {"\u2028\u2029\u00ad\ufeff", "\u2028\u2029\u00ad\ufeff"},
        new String[] {
          "\ud800\udc00\ud83d\ude00\udbff\udfff", "\ud800\udc00\ud83d\ude00\udbff\udfff"
        },
        new String[] {"e\u0301\u00e9", "e\u0301\u00e9"},
        new String[] {"", ""});
  }

  @ParameterizedTest
  @MethodSource("escapes")
  void string_characters_areEscapedOnlyWhereTheyMustBe(String text, String expected) {
    assertThat(string(text)).isEqualTo('"' + expected + '"');
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 5, 31, 1_000})
  void string_loneSurrogateAnywhere_isReported(int before) {
    for (String broken : new String[] {"\ud83d", "\ude00", "\ude00\ud83d", "\ud83d\ud83d\ude00"}) {
      assertThat(new JsonWriter(0).string("a".repeat(before) + broken)).isEqualTo(-1);
      assertThat(new JsonWriter(0).string("\u0000".repeat(before) + broken + "a")).isEqualTo(-1);
    }
  }

  @Provide
  Arbitrary<String> texts() {
    return ValueFixtures.texts();
  }

  @Property
  void string_anyText_isThatOfTheOracle(@ForAll("texts") String text) {
    String naive = naive(text);

    assertThat("[" + string(text) + "]")
        .isEqualTo(ValueFixtures.canonicalByOracle("[\"" + naive + "\"]"));
  }

  private static String naive(String text) {
    StringBuilder escaped = new StringBuilder();
    text.chars().forEach(unit -> escaped.append(String.format("\\u%04X", unit)));
    return escaped.toString();
  }

  @Test
  void string_everyMixOfPlainAndEscapedAndWide_growsTheBufferInTime() {
    String[] kinds = {"a", "\u0001", "\u00e9", "\u20ac", "\ud83d\ude00", "\""};
    for (String first : kinds) {
      for (String second : kinds) {
        for (int length = 0; length < 40; length++) {
          String text = first.repeat(length) + second.repeat(40 - length) + first;
          JsonWriter exact = new JsonWriter(0);
          int bytes = exact.string(text);
          assertThat(bytes).isEqualTo(Text.storedLength(text));
          assertThat(exact.size()).isEqualTo(bytes + 2);
        }
      }
    }
  }

  // --- the buffer ---------------------------------------------------------------------------

  @Test
  void truncate_forgetsWhatFollows() {
    JsonWriter out = new JsonWriter(4);
    out.raw('[');
    int mark = out.size();
    out.string("0123456789012345678901234567890");
    out.truncate(mark);
    out.bool(true);
    out.raw(',');
    out.bool(false);
    out.raw(',');
    out.nullValue();
    out.raw("  7]".getBytes(StandardCharsets.US_ASCII), 2, 2);

    assertThat(new String(out.toByteArray(), StandardCharsets.US_ASCII))
        .isEqualTo("[true,false,null7]");
    assertThat(out.copyOfRange(1, 5)).isEqualTo("true".getBytes(StandardCharsets.US_ASCII));
  }

  @Test
  void toByteArray_bufferExactlyFull_isComplete() {
    JsonWriter out = new JsonWriter(16);
    out.string("a".repeat(14));
    assertThat(out.toByteArray()).hasSize(16);
  }
}
