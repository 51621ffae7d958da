// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.StreamWriteConstraints;
import tools.jackson.core.StreamWriteFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonWriteFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.cfg.DateTimeFeature;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * How Jackson is set up: what it reads and writes here is stored, so nothing may depend on a
 * default that can change between its releases.
 */
final class JsonMappers {
  private JsonMappers() {}

  static JsonMapper create() {
    JsonFactory factory =
        JsonFactory.builder()
            .streamReadConstraints(
                StreamReadConstraints.builder()
                    .maxNestingDepth(4 * TaskLimits.HIGHEST_DEPTH)
                    .maxNumberLength(2 * TaskLimits.MAX_DIGITS)
                    .maxNameLength(2 * TaskLimits.HIGHEST_NAME_BYTES)
                    .maxStringLength(2 * TaskLimits.HIGHEST_BYTES)
                    .build())
            // Deep enough to see that a value is too deep, and an end for one that contains itself.
            .streamWriteConstraints(
                StreamWriteConstraints.builder()
                    .maxNestingDepth(2 * TaskLimits.HIGHEST_DEPTH)
                    .build())
            // NaN is to be found and refused, not to become the string "NaN".
            .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
            // Java's own printing of floats and doubles is not the shortest before JDK 19.
            .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
            .disable(StreamWriteFeature.WRITE_BIGDECIMAL_AS_PLAIN)
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .disable(StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION)
            // Everything here is UTF-8; slices are cut by their offsets in bytes.
            .disable(TokenStreamFactory.Feature.CHARSET_DETECTION)
            // Member names come from users without end; a global table of them would only grow.
            .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES)
            // The parsers of a store share a table of names, and names can be chosen to collide in
            // it.
            // That may cost time; it must not make a task, or one of somebody else, unreadable.
            .disable(TokenStreamFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .build();
    return JsonMapper.builder(factory)
        .enable(SerializationFeature.FAIL_ON_EMPTY_BEANS)
        .disable(SerializationFeature.FLUSH_AFTER_WRITE_VALUE)
        .disable(
            DateTimeFeature.WRITE_DATES_AS_TIMESTAMPS,
            DateTimeFeature.WRITE_DATE_KEYS_AS_TIMESTAMPS,
            DateTimeFeature.WRITE_DURATIONS_AS_TIMESTAMPS)
        .disable(EnumFeature.WRITE_ENUMS_USING_TO_STRING, EnumFeature.READ_ENUMS_USING_TO_STRING)
        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        // 1.5 does not fit an int.
        .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        // Not USE_LONG_FOR_INTS: with it, an integer beyond a long cannot be read where no type is
        // given.
        .build();
  }
}
