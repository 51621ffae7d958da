// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Runs two calls in every order of their steps with at most two preemptions, one order after the
 * other. What is run calls {@link #pausePoint} between its steps. Of the two calls only one runs at
 * a time: the leader up to its k-th pause point, then the follower up to its j-th one or to its
 * end, then the leader to its end, then the follower; for all k and j, and for both as the leader.
 * Most defects of concurrent code need no more preemptions than that (Musuvathi and Qadeer 2007).
 *
 * <p>A call that waits for something that the other one holds is seen by the state of its thread;
 * the other then goes on, and the waiting one stops at the next pause point that it gets to. Where
 * a call spins instead, or waits for threads that are not known here, it is given up on after a
 * while in the same way; then both may run for a moment, which costs repeatability and nothing
 * else. Nothing waits without a bound, and no order depends on how fast anything is.
 */
final class Interleavings {
  /** After this many schedules of two preemptions for a leader, only some are taken, spread out. */
  static final int SCHEDULES = 500;

  private static final long DEADLOCK_NANOS = TimeUnit.SECONDS.toNanos(15);
  private static final long POLL_NANOS = TimeUnit.MICROSECONDS.toNanos(100);

  /** How long a thread must be seen to wait for another thread. */
  private static final long WAITING_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

  /** How long a thread that waits for a time must make no progress: it may be polling. */
  private static final long TIMED_NANOS = TimeUnit.MILLISECONDS.toNanos(8);

  /** How long a thread that runs must make no progress: it may be spinning, or reading a socket. */
  private static final long RUNNING_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  /** After this many pause points in one go, a call is taken to spin, and the other goes on. */
  private static final int SPIN_POINTS = 2_000;

  /** Of a call that spins, this many pause points are tried. */
  private static final int TRIED_SPIN_POINTS = 50;

  /** What no two calls have together, unless they never end. */
  private static final int ENDLESS_POINTS = 1_000_000;

  private static final int NEVER = 0;

  /** What a call does. */
  @FunctionalInterface
  interface Body {
    /** Returns the result of the call. */
    Object run() throws Exception;
  }

  /**
   * A call.
   *
   * @param name what it is, for messages
   */
  record Call(String name, Body body) {}

  /** Judges what two calls have done. */
  @FunctionalInterface
  interface Check {
    /** Throws an {@link AssertionError} if it should not have come to this. */
    void check(Outcome outcome) throws Exception;
  }

  /** Makes the same initial state again, and says what is to be run on it. */
  @FunctionalInterface
  interface Trials {
    /** Makes a state of its own for one schedule; runs on the calling thread. */
    Trial next() throws Exception;
  }

  /** Two calls, and the check that follows them on the calling thread. */
  record Trial(Call first, Call second, Check check) {}

  /** Which call was over before the other began. */
  enum Order {
    FIRST_BEFORE_SECOND,
    SECOND_BEFORE_FIRST,
    OVERLAPPING
  }

  /**
   * How one schedule ended.
   *
   * @param first what the first call of the trial returned
   * @param second what the second one returned
   */
  record Outcome(Object first, Object second, Order order) {}

  /**
   * What was explored.
   *
   * @param schedules how many schedules were run
   * @param firstPoints how many pause points the first call has when it runs alone
   * @param secondPoints the same of the second
   * @param waits in how many schedules a call had to wait for the other
   */
  record Explored(int schedules, int firstPoints, int secondPoints, int waits) {}

  private final long deadlockNanos;
  private final int limit;

  Interleavings() {
    this(DEADLOCK_NANOS, SCHEDULES);
  }

  /**
   * Creates a scheduler with bounds of its own.
   *
   * @param deadlockNanos for how long nothing may move before the calls are said to be stuck
   * @param limit how many schedules of two preemptions to run for each leader
   */
  Interleavings(long deadlockNanos, int limit) {
    this.deadlockNanos = deadlockNanos;
    this.limit = limit;
  }

  /** To be called between any two steps. On threads other than those of a trial it does nothing. */
  void pausePoint() {
    if (Thread.currentThread() instanceof Worker worker && worker.run.owner() == this) {
      worker.pause();
    }
  }

  /**
   * Runs every schedule, up to the first that fails.
   *
   * @throws AssertionError if a call throws, if both are stuck, if a check fails, or if neither
   *     call has a pause point; it names the schedule
   */
  Explored explore(Trials trials) throws Exception {
    Explored leading = explore(trials, true);
    Explored following = explore(trials, false);
    if (leading.firstPoints() + following.secondPoints() == 0) {
      throw new AssertionError("The pause point was never reached, by neither of the two calls");
    }
    return new Explored(
        leading.schedules() + following.schedules(),
        leading.firstPoints(),
        following.secondPoints(),
        leading.waits() + following.waits());
  }

  private Explored explore(Trials trials, boolean firstLeads) throws Exception {
    int schedules = 0;
    int waits = 0;
    // The first pass, with one preemption, shows how far the follower comes for each k.
    List<Integer> followerPoints = new ArrayList<>();
    int total = 0;
    boolean stopped = true;
    for (int k = 1; stopped && k <= SPIN_POINTS; k++) {
      Run run = run(trials, firstLeads, k, NEVER);
      schedules++;
      waits += run.waited ? 1 : 0;
      stopped = run.leaderStopped;
      if (stopped) {
        int points = run.followerPoints;
        followerPoints.add(points >= SPIN_POINTS ? TRIED_SPIN_POINTS : points);
        total += followerPoints.get(k - 1);
      }
    }
    int stride = Math.max(1, (total + limit - 1) / limit);
    int number = 0;
    for (int k = 1; k <= followerPoints.size(); k++) {
      for (int j = 1; j <= followerPoints.get(k - 1); j++) {
        if (number++ % stride == 0) {
          Run run = run(trials, firstLeads, k, j);
          schedules++;
          waits += run.waited ? 1 : 0;
        }
      }
    }
    int points = followerPoints.size();
    return new Explored(schedules, firstLeads ? points : 0, firstLeads ? 0 : points, waits);
  }

  private Run run(Trials trials, boolean firstLeads, int k, int j) throws Exception {
    Trial trial = trials.next();
    Run run =
        firstLeads
            ? new Run(this, trial.first(), trial.second())
            : new Run(this, trial.second(), trial.first());
    Object leader;
    Object follower;
    try {
      run.execute(k, j);
      leader = run.leader.result();
      follower = run.follower.result();
    } finally {
      run.release();
    }
    Order order = Order.OVERLAPPING;
    if (!run.leaderStopped) {
      order = firstLeads ? Order.FIRST_BEFORE_SECOND : Order.SECOND_BEFORE_FIRST;
    }
    Outcome outcome =
        firstLeads ? new Outcome(leader, follower, order) : new Outcome(follower, leader, order);
    try {
      trial.check().check(outcome);
    } catch (AssertionError e) {
      throw new AssertionError(e.getMessage() + "\nThe schedule: " + run.story(), e);
    }
    return run;
  }

  /** One schedule. What is not final is guarded by the lock. */
  private static final class Run {
    private enum Ended {
      AT_PAUSE_POINT,
      AT_END,
      WAITING
    }

    private final Interleavings owner;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<String> story = new ArrayList<>();
    final Worker leader;
    final Worker follower;

    /** Who may pass pause points. */
    private @Nullable Worker turn;

    /** Whether everybody may: the schedule is over. */
    private boolean released;

    boolean leaderStopped;
    boolean waited;

    /** How many pause points the follower passed before the leader went on. */
    int followerPoints;

    Run(Interleavings owner, Call leader, Call follower) {
      this.owner = owner;
      this.leader = new Worker(this, leader);
      this.follower = new Worker(this, follower);
    }

    Interleavings owner() {
      return owner;
    }

    void execute(int k, int j) throws InterruptedException {
      leader.start();
      follower.start();
      lock.lock();
      try {
        leader.stopAt = k;
        leaderStopped = letRun(leader, false) == Ended.AT_PAUSE_POINT;
        if (leaderStopped) {
          follower.stopAt = j;
          letRun(follower, true);
          followerPoints = follower.points;
        }
        leader.stopAt = NEVER;
        follower.stopAt = NEVER;
        finish();
      } finally {
        lock.unlock();
      }
    }

    /** Lets both end; each when the other has ended or waits for it. */
    private void finish() throws InterruptedException {
      Worker next = leader;
      int points = -1;
      long since = System.nanoTime();
      while (!(leader.ended && follower.ended)) {
        Worker other = next == leader ? follower : leader;
        if (!next.ended) {
          letRun(next, !other.ended);
        }
        int now = leader.points + follower.points;
        if (now != points || next.ended) {
          points = now;
          since = System.nanoTime();
        } else if (System.nanoTime() - since >= owner.deadlockNanos) {
          throw stuck("Both calls wait for each other");
        }
        if (now > ENDLESS_POINTS) {
          throw stuck("The calls pass one pause point after the other and do not end");
        }
        next = other;
      }
    }

    /**
     * Lets a worker run until it comes to where it must stop, or ends, or waits.
     *
     * @param mayWait whether it can be the other worker that it waits for
     */
    private Ended letRun(Worker worker, boolean mayWait) throws InterruptedException {
      turn = worker;
      worker.turnPoints = 0;
      worker.stopped = false;
      changed.signalAll();
      int points = worker.points;
      long movedAt = System.nanoTime();
      Thread.State state = Thread.State.RUNNABLE;
      long stateSince = movedAt;
      while (true) {
        if (worker.ended) {
          return told(worker, Ended.AT_END);
        }
        if (worker.stopped) {
          return told(worker, Ended.AT_PAUSE_POINT);
        }
        long left = changed.awaitNanos(POLL_NANOS);
        long now = System.nanoTime();
        if (worker.points != points) {
          points = worker.points;
          movedAt = now;
        }
        Thread.State seen = worker.inScheduler ? Thread.State.RUNNABLE : worker.getState();
        if (seen != state) {
          state = seen;
          stateSince = now;
        }
        boolean over = worker.ended || worker.stopped;
        if (left > 0 || over) {
          continue;
        }
        if (!mayWait && now - movedAt >= owner.deadlockNanos) {
          throw stuck(worker.call.name() + " waits though no other call is on its way");
        }
        if (mayWait && waits(state, now - stateSince, now - movedAt)) {
          turn = null;
          waited = true;
          return told(worker, Ended.WAITING);
        }
      }
    }

    private static boolean waits(Thread.State state, long nanosInState, long nanosAtRest) {
      return switch (state) {
        case WAITING, BLOCKED -> nanosInState >= WAITING_NANOS;
        case TIMED_WAITING -> nanosAtRest >= TIMED_NANOS;
        default -> nanosAtRest >= RUNNING_NANOS;
      };
    }

    private Ended told(Worker worker, Ended how) {
      String where =
          switch (how) {
            case AT_END -> "ran to its end";
            case AT_PAUSE_POINT -> "ran to its " + ordinal(worker.points) + " pause point";
            case WAITING ->
                worker.points == 0
                    ? "waited for the other before its first pause point"
                    : "waited for the other after its " + ordinal(worker.points) + " pause point";
          };
      String event = worker.call.name() + " " + where;
      if (!story.contains(event)) {
        story.add(event);
      }
      return how;
    }

    private AssertionError stuck(String what) {
      return new AssertionError(
          what
              + "\nThe schedule: "
              + story()
              + where(leader)
              + where(follower)
              + "\n(after "
              + TimeUnit.NANOSECONDS.toMillis(owner.deadlockNanos)
              + " ms without a step)");
    }

    private static String where(Worker worker) {
      StringBuilder text =
          new StringBuilder("\n" + worker.call.name() + " is " + worker.getState());
      StackTraceElement[] stack = worker.getStackTrace();
      for (int i = 0; i < Math.min(12, stack.length); i++) {
        text.append("\n    at ").append(stack[i]);
      }
      return text.toString();
    }

    String story() {
      return String.join(", ", story);
    }

    /** Lets go of threads that have not ended; those of a schedule that went well have. */
    void release() {
      lock.lock();
      try {
        released = true;
        changed.signalAll();
        for (Worker worker : List.of(leader, follower)) {
          if (!worker.ended) {
            worker.interrupt();
          }
        }
      } finally {
        lock.unlock();
      }
    }
  }

  /** The thread of one call. What is not final is guarded by the lock of the run. */
  private static final class Worker extends Thread {
    private final Run run;
    private final Call call;
    private @Nullable Object result;
    private @Nullable Throwable failure;

    /** The pause points that were reached. */
    private int points;

    /** The same since it was this worker's turn. */
    private int turnPoints;

    private int stopAt = NEVER;

    /** Whether it must not go on. At first it must not begin. */
    private boolean stopped = true;

    private boolean ended;

    /** Whether it is in the code of this class, so that its state says nothing about the call. */
    private volatile boolean inScheduler = true;

    Worker(Run run, Call call) {
      super("interleaved " + call.name());
      this.run = run;
      this.call = call;
      setDaemon(true);
    }

    @Override
    public void run() {
      run.lock.lock();
      try {
        awaitTurn();
        if (run.released) {
          return;
        }
      } finally {
        run.lock.unlock();
      }
      Object returned = null;
      Throwable thrown = null;
      inScheduler = false;
      try {
        returned = call.body().run();
      } catch (Throwable e) {
        thrown = e;
      }
      inScheduler = true;
      run.lock.lock();
      try {
        result = returned;
        failure = thrown;
        ended = true;
        run.changed.signalAll();
      } finally {
        run.lock.unlock();
      }
    }

    void pause() {
      inScheduler = true;
      run.lock.lock();
      try {
        points++;
        turnPoints++;
        if (run.turn != this || points == stopAt || turnPoints >= SPIN_POINTS) {
          stopped = true;
          run.changed.signalAll();
          awaitTurn();
        }
      } finally {
        run.lock.unlock();
        inScheduler = false;
      }
    }

    private void awaitTurn() {
      while (stopped && !run.released) {
        // The run ends in a bounded time, and releases everybody then.
        run.changed.awaitUninterruptibly();
      }
    }

    Object result() {
      run.lock.lock();
      try {
        if (failure != null) {
          throw new AssertionError(
              "%s threw %s\nThe schedule: %s".formatted(call.name(), failure, run.story()),
              failure);
        }
        return Objects.requireNonNull(result, "the result of a call");
      } finally {
        run.lock.unlock();
      }
    }
  }

  private static String ordinal(int number) {
    int lastTwo = number % 100;
    String ending =
        lastTwo >= 11 && lastTwo <= 13
            ? "th"
            : switch (number % 10) {
              case 1 -> "st";
              case 2 -> "nd";
              case 3 -> "rd";
              default -> "th";
            };
    return number + ending;
  }
}
