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
  private boolean paused;
  private boolean closed;

  ProgressLine(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** Shows a fraction from 0 to 1 and a short text. */
  synchronized void show(double fraction, String text) {
    if (paused || closed) {
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

  /** Prints something else, on a line of its own; the next {@link #show} begins a new line. */
  synchronized void printApart(PrintStream to, String line) {
    endLine();
    to.println(line);
  }

  /** Shows a question on a line of its own, and nothing else until {@link #resume}. */
  synchronized void pause(String question) {
    endLine();
    out.print(question);
    out.flush();
    shown = question.length();
    paused = true;
  }

  /**
   * Goes on.
   *
   * @param onNewLine whether somebody has ended the line of the question
   */
  synchronized void resume(boolean onNewLine) {
    paused = false;
    if (onNewLine) {
      shown = 0;
    }
    endLine();
  }

  private void endLine() {
    if (shown > 0) {
      out.println();
      out.flush();
      shown = 0;
    }
  }

  /** Ends the line. Nothing is shown any more. */
  synchronized void close() {
    endLine();
    closed = true;
  }
}
