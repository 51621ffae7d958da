// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

final class FolderTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return new FolderHarness();
  }
}
