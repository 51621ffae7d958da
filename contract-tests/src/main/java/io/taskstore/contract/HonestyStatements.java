// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.randomBytes;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.contract.BackendStorage.OtherProcess;
import io.taskstore.contract.BackendStorage.TimeControl;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Statements K: traits tell the truth. */
abstract class HonestyStatements extends FailureStatements {
  @Test
  final void k1_traits_areWhatTheBackendIsHeldTo() {
    assertThat(backend().traits()).as("the backend's own traits").isEqualTo(traits());
    assertThat(other().traits()).as("the other instance's traits").isEqualTo(traits());
  }

  @Test
  final void k1_durableOrShared_meansThatRecordsAreThereAfterReopening() throws Exception {
    if (!traits().durable() && !traits().shared()) {
      throw ExcludedException.byTraits("is neither durable nor shared");
    }
    BackendStorage own = newStorage();
    assertThat(own.reopens())
        .as("whether the storage of a backend that says durable or shared can be opened again")
        .isTrue();
    StorageBackend first = open(own);
    StorageBackend second = open(own);
    VersionedRecord stored = insert(first, key("a"), value("data", true, inDays(1)));
    insert(second, key("b"), value("data"));
    VersionedRecord updated = write(second, key("b"), value("more", false, null), 1);
    insert(first, key("c"), value("data"));
    assertThat(first.deleteIfVersion(key("c"), 1)).isEqualTo(Deleted.DELETED);
    first.close();
    second.close();

    StorageBackend reopened = open(own);
    assertContents("reopening", reopened, partition(), List.of(stored, updated), 10);
    assertThat(reopened.get(key("c"))).as("get of what was deleted").isEmpty();
  }

  @Test
  final void k1_durableOrShared_meansThatAnotherProcessCanBeTold() {
    if (!traits().durable() && !traits().shared()) {
      throw ExcludedException.byTraits("is neither durable nor shared");
    }
    Optional<OtherProcess> otherProcess = storage().otherProcess();
    assertThat(otherProcess)
        .as("how another process opens the storage of a backend that says durable or shared")
        .isPresent();
    assertThat(otherProcess.orElseThrow().location()).as("where the storage is").isNotBlank();
  }

  @Test
  final void k1_purgesItself_meansThatExpiredRecordsGo() throws Exception {
    if (!traits().purgesItself()) {
      throw ExcludedException.byTraits("does not purge by itself");
    }
    require(Hook.TIME_CONTROL, storage().timeControl());
    BackendStorage own = newStorage();
    StorageBackend backend = open(own);
    TimeControl time = require(Hook.TIME_CONTROL, own.timeControl());
    VersionedRecord last =
        insert(backend, key("last"), value("last", true, RecordValue.MAX_EXPIRY));
    VersionedRecord stays = insert(backend, key("stays"), value("data"));
    for (String id : List.of("active", "inactive")) {
      Instant soon = now().plus(Duration.ofMinutes(1));
      insert(backend, key(id), value("data", id.equals("active"), soon));
    }

    // Longer than any allowance for clocks that differ.
    time.advance(Duration.ofDays(2));

    assertThat(backend.get(key("active"))).as("get of an expired record").isEmpty();
    assertThat(backend.get(key("inactive"))).as("get of an expired record").isEmpty();
    assertContents("expiring", backend, partition(), List.of(last, stays), 10);
  }

  @Test
  final void k2_notPurgingItself_expiredRecordsStayUntilTheyArePurged() throws Exception {
    if (traits().purgesItself()) {
      throw ExcludedException.byTraits("purges by itself");
    }
    BackendStorage own = newStorage();
    StorageBackend writer = open(own);
    StorageBackend reader = open(own);
    Instant past = now().minus(Duration.ofDays(4_000));
    VersionedRecord active = insert(writer, key("active"), value("data", true, past));
    VersionedRecord inactive = insert(writer, key("inactive"), value("data", false, past));
    VersionedRecord oldest =
        insert(reader, key("oldest"), value("data", true, RecordValue.MIN_EXPIRY));
    List<VersionedRecord> held = new ArrayList<>(List.of(active, inactive, oldest));
    assertContents("creating expired records", reader, partition(), held, 2);

    // Whatever happens beside them, they stay.
    RecordKey busy = key("busy");
    VersionedRecord last = insert(writer, busy, value("0"));
    for (int i = 1; i <= 20; i++) {
      last = write(i % 2 == 0 ? writer : reader, busy, value("n" + i), i);
      insert(writer, key("passing"), value("data", true, past));
      assertThat(reader.deleteIfVersion(key("passing"), 1)).isEqualTo(Deleted.DELETED);
    }
    writer.createWithin(key("within"), value("data"), 2, now());
    assertThat(writer.delete(key("within"))).as("delete of a stored key").isTrue();
    held.add(last);
    assertContents("writes beside expired records", reader, partition(), held, 2);
    assertThat(writer.putIfVersion(active.key(), value("late"), 0))
        .as("a create over an expired record")
        .isEqualTo(new Conflict(active));
    VersionedRecord again = write(reader, inactive.key(), value("again", false, past), 1);

    if (own.reopens()) {
      writer.close();
      reader.close();
    }
    StorageBackend purger = open(own);
    assertContents("all that", purger, partition(), List.of(active, again, oldest, last), 2);
    assertThat(purger.purgeExpired(now(), 100)).as("how many were purged").isEqualTo(3);
    assertContents("purging", purger, partition(), List.of(last), 2);
  }

  @Test
  final void k2_neitherDurableNorShared_offersNoOtherProcess() {
    if (traits().durable() || traits().shared()) {
      throw ExcludedException.byTraits("is durable or shared");
    }
    assertThat(storage().otherProcess())
        .as("how another process opens the storage of a backend that says neither of them")
        .isEmpty();
  }

  @Test
  final void k3_pages_keepToTheirLimit() {
    List<VersionedRecord> all = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      all.add(insert(backend(), key("key" + (10 + i)), value("data", i % 3 != 0, inDays(i))));
    }
    for (StorageBackend instance : instances()) {
      for (int limit : new int[] {1, 2, 5, 11, 12, 13, 1_000, Integer.MAX_VALUE}) {
        assertContents("paging", instance, partition(), all, limit);
        assertPagesKeepTo(limit, false, instance);
        assertPagesKeepTo(limit, true, instance);
      }
    }
  }

  @Test
  final void k3_partsOfTheLargestLegalSize_areStoredTogether() throws Exception {
    int size = Math.min(testableMaximum(), 65_536);
    BackendStorage own = newStorage();
    StorageBackend backend = open(own);
    String partition = "%".repeat(RecordKey.MAX_PARTITION_BYTES);
    List<VersionedRecord> all = new ArrayList<>();
    for (Instant expiresAt : new Instant[] {RecordValue.MAX_EXPIRY, inDays(1)}) {
      RecordKey key = new RecordKey(partition, "/".repeat(RecordKey.MAX_ID_BYTES - 1) + all.size());
      String writeId = "\\".repeat(RecordValue.MAX_WRITE_ID_LENGTH - 1) + all.size();
      Bytes data = Bytes.copyOf(randomBytes(size, 3));
      insert(backend, key, value(randomBytes(size, 4), true, null));
      all.add(write(backend, key, new RecordValue(data, true, expiresAt, writeId), 1));
    }
    assertContents("writing the largest parts", backend, partition, all, 1);
    for (VersionedRecord stored : all) {
      assertThat(backend.deleteIfVersion(stored.key(), 2)).isEqualTo(Deleted.DELETED);
    }
    assertContents("deleting them", backend, partition, List.of(), 1);
  }

  @Test
  final void k5_traits_neverChange() throws Exception {
    BackendStorage own = newStorage();
    StorageBackend first = open(own);
    assertTraits("opening", first);
    insert(first, key("key"), value("data", true, inDays(1)));
    assertTraits("a write", first);
    StorageBackend second = open(own);
    assertTraits("opening another instance", first, second);
    VersionedRecord next =
        write(second, key("key"), value(randomBytes(2_000, 1), true, inDays(1)), 1);
    assertThat(first.putIfVersion(key("key"), value("late"), 1)).isEqualTo(new Conflict(next));
    assertTraits("a lost race", first, second);
    assertContents("an update", first, partition(), List.of(next), 10);
    first.purgeExpired(now(), 10);
    assertTraits("reading and purging", first, second);
    assertThat(second.delete(key("key"))).as("delete of a stored key").isTrue();
    assertTraits("a delete", first, second);

    first.close();
    assertTraits("closing one instance", first, second);
    second.close();
    assertTraits("closing both", first, second);
    first.close();
    assertTraits("closing again", first, second);
    assertThat(harness().traits()).as("the harness's traits").isEqualTo(traits());
    assertTraits("all that, elsewhere", backend(), other());
  }

  private void assertTraits(String when, StorageBackend... instances) {
    for (StorageBackend instance : instances) {
      assertThat(instance.traits()).as("the traits after %s", when).isEqualTo(traits());
    }
  }

  private void assertPagesKeepTo(int limit, boolean descending, StorageBackend backend) {
    ListQuery first = new ListQuery(partition(), null, descending, limit);
    ListQuery query = first;
    while (query != null) {
      RecordPage page = backend.list(query);
      assertThat(page.records().size() + page.corrupt().size())
          .as("the size of a page with the limit %d", limit)
          .isLessThanOrEqualTo(limit);
      query = page.next() == null ? null : query.withAfter(page.next());
    }
    query = first;
    while (query != null) {
      HeadPage page = backend.listActive(query);
      assertThat(page.heads().size() + page.corrupt().size())
          .as("the size of a page of active records with the limit %d", limit)
          .isLessThanOrEqualTo(limit);
      query = page.next() == null ? null : query.withAfter(page.next());
    }
  }
}
