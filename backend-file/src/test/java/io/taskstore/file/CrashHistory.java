// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the writers of one store have announced and got acknowledged, and hence what may be stored.
 * After all writers have ended, what is found under each key becomes what must be there from then
 * on.
 *
 * <p>An id is used once, as the SPI asks of callers: what is deleted never comes back.
 */
final class CrashHistory {
  /** What is known of one key. */
  private static final class Line {
    /** The newest version that was acknowledged, or was found after its writer's death. */
    @Nullable CrashWrite known;

    /** How much higher its version is, since it was restored from a damaged file. */
    long raise;

    /** The newest version that somebody has read. */
    long seen;

    boolean deleted;
    boolean mayBeDeleted;
    boolean mayBeReset;

    /** It was damaged, and comes back under any version above this one; 0 if it was not. */
    long restoredAbove;

    /** What was announced since, and may have come after it. */
    final Map<String, CrashWrite> announced = new HashMap<>();

    long knownVersion() {
      return known == null ? 0 : known.version() + raise;
    }
  }

  private final Map<RecordKey, Line> lines =
      new TreeMap<>(
          (left, right) -> {
            int order = left.partition().compareTo(right.partition());
            return order != 0 ? order : RecordKey.compareIds(left.id(), right.id());
          });
  private final Map<String, RecordKey> keys = new HashMap<>();
  private final List<String> troubles = new ArrayList<>();

  /** The latest instant for which somebody has begun to purge. */
  private @Nullable Instant purgedTo;

  private long acknowledged;
  private long survivors;
  private boolean ended;

  /** Thrown when something is stored, or is not, that should not be, or should. */
  static final class LostException extends Exception {
    private static final long serialVersionUID = 1L;

    LostException(String message) {
      super(message);
    }
  }

  // --- listening ----------------------------------------------------------------------------

  /** Takes note of a line of a {@link CrashWriter}. */
  synchronized void hear(String line) {
    String[] words = line.split(" ", -1);
    switch (words[0]) {
      case "write" -> announce(CrashWrite.parse(words));
      case "written" -> {
        acknowledged++;
        Line key = ofWrite(words[1]);
        CrashWrite write = key == null ? null : key.announced.remove(words[1]);
        if (key == null || write == null) {
          troubles.add("acknowledged without having been announced: " + line);
        } else if (write.version() > key.knownVersion()) {
          key.known = write;
          key.raise = 0;
        }
      }
      case "conflict", "full" -> {
        Line key = ofWrite(words[1]);
        CrashWrite write = key == null ? null : key.announced.remove(words[1]);
        // Who writes a record alone is never late.
        if (write != null && !isShared(write.key()) && words[0].equals("conflict")) {
          troubles.add("a conflict of the only writer of " + write.key());
        }
      }
      case "delete" -> line(new RecordKey(words[1], words[2])).mayBeDeleted = true;
      case "deleted" -> {
        acknowledged++;
        line(new RecordKey(words[1], words[2])).deleted = true;
      }
      case "undeleted" ->
          troubles.add("a conflict of the only writer at a deletion: " + line.substring(9));
      case "purge" -> {
        Instant now = Instant.ofEpochMilli(Long.parseLong(words[1]));
        purgedTo = purgedTo == null || now.isAfter(purgedTo) ? now : purgedTo;
      }
      case "purged" -> acknowledged++;
      case "ended" -> ended = true;
      case "ready" -> {
        // Nothing to remember.
      }
      default -> troubles.add(line);
    }
  }

  private void announce(CrashWrite write) {
    Line line = line(write.key());
    line.announced.put(write.writeId(), write);
    keys.put(write.writeId(), write.key());
  }

  private @Nullable Line ofWrite(String writeId) {
    RecordKey key = keys.get(writeId);
    return key == null ? null : line(key);
  }

  private Line line(RecordKey key) {
    return lines.computeIfAbsent(key, unknown -> new Line());
  }

  /** Whether several writers write a record. */
  static boolean isShared(RecordKey key) {
    return key.id().startsWith("s-");
  }

  private boolean mayBeGone(Line line) {
    Instant now = purgedTo;
    return line.mayBeDeleted
        || (now != null
            && ((line.known != null && isDue(line.known, now))
                || line.announced.values().stream().anyMatch(write -> isDue(write, now))));
  }

  private static boolean isDue(CrashWrite write, Instant now) {
    return write.expiresAt() != null && !write.expiresAt().isAfter(now);
  }

  /** Says that the file of a record is damaged, and that another policy makes it absent. */
  synchronized void isReset(RecordKey key) {
    Line line = line(key);
    line.known = null;
    line.seen = 0;
    line.mayBeReset = true;
  }

  /** Says that the newest version is damaged; an older one comes back above it. */
  synchronized void isRestored(CrashWrite older, long damaged) {
    Line line = line(older.key());
    line.known = older;
    line.restoredAbove = damaged;
    line.seen = 0;
  }

  /** What somebody who is not a writer has read. */
  synchronized void seen(VersionedRecord stored) {
    Line line = line(stored.key());
    line.seen = Math.max(line.seen, stored.version());
  }

  // --- what must be -------------------------------------------------------------------------

  /** All keys of which anything was heard. */
  synchronized List<RecordKey> keys() {
    return List.copyOf(lines.keySet());
  }

  /** The version that a reader must find at least; 0 if it may find nothing. */
  synchronized long leastVersion(RecordKey key) {
    Line line = lines.get(key);
    return line == null || mayBeGone(line) ? 0 : Math.max(line.knownVersion(), line.seen);
  }

  /** Whether a record cannot be there any more. */
  synchronized boolean isDeleted(RecordKey key) {
    Line line = lines.get(key);
    return line != null && line.deleted;
  }

  synchronized long acknowledged() {
    return acknowledged;
  }

  /** How many writes were found that nobody had acknowledged. */
  synchronized long survivors() {
    return survivors;
  }

  /** Whether a writer has come to its end, instead of dying. */
  synchronized boolean hasEnded() {
    return ended;
  }

  /**
   * Complains of what went wrong while the writers lived.
   *
   * @throws LostException if a call failed, or was answered as it must not be
   */
  synchronized void checkTroubles() throws LostException {
    if (!troubles.isEmpty()) {
      throw new LostException("in the processes: " + String.join(" | ", troubles));
    }
  }

  /**
   * Compares what is found under a key, now that no writer of it lives, with all that may be.
   *
   * @throws LostException if it is none of that
   */
  synchronized void settle(RecordKey key, @Nullable VersionedRecord found) throws LostException {
    Line line = line(key);
    long least = Math.max(line.knownVersion(), line.seen);
    if (found == null && line.deleted) {
      return; // it is known, and why
    }
    if (found == null) {
      if (least > 0 && !mayBeGone(line) && !line.mayBeReset) {
        throw new LostException(
            "LOST: %s is absent; version %d was acknowledged or seen".formatted(key, least));
      }
      line.deleted = true;
      line.announced.clear();
      return;
    }
    if (line.deleted) {
      throw new LostException(
          "LOST: %s is there again, with version %d, after it was gone"
              .formatted(key, found.version()));
    }
    if (found.version() < Math.max(least, line.restoredAbove)) {
      throw new LostException(
          "LOST: %s has version %d; %d was acknowledged or seen"
              .formatted(key, found.version(), least));
    }
    CrashWrite write = line.announced.get(found.value().writeId());
    long raise = 0;
    CrashWrite known = line.known;
    if (write == null && known != null && known.writeId().equals(found.value().writeId())) {
      write = known;
      boolean isRestored = line.restoredAbove > 0 && found.version() > line.restoredAbove;
      raise = isRestored ? found.version() - known.version() : line.raise;
    } else if (write != null) {
      survivors++;
    }
    if (write == null) {
      throw new LostException(
          "FOREIGN: %s has write %s, which nobody has announced"
              .formatted(key, found.value().writeId()));
    }
    if (found.version() != write.version() + raise) {
      throw new LostException(
          "FOREIGN: %s has version %d with the data of version %d"
              .formatted(key, found.version(), write.version() + raise));
    }
    if (!found.key().equals(key) || !found.value().equals(write.value())) {
      throw new LostException(
          "TORN: %s, version %d, is not what was written: %s instead of %s"
              .formatted(key, found.version(), found.value(), write.value()));
    }
    line.known = write;
    line.raise = raise;
    line.seen = found.version();
    line.mayBeDeleted = false;
    line.mayBeReset = false;
    line.restoredAbove = 0;
    line.announced.clear();
  }

  /** Forgets what is gone for ever, and what the dead have said. */
  synchronized void tidy() {
    lines.values().removeIf(line -> line.deleted);
    keys.keySet()
        .removeIf(
            writeId -> {
              Line line = lines.get(keys.get(writeId));
              return line == null || !line.announced.containsKey(writeId);
            });
    ended = false;
    purgedTo = null;
  }
}
