// SPDX-License-Identifier: Apache-2.0

/**
 * The contract of storage backends as tests, for those who write a backend. Extend {@link
 * io.taskstore.contract.StorageBackendContract} and {@link io.taskstore.contract.TaskStoreContract}
 * in the tests of your backend, and tell them with a {@link io.taskstore.contract.BackendHarness}
 * how to open it.
 */
@NullMarked
package io.taskstore.contract;

import org.jspecify.annotations.NullMarked;
