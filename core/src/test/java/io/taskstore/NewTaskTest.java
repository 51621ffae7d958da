// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class NewTaskTest {
  @Test
  void of_methodAlone_leavesEverythingElseToTheStore() {
    NewTask task = NewTask.of("m");

    assertThat(task.method()).isEqualTo("m");
    assertThat(task.params()).isNull();
    assertThat(task.ttl()).isNull();
    assertThat(task.hasUnlimitedTtl()).isFalse();
    assertThat(task.pollInterval()).isNull();
    assertThat(task.message()).isNull();
    assertThat(task.progress()).isNull();
    assertThat(task.variables()).isEmpty();
  }

  @Test
  void everyMethod_keepsWhatWasSaidBefore() {
    Map<String, Integer> params = Map.of("p", 1);
    NewTask task =
        NewTask.of("m", params)
            .variables(Map.of("a", 1))
            .progress(Progress.of(1, 2))
            .message("hello")
            .pollInterval(Duration.ofSeconds(3))
            .ttl(Duration.ofSeconds(4))
            .set("b", 2);

    assertThat(task.method()).isEqualTo("m");
    assertThat(task.params()).isSameAs(params);
    assertThat(task.ttl()).isEqualTo(Duration.ofSeconds(4));
    assertThat(task.pollInterval()).isEqualTo(Duration.ofSeconds(3));
    assertThat(task.message()).isEqualTo("hello");
    assertThat(task.progress()).isEqualTo(Progress.of(1, 2));
    assertThat(task.variables()).isEqualTo(Map.of("a", 1, "b", 2));
    NewTask unlimited = task.unlimitedTtl();
    assertThat(unlimited.hasUnlimitedTtl()).isTrue();
    assertThat(unlimited.ttl()).isNull();
    assertThat(unlimited.variables()).isEqualTo(task.variables());
    assertThat(unlimited.message()).isEqualTo("hello");
    assertThat(unlimited.params()).isSameAs(params);
    NewTask limited = unlimited.ttl(Duration.ofSeconds(5));
    assertThat(limited.hasUnlimitedTtl()).isFalse();
    assertThat(limited.ttl()).isEqualTo(Duration.ofSeconds(5));
  }

  @Test
  void everyMethod_leavesTheTaskItIsCalledOnAsItIs() {
    NewTask task = NewTask.of("m").set("a", 1);
    task.set("a", 2).set("b", 3);
    task.ttl(Duration.ofSeconds(1));
    task.unlimitedTtl();
    task.message("x");
    task.progress(Progress.of(1));
    task.pollInterval(Duration.ofSeconds(1));

    assertThat(task.variables()).isEqualTo(Map.of("a", 1));
    assertThat(task.ttl()).isNull();
    assertThat(task.hasUnlimitedTtl()).isFalse();
    assertThat(task.message()).isNull();
    assertThat(task.progress()).isNull();
    assertThat(task.pollInterval()).isNull();
  }

  @Test
  void variables_mapChangedLater_isUnaffected() {
    Map<String, Object> map = new HashMap<>(Map.of("a", 1));
    NewTask task = NewTask.of("m").variables(map);
    map.put("b", 2);

    assertThat(task.variables()).isEqualTo(Map.of("a", 1));
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> task.variables().clear());
  }

  @Test
  void set_again_overwrites() {
    assertThat(NewTask.of("m").set("a", 1).set("a", null).variables()).containsEntry("a", null);
    assertThat(NewTask.of("m").set("a", null).set("a", 2).variables()).isEqualTo(Map.of("a", 2));
  }

  @Test
  void everyMethod_null_isRefused() {
    NewTask task = NewTask.of("m");
    Map<String, Object> nullName = new HashMap<>();
    nullName.put(null, 1);

    assertThatNullPointerException().isThrownBy(() -> NewTask.of(null)).withMessage("method");
    assertThatNullPointerException().isThrownBy(() -> NewTask.of(null, 1)).withMessage("method");
    assertThatNullPointerException().isThrownBy(() -> task.ttl(null)).withMessage("ttl");
    assertThatNullPointerException().isThrownBy(() -> task.pollInterval(null));
    assertThatNullPointerException().isThrownBy(() -> task.message(null)).withMessage("message");
    assertThatNullPointerException().isThrownBy(() -> task.progress(null)).withMessage("progress");
    assertThatNullPointerException().isThrownBy(() -> task.variables(null));
    assertThatNullPointerException().isThrownBy(() -> task.variables(nullName)).withMessage("name");
    assertThatNullPointerException().isThrownBy(() -> task.set(null, 1)).withMessage("name");
  }

  @Test
  void toString_showsTheMethodOnly() {
    assertThat(NewTask.of("do\nit", "secret").set("secret", "secret").message("secret"))
        .hasToString("NewTask[\"do\\u000ait\"]");
  }
}
