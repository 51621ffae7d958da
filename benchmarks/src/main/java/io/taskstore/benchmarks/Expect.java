// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

/** Makes sure that a benchmark measures what it says: a refusal is fast, and means nothing. */
final class Expect {
  private Expect() {}

  static void that(boolean holds) {
    if (!holds) {
      throw new IllegalStateException("not the answer that is to be measured");
    }
  }
}
