// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.newWriteId;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.race;
import static io.taskstore.contract.Samples.randomBytes;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.winner;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.contract.BackendStorage.VersionSeeding;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements B: versions and compare-and-swap. */
abstract class VersionStatements extends BasicStatements {
  /** More data than this is not tried: several copies of it must fit into the memory of a test. */
  static final int MOST_TESTED_BYTES = 256 * 1024 * 1024;

  private static final long TWO_TO_31 = 1L << 31;
  private static final long TWO_TO_32 = 1L << 32;
  private static final long TWO_TO_53 = 1L << 53;
  private static final long LAST = StorageBackend.MAX_VERSION;

  @Test
  final void b1_expectedAbsent_createsVersion1() {
    VersionedRecord first = insert(backend(), key("b"), value("first"));
    assertHeld("the first create of a partition", first);

    VersionedRecord second = insert(other(), key("a"), value("second", false, inDays(1)));
    VersionedRecord third = insert(backend(), key("c"), value(new byte[0], true, inDays(2)));
    assertHeld("three creates", first, second, third);
  }

  @Test
  final void b1_expectedAbsentOfADeletedKey_createsVersion1() {
    RecordKey key = key("key");
    for (int versions = 1; versions <= 3; versions++) {
      for (int i = 0; i < versions; i++) {
        write(backend(), key, value("number " + i), i);
      }
      assertThat(backend().deleteIfVersion(key, versions)).isEqualTo(Deleted.DELETED);
      VersionedRecord again = insert(other(), key, value("again"));
      assertHeld("creating again after version " + versions, again);
      assertThat(backend().deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
    }
  }

  @Test
  final void b2_expectedAbsentOfALivingKey_isAConflictAndChangesNothing() {
    List<VersionedRecord> living = livingRecords();

    for (VersionedRecord current : living) {
      for (StorageBackend instance : instances()) {
        assertThat(instance.putIfVersion(current.key(), change(), 0))
            .as("a create over version %d", current.version())
            .isEqualTo(new Conflict(current));
      }
    }

    assertHeld("creates of living keys", living.toArray(VersionedRecord[]::new));
  }

  @Test
  final void b3_currentVersion_addsOne() {
    RecordKey key = key("key");
    VersionedRecord last = insert(backend(), key, value("0"));
    for (int i = 1; i <= 30; i++) {
      RecordValue value = value(randomBytes(i * 7 % 50, i), i < 20, i % 3 == 0 ? inDays(i) : null);
      last = write(i % 2 == 0 ? backend() : other(), key, value, i);
      assertThat(other().get(key)).as("get after write number %d", i).contains(last);
    }
    assertHeld("thirty writes", last);
  }

  @Test
  final void b3_currentVersionOfEveryLivingRecord_succeeds() {
    List<VersionedRecord> written = new ArrayList<>();
    for (VersionedRecord current : livingRecords()) {
      written.add(write(other(), current.key(), change(), current.version()));
    }
    assertHeld("a write of each record", written.toArray(VersionedRecord[]::new));
  }

  @Test
  final void b4_staleVersion_isAConflictAndChangesNothing() {
    RecordKey key = key("key");
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    VersionedRecord current = insert(backend(), key, value("1", true, inDays(1)));
    for (int version = 2; version <= 5; version++) {
      current = write(backend(), key, value("n" + version, true, inDays(version)), version - 1);
      for (long stale = 1; stale < version; stale++) {
        for (StorageBackend instance : instances()) {
          assertThat(instance.putIfVersion(key, change(), stale))
              .as("putIfVersion with %d of a record with version %d", stale, version)
              .isEqualTo(new Conflict(current));
        }
      }
      assertHeld("stale writes", current, bystander);
    }
  }

  @Test
  final void b5_futureVersion_isAConflictAndChangesNothing() {
    for (VersionedRecord current : livingRecords()) {
      long version = current.version();
      for (long future :
          new long[] {
            version + 1,
            version + 2,
            100,
            TWO_TO_31 + version,
            TWO_TO_32 + version,
            TWO_TO_53 + version,
            LAST - 1
          }) {
        assertThat(backend().putIfVersion(current.key(), change(), future))
            .as("putIfVersion with %d of a record with version %d", future, version)
            .isEqualTo(new Conflict(current));
      }
      for (StorageBackend instance : instances()) {
        assertThat(instance.get(current.key())).as("get after future writes").contains(current);
      }
    }
  }

  @Test
  final void b5_futureVersions_leaveThePartitionAsItIs() {
    List<VersionedRecord> living = livingRecords();
    for (VersionedRecord current : living) {
      assertThat(other().putIfVersion(current.key(), change(), current.version() + 1))
          .isEqualTo(new Conflict(current));
    }
    assertHeld("future writes", living.toArray(VersionedRecord[]::new));
  }

  @Test
  final void b6_versionOfAMissingKey_isAConflictWithAbsentAndCreatesNothing() {
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    RecordKey elsewhere = new RecordKey(partition() + "-empty", "key");
    for (RecordKey missing : List.of(key("key"), elsewhere)) {
      for (long expected :
          new long[] {1, 2, 3, TWO_TO_31, TWO_TO_32, TWO_TO_32 + 1, TWO_TO_53, LAST - 1}) {
        for (StorageBackend instance : instances()) {
          assertThat(instance.putIfVersion(missing, value("data"), expected))
              .as("putIfVersion with %d of the missing %s", expected, missing)
              .isEqualTo(Conflict.ABSENT);
        }
      }
      assertAbsentEverywhere(missing);
    }
    assertHeld("updates of missing keys", bystander);
    for (StorageBackend instance : instances()) {
      assertContents("an update elsewhere", instance, elsewhere.partition(), List.of(), 10);
    }

    VersionedRecord created = insert(other(), key("key"), value("data"));
    assertHeld("creating the key after all", created, bystander);
  }

  @Test
  final void b7_versionFromBeforeADelete_isAConflictWithAbsent() {
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    for (boolean conditional : new boolean[] {true, false}) {
      RecordKey key = key("key-" + conditional);
      insert(backend(), key, value("1", true, inDays(1)));
      write(backend(), key, value("2", true, inDays(2)), 1);
      write(backend(), key, value("3", false, inDays(2)), 2);
      if (conditional) {
        assertThat(backend().deleteIfVersion(key, 3)).isEqualTo(Deleted.DELETED);
      } else {
        assertThat(backend().delete(key)).as("delete of a stored key").isTrue();
      }

      for (long before = 1; before <= 4; before++) {
        for (StorageBackend instance : instances()) {
          assertThat(instance.putIfVersion(key, value("late"), before))
              .as("putIfVersion with %d after the delete of version 3", before)
              .isEqualTo(Conflict.ABSENT);
          assertThat(instance.deleteIfVersion(key, before))
              .as("deleteIfVersion with %d after the delete of version 3", before)
              .isEqualTo(Conflict.ABSENT);
        }
      }
      assertAbsentEverywhere(key);
      assertHeld("late writes", bystander);
    }
  }

  @Test
  final void b9_conflict_carriesWhatGetReturns() {
    for (VersionedRecord current : livingRecords()) {
      RecordKey key = current.key();
      for (StorageBackend instance : instances()) {
        for (long expected : new long[] {0, 1, 2, 3, 4, 5, 77}) {
          if (expected == current.version()) {
            continue;
          }
          VersionedRecord put = winner(instance.putIfVersion(key, change(), expected));
          assertThat(put).as("the winner against a put with %d", expected).isEqualTo(current);
          assertThat(instance.get(key)).as("get after the conflict").contains(put);
          if (expected > 0) {
            VersionedRecord delete = winner(instance.deleteIfVersion(key, expected));
            assertThat(delete)
                .as("the winner against a delete with %d", expected)
                .isEqualTo(current);
          }
        }
        VersionedRecord create = winner(instance.createWithin(key, value("new"), 100, now()));
        assertThat(create).as("the winner against a create").isEqualTo(current);
        // The key is looked at before the limit.
        assertThat(winner(instance.createWithin(key, value("new"), 1, now())))
            .as("the winner against a create, where the partition is full too")
            .isEqualTo(current);
      }
    }
  }

  @Test
  final void b9_conflictAfterEachWrite_carriesTheLatestRecord() {
    RecordKey key = key("key");
    VersionedRecord current = insert(backend(), key, value("1"));
    for (int i = 1; i <= 10; i++) {
      current = write(i % 2 == 0 ? backend() : other(), key, value("n" + i, i < 5, null), i);
      StorageBackend loser = i % 2 == 0 ? other() : backend();
      assertThat(loser.putIfVersion(key, value("late"), i))
          .as("a write with the version before the last")
          .isEqualTo(new Conflict(current));
      assertThat(loser.deleteIfVersion(key, i))
          .as("a delete with the version before the last")
          .isEqualTo(new Conflict(current));
    }
  }

  @Test
  final void b9_repeatedCall_isAConflictWithItsOwnWrite() {
    RecordKey key = key("key");
    RecordValue created = value("created", true, inDays(1));
    VersionedRecord first = insert(backend(), key, created);
    for (StorageBackend instance : instances()) {
      assertThat(instance.putIfVersion(key, created, 0))
          .as("the same create again")
          .isEqualTo(new Conflict(first));
    }
    RecordValue updated = value("updated", true, inDays(2));
    VersionedRecord second = write(backend(), key, updated, 1);
    for (StorageBackend instance : instances()) {
      assertThat(instance.putIfVersion(key, updated, 1))
          .as("the same update again")
          .isEqualTo(new Conflict(second));
    }
    assertHeld("repeated calls", second);
  }

  @Test
  final void b10_everyWrite_getsTheNextVersionWhateverFailsInBetween() {
    RecordKey key = key("key");
    List<Long> versions = new ArrayList<>();
    VersionedRecord current = insert(backend(), key, value("0", true, inDays(1)));
    versions.add(current.version());
    for (int i = 1; i <= 24; i++) {
      StorageBackend writer = i % 2 == 0 ? backend() : other();
      // What fails uses up no version.
      assertThat(writer.putIfVersion(key, value("lost"), current.version() - 1))
          .isEqualTo(new Conflict(current));
      assertThat(writer.deleteIfVersion(key, current.version() + 1))
          .isEqualTo(new Conflict(current));
      assertThat(writer.createWithin(key, value("lost"), 5, now()))
          .isEqualTo(new Conflict(current));
      RecordValue value = value("number " + i, i < 12, i % 4 == 0 ? null : inDays(i));
      if (i % 3 == 0) {
        long version = writer.put(key, value);
        current = new VersionedRecord(key, value, version);
      } else {
        current = write(writer, key, value, current.version());
      }
      assertThat(stored(other(), key)).as("the record after write number %d", i).isEqualTo(current);
      versions.add(current.version());
    }
    for (int i = 0; i < versions.size(); i++) {
      assertThat(versions.get(i)).as("the version of write number %d", i).isEqualTo(i + 1);
    }
    assertHeld("all writes", current);
  }

  @Test
  final void b11_putAndPutIfVersion_shareOneLineOfVersions() {
    RecordKey key = key("key");
    insert(backend(), key, value("1"));
    RecordValue second = value("2");
    assertThat(other().put(key, second)).as("put over version 1").isEqualTo(2);

    VersionedRecord afterPut = new VersionedRecord(key, second, 2);
    for (StorageBackend instance : instances()) {
      assertThat(instance.putIfVersion(key, value("late"), 1))
          .as("a write with the version from before the put")
          .isEqualTo(new Conflict(afterPut));
      assertThat(instance.deleteIfVersion(key, 1))
          .as("a delete with the version from before the put")
          .isEqualTo(new Conflict(afterPut));
      assertThat(instance.putIfVersion(key, value("late"), 0))
          .as("a create over the put")
          .isEqualTo(new Conflict(afterPut));
    }
    assertHeld("a put and late writes", afterPut);

    write(backend(), key, value("3"), 2);
    RecordValue fourth = value("4");
    assertThat(backend().put(key, fourth)).as("put over version 3").isEqualTo(4);
    assertHeld("a put over version 3", new VersionedRecord(key, fourth, 4));
    RecordValue fifth = value("5");
    assertThat(other().put(key, fifth)).as("put over version 4").isEqualTo(5);
    assertThat(backend().deleteIfVersion(key, 4))
        .isEqualTo(new Conflict(new VersionedRecord(key, fifth, 5)));
    assertThat(backend().deleteIfVersion(key, 5)).isEqualTo(Deleted.DELETED);
    assertHeld("deleting what a put has written");
  }

  @Test
  final void b11_putOnAMissingKey_beginsTheLineOfVersions() {
    RecordKey key = key("put");
    assertThat(backend().put(key, value("1"))).as("put of a missing key").isEqualTo(1);
    assertThat(winner(other().putIfVersion(key, value("late"), 0)).version()).isEqualTo(1);
    VersionedRecord put = write(other(), key, value("2"), 1);

    RecordKey created = key("created");
    assertThat(backend().createWithin(created, value("1"), 5, now())).isEqualTo(Created.CREATED);
    RecordValue second = value("2");
    assertThat(other().put(created, second)).as("put over a created record").isEqualTo(2);
    VersionedRecord third = write(backend(), created, value("3"), 2);

    assertHeld("writes of all kinds", put, third);
  }

  @Test
  final void b12_identicalData_makesANewVersion() {
    RecordKey key = key("key");
    byte[] data = randomBytes(200, 12);
    RecordValue first = value(data, true, inDays(1));
    VersionedRecord current = insert(backend(), key, first);
    for (int version = 1; version <= 3; version++) {
      // The write id alone differs, as it must.
      RecordValue same = new RecordValue(first.data(), true, first.expiresAt(), newWriteId());
      current = write(backend(), key, same, version);
      assertHeld("a write of the same data", current);
      assertThat(other().putIfVersion(key, value("late"), version))
          .as("a write with the version before that")
          .isEqualTo(new Conflict(current));
    }

    RecordValue put = new RecordValue(Bytes.copyOf(data), true, first.expiresAt(), newWriteId());
    assertThat(other().put(key, put)).as("put of the same data").isEqualTo(5);
    assertHeld("a put of the same data", new VersionedRecord(key, put, 5));
  }

  @Test
  final void b13_negativeVersion_isRefusedAndChangesNothing() {
    insert(backend(), key("key"), value("1", true, inDays(1)));
    VersionedRecord current = write(backend(), key("key"), value("2", true, inDays(1)), 1);
    for (RecordKey key : List.of(key("key"), key("missing"))) {
      for (StorageBackend instance : instances()) {
        for (long expected :
            new long[] {-1, -2, Integer.MIN_VALUE, -TWO_TO_32 + 2, Long.MIN_VALUE}) {
          assertThatIllegalArgumentException()
              .as("putIfVersion with %d", expected)
              .isThrownBy(() -> instance.putIfVersion(key, value("data"), expected));
        }
        for (long expected :
            new long[] {0, -1, -2, Integer.MIN_VALUE, -TWO_TO_32 + 2, Long.MIN_VALUE}) {
          assertThatIllegalArgumentException()
              .as("deleteIfVersion with %d", expected)
              .isThrownBy(() -> instance.deleteIfVersion(key, expected));
        }
      }
    }
    assertAbsentEverywhere(key("missing"));
    assertHeld("calls with versions that cannot be", current);
  }

  @Test
  final void b13_impossibleVersion_isRefusedAlsoWhereTheStorageCannotBeReached() throws Exception {
    requireTrouble(Trouble.UNREACHABLE);
    BackendStorage own = newStorage();
    FaultInjection faults = require(Hook.FAULT_INJECTION, own.faultInjection());
    StorageBackend instance = open(own);
    RecordKey key = key("key");
    insert(instance, key, value("data"));
    faults.cause(Trouble.UNREACHABLE);
    try {
      for (long expected : new long[] {-1, Long.MIN_VALUE, LAST, Long.MAX_VALUE}) {
        assertThatIllegalArgumentException()
            .as("putIfVersion with %d", expected)
            .isThrownBy(() -> instance.putIfVersion(key, value("data"), expected));
      }
      for (long expected : new long[] {0, -1, Long.MIN_VALUE}) {
        assertThatIllegalArgumentException()
            .as("deleteIfVersion with %d", expected)
            .isThrownBy(() -> instance.deleteIfVersion(key, expected));
      }
    } finally {
      faults.heal();
    }
  }

  @Test
  final void b14_versionAfterTheHighest_isRefusedAndChangesNothing() {
    VersionedRecord current = insert(backend(), key("key"), value("data", true, inDays(1)));
    for (RecordKey key : List.of(key("key"), key("missing"))) {
      for (StorageBackend instance : instances()) {
        for (long expected : new long[] {LAST, Long.MAX_VALUE}) {
          assertThatIllegalArgumentException()
              .as("putIfVersion with %d", expected)
              .isThrownBy(() -> instance.putIfVersion(key, value("new"), expected));
        }
      }
    }
    assertAbsentEverywhere(key("missing"));
    assertHeld("writes after the last version", current);
  }

  @ParameterizedTest(name = "version {0}")
  @ValueSource(
      longs = {
        TWO_TO_31 - 1,
        TWO_TO_31,
        TWO_TO_31 + 1,
        TWO_TO_32 - 1,
        TWO_TO_32,
        100_000_000_000_000L,
        100_000_000_000_001L,
        TWO_TO_53 - 1,
        TWO_TO_53,
        TWO_TO_53 + 1,
        LAST - 1
      })
  final void b14_versionAtAnEdge_isExact(long version) throws Exception {
    VersionSeeding seeding = require(Hook.VERSION_SEEDING, storage().versionSeeding());
    RecordKey key = key("key");
    VersionedRecord seeded = new VersionedRecord(key, value("seeded", true, inDays(1)), version);
    seeding.seed(seeded);
    assertHeld("seeding", seeded);

    long low32Bits = version & 0xFFFF_FFFFL;
    for (long wrong : new long[] {0, version - 1, version + 1, low32Bits, Integer.MAX_VALUE, 1}) {
      if (wrong == version) {
        continue;
      }
      for (StorageBackend instance : instances()) {
        if (wrong < LAST) {
          assertThat(instance.putIfVersion(key, value("wrong"), wrong))
              .as("putIfVersion with %d of version %d", wrong, version)
              .isEqualTo(new Conflict(seeded));
        }
        if (wrong > 0) {
          assertThat(instance.deleteIfVersion(key, wrong))
              .as("deleteIfVersion with %d of version %d", wrong, version)
              .isEqualTo(new Conflict(seeded));
        }
      }
    }
    assertThat(backend().createWithin(key, value("new"), 5, now()))
        .as("createWithin over version %d", version)
        .isEqualTo(new Conflict(seeded));
    assertThat(backend().createWithin(key, seeded.value(), 5, now()))
        .as("createWithin with the write id that is stored, over version %d", version)
        .isEqualTo(new Conflict(seeded));
    assertHeld("calls with other versions", seeded);

    VersionedRecord written = write(backend(), key, value("next", true, inDays(2)), version);
    assertHeld("the write at " + version, written);
    assertThat(other().deleteIfVersion(key, version))
        .as("a delete with the version before the last")
        .isEqualTo(new Conflict(written));
    assertThat(other().deleteIfVersion(key, version + 1)).isEqualTo(Deleted.DELETED);
    assertHeld("deleting version " + (version + 1));

    seeding.seed(seeded);
    RecordValue put = value("put", true, inDays(3));
    assertThat(other().put(key, put)).as("put over version %d", version).isEqualTo(version + 1);
    assertHeld("the put over " + version, new VersionedRecord(key, put, version + 1));

    seeding.seed(seeded);
    assertThat(backend().deleteIfVersion(key, version)).isEqualTo(Deleted.DELETED);
    assertHeld("deleting version " + version);
    assertThat(other().putIfVersion(key, value("late"), version))
        .as("a write with the version from before the delete")
        .isEqualTo(Conflict.ABSENT);
    assertHeld("creating again", insert(backend(), key, value("again")));
  }

  @Test
  final void b14_highestVersion_canBeReadAndDeletedButNotWritten() throws Exception {
    VersionSeeding seeding = require(Hook.VERSION_SEEDING, storage().versionSeeding());
    RecordKey key = key("key");
    VersionedRecord last = new VersionedRecord(key, value("seeded", true, inDays(1)), LAST);
    seeding.seed(last);
    assertHeld("seeding", last);

    for (StorageBackend instance : instances()) {
      for (long expected : new long[] {LAST, Long.MAX_VALUE}) {
        assertThatIllegalArgumentException()
            .as("putIfVersion with %d", expected)
            .isThrownBy(() -> instance.putIfVersion(key, value("new"), expected));
      }
      assertThatIllegalArgumentException()
          .as("put over the highest version")
          .isThrownBy(() -> instance.put(key, value("new")));
      for (long expected : new long[] {0, 1, LAST - 1}) {
        assertThat(instance.putIfVersion(key, value("new"), expected))
            .as("putIfVersion with %d", expected)
            .isEqualTo(new Conflict(last));
      }
      assertThat(instance.deleteIfVersion(key, LAST - 1)).isEqualTo(new Conflict(last));
      assertThat(instance.deleteIfVersion(key, Long.MAX_VALUE)).isEqualTo(new Conflict(last));
      assertThat(instance.createWithin(key, value("new"), 5, now())).isEqualTo(new Conflict(last));
    }
    assertHeld("writes after the last version", last);

    assertThat(other().deleteIfVersion(key, LAST)).isEqualTo(Deleted.DELETED);
    assertHeld("deleting the last version");
    seeding.seed(last);
    assertThat(backend().delete(key)).as("delete of the last version").isTrue();
    assertHeld("deleting the last version");
    assertHeld("creating again", insert(backend(), key, value("again")));
  }

  @Test
  final void b15_versions_surviveReopening() throws Exception {
    requireReopening();
    BackendStorage own = newStorage();
    StorageBackend before = open(own);
    VersionedRecord created = insert(before, key("created"), value("1", true, inDays(1)));
    insert(before, key("updated"), value("1"));
    write(before, key("updated"), value("2"), 1);
    VersionedRecord updated = write(before, key("updated"), value("3", false, null), 2);
    RecordValue second = value("2", true, null);
    before.put(key("put"), value("1"));
    assertThat(before.put(key("put"), second)).as("put over version 1").isEqualTo(2);
    VersionedRecord put = new VersionedRecord(key("put"), second, 2);
    insert(before, key("deleted"), value("1"));
    write(before, key("deleted"), value("2"), 1);
    assertThat(before.deleteIfVersion(key("deleted"), 2)).isEqualTo(Deleted.DELETED);
    before.close();

    StorageBackend after = open(own);
    assertContents("reopening", after, partition(), List.of(created, updated, put), 10);
    assertThat(after.get(key("deleted"))).as("get of what was deleted").isEmpty();
    assertThat(after.putIfVersion(key("updated"), value("late"), 2))
        .as("a stale write after reopening")
        .isEqualTo(new Conflict(updated));
    assertThat(after.putIfVersion(key("deleted"), value("late"), 2))
        .as("a write after reopening with a version from before the delete")
        .isEqualTo(Conflict.ABSENT);
    VersionedRecord next = write(after, key("updated"), value("4", false, null), 3);
    VersionedRecord more = write(after, key("created"), value("2"), 1);
    after.close();

    StorageBackend again = open(own);
    assertContents("reopening twice", again, partition(), List.of(next, more, put), 10);
    assertThat(again.deleteIfVersion(key("updated"), 4)).isEqualTo(Deleted.DELETED);
  }

  @Test
  final void b14_b15_highVersions_surviveReopening() throws Exception {
    requireReopening();
    require(Hook.VERSION_SEEDING, storage().versionSeeding());
    BackendStorage own = newStorage();
    StorageBackend before = open(own);
    VersionSeeding seeding = require(Hook.VERSION_SEEDING, own.versionSeeding());
    List<VersionedRecord> seeded = new ArrayList<>();
    for (long version : new long[] {TWO_TO_31, 100_000_000_000_001L, TWO_TO_53 + 1, LAST - 1}) {
      VersionedRecord high = new VersionedRecord(key("v" + version), value("seeded"), version);
      seeding.seed(high);
      seeded.add(high);
    }
    assertContents("seeding", before, partition(), seeded, 10);
    before.close();

    StorageBackend after = open(own);
    assertContents("reopening", after, partition(), seeded, 10);
    List<VersionedRecord> written = new ArrayList<>();
    for (VersionedRecord high : seeded) {
      written.add(write(after, high.key(), value("next"), high.version()));
    }
    assertContents("writes after reopening", after, partition(), written, 10);
  }

  @ParameterizedTest(name = "{0}")
  @EnumSource(Trouble.class)
  final void b16_trouble_isNeverAConflictAndNeverAbsent(Trouble trouble) throws Exception {
    requireTrouble(trouble);
    BackendStorage own = newStorage();
    FaultInjection faults = require(Hook.FAULT_INJECTION, own.faultInjection());
    List<StorageBackend> instances = List.of(open(own), open(own));
    List<Attempt> attempts = attempts(instances.get(0), trouble);

    List<Object> answers;
    faults.cause(trouble);
    try {
      // At once, since each may take as long as a call may take that gets no answer.
      answers =
          race(attempts.size(), i -> attempts.get(i).answer(instances.get(i % instances.size())));
    } finally {
      faults.heal();
    }

    for (int i = 0; i < attempts.size(); i++) {
      attempts.get(i).checkAnswer(answers.get(i), trouble);
    }
    StorageBackend healed = open(own);
    for (int i = 0; i < attempts.size(); i++) {
      attempts.get(i).checkState(healed, answers.get(i));
    }
  }

  @ParameterizedTest(name = "{0} bytes")
  @ValueSource(ints = {0, 1, 100, 1_024, 65_536, 307_200})
  final void b17_recordsOfEverySize_keepTheRulesOfVersions(int size) {
    lifeOfARecord(Math.min(size, traits().maxDataBytes()));
  }

  @Test
  final void b17_recordsOfTheDeclaredMaximum_keepTheRulesOfVersions() {
    lifeOfARecord(testableMaximum());
  }

  @Test
  final void b17_recordsThatGrowAndShrink_keepTheRulesOfVersions() {
    RecordKey key = key("key");
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    int most = Math.min(307_200, traits().maxDataBytes());
    VersionedRecord current = insert(backend(), key, value("0"));
    // Bytes that compress well and bytes that do not, through all sizes and back.
    for (int size : new int[] {0, most, 1, 65_536, 1_024, most, most, 0, 100}) {
      for (boolean compressible : new boolean[] {true, false}) {
        int length = Math.min(size, most);
        byte[] data = compressible ? new byte[length] : randomBytes(length, size);
        long version = current.version();
        VersionedRecord next =
            write(version % 2 == 0 ? backend() : other(), key, value(data, true, null), version);
        for (StorageBackend instance : instances()) {
          assertThat(instance.putIfVersion(key, value("late"), version))
              .as("a stale write against %d bytes", length)
              .isEqualTo(new Conflict(next));
        }
        assertHeld("a write of %d bytes".formatted(length), next, bystander);
        current = next;
      }
    }
    assertThat(backend().deleteIfVersion(key, current.version())).isEqualTo(Deleted.DELETED);
    assertHeld("deleting", bystander);
  }

  // --- what the statements about versions share ----------------------------------------------

  /** The declared maximum, or the end of the test where it is beyond what a test can hold. */
  final int testableMaximum() {
    int maximum = traits().maxDataBytes();
    if (maximum > MOST_TESTED_BYTES) {
      throw ExcludedException.byTraits(
          "stores records of %d bytes, more than is tried".formatted(maximum));
    }
    return maximum;
  }

  /** Ends the test unless the harness can make this trouble. */
  final void requireTrouble(Trouble trouble) {
    FaultInjection faults = require(Hook.FAULT_INJECTION, storage().faultInjection());
    if (!faults.supported().contains(trouble)) {
      throw ExcludedException.byMissing(trouble);
    }
  }

  /** Records of many shapes, with versions 1 and 3, in the partition of this test. */
  private List<VersionedRecord> livingRecords() {
    List<VersionedRecord> living = new ArrayList<>();
    living.add(insert(backend(), key("active"), value("data")));
    living.add(insert(backend(), key("inactive"), value("data", false, null)));
    living.add(insert(backend(), key("expiring"), value("data", true, inDays(1))));
    living.add(insert(backend(), key("empty"), value(new byte[0], false, inDays(2))));
    RecordKey updated = key("updated");
    insert(backend(), updated, value("1", true, inDays(1)));
    write(other(), updated, value("2", true, null), 1);
    living.add(write(backend(), updated, value(randomBytes(1_000, 3), false, inDays(3)), 2));
    return living;
  }

  /** A value unlike those of the living records; it never sets the flag again. */
  private static RecordValue change() {
    return value("unlike the others", false, inDays(20));
  }

  /** All rules of versions, for a record whose data always have this size. */
  private void lifeOfARecord(int size) {
    RecordKey key = key("key");
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    VersionedRecord first = insert(backend(), key, sized(size, 1, true));
    assertHeld("creating", first, bystander);
    for (StorageBackend instance : instances()) {
      assertThat(instance.putIfVersion(key, sized(size, 2, true), 0))
          .as("a create of a living key")
          .isEqualTo(new Conflict(first));
      assertThat(instance.putIfVersion(key, sized(size, 3, true), 2))
          .as("a write with a future version")
          .isEqualTo(new Conflict(first));
      assertThat(instance.createWithin(key, sized(size, 4, true), 5, now()))
          .as("createWithin of a living key")
          .isEqualTo(new Conflict(first));
    }
    assertHeld("lost creates", first, bystander);

    VersionedRecord second = write(other(), key, sized(size, 5, true), 1);
    assertHeld("an update", second, bystander);
    // The same data makes a new version too.
    VersionedRecord third = write(backend(), key, sized(size, 5, true), 2);
    assertHeld("an update with the same data", third, bystander);
    for (StorageBackend instance : instances()) {
      assertThat(instance.putIfVersion(key, sized(size, 6, true), 2))
          .as("a write with a stale version")
          .isEqualTo(new Conflict(third));
      assertThat(instance.deleteIfVersion(key, 2))
          .as("a delete with a stale version")
          .isEqualTo(new Conflict(third));
      assertThat(instance.deleteIfVersion(key, 4))
          .as("a delete with a future version")
          .isEqualTo(new Conflict(third));
    }
    assertHeld("lost updates", third, bystander);

    RecordValue put = sized(size, 7, false);
    assertThat(other().put(key, put)).as("put over version 3").isEqualTo(4);
    VersionedRecord fourth = new VersionedRecord(key, put, 4);
    assertHeld("a put", fourth, bystander);
    assertThat(backend().putIfVersion(key, sized(size, 8, false), 3))
        .as("a write with the version from before the put")
        .isEqualTo(new Conflict(fourth));

    assertThat(backend().deleteIfVersion(key, 4)).isEqualTo(Deleted.DELETED);
    assertAbsentEverywhere(key);
    assertThat(other().putIfVersion(key, sized(size, 9, true), 4))
        .as("a write with the version from before the delete")
        .isEqualTo(Conflict.ABSENT);
    assertThat(other().deleteIfVersion(key, 4)).as("a second delete").isEqualTo(Conflict.ABSENT);
    assertHeld("deleting", bystander);

    RecordValue again = sized(size, 10, true);
    assertThat(backend().createWithin(key, again, 5, now())).isEqualTo(Created.CREATED);
    assertHeld("createWithin", new VersionedRecord(key, again, 1), bystander);
    assertThat(other().delete(key)).as("delete of a stored key").isTrue();
    assertHeld("deleting again", bystander);
  }

  private static RecordValue sized(int size, long seed, boolean active) {
    return value(randomBytes(size, seed), active, inDays((int) seed));
  }

  /** The calls that are made during the trouble, each about records of its own. */
  private List<Attempt> attempts(StorageBackend healthy, Trouble trouble) {
    List<Attempt> attempts = new ArrayList<>();
    RecordValue change = value(randomBytes(1_000, 16), true, inDays(5));
    // Where there is no room, a record may be replaced or deleted, but no other can be created.
    boolean mayReplace = trouble == Trouble.FULL;

    VersionedRecord read = insert(healthy, key("read"), value("data"));
    attempts.add(Attempt.ofRead("get", read, b -> b.get(read.key()), Optional.of(read)));
    attempts.add(
        Attempt.ofRead("get of nothing", null, b -> b.get(key("nothing")), Optional.empty()));

    RecordKey createdKey = key("create");
    attempts.add(
        Attempt.ofWrite(
            "putIfVersion with 0",
            createdKey,
            null,
            new VersionedRecord(createdKey, change, 1),
            b -> b.putIfVersion(createdKey, change, 0)));

    VersionedRecord update = insert(healthy, key("update"), value("data"));
    attempts.add(
        Attempt.ofWrite(
            "putIfVersion",
            update.key(),
            update,
            new VersionedRecord(update.key(), change, 2),
            b -> b.putIfVersion(update.key(), change, 1),
            mayReplace ? new Object[] {new Written(2)} : new Object[0]));

    VersionedRecord delete = insert(healthy, key("delete-if"), value("data"));
    attempts.add(
        Attempt.ofWrite(
            "deleteIfVersion",
            delete.key(),
            delete,
            null,
            b -> b.deleteIfVersion(delete.key(), 1),
            mayReplace ? new Object[] {Deleted.DELETED} : new Object[0]));

    RecordKey within = new RecordKey(partition() + "-within", "key");
    attempts.add(
        Attempt.ofWrite(
            "createWithin",
            within,
            null,
            new VersionedRecord(within, change, 1),
            b -> b.createWithin(within, change, 5, now())));

    VersionedRecord put = insert(healthy, key("put"), value("data"));
    attempts.add(
        Attempt.ofWrite(
            "put",
            put.key(),
            put,
            new VersionedRecord(put.key(), change, 2),
            b -> b.put(put.key(), change),
            mayReplace ? new Object[] {2L} : new Object[0]));

    VersionedRecord dropped = insert(healthy, key("delete"), value("data"));
    attempts.add(
        Attempt.ofWrite(
            "delete",
            dropped.key(),
            dropped,
            null,
            b -> b.delete(dropped.key()),
            mayReplace ? new Object[] {true} : new Object[0]));

    // These would be conflicts: the storage may say so where it can still be asked.
    VersionedRecord stale = insert(healthy, key("stale"), value("data"));
    attempts.add(
        Attempt.ofWrite(
            "stale putIfVersion",
            stale.key(),
            stale,
            stale,
            b -> b.putIfVersion(stale.key(), change, 7),
            new Conflict(stale)));

    RecordKey listed = new RecordKey(partition() + "-listed", "key");
    VersionedRecord only = insert(healthy, listed, value("data", true, inDays(1)));
    attempts.add(
        Attempt.ofRead(
            "list", only, b -> listAll(b, listed.partition(), false, 10), List.of(only)));
    RecordHead head = new RecordHead(listed, only.value().expiresAt());
    attempts.add(
        Attempt.ofRead(
            "listActive",
            only,
            b -> listAllActive(b, listed.partition(), false, 10),
            List.of(head)));
    return attempts;
  }

  /** A call of a backend. */
  @FunctionalInterface
  private interface Call {
    Object on(StorageBackend backend);
  }

  /**
   * A call that is made during trouble.
   *
   * @param before what is stored before it
   * @param after what is stored if it takes effect
   * @param answers what it may answer, if it does not throw
   */
  private record Attempt(
      String name,
      boolean write,
      @Nullable RecordKey key,
      @Nullable VersionedRecord before,
      @Nullable VersionedRecord after,
      Call call,
      List<Object> answers) {
    /** Troubles in which nobody can know anything. */
    private static final Set<Trouble> DARK = EnumSet.of(Trouble.UNREACHABLE, Trouble.SILENT);

    static Attempt ofRead(
        String name, @Nullable VersionedRecord stored, Call call, Object... answers) {
      RecordKey key = stored == null ? null : stored.key();
      return new Attempt(name, false, key, stored, stored, call, List.of(answers));
    }

    static Attempt ofWrite(
        String name,
        RecordKey key,
        @Nullable VersionedRecord before,
        @Nullable VersionedRecord after,
        Call call,
        Object... answers) {
      return new Attempt(name, true, key, before, after, call, List.of(answers));
    }

    /** What the call answers or throws. */
    Object answer(StorageBackend backend) {
      try {
        return call.on(backend);
      } catch (StorageException e) {
        return e;
      }
    }

    void checkAnswer(Object answer, Trouble trouble) {
      if (answer instanceof StorageException failure) {
        List<Class<? extends StorageException>> kinds = new ArrayList<>();
        kinds.add(StorageUnavailableException.class);
        if (write) {
          kinds.add(OutcomeUnknownException.class);
        }
        if (write && trouble == Trouble.FULL) {
          kinds.add(CapacityExceededException.class);
        }
        assertThat(kinds).as("what %s may throw: %s", name, failure).contains(failure.getClass());
      } else {
        List<Object> allowed = DARK.contains(trouble) ? List.of() : answers;
        assertThat(allowed).as("what %s may answer", name).contains(answer);
      }
    }

    /** Checks that afterwards everything is as before the call, or as the call says. */
    void checkState(StorageBackend healed, Object answer) {
      if (key == null) {
        return;
      }
      Optional<VersionedRecord> then = healed.get(key);
      if (answer instanceof OutcomeUnknownException) {
        assertThat(Arrays.asList(before, after))
            .as("what is stored after %s had an unknown outcome", name)
            .contains(then.orElse(null));
      } else if (answer instanceof StorageException) {
        assertThat(then)
            .as("what is stored after %s failed", name)
            .isEqualTo(Optional.ofNullable(before));
      } else {
        assertThat(then)
            .as("what is stored after %s succeeded", name)
            .isEqualTo(Optional.ofNullable(after));
      }
    }
  }
}
