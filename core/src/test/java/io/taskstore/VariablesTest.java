// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.ValueFixtures.MAPPER;
import static io.taskstore.ValueFixtures.json;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonValue;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class VariablesTest {
  private static final ValueReader READER = new ValueReader(MAPPER);

  enum Color {
    RED,
    @JsonProperty("dark-blue")
    BLUE
  }

  enum Level {
    LOW(1),
    HIGH(2);

    private final int code;

    Level(int code) {
      this.code = code;
    }

    @JsonValue
    int code() {
      return code;
    }
  }

  record Totals(int files, double bytes, Optional<String> note, List<Totals> parts) {}

  record Picky(String name) {
    Picky {
      if (name.isEmpty()) {
        throw new IllegalArgumentException("empty");
      }
    }
  }

  static final class Bean {
    @JsonProperty("full-name")
    public String name = "default";

    public float ratio;
  }

  private static Variables variables(Map<String, ? extends @Nullable Object> values) {
    Map<String, Json> members = new HashMap<>();
    values.forEach((name, value) -> members.put(name, ValueFixtures.encode(value)));
    return new Variables(JsonMembers.of(members), READER);
  }

  private static Variables variable(@Nullable Object value) {
    Map<String, @Nullable Object> map = new HashMap<>();
    map.put("x", value);
    return variables(map);
  }

  private static Variables stored(String text) {
    return new Variables(JsonMembers.of(Map.of("x", json(text))), READER);
  }

  private static void refused(ThrowingCallable reading) {
    ValueConversionException thrown = catchThrowableOfType(ValueConversionException.class, reading);
    assertThat(thrown).isNotNull();
    assertThat(thrown.what()).isEqualTo("variable \"x\"");
    assertThat(thrown).hasMessageContaining("variable \"x\"");
  }

  // --- names --------------------------------------------------------------------------------

  @Test
  void names_areInTheOrderOfUtf16Units() {
    Variables variables = variables(Map.of("b", 1, "a", 2, "\ufb33", 3, "\ud83d\ude00", 4));

    assertThat(variables.names()).containsExactly("a", "b", "\ud83d\ude00", "\ufb33");
    assertThat(variables.asMap().keySet()).containsExactly("a", "b", "\ud83d\ude00", "\ufb33");
    assertThat(variables.size()).isEqualTo(4);
    assertThat(variables.isEmpty()).isFalse();
    assertThat(variables.contains("a")).isTrue();
    assertThat(variables.contains("A")).isFalse();
  }

  @Test
  void everything_noSuchVariable_isEmpty() {
    Variables none = variables(Map.of());

    assertThat(none.isEmpty()).isTrue();
    assertThat(none.size()).isZero();
    assertThat(none.names()).isEmpty();
    assertThat(none.asMap()).isEmpty();
    assertThat(none.contains("x")).isFalse();
    assertThat(none.as("x", Object.class)).isEmpty();
    assertThat(none.string("x")).isEmpty();
    assertThat(none.bool("x")).isEmpty();
    assertThat(none.number("x")).isEmpty();
    assertThat(none.integer("x")).isEmpty();
    assertThat(none.bigInteger("x")).isEmpty();
  }

  @Test
  void everything_nullArgument_isRefused() {
    Variables variables = variables(Map.of("x", 1));

    assertThatNullPointerException().isThrownBy(() -> variables.contains(null));
    assertThatNullPointerException().isThrownBy(() -> variables.as(null, String.class));
    assertThatNullPointerException().isThrownBy(() -> variables.as("x", null));
    assertThatNullPointerException().isThrownBy(() -> variables.as("y", null));
    assertThatNullPointerException().isThrownBy(() -> variables.string(null));
    assertThatNullPointerException().isThrownBy(() -> variables.bool(null));
    assertThatNullPointerException().isThrownBy(() -> variables.number(null));
    assertThatNullPointerException().isThrownBy(() -> variables.integer(null));
    assertThatNullPointerException().isThrownBy(() -> variables.bigInteger(null));
  }

  // --- scalars ------------------------------------------------------------------------------

  @Test
  void getters_numberThatWasWhole_isReadAsEither() {
    for (Object one : new Object[] {1, 1L, 1.0, 1.0f, BigInteger.ONE, new BigDecimal("1.00")}) {
      Variables variables = variable(one);
      assertThat(variables.number("x")).isEqualTo(OptionalDouble.of(1));
      assertThat(variables.integer("x")).isEqualTo(OptionalLong.of(1));
      assertThat(variables.bigInteger("x")).contains(BigInteger.ONE);
      assertThat(variables.asMap()).isEqualTo(Map.of("x", 1L));
      assertThat(variables.as("x", Integer.class)).contains(1);
      assertThat(variables.as("x", Double.class)).contains(1.0);
      assertThat(variables.as("x", BigDecimal.class)).contains(BigDecimal.ONE);
    }
  }

  @Test
  void number_fraction_isNoInteger() {
    Variables variables = variable(1.5);

    assertThat(variables.number("x")).hasValue(1.5);
    refused(() -> variables.integer("x"));
    refused(() -> variables.bigInteger("x"));
    refused(() -> variables.as("x", Integer.class));
    refused(() -> variables.as("x", Long.class));
    refused(() -> variables.as("x", BigInteger.class));
    assertThat(variables.asMap()).isEqualTo(Map.of("x", 1.5));
  }

  @Test
  void integer_exponent_isRefusedAsTheDocumentationSays() {
    Variables variables = variable(1e21);

    assertThat(variables.number("x")).hasValue(1e21);
    assertThat(variable(1e20).bigInteger("x")).contains(BigInteger.TEN.pow(20));
    refused(() -> variables.integer("x"));
    refused(() -> variables.bigInteger("x"));
  }

  @Test
  void integer_atTheEdgesOfALong_isExact() {
    BigInteger above = BigInteger.valueOf(Long.MAX_VALUE).add(BigInteger.ONE);
    BigInteger below = BigInteger.valueOf(Long.MIN_VALUE).subtract(BigInteger.ONE);
    for (long edge : new long[] {Long.MAX_VALUE, Long.MIN_VALUE, (1L << 53) + 1}) {
      assertThat(variable(edge).integer("x")).hasValue(edge);
      assertThat(variable(edge).bigInteger("x")).contains(BigInteger.valueOf(edge));
      assertThat(variable(edge).asMap()).isEqualTo(Map.of("x", edge));
      assertThat(variable(edge).as("x", Long.class)).contains(edge);
    }
    for (BigInteger big : new BigInteger[] {above, below, BigInteger.TEN.pow(999)}) {
      assertThat(variable(big).bigInteger("x")).contains(big);
      assertThat(variable(big).asMap()).isEqualTo(Map.of("x", big));
      assertThat(variable(big).as("x", BigInteger.class)).contains(big);
      assertThat(variable(big).number("x")).hasValue(big.doubleValue());
      refused(() -> variable(big).integer("x"));
      refused(() -> variable(big).as("x", Long.class));
    }
    refused(() -> variable(1L << 31).as("x", Integer.class));
  }

  @Provide
  Arbitrary<Double> doubles() {
    return ValueFixtures.doubles();
  }

  @Property
  void number_anyDouble_comesBackExactly(@ForAll("doubles") double value) {
    assertThat(variable(value).number("x")).hasValue(value + 0.0);
    assertThat(variable(value).as("x", Double.class)).contains(value + 0.0);
    assertThat(variable(new double[] {value}).as("x", double[].class).orElseThrow())
        .containsExactly(value + 0.0);
  }

  @Property
  void number_anyFloat_comesBackExactly(@ForAll float value) {
    assertThat((float) variable(value).number("x").orElseThrow()).isEqualTo(value + 0.0f);
    assertThat(variable(value).as("x", Float.class)).contains(value + 0.0f);
  }

  @Property
  void integer_anyLong_comesBackExactly(@ForAll long value) {
    assertThat(variable(value).integer("x")).hasValue(value);
  }

  @Provide
  Arbitrary<String> texts() {
    return ValueFixtures.texts();
  }

  @Property
  void string_anyText_comesBackExactly(@ForAll("texts") String text) {
    assertThat(variable(text).string("x")).contains(text);
    assertThat(variable(text).as("x", String.class)).contains(text);
  }

  @Test
  void bool_boolean_isRead() {
    assertThat(variable(true).bool("x")).contains(true);
    assertThat(variable(false).bool("x")).contains(false);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"\"1\"", "\"true\"", "\"\"", "true", "1", "1.5", "null", "[]", "{}", "[1]"})
  void getters_anotherShape_isRefusedAndNeverCoerced(String text) {
    Variables variables = stored(text);
    char first = text.charAt(0);

    if (first != '"') {
      refused(() -> variables.string("x"));
    }
    if (first != 't') {
      refused(() -> variables.bool("x"));
    }
    if (first != '1') {
      refused(() -> variables.number("x"));
      refused(() -> variables.integer("x"));
      refused(() -> variables.bigInteger("x"));
    }
  }

  @Test
  void getters_anotherShape_doNotShowTheValue() {
    Variables variables = variable("secret");

    assertThatExceptionOfType(ValueConversionException.class)
        .isThrownBy(() -> variables.number("x"))
        .withMessage("Cannot read variable \"x\" as a number: the stored value has another shape");
    assertThatExceptionOfType(ValueConversionException.class)
        .isThrownBy(() -> variables.as("x", Totals.class))
        .withMessageNotContaining("secret")
        .withMessageContaining(Totals.class.getName());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[1",
        "nul",
        "truefalse",
        "1 2",
        "01",
        "-01",
        "-",
        "1-",
        "{\"a\"}",
        "\"a",
        "\"",
        "\"a\"b\"",
        "\"\u0001\"",
        "\"\\ud83\"",
        "\"\\\""
      })
  void getters_damagedValue_isRefused(String text) {
    Variables variables = stored(text);

    refused(() -> variables.string("x"));
    refused(() -> variables.asMap());
    refused(() -> variables.as("x", Object.class));
  }

  // --- plain values -------------------------------------------------------------------------

  @Provide
  Arbitrary<@Nullable Object> plainValues() {
    return ValueFixtures.plainValues();
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void asMap_plainValues_encodeToTheSameBytes(@ForAll("plainValues") @Nullable Object value) {
    Object plain = variable(value).asMap().get("x");

    assertThat(ValueFixtures.encode(plain)).isEqualTo(ValueFixtures.encode(value));
    checkPlain(plain);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"\"",
        "\" ~\u007f\"",
        "\"a\\nb\"",
        "\"\\\"\"",
        "\"é\"",
        "true",
        "false",
        "0",
        "7",
        "-7",
        "10",
        "999999999999999999",
        "-999999999999999999",
        "1000000000000000000",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "1.5",
        "1e+21"
      })
  void asMap_scalar_isWhatJacksonReads(String text) {
    Object read = MAPPER.readValue(text, Object.class);
    Object expected = read instanceof Integer number ? number.longValue() : read;

    assertThat(stored(text).asMap()).containsExactly(Map.entry("x", expected));
  }

  private static void checkPlain(@Nullable Object value) {
    if (value instanceof List<?> list) {
      list.forEach(VariablesTest::checkPlain);
      unmodifiable(() -> list.add(null));
      unmodifiable(list::clear);
    } else if (value instanceof Map<?, ?> map) {
      map.keySet().forEach(key -> assertThat(key).isInstanceOf(String.class));
      map.values().forEach(VariablesTest::checkPlain);
      unmodifiable(map::clear);
      unmodifiable(() -> map.put(null, null));
    } else if (value != null) {
      assertThat(value.getClass())
          .isIn(Boolean.class, String.class, Long.class, Double.class, BigInteger.class);
    }
  }

  private static void unmodifiable(ThrowingCallable change) {
    assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(change);
  }

  @Test
  void asMap_isUnmodifiableAllTheWayDown() {
    Map<String, @Nullable Object> map =
        variables(Map.of("a", List.of(Map.of("b", List.of(1))), "c", List.of(), "d", Map.of()))
            .asMap();

    unmodifiable(() -> map.put("x", 1));
    unmodifiable(() -> map.remove("a"));
    map.values().forEach(VariablesTest::checkPlain);
  }

  @Test
  void asMap_nullsInside_areKept() {
    Map<String, @Nullable Object> inner = new HashMap<>();
    inner.put("n", null);

    assertThat(variable(new Object[] {null, inner}).asMap().get("x"))
        .isEqualTo(Arrays.asList(null, inner));
  }

  @Test
  void asMap_deepestValue_isRead() {
    TaskLimits limits = TaskLimits.defaults().withMaxDepth(TaskLimits.HIGHEST_DEPTH);
    Object deep = ValueFixtures.nestedLists(TaskLimits.HIGHEST_DEPTH);
    Json json = ValueFixtures.encode(deep, limits);
    Variables variables = new Variables(JsonMembers.of(Map.of("x", json)), READER);

    assertThat(variables.asMap().get("x")).isEqualTo(deep);
    assertThat(variables.as("x", Object.class)).contains(deep);
  }

  // --- classes ------------------------------------------------------------------------------

  @Test
  void as_record_roundTrips() {
    Totals totals =
        new Totals(
            3,
            1.0,
            Optional.of("n\u20ac"),
            List.of(new Totals(1, Double.MIN_VALUE, Optional.empty(), List.of())));

    assertThat(variable(totals).as("x", Totals.class)).contains(totals);
    assertThat(variable(new Totals[] {totals}).as("x", Totals[].class).orElseThrow())
        .containsExactly(totals);
    assertThat(variable(List.of(totals)).as("x", Totals[].class).orElseThrow())
        .containsExactly(totals);
  }

  @Test
  void as_bean_roundTripsAndIgnoresWhatItDoesNotKnow() {
    Bean bean =
        variable(Map.of("full-name", "a", "ratio", 0.1f, "other", List.of(1)))
            .as("x", Bean.class)
            .orElseThrow();

    assertThat(bean.name).isEqualTo("a");
    assertThat(bean.ratio).isEqualTo(0.1f);
    assertThat(variable(Map.of()).as("x", Bean.class).orElseThrow().name).isEqualTo("default");
  }

  @Test
  void as_enums_readWhatTheyWrite() {
    for (Color color : Color.values()) {
      assertThat(variable(color).as("x", Color.class)).contains(color);
    }
    for (Level level : Level.values()) {
      assertThat(variable(level).as("x", Level.class)).contains(level);
    }
    assertThat(variable(TimeUnit.DAYS).as("x", TimeUnit.class)).contains(TimeUnit.DAYS);
    refused(() -> variable("GREEN").as("x", Color.class));
    refused(() -> variable("BLUE").as("x", Color.class));
    refused(() -> variable(Map.of()).as("x", Color.class));
  }

  @Test
  void as_typesOfJava_readWhatTheyWrite() {
    UUID uuid = new UUID(1, 2);
    Instant instant = Instant.parse("2026-01-01T00:00:00.123456789Z");
    Duration duration = Duration.ofSeconds(3_661, 5);

    assertThat(variable(uuid).as("x", UUID.class)).contains(uuid);
    assertThat(variable(instant).as("x", Instant.class)).contains(instant);
    assertThat(variable(duration).as("x", Duration.class)).contains(duration);
    assertThat(variable(new byte[] {1, -1}).as("x", byte[].class).orElseThrow())
        .containsExactly(1, -1);
    assertThat(variable(new char[] {'a', 'b'}).as("x", char[].class).orElseThrow())
        .containsExactly('a', 'b');
    assertThat(variable(new int[] {1, 2}).as("x", int[].class).orElseThrow()).containsExactly(1, 2);
    assertThat(variable(Map.of("a", 1)).as("x", Map.class)).contains(Map.of("a", 1));
    assertThat(variable(List.of(1, 1.5, 1L << 40)).as("x", List.class))
        .contains(List.of(1, 1.5, 1L << 40));
    assertThat(variable("a").as("x", Object.class)).contains("a");
    assertThat(stored("null").as("x", Totals.class)).isEmpty();
  }

  record ByColor(Map<Color, Integer> counts) {}

  @Test
  void as_mapWithEnumKeys_readsWhatAMapOrARecordWrote() {
    Map<Color, Integer> counts = Map.of(Color.RED, 1, Color.BLUE, 2);
    ByColor byColor = new ByColor(counts);

    assertThat(variable(Map.of("counts", counts))).isEqualTo(variable(byColor));
    assertThat(variable(Map.of("counts", counts)).as("x", ByColor.class)).contains(byColor);
  }

  record Untyped(Object any, Number number, Map<String, Object> map) {}

  @Test
  void as_bigIntegerWhereNoTypeIsGiven_isExact() {
    BigInteger big = BigInteger.TEN.pow(30);

    assertThat(variable(big).as("x", Object.class)).contains(big);
    assertThat(variable(big).as("x", Number.class)).contains(big);
    assertThat(variable(Map.of("a", big)).as("x", Map.class)).contains(Map.of("a", big));
    Untyped untyped = new Untyped(big, big, Map.of("a", big));
    assertThat(variable(untyped).as("x", Untyped.class)).contains(untyped);
  }

  @Test
  void as_wrongShape_isRefused() {
    refused(() -> variable("a").as("x", Totals.class));
    refused(() -> variable(List.of()).as("x", Map.class));
    refused(() -> variable(Map.of()).as("x", List.class));
    refused(() -> variable(Map.of("files", "many")).as("x", Totals.class));
    refused(() -> variable(Map.of("files", 1.5)).as("x", Totals.class));
    refused(() -> variable("not a time").as("x", Instant.class));
    refused(() -> variable("a").as("x", Integer.class));
    refused(() -> variable(Map.of()).as("x", String.class));
    refused(() -> variable(Map.of("a", 1)).as("x", Runnable.class));
  }

  @Test
  void as_constructorThatThrows_isRefusedWithTheCause() {
    assertThatExceptionOfType(ValueConversionException.class)
        .isThrownBy(() -> variable(Map.of("name", "")).as("x", Picky.class))
        .withRootCauseInstanceOf(IllegalArgumentException.class);
  }

  // --- the object itself --------------------------------------------------------------------

  @Test
  void equals_sameContent_isEqual() {
    assertThat(variable(1.0)).isEqualTo(variable(1)).hasSameHashCodeAs(variable(1));
    assertThat(variable(1)).isNotEqualTo(variable(2)).isNotEqualTo(variables(Map.of()));
    assertThat(variable(1)).isNotEqualTo(Map.of("x", 1L));
  }

  @Test
  void toString_showsNoContent() {
    assertThat(variables(Map.of("secret", "hidden"))).hasToString("Variables[1]");
  }

  // --- the reader ---------------------------------------------------------------------------

  @Test
  void object_anythingElse_isRefused() {
    assertThat(READER.object("params", json("{\"a\":[1]}"))).isEqualTo(Map.of("a", List.of(1L)));
    for (String text : new String[] {"[]", "1", "\"a\"", "null", "", "{"}) {
      assertThatExceptionOfType(ValueConversionException.class)
          .isThrownBy(() -> READER.object("params", json(text)))
          .withMessageStartingWith("Cannot read params as ");
    }
  }
}
