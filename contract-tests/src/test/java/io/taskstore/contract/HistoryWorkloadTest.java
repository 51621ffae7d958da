// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.contract.HistoryWorkload.Summary;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class HistoryWorkloadTest {
  private static final long SEED = 20_260_101;

  @Test
  void correctBackendWithoutDeletes_passes() {
    Summary summary = HistoryWorkload.deleteFree(SEED, 4, 10_000).run(map(), "p");
    assertThat(summary.calls()).isEqualTo(10_000);
    assertThat(summary.keys()).isEqualTo(4);
    assertThat(summary.writes()).isGreaterThan(500);
    assertThat(summary.conflicts()).isGreaterThan(500);
    assertThat(summary.unknown()).isZero();
    assertThat(summary.failed()).isZero();
  }

  @Test
  void correctBackendWithDeletes_passes() {
    Summary summary = HistoryWorkload.withDeletes(SEED, 4, 10_000).run(map(), "p");
    assertThat(summary.calls()).isEqualTo(10_000);
    assertThat(summary.keys()).isEqualTo(208);
    assertThat(summary.writes()).isGreaterThan(500);
    assertThat(summary.conflicts()).isGreaterThan(500);
  }

  @Test
  void severalInstancesOnOneStorage_pass() {
    HistoryMapBackend first = new HistoryMapBackend();
    HistoryMapBackend second = new HistoryMapBackend(first.records);
    Summary summary = HistoryWorkload.withDeletes(SEED, 3, 5_000).run(List.of(first, second), "p");
    assertThat(summary.calls()).isEqualTo(5_000);
  }

  @Test
  void fewerCallsThanThreads_pass() {
    Summary summary = new HistoryWorkload(SEED, 4, 3, 2, 5, 20, 0).run(map(), "p");
    assertThat(summary.calls()).isEqualTo(5);
    assertThat(summary.keys()).isEqualTo(6);
  }

  @Test
  void nothingToDo_isRefused() {
    assertThatThrownBy(() -> new HistoryWorkload(SEED, 0, 1, 1, 1, 0, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  @Tag(ContractBase.CERTIFICATION)
  void aMillionCalls_pass() {
    assertThat(HistoryWorkload.deleteFree(SEED, 4, 1_000_000).run(map(), "p").calls())
        .isEqualTo(1_000_000);
    assertThat(HistoryWorkload.withDeletes(SEED, 4, 1_000_000).run(map(), "p").calls())
        .isEqualTo(1_000_000);
  }

  @Nested
  class Failures {
    @Test
    void lostAnswers_passWhetherAppliedOrNot() {
      for (HistoryWorkload workload : both(10_000)) {
        Summary summary = workload.run(List.of(new LosingAnswers()), "p");
        assertThat(summary.unknown()).isGreaterThan(100);
        assertThat(summary.failed()).isGreaterThan(100);
      }
    }

    @Test
    void answersReportedAsFailureThoughApplied_areFound() {
      assertFound(
          () ->
              new HistoryMapBackend() {
                private final AtomicInteger calls = new AtomicInteger();

                @Override
                public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
                  PutResult result = super.putIfVersion(key, value, expected);
                  if (calls.incrementAndGet() % 50 == 0) {
                    throw new StorageUnavailableException("put", key, true, "scripted", null);
                  }
                  return result;
                }
              });
    }

    @Test
    void error_endsTheWorkload() {
      HistoryMapBackend broken =
          new HistoryMapBackend() {
            @Override
            public Optional<VersionedRecord> get(RecordKey key) {
              throw new StackOverflowError("scripted");
            }
          };
      assertThatThrownBy(() -> HistoryWorkload.deleteFree(SEED, 3, 1_000).run(List.of(broken), "p"))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("seed=" + SEED)
          .hasCauseInstanceOf(StackOverflowError.class);
    }

    @Test
    void interrupt_endsTheWorkload() {
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> HistoryWorkload.deleteFree(SEED, 3, 1_000).run(map(), "p"))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("Interrupted");
      assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void usedPartition_isNoticed() {
      List<HistoryMapBackend> backends = map();
      HistoryWorkload workload = HistoryWorkload.deleteFree(SEED, 2, 1_000);
      workload.run(backends, "p");
      assertThatThrownBy(() -> workload.run(backends, "p")).isInstanceOf(AssertionError.class);
    }
  }

  @Nested
  class BrokenBackends {
    @Test
    void checkThenAct_isFound() {
      assertFound(
          () ->
              new HistoryMapBackend() {
                @Override
                public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
                  VersionedRecord stored = records.get(key);
                  if (expected != (stored == null ? ABSENT : stored.version())) {
                    return new Conflict(stored);
                  }
                  pause();
                  records.put(key, new VersionedRecord(key, value, expected + 1));
                  return new Written(expected + 1);
                }
              });
    }

    @Test
    void staleCacheOfAnotherInstance_isFound() {
      ConcurrentMap<RecordKey, VersionedRecord> storage = new ConcurrentHashMap<>();
      for (HistoryWorkload workload : both(5_000)) {
        assertThatThrownBy(
                () ->
                    workload.run(
                        List.of(new Caching(storage), new Caching(storage)),
                        "p" + workload.deletePercent()))
            .isInstanceOf(AssertionError.class)
            .hasMessageContaining("not linearizable")
            .hasMessageContaining("seed=" + SEED);
      }
    }

    @Test
    void deleteThatChecksFirst_isFound() {
      assertThatThrownBy(
              () ->
                  HistoryWorkload.withDeletes(SEED, 4, 20_000)
                      .run(
                          List.of(
                              new HistoryMapBackend() {
                                @Override
                                public DeleteResult deleteIfVersion(RecordKey key, long expected) {
                                  VersionedRecord stored = records.get(key);
                                  if (stored == null || stored.version() != expected) {
                                    return new Conflict(stored);
                                  }
                                  pause();
                                  records.remove(key);
                                  return Deleted.DELETED;
                                }
                              }),
                          "p"))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("not linearizable");
    }

    @Test
    void winnerReadBeforeTheComparison_isFound() {
      // What a client does that reads first and then tells the conflict from the old answer.
      assertFound(
          () ->
              new HistoryMapBackend() {
                @Override
                public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
                  VersionedRecord before = records.get(key);
                  pause();
                  return super.putIfVersion(key, value, expected) instanceof Written written
                      ? written
                      : new Conflict(before);
                }
              });
    }

    @Test
    void writeSentTwice_isFound() {
      assertFound(
          () ->
              new HistoryMapBackend() {
                private final AtomicInteger calls = new AtomicInteger();

                @Override
                public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
                  PutResult result = super.putIfVersion(key, value, expected);
                  return calls.incrementAndGet() % 100 == 0
                      ? super.putIfVersion(key, value, expected)
                      : result;
                }
              });
    }

    @Test
    void fieldsWrittenOneAfterTheOther_areFound() {
      assertFound(
          () ->
              new HistoryMapBackend() {
                private final ConcurrentMap<RecordKey, Bytes> data = new ConcurrentHashMap<>();

                @Override
                public Optional<VersionedRecord> get(RecordKey key) {
                  return super.get(key)
                      .map(
                          stored -> {
                            RecordValue value = stored.value();
                            return new VersionedRecord(
                                key,
                                new RecordValue(
                                    data.getOrDefault(key, Bytes.EMPTY),
                                    value.active(),
                                    value.expiresAt(),
                                    value.writeId()),
                                stored.version());
                          });
                }

                @Override
                public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
                  PutResult result = super.putIfVersion(key, value, expected);
                  if (result instanceof Written) {
                    pause();
                    data.put(key, value.data());
                  }
                  return result;
                }
              },
          "torn");
    }

    @Test
    void versionsKeptAfterADelete_areFound() {
      assertThatThrownBy(
              () -> HistoryWorkload.withDeletes(SEED, 4, 5_000).run(List.of(new Tombstones()), "p"))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("exactly 1");
    }
  }

  /** Loses every tenth answer, having written or not, and fails now and then. */
  private static final class LosingAnswers extends HistoryMapBackend {
    private final AtomicInteger calls = new AtomicInteger();

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      int call = calls.incrementAndGet();
      fail(call, key);
      PutResult result = super.putIfVersion(key, value, expected);
      lose(call, key);
      return result;
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      int call = calls.incrementAndGet();
      fail(call, key);
      DeleteResult result = super.deleteIfVersion(key, expected);
      lose(call, key);
      return result;
    }

    private static void fail(int call, RecordKey key) {
      if (call % 20 == 3) {
        throw new OutcomeUnknownException("any", key, "scripted", null);
      }
      if (call % 20 == 7) {
        throw new StorageUnavailableException("any", key, true, "scripted", null);
      }
    }

    private static void lose(int call, RecordKey key) {
      if (call % 20 == 13) {
        throw new OutcomeUnknownException("any", key, "scripted", null);
      }
    }
  }

  /** Remembers what it has written, and does not hear of what others write. */
  private static final class Caching extends HistoryMapBackend {
    private final ConcurrentMap<RecordKey, VersionedRecord> cache = new ConcurrentHashMap<>();

    Caching(ConcurrentMap<RecordKey, VersionedRecord> storage) {
      super(storage);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      VersionedRecord cached = cache.get(key);
      return cached == null ? super.get(key) : Optional.of(cached);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      PutResult result = super.putIfVersion(key, value, expected);
      if (result instanceof Written written) {
        cache.put(key, new VersionedRecord(key, value, written.version()));
      }
      return result;
    }
  }

  /** Goes on with the version of a record that was deleted. */
  private static final class Tombstones extends HistoryMapBackend {
    private final ConcurrentMap<RecordKey, Long> last = new ConcurrentHashMap<>();

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      DeleteResult result = super.deleteIfVersion(key, expected);
      if (result == Deleted.DELETED) {
        last.put(key, expected);
      }
      return result;
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      PutResult result = super.putIfVersion(key, value, expected);
      return result instanceof Written written && expected == ABSENT
          ? new Written(written.version() + last.getOrDefault(key, 0L))
          : result;
    }
  }

  private interface Broken {
    HistoryMapBackend create();
  }

  private static void assertFound(Broken broken) {
    assertFound(broken, "not linearizable");
  }

  private static void assertFound(Broken broken, String message) {
    for (HistoryWorkload workload : both(40_000)) {
      assertThatThrownBy(() -> workload.run(List.of(broken.create()), "p"))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining(message)
          .hasMessageContaining("seed=" + SEED);
    }
  }

  private static List<HistoryWorkload> both(int calls) {
    return List.of(
        HistoryWorkload.deleteFree(SEED, 4, calls), HistoryWorkload.withDeletes(SEED, 4, calls));
  }

  private static List<HistoryMapBackend> map() {
    return List.of(new HistoryMapBackend());
  }

  private static void pause() {
    LockSupport.parkNanos(20_000);
  }
}
