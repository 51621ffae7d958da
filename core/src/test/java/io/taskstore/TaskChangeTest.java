// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import io.taskstore.TaskChange.Outcome;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class TaskChangeTest {
  @Test
  void change_byItself_changesNothing() {
    assertThat(change().message()).isNull();
    assertThat(change().clearsMessage()).isFalse();
    assertThat(change().progress()).isNull();
    assertThat(change().variables()).isEmpty();
    assertThat(change().ttl()).isNull();
    assertThat(change().hasUnlimitedTtl()).isFalse();
    assertThat(change().pollInterval()).isNull();
    assertThat(change().outcome()).isNull();
  }

  @Test
  void everyMethod_keepsWhatWasSaidBefore() {
    TaskChange base =
        change()
            .set("a", 1)
            .message("hello")
            .progress(1, 2)
            .ttl(Duration.ofSeconds(3))
            .pollInterval(Duration.ofSeconds(4))
            .complete(Map.of("r", 1));
    for (TaskChange change :
        List.of(
            base,
            base.set("b", 2),
            base.remove("c"),
            base.variables(Map.of("d", 4)),
            base.message("hello"),
            base.progress(Progress.of(1, 2)),
            base.ttl(Duration.ofSeconds(3)),
            base.pollInterval(Duration.ofSeconds(4)))) {
      assertThat(change.variables()).containsEntry("a", 1);
      assertThat(change.message()).isEqualTo("hello");
      assertThat(change.progress()).isEqualTo(Progress.of(1, 2));
      assertThat(change.ttl()).isEqualTo(Duration.ofSeconds(3));
      assertThat(change.pollInterval()).isEqualTo(Duration.ofSeconds(4));
      assertThat(change.outcome())
          .isEqualTo(new Outcome(TaskStatus.COMPLETED, Map.of("r", 1), null));
    }
    assertThat(change().variables()).isEmpty();
  }

  @Test
  void message_andClearMessage_replaceEachOther() {
    assertThat(change().clearMessage().message("a").clearsMessage()).isFalse();
    assertThat(change().clearMessage().message("a").message()).isEqualTo("a");
    assertThat(change().message("a").clearMessage().clearsMessage()).isTrue();
    assertThat(change().message("a").clearMessage().message()).isNull();
    assertThat(change().set("v", 1).clearMessage().variables()).containsEntry("v", 1);
  }

  @Test
  void ttl_andWithoutTtl_replaceEachOther() {
    TaskChange limited = change().unlimitedTtl().ttl(Duration.ofSeconds(1));
    TaskChange unlimited = change().ttl(Duration.ofSeconds(1)).unlimitedTtl();

    assertThat(limited.hasUnlimitedTtl()).isFalse();
    assertThat(limited.ttl()).isEqualTo(Duration.ofSeconds(1));
    assertThat(unlimited.hasUnlimitedTtl()).isTrue();
    assertThat(unlimited.ttl()).isNull();
    assertThat(unlimited.message("m").complete().hasUnlimitedTtl()).isTrue();
  }

  @Test
  void set_nullAndRemove_areTheSame() {
    assertThat(change().set("a", null).variables())
        .isEqualTo(change().remove("a").variables())
        .containsEntry("a", null)
        .hasSize(1);
    assertThat(change().remove("a").set("a", 1).variables()).isEqualTo(Map.of("a", 1));
    assertThat(change().set("a", 1).remove("a").variables()).containsEntry("a", null);
  }

  @Test
  void variables_mapChangedLater_isUnaffected() {
    Map<String, Object> map = new HashMap<>(Map.of("a", 1));
    TaskChange change = change().variables(map);
    map.clear();

    assertThat(change.variables()).isEqualTo(Map.of("a", 1));
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> change.variables().clear());
  }

  @Test
  void endings_areTheThreeStatuses() {
    TaskError error = TaskError.of(7, "broken");

    assertThat(change().complete().outcome())
        .isEqualTo(new Outcome(TaskStatus.COMPLETED, null, null));
    assertThat(change().complete("r").outcome())
        .isEqualTo(new Outcome(TaskStatus.COMPLETED, "r", null));
    assertThat(change().fail("broken").outcome())
        .isEqualTo(new Outcome(TaskStatus.FAILED, null, TaskError.of("broken")));
    assertThat(change().fail(error).outcome())
        .isEqualTo(new Outcome(TaskStatus.FAILED, null, error));
    assertThat(change().failWithResult("r", error).outcome())
        .isEqualTo(new Outcome(TaskStatus.FAILED, "r", error));
    assertThat(change().failWithResult("r", null).outcome())
        .isEqualTo(new Outcome(TaskStatus.FAILED, "r", null));
    assertThat(change().cancel().outcome())
        .isEqualTo(new Outcome(TaskStatus.CANCELLED, null, null));
  }

  @Test
  void endings_lastOne_wins() {
    assertThat(change().complete("r").cancel().outcome())
        .isEqualTo(new Outcome(TaskStatus.CANCELLED, null, null));
    assertThat(change().fail("broken").complete().outcome())
        .isEqualTo(new Outcome(TaskStatus.COMPLETED, null, null));
  }

  @Test
  void progress_negative_isRefused() {
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> change().progress(-1, 1));
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> change().progress(1, -1));
  }

  @Test
  void everyMethod_null_isRefused() {
    assertThatNullPointerException().isThrownBy(() -> change().message(null));
    assertThatNullPointerException().isThrownBy(() -> change().progress(null));
    assertThatNullPointerException().isThrownBy(() -> change().set(null, 1));
    assertThatNullPointerException().isThrownBy(() -> change().remove(null));
    assertThatNullPointerException().isThrownBy(() -> change().variables(null));
    assertThatNullPointerException().isThrownBy(() -> change().ttl(null));
    assertThatNullPointerException().isThrownBy(() -> change().pollInterval(null));
    assertThatNullPointerException().isThrownBy(() -> change().complete(null));
    assertThatNullPointerException().isThrownBy(() -> change().fail((String) null));
    assertThatNullPointerException().isThrownBy(() -> change().fail((TaskError) null));
    assertThatNullPointerException()
        .isThrownBy(() -> change().failWithResult(null, TaskError.of("broken")));
  }

  @Test
  void toString_showsNoContent() {
    assertThat(change().set("secret", "secret").message("secret")).hasToString("TaskChange[]");
    assertThat(change().fail("secret")).hasToString("TaskChange[failed]");
    assertThat(change().complete("secret")).hasToString("TaskChange[completed]");
  }
}
