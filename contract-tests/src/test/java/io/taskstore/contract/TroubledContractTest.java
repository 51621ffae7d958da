// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

/** The contract holds across a network, with all its troubles, and a storage that drops records. */
final class TroubledContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new TroubledHarness();
  }
}
