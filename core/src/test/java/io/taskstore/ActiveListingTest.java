// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/**
 * Active tasks come from an index: by the time a task is read, the index may not be true any more.
 */
class ActiveListingTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final TaskQuery ACTIVE = TaskQuery.oldestFirst().activeOnly();

  /** Has an index of active records, and lets a test act between the index and the records. */
  private static final class Indexed extends ForwardingBackend {
    private Runnable afterIndex = () -> {};
    private Consumer<RecordKey> beforeGet = key -> {};

    Indexed(MapBackend delegate) {
      super(delegate);
    }

    @Override
    public HeadPage listActive(ListQuery query) {
      List<RecordHead> heads = new ArrayList<>();
      for (VersionedRecord stored : delegate.list(query).records()) {
        if (stored.value().active()) {
          heads.add(new RecordHead(stored.key(), stored.value().expiresAt()));
        }
      }
      afterIndex.run();
      return new HeadPage(heads, List.of(), null);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      beforeGet.accept(key);
      return super.get(key);
    }
  }

  private final MovableClock clock = new MovableClock();
  private final MapBackend map = new MapBackend();
  private final Indexed backend = new Indexed(map);
  private final GenericTaskStore store =
      GenericTaskStore.builder(backend).clock(clock).timing(new VirtualTiming()).build();
  private final GenericTaskStore other = GenericTaskStore.builder(map).clock(clock).build();
  private final Task first = create();
  private final Task second = create();

  private Task create() {
    clock.advance(Duration.ofMillis(1));
    return other.create(ALICE, NewTask.of("m"));
  }

  @Test
  void list_endedSinceTheIndexWasRead_isLeftOut() {
    backend.afterIndex = () -> other.update(first, change().complete());

    TaskPage page = store.list(ALICE, ACTIVE);

    assertThat(page.tasks()).containsExactly(second);
    assertThat(page.unreadable()).isEmpty();
  }

  @Test
  void list_deletedSinceTheIndexWasRead_isLeftOut() {
    backend.afterIndex = () -> other.delete(ALICE, first.id());

    TaskPage page = store.list(ALICE, ACTIVE);

    assertThat(page.tasks()).containsExactly(second);
    assertThat(page.unreadable()).isEmpty();
  }

  @Test
  void list_lifeShortenedSinceTheIndexWasRead_isLeftOut() {
    backend.afterIndex = () -> other.update(first, change().ttl(Duration.ofMillis(1)));

    assertThat(store.list(ALICE, ACTIVE).tasks()).containsExactly(second);
  }

  @Test
  void list_recordThatTheStorageCannotRead_isReportedBesideTheOthers() {
    RecordKey key = new RecordKey("ts:alice", first.id());
    backend.afterIndex = () -> map.corrupt(key);

    TaskPage page = store.list(ALICE, ACTIVE);

    assertThat(page.tasks()).containsExactly(second);
    assertThat(page.unreadable())
        .containsExactly(new TaskPage.Unreadable(first.id(), "checksum differs"));
  }

  @Test
  void list_recordThatCannotBeDecoded_isReportedBesideTheOthers() {
    map.overwriteData(new RecordKey("ts:alice", first.id()), new byte[] {1});

    TaskPage page = store.list(ALICE, ACTIVE);

    assertThat(page.tasks()).containsExactly(second);
    assertThat(page.unreadable())
        .extracting(TaskPage.Unreadable::taskId)
        .containsExactly(first.id());
  }

  @Test
  void list_indexUnreadable_isNotTakenForATask() {
    backend.afterIndex =
        () -> {
          throw new CorruptRecordException(
              "listActive", new RecordKey("ts:alice", first.id()), "index differs", null);
        };

    TaskStorageException e =
        catchThrowableOfType(TaskStorageException.class, () -> store.list(ALICE, ACTIVE));

    assertThat(e).hasMessageContaining("did not list tasks");
    assertThat(e.isRetryable()).isFalse();
  }

  @Test
  void list_storageFailsAtATask_namesIt() {
    backend.beforeGet =
        key -> {
          throw new StorageUnavailableException("get", key, false, "refused", null);
        };

    TaskStorageException e =
        catchThrowableOfType(TaskStorageException.class, () -> store.list(ALICE, ACTIVE));

    assertThat(e).hasMessageContaining("did not read task \"%s\"", first.id());
  }
}
