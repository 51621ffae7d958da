// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.CreateResult;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Whatever fails, the exception says what the store was about to do, and what the storage said. */
class OperationNamesTest {
  private static final Owner ALICE = Owner.subject("alice");

  /** Refuses reads, or writes, or nothing. */
  private static final class Refusing extends ForwardingBackend {
    private boolean reads;
    private boolean writes;

    Refusing(MapBackend delegate) {
      super(delegate);
    }

    private static void refuse(boolean refused) {
      if (refused) {
        throw new StorageUnavailableException("call", null, false, "refused", null);
      }
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      refuse(reads);
      return super.get(key);
    }

    @Override
    public RecordPage list(ListQuery query) {
      refuse(reads);
      return super.list(query);
    }

    @Override
    public HeadPage listActive(ListQuery query) {
      refuse(reads);
      return super.listActive(query);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      refuse(writes);
      return super.putIfVersion(key, value, expected);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      refuse(writes);
      return super.deleteIfVersion(key, expected);
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      refuse(writes);
      return super.createWithin(key, value, max, now);
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      refuse(writes);
      return super.purgeExpired(now, limit);
    }
  }

  private final MovableClock clock = new MovableClock();
  private final Refusing backend = new Refusing(new MapBackend());
  private final GenericTaskStore store =
      GenericTaskStore.builder(backend).clock(clock).timing(new VirtualTiming()).build();
  private final Task task = store.create(ALICE, NewTask.of("m"));

  @Test
  void failure_ofAWrite_namesTheOperation() {
    String named = " task \"" + task.id() + "\"";
    Map<Runnable, String> operations = new LinkedHashMap<>();
    operations.put(() -> store.create(ALICE, NewTask.of("m")), "create a task");
    operations.put(() -> store.update(task, change()), "update" + named);
    operations.put(() -> store.update(task, t -> change()), "update" + named);
    operations.put(() -> store.update(ALICE, task.id(), t -> change()), "update" + named);
    operations.put(() -> store.update(ALICE, task.id(), 1, change()), "update" + named);
    operations.put(() -> store.cancel(ALICE, task.id()), "cancel" + named);
    operations.put(
        () -> store.requestCancel(ALICE, task.id()), "request the cancellation of" + named);
    operations.put(() -> store.delete(ALICE, task.id()), "delete" + named);
    backend.writes = true;

    operations.forEach(this::refused);
  }

  @Test
  void failure_ofAPurge_doesNotClaimThatNothingWasRemoved() {
    backend.writes = true;

    TaskStorageException e =
        catchThrowableOfType(TaskStorageException.class, () -> store.purgeExpired(1));

    assertThat(e)
        .hasMessage(
            "The storage did not purge expired tasks to the end, some may be gone: call it again,"
                + " or see the cause")
        .hasCauseInstanceOf(StorageUnavailableException.class);
    assertThat(e.isOutcomeUnknown()).isFalse();
  }

  @Test
  void failure_ofARead_namesTheOperationThatNeededIt() {
    String named = " task \"" + task.id() + "\"";
    Map<Runnable, String> operations = new LinkedHashMap<>();
    operations.put(() -> store.get(ALICE, task.id()), "read" + named);
    operations.put(() -> store.list(ALICE, TaskQuery.newestFirst()), "list tasks");
    operations.put(() -> store.list(ALICE, TaskQuery.newestFirst().activeOnly()), "list tasks");
    operations.put(() -> store.update(task, change()), "update" + named);
    operations.put(() -> store.update(ALICE, task.id(), t -> change()), "update" + named);
    operations.put(() -> store.update(ALICE, task.id(), 1, change()), "update" + named);
    operations.put(() -> store.cancel(ALICE, task.id()), "cancel" + named);
    operations.put(
        () -> store.requestCancel(ALICE, task.id()), "request the cancellation of" + named);
    operations.put(() -> store.delete(ALICE, task.id()), "delete" + named);
    clock.advance(Duration.ofHours(1));
    backend.reads = true;

    operations.forEach(this::refused);
  }

  private void refused(Runnable operation, String name) {
    TaskStorageException e = catchThrowableOfType(TaskStorageException.class, operation::run);
    assertThat(e).as(name).isNotNull();
    assertThat(e)
        .hasMessage(
            "The storage did not " + name + ", nothing was changed: it refused; see the cause")
        .hasCauseInstanceOf(StorageUnavailableException.class);
    assertThat(e.isRetryable()).isFalse();
    assertThat(e.isOutcomeUnknown()).isFalse();
  }
}
