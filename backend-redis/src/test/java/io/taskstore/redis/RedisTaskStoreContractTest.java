// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;

final class RedisTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return RedisHarness.ofServer();
  }
}
