// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Says what kind of event a write was, from the task before and after it. */
final class Changes {
  private Changes() {}

  /** The one event that tells of a write; null for the renewal of a lease, which is silent. */
  static @Nullable TaskEvent event(Task before, Task after, Instant at) {
    TaskState was = before.state();
    TaskState is = after.state();
    if (is.status().isTerminal()) {
      return is.status() == TaskStatus.CANCELLED
          ? new TaskEvent.Cancelled(at, after)
          : new TaskEvent.Finished(at, after);
    }
    if (is.inputRequests().size() > was.inputRequests().size()) {
      return new TaskEvent.InputRequested(
          at, after, added(was.inputRequests(), is.inputRequests()));
    }
    if (is.inputResponses().size() > was.inputResponses().size()) {
      return new TaskEvent.InputProvided(
          at, after, added(was.inputResponses(), is.inputResponses()));
    }
    if (is.cancelRequestedAt() != null && was.cancelRequestedAt() == null) {
      return new TaskEvent.CancelRequested(at, after);
    }
    return lease(was, is, after, at);
  }

  private static @Nullable TaskEvent lease(TaskState was, TaskState is, Task after, Instant at) {
    TaskState.Lease held = was.lease();
    TaskState.Lease holds = is.lease();
    if (Objects.equals(held, holds)) {
      return new TaskEvent.Updated(at, after);
    }
    if (holds == null) {
      return new TaskEvent.LeaseReleased(at, after);
    }
    if (held == null || !held.worker().equals(holds.worker())) {
      return new TaskEvent.LeaseTaken(at, after);
    }
    boolean onlyRenewed = was.toBuilder().lease(holds).build().equals(is);
    return onlyRenewed ? null : new TaskEvent.Updated(at, after);
  }

  private static List<String> added(JsonMembers before, JsonMembers after) {
    List<String> names = new ArrayList<>(after.names());
    names.removeAll(before.names());
    return names;
  }
}
