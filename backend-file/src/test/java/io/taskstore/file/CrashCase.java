// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Every kind of operation on a directory, in a state in which it takes all the steps that it can
 * have. A process opens the directory, does it, and dies on the way.
 */
enum CrashCase {
  CREATE_ACTIVE {
    @Override
    void act(CrashWriter writer) {
      writer.create(KEY, null, 300, 10, NOON);
    }
  },
  CREATE_LARGE {
    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 0, true, null, 30_000);
    }
  },
  CREATE_IN_NEW_PARTITION {
    @Override
    void act(CrashWriter writer) {
      writer.create(new RecordKey("ts:new", "k"), LATER, 300, 10, NOON);
    }
  },
  CREATE_FINISHED {
    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 0, false, null, 300);
    }
  },
  CREATE_FINISHED_IN_NEW_PARTITION {
    @Override
    void act(CrashWriter writer) {
      writer.put(new RecordKey("Neu/ä%", "k"), 0, false, LATER, 300);
    }
  },
  CREATE_REFUSED {
    @Override
    void act(CrashWriter writer) {
      writer.create(KEY, LATER, 300, 1, NOON);
    }
  },
  /** A record that was finished, and not moved, is moved by whoever counts. */
  CREATE_AT_LIMIT_WITH_MISPLACED {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(LOW, false, 3, 300);
      stage.misplace(LOW);
    }

    @Override
    void act(CrashWriter writer) {
      writer.create(KEY, null, 300, 3, NOON);
    }

    @Override
    String mustHave() {
      return "MOVE of done (record or leaf)";
    }
  },
  UPDATE {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 3, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 3, true, null, 300);
    }
  },
  UPDATE_GROWS {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 2, true, null, 40_000);
    }
  },
  UPDATE_OVER_LEFTOVERS {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, true, 2, 300);
      stage.leaveHalf(KEY);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 2, true, null, 900);
    }
  },
  UPDATE_COMPACTS {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 8, 125_000);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 8, true, null, 125_000);
    }

    @Override
    String mustHave() {
      return "MOVE of active (record or leaf)";
    }
  },
  UPDATE_OF_EXPIRY {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 2, true, LATER, 300);
    }
  },
  UPDATE_OF_FINISHED {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, false, 3, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 3, false, null, 300);
    }
  },
  UPDATE_OF_MISPLACED {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, false, 3, 300);
      stage.misplace(KEY);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 3, false, null, 300);
    }

    @Override
    String mustHave() {
      return "MOVE of done (record or leaf)";
    }
  },
  FINISH {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 2, false, LATER, 300);
    }
  },
  /** The file has grown by more than it needs when it is finished, and is cut. */
  FINISH_CUTS {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 3, 3_000);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 3, false, null, 100);
    }

    @Override
    String mustHave() {
      return "CUT of active (record or leaf)";
    }
  },
  FINISH_COMPACTS {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 6, 4_000);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(KEY, 6, false, null, 4_000);
    }

    @Override
    String mustHave() {
      return "MOVE of active (record or leaf)";
    }
  },
  FINISH_FIRST_OF_PARTITION {
    @Override
    void prepare(Stage stage) {
      stage.write(SOLO, true, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(SOLO, 2, false, null, 300);
    }
  },
  FINISH_STARTS_LEAF {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.fillLeaf();
      stage.write(aboveAll(), true, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.put(aboveAll(), 2, false, null, 300);
    }

    @Override
    String mustHave() {
      return "MAKE_DIRECTORY of done (record or leaf)";
    }
  },
  DELETE {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, true, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.delete(KEY, 2);
    }
  },
  DELETE_FINISHED {
    @Override
    void prepare(Stage stage) {
      stage.write(KEY, false, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.delete(KEY, 2);
    }
  },
  DELETE_LAST_OF_LEAF {
    @Override
    void prepare(Stage stage) {
      stage.write(new RecordKey("ts:solo", "other"), true, 1, 300);
      stage.write(SOLO, false, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.delete(SOLO, 2);
    }

    @Override
    String mustHave() {
      return "DELETE of done (record or leaf)";
    }
  },
  DELETE_LAST_OF_PARTITION {
    @Override
    void prepare(Stage stage) {
      stage.write(SOLO, false, 2, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.delete(SOLO, 2);
    }

    @Override
    String mustHave() {
      return "DELETE of partition.json";
    }
  },
  PURGE {
    @Override
    void prepare(Stage stage) {
      stage.writeDue();
    }

    @Override
    void act(CrashWriter writer) {
      writer.purge(NOON, 10);
    }
  },
  PURGE_WITH_LIMIT {
    @Override
    void prepare(Stage stage) {
      stage.writeDue();
    }

    @Override
    void act(CrashWriter writer) {
      writer.purge(NOON, 2);
    }

    @Override
    String mustHave() {
      return "CUT of hints set aside";
    }
  },
  /** The hints are lost, and those of an earlier start of the host. */
  PURGE_GATHERS {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.writeDue();
      try (Stream<Path> hints = Files.list(stage.root().resolve("due"))) {
        for (Path hint : hints.toList()) {
          Files.delete(hint);
        }
      }
    }

    @Override
    void act(CrashWriter writer) {
      writer.purge(NOON, 10);
    }
  },
  READ_OF_UNMARKED {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, true, 3, 300);
      stage.unmark(KEY);
    }

    @Override
    void act(CrashWriter writer) {
      writer.stored(KEY);
    }

    @Override
    String mustHave() {
      return "WRITE of active (record or leaf)";
    }
  },
  LIST_OF_UNMARKED {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, false, 1, 300);
      stage.unmark(KEY);
    }

    @Override
    void act(CrashWriter writer) {
      writer.backend().list(new ListQuery(KEY.partition(), null, false, 100));
    }

    @Override
    String mustHave() {
      return "WRITE of done (record or leaf)";
    }
  },
  OPEN_NEW(true) {
    @Override
    void act(CrashWriter writer) {}
  },
  OPEN_AGAIN(true) {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, true, 3, 300);
      stage.unmark(KEY);
      int partition = StoreLocks.ofPartition(KEY.partition().hashCode());
      for (int lock :
          List.of(7, partition, StoreLocks.PURGE_LOCK, StoreLocks.OPENING_LOCK, 1_023)) {
        Files.writeString(
            stage.root().resolve("tmp").resolve(lock + "-" + UUID.randomUUID() + ".tmp"),
            lock == 7 ? "" : "{\"mark\":");
      }
    }

    @Override
    void act(CrashWriter writer) {}
  },
  CLOSE {
    @Override
    void act(CrashWriter writer) {
      writer.backend().close();
    }
  },
  BACKUP_BY_READING(Recovery.BACKUP) {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, true, 3, 300);
      stage.damageRestorably(KEY, 300);
    }

    @Override
    void act(CrashWriter writer) {
      writer.stored(KEY);
    }
  },
  BACKUP_BY_WRITING(Recovery.BACKUP) {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, false, 3, 300);
      stage.damageRestorably(KEY, 300);
    }

    @Override
    void act(CrashWriter writer) {
      // The first write finds out.
      Conflict restored = (Conflict) writer.backend().deleteIfVersion(KEY, 3);
      VersionedRecord winner = Objects.requireNonNull(restored.winner());
      writer.put(KEY, winner.version(), false, null, 300);
    }
  },
  RESET_BY_READING(Recovery.RESET) {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, true, 3, 300);
      stage.damage(KEY);
      stage.history().isReset(KEY);
    }

    @Override
    void act(CrashWriter writer) {
      writer.backend().get(KEY);
    }
  },
  RESET_BY_CREATING(Recovery.RESET) {
    @Override
    void prepare(Stage stage) throws IOException {
      stage.write(KEY, true, 3, 300);
      stage.damage(KEY);
      stage.history().isReset(KEY);
    }

    @Override
    void act(CrashWriter writer) {
      writer.create(KEY, null, 300, 10, NOON);
    }
  };

  private static final String ALICE = "ts:alice";
  private static final RecordKey KEY = new RecordKey(ALICE, "k");
  private static final RecordKey LOW = new RecordKey(ALICE, "a");
  private static final RecordKey SOLO = new RecordKey("ts:solo", "k");
  private static final Instant NOON = Instant.parse("2026-01-01T12:00:00Z");
  private static final Instant LATER = Instant.parse("2026-01-01T12:30:00Z");
  private static final Instant EARLIER = Instant.parse("2026-01-01T11:59:00Z");

  private static final Pattern SECOND =
      Pattern.compile("\"version\":2,[^\n]*\"writeId\":\"([^\"]*)\"");

  /** Ids that begin so fill a leaf, and are not written again. */
  static final String FILLER = "filler-";

  private final Recovery recovery;
  private final boolean opening;

  CrashCase() {
    this(Recovery.FAIL, false);
  }

  CrashCase(boolean opening) {
    this(Recovery.FAIL, opening);
  }

  CrashCase(Recovery recovery) {
    this(recovery, false);
  }

  CrashCase(Recovery recovery, boolean opening) {
    this.recovery = recovery;
    this.opening = opening;
  }

  Recovery recovery() {
    return recovery;
  }

  /** Whether it is the opening of the directory that is interrupted. */
  boolean isOpening() {
    return opening;
  }

  /** Whether the directory is not there yet. */
  boolean isBare() {
    return this == OPEN_NEW;
  }

  /** Brings the directory into its state; some other records are there already. */
  void prepare(Stage stage) throws IOException {}

  /** What a process does. */
  abstract void act(CrashWriter writer);

  /** A step without which the case does not show what it is for; null if there is none. */
  @Nullable String mustHave() {
    return null;
  }

  /** An id that looks whether a leaf is full, and is above all. */
  private static RecordKey aboveAll() {
    int i = 0;
    while (Math.floorMod(("z" + i).hashCode(), 16) != 0) {
      i++;
    }
    return new RecordKey(ALICE, "z" + i);
  }

  /**
   * A directory in the making.
   *
   * @param leaf a directory with the files of {@code fillers}
   */
  record Stage(
      Path root, CrashWriter writer, CrashHistory history, Path leaf, List<CrashWrite> fillers) {

    /** Records that every operation must leave alone. */
    void writeBystanders() {
      write(new RecordKey(ALICE, "b-active"), true, 2, 200);
      write(new RecordKey(ALICE, "b-done"), false, 2, 200);
      write(new RecordKey(ALICE, "b-" + "Long".repeat(60)), true, 1, 200);
    }

    /** Writes some versions; all but the last one are active. */
    void write(RecordKey key, boolean active, int versions, int size) {
      for (int version = 1; version <= versions; version++) {
        writer.put(key, version - 1L, active || version < versions, null, size);
      }
    }

    void writeDue() {
      for (int i = 0; i < 4; i++) {
        writer.put(new RecordKey(ALICE, "due-" + i), 0, i % 2 == 0, EARLIER, 200);
        writer.put(new RecordKey(ALICE, "later-" + i), 0, i % 2 == 0, LATER, 200);
      }
      writer.put(SOLO, 0, false, EARLIER, 200);
      // Its hint is older than what it says now.
      writer.put(KEY, 0, true, EARLIER, 200);
      writer.put(KEY, 1, true, null, 200);
    }

    /** Fills the leaf of a partition, as far as its size goes. */
    void fillLeaf() throws IOException {
      PartitionFiles partition = partition(ALICE);
      Path target = partition.done.resolve("%");
      for (CrashWrite filler : fillers) {
        String name = PartitionFiles.fileName(filler.key().id());
        // Nobody writes to them.
        Files.createLink(target.resolve(name), leaf.resolve(name));
        history.hear("write " + filler.line());
        history.hear("written " + filler.writeId());
      }
    }

    private PartitionFiles partition(String name) {
      return new PartitionFiles(new FileAccess(false), root.resolve("p"), name);
    }

    /** The one file of a record. */
    private Path find(RecordKey key) throws IOException {
      String name = PartitionFiles.fileName(key.id());
      try (Stream<Path> paths = Files.walk(partition(key.partition()).directory)) {
        return paths.filter(path -> path.endsWith(name)).findAny().orElseThrow();
      }
    }

    /** Where the last entry of a record begins, and where it ends. */
    private static Journal.Entry last(byte[] content) {
      return Objects.requireNonNull(Journal.read(content).last());
    }

    /** As if its writer had died between the end of a task and the move of its file. */
    void misplace(RecordKey key) throws IOException {
      Path active = partition(key.partition()).active;
      Files.move(find(key), active.resolve(PartitionFiles.fileName(key.id())));
    }

    /** As if the last writer had died before it could mark its entry. */
    void unmark(RecordKey key) throws IOException {
      Path file = find(key);
      byte[] content = Files.readAllBytes(file);
      overwrite(
          file,
          last(content).offset() + Journal.MARK_OFFSET,
          "    ".getBytes(StandardCharsets.US_ASCII));
    }

    /** As if a writer had died when a half of its entry was written. */
    void leaveHalf(RecordKey key) throws IOException {
      Path file = find(key);
      byte[] content = Files.readAllBytes(file);
      Journal.Entry last = last(content);
      CrashWrite write = new CrashWrite(key, last.stored().version() + 1, "half", true, null, 700);
      byte[] entry =
          Journal.encode(
                  new VersionedRecord(key, write.value(), write.version()),
                  last.boot(),
                  false,
                  last.end(),
                  last.hash(),
                  content.length)
              .bytes();
      overwrite(file, last.end(), Arrays.copyOf(entry, entry.length / 2 + 100));
    }

    /** Flips a bit of the newest version. */
    void damage(RecordKey key) throws IOException {
      Path file = find(key);
      byte[] content = Files.readAllBytes(file);
      int at = last(content).end() - 2;
      overwrite(file, at, new byte[] {(byte) (content[at] ^ 1)});
    }

    /** Flips a bit of version 3; version 2 is what comes back. */
    void damageRestorably(RecordKey key, int size) throws IOException {
      damage(key);
      Matcher older = SECOND.matcher(Files.readString(find(key), StandardCharsets.ISO_8859_1));
      String writeId = older.results().map(found -> found.group(1)).findFirst().orElseThrow();
      history.isRestored(new CrashWrite(key, 2, writeId, true, null, size), 3);
    }

    private static void overwrite(Path path, int at, byte[] bytes) throws IOException {
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        file.seek(at);
        file.write(bytes);
      }
    }
  }
}
