// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.MinimalBackend.Call;
import io.taskstore.spi.MinimalBackend.Fault;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What the default of {@link StorageBackend#createWithin} asks of a backend, and for how long. */
final class GuardedCreateTest {
  private static final Instant NOW = Instant.parse("2030-01-01T00:00:00Z");
  private static final RecordKey KEY = new RecordKey("owner", "mine");
  private static final RecordKey OTHER = new RecordKey("owner", "other");
  private static final RecordValue VALUE = active("w1");

  /** Writes down how its index is asked, and can answer an insert in its own way. */
  private static final class Asked implements StorageBackend {
    private final MinimalBackend delegate = new MinimalBackend();
    private final List<ListQuery> queries = new ArrayList<>();
    private @Nullable PutResult nextPut;

    @Override
    public BackendTraits traits() {
      return delegate.traits();
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      return delegate.get(key);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      PutResult answer = nextPut;
      nextPut = null;
      return answer == null ? delegate.putIfVersion(key, value, expected) : answer;
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      return delegate.deleteIfVersion(key, expected);
    }

    @Override
    public RecordPage list(ListQuery query) {
      return delegate.list(query);
    }

    @Override
    public HeadPage listActive(ListQuery query) {
      queries.add(query);
      return delegate.listActive(query);
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      return delegate.purgeExpired(now, limit);
    }

    @Override
    public void close() {}
  }

  private final Asked backend = new Asked();
  private final MinimalBackend storage = backend.delegate;

  @Test
  void count_pages_areAsSmallAsTheLimitAndNeverLarge() {
    backend.createWithin(KEY, VALUE, 7, NOW);
    backend.createWithin(OTHER, VALUE, 100_000, NOW);

    assertThat(backend.queries).extracting(ListQuery::limit).containsExactly(7, 8, 1_000, 1_000);
    assertThat(backend.queries).extracting(ListQuery::partition).containsOnly("owner");
  }

  @Test
  void count_limitReached_readsNoFurtherPages() {
    storage.pageSize(1);
    for (int i = 0; i < 10; i++) {
      storage.plant(new RecordKey("owner", "planted" + i), active("p" + i), 1);
    }

    assertThat(backend.createWithin(KEY, VALUE, 3, NOW)).isEqualTo(Full.FULL);

    assertThat(storage.count(Call.LIST)).isEqualTo(3);
  }

  @Test
  void insert_conflictWithARecordThatIsGoneAgain_isTheAnswer() {
    backend.nextPut = Conflict.ABSENT;

    assertThat(backend.createWithin(KEY, VALUE, 3, NOW)).isEqualTo(Conflict.ABSENT);

    assertThat(storage.size()).isZero();
  }

  @Test
  void withdrawal_recordGoneAlready_isCertain() {
    storage.before(Call.LIST, 2, () -> storage.plant(OTHER, active("x"), 1));
    storage.before(Call.DELETE, 1, () -> storage.uproot(KEY));

    assertThat(backend.createWithin(KEY, VALUE, 1, NOW)).isEqualTo(Full.FULL);

    assertThat(storage.count(Call.DELETE)).isEqualTo(1);
    assertThat(storage.count(Call.PUT)).isEqualTo(1);
  }

  @Test
  void withdrawal_failsForGoodAfterALostAnswer_saysThatTheRecordMayRemain() {
    storage.before(Call.LIST, 2, () -> storage.plant(OTHER, active("x"), 1));
    storage.fail(Call.DELETE, 1, Fault.UNKNOWN_NOT_APPLIED);
    storage.fail(Call.DELETE, 2, Fault.UNAVAILABLE);
    storage.fail(Call.DELETE, 3, Fault.UNAVAILABLE);

    assertThat(backend.createWithin(KEY, VALUE, 1, NOW)).isEqualTo(new Contended(true));

    assertThat(storage.count(Call.DELETE)).isEqualTo(3);
  }

  @Test
  void withdrawal_failsBeforeAnAnswerWasLost_isUnknownWithItsCause() {
    storage.before(Call.LIST, 2, () -> storage.plant(OTHER, active("x"), 1));
    storage.fail(Call.DELETE, 1, Fault.UNAVAILABLE);

    assertThatExceptionOfType(OutcomeUnknownException.class)
        .isThrownBy(() -> backend.createWithin(KEY, VALUE, 1, NOW))
        .withCauseInstanceOf(StorageUnavailableException.class);

    assertThat(storage.peek(KEY)).isNotNull();
  }

  /** After the last round there is nothing to wait for: an interrupt is not even looked at. */
  @Test
  void rounds_afterTheLast_doNotWait() {
    for (int round = 0; round < 5; round++) {
      storage.before(Call.LIST, 2 * round + 2, () -> storage.plant(OTHER, active("x"), 1));
      storage.before(Call.LIST, 2 * round + 3, () -> storage.uproot(OTHER));
    }
    storage.before(Call.DELETE, 5, () -> Thread.currentThread().interrupt());

    CreateResult result = backend.createWithin(KEY, VALUE, 1, NOW);

    assertThat(Thread.interrupted()).isTrue();
    assertThat(result).isEqualTo(new Contended(false));
  }

  @Test
  void rounds_beforeTheLast_wait() {
    for (int round = 0; round < 4; round++) {
      storage.before(Call.LIST, 2 * round + 2, () -> storage.plant(OTHER, active("x"), 1));
      storage.before(Call.LIST, 2 * round + 3, () -> storage.uproot(OTHER));
    }
    storage.before(Call.DELETE, 4, () -> Thread.currentThread().interrupt());

    StorageUnavailableException e =
        catchThrowableOfType(
            StorageUnavailableException.class, () -> backend.createWithin(KEY, VALUE, 1, NOW));

    assertThat(Thread.interrupted()).isTrue();
    assertThat(e).isNotNull();
    assertThat(storage.peek(KEY)).isNull();
  }

  private static RecordValue active(String writeId) {
    return new RecordValue(Bytes.EMPTY, true, NOW.plusSeconds(60), writeId);
  }
}
