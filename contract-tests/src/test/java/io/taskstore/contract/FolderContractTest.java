// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

/** The contract holds where records are files, and another process has them open too. */
final class FolderContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new FolderHarness();
  }
}
