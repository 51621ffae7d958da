// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;
import io.taskstore.testservers.IfContainers;

@IfContainers("taskstore.dynamodb")
final class DynamoDbContainerStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return DynamoDbHarness.ofLocalContainer();
  }
}
