package com.example.tasks;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.BackendStorage;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import java.util.UUID;

/** Tells the contract how to open the backend. */
final class ExampleHarness implements BackendHarness {
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
        return new ExampleStorageBackend(location);
      }

      @Override
      public boolean reopens() {
        return false; // true as soon as the records outlive the instance
      }
    };
  }
}
