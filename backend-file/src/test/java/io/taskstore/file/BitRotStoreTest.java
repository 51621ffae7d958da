// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.BitRotFiles.Damage;
import io.taskstore.file.BitRotFiles.Shape;
import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A sample of what can happen to a file, through every call, by somebody who has seen the record
 * before and by somebody who has not: the right record, or an error that names it; and the records
 * beside it are as they were.
 */
final class BitRotStoreTest {
  private static final String PARTITION = "rot";
  private static final ListQuery ALL = new ListQuery(PARTITION, null, false, 100);
  private static final RecordKey NEIGHBOUR = new RecordKey(PARTITION, "neighbour");
  private static final RecordKey FINISHED = new RecordKey(PARTITION, "finished neighbour");
  private static final RecordKey ELSEWHERE = new RecordKey("another partition", "neighbour");
  private static final List<RecordKey> NEIGHBOURS = List.of(NEIGHBOUR, FINISHED, ELSEWHERE);

  @TempDir private Path directory;
  private RecoveryStore store = new RecoveryStore(Path.of("."));
  private final RecoveryLog log = new RecoveryLog();

  static List<String> shapes() {
    return BitRotFiles.shapes(PARTITION, "any").stream().map(Shape::name).toList();
  }

  @BeforeEach
  void writeNeighbours() {
    store = new RecoveryStore(directory.resolve("store"));
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      for (RecordKey key : NEIGHBOURS) {
        boolean active = !key.equals(FINISHED);
        RecordValue value = neighbour(key, active);
        assertThat(backend.putIfVersion(key, value, 0)).isEqualTo(new Written(1));
      }
    }
  }

  @AfterEach
  void stopLogging() {
    log.close();
  }

  private static RecordValue neighbour(RecordKey key, boolean active) {
    return BitRotFiles.version(key, 1, BitRotFiles.ascii(key.id()), active, null).value();
  }

  private Shape shape(String name) {
    StoreFolder folder =
        StoreFolder.open(new FileAccess(false), store.root(), Duration.ofSeconds(5));
    try {
      folder.release();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return BitRotFiles.shapes(PARTITION, folder.boot()).stream()
        .filter(shape -> shape.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  /** Some of all damages of each kind, always the same ones. */
  private static List<Damage> sample(Shape shape, int ofEach) {
    List<Damage> sample = new ArrayList<>();
    for (int kind = 0; kind < 3; kind++) {
      List<Damage> some = new ArrayList<>();
      Random random = new Random(shape.name().hashCode());
      int[] seen = {0};
      Consumer<Damage> reservoir =
          damage -> {
            seen[0]++;
            int slot = seen[0] <= ofEach ? seen[0] - 1 : random.nextInt(seen[0]);
            if (slot < ofEach) {
              Damage kept = new Damage(damage.name(), damage.content().clone(), damage.mayGoBack());
              if (slot == some.size()) {
                some.add(kept);
              } else {
                some.set(slot, kept);
              }
            }
          };
      switch (kind) {
        case 0 -> BitRotFiles.flips(shape, 997, reservoir);
        case 1 -> BitRotFiles.cuts(shape, 997, reservoir);
        default -> BitRotFiles.blocks(shape, reservoir);
      }
      sample.addAll(some);
    }
    BitRotFiles.additions(shape, sample::add);
    return sample;
  }

  /** The file of a record, where it belongs. */
  private Path place(Shape shape) throws IOException {
    PartitionFiles partition = store.partition(PARTITION);
    String id = shape.key().id();
    return shape.newest().value().active()
        ? partition.activeFile(id)
        : partition.leafFor(id, partition.leaves()).resolve(PartitionFiles.fileName(id));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void everyCall_damagedFile_isRightOrAnErrorWithTheKey(String name) throws IOException {
    checkSample(name, 3);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  @Tag("stress")
  void everyCall_damagedFileInManyWays_isRightOrAnErrorWithTheKey(String name) throws IOException {
    checkSample(name, 60);
  }

  private void checkSample(String name, int ofEach) throws IOException {
    Shape shape = shape(name);
    Path file = place(shape);
    int corrupt = 0;
    int looks = 0;
    for (Damage damage : sample(shape, ofEach)) {
      for (boolean knows : new boolean[] {false, true}) {
        Files.write(file, shape.file());
        try (StorageBackend backend = store.open(Recovery.FAIL)) {
          if (knows) {
            backend.get(shape.key());
            backend.list(ALL);
          }
          Files.write(file, damage.content());
          looks++;
          corrupt += new Calls(backend, shape, damage, file, knows).check() ? 1 : 0;
        }
      }
    }
    assertThat(corrupt).isBetween(1, looks);
    assertThat(store.quarantined()).isEmpty();
    assertThat(log.warnings()).isEmpty();
  }

  /** All calls about a record whose file is damaged. */
  private static final class Calls {
    private final StorageBackend backend;
    private final Shape shape;
    private final Damage damage;
    private final Path file;
    private final RecordKey key;
    private final boolean knows;

    Calls(StorageBackend backend, Shape shape, Damage damage, Path file, boolean knows) {
      this.backend = backend;
      this.shape = shape;
      this.damage = damage;
      this.file = file;
      this.key = shape.key();
      this.knows = knows;
    }

    /** What a call says of a record; empty if there is none. */
    private record Seen(Optional<VersionedRecord> stored, boolean corrupt) {}

    private Seen look(Supplier<Optional<VersionedRecord>> call) {
      try {
        return new Seen(call.get(), false);
      } catch (CorruptRecordException e) {
        assertThat(e.key()).contains(key);
        return new Seen(Optional.empty(), true);
      }
    }

    /** Whether it is known to be damaged. */
    boolean check() throws IOException {
      String what = shape + ", " + damage;
      Seen seen = look(() -> backend.get(key));
      checkAllowed(what, seen);
      checkList(what, seen);
      checkHeads(what, seen);
      assertThat(look(() -> winner(backend.putIfVersion(key, shape.newest().value(), 5_000))))
          .as(what)
          .isEqualTo(seen);
      assertThat(look(() -> winner(backend.deleteIfVersion(key, 5_000)))).as(what).isEqualTo(seen);
      if (seen.corrupt()) {
        // Nobody has touched it.
        assertThat(Files.readAllBytes(file)).as(what).isEqualTo(damage.content());
      } else {
        goOn(what, seen.stored().map(VersionedRecord::version).orElse(0L));
      }
      for (RecordKey neighbour : NEIGHBOURS) {
        assertThat(backend.get(neighbour).orElseThrow().value())
            .as(what)
            .isEqualTo(neighbour(neighbour, !neighbour.equals(FINISHED)));
      }
      return seen.corrupt();
    }

    private void checkAllowed(String what, Seen seen) {
      if (seen.corrupt()) {
        return;
      }
      if (damage.mayGoBack()) {
        seen.stored().ifPresent(stored -> assertThat(stored).as(what).isIn(shape.versions()));
        // Nothing is there only if nothing was acknowledged.
        assertThat(seen.stored().isPresent() || shape.versions().size() == 1).as(what).isTrue();
      } else {
        assertThat(seen.stored()).as(what).contains(shape.newest());
      }
    }

    private static Optional<VersionedRecord> winner(PutResult result) {
      return Optional.ofNullable(((Conflict) result).winner());
    }

    private static Optional<VersionedRecord> winner(DeleteResult result) {
      return Optional.ofNullable(((Conflict) result).winner());
    }

    private void checkList(String what, Seen seen) {
      RecordPage page = backend.list(ALL);
      assertThat(page.next()).as(what).isNull();
      List<VersionedRecord> expected = new ArrayList<>();
      for (RecordKey neighbour : List.of(NEIGHBOUR, FINISHED)) {
        expected.add(
            new VersionedRecord(neighbour, neighbour(neighbour, neighbour.equals(NEIGHBOUR)), 1));
      }
      seen.stored().ifPresent(expected::add);
      assertThat(page.records()).as(what).containsExactlyInAnyOrderElementsOf(expected);
      checkCorrupt(what, page.corrupt(), seen);
    }

    private void checkHeads(String what, Seen seen) {
      HeadPage page = backend.listActive(ALL);
      List<RecordKey> expected = new ArrayList<>(List.of(NEIGHBOUR));
      if (seen.stored().isPresent()
          && seen.stored().get().value().active()
          && file.toString().contains("active")) {
        expected.add(key);
      }
      assertThat(page.heads().stream().map(RecordHead::key))
          .as(what)
          .containsExactlyInAnyOrderElementsOf(expected);
      if (file.toString().contains("active")) {
        checkCorrupt(what, page.corrupt(), seen);
      }
    }

    private void checkCorrupt(String what, List<CorruptRecord> corrupt, Seen seen) {
      assertThat(corrupt).as(what).hasSize(seen.corrupt() ? 1 : 0);
      if (seen.corrupt()) {
        String told = corrupt.get(0).key().id();
        // Of an id that stands nowhere any more only the beginning is in the file's name.
        assertThat(told.equals(key.id()) || (key.id().startsWith(told) && key.id().length() > 40))
            .as(what)
            .isTrue();
      }
    }

    /** What can be read can be written and deleted as ever. */
    private void goOn(String what, long version) {
      RecordValue next =
          BitRotFiles.version(key, version + 1, BitRotFiles.ascii("next"), true, null).value();
      assertThat(backend.putIfVersion(key, next, version))
          .as(what)
          .isEqualTo(new Written(version + 1));
      Seen seen = look(() -> backend.get(key));
      if (knows && seen.corrupt()) {
        return; // what follows the last entry has rotted since it was looked at
      }
      assertThat(seen.stored()).as(what).contains(new VersionedRecord(key, next, version + 1));
      assertThat(backend.deleteIfVersion(key, version + 1)).as(what).isEqualTo(Deleted.DELETED);
      assertThat(backend.get(key)).as(what).isEmpty();
    }
  }

  /** The power went while a write was under way, and its first sector did not reach the disk. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void put_leftoverOfATornWrite_isOverwritten(boolean readBefore) throws IOException {
    RecordKey key = new RecordKey(PARTITION, "torn");
    VersionedRecord good = BitRotFiles.version(key, 1, BitRotFiles.ascii("good"), true, null);
    VersionedRecord lost = BitRotFiles.version(key, 2, new byte[2_000], true, null);
    Shape shape = BitRotFiles.shape("torn", List.of(good, lost), BitRotFiles.OTHER_BOOT, false, 0);
    byte[] content = shape.file().clone();
    int sector = (shape.lastOffset() + 511) / 512 * 512;
    Arrays.fill(content, shape.lastOffset(), sector + 512, (byte) '\n');
    Files.write(store.partition(PARTITION).activeFile("torn"), content);
    try (StorageBackend backend = store.open(Recovery.FAIL);
        StorageBackend other = store.open(Recovery.FAIL)) {
      if (readBefore) {
        assertThat(backend.get(key)).contains(good);
      }
      for (int version = 1; version < 6; version++) {
        RecordValue next = RecoveryStore.value("next" + version);

        assertThat(backend.putIfVersion(key, next, version)).isEqualTo(new Written(version + 1));

        VersionedRecord written = new VersionedRecord(key, next, version + 1);
        assertThat(backend.get(key)).contains(written);
        assertThat(other.get(key)).contains(written);
        try (StorageBackend fresh = store.open(Recovery.FAIL)) {
          assertThat(fresh.get(key)).contains(written);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void get_damagedFileWithBackups_isRightOrOlderAndReported(String name) throws IOException {
    Shape shape = shape(name);
    Path file = place(shape);
    for (Damage damage : sample(shape, 3)) {
      String what = shape + ", " + damage;
      // A finished record may have come back as an active one.
      Files.deleteIfExists(store.partition(PARTITION).activeFile(shape.key().id()));
      Files.write(file, damage.content());
      log.clear();
      int aside = store.quarantined().size();
      VersionedRecord found = null;
      try (StorageBackend backend = store.open(Recovery.BACKUP)) {
        found = backend.get(shape.key()).orElse(null);
      } catch (CorruptRecordException e) {
        assertThat(e.key()).contains(shape.key());
        assertThat(Files.readAllBytes(file)).as(what).isEqualTo(damage.content());
      }
      if (found != null && found.version() > shape.newest().version()) {
        assertThat(shape.versions())
            .as(what)
            .extracting(VersionedRecord::value)
            .contains(found.value());
        assertThat(log.warnings()).as(what).hasSize(1);
        assertThat(store.quarantined()).as(what).hasSize(aside + 1).contains(damage.content());
      } else {
        checkUnreported(what, damage, shape, found);
        assertThat(log.warnings()).as(what).isEmpty();
        assertThat(store.quarantined()).as(what).hasSize(aside);
      }
    }
  }

  private static void checkUnreported(
      String what, Damage damage, Shape shape, @Nullable VersionedRecord found) {
    if (found != null && !damage.mayGoBack()) {
      assertThat(found).as(what).isEqualTo(shape.newest());
    } else if (found != null) {
      assertThat(shape.versions()).as(what).contains(found);
    }
  }

  @Test
  void everyCall_filesSwapped_namesBothKeys() throws IOException {
    List<RecordKey> keys =
        List.of(
            new RecordKey(PARTITION, "a"),
            new RecordKey(PARTITION, "é".repeat(250)),
            new RecordKey(PARTITION, "c"));
    RecordKey other = new RecordKey("another partition", "a");
    for (RecordKey key : keys) {
      store.write(key, 2);
    }
    store.write(other, 2);
    List<List<RecordKey>> swaps =
        List.of(
            List.of(keys.get(0), keys.get(2)),
            List.of(keys.get(0), keys.get(1)),
            List.of(keys.get(0), other));
    for (List<RecordKey> swap : swaps) {
      try (StorageBackend knows = store.open(Recovery.FAIL);
          StorageBackend fresh = store.open(Recovery.FAIL)) {
        swap.forEach(knows::get);
        swapFiles(swap.get(0), swap.get(1));
        for (StorageBackend backend : List.of(knows, fresh)) {
          for (RecordKey key : swap) {
            checkCorrupt(backend, key);
          }
          List<RecordKey> here =
              swap.stream().filter(key -> key.partition().equals(PARTITION)).toList();
          // The name of a long id tells only how it begins.
          assertThat(backend.list(ALL).corrupt()).hasSameSizeAs(here);
          assertThat(backend.listActive(ALL).corrupt()).hasSameSizeAs(here);
          assertThat(backend.list(ALL).records()).hasSize(5 - here.size());
        }
        swapFiles(swap.get(0), swap.get(1));
        swap.forEach(key -> assertThat(fresh.get(key).orElseThrow().version()).isEqualTo(2));
      }
    }
  }

  private static void checkCorrupt(StorageBackend backend, RecordKey key) {
    List<Supplier<Object>> calls =
        List.of(
            () -> backend.get(key),
            () -> backend.putIfVersion(key, RecoveryStore.value("x"), 2),
            () -> backend.deleteIfVersion(key, 2));
    for (Supplier<Object> call : calls) {
      try {
        throw new AssertionError("it went through: " + call.get());
      } catch (CorruptRecordException e) {
        assertThat(e.key()).contains(key);
        assertThat(e.reason()).contains("another key");
      }
    }
  }

  private void swapFiles(RecordKey left, RecordKey right) throws IOException {
    PartitionFiles ofLeft = store.partition(left.partition());
    PartitionFiles ofRight = store.partition(right.partition());
    Path one = ofLeft.activeFile(left.id());
    Path two = ofRight.activeFile(right.id());
    byte[] content = Files.readAllBytes(one);
    Files.write(one, Files.readAllBytes(two));
    Files.write(two, content);
  }

  @Test
  void everyCall_directoryInPlaceOfAFile_isAnErrorOfThisRecordOnly() throws IOException {
    RecordKey key = new RecordKey(PARTITION, "folder");
    Files.createDirectory(store.partition(PARTITION).activeFile("folder"));
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.list(ALL).corrupt()).extracting(CorruptRecord::key).containsExactly(key);
      assertThat(backend.list(ALL).records()).hasSize(2);
      assertThat(backend.listActive(ALL).corrupt()).hasSize(1);
      for (Supplier<Object> call :
          List.<Supplier<Object>>of(
              () -> backend.get(key),
              () -> backend.putIfVersion(key, RecoveryStore.value("x"), 0),
              () -> backend.deleteIfVersion(key, 1))) {
        try {
          throw new AssertionError("it went through: " + call.get());
        } catch (CorruptRecordException e) {
          assertThat(e.key()).contains(key);
        }
      }
      // It is counted, for it may have been an active one.
      RecordKey next = new RecordKey(PARTITION, "next");
      Instant now = Instant.EPOCH;
      assertThat(backend.createWithin(next, RecoveryStore.value("x"), 2, now).toString())
          .containsIgnoringCase("full");
      assertThat(backend.createWithin(next, RecoveryStore.value("x"), 3, now).toString())
          .containsIgnoringCase("created");
    }
  }

  @Test
  void everyCall_symbolicLink_isFollowedOrAbsent() throws IOException {
    RecordKey linked = new RecordKey(PARTITION, "linked");
    RecordKey dangling = new RecordKey(PARTITION, "dangling");
    RecordKey looped = new RecordKey(PARTITION, "looped");
    store.write(linked, 2);
    PartitionFiles partition = store.partition(PARTITION);
    Path moved = directory.resolve("moved");
    Files.move(partition.activeFile("linked"), moved);
    Files.createSymbolicLink(partition.activeFile("linked"), moved);
    Files.createSymbolicLink(partition.activeFile("dangling"), directory.resolve("nowhere"));
    Files.createSymbolicLink(partition.activeFile("looped"), partition.activeFile("looped"));
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.get(linked).orElseThrow().version()).isEqualTo(2);
      assertThat(backend.putIfVersion(linked, RecoveryStore.value("x"), 2))
          .isEqualTo(new Written(3));
      assertThat(backend.get(linked).orElseThrow().version()).isEqualTo(3);
      assertThat(backend.get(dangling)).isEmpty();
      assertThat(backend.putIfVersion(dangling, RecoveryStore.value("x"), 0))
          .isEqualTo(new Written(1));
      assertThat(backend.get(dangling).orElseThrow().version()).isEqualTo(1);
      assertThat(backend.list(ALL).records()).hasSize(4);
      assertThat(backend.list(ALL).corrupt())
          .extracting(CorruptRecord::key)
          .containsExactly(looped);
    }
    try (Stream<Path> links = Files.list(directory)) {
      assertThat(links).doesNotContain(directory.resolve("nowhere"));
    }
  }
}
