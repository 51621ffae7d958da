// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.util.Optional;

/** Opens {@link LocalBackend}s with a bug, or without one. */
record LocalHarness(SeededBug bug) implements BackendHarness {
  @Override
  public BackendTraits traits() {
    return LocalBackend.traits(bug);
  }

  @Override
  public BackendStorage newStorage() {
    LocalBackend.Storage storage = new LocalBackend.Storage(bug);
    return new BackendStorage() {
      @Override
      public StorageBackend open() {
        return new LocalBackend(storage, () -> {});
      }

      @Override
      public boolean reopens() {
        return true;
      }

      @Override
      public Optional<VersionSeeding> versionSeeding() {
        return Optional.of(storage::seed);
      }

      @Override
      public Optional<RawInspection> rawInspection() {
        return Optional.of(storage::entries);
      }

      @Override
      public Optional<ReadCounter> readCounter() {
        return Optional.of(storage::reads);
      }

      @Override
      public Optional<Interleaving> interleaving() {
        return Optional.of(pausePoint -> new LocalBackend(storage, pausePoint));
      }
    };
  }
}
