// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/** The partition has as many active, unexpired records as it may have; nothing was written. */
public enum Full implements CreateResult {
  /** The only value. */
  FULL
}
