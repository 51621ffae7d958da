// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * A page by status is put together from pages of the backend, which may be as short as it likes.
 */
class FilteredListingTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final Duration MILLISECOND = Duration.ofMillis(1);

  /** Gives shorter pages than it is asked for, as backends do where records are large. */
  private static final class ShortPages extends ForwardingBackend {
    private int most = Integer.MAX_VALUE;
    private int lists;

    ShortPages(MapBackend delegate) {
      super(delegate);
    }

    @Override
    public RecordPage list(ListQuery query) {
      lists++;
      return super.list(
          new ListQuery(
              query.partition(), query.after(), query.descending(), Math.min(query.limit(), most)));
    }
  }

  private final MovableClock clock = new MovableClock();
  private final MapBackend map = new MapBackend();
  private final ShortPages backend = new ShortPages(map);
  private final GenericTaskStore store =
      GenericTaskStore.builder(backend).clock(clock).timing(new VirtualTiming()).build();
  private final GenericTaskStore other = GenericTaskStore.builder(map).clock(clock).build();

  private Task create() {
    clock.advance(MILLISECOND);
    return other.create(ALICE, NewTask.of("m"));
  }

  /** Random mixtures, so that pages are cut before, at and behind what cannot be read. */
  @Test
  void list_overUnreadableRecords_missesAndRepeatsNothing() {
    for (int seed = 0; seed < 40; seed++) {
      Random random = new Random(seed);
      map.clear();
      List<String> completed = new ArrayList<>();
      List<String> lost = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        Task task = create();
        RecordKey key = new RecordKey("ts:alice", task.id());
        switch (random.nextInt(4)) {
          case 0 -> completed.add(other.update(task, change().complete()).id());
          case 1 -> {
            lost.add(task.id());
            map.corrupt(key);
          }
          case 2 -> {
            lost.add(task.id());
            map.overwriteData(key, new byte[] {1});
          }
          default -> {
            // stays as it is, and does not match the filter
          }
        }
      }
      for (int most : new int[] {1, 2, 3, 4, 1_000}) {
        backend.most = most;
        for (int size = 1; size <= 5; size++) {
          TaskQuery query =
              (size % 2 == 0 ? TaskQuery.oldestFirst() : TaskQuery.newestFirst())
                  .withStatus(TaskStatus.COMPLETED)
                  .pageSize(size);
          List<String> shown = new ArrayList<>();
          List<String> reported = new ArrayList<>();
          TaskPage page = store.list(ALICE, query);
          while (true) {
            assertThat(page.tasks()).hasSizeLessThanOrEqualTo(size);
            page.tasks().forEach(task -> shown.add(task.id()));
            page.unreadable().forEach(entry -> reported.add(entry.taskId()));
            if (page.nextCursor().isEmpty()) {
              break;
            }
            page = store.list(ALICE, query.after(page.nextCursor().get()));
          }
          assertThat(shown).containsExactlyInAnyOrderElementsOf(completed);
          assertThat(reported).containsExactlyInAnyOrderElementsOf(lost);
        }
      }
    }
  }

  @Test
  void list_pageIsFull_readsNoFurther() {
    for (int i = 0; i < 9; i++) {
      other.update(create(), change().complete());
    }
    backend.most = 3;
    TaskQuery query = TaskQuery.oldestFirst().withStatus(TaskStatus.COMPLETED).pageSize(3);

    TaskPage page = store.list(ALICE, query);
    assertThat(page.tasks()).hasSize(3);
    assertThat(backend.lists).isEqualTo(1);
    page = store.list(ALICE, query.after(page.nextCursor().orElseThrow()));
    page = store.list(ALICE, query.after(page.nextCursor().orElseThrow()));

    assertThat(page.tasks()).hasSize(3);
    assertThat(page.nextCursor()).isEmpty();
    assertThat(backend.lists).isEqualTo(3);
  }

  @Test
  void list_largePage_isReadAtOnce() {
    for (int i = 0; i < 300; i++) {
      other.update(create(), change().complete());
    }

    TaskPage page =
        store.list(ALICE, TaskQuery.oldestFirst().withStatus(TaskStatus.COMPLETED).pageSize(300));

    assertThat(page.tasks()).hasSize(300);
    assertThat(page.nextCursor()).isEmpty();
    assertThat(backend.lists).isEqualTo(1);
  }

  @Test
  void list_nothingMatches_readsTenPagesAndGoesOnFromThere() {
    for (int i = 0; i < 40; i++) {
      create();
    }
    backend.most = 2;
    TaskQuery query = TaskQuery.newestFirst().withStatus(TaskStatus.COMPLETED);

    TaskPage first = store.list(ALICE, query);
    assertThat(first.tasks()).isEmpty();
    assertThat(backend.lists).isEqualTo(10);
    TaskPage second = store.list(ALICE, query.after(first.nextCursor().orElseThrow()));

    assertThat(second.tasks()).isEmpty();
    assertThat(second.nextCursor()).isEmpty();
    assertThat(backend.lists).isEqualTo(20);
  }
}
