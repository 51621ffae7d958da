// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.CharacterCodingException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.dynamodb.model.AttributeValue;

/**
 * How a record is an item. The names of attributes are short because every read and every write of
 * an item pays for them.
 */
final class Items {
  static final String PARTITION = "p";
  static final String ID = "i";
  static final String VERSION = "v";

  /** The id again, for as long as the record is active: the range key of the index. */
  static final String ACTIVE = "a";

  /** Milliseconds; absent if the record does not expire. */
  static final String EXPIRES_AT = "e";

  /** When DynamoDB may delete the item, in seconds. */
  static final String TIME_TO_LIVE = "t";

  static final String WRITE_ID = "w";

  /** A string if it is UTF-8, which consoles show, else binary. */
  static final String DATA = "d";

  private Items() {}

  static Map<String, AttributeValue> key(RecordKey key) {
    return Map.of(PARTITION, text(key.partition()), ID, text(key.id()));
  }

  /**
   * @param now not after which DynamoDB must not delete it yet: an expiry in the past must not take
   *     the record away under a call that reports success
   */
  static Map<String, AttributeValue> item(
      RecordKey key, RecordValue value, long version, Instant now, Duration allowance) {
    Map<String, AttributeValue> item = new HashMap<>();
    AttributeValue id = text(key.id());
    item.put(PARTITION, text(key.partition()));
    item.put(ID, id);
    item.put(VERSION, number(version));
    item.put(WRITE_ID, text(value.writeId()));
    item.put(DATA, data(value.data()));
    if (value.active()) {
      item.put(ACTIVE, id);
    }
    Instant expiresAt = value.expiresAt();
    if (expiresAt != null) {
      item.put(EXPIRES_AT, number(expiresAt.toEpochMilli()));
      Instant end = (expiresAt.isAfter(now) ? expiresAt : now).plus(allowance);
      item.put(TIME_TO_LIVE, number(end.getEpochSecond() + (end.getNano() > 0 ? 1 : 0)));
    }
    return item;
  }

  private static AttributeValue data(Bytes data) {
    try {
      return text(UTF_8.newDecoder().decode(data.asReadOnlyByteBuffer()).toString());
    } catch (CharacterCodingException e) {
      return AttributeValue.fromB(SdkBytes.fromByteArrayUnsafe(data.unsafeArray()));
    }
  }

  /** The place of a key, which need not be there, in the table or in the index. */
  static Map<String, AttributeValue> cursor(RecordKey key, boolean inIndex) {
    AttributeValue id = text(key.id());
    AttributeValue partition = text(key.partition());
    return inIndex
        ? Map.of(PARTITION, partition, ID, id, ACTIVE, id)
        : Map.of(PARTITION, partition, ID, id);
  }

  static RecordKey key(String partition, Map<String, AttributeValue> item) {
    return new RecordKey(partition, id(item));
  }

  static String id(Map<String, AttributeValue> item) {
    return Objects.requireNonNull(item.get(ID), ID).s(); // every item has one
  }

  /**
   * @throws CorruptRecordException if an attribute is missing, or is not as we write it
   */
  static VersionedRecord record(String operation, RecordKey key, Map<String, AttributeValue> item) {
    AttributeValue version = item.get(VERSION);
    AttributeValue writeId = item.get(WRITE_ID);
    AttributeValue data = item.get(DATA);
    if (version == null || version.n() == null || writeId == null || writeId.s() == null) {
      throw incomplete(operation, key, null);
    }
    try {
      RecordValue value =
          new RecordValue(
              bytes(operation, key, data),
              item.containsKey(ACTIVE),
              expiry(operation, key, item),
              writeId.s());
      return new VersionedRecord(key, value, Long.parseLong(version.n()));
    } catch (IllegalArgumentException e) {
      throw incomplete(operation, key, e);
    }
  }

  private static Bytes bytes(String operation, RecordKey key, @Nullable AttributeValue data) {
    if (data != null && data.s() != null) {
      return Bytes.unsafeWrap(data.s().getBytes(UTF_8));
    }
    if (data != null && data.b() != null) {
      return Bytes.unsafeWrap(data.b().asByteArrayUnsafe());
    }
    throw incomplete(operation, key, null);
  }

  /**
   * @throws CorruptRecordException if the expiry is not as we write it
   */
  static RecordHead head(String operation, RecordKey key, Map<String, AttributeValue> item) {
    return new RecordHead(key, expiry(operation, key, item));
  }

  private static @Nullable Instant expiry(
      String operation, RecordKey key, Map<String, AttributeValue> item) {
    AttributeValue expiry = item.get(EXPIRES_AT);
    if (expiry == null) {
      return null;
    }
    try {
      return Instant.ofEpochMilli(Long.parseLong(expiry.n()));
    } catch (IllegalArgumentException e) {
      throw incomplete(operation, key, e);
    }
  }

  private static CorruptRecordException incomplete(
      String operation, RecordKey key, @Nullable Throwable cause) {
    return new CorruptRecordException(
        operation, key, "its item lacks an attribute, or has one that nobody of us writes", cause);
  }

  static AttributeValue text(String text) {
    return AttributeValue.fromS(text);
  }

  static AttributeValue number(long number) {
    return AttributeValue.fromN(Long.toString(number));
  }
}
