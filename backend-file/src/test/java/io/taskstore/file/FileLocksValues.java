// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Records, and what tests and child processes look at. */
final class FileLocksValues {
  static final Instant NOW = Instant.parse("2030-01-01T00:00:00Z");

  private FileLocksValues() {}

  static String partition() {
    return "owner-" + UUID.randomUUID();
  }

  /** An active value that never expires. */
  static RecordValue value(String data) {
    return value(data, true, null);
  }

  static RecordValue value(String data, boolean active, @Nullable Instant expiresAt) {
    return new RecordValue(
        Bytes.copyOf(data.getBytes(StandardCharsets.UTF_8)),
        active,
        expiresAt,
        UUID.randomUUID().toString());
  }

  static String text(VersionedRecord stored) {
    return new String(stored.value().data().toByteArray(), StandardCharsets.UTF_8);
  }

  /** The version and the data under a key, or "absent". */
  static String seen(StorageBackend backend, RecordKey key) {
    return backend.get(key).map(stored -> stored.version() + " " + text(stored)).orElse("absent");
  }

  /** Writes, and expects to win. */
  static void write(StorageBackend backend, RecordKey key, RecordValue value, long expected) {
    PutResult result = backend.putIfVersion(key, value, expected);
    if (!(result instanceof Written)) {
      throw new AssertionError("lost against " + result);
    }
  }

  /** All regular files below a directory, by their relative names. */
  static List<String> files(Path root) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      return paths
          .filter(Files::isRegularFile)
          .map(path -> root.relativize(path).toString())
          .sorted()
          .toList();
    }
  }

  /** What is half made. */
  static List<String> temporaries(Path root) throws IOException {
    return files(root.resolve("tmp"));
  }

  /** What others than the owner may look at, and what the owner may not use. */
  static String permissions(Path root) throws IOException {
    List<String> open = new ArrayList<>();
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.toList()) {
        String permissions = PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
        if (!permissions.equals(Files.isDirectory(path) ? "rwx------" : "rw-------")) {
          open.add(root.relativize(path) + ":" + permissions);
        }
      }
    }
    return open.isEmpty() ? "none" : String.join(" ", open);
  }
}
