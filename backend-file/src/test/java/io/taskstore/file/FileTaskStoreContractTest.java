// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.TaskStoreContract;

/** The contract of the store, over a directory. */
final class FileTaskStoreContractTest extends TaskStoreContract {
  @Override
  protected BackendHarness newHarness() {
    return new FileHarness();
  }
}
