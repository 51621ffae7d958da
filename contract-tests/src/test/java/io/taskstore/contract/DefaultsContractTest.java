// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.util.Optional;

/** The defaults of the SPI in every schedule: a backend whose four overrides are hidden. */
final class DefaultsContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new BackendHarness() {
      private final LocalHarness harness = new LocalHarness(SeededBug.NONE);

      @Override
      public BackendTraits traits() {
        return harness.traits();
      }

      @Override
      public String name() {
        return "defaults";
      }

      @Override
      public BackendStorage newStorage() {
        BackendStorage storage = harness.newStorage();
        return new BackendStorage() {
          @Override
          public StorageBackend open() {
            return new SevenMethods(storage.open());
          }

          @Override
          public Optional<Interleaving> interleaving() {
            return storage
                .interleaving()
                .map(hook -> pausePoint -> new SevenMethods(hook.open(pausePoint)));
          }
        };
      }
    };
  }
}
