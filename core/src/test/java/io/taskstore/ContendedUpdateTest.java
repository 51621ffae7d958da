// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import org.junit.jupiter.api.Test;

/** Others write all the time: whenever this store waits, what it knows grows old. */
final class ContendedUpdateTest {
  private static final Owner ALICE = Owner.subject("alice");

  private final MapBackend map = new MapBackend();
  private final GenericTaskStore other = GenericTaskStore.over(map);
  private final Task task = other.create(ALICE, NewTask.of("m"));

  /** Time in which others are busy: they write during every wait. */
  private final class BusyTiming implements Timing {
    private long nanos;
    private int sleeps;

    @Override
    public long nanoTime() {
      return nanos;
    }

    @Override
    public void sleep(long duration) {
      assertThat(duration).isPositive();
      nanos += duration;
      sleeps++;
      othersWrite();
    }
  }

  /** Others also write just before the first {@code losses} writes of this store. */
  private final class BusyBackend extends ForwardingBackend {
    private int losses;

    BusyBackend(int losses) {
      super(map);
      this.losses = losses;
    }

    private void maybeLose() {
      if (losses > 0) {
        losses--;
        othersWrite();
      }
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      maybeLose();
      return super.putIfVersion(key, value, expected);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      maybeLose();
      return super.deleteIfVersion(key, expected);
    }
  }

  private final BusyTiming timing = new BusyTiming();

  private void othersWrite() {
    other.update(ALICE, task.id(), current -> change().message(current.version() + " of others"));
  }

  private GenericTaskStore store(int losses) {
    return GenericTaskStore.builder(new BusyBackend(losses)).timing(timing).build();
  }

  @Test
  void update_othersWriteDuringEveryWait_succeeds() {
    Task updated = store(9).update(task, change().set("mine", true));

    assertThat(updated.variables().names()).contains("mine");
    assertThat(timing.sleeps).isBetween(1, 9);
    assertThat(other.get(ALICE, task.id()).version()).isEqualTo(updated.version());
  }

  @Test
  void delete_othersWriteDuringEveryWait_succeeds() {
    store(9).delete(ALICE, task.id());

    assertThat(timing.sleeps).isBetween(1, 9);
    assertThat(map.everything()).isEmpty();
  }

  @Test
  void update_othersWriteBeforeEveryWrite_givesUp() {
    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> store(Integer.MAX_VALUE).update(task, change().set("mine", true)));

    assertThat(timing.sleeps).isPositive();
    assertThat(other.get(ALICE, task.id()).variables().names()).isEmpty();
  }
}
