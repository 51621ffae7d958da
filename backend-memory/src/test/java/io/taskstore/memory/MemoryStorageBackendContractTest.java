// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;

final class MemoryStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new MemoryHarness();
  }
}
