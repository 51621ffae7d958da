// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

/** The store keeps its promises across a network with all its troubles. */
final class TroubledTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return new TroubledHarness();
  }
}
