// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static io.taskstore.file.FileLocksValues.value;
import static io.taskstore.file.FileLocksValues.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.file.FileStorageBackend.Durability;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordTooLargeException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a flush costs is what a write costs: how many of them each operation needs. */
final class FlushCountTest {
  private static final String KIB = "x".repeat(1_024);

  @TempDir private Path root;
  private final FlushCountFiles files = new FlushCountFiles();
  private final String partition = partition();
  private FileStorageBackend backend;

  @BeforeEach
  void open() {
    backend = FileStorageBackend.builder(root).maxDataBytes(256 * 1_024).build(files);
    write(backend, key("known"), value("v"), 0);
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private RecordKey key(String id) {
    return new RecordKey(partition, id);
  }

  @Test
  void update_kibibytes_flushesOnce() {
    RecordKey key = key("a");
    write(backend, key, value(KIB), 0);
    int compactions = 0;
    for (long version = 1; version <= 200; version++) {
      long expected = version;
      int directories = files.count(Step.FLUSH_DIRECTORY);
      int flushes = files.flushesOf(() -> write(backend, key, value(KIB), expected));
      if (files.count(Step.FLUSH_DIRECTORY) > directories) {
        compactions++;
        assertThat(flushes).as("flushes of a compaction, at version %s", version).isEqualTo(2);
      } else {
        assertThat(flushes).as("flushes at version %s", version).isEqualTo(1);
      }
    }
    assertThat(compactions).isLessThanOrEqualTo(200 / 30);
  }

  @Test
  void update_withAnExpiryOfItsOwn_flushesOnce() {
    RecordKey key = key("a");
    write(backend, key, value("v", true, NOW), 0);

    int flushes =
        files.flushesOf(() -> write(backend, key, value("w", true, NOW.plusSeconds(7_200)), 1));

    assertThat(flushes).isEqualTo(1);
  }

  @Test
  void update_largeRecords_flushesOnceAndTwiceToCompact() {
    RecordKey key = key("a");
    String large = "x".repeat(200 * 1_024);
    write(backend, key, value(large), 0);
    int compactions = 0;
    for (long version = 1; version <= 40; version++) {
      long expected = version;
      int created = files.count(Step.CREATE);
      int flushes = files.flushesOf(() -> write(backend, key, value(large), expected));
      boolean compacts = files.count(Step.CREATE) > created;
      compactions += compacts ? 1 : 0;
      assertThat(flushes).as("at version %s", version).isEqualTo(compacts ? 2 : 1);
    }
    assertThat(compactions).as("compactions").isBetween(1, 10);
  }

  @Test
  void create_knownPartition_flushesTwice() {
    for (int i = 0; i < 20; i++) {
      RecordKey key = key("id-" + i);
      assertThat(files.flushesOf(() -> write(backend, key, value("v", true, NOW), 0))).isEqualTo(2);
    }
    for (int i = 0; i < 20; i++) {
      RecordKey key = key("within-" + i);
      int flushes =
          files.flushesOf(
              () ->
                  assertThat(backend.createWithin(key, value("v"), 100, NOW))
                      .isEqualTo(Created.CREATED));
      assertThat(flushes).isEqualTo(2);
    }
  }

  @Test
  void create_newPartition_flushesThreeTimesMoreAtMost() {
    int flushes =
        files.flushesOf(() -> write(backend, new RecordKey(partition(), "id"), value("v"), 0));

    assertThat(flushes).isBetween(4, 5);
  }

  @Test
  void create_inactive_flushesTheNameOfALeafOnce() {
    assertThat(files.flushesOf(() -> write(backend, key("a"), value("v", false, null), 0)))
        .isEqualTo(3);
    assertThat(files.flushesOf(() -> write(backend, key("b"), value("v", false, null), 0)))
        .isEqualTo(2);

    FlushCountFiles others = new FlushCountFiles();
    try (FileStorageBackend other = FileStorageBackend.builder(root).build(others)) {
      assertThat(others.flushesOf(() -> write(other, key("c"), value("v", false, null), 0)))
          .as("the first use of a leaf by an instance: its maker may have died before the flush")
          .isEqualTo(3);
      assertThat(others.flushesOf(() -> write(other, key("d"), value("v", false, null), 0)))
          .isEqualTo(2);
    }
  }

  @Test
  void create_leafWasMadeAgainByAProcessThatDied_flushesItsName() throws Exception {
    write(backend, key("a"), value("v", false, null), 0);
    Path done = new PartitionFiles(new FileAccess(false), root.resolve("p"), partition).done;
    try (FileStorageBackend other = FileStorageBackend.open(root)) {
      assertThat(other.deleteIfVersion(key("a"), 1)).isEqualTo(Deleted.DELETED);
    }
    assertThat(done).as("the leaf went with its last record").isEmptyDirectory();
    try (FileLocksProcess child = FileLocksProcess.start(root)) {
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("stop before FLUSH_DIRECTORY 1")).isEqualTo("armed");
      assertThat(child.ask("put " + partition + " b 0 v inactive")).isEqualTo("stopped");
      child.kill();
    }
    assertThat(done).as("somebody has made it again, not flushed it").isNotEmptyDirectory();

    assertThat(files.flushesOf(() -> write(backend, key("c"), value("v", false, null), 0)))
        .isEqualTo(3);
  }

  @Test
  void finish_flushesThreeTimes() {
    write(backend, key("first"), value("v", false, null), 0);
    for (int i = 0; i < 20; i++) {
      RecordKey key = key("id-" + i);
      write(backend, key, value("v"), 0);
      assertThat(files.flushesOf(() -> write(backend, key, value("w", false, NOW), 1)))
          .isEqualTo(3);
    }
  }

  @Test
  void finish_thatCompacts_flushesThreeTimes() {
    write(backend, key("first"), value("v", false, null), 0);
    RecordKey key = key("a");
    write(backend, key, value(KIB), 0);
    for (long version = 1; version < 20; version++) {
      write(backend, key, value(KIB), version);
    }
    int created = files.count(Step.CREATE);

    int flushes = files.flushesOf(() -> write(backend, key, value("w", false, NOW), 20));

    assertThat(files.count(Step.CREATE) - created).as("new files").isEqualTo(1);
    assertThat(flushes).isEqualTo(3);
  }

  @Test
  void delete_flushesOnce() {
    write(backend, key("active"), value("v"), 0);
    write(backend, key("done"), value("v", false, null), 0);
    RecordKey last = new RecordKey(partition(), "id");
    write(backend, last, value("v"), 0);

    for (RecordKey key : new RecordKey[] {key("active"), key("done"), last}) {
      int flushes =
          files.flushesOf(
              () -> assertThat(backend.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED));
      assertThat(flushes).as("flushes of the delete of %s", key).isEqualTo(1);
    }
  }

  @Test
  void purge_thousandRecords_flushesEachLeafOnce() {
    try (FileStorageBackend fast =
        FileStorageBackend.builder(root).durability(Durability.OS).build()) {
      for (int i = 0; i < 1_000; i++) {
        write(fast, key("id-" + i), value("v", false, NOW), 0);
      }
    }

    int flushes =
        files.flushesOf(() -> assertThat(backend.purgeExpired(NOW, 2_000)).isEqualTo(1_000));

    assertThat(flushes).as("one for each leaf").isBetween(1, 10);
  }

  @Test
  void whatWritesNothing_flushesNothing() {
    write(backend, key("done"), value("v", false, NOW), 0);
    write(backend, key("a"), value("v"), 0);
    ListQuery query = new ListQuery(partition, null, false, 10);
    RecordKey absent = key("absent");

    int flushes =
        files.flushesOf(
            () -> {
              assertThat(backend.get(key("a"))).isPresent();
              assertThat(backend.get(key("done"))).isPresent();
              assertThat(backend.get(absent)).isEmpty();
              assertThat(backend.list(query).records()).hasSize(3);
              assertThat(backend.listActive(query).heads()).hasSize(2);
              assertThat(backend.putIfVersion(key("a"), value("w"), 7))
                  .isInstanceOf(Conflict.class);
              assertThat(backend.putIfVersion(absent, value("w"), 7)).isInstanceOf(Conflict.class);
              assertThat(backend.deleteIfVersion(key("a"), 7)).isInstanceOf(Conflict.class);
              assertThat(backend.createWithin(key("a"), value("w"), 9, NOW))
                  .isInstanceOf(Conflict.class);
              assertThat(backend.createWithin(absent, value("w"), 2, NOW)).isEqualTo(Full.FULL);
              assertThatThrownBy(
                      () -> backend.putIfVersion(absent, value("x".repeat(300 * 1_024)), 0))
                  .isInstanceOf(RecordTooLargeException.class);
              assertThat(backend.purgeExpired(NOW.minus(Duration.ofDays(1)), 10)).isZero();
            });

    assertThat(flushes).isZero();
  }
}
