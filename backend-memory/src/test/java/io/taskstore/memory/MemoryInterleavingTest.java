// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.headIds;
import static io.taskstore.memory.Records.listAll;
import static io.taskstore.memory.Records.listAllActive;
import static io.taskstore.memory.Records.stored;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.memory.Probe.Step;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Two calls of which one happens at a chosen point of the other. Racing threads would meet these
 * points in a few runs of a hundred; here they are met in every one.
 */
final class MemoryInterleavingTest {
  private final ProbeScript probe = new ProbeScript();
  private final MemoryStorageBackend backend = MemoryStorageBackend.builder().build(probe);
  private final String partition = Records.partition();
  private final RecordKey key = new RecordKey(partition, "id");
  private final RecordKey other = new RecordKey(partition, "other");

  /** What a reader sees of {@link #key} in the middle of a write. */
  private record View(
      Optional<VersionedRecord> got, List<VersionedRecord> listed, List<RecordHead> active) {}

  @ParameterizedTest
  @EnumSource(names = {"INDEXED", "STORED"})
  void create_readInTheMiddle_isAllThereOrNotAtAll(Step step) { // A12, G13
    RecordValue value = value("a", true, NOW);

    View seen = viewAt(step, () -> backend.putIfVersion(key, value, 0));

    assertWhole(seen);
    assertThat(seen.got().isPresent()).isEqualTo(step == Step.STORED);
  }

  @ParameterizedTest
  @EnumSource(names = {"INDEXED", "STORED"})
  void update_readInTheMiddle_isTheOldOrTheNewRecord(Step step) { // A12, G13
    List<RecordValue> values =
        List.of(
            value("a", true, NOW),
            value("b", true, NOW),
            value("c", true, NOW.plusSeconds(1)),
            value("d", true, null),
            value("e", true, NOW.minusSeconds(1)),
            value("f", false, NOW),
            value("g", false, null),
            value("h", true, NOW),
            value("i", false, null));
    backend.putIfVersion(key, value("first"), 0);
    for (int i = 0; i < values.size(); i++) {
      int version = i + 1;
      RecordValue value = values.get(i);

      View seen = viewAt(step, () -> backend.putIfVersion(key, value, version));

      assertWhole(seen);
      assertThat(seen.got().orElseThrow().version())
          .isEqualTo(step == Step.STORED ? version + 1 : version);
    }
  }

  @Test
  void delete_readInTheMiddle_isGoneFromEverything() { // A5, A12
    backend.putIfVersion(key, value("a", true, NOW), 0);

    View seen = viewAt(Step.STORED, () -> backend.deleteIfVersion(key, 1));

    assertWhole(seen);
    assertThat(seen.got()).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"INDEXED", "STORED"})
  void reads_whileAWriterHoldsTheLock_doNotWait(Step step) throws Exception {
    backend.putIfVersion(key, value("a"), 0);
    CountDownLatch holding = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    probe.onceAt(
        step,
        () -> {
          holding.countDown();
          await(release);
        });
    CompletableFuture<PutResult> writer =
        CompletableFuture.supplyAsync(() -> backend.putIfVersion(key, value("b", false, NOW), 1));
    await(holding);

    // This thread would hang here, and the writer with it, if a read waited.
    assertThat(backend.get(key)).isPresent();
    assertThat(listAll(backend, partition, false, 10)).hasSize(1);
    assertThat(listAllActive(backend, partition, true, 10)).hasSizeBetween(0, 1);
    assertThat(backend.putIfVersion(new RecordKey(partition + "x", "y"), value("c"), 0))
        .isEqualTo(new Written(1));

    release.countDown();
    assertThat(writer.get(10, TimeUnit.SECONDS)).isEqualTo(new Written(2));
  }

  @Test
  void listActive_recordEndsAndAnotherBeginsDuringThePage_staysTruthful() {
    backend.putIfVersion(key, value("a"), 0);
    backend.putIfVersion(other, value("a"), 0);
    probe.onceAt(Step.VISIT, () -> backend.putIfVersion(other, value("b", false, null), 1));

    assertThat(headIds(listAllActive(backend, partition, false, 10))).containsExactly("id");
  }

  @Test
  void listActive_recordIsUpdatedAtEveryStep_isNeverMissed() {
    for (String id : List.of("a", "b", "c")) {
      backend.putIfVersion(new RecordKey(partition, id), value(id), 0);
    }
    probe.on(
        Step.VISIT,
        () -> {
          for (String id : List.of("a", "b", "c")) {
            backend.put(new RecordKey(partition, id), value(id, true, NOW));
          }
        });

    assertThat(headIds(listAllActive(backend, partition, false, 1))).containsExactly("a", "b", "c");
    assertThat(headIds(listAllActive(backend, partition, true, 10))).containsExactly("c", "b", "a");
  }

  @Test
  void purgeExpired_expiryMovedAfterTheRecordWasFoundDue_keepsTheRecord() { // C7
    backend.putIfVersion(key, value("a", true, NOW), 0);
    probe.onceAt(
        Step.FOUND, () -> backend.putIfVersion(key, value("b", true, NOW.plusMillis(1)), 1));

    assertThat(backend.purgeExpired(NOW, 10)).isZero();

    assertThat(stored(backend, key).version()).isEqualTo(2);
    assertThat(backend.expiryCount()).isEqualTo(1);
    assertThat(backend.purgeExpired(NOW.plusMillis(1), 10)).isEqualTo(1);
  }

  @Test
  void purgeExpired_anotherPurgeInTheMiddle_countsEachRecordOnce() { // F14
    backend.putIfVersion(key, value("a", true, NOW), 0);
    backend.putIfVersion(other, value("a", true, NOW), 0);
    AtomicReference<Integer> inner = new AtomicReference<>(0);
    probe.onceAt(Step.FOUND, () -> inner.set(backend.purgeExpired(NOW, 1)));

    int outer = backend.purgeExpired(NOW, 10);

    assertThat(inner.get()).isEqualTo(1);
    assertThat(outer).isEqualTo(1);
    assertThat(backend.partitionCount()).isZero();
  }

  @Test
  void write_partitionDiesAfterItWasFound_isNotLost() {
    backend.putIfVersion(other, value("a"), 0);
    probe.onceAt(Step.FOUND, () -> backend.deleteIfVersion(other, 1));

    assertThat(backend.putIfVersion(key, value("b"), 0)).isEqualTo(new Written(1));

    assertThat(probe.count()).isEqualTo(1);
    assertThat(backend.get(key)).isPresent();
    assertThat(headIds(listAllActive(backend, partition, false, 10))).containsExactly("id");
    assertThat(backend.partitionCount()).isEqualTo(1);
  }

  @Test
  void write_partitionDiesAndComesBackAfterItWasFound_meetsTheNewOne() {
    backend.putIfVersion(key, value("a"), 0);
    probe.onceAt(
        Step.FOUND,
        () -> {
          backend.deleteIfVersion(key, 1);
          backend.createWithin(other, value("b"), 1, NOW);
        });

    assertThat(backend.createWithin(key, value("c"), 1, NOW)).isEqualTo(Full.FULL);

    assertThat(backend.get(key)).isEmpty();
    assertThat(backend.get(other)).isPresent();
  }

  @Test
  void delete_partitionDiesAfterItWasFound_isAConflictWithAbsent() {
    backend.putIfVersion(key, value("a"), 0);
    probe.onceAt(Step.FOUND, () -> backend.deleteIfVersion(key, 1));

    assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Conflict.ABSENT);
    assertThat(backend.partitionCount()).isZero();
  }

  @Test
  void putIfVersion_otherWriteAfterThePartitionWasFound_conflictsWithIt() { // C5, C6
    backend.putIfVersion(key, value("a"), 0);
    probe.onceAt(Step.FOUND, () -> backend.putIfVersion(key, value("b"), 1));

    assertThat(backend.putIfVersion(key, value("c"), 1))
        .isEqualTo(new Conflict(stored(backend, key)));
    assertThat(stored(backend, key).version()).isEqualTo(2);

    probe.onceAt(Step.FOUND, () -> backend.deleteIfVersion(key, 2));
    assertThat(backend.putIfVersion(key, value("d"), 2)).isEqualTo(Conflict.ABSENT);
    assertThat(backend.get(key)).isEmpty();
  }

  @Test
  void createWithin_otherCreateAfterThePartitionWasFound_isCounted() { // C11
    probe.onceAt(
        Step.FOUND,
        () ->
            assertThat(backend.createWithin(other, value("a"), 1, NOW)).isEqualTo(Created.CREATED));

    assertThat(backend.createWithin(key, value("b"), 1, NOW)).isEqualTo(Full.FULL);
    assertThat(backend.get(key)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(names = {"LOOKUP", "FOUND"})
  void anyCall_closedInTheMiddle_neverSaysAbsent(Step step) { // I3
    List<ThrowingCallable> calls =
        List.of(
            () -> on(step).get(key),
            () -> on(step).list(new ListQuery(partition, null, false, 10)),
            () -> on(step).listActive(new ListQuery(partition, null, false, 10)),
            () -> on(step).putIfVersion(key, value("b"), 0),
            () -> on(step).putIfVersion(key, value("b"), 1),
            () -> on(step).deleteIfVersion(key, 1),
            () -> on(step).createWithin(key, value("b"), 10, NOW),
            () -> on(step).purgeExpired(NOW, 10));
    assertThat(calls)
        .allSatisfy(
            call -> assertThatExceptionOfType(BackendClosedException.class).isThrownBy(call));
  }

  @Test
  void close_whileAWriterHoldsTheLock_waitsForItAndKeepsNothing() throws Exception { // I3, I4
    backend.putIfVersion(key, value("a", true, NOW), 0);
    CountDownLatch holding = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    probe.onceAt(
        Step.STORED,
        () -> {
          holding.countDown();
          await(release);
        });
    CompletableFuture<PutResult> writer =
        CompletableFuture.supplyAsync(() -> backend.putIfVersion(key, value("b", true, null), 1));
    await(holding);
    CompletableFuture<Void> closer = CompletableFuture.runAsync(backend::close);

    release.countDown();
    closer.get(10, TimeUnit.SECONDS);

    assertThat(writer.get(10, TimeUnit.SECONDS)).isEqualTo(new Written(2));
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
    assertThat(backend.dueCount()).isZero();
  }

  @Test
  void anyCall_interruptedThread_worksAndKeepsTheFlag() { // J8
    Thread.currentThread().interrupt();

    assertThat(backend.putIfVersion(key, value("a"), 0)).isEqualTo(new Written(1));
    assertThat(backend.get(key)).isPresent();
    assertThat(backend.createWithin(other, value("b"), 2, NOW)).isEqualTo(Created.CREATED);
    assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
    assertThat(backend.purgeExpired(Instant.MAX, 1)).isZero();

    assertThat(Thread.interrupted()).isTrue();
  }

  /** A backend with a due record under {@link #key} that is closed when a call reaches a step. */
  private MemoryStorageBackend on(Step step) {
    ProbeScript closing = new ProbeScript();
    MemoryStorageBackend closed = MemoryStorageBackend.builder().build(closing);
    closed.putIfVersion(key, value("a", true, NOW), 0);
    closing.onceAt(step, closed::close);
    return closed;
  }

  private View viewAt(Step step, Runnable write) {
    AtomicReference<View> seen =
        new AtomicReference<>(new View(Optional.empty(), List.of(), List.of()));
    probe.onceAt(
        step,
        () ->
            seen.set(
                new View(
                    backend.get(key),
                    listAll(backend, partition, false, 10),
                    listAllActive(backend, partition, false, 10))));
    write.run();
    assertThat(probe.count()).isEqualTo(1);
    return seen.getPlain();
  }

  /** Asserts that get, list and listActive tell the same story. */
  private static void assertWhole(View seen) {
    assertThat(seen.listed()).isEqualTo(seen.got().stream().toList());
    assertThat(seen.active())
        .isEqualTo(
            seen.got().stream()
                .filter(stored -> stored.value().active())
                .map(stored -> new RecordHead(stored.key(), stored.value().expiresAt()))
                .toList());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(10, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError("Interrupted", e);
    }
  }
}
