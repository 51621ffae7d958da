// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes without end: records of its own, of which it always knows the version, and some that it
 * shares with others. What it finds at the beginning it takes over from the dead writer of the same
 * number.
 */
final class CrashWork {
  static final List<String> PARTITIONS = List.of("ts:alice", "Bob/ä%");
  static final int SHARED = 3;

  /** Records that expire before this are purged by everybody. */
  static final Instant PURGED = Instant.parse("2026-01-01T12:00:00Z");

  private static final Instant KEPT = Instant.parse("2026-01-01T12:30:00Z");
  private static final int MOST_RECORDS = 12;

  private final CrashWriter writer;
  private final int number;
  private final Random random;
  private final Map<String, RecordKey> own = new TreeMap<>();
  private final Map<RecordKey, VersionedRecord> heads = new HashMap<>();
  private final long seed;
  private int created;

  CrashWork(CrashWriter writer, int number, long seed) {
    this.writer = writer;
    this.number = number;
    this.seed = seed;
    this.random = new Random(seed);
  }

  static RecordKey shared(int i) {
    return new RecordKey(PARTITIONS.get(0), "s-" + i);
  }

  void run() {
    for (String partition : PARTITIONS) {
      for (VersionedRecord found :
          writer.backend().list(new ListQuery(partition, null, false, 1_000)).records()) {
        if (found.key().id().startsWith("w" + number + "-")) {
          remember(found.key(), found);
        }
      }
    }
    while (true) {
      step();
    }
  }

  private void remember(RecordKey key, VersionedRecord found) {
    boolean isDue = found.value().isExpired(PURGED);
    if (!isDue) {
      own.put(key.partition() + ' ' + key.id(), key);
      heads.put(key, found);
    }
  }

  private void step() {
    int dice = random.nextInt(100);
    if (dice < 10) {
      updateShared();
    } else if (dice < 13) {
      writer.purge(PURGED, 1 + random.nextInt(10));
    } else if (own.isEmpty() || (dice < 35 && own.size() < MOST_RECORDS)) {
      create();
    } else if (dice < 37) {
      writer.create(newKey(), PURGED.minusMillis(1), 100, 10_000, PURGED);
    } else {
      change(dice);
    }
  }

  private void updateShared() {
    int which = random.nextInt(SHARED);
    RecordKey key = shared(which);
    Optional<VersionedRecord> found = writer.backend().get(key);
    if (found.isPresent()) {
      // One is large, so that its old versions are dropped often.
      int size = which == 0 ? 80_000 + random.nextInt(80_000) : size();
      writer.put(key, found.get().version(), true, null, size);
    }
  }

  private void create() {
    RecordKey key = newKey();
    Instant expiry = random.nextInt(3) == 0 ? KEPT : null;
    if (random.nextInt(4) == 0) {
      put(key, 0, false, expiry);
    } else {
      int size = size();
      if (writer.create(key, expiry, size, 10_000, PURGED)) {
        remember(key, writer.stored(key));
      }
    }
  }

  private RecordKey newKey() {
    created++;
    String id = "w" + number + "-" + seed + "-" + created;
    return new RecordKey(
        PARTITIONS.get(random.nextInt(PARTITIONS.size())),
        created % 5 == 0 ? id + "Long".repeat(40) : id);
  }

  private void change(int dice) {
    List<RecordKey> keys = new ArrayList<>(own.values());
    RecordKey key = keys.get(random.nextInt(keys.size()));
    VersionedRecord head = heads.get(key);
    if (head == null) {
      return;
    }
    Instant expiry = head.value().expiresAt();
    boolean active = head.value().active();
    if (dice < 52) {
      writer.delete(key, head.version());
      own.remove(key.partition() + ' ' + key.id());
      heads.remove(key);
    } else if (dice < 65) {
      put(key, head.version(), false, expiry);
    } else if (dice < 70) {
      put(key, head.version(), active, expiry == null ? KEPT : expiry.plusSeconds(1));
    } else {
      put(key, head.version(), active, expiry);
    }
  }

  private void put(RecordKey key, long expected, boolean active, @Nullable Instant expiry) {
    if (writer.put(key, expected, active, expiry, size())) {
      remember(key, writer.stored(key));
    }
  }

  private int size() {
    int dice = random.nextInt(20);
    if (dice == 0) {
      return 20_000 + random.nextInt(60_000);
    }
    return dice < 6 ? 3_000 + random.nextInt(6_000) : random.nextInt(900);
  }
}
