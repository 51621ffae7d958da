// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/** Opens clients of troubled servers for the contract, and makes the trouble. */
final class TroubledHarness implements BackendHarness {
  @Override
  public BackendTraits traits() {
    return TroubledBackend.TRAITS;
  }

  @Override
  public BackendStorage newStorage() {
    return new TroubledStorage(new TroubledBackend.Server());
  }

  private record TroubledStorage(TroubledBackend.Server server) implements BackendStorage {
    @Override
    public StorageBackend open() {
      return new TroubledBackend(server);
    }

    @Override
    public boolean reopens() {
      return true;
    }

    @Override
    public Optional<VersionSeeding> versionSeeding() {
      return Optional.of(server::seed);
    }

    @Override
    public Optional<RawInspection> rawInspection() {
      return Optional.of(server::entries);
    }

    @Override
    public Optional<TimeControl> timeControl() {
      return Optional.of(server::advance);
    }

    @Override
    public Optional<FaultInjection> faultInjection() {
      return Optional.of(new Faults(server));
    }
  }

  private record Faults(TroubledBackend.Server server) implements BackendStorage.FaultInjection {
    @Override
    public Set<BackendStorage.Trouble> supported() {
      return EnumSet.allOf(BackendStorage.Trouble.class);
    }

    @Override
    public String endpoint() {
      return TroubledBackend.ENDPOINT;
    }

    @Override
    public Duration timeout() {
      return TroubledBackend.TIMEOUT;
    }

    @Override
    public void cause(BackendStorage.Trouble trouble) {
      server.trouble(trouble);
    }

    @Override
    public void heal() {
      server.trouble(null);
    }

    @Override
    public void disturb() {
      server.endSessions();
    }
  }
}
