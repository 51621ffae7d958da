// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class GenericTaskStoreBuilderTest {
  /** Has traits, and fails at everything else: building a store calls no storage. */
  private record Unused(BackendTraits traits) implements StorageBackend {
    Unused(int maxDataBytes) {
      this(new BackendTraits("unused", false, false, false, maxDataBytes));
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      throw new AssertionError("get");
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      throw new AssertionError("putIfVersion");
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      throw new AssertionError("deleteIfVersion");
    }

    @Override
    public RecordPage list(ListQuery query) {
      throw new AssertionError("list");
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      throw new AssertionError("purgeExpired");
    }

    @Override
    public void close() {
      throw new AssertionError("close");
    }
  }

  /** An option, and what it is called in messages. */
  record Option<T>(String name, BiConsumer<GenericTaskStore.Builder, T> setter) {
    void set(T value) {
      setter.accept(builder(), value);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static final Duration MILLI = Duration.ofMillis(1);

  private static GenericTaskStore.Builder builder() {
    return GenericTaskStore.builder(new Unused(1 << 20));
  }

  static Stream<Object[]> durations() {
    Duration century = Duration.ofDays(36_525);
    Duration day = Duration.ofDays(1);
    return Stream.of(
        new Object[] {option("defaultTtl", GenericTaskStore.Builder::defaultTtl), century, false},
        new Object[] {option("maxTtl", GenericTaskStore.Builder::maxTtl), century, false},
        new Object[] {
          option("keepResultFor", GenericTaskStore.Builder::keepResultFor), century, true
        },
        new Object[] {
          option("defaultPollInterval", GenericTaskStore.Builder::defaultPollInterval), day, false
        },
        new Object[] {
          option("operationTimeout", GenericTaskStore.Builder::operationTimeout), day, false
        },
        new Object[] {
          option("clockSkewAllowance", GenericTaskStore.Builder::clockSkewAllowance), day, true
        },
        new Object[] {option("lease", GenericTaskStore.Builder::lease), day, false},
        new Object[] {
          option("progressInterval", GenericTaskStore.Builder::progressInterval), day, true
        },
        new Object[] {option("sweepInterval", GenericTaskStore.Builder::sweepInterval), day, true},
        new Object[] {
          option("maxAge", (builder, age) -> builder.cacheFinishedTasks(1, age)), day, false
        });
  }

  private static Option<Duration> option(
      String name, BiConsumer<GenericTaskStore.Builder, Duration> setter) {
    return new Option<>(name, setter);
  }

  @ParameterizedTest
  @MethodSource("durations")
  void durations_edges_areAcceptedAndOnePastIsRefused(
      Option<Duration> option, Duration longest, boolean zeroAllowed) {
    for (Duration legal : new Duration[] {MILLI, Duration.ofSeconds(1, 1), longest}) {
      assertThatCode(() -> option.set(legal)).doesNotThrowAnyException();
    }
    for (Duration illegal :
        new Duration[] {
          Duration.ofNanos(1),
          Duration.ofNanos(999_999),
          Duration.ofMillis(-1),
          Duration.ofNanos(-1),
          longest.plusNanos(1),
          Duration.ofSeconds(Long.MAX_VALUE),
          Duration.ofSeconds(Long.MIN_VALUE)
        }) {
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> option.set(illegal))
          .withMessageContaining(option.name());
    }
    if (zeroAllowed) {
      assertThatCode(() -> option.set(Duration.ZERO)).doesNotThrowAnyException();
    } else {
      assertThatExceptionOfType(DurationNotAllowedException.class)
          .isThrownBy(() -> option.set(Duration.ZERO));
    }
    assertThatNullPointerException().isThrownBy(() -> option.set(null)).withMessage(option.name());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, Integer.MIN_VALUE})
  void counts_belowOne_areRefused(int value) {
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> builder().maxActiveTasks(value))
        .withMessage("Invalid maxActiveTasks: it is %d, it must be from 1 to 1000000", value);
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> builder().maxUpdateAttempts(value))
        .withMessage("Invalid maxUpdateAttempts: it is %d, it must be from 1 to 10000", value);
  }

  @Test
  void counts_edges_areAcceptedAndOnePastIsRefused() {
    assertThatCode(() -> builder().maxActiveTasks(1).maxActiveTasks(1_000_000).build())
        .doesNotThrowAnyException();
    assertThatCode(() -> builder().maxUpdateAttempts(1).maxUpdateAttempts(10_000).build())
        .doesNotThrowAnyException();
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> builder().maxActiveTasks(1_000_001));
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> builder().maxUpdateAttempts(10_001));
  }

  @Test
  void build_defaultTtlAboveTheMaximum_isRefusedInEitherOrder() {
    Duration hour = Duration.ofHours(1);
    Duration above = hour.plusMillis(1);

    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> builder().defaultTtl(above).maxTtl(hour).build())
        .withMessageContaining("defaultTtl");
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> builder().maxTtl(hour).defaultTtl(above).build());
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> builder().maxTtl(Duration.ofMinutes(59)).build());
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> builder().defaultTtl(Duration.ofDays(2)).build());
    assertThatCode(() -> builder().defaultTtl(hour).maxTtl(hour).build())
        .doesNotThrowAnyException();
    assertThatCode(() -> builder().defaultTtl(Duration.ofDays(2)).allowUnlimitedTtl().build())
        .doesNotThrowAnyException();
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> builder().allowUnlimitedTtl().maxTtl(hour).defaultTtl(above).build());
  }

  @Test
  void build_backendThatHoldsTooLittle_isRefused() {
    assertThatCode(() -> GenericTaskStore.over(new Unused(TaskRules.LEAST_DATA_BYTES)))
        .doesNotThrowAnyException();
    for (int bytes : new int[] {1, 100, TaskRules.LEAST_DATA_BYTES - 1}) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> GenericTaskStore.over(new Unused(bytes)))
          .withMessageContaining(bytes + " bytes");
    }
  }

  @Test
  void build_everyOption_callsNoStorage() {
    GenericTaskStore store =
        builder()
            .limits(TaskLimits.defaults().withMaxDepth(5))
            .allowLocalOwner(true)
            .variablesValidator((task, incoming) -> List.of())
            .maxActiveTasks(7)
            .cacheFinishedTasks(1_000, MILLI)
            .listener(event -> {})
            .lease(MILLI)
            .build();

    assertThat(store).hasToString("GenericTaskStore[unused, at most 7 active tasks an owner]");
  }

  @Test
  void everyOption_null_isRefused() {
    Map<String, Runnable> calls =
        Map.of(
            "backend", () -> GenericTaskStore.builder(null),
            "clock", () -> builder().clock(null),
            "randomness", () -> builder().randomness(null),
            "limits", () -> builder().limits(null),
            "handlerErrors", () -> builder().handlerErrors(null),
            "listener", () -> builder().listener(null),
            "variablesValidator", () -> builder().variablesValidator(null));

    calls.forEach(
        (name, call) -> assertThatNullPointerException().isThrownBy(call::run).withMessage(name));
    assertThatNullPointerException().isThrownBy(() -> GenericTaskStore.over(null));
  }
}
