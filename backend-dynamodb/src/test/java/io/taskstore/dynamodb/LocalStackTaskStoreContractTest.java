// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;
import io.taskstore.testservers.IfContainers;

@IfContainers("taskstore.dynamodb")
final class LocalStackTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return DynamoDbHarness.ofLocalStack();
  }
}
