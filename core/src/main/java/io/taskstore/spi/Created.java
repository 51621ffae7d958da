// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/**
 * The record was created, or had been created by an earlier sending of the same call. Its version
 * is 1.
 */
public enum Created implements CreateResult {
  /** The only value. */
  CREATED
}
