// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** Opens memory backends for the contract. The records live in the instance: there is only one. */
final class MemoryHarness implements BackendHarness {
  private static final BackendTraits TRAITS =
      new BackendTraits("memory", false, false, false, MemoryStorageBackend.DEFAULT_MAX_DATA_BYTES);

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public BackendStorage newStorage() {
    AtomicLong visits = new AtomicLong();
    MemoryStorageBackend backend =
        MemoryStorageBackend.builder()
            .build(
                step -> {
                  if (step == Probe.Step.VISIT) {
                    visits.incrementAndGet();
                  }
                });
    return new BackendStorage() {
      @Override
      public StorageBackend open() {
        return backend;
      }

      @Override
      public Optional<VersionSeeding> versionSeeding() {
        return Optional.of(backend::seed);
      }

      @Override
      public Optional<RawInspection> rawInspection() {
        return Optional.of(() -> entries(backend));
      }

      @Override
      public Optional<ReadCounter> readCounter() {
        return Optional.of(visits::get);
      }

      @Override
      public Optional<Interleaving> interleaving() {
        return Optional.of(
            pausePoint -> MemoryStorageBackend.builder().build(step -> pausePoint.run()));
      }
    };
  }

  /** The memory's entries have no names that could be told apart, so each is named by its kind. */
  private static List<String> entries(MemoryStorageBackend backend) {
    List<String> entries = new ArrayList<>();
    entries.addAll(Collections.nCopies(backend.partitionCount(), "partition"));
    entries.addAll(Collections.nCopies(backend.expiryCount(), "expiry"));
    entries.addAll(Collections.nCopies(backend.dueCount(), "due"));
    entries.addAll(Collections.nCopies((int) backend.used().records(), "record"));
    entries.addAll(Collections.nCopies((int) backend.used().bytes(), "byte"));
    return entries;
  }
}
