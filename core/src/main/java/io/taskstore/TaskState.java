// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Everything of a task that is in its stored data: what the {@link TaskCodec} reads and writes.
 * Values of users are in their stored form. Version and expiry are the record's, not the data's.
 *
 * @param owner {@link Owner#storedForm()}
 * @param ttl as it was asked for, null for unlimited
 * @param inputRequests every question that was ever asked, also the answered ones: a key is used
 *     once in the life of a task
 * @param inputResponses the answers
 * @param lease who works on the task, null for nobody
 * @param unknown members of the stored object that this release does not know, kept as they are
 */
record TaskState(
    String id,
    String owner,
    TaskStatus status,
    @Nullable String message,
    @Nullable Progress progress,
    Instant createdAt,
    Instant updatedAt,
    @Nullable Duration ttl,
    Duration pollInterval,
    String method,
    @Nullable Json params,
    JsonMembers variables,
    @Nullable Json result,
    @Nullable Json error,
    @Nullable Instant cancelRequestedAt,
    JsonMembers inputRequests,
    JsonMembers inputResponses,
    @Nullable Lease lease,
    JsonMembers unknown) {

  /** The right of one worker to write the progress and the end of a task. */
  record Lease(String worker, Instant until) {}

  Builder toBuilder() {
    return new Builder(this);
  }

  /** A copy that can be changed; the fields that never change are taken over. */
  static final class Builder {
    private final TaskState base;
    private TaskStatus status;
    private @Nullable String message;
    private @Nullable Progress progress;
    private Instant updatedAt;
    private @Nullable Duration ttl;
    private Duration pollInterval;
    private JsonMembers variables;
    private @Nullable Json result;
    private @Nullable Json error;
    private @Nullable Instant cancelRequestedAt;
    private JsonMembers inputRequests;
    private JsonMembers inputResponses;
    private @Nullable Lease lease;

    private Builder(TaskState base) {
      this.base = base;
      this.status = base.status;
      this.message = base.message;
      this.progress = base.progress;
      this.updatedAt = base.updatedAt;
      this.ttl = base.ttl;
      this.pollInterval = base.pollInterval;
      this.variables = base.variables;
      this.result = base.result;
      this.error = base.error;
      this.cancelRequestedAt = base.cancelRequestedAt;
      this.inputRequests = base.inputRequests;
      this.inputResponses = base.inputResponses;
      this.lease = base.lease;
    }

    Builder message(@Nullable String value) {
      message = value;
      return this;
    }

    Builder progress(@Nullable Progress value) {
      progress = value;
      return this;
    }

    Builder updatedAt(Instant value) {
      updatedAt = value;
      return this;
    }

    Builder ttl(@Nullable Duration value) {
      ttl = value;
      return this;
    }

    Builder pollInterval(Duration value) {
      pollInterval = value;
      return this;
    }

    Builder variables(JsonMembers value) {
      variables = value;
      return this;
    }

    Builder cancelRequestedAt(Instant value) {
      cancelRequestedAt = value;
      return this;
    }

    Builder status(TaskStatus value) {
      status = value;
      return this;
    }

    Builder inputRequests(JsonMembers value) {
      inputRequests = value;
      return this;
    }

    Builder inputResponses(JsonMembers value) {
      inputResponses = value;
      return this;
    }

    Builder lease(@Nullable Lease value) {
      lease = value;
      return this;
    }

    Builder outcome(TaskStatus value, @Nullable Json newResult, @Nullable Json newError) {
      status = value;
      result = newResult;
      error = newError;
      return this;
    }

    TaskState build() {
      return new TaskState(
          base.id,
          base.owner,
          status,
          message,
          progress,
          base.createdAt,
          updatedAt,
          ttl,
          pollInterval,
          base.method,
          base.params,
          variables,
          result,
          error,
          cancelRequestedAt,
          inputRequests,
          inputResponses,
          lease,
          base.unknown);
    }
  }
}
