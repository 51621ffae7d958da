// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

/**
 * A cursor is malformed or altered, or belongs to another owner, filter or order. Begin the listing
 * anew without a cursor.
 */
public final class InvalidCursorException extends TaskStoreException {
  private static final long serialVersionUID = 1L;

  InvalidCursorException() {
    super(
        "The cursor is malformed or altered, or belongs to another owner, filter or order; begin"
            + " the listing anew without a cursor",
        null);
  }
}
