// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.random.RandomGenerator;

/**
 * Mints ids: 48 bits of milliseconds and 125 random bits, in lower-case base32hex (RFC 4648,
 * section 7), which keeps their order. So the order of ids is the order of creation, to the
 * millisecond, and an id cannot be guessed.
 */
final class TaskIds {
  static final int LENGTH = 35;

  private static final char[] DIGITS = "0123456789abcdefghijklmnopqrstuv".toCharArray();
  private static final int TIME_DIGITS = 10;
  private static final int DIGITS_PER_LONG = 12;
  private static final long MAX_MILLIS = (1L << 48) - 1;

  private final RandomGenerator random;

  TaskIds(RandomGenerator random) {
    this.random = random;
  }

  String mint(Instant now) {
    char[] id = new char[LENGTH];
    long millis = Math.min(Math.max(now.toEpochMilli(), 0), MAX_MILLIS);
    digits(id, 0, TIME_DIGITS, millis);
    byte[] bytes = new byte[2 * Long.BYTES];
    random.nextBytes(bytes); // at once: a secure source costs by the call
    ByteBuffer words = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    long high = words.getLong();
    long low = words.getLong();
    digits(id, TIME_DIGITS, DIGITS_PER_LONG, high);
    digits(id, TIME_DIGITS + DIGITS_PER_LONG, DIGITS_PER_LONG, low);
    digits(id, LENGTH - 1, 1, (high >>> 60 << 4) | (low >>> 60)); // what the two have left over
    return new String(id);
  }

  private static void digits(char[] id, int from, int count, long bits) {
    for (int i = from + count - 1; i >= from; i--) {
      id[i] = DIGITS[(int) (bits & 31)];
      bits >>>= 5;
    }
  }
}
