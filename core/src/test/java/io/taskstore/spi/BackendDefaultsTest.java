// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.MinimalBackend.Call;
import io.taskstore.spi.MinimalBackend.Fault;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class BackendDefaultsTest {
  private static final Instant EXPIRY = Instant.parse("2030-01-01T00:00:00Z");
  private static final RecordKey KEY = new RecordKey("owner", "mine");

  private final MinimalBackend backend = new MinimalBackend();

  @Test
  void put_missing_createsVersionOne() {
    assertThat(backend.put(KEY, value("a"))).isEqualTo(1);
    assertThat(backend.peek(KEY)).isEqualTo(new VersionedRecord(KEY, value("a"), 1));
  }

  @Test
  void put_existing_replacesOnTheSameVersionLine() {
    backend.plant(KEY, value("a"), 7);

    assertThat(backend.put(KEY, value("b"))).isEqualTo(8);

    assertThat(backend.peek(KEY)).isEqualTo(new VersionedRecord(KEY, value("b"), 8));
    assertThat(backend.putIfVersion(KEY, value("c"), 7))
        .isEqualTo(new Conflict(new VersionedRecord(KEY, value("b"), 8)));
  }

  @Test
  void put_othersWriteInBetween_goesOnFromTheWinner() {
    backend.before(Call.PUT, 1, () -> backend.plant(KEY, value("x"), 5));
    backend.before(Call.PUT, 2, () -> backend.uproot(KEY));

    assertThat(backend.put(KEY, value("a"))).isEqualTo(1);

    assertThat(backend.count(Call.GET)).isEqualTo(1);
    assertThat(backend.count(Call.PUT)).isEqualTo(3);
  }

  @Test
  void put_othersWriteEveryTime_endsAsUnavailable() {
    for (int number = 1; number <= 200; number++) {
      int version = number;
      backend.before(Call.PUT, number, () -> backend.plant(KEY, value("x"), version));
    }

    StorageUnavailableException thrown =
        catchThrowableOfType(
            StorageUnavailableException.class, () -> backend.put(KEY, value("secret")));

    assertThat(thrown.isRetryable()).isTrue();
    assertThat(thrown.operation()).isEqualTo("put");
    assertThat(thrown.key()).contains(KEY);
    assertThat(thrown).hasMessageContaining(KEY.toString()).hasMessageNotContaining("secret");
    assertThat(backend.count(Call.PUT)).isBetween(2, 150);
    assertThat(backend.peek(KEY)).isNotEqualTo(value("secret"));
  }

  @Test
  void put_answerLost_isOutcomeUnknownAndNotRepeated() {
    backend.fail(Call.PUT, 1, Fault.UNKNOWN_APPLIED);

    assertThatExceptionOfType(OutcomeUnknownException.class)
        .isThrownBy(() -> backend.put(KEY, value("a")));

    assertThat(backend.count(Call.PUT)).isEqualTo(1);
  }

  @Test
  void delete_existing_isTrueOnce() {
    backend.plant(KEY, value("a"), 3);

    assertThat(backend.delete(KEY)).isTrue();
    assertThat(backend.peek(KEY)).isNull();
    assertThat(backend.delete(KEY)).isFalse();
    assertThat(backend.delete(KEY)).isFalse();
    assertThat(backend.count(Call.DELETE)).isEqualTo(1);
  }

  @Test
  void delete_othersWriteInBetween_goesOnFromTheWinner() {
    backend.plant(KEY, value("a"), 1);
    backend.before(Call.DELETE, 1, () -> backend.plant(KEY, value("b"), 2));

    assertThat(backend.delete(KEY)).isTrue();

    assertThat(backend.peek(KEY)).isNull();
    assertThat(backend.count(Call.GET)).isEqualTo(1);
    assertThat(backend.count(Call.DELETE)).isEqualTo(2);
  }

  @Test
  void delete_othersDeleteInBetween_isFalse() {
    backend.plant(KEY, value("a"), 1);
    backend.before(Call.DELETE, 1, () -> backend.uproot(KEY));

    assertThat(backend.delete(KEY)).isFalse();
  }

  @Test
  void delete_othersWriteEveryTime_endsAsUnavailable() {
    backend.plant(KEY, value("a"), 1);
    for (int number = 1; number <= 200; number++) {
      int version = number + 1;
      backend.before(Call.DELETE, number, () -> backend.plant(KEY, value("x"), version));
    }

    StorageUnavailableException thrown =
        catchThrowableOfType(StorageUnavailableException.class, () -> backend.delete(KEY));

    assertThat(thrown.isRetryable()).isTrue();
    assertThat(thrown.operation()).isEqualTo("delete");
    assertThat(backend.count(Call.DELETE)).isBetween(2, 150);
    assertThat(backend.peek(KEY)).isNotNull();
  }

  @Test
  void delete_answerLost_isOutcomeUnknownAndNotRepeated() {
    backend.plant(KEY, value("a"), 1);
    backend.fail(Call.DELETE, 1, Fault.UNKNOWN_NOT_APPLIED);

    assertThatExceptionOfType(OutcomeUnknownException.class).isThrownBy(() -> backend.delete(KEY));

    assertThat(backend.count(Call.DELETE)).isEqualTo(1);
  }

  @Test
  void listActive_mixedRecords_givesHeadsOfTheActiveOnesInOrder() {
    plant("c", true);
    plant("a", true);
    plant("b", false);

    HeadPage ascending = backend.listActive(new ListQuery("owner", null, false, 10));
    HeadPage descending = backend.listActive(new ListQuery("owner", null, true, 10));

    assertThat(ascending.heads()).containsExactly(head("a"), head("c"));
    assertThat(ascending.next()).isNull();
    assertThat(descending.heads()).containsExactly(head("c"), head("a"));
  }

  @Test
  void listActive_pages_areCompleteAlsoWhenEmpty() {
    for (String id : List.of("a", "b", "c", "d", "e")) {
      plant(id, id.equals("a") || id.equals("e"));
    }

    List<RecordHead> heads = new ArrayList<>();
    int pages = 0;
    String after = null;
    do {
      HeadPage page = backend.listActive(new ListQuery("owner", after, false, 1));
      heads.addAll(page.heads());
      after = page.next();
      pages++;
    } while (after != null);

    assertThat(heads).containsExactly(head("a"), head("e"));
    assertThat(pages).isEqualTo(5);
  }

  private void plant(String id, boolean active) {
    backend.plant(new RecordKey("owner", id), new RecordValue(Bytes.EMPTY, active, EXPIRY, "w"), 1);
  }

  private static RecordHead head(String id) {
    return new RecordHead(new RecordKey("owner", id), EXPIRY);
  }

  private static RecordValue value(String text) {
    Bytes data = Bytes.copyOf(text.getBytes(StandardCharsets.UTF_8));
    return new RecordValue(data, true, EXPIRY, "w-" + text.length());
  }
}
