// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.annotation.JsonValue;
import io.taskstore.spi.RecordKey;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What somebody may send who wants to do harm, to themselves or to others. */
class HostileInputTest {
  private static final Owner MALLORY = Owner.subject("mallory");
  private static final Owner VICTIM = Owner.subject("victim");
  private static final String LETTERS =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

  private final MapBackend backend = new MapBackend();
  private final GenericTaskStore store = GenericTaskStore.over(backend);

  /**
   * Names of eight characters that have one and the same hash in the table of names that Jackson's
   * parsers share, whatever its seed: the hash mixes the first four into a number to which the
   * second four are added 33 times, and only then adds the seed.
   */
  private static List<String> collidingNames(int count) {
    List<String> names = new ArrayList<>();
    for (int i = 0; names.size() < count; i++) {
      int second = 0;
      for (int digit = 0, rest = i; digit < 4; digit++, rest /= LETTERS.length()) {
        second = second << 8 | LETTERS.charAt(rest % LETTERS.length());
      }
      int first = unmix(12_345 - 33 * second);
      if (isPlain(first)) {
        names.add(text(first) + text(second));
      }
    }
    return names;
  }

  private static int unmix(int mixed) {
    int x = mixed;
    for (int i = 0; i < 40; i++) {
      x = mixed ^ (x >>> 9);
    }
    int y = x;
    for (int i = 0; i < 40; i++) {
      y = x - (y >>> 15);
    }
    return y;
  }

  private static boolean isPlain(int characters) {
    return text(characters).chars().allMatch(c -> LETTERS.indexOf(c) >= 0);
  }

  private static String text(int characters) {
    return new String(
        new byte[] {
          (byte) (characters >>> 24),
          (byte) (characters >>> 16),
          (byte) (characters >>> 8),
          (byte) characters
        },
        StandardCharsets.ISO_8859_1);
  }

  private static Map<String, Object> members(List<String> names) {
    Map<String, Object> members = new HashMap<>();
    names.forEach(name -> members.put(name, 1));
    return members;
  }

  @Test
  void names_thatCollideInTheParser_leaveTheTaskReadable() {
    Task task = store.create(MALLORY, NewTask.of("m", members(collidingNames(3_000))));

    assertThat(store.get(MALLORY, task.id()).params().orElseThrow()).hasSize(3_000);
    assertThat(store.cancel(MALLORY, task.id()).isTerminal()).isTrue();
  }

  @Test
  void names_thatCollideInTheParser_harmNobodyElse() {
    List<Task> victims = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      Map<String, Object> ordinary = new HashMap<>();
      for (int j = 0; j < 700; j++) {
        ordinary.put("name" + i + "x" + j, j);
      }
      victims.add(store.create(VICTIM, NewTask.of("m", ordinary)));
    }
    List<String> names = collidingNames(600);
    for (int i = 0; i < 60; i++) {
      Task task =
          store.create(MALLORY, NewTask.of("m", members(names.subList(i * 10, i * 10 + 10))));
      store.get(MALLORY, task.id());
      store.delete(MALLORY, task.id());
    }

    for (Task victim : victims) {
      assertThat(store.get(VICTIM, victim.id())).isEqualTo(victim);
    }
  }

  /** Counting the decimal digits of such a number takes minutes. */
  @Test
  void decimal_of300MillionBits_isRefusedWithoutCountingItsDigits() {
    Task task = store.create(MALLORY, NewTask.of("m"));
    BigDecimal huge = new BigDecimal(BigInteger.ONE.shiftLeft(300_000_000), 5);

    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> store.update(task, change().set("x", huge)));
  }

  /** A class that writes what it likes. */
  private record Raw(@JsonValue @JsonRawValue String json) {}

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "1 2", "{} x", "{", "]", "{\"a\":1}{}"})
  void ownClass_writesSomethingElseThanOneValue_isRefused(String written) {
    Task task = store.create(MALLORY, NewTask.of("m"));

    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> store.update(task, change().set("x", new Raw(written))))
        .withMessageEndingWith("is written as something that is not JSON");
    assertThat(store.update(task, change().set("x", new Raw("{\"b\":1.0}"))).variables().asMap())
        .isEqualTo(Map.of("x", Map.of("b", 1L)));
  }

  @Test
  void number_ofAnOwnClass_isAsItsClassWritesItself() {
    Task task = store.create(MALLORY, NewTask.of("m"));

    Task updated = store.update(task, change().set("x", new Money(12)));

    assertThat(updated.variables().integer("x")).hasValue(12);
  }

  /** A number of the user's own kind. */
  private static final class Money extends Number {
    private static final long serialVersionUID = 1L;

    private final long cents;

    Money(long cents) {
      this.cents = cents;
    }

    @Override
    public int intValue() {
      return (int) cents;
    }

    @Override
    public long longValue() {
      return cents;
    }

    @Override
    public float floatValue() {
      return cents;
    }

    @Override
    public double doubleValue() {
      return cents;
    }

    @Override
    public String toString() {
      return Long.toString(cents);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "\"ttl\":3600000, \"ttl\":-5, ttl",
    "\"ttl\":3600000, \"ttl\":0, ttl",
    "\"ttl\":3600000, \"ttl\":9223372036854775807, ttl",
    "\"pollInterval\":1000, \"pollInterval\":-1, pollInterval",
    "\"createdAt\":, \"createdAt\":999, createdAt",
    "\"updatedAt\":, \"updatedAt\":-999, updatedAt",
    "\"pollInterval\":1000, '\"pollInterval\":1000,\"progress\":-1', progress"
  })
  void storedNumbers_outOfRange_areUnreadable(String good, String bad, String member) {
    Task task = store.create(MALLORY, NewTask.of("m"));
    RecordKey key = new RecordKey("t" + MALLORY.storedForm(), task.id());
    String text =
        new String(
            backend.get(key).orElseThrow().value().data().toByteArray(), StandardCharsets.UTF_8);
    assertThat(text).contains(good);
    // Digits before the milliseconds of an instant put it far out of range.
    backend.overwriteData(key, text.replace(good, bad).getBytes(StandardCharsets.UTF_8));

    assertThatExceptionOfType(TaskUnreadableException.class)
        .isThrownBy(() -> store.get(MALLORY, task.id()))
        .satisfies(e -> assertThat(e.reason()).isEqualTo("its " + member + " is out of range"));
  }

  @Test
  void cancelRequested_onAFullTask_stillTakesProgress() {
    MapBackend small = new MapBackend(4_096);
    GenericTaskStore tight = GenericTaskStore.over(small);
    Task task = tight.create(MALLORY, NewTask.of("m").progress(Progress.of(1, 9)));
    int number = 0;
    for (int size = 2_048; size > 0; ) {
      try {
        task = tight.update(task, change().set("v" + number++, "x".repeat(size)));
      } catch (LimitExceededException e) {
        size /= 2;
      }
    }

    tight.requestCancel(MALLORY, task.id());

    Task moved = tight.update(MALLORY, task.id(), change().progress(2, 9));
    assertThat(moved.isCancelRequested()).isTrue();
  }

  @Test
  void repeat_ofACompletionWithAFineDuration_isSuccess() {
    Task task = store.create(MALLORY, NewTask.of("m"));
    TaskChange completion =
        change().ttl(Duration.ofNanos(7_200_000_000_001L)).complete(Map.of("r", 1));

    Task done = store.update(task, completion);

    assertThat(store.update(task, completion)).isEqualTo(done);
  }
}
