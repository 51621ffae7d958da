// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A write as a child announces it. All of the record follows from this, so whoever reads it can
 * tell whether it is that write, whole: the data begins with the key, the version and the write id,
 * and the rest is a sequence that they start.
 *
 * @param version what the record has if it is written
 */
record CrashWrite(
    RecordKey key,
    long version,
    String writeId,
    boolean active,
    @Nullable Instant expiresAt,
    int size) {

  RecordValue value() {
    String head = key.partition() + ' ' + key.id() + ' ' + version + ' ' + writeId + "\n{\"mark\":";
    byte[] start = head.getBytes(StandardCharsets.UTF_8);
    byte[] data = new byte[size];
    long state = head.hashCode() * 0x9E3779B97F4A7C15L;
    for (int i = 0; i < size; i++) {
      if (i < start.length) {
        data[i] = start[i];
      } else {
        state = state * 6_364_136_223_846_793_005L + 1_442_695_040_888_963_407L;
        data[i] = (byte) (state >>> 56);
      }
    }
    return new RecordValue(Bytes.unsafeWrap(data), active, expiresAt, writeId);
  }

  /** One line of text; the parts of the keys have no blanks. */
  String line() {
    return writeId
        + ' '
        + key.partition()
        + ' '
        + key.id()
        + ' '
        + version
        + ' '
        + active
        + ' '
        + (expiresAt == null ? "-" : String.valueOf(expiresAt.toEpochMilli()))
        + ' '
        + size;
  }

  /** Reads what {@link #line} has written, from the second word on. */
  static CrashWrite parse(String[] words) {
    return new CrashWrite(
        new RecordKey(words[2], words[3]),
        Long.parseLong(words[4]),
        words[1],
        Boolean.parseBoolean(words[5]),
        words[6].equals("-") ? null : Instant.ofEpochMilli(Long.parseLong(words[6])),
        Integer.parseInt(words[7]));
  }
}
