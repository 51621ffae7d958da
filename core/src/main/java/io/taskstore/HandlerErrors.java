// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Map;
import java.util.Objects;

/** What clients are told of an exception of a handler. */
final class HandlerErrors {
  private HandlerErrors() {}

  /**
   * The message and the simple name of the class: of use to a client, and without a stack trace.
   */
  static TaskError messageAndType(Throwable failure) {
    String type = failure.getClass().getSimpleName();
    if (type.isEmpty()) {
      type = failure.getClass().getName(); // of an anonymous class
    }
    return TaskError.of(Objects.requireNonNullElse(failure.getMessage(), type))
        .withData(Map.of("type", type));
  }

  /** The error with a message that can be stored. */
  static TaskError fitting(TaskError error, int maxMessageBytes) {
    String message = Text.shortened(error.message(), maxMessageBytes);
    return message.equals(error.message())
        ? error
        : TaskError.of(error.code(), message).withData(error.data().orElse(null));
  }
}
