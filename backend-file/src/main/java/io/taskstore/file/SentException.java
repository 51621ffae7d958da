// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.IOException;

/** A failure after which nobody can say whether the write has happened. */
final class SentException extends IOException {
  private static final long serialVersionUID = 1L;

  SentException(IOException cause) {
    super(cause);
  }
}
