// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** What is in the recorded store. What was recorded once is never changed here. */
final class FixtureRecords {
  static final Instant LATER = Instant.parse("2099-12-31T23:59:59.999Z");
  static final Instant DUE = Instant.parse("2026-01-02T03:04:05.006Z");
  static final RecordKey DUE_KEY = new RecordKey("ts:alice", "due");
  static final RecordKey RESTORED = new RecordKey("ts:alice", "restored");

  /** What the damaged version 3 came back as. */
  static final long RESTORED_VERSION = 10_003;

  static final RecordKey UNMARKED = new RecordKey("ts:alice", "unmarked");
  static final String BOOT = "11111111-2222-4333-8444-555555555555";
  static final String STORE_ID = "66666666-7777-4888-8999-aaaaaaaaaaaa";
  static final String ASIDE_ID = "bbbbbbbb-cccc-4ddd-8eee-ffffffffffff";

  private FixtureRecords() {}

  private static RecordValue value(
      RecordKey key, int version, byte[] data, boolean active, @Nullable Instant expiry) {
    String writeId = "w-" + Math.abs(key.hashCode() % 1_000) + "-" + version;
    return new RecordValue(Bytes.copyOf(data), active, expiry, writeId);
  }

  private static void add(
      List<VersionedRecord> to,
      RecordKey key,
      int versions,
      int size,
      boolean ends,
      @Nullable Instant expiry) {
    for (int version = 1; version <= versions; version++) {
      String data =
          "{\"n\":"
              + version
              + ",\"text\":\"é😀"
              + "x".repeat(size)
              + "\",\"of\":\""
              + key.id().length()
              + "\"}";
      boolean active = !ends || version < versions;
      to.add(
          new VersionedRecord(
              key, value(key, version, BitRotFiles.ascii(data), active, expiry), version));
    }
  }

  /** Every write, in order. */
  static List<VersionedRecord> writes() {
    List<VersionedRecord> writes = new ArrayList<>();
    add(writes, new RecordKey("ts:alice", "one"), 1, 10, false, LATER);
    add(writes, new RecordKey("ts:alice", "several"), 5, 100, false, LATER);
    add(writes, new RecordKey("ts:alice", "finished"), 4, 1_500, true, LATER);
    add(writes, new RecordKey("ts:alice", "never expires"), 2, 0, false, null);
    add(writes, DUE_KEY, 2, 5, true, DUE);
    add(writes, RESTORED, 3, 5, false, LATER);
    add(writes, UNMARKED, 3, 5, false, LATER);
    add(writes, new RecordKey("ts:alice", "grown"), 12, 3_000, false, LATER);
    add(writes, new RecordKey("ts:alice", "compacted and finished"), 14, 3_000, true, LATER);
    add(writes, new RecordKey("ts:alice", "é".repeat(200) + "long"), 2, 7, false, LATER);
    add(writes, new RecordKey("ts:alice", "L".repeat(512)), 3, 7, true, LATER);
    for (String id :
        List.of(
            "a/b",
            "a%2Fb",
            "%",
            "..",
            "A",
            "con",
            "nul.txt",
            "\u65e5\u672c \ud83d\ude00",
            "\"quoted\\\"\n\u0000\u007f")) {
      add(writes, new RecordKey("ts:böb/☃", id), 2, 3, id.length() % 2 == 0, LATER);
    }
    add(writes, new RecordKey("P".repeat(1_100), "x"), 1, 3, false, null);
    RecordKey binary = new RecordKey("ts:alice", "binary");
    byte[] all = new byte[1_024];
    new Random(42).nextBytes(all);
    for (int i = 0; i < 256; i++) {
      all[i] = (byte) i;
    }
    writes.add(new VersionedRecord(binary, value(binary, 1, all, true, RecordValue.MAX_EXPIRY), 1));
    RecordKey empty = new RecordKey("ts:alice", "empty");
    writes.add(
        new VersionedRecord(empty, value(empty, 1, new byte[0], false, RecordValue.MIN_EXPIRY), 1));
    RecordKey lines = new RecordKey("ts:alice", "lines");
    writes.add(
        new VersionedRecord(
            lines, value(lines, 1, BitRotFiles.ascii("a\r\nb\r\n\n\n"), true, LATER), 1));
    RecordKey forged = new RecordKey("ts:alice", "forged");
    writes.add(
        new VersionedRecord(forged, value(forged, 1, BitRotFiles.decoy(forged), true, null), 1));
    return writes;
  }
}
