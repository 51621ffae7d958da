// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

final class WorkedTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return BackendHarness.ofSingleInstances(WorkedBackend.TRAITS, WorkedBackend::new);
  }
}
