// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/** The record was there with the expected version, and is gone. */
public enum Deleted implements DeleteResult {
  /** The only value. */
  DELETED
}
