// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.io.NumberOutput;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * Turns one value of a user into canonical JSON, or refuses it. Maps, lists and scalars are written
 * straight; objects of the user's own classes go through Jackson, and what it writes is brought
 * into canonical form by the same rules, so what both ways accept gives the same bytes. Inside of
 * own classes Jackson decides what is accepted, and that is more.
 *
 * <p>An instance encodes the values of one call, one after the other, and is then thrown away.
 */
final class ValueEncoder {
  private static final int CAPACITY_OF_CONTAINERS = 128;

  /**
   * Of a single number, or a short text; a longer text makes as much room as it needs, and no more.
   */
  private static final int CAPACITY_OF_SCALARS = 24;

  /** Of what several values of a call have at a time; it grows to the largest of them. */
  private static final int CAPACITY_OF_SEVERAL = 256;

  private static final int USUAL_DEPTH = 8;
  private static final int USUAL_SIZE = 16;

  /** What {@link BigDecimal#toString} makes of the most digits: sign, point, zeros, exponent. */
  private static final int MAX_DECIMAL_LENGTH = TaskLimits.MAX_DIGITS + 32;

  private final int maxDepth;
  private final int maxNameBytes;
  private final int maxStringBytes;
  private final JsonMapper mapper;
  private final JsonWriter out;

  // Of the value that is being encoded:

  private Supplier<String> what = () -> "value";
  private int maxBytes;
  private String sizeLimitName = "";

  /**
   * The way from the value down to where the encoder is, for messages: at each level a name, or an
   * index where that is null.
   */
  private @Nullable String[] names = new @Nullable String[USUAL_DEPTH];

  private int[] indexes = new int[USUAL_DEPTH];
  private int steps;

  /** The containers that are open. There are at most {@code maxDepth}, so a search is cheap. */
  private final List<Object> open = new ArrayList<>(USUAL_DEPTH);

  private ValueEncoder(TaskLimits limits, JsonMapper mapper, int capacity) {
    this.maxDepth = limits.maxDepth();
    this.maxNameBytes = limits.maxNameBytes();
    this.maxStringBytes = limits.maxStringBytes();
    this.mapper = mapper;
    this.out = new JsonWriter(capacity);
  }

  /** Returns an encoder for several values. */
  static ValueEncoder ofSeveral(TaskLimits limits, JsonMapper mapper) {
    return new ValueEncoder(limits, mapper, CAPACITY_OF_SEVERAL);
  }

  /** Encodes one of several values; otherwise as {@link #encode}. */
  Json next(Supplier<String> what, @Nullable Object value, int maxBytes, String sizeLimitName) {
    out.truncate(0);
    begin(what, maxBytes, sizeLimitName);
    write(value);
    return new Json(out.copyOfRange(0, out.size()));
  }

  /**
   * Encodes a value.
   *
   * @param what what it is, for messages; asked for only then
   * @param maxBytes the most bytes of its stored form
   * @param sizeLimitName the name of that limit
   * @throws InvalidValueException if the value cannot be stored at all
   * @throws LimitExceededException if it is larger than a limit
   */
  static Json encode(
      Supplier<String> what,
      @Nullable Object value,
      int maxBytes,
      String sizeLimitName,
      TaskLimits limits,
      JsonMapper mapper) {
    boolean isScalar =
        value instanceof String || value instanceof Number || value instanceof Boolean;
    int capacity = isScalar ? CAPACITY_OF_SCALARS : CAPACITY_OF_CONTAINERS;
    ValueEncoder encoder = new ValueEncoder(limits, mapper, capacity);
    encoder.begin(what, maxBytes, sizeLimitName);
    encoder.write(value);
    return new Json(encoder.out.toByteArray());
  }

  private void begin(Supplier<String> newWhat, int newMaxBytes, String newSizeLimitName) {
    what = newWhat;
    maxBytes = newMaxBytes;
    sizeLimitName = newSizeLimitName;
  }

  private void write(@Nullable Object given) {
    Object value = given;
    while (value instanceof Optional<?> optional) {
      value = optional.orElse(null);
    }
    if (value == null) {
      out.nullValue();
    } else if (value instanceof String text) {
      string(text);
    } else if (value instanceof Integer || value instanceof Long) {
      out.number(((Number) value).longValue());
    } else if (value instanceof Number number && !isOwnClass(number.getClass())) {
      number(number);
    } else if (value instanceof Boolean bool) {
      out.bool(bool);
    } else if (value instanceof Map<?, ?> map) {
      enter(map);
      map(map);
      leave();
    } else if (value instanceof Collection<?> collection) {
      enter(collection);
      elements(collection.iterator());
      leave();
    } else if (value instanceof byte[] bytes) {
      checkSize(bytes.length); // before building a text that is longer still
      string(Base64.getEncoder().encodeToString(bytes));
    } else if (value instanceof char[] chars) {
      string(String.valueOf(chars));
    } else if (value.getClass().isArray()) {
      enter(value);
      elements(arrayIterator(value));
      leave();
    } else if (value instanceof UUID || value instanceof Instant || value instanceof Duration) {
      string(value.toString());
    } else if (value instanceof Enum<?> || isOwnClass(value.getClass())) {
      viaMapper(value);
    } else {
      throw notAccepted(value);
    }
    checkSize(out.size());
  }

  /**
   * Whether a class is not one of Java's, and so is the user's or a library's to give a shape. A
   * lambda has none, though Jackson would write it as an empty object.
   */
  private static boolean isOwnClass(Class<?> type) {
    ClassLoader loader = type.getClassLoader();
    return !type.isSynthetic() && loader != null && loader != ClassLoader.getPlatformClassLoader();
  }

  private InvalidValueException notAccepted(Object value) {
    return invalid(
        "a "
            + value.getClass().getName()
            + " cannot be stored; use null, booleans, strings, numbers, maps, lists, arrays, enums,"
            + " UUID, Instant, Duration, Optional, or a class of your own");
  }

  // --- containers ---------------------------------------------------------------------------

  private void enter(Object container) {
    for (int i = 0; i < open.size(); i++) {
      if (open.get(i) == container) {
        throw invalid("it contains itself");
      }
    }
    open.add(container);
    checkDepth(open.size());
  }

  private void leave() {
    open.remove(open.size() - 1);
  }

  private void descend(String name) {
    descend(name, 0);
  }

  private void descend(int index) {
    descend(null, index);
  }

  private void descend(@Nullable String name, int index) {
    if (steps == indexes.length) {
      names = Arrays.copyOf(names, 2 * steps);
      indexes = Arrays.copyOf(indexes, 2 * steps);
    }
    names[steps] = name;
    indexes[steps++] = index;
  }

  private void ascend() {
    steps--;
  }

  private void checkDepth(int depth) {
    if (depth > maxDepth) {
      throw new LimitExceededException(
          where(), "maxDepth", maxDepth, depth, "levels of lists and objects");
    }
  }

  private void map(Map<?, ?> map) {
    int room = Math.max(1, Math.min(map.size(), USUAL_SIZE)); // a map may say anything
    String[] sortedNames = new String[room];
    @Nullable Object[] values = new @Nullable Object[room];
    int count = 0;
    boolean sorted = true;
    long leastBytes = out.size();
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      String name = name(entry.getKey());
      if (count == room) {
        room *= 2;
        sortedNames = Arrays.copyOf(sortedNames, room);
        values = Arrays.copyOf(values, room);
      }
      sorted &= count == 0 || sortedNames[count - 1].compareTo(name) < 0;
      sortedNames[count] = name;
      values[count++] = entry.getValue();
      // A map without an end must not be collected to its end.
      leastBytes += name.length() + 4; // quotes, colon, a digit
      checkSize(leastBytes);
    }
    if (!sorted) {
      sort(sortedNames, values, count);
    }
    out.raw('{');
    for (int i = 0; i < count; i++) {
      if (i > 0) {
        out.raw(',');
      }
      memberName(sortedNames[i]);
      out.raw(':');
      descend(sortedNames[i]);
      write(values[i]);
      ascend();
    }
    out.raw('}');
  }

  private record Named(String name, @Nullable Object value) {}

  private void sort(String[] memberNames, @Nullable Object[] values, int count) {
    Named[] members = new Named[count];
    for (int i = 0; i < count; i++) {
      members[i] = new Named(memberNames[i], values[i]);
    }
    Arrays.sort(members, Comparator.comparing(Named::name));
    for (int i = 0; i < count; i++) {
      memberNames[i] = members[i].name();
      values[i] = members[i].value();
      if (i > 0 && memberNames[i].equals(memberNames[i - 1])) {
        throw twice(memberNames[i]);
      }
    }
  }

  private InvalidValueException twice(String name) {
    return invalid("it has two members named " + Text.quote(name));
  }

  private String name(@Nullable Object key) {
    if (key instanceof String text) {
      return text;
    }
    if (key instanceof Enum<?>) {
      return enumName(key);
    }
    throw invalid(
        key == null
            ? "it has a null key"
            : "a key is a " + key.getClass().getName() + "; use strings or enums as keys");
  }

  /** The name that the mapper gives it, as in a map inside of an own class; so it reads back. */
  private String enumName(Object constant) {
    try {
      return mapper
          .valueToTree(Collections.singletonMap(constant, true))
          .propertyNames()
          .iterator()
          .next();
    } catch (RuntimeException e) {
      throw new InvalidValueException(where(), unwritable(constant, e), e);
    }
  }

  private void memberName(String name) {
    int bytes = out.string(name);
    if (bytes < 0) {
      throw invalid(
          "the name "
              + Text.quote(name)
              + " has a surrogate without its partner, which is not"
              + " valid Unicode");
    }
    if (bytes > maxNameBytes) {
      throw new LimitExceededException(
          "the name " + Text.quote(name) + " in " + where(),
          "maxNameBytes",
          maxNameBytes,
          bytes,
          "bytes");
    }
  }

  private void elements(Iterator<?> elements) {
    out.raw('[');
    for (int i = 0; elements.hasNext(); i++) {
      if (i > 0) {
        out.raw(',');
      }
      descend(i);
      write(elements.next());
      ascend();
    }
    out.raw(']');
  }

  private static Iterator<@Nullable Object> arrayIterator(Object array) {
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < Array.getLength(array);
      }

      @Override
      public @Nullable Object next() {
        return Array.get(array, next++);
      }
    };
  }

  // --- scalars ------------------------------------------------------------------------------

  private void string(String text) {
    // Every character needs a byte at least: refuse a huge text before copying it.
    checkSize(text.length());
    int bytes = out.string(text);
    if (bytes < 0) {
      throw invalid(InvalidValueException.LONE_SURROGATE);
    }
    if (bytes > maxStringBytes) {
      throw new LimitExceededException(where(), "maxStringBytes", maxStringBytes, bytes, "bytes");
    }
  }

  private void number(Number number) {
    if (number instanceof Short || number instanceof Byte) {
      out.number(number.longValue());
    } else if (number instanceof Double value) {
      finite(value);
    } else if (number instanceof Float value) {
      // By its own shortest decimal: 0.1f is stored as 0.1, not as the double 0.10000000149011612.
      finite(
          Float.isFinite(value)
              ? Double.parseDouble(NumberOutput.toString(value, true))
              : value.doubleValue());
    } else if (number instanceof BigInteger value) {
      integer(value);
    } else if (number instanceof BigDecimal value) {
      decimal(value);
    } else {
      throw notAccepted(number);
    }
  }

  private void finite(double value) {
    if (!Double.isFinite(value)) {
      throw invalid(value + " is not a finite number, and JSON has no other");
    }
    out.number(value);
  }

  private void integer(BigInteger value) {
    // Four bits hold more than a decimal digit: a cheap bound before the exact count.
    if (value.bitLength() / 4 > TaskLimits.MAX_DIGITS) {
      throw tooManyDigits((long) (value.bitLength() * Math.log10(2)));
    }
    String digits = value.abs().toString();
    if (digits.length() > TaskLimits.MAX_DIGITS) {
      throw tooManyDigits(digits.length());
    }
    out.number(value);
  }

  private LimitExceededException tooManyDigits(long digits) {
    return new LimitExceededException(
        where(), "digits of an integer", TaskLimits.MAX_DIGITS, digits, "digits");
  }

  private void decimal(BigDecimal value) {
    if (value.scale() == 0) {
      integer(value.unscaledValue());
      return;
    }
    double nearest = JsonWriter.exactDouble(value);
    if (Double.isNaN(nearest)) {
      throw inexact();
    }
    out.number(nearest);
  }

  private InvalidValueException inexact() {
    return invalid("no double is exactly this decimal number; pass it as a string");
  }

  // --- the user's own classes ---------------------------------------------------------------

  private void viaMapper(Object value) {
    BoundedOutput json = new BoundedOutput(maxBytes);
    try {
      mapper.writeValue(json, value);
    } catch (RuntimeException | StackOverflowError e) { // the class's own code runs here
      if (json.overflow) {
        throw tooLarge(json.size());
      }
      throw new InvalidValueException(where(), unwritable(value, e), e);
    }
    try (JsonParser parser =
        mapper
            .reader()
            .with(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS) // to be refused by name below
            .createParser(json.array())) {
      if (parser.nextToken() == null) {
        throw notJson(value, null);
      }
      canonicalize(parser, open.size());
      if (parser.nextToken() != null) {
        throw notJson(value, null);
      }
    } catch (StreamConstraintsException e) {
      throw new InvalidValueException(
          where(),
          "a "
              + value.getClass().getName()
              + " is written with a name or number that is longer, or with levels that are more,"
              + " than any limit allows",
          e);
    } catch (JacksonException e) {
      throw notJson(value, e);
    }
  }

  private InvalidValueException notJson(Object value, @Nullable Throwable cause) {
    return new InvalidValueException(
        where(),
        "a " + value.getClass().getName() + " is written as something that is not JSON",
        cause);
  }

  private static String unwritable(Object value, Throwable failure) {
    String type = "a " + value.getClass().getName();
    for (Throwable e = failure; e != null; e = e.getCause()) {
      if (e instanceof StreamConstraintsException || e instanceof StackOverflowError) {
        return type + " contains itself, or nests deeper than any limit allows";
      }
    }
    // The message of the cause may quote the value.
    return type + " cannot be written as JSON, see the cause";
  }

  /** Writes the value at which the parser stands, and leaves the parser at its last token. */
  private void canonicalize(JsonParser parser, int depth) {
    JsonToken token = parser.currentToken();
    switch (token) {
      case VALUE_NULL -> out.nullValue();
      case VALUE_TRUE -> out.bool(true);
      case VALUE_FALSE -> out.bool(false);
      case VALUE_STRING -> string(parser.getString());
      case VALUE_NUMBER_INT -> writtenInteger(parser.getString());
      case VALUE_NUMBER_FLOAT -> {
        String text = parser.getString();
        if (parser.isNaN()) {
          throw invalid(text + " is not a finite number, and JSON has no other");
        }
        writtenDecimal(text);
      }
      case START_ARRAY -> {
        checkDepth(depth + 1);
        out.raw('[');
        for (int i = 0; parser.nextToken() != JsonToken.END_ARRAY; i++) {
          if (i > 0) {
            out.raw(',');
          }
          descend(i);
          canonicalize(parser, depth + 1);
          ascend();
        }
        out.raw(']');
      }
      case START_OBJECT -> {
        checkDepth(depth + 1);
        members(parser, depth + 1);
      }
      default -> throw new IllegalStateException("unexpected token " + token);
    }
    checkSize(out.size());
  }

  private void writtenInteger(String text) {
    // Parsing takes more than linear time: count the digits first. There are no leading zeros.
    int digits = text.length() - (text.startsWith("-") ? 1 : 0);
    if (digits > TaskLimits.MAX_DIGITS) {
      throw tooManyDigits(digits);
    }
    out.number(new BigInteger(text));
  }

  private void writtenDecimal(String text) {
    if (text.length() > MAX_DECIMAL_LENGTH) {
      throw inexact();
    }
    BigDecimal value;
    try {
      value = new BigDecimal(text);
    } catch (NumberFormatException e) { // an exponent beyond all bounds
      throw inexact();
    }
    double nearest = value.doubleValue();
    if (Double.isFinite(nearest) && NumberOutput.toString(nearest, true).equals(text)) {
      // It was a double. The smallest have a digit more here than in their shortest form: 4.9E-324.
      out.number(nearest);
    } else {
      decimal(value);
    }
  }

  private record Member(String name, int start, int end) {}

  private void members(JsonParser parser, int depth) {
    out.raw('{');
    int start = out.size();
    List<Member> members = new ArrayList<>();
    boolean sorted = true;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      if (!members.isEmpty()) {
        out.raw(',');
        sorted &= members.get(members.size() - 1).name().compareTo(name) < 0;
      }
      int memberStart = out.size();
      memberName(name);
      out.raw(':');
      parser.nextToken();
      descend(name);
      canonicalize(parser, depth);
      ascend();
      members.add(new Member(name, memberStart, out.size()));
    }
    if (!sorted) {
      sort(members, start);
    }
    out.raw('}');
  }

  private void sort(List<Member> members, int start) {
    byte[] unsorted = out.copyOfRange(start, out.size());
    members.sort(Comparator.comparing(Member::name));
    out.truncate(start);
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (i > 0) {
        if (members.get(i - 1).name().equals(member.name())) {
          throw twice(member.name());
        }
        out.raw(',');
      }
      out.raw(unsorted, member.start() - start, member.end() - member.start());
    }
  }

  // --- refusing -----------------------------------------------------------------------------

  private void checkSize(long bytes) {
    if (bytes > maxBytes) {
      throw tooLarge(bytes);
    }
  }

  private LimitExceededException tooLarge(long bytes) {
    return new LimitExceededException(what.get(), sizeLimitName, maxBytes, bytes, "bytes or more");
  }

  private InvalidValueException invalid(String reason) {
    return new InvalidValueException(where(), reason);
  }

  private String where() {
    StringBuilder text = new StringBuilder(what.get());
    for (int i = 0; i < steps; i++) {
      String name = names[i];
      if (name == null) {
        text.append('[').append(indexes[i]).append(']');
      } else {
        text.append('.').append(step(name));
      }
    }
    return text.toString();
  }

  private static String step(String name) {
    boolean plain = !name.isEmpty() && name.length() <= 40;
    for (int i = 0; plain && i < name.length(); i++) {
      char c = name.charAt(i);
      plain = c < 0x80 && (Character.isLetterOrDigit(c) || c == '_');
    }
    return plain ? name : Text.quote(name);
  }

  /** Collects what a mapper writes, and stops it when that is far beyond what could be stored. */
  private static final class BoundedOutput extends OutputStream {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
    private final long bound;
    private boolean overflow;

    BoundedOutput(int maxBytes) {
      // Jackson's form may be longer than the canonical one (1.0 against 1), but not many times.
      this.bound = 4L * maxBytes + 1_024;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] source, int offset, int length) throws IOException {
      if (bytes.size() + (long) length > bound) {
        overflow = true;
        throw new IOException("more than " + bound + " bytes");
      }
      bytes.write(source, offset, length);
    }

    byte[] array() {
      return bytes.toByteArray();
    }

    int size() {
      return bytes.size();
    }
  }
}
