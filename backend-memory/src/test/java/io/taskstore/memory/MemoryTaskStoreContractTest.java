// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;

final class MemoryTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return new MemoryHarness();
  }
}
