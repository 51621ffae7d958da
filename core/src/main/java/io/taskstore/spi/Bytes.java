// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;

/**
 * An immutable sequence of bytes: the opaque payload of a record. Every byte value is legal and the
 * empty sequence is a value of its own, not "absent".
 *
 * <p>{@link #copyOf} and {@link #toByteArray} copy. A backend that hands the bytes straight to a
 * driver can avoid the copy with {@link #unsafeWrap} and {@link #unsafeArray}; whoever uses those
 * promises never to write to the array afterwards.
 */
public final class Bytes {
  /** No bytes at all. */
  public static final Bytes EMPTY = new Bytes(new byte[0]);

  private final byte[] array;

  private Bytes(byte[] array) {
    this.array = array;
  }

  /** Returns the content of {@code array}, copied: later changes to the array do not show. */
  public static Bytes copyOf(byte[] array) {
    return new Bytes(Objects.requireNonNull(array, "array").clone());
  }

  /**
   * Returns a view of {@code array} without copying it. The caller gives the array away: writing to
   * it afterwards corrupts records that other threads are reading.
   */
  public static Bytes unsafeWrap(byte[] array) {
    return new Bytes(Objects.requireNonNull(array, "array"));
  }

  /** The number of bytes. */
  public int size() {
    return array.length;
  }

  /** Returns a fresh copy of the bytes. */
  public byte[] toByteArray() {
    return array.clone();
  }

  /**
   * Returns the bytes themselves, exactly {@link #size()} long, without copying. The array is
   * shared with every holder of this object and must not be written to.
   */
  public byte[] unsafeArray() {
    return array;
  }

  /** Returns a read-only buffer over the bytes, without copying. */
  public ByteBuffer asReadOnlyByteBuffer() {
    return ByteBuffer.wrap(array).asReadOnlyBuffer();
  }

  /** Returns a stream over the bytes, without copying. */
  public InputStream inputStream() {
    return new ByteArrayInputStream(array);
  }

  /**
   * Writes all bytes to {@code out}.
   *
   * @throws IOException if {@code out} throws it
   */
  public void writeTo(OutputStream out) throws IOException {
    out.write(array);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Bytes that && Arrays.equals(array, that.array);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(array);
  }

  /** Shows the size, never the content. */
  @Override
  public String toString() {
    return "Bytes[" + array.length + "]";
  }
}
