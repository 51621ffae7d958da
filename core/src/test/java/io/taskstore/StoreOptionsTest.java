// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageUnavailableException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the options of a store do, and what they are by default. */
class StoreOptionsTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final Duration MILLISECOND = Duration.ofMillis(1);
  private static final Duration DAY = Duration.ofDays(1);
  private static final Duration CENTURY = Duration.ofDays(36_525);

  /** Fails every write as long as it is told to. */
  private static final class Unreachable extends ForwardingBackend {
    private boolean down;

    Unreachable(MapBackend delegate) {
      super(delegate);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      if (down) {
        throw new StorageUnavailableException("putIfVersion", key, true, "down", null);
      }
      return super.putIfVersion(key, value, expected);
    }
  }

  private final MovableClock clock = new MovableClock();
  private final VirtualTiming timing = new VirtualTiming();
  private final Unreachable backend = new Unreachable(new MapBackend());

  private GenericTaskStore.Builder builder() {
    return GenericTaskStore.builder(backend).clock(clock).timing(timing);
  }

  @Test
  void maxActiveTasks_default_isAHundred() {
    GenericTaskStore store = builder().build();
    for (int i = 0; i < 100; i++) {
      store.create(ALICE, NewTask.of("m"));
    }

    assertThatExceptionOfType(TaskLimitException.class)
        .isThrownBy(() -> store.create(ALICE, NewTask.of("m")))
        .satisfies(e -> assertThat(e.limit()).isEqualTo(100));
  }

  @Test
  void maxUpdateAttempts_default_isFifty() {
    GenericTaskStore store = builder().build();
    GenericTaskStore rival = builder().build();
    Task task = store.create(ALICE, NewTask.of("m"));
    int[] attempts = {0};

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(
            () ->
                store.update(
                    task,
                    current -> {
                      attempts[0]++;
                      rival.update(ALICE, task.id(), change());
                      return change();
                    }))
        .withMessageContaining("each of 50 attempts");

    // Once more to hear whether the last winner is all that was wanted.
    assertThat(attempts[0]).isEqualTo(51);
  }

  @Test
  void defaultTtl_asLongAsTheMaximum_isAllowed() {
    GenericTaskStore store = builder().defaultTtl(DAY).maxTtl(DAY).build();

    assertThat(store.create(ALICE, NewTask.of("m")).ttl()).contains(DAY);
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> builder().defaultTtl(DAY.plus(MILLISECOND)).maxTtl(DAY).build())
        .satisfies(e -> assertThat(e.what()).isEqualTo("defaultTtl"));
  }

  @Test
  void maxTtl_afterAllowUnlimitedTtl_isAMaximumAgain() {
    GenericTaskStore store = builder().allowUnlimitedTtl().maxTtl(DAY).build();

    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> store.create(ALICE, NewTask.of("m").unlimitedTtl()));
  }

  @Test
  void allowUnlimitedTtl_explicitTtl_isBoundedByACentury() {
    GenericTaskStore store = builder().allowUnlimitedTtl().build();

    Task task = store.create(ALICE, NewTask.of("m").ttl(CENTURY));

    assertThat(task.expiresAt()).contains(clock.instant().plus(CENTURY));
    assertThatExceptionOfType(DurationNotAllowedException.class)
        .isThrownBy(() -> store.create(ALICE, NewTask.of("m").ttl(CENTURY.plus(MILLISECOND))));
  }

  @Test
  void defaultPollInterval_isThatOfATaskWhichDoesNotSay() {
    GenericTaskStore store = builder().defaultPollInterval(Duration.ofSeconds(7)).build();

    assertThat(store.create(ALICE, NewTask.of("m")).pollInterval())
        .isEqualTo(Duration.ofSeconds(7));
  }

  @Test
  void pollInterval_atItsBounds_isAccepted() {
    GenericTaskStore store = builder().build();

    for (Duration interval : List.of(MILLISECOND, DAY)) {
      Task task = store.create(ALICE, NewTask.of("m").pollInterval(interval));
      assertThat(task.pollInterval()).isEqualTo(interval);
    }
  }

  @Test
  void operationTimeout_isWhenAnOperationGivesUp() {
    GenericTaskStore store = builder().operationTimeout(Duration.ofMillis(300)).build();
    Task task = store.create(ALICE, NewTask.of("m"));
    backend.down = true;

    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> store.update(task, change()));

    assertThat(Duration.ofNanos(timing.nanoTime())).isEqualTo(Duration.ofMillis(300));
  }

  @Test
  void clockSkewAllowance_zero_purgesAtTheExpiry() {
    GenericTaskStore store = builder().clockSkewAllowance(Duration.ZERO).build();
    store.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
    clock.advance(Duration.ofMinutes(1).minus(MILLISECOND));
    assertThat(store.purgeExpired(1)).isZero();

    clock.advance(MILLISECOND);

    assertThat(store.purgeExpired(1)).isEqualTo(1);
  }
}
