// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class SlotTableTest {
  private final SlotTable table = new SlotTable();

  @ParameterizedTest
  @ValueSource(ints = {3, 50, 2_000})
  void addAndRemove_inAnyOrder_findsWhatIsThere(int ids) {
    Map<String, Slot> model = new HashMap<>();
    Random random = new Random(ids);
    for (int i = 0; i < 50_000; i++) {
      String id = "id" + random.nextInt(ids);
      boolean grows = i / 10_000 % 2 == 0;
      if (random.nextInt(10) < (grows ? 8 : 2)) {
        model.computeIfAbsent(id, this::added);
      } else if (model.containsKey(id)) {
        table.remove(model.remove(id));
      }
      String other = "id" + random.nextInt(ids);
      assertThat(find(other)).isSameAs(model.get(other));
    }
    for (int i = 0; i < ids; i++) {
      assertThat(find("id" + i)).isSameAs(model.get("id" + i));
    }
  }

  @Test
  void ids_ofTheSameHash_areToldApart() {
    // "Aa" and "BB" have one hash, and so has whatever is made of them.
    List<String> ids = new ArrayList<>(List.of(""));
    for (int i = 0; i < 8; i++) {
      List<String> longer = new ArrayList<>();
      ids.forEach(id -> longer.addAll(List.of(id + "Aa", id + "BB")));
      ids = longer;
    }
    assertThat(ids.stream().mapToInt(id -> Content.absent(id).idHash()).distinct()).hasSize(1);
    Map<String, Slot> model = new HashMap<>();
    for (String id : ids) {
      model.put(id, added(id));
    }

    ids.forEach(id -> assertThat(find(id)).isSameAs(model.get(id)));
    assertThat(find("Aa")).isNull();
    for (String id : ids) {
      table.remove(model.get(id));
      assertThat(find(id)).isNull();
    }
  }

  @Test
  void find_theNameOfTheMark_isNull() {
    table.remove(added("removed"));

    assertThat(find("removed")).isNull();
  }

  @Test
  void remove_mostOfMany_givesRoomBack() {
    List<Slot> added = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      added.add(added("id" + i));
    }
    assertThat(table.length()).isBetween(10_000 * 4 / 3, 20_000);

    added.subList(10, 10_000).forEach(table::remove);

    assertThat(table.length()).isLessThanOrEqualTo(128);
    for (int i = 0; i < 10; i++) {
      assertThat(find("id" + i)).isSameAs(added.get(i));
    }
  }

  @Test
  void addAndRemove_ofTheSameForLong_staysSmall() {
    added("stays");
    for (int i = 0; i < 100_000; i++) {
      table.remove(added("id" + i));
    }

    assertThat(table.length()).isLessThanOrEqualTo(8);
    assertThat(table.used()).isLessThan(table.length());
    assertThat(find("stays")).isNotNull();
  }

  /** Or a look at this id would pass a mark for each time. */
  @Test
  void addAndRemove_ofOneIdForLong_leavesOneMark() {
    for (int i = 0; i < 1_000; i++) {
      added("id" + i);
    }
    for (int i = 0; i < 10_000; i++) {
      table.remove(added("again"));
      assertThat(table.used()).isEqualTo(1_001);
    }
  }

  @Test
  void find_whileAnotherThreadAddsAndRemoves_findsAllThatStay() throws Exception {
    List<Slot> staying = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      staying.add(added("staying" + i));
    }
    AtomicBoolean over = new AtomicBoolean();
    CompletableFuture<Integer> writer =
        CompletableFuture.supplyAsync(
            () -> {
              Random random = new Random(7);
              Map<String, Slot> others = new HashMap<>();
              int changes = 0;
              for (; !over.get(); changes++) {
                String id = "other" + random.nextInt(1_000);
                boolean grows = changes / 2_000 % 2 == 0;
                if (grows) {
                  others.computeIfAbsent(id, this::added);
                } else if (others.containsKey(id)) {
                  table.remove(others.remove(id));
                }
              }
              return changes;
            });
    for (int i = 0; i < 3_000_000; i++) {
      int any = i % staying.size();
      if (find("staying" + any) != staying.get(any)) {
        throw new AssertionError("missed staying" + any);
      }
    }
    over.set(true);
    assertThat(writer.get(10, TimeUnit.SECONDS)).isGreaterThan(10_000);
  }

  private Slot added(String id) {
    Slot slot = new Slot(Content.absent(id));
    table.add(slot);
    return slot;
  }

  private Slot find(String id) {
    return table.find(Content.absent(id));
  }
}
