// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A page costs a bounded number of calls, of bytes, and of time, whatever there is to list. */
class ListingBoundsTest {
  private static final Owner ALICE = Owner.subject("alice");

  /** Counts calls, and lets every second read of a record fail if it is told to. */
  private static final class Counting extends ForwardingBackend {
    private int lists;
    private int gets;
    private boolean shaky;
    private final VirtualTiming timing;

    Counting(MapBackend delegate, VirtualTiming timing) {
      super(delegate);
      this.timing = timing;
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      gets++;
      if (shaky && gets % 2 == 1) {
        try {
          timing.sleep(Duration.ofSeconds(2).toNanos());
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
        throw new StorageUnavailableException("get", key, true, "slow", null);
      }
      return super.get(key);
    }

    @Override
    public RecordPage list(ListQuery query) {
      lists++;
      return super.list(query);
    }
  }

  private final MapBackend map = new MapBackend();
  private final VirtualTiming timing = new VirtualTiming();
  private final Counting backend = new Counting(map, timing);
  private final GenericTaskStore store = GenericTaskStore.builder(backend).timing(timing).build();
  private final GenericTaskStore other = GenericTaskStore.over(map);

  /** Puts copies of a task beside it, without going through the limit of active tasks. */
  private void copies(Task task, int count) {
    RecordKey key = new RecordKey("ts:alice", task.id());
    RecordValue value = map.get(key).orElseThrow().value();
    String text = new String(value.data().toByteArray(), StandardCharsets.UTF_8);
    for (int i = 0; i < count; i++) {
      String id = task.id() + String.format("%05d", i);
      byte[] data = text.replace(task.id(), id).getBytes(StandardCharsets.UTF_8);
      map.plant(
          new VersionedRecord(
              new RecordKey("ts:alice", id),
              new RecordValue(
                  Bytes.copyOf(data), value.active(), value.expiresAt(), value.writeId()),
              1));
    }
  }

  @Test
  void statusFilter_thatMatchesNothing_readsTenPagesAndHasANext() {
    copies(other.create(ALICE, NewTask.of("m")), 2_500);

    TaskPage page =
        store.list(ALICE, TaskQuery.oldestFirst().withStatus(TaskStatus.FAILED).pageSize(1));

    assertThat(page.tasks()).isEmpty();
    assertThat(page.nextCursor()).isPresent();
    assertThat(backend.lists).isEqualTo(10);
  }

  @Test
  void statusFilter_smallPage_findsWhatLiesFarBehind() {
    copies(other.create(ALICE, NewTask.of("m")), 1_500);
    Task failed = other.update(ALICE, firstId(), change().fail("x"));

    TaskPage page =
        store.list(ALICE, TaskQuery.newestFirst().withStatus(TaskStatus.FAILED).pageSize(1));

    assertThat(page.tasks()).containsExactly(failed);
    assertThat(backend.lists).isEqualTo(8);
  }

  private String firstId() {
    return other.list(ALICE, TaskQuery.oldestFirst().pageSize(1)).tasks().get(0).id();
  }

  @Test
  void statusFilter_forUnfinishedTasks_doesNotReadFinishedOnes() {
    Task done = other.update(other.create(ALICE, NewTask.of("m")), change().complete());
    copies(done, 500);
    Task working = other.create(ALICE, NewTask.of("m"));

    TaskPage page =
        store.list(
            ALICE,
            TaskQuery.newestFirst().withStatus(TaskStatus.WORKING, TaskStatus.INPUT_REQUIRED));

    assertThat(page.tasks()).containsExactly(working);
    assertThat(backend.gets).isEqualTo(1);
  }

  @Test
  void activeOnly_largeTasks_endsThePageByBytes() {
    List<String> created = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      NewTask large = NewTask.of("m");
      for (int part = 0; part < 15; part++) {
        large = large.set("v" + part, "x".repeat(60_000));
      }
      created.add(other.create(ALICE, large).id());
    }
    created.sort(null);

    List<String> listed = new ArrayList<>();
    List<Integer> sizes = new ArrayList<>();
    TaskQuery query = TaskQuery.oldestFirst().activeOnly();
    TaskPage page = store.list(ALICE, query);
    while (true) {
      sizes.add(page.tasks().size());
      page.tasks().forEach(task -> listed.add(task.id()));
      if (page.nextCursor().isEmpty()) {
        break;
      }
      page = store.list(ALICE, query.after(page.nextCursor().get()));
    }

    assertThat(listed).isEqualTo(created);
    assertThat(sizes).allSatisfy(size -> assertThat(size).isLessThanOrEqualTo(5));
  }

  @Test
  void activeOnly_everyReadSlow_endsAtTheDeadlineOfThePage() {
    for (int i = 0; i < 30; i++) {
      other.create(ALICE, NewTask.of("m"));
    }
    backend.shaky = true;

    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> store.list(ALICE, TaskQuery.newestFirst().activeOnly()));

    assertThat(Duration.ofNanos(timing.nanoTime())).isLessThan(Duration.ofSeconds(13));
  }

  @Test
  void filterAfterACursor_keepsTheCursor_whichIsThenRefused() {
    for (int i = 0; i < 3; i++) {
      other.create(ALICE, NewTask.of("m"));
    }
    TaskQuery query = TaskQuery.newestFirst().pageSize(1);
    String cursor = store.list(ALICE, query).nextCursor().orElseThrow();

    assertThatExceptionOfType(InvalidCursorException.class)
        .isThrownBy(() -> store.list(ALICE, query.after(cursor).activeOnly()));
    assertThatExceptionOfType(InvalidCursorException.class)
        .isThrownBy(() -> store.list(ALICE, query.after(cursor).withStatus(TaskStatus.WORKING)));

    TaskQuery active = query.activeOnly();
    String next = store.list(ALICE, active).nextCursor().orElseThrow();
    assertThat(store.list(ALICE, query.after(next).activeOnly()).tasks())
        .isEqualTo(store.list(ALICE, active.after(next)).tasks());
  }
}
