// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.testservers.DynamoDbServer;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;

/**
 * The DynamoDB backend and a DynamoDB Local of our own. Several suites: prices do not depend on the
 * machine and can be measured at any time, speed does.
 */
record DynamoDbSuite(String name, String title, List<String> documents, Measurement measurement)
    implements Suite {

  /**
   * How much is measured.
   *
   * @param finished how many finished tasks the owner has who has the most
   * @param starts how often a JVM is started with each client
   * @param owners sizes of one owner
   * @param stores sizes of a whole table
   */
  record Plan(
      Rounds.Plan rounds, int finished, int starts, List<Integer> owners, List<Integer> stores) {
    Plan {
      owners = List.copyOf(owners);
      stores = List.copyOf(stores);
    }

    private static final Plan FULL =
        new Plan(
            new Rounds.Plan(25, 41, Duration.ofMillis(400)),
            10_000,
            11,
            List.of(100, 1_000, 10_000, 100_000),
            List.of(1_000, 10_000, 100_000));

    private static final Plan QUICK =
        new Plan(
            new Rounds.Plan(1, 3, Duration.ofMillis(50)),
            100,
            1,
            List.of(100, 200),
            List.of(100, 200));
  }

  /** What a suite does. */
  interface Measurement {
    /** Returns the text that follows the title. */
    String measure(Plan plan, DynamoDbServer server, PrintStream progress) throws Exception;
  }

  static final List<DynamoDbSuite> ALL =
      List.of(
          new DynamoDbSuite(
              "dynamodb",
              "What operations cost in DynamoDB",
              List.of("performance.md", "backends/dynamodb.md"),
              DynamoDbPrices::measure),
          new DynamoDbSuite(
              "dynamodb-sizes",
              "What operations cost in DynamoDB while tasks pile up",
              List.of("performance.md"),
              DynamoDbSizes::measure),
          new DynamoDbSuite(
              "dynamodb-ratios",
              "The DynamoDB backend, beside the SDK sending the same bytes",
              List.of("performance.md"),
              DynamoDbRatios::measure),
          new DynamoDbSuite(
              "dynamodb-first-call",
              "The first calls to DynamoDB in a JVM that has just started",
              List.of("performance.md"),
              DynamoDbFirstCall::measure));

  @Override
  public String measure(Options options) throws IOException {
    return measure(options, options.quick() ? Plan.QUICK : Plan.FULL);
  }

  String measure(Options options, Plan plan) throws IOException {
    try (DynamoDbServer server = DynamoDbServer.start()) {
      return "**%s.** %s".formatted(title, measurement.measure(plan, server, options.progress()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    } catch (Exception e) {
      e.printStackTrace(options.progress());
      throw new MeasurementException(e.toString(), e);
    }
  }
}
