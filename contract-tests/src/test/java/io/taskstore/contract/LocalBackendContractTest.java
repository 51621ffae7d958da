// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

final class LocalBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new LocalHarness(SeededBug.NONE);
  }
}
