// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Calls a backend with everything that must not differ between backends: repeating what failed for
 * a moment, finding out what became of a write whose answer was lost, one deadline for all of it,
 * and one translation of failures.
 */
final class StorageCalls {
  /*
   * A write whose answer was lost is sent again, the same call with the same write id. What comes
   * back tells what became of the first one, because versions of a record only grow and ids are
   * never used again:
   *
   *   written                          the first one had not happened, this one has
   *   conflict with our own write id   the first one had happened
   *   another id at expected + 1       somebody else made that step from the expected version; two
   *                                    writes cannot both make it, so the first one did not and now
   *                                    cannot happen: a lost race like any other
   *   any later version, or absent     ours may have been the step to expected + 1 with others on top
   *                                    of it: nobody can tell, so the caller is told just that, and
   *                                    the change is not run again
   *
   * For a create, "full" after a lost answer is no refusal: the first sending may still arrive.
   *
   * For a delete: absent is what we wanted; any winner means that the first one has not happened and,
   * its version being above the expected one, now cannot.
   */

  private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final StorageBackend backend;
  private final Duration timeout;
  private final Timing timing;

  StorageCalls(StorageBackend backend, Duration timeout, Timing timing) {
    this.backend = backend;
    this.timeout = timeout;
    this.timing = timing;
  }

  /** What is being done, for messages, and how much time there is for it. */
  final class Operation {
    private final String verb;
    private final @Nullable String taskId;
    private final long deadline;
    private int pauses;

    private Operation(String verb, @Nullable String taskId, long deadline) {
      this.verb = verb;
      this.taskId = taskId;
      this.deadline = deadline;
    }

    /** A part of this operation that is about one task; the time for it is that of the whole. */
    Operation part(String partVerb, String partTaskId) {
      return new Operation(partVerb, partTaskId, deadline);
    }

    private String description() {
      return taskId == null ? verb : verb + " " + Text.quote(taskId);
    }

    /**
     * Waits a little, longer and longer, with jitter; not at all the first time.
     *
     * @return false if there is no time left, or the thread was interrupted, whose flag is set
     */
    boolean pause() {
      if (!mayGoOn()) {
        return false;
      }
      long bound = Math.min(FIRST_PAUSE_NANOS << Math.min(pauses, 20), LONGEST_PAUSE_NANOS);
      long left = deadline - timing.nanoTime();
      if (pauses++ > 0) {
        try {
          timing.sleep(
              Math.max(1, Math.min(left, 1 + ThreadLocalRandom.current().nextLong(bound))));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return false;
        }
      }
      return true;
    }

    /**
     * Waits after a lost race, every second time only. While we wait, the winner that came with the
     * answer grows old, so under steady writers the attempt after a wait loses again, and brings a
     * fresh winner; if that were waited with as well, it would be old again, for ever.
     *
     * @return false if there is no time left, or the thread was interrupted, whose flag is set
     */
    boolean pauseAfterLostRace(int lostRaces) {
      return lostRaces % 2 == 1 ? mayGoOn() : pause();
    }

    private boolean mayGoOn() {
      return !Thread.currentThread().isInterrupted() && deadline - timing.nanoTime() > 0;
    }
  }

  Operation operation(String verb) {
    return new Operation(verb, null, deadline());
  }

  Operation operation(String verb, String taskId) {
    return new Operation(verb, taskId, deadline());
  }

  /** An operation that gives up earlier than others do. */
  Operation operation(String verb, String taskId, Duration atMost) {
    Duration shorter = atMost.compareTo(timeout) < 0 ? atMost : timeout;
    return new Operation(verb, taskId, timing.nanoTime() + shorter.toNanos());
  }

  /** For how long an operation is tried. */
  Duration timeout() {
    return timeout;
  }

  private long deadline() {
    return timing.nanoTime() + timeout.toNanos();
  }

  /** Reads, again and again while the storage is unavailable for a moment. */
  <T> T read(Operation operation, Supplier<T> call) {
    while (true) {
      try {
        return call.get();
      } catch (StorageUnavailableException e) {
        if (!e.isRetryable() || !operation.pause()) {
          throw failure(operation, e);
        }
      } catch (StorageException e) {
        throw failure(operation, e);
      }
    }
  }

  /**
   * Removes many records. It is not tried again: some may be gone already, and limit and count are
   * those of one call.
   */
  int purge(Operation operation, Instant due, int limit) {
    try {
      return backend.purgeExpired(due, limit);
    } catch (StorageException e) {
      boolean retryable =
          e instanceof StorageUnavailableException unavailable && unavailable.isRetryable();
      throw new TaskStorageException(
          "The storage did not "
              + operation.description()
              + " to the end, some may be gone: call it again, or see the cause",
          retryable,
          false,
          e);
    }
  }

  /**
   * Writes a record; a conflict is a definite one.
   *
   * @throws TaskStorageException with an unknown outcome if it could not be found out
   */
  PutResult put(Operation operation, RecordKey key, RecordValue value, long expected) {
    return repeat(
        operation,
        () -> backend.putIfVersion(key, value, expected),
        (result, lost) -> {
          if (!(result instanceof Conflict conflict)) {
            return result;
          }
          return isOurs(operation, conflict, value, expected + 1, lost)
              ? new Written(expected + 1)
              : conflict;
        });
  }

  /**
   * Creates a record within a limit; a conflict is a definite one, with a record that is not ours.
   *
   * @throws TaskStorageException with an unknown outcome if it could not be found out
   */
  CreateResult create(Operation operation, RecordKey key, RecordValue value, int max, Instant now) {
    return repeat(
        operation,
        () -> backend.createWithin(key, value, max, now),
        (result, lost) -> {
          if (result instanceof Conflict conflict) {
            return isOurs(operation, conflict, value, 1, lost) ? Created.CREATED : conflict;
          }
          if (lost != null && result instanceof Full) {
            // The first sending may be late, and find a place when somebody has left one.
            throw unknown(operation, lost);
          }
          return lost != null && result instanceof Contended ? new Contended(true) : result;
        });
  }

  /**
   * Deletes a record; a conflict is a definite one.
   *
   * @throws TaskStorageException with an unknown outcome if it could not be found out
   */
  DeleteResult delete(Operation operation, RecordKey key, long expected) {
    return repeat(
        operation,
        () -> backend.deleteIfVersion(key, expected),
        (result, lost) ->
            lost != null && result instanceof Conflict conflict && conflict.winner() == null
                ? Deleted.DELETED
                : result);
  }

  /** What an answer means, given that an earlier one was lost, or that none was. */
  private interface Interpreter<R> {
    R read(R result, @Nullable StorageException lost);
  }

  /** Sends a write until there is an answer, and reads it. */
  private static <R> R repeat(Operation operation, Supplier<R> call, Interpreter<R> interpreter) {
    StorageException lost = null;
    while (true) {
      R result;
      try {
        result = call.get();
      } catch (OutcomeUnknownException e) {
        lost = e;
        if (!operation.pause()) {
          throw unknown(operation, lost);
        }
        continue;
      } catch (StorageException e) {
        waitOrThrow(operation, e, lost);
        continue;
      }
      return interpreter.read(result, lost);
    }
  }

  /**
   * Whether the winner of a conflict is our own write.
   *
   * @throws TaskStorageException if an answer was lost and our write may lie beneath the winner
   */
  private static boolean isOurs(
      Operation operation,
      Conflict conflict,
      RecordValue value,
      long version,
      @Nullable StorageException lost) {
    VersionedRecord winner = conflict.winner();
    boolean isNext = winner != null && winner.version() == version;
    if (lost != null && !isNext) {
      throw unknown(operation, lost);
    }
    return winner != null && isNext && winner.value().writeId().equals(value.writeId());
  }

  /** Waits before the next attempt; throws if there is no point in one. */
  private static void waitOrThrow(
      Operation operation, StorageException failure, @Nullable StorageException lost) {
    boolean again =
        failure instanceof StorageUnavailableException unavailable
            && unavailable.isRetryable()
            && operation.pause();
    if (!again) {
      throw lost == null ? failure(operation, failure) : unknown(operation, lost);
    }
  }

  static TaskStorageException unknown(Operation operation, @Nullable StorageException cause) {
    return new TaskStorageException(
        "The answer of the storage was lost, and it is unknown whether it did "
            + operation.description()
            + "; read before doing it again",
        false,
        true,
        cause);
  }

  private static TaskStoreException failure(Operation operation, StorageException e) {
    if (e instanceof CorruptRecordException corrupt && operation.taskId != null) {
      return new TaskUnreadableException(
          operation.taskId,
          corrupt.reason(),
          "repair it with the tools of the storage, or restore it from a backup",
          corrupt);
    }
    if (e instanceof RecordTooLargeException tooLarge) {
      return new LimitExceededException(
          "the task with all its parts",
          "what the backend can hold",
          tooLarge.limitBytes(),
          tooLarge.sizeBytes(),
          "bytes");
    }
    if (e instanceof OutcomeUnknownException) {
      return unknown(operation, e);
    }
    boolean retryable =
        e instanceof StorageUnavailableException unavailable && unavailable.isRetryable();
    String reason;
    if (retryable) {
      reason = "is unavailable; try again later";
    } else if (e instanceof CapacityExceededException) {
      reason = "is full; purge expired tasks, or give it more room";
    } else if (e instanceof BackendClosedException) {
      reason = "is closed; open a new one";
    } else {
      reason = "refused; see the cause";
    }
    return new TaskStorageException(
        "The storage did not " + operation.description() + ", nothing was changed: it " + reason,
        retryable,
        false,
        e);
  }
}
