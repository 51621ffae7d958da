// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A store that was recorded once, on a host that has been started again since. Every later release
 * must read it and go on with it. How to record is told by {@link FixtureGenerator}.
 */
final class FixtureTest {
  @TempDir private Path directory;
  private RecoveryStore store = new RecoveryStore(Path.of("."));
  private final RecoveryLog log = new RecoveryLog();

  private static Path fixture() {
    try {
      return Path.of(
              Objects.requireNonNull(
                      FixtureTest.class.getResource("/fixtures/format-1/format.json"))
                  .toURI())
          .resolveSibling("");
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }

  @BeforeEach
  void copy() throws IOException {
    store = new RecoveryStore(directory.resolve("store"));
    FixtureGenerator.copy(fixture(), store.root());
    Files.delete(store.root().resolve("expected.txt"));
    for (String name : List.of("tmp", "due", "quarantine")) {
      Files.createDirectories(store.root().resolve(name));
    }
    List<Path> partitions = new ArrayList<>();
    try (var paths = Files.list(store.root().resolve("p"))) {
      paths.forEach(partitions::add);
    }
    for (Path partition : partitions) {
      Files.createDirectories(partition.resolve("active"));
      Files.createDirectories(partition.resolve("done"));
    }
  }

  @AfterEach
  void stopLogging() {
    log.close();
  }

  /** What was described when it was recorded, by partition. */
  private static Map<String, List<String>> expected() throws IOException {
    Map<String, List<String>> lines = new HashMap<>();
    for (String line : Files.readAllLines(fixture().resolve("expected.txt"))) {
      lines.computeIfAbsent(text(line.split(" ", -1)[0]), name -> new ArrayList<>()).add(line);
    }
    return lines;
  }

  private static String text(String hex) {
    return new String(HexFormat.of().parseHex(hex), StandardCharsets.UTF_8);
  }

  private static RecordKey key(String line) {
    String[] parts = line.split(" ", -1);
    return new RecordKey(text(parts[0]), text(parts[1]));
  }

  @Test
  void expected_hasWhatWasWritten() throws IOException {
    Map<RecordKey, VersionedRecord> newest = new HashMap<>();
    FixtureRecords.writes().forEach(write -> newest.put(write.key(), write));
    VersionedRecord second =
        FixtureRecords.writes().stream()
            .filter(write -> write.key().equals(FixtureRecords.RESTORED) && write.version() == 2)
            .findFirst()
            .orElseThrow();
    newest.put(
        FixtureRecords.RESTORED,
        new VersionedRecord(
            FixtureRecords.RESTORED, second.value(), FixtureRecords.RESTORED_VERSION));

    assertThat(expected().values().stream().flatMap(List::stream))
        .containsExactlyInAnyOrderElementsOf(
            newest.values().stream().map(FixtureGenerator::line).toList());
  }

  @Test
  void get_everyRecord_isAsItWasRecorded() throws IOException {
    int seen = 0;
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      for (List<String> lines : expected().values()) {
        for (String line : lines) {
          assertThat(FixtureGenerator.line(backend.get(key(line)).orElseThrow())).isEqualTo(line);
          seen++;
        }
      }
    }
    assertThat(seen).isGreaterThan(20);
    assertThat(log.warnings()).isEmpty();
  }

  @Test
  void list_everyPartition_isAsItWasRecorded() throws IOException {
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      for (Map.Entry<String, List<String>> partition : expected().entrySet()) {
        ListQuery all = new ListQuery(partition.getKey(), null, false, 1_000);
        assertThat(backend.list(all).records())
            .extracting(FixtureGenerator::line)
            .containsExactlyInAnyOrderElementsOf(partition.getValue());
        assertThat(backend.list(all).records())
            .isSortedAccordingTo((a, b) -> RecordKey.compareIds(a.key().id(), b.key().id()));
        assertThat(backend.list(all).corrupt()).isEmpty();
        assertThat(backend.listActive(all).heads())
            .hasSize(
                (int)
                    partition.getValue().stream()
                        .filter(line -> line.contains(" active "))
                        .count());
      }
    }
  }

  @Test
  void write_everyRecord_goesOn() throws IOException {
    for (List<String> lines : expected().values()) {
      for (String line : lines) {
        RecordKey key = key(line);
        try (StorageBackend backend = store.open(Recovery.FAIL)) {
          VersionedRecord stored = backend.get(key).orElseThrow();
          for (int i = 1; i <= 12; i++) {
            boolean active = stored.value().active() && i < 12;
            RecordValue next =
                BitRotFiles.version(key, i, BitRotFiles.ascii("x".repeat(700 * i)), active, null)
                    .value();
            long version = stored.version() + i;
            assertThat(backend.putIfVersion(key, next, version - 1))
                .isEqualTo(new Written(version));
            try (StorageBackend other = store.open(Recovery.FAIL)) {
              assertThat(other.get(key)).contains(new VersionedRecord(key, next, version));
            }
          }
          assertThat(backend.deleteIfVersion(key, stored.version() + 12))
              .isEqualTo(Deleted.DELETED);
          assertThat(backend.get(key)).isEmpty();
        }
      }
    }
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      for (String partition : expected().keySet()) {
        assertThat(backend.list(new ListQuery(partition, null, false, 10)).records()).isEmpty();
      }
    }
    assertThat(log.warnings()).isEmpty();
  }

  @Test
  void purge_dueRecord_goesAndTheOthersStay() throws IOException {
    int before = expected().values().stream().mapToInt(List::size).sum();
    try (StorageBackend backend = store.open(Recovery.FAIL)) {
      RecordKey empty = new RecordKey("ts:alice", "empty");
      assertThat(backend.purgeExpired(FixtureRecords.DUE.minusMillis(1), 100)).isEqualTo(1);
      assertThat(backend.get(empty)).isEmpty();
      assertThat(backend.get(FixtureRecords.DUE_KEY)).isPresent();
      assertThat(backend.purgeExpired(FixtureRecords.DUE, 100)).isEqualTo(1);
      assertThat(backend.get(FixtureRecords.DUE_KEY)).isEmpty();
      int left = 0;
      for (String partition : expected().keySet()) {
        left += backend.list(new ListQuery(partition, null, false, 100)).records().size();
      }
      assertThat(left).isEqualTo(before - 2);
    }
  }

  @Test
  void fixture_hasAllThatAStoreHas() throws IOException {
    TreeSet<String> kinds = new TreeSet<>();
    for (Path file : FixtureGenerator.files(fixture())) {
      kinds.add(
          fixture()
              .relativize(file)
              .toString()
              .replaceAll("[^/]*\\.tj", "x.tj")
              .replaceAll("p/[^/]*", "p")
              .replaceAll("[^/]*\\.txt", "x.txt"));
    }

    assertThat(kinds)
        .contains(
            "format.json",
            "due/complete-since",
            "due/x.txt",
            "quarantine/x.tj",
            "p/partition.json",
            "p/active/x.tj",
            "p/done/%/x.tj");
    assertThat(Files.readString(fixture().resolve("format.json")))
        .isEqualTo("{\"taskstore\":1,\"id\":\"" + FixtureRecords.STORE_ID + "\"}\n");
  }

  /** The same release records the same bytes; a later one need not, and then this test goes. */
  @Test
  void record_again_isTheSame() throws IOException {
    Path again = directory.resolve("again");
    FixtureGenerator.record(again);

    List<Path> files = FixtureGenerator.files(again);
    assertThat(files.stream().map(file -> again.relativize(file).toString()))
        .containsExactlyElementsOf(
            FixtureGenerator.files(fixture()).stream()
                .map(file -> fixture().relativize(file).toString())
                .toList());
    for (Path file : files) {
      Path recorded = fixture().resolve(again.relativize(file).toString());
      assertThat(FixtureGenerator.isSame(file, recorded)).as(recorded.toString()).isTrue();
    }
  }
}
