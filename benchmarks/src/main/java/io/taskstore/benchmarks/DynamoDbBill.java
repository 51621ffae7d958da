// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.util.List;
import java.util.Locale;

/** What a million tasks cost, by the units that were reported and a price list. */
final class DynamoDbBill {
  private static final int TASKS = 1_000_000;

  // On demand, us-east-1, table class Standard, since 2024-11-01; without taxes and free tier.
  private static final String PRICE_LIST =
      "on demand, `us-east-1`, table class Standard, the list of 1 November 2024";

  static final double DOLLARS_FOR_A_MILLION_READ = 0.125;
  static final double DOLLARS_FOR_A_MILLION_WRITTEN = 0.625;

  private static final int UPDATES = 10;
  private static final int READS = 20;

  private DynamoDbBill() {}

  static String of(List<DynamoDbPrices.Row> rows) {
    DynamoDbMeter.Cost each =
        cost(rows, "create")
            .plus(cost(rows, "update in hand").times(UPDATES))
            .plus(cost(rows, "get").times(READS))
            .plus(cost(rows, "finish, in hand"));
    double reading = each.read() * TASKS / 1e6 * DOLLARS_FOR_A_MILLION_READ;
    double writing = each.written() * TASKS / 1e6 * DOLLARS_FOR_A_MILLION_WRITTEN;
    return String.format(
        Locale.ROOT,
        "A million tasks of 1 KB, each created, reported on %d times, read %d times, finished, and"
            + " then deleted by DynamoDB: %,.0f RCU and %,.0f WCU for each, so $%.2f for reading"
            + " and $%.2f for writing, **$%.2f** together. Assumed prices (%s): $%.3f for a million"
            + " read units, $%.3f for a million write units; storage, of which such tasks need"
            + " little, is not counted.%n",
        UPDATES,
        READS,
        each.read(),
        each.written(),
        reading,
        writing,
        reading + writing,
        PRICE_LIST,
        DOLLARS_FOR_A_MILLION_READ,
        DOLLARS_FOR_A_MILLION_WRITTEN);
  }

  private static DynamoDbMeter.Cost cost(List<DynamoDbPrices.Row> rows, String operation) {
    return rows.stream()
        .filter(row -> row.operation().equals(operation))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("there is no price of " + operation))
        .cost();
  }
}
