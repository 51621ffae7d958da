// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/** Nulls where null is not allowed, for tests of the checks. */
final class Nulls {
  private Nulls() {}

  /** Returns null. */
  @SuppressWarnings("NullAway")
  static <T> T of(Class<T> type) {
    return type.cast(null);
  }
}
