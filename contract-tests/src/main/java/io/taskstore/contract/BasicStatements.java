// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.listAll;
import static io.taskstore.contract.Samples.listAllActive;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.randomBytes;
import static io.taskstore.contract.Samples.stored;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Statements A: what single calls do. */
abstract class BasicStatements extends ContractBase {
  /** The order of listings, by its definition and not by the code that backends use for it. */
  private static final Comparator<VersionedRecord> UTF8_ORDER =
      (left, right) ->
          Arrays.compareUnsigned(
              left.key().id().getBytes(StandardCharsets.UTF_8),
              right.key().id().getBytes(StandardCharsets.UTF_8));

  private static final int PAGE = 100;

  /** All characters that a write id may have, in two that are not too long. */
  private static final List<String> PRINTABLE_WRITE_IDS =
      List.of(
          "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ",
          "[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

  @Test
  final void a1_neverWrittenKey_isEmpty() {
    assertThat(backend().get(key("never"))).isEmpty();
    assertThat(other().get(key("never"))).isEmpty();
  }

  @Test
  final void a1_neverWrittenKeyAmongOthers_isEmpty() {
    VersionedRecord before = insert(backend(), key("a"), value("before"));
    VersionedRecord after = insert(backend(), key("c"), value("after"));

    assertAbsentEverywhere(key("b"));
    assertAbsentEverywhere(key("ca"));
    assertHeld("reading what is not there", before, after);
  }

  @Test
  final void a1_deletedKey_isEmpty() {
    RecordKey key = key("deleted");
    insert(backend(), key, value("data"));
    assertThat(backend().deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);

    assertThat(backend().get(key)).isEmpty();
    assertThat(other().get(key)).isEmpty();
  }

  @Test
  final void a1_deletedKeys_answerAsNeverWrittenOnes() {
    RecordKey deleted = key("deleted");
    RecordKey dropped = key("dropped");
    insert(backend(), deleted, value("data", false, inDays(2)));
    insert(backend(), dropped, value("data"));
    assertThat(other().deleteIfVersion(deleted, 1)).isEqualTo(Deleted.DELETED);
    assertThat(other().delete(dropped)).as("delete of a stored key").isTrue();

    for (RecordKey absent : List.of(key("never"), deleted, dropped)) {
      assertAbsentEverywhere(absent);
      assertThat(backend().putIfVersion(absent, value("new"), 1))
          .as("putIfVersion of the absent %s", absent)
          .isEqualTo(Conflict.ABSENT);
      assertThat(backend().deleteIfVersion(absent, 1))
          .as("deleteIfVersion of the absent %s", absent)
          .isEqualTo(Conflict.ABSENT);
      assertThat(backend().delete(absent)).as("delete of the absent %s", absent).isFalse();
      assertAbsentEverywhere(absent);
    }
    assertHeld("calls about absent keys");
  }

  @Test
  final void a2_written_isReadBack() {
    List<VersionedRecord> all = new ArrayList<>();
    int number = 0;
    for (boolean active : new boolean[] {true, false}) {
      for (Instant expiresAt : expiries()) {
        RecordKey key = key("key" + number);
        byte[] data = randomBytes(100 + number, number);
        all.add(insert(backend(), key, value(data, active, expiresAt)));
        number++;
      }
    }

    assertHeld("creating", all.toArray(VersionedRecord[]::new));
  }

  @Test
  final void a2_versionOfEachWrite_isReadBack() {
    RecordKey key = key("key");
    for (int version = 1; version <= 5; version++) {
      VersionedRecord written =
          write(
              backend(),
              key,
              value(randomBytes(50 * version, version), version < 3, expiry(version)),
              version - 1);
      assertHeld("write number " + version, written);
    }
  }

  @Test
  final void a2_writeIdOfEveryLegalShape_isReadBack() {
    List<String> writeIds = new ArrayList<>(PRINTABLE_WRITE_IDS);
    // Unique as every write id must be, and of one character or of as many as there may be.
    writeIds.add("~");
    writeIds.add("~".repeat(RecordValue.MAX_WRITE_ID_LENGTH));
    writeIds.add("0".repeat(RecordValue.MAX_WRITE_ID_LENGTH));
    writeIds.add("0".repeat(RecordValue.MAX_WRITE_ID_LENGTH - 1));
    writeIds.add("0");
    writeIds.add("null");
    writeIds.add("1e3");
    List<VersionedRecord> all = new ArrayList<>();
    for (String writeId : writeIds) {
      Bytes data = Bytes.copyOf(writeId.getBytes(StandardCharsets.UTF_8));
      RecordKey key = key("key" + all.size());
      all.add(insert(backend(), key, new RecordValue(data, true, null, writeId)));
    }

    assertHeld("creating", all.toArray(VersionedRecord[]::new));
  }

  @Test
  final void a2_writtenByPutAndCreateWithin_isReadBack() {
    RecordValue put = value(randomBytes(300, 1), false, inDays(3));
    RecordValue created = value(randomBytes(200, 2), true, inDays(4));

    assertThat(backend().put(key("put"), put)).as("put of a missing key").isEqualTo(1);
    assertThat(backend().createWithin(key("created"), created, 10, now()))
        .isEqualTo(Created.CREATED);

    assertHeld(
        "put and createWithin",
        new VersionedRecord(key("put"), put, 1),
        new VersionedRecord(key("created"), created, 1));
  }

  @Test
  final void a3_shorterData_leavesNoTail() {
    RecordKey key = key("key");
    int version = 0;
    for (int size : new int[] {1_000, 999, 100, 1, 0, 500, 3, 0, 1_000}) {
      VersionedRecord written =
          write(backend(), key, value(randomBytes(size, version), true, null), version++);
      assertHeld("a write of %d bytes".formatted(size), written);
    }
    for (int size : new int[] {700, 20, 0}) {
      RecordValue value = value(randomBytes(size, version), true, null);
      assertThat(backend().put(key, value)).as("put of %d bytes", size).isEqualTo(++version);
      assertHeld("a put of %d bytes".formatted(size), new VersionedRecord(key, value, version));
    }
  }

  /** A record is a value: what was read stays as it was, whatever is written afterwards. */
  @Test
  final void a3_recordThatWasReadBefore_isNotChangedByTheReplacement() {
    RecordKey key = key("key");
    Instant expiry = inDays(1);
    insert(backend(), key, value("first", true, expiry));
    VersionedRecord read = stored(other(), key);
    VersionedRecord listed =
        other().list(new ListQuery(partition(), null, false, 10)).records().get(0);

    write(backend(), key, value("other", false, inDays(2)), 1);

    // Compared with text, not with the value that was written: the storage may hold on to that too.
    for (VersionedRecord before : List.of(read, listed)) {
      assertThat(before.value().data().toByteArray())
          .as("the data of a record that was read before its replacement")
          .isEqualTo("first".getBytes(StandardCharsets.UTF_8));
      assertThat(before.value().active()).isTrue();
      assertThat(before.value().expiresAt()).isEqualTo(expiry);
      assertThat(before.version()).isEqualTo(1);
    }
  }

  @Test
  final void a3_flagAndExpiry_areReplacedWithTheValue() {
    // The flag is never set again: callers promise that.
    for (boolean wasActive : new boolean[] {true, false}) {
      for (boolean becomesActive :
          wasActive ? new boolean[] {true, false} : new boolean[] {false}) {
        for (int from = 0; from < expiries().size(); from++) {
          for (int to = 0; to < expiries().size(); to++) {
            RecordKey key = key("%s-%s-%d-%d".formatted(wasActive, becomesActive, from, to));
            insert(backend(), key, value("first", wasActive, expiries().get(from)));
            VersionedRecord written =
                write(other(), key, value("second", becomesActive, expiries().get(to)), 1);
            assertHeld("replacing flag and expiry, " + key, written);
            assertThat(backend().deleteIfVersion(key, 2)).isEqualTo(Deleted.DELETED);
          }
        }
      }
    }
  }

  @Test
  final void a4_write_isSeenAtOnceThroughTheOtherInstance() {
    for (int round = 0; round < 6; round++) {
      StorageBackend writer = round % 2 == 0 ? backend() : other();
      StorageBackend reader = round % 2 == 0 ? other() : backend();
      assertSeenAtOnce(writer, reader, key("key" + round));
    }
    assertHeld("deleting what was written");
  }

  @Test
  final void a4_write_isSeenAtOnceThroughEveryInstance() throws Exception {
    BackendStorage own = newStorage();
    List<StorageBackend> instances = List.of(open(own), open(own), open(own));
    for (int writer = 0; writer < 3; writer++) {
      for (int reader = 0; reader < 3; reader++) {
        RecordKey key = key(writer + "-" + reader);
        assertSeenAtOnce(instances.get(writer), instances.get(reader), key);
      }
    }
  }

  @Test
  final void a4_writesInTurns_buildOnEachOther() {
    RecordKey key = key("key");
    VersionedRecord last = insert(backend(), key, value("0"));
    for (int i = 1; i <= 20; i++) {
      StorageBackend writer = i % 2 == 0 ? backend() : other();
      StorageBackend reader = i % 2 == 0 ? other() : backend();
      last = write(writer, key, value("number " + i), last.version());
      assertThat(reader.get(key)).as("get after write number %d", i).contains(last);
    }
    assertHeld("twenty writes in turns", last);
  }

  @Test
  final void a5_deleteOfTheCurrentVersion_removesTheRecordFromGetAndListings() {
    VersionedRecord stays = insert(backend(), key("stays"), value("data"));
    for (boolean active : new boolean[] {true, false}) {
      for (Instant expiresAt : expiries()) {
        RecordKey key = key("goes");
        insert(backend(), key, value("data", active, expiresAt));
        assertThat(other().deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);

        assertAbsentEverywhere(key);
        assertHeld("deleting a record, active: %s".formatted(active), stays);
      }
    }
  }

  @Test
  final void a5_deleteOfALaterVersion_removesTheRecord() {
    RecordKey key = key("key");
    insert(backend(), key, value("1", true, inDays(1)));
    write(backend(), key, value("2", true, inDays(2)), 1);
    write(other(), key, value("3", false, null), 2);

    assertThat(backend().deleteIfVersion(key, 3)).isEqualTo(Deleted.DELETED);

    assertAbsentEverywhere(key);
    assertHeld("deleting version 3");
  }

  @Test
  final void a5_deleteOfAnActiveRecord_freesItsPlace() {
    insert(backend(), key("first"), value("data", true, inDays(1)));
    assertThat(backend().createWithin(key("second"), value("data"), 1, now())).isEqualTo(Full.FULL);
    assertThat(backend().deleteIfVersion(key("first"), 1)).isEqualTo(Deleted.DELETED);

    RecordValue value = value("data");
    assertThat(other().createWithin(key("second"), value, 1, now())).isEqualTo(Created.CREATED);

    assertHeld("taking the free place", new VersionedRecord(key("second"), value, 1));
  }

  @Test
  final void a6_deleteOfAnotherVersion_isAConflictAndChangesNothing() {
    RecordKey key = key("key");
    insert(backend(), key, value("1"));
    write(backend(), key, value("2"), 1);
    VersionedRecord current = write(backend(), key, value("3", true, inDays(1)), 2);
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));

    long low32BitsAreCurrent = (1L << 32) + 3;
    for (long expected :
        new long[] {
          1, 2, 4, 5, 1_000, low32BitsAreCurrent, StorageBackend.MAX_VERSION, Long.MAX_VALUE
        }) {
      for (StorageBackend instance : instances()) {
        assertThat(instance.deleteIfVersion(key, expected))
            .as("deleteIfVersion with %d of a record with version 3", expected)
            .isEqualTo(new Conflict(current));
      }
    }

    assertHeld("deletes with other versions", current, bystander);
    write(backend(), key, value("4"), 3);
  }

  @Test
  final void a6_deleteOfAMissingRecord_isAConflictWithAbsent() {
    assertThat(backend().deleteIfVersion(key("key"), 1))
        .as("deleteIfVersion in an empty partition")
        .isEqualTo(Conflict.ABSENT);
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    RecordKey deleted = key("deleted");
    insert(backend(), deleted, value("data"));
    write(backend(), deleted, value("data"), 1);
    assertThat(backend().deleteIfVersion(deleted, 2)).isEqualTo(Deleted.DELETED);
    RecordKey elsewhere = new RecordKey(partition() + "-empty", "key");

    for (RecordKey missing : List.of(key("key"), deleted, elsewhere)) {
      for (long expected : new long[] {1, 2, 3, StorageBackend.MAX_VERSION, Long.MAX_VALUE}) {
        for (StorageBackend instance : instances()) {
          assertThat(instance.deleteIfVersion(missing, expected))
              .as("deleteIfVersion with %d of the missing %s", expected, missing)
              .isEqualTo(Conflict.ABSENT);
        }
      }
      assertAbsentEverywhere(missing);
    }
    assertHeld("deletes of missing records", bystander);
  }

  @Test
  final void a7_delete_removesExactlyItsKey() {
    List<String> ids =
        List.of("a", "ab", "a/b", "a/b/c", "a/", "a.", "a ", "A", "aa", "b", "a\0", "a*", "a%");
    for (boolean conditional : new boolean[] {true, false}) {
      List<VersionedRecord> left = new ArrayList<>();
      for (String id : ids) {
        left.add(insert(backend(), key(id), value("data of " + id, id.length() < 3, inDays(1))));
      }
      for (String id : ids) {
        if (conditional) {
          assertThat(backend().deleteIfVersion(key(id), 1)).isEqualTo(Deleted.DELETED);
        } else {
          assertThat(backend().delete(key(id))).as("delete of a stored key").isTrue();
        }
        left.removeIf(stored -> stored.key().id().equals(id));
        assertListed("deleting " + key(id), left);
        assertAbsentEverywhere(key(id));
      }
    }
  }

  @Test
  final void a7_delete_leavesOtherPartitions() {
    List<String> partitions = List.of(partition(), partition() + "0", partition() + "/a", "0");
    List<VersionedRecord> all = new ArrayList<>();
    for (String name : partitions.subList(0, 3)) {
      all.add(insert(backend(), new RecordKey(name, "a"), value("data in " + name)));
      all.add(insert(backend(), new RecordKey(name, "a/a"), value("more in " + name)));
    }

    assertThat(backend().deleteIfVersion(key("a"), 1)).isEqualTo(Deleted.DELETED);

    for (StorageBackend instance : instances()) {
      assertContents("a delete", instance, partition(), all.subList(1, 2), PAGE);
      assertContents("a delete elsewhere", instance, partition() + "0", all.subList(2, 4), PAGE);
      assertContents("a delete elsewhere", instance, partition() + "/a", all.subList(4, 6), PAGE);
    }
  }

  @Test
  final void a8_put_writesWhateverIsStored() {
    RecordKey key = key("key");
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    long version = 0;
    for (int i = 0; i < 6; i++) {
      StorageBackend writer = i % 2 == 0 ? backend() : other();
      RecordValue value = value("number " + i, i < 3, expiry(i));
      assertThat(writer.put(key, value)).as("version of put number %d", i).isEqualTo(++version);
      assertHeld("put number " + i, new VersionedRecord(key, value, version), bystander);
    }
  }

  @Test
  final void a8_putAfterADelete_createsVersion1() {
    RecordKey key = key("key");
    for (boolean conditional : new boolean[] {true, false}) {
      assertThat(backend().put(key, value("1", false, inDays(1)))).isEqualTo(1);
      assertThat(backend().put(key, value("2", false, inDays(2)))).isEqualTo(2);
      if (conditional) {
        assertThat(backend().deleteIfVersion(key, 2)).isEqualTo(Deleted.DELETED);
      } else {
        assertThat(other().delete(key)).as("delete of a stored key").isTrue();
      }
      RecordValue value = value("again");
      assertThat(other().put(key, value)).as("version of a put after a delete").isEqualTo(1);
      assertHeld("a put after a delete", new VersionedRecord(key, value, 1));
      assertThat(backend().delete(key)).as("delete of a stored key").isTrue();
    }
  }

  @Test
  final void a8_delete_deletesWhateverIsStored() {
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    RecordKey key = key("key");
    for (boolean active : new boolean[] {true, false}) {
      for (Instant expiresAt : expiries()) {
        for (int versions = 1; versions <= 3; versions++) {
          for (int i = 0; i < versions; i++) {
            write(backend(), key, value("number " + i, active, expiresAt), i);
          }
          assertThat(other().delete(key)).as("delete of version %d", versions).isTrue();
          assertAbsentEverywhere(key);
          assertHeld("deleting version " + versions, bystander);
        }
      }
    }
  }

  @Test
  final void a8_deleteOfAMissingKey_isFalseAndRepeatable() {
    VersionedRecord bystander = insert(backend(), key("key2"), value("bystander"));
    RecordKey deleted = key("deleted");
    insert(backend(), deleted, value("data"));
    assertThat(backend().delete(deleted)).as("delete of a stored key").isTrue();

    for (RecordKey missing :
        List.of(key("key"), deleted, new RecordKey(partition() + "-empty", "key"))) {
      for (int i = 0; i < 3; i++) {
        for (StorageBackend instance : instances()) {
          assertThat(instance.delete(missing)).as("delete of the missing %s", missing).isFalse();
        }
      }
      assertAbsentEverywhere(missing);
    }
    assertHeld("deletes of missing keys", bystander);
  }

  @Test
  final void a8_createsAfterADelete_findTheKeyFree() {
    RecordKey key = key("key");
    insert(backend(), key, value("first", true, inDays(1)));
    write(backend(), key, value("second", false, inDays(1)), 1);
    assertThat(backend().delete(key)).as("delete of a stored key").isTrue();

    VersionedRecord again = insert(other(), key, value("again"));
    assertHeld("creating after a delete", again);
    assertThat(other().delete(key)).as("delete of a stored key").isTrue();

    RecordValue value = value("once more");
    assertThat(backend().createWithin(key, value, 1, now())).isEqualTo(Created.CREATED);
    assertHeld("createWithin after a delete", new VersionedRecord(key, value, 1));
  }

  @Test
  final void a10_reading_changesNeitherVersionNorExpiry() {
    List<VersionedRecord> all = new ArrayList<>();
    for (boolean active : new boolean[] {true, false}) {
      for (Instant expiresAt : expiries()) {
        RecordKey key = key("key" + all.size());
        insert(backend(), key, value("data", active, null));
        all.add(write(backend(), key, value("data", active, expiresAt), 1));
      }
    }

    // The first of these reads would show a change that an earlier one has made.
    for (int i = 0; i < 5; i++) {
      assertHeld("reading", all.toArray(VersionedRecord[]::new));
    }
    for (VersionedRecord stored : all) {
      write(other(), stored.key(), value("more", false, null), 2);
    }
  }

  @Test
  final void a12_everyChange_showsInGetAndListingsAlike() {
    RecordKey key = key("b");
    VersionedRecord before = insert(backend(), key("a"), value("before"));
    VersionedRecord after = insert(backend(), key("c"), value("after", false, inDays(9)));
    RecordValue created = value(randomBytes(100, 1), true, inDays(1));
    assertThat(backend().createWithin(key, created, 5, now())).isEqualTo(Created.CREATED);
    assertHeld("createWithin", before, new VersionedRecord(key, created, 1), after);

    List<RecordValue> changes =
        List.of(
            value(randomBytes(120, 2), true, inDays(1)),
            value(randomBytes(80, 3), true, inDays(5)),
            value(randomBytes(0, 4), true, inDays(2)),
            value(randomBytes(80, 5), true, null),
            value(randomBytes(80, 6), true, inDays(7)),
            value(randomBytes(90, 7), false, inDays(7)),
            value(randomBytes(90, 8), false, inDays(8)),
            value(randomBytes(10, 9), false, null),
            value(randomBytes(10, 10), false, inDays(1)));
    long version = 1;
    for (RecordValue change : changes) {
      StorageBackend writer = version % 2 == 0 ? backend() : other();
      if (version % 3 == 0) {
        assertThat(writer.put(key, change)).as("put of version %d", version).isEqualTo(version + 1);
      } else {
        write(writer, key, change, version);
      }
      version++;
      assertHeld("change " + version, before, new VersionedRecord(key, change, version), after);
    }
    assertThat(backend().deleteIfVersion(key, version)).isEqualTo(Deleted.DELETED);
    assertAbsentEverywhere(key);
    assertHeld("deleting", before, after);

    for (boolean active : new boolean[] {true, false}) {
      VersionedRecord again = insert(backend(), key, value("again", active, null));
      assertHeld("creating again, active: " + active, before, again, after);
      assertThat(backend().delete(key)).as("delete of a stored key").isTrue();
      assertHeld("deleting again", before, after);
    }
  }

  @Test
  final void a12_failedChange_showsNowhere() {
    VersionedRecord stored = insert(backend(), key("key"), value("data", true, inDays(3)));
    VersionedRecord full = insert(backend(), key("full"), value("data", true, null));
    RecordValue change = value("a change of everything", false, null);

    assertThat(backend().putIfVersion(key("key"), change, 2)).isEqualTo(new Conflict(stored));
    assertHeld("a lost race", stored, full);
    assertThat(backend().deleteIfVersion(key("key"), 2)).isEqualTo(new Conflict(stored));
    assertHeld("a lost delete", stored, full);
    RecordValue create = value("a change of everything", true, inDays(9));
    assertThat(other().createWithin(key("key"), create, 9, now())).isEqualTo(new Conflict(stored));
    assertHeld("a create of a taken key", stored, full);
    assertThat(other().createWithin(key("new"), create, 2, now())).isEqualTo(Full.FULL);
    assertAbsentEverywhere(key("new"));
    assertHeld("a create in a full partition", stored, full);
    assertThat(other().putIfVersion(key("new"), change, 1)).isEqualTo(Conflict.ABSENT);
    assertAbsentEverywhere(key("new"));
    assertHeld("an update of a missing record", stored, full);
  }

  // --- what the statements about single calls share ------------------------------------------

  /** An expiry so far ahead that no storage drops the record during a test. */
  static Instant inDays(int days) {
    return now().plus(Duration.ofDays(30L + days)).plusMillis(days);
  }

  /** None, two usual ones and the last one. */
  static List<@Nullable Instant> expiries() {
    return Arrays.asList(null, inDays(1), inDays(2), RecordValue.MAX_EXPIRY);
  }

  private static @Nullable Instant expiry(int number) {
    return expiries().get(number % expiries().size());
  }

  /** The two instances, or the one. */
  final List<StorageBackend> instances() {
    return other() == backend() ? List.of(backend()) : List.of(backend(), other());
  }

  /**
   * Checks that the partition of this test has exactly these records, through both instances, by
   * get and by all listings.
   *
   * @param what what was done
   */
  final void assertHeld(String what, VersionedRecord... records) {
    for (StorageBackend instance : instances()) {
      assertContents(what, instance, partition(), List.of(records), PAGE);
    }
  }

  /** As {@link #assertHeld}, but looks at listings alone, which hold the whole records too. */
  private void assertListed(String what, List<VersionedRecord> records) {
    List<VersionedRecord> sorted = sorted(records);
    for (StorageBackend instance : instances()) {
      assertThat(listAll(instance, partition(), false, PAGE))
          .as("the listing after %s", what)
          .isEqualTo(sorted);
      assertThat(listAllActive(instance, partition(), false, PAGE))
          .as("the listing of active records after %s", what)
          .isEqualTo(activeHeads(sorted));
    }
  }

  /** Checks that nothing is stored under a key, through both instances. */
  final void assertAbsentEverywhere(RecordKey key) {
    for (StorageBackend instance : instances()) {
      assertThat(instance.get(key)).as("get of the absent %s", key).isEmpty();
    }
  }

  /**
   * Checks that a partition has exactly these records, by get and by listings in both directions.
   *
   * @param what what was done
   * @param limit the limit of a page
   */
  static void assertContents(
      String what,
      StorageBackend backend,
      String partition,
      List<VersionedRecord> records,
      int limit) {
    for (VersionedRecord expected : records) {
      assertThat(backend.get(expected.key()))
          .as("get of %s after %s", expected.key(), what)
          .contains(expected);
    }
    List<VersionedRecord> sorted = sorted(records);
    List<RecordHead> heads = activeHeads(sorted);
    assertThat(listAll(backend, partition, false, limit))
        .as("the listing after %s", what)
        .isEqualTo(sorted);
    assertThat(listAllActive(backend, partition, false, limit))
        .as("the listing of active records after %s", what)
        .isEqualTo(heads);
    if (records.size() > 1) {
      Collections.reverse(sorted);
      Collections.reverse(heads);
      assertThat(listAll(backend, partition, true, limit))
          .as("the descending listing after %s", what)
          .isEqualTo(sorted);
      assertThat(listAllActive(backend, partition, true, limit))
          .as("the descending listing of active records after %s", what)
          .isEqualTo(heads);
    }
  }

  private static List<VersionedRecord> sorted(List<VersionedRecord> records) {
    List<VersionedRecord> sorted = new ArrayList<>(records);
    sorted.sort(UTF8_ORDER);
    return sorted;
  }

  private static List<RecordHead> activeHeads(List<VersionedRecord> records) {
    List<RecordHead> heads = new ArrayList<>();
    for (VersionedRecord stored : records) {
      if (stored.value().active()) {
        heads.add(new RecordHead(stored.key(), stored.value().expiresAt()));
      }
    }
    return heads;
  }

  /** Writes, replaces and deletes through one instance, and looks through another in between. */
  private static void assertSeenAtOnce(
      StorageBackend writer, StorageBackend reader, RecordKey key) {
    // What a reader remembers of before must not be what it says afterwards.
    assertThat(reader.get(key)).as("get before the first write").isEmpty();
    assertContents("nothing", reader, key.partition(), List.of(), PAGE);

    VersionedRecord first = insert(writer, key, value("first", true, inDays(1)));
    assertContents("creating", reader, key.partition(), List.of(first), PAGE);
    assertThat(reader.putIfVersion(key, value("late"), 0))
        .as("a create through the other instance")
        .isEqualTo(new Conflict(first));

    VersionedRecord second = write(writer, key, value("second", true, inDays(2)), 1);
    assertContents("an update", reader, key.partition(), List.of(second), PAGE);
    assertThat(reader.putIfVersion(key, value("late"), 1))
        .as("a stale write through the other instance")
        .isEqualTo(new Conflict(second));

    RecordValue put = value("third", false, null);
    assertThat(writer.put(key, put)).as("version of a put").isEqualTo(3);
    VersionedRecord third = new VersionedRecord(key, put, 3);
    assertContents("a put", reader, key.partition(), List.of(third), PAGE);

    assertThat(writer.deleteIfVersion(key, 3)).isEqualTo(Deleted.DELETED);
    assertThat(reader.get(key)).as("get after the delete").isEmpty();
    assertContents("a delete", reader, key.partition(), List.of(), PAGE);
    assertThat(reader.putIfVersion(key, value("late"), 3))
        .as("a write through the other instance, after the delete")
        .isEqualTo(Conflict.ABSENT);

    RecordValue created = value("again", true, null);
    assertThat(writer.createWithin(key, created, 1, now())).isEqualTo(Created.CREATED);
    VersionedRecord again = new VersionedRecord(key, created, 1);
    assertContents("creating again", reader, key.partition(), List.of(again), PAGE);
    assertThat(reader.createWithin(new RecordKey(key.partition(), "full"), value("late"), 1, now()))
        .as("a create in a full partition through the other instance")
        .isEqualTo(Full.FULL);
    assertThat(writer.delete(key)).as("delete of a stored key").isTrue();
    assertThat(reader.delete(key)).as("delete of a deleted key").isFalse();
    assertContents("a delete", reader, key.partition(), List.of(), PAGE);
  }
}
