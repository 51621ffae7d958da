// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;

/**
 * The name of a record: a partition and an id within it. They are two strings, never joined to one,
 * so that (<code>a:b</code>, <code>c</code>) and (<code>a</code>, <code>b:c</code>) stay two
 * records; a backend that must join them escapes without collisions.
 *
 * <p>Every well-formed Unicode text is legal in both parts, including separators, quotes, control
 * characters, path and pattern characters. Case matters, and no normalization is applied: two
 * spellings of "é" are two keys. The constructor is the one place that refuses a key, so every
 * backend accepts exactly the same keys.
 *
 * @param partition what the record belongs to: 1 to {@value #MAX_PARTITION_BYTES} UTF-8 bytes
 * @param id the name within the partition: 1 to {@value #MAX_ID_BYTES} UTF-8 bytes
 */
public record RecordKey(String partition, String id) {
  /** The longest legal partition, in UTF-8 bytes. */
  public static final int MAX_PARTITION_BYTES = 1_100;

  /** The longest legal id, in UTF-8 bytes. */
  public static final int MAX_ID_BYTES = 512;

  /**
   * Checks both parts.
   *
   * @throws IllegalArgumentException if a part is empty, is longer than its limit, or contains a
   *     surrogate without its partner
   */
  public RecordKey {
    check("partition", partition, MAX_PARTITION_BYTES);
    check("id", id, MAX_ID_BYTES);
  }

  /**
   * Compares two ids by their UTF-8 bytes, taken as unsigned: the order of every listing. It is the
   * order of code points, and differs from {@link String#compareTo} where characters outside the
   * basic multilingual plane meet the range U+E000 to U+FFFF.
   *
   * @return a negative number, zero or a positive number as {@code left} comes before, equals or
   *     comes after {@code right}
   */
  public static int compareIds(String left, String right) {
    int shorter = Math.min(left.length(), right.length());
    for (int i = 0; i < shorter; i++) {
      char l = left.charAt(i);
      char r = right.charAt(i);
      if (l != r) {
        // UTF-16 puts surrogates before U+E000..U+FFFF; what they encode comes after everything
        // else.
        boolean leftSurrogate = Character.isSurrogate(l);
        if (leftSurrogate != Character.isSurrogate(r)) {
          return leftSurrogate ? 1 : -1;
        }
        return l - r;
      }
    }
    return left.length() - right.length();
  }

  /**
   * Checks the partition of a query by the rule for keys.
   *
   * @throws IllegalArgumentException if no key could have this partition
   */
  static String checkPartition(String partition) {
    return check("partition", partition, MAX_PARTITION_BYTES);
  }

  /**
   * Checks an id that stands alone, for example a cursor, by the rule for keys.
   *
   * @throws IllegalArgumentException if no key could have this id
   */
  static String checkId(String id) {
    return check("id", id, MAX_ID_BYTES);
  }

  private static String check(String part, String text, int maxBytes) {
    Objects.requireNonNull(text, part);
    if (text.isEmpty()) {
      throw new IllegalArgumentException("The " + part + " of a record key must not be empty");
    }
    long bytes = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        bytes++;
      } else if (c < 0x800) {
        bytes += 2;
      } else if (!Character.isSurrogate(c)) {
        bytes += 3;
      } else if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        bytes += 4;
        i++;
      } else {
        throw new IllegalArgumentException(
            "The %s of a record key has a lone surrogate at index %d".formatted(part, i));
      }
    }
    if (bytes > maxBytes) {
      throw new IllegalArgumentException(
          "The %s of a record key is %d bytes of UTF-8, the limit is %d"
              .formatted(part, bytes, maxBytes));
    }
    return text;
  }

  /**
   * Shows both parts in quotes with everything but printable ASCII escaped, so that a key cannot
   * break a log line.
   */
  @Override
  public String toString() {
    return quote(partition) + "/" + quote(id);
  }

  static String quote(String text) {
    StringBuilder out = new StringBuilder(text.length() + 2).append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c >= ' ' && c < 0x7F) {
        out.append(c);
      } else {
        out.append(String.format("\\u%04x", (int) c));
      }
    }
    return out.append('"').toString();
  }
}
