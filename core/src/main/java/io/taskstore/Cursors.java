// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.RecordKey;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;

/**
 * Cursors of listings: the id to go on after, and a checksum over it, the owner, the filter and the
 * order. The checksum finds mistakes (a cut-off cursor, one of another listing); it has no key,
 * because every replica must accept it, and needs none: an id that a caller makes up can only lead
 * into the caller's own partition.
 */
final class Cursors {
  private static final byte FORMAT = 1;
  private static final int CHECKSUM_BYTES = 12;
  private static final int MAX_CHARACTERS = 1_024;

  private Cursors() {}

  static String encode(String partition, TaskQuery query, String lastId) {
    byte[] id = lastId.getBytes(StandardCharsets.UTF_8);
    byte[] cursor = new byte[1 + CHECKSUM_BYTES + id.length];
    cursor[0] = FORMAT;
    System.arraycopy(checksum(partition, query, id), 0, cursor, 1, CHECKSUM_BYTES);
    System.arraycopy(id, 0, cursor, 1 + CHECKSUM_BYTES, id.length);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(cursor);
  }

  /**
   * Returns the id to go on after.
   *
   * @throws InvalidCursorException if it is not a cursor of exactly this listing
   */
  static String decode(String partition, TaskQuery query, String text) {
    if (text.length() > MAX_CHARACTERS) {
      throw new InvalidCursorException();
    }
    byte[] cursor;
    try {
      cursor = Base64.getUrlDecoder().decode(text);
    } catch (IllegalArgumentException e) {
      throw new InvalidCursorException();
    }
    int idBytes = cursor.length - 1 - CHECKSUM_BYTES;
    if (idBytes < 1 || idBytes > RecordKey.MAX_ID_BYTES || cursor[0] != FORMAT) {
      throw new InvalidCursorException();
    }
    byte[] id = Arrays.copyOfRange(cursor, 1 + CHECKSUM_BYTES, cursor.length);
    try {
      String lastId = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(id)).toString();
      // Made again, it must be the same: the checksum, and the one spelling that was given out,
      // since
      // Base64 has spare bits and padding.
      if (!encode(partition, query, lastId).equals(text)) {
        throw new InvalidCursorException();
      }
      return lastId;
    } catch (CharacterCodingException e) {
      throw new InvalidCursorException();
    }
  }

  private static byte[] checksum(String partition, TaskQuery query, byte[] id) {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    for (String part : new String[] {partition, query.filterText()}) {
      byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
      digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
      digest.update(bytes);
    }
    return Arrays.copyOf(digest.digest(id), CHECKSUM_BYTES);
  }
}
