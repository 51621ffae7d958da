// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;

final class DynamoDbStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return DynamoDbHarness.ofServer();
  }
}
