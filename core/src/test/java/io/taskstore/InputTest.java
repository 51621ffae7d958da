// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Questions and answers: what is refused, and what a task shows of them. */
class InputTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final InputRequest ASK = InputRequest.of("ask", Map.of("p", List.of(1, "x")));

  private final GenericTaskStore store =
      GenericTaskStore.builder(new MapBackend()).clock(new MovableClock()).build();
  private final Task waiting =
      store.update(store.create(ALICE, NewTask.of("m")), change().requireInput("k", ASK));

  @Test
  void request_isShownAsPlainJava() {
    InputRequest shown = waiting.inputRequests().get("k");

    assertThat(shown.method()).isEqualTo("ask");
    assertThat(shown.params()).contains(Map.of("p", List.of(1L, "x")));
    assertThat(shown).hasToString("InputRequest[\"ask\"]");
    assertThat(InputRequest.of("ask")).isEqualTo(InputRequest.of("ask", null));
    assertThat(InputRequest.of("ask")).isNotEqualTo(ASK).isNotEqualTo(InputRequest.of("tell"));
    assertThat(InputRequest.of("ask").hashCode())
        .isEqualTo(InputRequest.of("ask", null).hashCode());
    assertThat(InputRequest.of("ask").params()).isEmpty();
    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> waiting.inputRequests().clear());
  }

  @Test
  void request_whoseParametersAreNoObject_isRefused() {
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(
            () -> store.update(waiting, change().requireInput("x", InputRequest.of("ask", "text"))))
        .withMessageContaining("the parameters of input request \"x\"");
  }

  @Test
  void answer_ofNull_isRefused_alsoForAKeyThatNobodyAskedFor() {
    for (String key : List.of("k", "unknown")) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(
              () -> store.provideInput(ALICE, waiting.id(), Collections.singletonMap(key, null)));
    }
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> store.provideInput(ALICE, waiting.id(), Map.of("k", Optional.empty())));
    assertThat(store.get(ALICE, waiting.id())).isEqualTo(waiting);
  }

  @Test
  void answer_thatIsFalseOrEmpty_isAnAnswer() {
    Task answered = store.provideInput(ALICE, waiting.id(), Map.of("k", false));

    assertThat(answered.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(answered.inputResponses().bool("k")).contains(false);
  }

  @Test
  void finishedTask_showsNoQuestions_butItsAnswers() {
    Task asked = store.update(waiting, change().requireInput("l", ASK));
    Task answered = store.provideInput(ALICE, asked.id(), Map.of("k", 1));
    assertThat(answered.inputRequests()).containsOnlyKeys("l");

    Task ended = store.cancel(ALICE, answered.id());

    assertThat(ended.inputRequests()).isEmpty();
    assertThat(ended.inputResponses().asMap()).isEqualTo(Map.of("k", 1L));
  }

  @Test
  void completionThatAlsoAsks_isNeverARepetition() {
    Task ended = store.update(waiting, change().complete());

    assertThat(store.update(ended, change().complete())).isEqualTo(ended);
    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> store.update(ended, change().complete().requireInput("z", ASK)));
  }

  @Test
  void nulls_areRefusedByName() {
    assertThatNullPointerException()
        .isThrownBy(() -> change().requireInput(null, ASK))
        .withMessage("key");
    assertThatNullPointerException()
        .isThrownBy(() -> change().requireInput("k", null))
        .withMessage("request");
    assertThatNullPointerException().isThrownBy(() -> InputRequest.of(null)).withMessage("method");
    assertThatNullPointerException()
        .isThrownBy(() -> store.provideInput(ALICE, "x", null))
        .withMessage("responses");
  }
}
