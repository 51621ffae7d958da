// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Turns figures into a table, and puts a table into a document. No input or output. */
final class Report {
  private Report() {}

  /**
   * Returns the table of a suite in Markdown.
   *
   * @param circumstances where and how it was measured
   * @throws ReportException if a row has no figures: a gap would look like an answer
   */
  static String table(JmhSuite suite, Map<Measured.Id, Measured> results, String circumstances) {
    StringBuilder text = new StringBuilder();
    text.append("**").append(suite.title()).append(".** ").append(circumstances).append("\n\n");
    text.append("| Operation | Ours, ops/s | Raw baseline | Raw, ops/s | Ours / raw | Ours, B/op |")
        .append(" Raw, B/op |\n");
    text.append("|---|--:|---|--:|--:|--:|--:|\n");
    for (JmhSuite.Row row : suite.rows()) {
      Measured ours = find(results, row, row.ours());
      Measured raw = find(results, row, row.raw());
      List<String> cells =
          List.of(
              row.operation(),
              throughput(ours),
              row.baselineName(),
              throughput(raw),
              ratio(ours.opsPerSecond() / raw.opsPerSecond()),
              bytes(ours.bytesPerOp()),
              bytes(raw.bytesPerOp()));
      text.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }
    return text.toString();
  }

  private static Measured find(
      Map<Measured.Id, Measured> results, JmhSuite.Row row, Measured.Id id) {
    Measured measured = results.get(id);
    if (measured == null) {
      throw new ReportException(
          "the row \"%s\" has no figures: there is no result of %s%s"
              .formatted(
                  row.operation(),
                  id.benchmark(),
                  id.params().isEmpty() ? "" : " with " + id.params()));
    }
    return measured;
  }

  /** A figure, and its error in per cent of it: a glance tells whether two figures differ. */
  private static String throughput(Measured measured) {
    double percent = 100 * measured.error() / measured.opsPerSecond();
    String error = Double.isFinite(percent) ? String.format(Locale.ROOT, "%.0f %%", percent) : "?";
    return figure(measured.opsPerSecond()) + " ± " + error;
  }

  /** Three digits. */
  static String figure(double value) {
    return value < 100 ? rounded(value, 3).toPlainString() : whole(rounded(value, 3));
  }

  static String ratio(double value) {
    return value < 0.1
        ? rounded(value, 2).toPlainString()
        : String.format(Locale.ROOT, "%.2f", value);
  }

  /**
   * What is below half a byte is next to nothing: something that is not done for each operation.
   */
  private static String bytes(double value) {
    return whole(rounded(value, 3));
  }

  /** Digits beyond three are noise. */
  private static BigDecimal rounded(double value, int digits) {
    return new BigDecimal(value).round(new MathContext(digits));
  }

  private static String whole(BigDecimal value) {
    return String.format(Locale.ROOT, "%,.0f", value);
  }

  /**
   * Returns a document with a new text between the markers of a suite; all else stays as it is.
   *
   * @throws ReportException if the markers are not there, once each and in order
   */
  static String insert(String document, String suiteName, String text) {
    String begin = marker(suiteName, "begin");
    String end = marker(suiteName, "end");
    int from = only(document, begin) + begin.length();
    int to = only(document, end);
    if (to < from) {
      throw new ReportException("\"" + end + "\" stands before \"" + begin + "\"");
    }
    return document.substring(0, from) + "\n" + text + document.substring(to);
  }

  /**
   * Returns the text between the markers of a suite.
   *
   * @throws ReportException if the markers are not there, once each
   */
  static String extract(String document, String suiteName) {
    String begin = marker(suiteName, "begin");
    int from = only(document, begin) + begin.length();
    return document.substring(from, Math.max(from, only(document, marker(suiteName, "end"))));
  }

  private static int only(String document, String marker) {
    int first = document.indexOf(marker);
    if (first < 0) {
      throw new ReportException("there is no line \"" + marker + "\"");
    }
    if (document.indexOf(marker, first + 1) >= 0) {
      throw new ReportException("there are two lines \"" + marker + "\"");
    }
    return first;
  }

  private static String marker(String suiteName, String edge) {
    return "<!-- benchmark:" + suiteName + ":" + edge + " -->";
  }

  /** Figures or markers are missing. */
  static final class ReportException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ReportException(String message) {
      super(message);
    }
  }
}
