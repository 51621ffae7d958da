package com.example.tasks;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.util.UUID;

/** Tells the contract how to open the backend. */
final class ExampleHarness implements BackendHarness {
  /** Opens the backend; the contract does this in another process, too, with this class path. */
  static final class ExampleOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) {
      return new ExampleStorageBackend(location);
    }
  }

  @Override
  public BackendTraits traits() {
    // What your users are told, written by hand: the backend cannot excuse itself.
    return new BackendTraits("example", false, false, false, 1 << 20);
  }

  @Override
  public BackendStorage newStorage() {
    String location = "test-" + UUID.randomUUID(); // new, empty, and shared with nobody
    return new BackendStorage() {
      @Override
      public StorageBackend open() {
        return new ExampleOpener().open(location);
      }

      // As soon as the traits say durable or shared:
      //
      // @Override
      // public boolean reopens() {
      //   return true;
      // }
      //
      // @Override
      // public Optional<OtherProcess> otherProcess() {
      //   return Optional.of(new OtherProcess(ExampleOpener.class, location));
      // }
      //
      // @Override
      // public void close() {} // removes the storage
    };
  }
}
