// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.contract.BackendHarness;
import io.taskstore.contract.StorageBackendContract;

/** The contract of the SPI. */
final class FileStorageBackendContractTest extends StorageBackendContract {
  @Override
  protected BackendHarness newHarness() {
    return new FileHarness();
  }
}
