// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/**
 * Turns stored values into what callers want to see: plain Java, or objects of their own classes.
 */
final class ValueReader {
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
   * @throws ValueConversionException if the value is not JSON, which only damage can cause
   */
  @Nullable Object plain(String what, Json json) {
    try (JsonParser parser = mapper.createParser(json.utf8())) {
      if (parser.nextToken() != null) {
        Object value = plain(parser);
        if (parser.nextToken() == null) {
          return value;
        }
      }
      throw new ValueConversionException(what, "plain Java", null);
    } catch (JacksonException e) {
      throw new ValueConversionException(what, "plain Java", e);
    }
  }

  /** Reads a value that is an object by the rules of the store. */
  @SuppressWarnings("unchecked")
  Map<String, @Nullable Object> object(String what, Json json) {
    if (plain(what, json) instanceof Map<?, ?> map) {
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
