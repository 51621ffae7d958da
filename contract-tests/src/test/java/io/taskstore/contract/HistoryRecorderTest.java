// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Delete;
import io.taskstore.contract.History.Failed;
import io.taskstore.contract.History.Get;
import io.taskstore.contract.History.Lost;
import io.taskstore.contract.History.Outcome;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.Removed;
import io.taskstore.contract.History.Saw;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Threw;
import io.taskstore.contract.History.Torn;
import io.taskstore.contract.History.Unknown;
import io.taskstore.contract.History.Wrote;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class HistoryRecorderTest {
  private static final RecordKey KEY = new RecordKey("p", "k");

  private final HistoryMapBackend backend = new HistoryMapBackend();
  private final History history = new History("h");
  private final HistoryRecorder recorder = new HistoryRecorder(backend, KEY, 20, history);

  @Test
  void calls_areWrittenDownAsTheyWereAnswered() {
    recorder.get();
    recorder.put(0);
    recorder.put(0);
    recorder.delete(3);
    recorder.get();
    recorder.delete(1);
    recorder.delete(1);
    State first = new State(1, "h.1.0");
    String thread = Thread.currentThread().getName();
    assertThat(history.calls())
        .containsExactly(
            new Call(thread, new Get(), 1, 2, new Saw(State.ABSENT)),
            new Call(thread, new Put(0, "h.1.0"), 3, 4, new Wrote(1)),
            new Call(thread, new Put(0, "h.2.0"), 5, 6, new Lost(first)),
            new Call(thread, new Delete(3), 7, 8, new Lost(first)),
            new Call(thread, new Get(), 9, 10, new Saw(first)),
            new Call(thread, new Delete(1), 11, 12, new Removed()),
            new Call(thread, new Delete(1), 13, 14, new Lost(State.ABSENT)));
  }

  @Test
  void outcome_isReturnedToo() {
    assertThat(recorder.put(0)).isEqualTo(new Wrote(1));
    assertThat(recorder.get()).isEqualTo(new Saw(new State(1, "h.1.0")));
    assertThat(recorder.delete(1)).isEqualTo(new Removed());
  }

  @Test
  void lostAnswers_areUnknownForWritesOnly() {
    HistoryRecorder lost = failing(() -> new OutcomeUnknownException("any", KEY, "scripted", null));
    assertThat(lost.put(0)).isEqualTo(new Unknown());
    assertThat(lost.delete(1)).isEqualTo(new Unknown());
    assertThat(lost.get()).isEqualTo(new Failed("OutcomeUnknownException"));
  }

  @Test
  void storageExceptions_areFailures() {
    HistoryRecorder down =
        failing(() -> new StorageUnavailableException("any", KEY, true, "scripted", null));
    assertThat(down.put(0)).isEqualTo(new Failed("StorageUnavailableException"));
    assertThat(down.delete(1)).isEqualTo(new Failed("StorageUnavailableException"));
    assertThat(down.get()).isEqualTo(new Failed("StorageUnavailableException"));
    HistoryRecorder closed =
        failing(() -> new BackendClosedException("any", KEY, "scripted", null));
    assertThat(closed.get()).isEqualTo(new Failed("BackendClosedException"));
    assertThat(Linearizability.check(history.calls(), State.ABSENT))
        .isEqualTo(new Verdict.Linearizable());
  }

  @Test
  void otherExceptions_areAnomalies() {
    HistoryRecorder broken = failing(() -> new IllegalStateException("boom"));
    Outcome threw = new Threw("java.lang.IllegalStateException: boom");
    assertThat(broken.put(0)).isEqualTo(threw);
    assertThat(broken.delete(1)).isEqualTo(threw);
    assertThat(broken.get()).isEqualTo(threw);
    assertThat(Linearizability.check(history.calls(), State.ABSENT))
        .isInstanceOf(Verdict.Violation.class);
  }

  @Test
  void nullResult_isAnAnomaly() {
    HistoryRecorder broken =
        new HistoryRecorder(
            new HistoryMapBackend() {
              @Override
              public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
                return null;
              }
            },
            KEY,
            20,
            history);
    assertThat(broken.put(0)).isInstanceOf(Threw.class);
  }

  @Test
  void errors_areNotCaught() {
    HistoryRecorder broken =
        new HistoryRecorder(
            new HistoryMapBackend() {
              @Override
              public Optional<VersionedRecord> get(RecordKey key) {
                throw new StackOverflowError("scripted");
              }
            },
            KEY,
            20,
            history);
    assertThatThrownBy(broken::get).isInstanceOf(StackOverflowError.class);
  }

  @Test
  void values_differInDataFlagAndExpiry() {
    RecordValue early = HistoryRecorder.value("h.1.0", 0, 20);
    RecordValue late = HistoryRecorder.value("h.2.30", 30, 20);
    assertThat(early.data()).isNotEqualTo(late.data());
    assertThat(early.data().size()).isEqualTo(20);
    assertThat(early.active()).isTrue();
    assertThat(late.active()).isFalse();
    assertThat(early.expiresAt()).isNotEqualTo(late.expiresAt());
    assertThat(HistoryRecorder.value("h.1.0", 0, 20)).isEqualTo(early);
    assertThat(HistoryRecorder.value("g.1.0", 0, 20).data()).isNotEqualTo(early.data());
  }

  @Test
  void flag_isNeverSetAgain() {
    for (long expected = 1; expected < 50; expected++) {
      boolean before = HistoryRecorder.value("h.1.0", expected - 1, 0).active();
      boolean after = HistoryRecorder.value("h.1.0", expected, 0).active();
      assertThat(before || !after).isTrue();
    }
  }

  @Test
  void dataOfAnotherWrite_isTorn() {
    Bytes other = HistoryRecorder.value("h.2.0", 0, 20).data();
    RecordValue right = HistoryRecorder.value("h.1.0", 0, 20);
    assertTorn(
        KEY,
        new RecordValue(other, right.active(), right.expiresAt(), right.writeId()),
        "data of 20 bytes that differs from the 20 bytes written from index 0 on");
  }

  @Test
  void halfOfTheData_isTorn() {
    RecordValue right = HistoryRecorder.value("h.1.0", 0, 20);
    byte[] half = new byte[10];
    System.arraycopy(right.data().toByteArray(), 0, half, 0, 10);
    assertTorn(
        KEY,
        new RecordValue(Bytes.copyOf(half), right.active(), right.expiresAt(), right.writeId()),
        "data of 10 bytes that differs from the 20 bytes written from index 10 on");
  }

  @Test
  void flagAndExpiryOfAnotherWrite_areTorn() {
    RecordValue right = HistoryRecorder.value("h.1.0", 0, 20);
    RecordValue other = HistoryRecorder.value("h.2.30", 30, 20);
    assertTorn(
        KEY,
        new RecordValue(right.data(), other.active(), other.expiresAt(), right.writeId()),
        "active false instead of true, expiresAt 2200-01-01T00:00:03Z instead of"
            + " 2200-01-01T00:00:00Z");
  }

  @Test
  void recordOfAnotherKey_isTorn() {
    assertTorn(
        new RecordKey("p", "other"),
        HistoryRecorder.value("h.1.0", 0, 20),
        "key \"p\"/\"other\" instead of \"p\"/\"k\"");
  }

  @Test
  void foreignRecord_isSeenAsItIs() {
    backend.records.put(
        KEY, new VersionedRecord(KEY, new RecordValue(Bytes.EMPTY, true, null, "foreign"), 4));
    assertThat(recorder.get()).isEqualTo(new Saw(new State(4, "foreign")));
  }

  private void assertTorn(RecordKey key, RecordValue value, String difference) {
    backend.records.put(KEY, new VersionedRecord(key, value, 1));
    Torn torn = new Torn(new State(1, value.writeId()), difference);
    assertThat(recorder.get()).isEqualTo(torn);
    assertThat(recorder.put(0)).isEqualTo(torn);
    assertThat(recorder.delete(2)).isEqualTo(torn);
  }

  @Test
  void threadsOnOneHistory_haveUniqueIdsAndStamps() throws InterruptedException {
    HistoryRecorder second = new HistoryRecorder(backend, KEY, 20, history);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      HistoryRecorder mine = i % 2 == 0 ? recorder : second;
      Thread thread =
          new Thread(
              () -> {
                for (int call = 0; call < 500; call++) {
                  mine.put(call);
                }
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    Set<Long> stamps = new HashSet<>();
    Set<String> ids = new HashSet<>();
    for (Call call : history.calls()) {
      stamps.add(call.invoked());
      stamps.add(call.returned());
      ids.add(((Put) call.operation()).writeId());
    }
    assertThat(stamps).hasSize(4_000);
    assertThat(ids).hasSize(2_000);
  }

  private HistoryRecorder failing(Supplier<RuntimeException> failure) {
    return new HistoryRecorder(
        new HistoryMapBackend() {
          @Override
          public Optional<VersionedRecord> get(RecordKey key) {
            throw failure.get();
          }

          @Override
          public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
            throw failure.get();
          }

          @Override
          public DeleteResult deleteIfVersion(RecordKey key, long expected) {
            throw failure.get();
          }
        },
        KEY,
        20,
        history);
  }
}
