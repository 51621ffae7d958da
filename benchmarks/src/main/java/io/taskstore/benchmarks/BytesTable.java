// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;

/** A table in Markdown of the memory that a task needs, for owners who have many or few. */
final class BytesTable {
  private BytesTable() {}

  /** Stores records, and returns how many bytes there are more for each of them. */
  @FunctionalInterface
  interface Measurement {
    double bytesOfEach(Records records) throws Exception;
  }

  static String measure(int count, Measurement measurement, PrintStream progress) throws Exception {
    Map<String, Integer> owners = new LinkedHashMap<>();
    owners.put("of one owner", 1);
    owners.put("of owners who have 100 each", count / 100);
    owners.put("of owners who have one each", count);
    StringBuilder table = new StringBuilder();
    table.append("| Bytes for a task of 1,024 bytes | Active | beside the data | Finished |");
    table.append(" beside the data |\n|---|--:|--:|--:|--:|\n");
    for (Map.Entry<String, Integer> row : owners.entrySet()) {
      int each = count / row.getValue();
      double active = measurement.bytesOfEach(new Records(row.getValue(), 0, each));
      double finished = measurement.bytesOfEach(new Records(row.getValue(), each, 0));
      String line =
          "| %s | %s | **%s** | %s | **%s** |%n"
              .formatted(
                  row.getKey(),
                  Report.figure(active),
                  Report.figure(active - Records.DATA_BYTES),
                  Report.figure(finished),
                  Report.figure(finished - Records.DATA_BYTES));
      progress.print(line);
      table.append(line);
    }
    return "%s tasks for each figure.\n\n%s".formatted(SizesTable.name(count), table);
  }
}
