// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.NoSuchElementException;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SortedSlotsTest {
  private static final List<String> ODD_IDS =
      List.of("a", "aa", "b", "Z", "é", "e\u0301", "\uE000", "\uFFFD", "\uD83D\uDE00", "\0", "~");

  private final SortedSlots slots = new SortedSlots(Content.BY_ID);

  @ParameterizedTest
  @ValueSource(ints = {10, 200, 3_000})
  void addAndRemove_inAnyOrder_isASortedSet(int ids) {
    NavigableMap<String, Slot> model = new TreeMap<>(RecordKey::compareIds);
    Random random = new Random(ids);
    for (int i = 0; i < 20_000; i++) {
      String id = "%05d".formatted(random.nextInt(ids));
      // By turns it grows to nearly all, and shrinks to nearly none.
      boolean grows = i / 5_000 % 2 == 0;
      if (random.nextInt(10) < (grows ? 8 : 2)) {
        model.computeIfAbsent(id, this::added);
      } else {
        Slot slot = model.remove(id);
        slots.remove(slot == null ? slot(id) : slot);
      }
      if (i % 500 == 0) {
        assertSame(model, id);
      }
    }
    assertSame(model, "02");
    model.values().forEach(slots::remove);
    assertThat(slots.isEmpty()).isTrue();
    assertThat(walk(null, false)).isEmpty();
  }

  @Test
  void ids_ofAnyCharacters_areInTheOrderOfListings() {
    NavigableMap<String, Slot> model = new TreeMap<>(RecordKey::compareIds);
    for (String id : ODD_IDS) {
      model.put(id, added(id));
    }
    for (String id : ODD_IDS) {
      assertSame(model, id);
    }
  }

  @Test
  void add_atTheEnd_leavesNoRoomUnused() {
    for (int i = 0; i < 10 * SortedSlots.CHUNK; i++) {
      added("%05d".formatted(i));
    }

    assertThat(slots.chunkCount()).isEqualTo(10);
  }

  @Test
  void remove_allButAFew_joinsWhatIsLeft() {
    List<Slot> added = new ArrayList<>();
    for (int i = 0; i < 100 * SortedSlots.CHUNK; i++) {
      added.add(added("%05d".formatted(i)));
    }
    for (int i = 0; i < added.size(); i++) {
      if (i % SortedSlots.CHUNK != 0) {
        slots.remove(added.get(i));
      }
    }

    assertThat(slots.size()).isEqualTo(100);
    assertThat(slots.chunkCount()).isLessThanOrEqualTo(2 * 100 / (SortedSlots.CHUNK / 2) + 1);
  }

  @Test
  void add_anotherSlotOfTheSameId_takesItsPlace() {
    added("a");
    Slot second = added("a");

    assertThat(slots.size()).isEqualTo(1);
    assertThat(slots.first()).isSameAs(second);
  }

  @Test
  void expiry_order_hasTheEarliestFirstAndNoneLast() {
    SortedSlots byExpiry = new SortedSlots(Content.BY_EXPIRY);
    Instant time = Instant.parse("2026-01-01T00:00:00Z");
    byExpiry.add(stored("never", null));
    byExpiry.add(stored("later", time.plusMillis(1)));
    byExpiry.add(stored("b", time));
    byExpiry.add(stored("a", time));
    byExpiry.add(stored("before 1970", Instant.EPOCH.minusMillis(1)));

    assertThat(ids(byExpiry.walk(null, false)))
        .containsExactly("before 1970", "a", "b", "later", "never");
  }

  @Test
  void walk_behindTheLast_throws() {
    added("a");
    Iterator<Slot> walk = slots.walk(null, true);
    walk.next();

    assertThat(walk.hasNext()).isFalse();
    assertThatExceptionOfType(NoSuchElementException.class).isThrownBy(walk::next);
  }

  @Test
  void walk_idComesAgainInTheChunkBefore_isNotMetTwice() {
    List<Slot> added = new ArrayList<>();
    for (int i = 0; i < 2 * SortedSlots.CHUNK; i++) {
      added.add(added("%05d".formatted(i)));
    }
    slots.remove(added.get(1)); // room in the first chunk
    Slot firstOfSecond = added.get(SortedSlots.CHUNK);
    String id = firstOfSecond.content().id();
    Iterator<Slot> behind = slots.walk(firstOfSecond.content(), true);
    Iterator<Slot> all = slots.walk(null, true);
    while (all.next() != firstOfSecond) {
      // It is the last one that is met in its chunk.
    }
    slots.remove(firstOfSecond);
    added(id);

    assertThat(ids(behind)).hasSize(SortedSlots.CHUNK - 1).doesNotContain(id);
    assertThat(ids(all)).hasSize(SortedSlots.CHUNK - 1).doesNotContain(id);
    assertThat(ids(slots.walk(null, true))).hasSize(2 * SortedSlots.CHUNK - 1).contains(id);
  }

  @Test
  void walk_whileAnotherThreadAddsAndRemoves_meetsAllThatStay() throws Exception {
    NavigableSet<String> staying = new TreeSet<>();
    for (int i = 0; i < 1_000; i += 10) {
      staying.add("%04d".formatted(i));
    }
    staying.forEach(this::added);
    AtomicBoolean over = new AtomicBoolean();
    CompletableFuture<Integer> writer =
        CompletableFuture.supplyAsync(
            () -> {
              Random random = new Random(7);
              NavigableMap<String, Slot> others = new TreeMap<>();
              int changes = 0;
              for (; !over.get(); changes++) {
                String id = "%04d".formatted(random.nextInt(1_000));
                if (staying.contains(id)) {
                  continue;
                }
                Slot slot = others.remove(id);
                // Nearly all of them are there, then nearly none, so that chunks divide and join.
                if (slot != null && (changes / 2_000 % 2 == 0 || random.nextInt(4) == 0)) {
                  slots.remove(slot);
                } else if (slot == null) {
                  others.put(id, added(id));
                } else {
                  others.put(id, slot);
                }
              }
              return changes;
            });
    Random random = new Random(8);
    for (int i = 0; i < 5_000; i++) {
      String any = "%04d".formatted(random.nextInt(100) * 10);
      assertThat(slots.find(Content.absent(any)).content().id()).isEqualTo(any);

      boolean descending = random.nextBoolean();
      String after = "%04d".formatted(random.nextInt(1_000));
      List<String> met = ids(slots.walk(Content.absent(after), descending));

      NavigableSet<String> due =
          descending
              ? staying.headSet(after, false).descendingSet()
              : staying.tailSet(after, false);
      assertThat(met)
          .isSortedAccordingTo(descending ? (a, b) -> b.compareTo(a) : String::compareTo);
      assertThat(met).doesNotHaveDuplicates().containsAll(due).doesNotContain(after);
    }
    over.set(true);
    assertThat(writer.get(10, TimeUnit.SECONDS)).isGreaterThan(1_000);
  }

  private void assertSame(NavigableMap<String, Slot> model, String after) {
    assertThat(slots.size()).isEqualTo(model.size());
    assertThat(slots.isEmpty()).isEqualTo(model.isEmpty());
    assertThat(slots.find(Content.absent(after))).isSameAs(model.get(after));
    assertThat(slots.first()).isSameAs(model.isEmpty() ? null : model.firstEntry().getValue());
    assertThat(walk(null, false)).containsExactlyElementsOf(model.values());
    assertThat(walk(null, true)).containsExactlyElementsOf(model.descendingMap().values());
    assertThat(walk(after, false)).containsExactlyElementsOf(model.tailMap(after, false).values());
    assertThat(walk(after, true))
        .containsExactlyElementsOf(model.headMap(after, false).descendingMap().values());
  }

  private List<Slot> walk(@Nullable String after, boolean descending) {
    List<Slot> met = new ArrayList<>();
    slots.walk(after == null ? null : Content.absent(after), descending).forEachRemaining(met::add);
    return met;
  }

  private Slot added(String id) {
    Slot slot = slot(id);
    slots.add(slot);
    return slot;
  }

  private static List<String> ids(Iterator<Slot> walk) {
    List<String> ids = new ArrayList<>();
    walk.forEachRemaining(slot -> ids.add(slot.content().id()));
    return ids;
  }

  private static Slot slot(String id) {
    return new Slot(Content.absent(id));
  }

  private static Slot stored(String id, @Nullable Instant expiresAt) {
    RecordValue value = new RecordValue(Bytes.EMPTY, true, expiresAt, "w");
    return new Slot(Content.absent(id).next(value, 1));
  }
}
