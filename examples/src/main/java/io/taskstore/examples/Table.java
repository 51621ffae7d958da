// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;

/**
 * A table of texts for a screen: the first column is aligned to the left, the others to the right.
 */
final class Table {
  private final List<List<String>> rows = new ArrayList<>();

  /** Adds a row; all rows have as many cells as the first one. */
  void row(Object... cells) {
    List<String> row = new ArrayList<>();
    for (Object cell : cells) {
      row.add(printable(String.valueOf(cell)));
    }
    rows.add(row);
  }

  /** Names of files may have anything in them, also what would move the cursor. */
  static String printable(String text) {
    return text.codePoints()
        .map(c -> Character.isISOControl(c) ? '?' : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  void print(PrintStream out) {
    int[] widths = new int[rows.get(0).size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], length(row.get(i)));
      }
    }
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        String cell = row.get(i);
        String padding = " ".repeat(widths[i] - length(cell));
        line.append(i == 0 ? cell + padding : "  " + padding + cell);
      }
      out.println(line.toString().stripTrailing());
    }
  }

  private static int length(String cell) {
    return cell.codePointCount(0, cell.length());
  }
}
