// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;

class ProgressLineTest {
  private static final String EMPTY_BAR = "[" + "-".repeat(30) + "]   0%  ";

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, UTF_8);

  private String printed() {
    String printed = bytes.toString(UTF_8).replace(System.lineSeparator(), "\n");
    bytes.reset();
    return printed;
  }

  @Test
  void show_terminal_staysOnItsLine() {
    ProgressLine line = new ProgressLine(out, true);

    line.show(0, "long text");
    line.show(0, "text");
    line.close();
    line.show(0, "more");

    assertThat(printed()).isEqualTo("\r" + EMPTY_BAR + "long text\r" + EMPTY_BAR + "text     \n");
  }

  @Test
  void show_elsewhere_isALineNowAndThen() {
    ProgressLine line = new ProgressLine(out, false);

    line.show(0, "a");
    line.show(0.09, "b");
    line.show(0.1, "c");
    line.close();

    assertThat(printed()).isEqualTo("  0%  a\n 10%  c\n");
  }

  @Test
  void printApart_terminal_isALineOfItsOwn() {
    ProgressLine line = new ProgressLine(out, true);

    line.show(0, "a");
    line.printApart(out, "log");
    line.printApart(out, "more");
    line.show(0, "b");

    assertThat(printed()).isEqualTo("\r" + EMPTY_BAR + "a\nlog\nmore\n\r" + EMPTY_BAR + "b");
  }

  @Test
  void pause_untilResumed_showsTheQuestionOnly() {
    ProgressLine line = new ProgressLine(out, true);

    line.show(0, "a");
    line.pause("sure? ");
    line.show(0, "b");
    assertThat(printed()).isEqualTo("\r" + EMPTY_BAR + "a\nsure? ");

    line.resume(true);
    line.show(0, "c");
    assertThat(printed()).as("the answer has ended the line").isEqualTo("\r" + EMPTY_BAR + "c");

    line.pause("sure? ");
    line.resume(false);
    line.show(0, "d");
    assertThat(printed()).as("no answer").isEqualTo("\nsure? \n\r" + EMPTY_BAR + "d");

    line.pause("sure? ");
    line.close();
    assertThat(printed()).as("nobody waits any more").isEqualTo("\nsure? \n");
  }
}
