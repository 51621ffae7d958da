// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TaskQueryTest {
  @Test
  void orders_haveTheDefaults() {
    for (TaskQuery query : List.of(TaskQuery.newestFirst(), TaskQuery.oldestFirst())) {
      assertThat(query.pageSize()).isEqualTo(50);
      assertThat(query.cursor()).isEmpty();
      assertThat(query.wantsOnlyUnfinished()).isFalse();
      assertThat(query.hasStatusFilter()).isFalse();
      for (TaskStatus status : TaskStatus.values()) {
        assertThat(query.accepts(status)).isTrue();
      }
    }
    assertThat(TaskQuery.newestFirst().isNewestFirst()).isTrue();
    assertThat(TaskQuery.oldestFirst().isNewestFirst()).isFalse();
  }

  @Test
  void everyMethod_leavesTheQueryItIsCalledOnAsItIs() {
    TaskQuery query = TaskQuery.newestFirst();
    query.activeOnly();
    query.withStatus(TaskStatus.FAILED);
    query.pageSize(7);
    query.after("c");

    assertThat(query).hasToString("TaskQuery[desc, page size 50]");
    assertThat(query.cursor()).isEmpty();
  }

  @Test
  void everyMethod_keepsWhatWasSaidBefore() {
    TaskQuery query =
        TaskQuery.oldestFirst()
            .pageSize(7)
            .activeOnly()
            .withStatus(TaskStatus.WORKING, TaskStatus.FAILED)
            .after("c");

    assertThat(query.isNewestFirst()).isFalse();
    assertThat(query.pageSize()).isEqualTo(7);
    assertThat(query.wantsOnlyUnfinished()).isTrue();
    assertThat(query.hasStatusFilter()).isTrue();
    assertThat(query.cursor()).contains("c");
    assertThat(query.after("d").pageSize(8).cursor()).contains("d");
    assertThat(query.accepts(TaskStatus.WORKING)).isTrue();
    assertThat(query.accepts(TaskStatus.INPUT_REQUIRED)).isFalse();
    assertThat(query.accepts(TaskStatus.FAILED)).isFalse(); // active only
    assertThat(query.accepts(TaskStatus.COMPLETED)).isFalse();
  }

  @Test
  void filters_keepTheCursor_soThatOneOfAnotherListingIsRefused() {
    TaskQuery query = TaskQuery.newestFirst().after("c");

    assertThat(query.activeOnly().cursor()).contains("c");
    assertThat(query.withStatus(TaskStatus.FAILED).cursor()).contains("c");
  }

  @Test
  void accepts_activeOnly_isNotTerminal() {
    for (TaskStatus status : TaskStatus.values()) {
      assertThat(TaskQuery.newestFirst().activeOnly().accepts(status))
          .isEqualTo(!status.isTerminal());
      assertThat(TaskQuery.newestFirst().withStatus(status).accepts(status)).isTrue();
    }
  }

  @Test
  void withStatus_again_replacesTheFilter() {
    TaskQuery query =
        TaskQuery.newestFirst().withStatus(TaskStatus.FAILED).withStatus(TaskStatus.COMPLETED);

    assertThat(query.accepts(TaskStatus.FAILED)).isFalse();
    assertThat(query.accepts(TaskStatus.COMPLETED)).isTrue();
  }

  @Test
  void withStatus_arrayChangedLater_isUnaffected() {
    TaskStatus[] wanted = {TaskStatus.FAILED};
    TaskQuery query = TaskQuery.newestFirst().withStatus(wanted);
    wanted[0] = TaskStatus.WORKING;

    assertThat(query.accepts(TaskStatus.FAILED)).isTrue();
    assertThat(query.accepts(TaskStatus.WORKING)).isFalse();
  }

  @Test
  void withStatus_none_isRefused() {
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> TaskQuery.newestFirst().withStatus())
        .withMessageContaining("empty");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 50, 1_000})
  void pageSize_fromOneToTheMaximum_isAccepted(int size) {
    assertThat(TaskQuery.newestFirst().pageSize(size).pageSize()).isEqualTo(size);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, 1_001, Integer.MAX_VALUE, Integer.MIN_VALUE})
  void pageSize_outside_isRefused(int size) {
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> TaskQuery.newestFirst().pageSize(size))
        .withMessage("Invalid page size: it is %d, it must be from 1 to 1000", size);
  }

  @Test
  void filterText_differsWheneverTheListingDoes() {
    Map<String, Set<Object>> seen = new HashMap<>();
    for (boolean newest : new boolean[] {true, false}) {
      for (boolean active : new boolean[] {true, false}) {
        for (int bits = 0; bits < 1 << 5; bits++) {
          TaskQuery query = newest ? TaskQuery.newestFirst() : TaskQuery.oldestFirst();
          Set<TaskStatus> statuses = new HashSet<>();
          for (int i = 0; i < 5; i++) {
            if ((bits & 1 << i) != 0) {
              statuses.add(List.of(TaskStatus.values()).get(i));
            }
          }
          if (!statuses.isEmpty()) {
            query = query.withStatus(statuses.toArray(new TaskStatus[0]));
          }
          query = active ? query.activeOnly() : query;
          seen.computeIfAbsent(query.filterText(), text -> new HashSet<>())
              .add(List.of(newest, active, statuses));
        }
      }
    }
    assertThat(seen).hasSize(128);
    assertThat(seen.values()).allMatch(listings -> listings.size() == 1);
    // Cursors are made of it, and outlive a release.
    assertThat(seen)
        .containsKeys("desc", "asc", "desc,active", "asc,active,working,input_required,failed");
  }

  @Test
  void everyMethod_null_isRefused() {
    TaskQuery query = TaskQuery.newestFirst();

    assertThatNullPointerException().isThrownBy(() -> query.after(null));
    assertThatNullPointerException().isThrownBy(() -> query.withStatus((TaskStatus[]) null));
    assertThatNullPointerException().isThrownBy(() -> query.withStatus((TaskStatus) null));
  }

  @Test
  void toString_doesNotShowTheCursor() {
    assertThat(TaskQuery.newestFirst().after("cursor").toString()).doesNotContain("cursor");
  }
}
