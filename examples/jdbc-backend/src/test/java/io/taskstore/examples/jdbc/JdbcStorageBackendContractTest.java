// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;

final class JdbcStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new JdbcHarness();
  }
}
