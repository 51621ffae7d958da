// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.FileStorageBackend.Durability;
import io.taskstore.file.FileStorageBackend.Recovery;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A directory whose records can be damaged.
 *
 * @param root the directory
 */
record RecoveryStore(Path root) {
  static final RecordKey KEY = new RecordKey("p", "k");
  static final Instant EXPIRY = Instant.parse("2030-01-01T00:00:00Z");

  FileStorageBackend open(Recovery recovery) {
    return builder(recovery).build();
  }

  FileStorageBackend open(Recovery recovery, FileAccess files) {
    return builder(recovery).build(files);
  }

  FileStorageBackend.Builder builder(Recovery recovery) {
    return FileStorageBackend.builder(root).durability(Durability.OS).recovery(recovery);
  }

  static RecordValue value(String data) {
    return new RecordValue(Bytes.copyOf(BitRotFiles.ascii(data)), true, EXPIRY, "w-" + data);
  }

  /** Writes the versions 1 to some number of a record, with the data v1, v2 and so on. */
  void write(RecordKey key, int versions) {
    try (StorageBackend backend = open(Recovery.FAIL)) {
      for (int i = 0; i < versions; i++) {
        backend.putIfVersion(key, value("v" + (i + 1)), i);
      }
    }
  }

  PartitionFiles partition(String name) {
    return new PartitionFiles(new FileAccess(false), root.resolve("p"), name);
  }

  Path file(RecordKey key) throws IOException {
    PartitionFiles partition = partition(key.partition());
    Path active = partition.activeFile(key.id());
    return Files.exists(active)
        ? active
        : partition
            .leafFor(key.id(), partition.leaves())
            .resolve(PartitionFiles.fileName(key.id()));
  }

  byte[] content(RecordKey key) throws IOException {
    return Files.readAllBytes(file(key));
  }

  /** Changes a bit of the newest version, so that the older ones stay. */
  byte[] damageNewest(RecordKey key) throws IOException {
    byte[] content = content(key);
    content[Objects.requireNonNull(Journal.read(content).last()).end() - 2] ^= 1;
    Files.write(file(key), content);
    return content;
  }

  /** Changes a bit of every version. */
  byte[] damageAll(RecordKey key) throws IOException {
    byte[] content = content(key);
    for (Journal.Entry entry : entries(content)) {
      content[entry.end() - 2] ^= 1;
    }
    Files.write(file(key), content);
    return content;
  }

  /** All good entries of a file, of whatever key. */
  static List<Journal.Entry> entries(byte[] content) {
    Journal.Entry last = Objects.requireNonNull(Journal.read(content).last());
    return Journal.salvage(content, last.stored().key(), Integer.MAX_VALUE);
  }

  /** What was set aside. */
  List<byte[]> quarantined() throws IOException {
    List<byte[]> contents = new ArrayList<>();
    for (Path path : files("quarantine")) {
      contents.add(Files.readAllBytes(path));
    }
    return contents;
  }

  /** What is in the making. */
  List<Path> temporary() throws IOException {
    return files("tmp");
  }

  private List<Path> files(String directory) throws IOException {
    try (Stream<Path> paths = Files.list(root.resolve(directory))) {
      return paths.sorted().toList();
    }
  }
}
