// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/** A value is larger than a limit of {@link TaskLimits}, of the store, or of its backend. */
public final class LimitExceededException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String what;
  private final String limitName;
  private final long limit;
  private final long actual;

  LimitExceededException(String what, String limitName, long limit, long actual, String unit) {
    super(
        "Too large: %s has %d %s, the limit (%s) is %d"
            .formatted(what, actual, unit, limitName, limit),
        null);
    this.what = what;
    this.limitName = limitName;
    this.limit = limit;
    this.actual = actual;
  }

  /** What is too large, for example {@code variable "text"}. */
  public String what() {
    return what;
  }

  /** The name of the limit, for example {@code maxStringBytes}. */
  public String limitName() {
    return limitName;
  }

  /** The limit. */
  public long limit() {
    return limit;
  }

  /**
   * The size that was refused. Where measuring stopped at the limit it is the first size above it
   * that was seen.
   */
  public long actual() {
    return actual;
  }
}
