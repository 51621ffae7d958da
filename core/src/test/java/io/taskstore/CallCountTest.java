// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What each operation costs, in calls from the store to its backend. */
class CallCountTest {
  private static final Owner ALICE = Owner.subject("alice");

  /** Writes down every call. It has an atomic createWithin and an index of active records. */
  private static final class Recorder extends ForwardingBackend {
    private final List<String> calls = new ArrayList<>();
    private final List<Runnable> beforeNextPut = new ArrayList<>();

    Recorder(StorageBackend delegate) {
      super(delegate);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      calls.add("get");
      return super.get(key);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      calls.add("put");
      if (!beforeNextPut.isEmpty()) {
        beforeNextPut.remove(0).run();
      }
      return super.putIfVersion(key, value, expected);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      calls.add("delete");
      return super.deleteIfVersion(key, expected);
    }

    @Override
    public RecordPage list(ListQuery query) {
      calls.add("list");
      return super.list(query);
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      calls.add("purge");
      return super.purgeExpired(now, limit);
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      calls.add("createWithin");
      assertThat(delegate.putIfVersion(key, value, ABSENT)).isInstanceOf(Written.class);
      return Created.CREATED;
    }

    @Override
    public HeadPage listActive(ListQuery query) {
      calls.add("listActive");
      List<RecordHead> heads = new ArrayList<>();
      for (VersionedRecord stored : delegate.list(query).records()) {
        if (stored.value().active()) {
          heads.add(new RecordHead(stored.key(), stored.value().expiresAt()));
        }
      }
      return new HeadPage(heads, List.of(), null);
    }

    List<String> take() {
      List<String> taken = List.copyOf(calls);
      calls.clear();
      return taken;
    }
  }

  private final MovableClock clock = new MovableClock();
  private final MapBackend map = new MapBackend();
  private final Recorder backend = new Recorder(map);
  private final GenericTaskStore store =
      GenericTaskStore.builder(backend).clock(clock).timing(new VirtualTiming()).build();
  private final GenericTaskStore other = GenericTaskStore.builder(map).clock(clock).build();
  private Task task = store.create(ALICE, NewTask.of("m"));

  @BeforeEach
  void forgetCalls() {
    backend.take();
  }

  @Test
  void create_isOneCall() {
    store.create(ALICE, NewTask.of("m", Map.of("a", 1)).set("b", 2));

    assertThat(backend.take()).containsExactly("createWithin");
  }

  @Test
  void get_isOneCall() {
    store.get(ALICE, task.id());

    assertThat(backend.take()).containsExactly("get");
  }

  @Test
  void updateInHand_isOneCall_andSoIsEachOfAChain() {
    for (int i = 0; i < 5; i++) {
      task = store.update(task, change().set("i", i).progress(i, 5));
    }
    task = store.update(task, change().complete(Map.of("i", 5)));

    assertThat(backend.take()).containsExactly("put", "put", "put", "put", "put", "put");
  }

  @Test
  void start_isOneCall_andOneForItsEnd() {
    store.start(
        ALICE,
        NewTask.of("m"),
        Runnable::run,
        context -> {
          context.set("a", 1).progress(1, 2).message("x");
          context.throwIfCancelled();
          return Map.of();
        });

    assertThat(backend.take()).containsExactly("createWithin", "put");
  }

  @Test
  void resume_isARead_theClaim_andTheEnd() {
    store.resume(ALICE, task.id(), Runnable::run, context -> null);

    assertThat(backend.take()).containsExactly("get", "put", "put");
  }

  @Test
  void claim_isOneCall_andNoneIfTheSnapshotShowsALivingLease() {
    Task claimed = store.claim(task, "w", Duration.ofMinutes(1)).orElseThrow();
    assertThat(backend.take()).containsExactly("put");

    assertThat(store.claim(claimed, "rival", Duration.ofMinutes(1))).isEmpty();
    assertThat(backend.take()).isEmpty();
  }

  @Test
  void input_isOneCallToAsk_andTwoToAnswer() {
    task = store.update(task, change().requireInput("k", InputRequest.of("ask")));
    assertThat(backend.take()).containsExactly("put");

    store.provideInput(ALICE, task.id(), Map.of("k", 1));
    assertThat(backend.take()).containsExactly("get", "put");
    store.provideInput(ALICE, task.id(), Map.of("k", 2));
    assertThat(backend.take()).containsExactly("get");
  }

  @Test
  void await_ofAFinishedTask_isOneCall() throws InterruptedException {
    task = store.update(task, change().complete());
    backend.take();

    store.awaitTerminal(ALICE, task.id(), Duration.ofHours(1));

    assertThat(backend.take()).containsExactly("get");
  }

  @Test
  void updateInHand_contended_isOneMoreForEachAttempt() {
    for (int i = 0; i < 3; i++) {
      int number = i;
      backend.beforeNextPut.add(
          () -> other.update(ALICE, task.id(), change().set("other" + number, number)));
    }

    Task updated = store.update(task, change().set("mine", 1));

    assertThat(backend.take()).containsExactly("put", "put", "put", "put");
    assertThat(updated.variables().names()).containsExactly("mine", "other0", "other1", "other2");
  }

  @Test
  void updateInHand_alwaysContended_endsAfterItsAttempts() {
    GenericTaskStore impatient =
        GenericTaskStore.builder(backend)
            .clock(clock)
            .timing(new VirtualTiming())
            .maxUpdateAttempts(7)
            .build();
    for (int i = 0; i < 100; i++) {
      backend.beforeNextPut.add(() -> other.update(ALICE, task.id(), change()));
    }

    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> impatient.update(task, change().set("mine", 1)))
        .withMessageContaining("7 attempts");
    assertThat(backend.take()).hasSize(7).containsOnly("put");
  }

  @Test
  void updateInHand_contended_isDatedAtTheAttemptThatSucceeds() {
    backend.beforeNextPut.add(
        () -> {
          other.update(ALICE, task.id(), change());
          clock.advance(Duration.ofSeconds(3));
        });

    Task updated = store.update(task, change().complete());

    assertThat(updated.updatedAt()).isEqualTo(clock.instant());
    assertThat(backend.take()).containsExactly("put", "put");
  }

  @Test
  void updateInHand_withoutTtl_isOneCall() {
    GenericTaskStore unlimited =
        GenericTaskStore.builder(map).clock(clock).allowUnlimitedTtl().build();
    Task forever = unlimited.create(ALICE, NewTask.of("m").unlimitedTtl());
    clock.advance(Duration.ofDays(1_000));

    assertThat(store.update(forever, change().message("x")).expiresAt()).isEmpty();

    assertThat(backend.take()).containsExactly("put");
  }

  @Test
  void updateById_isOneMoreToRead() {
    store.update(ALICE, task.id(), change().set("a", 1));
    store.update(ALICE, task.id(), 2, change().set("a", 2));
    store.cancel(ALICE, task.id());

    assertThat(backend.take()).containsExactly("get", "put", "get", "put", "get", "put");
  }

  @Test
  void updateByVersion_knownToBeStale_isNotWritten() {
    assertThatExceptionOfType(TaskConflictException.class)
        .isThrownBy(() -> store.update(ALICE, task.id(), 9, change().set("a", 1)));

    assertThat(backend.take()).containsExactly("get");
  }

  @Test
  void updateOfAFinishedTaskInHand_isNoCall() {
    Task done = other.update(task, change().complete());

    assertThatExceptionOfType(TaskEndedException.class)
        .isThrownBy(() -> store.update(done, change().message("late")));

    assertThat(backend.take()).isEmpty();
  }

  @Test
  void updateOfATaskInHandThatIsDue_readsItFirst() {
    other.update(task, change().ttl(Duration.ofHours(3)));
    clock.advance(Duration.ofHours(2));

    store.update(task, change().message("x"));

    assertThat(backend.take()).containsExactly("get", "put");
  }

  @Test
  void requestCancel_repeatedOrFinished_isNotWritten() {
    store.requestCancel(ALICE, task.id());
    assertThat(backend.take()).containsExactly("get", "put");

    store.requestCancel(ALICE, task.id());
    assertThat(backend.take()).containsExactly("get");
  }

  @Test
  void delete_isARead_andTheDelete() {
    store.delete(ALICE, task.id());

    assertThat(backend.take()).containsExactly("get", "delete");
  }

  @Test
  void purge_isOneCall() {
    store.purgeExpired(10);

    assertThat(backend.take()).containsExactly("purge");
  }

  @Test
  void refusedByALimit_isNoCall() {
    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> store.update(task, change().set("x", "y".repeat(2_000_000))));
    assertThatExceptionOfType(LimitExceededException.class)
        .isThrownBy(() -> store.create(ALICE, NewTask.of("m").message("y".repeat(5_000))));

    assertThat(backend.take()).isEmpty();
  }

  @Test
  void list_pageIsOneCall() {
    for (int i = 0; i < 9; i++) {
      other.create(ALICE, NewTask.of("m"));
    }

    TaskPage page = store.list(ALICE, TaskQuery.newestFirst().pageSize(4));
    assertThat(page.tasks()).hasSize(4);
    assertThat(backend.take()).containsExactly("list");
    store.list(ALICE, TaskQuery.newestFirst().after(page.nextCursor().orElseThrow()));
    assertThat(backend.take()).containsExactly("list");
  }

  @Test
  void listActive_isOneCallAndOneGetForEachTaskShown() {
    Task finished = other.create(ALICE, NewTask.of("m"));
    other.update(finished, change().complete());
    Task expired = other.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
    Task second = other.create(ALICE, NewTask.of("m"));
    clock.advance(Duration.ofMinutes(1));

    TaskPage page = store.list(ALICE, TaskQuery.newestFirst().activeOnly());

    assertThat(page.tasks()).containsExactlyInAnyOrder(task, second).doesNotContain(expired);
    assertThat(backend.take()).containsExactly("listActive", "get", "get");
  }

  @Test
  void listByStatus_isOneCallForSmallPartitions() {
    for (int i = 0; i < 40; i++) {
      other.create(ALICE, NewTask.of("m"));
    }

    store.list(ALICE, TaskQuery.oldestFirst().withStatus(TaskStatus.COMPLETED).pageSize(2));

    assertThat(backend.take()).containsExactly("list");
  }

  /** What is not shown is not decoded: a record that cannot be decoded would be reported. */
  @Test
  void list_expiredRecords_areNotDecoded() {
    Task expired = other.create(ALICE, NewTask.of("m").ttl(Duration.ofMinutes(1)));
    map.overwriteData(
        new RecordKey("ts:alice", expired.id()), "garbage".getBytes(StandardCharsets.UTF_8));
    clock.advance(Duration.ofMinutes(1));

    for (TaskQuery query : List.of(TaskQuery.newestFirst(), TaskQuery.newestFirst().activeOnly())) {
      TaskPage page = store.list(ALICE, query);
      assertThat(page.tasks()).containsExactly(task);
      assertThat(page.unreadable()).isEmpty();
    }
  }
}
