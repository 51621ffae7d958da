// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;

/** What the memory backend is like with many tasks; JMH measures it with few. */
record MemorySuite(String name, String title, Measurement measurement) implements Suite {
  /**
   * How much is measured.
   *
   * @param owners sizes of one owner
   * @param stores sizes of a whole store
   * @param heap how many records the heap is measured with
   */
  record Plan(Rounds.Plan rounds, List<Integer> owners, List<Integer> stores, int heap) {
    private static final Plan FULL =
        new Plan(
            new Rounds.Plan(4, 15, Duration.ofMillis(250)),
            List.of(100, 1_000, 10_000, 100_000),
            List.of(1_000, 10_000, 100_000, 1_000_000),
            300_000);

    private static final Plan QUICK =
        new Plan(
            new Rounds.Plan(1, 3, Duration.ofMillis(50)),
            List.of(100, 1_000),
            List.of(1_000, 10_000),
            1_000);

    Plan {
      owners = List.copyOf(owners);
      stores = List.copyOf(stores);
    }
  }

  /** What a suite does. */
  interface Measurement {
    /** Returns the text that follows the circumstances. */
    String measure(Plan plan, PrintStream progress) throws Exception;
  }

  static final List<MemorySuite> ALL =
      List.of(
          new MemorySuite(
              "memory-sizes", "The memory backend while tasks pile up", MemorySuite::sizes),
          new MemorySuite(
              "memory-heap",
              "The heap that a task needs in the memory backend",
              (plan, progress) -> MemoryHeap.measure(plan.heap(), progress)));

  private static String sizes(Plan plan, PrintStream progress) throws Exception {
    return Sizes.measure(
        plan.rounds(), plan.stores(), plan.owners(), MemorySuite::filled, progress);
  }

  private static Sizes.Filled filled(Records records, Instant now, PrintStream progress)
      throws Exception {
    MemoryStorageBackend backend = roomy();
    Maps maps = new Maps();
    records.store(
        now,
        progress,
        (key, value) -> {
          Expect.that(backend.putIfVersion(key, value, StorageBackend.ABSENT) instanceof Written);
          maps.put(key, value);
        });
    return new Sizes.Filled(backend, Optional.of(maps), () -> {});
  }

  /** Maps of Java, which have neither versions nor limits. */
  private static final class Maps implements Sizes.Raw {
    private final ConcurrentMap<RecordKey, RecordValue> byKey = new ConcurrentHashMap<>();
    private final ConcurrentMap<String, ConcurrentNavigableMap<String, RecordValue>> byId =
        new ConcurrentHashMap<>();

    void put(RecordKey key, RecordValue value) {
      byKey.put(key, value);
      byId.computeIfAbsent(key.partition(), name -> new ConcurrentSkipListMap<>())
          .put(key.id(), value);
    }

    @Override
    public String getting() {
      return "raw: `ConcurrentHashMap.get`, any";
    }

    @Override
    public boolean contains(RecordKey key) {
      RecordValue value = byKey.get(key);
      return value != null && value.data().size() > 0;
    }

    @Override
    public String listing() {
      return "raw: `ConcurrentSkipListMap.tailMap`, 50 from the middle";
    }

    @Override
    public int list(String partition, String after, int limit) {
      int count = 0;
      for (RecordValue value :
          Objects.requireNonNull(byId.get(partition)).tailMap(after, false).values()) {
        count += value.data().size() > 0 ? 1 : 0;
        if (count == limit) {
          break;
        }
      }
      return count;
    }
  }

  /** With room for whatever is measured. */
  static MemoryStorageBackend roomy() {
    return MemoryStorageBackend.builder()
        .maxRecords(Integer.MAX_VALUE)
        .maxBytes(Long.MAX_VALUE)
        .build();
  }

  @Override
  public String measure(Options options) throws IOException {
    return measure(options, options.quick() ? Plan.QUICK : Plan.FULL);
  }

  String measure(Options options, Plan plan) throws IOException {
    try {
      return "**%s.** %s; `%s`.\n\n%s"
          .formatted(
              title,
              Machine.describe(),
              Machine.jvmOptions(),
              measurement.measure(plan, options.progress()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MeasurementException("interrupted", e);
    } catch (Exception e) {
      e.printStackTrace(options.progress());
      throw new MeasurementException(e.toString(), e);
    }
  }
}
