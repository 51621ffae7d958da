// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.spi.CreateResult;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.io.EOFException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A handler at work, in virtual time: when it writes, what it keeps, and how it ends. */
@Timeout(60)
class RunningTaskTest {
  private static final Owner ALICE = Owner.subject("alice");
  private static final NewTask WORK = NewTask.of("work");
  private static final Duration SECOND = Duration.ofSeconds(1);

  /** Counts writes, and fails them on demand. */
  private static final class Backend extends ForwardingBackend {
    private int writes;
    private boolean sawAnInterrupt;
    private @Nullable StorageException failure;
    private boolean failsAfterTheWrite;
    private int failures = Integer.MAX_VALUE;
    private @Nullable Runnable beforeNextWrite;
    private @Nullable Runnable afterNextWrite;

    Backend(StorageBackend delegate) {
      super(delegate);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      writes++;
      sawAnInterrupt |= Thread.currentThread().isInterrupted();
      Runnable before = beforeNextWrite;
      beforeNextWrite = null;
      if (before != null) {
        before.run();
      }
      if (failures-- == 0) {
        failure = null;
      }
      if (failure != null && !failsAfterTheWrite) {
        throw failure;
      }
      PutResult result = super.putIfVersion(key, value, expected);
      Runnable after = afterNextWrite;
      afterNextWrite = null;
      if (after != null) {
        after.run();
      }
      if (failure != null) {
        throw failure;
      }
      return result;
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      return delegate.createWithin(key, value, max, now);
    }

    int takeWrites() {
      int taken = writes;
      writes = 0;
      return taken;
    }
  }

  private final MapBackend map = new MapBackend();
  private final Backend backend = new Backend(map);
  private final MovableClock clock = new MovableClock();
  private final VirtualTiming timing = new VirtualTiming();
  private final VirtualScheduler scheduler = new VirtualScheduler(timing);
  private final List<TaskEvent> events = Collections.synchronizedList(new ArrayList<>());
  private final GenericTaskStore store = builder().build();
  private final GenericTaskStore other =
      GenericTaskStore.builder(map).clock(clock).timing(timing).build();

  private GenericTaskStore.Builder builder() {
    return GenericTaskStore.builder(backend).clock(clock).timing(timing).scheduler(scheduler);
  }

  private void pass(Duration duration) {
    clock.advance(duration);
    scheduler.advance(duration);
  }

  /** Runs a handler on this thread, and returns the task as it is afterwards. */
  private Task run(TaskHandler handler) {
    return run(store, handler);
  }

  private Task run(TaskStore on, TaskHandler handler) {
    Task task = on.start(ALICE, WORK, Runnable::run, handler);
    assertThat(scheduler.waiting()).as("work that is left over").isZero();
    assertThat(store.isWorking()).isFalse();
    return on.get(ALICE, task.id());
  }

  private static StorageUnavailableException unavailable() {
    return new StorageUnavailableException("put", null, true, "down", null);
  }

  // --- coalescing ---------------------------------------------------------------------------

  @Test
  void reports_areWrittenOncePerInterval_withTheLastValues() {
    Task end =
        run(
            context -> {
              for (int i = 1; i <= 100; i++) {
                context.set("i", i).progress(i, 100).message("at " + i);
              }
              assertThat(backend.takeWrites()).as("at once").isZero();
              assertThat(context.variables().integer("i")).hasValue(100);
              assertThat(context.task().variables().contains("i")).isFalse();

              pass(SECOND.minusNanos(1));
              assertThat(backend.takeWrites()).as("before the interval is over").isZero();
              pass(Duration.ofNanos(1));
              assertThat(backend.takeWrites()).isEqualTo(1);
              Task seen = other.get(ALICE, context.task().id());
              assertThat(seen.variables().integer("i")).hasValue(100);
              assertThat(seen.progress()).contains(Progress.of(100, 100));
              assertThat(seen.message()).contains("at 100");
              assertThat(context.task()).isEqualTo(seen);

              pass(SECOND.multipliedBy(5));
              assertThat(backend.takeWrites()).as("nothing is new").isZero();

              context.set("j", 1);
              pass(Duration.ZERO);
              assertThat(backend.takeWrites()).as("the interval is over already").isEqualTo(1);
              context.set("j", 2);
              pass(SECOND.minusNanos(1));
              assertThat(backend.takeWrites()).isZero();
              return Map.of("done", true);
            });

    assertThat(backend.takeWrites()).as("the end, with what was collected").isEqualTo(1);
    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(end.variables().integer("j")).hasValue(2);
    assertThat(end.result()).contains(Map.of("done", true));
    assertThat(end.worker()).isEmpty();
    assertThat(end.leaseUntil()).isEmpty();
  }

  @Test
  void flush_writesAtOnce_andTheIntervalBeginsAnew() {
    run(
        context -> {
          context.flush();
          assertThat(backend.takeWrites()).as("nothing to write").isZero();
          context.set("a", 1);
          pass(Duration.ofMillis(600));
          context.flush();
          assertThat(backend.takeWrites()).isEqualTo(1);
          context.set("a", 2);
          pass(Duration.ofMillis(999));
          assertThat(backend.takeWrites()).isZero();
          pass(Duration.ofMillis(1));
          assertThat(backend.takeWrites()).isEqualTo(1);
          return null;
        });
  }

  @Test
  void shortInterval_withALongLease_isKept() {
    GenericTaskStore quick = builder().progressInterval(Duration.ofMillis(20)).build();

    run(
        quick,
        context -> {
          for (int i = 0; i < 50; i++) {
            context.set("i", i);
            pass(Duration.ofMillis(10));
          }
          assertThat(backend.takeWrites()).isEqualTo(25);
          return null;
        });
  }

  @Test
  void intervalOfZero_writesAtOnce() {
    GenericTaskStore quick = builder().progressInterval(Duration.ZERO).build();

    run(
        quick,
        context -> {
          context.set("i", 1);
          pass(Duration.ZERO);
          assertThat(backend.takeWrites()).isEqualTo(1);
          return null;
        });
  }

  @Test
  void set_ofAMutableObject_isAsItWasThen() {
    List<Integer> list = new ArrayList<>(List.of(1));

    Task end =
        run(
            context -> {
              context.set("list", list);
              list.add(2);
              return null;
            });

    assertThat(end.variables().asMap()).isEqualTo(Map.of("list", List.of(1L)));
  }

  @Test
  void remove_andSetOfNull_hideAndThenDeleteTheVariable() {
    Task task =
        store.start(
            ALICE,
            WORK.set("a", 1).set("b", 2).set("c", 3),
            Runnable::run,
            context -> {
              context.remove("a").set("b", null);
              assertThat(context.variables().names()).containsExactly("c");
              assertThat(context.task().variables().names()).containsExactly("a", "b", "c");
              return null;
            });

    assertThat(store.get(ALICE, task.id()).variables().names()).containsExactly("c");
  }

  // --- the lease ----------------------------------------------------------------------------

  @Test
  void start_claimsInTheCreate() {
    run(
        context -> {
          assertThat(backend.takeWrites()).isZero();
          assertThat(context.task().version()).isEqualTo(1);
          assertThat(context.task().worker()).isPresent();
          assertThat(context.task().leaseUntil()).contains(clock.instant().plusSeconds(30));
          return null;
        });
  }

  @Test
  void silentHandler_keepsItsLeaseByAHeartbeat_thatIsNoChange() {
    run(
        context -> {
          Task begin = context.task();
          pass(Duration.ofMillis(9_999));
          assertThat(backend.takeWrites()).isZero();
          pass(Duration.ofMillis(1));
          assertThat(backend.takeWrites()).isEqualTo(1);
          pass(Duration.ofMinutes(10));
          assertThat(backend.takeWrites()).isEqualTo(60);

          Task now = other.get(ALICE, begin.id());
          assertThat(now.leaseUntil()).contains(clock.instant().plusSeconds(30));
          assertThat(now.updatedAt()).isEqualTo(begin.updatedAt());
          assertThat(now.version()).isEqualTo(62);
          return null;
        });
  }

  @Test
  void busyHandler_needsNoHeartbeat() {
    run(
        context -> {
          for (int i = 0; i < 60; i++) {
            context.set("i", i);
            pass(SECOND);
          }
          assertThat(backend.takeWrites()).isEqualTo(60);
          assertThat(other.get(ALICE, context.task().id()).leaseUntil())
              .contains(clock.instant().plusSeconds(30));
          return null;
        });
  }

  @Test
  void stalledWorker_findsOutAtItsNextWrite_andNothingIsWritten() {
    Task end =
        run(
            context -> {
              String id = context.task().id();
              context.set("by", "first");
              clock.advance(Duration.ofSeconds(30)); // this process stands still
              assertThat(other.resume(ALICE, id, Runnable::run, next -> Map.of("by", "second")))
                  .isPresent();
              Task finished = other.get(ALICE, id);
              assertThatExceptionOfType(TaskEndedException.class).isThrownBy(context::flush);
              assertThatExceptionOfType(TaskEndedException.class)
                  .isThrownBy(() -> context.set("late", 1));
              assertThat(context.complete(Map.of("by", "first"))).isFalse();
              assertThat(other.get(ALICE, id)).isEqualTo(finished);
              return Map.of("by", "first");
            });

    assertThat(end.result()).contains(Map.of("by", "second"));
    assertThat(end.variables().isEmpty()).isTrue();
  }

  @Test
  void stalledWorker_whoseTaskIsWorkedOn_isToldSo() {
    run(
        context -> {
          clock.advance(Duration.ofSeconds(30));
          Task claimed = other.claim(context.task(), "rival", SECOND).orElseThrow();
          context.set("late", 1);
          assertThatExceptionOfType(LeaseLostException.class)
              .isThrownBy(context::flush)
              .satisfies(e -> assertThat(e.taskId()).isEqualTo(claimed.id()));
          assertThatExceptionOfType(LeaseLostException.class).isThrownBy(context::throwIfCancelled);
          assertThatExceptionOfType(LeaseLostException.class)
              .isThrownBy(() -> context.ask("k", InputRequest.of("ask"), String.class, SECOND));
          assertThat(context.complete()).isFalse();
          assertThat(context.fail(TaskError.of("late"))).isFalse();
          assertThat(other.get(ALICE, claimed.id())).isEqualTo(claimed);
          assertThat(context.isCancelRequested()).isFalse();
          pass(Duration.ofMinutes(1));
          assertThat(backend.takeWrites()).as("the flush, and no heartbeat").isEqualTo(1);
          throw new IllegalStateException("nobody is to hear of it");
        });
  }

  @Test
  void heartbeat_learnsOfTheLoss_andTheNextCallTells() {
    run(
        context -> {
          clock.advance(Duration.ofSeconds(30));
          assertThat(other.claim(context.task(), "rival", SECOND)).isPresent();
          scheduler.advance(Duration.ofSeconds(10));
          assertThatExceptionOfType(LeaseLostException.class)
              .isThrownBy(() -> context.progress(1, 2));
          return null;
        });
  }

  @Test
  void sameStore_tellsTheFormerWorkerAtOnce() {
    run(
        context -> {
          clock.advance(Duration.ofSeconds(30));
          assertThat(store.claim(context.task(), "rival", SECOND)).isPresent();
          assertThatExceptionOfType(LeaseLostException.class).isThrownBy(context::throwIfCancelled);
          return null;
        });
  }

  @Test
  void successorInTheSameStore_andItsFormerWorker_areTwoHandlers() {
    run(
        context -> {
          String id = context.task().id();
          clock.advance(Duration.ofSeconds(30));
          store.resume(
              ALICE,
              id,
              Runnable::run,
              next -> {
                assertThatExceptionOfType(LeaseLostException.class)
                    .isThrownBy(context::throwIfCancelled);
                store.requestCancel(ALICE, id);
                assertThat(next.isCancelRequested()).isTrue();
                throw new InterruptedException();
              });
          assertThat(store.isWorking()).as("the former worker has not ended").isTrue();
          return null;
        });
  }

  @Test
  void leaseThatIsOver_butWasNotTaken_isRenewedByTheNextWrite() {
    Task end =
        run(
            context -> {
              clock.advance(Duration.ofMinutes(5));
              context.set("a", 1).flush();
              assertThat(context.task().leaseUntil()).contains(clock.instant().plusSeconds(30));
              return null;
            });

    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
  }

  @Test
  void queuedHandler_keepsItsLease_andDoesNotRunOnceItIsLost() {
    List<Runnable> queue = new ArrayList<>();
    AtomicReference<TaskContext> ran = new AtomicReference<>();
    Task task =
        store.start(
            ALICE,
            WORK,
            queue::add,
            context -> {
              ran.set(context);
              return null;
            });
    pass(Duration.ofSeconds(20));
    assertThat(backend.takeWrites()).isEqualTo(2);
    clock.advance(Duration.ofSeconds(30));
    Task claimed = other.claim(store.get(ALICE, task.id()), "rival", SECOND).orElseThrow();
    scheduler.advance(Duration.ofSeconds(10));

    queue.get(0).run();

    assertThat(ran).hasValue(null);
    assertThat(other.get(ALICE, task.id())).isEqualTo(claimed);
    assertThat(scheduler.waiting()).isZero();
  }

  @Test
  void resume_whileTheWorkerLives_doesNothing() {
    run(
        context -> {
          Task before = other.get(ALICE, context.task().id());
          clock.advance(Duration.ofSeconds(30).minusMillis(1));
          assertThat(
                  other.resume(
                      ALICE,
                      before.id(),
                      Runnable::run,
                      rival -> {
                        throw new AssertionError("two handlers");
                      }))
              .isEmpty();
          assertThat(other.get(ALICE, before.id())).isEqualTo(before);
          return null;
        });
  }

  @Test
  void interruptedHandler_thatHasLostItsLease_leavesItToTheOther() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              clock.advance(Duration.ofSeconds(30));
              assertThat(other.claim(context.task(), "rival", SECOND)).isPresent();
              throw new InterruptedException();
            });

    assertThat(other.get(ALICE, task.id()).worker()).contains("rival");
  }

  @Test
  void fullTask_canBeClaimedAndMarkedAndEnded() {
    GenericTaskStore small =
        GenericTaskStore.builder(new MapBackend(TaskRules.LEAST_DATA_BYTES)).clock(clock).build();
    Task task = small.create(ALICE, WORK);
    for (int free = 4_000; free > 0; free--) {
      try {
        task = small.update(task, change().set("x", "x".repeat(free)));
        break;
      } catch (LimitExceededException e) {
        // A little less.
      }
    }
    assertThat(task.version()).isEqualTo(2);

    Task marked = small.requestCancel(ALICE, task.id());
    Task claimed = small.claim(marked, "w".repeat(128), SECOND).orElseThrow();
    Task ended = small.update(claimed, change().message("m".repeat(512)).fail("e".repeat(512)));

    assertThat(ended.status()).isEqualTo(TaskStatus.FAILED);
    assertThat(ended.isCancelRequested()).isTrue();
  }

  // --- cancellation -------------------------------------------------------------------------

  @Test
  void throwIfCancelled_learnsFromTheAnswerToAWrite_withoutARoundTripOfItsOwn() {
    Task end =
        run(
            context -> {
              other.requestCancel(ALICE, context.task().id());
              context.throwIfCancelled();
              assertThat(backend.takeWrites()).isZero();
              context.set("a", 1).flush();
              assertThat(backend.takeWrites()).as("a lost race, then the write").isEqualTo(2);
              assertThat(context.isCancelRequested()).isTrue();
              context.message("stopped");
              context.throwIfCancelled();
              throw new AssertionError("not reached");
            });

    assertThat(end.status()).isEqualTo(TaskStatus.CANCELLED);
    assertThat(end.message()).contains("stopped");
    assertThat(end.variables().integer("a")).hasValue(1);
    assertThat(backend.takeWrites()).isEqualTo(1);
  }

  @Test
  void throwIfCancelled_ofTheSameStore_learnsAtOnce() {
    Task end =
        run(
            context -> {
              store.requestCancel(ALICE, context.task().id());
              assertThatExceptionOfType(CancellationException.class)
                  .isThrownBy(context::throwIfCancelled)
                  .withMessage(
                      "Somebody asked for the cancellation of task \"%s\"", context.task().id());
              context.throwIfCancelled();
              return null;
            });

    assertThat(end.status()).isEqualTo(TaskStatus.CANCELLED);
  }

  @Test
  void strictCancel_and_delete_throughTheSameStore_areKnownAtOnce() {
    for (boolean deletes : new boolean[] {false, true}) {
      store.start(
          ALICE,
          WORK,
          Runnable::run,
          context -> {
            if (deletes) {
              store.delete(ALICE, context.task().id());
            } else {
              store.cancel(ALICE, context.task().id());
            }
            backend.takeWrites();
            assertThatExceptionOfType(TaskStoreException.class)
                .isThrownBy(context::throwIfCancelled)
                .isInstanceOf(deletes ? TaskNotFoundException.class : TaskEndedException.class);
            assertThat(backend.takeWrites()).isZero();
            return null;
          });
    }
  }

  @Test
  void strictCancel_and_delete_endTheHandler() {
    run(
        context -> {
          Task cancelled = other.cancel(ALICE, context.task().id());
          context.set("late", 1);
          assertThatExceptionOfType(TaskEndedException.class)
              .isThrownBy(context::flush)
              .satisfies(e -> assertThat(e.task()).isEqualTo(cancelled));
          return Map.of();
        });
    Task gone =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              other.delete(ALICE, context.task().id());
              context.set("late", 1);
              assertThatExceptionOfType(TaskNotFoundException.class).isThrownBy(context::flush);
              assertThatExceptionOfType(TaskNotFoundException.class)
                  .isThrownBy(context::throwIfCancelled);
              return Map.of();
            });
    assertThatExceptionOfType(TaskNotFoundException.class)
        .isThrownBy(() -> store.get(ALICE, gone.id()));
    assertThat(map.everything()).hasSize(1);
    assertThat(scheduler.waiting()).isZero();
  }

  @Test
  void cancellationException_thatNobodyAskedFor_isAFailure() {
    Task end =
        run(
            context -> {
              throw new CancellationException("a future of mine");
            });

    assertThat(end.status()).isEqualTo(TaskStatus.FAILED);
  }

  // --- ends ---------------------------------------------------------------------------------

  @Test
  void exception_failsTheTask_withMessageAndTypeOnly() {
    Task end =
        run(
            context -> {
              context.set("a", 1);
              throw new IllegalArgumentException("bad folder", new IllegalStateException("secret"));
            });

    assertThat(end.status()).isEqualTo(TaskStatus.FAILED);
    assertThat(end.error())
        .contains(
            TaskError.of(TaskError.INTERNAL_ERROR, "bad folder")
                .withData(Map.of("type", "IllegalArgumentException")));
    assertThat(end.variables().integer("a")).hasValue(1);
    String record = map.everything().get(0).value().data().toString();
    assertThat(record).doesNotContain("secret", "RunningTaskTest");
  }

  @Test
  void exception_withALongOrStrangeMessage_isShortened() {
    Task end =
        run(
            context -> {
              throw new IllegalStateException("\ud800" + "é\n".repeat(10_000));
            });

    assertThat(end.error().orElseThrow().message())
        .startsWith("\ufffdé\né")
        .endsWith("…")
        .hasSizeBetween(1_500, 4_096);
    assertThat(end.error().orElseThrow().data()).contains(Map.of("type", "IllegalStateException"));
  }

  @Test
  void exception_withoutAMessage_isItsType() {
    Task end =
        run(
            context -> {
              throw new EOFException();
            });

    assertThat(end.error())
        .contains(TaskError.of("EOFException").withData(Map.of("type", "EOFException")));
  }

  @Test
  void handlerErrors_decideWhatClientsSee_andMayFailThemselves() {
    Task mapped =
        run(
            builder().handlerErrors(e -> TaskError.of(7, "try later")).build(),
            context -> {
              throw new IllegalStateException("secret");
            });
    Task broken =
        run(
            builder()
                .handlerErrors(
                    e -> {
                      throw new IllegalStateException("mapper");
                    })
                .build(),
            context -> {
              throw new IllegalStateException("handler");
            });
    Task unstorable =
        run(
            builder().handlerErrors(e -> TaskError.of(8, "x").withData(new Object())).build(),
            context -> {
              throw new IllegalStateException("handler");
            });

    assertThat(mapped.error()).contains(TaskError.of(7, "try later"));
    assertThat(broken.error().orElseThrow().message()).isEqualTo("handler");
    assertThat(unstorable.error()).contains(TaskError.of(8, "x"));
  }

  @Test
  void error_failsTheTask_andGoesOnToTheExecutor() {
    AtomicReference<@Nullable Error> told = new AtomicReference<>();
    Task task =
        store.start(
            ALICE,
            WORK,
            run -> {
              try {
                run.run();
              } catch (StackOverflowError e) {
                told.set(e);
              }
            },
            context -> {
              throw new StackOverflowError();
            });

    assertThat(told.get()).isNotNull();
    assertThat(store.get(ALICE, task.id()).error().orElseThrow().message())
        .isEqualTo("StackOverflowError");
  }

  @Test
  void error_inTheThreadOfTheCaller_isNoRefusalOfTheExecutor() {
    assertThatExceptionOfType(StackOverflowError.class)
        .isThrownBy(
            () ->
                store.start(
                    ALICE,
                    WORK,
                    Runnable::run,
                    context -> {
                      throw new StackOverflowError();
                    }));
    Task failed = store.list(ALICE, TaskQuery.newestFirst()).tasks().get(0);
    assertThat(failed.status()).isEqualTo(TaskStatus.FAILED);

    Task task = store.create(ALICE, WORK);
    assertThatExceptionOfType(StackOverflowError.class)
        .isThrownBy(
            () ->
                store.resume(
                    ALICE,
                    task.id(),
                    Runnable::run,
                    context -> {
                      throw new StackOverflowError();
                    }));
    assertThat(store.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.FAILED);
    assertThat(store.isWorking()).isFalse();
  }

  @Test
  void result_thatIsRefused_failsTheTask() {
    Task notAnObject = run(context -> "text");
    Task tooLarge = run(context -> Map.of("r", Collections.nCopies(40, "x".repeat(30_000))));

    assertThat(notAnObject.status()).isEqualTo(TaskStatus.FAILED);
    assertThat(notAnObject.error().orElseThrow().message()).startsWith("Invalid result: a java");
    assertThat(tooLarge.status()).isEqualTo(TaskStatus.FAILED);
    assertThat(tooLarge.error().orElseThrow().message()).startsWith("Too large: result has");
  }

  @Test
  void complete_byTheHandler_winsOverWhatItReturns_andCanBeRepeated() {
    Task end =
        run(
            context -> {
              assertThat(context.complete(Map.of("a", 1))).isTrue();
              assertThat(context.complete(Map.of("a", 1))).as("the same again").isTrue();
              assertThat(context.complete(Map.of("a", 2))).isFalse();
              assertThat(context.fail(TaskError.of("late"))).isFalse();
              assertThatExceptionOfType(TaskEndedException.class)
                  .isThrownBy(() -> context.set("late", 1));
              return Map.of("b", 1);
            });

    assertThat(end.result()).contains(Map.of("a", 1L));
    assertThat(backend.takeWrites()).isEqualTo(1);
  }

  @Test
  void complete_asAnotherHasDoneAlready_isSuccess_alsoAfterTheWorkerHeardOfIt() {
    run(
        context -> {
          context.set("a", 1);
          other.update(ALICE, context.task().id(), change().complete(Map.of("by", "other")));
          assertThatExceptionOfType(TaskEndedException.class).isThrownBy(context::flush);
          assertThat(context.complete(Map.of("by", "other"))).isTrue();
          assertThat(context.complete(Map.of("by", "me"))).isFalse();
          return null;
        });
  }

  @Test
  void complete_withARefusedResult_leavesTheTaskUnfinished() {
    Task end =
        run(
            context -> {
              context.set("a", 1);
              assertThatExceptionOfType(InvalidValueException.class)
                  .isThrownBy(() -> context.complete("text"));
              assertThat(context.variables().integer("a")).hasValue(1);
              assertThat(context.complete()).isTrue();
              return null;
            });

    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(end.variables().integer("a")).hasValue(1);
  }

  @Test
  void interruptedHandler_givesTheTaskBack() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              context.set("position", 7);
              Thread.currentThread().interrupt();
              throw new InterruptedException();
            });

    assertThat(Thread.interrupted()).as("the flag").isTrue();
    assertThat(backend.sawAnInterrupt).as("the storage is not told to give up").isFalse();
    Task left = other.get(ALICE, task.id());
    assertThat(left.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(left.worker()).isEmpty();
    assertThat(left.variables().integer("position")).hasValue(7);
    assertThat(scheduler.waiting()).isZero();
    assertThat(other.resume(ALICE, task.id(), Runnable::run, context -> null)).isPresent();
    assertThat(other.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.COMPLETED);
  }

  @Test
  void interruptedHandler_thatWrapsTheException_givesTheTaskBackToo() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              Thread.currentThread().interrupt();
              throw new IllegalStateException(new InterruptedException());
            });

    assertThat(Thread.interrupted()).as("the flag").isTrue();
    assertThat(store.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.WORKING);
    assertThat(store.get(ALICE, task.id()).worker()).isEmpty();
  }

  @Test
  void interruptedHandler_thatReturnsAllTheSame_completes() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              Thread.currentThread().interrupt();
              return Map.of("done", true);
            });

    assertThat(Thread.interrupted()).as("the flag").isTrue();
    assertThat(backend.sawAnInterrupt).as("the storage is not told to give up").isFalse();
    assertThat(store.get(ALICE, task.id()).result()).contains(Map.of("done", true));
  }

  @Test
  void executor_thatRefuses_leavesNothing() {
    Executor full =
        run -> {
          throw new RejectedExecutionException("full");
        };

    assertThatExceptionOfType(RejectedExecutionException.class)
        .isThrownBy(() -> store.start(ALICE, WORK, full, context -> null));
    assertThat(map.everything()).isEmpty();

    Task task = store.create(ALICE, WORK);
    assertThatExceptionOfType(RejectedExecutionException.class)
        .isThrownBy(() -> store.resume(ALICE, task.id(), full, context -> null));
    assertThat(store.get(ALICE, task.id()).worker()).isEmpty();
    assertThat(store.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.WORKING);
    assertThat(scheduler.waiting()).isZero();
    assertThat(store.isWorking()).isFalse();
  }

  @Test
  void executor_thatRefuses_whileTheStorageIsDown_tellsBoth() {
    Executor full =
        run -> {
          backend.failure = new StorageUnavailableException("put", null, false, "down", null);
          throw new RejectedExecutionException("full");
        };
    Task task = store.create(ALICE, WORK);

    assertThatExceptionOfType(RejectedExecutionException.class)
        .isThrownBy(() -> store.resume(ALICE, task.id(), full, context -> null))
        .satisfies(
            e ->
                assertThat(e.getSuppressed())
                    .singleElement()
                    .isInstanceOf(TaskStorageException.class));
  }

  // --- trouble ------------------------------------------------------------------------------

  @Test
  void storageThatIsDown_losesNothing_andIsTriedAgain() {
    run(
        context -> {
          context.set("a", 1).progress(1, 2);
          backend.failure = unavailable();
          pass(SECOND);
          assertThat(backend.takeWrites()).as("tried").isPositive();
          assertThat(context.variables().integer("a")).hasValue(1);
          context.set("b", 2);
          assertThatExceptionOfType(TaskStorageException.class).isThrownBy(context::flush);
          assertThat(context.variables().names()).containsExactly("a", "b");
          context.set("a", 3);

          backend.failure = null;
          pass(SECOND.multipliedBy(3));
          Task seen = other.get(ALICE, context.task().id());
          assertThat(seen.variables().asMap()).isEqualTo(Map.of("a", 3L, "b", 2L));
          assertThat(seen.progress()).contains(Progress.of(1, 2));
          return null;
        });
  }

  @Test
  void end_isTriedAgain_whileTheLeaseLasts() {
    Task end =
        run(
            builder().operationTimeout(Duration.ofMillis(100)).build(),
            context -> {
              context.set("a", 1);
              backend.failure = unavailable();
              backend.failures = 100;
              return Map.of("done", true);
            });

    assertThat(timing.nanoTime()).as("the time it took").isGreaterThan(SECOND.toNanos());
    assertThat(end.result()).contains(Map.of("done", true));
    assertThat(end.variables().integer("a")).hasValue(1);
  }

  @Test
  void end_thatCannotBeStored_leavesTheTaskToBeResumed() {
    backend.failure = null;
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              backend.failure = unavailable();
              return Map.of("done", true);
            });

    assertThat(scheduler.waiting()).isZero();
    assertThat(other.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.WORKING);
    clock.advance(Duration.ofSeconds(30));
    assertThat(other.resume(ALICE, task.id(), Runnable::run, context -> null)).isPresent();
  }

  @Test
  void end_thatTheStorageRefuses_isNotTriedAgain() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              backend.failure = new StorageUnavailableException("put", null, false, "down", null);
              return Map.of("done", true);
            });

    assertThat(backend.takeWrites()).isEqualTo(1);
    assertThat(other.get(ALICE, task.id()).status()).isEqualTo(TaskStatus.WORKING);
  }

  @Test
  void lostAnswers_applyEverythingOnce() {
    Task end =
        run(
            context -> {
              backend.failsAfterTheWrite = true;
              backend.failure = new OutcomeUnknownException("put", null, "cut off", null);
              context.set("a", 1);
              assertThatExceptionOfType(TaskStorageException.class)
                  .isThrownBy(context::flush)
                  .matches(TaskStorageException::isOutcomeUnknown);
              backend.failure = null;
              return Map.of("done", true);
            });

    assertThat(end.variables().integer("a")).hasValue(1);
    assertThat(end.result()).contains(Map.of("done", true));
  }

  @Test
  void refusalInTheBackground_isToldByTheNextCall_once() {
    Task end =
        run(
            context -> {
              for (int i = 0; i < 3; i++) {
                context.set("v" + i, Collections.nCopies(15, "x".repeat(30_000)));
              }
              pass(SECOND);
              assertThat(backend.takeWrites()).isZero();
              assertThatExceptionOfType(LimitExceededException.class)
                  .isThrownBy(() -> context.set("a", 1))
                  .matches(e -> e.limitName().equals("maxVariablesBytes"));
              assertThat(context.variables().isEmpty()).as("what was refused").isTrue();
              context.set("a", 1).flush();
              return null;
            });

    assertThat(end.status()).isEqualTo(TaskStatus.COMPLETED);
    assertThat(end.variables().names()).containsExactly("a");
  }

  @Test
  void refusalThatNobodyHeard_failsTheTask() {
    Task inTheBackground =
        run(
            context -> {
              for (int i = 0; i < 3; i++) {
                context.set("v" + i, Collections.nCopies(15, "x".repeat(30_000)));
              }
              pass(SECOND);
              return null;
            });
    Task atTheEnd =
        run(
            context -> {
              for (int i = 0; i < 3; i++) {
                context.set("v" + i, Collections.nCopies(15, "x".repeat(30_000)));
              }
              return null;
            });

    for (Task end : List.of(inTheBackground, atTheEnd)) {
      assertThat(end.status()).isEqualTo(TaskStatus.FAILED);
      assertThat(end.error().orElseThrow().message()).startsWith("Too large: the set of variables");
    }
  }

  @Test
  void refusalThatNobodyHeard_doesNotKeepACancelledTaskAlive() {
    Task end =
        run(
            context -> {
              for (int i = 0; i < 3; i++) {
                context.set("v" + i, Collections.nCopies(15, "x".repeat(30_000)));
              }
              store.requestCancel(ALICE, context.task().id());
              pass(SECOND);
              throw new CancellationException();
            });

    assertThat(end.status()).isEqualTo(TaskStatus.CANCELLED);
  }

  @Test
  void context_thatIsUsedAfterItsHandler_saysWhatBecameOfTheTask() {
    AtomicReference<TaskContext> kept = new AtomicReference<>();
    run(
        context -> {
          kept.set(context);
          return null;
        });
    assertThatExceptionOfType(TaskEndedException.class).isThrownBy(() -> kept.get().set("a", 1));
    store.start(
        ALICE,
        WORK,
        Runnable::run,
        context -> {
          kept.set(context);
          throw new InterruptedException();
        });
    assertThatExceptionOfType(LeaseLostException.class).isThrownBy(() -> kept.get().flush());
    assertThat(kept.get().complete()).isFalse();
  }

  @Test
  void badValues_areRefusedAtOnce() {
    run(
        context -> {
          assertThatExceptionOfType(InvalidValueException.class)
              .isThrownBy(() -> context.set("x", new Object()));
          assertThatExceptionOfType(InvalidValueException.class)
              .isThrownBy(() -> context.set("", 1));
          assertThatExceptionOfType(LimitExceededException.class)
              .isThrownBy(() -> context.message("m".repeat(5_000)));
          assertThatExceptionOfType(InvalidValueException.class)
              .isThrownBy(() -> context.progress(-1, 1));
          assertThat(scheduler.waiting()).as("the heartbeat").isEqualTo(1);
          return null;
        });
    assertThat(backend.takeWrites()).isEqualTo(1);
  }

  @Test
  void reportsDuringAWriteThatFails_areNewerThanWhatItGivesBack() {
    Task end =
        run(
            context -> {
              context.set("a", 1).set("b", 1).progress(1, 9).message("first");
              backend.failure = new StorageUnavailableException("put", null, false, "down", null);
              backend.beforeNextWrite =
                  () -> {
                    context.set("a", 2).set("c", 2).progress(2, 9);
                    assertThat(context.variables().asMap())
                        .isEqualTo(Map.of("a", 2L, "b", 1L, "c", 2L));
                  };
              assertThatExceptionOfType(TaskStorageException.class).isThrownBy(context::flush);
              backend.failure = null;
              return null;
            });

    assertThat(end.variables().asMap()).isEqualTo(Map.of("a", 2L, "b", 1L, "c", 2L));
    assertThat(end.progress()).contains(Progress.of(2, 9));
    assertThat(end.message()).contains("first");
  }

  @Test
  void storageThatRefuses_isNotAskedAgainAtOnce() {
    run(
        context -> {
          context.set("a", 1);
          backend.failure = new StorageUnavailableException("put", null, false, "down", null);
          pass(SECOND.multipliedBy(20));
          assertThat(backend.takeWrites()).isBetween(15, 20);
          backend.failure = null;
          return null;
        });
  }

  @Test
  void manyReports_setOneTimer() {
    run(
        context -> {
          long before = scheduler.scheduled();
          for (int i = 0; i < 1_000; i++) {
            context.set("i", i);
          }
          assertThat(scheduler.scheduled() - before).isEqualTo(1);
          context.flush();
          for (int i = 0; i < 1_000; i++) {
            context.set("i", i);
          }
          assertThat(scheduler.scheduled() - before).isLessThanOrEqualTo(2);
          return null;
        });
  }

  @Test
  void snapshotsThatComeLate_doNotReplaceNewerOnes() {
    run(
        context -> {
          String id = context.task().id();
          // The second write is over and told before the first one is told.
          backend.afterNextWrite = () -> store.update(ALICE, id, change().set("second", 1));
          store.update(ALICE, id, change().set("first", 1));
          assertThat(context.task().version()).isEqualTo(3);
          assertThat(context.variables().names()).containsExactly("first", "second");
          return null;
        });
  }

  // --- asking -------------------------------------------------------------------------------

  @Test
  void ask_isAnsweredByTheStoredAnswer_withoutAWrite() {
    run(
        context -> {
          InputRequest request = InputRequest.of("elicit", Map.of("message", "Go on?"));
          context.set("asked", true);
          assertThatExceptionOfType(TimeoutException.class)
              .isThrownBy(() -> context.ask("go", request, Boolean.class, Duration.ZERO))
              .withMessageContaining("has no answer to \"go\" after PT0S");
          assertThat(backend.takeWrites()).as("the question and what was collected").isEqualTo(1);
          assertThat(context.task().status()).isEqualTo(TaskStatus.INPUT_REQUIRED);
          assertThat(context.task().inputRequests()).isEqualTo(Map.of("go", request));

          other.provideInput(ALICE, context.task().id(), Map.of("go", true));
          backend.takeWrites();
          assertThat(context.ask("go", request, Boolean.class, Duration.ZERO)).isTrue();
          assertThat(backend.takeWrites()).as("nothing to write").isZero();
          assertThat(context.task().status()).isEqualTo(TaskStatus.WORKING);
          assertThatExceptionOfType(InvalidValueException.class)
              .isThrownBy(
                  () -> context.ask("go", InputRequest.of("x"), Boolean.class, Duration.ZERO));
          assertThatExceptionOfType(ValueConversionException.class)
              .isThrownBy(() -> context.ask("go", request, Integer.class, Duration.ZERO));
          return null;
        });
  }

  @Test
  void ask_whileAnotherQuestionTakesTheKey_isRefused() {
    run(
        context -> {
          String id = context.task().id();
          backend.beforeNextWrite =
              () -> other.update(ALICE, id, change().requireInput("k", InputRequest.of("other")));
          assertThatExceptionOfType(InvalidValueException.class)
              .isThrownBy(
                  () -> context.ask("k", InputRequest.of("mine"), String.class, Duration.ZERO));
          assertThat(other.get(ALICE, id).inputRequests())
              .isEqualTo(Map.of("k", InputRequest.of("other")));
          return null;
        });
  }

  @Test
  void ask_ofATaskThatIsToBeCancelled_doesNotWait() {
    Task end =
        run(
            context -> {
              store.requestCancel(ALICE, context.task().id());
              context.ask("k", InputRequest.of("ask"), String.class, Duration.ofDays(1));
              return null;
            });

    assertThat(end.status()).isEqualTo(TaskStatus.CANCELLED);
  }

  @Test
  void ask_thatLosesTheLeaseInItsOwnStoreBeforeItWaits_doesNotWait() {
    run(
        context -> {
          backend.afterNextWrite =
              () -> {
                clock.advance(Duration.ofSeconds(30));
                Task asked = other.get(ALICE, context.task().id());
                assertThat(store.claim(asked, "rival", SECOND)).isPresent();
              };
          assertThatExceptionOfType(LeaseLostException.class)
              .isThrownBy(
                  () -> context.ask("k", InputRequest.of("ask"), String.class, Duration.ofDays(1)));
          return null;
        });
  }

  @Test
  void ask_thatLosesTheLeaseWhileItWaits_doesNotWaitOn() {
    run(
        context -> {
          backend.afterNextWrite =
              () -> {
                clock.advance(Duration.ofSeconds(30));
                Task asked = other.get(ALICE, context.task().id());
                assertThat(other.claim(asked, "rival", SECOND)).isPresent();
              };
          assertThatExceptionOfType(LeaseLostException.class)
              .isThrownBy(
                  () -> context.ask("k", InputRequest.of("ask"), String.class, Duration.ofDays(1)));
          return null;
        });
  }

  // --- closing ------------------------------------------------------------------------------

  @Test
  void close_writesWhatWasCollected_andStopsTheHandler() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              context.set("a", 1);
              store.close();
              assertThatExceptionOfType(TaskStorageException.class)
                  .isThrownBy(() -> context.set("late", 1))
                  .withMessageContaining("closed");
              assertThatExceptionOfType(TaskStorageException.class)
                  .as("the task is as unfinished as it was")
                  .isThrownBy(context::complete)
                  .withMessageContaining("closed");
              return Map.of("late", true);
            });

    Task left = other.get(ALICE, task.id());
    assertThat(left.status()).isEqualTo(TaskStatus.WORKING);
    assertThat(left.variables().asMap()).isEqualTo(Map.of("a", 1L));
    assertThat(left.leaseUntil()).as("the lease runs out by itself").isPresent();
    assertThatExceptionOfType(TaskStorageException.class)
        .isThrownBy(() -> store.get(ALICE, task.id()));
    store.close();
  }

  @Test
  void handlerFailed_goesToTheListeners() {
    assertThat(events).isEmpty();
    IllegalStateException failure = new IllegalStateException("broken");
    GenericTaskStore heard = builder().listener(events::add).build();

    run(
        heard,
        context -> {
          throw failure;
        });
    heard.close();

    assertThat(events)
        .filteredOn(TaskEvent.HandlerFailed.class::isInstance)
        .singleElement()
        .matches(event -> ((TaskEvent.HandlerFailed) event).cause() == failure);
    assertThat(events)
        .extracting(TaskEvent::type)
        .containsExactly("created", "handler_failed", "failed");
  }

  @Test
  void handlerThatFailsAfterTheEnd_isToldOfUnlessItWasToldToStop() {
    IllegalStateException failure = new IllegalStateException("broken");
    GenericTaskStore heard = builder().listener(events::add).build();
    run(
        heard,
        context -> {
          context.complete();
          throw failure;
        });
    run(
        heard,
        context -> {
          context.complete();
          context.set("late", 1);
          return null;
        });
    run(
        heard,
        context -> {
          context.complete();
          throw new InterruptedException();
        });
    heard.close();

    assertThat(events)
        .extracting(TaskEvent::type)
        .containsExactly(
            "created",
            "completed",
            "handler_failed",
            "created",
            "completed",
            "created",
            "completed");
  }

  @Test
  void interruptedHandler_whoseReportIsRefused_givesTheTaskBackWithoutIt() {
    Task task =
        store.start(
            ALICE,
            WORK,
            Runnable::run,
            context -> {
              for (int i = 0; i < 3; i++) {
                context.set("v" + i, Collections.nCopies(15, "x".repeat(30_000)));
              }
              throw new InterruptedException();
            });

    Task left = store.get(ALICE, task.id());
    assertThat(left.worker()).isEmpty();
    assertThat(left.variables().isEmpty()).isTrue();
    assertThat(left.status()).isEqualTo(TaskStatus.WORKING);
  }

  @Test
  void store_isNotMisledByItsOwnEnds_whenTheTaskIsChangedBesides() {
    Task end =
        run(
            context -> {
              other.update(ALICE, context.task().id(), change().set("beside", 1));
              context.set("mine", 2);
              return Map.of("done", true);
            });

    assertThat(end.variables().asMap()).isEqualTo(Map.of("beside", 1L, "mine", 2L));
  }
}
