// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.ValueFixtures.WHAT;
import static io.taskstore.ValueFixtures.canonicalByOracle;
import static io.taskstore.ValueFixtures.encode;
import static io.taskstore.ValueFixtures.nestedLists;
import static io.taskstore.ValueFixtures.reversed;
import static io.taskstore.ValueFixtures.stored;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.annotation.JsonAnyGetter;
import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.annotation.JsonValue;
import java.io.ByteArrayInputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.util.AbstractCollection;
import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

final class ValueEncoderTest {
  private static final TaskLimits LIMITS = TaskLimits.defaults();

  // --- classes of a user --------------------------------------------------------------------

  enum Plain {
    ONE,
    TWO {
      @Override
      public String toString() {
        return "not this";
      }
    }
  }

  enum Renamed {
    @JsonProperty("first")
    FIRST,
    SECOND
  }

  enum Coded {
    LOW(1),
    HIGH(2);

    private final int code;

    Coded(int code) {
      this.code = code;
    }

    @JsonValue
    int code() {
      return code;
    }
  }

  record Empty() {}

  record Point(int x, double y) {}

  record Holder(@Nullable Object value) {}

  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Doubles(double value, Double boxed, double[] array, List<Double> list) {}

  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Floats(float value, Float boxed, float[] array, List<Float> list) {}

  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Everything(
      boolean flag,
      byte tiny,
      short small,
      int normal,
      long large,
      BigInteger huge,
      float single,
      double precise,
      BigDecimal decimal,
      String text,
      char[] characters,
      byte[] bytes,
      long[] longs,
      String[] texts,
      Plain constant,
      UUID id,
      Instant at,
      Duration took,
      Optional<String> present,
      Optional<String> absent,
      @Nullable Object nothing,
      List<Point> points,
      Set<Integer> numbers,
      Map<String, Point> byName,
      Map<Plain, Integer> byConstant,
      Point[][] matrix) {}

  record Dates(Instant at, Duration took, LocalDate day, Optional<Instant> maybe) {}

  static final class Bean {
    @JsonProperty("renamed")
    public String field = "a";

    @JsonIgnore public String secret = "b";

    public int getZebra() {
      return 1;
    }

    public boolean isApple() {
      return true;
    }

    @JsonAnyGetter
    public Map<String, Object> rest() {
      return Map.of("more", List.of(1));
    }
  }

  static final class Node {
    public String name = "node";
    public @Nullable Object next;
  }

  static final class Opaque {}

  record Raw(@JsonRawValue String json) {}

  record Wrapped(@JsonValue Object value) {}

  static final class Throwing {
    private final Runnable action;

    Throwing(Runnable action) {
      this.action = action;
    }

    public String getName() {
      return "before";
    }

    public String getValue() {
      action.run();
      return "never";
    }
  }

  static final class Endless<T> implements Iterable<T> {
    private final T element;
    private long given;

    Endless(T element) {
      this.element = element;
    }

    @Override
    public Iterator<T> iterator() {
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return true;
        }

        @Override
        public T next() {
          given++;
          return element;
        }
      };
    }
  }

  // --- helpers ------------------------------------------------------------------------------

  private static InvalidValueException refused(@Nullable Object value) {
    InvalidValueException thrown =
        catchThrowableOfType(InvalidValueException.class, () -> encode(value));
    assertThat(thrown).isNotNull();
    return thrown;
  }

  private static LimitExceededException tooLarge(@Nullable Object value, TaskLimits limits) {
    LimitExceededException thrown =
        catchThrowableOfType(LimitExceededException.class, () -> encode(value, limits));
    assertThat(thrown).isNotNull();
    return thrown;
  }

  private static Map<Object, @Nullable Object> mapOf(@Nullable Object key, @Nullable Object value) {
    Map<Object, @Nullable Object> map = new HashMap<>();
    map.put(key, value);
    return map;
  }

  // --- whole values -------------------------------------------------------------------------

  @Provide
  Arbitrary<@Nullable Object> plainValues() {
    return ValueFixtures.plainValues();
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void encode_plainValues_equalTheOracle(@ForAll("plainValues") @Nullable Object value) {
    String naive = JsonMapper.shared().writeValueAsString(Collections.singletonList(value));

    assertThat("[" + stored(value) + "]").isEqualTo(canonicalByOracle(naive));
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void encode_permutedMaps_sameBytes(@ForAll("plainValues") @Nullable Object value) {
    assertThat(encode(reversed(value))).isEqualTo(encode(value));
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void encode_throughTheMapper_sameBytes(@ForAll("plainValues") @Nullable Object value) {
    assertThat(encode(new Wrapped(new Holder(value))))
        .isEqualTo(encode(Collections.singletonMap("value", value)));
  }

  @Test
  void encode_membersOfRfc8785Section323_areOrderedByUtf16Units() {
    Map<String, String> members = new HashMap<>();
    members.put("\u20ac", "Euro Sign");
    members.put("\r", "Carriage Return");
    members.put("\ufb33", "Hebrew Letter Dalet With Dagesh");
    members.put("1", "One");
    members.put("\ud83d\ude00", "Emoji: Grinning Face");
    members.put("\u0080", "Control");
    members.put("\u00f6", "Latin Small Letter O With Diaeresis");
    String expected =
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\","
            + "\"\u00f6\":\"Latin Small Letter O With Diaeresis\",\"\u20ac\":\"Euro Sign\","
            + "\"\ud83d\ude00\":\"Emoji: Grinning Face\","
            + "\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}";

    assertThat(stored(members)).isEqualTo(expected);
    assertThat(stored(new Wrapped(members))).isEqualTo(expected);
    assertThat(stored(new Wrapped(new TreeMap<>(members).descendingMap()))).isEqualTo(expected);
  }

  @Test
  void encode_exampleOfRfc8785Section322_matches() {
    Map<String, Object> example = new LinkedHashMap<>();
    example.put(
        "numbers", List.of(333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001));
    example.put("string", "\u20ac$\u000f\nA'B\"\\\\\"/");
    example.put("literals", Arrays.asList(null, true, false));

    assertThat(stored(example))
        .isEqualTo(
            "{\"literals\":[null,true,false],"
                + "\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
                + "\"string\":\"\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
  }

  @Test
  void encode_prefixesAmongNames_shorterFirst() {
    assertThat(stored(Map.of("ab", 1, "", 2, "a", 3, "a ", 4, "b", 5)))
        .isEqualTo("{\"\":2,\"a\":3,\"a \":4,\"ab\":1,\"b\":5}");
  }

  // --- accepted -----------------------------------------------------------------------------

  static Stream<Object[]> accepted() {
    return Stream.of(
        new Object[] {null, "null"},
        new Object[] {true, "true"},
        new Object[] {false, "false"},
        new Object[] {"text", "\"text\""},
        new Object[] {(byte) -1, "-1"},
        new Object[] {(short) 300, "300"},
        new Object[] {7, "7"},
        new Object[] {9_007_199_254_740_993L, "9007199254740993"},
        new Object[] {Long.MIN_VALUE, "-9223372036854775808"},
        new Object[] {1.0, "1"},
        new Object[] {-0.0, "0"},
        new Object[] {(double) Long.MIN_VALUE, "-9223372036854776000"},
        new Object[] {0.1f, "0.1"},
        new Object[] {-0.0f, "0"},
        new Object[] {3.4028235e38f, "3.4028235e+38"},
        new Object[] {Float.MIN_NORMAL, "1.1754944e-38"},
        new Object[] {
          new BigInteger("-123456789012345678901234567890"), "-123456789012345678901234567890"
        },
        new Object[] {new BigDecimal("0.1"), "0.1"},
        new Object[] {new BigDecimal("100.00"), "100"},
        new Object[] {new BigDecimal("1E+21"), "1e+21"},
        new Object[] {new BigDecimal("9007199254740993"), "9007199254740993"},
        new Object[] {new BigDecimal("-0.0"), "0"},
        new Object[] {new byte[] {0, -1, 62}, "\"AP8+\""},
        new Object[] {new byte[] {1}, "\"AQ==\""},
        new Object[] {new byte[0], "\"\""},
        new Object[] {new char[] {'a', '"'}, "\"a\\\"\""},
        new Object[] {new boolean[] {true, false}, "[true,false]"},
        new Object[] {new short[] {1}, "[1]"},
        new Object[] {new int[] {1, 2}, "[1,2]"},
        new Object[] {new long[] {Long.MAX_VALUE}, "[9223372036854775807]"},
        new Object[] {new float[] {0.1f}, "[0.1]"},
        new Object[] {new double[] {0.5, 1e21}, "[0.5,1e+21]"},
        new Object[] {new String[] {"a", null}, "[\"a\",null]"},
        new Object[] {new Object[] {1, List.of(), new int[0]}, "[1,[],[]]"},
        new Object[] {new int[][] {{1}, {}}, "[[1],[]]"},
        new Object[] {new Byte[] {1, 2}, "[1,2]"},
        new Object[] {List.of(1, "b"), "[1,\"b\"]"},
        new Object[] {new LinkedHashSet<>(List.of(2, 1)), "[2,1]"},
        new Object[] {Map.of(), "{}"},
        new Object[] {Map.of("b", 1, "a", Map.of("c", 2)), "{\"a\":{\"c\":2},\"b\":1}"},
        new Object[] {Map.of(Plain.TWO, 1, Plain.ONE, 2), "{\"ONE\":2,\"TWO\":1}"},
        new Object[] {Map.of(Renamed.SECOND, 1, Renamed.FIRST, 2), "{\"SECOND\":1,\"first\":2}"},
        new Object[] {Map.of(Coded.HIGH, 1), "{\"2\":1}"},
        new Object[] {new HashMap<>(Map.of(TimeUnit.DAYS, 1)), "{\"DAYS\":1}"},
        new Object[] {Plain.ONE, "\"ONE\""},
        new Object[] {Plain.TWO, "\"TWO\""},
        new Object[] {TimeUnit.SECONDS, "\"SECONDS\""},
        new Object[] {Renamed.FIRST, "\"first\""},
        new Object[] {Renamed.SECOND, "\"SECOND\""},
        new Object[] {Coded.HIGH, "2"},
        new Object[] {
          UUID.fromString("00112233-4455-6677-8899-AABBCCDDEEFF"),
          "\"00112233-4455-6677-8899-aabbccddeeff\""
        },
        new Object[] {Instant.parse("2026-01-01T00:00:00.120Z"), "\"2026-01-01T00:00:00.120Z\""},
        new Object[] {Duration.ofMinutes(90), "\"PT1H30M\""},
        new Object[] {Optional.of(1), "1"},
        new Object[] {Optional.empty(), "null"},
        new Object[] {Optional.of(Optional.of(List.of())), "[]"},
        new Object[] {new Empty(), "{}"},
        new Object[] {new Point(1, 2.5), "{\"x\":1,\"y\":2.5}"},
        new Object[] {new Wrapped("a"), "\"a\""},
        new Object[] {new Wrapped(null), "null"},
        new Object[] {new Bean(), "{\"apple\":true,\"more\":[1],\"renamed\":\"a\",\"zebra\":1}"},
        new Object[] {
          new Raw(" { \"b\" : [ 1.0 ] , \"a\" : 2 } "), "{\"json\":{\"a\":2,\"b\":[1]}}"
        },
        new Object[] {List.of(new Point(1, 2)), "[{\"x\":1,\"y\":2}]"},
        new Object[] {Map.of("p", Optional.of(new Point(1, 2))), "{\"p\":{\"x\":1,\"y\":2}}"});
  }

  @ParameterizedTest
  @MethodSource("accepted")
  void encode_acceptedTypes_areStoredAsPromised(@Nullable Object value, String expected) {
    assertThat(stored(value)).isEqualTo(expected);
    assertThat(stored(Collections.singletonMap("k", value))).isEqualTo("{\"k\":" + expected + "}");
    assertThat(stored(Collections.singletonList(value))).isEqualTo("[" + expected + "]");
    assertThat(stored(new Object[] {value})).isEqualTo("[" + expected + "]");
  }

  @ParameterizedTest
  @MethodSource("accepted")
  void encode_acceptedTypesInsideOfAnOwnClass_areTheSameBytes(
      @Nullable Object value, String expected) {
    assertThat(stored(new Holder(value))).isEqualTo("{\"value\":" + expected + "}");
  }

  private static Everything everything() {
    return new Everything(
        true,
        (byte) 1,
        (short) 2,
        3,
        1L << 60,
        BigInteger.TEN.pow(30),
        0.1f,
        Double.MIN_VALUE,
        new BigDecimal("1E+21"),
        "t\u20ac\u0000\ud83d\ude00",
        new char[] {'c', '\\'},
        new byte[] {-1, 2, 3, 4},
        new long[] {1, 2},
        new String[] {"a", "b"},
        Plain.TWO,
        new UUID(1, 2),
        Instant.ofEpochSecond(1_000, 120_000_000),
        Duration.ofMillis(1_500),
        Optional.of("x"),
        Optional.empty(),
        null,
        List.of(new Point(1, 2.0), new Point(3, 4.5)),
        new LinkedHashSet<>(List.of(9, 8)),
        Map.of("q", new Point(5, 1e300), "p", new Point(6, -0.0)),
        Map.of(Plain.ONE, 1),
        new Point[][] {{new Point(7, 8)}, {}});
  }

  @Test
  void encode_recordAndEquivalentMap_sameBytes() {
    Everything object = everything();
    Map<String, @Nullable Object> map = new HashMap<>();
    for (var component : Everything.class.getRecordComponents()) {
      try {
        map.put(component.getName(), component.getAccessor().invoke(object));
      } catch (ReflectiveOperationException e) {
        throw new LinkageError(e.getMessage(), e);
      }
    }

    assertThat(map).hasSize(26);
    assertThat(stored(object)).isEqualTo(stored(map));
    assertThat(stored(List.of(object, map))).isEqualTo(stored(List.of(map, object)));
    assertThat(stored(Map.of("a", Map.of("b", object))))
        .isEqualTo(stored(Map.of("a", Map.of("b", map))));
  }

  @Provide
  Arbitrary<Double> doubles() {
    return ValueFixtures.doubles();
  }

  @Property
  void encode_doublesInARecordAndInAMap_sameBytes(@ForAll("doubles") double value) {
    assertThat(stored(new Doubles(value, value, new double[] {value}, List.of(value))))
        .isEqualTo(
            stored(
                Map.of(
                    "value",
                    value,
                    "boxed",
                    value,
                    "array",
                    List.of(value),
                    "list",
                    List.of(value))));
  }

  @Property
  void encode_floatsInARecordAndInAMap_sameBytes(@ForAll int bits) {
    float value = Float.intBitsToFloat(bits);
    if (!Float.isFinite(value)) {
      return;
    }
    String stored = stored(value);

    assertThat(Float.parseFloat(stored)).isEqualTo(value + 0.0f);
    assertThat(stored(new Floats(value, value, new float[] {value}, List.of(value))))
        .isEqualTo(
            stored(
                Map.of(
                    "value",
                    value,
                    "boxed",
                    value,
                    "array",
                    List.of(value),
                    "list",
                    List.of(value))));
  }

  @ParameterizedTest
  @ValueSource(
      floats = {
        Float.MIN_VALUE,
        2.8e-45f,
        Float.MIN_NORMAL,
        Float.MAX_VALUE,
        0.1f,
        0.3f,
        16_777_216f,
        1e10f,
        8.41E21f,
        2.0E-3f,
        1.0E23f,
        9.8E-45f
      })
  void encode_float_isItsOwnShortestDecimal(float value) {
    String stored = stored(value);

    assertThat(stored(new Floats(value, value, new float[0], List.of())))
        .isEqualTo(
            "{\"array\":[],\"boxed\":%s,\"list\":[],\"value\":%s}".formatted(stored, stored));
    assertThat(Float.parseFloat(stored)).isEqualTo(value);
    // One significant digit less is another number.
    BigDecimal decimal = new BigDecimal(stored).stripTrailingZeros();
    if (decimal.precision() > 2) {
      MathContext shorter = new MathContext(decimal.precision() - 1);
      assertThat(decimal.round(shorter).floatValue()).isNotEqualTo(value);
    }
  }

  @Test
  void encode_doublesThatJavaPrintsLongerThanNeeded_inARecordAreShortest() {
    for (double value : new double[] {0x1p-44, 0x1p-1073, 0x1p-1074, 0x1p-1060, 0x1p77, 0x1p-20}) {
      assertThat(stored(new Holder(value)))
          .isEqualTo("{\"value\":" + JsonWriter.canonical(value) + "}");
    }
  }

  @Test
  void encode_datesInsideOfAnOwnClass_areIsoText() {
    assertThat(
            stored(
                new Dates(
                    Instant.parse("2026-01-02T03:04:05Z"),
                    Duration.ofSeconds(61),
                    LocalDate.of(2026, 1, 2),
                    Optional.of(Instant.EPOCH))))
        .isEqualTo(
            "{\"at\":\"2026-01-02T03:04:05Z\",\"day\":\"2026-01-02\","
                + "\"maybe\":\"1970-01-01T00:00:00Z\",\"took\":\"PT1M1S\"}");
  }

  @Test
  void encode_siblingsThatAreTheSameObject_isNoCycle() {
    List<Integer> shared = List.of(1);

    assertThat(stored(List.of(shared, shared, Map.of("a", shared))))
        .isEqualTo("[[1],[1],{\"a\":[1]}]");
  }

  // --- refused ------------------------------------------------------------------------------

  static Stream<Object> refusedEverywhere() {
    return Stream.of(
        new StringBuilder("a").reverse(),
        Date.from(Instant.EPOCH),
        new Thread("t"),
        new Object(),
        new ByteArrayInputStream(new byte[1]),
        Stream.of(1),
        IntStream.of(1),
        List.of(1).iterator(),
        new AtomicInteger(1),
        'c',
        OptionalInt.of(1),
        LocalDate.EPOCH,
        Object.class,
        Path.of("a"),
        URI.create("a:b"),
        new Character[] {'a'},
        Map.entry("a", 1));
  }

  @ParameterizedTest
  @MethodSource("refusedEverywhere")
  void encode_otherTypesOfJava_areRefusedByName(Object value) {
    Object named = value instanceof Object[] array ? array[0] : value;
    String path = value instanceof Object[] ? "[0]" : "";

    assertThat(refused(value))
        .hasMessageStartingWith(
            "Invalid %s%s: a %s cannot be stored".formatted(WHAT, path, named.getClass().getName()))
        .extracting(InvalidValueException::what)
        .isEqualTo(WHAT + path);
    assertThat(refused(Map.of("a", List.of(0, value))).what()).isEqualTo(WHAT + ".a[1]" + path);
  }

  @Test
  void encode_ownNumbers_areRefusedByName() {
    Number number =
        new Number() {
          private static final long serialVersionUID = 1L;

          @Override
          public int intValue() {
            return 1;
          }

          @Override
          public long longValue() {
            return 1;
          }

          @Override
          public float floatValue() {
            return 1;
          }

          @Override
          public double doubleValue() {
            return 1;
          }
        };

    assertThat(refused(List.of(number))).hasMessageContaining(number.getClass().getName());
  }

  @Test
  void encode_ownClassWithoutProperties_isRefusedByName() {
    assertThat(refused(Map.of("a", new Opaque())))
        .hasMessageContaining(WHAT + ".a")
        .hasMessageContaining(Opaque.class.getName());
    assertThat(refused(new Holder(new Opaque()))).hasMessageContaining(Holder.class.getName());
    Runnable lambda = () -> {};
    assertThat(refused(lambda)).hasMessageContaining(lambda.getClass().getName());
  }

  @Test
  void encode_keysThatAreNoNames_areRefusedWithThePath() {
    assertThat(refused(List.of(mapOf(1, "a"))))
        .hasMessage(
            "Invalid %s[0]: a key is a java.lang.Integer; use strings or enums as keys", WHAT);
    assertThat(refused(Map.of("m", mapOf(null, "a"))))
        .hasMessage("Invalid %s.m: it has a null key", WHAT);
    assertThat(refused(mapOf(new Point(1, 2), "a"))).hasMessageContaining(Point.class.getName());
    assertThat(refused(new Holder(mapOf(null, "a")))).hasMessageContaining(Holder.class.getName());
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1, 1_000_000_000})
  void encode_mapWithAnotherSizeThanItSays_isStoredWhole(int size) {
    TreeMap<String, Object> members = new TreeMap<>();
    for (int i = 0; i < 100; i++) {
      members.put("m" + i, i);
    }
    Map<String, Object> map =
        new AbstractMap<>() {
          @Override
          public Set<Map.Entry<String, Object>> entrySet() {
            return members.entrySet();
          }

          @Override
          public int size() {
            return size;
          }
        };

    assertThat(stored(map)).isEqualTo(stored(members));
  }

  @Test
  void encode_keysThatCollideAsNames_areRefused() {
    Map<Object, Object> map = new LinkedHashMap<>();
    map.put("ONE", 1);
    map.put(Plain.ONE, 2);

    assertThat(refused(Map.of("m", map)))
        .hasMessage("Invalid %s.m: it has two members named \"ONE\"", WHAT);
    assertThat(refused(new Holder(map)))
        .hasMessage("Invalid %s.value: it has two members named \"ONE\"", WHAT);
    assertThat(refused(new Raw("{\"a\":1,\"b\":2,\"a\":3}")))
        .hasMessage("Invalid %s.json: it has two members named \"a\"", WHAT);
  }

  enum Nameless {
    ONLY;

    @JsonValue
    String text() {
      return List.<String>of().get(0);
    }
  }

  @Test
  void encode_enumKeyThatCannotBeWritten_isRefusedWithThePath() {
    assertThat(refused(Map.of("m", Map.of(Nameless.ONLY, 1))))
        .hasMessageStartingWith("Invalid %s.m: a %s", WHAT, Nameless.class.getName())
        .hasRootCauseInstanceOf(IndexOutOfBoundsException.class);
  }

  @ParameterizedTest
  @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void encode_notFinite_isRefusedWithThePath(double value) {
    String expected = "Invalid %s%s: " + value + " is not a finite number, and JSON has no other";

    assertThat(refused(value)).hasMessage(expected, WHAT, "");
    assertThat(refused((float) value)).hasMessage(expected, WHAT, "");
    assertThat(refused(List.of(1, Map.of("a", value)))).hasMessage(expected, WHAT, "[1].a");
    assertThat(refused(new Point(1, value))).hasMessage(expected, WHAT, ".y");
    assertThat(
            refused(Map.of("a", List.of(new Floats((float) value, 1f, new float[0], List.of())))))
        .hasMessage(expected, WHAT, ".a[0].value");
    assertThat(refused(new Holder(new double[] {0, value})))
        .hasMessage(expected, WHAT, ".value[1]");
  }

  @Test
  void encode_decimalBeyondADouble_isRefusedWithThePath() {
    BigDecimal value = new BigDecimal("0.1000000000000000055");
    String expected = "Invalid %s%s: no double is exactly this decimal number; pass it as a string";

    assertThat(refused(value)).hasMessage(expected, WHAT, "");
    assertThat(refused(List.of(value))).hasMessage(expected, WHAT, "[0]");
    assertThat(refused(new Holder(value))).hasMessage(expected, WHAT, ".value");
  }

  @ParameterizedTest
  @ValueSource(strings = {"1E+1000000000", "-1E-1000000000", "1E+2147483647", "1E+309", "4.8E-324"})
  @Timeout(value = 5, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_decimalWithHostileScale_isRefusedQuickly(BigDecimal value) {
    assertThat(refused(value).what()).isEqualTo(WHAT);
    assertThat(refused(new Holder(value)).what()).isEqualTo(WHAT + ".value");
  }

  @Test
  void encode_loneSurrogates_areRefusedWithThePath() {
    for (String broken : new String[] {"\ud83d", "a\ude00", "\ude00\ud83d"}) {
      assertThat(refused(broken)).hasMessageContaining("surrogate");
      assertThat(refused(broken.toCharArray())).hasMessageContaining("surrogate");
      assertThat(refused(Map.of("a", List.of(broken))).what()).isEqualTo(WHAT + ".a[0]");
      assertThat(refused(Map.of("a", Map.of(broken, 1))))
          .hasMessageContaining(WHAT + ".a")
          .hasMessageContaining("surrogate")
          .hasMessageContaining("\\ud");
      refused(new Holder(broken));
      refused(new Holder("a".repeat(7_999) + broken + "b"));
      refused(new Holder(Map.of(broken, 1)));
      refused(new Wrapped(broken));
      refused(new Raw("\"" + (broken.length() == 1 ? "\\ud83d" : "\\ude00\\ud83d") + "\""));
      refused(new Raw("{\"\\ude00\":1}"));
    }
  }

  @Test
  void encode_rawValueThatIsNoJson_isRefused() {
    for (String raw :
        new String[] {"{", "}", "[1,]", "nul", "'a'", "01", "{\"a\" 1}", "1e99999999999"}) {
      assertThat(refused(new Raw(raw)).what()).startsWith(WHAT);
    }
  }

  @Test
  void encode_messages_escapeNamesThatAreNotPlain() {
    assertThat(refused(Map.of("a b", Map.of("", Map.of("c_1", List.of(new Object()))))).what())
        .isEqualTo(WHAT + ".\"a b\".\"\".c_1[0]");
    assertThat(refused(Map.of("\n\u00e9", new Object())).getMessage())
        .startsWith("Invalid " + WHAT + ".\"\\u000a\\u00e9\": ");
    assertThat(refused(Map.of("a".repeat(200), new Object())).what()).hasSizeLessThan(120);
  }

  @Test
  void encode_getterThatThrows_isRefusedWithTheCause() {
    IllegalStateException failure = new IllegalStateException("secret content");

    for (Object value :
        new Object[] {
          throwing(failure), new Holder(throwing(failure)), new Wrapped(throwing(failure))
        }) {
      InvalidValueException thrown = refused(Map.of("a", value));
      assertThat(thrown.what()).isEqualTo(WHAT + ".a");
      assertThat(thrown)
          .hasMessageContaining(value.getClass().getName())
          .hasMessageNotContaining("secret")
          .hasRootCause(failure);
    }
  }

  private static Throwing throwing(RuntimeException failure) {
    return new Throwing(
        () -> {
          throw failure;
        });
  }

  @Test
  void encode_jsonValueThatThrows_isRefusedWithTheCause() {
    IllegalStateException failure = new IllegalStateException("no");
    Object value =
        new Object() {
          @JsonValue
          public String text() {
            throw failure;
          }
        };

    assertThat(refused(value)).hasRootCause(failure);
  }

  @Test
  void encode_ownIterableThatThrows_isRefusedWithTheCause() {
    IllegalStateException failure = new IllegalStateException("no");
    Iterable<Object> value =
        new Iterable<>() {
          @Override
          public Iterator<Object> iterator() {
            throw failure;
          }
        };
    assertThat(refused(new Holder(value))).hasRootCause(failure);
    assertThat(refused(value)).hasRootCause(failure);
  }

  // --- cycles -------------------------------------------------------------------------------

  @Test
  void encode_containersThatContainThemselves_areRefused() {
    Map<String, Object> map = new HashMap<>();
    map.put("self", map);
    List<Object> list = new ArrayList<>();
    list.add(1);
    list.add(list);
    Object[] array = {null};
    array[0] = array;
    Map<String, Object> far = new HashMap<>();
    far.put("a", List.of(Optional.of(new Object[] {far})));

    assertThat(refused(map)).hasMessage("Invalid %s.self: it contains itself", WHAT);
    assertThat(refused(list)).hasMessage("Invalid %s[1]: it contains itself", WHAT);
    assertThat(refused(array)).hasMessage("Invalid %s[0]: it contains itself", WHAT);
    assertThat(refused(far)).hasMessage("Invalid %s.a[0][0]: it contains itself", WHAT);
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_ownClassesThatContainThemselves_areRefused() {
    Node self = new Node();
    self.next = self;
    Node first = new Node();
    Node second = new Node();
    first.next = second;
    second.next = new Holder(first);
    Map<String, Object> map = new HashMap<>();
    Node throughMap = new Node();
    throughMap.next = map;
    map.put("node", throughMap);
    Node throughList = new Node();
    throughList.next = new Object[] {List.of(Optional.of(throughList))};
    Node throughOptional = new Node();
    throughOptional.next = Optional.of(throughOptional);

    for (Object value :
        List.of(self, first, second, map, throughMap, throughList, throughOptional)) {
      assertThat(refused(value)).hasMessageStartingWith("Invalid " + WHAT);
      assertThat(refused(List.of(value)).what()).startsWith(WHAT + "[0]");
    }
    assertThat(refused(first)).hasMessageContaining("contains itself");
    assertThat(refused(map)).hasMessageContaining("contains itself");
  }

  static final class Recursive {
    @JsonValue
    public Recursive itself() {
      return new Recursive();
    }
  }

  static final class Descending {
    public Descending getNext() {
      return new Descending();
    }
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_ownClassesWithoutAnEnd_areRefused() {
    assertThat(refused(new Recursive())).hasMessageContaining("contains itself");
    assertThat(refused(new Descending())).hasMessageContaining("contains itself");
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_optionalsWithinEachOther_doNotExhaustTheStack() {
    Object value = 1;
    for (int i = 0; i < 200_000; i++) {
      value = Optional.of(value);
    }
    assertThat(stored(value)).isEqualTo("1");
    assertThat(stored(List.of(value))).isEqualTo("[1]");
  }

  // --- depth --------------------------------------------------------------------------------

  private static Object nestedHolders(int depth) {
    Object value = new Empty();
    for (int i = 1; i < depth; i++) {
      value = new Holder(value);
    }
    return value;
  }

  private static Object nestedMixed(int depth) {
    Object value = new Empty();
    for (int i = 1; i < depth; i++) {
      value =
          switch (i % 4) {
            case 0 -> new Holder(value);
            case 1 -> Map.of("m", value);
            case 2 -> new Object[] {value};
            default -> List.of(Optional.of(value));
          };
    }
    return value;
  }

  private static Object nestedMaps(int depth) {
    Object value = Map.of();
    for (int i = 1; i < depth; i++) {
      value = Map.of("m", value);
    }
    return value;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 10, 42, TaskLimits.HIGHEST_DEPTH})
  void encode_depth_countsTheSameThroughEverything(int limit) {
    TaskLimits limits = LIMITS.withMaxDepth(limit);
    for (Object[] pair :
        new Object[][] {
          {nestedLists(limit), nestedLists(limit + 1)},
          {nestedMaps(limit), nestedMaps(limit + 1)},
          {nestedHolders(limit), nestedHolders(limit + 1)},
          {new Wrapped(nestedLists(limit)), new Wrapped(nestedLists(limit + 1))},
          {nestedMixed(limit), nestedMixed(limit + 1)}
        }) {
      assertThat(encode(pair[0], limits).utf8()).isNotEmpty();
      LimitExceededException thrown = tooLarge(pair[1], limits);
      assertThat(thrown.limitName()).isEqualTo("maxDepth");
      assertThat(thrown.limit()).isEqualTo(limit);
      assertThat(thrown.actual()).isEqualTo(limit + 1);
      assertThat(thrown.what()).startsWith(WHAT);
    }
  }

  @Test
  void encode_scalar_hasNoDepth() {
    TaskLimits limits = LIMITS.withMaxDepth(1);

    assertThat(encode(List.of(1, "a", Optional.of(Plain.ONE)), limits).utf8()).isNotEmpty();
    assertThat(tooLarge(List.of(List.of()), limits).what()).isEqualTo(WHAT + "[0]");
    assertThat(tooLarge(new Holder(List.of()), limits).what()).isEqualTo(WHAT + ".value");
    assertThat(tooLarge(List.of(new Empty()), limits).what()).isEqualTo(WHAT + "[0]");
  }

  @ParameterizedTest
  @ValueSource(ints = {101, 150, 199, 200, 201, 250, 400, 401, 1_000, 100_000})
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_farTooDeep_isRefusedQuickly(int depth) {
    assertThat(tooLarge(nestedLists(depth), LIMITS).actual()).isEqualTo(11);
    assertThat(catchThrowableOfType(TaskStoreException.class, () -> encode(nestedHolders(depth))))
        .isInstanceOfAny(LimitExceededException.class, InvalidValueException.class);
    assertThat(catchThrowableOfType(TaskStoreException.class, () -> encode(nestedMixed(depth))))
        .isInstanceOfAny(LimitExceededException.class, InvalidValueException.class);
  }

  // --- sizes --------------------------------------------------------------------------------

  @Test
  void encode_stringAtTheLimitAndOnePast_countsTheStoredForm() {
    TaskLimits limits = LIMITS.withMaxStringBytes(12);
    for (String edge :
        new String[] {"a".repeat(12), "\u20ac".repeat(4), "\u0000\u0001", "\"\\".repeat(3)}) {
      for (Object value :
          new Object[] {edge, edge.toCharArray(), List.of(edge), new Holder(edge)}) {
        assertThat(encode(value, limits).utf8()).hasSizeGreaterThanOrEqualTo(14);
      }
      for (Object value :
          new Object[] {edge + "a", (edge + "a").toCharArray(), new Wrapped(edge + "a")}) {
        LimitExceededException thrown = tooLarge(value, limits);
        assertThat(thrown.limitName()).isEqualTo("maxStringBytes");
        assertThat(thrown.actual()).isEqualTo(13);
        assertThat(thrown.what()).isEqualTo(WHAT);
      }
      assertThat(tooLarge(new Holder(List.of(edge + "a")), limits).what())
          .isEqualTo(WHAT + ".value[0]");
    }
  }

  @Test
  void encode_bytesAtTheLimitAndOnePast_countTheirText() {
    TaskLimits limits = LIMITS.withMaxStringBytes(8);

    assertThat(encode(new byte[6], limits).utf8()).hasSize(10);
    assertThat(tooLarge(new byte[7], limits).actual()).isEqualTo(12);
    assertThat(tooLarge(new Holder(new byte[7]), limits).actual()).isEqualTo(12);
  }

  @Test
  void encode_nameAtTheLimitAndOnePast_countsTheStoredForm() {
    TaskLimits limits = LIMITS.withMaxNameBytes(6);
    for (String edge : new String[] {"abcdef", "\u20ac\u20ac", "\u0000", "\"\\'b"}) {
      assertThat(encode(Map.of(edge, 1), limits).utf8()).hasSize(12);
      assertThat(encode(new Wrapped(Map.of(edge, 1)), limits).utf8()).hasSize(12);
      for (Object value :
          new Object[] {
            Map.of("a", Map.of(edge + "a", 1)), new Wrapped(Map.of("a", Map.of(edge + "a", 1)))
          }) {
        LimitExceededException thrown = tooLarge(value, limits);
        assertThat(thrown.limitName()).isEqualTo("maxNameBytes");
        assertThat(thrown.actual()).isEqualTo(7);
        assertThat(thrown.what()).endsWith("in " + WHAT + ".a");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4_096, 4_097, 8_192, 8_193, 20_000, 3_000_000})
  void encode_longName_isRefusedThroughMapsAndOwnClasses(int length) {
    String name = "n".repeat(length);
    assertThat(tooLarge(Map.of(name, 1), LIMITS).limitName())
        .isEqualTo(length < LIMITS.maxVariablesBytes() ? "maxNameBytes" : "maxVariablesBytes");
    Object holder = new Holder(Map.of(name, 1));
    if (length <= 2 * TaskLimits.HIGHEST_NAME_BYTES) {
      assertThat(tooLarge(holder, LIMITS).limitName()).isEqualTo("maxNameBytes");
    } else {
      // Not even looked at, so its length is not known.
      assertThat(refused(holder).getMessage()).contains("a name or number that is longer");
    }
  }

  @Test
  void encode_totalAtTheLimitAndOnePast_countsTheStoredForm() {
    Object value = List.of(1, "\u20ac", Map.of("a", 2.50));
    int bytes = encode(value).utf8().length;
    assertThat(bytes).isEqualTo(19);

    for (Object same : new Object[] {value, new Wrapped(value)}) {
      assertThat(encode(same, LIMITS.withMaxVariablesBytes(bytes)).utf8()).hasSize(bytes);
      for (int limit = 1; limit < bytes; limit++) {
        LimitExceededException thrown = tooLarge(same, LIMITS.withMaxVariablesBytes(limit));
        assertThat(thrown.limitName()).isEqualTo("maxVariablesBytes");
        assertThat(thrown.what()).isEqualTo(WHAT);
        assertThat(thrown.limit()).isEqualTo(limit);
        assertThat(thrown.actual()).isGreaterThan(limit);
      }
    }
  }

  @Test
  void encode_integerAtTheLimitOfDigitsAndOnePast_isExactOrRefused() {
    BigInteger largest = BigInteger.TEN.pow(1_000).subtract(BigInteger.ONE);
    for (BigInteger edge : new BigInteger[] {largest, largest.negate(), BigInteger.TEN.pow(999)}) {
      assertThat(stored(edge)).isEqualTo(edge.toString());
      assertThat(stored(new BigDecimal(edge))).isEqualTo(edge.toString());
      assertThat(stored(new Holder(edge))).isEqualTo("{\"value\":" + edge + "}");
    }
    BigInteger over = BigInteger.TEN.pow(1_000);
    for (Object value :
        new Object[] {
          over, over.negate(), new BigDecimal(over), new Wrapped(over), new Wrapped(over.negate())
        }) {
      LimitExceededException thrown = tooLarge(value, LIMITS);
      assertThat(thrown.what()).isEqualTo(WHAT);
      assertThat(thrown.limit()).isEqualTo(1_000);
      assertThat(thrown.actual()).isEqualTo(1_001);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1_999, 2_000, 2_001, 5_000, 100_000, 2_000_000})
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_farTooManyDigits_isRefusedQuickly(int digits) {
    BigInteger value = BigInteger.ONE.shiftLeft((int) (digits * 3.322));

    assertThat(tooLarge(List.of(value), LIMITS).what()).isEqualTo(WHAT + "[0]");
    if (digits <= 100_000) { // beyond that, it is turning it into decimal that takes long
      TaskStoreException thrown =
          catchThrowableOfType(TaskStoreException.class, () -> encode(new Holder(value)));
      assertThat(thrown)
          .isInstanceOfAny(LimitExceededException.class, InvalidValueException.class)
          .hasMessageContaining(WHAT);
      assertThat(refused(new BigDecimal(value, digits / 2)).what()).isEqualTo(WHAT);
      assertThat(refused(new Holder(new BigDecimal(value, digits / 2))).what()).startsWith(WHAT);
    }
  }

  // --- inputs without an end ----------------------------------------------------------------

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_endlessPropertyOfAnOwnClass_isStoppedSoonAfterTheLimit() {
    for (Object element : new Object[] {"some text", 1, List.of(), new Point(1, 2), true}) {
      Endless<Object> endless = new Endless<>(element);
      LimitExceededException thrown =
          tooLarge(new Holder(endless), LIMITS.withMaxVariablesBytes(10_000));

      assertThat(thrown.limitName()).isEqualTo("maxVariablesBytes");
      assertThat(thrown.what()).isEqualTo(WHAT);
      assertThat(endless.given).isLessThan(60_000);
    }
    assertThat(tooLarge(new Endless<>("a"), LIMITS).limitName()).isEqualTo("maxVariablesBytes");
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_endlessCollection_isStoppedAtTheLimit() {
    Endless<Object> endless = new Endless<>(1);
    AbstractCollection<Object> collection =
        new AbstractCollection<>() {
          @Override
          public Iterator<Object> iterator() {
            return endless.iterator();
          }

          @Override
          public int size() {
            return Integer.MAX_VALUE;
          }
        };

    assertThat(tooLarge(collection, LIMITS.withMaxVariablesBytes(10_000)).actual())
        .isBetween(10_001L, 10_010L);
    assertThat(endless.given).isLessThan(6_000);
    assertThat(tooLarge(new Holder(collection), LIMITS.withMaxVariablesBytes(10_000)).limitName())
        .isEqualTo("maxVariablesBytes");
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_endlessMap_isStoppedSoonAfterTheLimit() {
    AtomicInteger given = new AtomicInteger();
    AbstractMap<String, Object> map =
        new AbstractMap<>() {
          @Override
          public Set<Entry<String, Object>> entrySet() {
            return new AbstractSet<>() {
              @Override
              public Iterator<Entry<String, Object>> iterator() {
                return new Iterator<>() {
                  @Override
                  public boolean hasNext() {
                    return true;
                  }

                  @Override
                  public Entry<String, Object> next() {
                    return Map.entry("n" + given.incrementAndGet(), 1);
                  }
                };
              }

              @Override
              public int size() {
                return Integer.MAX_VALUE;
              }
            };
          }
        };

    assertThat(tooLarge(map, LIMITS.withMaxVariablesBytes(10_000)).limitName())
        .isEqualTo("maxVariablesBytes");
    assertThat(given.get()).isLessThan(5_000);
    assertThat(tooLarge(new Holder(map), LIMITS.withMaxVariablesBytes(10_000)).limitName())
        .isEqualTo("maxVariablesBytes");
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void encode_hugeScalars_areRefusedWithoutACopy() {
    String text = "a".repeat(50_000_000);
    for (Object value :
        new Object[] {
          text, new byte[50_000_000], List.of(text), Map.of("a", text), new Holder(text)
        }) {
      assertThat(tooLarge(value, LIMITS).limitName()).isEqualTo("maxVariablesBytes");
    }
    assertThat(tooLarge(new Holder(new byte[50_000_000]), LIMITS).limitName())
        .isEqualTo("maxVariablesBytes");
  }

  // --- the mapper ---------------------------------------------------------------------------

  @Test
  void encode_mapperFailsMidway_leavesNothingBehind() {
    JsonMapper mapper = JsonMappers.create();
    Object bad = List.of("x".repeat(10_000), throwing(new IllegalStateException("no")));
    for (int i = 0; i < 100; i++) {
      Object half = new Holder(bad);
      assertThat(
              catchThrowableOfType(InvalidValueException.class, () -> encode(half, LIMITS, mapper)))
          .isNotNull();
      Object endless = new Holder(new Endless<>("y"));
      assertThat(
              catchThrowableOfType(
                  LimitExceededException.class,
                  () -> encode(endless, LIMITS.withMaxVariablesBytes(100), mapper)))
          .isNotNull();

      assertThat(encode(new Point(1, i), LIMITS, mapper))
          .isEqualTo(ValueFixtures.json("{\"x\":1,\"y\":%d}".formatted(i)));
    }
  }

  @Test
  void encode_failureOfTheMapper_keepsItsCauseButNotItsText() {
    InvalidValueException thrown = refused(new Holder(Map.of("secret", new Opaque())));

    assertThat(thrown).hasCauseInstanceOf(JacksonException.class);
    assertThat(thrown).hasMessageNotContaining("secret");
  }

  @Test
  void encode_result_isExactlyTheBytes() {
    for (int length = 0; length < 300; length++) {
      String text = "a".repeat(length);
      assertThat(encode(text).utf8())
          .isEqualTo(('"' + text + '"').getBytes(StandardCharsets.US_ASCII));
    }
  }
}
