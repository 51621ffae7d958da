// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened to a task, or to an operation on tasks. Each kind is a record; more kinds
 * may come in any release.
 *
 * <p>{@code toString} shows no content of tasks and no owner; the tasks that events carry have
 * both.
 */
public sealed interface TaskEvent {
  /** When, by the clock of the store. */
  Instant at();

  /** What kind of event this is, as a name for logs and metrics, for example {@code created}. */
  String type();

  /** Whose task it is about; empty if it is about none. */
  Optional<Owner> owner();

  /** The task that it is about; empty if it is about none, or one that has no id yet. */
  Optional<String> taskId();

  /** An event that tells of a successful write. */
  sealed interface Write extends TaskEvent {
    /** The task as it was written. */
    Task task();

    @Override
    default Optional<Owner> owner() {
      return Optional.of(task().owner());
    }

    @Override
    default Optional<String> taskId() {
      return Optional.of(task().id());
    }
  }

  /** A task was created, and is kept. */
  record Created(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return "created";
    }
  }

  /** A task was changed, and none of the other kinds of writes says it better. */
  record Updated(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return "updated";
    }
  }

  /** A task asks for input, under these keys. */
  record InputRequested(Instant at, Task task, List<String> keys) implements Write {
    /** Copies the keys. */
    public InputRequested {
      keys = List.copyOf(keys);
    }

    @Override
    public String type() {
      return "input_requested";
    }
  }

  /** Input was given to a task, under these keys. */
  record InputProvided(Instant at, Task task, List<String> keys) implements Write {
    /** Copies the keys. */
    public InputProvided {
      keys = List.copyOf(keys);
    }

    @Override
    public String type() {
      return "input_provided";
    }
  }

  /** Somebody asked for the cancellation of a task. */
  record CancelRequested(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return "cancel_requested";
    }
  }

  /** A task was completed or failed. */
  record Finished(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return task.status().wireName();
    }
  }

  /** A task was cancelled. */
  record Cancelled(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return "cancelled";
    }
  }

  /** A worker took over a task that was there already. */
  record LeaseTaken(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return "lease_taken";
    }
  }

  /** A worker gave a task back unfinished, for another one to resume. */
  record LeaseReleased(Instant at, Task task) implements Write {
    @Override
    public String type() {
      return "lease_released";
    }
  }

  /** An event about one task of which the store does not have the content at hand. */
  sealed interface Notice extends TaskEvent {
    /** Whose task. */
    Owner taskOwner();

    /** Which task. */
    String id();

    @Override
    default Optional<Owner> owner() {
      return Optional.of(taskOwner());
    }

    @Override
    default Optional<String> taskId() {
      return Optional.of(id());
    }
  }

  /** A task was deleted. */
  record Deleted(Instant at, Owner taskOwner, String id) implements Notice {
    @Override
    public String type() {
      return "deleted";
    }
  }

  /** Somebody asked for a task that has expired, and is still in the storage. */
  record Expired(Instant at, Owner taskOwner, String id) implements Notice {
    @Override
    public String type() {
      return "expired";
    }
  }

  /** A worker found out that another one has taken its task over. */
  record LeaseLost(Instant at, Owner taskOwner, String id) implements Notice {
    @Override
    public String type() {
      return "lease_lost";
    }
  }

  /**
   * A task was met that cannot be read.
   *
   * @param reason what is wrong, without data
   */
  record Unreadable(Instant at, Owner taskOwner, String id, String reason) implements Notice {
    @Override
    public String type() {
      return "unreadable";
    }
  }

  /**
   * An update lost a race against another writer, and is tried again.
   *
   * @param attempt how many attempts were lost by now
   */
  record ConflictRetried(Instant at, Owner taskOwner, String id, int attempt) implements Notice {
    @Override
    public String type() {
      return "conflict_retried";
    }
  }

  /**
   * A handler threw an exception; its task fails, unless it has ended already.
   *
   * @param cause what it threw, which clients are not told in full
   */
  record HandlerFailed(Instant at, Owner taskOwner, String id, Throwable cause) implements Notice {
    @Override
    public String type() {
      return "handler_failed";
    }
  }

  /** An event about an operation that did not do what was asked for. */
  sealed interface Failure extends TaskEvent {
    /** Whose tasks, null if no task of an owner. */
    @Nullable Owner operationOwner();

    /** Which task, null if none in particular. */
    @Nullable String id();

    /** What was to be done, for example {@code update task}. */
    String operation();

    /** What the caller was told. */
    TaskStoreException reason();

    @Override
    default Optional<Owner> owner() {
      return Optional.ofNullable(operationOwner());
    }

    @Override
    default Optional<String> taskId() {
      return Optional.ofNullable(id());
    }
  }

  /** An operation was refused by a rule, and nothing was written. */
  record Refused(
      Instant at,
      @Nullable Owner operationOwner,
      @Nullable String id,
      String operation,
      TaskStoreException reason)
      implements Failure {
    @Override
    public String type() {
      return "refused";
    }
  }

  /** The storage failed, and nothing was written. */
  record StorageFailed(
      Instant at,
      @Nullable Owner operationOwner,
      @Nullable String id,
      String operation,
      TaskStoreException reason)
      implements Failure {
    @Override
    public String type() {
      return "storage_failed";
    }
  }

  /** The storage failed, and it is unknown whether the operation was done. */
  record OutcomeUnknown(
      Instant at,
      @Nullable Owner operationOwner,
      @Nullable String id,
      String operation,
      TaskStoreException reason)
      implements Failure {
    @Override
    public String type() {
      return "outcome_unknown";
    }
  }

  /**
   * Expired tasks were removed from the storage.
   *
   * @param count how many, 1 or more
   */
  record Purged(Instant at, int count) implements TaskEvent {
    @Override
    public String type() {
      return "purged";
    }

    @Override
    public Optional<Owner> owner() {
      return Optional.empty();
    }

    @Override
    public Optional<String> taskId() {
      return Optional.empty();
    }
  }

  /**
   * This listener was too slow, and did not hear of some events before this one.
   *
   * @param count how many, since the last event of this kind
   */
  record Dropped(Instant at, long count) implements TaskEvent {
    @Override
    public String type() {
      return "dropped";
    }

    @Override
    public Optional<Owner> owner() {
      return Optional.empty();
    }

    @Override
    public Optional<String> taskId() {
      return Optional.empty();
    }
  }
}
