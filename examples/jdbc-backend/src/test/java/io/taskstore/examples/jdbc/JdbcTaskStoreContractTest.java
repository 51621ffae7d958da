// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;

final class JdbcTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return new JdbcHarness();
  }
}
