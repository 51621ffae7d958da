// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/** Opens folders for the contract, with every hook that has to do with files and processes. */
final class FolderHarness implements BackendHarness {
  @Override
  public BackendTraits traits() {
    return FolderBackend.TRAITS;
  }

  @Override
  public BackendStorage newStorage() throws IOException {
    return new FolderStorage(Files.createTempDirectory("taskstore-folder"));
  }

  private record FolderStorage(Path root) implements BackendStorage {
    @Override
    public StorageBackend open() {
      return new FolderBackend(root);
    }

    @Override
    public boolean reopens() {
      return true;
    }

    @Override
    public Optional<OtherProcess> otherProcess() {
      return Optional.of(new OtherProcess(FolderBackend.Opener.class, root.toString()));
    }

    @Override
    public Optional<VersionSeeding> versionSeeding() {
      return Optional.of(
          seeded -> {
            try (FolderBackend backend = new FolderBackend(root)) {
              backend.seed(seeded);
            }
          });
    }

    @Override
    public Optional<Damage> damage() {
      return Optional.of(this::flipBit);
    }

    @Override
    public Optional<RawInspection> rawInspection() {
      return Optional.of(() -> FolderBackend.entries(root));
    }

    /** The last byte of the data; before it is the key, behind it are eight bytes of checksum. */
    private void flipBit(RecordKey key) throws IOException {
      try (FolderBackend backend = new FolderBackend(root);
          RandomAccessFile file = new RandomAccessFile(backend.file(key).toFile(), "rw")) {
        file.seek(file.length() - 9);
        int old = file.read();
        file.seek(file.length() - 9);
        file.write(old ^ 1);
      }
    }

    @Override
    public void close() throws IOException {
      try (Stream<Path> paths = Files.walk(root)) {
        for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
  }
}
