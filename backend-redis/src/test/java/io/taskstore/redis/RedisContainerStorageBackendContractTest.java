// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;
import io.taskstore.testservers.IfContainers;

@IfContainers("taskstore.redis")
final class RedisContainerStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return RedisHarness.ofContainer();
  }
}
