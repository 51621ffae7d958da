// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Names writes: 128 random bits of this store, and a counter. Two stores must never give the same
 * name, or one would take the other's write for its own; so the random part is always secure, also
 * where the ids of tasks come from an injected source.
 */
final class WriteIds {
  private static final int RADIX = 32;

  private final String prefix;
  private final AtomicLong counter = new AtomicLong();

  WriteIds(SecureRandom random) {
    this.prefix = new BigInteger(128, random).toString(RADIX) + "-";
  }

  String next() {
    return prefix + Long.toString(counter.incrementAndGet(), RADIX);
  }
}
