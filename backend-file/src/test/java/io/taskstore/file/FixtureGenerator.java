// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/**
 * Records a store as this release writes it, with the names of boots and the random ids replaced,
 * so that the same release always records the same bytes. Run {@code main} with the directory
 * {@code backend-file/src/test/resources/fixtures/format-1}: only before a format is released, and
 * then once for each format. What was recorded must be readable for ever.
 */
final class FixtureGenerator {
  private FixtureGenerator() {}

  /** Records into a directory, over what is there. */
  public static void main(String[] args) throws IOException {
    record(Path.of(args[0]));
  }

  static void record(Path to) throws IOException {
    Path work = Files.createTempDirectory("taskstore-fixture");
    try {
      RecoveryStore store = new RecoveryStore(work.resolve("store"));
      write(store);
      normalize(store);
      removeAll(to);
      copy(store.root(), to);
      Files.write(to.resolve("expected.txt"), BitRotFiles.ascii(description(store)));
    } finally {
      removeAll(work);
    }
  }

  private static void write(RecoveryStore store) throws IOException {
    try (StorageBackend backend = store.builder(Recovery.FAIL).build()) {
      for (VersionedRecord write : FixtureRecords.writes()) {
        Written written = new Written(write.version());
        if (!backend
            .putIfVersion(write.key(), write.value(), write.version() - 1)
            .equals(written)) {
          throw new IllegalStateException("not written: " + write.key());
        }
      }
    }
    store.damageNewest(FixtureRecords.RESTORED);
    try (StorageBackend backend = store.builder(Recovery.BACKUP).build()) {
      backend.get(FixtureRecords.RESTORED);
    }
  }

  private static void normalize(RecoveryStore store) throws IOException {
    for (Path file : files(store.root())) {
      String name = String.valueOf(file.getFileName());
      if (file.startsWith(store.root().resolve("quarantine"))) {
        Path aside = file.resolveSibling("restored." + FixtureRecords.ASIDE_ID + ".tj");
        Files.write(aside, withBoot(Files.readAllBytes(file)));
        Files.delete(file);
      } else if (name.endsWith(PartitionFiles.SUFFIX)) {
        boolean marked = !name.equals("unmarked.tj");
        Files.write(file, recoded(Files.readAllBytes(file), marked));
      }
    }
    Files.writeString(
        store.root().resolve("format.json"),
        "{\"taskstore\":1,\"id\":\"" + FixtureRecords.STORE_ID + "\"}\n");
    Files.writeString(store.root().resolve("due/complete-since"), FixtureRecords.BOOT + "\n");
    Files.deleteIfExists(store.root().resolve("holders"));
  }

  /**
   * The same entries, of the boot of the fixture; the last one without a mark if it is to be so.
   */
  private static byte[] recoded(byte[] content, boolean marked) {
    List<Journal.Entry> entries = RecoveryStore.entries(content);
    byte[] recoded = content.clone();
    String after = null;
    for (Journal.Entry entry : entries) {
      boolean isLast = entry.equals(entries.get(entries.size() - 1));
      Journal.Encoded encoded =
          Journal.encode(
              entry.stored(),
              FixtureRecords.BOOT,
              marked || !isLast,
              entry.offset(),
              after,
              (int) entry.room());
      if (encoded.bytes().length != entry.end() - entry.offset()) {
        throw new IllegalStateException("the name of the boot has another length");
      }
      System.arraycopy(encoded.bytes(), 0, recoded, entry.offset(), encoded.bytes().length);
      after = encoded.hash();
    }
    return recoded;
  }

  /** A damaged file stays damaged; that its checksums are wrong does not matter. */
  private static byte[] withBoot(byte[] content) {
    String text = new String(content, StandardCharsets.ISO_8859_1);
    return text.replaceAll("\"boot\":\"[^\"]*\"", "\"boot\":\"" + FixtureRecords.BOOT + "\"")
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  /** One line a record: the texts in hexadecimal, version, flag, expiry, write id, data's hash. */
  static String description(RecoveryStore store) throws IOException {
    List<String> lines = new ArrayList<>();
    for (Path file : files(store.root().resolve("p"))) {
      if (file.toString().endsWith(PartitionFiles.SUFFIX)) {
        List<Journal.Entry> entries = RecoveryStore.entries(Files.readAllBytes(file));
        lines.add(line(entries.get(entries.size() - 1).stored()));
      }
    }
    lines.sort(Comparator.naturalOrder());
    return String.join("\n", lines) + "\n";
  }

  static String line(VersionedRecord stored) {
    HexFormat hex = HexFormat.of();
    return String.join(
        " ",
        hex.formatHex(BitRotFiles.ascii(stored.key().partition())),
        hex.formatHex(BitRotFiles.ascii(stored.key().id())),
        String.valueOf(stored.version()),
        stored.value().active() ? "active" : "finished",
        String.valueOf(stored.value().expiresAt()),
        stored.value().writeId(),
        hex.formatHex(Names.sha256().digest(stored.value().data().toByteArray())));
  }

  static List<Path> files(Path root) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths.filter(Files::isRegularFile).sorted().toList();
    }
  }

  /** Copies a store; directories that are empty are none for version control. */
  static void copy(Path from, Path to) throws IOException {
    for (Path file : files(from)) {
      Path target = to.resolve(from.relativize(file).toString());
      Files.createDirectories(PartitionFiles.parent(target));
      Files.copy(file, target);
    }
  }

  private static void removeAll(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> paths = Files.walk(directory)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  static boolean isSame(Path left, Path right) throws IOException {
    return Arrays.equals(comparable(left), comparable(right));
  }

  /** The checksums of a file that was set aside are those of whichever boot has recorded it. */
  private static byte[] comparable(Path file) throws IOException {
    byte[] content = Files.readAllBytes(file);
    if (!"quarantine".equals(String.valueOf(PartitionFiles.parent(file).getFileName()))) {
      return content;
    }
    String text = new String(content, StandardCharsets.ISO_8859_1);
    return text.replaceAll("\"(after|sha256)\":\"[0-9a-f]*\"", "\"$1\":\"\"")
        .getBytes(StandardCharsets.ISO_8859_1);
  }
}
