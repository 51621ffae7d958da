// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;

final class DynamoDbTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return DynamoDbHarness.ofServer();
  }
}
