// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.taskstore.spi.RecordKey;
import java.io.ByteArrayOutputStream;

/**
 * The keys of Redis under which records and indexes are. Those of one partition have its name in
 * braces, the hash tag of the Redis Cluster specification, so all of them are on one node and a
 * script may use them together.
 */
final class RedisKeys {
  private static final byte[] RECORD = "r:".getBytes(UTF_8);
  private static final byte[] ALL = "all".getBytes(UTF_8);
  private static final byte[] ACTIVE = "active".getBytes(UTF_8);
  private static final byte[] ACTIVE_DUE = "active-due".getBytes(UTF_8);
  private static final byte[] DONE_DUE = "done-due".getBytes(UTF_8);

  private final String prefix;

  RedisKeys(String prefix) {
    this.prefix = prefix;
  }

  /**
   * @throws IllegalArgumentException if keys cannot begin with it
   */
  static String checkPrefix(String prefix) {
    if (prefix.indexOf('{') >= 0 || prefix.indexOf('}') >= 0) {
      throw new IllegalArgumentException(
          "keyPrefix has a brace, which in Redis Cluster marks the part of a key that says where it"
              + " is");
    }
    if (!UTF_8.newEncoder().canEncode(prefix)) {
      throw new IllegalArgumentException("keyPrefix has a lone surrogate, which is no text");
    }
    int bytes = prefix.getBytes(UTF_8).length;
    if (bytes > RedisStorageBackend.MAX_PREFIX_BYTES) {
      throw new IllegalArgumentException(
          "keyPrefix has %d bytes, up to %d are allowed"
              .formatted(bytes, RedisStorageBackend.MAX_PREFIX_BYTES));
    }
    return prefix;
  }

  /** What all keys of a partition begin with. */
  private byte[] base(String partition) {
    byte[] begin = prefix.getBytes(UTF_8);
    byte[] name = partition.getBytes(UTF_8);
    ByteArrayOutputStream base = new ByteArrayOutputStream(begin.length + name.length + 16);
    base.writeBytes(begin);
    base.write('{');
    for (byte b : name) {
      // A brace would end the hash tag, an empty one is none at all.
      switch (b) {
        case '{' -> base.writeBytes(new byte[] {'%', '7', 'B'});
        case '}' -> base.writeBytes(new byte[] {'%', '7', 'D'});
        case '%' -> base.writeBytes(new byte[] {'%', '2', '5'});
        default -> base.write(b);
      }
    }
    base.write('}');
    base.write(':');
    return base.toByteArray();
  }

  /** What the keys of the records of a partition begin with; the id follows. */
  byte[] records(String partition) {
    return join(base(partition), RECORD);
  }

  byte[] record(RecordKey key) {
    return join(records(key.partition()), key.id().getBytes(UTF_8));
  }

  byte[] all(String partition) {
    return join(base(partition), ALL);
  }

  byte[] active(String partition) {
    return join(base(partition), ACTIVE);
  }

  /** The key of a record, and those of its partition's indexes, in the order of the scripts. */
  byte[][] ofWrite(RecordKey key) {
    byte[] base = base(key.partition());
    return new byte[][] {
      join(join(base, RECORD), key.id().getBytes(UTF_8)),
      join(base, ALL),
      join(base, ACTIVE),
      join(base, ACTIVE_DUE),
      join(base, DONE_DUE)
    };
  }

  /** The same for a partition as a whole, by the key of one of its indexes of what is due. */
  static byte[][] ofPurge(byte[] due) {
    int end = due.length - 1;
    while (due[end] != '}') {
      end--;
    }
    byte[] base = new byte[end + 2];
    System.arraycopy(due, 0, base, 0, base.length);
    return new byte[][] {
      join(base, RECORD),
      join(base, ALL),
      join(base, ACTIVE),
      join(base, ACTIVE_DUE),
      join(base, DONE_DUE)
    };
  }

  /** A pattern of SCAN for the indexes of what is due, of all partitions. */
  String duePattern() {
    return prefix.replaceAll("[\\\\*?\\[\\]^-]", "\\\\$0") + "{*}:*-due";
  }

  private static byte[] join(byte[] first, byte[] second) {
    byte[] joined = new byte[first.length + second.length];
    System.arraycopy(first, 0, joined, 0, first.length);
    System.arraycopy(second, 0, joined, first.length, second.length);
    return joined;
  }
}
