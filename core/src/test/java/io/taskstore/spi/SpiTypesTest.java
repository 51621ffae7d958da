// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The small types that only check and carry. */
final class SpiTypesTest {
  private static final RecordKey KEY = new RecordKey("p", "i");
  private static final RecordValue VALUE = new RecordValue(Bytes.EMPTY, true, null, "w");

  @Test
  void listQuery_badParts_areRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ListQuery("p", null, false, 0))
        .withMessageContaining("limit 0");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ListQuery("", null, false, 1))
        .withMessageContaining("partition");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ListQuery("p".repeat(1_101), null, false, 1))
        .withMessageContaining("partition");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ListQuery("p", "", false, 1))
        .withMessageContaining("id");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ListQuery("p", "\ud83d", false, 1))
        .withMessageContaining("id");
    assertThatNullPointerException()
        .isThrownBy(() -> new ListQuery(Nulls.of(String.class), null, false, 1))
        .withMessage("partition");
  }

  @Test
  void listQuery_withAfter_keepsTheRest() {
    assertThat(new ListQuery("p", null, true, 7).withAfter("x"))
        .isEqualTo(new ListQuery("p", "x", true, 7));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void versionedRecord_versionBelowOne_isRefused(long version) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new VersionedRecord(KEY, VALUE, version))
        .withMessageContaining(Long.toString(version));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 9_007_199_254_740_993L, StorageBackend.MAX_VERSION})
  void versionedRecord_legalVersion_isExact(long version) {
    assertThat(new VersionedRecord(KEY, VALUE, version).version()).isEqualTo(version);
  }

  @Test
  void versionedRecord_missingParts_areRefusedByName() {
    assertThatNullPointerException()
        .isThrownBy(() -> new VersionedRecord(Nulls.of(RecordKey.class), VALUE, 1))
        .withMessage("key");
    assertThatNullPointerException()
        .isThrownBy(() -> new VersionedRecord(KEY, Nulls.of(RecordValue.class), 1))
        .withMessage("value");
  }

  @Test
  void pages_listsGivenIn_areCopied() {
    List<VersionedRecord> records = new ArrayList<>(List.of(new VersionedRecord(KEY, VALUE, 1)));
    List<RecordHead> heads = new ArrayList<>(List.of(new RecordHead(KEY, null)));
    List<CorruptRecord> corrupt = new ArrayList<>(List.of(new CorruptRecord(KEY, "torn")));
    RecordPage page = new RecordPage(records, corrupt, null);
    HeadPage headPage = new HeadPage(heads, corrupt, "i");

    records.clear();
    heads.clear();
    corrupt.clear();

    assertThat(page.records()).hasSize(1);
    assertThat(page.corrupt()).hasSize(1);
    assertThat(page.next()).isNull();
    assertThat(headPage.heads()).hasSize(1);
    assertThat(headPage.corrupt()).hasSize(1);
    assertThat(headPage.next()).isEqualTo("i");
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> page.records().clear());
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> headPage.heads().clear());
  }

  @Test
  void corruptRecordAndHead_missingParts_areRefusedByName() {
    assertThatNullPointerException()
        .isThrownBy(() -> new CorruptRecord(Nulls.of(RecordKey.class), "torn"))
        .withMessage("key");
    assertThatNullPointerException()
        .isThrownBy(() -> new CorruptRecord(KEY, Nulls.of(String.class)))
        .withMessage("reason");
    assertThatNullPointerException()
        .isThrownBy(() -> new RecordHead(Nulls.of(RecordKey.class), null))
        .withMessage("key");
  }

  @Test
  void backendTraits_badParts_areRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new BackendTraits(" ", true, true, true, 1))
        .withMessageContaining("name");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new BackendTraits("x", true, true, true, 0))
        .withMessageContaining("maxDataBytes 0");
    assertThatNullPointerException()
        .isThrownBy(() -> new BackendTraits(Nulls.of(String.class), true, true, true, 1))
        .withMessage("name");
  }

  @Test
  void conflict_absent_hasNoWinner() {
    assertThat(Conflict.ABSENT.winner()).isNull();
    assertThat(Conflict.ABSENT).isEqualTo(new Conflict(null));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, StorageBackend.MAX_VERSION - 1})
  void checkPut_legalVersion_passes(long expected) {
    assertThatNoException().isThrownBy(() -> StorageArguments.checkPut(KEY, VALUE, expected));
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, StorageBackend.MAX_VERSION, Long.MAX_VALUE})
  void checkPut_impossibleVersion_isRefused(long expected) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StorageArguments.checkPut(KEY, VALUE, expected))
        .withMessageContaining(Long.toString(expected));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void checkDelete_impossibleVersion_isRefused(long expected) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StorageArguments.checkDelete(KEY, expected))
        .withMessageContaining(Long.toString(expected));
  }

  @Test
  void checkDelete_anyStoredVersion_passes() {
    assertThatNoException()
        .isThrownBy(() -> StorageArguments.checkDelete(KEY, StorageBackend.MAX_VERSION));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, Integer.MIN_VALUE})
  void checkPurge_limitBelowOne_isRefused(int limit) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> StorageArguments.checkPurge(Instant.EPOCH, limit))
        .withMessageContaining(Integer.toString(limit));
  }
}
