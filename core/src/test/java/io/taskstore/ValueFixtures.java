// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Tuple;
import org.erdtman.jcs.JsonCanonicalizer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** Values, and ways to encode them, for the tests of everything that stores or reads values. */
final class ValueFixtures {
  /** What a value is called where a test does not look at its name. */
  static final String WHAT = "variable \"v\"";

  /** Made once, since that takes longer than most tests. */
  static final JsonMapper MAPPER = JsonMappers.create();

  private ValueFixtures() {}

  /** Encodes with the default limits. */
  static Json encode(@Nullable Object value) {
    return encode(value, TaskLimits.defaults());
  }

  static Json encode(@Nullable Object value, TaskLimits limits) {
    return encode(value, limits, MAPPER);
  }

  static Json encode(@Nullable Object value, TaskLimits limits, JsonMapper mapper) {
    return ValueEncoder.encode(
        () -> WHAT, value, limits.maxVariablesBytes(), "maxVariablesBytes", limits, mapper);
  }

  /** Encodes with the default limits, as text. */
  static String stored(@Nullable Object value) {
    return text(encode(value));
  }

  static Json json(String text) {
    return new Json(text.getBytes(StandardCharsets.UTF_8));
  }

  static String text(Json json) {
    return new String(json.utf8(), StandardCharsets.UTF_8);
  }

  /** The canonical form by an implementation of RFC 8785 that is not ours. */
  static String canonicalByOracle(String json) {
    try {
      return new JsonCanonicalizer(json).getEncodedString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Lists or maps within each other; depth 1 is an empty list. */
  static Object nestedLists(int depth) {
    Object value = List.of();
    for (int i = 1; i < depth; i++) {
      value = List.of(value);
    }
    return value;
  }

  /** Well-formed text in which everything that needs care is frequent. */
  static Arbitrary<String> texts() {
    Arbitrary<Integer> codePoints =
        Arbitraries.frequencyOf(
            Tuple.of(4, Arbitraries.integers().between(' ', '~')),
            Tuple.of(2, Arbitraries.integers().between(0, 0x1F)),
            Tuple.of(1, Arbitraries.of((int) '"', (int) '\\', (int) '/', 0x7F, 0x2028, 0x2029)),
            Tuple.of(2, Arbitraries.integers().between(0x7F, 0x7FF)),
            Tuple.of(2, Arbitraries.integers().between(0x800, 0xD7FF)),
            Tuple.of(1, Arbitraries.integers().between(0xE000, 0xFFFF)),
            Tuple.of(2, Arbitraries.integers().between(0x10000, 0x10FFFF)));
    return codePoints
        .list()
        .ofMaxSize(12)
        .map(
            points -> {
              StringBuilder text = new StringBuilder();
              points.forEach(text::appendCodePoint);
              return text.toString();
            });
  }

  /** Finite doubles of every magnitude. */
  static Arbitrary<Double> doubles() {
    return Arbitraries.oneOf(
        Arbitraries.longs().map(Double::longBitsToDouble).filter(Double::isFinite),
        Arbitraries.integers().between(-1_000_000, 1_000_000).map(i -> i / 1_000.0),
        Arbitraries.of(
            0.0,
            -0.0,
            1e21,
            1e-7,
            Double.MIN_VALUE,
            2 * Double.MIN_VALUE,
            Double.MAX_VALUE,
            0x1p-44));
  }

  /** Plain values whose numbers a double can hold, nested a few levels deep. */
  static Arbitrary<@Nullable Object> plainValues() {
    return plainValues(3);
  }

  private static Arbitrary<@Nullable Object> plainValues(int depth) {
    Arbitrary<@Nullable Object> scalars =
        Arbitraries.oneOf(
            Arbitraries.just(null),
            Arbitraries.of(true, false),
            texts(),
            doubles(),
            Arbitraries.longs().between(-(1L << 53) + 1, (1L << 53) - 1),
            Arbitraries.integers());
    if (depth == 0) {
      return scalars;
    }
    Arbitrary<@Nullable Object> deeper = plainValues(depth - 1);
    return Arbitraries.frequencyOf(
        Tuple.of(3, scalars),
        Tuple.of(1, deeper.list().ofMaxSize(4).map(list -> (Object) list)),
        Tuple.of(2, plainMaps(deeper).map(map -> (Object) map)));
  }

  /** Maps with such values. */
  static Arbitrary<Map<String, @Nullable Object>> plainMaps() {
    return plainMaps(plainValues(2));
  }

  private static Arbitrary<Map<String, @Nullable Object>> plainMaps(
      Arbitrary<@Nullable Object> values) {
    return Arbitraries.maps(texts(), values).ofMaxSize(5).map(LinkedHashMap::new);
  }

  /** The same map with its members, and those of its maps, in the opposite order. */
  static @Nullable Object reversed(@Nullable Object value) {
    if (value instanceof List<?> list) {
      List<@Nullable Object> copy = new ArrayList<>();
      list.forEach(element -> copy.add(reversed(element)));
      return copy;
    }
    if (value instanceof Map<?, ?> map) {
      List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
      Collections.reverse(entries);
      Map<Object, @Nullable Object> copy = new LinkedHashMap<>();
      entries.forEach(entry -> copy.put(entry.getKey(), reversed(entry.getValue())));
      return copy;
    }
    return value;
  }
}
