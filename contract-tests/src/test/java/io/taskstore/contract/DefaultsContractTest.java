// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.time.Instant;
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

  private record SevenMethods(StorageBackend delegate) implements StorageBackend {
    @Override
    public BackendTraits traits() {
      return delegate.traits();
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      return delegate.get(key);
    }

    @Override
    public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
      return delegate.putIfVersion(key, value, expected);
    }

    @Override
    public DeleteResult deleteIfVersion(RecordKey key, long expected) {
      return delegate.deleteIfVersion(key, expected);
    }

    @Override
    public RecordPage list(ListQuery query) {
      return delegate.list(query);
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      return delegate.purgeExpired(now, limit);
    }

    @Override
    public void close() {
      delegate.close();
    }
  }
}
