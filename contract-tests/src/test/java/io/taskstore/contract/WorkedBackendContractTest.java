// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

final class WorkedBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return BackendHarness.ofSingleInstances(WorkedBackend.TRAITS, WorkedBackend::new);
  }
}
