// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** Opens {@code file:/var/lib/tasks} as a {@link FileStorageBackend}. */
public final class FileBackendProvider implements StorageBackendProvider {
  private static final Setting<FileStorageBackend.Durability> DURABILITY =
      Setting.choice(
              "durability",
              FileStorageBackend.Durability.class,
              "What a success survives: with os the end of the process, with flush that of the host.")
          .byDefault(FileStorageBackend.Durability.FLUSH);

  private static final Setting<FileStorageBackend.Recovery> RECOVERY =
      Setting.choice(
              "recovery",
              FileStorageBackend.Recovery.class,
              "What becomes of a record whose file is damaged.")
          .byDefault(FileStorageBackend.Recovery.FAIL);

  private static final Setting<Duration> LOCK_TIMEOUT =
      Setting.duration(
              "lockTimeout",
              Duration.ofMillis(1),
              Duration.ofDays(1),
              "How long a write waits for other writers of the same record.")
          .byDefault(Duration.ofSeconds(5));

  private static final Setting<Integer> KEPT_VERSIONS =
      Setting.count("keptVersions", 1, 100, "How many good older versions stay in a record's file.")
          .byDefault(3);

  private static final Setting<Long> MAX_DATA_BYTES =
      Setting.size("maxDataBytes", 1, 64L << 20, "The largest record.")
          .byDefault((long) FileStorageBackend.DEFAULT_MAX_DATA_BYTES);

  /** For {@link java.util.ServiceLoader}. */
  public FileBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("file");
  }

  @Override
  public String example() {
    return "file:/var/lib/tasks";
  }

  @Override
  public List<Setting<?>> settings() {
    return List.of(DURABILITY, RECOVERY, LOCK_TIMEOUT, KEPT_VERSIONS, MAX_DATA_BYTES);
  }

  @Override
  public StorageBackend open(BackendConfiguration configuration) {
    return FileStorageBackend.builder(directory(configuration.location()))
        .durability(configuration.get(DURABILITY))
        .recovery(configuration.get(RECOVERY))
        .lockTimeout(configuration.get(LOCK_TIMEOUT))
        .keptVersions(configuration.get(KEPT_VERSIONS))
        .maxDataBytes(Math.toIntExact(configuration.get(MAX_DATA_BYTES)))
        .build();
  }

  /** The path as it stands, not decoded; {@code file:///var} is the same as {@code file:/var}. */
  private static Path directory(String location) {
    String path = location;
    if (path.startsWith("//")) {
      if (!path.startsWith("///")) {
        throw new IllegalArgumentException(
            "the url names another host (file://…), and a directory must be of this one: write"
                + " file:/… or file:…");
      }
      path = path.substring("//".length());
    }
    if (path.isEmpty()) {
      throw new IllegalArgumentException(
          "the url names no directory: write it behind file:, for example file:/var/lib/tasks");
    }
    if (path.equals("~") || path.startsWith("~/")) {
      throw new IllegalArgumentException(
          "the url has a ~, which only a shell replaces: name the directory in full");
    }
    try {
      return Path.of(path);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException(
          "the url names no directory (%s)".formatted(e.getReason()), e);
    }
  }
}
