// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.TaskEvents.Ticket;
import io.taskstore.spi.RecordKey;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.ResourceBundle;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TaskEventsTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Owner ALICE = Owner.subject("alice");
  private static final RecordKey KEY = new RecordKey("p", "id");
  private static final RecordKey OTHER_KEY = new RecordKey("p", "other");
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Duration SHORT = Duration.ofMillis(200);

  /** What there is of a task does not matter here, but for its version. */
  private final Task any =
      GenericTaskStore.over(new MapBackend()).create(ALICE, NewTask.of("method"));

  private final MovableClock clock = new MovableClock();
  private final RecordingLogger logger = new RecordingLogger();
  private final Recorder recorder = new Recorder();
  private final List<TaskEvents> opened = new ArrayList<>();
  private final TaskEvents events = over(recorder);

  /** Hears, and hands over to the test. */
  private static final class Recorder implements TaskListener {
    private final BlockingQueue<TaskEvent> heard = new LinkedBlockingQueue<>();
    private volatile @Nullable Thread thread;

    @Override
    public void onEvent(TaskEvent event) {
      thread = Thread.currentThread();
      heard.add(event);
    }

    TaskEvent next() throws InterruptedException {
      TaskEvent event = heard.poll(LONG.toSeconds(), TimeUnit.SECONDS);
      assertThat(event).as("an event in time").isNotNull();
      return event;
    }

    /** The versions of the next events; 0 for what has none. */
    List<Long> nextVersions(int count) throws InterruptedException {
      List<Long> versions = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        versions.add(version(next()));
      }
      return versions;
    }

    /** Everything that was heard and not asked for. */
    List<TaskEvent> rest() {
      List<TaskEvent> rest = new ArrayList<>();
      heard.drainTo(rest);
      return rest;
    }
  }

  /** Hears an event for each permit. */
  private static final class Gated implements TaskListener {
    private final Semaphore permits = new Semaphore(0);
    private final CountDownLatch entered = new CountDownLatch(1);
    private final Recorder recorder = new Recorder();

    @Override
    public void onEvent(TaskEvent event) {
      entered.countDown();
      permits.acquireUninterruptibly();
      recorder.onEvent(event);
    }
  }

  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // throws what no method declares
  private static <E extends Throwable> void sneakyThrow(Throwable failure) throws E {
    throw (E) failure;
  }

  private static long version(TaskEvent event) {
    return event instanceof TaskEvent.Write write ? write.task().version() : 0;
  }

  private TaskEvent written(long version) {
    return new TaskEvent.Updated(
        NOW, new Task(ALICE, any.state(), version, null, new ValueReader(ValueFixtures.MAPPER)));
  }

  private static TaskEvent deleted() {
    return new TaskEvent.Deleted(NOW, ALICE, "id");
  }

  private static TaskEvent purged(int count) {
    return new TaskEvent.Purged(NOW, count);
  }

  private TaskEvents over(TaskListener... listeners) {
    return over(LONG, LONG, listeners);
  }

  private TaskEvents over(Duration idle, Duration closing, TaskListener... listeners) {
    TaskEvents made = new TaskEvents(List.of(listeners), clock, idle, closing, logger);
    opened.add(made);
    return made;
  }

  private static void await(CountDownLatch latch) throws InterruptedException {
    assertThat(latch.await(LONG.toSeconds(), TimeUnit.SECONDS)).isTrue();
  }

  /** Starts to close on another thread, and returns when that waits. */
  private static Thread closing(Runnable close) {
    Thread thread = new Thread(close);
    thread.start();
    long deadline = System.nanoTime() + LONG.toNanos();
    while (thread.getState() != Thread.State.TIMED_WAITING) {
      assertThat(thread.isAlive() && System.nanoTime() < deadline).as("it waits").isTrue();
      Thread.onSpinWait();
    }
    return thread;
  }

  private static void join(Thread thread) throws InterruptedException {
    thread.join(LONG.toMillis());
    assertThat(thread.isAlive()).as("%s is alive", thread.getName()).isFalse();
  }

  @AfterEach
  void close() {
    opened.forEach(TaskEvents::close);
  }

  // --- order --------------------------------------------------------------------------------

  @Test
  void committed_inTheOtherOrder_isHeardByVersion() throws Exception {
    Ticket second = events.begin(KEY);
    Ticket third = events.begin(KEY);

    events.committed(third, written(3));
    events.committed(second, written(2));

    assertThat(recorder.nextVersions(2)).containsExactly(2L, 3L);
    assertThat(events.lanes()).isZero();
  }

  @Test
  void committed_byTheWriteThatBeganLater_mayBeTheLowerVersion() throws Exception {
    Ticket first = events.begin(KEY);
    Ticket second = events.begin(KEY);

    events.committed(first, written(3));
    events.committed(second, written(2));

    assertThat(recorder.nextVersions(2)).containsExactly(2L, 3L);
  }

  @Test
  void committed_afterVersionsOfOtherStores_doesNotWaitForThem() throws Exception {
    events.committed(events.begin(KEY), written(2));
    events.committed(events.begin(KEY), written(7));

    assertThat(recorder.nextVersions(2)).containsExactly(2L, 7L);
    assertThat(events.lanes()).isZero();
  }

  @Test
  void committed_whileAYoungerWriteIsUnderWay_waitsForOlderOnesOnly() throws Exception {
    Ticket second = events.begin(KEY);
    Ticket third = events.begin(KEY);
    events.committed(third, written(3));
    Ticket younger = events.begin(KEY);

    // Both go now, the lower one first, though that one came while the younger was under way.
    events.committed(second, written(2));

    assertThat(recorder.nextVersions(2)).containsExactly(2L, 3L);
    assertThat(events.lanes()).isEqualTo(1);
    events.withdrawn(younger);
    assertThat(events.lanes()).isZero();
  }

  @Test
  void withdrawn_olderWrite_freesWhatWaitedForIt() throws Exception {
    Ticket lost = events.begin(KEY);
    events.committed(events.begin(KEY), written(2));

    events.withdrawn(lost);

    assertThat(recorder.nextVersions(1)).containsExactly(2L);
    assertThat(events.lanes()).isZero();
  }

  @Test
  void committed_byWritersThatOverlapWithoutEnd_isHeardOneWriteLater() throws Exception {
    int writes = 2 * TaskEvents.CAPACITY;
    Ticket current = events.begin(KEY);
    for (long version = 1; version <= writes; version++) {
      Ticket next = events.begin(KEY);
      events.committed(current, written(version));
      current = next;
      if (version > 1) {
        assertThat(recorder.nextVersions(1)).containsExactly(version - 1);
      }
    }
    events.withdrawn(current);

    assertThat(recorder.nextVersions(1)).containsExactly((long) writes);
    assertThat(events.lanes()).isZero();
  }

  @Test
  void committed_ofAnotherTask_doesNotWait() throws Exception {
    Ticket hanging = events.begin(KEY);
    events.committed(events.begin(KEY), written(3));

    events.committed(events.begin(OTHER_KEY), written(5));

    assertThat(recorder.nextVersions(1)).containsExactly(5L);
    events.withdrawn(hanging);
    assertThat(recorder.nextVersions(1)).containsExactly(3L);
  }

  @Test
  void committed_deletion_isHeardLast() throws Exception {
    Ticket update = events.begin(KEY);
    Ticket last = events.begin(KEY);
    Ticket delete = events.begin(KEY);

    events.committed(delete, deleted());
    events.committed(last, written(9));
    events.committed(update, written(8));

    assertThat(recorder.nextVersions(2)).containsExactly(8L, 9L);
    assertThat(recorder.next()).isInstanceOf(TaskEvent.Deleted.class);
  }

  @Test
  void tell_whileEventsAreHeldBack_isHeardAtOnce() throws Exception {
    Ticket older = events.begin(KEY);
    events.committed(events.begin(KEY), written(2));
    TaskEvent retried = new TaskEvent.ConflictRetried(NOW, ALICE, "id", 1);

    events.tell(retried);

    assertThat(recorder.next()).isSameAs(retried);
    events.withdrawn(older);
    assertThat(version(recorder.next())).isEqualTo(2);
  }

  @Test
  void ticket_endedTwice_countsOnce() throws Exception {
    Ticket ticket = events.begin(KEY);
    Ticket other = events.begin(KEY);

    events.committed(ticket, written(2));
    events.committed(ticket, written(2));
    events.withdrawn(ticket);
    events.withdrawn(other);
    events.committed(ticket, written(2));
    events.tell(purged(1));

    assertThat(recorder.nextVersions(2)).containsExactly(2L, 0L);
    assertThat(events.lanes()).isZero();
  }

  @Test
  void committed_behindAWriteThatHangs_isDroppedBeyondTheCapacity() throws Exception {
    Ticket hanging = events.begin(KEY);
    for (long version = 2; version <= TaskEvents.CAPACITY + 3; version++) {
      events.committed(events.begin(KEY), written(version));
    }
    long dropped = 0;
    while (dropped < 2) {
      dropped += ((TaskEvent.Dropped) recorder.next()).count();
    }

    events.withdrawn(hanging);

    assertThat(recorder.nextVersions(TaskEvents.CAPACITY))
        .isSorted()
        .startsWith(2L)
        .endsWith(TaskEvents.CAPACITY + 1L);
    assertThat(dropped).isEqualTo(2);
    assertThat(events.lanes()).isZero();
  }

  /** A write as the model sees it: announced, then perhaps done, then reported. */
  private record Write(Ticket ticket, AtomicLong version) {}

  @Test
  void order_anyInterleaving_isByVersionAndWaitsForOlderWritesOnly() throws Exception {
    for (int seed = 0; seed < 500; seed++) {
      Random random = new Random(seed);
      RecordKey key = new RecordKey("p", "seed-" + seed);
      List<Write> underWay = new ArrayList<>();
      Map<Long, Set<Ticket>> waitsFor = new HashMap<>();
      List<Long> heard = new ArrayList<>();
      long version = 0;
      for (int step = 0; step < 60 || !underWay.isEmpty(); step++) {
        int choice = random.nextInt(step < 60 ? 3 : 2);
        Write write = underWay.isEmpty() ? null : underWay.get(random.nextInt(underWay.size()));
        if (choice == 2 && underWay.size() < 6) {
          underWay.add(new Write(events.begin(key), new AtomicLong()));
        } else if (write != null && choice == 1 && write.version().get() == 0) {
          version += 1 + random.nextInt(2); // other stores write too
          write.version().set(version);
        } else if (write != null) {
          underWay.remove(write);
          waitsFor.values().forEach(older -> older.remove(write.ticket()));
          long written = write.version().get();
          if (written == 0) {
            events.withdrawn(write.ticket());
          } else {
            Set<Ticket> older = new HashSet<>();
            underWay.forEach(other -> older.add(other.ticket()));
            waitsFor.put(written, older);
            events.committed(write.ticket(), written(written));
          }
        }
        // What waits for nothing must come now; what has a lower version may come with it.
        waitsFor.keySet().removeAll(heard);
        while (waitsFor.values().stream().anyMatch(Set::isEmpty)) {
          heard.add(version(recorder.next()));
          waitsFor.keySet().removeAll(heard);
        }
      }
      assertThat(heard).as("seed %d", seed).isSorted().doesNotHaveDuplicates();
      assertThat(recorder.rest()).isEmpty();
    }
    assertThat(events.lanes()).isZero();
  }

  @Test
  void order_manyThreadsOnOneTask_isByVersion() throws Exception {
    int threads = 4;
    int each = 2_000;
    AtomicLong storage = new AtomicLong();
    List<Thread> writers = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      Random random = new Random(i);
      Thread writer =
          new Thread(
              () -> {
                for (int n = 0; n < each; n++) {
                  Ticket ticket = events.begin(KEY);
                  if (random.nextInt(4) == 0) {
                    events.withdrawn(ticket);
                    continue;
                  }
                  long version = storage.incrementAndGet();
                  if (random.nextBoolean()) {
                    LockSupport.parkNanos(1); // so that others come first
                  }
                  events.committed(ticket, written(version));
                }
              });
      writers.add(writer);
      writer.start();
    }
    for (Thread writer : writers) {
      join(writer);
    }

    assertThat(recorder.nextVersions((int) storage.get())).isSorted().startsWith(1L);
    assertThat(recorder.rest()).isEmpty();
    assertThat(events.lanes()).isZero();
  }

  // --- listeners ----------------------------------------------------------------------------

  @Test
  void silent_withoutListeners_makesNothing() {
    TaskEvents silent = over();

    Ticket ticket = silent.begin(KEY);

    assertThat(silent.isSilent()).isTrue();
    assertThat(events.isSilent()).isFalse();
    assertThat(ticket).isSameAs(silent.begin(OTHER_KEY));
    assertThat(silent.lanes()).isZero();
    silent.committed(ticket, written(1));
    silent.withdrawn(ticket);
    silent.tell(purged(1));
  }

  @Test
  void thread_ofAListener_isItsOwnDaemonAndEndsWhenIdle() throws Exception {
    TaskEvents idling = over(Duration.ofMillis(1), LONG, recorder);

    idling.tell(purged(1));
    recorder.next();
    Thread first = recorder.thread;
    join(first);
    idling.tell(purged(2));
    recorder.next();

    assertThat(first.isDaemon()).isTrue();
    assertThat(first.getName()).isEqualTo("taskstore-listener-1");
    assertThat(recorder.thread).isNotSameAs(first).isNotSameAs(Thread.currentThread());
  }

  @Test
  void thread_ofAListener_inheritsNothingOfTheWriter() throws Exception {
    InheritableThreadLocal<String> local = new InheritableThreadLocal<>();
    AtomicReference<@Nullable String> inherited = new AtomicReference<>("nothing heard");
    CountDownLatch heard = new CountDownLatch(1);
    TaskEvents asking =
        over(
            event -> {
              inherited.set(local.get());
              heard.countDown();
            });
    local.set("of the writer");

    asking.tell(purged(1));

    await(heard);
    assertThat(inherited.get()).isNull();
    local.remove();
  }

  @Test
  void listener_thatThrows_hearsTheNextEvent_andDisturbsNobody() throws Exception {
    List<Throwable> failures =
        List.of(
            new IllegalStateException("failure"),
            new AssertionError("error"),
            new StackOverflowError(),
            new OutOfMemoryError("thrown"));
    Recorder failing = new Recorder();
    AtomicReference<Boolean> disturbed = new AtomicReference<>(false);
    TaskListener thrower =
        event -> {
          if (Thread.interrupted()) {
            disturbed.set(true);
          }
          failing.onEvent(event);
          Thread.currentThread().interrupt();
          int number = ((TaskEvent.Purged) event).count() - 1;
          if (number < failures.size()) {
            TaskEventsTest.<RuntimeException>sneakyThrow(failures.get(number));
          }
        };
    TaskEvents both = over(thrower, recorder);

    for (int i = 1; i <= 5; i++) {
      both.tell(purged(i));
    }

    for (int i = 1; i <= 5; i++) {
      assertThat(failing.next()).isEqualTo(purged(i));
      assertThat(recorder.next()).isEqualTo(purged(i));
    }
    assertThat(disturbed.get()).isFalse();
  }

  @Test
  void listener_thatKeepsThrowing_isLoggedOnceAMinute() throws Exception {
    IllegalStateException failure = new IllegalStateException("failure");
    TaskListener thrower =
        event -> {
          recorder.onEvent(event);
          if (event instanceof TaskEvent.Purged) {
            throw failure;
          }
        };
    TaskEvents throwing = over(thrower);
    for (int i = 1; i <= 3; i++) {
      throwing.tell(purged(i));
    }
    throwing.tell(deleted());
    recorder.nextVersions(4); // so the failures before the last event are over
    clock.advance(Duration.ofSeconds(60));
    throwing.tell(purged(4));
    throwing.close();

    String message =
        "Listener " + thrower.getClass().getName() + " failed on an event of type purged";
    assertThat(logger.entries())
        .containsExactly(
            new RecordingLogger.Entry(System.Logger.Level.WARNING, message, failure),
            new RecordingLogger.Entry(
                System.Logger.Level.WARNING, message + " (and 2 times more before this)", failure));
  }

  @Test
  void listener_thatIsTooSlow_hearsHowManyItMissed_whereTheyAreMissing() throws Exception {
    Gated slow = new Gated();
    TaskEvents full = over(slow, recorder);
    full.tell(purged(1));
    await(slow.entered);
    for (int i = 2; i <= TaskEvents.CAPACITY + 6; i++) {
      full.tell(purged(i));
      recorder.next(); // the other one hears them all
    }
    slow.permits.release(2);
    assertThat(slow.recorder.next()).isEqualTo(purged(1));
    assertThat(slow.recorder.next()).isEqualTo(purged(2));
    full.tell(purged(-1));
    slow.permits.release(TaskEvents.CAPACITY + 10);

    for (int i = 3; i <= TaskEvents.CAPACITY + 1; i++) {
      assertThat(slow.recorder.next()).isEqualTo(purged(i));
    }
    assertThat(slow.recorder.next()).isEqualTo(new TaskEvent.Dropped(NOW, 5));
    assertThat(slow.recorder.next()).isEqualTo(purged(-1));
    assertThat(logger.messages())
        .containsExactly(
            "Listener "
                + Gated.class.getName()
                + " is too slow: it does not hear of some events, since 10000 are waiting");
  }

  @Test
  void listener_thatMissedTheLastEvents_hearsOfIt() throws Exception {
    Gated slow = new Gated();
    TaskEvents full = over(slow);
    full.tell(purged(1));
    await(slow.entered);
    for (int i = 2; i <= TaskEvents.CAPACITY + 3; i++) {
      full.tell(purged(i));
      clock.advance(Duration.ofMinutes(1));
    }
    slow.permits.release(TaskEvents.CAPACITY + 10);

    slow.recorder.nextVersions(TaskEvents.CAPACITY + 1);
    assertThat(slow.recorder.next()).isEqualTo(new TaskEvent.Dropped(NOW, 2));
    assertThat(logger.messages()).hasSize(1);
  }

  @Test
  void listener_thatWrites_hearsOfItsOwnWrites() throws Exception {
    AtomicReference<TaskEvents> itself = new AtomicReference<>();
    TaskListener writing =
        event -> {
          recorder.onEvent(event);
          if (version(event) == 1) {
            itself.get().committed(itself.get().begin(KEY), written(2));
          }
        };
    itself.set(over(writing));

    itself.get().committed(itself.get().begin(KEY), written(1));

    assertThat(recorder.nextVersions(2)).containsExactly(1L, 2L);
  }

  @Test
  void log_thatThrows_harmsNeitherWriterNorListener() throws Exception {
    System.Logger broken =
        new System.Logger() {
          @Override
          public String getName() {
            return "broken";
          }

          @Override
          public boolean isLoggable(Level level) {
            throw new AssertionError("log");
          }

          @Override
          public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
            throw new AssertionError("log");
          }

          @Override
          public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
            throw new AssertionError("log");
          }
        };
    Gated slow = new Gated();
    TaskListener failing =
        event -> {
          slow.onEvent(event);
          throw new IllegalStateException("failure");
        };
    TaskEvents unlogged = new TaskEvents(List.of(failing), clock, LONG, LONG, broken);
    opened.add(unlogged);

    for (int i = 0; i < TaskEvents.CAPACITY + 5; i++) {
      unlogged.tell(purged(1));
    }
    slow.permits.release(TaskEvents.CAPACITY + 10);

    slow.recorder.nextVersions(TaskEvents.CAPACITY);
  }

  // --- closing ------------------------------------------------------------------------------

  @Test
  void close_whileEventsWait_deliversThem() throws Exception {
    Gated slow = new Gated();
    TaskEvents waiting = over(slow);
    waiting.tell(purged(1));
    waiting.tell(purged(2));
    await(slow.entered);

    Thread closer = closing(waiting::close);
    slow.permits.release(2);
    join(closer);

    assertThat(slow.recorder.rest()).containsExactly(purged(1), purged(2));
    assertThat(logger.messages()).isEmpty();
    join(slow.recorder.thread);
  }

  @Test
  void close_whileAWriteIsUnderWay_tellsOfItToo() throws Exception {
    Ticket ticket = events.begin(KEY);

    Thread closer = closing(events::close);
    events.committed(ticket, written(2));
    join(closer);

    assertThat(recorder.nextVersions(1)).containsExactly(2L);
  }

  @Test
  void close_whileAWriteHangs_tellsOfTheOthersInOrder() throws Exception {
    TaskEvents closed = over(LONG, SHORT, recorder);
    Ticket hanging = closed.begin(KEY);
    Ticket third = closed.begin(KEY);
    Ticket fourth = closed.begin(KEY);
    closed.committed(fourth, written(4));
    closed.committed(third, written(3));

    closed.close();
    closed.committed(hanging, written(2));

    assertThat(recorder.rest()).extracting(TaskEventsTest::version).containsExactly(3L, 4L);
    assertThat(closed.lanes()).isZero();
  }

  @Test
  void close_whileAListenerBlocksForEver_givesUpAndInterruptsIt() throws Exception {
    CountDownLatch entered = new CountDownLatch(1);
    CountDownLatch interrupted = new CountDownLatch(1);
    TaskListener blocking =
        event -> {
          entered.countDown();
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException e) {
            interrupted.countDown();
          }
        };
    TaskEvents stuck = over(LONG, SHORT, blocking, recorder);
    for (int i = 1; i <= 3; i++) {
      stuck.tell(purged(i));
    }
    await(entered);

    Thread closer = new Thread(stuck::close);
    closer.start();
    join(closer);

    await(interrupted);
    assertThat(recorder.rest()).hasSize(3);
    assertThat(logger.messages())
        .singleElement()
        .asString()
        .endsWith("was too slow to hear of the last 2 events");
  }

  @Test
  void close_byAnInterruptedThread_deliversAndStaysInterrupted() throws Exception {
    Gated slow = new Gated();
    TaskEvents waiting = over(slow);
    waiting.tell(purged(1));
    Ticket ticket = waiting.begin(KEY);
    await(slow.entered);
    AtomicReference<Boolean> flag = new AtomicReference<>();
    Thread closer =
        closing(
            () -> {
              Thread.currentThread().interrupt();
              waiting.close();
              flag.set(Thread.currentThread().isInterrupted());
            });
    waiting.committed(ticket, written(2));
    slow.permits.release(2);
    join(closer);

    assertThat(slow.recorder.rest()).extracting(TaskEventsTest::version).containsExactly(0L, 2L);
    assertThat(flag.get()).isTrue();
  }

  @Test
  void close_byAListener_returns_andItHearsTheRest() throws Exception {
    AtomicReference<TaskEvents> itself = new AtomicReference<>();
    Gated closer = new Gated();
    TaskListener closing =
        event -> {
          closer.onEvent(event);
          itself.get().close();
        };
    itself.set(over(closing));
    itself.get().tell(purged(1));
    itself.get().tell(purged(2));
    closer.permits.release(2);

    assertThat(closer.recorder.next()).isEqualTo(purged(1));
    assertThat(closer.recorder.next()).isEqualTo(purged(2));
    join(closer.recorder.thread);
  }

  @Test
  void close_again_doesNothing_andLaterEventsAreDropped() {
    events.close();
    events.close();

    events.tell(purged(1));
    events.committed(events.begin(KEY), written(1));

    assertThat(events.lanes()).isZero();
    assertThat(events.begin(KEY)).isSameAs(events.begin(OTHER_KEY));
    assertThat(recorder.rest()).isEmpty();
  }
}
