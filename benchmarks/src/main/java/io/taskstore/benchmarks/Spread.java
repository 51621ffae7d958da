// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Where the figures of several rounds lie: half of them between the quartiles, and half of them on
 * either side of the median. A mean would follow one round in which the disk was busy elsewhere.
 */
record Spread(double low, double median, double high) {
  static Spread of(List<Double> figures) {
    List<Double> sorted = new ArrayList<>(figures);
    Collections.sort(sorted);
    return new Spread(at(sorted, 0.25), at(sorted, 0.5), at(sorted, 0.75));
  }

  /** Between two figures, as if they were joined by a line. */
  private static double at(List<Double> sorted, double part) {
    double position = part * (sorted.size() - 1);
    int below = (int) Math.floor(position);
    int above = (int) Math.ceil(position);
    double rest = position - below;
    return sorted.get(below) * (1 - rest) + sorted.get(above) * rest;
  }
}
