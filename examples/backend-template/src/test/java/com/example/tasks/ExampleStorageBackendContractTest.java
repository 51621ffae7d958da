package com.example.tasks;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;

final class ExampleStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new ExampleHarness();
  }
}
