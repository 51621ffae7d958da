// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.io.PrintStream;
import java.util.Locale;

/**
 * Shows how far something is: as a bar that grows in its place on a terminal, as lines now and then
 * everywhere else.
 */
final class ProgressLine {
  private static final int WIDTH = 30;

  /** How many percent are worth another line where lines cannot be overwritten. */
  private static final int STEP = 10;

  private final PrintStream out;
  private final boolean terminal;
  private int shown;
  private int lastStep = -1;
  private boolean closed;

  ProgressLine(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** Shows a fraction from 0 to 1 and a short text. */
  synchronized void show(double fraction, String text) {
    if (closed) {
      return;
    }
    int percent = (int) (100 * fraction);
    String line = String.format(Locale.ROOT, "%3d%%  %s", percent, text);
    if (terminal) {
      int done = (int) (WIDTH * fraction);
      String bar = "[" + "#".repeat(done) + "-".repeat(WIDTH - done) + "] " + line;
      // Spaces cover what is left of a longer line.
      out.print("\r" + bar + " ".repeat(Math.max(0, shown - bar.length())));
      out.flush();
      shown = bar.length();
    } else if (percent / STEP != lastStep) {
      lastStep = percent / STEP;
      out.println(line);
    }
  }

  /** Ends the line. Nothing is shown any more. */
  synchronized void close() {
    if (!closed && shown > 0) {
      out.println();
    }
    closed = true;
  }
}
