// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.race;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.winner;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Statements F: expiry is a part of the record, and nothing goes before it.
 *
 * <p>A storage that drops by itself does so only after an allowance of minutes, counted from the
 * write at the earliest. So what was just written is there, however long ago it has expired.
 */
abstract class ExpiryStatements extends ValueStatements {
  /** A limit above what is due in any test here. */
  private static final int NO_LIMIT = 1_000;

  /** Larger records than this are not made to see them refused. */
  private static final int LARGEST_SAMPLE = 64 * 1024 * 1024;

  private static final Instant LAST = RecordValue.MAX_EXPIRY;
  private static final Instant FIRST = RecordValue.MIN_EXPIRY;

  /** A storage of the test's own, with two instances on it. */
  private record Own(BackendStorage storage, StorageBackend first, StorageBackend second) {
    List<StorageBackend> instances() {
      return List.of(first, second);
    }
  }

  /** What an update can do to the flag of a record. */
  enum Flag {
    STAYS_ACTIVE(true, true),
    IS_CLEARED(true, false),
    STAYS_CLEARED(false, false);

    private final boolean before;
    private final boolean after;

    Flag(boolean before, boolean after) {
      this.before = before;
      this.after = after;
    }
  }

  /** How a record is removed. */
  enum Removal {
    DELETE_IF_VERSION,
    DELETE,
    PURGE
  }

  /** How a record is created. */
  enum Creation {
    PUT_IF_VERSION,
    PUT,
    CREATE_WITHIN
  }

  // --- F1 -----------------------------------------------------------------------------------

  @Test
  final void f1_recordWithoutExpiry_isReportedWithoutOne() {
    VersionedRecord active = insert(backend(), key("active"), value("a"));
    VersionedRecord inactive = insert(backend(), key("inactive"), value("b", false, null));
    assertShown(shared(), partition(), active, inactive);

    VersionedRecord updated = write(other(), key("active"), value("c"), 1);
    VersionedRecord cleared = write(other(), key("inactive"), value("d", false, null), 1);
    assertShown(shared(), partition(), updated, cleared);
  }

  @ParameterizedTest(name = "a record that {0}")
  @EnumSource
  final void f1_recordWithoutExpiry_isNeverPurged(Flag flag) throws Exception {
    Own own = ownStorage();
    insert(own.first, key("id"), value("a", flag.before, null));
    VersionedRecord updated = write(own.first, key("id"), value("b", flag.after, null), 1);

    assertThat(own.first.purgeExpired(now(), NO_LIMIT)).as("purged now").isZero();
    assertThat(own.second.purgeExpired(LAST, NO_LIMIT)).as("purged in the year 9999").isZero();

    assertShown(own.instances(), partition(), updated);
  }

  @Test
  final void f1_yearsPass_recordWithoutExpiryStays() throws Exception {
    Own own = ownStorage();
    BackendStorage.TimeControl time = require(Hook.TIME_CONTROL, own.storage.timeControl());
    VersionedRecord active = insert(own.first, key("active"), value("a"));
    VersionedRecord inactive = insert(own.first, key("inactive"), value("b", false, null));

    time.advance(Duration.ofDays(3_650));

    assertShown(own.instances(), partition(), active, inactive);
  }

  // --- F4, F11, F9 --------------------------------------------------------------------------

  @Test
  final void f4_f11_everyKindOfMillisecond_isReadBack() {
    List<VersionedRecord> records = new ArrayList<>();
    for (Instant expiresAt : samples()) {
      int number = records.size();
      RecordKey key = key("e%02d".formatted(number));
      records.add(insert(backend(), key, value("data" + number, number % 3 != 0, expiresAt)));
    }
    assertShown(shared(), partition(), records.toArray(VersionedRecord[]::new));
  }

  @ParameterizedTest(name = "by {0}")
  @EnumSource
  final void f4_everyWayToCreate_keepsMilliseconds(Creation creation) {
    VersionedRecord future =
        create(creation, backend(), key("a"), value("a", true, now().plusMillis(3_600_001)));
    VersionedRecord past =
        create(
            creation,
            backend(),
            key("b"),
            value("b", true, Instant.parse("2001-02-03T04:05:06.007Z")));
    VersionedRecord last = create(creation, backend(), key("c"), value("c", true, LAST));

    assertShown(shared(), partition(), future, past, last);
  }

  @Test
  final void f4_expiryMovesByOneMillisecond_isReadBack() {
    Instant expiresAt = now().plusSeconds(3_600).plusMillis(998);
    insert(backend(), key("id"), value("data", true, expiresAt));
    for (int i = 1; i <= 4; i++) {
      VersionedRecord moved =
          write(backend(), key("id"), value("data", true, expiresAt.plusMillis(i)), i);
      assertShown(shared(), partition(), moved);
    }
  }

  @Test
  final void f9_f11_firstAndLastInstant_areExact() {
    VersionedRecord lastActive = insert(backend(), key("a"), value("a", true, LAST));
    VersionedRecord lastInactive = insert(backend(), key("b"), value("b", false, LAST));
    VersionedRecord nearlyLast = insert(backend(), key("c"), value("c", true, LAST.minusMillis(1)));
    VersionedRecord firstActive = insert(backend(), key("d"), value("d", true, FIRST));
    VersionedRecord firstInactive = insert(backend(), key("e"), value("e", false, FIRST));
    assertShown(
        shared(), partition(), lastActive, lastInactive, nearlyLast, firstActive, firstInactive);

    VersionedRecord fromFirstToLast = write(other(), key("d"), value("d", true, LAST), 1);
    VersionedRecord fromLastToFirst = write(other(), key("a"), value("a", true, FIRST), 1);
    assertShown(
        shared(),
        partition(),
        fromLastToFirst,
        lastInactive,
        nearlyLast,
        fromFirstToLast,
        firstInactive);
  }

  @Test
  final void f9_firstAndLastInstant_arePurgedAtThemAndNotBefore() throws Exception {
    Own own = ownStorage();
    VersionedRecord last = insert(own.first, key("last"), value("a", true, LAST));
    insert(own.first, key("nearly"), value("b", false, LAST.minusMillis(1)));
    insert(own.first, key("first"), value("c", true, FIRST));
    VersionedRecord never = insert(own.first, key("never"), value("d"));

    assertPurged(own.first.purgeExpired(FIRST, NO_LIMIT), 1);
    assertThat(own.second.get(key("first"))).isEmpty();
    assertThat(own.first.purgeExpired(LAST.minusMillis(2), NO_LIMIT)).isZero();
    assertPurged(own.first.purgeExpired(LAST.minusMillis(1), NO_LIMIT), 1);
    assertShown(own.instances(), partition(), last, never);
    assertPurged(own.first.purgeExpired(LAST, NO_LIMIT), 1);
    assertShown(own.instances(), partition(), never);
  }

  @ParameterizedTest(name = "pages of {0}")
  @ValueSource(ints = {1, 2, 3, 100})
  final void f11_eachRecordOnEveryPage_hasItsOwnExpiry(int limit) {
    Instant soon = now().plusSeconds(600);
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < 7; i++) {
      // Every second one is moved; ids ascend while expiries descend.
      RecordKey key = key("k" + i);
      RecordValue value = value("data" + i, true, i == 3 ? null : soon.minusMillis(i * 17L));
      VersionedRecord stored = insert(backend(), key, value);
      if (i % 2 == 0) {
        stored = write(backend(), key, value("moved" + i, true, soon.plusMillis(i)), 1);
      }
      records.add(stored);
    }
    List<VersionedRecord> reversed = new ArrayList<>(records);
    Collections.reverse(reversed);

    for (StorageBackend instance : shared()) {
      assertThat(listAll(instance, partition(), false, limit)).isEqualTo(records);
      assertThat(listAll(instance, partition(), true, limit)).isEqualTo(reversed);
      assertThat(listAllActive(instance, partition(), false, limit)).isEqualTo(heads(records));
      assertThat(listAllActive(instance, partition(), true, limit)).isEqualTo(heads(reversed));
    }
  }

  @Test
  final void f11_winnerOfALostRace_hasItsExpiry() {
    VersionedRecord stored =
        insert(backend(), key("id"), value("data", true, now().plusMillis(600_123)));
    RecordValue late = value("late", true, null);

    assertThat(winner(other().putIfVersion(key("id"), late, 0))).isEqualTo(stored);
    assertThat(winner(other().deleteIfVersion(key("id"), 2))).isEqualTo(stored);
    assertThat(winner(other().createWithin(key("id"), late, 10, now()))).isEqualTo(stored);
  }

  // --- F5 -----------------------------------------------------------------------------------

  @ParameterizedTest(name = "by {0}")
  @EnumSource
  final void f5_expiryInThePast_isStored(Creation creation) {
    List<VersionedRecord> records = new ArrayList<>();
    for (Instant past : pastSamples()) {
      RecordKey key = key("past" + records.size());
      records.add(create(creation, backend(), key, value("data", true, past)));
      assertThat(backend().get(key)).as("read at once").contains(records.get(records.size() - 1));
    }
    assertShown(shared(), partition(), records.toArray(VersionedRecord[]::new));
  }

  @Test
  final void f5_recordThatHasExpired_isChangedAndDeletedLikeAnyOther() {
    RecordKey key = key("id");
    Instant past = now().minusSeconds(3_600);
    VersionedRecord created = insert(backend(), key, value("a", true, past));
    assertThat(other().putIfVersion(key, value("late"), 0))
        .as("expected version 0 on an expired record")
        .isEqualTo(new Conflict(created));
    assertShown(shared(), partition(), created);

    VersionedRecord updated = write(other(), key, value("b", true, past.minusMillis(1)), 1);
    assertShown(shared(), partition(), updated);
    VersionedRecord cleared = write(backend(), key, value("c", false, past.minusMillis(2)), 2);
    assertShown(shared(), partition(), cleared);

    assertThat(other().deleteIfVersion(key, 3)).isEqualTo(Deleted.DELETED);
    assertShown(shared(), partition());
  }

  @ParameterizedTest(name = "of a record that {0}")
  @EnumSource
  final void f5_expiryMovesIntoThePast_isStored(Flag flag) {
    List<VersionedRecord> records = new ArrayList<>();
    for (Instant past : pastSamples()) {
      RecordKey wasLater = key("a" + records.size());
      insert(backend(), wasLater, value("a", flag.before, now().plusSeconds(3_600)));
      records.add(write(backend(), wasLater, value("b", flag.after, past), 1));
      RecordKey wasNone = key("b" + records.size());
      insert(backend(), wasNone, value("a", flag.before, null));
      records.add(write(backend(), wasNone, value("b", flag.after, past), 1));
    }
    assertShown(shared(), partition(), records.toArray(VersionedRecord[]::new));
  }

  // --- F6, F7 -------------------------------------------------------------------------------

  @ParameterizedTest(name = "of a record that {0}")
  @EnumSource
  final void f6_longerOrShorterExpiry_replacesTheOldOne(Flag flag) {
    Instant now = now();
    List<Duration> expiries =
        List.of(
            Duration.ofHours(1),
            Duration.ofHours(2),
            Duration.ofMinutes(30),
            Duration.ofDays(30_000),
            Duration.ofMillis(1),
            Duration.ofHours(-1),
            Duration.ofHours(1));
    RecordKey key = key("id");
    VersionedRecord stored = insert(backend(), key, value("0", flag.before, now.plusSeconds(9)));
    for (Duration expiry : expiries) {
      RecordValue next = value("next", flag.after, now.plus(expiry));
      stored = write(backend(), key, next, stored.version());
      assertShown(shared(), partition(), stored);
    }
  }

  @ParameterizedTest(name = "of a record that {0}")
  @EnumSource
  final void f6_longerExpiry_isWhatPurgeGoesBy(Flag flag) throws Exception {
    Own own = ownStorage();
    Instant old = now().plusSeconds(3_600);
    Instant later = old.plusSeconds(3_600);
    insert(own.first, key("id"), value("a", flag.before, old));
    VersionedRecord moved = write(own.first, key("id"), value("b", flag.after, later), 1);

    assertThat(own.first.purgeExpired(old, NO_LIMIT)).as("purged at the old expiry").isZero();
    assertThat(own.first.purgeExpired(later.minusMillis(1), NO_LIMIT))
        .as("purged just before the new expiry")
        .isZero();
    assertShown(own.instances(), partition(), moved);
    assertPurged(own.second.purgeExpired(later, NO_LIMIT), 1);
    assertShown(own.instances(), partition());
  }

  @ParameterizedTest(name = "of a record that {0}")
  @EnumSource
  final void f6_shorterExpiry_isWhatPurgeGoesBy(Flag flag) throws Exception {
    Own own = ownStorage();
    Instant old = now().plusSeconds(7_200);
    Instant sooner = old.minusSeconds(3_600);
    insert(own.first, key("id"), value("a", flag.before, old));
    VersionedRecord moved = write(own.first, key("id"), value("b", flag.after, sooner), 1);

    assertThat(own.first.purgeExpired(sooner.minusMillis(1), NO_LIMIT))
        .as("purged just before the new expiry")
        .isZero();
    assertShown(own.instances(), partition(), moved);
    assertPurged(own.second.purgeExpired(sooner, NO_LIMIT), 1);
    assertShown(own.instances(), partition());
    assertThat(own.first.purgeExpired(old, NO_LIMIT)).as("purged at the old expiry").isZero();
  }

  @Test
  final void f6_oldExpiryPasses_recordWithALongerOneStays() throws Exception {
    Own own = ownStorage();
    BackendStorage.TimeControl time = require(Hook.TIME_CONTROL, own.storage.timeControl());
    Instant now = now();
    List<VersionedRecord> records = new ArrayList<>();
    for (Flag flag : Flag.values()) {
      for (Duration old : List.of(Duration.ofHours(-1), Duration.ofMinutes(1))) {
        RecordKey key = key("k%02d".formatted(records.size()));
        insert(own.first, key, value("a", flag.before, now.plus(old)));
        RecordValue longer = value("b", flag.after, now.plus(Duration.ofDays(30)));
        records.add(write(own.first, key, longer, 1));
      }
    }

    time.advance(Duration.ofDays(1));

    assertShown(own.instances(), partition(), records.toArray(VersionedRecord[]::new));
  }

  @ParameterizedTest(name = "of a record that {0}")
  @EnumSource
  final void f7_writeWithoutExpiry_removesIt(Flag flag) throws Exception {
    Own own = ownStorage();
    Instant old = now().plusSeconds(3_600);
    insert(own.first, key("future"), value("a", flag.before, old));
    insert(own.first, key("past"), value("a", flag.before, FIRST));
    insert(own.first, key("put"), value("a", flag.before, old));
    VersionedRecord future = write(own.first, key("future"), value("b", flag.after, null), 1);
    VersionedRecord past = write(own.first, key("past"), value("b", flag.after, null), 1);
    RecordValue unconditional = value("b", flag.after, null);
    assertThat(own.first.put(key("put"), unconditional)).isEqualTo(2);
    VersionedRecord put = new VersionedRecord(key("put"), unconditional, 2);

    assertShown(own.instances(), partition(), future, past, put);
    assertThat(own.first.purgeExpired(old, NO_LIMIT)).as("purged at the old expiry").isZero();
    assertThat(own.second.purgeExpired(LAST, NO_LIMIT)).as("purged in the year 9999").isZero();
    assertShown(own.instances(), partition(), future, past, put);

    VersionedRecord again = write(own.second, key("past"), value("c", false, old), 2);
    assertShown(own.instances(), partition(), future, again, put);
    assertPurged(own.first.purgeExpired(old, NO_LIMIT), 1);
    assertShown(own.instances(), partition(), future, put);
  }

  @Test
  final void f7_oldExpiryPasses_recordWithoutOneStays() throws Exception {
    Own own = ownStorage();
    BackendStorage.TimeControl time = require(Hook.TIME_CONTROL, own.storage.timeControl());
    List<VersionedRecord> records = new ArrayList<>();
    for (Flag flag : Flag.values()) {
      RecordKey key = key("k" + records.size());
      insert(own.first, key, value("a", flag.before, now().plusSeconds(60)));
      records.add(write(own.first, key, value("b", flag.after, null), 1));
    }

    time.advance(Duration.ofDays(1));

    assertShown(own.instances(), partition(), records.toArray(VersionedRecord[]::new));
  }

  // --- F8 -----------------------------------------------------------------------------------

  @Test
  final void f8_lostRaces_leaveTheExpiry() throws Exception {
    Own own = ownStorage();
    Instant now = now();
    Instant expiresAt = now.plusSeconds(3_600);
    RecordKey key = key("id");
    insert(own.first, key, value("a", true, expiresAt.plusSeconds(5)));
    VersionedRecord stored = write(own.first, key, value("b", true, expiresAt), 1);

    for (RecordValue late : otherExpiries(now, "late")) {
      for (long expected : new long[] {0, 1, 3}) {
        assertThat(own.first.putIfVersion(key, late, expected)).isEqualTo(new Conflict(stored));
      }
      assertThat(own.second.createWithin(key, late, 10, now)).isEqualTo(new Conflict(stored));
      assertThat(own.second.createWithin(key("more"), late, 1, now)).isEqualTo(Full.FULL);
      assertThat(own.second.putIfVersion(key("missing"), late, 2)).isEqualTo(Conflict.ABSENT);
    }
    assertThat(own.first.deleteIfVersion(key, 1)).isEqualTo(new Conflict(stored));
    assertThat(own.first.deleteIfVersion(key, 3)).isEqualTo(new Conflict(stored));

    assertGoesByItsExpiry(own, stored, expiresAt);
  }

  @Test
  final void f8_refusedWrites_leaveTheExpiry() throws Exception {
    if (traits().maxDataBytes() > LARGEST_SAMPLE) {
      throw ExcludedException.byTraits("takes larger records than a test can make");
    }
    Own own = ownStorage();
    Instant now = now();
    Instant expiresAt = now.plusSeconds(3_600);
    RecordKey key = key("id");
    VersionedRecord stored = insert(own.first, key, value("a", true, expiresAt));

    byte[] tooLarge = new byte[traits().maxDataBytes() + 1];
    for (RecordValue other : otherExpiries(now, "other")) {
      RecordValue large = value(tooLarge, true, other.expiresAt());
      assertThatThrownBy(() -> own.first.putIfVersion(key, large, 1))
          .isInstanceOf(RecordTooLargeException.class);
      assertThatThrownBy(() -> own.first.put(key, large))
          .isInstanceOf(RecordTooLargeException.class);
      assertThatThrownBy(() -> own.first.createWithin(key("more"), large, 10, now))
          .isInstanceOf(RecordTooLargeException.class);
      assertThatThrownBy(() -> own.first.putIfVersion(key, other, -1))
          .isInstanceOf(IllegalArgumentException.class);
    }
    assertThatThrownBy(() -> own.first.deleteIfVersion(key, 0))
        .isInstanceOf(IllegalArgumentException.class);

    assertGoesByItsExpiry(own, stored, expiresAt);
  }

  // --- F12 ----------------------------------------------------------------------------------

  @ParameterizedTest(name = "removed by {0}, created by {1}")
  @CsvSource({
    "DELETE_IF_VERSION, PUT_IF_VERSION",
    "DELETE_IF_VERSION, CREATE_WITHIN",
    "DELETE, PUT",
    "PURGE, PUT_IF_VERSION",
    "PURGE, PUT",
    "PURGE, CREATE_WITHIN"
  })
  final void f12_keyThatIsCreatedAgain_doesNotInheritTheExpiry(Removal removal, Creation creation)
      throws Exception {
    Own own = ownStorage();
    Instant old = now().minusSeconds(7_200);
    Instant later = now().plusSeconds(7_200);
    for (boolean active : new boolean[] {true, false}) {
      for (String id : List.of("never", "later")) {
        RecordKey key = key(id + active);
        insert(own.first, key, value("old", true, old.minusMillis(1)));
        remove(removal, own.first, write(own.first, key, value("old", active, old), 1));
      }
    }
    assertShown(own.instances(), partition());

    List<VersionedRecord> withoutExpiry = new ArrayList<>();
    List<VersionedRecord> all = new ArrayList<>();
    for (boolean active : new boolean[] {true, false}) {
      RecordValue never = value("new", true, null);
      withoutExpiry.add(create(creation, own.second, key("never" + active), never));
      RecordValue laterValue = value("new", true, later);
      all.add(create(creation, own.second, key("later" + active), laterValue));
    }
    all.addAll(withoutExpiry);

    assertShown(own.instances(), partition(), all.toArray(VersionedRecord[]::new));
    assertThat(own.first.purgeExpired(old, NO_LIMIT)).as("purged at the old expiry").isZero();
    assertThat(own.first.purgeExpired(later.minusMillis(1), NO_LIMIT))
        .as("purged just before the new expiry")
        .isZero();
    assertShown(own.instances(), partition(), all.toArray(VersionedRecord[]::new));

    assertPurged(own.first.purgeExpired(LAST, NO_LIMIT), 2);
    assertShown(own.instances(), partition(), withoutExpiry.toArray(VersionedRecord[]::new));
  }

  @ParameterizedTest(name = "removed by {0}, created by {1}")
  @CsvSource({
    "DELETE_IF_VERSION, PUT_IF_VERSION",
    "DELETE_IF_VERSION, CREATE_WITHIN",
    "DELETE, PUT",
    "PURGE, PUT_IF_VERSION"
  })
  final void f12_oldExpiryPasses_recordThatWasCreatedAgainStays(Removal removal, Creation creation)
      throws Exception {
    Own own = ownStorage();
    BackendStorage.TimeControl time = require(Hook.TIME_CONTROL, own.storage.timeControl());
    Instant soon = now().plusSeconds(60);
    List<VersionedRecord> records = new ArrayList<>();
    for (String id : List.of("a", "b")) {
      VersionedRecord old = insert(own.first, key(id), value("old", true, soon));
      remove(removal, own.first, old);
      Instant expiresAt = id.equals("a") ? null : soon.plus(Duration.ofDays(30));
      records.add(create(creation, own.first, key(id), value("new", true, expiresAt)));
    }

    time.advance(Duration.ofDays(1));

    assertShown(own.instances(), partition(), records.toArray(VersionedRecord[]::new));
  }

  // --- F14, F15 -----------------------------------------------------------------------------

  @Test
  final void f14_nothingIsDue_purgesNone() throws Exception {
    Own own = ownStorage();
    assertThat(own.first.purgeExpired(now(), NO_LIMIT)).as("purged of an empty storage").isZero();
    assertThat(own.second.purgeExpired(LAST, 1)).as("purged of an empty storage").isZero();

    VersionedRecord never = insert(own.first, key("never"), value("a"));
    VersionedRecord later = insert(own.first, key("later"), value("b", true, LAST));
    for (int i = 0; i < 2; i++) {
      assertThat(own.first.purgeExpired(now(), NO_LIMIT)).as("purged with none due").isZero();
    }
    assertShown(own.instances(), partition(), later, never);
  }

  @Test
  final void f14_everythingDueAndOnlyThat_isPurgedOfAllPartitions() throws Exception {
    Own own = ownStorage();
    Instant now = now();
    List<Instant> due =
        List.of(
            FIRST,
            Instant.EPOCH.minusMillis(1),
            Instant.EPOCH,
            now.minus(Duration.ofDays(1)),
            now.minusMillis(1),
            now);
    List<Instant> notDue =
        List.of(now.plusMillis(1), now.plusMillis(999), now.plus(Duration.ofDays(1)), LAST);
    List<String> partitions = List.of(partition(), partition() + "0", partition() + "/1");
    List<List<VersionedRecord>> stay = new ArrayList<>();
    List<VersionedRecord> go = new ArrayList<>();
    for (String partition : partitions) {
      List<VersionedRecord> staying = new ArrayList<>();
      for (boolean active : new boolean[] {true, false}) {
        // The same ids in all partitions, those that go among those that stay.
        for (int i = 0; i < due.size(); i++) {
          RecordKey key = new RecordKey(partition, "%d-go-%s".formatted(i, active));
          go.add(insert(own.first, key, value("go", active, due.get(i))));
        }
        for (int i = 0; i < notDue.size(); i++) {
          RecordKey key = new RecordKey(partition, "%d-stay-%s".formatted(i, active));
          staying.add(insert(own.first, key, value("stay", active, notDue.get(i))));
        }
        RecordKey key = new RecordKey(partition, "never-" + active);
        staying.add(insert(own.first, key, value("stay", active, null)));
      }
      stay.add(staying);
    }

    assertPurged(own.first.purgeExpired(now, NO_LIMIT), go.size());

    for (int i = 0; i < partitions.size(); i++) {
      assertShown(own.instances(), partitions.get(i), stay.get(i).toArray(VersionedRecord[]::new));
    }
    for (VersionedRecord gone : go) {
      assertThat(own.second.get(gone.key())).as("what was due").isEmpty();
    }
    assertThat(own.first.purgeExpired(now, NO_LIMIT)).as("purged a second time").isZero();
    assertThat(own.second.purgeExpired(now, NO_LIMIT)).as("purged a third time").isZero();
  }

  @Test
  final void f14_instantBetweenMilliseconds_isNotRounded() throws Exception {
    Own own = ownStorage();
    Instant now = now();
    insert(own.first, key("due"), value("a", true, now));
    VersionedRecord next = insert(own.first, key("next"), value("b", true, now.plusMillis(1)));

    assertThat(own.first.purgeExpired(now.minusNanos(1), NO_LIMIT))
        .as("purged a nanosecond before the expiry")
        .isZero();
    assertPurged(own.first.purgeExpired(now.plusNanos(999_999), NO_LIMIT), 1);
    assertShown(own.instances(), partition(), next);
  }

  @Test
  final void f14_endsOfTime_areInstantsLikeOthers() throws Exception {
    Own own = ownStorage();
    insert(own.first, key("first"), value("a", true, RecordValue.MIN_EXPIRY));
    insert(own.first, key("last"), value("b", true, RecordValue.MAX_EXPIRY));
    VersionedRecord stays = insert(own.first, key("stays"), value("c"));

    assertThat(own.first.purgeExpired(Instant.MIN, NO_LIMIT)).as("purged at Instant.MIN").isZero();
    assertThat(own.first.createWithin(key("more"), value("d"), 3, Instant.MIN))
        .as("createWithin 3 at Instant.MIN, when nothing has expired")
        .isEqualTo(Full.FULL);
    assertThat(own.first.createWithin(key("more"), value("d"), 2, Instant.MAX))
        .as("createWithin 2 at Instant.MAX, when all but one have expired")
        .isEqualTo(Created.CREATED);
    assertThat(own.first.deleteIfVersion(key("more"), 1)).isEqualTo(Deleted.DELETED);
    assertPurged(own.first.purgeExpired(Instant.MAX, NO_LIMIT), 2);
    assertShown(own.instances(), partition(), stays);
  }

  @Test
  final void f14_dueRecordsAmongMany_areAllPurgedByOneCall() throws Exception {
    Own own = ownStorage();
    Instant now = now();
    // Whoever looks through all records meets many that stay, in any order, before one that goes:
    // a partition without any, and others that have theirs in the middle.
    List<List<VersionedRecord>> written =
        race(
            6,
            number -> {
              List<VersionedRecord> stay = new ArrayList<>();
              for (int i = 0; i < 50; i++) {
                RecordKey key =
                    new RecordKey(partition() + number % 3, "%02d-%d".formatted(i, number));
                boolean goes = number % 3 != 0 && i >= 15 && i < 35;
                Instant expiresAt = goes ? now.minusMillis(i) : now.plusMillis(1 + i);
                VersionedRecord stored =
                    insert(own.first, key, value("data", i % 3 == 0, expiresAt));
                if (!goes) {
                  stay.add(stored);
                }
              }
              return stay;
            });

    assertPurged(own.second.purgeExpired(now, NO_LIMIT), 4 * 20);

    for (int p = 0; p < 3; p++) {
      String partition = partition() + p;
      List<VersionedRecord> stay =
          written.stream()
              .flatMap(List::stream)
              .filter(stored -> stored.key().partition().equals(partition))
              .sorted(Comparator.comparing(s -> s.key().id(), RecordKey::compareIds))
              .toList();
      assertThat(listAll(own.first, partition, false, 100)).isEqualTo(stay);
    }
    assertThat(own.first.purgeExpired(now, NO_LIMIT)).as("purged a second time").isZero();
  }

  @Test
  final void f14_purgedKey_isAbsentAndCanBeCreatedAgain() throws Exception {
    Own own = ownStorage();
    Instant past = now().minusSeconds(3_600);
    RecordKey key = key("id");
    insert(own.first, key, value("a", true, past));
    write(own.first, key, value("b", true, past), 1);

    assertPurged(own.first.purgeExpired(past, NO_LIMIT), 1);

    assertShown(own.instances(), partition());
    assertThat(own.first.putIfVersion(key, value("late"), 2)).isEqualTo(Conflict.ABSENT);
    assertThat(own.first.deleteIfVersion(key, 2)).isEqualTo(Conflict.ABSENT);
    assertThat(own.first.delete(key)).isFalse();
    VersionedRecord again = insert(own.second, key, value("again", true, past));
    assertShown(own.instances(), partition(), again);
    assertPurged(own.second.purgeExpired(past, NO_LIMIT), 1);
    assertShown(own.instances(), partition());
  }

  @Test
  final void f14_severalPurgeAtOnce_eachRecordIsCountedOnce() throws Exception {
    Own own = ownStorage();
    Instant now = now();
    int due = 120;
    List<VersionedRecord> stay = new ArrayList<>();
    race(
        4,
        number -> {
          for (int i = number; i < due; i += 4) {
            RecordKey key = new RecordKey(partition() + i % 5, "due" + i);
            insert(own.first, key, value("go", i % 2 == 0, now.minusMillis(i)));
          }
          return number;
        });
    stay.add(insert(own.first, key("later"), value("stay", true, now.plusMillis(1))));
    stay.add(insert(own.first, key("never"), value("stay")));

    List<Integer> purged =
        race(
            4,
            number -> {
              StorageBackend instance = number % 2 == 0 ? own.first : own.second;
              int sum = 0;
              int count;
              do {
                count = instance.purgeExpired(now, 7);
                assertThat(count).as("purged with limit 7").isBetween(0, 7);
                sum += count;
              } while (count > 0);
              return sum;
            });
    // Those who race may each stop early, when others were faster.
    int rest = own.first.purgeExpired(now, NO_LIMIT);

    assertPurged(purged.stream().mapToInt(Integer::intValue).sum() + rest, due);
    for (int p = 0; p < 5; p++) {
      assertShown(own.instances(), partition() + p);
    }
    assertShown(own.instances(), partition(), stay.toArray(VersionedRecord[]::new));
    assertThat(own.second.purgeExpired(now, NO_LIMIT)).as("purged afterwards").isZero();
  }

  @Test
  final void f14_corruptRecord_isLeftWhereItIs() throws Exception {
    Own own = ownStorage();
    BackendStorage.Damage damage = require(Hook.DAMAGE, own.storage.damage());
    Instant past = now().minusSeconds(3_600);
    for (String id : List.of("a", "b", "c", "d", "e")) {
      insert(own.first, key(id), value("data", true, past));
    }
    damage.damage(key("a"));
    damage.damage(key("c"));

    // Those that cannot be removed are not in the way of those that can.
    assertPurged(own.first.purgeExpired(now(), 2), 2);
    assertPurged(own.first.purgeExpired(now(), 2), 1);

    for (String id : List.of("b", "d", "e")) {
      assertThat(own.second.get(key(id))).isEmpty();
    }
    for (String id : List.of("a", "c")) {
      assertThatThrownBy(() -> own.second.get(key(id))).isInstanceOf(CorruptRecordException.class);
    }
    assertThat(own.first.purgeExpired(now(), NO_LIMIT)).as("purged a second time").isZero();
  }

  @ParameterizedTest(name = "limit {0} of 5 that are due")
  @ValueSource(ints = {1, 2, 4, 5, 6, Integer.MAX_VALUE})
  final void f15_limit_isKept(int limit) throws Exception {
    Own own = ownStorage();
    Instant now = now();
    int due = 5;
    List<List<VersionedRecord>> stay = List.of(new ArrayList<>(), new ArrayList<>());
    for (int i = 0; i < 2 * due; i++) {
      RecordKey key = new RecordKey(partition() + i % 2, "k" + i);
      boolean goes = i < due;
      Instant expiresAt = goes ? now.minusSeconds(60 - i) : now.plusMillis(1 + i);
      VersionedRecord stored = insert(own.first, key, value("data", i % 3 != 0, expiresAt));
      if (!goes) {
        stay.get(i % 2).add(stored);
      }
    }

    int left = due;
    int purged;
    int calls = 0;
    do {
      purged = own.first.purgeExpired(now, limit);
      assertThat(purged).as("purged with limit %d", limit).isBetween(0, Math.min(limit, left));
      assertPurged(purged, Math.min(limit, left));
      left -= purged;
      if (!traits().purgesItself()) {
        assertThat(countStored(own.second)).as("records left").isEqualTo(due + left);
      }
      calls++;
    } while (purged == limit && calls <= due);

    // A count below the limit says that nothing more is due.
    for (int p = 0; p < 2; p++) {
      assertShown(own.instances(), partition() + p, stay.get(p).toArray(VersionedRecord[]::new));
    }
  }

  @Test
  final void f15_limitBelowOne_isRefused() throws Exception {
    Own own = ownStorage();
    VersionedRecord due = insert(own.first, key("due"), value("a", true, FIRST));

    for (int limit : new int[] {0, -1, Integer.MIN_VALUE}) {
      assertThatThrownBy(() -> own.first.purgeExpired(now(), limit))
          .as("limit %d", limit)
          .isInstanceOf(IllegalArgumentException.class);
    }

    assertShown(own.instances(), partition(), due);
  }

  // --- F16 ----------------------------------------------------------------------------------

  @ParameterizedTest(name = "by {0}")
  @EnumSource
  final void f16_recordsWereRemoved_nothingIsLeftOfThem(Removal removal) throws Exception {
    Own own = ownStorage();
    BackendStorage.RawInspection raw = require(Hook.RAW_INSPECTION, own.storage.rawInspection());
    // What is made once, at the first use, is there from now on.
    removeAll(removal, own, liveThroughChanges(own, partition() + "-first", 2));
    List<String> before = raw.entries();

    List<VersionedRecord> records = new ArrayList<>();
    for (String partition : List.of(partition(), partition() + "0", partition() + "/:#")) {
      records.addAll(liveThroughChanges(own, partition, 16));
    }
    assertThat(minus(raw.entries(), before)).as("entries while records are there").isNotEmpty();
    removeAll(removal, own, records);

    List<String> after = raw.entries();
    assertThat(minus(after, before)).as("entries that are left").isEmpty();
    assertThat(minus(before, after)).as("entries that are missing").isEmpty();
  }

  @Test
  final void f16_failedWrites_leaveNothing() throws Exception {
    Own own = ownStorage();
    BackendStorage.RawInspection raw = require(Hook.RAW_INSPECTION, own.storage.rawInspection());
    removeAll(Removal.DELETE, own, liveThroughChanges(own, partition() + "-first", 2));
    Instant now = now();
    insert(own.first, key("id"), value("stored", true, now.plusSeconds(60)));
    List<String> before = raw.entries();

    for (RecordValue late : otherExpiries(now, "late")) {
      winner(own.first.putIfVersion(key("id"), late, 0));
      winner(own.first.putIfVersion(key("id"), late, 2));
      winner(own.first.deleteIfVersion(key("id"), 2));
      winner(own.first.createWithin(key("id"), late, 10, now));
      assertThat(own.first.createWithin(key("more"), late, 1, now)).isEqualTo(Full.FULL);
      assertThat(own.first.putIfVersion(key("missing"), late, 1)).isEqualTo(Conflict.ABSENT);
      RecordKey elsewhere = new RecordKey(partition() + "-else", "missing");
      assertThat(own.first.putIfVersion(elsewhere, late, 1)).isEqualTo(Conflict.ABSENT);
      assertThat(own.first.deleteIfVersion(elsewhere, 1)).isEqualTo(Conflict.ABSENT);
      assertThat(own.first.delete(elsewhere)).isFalse();
      assertThat(own.first.get(elsewhere)).isEmpty();
    }

    List<String> after = raw.entries();
    assertThat(minus(after, before)).as("entries that are left").isEmpty();
    assertThat(minus(before, after)).as("entries that are missing").isEmpty();
  }

  // --- F18 ----------------------------------------------------------------------------------

  @Test
  final void f18_callersClockIsBehind_recordsStayThroughOtherCalls() {
    Instant now = now();
    List<VersionedRecord> records = new ArrayList<>();
    for (Duration behind :
        List.of(Duration.ofSeconds(1), Duration.ofMinutes(3), Duration.ofHours(1))) {
      for (boolean active : new boolean[] {true, false}) {
        RecordKey key = key("k" + records.size());
        records.add(insert(backend(), key, value("data", active, now.minus(behind))));
      }
    }

    // Whatever a call does on the way, it does not tidy up.
    RecordKey busy = key("x");
    insert(backend(), busy, value("0"));
    write(other(), busy, value("1", true, now.minusSeconds(180)), 1);
    write(backend(), busy, value("2", false, now), 2);
    assertThat(other().deleteIfVersion(busy, 3)).isEqualTo(Deleted.DELETED);
    assertThat(backend().createWithin(busy, value("3"), 1, now)).isEqualTo(Created.CREATED);
    assertThat(backend().createWithin(key("y"), value("4"), 1, now)).isEqualTo(Full.FULL);
    assertThat(backend().delete(busy)).isTrue();

    assertShown(shared(), partition(), records.toArray(VersionedRecord[]::new));
  }

  @Test
  final void f18_callersClockIsAhead_createsDropNothing() {
    Instant now = now();
    Instant ahead = now.plus(Duration.ofMinutes(10));
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      RecordValue value = value("data", i % 2 == 0, now.plusSeconds(60L * i + 60));
      records.add(insert(backend(), key("k" + i), value));
    }

    // To this caller they have expired, and do not count. They are nonetheless there.
    RecordValue late = value("late", true, ahead.plusSeconds(60));
    assertThat(other().createWithin(key("late"), late, 1, ahead)).isEqualTo(Created.CREATED);
    records.add(new VersionedRecord(key("late"), late, 1));
    assertThat(other().createWithin(key("more"), value("more"), 1, ahead)).isEqualTo(Full.FULL);
    assertThat(other().createWithin(key("k0"), value("more"), 5, ahead))
        .isEqualTo(new Conflict(records.get(0)));

    assertShown(shared(), partition(), records.toArray(VersionedRecord[]::new));
  }

  @Test
  final void f18_purge_goesByTheInstantThatItIsGiven() throws Exception {
    Own own = ownStorage();
    Instant now = now();
    List<VersionedRecord> records = new ArrayList<>();
    for (Duration skew : List.of(Duration.ofMinutes(-3), Duration.ZERO, Duration.ofMinutes(3))) {
      RecordKey key = key("k" + records.size());
      records.add(insert(own.first, key, value("data", true, now.plus(skew))));
    }

    // The storage's own clock is past two of the expiries, the caller's is before all of them.
    assertThat(own.first.purgeExpired(now.minusSeconds(180).minusMillis(1), NO_LIMIT))
        .as("purged a millisecond before the first expiry")
        .isZero();
    assertThat(own.second.purgeExpired(FIRST, NO_LIMIT)).as("purged in the year 1").isZero();
    assertShown(own.instances(), partition(), records.toArray(VersionedRecord[]::new));

    assertPurged(own.first.purgeExpired(now.minusSeconds(180), NO_LIMIT), 1);
    assertPurged(own.first.purgeExpired(now.plusSeconds(180).minusMillis(1), NO_LIMIT), 1);
    assertShown(own.instances(), partition(), records.get(2));
  }

  @Test
  final void f18_timePassesUpToTheExpiry_recordsStay() throws Exception {
    Own own = ownStorage();
    BackendStorage.TimeControl time = require(Hook.TIME_CONTROL, own.storage.timeControl());
    Instant expiresAt = now().plus(Duration.ofHours(1));
    VersionedRecord active = insert(own.first, key("a"), value("a", true, expiresAt));
    VersionedRecord inactive = insert(own.first, key("b"), value("b", false, expiresAt));
    insert(own.first, key("c"), value("c", true, now()));
    VersionedRecord moved = write(own.first, key("c"), value("c", true, expiresAt), 1);
    insert(own.first, key("d"), value("d", true, LAST));
    VersionedRecord cleared = write(own.first, key("d"), value("d", false, expiresAt), 1);

    time.advance(Duration.ofMinutes(30));
    assertShown(own.instances(), partition(), active, inactive, moved, cleared);
    time.advance(Duration.ofMinutes(29));
    assertShown(own.instances(), partition(), active, inactive, moved, cleared);
  }

  @Test
  final void f18_callersClockIsBehindAndTimePasses_recordsStayForTheirTime() throws Exception {
    Own own = ownStorage();
    BackendStorage.TimeControl time = require(Hook.TIME_CONTROL, own.storage.timeControl());
    // The caller's clock is an hour behind, and its records are to live for one minute.
    Instant callersNow = now().minus(Duration.ofHours(1));
    Instant expiresAt = callersNow.plus(Duration.ofMinutes(1));
    VersionedRecord active = insert(own.first, key("a"), value("a", true, expiresAt));
    VersionedRecord inactive = insert(own.first, key("b"), value("b", false, expiresAt));

    time.advance(Duration.ofSeconds(50));

    assertShown(own.instances(), partition(), active, inactive);
    VersionedRecord again = write(own.second, key("a"), value("c", true, expiresAt), 1);
    assertShown(own.instances(), partition(), again, inactive);
  }

  // --- helpers ------------------------------------------------------------------------------

  private List<StorageBackend> shared() {
    return List.of(backend(), other());
  }

  private Own ownStorage() throws Exception {
    BackendStorage storage = newStorage();
    return new Own(storage, open(storage), open(storage));
  }

  /** Expiries at which a representation may break: signs, digits, powers of two. */
  private static List<Instant> samples() {
    Instant second = now().plusSeconds(3_600).truncatedTo(ChronoUnit.SECONDS);
    List<Instant> samples = new ArrayList<>();
    for (int millis : new int[] {0, 1, 9, 10, 99, 100, 499, 500, 501, 990, 999}) {
      samples.add(second.plusMillis(millis));
    }
    samples.addAll(pastSamples());
    for (int bits : new int[] {31, 32, 41, 42, 47}) {
      samples.add(Instant.ofEpochMilli((1L << bits) - 1));
      samples.add(Instant.ofEpochMilli(1L << bits));
    }
    samples.add(Instant.ofEpochSecond(Integer.MAX_VALUE, 999_000_000));
    samples.add(Instant.ofEpochSecond(1L << 31, 1_000_000));
    samples.add(Instant.ofEpochSecond(1L << 32, 1_000_000));
    return samples;
  }

  private static List<Instant> pastSamples() {
    Instant now = now();
    return List.of(
        now.minusMillis(1),
        now.minusSeconds(1),
        now.minus(Duration.ofMinutes(3)),
        now.minus(Duration.ofHours(1)),
        now.minus(Duration.ofDays(400)),
        Instant.ofEpochMilli(1),
        Instant.EPOCH,
        Instant.ofEpochMilli(-1),
        Instant.parse("1582-10-10T12:34:56.789Z"),
        FIRST.plusMillis(1),
        FIRST);
  }

  /** Values with an expiry that is over, one that is far away, and none. */
  private static List<RecordValue> otherExpiries(Instant now, String data) {
    return List.of(
        value(data, true, now.minusSeconds(86_400)),
        value(data, true, now.plusSeconds(86_400)),
        value(data, true, null));
  }

  private static VersionedRecord create(
      Creation creation, StorageBackend backend, RecordKey key, RecordValue value) {
    switch (creation) {
      case PUT_IF_VERSION -> insert(backend, key, value);
      case PUT -> assertThat(backend.put(key, value)).as("put of %s", key).isEqualTo(1);
      case CREATE_WITHIN ->
          assertThat(backend.createWithin(key, value, NO_LIMIT, now()))
              .as("createWithin of %s", key)
              .isEqualTo(Created.CREATED);
    }
    return new VersionedRecord(key, value, 1);
  }

  private void remove(Removal removal, StorageBackend backend, VersionedRecord stored) {
    RecordKey key = stored.key();
    switch (removal) {
      case DELETE_IF_VERSION ->
          assertThat(backend.deleteIfVersion(key, stored.version())).isEqualTo(Deleted.DELETED);
      case DELETE -> assertThat(backend.delete(key)).isTrue();
      case PURGE -> assertPurged(backend.purgeExpired(LAST, NO_LIMIT), 1);
    }
  }

  private void removeAll(Removal removal, Own own, List<VersionedRecord> records) {
    if (removal == Removal.PURGE) {
      assertPurged(own.second.purgeExpired(LAST, NO_LIMIT), records.size());
    } else {
      records.forEach(stored -> remove(removal, own.second, stored));
    }
    for (VersionedRecord removed : records) {
      assertThat(own.first.get(removed.key())).as("what was removed").isEmpty();
    }
  }

  /** Records with an expiry that have had other flags and expiries before. */
  private static List<VersionedRecord> liveThroughChanges(Own own, String partition, int number) {
    Instant now = now();
    List<VersionedRecord> records = new ArrayList<>();
    for (int i = 0; i < number; i++) {
      RecordKey key = new RecordKey(partition, "id/" + i);
      Instant first = i % 3 == 0 ? null : now.plusSeconds(i);
      create(
          i % 2 == 0 ? Creation.PUT_IF_VERSION : Creation.CREATE_WITHIN,
          own.first,
          key,
          value("created", true, first));
      Instant second = i % 4 < 2 ? now.plusSeconds(60L + i) : first;
      write(own.second, key, value("changed", i % 5 != 0, second), 1);
      RecordValue last = value("last", i % 5 != 0 && i % 7 < 4, now.minusSeconds(i));
      assertThat(own.first.put(key, last)).isEqualTo(3);
      records.add(new VersionedRecord(key, last, 3));
    }
    return records;
  }

  /** Checks that a record is as it was, and due exactly when it was due. */
  private void assertGoesByItsExpiry(Own own, VersionedRecord stored, Instant expiresAt) {
    String partition = stored.key().partition();
    assertShown(own.instances(), partition, stored);
    assertThat(own.first.purgeExpired(expiresAt.minusMillis(1), NO_LIMIT))
        .as("purged just before the expiry")
        .isZero();
    assertShown(own.instances(), partition, stored);
    assertPurged(own.first.purgeExpired(expiresAt, NO_LIMIT), 1);
    assertShown(own.instances(), partition);
    assertThat(own.second.purgeExpired(LAST, NO_LIMIT)).as("purged afterwards").isZero();
  }

  /** A storage that purges by itself may have been faster. */
  private void assertPurged(int purged, int due) {
    assertThat(purged)
        .as("how many records purgeExpired says that it removed")
        .isBetween(traits().purgesItself() ? 0 : due, due);
  }

  private int countStored(StorageBackend backend) {
    return listAll(backend, partition() + 0, false, 100).size()
        + listAll(backend, partition() + 1, false, 100).size();
  }

  /** Checks all that can be read of a partition. */
  private static void assertShown(
      List<StorageBackend> instances, String partition, VersionedRecord... records) {
    List<VersionedRecord> expected = new ArrayList<>(List.of(records));
    expected.sort(Comparator.comparing(stored -> stored.key().id(), RecordKey::compareIds));
    for (StorageBackend instance : instances) {
      for (VersionedRecord stored : expected) {
        assertThat(instance.get(stored.key())).as("get").contains(stored);
      }
      assertThat(listAll(instance, partition, false, 100)).as("list").isEqualTo(expected);
      assertThat(listAllActive(instance, partition, false, 100))
          .as("listActive")
          .isEqualTo(heads(expected));
    }
  }

  private static List<RecordHead> heads(List<VersionedRecord> records) {
    return records.stream()
        .filter(stored -> stored.value().active())
        .map(stored -> new RecordHead(stored.key(), stored.value().expiresAt()))
        .toList();
  }

  /** What is in {@code entries} more often than in {@code others}. */
  private static List<String> minus(List<String> entries, List<String> others) {
    List<String> rest = new ArrayList<>(entries);
    rest.sort(Comparator.naturalOrder());
    List<String> sorted = new ArrayList<>(others);
    sorted.sort(Comparator.naturalOrder());
    List<String> result = new ArrayList<>();
    int o = 0;
    for (String entry : rest) {
      while (o < sorted.size() && sorted.get(o).compareTo(entry) < 0) {
        o++;
      }
      if (o < sorted.size() && sorted.get(o).equals(entry)) {
        o++;
      } else {
        result.add(entry);
      }
    }
    return result;
  }
}
