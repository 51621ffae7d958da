// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.FileAccess.Stamp;
import io.taskstore.file.FileAccess.Step;
import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.file.PartitionFiles.Leaf;
import io.taskstore.file.PartitionFiles.Place;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Reads and writes the files of records. Readers take no lock. Writers hold the lock of their
 * record, and that of the partition while a file appears, moves between directories, or while
 * directories go.
 *
 * <p>A write is acknowledged when its entry was flushed and then marked. Readers skip an entry
 * without a mark, for a loss of power could take it back; if its writer has died, whoever sees it
 * first flushes and marks it. After another start of the host what is there was flushed.
 */
@SuppressWarnings("try") // locks are held, not used
final class RecordFiles {
  private static final System.Logger LOGGER = System.getLogger(FileStorageBackend.class.getName());

  /**
   * From this length on old versions are dropped, if they are not few. Dropping costs as much as
   * dozens of writes, so it has to be rare; few records are ever written so often.
   */
  private static final int COMPACTED_FROM = Journal.DOUBLED_UP_TO;

  private static final int COMPACTED_ENTRIES = 8;

  /** A finished record keeps its file: then old versions are dropped from this length on. */
  private static final int FINISHED_COMPACTED_FROM = 16 * 1_024;

  /** How often a file that looks damaged is read again: a writer may be at work on it. */
  private static final int MAX_READS = 20;

  /** How many bytes behind a known entry are read, if fewer do not tell where the newest ends. */
  private static final int[] MORE_BYTES = {Journal.KIND_LENGTH, 16 * 1_024, Integer.MAX_VALUE};

  /** More versions than a file can have lost. */
  private static final int LOST_VERSIONS = 10_000;

  private final StoreFolder folder;
  private final FileAccess files;
  private final Path partitions;
  private final Path lockFile;
  private final String boot;
  private final Duration lockTimeout;
  private final int kept;
  private final Recovery recovery;
  private final DueHints due;
  private final Tails tails = new Tails();

  /** The leaves of a partition, at some time. */
  private record Leaves(String partition, @Nullable Stamp stamp, List<Leaf> leaves) {}

  private final AtomicReferenceArray<@Nullable Leaves> known = new AtomicReferenceArray<>(256);

  /** What a leaf has, at some time. */
  private record LeafPlaces(Path leaf, Stamp stamp, List<Place> places) {}

  private final AtomicReferenceArray<@Nullable LeafPlaces> listed = new AtomicReferenceArray<>(64);

  /** A leaf whose name is known to be flushed; another one of that name is not it. */
  private record FlushedLeaf(Path leaf, @Nullable Object fileKey) {}

  private final AtomicReferenceArray<@Nullable FlushedLeaf> leaves =
      new AtomicReferenceArray<>(1_024);

  RecordFiles(StoreFolder folder, DueHints due, Duration lockTimeout, int kept, Recovery recovery) {
    this.folder = folder;
    this.files = folder.files();
    this.partitions = folder.partitions();
    this.lockFile = folder.root().resolve("locks");
    this.boot = folder.boot();
    this.due = due;
    this.lockTimeout = lockTimeout;
    this.kept = kept;
    this.recovery = recovery;
  }

  PartitionFiles partition(String name) {
    return new PartitionFiles(files, partitions, name);
  }

  /** Whether a file is where active records are, one directory higher than others. */
  private boolean isAmongActive(Path file) {
    return file.getNameCount() == partitions.getNameCount() + 3;
  }

  // --- reading ------------------------------------------------------------------------------

  /**
   * What was found under a key.
   *
   * @param bytes from {@code base} on
   * @param count how many entries the file has
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Looked(Path file, byte[] bytes, int base, Journal.Reading reading, int count) {}

  /** A file, and what it has. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Found(Path file, byte[] content) {}

  /** Looks where the record was last, and if it is not there, everywhere. */
  private @Nullable Looked look(String operation, RecordKey key, @Nullable Path hint)
      throws IOException {
    try {
      return look(key, hint);
    } catch (IOException e) {
      if (Failures.isOfOneFile(e)) {
        throw new CorruptRecordException(
            operation, key, "its file cannot be read (%s)".formatted(Failures.reason(e)), e);
      }
      throw e;
    }
  }

  private @Nullable Looked look(RecordKey key, @Nullable Path hint) throws IOException {
    Tails.Tail tail = tails.get(key);
    if (tail != null) {
      Looked looked =
          confirmed(tail, limit -> files.read(tail.file(), tail.offset(), limit, tail.room()));
      if (looked != null) {
        return looked;
      }
      tails.forget(key);
    }
    return lookEverywhere(key, hint);
  }

  /** Reads a file from a known place on; null if it is not there, or is not as long as it was. */
  @FunctionalInterface
  private interface PartReader {
    byte @Nullable [] read(int limit) throws IOException;
  }

  /** What follows the newest entry that is known; null if that is not for certain. */
  private @Nullable Looked confirmed(Tails.Tail tail, PartReader reader) throws IOException {
    int rest = tail.room() - tail.offset();
    // Mostly nobody else has written, and the rest of the file is blank.
    for (int more : MORE_BYTES) {
      int limit = Math.min(rest, Math.max(more, tail.length() + more));
      byte[] bytes = reader.read(limit);
      if (bytes == null || !tail.hash().equals(Journal.firstHash(bytes))) {
        return null;
      }
      Journal.Reading reading = Journal.read(bytes, tail.offset(), tail.room());
      boolean isAll = limit == rest || isFollowedByBlanks(reading, tail.offset() + limit);
      if (isAll && reading.clean() && damage(reading, tail.key()) == null) {
        int count = tail.count() - 1 + reading.offsets().size();
        return new Looked(tail.file(), bytes, tail.offset(), reading, count);
      }
    }
    return null;
  }

  /** Whether enough was read to see where the entries end. */
  private static boolean isFollowedByBlanks(Journal.Reading reading, int end) {
    Journal.Entry last = reading.last();
    return last != null && last.end() + Journal.KIND_LENGTH <= end;
  }

  private @Nullable Looked lookEverywhere(RecordKey key, @Nullable Path hint) throws IOException {
    Found found = null;
    if (hint != null) {
      Path file = hint.resolve(PartitionFiles.fileName(key.id()));
      byte[] content = files.read(file);
      found = content == null ? null : new Found(file, content);
    }
    if (found == null) {
      found = find(key);
    }
    if (found == null) {
      return null;
    }
    Journal.Reading reading = Journal.read(found.content());
    return new Looked(found.file(), found.content(), 0, reading, reading.offsets().size());
  }

  private @Nullable Found find(RecordKey key) throws IOException {
    PartitionFiles partition = partition(key.partition());
    String name = PartitionFiles.fileName(key.id());
    Path active = partition.active.resolve(name);
    Found found = files.isReadable(active) ? found(active) : null;
    if (found == null) {
      // Where others of the partition were is looked at first: leaves are seldom made, never split.
      Leaves remembered = known.get(slotOf(key.partition()));
      boolean isKnown = remembered != null && remembered.partition().equals(key.partition());
      Path leaf =
          isKnown ? PartitionFiles.leafOf(remembered.leaves(), key.id()) : partition.firstLeaf();
      Path file = leaf == null ? null : leaf.resolve(name);
      found = file != null && files.isReadable(file) ? found(file) : null;
    }
    if (found == null) {
      Path leaf = PartitionFiles.leafOf(leaves(partition), key.id());
      found = leaf == null ? null : found(leaf.resolve(name));
    }
    // The restoring of an older version is the one thing that moves a file to the active ones.
    return found == null ? found(active) : found;
  }

  private @Nullable Found found(Path file) throws IOException {
    byte[] content = files.read(file);
    return content == null ? null : new Found(file, content);
  }

  // --- what directories have ----------------------------------------------------------------

  private int slotOf(String partition) {
    return Math.floorMod(partition.hashCode(), known.length());
  }

  /** The leaves of a partition, in the order of ids. */
  List<Leaf> leaves(PartitionFiles partition) throws IOException {
    int slot = slotOf(partition.name);
    Stamp stamp = files.stamp(partition.done);
    Leaves remembered = known.get(slot);
    if (remembered != null
        && stamp != null
        && stamp.equals(remembered.stamp())
        && remembered.partition().equals(partition.name)) {
      return remembered.leaves();
    }
    List<Leaf> leaves = List.copyOf(partition.leaves());
    known.set(slot, new Leaves(partition.name, stamp, leaves));
    return leaves;
  }

  /** All ids in a leaf, in order. */
  List<Place> places(PartitionFiles partition, Path leaf) throws IOException {
    int slot = Math.floorMod(leaf.hashCode(), listed.length());
    Stamp stamp = files.stamp(leaf);
    LeafPlaces remembered = listed.get(slot);
    if (remembered != null
        && stamp != null
        && stamp.equals(remembered.stamp())
        && remembered.leaf().equals(leaf)) {
      return remembered.places();
    }
    List<Place> places = List.copyOf(partition.places(leaf));
    if (stamp != null) {
      listed.set(slot, new LeafPlaces(leaf, stamp, places));
    }
    return places;
  }

  private static @Nullable String damage(Journal.Reading reading, RecordKey key) {
    Journal.Entry last = reading.last();
    Journal.Entry before = reading.before();
    if (reading.damage() != null || last == null) {
      return String.valueOf(reading.damage());
    }
    boolean isOurs =
        last.stored().key().equals(key) && (before == null || before.stored().key().equals(key));
    return isOurs ? null : "its file has the record of another key";
  }

  /**
   * Reads a record, without waiting for anybody.
   *
   * @param hint the directory in which it was seen, if it was
   */
  @Nullable VersionedRecord read(String operation, RecordKey key, @Nullable Path hint)
      throws IOException {
    for (int reads = 1; ; reads++) {
      Looked looked = look(operation, key, hint);
      if (looked == null) {
        return null;
      }
      String damage = damage(looked.reading(), key);
      if (damage == null) {
        if (!looked.reading().isPending(boot)) {
          remember(key, looked);
        } else if (heal(operation, key)) {
          continue;
        }
        return looked.reading().visible(boot);
      }
      if (reads >= MAX_READS) {
        return recovered(operation, key, damage);
      }
      Thread.onSpinWait();
    }
  }

  private void remember(RecordKey key, Looked looked) {
    Journal.Entry last = looked.reading().last();
    // What the power has left of a write may stand far behind, and only a whole reading sees it.
    if (last != null && last.marked() && looked.reading().clean()) {
      tails.remember(Tails.Tail.of(key, looked.file(), last, looked.count()));
    }
  }

  /**
   * Finishes a write whose writer has died. Readers do not wait: if the lock is held, the writer is
   * alive.
   *
   * @return whether to look again
   */
  private boolean heal(String operation, RecordKey key) throws IOException {
    StoreLocks locks = folder.locks();
    if (locks == null) {
      return false;
    }
    try (StoreLocks.Held held = locks.tryLock(StoreLocks.ofRecord(key.hashCode()))) {
      if (held == null) {
        return false;
      }
      current(operation, key);
      return true;
    } catch (IOException e) {
      LOGGER.log(Level.WARNING, "A write that was left half done could not be finished", e);
      return false;
    }
  }

  /** Flushes and marks an entry that its writer has left. For the holder of the record's lock. */
  private void settle(RecordKey key, Looked looked) throws IOException {
    Journal.Entry last = looked.reading().last();
    if (last == null || last.marked()) {
      return;
    }
    // Written again: after a flush that failed, the system may take what it has for flushed.
    int from = last.offset() - looked.base();
    byte[] entry = Arrays.copyOfRange(looked.bytes(), from, last.end() - looked.base());
    Path file = looked.file();
    FileAccess.uninterrupted(
        () -> {
          try (FileAccess.Writer writer = files.openForWriting(file)) {
            writer.write(last.offset(), entry);
            writer.flush();
          }
        });
    files.flushDirectory(PartitionFiles.parent(file));
    if (!isAmongActive(file)) {
      files.flushDirectory(partition(key.partition()).active);
    }
    mark(file, last.offset());
  }

  private void mark(Path file, int offset) throws IOException {
    FileAccess.uninterrupted(
        () -> {
          try (FileAccess.Writer writer = files.openForWriting(file)) {
            writer.write(offset + (long) Journal.MARK_OFFSET, Journal.doneMark());
          }
        });
  }

  /**
   * A record as it stands, for the holder of its lock: all of it is flushed and marked.
   *
   * @param writer the file, if it is open already
   */
  record Current(
      Path file,
      Journal.Reading reading,
      Journal.Entry last,
      int count,
      FileAccess.@Nullable Writer writer)
      implements AutoCloseable {
    VersionedRecord stored() {
      return last.stored();
    }

    @Override
    public void close() throws IOException {
      if (writer != null) {
        writer.close();
      }
    }
  }

  /** The record, for the holder of its lock, who closes it; null if there is none. */
  @Nullable Current current(String operation, RecordKey key) throws IOException {
    Looked looked = look(operation, key, null);
    if (looked == null) {
      return null;
    }
    String damage = damage(looked.reading(), key);
    if (damage != null) {
      recover(operation, key, looked.file(), damage);
      looked = look(operation, key, null);
      if (looked == null) {
        return null;
      }
    }
    settle(key, looked);
    Journal.Entry last = Objects.requireNonNull(looked.reading().last(), "last");
    return new Current(looked.file(), looked.reading(), last, looked.count(), null);
  }

  /** As {@link #current}, for somebody who is going to write: opens the file only once. */
  @Nullable Current currentToWrite(String operation, RecordKey key) throws IOException {
    Tails.Tail tail = tails.get(key);
    FileAccess.Writer writer = tail == null ? null : openIfThere(tail.file());
    if (tail == null || writer == null) {
      return current(operation, key);
    }
    Current current = null;
    try {
      Looked looked = confirmed(tail, limit -> writer.read(tail.offset(), limit, tail.room()));
      Journal.Entry last = looked == null ? null : looked.reading().last();
      if (looked != null && last != null && last.marked()) {
        current = new Current(looked.file(), looked.reading(), last, looked.count(), writer);
      }
    } catch (ClosedByInterruptException e) {
      // Then in a way that does not mind.
      Thread.currentThread().interrupt();
    } finally {
      if (current == null) {
        writer.close();
      }
    }
    return current == null ? current(operation, key) : current;
  }

  private FileAccess.@Nullable Writer openIfThere(Path file) throws IOException {
    try {
      return files.openForWriting(file);
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  // --- damage -------------------------------------------------------------------------------

  private @Nullable VersionedRecord recovered(String operation, RecordKey key, String damage)
      throws IOException {
    if (recovery == Recovery.FAIL || folder.locks() == null) {
      throw new CorruptRecordException(operation, key, damage + adviceOnDamage(), null);
    }
    try (StoreLocks.Held held = lockRecord(operation, key)) {
      Current current = current(operation, key);
      return current == null ? null : current.stored();
    }
  }

  private static String adviceOnDamage() {
    return "; restore the file from a backup, or open the store with another recovery policy";
  }

  /**
   * Does what the policy says about a damaged file. For the holder of the record's lock.
   *
   * @throws CorruptRecordException if it says nothing, or there is no good version
   */
  private void recover(String operation, RecordKey key, Path file, String damage)
      throws IOException {
    byte[] content = recovery == Recovery.FAIL ? null : files.read(file);
    if (content == null) {
      throw new CorruptRecordException(operation, key, damage + adviceOnDamage(), null);
    }
    Path aside =
        folder
            .quarantine()
            .resolve(Names.encode(key.id()) + "." + UUID.randomUUID() + PartitionFiles.SUFFIX);
    tails.forget(key);
    if (recovery == Recovery.RESET) {
      files.move(file, aside);
      files.flushDirectory(folder.quarantine());
      files.flushDirectory(PartitionFiles.parent(file));
      LOGGER.log(
          Level.WARNING,
          "{0} was damaged ({1}); its file was set aside as quarantine/{2}, the record is gone",
          key,
          damage,
          aside.getFileName());
      return;
    }
    List<Journal.Entry> good = Journal.salvage(content, key, kept);
    if (good.isEmpty()) {
      throw new CorruptRecordException(
          operation, key, damage + "; no older version of it is good", null);
    }
    Journal.Entry newest = good.get(good.size() - 1);
    long version = Journal.highestVersion(content, newest.stored().version()) + LOST_VERSIONS;
    if (version > StorageBackend.MAX_VERSION || version < 0) {
      throw new CorruptRecordException(operation, key, damage + "; no version is left", null);
    }
    Path copy = folder.newTemporary(StoreLocks.ofRecord(key.hashCode()));
    files.writeNew(copy, content);
    moveOrDelete(copy, aside);
    files.flushDirectory(folder.quarantine());
    VersionedRecord restored = new VersionedRecord(key, newest.stored().value(), version);
    // Marked at once: it is flushed before it gets its name.
    Draft draft = concat(good, restored, true, 0);
    if (restored.value().active() && !isAmongActive(file)) {
      // The finished version is what was damaged. The new file is there before the old one goes;
      // in between, and if this is as far as it gets, the one among the active ones is found first.
      try (StoreLocks.Held held = lockPartition(operation, key)) {
        replace(key, prepared(key.partition()).activeFile(key.id()), draft);
      }
      files.delete(file);
      flushRemovals(List.of(PartitionFiles.parent(file)));
    } else {
      replace(key, file, draft);
    }
    LOGGER.log(
        Level.WARNING,
        "{0} was damaged ({1}); version {2} was restored as {3}, the damaged file is quarantine/{4}",
        key,
        damage,
        String.valueOf(newest.stored().version()),
        String.valueOf(version),
        aside.getFileName());
  }

  // --- writing ------------------------------------------------------------------------------

  /** The content of a file in the making, and where its last entry is. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Draft(byte[] content, int offset, Journal.Encoded encoded) {}

  private Draft concat(
      List<Journal.Entry> old, VersionedRecord next, boolean marked, int leastRoom) {
    byte[] content = new byte[0];
    String after = null;
    for (Journal.Entry entry : old) {
      Journal.Encoded encoded =
          Journal.encode(entry.stored(), boot, true, content.length, after, 0);
      content = Journal.concat(content, encoded.bytes());
      after = encoded.hash();
    }
    int offset = content.length;
    Journal.Encoded encoded = Journal.encode(next, boot, marked, offset, after, leastRoom);
    byte[] whole = padded(Journal.concat(content, encoded.bytes()), encoded.room());
    return new Draft(whole, offset, encoded);
  }

  private static byte[] padded(byte[] content, int length) {
    if (length <= content.length) {
      return content;
    }
    byte[] padded = Arrays.copyOf(content, length);
    Arrays.fill(padded, content.length, length, (byte) '\n');
    return padded;
  }

  /** Decides, under the lock of a partition, whether a record may be created. */
  @FunctionalInterface
  interface Admission {
    boolean admits() throws IOException;
  }

  /**
   * Creates a record: two flushes, one of the file and one of the directory with its name. For the
   * holder of the record's lock.
   *
   * @return false if it was not admitted
   */
  boolean create(String operation, VersionedRecord first, Admission admission) throws IOException {
    RecordKey key = first.key();
    noteExpiry(operation, key, first.value().expiresAt(), null);
    Draft draft = concat(List.of(), first, false, 0);
    Path temp = folder.newTemporary(StoreLocks.ofRecord(key.hashCode()));
    files.writeNew(temp, draft.content());
    Path file = null;
    try (StoreLocks.Held held = lockPartition(operation, key)) {
      if (!admission.admits()) {
        return false;
      }
      PartitionFiles partition = prepared(key.partition());
      Path target =
          first.value().active()
              ? partition.activeFile(key.id())
              : preparedLeaf(partition, key.id()).resolve(PartitionFiles.fileName(key.id()));
      files.move(temp, target);
      file = target;
    } finally {
      if (file == null) {
        Files.deleteIfExists(temp);
      }
    }
    try {
      files.flushDirectory(PartitionFiles.parent(file));
      mark(file, draft.offset());
    } catch (IOException e) {
      throw new SentException(e);
    }
    tails.remember(Tails.Tail.of(key, file, 0, draft.encoded(), 1));
    return true;
  }

  /** Makes the directories of a partition. For the holder of its lock. */
  private PartitionFiles prepared(String name) throws IOException {
    PartitionFiles partition = partition(name);
    Path description = partition.directory.resolve(PartitionFiles.DESCRIPTION);
    if (!Files.exists(description)) {
      files.createDirectory(partition.directory);
      files.createDirectory(partition.active);
      files.createDirectory(partition.done);
      Path temp = folder.newTemporary(StoreLocks.ofPartition(name.hashCode()));
      StringBuilder content = new StringBuilder("{\"partition\":");
      Journal.quote(content, name);
      files.writeNew(temp, content.append("}\n").toString().getBytes(StandardCharsets.UTF_8));
      files.flushDirectory(partition.directory);
      files.flushDirectory(folder.partitions());
      // The last, so that where it is the directories are known to be flushed.
      files.move(temp, description);
    }
    return partition;
  }

  /** Makes the leaf for a record. For the holder of the partition's lock. */
  private Path preparedLeaf(PartitionFiles partition, String id) throws IOException {
    Path leaf = partition.leafFor(id, leaves(partition));
    int slot = Math.floorMod(leaf.hashCode(), leaves.length());
    boolean created = files.createDirectory(leaf);
    Object fileKey = Files.readAttributes(leaf, BasicFileAttributes.class).fileKey();
    FlushedLeaf flushed = leaves.get(slot);
    if (created
        || flushed == null
        || !flushed.leaf().equals(leaf)
        || !Objects.equals(flushed.fileKey(), fileKey)) {
      // Whoever has made it may have died before this.
      files.flushDirectory(partition.done);
      leaves.set(slot, new FlushedLeaf(leaf, fileKey));
    }
    return leaf;
  }

  /**
   * Writes the next version: one flush, three if the record is finished by it. For the holder of
   * the record's lock.
   */
  void append(String operation, Current current, VersionedRecord next) throws IOException {
    RecordKey key = next.key();
    noteExpiry(operation, key, next.value().expiresAt(), current.stored().value().expiresAt());
    boolean ends = !next.value().active() && isAmongActive(current.file());
    int offset = current.last().end();
    int limit = ends ? FINISHED_COMPACTED_FROM : COMPACTED_FROM;
    int fewest = ends ? kept + 1 : Math.max(COMPACTED_ENTRIES, 2 * kept);
    Journal.Encoded encoded =
        Journal.encode(
            next,
            boot,
            false,
            offset,
            current.last().hash(),
            ends ? 0 : Journal.rounded(current.reading().length()));
    Path file = current.file();
    if (offset + encoded.bytes().length > limit && current.count() >= fewest) {
      compact(operation, key, current, next, ends);
      return;
    }
    Addition addition = new Addition(current, encoded);
    addition.write();
    if (ends) {
      try {
        file = moveToDone(operation, key, file);
        files.flushDirectory(PartitionFiles.parent(file));
        files.flushDirectory(PartitionFiles.parent(current.file()));
      } catch (IOException | StorageException e) {
        // The write has happened. Where the record is does not matter, and is put right later.
        LOGGER.log(Level.WARNING, "A finished record could not be moved", e);
      }
    }
    tails.remember(Tails.Tail.of(key, file, offset, encoded, current.count() + 1));
  }

  /** One entry on its way to the end of a file. */
  private final class Addition {
    private final Path file;
    private final int offset;
    private final int length;
    private final int room;
    private final byte[] content;
    private FileAccess.@Nullable Writer open;
    private boolean begun;
    private boolean flushed;

    Addition(Current current, Journal.Encoded encoded) {
      this.open = current.writer();
      this.file = current.file();
      this.offset = current.last().end();
      this.length = current.reading().length();
      this.room = encoded.room();
      // What was left by a write that was never finished is overwritten.
      int end = current.reading().clean() && room <= length ? 0 : Math.max(room, length);
      this.content = padded(encoded.bytes(), end - offset);
    }

    void write() throws IOException {
      try {
        FileAccess.uninterrupted(this::steps);
      } catch (IOException e) {
        if (flushed) {
          throw new SentException(e);
        }
        if (begun) {
          takeBack(e);
        }
        throw e;
      }
    }

    private void steps() throws IOException {
      FileAccess.Writer first = open;
      open = null; // an interrupt would close it
      try (FileAccess.Writer writer = first == null ? files.openForWriting(file) : first) {
        if (!flushed) {
          begun = true;
          writer.write(offset, content);
          writer.flush();
          flushed = true;
        }
        writer.write(offset + (long) Journal.MARK_OFFSET, Journal.doneMark());
        if (room < length) {
          writer.cut(room); // it is finished, and will not grow any more
        }
      }
    }

    /** After this the write has not happened, also if the flush has failed only half. */
    private void takeBack(IOException e) throws SentException {
      try {
        FileAccess.uninterrupted(
            () -> {
              try (FileAccess.Writer writer = files.openForWriting(file)) {
                int end = Math.min(length, offset + content.length);
                writer.write(offset, padded(new byte[0], end - offset));
                writer.cut(length);
                writer.flush();
              }
            });
      } catch (IOException again) {
        e.addSuppressed(again);
        throw new SentException(e);
      }
    }
  }

  /** Writes the next version and the last good ones into a new file. */
  private void compact(
      String operation, RecordKey key, Current current, VersionedRecord next, boolean ends)
      throws IOException {
    byte[] content = files.read(current.file());
    List<Journal.Entry> old = content == null ? List.of() : Journal.salvage(content, key, kept);
    Draft draft = concat(old, next, false, ends ? 0 : COMPACTED_FROM);
    tails.forget(key);
    Path temp = folder.newTemporary(StoreLocks.ofRecord(key.hashCode()));
    files.writeNew(temp, draft.content());
    Path file = current.file();
    moveOrDelete(temp, file);
    try {
      if (ends) {
        try {
          file = moveToDone(operation, key, file);
        } catch (IOException | StorageException e) {
          LOGGER.log(Level.WARNING, "A finished record could not be moved", e);
        }
      }
      // The new name first: were only the removal of the old one flushed, both could be lost.
      files.flushDirectory(PartitionFiles.parent(file));
      if (!file.equals(current.file())) {
        files.flushDirectory(PartitionFiles.parent(current.file()));
      }
      mark(file, draft.offset());
    } catch (IOException e) {
      throw new SentException(e);
    }
    tails.remember(Tails.Tail.of(key, file, draft.offset(), draft.encoded(), old.size() + 1));
  }

  private void replace(RecordKey key, Path file, Draft draft) throws IOException {
    Path temp = folder.newTemporary(StoreLocks.ofRecord(key.hashCode()));
    files.writeNew(temp, draft.content());
    moveOrDelete(temp, file);
    try {
      files.flushDirectory(PartitionFiles.parent(file));
    } catch (IOException e) {
      throw new SentException(e);
    }
  }

  private void moveOrDelete(Path temp, Path file) throws IOException {
    boolean moved = false;
    try {
      files.move(temp, file);
      moved = true;
    } finally {
      if (!moved) {
        Files.deleteIfExists(temp);
      }
    }
  }

  /** Not flushed. For the holder of the record's lock. */
  private Path moveToDone(String operation, RecordKey key, Path file) throws IOException {
    try (StoreLocks.Held held = lockPartition(operation, key)) {
      PartitionFiles partition = prepared(key.partition());
      Path target = preparedLeaf(partition, key.id()).resolve(PartitionFiles.fileName(key.id()));
      files.move(file, target);
      return target;
    }
  }

  private void noteExpiry(
      String operation, RecordKey key, @Nullable Instant expiry, @Nullable Instant noted)
      throws IOException {
    if (expiry != null && !expiry.equals(noted)) {
      try (StoreLocks.Held held = lock(operation, key, StoreLocks.DUE_LOCK)) {
        due.add(List.of(new DueHints.Hint(key, expiry)));
      }
    }
  }

  // --- counting -----------------------------------------------------------------------------

  /**
   * Whether as many records are active as may be. Contents are read only if names do not tell. For
   * the holder of the partition's lock.
   */
  boolean isFull(String operation, String name, int max, Instant now) throws IOException {
    PartitionFiles partition = partition(name);
    if (files.names(partition.active).size() < max) {
      return false;
    }
    int active = 0;
    for (Place place : partition.places(partition.active)) {
      if (countsAsActive(operation, partition, place, now)) {
        active++;
      }
      if (active >= max) {
        return true;
      }
    }
    return false;
  }

  /** What cannot be read is counted, and so is what may still be taken back: it may be active. */
  private boolean countsAsActive(
      String operation, PartitionFiles partition, Place place, Instant now) throws IOException {
    Journal.Reading reading = null;
    try {
      byte[] content = files.read(partition.activeFile(place.id()));
      if (content == null && place.unreadable() == null) {
        return false;
      }
      reading = content == null ? null : Journal.read(content);
    } catch (IOException e) {
      if (!Failures.isOfOneFile(e)) {
        throw e;
      }
    }
    Journal.Entry last = reading == null ? null : reading.last();
    if (reading == null || last == null) {
      return true;
    }
    Journal.Entry before = reading.isPending(boot) ? reading.before() : null;
    if (last.stored().value().active()) {
      return isActive(last, now) || (before != null && isActive(before, now));
    }
    boolean gone = moveWhatIsFinished(operation, partition.key(place.id()));
    return !gone && before != null && isActive(before, now);
  }

  private static boolean isActive(Journal.Entry entry, Instant now) {
    return entry.stored().value().active() && !entry.stored().value().isExpired(now);
  }

  /**
   * Moves a record whose writer died between finishing and moving it. Waits for nobody.
   *
   * @return whether it is known to be finished
   */
  private boolean moveWhatIsFinished(String operation, RecordKey key) {
    StoreLocks locks = Objects.requireNonNull(folder.locks(), "locks");
    try (StoreLocks.Held held = locks.tryLock(StoreLocks.ofRecord(key.hashCode()))) {
      Current current = held == null ? null : current(operation, key);
      if (current == null || current.stored().value().active()) {
        return false;
      }
      if (isAmongActive(current.file())) {
        Path file = moveToDone(operation, key, current.file());
        files.flushDirectory(PartitionFiles.parent(file));
        files.flushDirectory(PartitionFiles.parent(current.file()));
      }
      return true;
    } catch (IOException | StorageException e) {
      LOGGER.log(Level.DEBUG, "A finished record could not be moved", e);
      return false;
    }
  }

  // --- removing -----------------------------------------------------------------------------

  /** Removes a record: one flush. For the holder of its lock. */
  void remove(String operation, RecordKey key, Path file) throws IOException {
    tails.forget(key);
    boolean sent = false;
    try {
      removeOther(key, file);
      files.delete(file);
      sent = true;
      flushRemovals(List.of(PartitionFiles.parent(file)));
    } catch (IOException e) {
      throw sent ? new SentException(e) : e;
    }
    tidy(operation, key.partition(), List.of(PartitionFiles.parent(file)));
  }

  /**
   * Removes what a restoring that was cut short has left of a finished version, lest it comes back
   * when the active one goes.
   */
  private void removeOther(RecordKey key, Path file) throws IOException {
    if (isAmongActive(file)) {
      Path leaf = PartitionFiles.leafOf(leaves(partition(key.partition())), key.id());
      Path other = leaf == null ? null : leaf.resolve(PartitionFiles.fileName(key.id()));
      if (other != null && Files.exists(other)) {
        files.delete(other);
        flushRemovals(List.of(leaf));
      }
    }
  }

  /**
   * Removes a record that is expired. Its name is not flushed: should it come back, it is still
   * expired.
   *
   * @return the directory from which it was removed; null if there is nothing to remove
   */
  @Nullable Path removeExpired(String operation, RecordKey key, Instant now) throws IOException {
    try (StoreLocks.Held held = lockRecord(operation, key)) {
      Current current = current(operation, key);
      if (current == null) {
        return null;
      }
      Instant expiry = current.stored().value().expiresAt();
      if (expiry == null || !current.stored().value().isExpired(now)) {
        // The hint was wrong, or is from before a change; it is replaced by a right one.
        noteExpiry(operation, key, expiry, null);
        return null;
      }
      tails.forget(key);
      removeOther(key, current.file());
      files.delete(current.file());
      return PartitionFiles.parent(current.file());
    } catch (CorruptRecordException e) {
      return null; // somebody has to look at it
    }
  }

  /** Flushes directories from which records were removed. */
  void flushRemovals(Iterable<Path> directories) throws IOException {
    for (Path removedFrom : directories) {
      for (Path directory = removedFrom; ; directory = PartitionFiles.parent(directory)) {
        try {
          files.flushDirectory(directory);
          break;
        } catch (NoSuchFileException e) {
          // Somebody else has removed its last file, and then the directory: so its parent has
          // changed.
          if (directory.equals(folder.partitions())) {
            throw e;
          }
        }
      }
    }
  }

  /** Drops directories that have become empty, and the partition with them if it is. */
  void tidy(String operation, String name, Iterable<Path> directories) {
    PartitionFiles partition = partition(name);
    // Whoever adds a file holds this lock.
    try (StoreLocks.Held held = lock(operation, null, StoreLocks.ofPartition(name.hashCode()))) {
      for (Path directory : directories) {
        if (!directory.equals(partition.active)) {
          files.deleteIfEmpty(directory);
        }
      }
      if (files.isEmpty(partition.active) && files.isEmpty(partition.done)) {
        files.delete(partition.directory.resolve(PartitionFiles.DESCRIPTION));
        files.deleteIfEmpty(partition.done);
        files.deleteIfEmpty(partition.active);
        files.deleteIfEmpty(partition.directory);
      }
    } catch (IOException | StorageException e) {
      // Empty directories harm nobody.
      LOGGER.log(Level.DEBUG, "An empty directory could not be removed", e);
    }
  }

  // --- locks --------------------------------------------------------------------------------

  StoreLocks.Held lockRecord(String operation, RecordKey key) throws IOException {
    return lock(operation, key, StoreLocks.ofRecord(key.hashCode()));
  }

  StoreLocks.Held lockPartition(String operation, RecordKey key) throws IOException {
    return lock(operation, key, StoreLocks.ofPartition(key.partition().hashCode()));
  }

  /**
   * Takes a lock.
   *
   * @throws StorageUnavailableException if somebody else has it all the time, or the directory can
   *     only be read
   */
  StoreLocks.Held lock(String operation, @Nullable RecordKey key, int index) throws IOException {
    StoreLocks locks = folder.locks();
    if (locks == null) {
      throw new StorageUnavailableException(
          operation,
          key,
          false,
          "the directory could only be read when it was opened; check its owner and permissions,"
              + " and whether the medium can be written, and open it again",
          null);
    }
    files.before(Step.LOCK, lockFile);
    StoreLocks.Held held;
    try {
      held = locks.lock(index, lockTimeout.toNanos());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StorageUnavailableException(
          operation, key, false, "interrupted while waiting for a lock; nothing was written", e);
    }
    if (held == null) {
      throw new StorageUnavailableException(
          operation,
          key,
          true,
          "another thread or process has held the lock for %s; nothing was written; look for one that hangs%s"
              .formatted(lockTimeout, folder.holders()),
          null);
    }
    boolean passed = false;
    try {
      files.after(Step.LOCK, lockFile);
      passed = true;
    } finally {
      if (!passed) {
        held.close();
      }
    }
    return held;
  }

  /** When the records in a directory expire, for those who gather hints. */
  List<DueHints.Hint> hints(Path directory) throws IOException {
    List<DueHints.Hint> hints = new ArrayList<>();
    for (String name : files.names(directory)) {
      Journal.Entry last = null;
      try {
        byte[] content =
            name.endsWith(PartitionFiles.SUFFIX) ? files.read(directory.resolve(name)) : null;
        last = content == null ? null : Journal.read(content).last();
      } catch (IOException e) {
        if (!Failures.isOfOneFile(e)) {
          throw e;
        }
      }
      Instant expiry = last == null ? null : last.stored().value().expiresAt();
      if (last != null && expiry != null) {
        hints.add(new DueHints.Hint(last.stored().key(), expiry));
      }
    }
    return hints;
  }
}
