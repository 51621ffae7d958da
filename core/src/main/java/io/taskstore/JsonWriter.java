// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import tools.jackson.core.io.NumberOutput;

/**
 * Writes JSON in its canonical form into a growing array: RFC 8785 (no white space, the shortest
 * escapes, numbers as ECMAScript prints them), with one difference: integers of any size are
 * written exactly. The order of members is the caller's duty ({@link String#compareTo}, which is
 * the order of UTF-16 units that RFC 8785 asks for).
 */
final class JsonWriter {
  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] NULL = "null".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] TRUE = "true".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] FALSE = "false".getBytes(StandardCharsets.US_ASCII);

  /** {@link Text#isPlain(char)} of the characters of ASCII. */
  private static final boolean[] PLAIN = new boolean[0x80];

  static {
    for (char c = 0; c < PLAIN.length; c++) {
      PLAIN[c] = Text.isPlain(c);
    }
  }

  private static final int MAX_LONG_LENGTH = 20;

  private byte[] buffer;
  private int size;

  JsonWriter(int capacity) {
    buffer = new byte[Math.max(capacity, 16)];
  }

  int size() {
    return size;
  }

  byte[] toByteArray() {
    return size == buffer.length ? buffer : Arrays.copyOf(buffer, size);
  }

  byte[] copyOfRange(int from, int to) {
    return Arrays.copyOfRange(buffer, from, to);
  }

  /** Forgets everything from {@code length} on. */
  void truncate(int length) {
    size = length;
  }

  private void ensure(int more) {
    if (buffer.length - size < more) {
      buffer = Arrays.copyOf(buffer, Math.max(buffer.length * 2, size + more));
    }
  }

  void raw(char asciiCharacter) {
    ensure(1);
    buffer[size++] = (byte) asciiCharacter;
  }

  void raw(byte[] json) {
    raw(json, 0, json.length);
  }

  void raw(byte[] json, int offset, int length) {
    ensure(length);
    System.arraycopy(json, offset, buffer, size, length);
    size += length;
  }

  @SuppressWarnings("deprecation") // the one method that copies ASCII without encoding it
  private void ascii(String text) {
    int length = text.length();
    ensure(length);
    text.getBytes(0, length, buffer, size);
    size += length;
  }

  void nullValue() {
    raw(NULL);
  }

  void bool(boolean value) {
    raw(value ? TRUE : FALSE);
  }

  void number(long value) {
    ensure(MAX_LONG_LENGTH);
    size = NumberOutput.outputLong(value, buffer, size);
  }

  void number(BigInteger value) {
    ascii(value.toString());
  }

  /** Writes a finite number; the caller has refused the others. */
  void number(double value) {
    ascii(canonical(value));
  }

  /**
   * Writes a string.
   *
   * @return the bytes between the quotes, or -1 if the text is not well-formed; then the content of
   *     this writer is worthless from where the string began
   */
  int string(String text) {
    int length = text.length();
    ensure(length + 2);
    buffer[size++] = '"';
    int start = size;
    int i = plain(text, 0);
    while (i < length) {
      i = special(text, i);
      if (i < 0) {
        return -1;
      }
      i = plain(text, i);
    }
    ensure(1);
    buffer[size++] = '"';
    return size - start - 1;
  }

  /** Writes the characters that are their own form, and returns the index of the first other. */
  private int plain(String text, int from) {
    int length = text.length();
    ensure(length - from + 1);
    byte[] target = buffer;
    int next = size;
    int i = from;
    for (; i < length; i++) {
      char c = text.charAt(i);
      if (c >= 0x80 || !PLAIN[c]) {
        break;
      }
      target[next++] = (byte) c;
    }
    size = next;
    return i;
  }

  /** Writes any character, and returns the index of the next one, or -1 if it has no partner. */
  private int special(String text, int index) {
    char c = text.charAt(index);
    ensure(6);
    if (c < 0x80) {
      escape(c);
    } else if (c < 0x800) {
      buffer[size++] = (byte) (0xC0 | (c >> 6));
      buffer[size++] = (byte) (0x80 | (c & 0x3F));
    } else if (!Character.isSurrogate(c)) {
      buffer[size++] = (byte) (0xE0 | (c >> 12));
      buffer[size++] = (byte) (0x80 | ((c >> 6) & 0x3F));
      buffer[size++] = (byte) (0x80 | (c & 0x3F));
    } else if (Character.isHighSurrogate(c)
        && index + 1 < text.length()
        && Character.isLowSurrogate(text.charAt(index + 1))) {
      int codePoint = Character.toCodePoint(c, text.charAt(index + 1));
      buffer[size++] = (byte) (0xF0 | (codePoint >> 18));
      buffer[size++] = (byte) (0x80 | ((codePoint >> 12) & 0x3F));
      buffer[size++] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
      buffer[size++] = (byte) (0x80 | (codePoint & 0x3F));
      return index + 2;
    } else {
      return -1;
    }
    return index + 1;
  }

  private void escape(char c) {
    buffer[size++] = '\\';
    switch (c) {
      case '"', '\\' -> buffer[size++] = (byte) c;
      case '\b' -> buffer[size++] = 'b';
      case '\t' -> buffer[size++] = 't';
      case '\n' -> buffer[size++] = 'n';
      case '\f' -> buffer[size++] = 'f';
      case '\r' -> buffer[size++] = 'r';
      default -> {
        buffer[size++] = 'u';
        buffer[size++] = '0';
        buffer[size++] = '0';
        buffer[size++] = HEX[c >> 4];
        buffer[size++] = HEX[c & 0xF];
      }
    }
  }

  /**
   * Returns a finite number as ECMAScript's {@code Number::toString} prints it (ECMA-262,
   * 6.1.6.1.20; RFC 8785, 3.2.2.3): the fewest digits that give the number back, and of those the
   * closest.
   */
  static String canonical(double value) {
    if (value == 0) {
      return "0"; // also for -0.0, as RFC 8785 asks
    }
    long integer = (long) value;
    if (integer == value && -(1L << 53) < integer && integer < 1L << 53) {
      return Long.toString(integer);
    }
    // Not Double.toString: before JDK 19 it does not always find the shortest.
    String signed = NumberOutput.toString(value, true);
    if (signed.indexOf('E') < 0) {
      return signed; // from 10^-3 to 10^7 Java lays a fraction out as ECMAScript does
    }
    String text = value < 0 ? signed.substring(1) : signed;
    int exponentMark = text.indexOf('E');
    int exponent = Integer.parseInt(text.substring(exponentMark + 1));
    String mantissa = text.substring(0, exponentMark);
    int point = mantissa.indexOf('.');
    String digits = mantissa.substring(0, point) + mantissa.substring(point + 1);
    int pointPosition = point + exponent; // value = 0.digits * 10^pointPosition
    int leading = 0;
    while (digits.charAt(leading) == '0') {
      leading++;
    }
    int end = digits.length();
    while (digits.charAt(end - 1) == '0') {
      end--;
    }
    digits = digits.substring(leading, end);
    pointPosition -= leading;
    int oneDigit = digits.length() == 2 ? oneDigit(digits, pointPosition, Math.abs(value)) : 0;
    if (oneDigit == 10) {
      digits = "1";
      pointPosition++;
    } else if (oneDigit > 0) {
      digits = Integer.toString(oneDigit);
    }
    return layOut(value < 0, digits, pointPosition);
  }

  /**
   * Java's algorithm never returns less than two digits, and so prefers 4.9E-324 to 5E-324. With
   * one digit it would have rounded to the nearer neighbour, if that gives the number back at all.
   *
   * @return the digit, 10 where it carries, or 0 if one digit is not enough
   */
  private static int oneDigit(String digits, int pointPosition, double value) {
    int down = digits.charAt(0) - '0';
    boolean upIsCloser = digits.charAt(1) >= '5';
    for (int candidate : upIsCloser ? new int[] {down + 1, down} : new int[] {down, down + 1}) {
      if (Double.parseDouble(candidate + "E" + (pointPosition - 1)) == value) {
        return candidate;
      }
    }
    return 0;
  }

  private static String layOut(boolean negative, String digits, int pointPosition) {
    StringBuilder out = new StringBuilder(28);
    if (negative) {
      out.append('-');
    }
    int count = digits.length();
    if (count <= pointPosition && pointPosition <= 21) {
      out.append(digits).append("0".repeat(pointPosition - count));
    } else if (0 < pointPosition && pointPosition <= 21) {
      out.append(digits, 0, pointPosition).append('.').append(digits, pointPosition, count);
    } else if (-6 < pointPosition && pointPosition <= 0) {
      out.append("0.").append("0".repeat(-pointPosition)).append(digits);
    } else {
      int exponent = pointPosition - 1;
      out.append(digits.charAt(0));
      if (count > 1) {
        out.append('.').append(digits, 1, count);
      }
      out.append('e').append(exponent < 0 ? '-' : '+').append(Math.abs(exponent));
    }
    return out.toString();
  }

  /**
   * Returns the double that stands for a decimal number, or NaN if there is none: the decimal is
   * not the shortest one of its nearest double, so storing it would change it.
   */
  static double exactDouble(BigDecimal value) {
    // Beyond these lengths no shortest decimal exists, and comparing could be made expensive.
    if (value.unscaledValue().bitLength() / 4 > TaskLimits.MAX_DIGITS
        || value.precision() > TaskLimits.MAX_DIGITS) {
      return Double.NaN;
    }
    double nearest = value.doubleValue();
    if (Double.isInfinite(nearest)
        || (nearest == 0 ? value.signum() != 0 : !sameNumber(value, nearest))) {
      return Double.NaN;
    }
    return nearest;
  }

  private static boolean sameNumber(BigDecimal value, double nearest) {
    return new BigDecimal(canonical(nearest)).compareTo(value) == 0;
  }
}
