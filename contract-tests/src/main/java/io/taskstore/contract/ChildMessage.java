// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A line between the tests and {@link ChildMain}: a mark, a name and fields, which are read in the
 * order in which they were added. Fields are Base64, so that no data can look like the end of a
 * line; what else a process prints has no mark.
 */
final class ChildMessage {
  private static final String MARK = "@taskstore ";

  /** So that a line whose end is missing is not taken for a whole one. */
  private static final String END = " .";

  private static final String NULL = "-";

  private final String name;
  private final Deque<String> fields = new ArrayDeque<>();

  ChildMessage(String name) {
    this.name = name;
  }

  /** The message that {@code line} is, null if it is none. */
  static @Nullable ChildMessage parse(String line) {
    if (!line.startsWith(MARK) || !line.endsWith(END)) {
      return null;
    }
    String[] parts = line.substring(MARK.length(), line.length() - END.length()).split(" ", -1);
    ChildMessage message = new ChildMessage(parts[0]);
    for (int i = 1; i < parts.length; i++) {
      message.fields.add(parts[i]);
    }
    return message;
  }

  /** The line without its line break. */
  String line() {
    List<String> parts = new ArrayList<>();
    parts.add(name);
    parts.addAll(fields);
    return MARK + String.join(" ", parts) + END;
  }

  String name() {
    return name;
  }

  ChildMessage bytes(byte[] field) {
    fields.add(Base64.getEncoder().encodeToString(field));
    return this;
  }

  ChildMessage text(@Nullable String field) {
    if (field == null) {
      fields.add(NULL);
      return this;
    }
    return bytes(field.getBytes(StandardCharsets.UTF_8));
  }

  ChildMessage number(long field) {
    return text(Long.toString(field));
  }

  ChildMessage time(@Nullable Instant field) {
    return text(field == null ? null : field.toString());
  }

  ChildMessage key(RecordKey field) {
    return text(field.partition()).text(field.id());
  }

  ChildMessage value(RecordValue field) {
    return bytes(field.data().unsafeArray())
        .text(Boolean.toString(field.active()))
        .time(field.expiresAt())
        .text(field.writeId());
  }

  ChildMessage record(@Nullable VersionedRecord field) {
    if (field == null) {
      return number(0);
    }
    return number(field.version()).key(field.key()).value(field.value());
  }

  ChildMessage texts(List<String> field) {
    number(field.size());
    field.forEach(this::text);
    return this;
  }

  byte[] takeBytes() {
    return Base64.getDecoder().decode(fields.removeFirst());
  }

  @Nullable String takeTextOrNull() {
    if (NULL.equals(fields.peekFirst())) {
      fields.removeFirst();
      return null;
    }
    return new String(takeBytes(), StandardCharsets.UTF_8);
  }

  String takeText() {
    return new String(takeBytes(), StandardCharsets.UTF_8);
  }

  long takeNumber() {
    return Long.parseLong(takeText());
  }

  @Nullable Instant takeTime() {
    String text = takeTextOrNull();
    return text == null ? null : Instant.parse(text);
  }

  RecordKey takeKey() {
    String partition = takeText();
    return new RecordKey(partition, takeText());
  }

  RecordValue takeValue() {
    Bytes data = Bytes.unsafeWrap(takeBytes());
    boolean active = Boolean.parseBoolean(takeText());
    Instant expiresAt = takeTime();
    return new RecordValue(data, active, expiresAt, takeText());
  }

  @Nullable VersionedRecord takeRecord() {
    long version = takeNumber();
    if (version == 0) {
      return null;
    }
    RecordKey key = takeKey();
    return new VersionedRecord(key, takeValue(), version);
  }

  List<String> takeTexts() {
    List<String> texts = new ArrayList<>();
    for (long left = takeNumber(); left > 0; left--) {
      texts.add(takeText());
    }
    return texts;
  }
}
