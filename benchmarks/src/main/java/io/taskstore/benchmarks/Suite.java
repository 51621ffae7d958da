// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What is measured together, and becomes one text in the document. */
interface Suite {
  /** What it is called on the command line, and in the markers of the document. */
  String name();

  /** What it measures, for people. */
  String title();

  /** The documents that have its text, in the folder of the documents. */
  default List<String> documents() {
    return List.of("performance.md");
  }

  /**
   * Measures, and returns the text in Markdown.
   *
   * @throws IOException if the machine cannot be described
   * @throws MeasurementException if there is no result
   */
  String measure(Options options) throws IOException;

  /**
   * How to measure.
   *
   * @param quick to see that all works; the figures mean little
   * @param directory where files are made, in a directory of their own that is removed in the end
   * @param million whether there is time for a million files
   * @param progress where to say what is going on
   */
  record Options(boolean quick, Path directory, boolean million, PrintStream progress) {}

  /** Something could not be measured. */
  final class MeasurementException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    MeasurementException(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }
}
