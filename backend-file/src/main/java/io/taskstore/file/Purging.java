// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.DueHints.Hint;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Removes what is expired, by the hints. One purge at a time in a store.
 *
 * <p>Hints are not flushed, so a loss of power may take some. After each start of the host they are
 * gathered again: every purge reads some partitions for it, until all were read.
 */
@SuppressWarnings("try") // locks are held, not used
final class Purging {
  private static final System.Logger LOGGER = System.getLogger(FileStorageBackend.class.getName());

  private static final String OPERATION = "purgeExpired";

  /** About how many records a purge reads to gather hints: a fraction of a second. */
  private static final int GATHERED = 2_000;

  private final StoreFolder folder;
  private final FileAccess files;
  private final DueHints due;
  private final RecordFiles records;

  /** Partitions that are still to be read; null if that is not known. Guarded by the lock. */
  private @Nullable Deque<String> unread;

  Purging(StoreFolder folder, DueHints due, RecordFiles records) {
    this.folder = folder;
    this.files = folder.files();
    this.due = due;
    this.records = records;
  }

  /** Removes up to {@code limit} records, and returns how many. */
  int purge(Instant now, int limit) throws IOException {
    Map<String, Set<Path>> touched = new HashMap<>();
    int purged = 0;
    try (StoreLocks.Held purging = records.lock(OPERATION, null, StoreLocks.PURGE_LOCK)) {
      purged = gather(now, limit, touched);
      List<Path> aside;
      try (StoreLocks.Held held = records.lock(OPERATION, null, StoreLocks.DUE_LOCK)) {
        aside = due.setAside(now);
      }
      for (Path work : aside) {
        if (purged < limit) {
          purged += purge(work, now, limit - purged, touched);
        }
      }
    } finally {
      for (Map.Entry<String, Set<Path>> partition : touched.entrySet()) {
        records.flushRemovals(partition.getValue());
        records.tidy(OPERATION, partition.getKey(), partition.getValue());
      }
    }
    return purged;
  }

  private int purge(Hint hint, Instant now, Map<String, Set<Path>> touched) throws IOException {
    Path directory = records.removeExpired(OPERATION, hint.key(), now);
    if (directory == null) {
      return 0;
    }
    touched.computeIfAbsent(hint.key().partition(), name -> new LinkedHashSet<>()).add(directory);
    return 1;
  }

  /** Deals with the hints from the last one to the first, and keeps those it does not get to. */
  private int purge(Path work, Instant now, int limit, Map<String, Set<Path>> touched)
      throws IOException {
    DueHints.Work hints = due.read(work);
    List<Hint> later = new ArrayList<>();
    int purged = 0;
    int i = hints.hints().size();
    while (i > 0 && purged < limit) {
      i--;
      Hint hint = hints.hints().get(i);
      if (hint.expiresAt() > now.toEpochMilli()) {
        later.add(hint);
        continue;
      }
      purged += purge(hint, now, touched);
    }
    if (!added(later)) {
      return purged; // all of them are looked at again
    }
    if (i == 0) {
      due.drop(work);
    } else {
      due.cut(work, hints.offsets().get(i));
    }
    return purged;
  }

  /** Adds hints; false if there is no room for them, which is no reason not to make some. */
  private boolean added(List<Hint> hints) throws IOException {
    if (hints.isEmpty()) {
      return true;
    }
    try (StoreLocks.Held held = records.lock(OPERATION, null, StoreLocks.DUE_LOCK)) {
      due.add(hints);
      return true;
    } catch (IOException e) {
      LOGGER.log(Level.WARNING, "What expires later could not be noted; it will be", e);
      return false;
    }
  }

  /** Reads some partitions: purges what is due, and notes what will be. */
  private int gather(Instant now, int limit, Map<String, Set<Path>> touched) throws IOException {
    Deque<String> names = unread;
    if (names == null) {
      boolean complete = folder.knowsBoot() && due.isComplete(folder.boot());
      names = new ArrayDeque<>(complete ? List.of() : files.names(folder.partitions()));
      unread = names;
      if (names.isEmpty() && !complete) {
        setComplete();
      }
    }
    int purged = 0;
    int read = 0;
    while (!names.isEmpty() && read < GATHERED) {
      Path directory = folder.partitions().resolve(names.element());
      Deque<Path> places = new ArrayDeque<>(List.of(directory.resolve("active")));
      boolean leaves = false;
      while (!places.isEmpty()) {
        List<Hint> later = new ArrayList<>();
        for (Hint hint : records.hints(places.remove())) {
          read++;
          if (hint.expiresAt() > now.toEpochMilli()) {
            later.add(hint);
          } else if (purged == limit) {
            return purged; // this partition is read again
          } else {
            purged += purge(hint, now, touched);
          }
        }
        read++;
        if (!added(later)) {
          return purged;
        }
        if (!leaves) {
          // Listed after the active ones were read: a record may move in the meantime.
          leaves = true;
          for (String leaf : files.names(directory.resolve("done"))) {
            places.add(directory.resolve("done").resolve(leaf));
          }
        }
      }
      names.remove();
      if (names.isEmpty()) {
        setComplete();
      }
    }
    return purged;
  }

  private void setComplete() {
    if (folder.knowsBoot()) {
      try {
        due.setComplete(folder.boot(), folder.newTemporary(StoreLocks.PURGE_LOCK));
      } catch (IOException e) {
        LOGGER.log(Level.DEBUG, "It could not be noted that the hints are complete", e);
      }
    }
  }
}
