// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.RecoveryStore.EXPIRY;
import static io.taskstore.file.RecoveryStore.KEY;
import static io.taskstore.file.RecoveryStore.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damage to what is not the file of a record, and things that nobody has put there. */
final class BitRotFolderTest {
  private static final ListQuery ALL = new ListQuery(KEY.partition(), null, false, 100);
  private static final RecordKey DONE = new RecordKey(KEY.partition(), "done");
  private static final Instant SOON = EXPIRY.minusSeconds(1);

  @TempDir private Path directory;
  private RecoveryStore store = new RecoveryStore(Path.of("."));
  private final RecoveryLog log = new RecoveryLog();

  @BeforeEach
  void write() {
    store = new RecoveryStore(directory.resolve("store"));
    store.write(KEY, 2);
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      backend.putIfVersion(DONE, finished(), 0);
    }
  }

  @AfterEach
  void stopLogging() {
    log.close();
  }

  private static RecordValue finished() {
    return new RecordValue(value("done").data(), false, EXPIRY, "w-done");
  }

  private Path root() {
    return store.root();
  }

  private void checkAllIsThere(String what) {
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.get(KEY)).as(what).contains(new VersionedRecord(KEY, value("v2"), 2));
      assertThat(backend.get(DONE)).as(what).contains(new VersionedRecord(DONE, finished(), 1));
      assertThat(backend.list(ALL).records()).as(what).hasSize(2);
      assertThat(backend.list(ALL).corrupt()).as(what).isEmpty();
      assertThat(backend.listActive(ALL).heads()).as(what).hasSize(1);
      assertThat(backend.listActive(ALL).corrupt()).as(what).isEmpty();
    }
  }

  /** Each byte changed, each length. */
  private static List<byte[]> rotten(byte[] content) {
    List<byte[]> rotten = new ArrayList<>();
    Random random = new Random(1);
    for (int i = 0; i < content.length; i++) {
      for (int way : new int[] {content[i] ^ 1, content[i] ^ 0x80, 0, '\n', random.nextInt(256)}) {
        byte[] changed = content.clone();
        changed[i] = (byte) way;
        rotten.add(changed);
      }
      rotten.add(Arrays.copyOf(content, i));
    }
    rotten.add(new byte[4_096]);
    rotten.add(BitRotFiles.ascii("{}"));
    return rotten;
  }

  @Test
  void open_formatDamaged_isRefusedOrTheSame() throws IOException {
    Path format = root().resolve("format.json");
    byte[] content = Files.readAllBytes(format);
    int refused = 0;
    for (byte[] changed : rotten(content)) {
      Files.write(format, changed);
      try (StorageBackend backend = store.open(Recovery.RESET)) {
        assertThat(backend.get(KEY).orElseThrow().version()).isEqualTo(2);
      } catch (StorageUnavailableException e) {
        refused++;
        assertThat(e.operation()).isEqualTo("open");
        assertThat(e).hasMessageContaining("format");
      }
      assertThat(Files.readAllBytes(format)).isEqualTo(changed);
    }
    assertThat(refused).isGreaterThan(content.length);
    Files.write(format, content);
    checkAllIsThere("format as it was");
  }

  @Test
  void use_partitionDescriptionDamaged_isIgnored() throws IOException {
    Path description = store.partition(KEY.partition()).directory.resolve("partition.json");
    int round = 0;
    for (byte[] changed : rotten(Files.readAllBytes(description))) {
      Files.write(description, changed);
      if (round++ % 10 == 0) {
        checkAllIsThere("partition.json " + round);
        store.write(new RecordKey(KEY.partition(), "n"), 1);
        try (StorageBackend backend = store.open(Recovery.FAIL)) {
          backend.delete(new RecordKey(KEY.partition(), "n"));
        }
      }
    }
    Files.delete(description);
    checkAllIsThere("without partition.json");
    store.write(new RecordKey(KEY.partition(), "n"), 1);
    assertThat(description).exists();
  }

  @ParameterizedTest
  @ValueSource(strings = {"locks", "holders"})
  void use_fileForPeopleAndLocksDamaged_isIgnored(String name) throws IOException {
    byte[] noise = new byte[5_000];
    new Random(2).nextBytes(noise);
    for (byte[] content :
        List.of(
            noise, new byte[0], BitRotFiles.ascii("1@x\n@\n99999999999999999999@y since\n\n"))) {
      Files.write(root().resolve(name), content);
      checkAllIsThere(name);
    }
    Files.delete(root().resolve(name));
    checkAllIsThere("no " + name);
  }

  // --- hints --------------------------------------------------------------------------------

  private List<Path> hints() throws IOException {
    try (Stream<Path> paths = Files.list(root().resolve("due"))) {
      return paths.filter(path -> path.toString().endsWith(".txt")).sorted().toList();
    }
  }

  /** What a start of the host does. */
  private void forgetWhatWasGathered() throws IOException {
    Files.deleteIfExists(root().resolve("due/complete-since"));
  }

  @Test
  void purge_hintsDamaged_neverTakesWhatIsNotDueAndLosesNothingForGood() throws IOException {
    Path hint = hints().get(0);
    byte[] content = Files.readAllBytes(hint);
    int round = 0;
    for (byte[] changed : rotten(content)) {
      if (round++ % 9 != 0) {
        continue;
      }
      Path after = root().resolve("due");
      try (Stream<Path> files = Files.list(after)) {
        for (Path file : files.filter(path -> !path.endsWith("complete-since")).toList()) {
          Files.delete(file);
        }
      }
      Files.write(hint, changed);
      try (StorageBackend backend = store.open(Recovery.FAIL)) {
        assertThat(backend.purgeExpired(SOON, 100)).as("round %d", round).isZero();
        assertThat(backend.get(KEY)).isPresent();
        assertThat(backend.get(DONE)).isPresent();
        int purged = backend.purgeExpired(EXPIRY, 100);
        assertThat(purged).isBetween(0, 2);
      }
      forgetWhatWasGathered();
      try (StorageBackend backend = store.open(Recovery.FAIL)) {
        backend.purgeExpired(EXPIRY, 100);
        assertThat(backend.get(KEY)).as("round %d", round).isEmpty();
        assertThat(backend.get(DONE)).as("round %d", round).isEmpty();
      }
      store.write(KEY, 2);
      try (StorageBackend backend = store.open(Recovery.FAIL)) {
        backend.putIfVersion(DONE, finished(), 0);
      }
    }
  }

  @Test
  void purge_hintThatIsTooEarly_isNotLost() throws IOException {
    Path hint = hints().get(0);
    String lines = Files.readString(hint);
    String year2001 = lines.replace(String.valueOf(EXPIRY.toEpochMilli()), "1000000000000");
    Files.writeString(hint, year2001);
    Path early = hint.resolveSibling("00" + hint.getFileName().toString().substring(2));
    Files.move(hint, early);
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.purgeExpired(SOON, 100)).isZero();
      assertThat(backend.get(KEY)).isPresent();

      assertThat(backend.purgeExpired(EXPIRY, 100)).isEqualTo(2);
    }
  }

  @Test
  void purge_noHintsAfterAStart_gathersThem() throws IOException {
    for (Path hint : hints()) {
      Files.delete(hint);
    }
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.purgeExpired(EXPIRY, 100)).isZero();
    }
    forgetWhatWasGathered();
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.purgeExpired(EXPIRY, 100)).isEqualTo(2);
    }
  }

  @Test
  void purge_strangersAmongTheHints_areIgnoredOrAnErrorOfOurs() throws IOException {
    Files.writeString(root().resolve("due/readme"), "hello");
    Files.writeString(root().resolve("due/.hidden.txt"), "hello");
    Files.writeString(root().resolve("due/zzzz.txt"), "hello");
    Files.createDirectory(root().resolve("due/some"));
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.purgeExpired(EXPIRY, 100)).isEqualTo(2);
    }
    Files.createDirectory(root().resolve("due/0000.txt"));
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      backend.purgeExpired(EXPIRY, 100);
    } catch (StorageException e) {
      assertThat(e).hasMessageContaining("purgeExpired");
    }
  }

  @Test
  void purge_damagedRecord_staysAndTheOthersGo() throws IOException {
    store.damageNewest(KEY);
    forgetWhatWasGathered();
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.purgeExpired(EXPIRY, 100)).isEqualTo(1);
      assertThat(backend.list(ALL).corrupt()).hasSize(1);
    }
  }

  // --- directories --------------------------------------------------------------------------

  @Test
  void use_strangersEverywhere_areIgnored() throws IOException {
    PartitionFiles partition = store.partition(KEY.partition());
    Path leaf = partition.leafFor("done", partition.leaves());
    for (Path place :
        List.of(
            root(),
            root().resolve("p"),
            root().resolve("tmp"),
            root().resolve("quarantine"),
            partition.directory,
            partition.active,
            partition.done,
            leaf)) {
      Files.writeString(place.resolve(".DS_Store"), "hello");
      Files.writeString(place.resolve("Read Me.txt"), "hello");
      Files.writeString(place.resolve("k.tj~"), "hello");
      Files.writeString(place.resolve("K.TJ"), "hello");
      Files.createDirectory(place.resolve("lost+found"));
    }
    Files.writeString(root().resolve("tmp/99999-x.tmp"), "hello");
    Files.writeString(root().resolve("tmp/-1-x.tmp"), "hello");
    Files.writeString(root().resolve("tmp/x-x.tmp"), "hello");

    checkAllIsThere("with strangers");
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.putIfVersion(KEY, value("v3"), 2)).isEqualTo(new Written(3));
      assertThat(backend.createWithin(new RecordKey("p", "n"), value("n"), 2, SOON).toString())
          .containsIgnoringCase("created");
      forgetWhatWasGathered();
      assertThat(backend.purgeExpired(EXPIRY, 10)).isEqualTo(3);
    }
  }

  @Test
  void use_emptyTemporaryLeftByTheDead_isRemoved() throws IOException {
    Files.writeString(root().resolve("tmp/7-left.tmp"), "half of a record");

    checkAllIsThere("with a temporary file");

    assertThat(store.temporary()).isEmpty();
  }

  @Test
  void use_leafRenamedToNoNameOfOurs_isAbsentAndNothingElse() throws IOException {
    PartitionFiles partition = store.partition(KEY.partition());
    Path leaf = partition.leafFor("done", partition.leaves());
    Files.move(leaf, leaf.resolveSibling("Renamed Leaf"));
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      assertThat(backend.get(DONE)).isEmpty();
      assertThat(backend.list(ALL).records()).hasSize(1);
      assertThat(backend.get(KEY).orElseThrow().version()).isEqualTo(2);
    }
    Files.move(leaf.resolveSibling("Renamed Leaf"), leaf);
    checkAllIsThere("renamed back");
  }

  @Test
  void use_partitionInPlaceOfAnother_isAnErrorWithTheKey() throws IOException {
    RecordKey other = new RecordKey("q", KEY.id());
    store.write(other, 2);
    Path p = store.partition("p").directory;
    Path q = store.partition("q").directory;
    Path aside = directory.resolve("aside");
    Files.move(p, aside);
    Files.move(q, p);
    Files.move(aside, q);
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      for (RecordKey key : List.of(KEY, other)) {
        try {
          throw new AssertionError("it was read: " + backend.get(key));
        } catch (StorageException e) {
          assertThat(e.key()).contains(key);
        }
      }
      assertThat(backend.list(ALL).records()).isEmpty();
      assertThat(backend.list(ALL).corrupt()).isNotEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"tmp", "quarantine", "due", "p"})
  void use_directoryMissing_isMadeOrAnErrorOfOurs(String name) throws IOException {
    Path gone = root().resolve(name);
    Path aside = directory.resolve("aside");
    Files.move(gone, aside);
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      if (!name.equals("p")) {
        assertThat(backend.get(KEY).orElseThrow().version()).isEqualTo(2);
      }
      backend.putIfVersion(new RecordKey("p", "n"), value("n"), 0);
      backend.purgeExpired(EXPIRY, 10);
    } catch (StorageException e) {
      assertThat(e.getMessage()).contains("directory");
    }
  }
}
