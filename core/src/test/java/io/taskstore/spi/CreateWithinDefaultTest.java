// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.MinimalBackend.Call;
import io.taskstore.spi.MinimalBackend.Fault;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

final class CreateWithinDefaultTest {
  private static final Instant NOW = Instant.parse("2030-01-01T00:00:00Z");
  private static final RecordKey KEY = key("mine");

  private final MinimalBackend backend = new MinimalBackend();

  @Test
  void createWithin_roomLeft_createsVersionOne() {
    RecordValue value = active("w1");

    assertThat(backend.createWithin(KEY, value, 1, NOW)).isEqualTo(Created.CREATED);

    assertThat(backend.peek(KEY)).isEqualTo(new VersionedRecord(KEY, value, 1));
    assertCalls(1, 1, 0, 2);
  }

  @Test
  void createWithin_full_answersFullWithoutWriting() {
    plantActive(3);

    assertThat(backend.createWithin(KEY, active("w1"), 3, NOW)).isEqualTo(Full.FULL);

    assertThat(backend.size()).isEqualTo(3);
    assertCalls(2, 0, 0, 1);
  }

  @Test
  void createWithin_ownWriteArrivesBeforeTheCount_isCreatedAndNotFull() {
    backend.before(Call.LIST, 1, () -> backend.plant(KEY, active("w1"), 1));

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);

    assertThat(backend.peek(KEY)).isNotNull();
    assertCalls(2, 0, 0, 2);
  }

  @Test
  void createWithin_otherWriteOfTheKeyArrivesBeforeTheCount_conflictsAndIsNotFull() {
    backend.before(Call.LIST, 1, () -> backend.plant(KEY, active("theirs"), 1));

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW))
        .isEqualTo(new Conflict(backend.peek(KEY)));

    assertCalls(2, 0, 0, 1);
  }

  @Test
  void createWithin_keyTaken_conflictsBeforeTheLimitIsLookedAt() {
    plantActive(3);
    backend.plant(KEY, active("theirs"), 1);

    assertThat(backend.createWithin(KEY, active("w1"), 3, NOW))
        .isEqualTo(new Conflict(backend.peek(KEY)));

    assertCalls(1, 0, 0, 0);
  }

  @Test
  void createWithin_ownWriteIdAtLaterVersion_conflicts() {
    backend.plant(KEY, active("w1"), 2);

    assertThat(backend.createWithin(KEY, active("w1"), 3, NOW))
        .isEqualTo(new Conflict(backend.peek(KEY)));
  }

  @Test
  void createWithin_ownWriteStored_resumesAtTheSecondCount() {
    plantActive(2);
    backend.plant(KEY, active("w1"), 1);

    assertThat(backend.createWithin(KEY, active("w1"), 3, NOW)).isEqualTo(Created.CREATED);

    assertCalls(1, 0, 0, 1);
  }

  @Test
  void createWithin_ownWriteStoredAndOverTheLimit_isWithdrawnAndThenFull() {
    plantActive(3);
    backend.plant(KEY, active("w1"), 1);

    assertThat(backend.createWithin(KEY, active("w1"), 3, NOW)).isEqualTo(Full.FULL);

    assertThat(backend.peek(KEY)).isNull();
    assertCalls(2, 0, 1, 2);
  }

  @Test
  void createWithin_keyTakenWhileCounting_conflicts() {
    backend.before(Call.PUT, 1, () -> backend.plant(KEY, active("theirs"), 1));

    assertThat(backend.createWithin(KEY, active("w1"), 3, NOW))
        .isEqualTo(new Conflict(backend.peek(KEY)));
  }

  @Test
  void createWithin_ownWriteLandsWhileCounting_isCreated() {
    RecordValue value = active("w1");
    backend.before(Call.PUT, 1, () -> backend.plant(KEY, value, 1));

    assertThat(backend.createWithin(KEY, value, 3, NOW)).isEqualTo(Created.CREATED);

    assertThat(backend.peek(KEY)).isEqualTo(new VersionedRecord(KEY, value, 1));
  }

  @Test
  void createWithin_inactiveAndExpired_doNotCount() {
    for (int i = 0; i < 20; i++) {
      backend.plant(key("inactive" + i), value(false, null, "x"), 1);
      backend.plant(key("expired" + i), value(true, NOW, "x"), 1);
    }
    backend.plant(key("running"), value(true, NOW.plusMillis(1), "x"), 1);

    assertThat(backend.createWithin(KEY, active("w1"), 2, NOW)).isEqualTo(Created.CREATED);
    assertThat(backend.createWithin(key("other"), active("w2"), 2, NOW)).isEqualTo(Full.FULL);
  }

  @Test
  void createWithin_otherPartitionsFull_doNotCount() {
    backend.plant(new RecordKey("owner1", "a"), active("x"), 1);

    RecordKey key = new RecordKey("owner", "a");
    assertThat(backend.createWithin(key, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_countOverManyPages_isComplete() {
    backend.pageSize(1);
    plantActive(5);
    // A page of the index may be empty and still not be the last.
    backend.plant(key("a"), value(false, null, "x"), 1);

    assertThat(backend.createWithin(KEY, active("w1"), 6, NOW)).isEqualTo(Created.CREATED);
    assertThat(backend.createWithin(key("z"), active("w2"), 6, NOW)).isEqualTo(Full.FULL);
  }

  @Test
  void createWithin_highestLimit_doesNotOverflow() {
    plantActive(2);

    assertThat(backend.createWithin(KEY, active("w1"), Integer.MAX_VALUE, NOW))
        .isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_othersInsertBeforeTheSecondCount_withdrawsAndTriesAgain() {
    // Between our insert and our count another record arrives, and goes again before the next
    // round.
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.before(Call.LIST, 3, () -> backend.uproot(key("other")));

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);

    assertCalls(1, 2, 1, 4);
  }

  @Test
  void createWithin_contendedInEveryRound_givesUpWithNothingLeft() {
    for (int round = 0; round < 5; round++) {
      backend.before(Call.LIST, 2 * round + 2, () -> backend.plant(key("other"), active("x"), 1));
      backend.before(Call.LIST, 2 * round + 3, () -> backend.uproot(key("other")));
    }

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(new Contended(false));

    assertThat(backend.peek(KEY)).isNull();
    assertCalls(1, 5, 5, 10);
  }

  @Test
  void createWithin_answerToWithdrawalLostAfterIt_neverInsertsAgain() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.fail(Call.DELETE, 1, Fault.UNKNOWN_APPLIED);

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(new Contended(false));

    assertThat(backend.peek(KEY)).isNull();
    assertCalls(1, 1, 2, 2);
  }

  @Test
  void createWithin_withdrawalLostOnItsWay_isRepeatedAndNeverInsertsAgain() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.fail(Call.DELETE, 1, Fault.UNKNOWN_NOT_APPLIED);
    backend.fail(Call.DELETE, 2, Fault.UNAVAILABLE);

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(new Contended(false));

    assertThat(backend.peek(KEY)).isNull();
    assertCalls(1, 1, 3, 2);
  }

  @Test
  void createWithin_answersToAllWithdrawalsLost_saysThatTheRecordMayRemain() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    for (int number = 1; number <= 3; number++) {
      backend.fail(Call.DELETE, number, Fault.UNKNOWN_NOT_APPLIED);
    }

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(new Contended(true));

    assertCalls(1, 1, 3, 2);
  }

  @Test
  void createWithin_withdrawalNotSent_isOutcomeUnknownAndTheRepeatResumes() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.fail(Call.DELETE, 1, Fault.UNAVAILABLE);

    assertOutcomeUnknown(active("w1"), 1);

    backend.uproot(key("other"));
    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);
    assertThat(backend.count(Call.PUT)).isEqualTo(1);
  }

  @Test
  void createWithin_recordChangedBeforeItsWithdrawal_isOutcomeUnknown() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.before(Call.DELETE, 1, () -> backend.plant(KEY, active("theirs"), 2));

    assertOutcomeUnknown(active("w1"), 1);

    VersionedRecord stored = backend.peek(KEY);
    assertThat(stored).isEqualTo(new VersionedRecord(KEY, active("theirs"), 2));
  }

  @Test
  void createWithin_secondCountFails_isOutcomeUnknownAndTheRepeatResumes() {
    backend.fail(Call.LIST, 2, Fault.UNAVAILABLE);

    OutcomeUnknownException thrown = assertOutcomeUnknown(active("w1"), 1);

    assertThat(thrown).hasCauseInstanceOf(StorageUnavailableException.class);
    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);
    assertCalls(2, 1, 0, 3);
  }

  @Test
  void createWithin_answerToInsertLost_isOutcomeUnknownAndTheRepeatFindsIt() {
    backend.fail(Call.PUT, 1, Fault.UNKNOWN_APPLIED);

    assertThatExceptionOfType(OutcomeUnknownException.class)
        .isThrownBy(() -> backend.createWithin(KEY, active("w1"), 1, NOW));

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);
    assertThat(backend.count(Call.PUT)).isEqualTo(1);
  }

  @Test
  void createWithin_insertLostOnItsWay_isOutcomeUnknownAndTheRepeatInserts() {
    backend.fail(Call.PUT, 1, Fault.UNKNOWN_NOT_APPLIED);

    assertThatExceptionOfType(OutcomeUnknownException.class)
        .isThrownBy(() -> backend.createWithin(KEY, active("w1"), 1, NOW));

    assertThat(backend.createWithin(KEY, active("w1"), 1, NOW)).isEqualTo(Created.CREATED);
  }

  @Test
  void createWithin_storageFailsBeforeTheInsert_isUnavailableWithNothingWritten() {
    for (Call call : List.of(Call.GET, Call.LIST, Call.PUT)) {
      MinimalBackend failing = new MinimalBackend().fail(call, 1, Fault.UNAVAILABLE);

      assertThatExceptionOfType(StorageUnavailableException.class)
          .isThrownBy(() -> failing.createWithin(KEY, active("w1"), 1, NOW));
      assertThat(failing.size()).isZero();
    }
  }

  @Test
  void createWithin_interruptedWhileWaiting_leavesNothingAndRestoresTheFlag() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.before(Call.DELETE, 1, () -> Thread.currentThread().interrupt());

    StorageUnavailableException thrown =
        catchThrowableOfType(
            StorageUnavailableException.class,
            () -> backend.createWithin(KEY, active("w1"), 1, NOW));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(thrown.isRetryable()).isFalse();
    assertThat(thrown.operation()).isEqualTo("createWithin");
    assertThat(thrown.key()).contains(KEY);
    assertThat(thrown).hasCauseInstanceOf(InterruptedException.class);
    assertThat(backend.peek(KEY)).isNull();
    assertCalls(1, 1, 1, 2);
  }

  @Test
  void createWithin_interruptedWithdrawalWithoutAnswer_isNotRepeated() {
    backend.before(Call.LIST, 2, () -> backend.plant(key("other"), active("x"), 1));
    backend.before(Call.DELETE, 1, () -> Thread.currentThread().interrupt());
    backend.fail(Call.DELETE, 1, Fault.UNKNOWN_NOT_APPLIED);

    CreateResult result = backend.createWithin(KEY, active("w1"), 1, NOW);

    assertThat(Thread.interrupted()).isTrue();
    assertThat(result).isEqualTo(new Contended(true));
    assertThat(backend.count(Call.DELETE)).isEqualTo(1);
  }

  @Test
  void createWithin_badArguments_areRefusedBeforeAnyCall() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.createWithin(KEY, active("w1"), 0, NOW))
        .withMessageContaining("max 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.createWithin(KEY, value(false, null, "w1"), 1, NOW))
        .withMessageContaining("active");
    assertThatNullPointerException()
        .isThrownBy(() -> backend.createWithin(Nulls.of(RecordKey.class), active("w1"), 1, NOW))
        .withMessage("key");
    assertThatNullPointerException()
        .isThrownBy(() -> backend.createWithin(KEY, Nulls.of(RecordValue.class), 1, NOW))
        .withMessage("value");
    assertCalls(0, 0, 0, 0);
  }

  @RepeatedTest(10)
  void createWithin_racers_admitAtMostTheLimitAndLaterCreatesFillItExactly() throws Exception {
    int racers = 32;
    int limit = 10;
    CyclicBarrier start = new CyclicBarrier(racers);
    ExecutorService threads = Executors.newFixedThreadPool(racers);
    List<Future<CreateResult>> results = new ArrayList<>();
    try {
      for (int i = 0; i < racers; i++) {
        RecordKey key = key("racer" + i);
        RecordValue value = active("w" + i);
        results.add(
            threads.submit(
                () -> {
                  start.await();
                  return backend.createWithin(key, value, limit, NOW);
                }));
      }
    } finally {
      threads.shutdown();
    }
    int admitted = 0;
    for (int i = 0; i < racers; i++) {
      CreateResult result = results.get(i).get();
      boolean created = result.equals(Created.CREATED);
      assertThat(created || result == Full.FULL || result.equals(new Contended(false))).isTrue();
      assertThat(backend.peek(key("racer" + i)) != null).isEqualTo(created);
      admitted += created ? 1 : 0;
    }
    assertThat(admitted).isLessThanOrEqualTo(limit);

    for (int i = admitted; i < limit; i++) {
      assertThat(backend.createWithin(key("later" + i), active("l" + i), limit, NOW))
          .isEqualTo(Created.CREATED);
    }
    assertThat(backend.createWithin(KEY, active("w"), limit, NOW)).isEqualTo(Full.FULL);
    assertThat(backend.size()).isEqualTo(limit);
  }

  private OutcomeUnknownException assertOutcomeUnknown(RecordValue value, int max) {
    OutcomeUnknownException thrown =
        catchThrowableOfType(
            OutcomeUnknownException.class, () -> backend.createWithin(KEY, value, max, NOW));
    assertThat(thrown.operation()).isEqualTo("createWithin");
    assertThat(thrown.key()).contains(KEY);
    return thrown;
  }

  private void assertCalls(int gets, int puts, int deletes, int lists) {
    assertThat(
            List.of(
                backend.count(Call.GET),
                backend.count(Call.PUT),
                backend.count(Call.DELETE),
                backend.count(Call.LIST)))
        .as("get, putIfVersion, deleteIfVersion, list")
        .containsExactly(gets, puts, deletes, lists);
  }

  private void plantActive(int count) {
    for (int i = 0; i < count; i++) {
      backend.plant(key("planted" + i), active("p" + i), 1);
    }
  }

  private static RecordKey key(String id) {
    return new RecordKey("owner", id);
  }

  private static RecordValue active(String writeId) {
    return value(true, NOW.plusSeconds(60), writeId);
  }

  private static RecordValue value(boolean active, @Nullable Instant expiresAt, String writeId) {
    return new RecordValue(Bytes.EMPTY, active, expiresAt, writeId);
  }
}
