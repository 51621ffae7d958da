// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import java.time.Duration;

/**
 * What may be set. Here and not in the backend: with a provider, which every program loads that has
 * this backend and uses another one, no class of the AWS SDK is to come.
 */
final class Durations {
  static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(5);
  static final Duration MIN_TIMEOUT = Duration.ofMillis(10);
  static final Duration MAX_TIMEOUT = Duration.ofMinutes(1);
  static final Duration DEFAULT_ALLOWANCE = Duration.ofMinutes(5);
  static final Duration MAX_ALLOWANCE = Duration.ofDays(1);

  private Durations() {}
}
