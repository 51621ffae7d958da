// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;
import io.taskstore.testservers.IfContainers;

@IfContainers("taskstore.redis")
final class RedisContainerTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return RedisHarness.ofContainer();
  }
}
