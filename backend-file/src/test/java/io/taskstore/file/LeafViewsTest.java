// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.seen;
import static io.taskstore.file.FileLocksValues.value;
import static io.taskstore.file.FileLocksValues.write;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.file.PartitionFiles.Leaf;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is remembered of directories that nobody has changed for a while, and when it is not. */
final class LeafViewsTest {
  private static final String OWNER = "owner";
  private static final int RECORDS = 20;

  @TempDir private Path temp;
  private Path root;
  private FlushCountFiles files;
  private StorageBackend backend;
  private StorageBackend other;

  @BeforeEach
  void open() {
    root = temp.resolve("store");
    files = new FlushCountFiles();
    backend = FileStorageBackend.builder(root).build(files);
    other = FileStorageBackend.open(root);
    for (int i = 10; i < 10 + RECORDS; i++) {
      write(other, key(i), value("v", false, null), 0);
    }
  }

  @AfterEach
  void close() {
    backend.close();
    other.close();
  }

  private static RecordKey key(int number) {
    return new RecordKey(OWNER, "id" + number);
  }

  /** As if the last change had been long ago. */
  private void becomeQuiet(Duration ago) throws IOException {
    Path done = root.resolve("p").resolve(OWNER).resolve("done");
    for (Path directory : List.of(done, done.resolve("%"))) {
      Files.setLastModifiedTime(directory, FileTime.from(Instant.now().minus(ago)));
    }
  }

  private List<String> ids() {
    return backend.list(new ListQuery(OWNER, null, false, 100)).records().stream()
        .map(stored -> stored.key().id())
        .toList();
  }

  private int listings(Runnable work) {
    int before = files.count(Step.LIST);
    work.run();
    return files.count(Step.LIST) - before;
  }

  @Test
  void list_leafIsQuiet_isReadOnce() throws IOException {
    becomeQuiet(Duration.ofMinutes(1));
    List<String> first = ids();

    int listings = listings(() -> assertThat(ids()).isEqualTo(first));

    assertThat(first).hasSize(RECORDS);
    assertThat(listings).as("of active records only").isEqualTo(1);
  }

  @Test
  void list_leafWasChangedJustNow_isReadEachTime() {
    ids();

    // Another change could follow in the same tick of the file system's clock.
    assertThat(listings(this::ids)).as("of active records, leaves, and a leaf").isEqualTo(3);
  }

  @Test
  void list_leafChangesAfterItWasQuiet_isSeenAtOnce() throws IOException {
    becomeQuiet(Duration.ofMinutes(1));
    ids();

    write(other, key(50), value("finished", false, null), 0);
    assertThat(ids()).hasSize(RECORDS + 1).contains("id50");

    becomeQuiet(Duration.ofSeconds(40));
    ids();
    assertThat(other.delete(key(11))).isTrue();
    assertThat(ids()).hasSize(RECORDS).doesNotContain("id11");

    becomeQuiet(Duration.ofSeconds(20));
    ids();
    write(other, key(12), value("purged", false, Instant.EPOCH), 1);
    assertThat(other.purgeExpired(Instant.EPOCH, 10)).isEqualTo(1);
    assertThat(ids()).hasSize(RECORDS - 1).doesNotContain("id12");
  }

  @Test
  void get_leafIsMadeAfterTheOthersWereRemembered_isFound() throws IOException {
    becomeQuiet(Duration.ofMinutes(1));
    RecordKey absent = key(99);
    assertThat(seen(backend, absent)).isEqualTo("absent");
    assertThat(listings(() -> backend.get(absent))).as("listings").isZero();

    Path done = root.resolve("p").resolve(OWNER).resolve("done");
    write(other, absent, value("w", true, null), 0);
    assertThat(seen(backend, absent)).isEqualTo("1 w");
    write(other, absent, value("x", false, null), 1);
    // As if the leaf had been full.
    Files.createDirectory(done.resolve("id90"));
    Files.move(done.resolve("%/id99.tj"), done.resolve("id90/id99.tj"));
    assertThat(seen(backend, absent)).isEqualTo("2 x");
    assertThat(ids()).contains("id99");
  }

  @Test
  void leafOf_anyNumberOfLeaves_isTheLastThatDoesNotBeginAbove() {
    Random random = new Random(7);
    for (int count = 0; count < 40; count++) {
      List<Leaf> leaves = new ArrayList<>();
      if (random.nextBoolean()) {
        leaves.add(new Leaf("", Path.of("first")));
      }
      for (int i = 0; i < count; i++) {
        leaves.add(new Leaf("%04d".formatted(10 * i), Path.of("leaf" + i)));
      }
      for (int id = -1; id <= 10 * count; id++) {
        String text = id < 0 ? "!" : "%04d".formatted(id);
        assertThat(PartitionFiles.leafOf(leaves, text))
            .as("%s among %s", text, leaves)
            .isEqualTo(oneByOne(leaves, text));
      }
    }
  }

  private static @Nullable Path oneByOne(List<Leaf> leaves, String id) {
    Path found = null;
    for (Leaf leaf : leaves) {
      if (leaf.lowest().isEmpty() || RecordKey.compareIds(leaf.lowest(), id) <= 0) {
        found = leaf.directory();
      }
    }
    return found;
  }
}
