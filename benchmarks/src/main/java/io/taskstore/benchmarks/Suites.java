// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.CodecBenchmark;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * All suites. A new one needs a class of benchmarks, an entry here, and a pair of markers in the
 * document. What depends on a disk or on a server is no work for JMH, which measures one thing for
 * long before it comes to the next.
 */
final class Suites {
  static final List<JmhSuite> JMH = List.of(codec(), memory(), store());
  static final List<Suite> ALL =
      Stream.of(
              JMH,
              List.of(new HandlerSuite(), new StartSuite(), new WaiterSuite()),
              MemorySuite.ALL,
              List.of(new FileSuite()),
              RedisSuite.ALL,
              DynamoDbSuite.ALL)
          .<Suite>flatMap(List::stream)
          .toList();

  private Suites() {}

  private static JmhSuite codec() {
    List<JmhSuite.Row> rows = new ArrayList<>();
    for (String kilobytes : List.of("1", "16", "300")) {
      codecRow(rows, "write a task as it was read", kilobytes, "encode", "rawEncode", "write map");
      codecRow(
          rows,
          "write a task from Java values",
          kilobytes,
          "encodeValues",
          "rawEncode",
          "write map");
      codecRow(rows, "read a task", kilobytes, "decode", "rawDecode", "read map");
      codecRow(
          rows,
          "read a task and all variables",
          kilobytes,
          "decodeValues",
          "rawDecode",
          "read map");
      codecRow(
          rows,
          "read, change one variable, write",
          kilobytes,
          "update",
          "rawUpdate",
          "read map, put, write map");
    }
    return new JmhSuite("codec", "Reading and writing the stored form, beside Jackson", rows);
  }

  private static void codecRow(
      List<JmhSuite.Row> rows,
      String operation,
      String kilobytes,
      String benchmark,
      String baseline,
      String baselineName) {
    rows.add(
        new JmhSuite.Row(
            operation + ", " + kilobytes + " KB",
            CodecBenchmark.class,
            Map.of("kilobytes", kilobytes),
            benchmark,
            baseline,
            baselineName));
  }

  private static JmhSuite memory() {
    return new JmhSuite(
        "memory",
        "The memory backend with records of 1 KB, beside maps of Java",
        List.of(
            memoryRow("`get`", "get", "rawGet", "`ConcurrentHashMap.get`"),
            memoryRow("`putIfVersion`", "update", "rawUpdate", "`ConcurrentHashMap.replace`"),
            memoryRow(
                "`createWithin`, 0 to 100 active",
                "createWithin",
                "rawCreate",
                "`ConcurrentHashMap.putIfAbsent`, no limit"),
            memoryRow(
                "`deleteIfVersion` and create",
                "deleteAndCreate",
                "rawDeleteAndCreate",
                "`ConcurrentHashMap.remove`, `putIfAbsent`"),
            memoryRow(
                "`list`, 50 of 1,000", "list", "rawList", "`ConcurrentSkipListMap.tailMap`, 50"),
            memoryRow(
                "`listActive`, 50 of 100 in 1,000",
                "listActive",
                "rawListActive",
                "`ConcurrentSkipListMap.tailMap`, 50"),
            memoryRow(
                "`putIfVersion`, 8 threads, own partitions",
                "updateApart",
                "rawUpdateApart",
                "`ConcurrentHashMap.replace`, own keys"),
            memoryRow(
                "`putIfVersion` until it is written, 8 threads, one key",
                "updateSame",
                "rawUpdateSame",
                "`ConcurrentHashMap.replace` until it is")));
  }

  private static JmhSuite.Row memoryRow(
      String operation, String benchmark, String baseline, String baselineName) {
    return new JmhSuite.Row(
        operation, MemoryBenchmark.class, Map.of(), benchmark, baseline, baselineName);
  }

  private static JmhSuite store() {
    return new JmhSuite(
        "store",
        "The store over the memory backend with tasks of 1 KB, beside the backend alone",
        List.of(
            storeRow("`create`, 0 to 100 active", "create", "rawCreate", "`createWithin`"),
            storeRow("`get`", "get", "rawGet", "`get`"),
            storeRow(
                "`update` in hand: progress, one variable",
                "updateInHand",
                "rawUpdateInHand",
                "`putIfVersion`"),
            storeRow(
                "`update` by id: progress, one variable",
                "updateById",
                "rawUpdateById",
                "`get`, `putIfVersion`"),
            storeRow("`list`, 50 newest of 1,000", "list", "rawList", "`list`"),
            storeRow(
                "`list`, 50 newest of 100 active in 1,000",
                "listActive",
                "rawListActive",
                "`listActive`, 50 × `get`"),
            storeRow(
                "`update` in hand until it is written, 8 threads, one task",
                "updateSame",
                "rawUpdateSame",
                "`putIfVersion` until it is written")));
  }

  private static JmhSuite.Row storeRow(
      String operation, String benchmark, String baseline, String baselineName) {
    return new JmhSuite.Row(
        operation, StoreBenchmark.class, Map.of(), benchmark, baseline, baselineName);
  }
}
