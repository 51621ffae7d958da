// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static io.taskstore.file.FileLocksValues.seen;
import static io.taskstore.file.FileLocksValues.value;
import static io.taskstore.file.FileLocksValues.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A step that fails is never acknowledged, and what is stored is the old or the new. */
final class FlushCountFailuresTest {
  private static final String MEDIUM = "x".repeat(10 * 1_024);

  /** A few of them are too much for one file. */
  private static final String LARGE = "x".repeat(150 * 1_024);

  /** What can have happened when it fails: a part of the write, the whole flush. */
  private static final Set<Step> FAIL_AFTERWARDS =
      Set.of(Step.WRITE, Step.CUT, Step.FLUSH, Step.FLUSH_DIRECTORY, Step.CREATE);

  @TempDir private Path root;
  private final FileLocksGate files = new FileLocksGate();
  private final String partition = partition();
  private final RecordKey key = new RecordKey(partition, "a");
  private final Logger logger = Logger.getLogger(FileStorageBackend.class.getName());
  private FileStorageBackend backend;

  @BeforeEach
  void open() {
    logger.setLevel(Level.OFF); // here everything fails
    backend = FileStorageBackend.builder(root).build(files);
  }

  @AfterEach
  void close() {
    backend.close();
    logger.setLevel(null);
  }

  private void fail(Step step, int nth) {
    files.arm((at, isAfter) -> at == step && !isAfter, nth, FlushCountFailuresTest::ioError);
  }

  private static void ioError(Step step, Path path) throws IOException {
    throw new IOException("Input/output error");
  }

  private Journal.Reading onDisk() throws IOException {
    Path file = new PartitionFiles(files, root.resolve("p"), partition).activeFile("a");
    return Journal.read(Files.readAllBytes(file));
  }

  private String inAnotherInstance() {
    try (FileStorageBackend other = FileStorageBackend.open(root)) {
      return seen(other, key);
    }
  }

  private String listed() {
    return backend.list(new ListQuery(partition, null, false, 9)).records().stream()
        .map(stored -> stored.version() + " " + FileLocksValues.text(stored))
        .collect(Collectors.joining());
  }

  // --- flushes ------------------------------------------------------------------------------

  @Test
  void update_flushFails_leavesTheOldRecordAndNothingOfTheNew() throws IOException {
    for (String data : new String[] {"w", LARGE}) {
      long version = backend.get(key).map(VersionedRecord::version).orElse(0L) + 1;
      write(backend, key, value("v"), version - 1);
      long length = onDisk().length();
      fail(Step.FLUSH, 1);

      assertThatThrownBy(() -> backend.putIfVersion(key, value(data), version))
          .isInstanceOf(StorageUnavailableException.class);

      assertThat(seen(backend, key)).isEqualTo(version + " v");
      assertThat(listed()).isEqualTo(version + " v");
      assertThat(inAnotherInstance()).isEqualTo(version + " v");
      Journal.Reading reading = onDisk();
      Journal.Entry last = Objects.requireNonNull(reading.last());
      assertThat(reading.damage()).isNull();
      assertThat(reading.clean()).as("nothing of the write is in the file").isTrue();
      assertThat(reading.length()).isEqualTo(length);
      assertThat(last.marked()).isTrue();
      assertThat(last.stored().version()).isEqualTo(version);
      write(backend, key, value("v"), version);
      assertThat(inAnotherInstance()).isEqualTo((version + 1) + " v");
    }
  }

  @Test
  void update_flushFailsAndTheFlushOfTakingBackToo_outcomeIsUnknown() throws IOException {
    write(backend, key, value("v"), 0);
    files.arm((at, isAfter) -> at == Step.FLUSH && !isAfter, 1, failsTwice());

    assertThatThrownBy(() -> backend.putIfVersion(key, value("w"), 1))
        .isInstanceOf(OutcomeUnknownException.class);

    String now = seen(backend, key);
    assertThat(now).isIn("1 v", "2 w");
    assertThat(inAnotherInstance()).isEqualTo(now);
    long version = Long.parseLong(now.substring(0, 1));
    write(backend, key, value("x"), version);
    assertThat(inAnotherInstance()).isEqualTo((version + 1) + " x");
  }

  private FileLocksGate.Surprise failsTwice() {
    return (step, path) -> {
      fail(Step.FLUSH, 1);
      ioError(step, path);
    };
  }

  @Test
  void compaction_flushFails_leavesTheOldFile() throws IOException {
    for (int version = 0; version < 8; version++) {
      write(backend, key, value(LARGE), version);
    }
    Path file = new PartitionFiles(files, root.resolve("p"), partition).activeFile("a");
    byte[] before = Files.readAllBytes(file);
    fail(Step.FLUSH, 1);

    assertThatThrownBy(() -> backend.putIfVersion(key, value("w"), 8))
        .isInstanceOf(StorageUnavailableException.class);

    assertThat(Files.readAllBytes(file)).isEqualTo(before);
    assertThat(FileLocksValues.temporaries(root)).isEmpty();
    write(backend, key, value("w"), 8);
    assertThat(Files.size(file)).as("the next one compacts").isLessThan(before.length);
  }

  @Test
  void finishThatCompacts_newNameCannotBeFlushed_isNotAcknowledged() {
    write(backend, new RecordKey(partition, "other"), value("v", false, null), 0);
    for (int version = 0; version < 4; version++) {
      write(backend, key, value(MEDIUM), version);
    }
    fail(Step.FLUSH_DIRECTORY, 1);

    assertThatThrownBy(() -> backend.putIfVersion(key, value("w", false, NOW), 4))
        .as("were only the removal of the old name on the disk, both would be lost")
        .isInstanceOf(OutcomeUnknownException.class);

    assertThat(seen(backend, key)).isEqualTo("5 w");
    assertThat(inAnotherInstance()).isEqualTo("5 w");
  }

  @Test
  void create_flushFails_leavesNothing() throws IOException {
    write(backend, new RecordKey(partition, "other"), value("v"), 0);
    fail(Step.FLUSH, 1);

    assertThatThrownBy(() -> backend.putIfVersion(key, value("v"), 0))
        .isInstanceOf(StorageUnavailableException.class);

    assertThat(seen(backend, key)).isEqualTo("absent");
    assertThat(FileLocksValues.files(root)).noneMatch(file -> file.endsWith("/a.tj"));
    assertThat(FileLocksValues.temporaries(root)).isEmpty();
    write(backend, key, value("v"), 0);
  }

  @Test
  void create_directoryFlushFails_outcomeIsUnknownAndItIsThereForAll() throws IOException {
    write(backend, new RecordKey(partition, "other"), value("v"), 0);
    fail(Step.FLUSH_DIRECTORY, 1);
    RecordValue value = value("v");

    assertThatThrownBy(() -> backend.putIfVersion(key, value, 0))
        .isInstanceOf(OutcomeUnknownException.class)
        .hasMessageContaining("read the record");

    FlushCountFiles counting = new FlushCountFiles();
    try (FileStorageBackend other = FileStorageBackend.builder(root).build(counting)) {
      int flushes = counting.flushesOf(() -> assertThat(seen(other, key)).isEqualTo("1 v"));
      assertThat(flushes).as("whoever shows it has flushed it first").isGreaterThanOrEqualTo(2);
      assertThat(counting.flushesOf(() -> seen(other, key))).as("once").isZero();
    }
    assertThat(backend.createWithin(key, value, 9, NOW))
        .as("the same call again")
        .isEqualTo(Created.CREATED);
    write(backend, key, value("w"), 1);
  }

  @Test
  void create_directoryCannotBeFlushedForLong_isShownToNobody() {
    write(backend, new RecordKey(partition, "other"), value("v"), 0);
    files.arm((at, isAfter) -> at == Step.FLUSH_DIRECTORY && !isAfter, 1, this::failsForEver);

    assertThatThrownBy(() -> backend.putIfVersion(key, value("v"), 0))
        .isInstanceOf(OutcomeUnknownException.class);
    assertThat(seen(backend, key)).isEqualTo("absent");
    assertThat(seen(backend, key)).isEqualTo("absent");
    assertThatThrownBy(() -> backend.putIfVersion(key, value("w"), 1))
        .isInstanceOf(StorageException.class);
    assertThat(seen(backend, key)).isEqualTo("absent");

    files.disarm();
    assertThat(seen(backend, key)).isEqualTo("1 v");
    write(backend, key, value("w"), 1);
  }

  private void failsForEver(Step step, Path path) throws IOException {
    files.arm((at, isAfter) -> at == step && !isAfter, 1, this::failsForEver);
    ioError(step, path);
  }

  @Test
  void delete_directoryFlushFails_outcomeIsUnknown() {
    write(backend, key, value("v"), 0);
    fail(Step.FLUSH_DIRECTORY, 1);

    assertThatThrownBy(() -> backend.deleteIfVersion(key, 1))
        .isInstanceOf(OutcomeUnknownException.class);

    assertThat(seen(backend, key)).isEqualTo("absent");
    assertThat(inAnotherInstance()).isEqualTo("absent");
    write(backend, key, value("w"), 0);
  }

  // --- every step ---------------------------------------------------------------------------

  private interface Work {
    void run();
  }

  /** Fails once at each step, and looks whether what is said and what is stored agree. */
  private void failAtEveryStep(Work prepare, Work work, String old, String after)
      throws IOException {
    Map<Step, Integer> failed = new EnumMap<>(Step.class);
    boolean isOver = true;
    for (int nth = 1; isOver; nth++) {
      prepare.run();
      files.arm(
          (step, isAfter) -> !isAfter || FAIL_AFTERWARDS.contains(step),
          nth,
          (step, path) -> {
            failed.merge(step, 1, Integer::sum);
            throw new IOException("Input/output error");
          });
      String outcome;
      try {
        work.run();
        outcome = "done";
      } catch (StorageUnavailableException | CorruptRecordException e) {
        outcome = "refused"; // what cannot be read is told as damaged
      } catch (OutcomeUnknownException e) {
        outcome = "unknown";
      }
      isOver = files.isOver();
      files.disarm();
      String as = "%s at step %d, %s".formatted(outcome, nth, failed);
      String now = seen(backend, key);
      switch (outcome) {
        case "done" -> assertThat(now).as(as).isEqualTo(after);
        case "refused" -> assertThat(now).as(as).isEqualTo(old);
        default -> assertThat(now).as(as).isIn(old, after);
      }
      assertThat(inAnotherInstance()).as(as).isEqualTo(now);
      assertThat(listed()).as(as).isEqualTo(now.equals("absent") ? "" : now);
      assertThat(FileLocksValues.temporaries(root)).as(as).isEmpty();
      long version = now.equals("absent") ? 0 : Long.parseLong(now.split(" ", 2)[0]);
      write(backend, key, value("next"), version);
      assertThat(backend.deleteIfVersion(key, version + 1)).as(as).isEqualTo(Deleted.DELETED);
    }
    assertThat(failed).containsKeys(Step.LOCK, Step.FLUSH_DIRECTORY);
  }

  @Test
  void create_anyStepFails_saysWhatIsStored() throws IOException {
    failAtEveryStep(() -> {}, () -> write(backend, key, value("v", true, NOW), 0), "absent", "1 v");
  }

  @Test
  void finish_anyStepFails_saysWhatIsStored() throws IOException {
    failAtEveryStep(
        () -> write(backend, key, value("v"), 0),
        () -> write(backend, key, value("w", false, NOW), 1),
        "1 v",
        "2 w");
  }

  @Test
  void compaction_anyStepFails_saysWhatIsStored() throws IOException {
    failAtEveryStep(
        () -> {
          for (int version = 0; version < 8; version++) {
            write(backend, key, value(LARGE), version);
          }
        },
        () -> write(backend, key, value("w"), 8),
        "8 " + LARGE,
        "9 w");
  }

  @Test
  void finishThatCompacts_anyStepFails_saysWhatIsStored() throws IOException {
    failAtEveryStep(
        () -> {
          for (int version = 0; version < 4; version++) {
            write(backend, key, value(MEDIUM), version);
          }
        },
        () -> write(backend, key, value("w", false, NOW), 4),
        "4 " + MEDIUM,
        "5 w");
  }

  @Test
  void delete_anyStepFails_saysWhatIsStored() throws IOException {
    failAtEveryStep(
        () -> write(backend, key, value("v"), 0),
        () -> assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED),
        "1 v",
        "absent");
  }
}
