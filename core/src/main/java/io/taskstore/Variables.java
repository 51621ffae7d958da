// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.math.BigInteger;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The variables of a task as they were when it was read: named JSON values, ordered by name.
 * Immutable; values are decoded when they are asked for. The answers that a task was given are read
 * in the same way, by the keys of the questions.
 *
 * <p>JSON does not tell 1 from 1.0. A double that is a whole number is stored as an integer, so ask
 * by type ({@link #number}, {@link #as}) rather than casting what {@link #asMap} holds.
 */
public final class Variables {
  private final JsonMembers members;
  private final ValueReader reader;
  private final String noun;

  Variables(JsonMembers members, ValueReader reader) {
    this(members, reader, "variable");
  }

  private Variables(JsonMembers members, ValueReader reader, String noun) {
    this.members = members;
    this.reader = reader;
    this.noun = noun;
  }

  /** Returns answers to questions, which can be read in the same way. */
  static Variables ofInputResponses(JsonMembers members, ValueReader reader) {
    return new Variables(members, reader, "input response");
  }

  /** The number of variables. */
  public int size() {
    return members.size();
  }

  /** Whether there are none. */
  public boolean isEmpty() {
    return members.size() == 0;
  }

  /** Whether there is a variable of this name. */
  public boolean contains(String name) {
    return find(name) != null;
  }

  /** The names, in ascending order of UTF-16 units. */
  public List<String> names() {
    return members.names();
  }

  /**
   * Reads a variable as an object of a class, as Jackson does it: records, beans, enums, arrays,
   * {@code java.time} types, {@code Map.class} and so on.
   *
   * @return the object; empty if there is no such variable
   * @throws ValueConversionException if the stored value does not fit the class
   */
  public <T> Optional<T> as(String name, Class<T> type) {
    Objects.requireNonNull(type, "type");
    Json json = find(name);
    return json == null ? Optional.empty() : reader.as(describe(name), json, type);
  }

  /**
   * Reads a string.
   *
   * @return the string; empty if there is no such variable
   * @throws ValueConversionException if it is something else
   */
  public Optional<String> string(String name) {
    return scalar(name, String.class, "a string");
  }

  /**
   * Reads a boolean.
   *
   * @return the boolean; empty if there is no such variable
   * @throws ValueConversionException if it is something else
   */
  public Optional<Boolean> bool(String name) {
    return scalar(name, Boolean.class, "a boolean");
  }

  /**
   * Reads any number as a double. Integers beyond 2⁵³ lose their last digits.
   *
   * @return the number; empty if there is no such variable
   * @throws ValueConversionException if it is not a number
   */
  public OptionalDouble number(String name) {
    Optional<Number> number = scalar(name, Number.class, "a number");
    return number.isPresent()
        ? OptionalDouble.of(number.get().doubleValue())
        : OptionalDouble.empty();
  }

  /**
   * Reads an integer.
   *
   * @return the integer; empty if there is no such variable
   * @throws ValueConversionException if it is not a number, has a fraction or an exponent, or does
   *     not fit a {@code long}; see {@link #bigInteger}
   */
  public OptionalLong integer(String name) {
    Optional<Long> number = scalar(name, Long.class, "an integer of 64 bits");
    return number.isPresent() ? OptionalLong.of(number.get()) : OptionalLong.empty();
  }

  /**
   * Reads an integer of any size, exactly.
   *
   * @return the integer; empty if there is no such variable
   * @throws ValueConversionException if it is not a number, or has a fraction or an exponent
   */
  public Optional<BigInteger> bigInteger(String name) {
    Optional<Number> number = scalar(name, Number.class, "an integer");
    if (number.isPresent() && number.get() instanceof Double) {
      throw new ValueConversionException(describe(name), "an integer", null);
    }
    return number.map(n -> n instanceof BigInteger big ? big : BigInteger.valueOf(n.longValue()));
  }

  /**
   * Returns all variables as plain, unmodifiable Java: {@code null} (inside of lists and maps),
   * {@code Boolean}, {@code String}, {@code Long}, {@code BigInteger} where a long is too small,
   * {@code Double}, {@code List}, {@code Map}. A number that was stored as 1.0 comes back as the
   * {@code Long} 1. Every call decodes anew.
   */
  public Map<String, @Nullable Object> asMap() {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    for (int i = 0; i < members.size(); i++) {
      String name = members.name(i);
      map.put(name, reader.plain(() -> describe(name), members.value(i)));
    }
    return Collections.unmodifiableMap(map);
  }

  JsonMembers members() {
    return members;
  }

  private @Nullable Json find(String name) {
    return members.get(Objects.requireNonNull(name, "name"));
  }

  private <T> Optional<T> scalar(String name, Class<T> type, String wanted) {
    Json json = find(name);
    if (json == null) {
      return Optional.empty();
    }
    Object value = reader.plain(() -> describe(name), json);
    if (!type.isInstance(value)) {
      throw new ValueConversionException(describe(name), wanted, null);
    }
    return Optional.of(type.cast(value));
  }

  private String describe(String name) {
    return noun + " " + Text.quote(name);
  }

  static String what(String name) {
    return "variable " + Text.quote(name);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Variables that && members.equals(that.members);
  }

  @Override
  public int hashCode() {
    return members.hashCode();
  }

  /** Shows how many there are, neither names nor values. */
  @Override
  public String toString() {
    return "Variables[" + members.size() + "]";
  }
}
