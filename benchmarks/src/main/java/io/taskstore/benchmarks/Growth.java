// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.batik.svggen.SVGGeneratorContext;
import org.apache.batik.svggen.SVGGraphics2D;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;
import org.w3c.dom.Document;

/**
 * A table of {@link SizesTable} as it stands in a document, to be drawn. It is read from the text,
 * so that a picture never shows anything but the table beside it.
 *
 * @param of what there are so many of
 * @param times for each operation how many times as long it takes as at the smallest size
 */
record Growth(String of, List<Integer> sizes, Map<String, List<Double>> times) {
  private static final Pattern SIZE = Pattern.compile("[0-9]{1,3}(,[0-9]{3})*");
  private static final Pattern RATIO = Pattern.compile("\\*\\*([0-9.,]+)\\*\\*");

  private static final int WIDTH = 900;
  private static final int HEIGHT = 420;

  /** Returns all tables of this kind in a text, in their order. */
  static List<Growth> in(String markdown) {
    List<Growth> found = new ArrayList<>();
    List<String> lines = markdown.lines().toList();
    for (int at = 0; at < lines.size(); at++) {
      List<String> head = cells(lines.get(at));
      boolean isHead = at + 1 < lines.size() && lines.get(at + 1).startsWith("|---");
      if (!isHead || !head.stream().skip(1).allMatch(cell -> SIZE.matcher(cell).matches())) {
        continue;
      }
      Map<String, List<Double>> times = new LinkedHashMap<>();
      at += 2; // behind the line of hyphens
      for (; at < lines.size() && lines.get(at).startsWith("|"); at++) {
        List<String> row = cells(lines.get(at));
        times.put(row.get(0).replace("`", ""), ratios(row));
      }
      List<Integer> sizes =
          head.stream().skip(1).map(cell -> Integer.valueOf(cell.replace(",", ""))).toList();
      found.add(new Growth(head.get(0), sizes, times));
    }
    return found;
  }

  private static List<String> cells(String line) {
    List<String> cells = new ArrayList<>();
    if (line.startsWith("| ")) {
      for (String cell : line.substring(1, line.lastIndexOf('|')).split("\\|", -1)) {
        cells.add(cell.strip());
      }
    }
    return cells;
  }

  private static List<Double> ratios(List<String> row) {
    List<Double> ratios = new ArrayList<>(List.of(1.0));
    for (String cell : row.subList(2, row.size())) {
      Matcher ratio = RATIO.matcher(cell);
      if (!ratio.find()) {
        throw new Report.ReportException("no ratio stands in \"" + cell + "\"");
      }
      ratios.add(Double.valueOf(ratio.group(1).replace(",", "")));
    }
    return ratios;
  }

  /** Draws it, as SVG. */
  String svg() {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .xAxisTitle(of)
            .yAxisTitle("times as long as with the fewest")
            .build();
    chart.getStyler().setXAxisLogarithmic(true).setYAxisMin(0.0).setYAxisDecimalPattern("0.0");
    chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
    times.forEach(
        (operation, ratios) ->
            chart.addSeries(operation, sizes, ratios).setMarker(SeriesMarkers.CIRCLE));
    SVGGeneratorContext context = SVGGeneratorContext.createDefault(document());
    context.setPrecision(1);
    context.setComment(description());
    SVGGraphics2D graphics = new SVGGraphics2D(context, false);
    chart.paint(graphics, WIDTH, HEIGHT);
    StringWriter text = new StringWriter();
    try {
      graphics.stream(text, true);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  /** What is drawn, for those who look at the file: the letters in it are but curves. */
  String description() {
    return "%s %s: %s".formatted(of, sizes, times);
  }

  private static Document document() {
    try {
      return DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .getDOMImplementation()
          .createDocument("http://www.w3.org/2000/svg", "svg", null);
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException(e);
    }
  }
}
