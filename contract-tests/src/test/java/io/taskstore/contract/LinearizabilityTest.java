// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.History.State.ABSENT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Delete;
import io.taskstore.contract.History.Failed;
import io.taskstore.contract.History.Get;
import io.taskstore.contract.History.Lost;
import io.taskstore.contract.History.Operation;
import io.taskstore.contract.History.Outcome;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.Removed;
import io.taskstore.contract.History.Saw;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Threw;
import io.taskstore.contract.History.Torn;
import io.taskstore.contract.History.Unknown;
import io.taskstore.contract.History.Wrote;
import io.taskstore.contract.Verdict.Linearizable;
import io.taskstore.contract.Verdict.Undecided;
import io.taskstore.contract.Verdict.Violation;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class LinearizabilityTest {
  private static final Outcome UNKNOWN = new Unknown();
  private static final Outcome DELETED = new Removed();

  private final List<Call> calls = new ArrayList<>();
  private State initial = ABSENT;

  @Nested
  class WithoutDeletes {
    @Test
    void noCalls_areFine() {
      fine();
    }

    @Test
    void oneAfterTheOther_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("b", 3, 4, get(), saw(1, "x"));
      call("b", 5, 6, put(1, "y"), wrote(2));
      call("a", 7, 8, put(1, "z"), lost(2, "y"));
      call("a", 9, 10, get(), saw(2, "y"));
      fine();
    }

    @Test
    void readsDuringAWrite_mayBeBeforeOrAfterIt() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 10, put(1, "y"), wrote(2));
      call("b", 4, 5, get(), saw(1, "x"));
      call("b", 6, 7, get(), saw(2, "y"));
      call("c", 8, 9, get(), saw(2, "y"));
      call("d", 11, 12, get(), saw(2, "y"));
      fine();
    }

    @Test
    void overlappingWritesAnsweredInTheOtherOrder_areFine() {
      call("a", 1, 10, put(0, "x"), wrote(1));
      call("b", 2, 5, put(1, "y"), wrote(2));
      call("c", 3, 6, get(), absent());
      call("d", 4, 7, get(), saw(2, "y"));
      fine();
    }

    @Test
    void readOfAnOldVersionAfterTheWriteReturned_isStale() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call write = call("a", 3, 4, put(1, "y"), wrote(2));
      Call read = call("b", 5, 6, get(), saw(1, "x"));
      bad("Version 2 was there when the first", write, read);
    }

    @Test
    void absentAfterTheWriteReturned_isStale() {
      Call write = call("a", 1, 2, put(0, "x"), wrote(1));
      Call read = call("b", 3, 4, get(), absent());
      bad("not yet when the second began", write, read);
    }

    @Test
    void twoSuccessesOnTheSameVersion_areALostUpdate() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call one = call("a", 3, 6, put(1, "y"), wrote(2));
      Call two = call("b", 4, 5, put(1, "z"), wrote(2));
      bad("written twice", one, two);
    }

    @Test
    void twoCreations_areALostUpdate() {
      Call one = call("a", 1, 3, put(0, "x"), wrote(1));
      Call two = call("b", 2, 4, put(0, "y"), wrote(1));
      bad("written twice", one, two);
    }

    @Test
    void twoIdsSeenForAVersion_areALostUpdate() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      call("b", 3, 4, put(0, "y"), UNKNOWN);
      Call one = call("c", 5, 6, get(), saw(1, "x"));
      Call two = call("d", 7, 8, get(), saw(1, "y"));
      bad("written twice", one, two);
    }

    @Test
    void skippedVersion_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call write = call("a", 3, 4, put(2, "y"), wrote(3));
      bad("Nobody wrote version 2", write);
    }

    @Test
    void versionThatIsNotOneMore_isBad() {
      Call write = call("a", 1, 2, put(0, "x"), wrote(2));
      bad("exactly 1", write);
    }

    @Test
    void readBeforeTheWriteBegan_isFromTheFuture() {
      Call read = call("a", 1, 2, get(), saw(1, "x"));
      Call write = call("b", 3, 4, put(0, "x"), wrote(1));
      bad("before it was written", read, write);
    }

    @Test
    void readGoingBack_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 10, put(1, "y"), wrote(2));
      Call fresh = call("b", 4, 5, get(), saw(2, "y"));
      Call stale = call("b", 6, 7, get(), saw(1, "x"));
      bad("Version 2 was there", fresh, stale);
    }

    @Test
    void winnerOlderThanWhatWasRead_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, put(1, "y"), wrote(2));
      Call read = call("b", 5, 6, get(), saw(2, "y"));
      Call conflict = call("b", 7, 8, put(7, "z"), lost(1, "x"));
      badNaming(conflict);
      assertThat(read.returned()).isLessThan(conflict.invoked());
    }

    @Test
    void winnerNewerThanTheComparison_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("b", 3, 12, put(0, "y"), lost(3, "w"));
      call("a", 4, 5, put(1, "z"), wrote(2));
      call("a", 6, 7, put(2, "w"), wrote(3));
      fine();
    }

    @Test
    void winnerWithTheExpectedVersionWrittenMeanwhile_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("b", 3, 6, put(2, "z"), lost(2, "y"));
      call("a", 4, 5, put(1, "y"), wrote(2));
      fine();
    }

    @Test
    void winnerWithTheExpectedVersionThatWasThereBefore_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call conflict = call("b", 3, 4, put(1, "z"), lost(1, "x"));
      badNaming(conflict);
    }

    @Test
    void winnerAbsentThoughAbsentWasExpected_isBad() {
      Call conflict = call("a", 1, 2, put(0, "x"), lostToNothing());
      bad("all the time", conflict);
    }

    @Test
    void conflictOnAFreshKey_isFine() {
      call("a", 1, 2, put(4, "x"), lostToNothing());
      call("a", 3, 4, delete(1), lostToNothing());
      fine();
    }

    @Test
    void ownSuccessReportedAsConflict_isBad() {
      Call call = call("a", 1, 2, put(0, "x"), lost(1, "x"));
      bad("against itself", call);
    }

    @Test
    void conflictThatHadAnEffect_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call loser = call("b", 3, 4, put(1, "y"), lost(2, "z"));
      call("a", 3 + 10, 4 + 10, put(1, "z"), UNKNOWN);
      Call read = call("c", 21, 22, get(), saw(2, "y"));
      assertThat(read.invoked()).isGreaterThan(loser.returned());
      badNaming(loser);
    }

    @Test
    void failureThatHadAnEffect_isBad() {
      Call write = call("a", 1, 2, put(0, "x"), new Failed("full"));
      Call read = call("a", 3, 4, get(), saw(1, "x"));
      bad("had no effect", write, read);
    }

    @Test
    void failures_areIgnored() {
      call("a", 1, 2, put(0, "x"), new Failed("down"));
      call("a", 3, 4, get(), new Failed("down"));
      call("a", 5, 6, get(), absent());
      fine();
    }

    @Test
    void recordThatNobodyWrote_isBad() {
      Call read = call("a", 1, 2, get(), saw(1, "ghost"));
      bad("nobody wrote", read);
    }

    @Test
    void recordUnderAnotherVersion_isBad() {
      Call write = call("a", 1, 2, put(0, "x"), wrote(1));
      Call read = call("b", 3, 4, get(), saw(2, "x"));
      bad("version that it never had", write, read);
    }

    @Test
    void absentBetweenTwoReads_isBad() {
      call("a", 1, 20, put(0, "x"), wrote(1));
      Call first = call("b", 2, 3, get(), saw(1, "x"));
      Call gone = call("b", 4, 5, get(), absent());
      call("b", 6, 7, get(), saw(1, "x"));
      bad("not yet when the second began", first, gone);
    }

    @Test
    void contradictionAcrossVersions_isBad() {
      // Version 3 was there at 6, but 2 was written after 7 only, and none of them is stale alone.
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("b", 3, 20, put(2, "z"), wrote(3));
      Call early = call("c", 4, 6, get(), saw(3, "z"));
      Call late = call("d", 7, 19, put(1, "y"), wrote(2));
      bad("Version 3 was there when the first of these calls returned, but version 2", early, late);
    }
  }

  @Nested
  class FromAnInitialState {
    @Test
    void callsOnTopOfIt_areFine() {
      initial = new State(5, "old");
      call("a", 1, 2, get(), saw(5, "old"));
      call("a", 3, 4, put(0, "x"), lost(5, "old"));
      call("a", 5, 6, put(5, "y"), wrote(6));
      fine();
    }

    @Test
    void absentWithoutADelete_isBad() {
      initial = new State(5, "old");
      Call read = call("a", 1, 2, get(), absent());
      bad("before the first", read);
    }

    @Test
    void writeBelowIt_isBad() {
      initial = new State(5, "old");
      Call write = call("a", 1, 2, put(4, "x"), wrote(5));
      bad("already there", write);
    }

    @Test
    void unknownWriteSeenInItsPlace_isBad() {
      initial = new State(5, "old");
      call("a", 1, 2, put(4, "x"), UNKNOWN);
      Call read = call("a", 3, 4, get(), saw(5, "x"));
      bad("already there", read);
    }

    @Test
    void anotherVersionOfIt_isBad() {
      initial = new State(5, "old");
      Call read = call("a", 1, 2, get(), saw(6, "old"));
      bad("never had", read);
    }

    @Test
    void conflictThoughItWasExpected_isBad() {
      initial = new State(5, "old");
      Call conflict = call("a", 1, 2, delete(5), lost(5, "old"));
      bad("all the time", conflict);
    }

    @Test
    void deletedAndCreatedAgain_isFine() {
      initial = new State(5, "old");
      call("a", 1, 2, delete(5), DELETED);
      call("a", 3, 4, put(0, "x"), wrote(1));
      call("a", 5, 6, put(5, "y"), lost(1, "x"));
      fine();
    }
  }

  @Nested
  class UnknownOutcomes {
    @Test
    void neverApplied_isFine() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      call("b", 3, 4, get(), absent());
      call("b", 5, 6, put(0, "y"), wrote(1));
      fine();
    }

    @Test
    void neverAnswered_isFine() {
      call("a", 1, History.NEVER, put(0, "x"), UNKNOWN);
      call("b", 3, 4, get(), absent());
      call("b", 5, 6, get(), saw(1, "x"));
      fine();
    }

    @Test
    void appliedLate_isFine() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      call("b", 3, 4, get(), absent());
      call("b", 5, 6, get(), saw(1, "x"));
      fine();
    }

    @Test
    void seenAndGoneAgain_isBad() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      Call there = call("b", 3, 4, get(), saw(1, "x"));
      Call gone = call("b", 5, 6, get(), absent());
      bad("not yet when the second began", there, gone);
    }

    @Test
    void fillingAGap_isFine() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      call("b", 3, 4, put(1, "y"), wrote(2));
      fine();
    }

    @Test
    void theEarlierOfTwoFillingAGap_isFine() {
      call("b", 3, 4, put(1, "y"), wrote(2));
      call("c", 5, 6, put(0, "w"), UNKNOWN);
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      fine();
    }

    @Test
    void invokedTooLateToFillTheGap_isBad() {
      Call write = call("b", 1, 2, put(1, "y"), wrote(2));
      Call late = call("a", 3, 4, put(0, "x"), UNKNOWN);
      bad("Version 2 was there when the first of these calls returned, but version 1", write, late);
    }

    @Test
    void withAnotherExpectedVersion_fillsNoGap() {
      call("a", 1, 2, put(1, "x"), UNKNOWN);
      Call write = call("b", 3, 4, put(1, "y"), wrote(2));
      bad("Nobody wrote version 1", write);
    }

    @Test
    void seenBeforeItsInvocation_isBad() {
      Call read = call("b", 1, 2, get(), saw(1, "x"));
      Call write = call("a", 3, 4, put(0, "x"), UNKNOWN);
      bad("before it was written", read, write);
    }

    @Test
    void appliedThoughItsVersionWasTakenByAnother_isBad() {
      Call other = call("b", 1, 2, put(0, "y"), wrote(1));
      call("a", 3, 4, put(0, "x"), UNKNOWN);
      Call read = call("b", 5, 6, get(), saw(1, "x"));
      bad("written twice", other, read);
    }

    @Test
    void deleteAppliedLate_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, delete(1), UNKNOWN);
      call("b", 5, 6, get(), saw(1, "x"));
      call("b", 7, 8, get(), absent());
      fine();
    }

    @Test
    void deleteNeverApplied_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, delete(1), UNKNOWN);
      call("b", 5, 6, put(1, "y"), wrote(2));
      call("b", 7, 8, get(), saw(2, "y"));
      fine();
    }

    @Test
    void deleteAppliedTwice_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, delete(1), UNKNOWN);
      Call gone = call("b", 5, 6, get(), absent());
      call("b", 7, 8, put(0, "y"), wrote(1));
      Call again = call("b", 9, 10, get(), absent());
      assertThat(gone.returned()).isLessThan(again.invoked());
      badNaming(again);
    }

    @Test
    void lateCreationAfterADelete_isFine() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      call("b", 3, 4, put(0, "y"), wrote(1));
      call("b", 5, 6, delete(1), DELETED);
      call("b", 7, 8, get(), saw(1, "x"));
      fine();
    }

    @Test
    void lateCreationTwice_isBad() {
      call("a", 1, 2, put(0, "x"), UNKNOWN);
      call("b", 3, 4, get(), saw(1, "x"));
      call("b", 5, 6, delete(1), DELETED);
      Call again = call("b", 7, 8, get(), saw(1, "x"));
      badNaming(again);
    }

    @Test
    void readWithUnknownOutcome_isIgnored() {
      call("a", 1, 2, get(), UNKNOWN);
      call("a", 3, 4, put(0, "x"), wrote(1));
      fine();
    }
  }

  @Nested
  class WithDeletes {
    @Test
    void createdAgainFromVersionOne_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, delete(1), DELETED);
      call("a", 5, 6, get(), absent());
      call("a", 7, 8, put(0, "y"), wrote(1));
      call("a", 9, 10, get(), saw(1, "y"));
      fine();
    }

    @Test
    void putOnAVersionThatCameBack_isFine() {
      // ABA: the version is compared and nothing else.
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("b", 3, 4, get(), saw(1, "x"));
      call("a", 5, 6, delete(1), DELETED);
      call("a", 7, 8, put(0, "y"), wrote(1));
      call("b", 9, 10, put(1, "z"), wrote(2));
      fine();
    }

    @Test
    void versionsGoingOnAfterADelete_areBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call delete = call("a", 3, 4, delete(1), DELETED);
      Call write = call("a", 5, 6, put(1, "y"), wrote(2));
      bad("No order", delete, write);
    }

    @Test
    void putThatBringsBackADeletedRecord_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, delete(1), DELETED);
      Call read = call("b", 5, 6, get(), absent());
      Call write = call("b", 7, 8, put(1, "y"), wrote(2));
      call("b", 9, 10, get(), saw(2, "y"));
      bad("No order", read, write);
    }

    @Test
    void deleteThatDidNotDelete_isBad() {
      Call write = call("a", 1, 2, put(0, "x"), wrote(1));
      Call delete = call("a", 3, 4, delete(1), DELETED);
      Call read = call("a", 5, 6, get(), saw(1, "x"));
      bad("No order", write, delete, read);
    }

    @Test
    void deletedTwice_isBad() {
      Call one = call("a", 1, 4, delete(1), DELETED);
      initial = new State(1, "old");
      Call two = call("b", 2, 3, delete(1), DELETED);
      bad("No order", one, two);
    }

    @Test
    void deleteOfNothing_isBad() {
      Call delete = call("a", 1, 2, delete(1), DELETED);
      bad("No order", delete);
    }

    @Test
    void deleteOfAnotherVersion_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, put(1, "y"), wrote(2));
      Call delete = call("b", 5, 6, delete(1), DELETED);
      badNaming(delete);
    }

    @Test
    void absentAgainAfterTheCreation_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, delete(1), DELETED);
      Call write = call("a", 5, 6, put(0, "y"), wrote(1));
      Call read = call("b", 7, 8, get(), absent());
      bad("No order", write, read);
    }

    @Test
    void readDuringADelete_mayBeBeforeOrAfterIt() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 10, delete(1), DELETED);
      call("b", 4, 5, get(), saw(1, "x"));
      call("b", 6, 7, get(), absent());
      fine();
    }

    @Test
    void readGoingBackDuringADelete_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 10, delete(1), DELETED);
      Call gone = call("b", 4, 5, get(), absent());
      Call back = call("b", 6, 7, get(), saw(1, "x"));
      call("b", 11, 12, get(), absent());
      badNaming(back);
      assertThat(gone.returned()).isLessThan(back.invoked());
    }

    @Test
    void winnerWithTheExpectedVersionAfterADelete_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, put(1, "y"), wrote(2));
      call("b", 5, 12, put(1, "z"), lost(1, "w"));
      call("a", 6, 7, delete(2), DELETED);
      call("a", 8, 9, put(0, "w"), wrote(1));
      fine();
    }

    @Test
    void winnerAbsentThoughAbsentWasExpectedDuringADelete_isFine() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("b", 3, 6, put(0, "z"), lostToNothing());
      call("a", 4, 5, delete(1), DELETED);
      fine();
    }

    @Test
    void winnerAbsentThoughAbsentWasExpectedAfterADelete_isBad() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call delete = call("a", 3, 4, delete(1), DELETED);
      Call conflict = call("b", 5, 6, put(0, "z"), lostToNothing());
      bad("No order", delete, conflict);
    }

    @Test
    void winnerReadBeforeTheComparison_isBad() {
      // The winner was there first and something else later: the wrong way round.
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call conflict = call("b", 3, 6, put(1, "z"), lost(1, "x"));
      call("a", 4, 5, put(1, "y"), wrote(2));
      call("a", 7, 8, delete(2), DELETED);
      badNaming(conflict);
    }

    @Test
    void concurrentDeleteAndPut_onlyOneCanWin() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      Call delete = call("a", 3, 6, delete(1), DELETED);
      Call write = call("b", 4, 5, put(1, "y"), wrote(2));
      bad("No order", delete, write);
    }

    @Test
    void contradictionDuringAnOpenDelete_isExplainedInFull() {
      initial = new State(1, "old");
      call("a", 1, 20, delete(3), DELETED);
      call("b", 2, 3, put(1, "y"), wrote(2));
      Call write = call("b", 4, 5, put(2, "z"), wrote(3));
      Call gone = call("b", 6, 7, get(), absent());
      Call back = call("b", 8, 9, get(), saw(3, "z"));
      bad("before them the key held: version 1 by old", write, gone, back);
    }

    @Test
    void callsThatDoNotMatter_areNotNamed() {
      long stamp = 1;
      for (int i = 0; i < 20; i++) {
        String id = "w" + i;
        call("a", stamp, stamp + 1, put(0, id), wrote(1));
        call("b", stamp + 2, stamp + 3, get(), saw(1, id));
        call("b", stamp + 4, stamp + 5, delete(1), DELETED);
        stamp += 6;
      }
      Call write = call("a", stamp, stamp + 1, put(0, "y"), wrote(1));
      Call read = call("b", stamp + 2, stamp + 3, get(), absent());
      call("b", stamp + 4, stamp + 5, get(), saw(1, "y"));
      bad("No order", write, read);
    }
  }

  @Nested
  class Anomalies {
    @Test
    void tornRecord_isBadAtOnce() {
      Call read = call("a", 1, 2, get(), new Torn(new State(1, "x"), "active true"));
      bad("torn record", read);
    }

    @Test
    void otherException_isBadAtOnce() {
      Call read = call("a", 1, 2, delete(3), new Threw("java.lang.IllegalStateException"));
      bad("IllegalStateException", read);
    }
  }

  @Nested
  class Limits {
    @Test
    void boundReached_isUndecided() {
      for (int i = 1; i <= 8; i++) {
        call("p" + i, i, 100 + i, put(0, "x" + i), wrote(1));
        call("d" + i, 20 + i, 200 + i, delete(1), DELETED);
      }
      assertThat(LinearizationSearch.check(calls, ABSENT, 50)).isEqualTo(new Undecided(50));
      fine();
    }

    @Test
    void manyUnknownWritesThatAreAlike_costLittle() {
      for (int i = 0; i < 60; i++) {
        next("a", put(1, "u" + i), UNKNOWN);
        next("a", delete(2), UNKNOWN);
      }
      next("b", put(0, "x"), wrote(1));
      next("b", get(), absent());
      next("b", put(0, "y"), wrote(1));
      next("b", delete(7), lostToNothing());
      assertThat(LinearizationSearch.check(calls, ABSENT, 1_000)).isEqualTo(new Linearizable());
    }

    @Test
    void longHistoryWithDeletes_isCutWhereNothingIsOpen() {
      long stamp = 1;
      for (int i = 0; i < 5_000; i++) {
        call("a", stamp, stamp + 2, put(0, "w" + i), wrote(1));
        call("b", stamp + 1, stamp + 3, get(), i % 2 == 0 ? absent() : saw(1, "w" + i));
        call("b", stamp + 4, stamp + 5, delete(1), DELETED);
        stamp += 6;
      }
      fine();
    }

    @Test
    void writeIdUsedTwice_isRefused() {
      call("a", 1, 2, put(0, "x"), wrote(1));
      call("a", 3, 4, put(1, "x"), wrote(2));
      assertThatThrownBy(() -> Linearizability.check(calls, ABSENT))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("not unique");
    }

    @Test
    void writeIdOfTheInitialState_isRefused() {
      call("a", 1, 2, put(1, "x"), wrote(2));
      assertThatThrownBy(() -> Linearizability.check(calls, new State(1, "x")))
          .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void returnBeforeInvocation_isRefused() {
      assertThatThrownBy(() -> new Call("a", get(), 2, 2, absent()))
          .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void explanation_showsCallsAndStamps() {
      call("t1", 1, 2, put(0, "x"), wrote(1));
      call("t2", 3, 4, get(), absent());
      Violation violation = (Violation) Linearizability.check(calls, ABSENT);
      assertThat(violation.explanation())
          .isEqualTo(
              """
              Version 1 was there when the first of these calls returned, but version 1 not yet when the second began
                t1 [1..2] put(expected 0, x) -> wrote version 1
                t2 [3..4] get() -> read absent""");
    }
  }

  private Call call(
      String process, long invoked, long returned, Operation operation, Outcome outcome) {
    Call call = new Call(process, operation, invoked, returned, outcome);
    calls.add(call);
    return call;
  }

  /** A call after all others. */
  private void next(String process, Operation operation, Outcome outcome) {
    long stamp = 2L * calls.size() + 1;
    call(process, stamp, stamp + 1, operation, outcome);
  }

  private static Operation put(long expected, String writeId) {
    return new Put(expected, writeId);
  }

  private static Operation delete(long expected) {
    return new Delete(expected);
  }

  private static Operation get() {
    return new Get();
  }

  private static Outcome wrote(long version) {
    return new Wrote(version);
  }

  private static Outcome saw(long version, String writeId) {
    return new Saw(new State(version, writeId));
  }

  private static Outcome absent() {
    return new Saw(ABSENT);
  }

  private static Outcome lost(long version, String writeId) {
    return new Lost(new State(version, writeId));
  }

  private static Outcome lostToNothing() {
    return new Lost(ABSENT);
  }

  private void fine() {
    assertThat(Linearizability.check(calls, initial)).isEqualTo(new Linearizable());
    assertThat(LinearizationSearch.check(calls, initial, 100_000)).isEqualTo(new Linearizable());
  }

  private void bad(String reason, Call... named) {
    Violation violation = violation();
    assertThat(violation.reason()).contains(reason);
    assertThat(violation.calls()).containsExactlyInAnyOrder(named);
  }

  private void badNaming(Call named) {
    assertThat(violation().calls()).contains(named).hasSizeLessThan(4);
  }

  /** The violation, on which both checkers agree. */
  private Violation violation() {
    Verdict verdict = Linearizability.check(calls, initial);
    assertThat(verdict).isInstanceOf(Violation.class);
    if (Linearizability.simpleViolation(calls, initial) == null) {
      assertThat(LinearizationSearch.check(calls, initial, 100_000)).isInstanceOf(Violation.class);
    }
    return (Violation) verdict;
  }
}
