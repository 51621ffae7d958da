// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/**
 * Turns stored values into what callers want to see: plain Java, or objects of their own classes.
 */
final class ValueReader {
  private static final byte[] TRUE = "true".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] FALSE = "false".getBytes(StandardCharsets.US_ASCII);

  /** So many digits fit a long, whatever they are. */
  private static final int MAX_DIGITS_OF_LONG = 18;

  private final JsonMapper mapper;

  ValueReader(JsonMapper mapper) {
    this.mapper = mapper;
  }

  /**
   * Reads a value as an object of {@code type}.
   *
   * @throws ValueConversionException if it has another shape; JSON null is empty
   */
  <T> Optional<T> as(String what, Json json, Class<T> type) {
    try {
      return Optional.ofNullable(mapper.readValue(json.utf8(), type));
    } catch (JacksonException e) {
      throw new ValueConversionException(what, type.getName(), e);
    }
  }

  /**
   * Reads a value as plain, unmodifiable Java: null, Boolean, String, Long, BigInteger where a long
   * is too small, Double, List, Map.
   *
   * @param what what it is, for messages; asked for only then
   * @throws ValueConversionException if the value is not JSON, which only damage can cause
   */
  @Nullable Object plain(Supplier<String> what, Json json) {
    Object simple = simple(json.utf8());
    return simple == null ? parsed(what, json) : simple;
  }

  /**
   * Reads what most values are: a string without escapes in ASCII, an integer, a boolean. To make a
   * parser takes far longer than that. Null if it is anything else, or damaged.
   */
  private static @Nullable Object simple(byte[] utf8) {
    int length = utf8.length;
    if (length > 1 && utf8[0] == '"' && utf8[length - 1] == '"') {
      return Text.isPlain(utf8, 1, length - 1)
          ? new String(utf8, 1, length - 2, StandardCharsets.ISO_8859_1)
          : null;
    }
    if (Arrays.equals(utf8, TRUE)) {
      return true;
    }
    return Arrays.equals(utf8, FALSE) ? (Object) false : simpleInteger(utf8);
  }

  private static @Nullable Long simpleInteger(byte[] utf8) {
    int length = utf8.length;
    int sign = length > 1 && utf8[0] == '-' ? 1 : 0;
    int digits = length - sign;
    if (digits < 1 || digits > MAX_DIGITS_OF_LONG || (utf8[sign] == '0' && length > 1)) {
      return null;
    }
    long value = 0;
    for (int i = sign; i < length; i++) {
      int digit = utf8[i] - '0';
      if (digit < 0 || digit > 9) {
        return null;
      }
      value = 10 * value + digit;
    }
    return sign == 1 ? -value : value;
  }

  private @Nullable Object parsed(Supplier<String> what, Json json) {
    try (JsonParser parser = mapper.createParser(json.utf8())) {
      if (parser.nextToken() != null) {
        Object value = plain(parser);
        if (parser.nextToken() == null) {
          return value;
        }
      }
      throw new ValueConversionException(what.get(), "plain Java", null);
    } catch (JacksonException e) {
      throw new ValueConversionException(what.get(), "plain Java", e);
    }
  }

  /** Reads a value that is an object by the rules of the store. */
  @SuppressWarnings("unchecked")
  Map<String, @Nullable Object> object(String what, Json json) {
    if (plain(() -> what, json) instanceof Map<?, ?> map) {
      return (Map<String, @Nullable Object>) map;
    }
    throw new ValueConversionException(what, "a JSON object", null);
  }

  private static @Nullable Object plain(JsonParser parser) {
    return switch (parser.currentToken()) {
      case VALUE_NULL -> null;
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_STRING -> parser.getString();
      case VALUE_NUMBER_INT -> integer(parser);
      case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      case START_ARRAY -> {
        List<@Nullable Object> list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          list.add(plain(parser));
        }
        yield Collections.unmodifiableList(list);
      }
      case START_OBJECT -> {
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          map.put(name, plain(parser));
        }
        yield Collections.unmodifiableMap(map);
      }
      default -> throw new IllegalStateException("unexpected token " + parser.currentToken());
    };
  }

  private static Number integer(JsonParser parser) {
    if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER) {
      return parser.getBigIntegerValue();
    }
    return parser.getLongValue();
  }
}
