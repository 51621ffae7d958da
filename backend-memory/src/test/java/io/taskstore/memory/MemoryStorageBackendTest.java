// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.memory.Records.NOW;
import static io.taskstore.memory.Records.listAll;
import static io.taskstore.memory.Records.listAllActive;
import static io.taskstore.memory.Records.stored;
import static io.taskstore.memory.Records.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One caller at a time: records, versions, values, expiry, life cycle. */
final class MemoryStorageBackendTest {
  private final MemoryStorageBackend backend = MemoryStorageBackend.create();
  private final String partition = Records.partition();
  private final RecordKey key = new RecordKey(partition, "id");

  @Test
  void get_neverWrittenOrDeleted_isEmpty() { // A1, A5
    assertThat(backend.get(key)).isEmpty();
    backend.putIfVersion(key, value("a"), 0);

    assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);

    assertThat(backend.get(key)).isEmpty();
    assertThat(listAll(backend, partition, false, 10)).isEmpty();
    assertThat(listAllActive(backend, partition, false, 10)).isEmpty();
  }

  @Test
  void putIfVersion_absent_storesEverythingAsVersionOne() { // A2, B1
    RecordValue value = value("data", true, NOW.plusMillis(123));

    assertThat(backend.putIfVersion(key, value, 0)).isEqualTo(new Written(1));

    assertThat(backend.get(key)).contains(new VersionedRecord(key, value, 1));
  }

  @Test
  void putIfVersion_current_replacesTheWholeValue() { // A3, B3, F6, F7
    backend.putIfVersion(key, value("a long one", true, NOW), 0);
    RecordValue shorter = value("b", false, null);

    assertThat(backend.putIfVersion(key, shorter, 1)).isEqualTo(new Written(2));
    assertThat(backend.get(key)).contains(new VersionedRecord(key, shorter, 2));
    assertThat(listAllActive(backend, partition, false, 10)).isEmpty();
    assertThat(backend.purgeExpired(Instant.MAX, 10)).isZero();

    RecordValue expiring = value("c", true, NOW.minusSeconds(1));
    backend.putIfVersion(key, expiring, 2);
    assertThat(backend.get(key)).contains(new VersionedRecord(key, expiring, 3));
    assertThat(listAllActive(backend, partition, false, 10))
        .containsExactly(new RecordHead(key, NOW.minusSeconds(1)));
  }

  @Test
  void putIfVersion_otherVersion_conflictsWithTheWinnerUnchanged() { // A6, B2, B4, B5, B9, F8
    RecordValue value = value("a", true, NOW);
    backend.putIfVersion(key, value("old"), 0);
    backend.putIfVersion(key, value, 1);
    VersionedRecord winner = new VersionedRecord(key, value, 2);

    for (long expected : List.of(0L, 1L, 3L, 1L << 53, StorageBackend.MAX_VERSION - 1)) {
      assertThat(backend.putIfVersion(key, value("b", false, null), expected))
          .isEqualTo(new Conflict(winner));
    }
    for (long expected : List.of(1L, 3L, Long.MAX_VALUE)) {
      assertThat(backend.deleteIfVersion(key, expected)).isEqualTo(new Conflict(winner));
    }

    assertThat(backend.get(key)).contains(winner);
    assertThat(listAllActive(backend, partition, false, 10))
        .containsExactly(new RecordHead(key, NOW));
  }

  @Test
  void putIfVersion_expectedOnMissingKey_conflictsAndCreatesNothing() { // A6, B6, B7
    assertThat(backend.putIfVersion(key, value("a"), 1)).isEqualTo(Conflict.ABSENT);
    assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Conflict.ABSENT);

    backend.putIfVersion(key, value("a"), 0);
    backend.deleteIfVersion(key, 1);

    assertThat(backend.putIfVersion(key, value("b"), 1)).isEqualTo(Conflict.ABSENT);
    assertThat(backend.get(key)).isEmpty();
    assertThat(backend.partitionCount()).isZero();
  }

  @Test
  void putIfVersion_identicalValue_makesANewVersion() { // B12
    RecordValue value = value("a");
    backend.putIfVersion(key, value, 0);

    assertThat(backend.putIfVersion(key, value, 1)).isEqualTo(new Written(2));
  }

  @Test
  void put_existing_sharesTheVersionLine() { // A8, B11
    assertThat(backend.put(key, value("a"))).isEqualTo(1);
    assertThat(backend.put(key, value("b"))).isEqualTo(2);
    assertThat(backend.putIfVersion(key, value("c"), 1)).isInstanceOf(Conflict.class);
    assertThat(backend.delete(key)).isTrue();
    assertThat(backend.delete(key)).isFalse();
  }

  @Test
  void anyCall_badArguments_areRefused() { // B13, G10
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.putIfVersion(key, value("a"), -1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.putIfVersion(key, value("a"), StorageBackend.MAX_VERSION));
    assertThatIllegalArgumentException().isThrownBy(() -> backend.deleteIfVersion(key, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> backend.purgeExpired(NOW, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.createWithin(key, value("a"), 0, NOW));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.createWithin(key, value("a", false, null), 1, NOW));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.list(new ListQuery(partition, null, false, 0)));
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
  }

  @ParameterizedTest
  @ValueSource(
      longs = {
        (1L << 31) - 1,
        (1L << 31) + 1,
        100_000_000_000_000L,
        (1L << 53) - 1,
        (1L << 53) + 1,
        StorageBackend.MAX_VERSION - 1
      })
  void putIfVersion_highVersion_isExact(long version) { // B14
    backend.seed(new VersionedRecord(key, value("a"), version));

    assertThat(backend.putIfVersion(key, value("b"), version - 1)).isInstanceOf(Conflict.class);
    assertThat(backend.putIfVersion(key, value("b"), version)).isEqualTo(new Written(version + 1));
    assertThat(stored(backend, key).version()).isEqualTo(version + 1);
    assertThat(backend.deleteIfVersion(key, version)).isInstanceOf(Conflict.class);
    assertThat(backend.deleteIfVersion(key, version + 1)).isEqualTo(Deleted.DELETED);
  }

  @Test
  void deleteIfVersion_keyIsAPrefixOfAnother_takesOnlyItsOwn() { // A7, D9
    RecordKey longer = new RecordKey(partition, "id/more");
    backend.putIfVersion(key, value("a"), 0);
    backend.putIfVersion(longer, value("b"), 0);

    backend.deleteIfVersion(key, 1);

    assertThat(backend.get(longer)).isPresent();
  }

  @Test
  void reads_neverChangeTheRecord() { // A10
    RecordValue value = value("a", true, NOW);
    backend.putIfVersion(key, value, 0);

    backend.get(key);
    listAll(backend, partition, false, 1);
    listAllActive(backend, partition, false, 1);

    assertThat(backend.get(key)).contains(new VersionedRecord(key, value, 1));
  }

  @Test
  void keys_anyText_areKeptApart() { // D1, D2, D6-D12
    List<String> texts =
        List.of(
            "a",
            "A",
            "a/b",
            "a%2Fb",
            "a__0x2f__b",
            "a:b",
            "a{b}",
            "a#b",
            "{}x}",
            "..",
            ".",
            "CON",
            "NUL",
            ".tmp",
            "-x",
            "x.",
            "x ",
            " ",
            "\u0000",
            "\u007f",
            "..\\",
            "//",
            "%_*?[]^{}\\",
            "'; DROP TABLE t; --",
            "*3\r\n$3\r\nSET",
            "\u00e9",
            "e\u0301",
            "\ud83d\ude00",
            "\uffff",
            "\u20ac".repeat(170) + "xx");
    for (String id : texts) {
      assertThat(backend.putIfVersion(new RecordKey(partition, id), value(id), 0))
          .isEqualTo(new Written(1));
    }

    for (String id : texts) {
      VersionedRecord stored = stored(backend, new RecordKey(partition, id));
      assertThat(stored.key()).isEqualTo(new RecordKey(partition, id));
      assertThat(stored.value().data().toByteArray())
          .isEqualTo(id.getBytes(StandardCharsets.UTF_8));
    }
    assertThat(Records.ids(listAll(backend, partition, false, 7)))
        .containsExactlyInAnyOrderElementsOf(texts);
  }

  @Test
  void keys_partsThatJoinToTheSameText_areTwoRecords() { // D12, D14
    RecordKey one = new RecordKey(partition + ":b", "c");
    RecordKey two = new RecordKey(partition, "b:c");
    backend.putIfVersion(one, value("1"), 0);

    assertThat(backend.get(two)).isEmpty();
    assertThat(backend.putIfVersion(two, value("2"), 0)).isEqualTo(new Written(1));
    assertThat(listAll(backend, partition, false, 10)).hasSize(1);
  }

  @Test
  void values_allBytesAndNone_roundTrip() { // E1, E2, E3
    byte[] all = new byte[512];
    for (int i = 0; i < all.length; i++) {
      all[i] = (byte) i;
    }
    backend.putIfVersion(key, value(all, true, null), 0);
    assertThat(stored(backend, key).value().data().toByteArray()).isEqualTo(all);

    backend.putIfVersion(key, value(new byte[0], true, null), 1);
    assertThat(stored(backend, key).value().data()).isEqualTo(Bytes.EMPTY);
  }

  @Test
  void values_arraysChangedByTheCaller_areNotAliased() {
    byte[] data = {1, 2, 3};
    backend.putIfVersion(key, value(data, true, null), 0);

    data[0] = 9;
    stored(backend, key).value().data().toByteArray()[1] = 9;

    assertThat(stored(backend, key).value().data().toByteArray()).containsExactly(1, 2, 3);
  }

  @Test
  void putIfVersion_dataAtAndOverTheLimit_isDecidedToTheByte() { // E4, E5, K3
    MemoryStorageBackend small = MemoryStorageBackend.builder().maxDataBytes(1_000).build();
    RecordKey longest = new RecordKey("p".repeat(1_100), "i".repeat(512));
    RecordValue fits = value(new byte[1_000], true, null);
    RecordValue tooLarge = value(new byte[1_001], true, null);

    assertThat(small.putIfVersion(longest, fits, 0)).isEqualTo(new Written(1));

    assertThatExceptionOfType(RecordTooLargeException.class)
        .isThrownBy(() -> small.putIfVersion(longest, tooLarge, 1))
        .satisfies(
            thrown -> {
              assertThat(thrown.limitBytes()).isEqualTo(1_000);
              assertThat(thrown.sizeBytes()).isEqualTo(1_001);
              assertThat(thrown.key()).contains(longest);
            });
    assertThatExceptionOfType(RecordTooLargeException.class)
        .isThrownBy(() -> small.createWithin(key, tooLarge, 1, NOW));
    assertThat(small.get(longest)).contains(new VersionedRecord(longest, fits, 1));
    assertThat(small.get(key)).isEmpty();
    assertThat(small.traits().maxDataBytes()).isEqualTo(1_000);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "2030-01-01T00:00:00.001Z",
        "9999-12-31T23:59:59.999Z"
      })
  void expiry_anyLegalInstant_isKeptExactly(String expiry) { // F4, F5, F9, F11
    Instant expiresAt = Instant.parse(expiry);

    backend.putIfVersion(key, value("a", true, expiresAt), 0);

    assertThat(stored(backend, key).value().expiresAt()).isEqualTo(expiresAt);
    assertThat(listAllActive(backend, partition, false, 10))
        .containsExactly(new RecordHead(key, expiresAt));
  }

  @Test
  void purgeExpired_mixedRecords_removesAllThatIsDueAndOnlyThat() { // F1, F14, F16, F18
    for (int i = 0; i < 10; i++) {
      put("due" + i, value("a", i % 2 == 0, NOW.minusMillis(i)));
      put("later" + i, value("a", i % 2 == 0, NOW.plusMillis(1 + i)));
      put("never" + i, value("a", i % 2 == 0, null));
    }
    backend.putIfVersion(
        new RecordKey(Records.partition(), "due"), value("a", true, NOW.minusMillis(1)), 0);

    assertThat(backend.purgeExpired(NOW.minusMillis(10), 100)).isZero();
    assertThat(backend.purgeExpired(NOW, 100)).isEqualTo(11);
    assertThat(backend.purgeExpired(NOW, 100)).isZero();

    assertThat(Records.ids(listAll(backend, partition, false, 100)))
        .hasSize(20)
        .noneMatch(id -> id.startsWith("due"));
    assertThat(listAllActive(backend, partition, false, 100)).hasSize(10);
    assertThat(backend.used().records()).isEqualTo(20);
    assertThat(backend.expiryCount()).isEqualTo(10);
    assertThat(backend.partitionCount()).isEqualTo(1);
  }

  @Test
  void purgeExpired_moreThanTheLimit_keepsToTheLimit() { // F15
    for (int i = 0; i < 10; i++) {
      put("due" + i, value("a", true, NOW));
    }

    assertThat(backend.purgeExpired(NOW, 4)).isEqualTo(4);
    assertThat(backend.used().records()).isEqualTo(6);
    assertThat(backend.purgeExpired(NOW, 6)).isEqualTo(6);
    assertThat(backend.purgeExpired(NOW, 1)).isZero();
  }

  @Test
  void purgeExpired_onlyALittleIsDue_looksAtNoMore() {
    ProbeScript probe = new ProbeScript();
    MemoryStorageBackend probed = MemoryStorageBackend.builder().build(probe);
    for (int i = 0; i < 1_000; i++) {
      RecordKey id = new RecordKey(partition, "later" + i);
      probed.putIfVersion(id, value("a", true, NOW.plusSeconds(1)), 0);
    }
    probed.putIfVersion(key, value("a", true, NOW), 0);

    probe.count(Probe.Step.VISIT);

    assertThat(probed.purgeExpired(NOW, 100)).isEqualTo(1);
    assertThat(probe.count()).isEqualTo(2);
  }

  @Test
  void putIfVersion_recreated_doesNotInheritTheOldExpiry() { // F12
    backend.putIfVersion(key, value("a", true, NOW), 0);
    backend.deleteIfVersion(key, 1);
    backend.putIfVersion(key, value("b", true, null), 0);

    assertThat(backend.purgeExpired(Instant.MAX, 10)).isZero();
    assertThat(stored(backend, key).value().expiresAt()).isNull();
    assertThat(backend.expiryCount()).isZero();
  }

  @Test
  void partitions_lastRecordGone_areRemoved() { // F16, I5
    for (int i = 0; i < 100; i++) {
      String owner = partition + i;
      RecordKey first = new RecordKey(owner, "a");
      RecordKey second = new RecordKey(owner, "b");
      backend.putIfVersion(first, value("a", true, NOW), 0);
      backend.putIfVersion(second, value("a", false, NOW), 0);
      backend.deleteIfVersion(first, 1);
      assertThat(backend.partitionCount()).isEqualTo(1);
      backend.purgeExpired(NOW, 1);
      assertThat(backend.partitionCount()).isZero();
      assertThat(backend.createWithin(first, value("a"), 1, NOW)).isEqualTo(Created.CREATED);
      backend.deleteIfVersion(first, 1);
    }
    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
  }

  @Test
  void close_anyLaterCall_isRefused() { // I1, I2
    put("due", value("a", true, NOW));
    BackendTraits traits = backend.traits();

    backend.close();
    backend.close();

    ListQuery query = new ListQuery(partition, null, false, 1);
    List<ThrowingCallable> calls =
        List.of(
            () -> backend.get(key),
            () -> backend.putIfVersion(key, value("a"), 0),
            () -> backend.putIfVersion(key, value("a"), 1),
            () -> backend.deleteIfVersion(key, 1),
            () -> backend.list(query),
            () -> backend.listActive(query),
            () -> backend.purgeExpired(NOW, 1),
            () -> backend.createWithin(key, value("a"), 1, NOW),
            () -> backend.put(key, value("a")),
            () -> backend.delete(key));
    assertThat(calls)
        .allSatisfy(
            call ->
                assertThatExceptionOfType(BackendClosedException.class)
                    .isThrownBy(call)
                    .satisfies(thrown -> assertThat(thrown.operation()).isNotEmpty()));
    assertThat(backend.traits()).isSameAs(traits);
    assertThat(backend.partitionCount()).isZero();
    assertThat(backend.expiryCount()).isZero();
    assertThat(backend.used()).isEqualTo(new Capacity.Usage(0, 0));
    // Arguments are looked at before the state is.
    assertThatIllegalArgumentException()
        .isThrownBy(() -> backend.putIfVersion(key, value("a"), -1));
  }

  @Test
  void create_twice_givesStoresOfTheirOwn() {
    backend.putIfVersion(key, value("a"), 0);

    MemoryStorageBackend other = MemoryStorageBackend.create();

    assertThat(other.get(key)).isEmpty();
    backend.close();
    assertThatNoException().isThrownBy(() -> other.putIfVersion(key, value("a"), 0));
  }

  @Test
  void traits_always_areTheDeclaredOnes() { // K1, K5
    assertThat(backend.traits())
        .isEqualTo(new BackendTraits("memory", false, false, false, 4 * 1024 * 1024))
        .isSameAs(backend.traits());
  }

  @Test
  void toString_showsCountsButNoKeysOrData() {
    put("private-id", value("secret"));

    assertThat(backend.toString())
        .startsWith("MemoryStorageBackend[1 records, ")
        .doesNotContain("private-id", "secret", partition);
    backend.close();
    assertThat(backend.toString()).contains("closed");
  }

  @Test
  void messages_failures_nameOperationAndKeyButNoData() { // J9
    MemoryStorageBackend small = MemoryStorageBackend.builder().maxDataBytes(3).build();

    assertThatExceptionOfType(StorageException.class)
        .isThrownBy(() -> small.putIfVersion(key, value("secret"), 0))
        .withMessageContainingAll("putIfVersion", key.toString())
        .withMessageNotContaining("secret");
  }

  private PutResult put(String id, RecordValue value) {
    return backend.putIfVersion(new RecordKey(partition, id), value, 0);
  }
}
