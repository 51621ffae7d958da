// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.h2.engine.Constants;
import org.h2.store.fs.FileUtils;

/** Makes a database in a directory of its own for each storage that the contract wants. */
final class JdbcHarness implements BackendHarness {
  /** Opens the database at a URL; the contract does this in another process, too. */
  static final class JdbcOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) {
      return new JdbcBackendProvider().open(new BackendConfiguration("jdbc", location, Map.of()));
    }
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("jdbc", true, false, false, 1 << 20);
  }

  @Override
  public Map<String, String> versions() {
    return Map.of("H2", Constants.VERSION);
  }

  @Override
  public BackendStorage newStorage() throws IOException {
    Path directory = Files.createTempDirectory("jdbc-backend");
    String location = "h2:" + directory.resolve("tasks");
    return new BackendStorage() {
      @Override
      public StorageBackend open() {
        return new JdbcOpener().open(location);
      }

      @Override
      public boolean reopens() {
        return true;
      }

      @Override
      public Optional<OtherProcess> otherProcess() {
        return Optional.of(new OtherProcess(JdbcOpener.class, location));
      }

      @Override
      public void close() {
        FileUtils.deleteRecursive(directory.toString(), false);
      }
    };
  }
}
