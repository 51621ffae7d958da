// SPDX-License-Identifier: Apache-2.0

/**
 * A storage backend in the heap of one process: {@link io.taskstore.memory.MemoryStorageBackend}.
 */
@NullMarked
package io.taskstore.memory;

import org.jspecify.annotations.NullMarked;
