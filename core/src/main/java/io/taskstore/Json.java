// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Arrays;

/**
 * A JSON value as it is stored: its UTF-8 bytes. Values are kept in this form between decoding a
 * record and encoding its successor, so that an update does not decode what it does not touch.
 */
final class Json {
  private final byte[] utf8;

  /** Takes the array over: nobody may write to it any more. */
  Json(byte[] utf8) {
    this.utf8 = utf8;
  }

  /** The bytes themselves, which must not be written to. */
  byte[] utf8() {
    return utf8;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Json that && Arrays.equals(utf8, that.utf8);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(utf8);
  }

  @Override
  public String toString() {
    return "Json[" + utf8.length + " bytes]";
  }
}
