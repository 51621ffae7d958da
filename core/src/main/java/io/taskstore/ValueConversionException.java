// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import org.jspecify.annotations.Nullable;

/** A stored value cannot be read as the type that was asked for. The value itself is intact. */
public final class ValueConversionException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String what;

  ValueConversionException(String what, String wanted, @Nullable Throwable cause) {
    super("Cannot read " + what + " as " + wanted + ": the stored value has another shape", cause);
    this.what = what;
  }

  /** What was to be read, for example {@code variable "totals"}. */
  public String what() {
    return what;
  }
}
