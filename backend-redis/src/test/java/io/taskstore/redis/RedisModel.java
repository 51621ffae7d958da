// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** What must be stored, by what {@link RedisLoad} has said. */
final class RedisModel {
  private static final String NOTHING = "0";

  /** What a key holds, and what it may hold if the last write was done. */
  private static final class Entry {
    private String now = NOTHING;
    private @Nullable String maybe;
  }

  private final Map<RecordKey, Entry> entries = new HashMap<>();
  private long writes;
  private long survivors;

  /** A record without its data, which follows from its write id. */
  static String text(@Nullable VersionedRecord stored) {
    if (stored == null) {
      return NOTHING;
    }
    Instant expiry = stored.value().expiresAt();
    return stored.version()
        + ","
        + stored.value().active()
        + ","
        + (expiry == null ? "never" : expiry.toEpochMilli())
        + ","
        + stored.value().writeId();
  }

  private static boolean isActive(String text) {
    return text.split(",", -1)[1].equals("true");
  }

  /** Whether the server may drop it now, or has. */
  private static boolean isExpired(String text) {
    if (text.equals(NOTHING)) {
      return false;
    }
    String expiry = text.split(",", -1)[2];
    return !expiry.equals("never") && Long.parseLong(expiry) <= System.currentTimeMillis();
  }

  synchronized void hear(String line) {
    String[] words = line.split(" ", -1);
    Entry entry =
        entries.computeIfAbsent(new RecordKey(words[1], words[2]), missing -> new Entry());
    switch (words[0]) {
      case "sending" -> entry.maybe = words[3];
      case "done" -> {
        writes++;
        entry.now = entry.maybe;
        entry.maybe = null;
      }
      case "not" -> entry.maybe = null;
      default -> throw new AssertionError(line);
    }
  }

  /** Acknowledged writes. */
  synchronized long writes() {
    return writes;
  }

  /** Writes of killed clients that were not acknowledged, and are there. */
  synchronized long survivors() {
    return survivors;
  }

  /** Compares with what is stored: each record, the lists, and the indexes. Nobody writes now. */
  synchronized void check(StorageBackend backend, RedisIndexes indexes) {
    entries.forEach((key, entry) -> check(backend.get(key).orElse(null), key, entry));
    for (String partition : RedisLoad.PARTITIONS) {
      Set<String> listed = new TreeSet<>();
      for (VersionedRecord stored : list(backend, partition)) {
        listed.add(stored.key().id());
        assertThat(text(stored)).as("listed %s", stored.key()).isEqualTo(now(stored.key()));
      }
      Set<String> active = new TreeSet<>();
      String after = null;
      do {
        var page = backend.listActive(new ListQuery(partition, after, false, 100));
        page.heads().stream().map(RecordHead::key).map(RecordKey::id).forEach(active::add);
        after = page.next();
      } while (after != null);
      Set<String> living = new TreeSet<>();
      Set<String> livingActive = new TreeSet<>();
      Set<String> livingDone = new TreeSet<>();
      Set<String> mayBeDead = new HashSet<>();
      entries.forEach(
          (key, entry) -> {
            if (!key.partition().equals(partition) || entry.now.equals(NOTHING)) {
              return;
            }
            if (isExpired(entry.now)) {
              mayBeDead.add(key.id());
            } else {
              living.add(key.id());
              (isActive(entry.now) ? livingActive : livingDone).add(key.id());
            }
          });
      // what expires just now may be there or not, in whichever index it belongs to
      assertSame(partition + ": list", living, listed, mayBeDead);
      assertSame(partition + ": listActive", livingActive, active, mayBeDead);
      assertSame(partition + ": all", living, indexes.all(partition), mayBeDead);
      assertSame(partition + ": active", livingActive, indexes.active(partition), mayBeDead);
      assertSame(partition + ": active-due", livingActive, indexes.activeDue(partition), mayBeDead);
      assertSame(partition + ": done-due", livingDone, indexes.doneDue(partition), mayBeDead);
      assertThat(indexes.activeDue(partition))
          .as("%s: active and active-due", partition)
          .isEqualTo(indexes.active(partition));
    }
  }

  private static void assertSame(
      String what, Set<String> wanted, Set<String> found, Set<String> mayBeDead) {
    Set<String> rest = new TreeSet<>(found);
    rest.removeAll(mayBeDead);
    Set<String> left = new TreeSet<>(wanted);
    left.removeAll(mayBeDead);
    assertThat(rest).as(what).isEqualTo(left);
  }

  private String now(RecordKey key) {
    Entry entry = entries.get(key);
    return entry == null ? NOTHING : entry.now;
  }

  private void check(@Nullable VersionedRecord found, RecordKey key, Entry entry) {
    String stored = text(found);
    if (found != null) {
      assertThat(found.value().data())
          .as("the data of %s", key)
          .isEqualTo(RedisLoad.data(found.value().writeId()));
    }
    if (entry.maybe != null) {
      if (stored.equals(entry.maybe) || (found == null && isExpired(entry.maybe))) {
        survivors++;
        entry.now = entry.maybe;
      }
      entry.maybe = null;
    }
    if (found != null || !isExpired(entry.now)) {
      assertThat(stored).as("what is stored under %s", key).isEqualTo(entry.now);
    }
  }

  /** How many active records of a partition count against its limit at a time. */
  synchronized int active(String partition, Instant at) {
    int active = 0;
    for (Map.Entry<RecordKey, Entry> entry : entries.entrySet()) {
      String now = entry.getValue().now;
      if (entry.getKey().partition().equals(partition) && !now.equals(NOTHING) && isActive(now)) {
        String expiry = now.split(",", -1)[2];
        active += expiry.equals("never") || Long.parseLong(expiry) > at.toEpochMilli() ? 1 : 0;
      }
    }
    return active;
  }

  static List<VersionedRecord> list(StorageBackend backend, String partition) {
    List<VersionedRecord> all = new ArrayList<>();
    String after = null;
    do {
      RecordPage page = backend.list(new ListQuery(partition, after, false, 100));
      assertThat(page.corrupt()).as("corrupt in %s", partition).isEmpty();
      all.addAll(page.records());
      after = page.next();
    } while (after != null);
    return all;
  }

  /** What the indexes of a partition have in them. */
  interface RedisIndexes {
    Set<String> all(String partition);

    Set<String> active(String partition);

    Set<String> activeDue(String partition);

    Set<String> doneDue(String partition);
  }
}
