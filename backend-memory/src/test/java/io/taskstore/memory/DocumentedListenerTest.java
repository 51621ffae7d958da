// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskEvent;
import io.taskstore.TaskListener;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The listener for metrics in {@code docs/tasks.md} does what it is said to do. */
class DocumentedListenerTest {
  private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00Z");
  private static final Instant END = BEGIN.plusSeconds(90);

  @TempDir Path output;

  private static GenericTaskStore store(MemoryStorageBackend backend, Instant now) {
    return GenericTaskStore.builder(backend).clock(Clock.fixed(now, ZoneOffset.UTC)).build();
  }

  @Test
  void metrics_countEventsByType_andMeasureTheLifeOfFinishedTasks() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    TaskListener listener =
        DocumentedCode.instance(
            TaskListener.class, "### Metrics", output, MeterRegistry.class, registry);
    try (MemoryStorageBackend backend = MemoryStorageBackend.builder().build()) {
      Task created = store(backend, BEGIN).create(Owner.subject("alice"), NewTask.of("digest"));
      Task finished = store(backend, END).update(created, change().complete());

      listener.onEvent(new TaskEvent.Created(BEGIN, created));
      listener.onEvent(new TaskEvent.Created(BEGIN, created));
      listener.onEvent(new TaskEvent.Finished(END, finished));
      listener.onEvent(new TaskEvent.Dropped(END, 5));
    }

    assertThat(count(registry, "created")).isEqualTo(2);
    assertThat(count(registry, "completed")).isEqualTo(1);
    assertThat(count(registry, "dropped")).isEqualTo(5);
    var life = registry.get("taskstore.task.life").tag("status", "completed").timer();
    assertThat(life.count()).isEqualTo(1);
    assertThat(life.totalTime(TimeUnit.SECONDS)).isEqualTo(90.0);
    assertThat(registry.getMeters()).hasSize(4);
  }

  private static double count(SimpleMeterRegistry registry, String type) {
    return registry.get("taskstore.events").tag("type", type).counter().count();
  }
}
