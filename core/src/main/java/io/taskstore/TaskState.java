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
    JsonMembers unknown) {

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
          base.unknown);
    }
  }
}
