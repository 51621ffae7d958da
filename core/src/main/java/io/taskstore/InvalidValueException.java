// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import org.jspecify.annotations.Nullable;

/** A value is of a kind that cannot be accepted, whatever its size. */
public final class InvalidValueException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  static final String LONE_SURROGATE =
      "it has a surrogate without its partner, which is not valid Unicode";

  private final String what;

  InvalidValueException(String what, String reason) {
    this(what, reason, null);
  }

  InvalidValueException(String what, String reason, @Nullable Throwable cause) {
    super("Invalid " + what + ": " + reason, cause);
    this.what = what;
  }

  /** What was refused, for example {@code variable "totals".files[3]}. */
  public String what() {
    return what;
  }
}
