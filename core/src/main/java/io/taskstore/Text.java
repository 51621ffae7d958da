// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.function.Supplier;

/** Measuring and quoting of text. */
final class Text {
  /** The answer of {@link #utf8Length} for text that is not well-formed. */
  static final long LONE_SURROGATE = -1;

  private static final int MAX_QUOTED = 80;
  private static final int ELLIPSIS_BYTES = 3;

  private Text() {}

  /** The length in UTF-8 bytes, or {@link #LONE_SURROGATE}. */
  static long utf8Length(String text) {
    long bytes = 0;
    int length = text.length();
    for (int i = 0; i < length; i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        bytes++;
      } else if (c < 0x800) {
        bytes += 2;
      } else if (!Character.isSurrogate(c)) {
        bytes += 3;
      } else if (Character.isHighSurrogate(c)
          && i + 1 < length
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        bytes += 4;
        i++;
      } else {
        return LONE_SURROGATE;
      }
    }
    return bytes;
  }

  /**
   * The length of the stored form without its quotes, in bytes, or {@link #LONE_SURROGATE}: what
   * {@link JsonWriter#string} would write.
   */
  static long storedLength(String text) {
    if (isPlain(text)) {
      return text.length();
    }
    long bytes = utf8Length(text);
    if (bytes == LONE_SURROGATE) {
      return bytes;
    }
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\' || c == '\b' || c == '\t' || c == '\n' || c == '\f' || c == '\r') {
        bytes++;
      } else if (c < ' ') {
        bytes += 5;
      }
    }
    return bytes;
  }

  /** Whether each character is stored as itself. */
  private static boolean isPlain(String text) {
    for (int i = 0; i < text.length(); i++) {
      if (!isPlain(text.charAt(i))) {
        return false;
      }
    }
    return true;
  }

  /** Whether each byte stands for a character that is stored as itself. */
  static boolean isPlain(byte[] stored, int from, int to) {
    for (int i = from; i < to; i++) {
      if (!isPlain((char) (stored[i] & 0xFF))) {
        return false;
      }
    }
    return true;
  }

  /** Whether a character is stored as itself, in one byte. */
  static boolean isPlain(char c) {
    return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
  }

  /**
   * Checks well-formedness and the length of the stored form.
   *
   * @throws InvalidValueException if a surrogate stands alone
   * @throws LimitExceededException if the stored form is longer than {@code maxBytes}
   */
  static void checkStoredLength(String what, String text, String limitName, long maxBytes) {
    check(what, storedLength(text), limitName, maxBytes);
  }

  /** The same; what the text is is asked for only if it is wrong. */
  static void checkStoredLength(
      Supplier<String> what, String text, String limitName, long maxBytes) {
    long bytes = storedLength(text);
    if (bytes == LONE_SURROGATE || bytes > maxBytes) {
      check(what.get(), bytes, limitName, maxBytes);
    }
  }

  /**
   * Checks well-formedness and length in UTF-8 bytes.
   *
   * @throws InvalidValueException if a surrogate stands alone
   * @throws LimitExceededException if the text is longer than {@code maxBytes}
   */
  static void checkLength(String what, String text, String limitName, long maxBytes) {
    check(what, utf8Length(text), limitName, maxBytes);
  }

  private static void check(String what, long bytes, String limitName, long maxBytes) {
    if (bytes == LONE_SURROGATE) {
      throw new InvalidValueException(what, InvalidValueException.LONE_SURROGATE);
    }
    if (bytes > maxBytes) {
      throw new LimitExceededException(what, limitName, maxBytes, bytes, "bytes");
    }
  }

  /**
   * Returns the text as it can be stored within a limit: without lone surrogates, and shortened,
   * with an ellipsis, if its stored form is too long.
   */
  static String shortened(String text, int maxBytes) {
    if (utf8Length(text) != LONE_SURROGATE && storedLength(text) <= maxBytes) {
      return text;
    }
    StringBuilder out = new StringBuilder();
    long bytes = 0;
    for (int i = 0; i < text.length(); ) {
      int codePoint = text.codePointAt(i);
      i += Character.charCount(codePoint);
      boolean isLone = codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
      String next = isLone ? "\uFFFD" : Character.toString(codePoint);
      bytes += storedLength(next);
      if (bytes + ELLIPSIS_BYTES > maxBytes) {
        return out.append('…').toString();
      }
      out.append(next);
    }
    return out.toString();
  }

  /** Returns the text in quotes, shortened, and with everything but printable ASCII escaped. */
  static String quote(String text) {
    StringBuilder out = new StringBuilder(Math.min(text.length(), MAX_QUOTED) + 5);
    out.append('"');
    for (int i = 0; i < text.length() && i < MAX_QUOTED; i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c >= ' ' && c < 0x7F) {
        out.append(c);
      } else {
        out.append(String.format("\\u%04x", (int) c));
      }
    }
    return out.append(text.length() > MAX_QUOTED ? "…\"" : "\"").toString();
  }
}
