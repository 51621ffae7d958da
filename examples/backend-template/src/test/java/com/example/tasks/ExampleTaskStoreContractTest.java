package com.example.tasks;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;

final class ExampleTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return new ExampleHarness();
  }
}
