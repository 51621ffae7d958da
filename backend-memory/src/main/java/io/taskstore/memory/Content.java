// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link Slot} holds at a time: a record, or that there is none of this id. Immutable.
 *
 * <p>A record of the interface is a dozen objects, which together are larger than what many tasks
 * have to say. Here it is three: this one, an array with both names, and the array of data that was
 * handed in. Calls that answer with a record make its objects anew.
 */
final class Content {
  /** In the order of UTF-8 bytes, which is that of {@link RecordKey#compareIds}. */
  static final Comparator<Content> BY_ID = Content::compareIds;

  /** The earliest expiry first, those that never expire last. */
  static final Comparator<Content> BY_EXPIRY =
      (left, right) -> {
        int byExpiry = Long.compare(left.expiresAt, right.expiresAt);
        // Any total order would do: it only keeps those of the same instant apart.
        return byExpiry != 0 ? byExpiry : compareIds(left, right);
      };

  /** The expiry of what never expires; later than any other. */
  static final long NEVER = Long.MAX_VALUE;

  /** The id in UTF-8, and behind it the write id, which is ASCII. */
  private final byte[] names;

  private final byte @Nullable [] data;
  private final long version;

  /** In milliseconds, or {@link #NEVER}. */
  private final long expiresAt;

  private final byte writeIdLength;
  private final boolean active;

  private Content(
      byte[] names,
      byte @Nullable [] data,
      long version,
      long expiresAt,
      int writeIdLength,
      boolean active) {
    this.names = names;
    this.data = data;
    this.version = version;
    this.expiresAt = expiresAt;
    this.writeIdLength = (byte) writeIdLength;
    this.active = active;
  }

  /** There is no record of this id. */
  static Content absent(String id) {
    return absent(id.getBytes(StandardCharsets.UTF_8));
  }

  private static Content absent(byte[] id) {
    return new Content(id, null, StorageBackend.ABSENT, NEVER, 0, false);
  }

  /** The same id, without a record. */
  Content gone() {
    return absent(Arrays.copyOf(names, idLength()));
  }

  /** The same id, with this record. */
  Content next(RecordValue value, long version) {
    byte[] writeId = value.writeId().getBytes(StandardCharsets.US_ASCII);
    byte[] both = Arrays.copyOf(names, idLength() + writeId.length);
    System.arraycopy(writeId, 0, both, idLength(), writeId.length);
    Instant expiry = value.expiresAt();
    return new Content(
        both,
        value.data().unsafeArray(),
        version,
        expiry == null ? NEVER : expiry.toEpochMilli(),
        writeId.length,
        value.active());
  }

  boolean isPresent() {
    return data != null;
  }

  /** {@link StorageBackend#ABSENT} if there is no record. */
  long version() {
    return version;
  }

  boolean isActive() {
    return active;
  }

  /** In milliseconds, or {@link #NEVER}. */
  long expiresAt() {
    return expiresAt;
  }

  boolean isExpired(Instant now) {
    return isExpired(expiresAt, now);
  }

  /** Whether {@code expiresAt}, in milliseconds or {@link #NEVER}, has come. */
  static boolean isExpired(long expiresAt, Instant now) {
    return expiresAt != NEVER && !Instant.ofEpochMilli(expiresAt).isAfter(now);
  }

  int dataBytes() {
    return data == null ? 0 : data.length;
  }

  int idLength() {
    return names.length - writeIdLength;
  }

  String id() {
    return new String(names, 0, idLength(), StandardCharsets.UTF_8);
  }

  boolean hasWriteId(String writeId) {
    return writeId().equals(writeId);
  }

  private String writeId() {
    return new String(names, idLength(), writeIdLength, StandardCharsets.US_ASCII);
  }

  /** The record, of which there is one, under its key. */
  VersionedRecord record(RecordKey key) {
    Bytes bytes = Bytes.unsafeWrap(Objects.requireNonNull(data));
    return new VersionedRecord(key, new RecordValue(bytes, active, expiry(), writeId()), version);
  }

  /** The head of the record, of which there is one. */
  RecordHead head(String partition) {
    return new RecordHead(new RecordKey(partition, id()), expiry());
  }

  private @Nullable Instant expiry() {
    return expiresAt == NEVER ? null : Instant.ofEpochMilli(expiresAt);
  }

  boolean hasIdOf(Content other) {
    return Arrays.equals(names, 0, idLength(), other.names, 0, other.idLength());
  }

  /** Of the id, spread over all bits. */
  int idHash() {
    int hash = 0;
    for (int i = 0; i < idLength(); i++) {
      hash = 31 * hash + names[i];
    }
    // Ids that differ in their last characters only would be neighbours: mixed as in MurmurHash3.
    hash = (hash ^ (hash >>> 16)) * 0x85EBCA6B;
    hash = (hash ^ (hash >>> 13)) * 0xC2B2AE35;
    return hash ^ (hash >>> 16);
  }

  private static int compareIds(Content left, Content right) {
    return Arrays.compareUnsigned(left.names, 0, left.idLength(), right.names, 0, right.idLength());
  }

  /** Shows version and sizes, neither names nor data. */
  @Override
  public String toString() {
    return "Content[version=%d, %d bytes]".formatted(version, dataBytes());
  }
}
