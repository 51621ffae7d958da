// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.CrashHistory.LostException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Looks at a directory after its writers have died: what is there, and whether it can be used. */
final class CrashChecks {
  private static final Instant NOW = Instant.parse("2026-01-01T12:00:00Z");
  private static final Set<String> ROOT =
      Set.of("format.json", "locks", "holders", "p", "due", "tmp", "quarantine");

  /** The call that comes across what was left half done. */
  enum First {
    GET,
    LIST,
    LIST_ACTIVE,
    PUT,
    DELETE,
    CREATE,
    PURGE
  }

  private final Path root;
  private final CrashHistory history;
  private final String tag;

  /**
   * @param tag for the write ids of the checks; no other has it
   */
  CrashChecks(Path root, CrashHistory history, String tag) {
    this.root = root;
    this.history = history;
    this.tag = tag;
  }

  @SuppressWarnings("AnnotateFormatMethod") // the annotation would be a dependency
  private static void check(boolean good, String message, Object... arguments)
      throws LostException {
    if (!good) {
      throw new LostException(message.formatted(arguments));
    }
  }

  // --- through the backend ------------------------------------------------------------------

  /** Compares what is stored with what may be, and then writes to each key. */
  void afterDeath(StorageBackend backend, First first) throws LostException {
    history.checkTroubles();
    Set<String> partitions = new TreeSet<>();
    for (RecordKey key : history.keys()) {
      partitions.add(key.partition());
    }
    begin(backend, first, partitions);
    Map<RecordKey, VersionedRecord> found = new HashMap<>();
    for (RecordKey key : history.keys()) {
      VersionedRecord stored = backend.get(key).orElse(null);
      history.settle(key, stored);
      if (stored != null) {
        found.put(key, stored);
      }
    }
    for (String partition : partitions) {
      compareListing(backend, partition, found);
    }
    writeToEach(backend, partitions, found);
    for (RecordKey key : history.keys()) {
      history.settle(key, backend.get(key).orElse(null));
    }
    history.tidy();
  }

  private void begin(StorageBackend backend, First first, Set<String> partitions)
      throws LostException {
    switch (first) {
      case GET -> {
        // That comes anyway.
      }
      case LIST -> {
        for (String partition : partitions) {
          for (VersionedRecord stored : list(backend, partition, true, 1_000)) {
            history.settle(stored.key(), stored);
          }
        }
      }
      case LIST_ACTIVE -> {
        for (String partition : partitions) {
          listActive(backend, partition, 1_000);
        }
      }
      case PUT, DELETE -> {
        for (RecordKey key : history.keys()) {
          long wrong = 1L << 40;
          RecordValue value = new CrashWrite(key, 0, tag + "-not", false, null, 10).value();
          Object result =
              first == First.PUT
                  ? backend.putIfVersion(key, value, wrong)
                  : backend.deleteIfVersion(key, wrong);
          check(result instanceof Conflict, "%s has version %d: %s", key, wrong, result);
          history.settle(key, result instanceof Conflict conflict ? conflict.winner() : null);
        }
      }
      case CREATE -> {
        for (String partition : partitions) {
          probe(backend, partition, 1);
        }
      }
      case PURGE -> backend.purgeExpired(RecordValue.MIN_EXPIRY, 10);
    }
  }

  private static List<VersionedRecord> list(
      StorageBackend backend, String partition, boolean descending, int limit)
      throws LostException {
    List<VersionedRecord> all = new ArrayList<>();
    ListQuery query = new ListQuery(partition, null, descending, limit);
    while (true) {
      RecordPage page = backend.list(query);
      check(page.corrupt().isEmpty(), "CORRUPT: %s", page.corrupt());
      all.addAll(page.records());
      String next = page.next();
      if (next == null) {
        return all;
      }
      query = query.withAfter(next);
    }
  }

  private static Set<RecordKey> listActive(StorageBackend backend, String partition, int limit)
      throws LostException {
    Set<RecordKey> all = new HashSet<>();
    ListQuery query = new ListQuery(partition, null, false, limit);
    while (true) {
      HeadPage page = backend.listActive(query);
      check(page.corrupt().isEmpty(), "CORRUPT: %s", page.corrupt());
      for (RecordHead head : page.heads()) {
        check(all.add(head.key()), "%s is listed twice as active", head.key());
      }
      String next = page.next();
      if (next == null) {
        return all;
      }
      query = query.withAfter(next);
    }
  }

  private static void compareListing(
      StorageBackend backend, String partition, Map<RecordKey, VersionedRecord> found)
      throws LostException {
    Map<RecordKey, VersionedRecord> listed = new HashMap<>();
    String last = "";
    for (VersionedRecord stored : list(backend, partition, false, 7)) {
      check(
          listed.put(stored.key(), stored) == null
              && (last.isEmpty() || RecordKey.compareIds(last, stored.key().id()) < 0),
          "%s is listed twice, or in the wrong place",
          stored.key());
      last = stored.key().id();
    }
    Set<RecordKey> active = new HashSet<>();
    Map<RecordKey, VersionedRecord> expected = new HashMap<>();
    for (VersionedRecord stored : found.values()) {
      if (stored.key().partition().equals(partition)) {
        expected.put(stored.key(), stored);
        if (stored.value().active()) {
          active.add(stored.key());
        }
      }
    }
    check(
        listed.equals(expected),
        "list and get differ in %s: %s and %s",
        partition,
        listed.keySet(),
        expected.keySet());
    Set<RecordKey> listedActive = listActive(backend, partition, 2);
    check(
        listedActive.equals(active),
        "listActive and get differ in %s: %s and %s",
        partition,
        listedActive,
        active);
  }

  /** No lock is left: a write to every key succeeds at once. */
  private void writeToEach(
      StorageBackend backend, Set<String> partitions, Map<RecordKey, VersionedRecord> found)
      throws LostException {
    CrashWriter writer = new CrashWriter(backend, tag, history::hear);
    for (RecordKey key : history.keys()) {
      VersionedRecord stored = found.get(key);
      if (stored == null) {
        Object result = backend.deleteIfVersion(key, 1);
        check(
            result instanceof Conflict conflict && conflict.winner() == null,
            "%s is absent, and can be deleted: %s",
            key,
            result);
      } else if (!key.id().startsWith(CrashCase.FILLER)) {
        RecordValue old = stored.value();
        boolean written = writer.put(key, stored.version(), old.active(), old.expiresAt(), 80);
        check(written, "%s cannot be written above version %d", key, stored.version());
      }
    }
    for (String partition : partitions) {
      probe(backend, partition, 100_000);
    }
  }

  private void probe(StorageBackend backend, String partition, int max) throws LostException {
    RecordKey key = new RecordKey(partition, "probe");
    RecordValue value = new CrashWrite(key, 1, tag + "-probe", true, null, 10).value();
    Object created = backend.createWithin(key, value, max, NOW);
    int active = listActive(backend, partition, 1_000).size();
    if (created instanceof Full) {
      check(max <= active, "%s is full with %d of %d", partition, active, max);
      return;
    }
    check(created instanceof Created, "a record cannot be created: %s", created);
    check(max >= active, "%s has %d active records, and one was admitted", partition, active - 1);
    check(backend.deleteIfVersion(key, 1) instanceof Deleted, "a new record cannot be deleted");
  }

  /** Whether everything that expires is still known to, and nothing else goes. */
  void purgeAll(StorageBackend backend) throws LostException {
    Map<RecordKey, @Nullable VersionedRecord> before = new HashMap<>();
    int due = 0;
    for (RecordKey key : history.keys()) {
      VersionedRecord stored = backend.get(key).orElse(null);
      before.put(key, stored);
      due += stored != null && stored.value().expiresAt() != null ? 1 : 0;
    }
    Instant end = Instant.parse("2200-01-01T00:00:00Z");
    int purged = backend.purgeExpired(end, 100_000);
    check(purged == due, "%d records expire, and %d were purged", due, purged);
    for (Map.Entry<RecordKey, @Nullable VersionedRecord> entry : before.entrySet()) {
      VersionedRecord old = entry.getValue();
      VersionedRecord expected = old == null || old.value().expiresAt() != null ? null : old;
      VersionedRecord now = backend.get(entry.getKey()).orElse(null);
      check(
          Objects.equals(now, expected),
          "after a purge %s is %s instead of %s",
          entry.getKey(),
          now,
          expected);
    }
  }

  // --- the directory itself -----------------------------------------------------------------

  /** Looks at all files; the directory was opened again since, and each record was written. */
  void files(boolean mayHaveQuarantine) throws IOException, LostException {
    check(ROOT.equals(new HashSet<>(names(root))), "the directory has %s", names(root));
    check(names(root.resolve("tmp")).isEmpty(), "tmp has %s", names(root.resolve("tmp")));
    for (String name : List.of("format.json", "holders")) {
      check(Files.size(root.resolve(name)) > 0, "%s is empty", name);
    }
    for (String name : names(root.resolve("due"))) {
      check(
          name.equals("complete-since") || name.matches("[0-9a-f]{16}\\.txt(\\..{36}\\.work)?"),
          "due has %s",
          name);
    }
    for (String name : names(root.resolve("quarantine"))) {
      check(
          mayHaveQuarantine
              && name.endsWith(PartitionFiles.SUFFIX)
              && Files.size(root.resolve("quarantine").resolve(name)) >= Journal.BLOCK,
          "quarantine has %s, of %d bytes",
          name,
          Files.size(root.resolve("quarantine").resolve(name)));
    }
    for (String name : names(root.resolve("p"))) {
      partition(root.resolve("p").resolve(name));
    }
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> paths = Files.list(directory)) {
      return paths.map(path -> String.valueOf(path.getFileName())).sorted().toList();
    }
  }

  private void partition(Path directory) throws IOException, LostException {
    Map<RecordKey, Path> files = new TreeMap<>((a, b) -> a.id().compareTo(b.id()));
    for (String name : names(directory)) {
      switch (name) {
        case "active" -> records(directory.resolve(name), directory, files);
        case "done" -> {
          for (String leaf : names(directory.resolve(name))) {
            check(leaf.equals("%") || Names.decode(leaf) != null, "a leaf is %s", leaf);
            records(directory.resolve(name).resolve(leaf), directory, files);
          }
        }
        default -> check(name.equals(PartitionFiles.DESCRIPTION), "a partition has %s", name);
      }
    }
    Path description = directory.resolve(PartitionFiles.DESCRIPTION);
    check(
        files.isEmpty() || Files.exists(description),
        "%s has records and no description",
        directory);
    if (Files.exists(description)) {
      String text = Files.readString(description, StandardCharsets.UTF_8);
      check(text.startsWith("{\"partition\":\"") && text.endsWith("\"}\n"), "it says %s", text);
      String name = text.substring(14, text.length() - 3);
      check(
          directory.endsWith(Names.encode(name)), "the description of %s says %s", directory, name);
    }
  }

  private void records(Path from, Path partition, Map<RecordKey, Path> files)
      throws IOException, LostException {
    for (String name : names(from)) {
      Path file = from.resolve(name);
      byte[] content = Files.readAllBytes(file);
      check(content.length > 0 && content.length % Journal.BLOCK == 0, "%s is cut", file);
      Journal.Reading reading = Journal.read(content);
      Journal.Entry last = reading.last();
      boolean isRestored =
          reading.damage() != null && Files.exists(partition.resolve("active").resolve(name));
      if (isRestored && !from.endsWith("active")) {
        // A finished version that was damaged, when an active one was restored and its writer died:
        // it is not looked at any more, and goes with the record.
        continue;
      }
      check(
          last != null && reading.damage() == null && last.marked(),
          "%s is not in order: %s",
          file,
          reading.damage());
      if (last == null) {
        return;
      }
      RecordKey key = last.stored().key();
      check(
          PartitionFiles.fileName(key.id()).equals(name)
              && partition.endsWith(Names.encode(key.partition())),
          "%s has %s",
          file,
          key);
      check(files.put(key, file) == null, "%s has two files", key);
      check(
          history.leastVersion(key) == last.stored().version(),
          "%s has version %d in its file, and %d is known",
          key,
          last.stored().version(),
          history.leastVersion(key));
      boolean isActive = String.valueOf(from.getFileName()).equals("active");
      check(
          last.stored().value().active() == isActive,
          "%s is in the wrong place, even after it was written",
          file);
    }
  }
}
