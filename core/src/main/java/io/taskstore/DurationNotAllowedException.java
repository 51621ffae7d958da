// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A duration is shorter or longer than it may be. It is refused, never clamped. */
public final class DurationNotAllowedException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  private final String what;
  private final @Nullable Duration duration;

  DurationNotAllowedException(
      String what, @Nullable Duration duration, Duration min, Duration max) {
    super(
        "The %s of %s is not allowed: it must be from %s to %s"
            .formatted(what, duration == null ? "unlimited" : duration, min, max),
        null);
    this.what = what;
    this.duration = duration;
  }

  /** Which duration, for example {@code ttl}. */
  public String what() {
    return what;
  }

  /** The duration that was refused; empty for unlimited. */
  public Optional<Duration> duration() {
    return Optional.ofNullable(duration);
  }
}
