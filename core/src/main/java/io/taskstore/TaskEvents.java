// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.RecordKey;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Delivers what happens in one store to its listeners, in the order of versions for each task.
 * Nothing here runs a listener on the caller's thread, waits for one, or throws.
 *
 * <p>Two threads can write versions 2 and 3 of a task, and come here in the other order. That
 * version 3 is here and 2 is not does not mean that 2 will come: another store may have written it.
 * So every write is announced by a ticket before it is sent, and an event waits for the writes of
 * its task that were announced before it came and are still under way. Those announced later have
 * higher versions, since this one was acknowledged before they were sent. So nothing waits for ever
 * while writers overlap without end, and nothing is kept for a task that nobody writes.
 */
final class TaskEvents {
  /*
   * Why an event may be told together with one that it overtook, though writes announced before it
   * came are still under way: let the event of version 3 be free, and that of version 2 have come
   * later, while 3 was held back. The writes under way were announced after 3 had come, or 3 would
   * not be free; so they are above 3, and far above 2.
   */

  /** The most events that wait for a listener, or for a write of their task. */
  static final int CAPACITY = 10_000;

  private static final Duration IDLE = Duration.ofSeconds(10);
  private static final Duration CLOSING = Duration.ofSeconds(5);

  /** A write that is under way. It ends once; to end it again does nothing. */
  static final class Ticket {
    private static final Ticket NONE = new Ticket();

    private @Nullable Lane lane;
    private long number;
  }

  /** An event that waits for older writes of its task. */
  private static final class Held {
    private final TaskEvent event;
    private final long version;
    private final long number;
    private boolean told;

    Held(TaskEvent event, long number) {
      this.event = event;
      // What has no version is the deletion, after which there are no versions.
      this.version =
          event instanceof TaskEvent.Write write ? write.task().version() : Long.MAX_VALUE;
      this.number = number;
    }

    static final Comparator<Held> BY_VERSION =
        Comparator.<Held>comparingLong(held -> held.version).thenComparingLong(held -> held.number);
  }

  /** The writes under way of one task, and the events held back; guarded by the map's lock. */
  private static final class Lane {
    private final RecordKey key;
    private final LinkedHashSet<Ticket> underWay = new LinkedHashSet<>(2);
    private final ArrayDeque<Held> byArrival = new ArrayDeque<>(1);
    private final PriorityQueue<Held> byVersion = new PriorityQueue<>(1, Held.BY_VERSION);

    /** Counts tickets and events together, so their numbers tell which came first. */
    private long last;

    Lane(RecordKey key) {
      this.key = key;
    }

    void begin(Ticket ticket) {
      ticket.lane = this;
      ticket.number = ++last;
      underWay.add(ticket);
    }

    boolean isFull() {
      return byArrival.size() >= CAPACITY;
    }

    void hold(TaskEvent event) {
      Held held = new Held(event, ++last);
      byArrival.add(held);
      byVersion.add(held);
    }

    /** Tells the events that nothing older can come before any more. */
    void release(Consumer<TaskEvent> out) {
      releaseBefore(underWay.isEmpty() ? Long.MAX_VALUE : underWay.iterator().next().number, out);
    }

    void releaseBefore(long number, Consumer<TaskEvent> out) {
      Held first = byArrival.peek();
      while (first != null && first.number < number) {
        byArrival.remove();
        while (!first.told) {
          Held lowest = byVersion.remove();
          lowest.told = true;
          out.accept(lowest.event);
        }
        first = byArrival.peek();
      }
    }

    boolean isEmpty() {
      return underWay.isEmpty() && byArrival.isEmpty();
    }
  }

  private final List<ListenerQueue> queues;
  private final long closingNanos;
  private final ConcurrentHashMap<RecordKey, Lane> lanes = new ConcurrentHashMap<>();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition noWrites = lock.newCondition();
  private volatile boolean closing;
  private volatile boolean closed;

  TaskEvents(List<TaskListener> listeners, Clock clock) {
    this(listeners, clock, IDLE, CLOSING, System.getLogger(TaskListener.class.getName()));
  }

  TaskEvents(
      List<TaskListener> listeners,
      Clock clock,
      Duration idle,
      Duration closing,
      System.Logger logger) {
    List<ListenerQueue> all = new ArrayList<>();
    for (TaskListener listener : listeners) {
      String threadName = "taskstore-listener-" + (all.size() + 1);
      all.add(new ListenerQueue(listener, threadName, clock, idle, logger));
    }
    this.queues = List.copyOf(all);
    this.closingNanos = closing.toNanos();
  }

  /** Whether there are no listeners. Then there is no need to make an event. */
  boolean isSilent() {
    return queues.isEmpty();
  }

  /**
   * Announces a write, before it is sent to the storage. The ticket must be given to {@link
   * #committed} or {@link #withdrawn}, whatever happens.
   */
  Ticket begin(RecordKey key) {
    if (isSilent() || closed) {
      return Ticket.NONE;
    }
    Ticket ticket = new Ticket();
    lanes.compute(
        key,
        (same, current) -> {
          Lane lane = current == null ? new Lane(key) : current;
          lane.begin(ticket);
          return lane;
        });
    return ticket;
  }

  /** The write has succeeded. */
  void committed(Ticket ticket, TaskEvent event) {
    end(ticket, event);
  }

  /** Nothing was written, or nobody knows, or nobody is to hear of it. */
  void withdrawn(Ticket ticket) {
    end(ticket, null);
  }

  private void end(Ticket ticket, @Nullable TaskEvent event) {
    Lane lane = ticket.lane;
    if (lane == null) {
      return;
    }
    lanes.computeIfPresent(
        lane.key,
        (key, current) -> {
          if (current != lane || !lane.underWay.remove(ticket)) {
            return current; // it has ended already
          }
          if (event != null && lane.isFull()) {
            for (ListenerQueue queue : queues) {
              queue.leaveOut(event);
            }
          } else if (event != null) {
            lane.hold(event);
          }
          lane.release(this::enqueue);
          return lane.isEmpty() ? null : lane;
        });
    report();
    if (closing) {
      signalIfNoWrites();
    }
  }

  /** Tells of something that is no write. */
  void tell(TaskEvent event) {
    enqueue(event);
    report();
  }

  private void enqueue(TaskEvent event) {
    for (ListenerQueue queue : queues) {
      queue.offer(event);
    }
  }

  /** Logs what is to be logged, after all locks are released: a log may be slow. */
  private void report() {
    for (ListenerQueue queue : queues) {
      queue.reportDropping();
    }
  }

  /** How many tasks have writes under way or events held back. */
  int lanes() {
    return lanes.size();
  }

  /**
   * Waits a moment for the writes under way, and for the listeners to hear of everything; then
   * gives up. What comes afterwards is dropped. A listener that calls this hears what waits for it
   * when it returns.
   */
  void close() {
    lock.lock();
    try {
      if (closing) {
        return;
      }
      closing = true;
    } finally {
      lock.unlock();
    }
    long begin = System.nanoTime();
    // A write that hangs must not take the time of the events that are here.
    boolean interrupted = awaitNoWrites(begin + closingNanos / 2);
    closed = true;
    for (RecordKey key : lanes.keySet()) {
      lanes.computeIfPresent(
          key,
          (same, lane) -> {
            lane.releaseBefore(Long.MAX_VALUE, this::enqueue);
            return null;
          });
    }
    report();
    queues.forEach(ListenerQueue::refuse);
    for (ListenerQueue queue : queues) {
      interrupted |= queue.finish(begin + closingNanos);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean awaitNoWrites(long deadline) {
    boolean interrupted = false;
    lock.lock();
    try {
      long left = deadline - System.nanoTime();
      while (!lanes.isEmpty() && left > 0) {
        try {
          left = noWrites.awaitNanos(left);
        } catch (InterruptedException e) {
          interrupted = true;
          left = deadline - System.nanoTime();
        }
      }
    } finally {
      lock.unlock();
    }
    return interrupted;
  }

  private void signalIfNoWrites() {
    if (lanes.isEmpty()) {
      lock.lock();
      try {
        noWrites.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }
}
