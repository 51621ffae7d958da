// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The calls on one key, as their callers saw them: what is judged by {@link Linearizability}. Any
 * number of threads may add calls; the list of them is for afterwards.
 */
final class History {
  /** The return stamp of a call that was never answered. */
  static final long NEVER = Long.MAX_VALUE;

  /**
   * What a key holds.
   *
   * @param version {@link StorageBackend#ABSENT} if nothing
   * @param writeId empty if nothing
   */
  record State(long version, String writeId) {
    static final State ABSENT = new State(StorageBackend.ABSENT, "");

    static State of(@Nullable VersionedRecord stored) {
      return stored == null ? ABSENT : new State(stored.version(), stored.value().writeId());
    }

    boolean isAbsent() {
      return version == StorageBackend.ABSENT;
    }

    @Override
    public String toString() {
      return isAbsent() ? "absent" : "version " + version + " by " + writeId;
    }
  }

  /** What was asked for. */
  sealed interface Operation {
    /** The expected version, -1 if there is none. */
    long expected();
  }

  /** {@link StorageBackend#putIfVersion}; no other call of the history has this write id. */
  record Put(long expected, String writeId) implements Operation {
    @Override
    public String toString() {
      return "put(expected " + expected + ", " + writeId + ")";
    }
  }

  /** {@link StorageBackend#deleteIfVersion}. */
  record Delete(long expected) implements Operation {
    @Override
    public String toString() {
      return "delete(expected " + expected + ")";
    }
  }

  /** {@link StorageBackend#get}. */
  record Get() implements Operation {
    @Override
    public long expected() {
      return -1;
    }

    @Override
    public String toString() {
      return "get()";
    }
  }

  /** What the caller was told. */
  sealed interface Outcome {}

  /** The put took effect. */
  record Wrote(long version) implements Outcome {
    @Override
    public String toString() {
      return "wrote version " + version;
    }
  }

  /** The delete took effect. */
  record Removed() implements Outcome {
    @Override
    public String toString() {
      return "deleted";
    }
  }

  /** The put or delete had no effect, since something else was stored. */
  record Lost(State winner) implements Outcome {
    @Override
    public String toString() {
      return "conflict with " + winner;
    }
  }

  /** The answer to the get. */
  record Saw(State state) implements Outcome {
    @Override
    public String toString() {
      return "read " + state;
    }
  }

  /** The write takes effect at some time after its invocation, however late, or never. */
  record Unknown() implements Outcome {
    @Override
    public String toString() {
      return "outcome unknown";
    }
  }

  /** The call is known to have had no effect, and says nothing about the key. */
  record Failed(String why) implements Outcome {
    @Override
    public String toString() {
      return "failed: " + why;
    }
  }

  /** What no backend may do, whatever the other calls say. */
  sealed interface Anomaly extends Outcome {}

  /** A record came back that is made up of different writes. */
  record Torn(State state, String difference) implements Anomaly {
    @Override
    public String toString() {
      return "torn record, " + state + " has " + difference;
    }
  }

  /** The call ended with something that is no {@link io.taskstore.spi.StorageException}. */
  record Threw(String exception) implements Anomaly {
    @Override
    public String toString() {
      return "threw " + exception;
    }
  }

  /**
   * One call.
   *
   * @param process who called, for messages
   * @param invoked the stamp taken just before the call
   * @param returned the stamp taken just after it, or {@link #NEVER}
   */
  record Call(String process, Operation operation, long invoked, long returned, Outcome outcome) {
    Call {
      if (invoked >= returned) {
        throw new IllegalArgumentException("stamps " + invoked + ".." + returned);
      }
    }

    /** What the call tells about the key without having changed it; null if nothing. */
    @Nullable State observed() {
      if (outcome instanceof Saw saw) {
        return saw.state();
      }
      return outcome instanceof Lost lost ? lost.winner() : null;
    }

    /**
     * Whether this is a conflict with just what was expected. The winner may be newer than the
     * comparison, so it is legal if the key held another version before, but not before the call.
     */
    boolean isLateWinner() {
      return outcome instanceof Lost lost && lost.winner().version() == operation.expected();
    }

    /** Whether the call may have changed the key, and nobody knows. */
    boolean isOpen() {
      return outcome instanceof Unknown;
    }

    /** Whether the call has changed the key. */
    boolean hasWritten() {
      return outcome instanceof Wrote || outcome instanceof Removed;
    }

    @Override
    public String toString() {
      String until = returned == NEVER ? "never" : Long.toString(returned);
      return process + " [" + invoked + ".." + until + "] " + operation + " -> " + outcome;
    }
  }

  private final String name;
  private final AtomicLong clock = new AtomicLong();
  private final AtomicLong writes = new AtomicLong();
  // One list for each thread, so that recording disturbs the races as little as possible.
  private final ConcurrentMap<Thread, List<Call>> buffers = new ConcurrentHashMap<>();

  /**
   * Starts a history.
   *
   * @param name a short word that is part of every write id, so that a record of one key that turns
   *     up under another one is noticed
   */
  History(String name) {
    this.name = name;
  }

  /** The next stamp, above all that were given out before. */
  long stamp() {
    return clock.incrementAndGet();
  }

  /** A write id that no other call has. It ends with the expected version. */
  String nextWriteId(long expected) {
    return name + "." + writes.incrementAndGet() + "." + expected;
  }

  void add(Call call) {
    Thread current = Thread.currentThread();
    List<Call> buffer = buffers.get(current);
    if (buffer == null) {
      buffer = new ArrayList<>();
      buffers.put(current, buffer);
    }
    buffer.add(call);
  }

  /** All calls by invocation. To be called when the threads that add calls have ended. */
  List<Call> calls() {
    List<Call> all = new ArrayList<>();
    buffers.values().forEach(all::addAll);
    all.sort(Comparator.comparingLong(Call::invoked));
    return all;
  }
}
