// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.randomBytes;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.contract.BackendStorage.FaultInjection;
import io.taskstore.contract.BackendStorage.RawInspection;
import io.taskstore.contract.BackendStorage.Trouble;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Statements E: values are opaque, and have a limit. */
abstract class ValueStatements extends KeyStatements {
  @Test
  final void e1_zeroBytes_areARecord() {
    RecordKey key = key("empty");
    assertAbsentEverywhere(key);
    VersionedRecord empty = insert(backend(), key, value(new byte[0], true, null));
    assertThat(empty.value().data()).isEqualTo(Bytes.EMPTY);
    VersionedRecord inactive =
        insert(backend(), key("inactive"), value(new byte[0], false, inDays(1)));
    assertHeld("creating empty records", empty, inactive);

    for (StorageBackend instance : instances()) {
      assertThat(instance.putIfVersion(key, value("data"), 0))
          .as("a create over an empty record")
          .isEqualTo(new Conflict(empty));
      assertThat(instance.createWithin(key, value("data"), 9, now()))
          .as("createWithin over an empty record")
          .isEqualTo(new Conflict(empty));
      assertThat(instance.deleteIfVersion(key, 2))
          .as("a delete of another version of an empty record")
          .isEqualTo(new Conflict(empty));
    }

    VersionedRecord filled = write(backend(), key, value("data"), 1);
    assertHeld("filling an empty record", filled, inactive);
    VersionedRecord emptied = write(other(), key, value(new byte[0], true, null), 2);
    assertHeld("emptying a record", emptied, inactive);
    assertThat(backend().deleteIfVersion(key, 3)).isEqualTo(Deleted.DELETED);
    assertAbsentEverywhere(key);
    assertThat(other().delete(key("inactive"))).as("delete of an empty record").isTrue();
    assertHeld("deleting empty records");
  }

  @Test
  final void e1_zeroBytesByPutAndCreateWithin_areARecord() {
    RecordValue put = value(new byte[0], true, inDays(1));
    RecordValue created = value(new byte[0], true, null);
    assertThat(backend().put(key("put"), put)).as("put of no bytes").isEqualTo(1);
    assertThat(backend().createWithin(key("created"), created, 9, now()))
        .isEqualTo(Created.CREATED);
    assertHeld(
        "creating empty records",
        new VersionedRecord(key("put"), put, 1),
        new VersionedRecord(key("created"), created, 1));
  }

  @Test
  final void e2_everyByteValue_comesBack() {
    List<byte[]> all = new ArrayList<>();
    byte[] ascending = new byte[256];
    byte[] descending = new byte[256];
    for (int i = 0; i < 256; i++) {
      ascending[i] = (byte) i;
      descending[i] = (byte) (255 - i);
    }
    all.add(ascending);
    all.add(descending);
    for (int value : new int[] {0x00, 0x0A, 0x0D, 0x20, 0x22, 0x27, 0x5C, 0x7F, 0x80, 0xC0, 0xFF}) {
      all.add(new byte[] {(byte) value});
      all.add(new byte[] {(byte) value, (byte) value, (byte) value});
      all.add(new byte[] {'a', (byte) value});
      all.add(new byte[] {(byte) value, 'a'});
    }
    assertComeBack(all);
  }

  @Test
  final void e2_everyPairOfBytes_comesBack() {
    byte[] pairs = new byte[2 * 65_536];
    for (int i = 0; i < 65_536; i++) {
      pairs[2 * i] = (byte) (i >> 8);
      pairs[2 * i + 1] = (byte) i;
    }
    List<byte[]> parts = new ArrayList<>();
    int size = Math.min(pairs.length, traits().maxDataBytes());
    // A backend of small records gets its first and its last pairs.
    parts.add(Arrays.copyOf(pairs, size));
    parts.add(Arrays.copyOfRange(pairs, pairs.length - size, pairs.length));
    assertComeBack(parts);
  }

  @Test
  final void e2_invalidUtf8_comesBack() {
    assertComeBack(
        List.of(
            // continuations that stand alone, and sequences that are cut off
            bytes(0x80),
            bytes(0xBF, 0x80),
            bytes(0xC3),
            bytes(0xE2, 0x82),
            bytes(0xF0, 0x9F, 0x98),
            bytes('a', 0xC3, 'b'),
            bytes('a', 0xE2, 0x82, 'b'),
            // overlong forms, surrogates, beyond the last code point, bytes that never occur
            bytes(0xC0, 0x80),
            bytes(0xC0, 0xAF),
            bytes(0xE0, 0x80, 0xAF),
            bytes(0xED, 0xA0, 0x80),
            bytes(0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80),
            bytes(0xF4, 0x90, 0x80, 0x80),
            bytes(0xF8, 0x88, 0x80, 0x80, 0x80),
            bytes(0xFE),
            bytes(0xFF, 0xFE),
            bytes(0xFE, 0xFF),
            // marks of order, the replacement character itself
            bytes(0xEF, 0xBB, 0xBF),
            bytes(0xEF, 0xBB, 0xBF, 'a'),
            bytes(0xEF, 0xBF, 0xBD),
            bytes(0xFF, 0xFE, 'a', 0),
            // what begins like something compressed or serialized
            bytes(0x1F, 0x8B, 0x08, 0x00),
            bytes(0x28, 0xB5, 0x2F, 0xFD),
            bytes(0x04, 0x22, 0x4D, 0x18),
            bytes(0xAC, 0xED, 0x00, 0x05),
            bytes(0x78, 0x9C)));
  }

  @Test
  final void e2_textsThatMeanSomethingElsewhere_comeBack() {
    List<byte[]> all = new ArrayList<>();
    for (String text :
        List.of(
            "null",
            "NULL",
            "nil",
            "true",
            "0",
            "00",
            "1",
            "1.0",
            "1e2",
            "-0",
            "NaN",
            " ",
            "  a  ",
            "\n",
            "a\n",
            "\r\n",
            "a\r\n",
            "a\n\n",
            "\0",
            "\0a",
            "a\0",
            "\"",
            "\"a\"",
            "'a'",
            "\\",
            "\\n",
            "\\x41",
            "\\\\",
            "%41",
            "&amp;",
            "YQ==",
            "YQ",
            "0x41",
            "61",
            "\\x61",
            "a,b",
            "a;b",
            "{}",
            "[]",
            "$1",
            "?",
            ":a",
            "\u00e9",
            "e\u0301",
            "\ud83d\ude00",
            "\ufeffa")) {
      all.add(text.getBytes(StandardCharsets.UTF_8));
    }
    assertComeBack(all);
  }

  @Test
  final void e3_json_comesBackByteForByte() {
    List<byte[]> all = new ArrayList<>();
    for (String json :
        List.of(
            "{\"b\":1,\"a\":2}",
            "{\"a\":2,\"b\":1}",
            "{ \"a\" : 2 , \"b\" : 1 }",
            "{\"a\":1,\"a\":2}",
            "{\"b\":{\"d\":1,\"c\":[3,2,1]},\"a\":null}",
            "{\n  \"a\": 1\n}\n",
            " {\"a\":1}",
            "{\"a\":1} ",
            "{\"a\":1}\r\n",
            "{\"a\":1.0}",
            "{\"a\":1.00,\"b\":1e2,\"c\":-0,\"d\":0.1e-7}",
            "{\"a\":12345678901234567890123456789}",
            "{\"a\":0.1000000000000000055511151231257827}",
            "{\"a\":\"\\u00e9\\/\\u0041\"}",
            "{\"a\":\"\u00e9/A\"}",
            "{\"\":\"\",\" \":[]}",
            "{\"a\":1,}",
            "{\"a\":",
            "{a:1}",
            "[]",
            "[1, 2,3 ]",
            "null",
            "\"a\"",
            "{\"version\":7,\"expiresAt\":0,\"active\":false,\"writeId\":\"other\"}",
            "{\"$type\":\"a\",\"@class\":\"b\",\"_id\":1,\"__proto__\":{}}")) {
      all.add(json.getBytes(StandardCharsets.UTF_8));
    }
    assertComeBack(all);
  }

  @Test
  final void e4_k1_k3_declaredMaximum_isStoredUnderTheLongestKey() throws Exception {
    int maximum = testableMaximum();
    BackendStorage own = newStorage();
    StorageBackend writer = open(own);
    StorageBackend reader = open(own);
    String partition = "\u00e9".repeat(RecordKey.MAX_PARTITION_BYTES / 2);
    RecordKey key = new RecordKey(partition, "%".repeat(RecordKey.MAX_ID_BYTES));

    VersionedRecord created = insert(writer, key, largest(maximum, 1, true));
    assertContents("creating", reader, partition, List.of(created), 10);
    VersionedRecord updated = write(reader, key, largest(maximum, 2, true), 1);
    assertContents("an update", writer, partition, List.of(updated), 10);
    assertThat(writer.putIfVersion(key, largest(maximum, 3, true), 1))
        .as("a stale write of the largest data")
        .isEqualTo(new Conflict(updated));
    RecordValue put = largest(maximum, 4, false);
    assertThat(writer.put(key, put)).as("put of the largest data").isEqualTo(3);
    VersionedRecord last = new VersionedRecord(key, put, 3);
    assertContents("a put", reader, partition, List.of(last), 10);
    assertThat(reader.deleteIfVersion(key, 3)).isEqualTo(Deleted.DELETED);
    RecordValue within = largest(maximum, 5, true);
    assertThat(writer.createWithin(key, within, 5, now())).isEqualTo(Created.CREATED);
    VersionedRecord again = new VersionedRecord(key, within, 1);
    assertContents("createWithin", reader, partition, List.of(again), 10);
    assertThat(writer.delete(key)).as("delete of the largest record").isTrue();
    assertContents("deleting", reader, partition, List.of(), 10);
  }

  @ParameterizedTest(name = "characters of kind {index}")
  @ValueSource(strings = {"a", "/", "\\", "\0", "\u20ac", "\ud83d\ude00", "'", "A", " "})
  final void e4_k3_declaredMaximum_isStoredUnderLongKeysOfEveryShape(String character)
      throws Exception {
    int maximum = testableMaximum();
    BackendStorage own = newStorage();
    StorageBackend backend = open(own);
    int width = character.getBytes(StandardCharsets.UTF_8).length;
    String partition = character.repeat(RecordKey.MAX_PARTITION_BYTES / width);
    RecordKey key = new RecordKey(partition, character.repeat(RecordKey.MAX_ID_BYTES / width));

    VersionedRecord created = insert(backend, key, largest(maximum, 1, true));

    assertContents("creating", backend, partition, List.of(created), 10);
    assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
  }

  @Test
  final void e5_k3_oneByteMore_isRefusedAndNothingIsWritten() throws Exception {
    BackendStorage own = newStorage();
    assertTooLargeChangesNothing(
        open(own),
        open(own),
        new RecordKey(partition(), "stored"),
        new RecordKey(partition(), "missing"));
  }

  @Test
  final void e5_k3_oneByteMoreUnderTheLongestKey_isRefusedAndNothingIsWritten() throws Exception {
    BackendStorage own = newStorage();
    String partition = "p".repeat(RecordKey.MAX_PARTITION_BYTES);
    assertTooLargeChangesNothing(
        open(own),
        open(own),
        new RecordKey(partition, "s".repeat(RecordKey.MAX_ID_BYTES)),
        new RecordKey(partition, "m".repeat(RecordKey.MAX_ID_BYTES)));
  }

  @Test
  final void e7_fullStorage_isAnErrorAndLeavesWhatIsStored() throws Exception {
    requireTrouble(Trouble.FULL);
    BackendStorage own = newStorage();
    FaultInjection faults = require(Hook.FAULT_INJECTION, own.faultInjection());
    StorageBackend writer = open(own);
    StorageBackend reader = open(own);
    VersionedRecord old = insert(writer, key("old"), value("old", true, inDays(1)));
    VersionedRecord bystander = insert(writer, key("bystander"), value("bystander"));
    List<VersionedRecord> all = List.of(old, bystander);

    faults.cause(Trouble.FULL);
    try {
      assertWritesFindNoRoom(writer, old.key());
      assertThat(reader.get(key("new"))).as("get of what found no room").isEmpty();
      assertContents("writes without room", reader, partition(), all, 10);
    } finally {
      faults.heal();
    }

    StorageBackend healed = open(own);
    assertThat(healed.get(key("new"))).as("get of what found no room").isEmpty();
    assertContents("writes without room, when there is room again", healed, partition(), all, 10);
    write(healed, old.key(), roomy(), 1);
    insert(healed, key("new"), roomy());
  }

  @Test
  final void e7_fullStorage_isLeftWithoutStrayFiles() throws Exception {
    requireTrouble(Trouble.FULL);
    require(Hook.RAW_INSPECTION, storage().rawInspection());
    BackendStorage own = newStorage();
    FaultInjection faults = require(Hook.FAULT_INJECTION, own.faultInjection());
    StorageBackend writer = open(own);
    RawInspection raw = require(Hook.RAW_INSPECTION, own.rawInspection());
    RecordKey old = key("old");
    insert(writer, old, value("1", true, inDays(1)));
    write(writer, old, value("2", true, inDays(1)), 1);
    List<String> before = raw.entries();

    faults.cause(Trouble.FULL);
    try {
      assertWritesFindNoRoom(writer, old);
    } finally {
      faults.heal();
    }

    assertThat(raw.entries())
        .as("what is there after writes without room")
        .containsExactlyInAnyOrderElementsOf(before);
  }

  // --- what the statements about values share ------------------------------------------------

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  /** Checks that all of these come back, from records that are created and from updated ones. */
  private void assertComeBack(List<byte[]> all) {
    List<VersionedRecord> created = new ArrayList<>();
    for (byte[] data : all) {
      RecordKey key = key("key" + created.size());
      created.add(insert(backend(), key, value(data, created.size() % 2 == 0, null)));
    }
    assertHeld("creating", created.toArray(VersionedRecord[]::new));

    List<VersionedRecord> updated = new ArrayList<>();
    for (VersionedRecord stored : created) {
      byte[] data = all.get(all.size() - 1 - updated.size());
      updated.add(write(other(), stored.key(), value(data, false, null), 1));
    }
    assertHeld("updating", updated.toArray(VersionedRecord[]::new));
    for (VersionedRecord stored : updated) {
      assertThat(backend().putIfVersion(stored.key(), value("late"), 1))
          .as("a stale write")
          .isEqualTo(new Conflict(stored));
    }
  }

  /** As much of everything as a value can have. */
  private static RecordValue largest(int size, long seed, boolean active) {
    String writeId = ("w" + seed).repeat(RecordValue.MAX_WRITE_ID_LENGTH / 2);
    return new RecordValue(
        Bytes.unsafeWrap(randomBytes(size, seed)), active, RecordValue.MAX_EXPIRY, writeId);
  }

  private void assertTooLargeChangesNothing(
      StorageBackend writer, StorageBackend reader, RecordKey stored, RecordKey missing) {
    int maximum = testableMaximum();
    // Bytes that compress to nothing are as many all the same.
    Bytes tooMany = Bytes.unsafeWrap(new byte[maximum + 1]);
    Bytes tooManyRandom = Bytes.unsafeWrap(randomBytes(maximum + 1, 5));
    VersionedRecord old = insert(writer, stored, value("old", true, inDays(1)));
    RecordKey beside = new RecordKey(stored.partition(), "beside");
    VersionedRecord bystander = insert(writer, beside, value("bystander"));
    List<VersionedRecord> all = List.of(old, bystander);

    for (Bytes data : List.of(tooMany, tooManyRandom)) {
      RecordValue value = new RecordValue(data, true, null, Samples.newWriteId());
      assertTooLarge(maximum, stored, () -> writer.putIfVersion(stored, value, 1));
      assertTooLarge(maximum, stored, () -> writer.put(stored, value));
      assertContents("updates that are too large", reader, stored.partition(), all, 10);
      assertTooLarge(maximum, missing, () -> writer.putIfVersion(missing, value, 0));
      assertTooLarge(maximum, missing, () -> writer.put(missing, value));
      assertTooLarge(maximum, missing, () -> reader.createWithin(missing, value, 10, now()));
      assertThat(reader.get(missing)).as("get of what was too large").isEmpty();
      assertContents("creates that are too large", writer, stored.partition(), all, 10);
    }

    // The version has not moved, and the keys can be written.
    VersionedRecord next = write(writer, stored, value("next"), 1);
    VersionedRecord created = insert(reader, missing, value("created"));
    assertContents(
        "writes after all", reader, stored.partition(), List.of(next, created, bystander), 10);
  }

  private static void assertTooLarge(int maximum, RecordKey key, Runnable call) {
    assertThatExceptionOfType(RecordTooLargeException.class)
        .as("what writing %d bytes throws", maximum + 1L)
        .isThrownBy(call::run)
        .satisfies(
            e -> {
              assertThat(e.limitBytes()).as("limit in the exception").isEqualTo(maximum);
              assertThat(e.sizeBytes()).as("size in the exception").isEqualTo(maximum + 1L);
              assertThat(e.key()).as("key in the exception").contains(key);
            });
  }

  /** A value that takes more room than the records that the tests store first. */
  private RecordValue roomy() {
    int size = Math.min(65_536, traits().maxDataBytes());
    return value(randomBytes(size, 7), true, inDays(2));
  }

  private void assertWritesFindNoRoom(StorageBackend backend, RecordKey stored) {
    long version = Samples.stored(backend, stored).version();
    assertNoRoom("an update", () -> backend.putIfVersion(stored, roomy(), version));
    assertNoRoom("a put", () -> backend.put(stored, roomy()));
    assertNoRoom("a create", () -> backend.putIfVersion(key("new"), roomy(), 0));
    assertNoRoom("createWithin", () -> backend.createWithin(key("new"), roomy(), 9, now()));
  }

  private static void assertNoRoom(String what, Runnable call) {
    assertThatExceptionOfType(CapacityExceededException.class)
        .as("what %s throws where there is no room", what)
        .isThrownBy(call::run);
  }
}
