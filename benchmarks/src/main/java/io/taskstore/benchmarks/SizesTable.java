// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A table in Markdown of how long operations take at several sizes, beside the smallest one. */
final class SizesTable {
  private final List<Integer> sizes;
  private final StringBuilder text = new StringBuilder();

  /**
   * @param of what there are so many of
   */
  SizesTable(String of, List<Integer> sizes) {
    this.sizes = List.copyOf(sizes);
    text.append("| ").append(of);
    for (int size : sizes) {
      text.append(" | ").append(name(size));
    }
    text.append(" |\n|---").append("|--:".repeat(sizes.size())).append("|\n");
  }

  /** What the rates at a size are called. */
  static String name(int size) {
    return String.format(Locale.ROOT, "%,d", size);
  }

  void add(String operation, Map<String, Rounds.Rates> rates) {
    Rounds.Rates smallest = Rounds.of(rates, name(sizes.get(0)));
    text.append("| ").append(operation);
    for (int size : sizes) {
      Rounds.Rates its = Rounds.of(rates, name(size));
      text.append(" | ").append(Report.figure(1e6 / its.spread().median())).append(" µs");
      if (size != sizes.get(0)) {
        // Times, not rates: so many times as long as at the smallest size.
        Spread ratio = smallest.over(its);
        text.append(" = ")
            .append("**")
            .append(Report.ratio(ratio.median()))
            .append("** (")
            .append(Report.ratio(ratio.low()))
            .append(" to ")
            .append(Report.ratio(ratio.high()))
            .append(")");
      }
    }
    text.append(" |\n");
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
