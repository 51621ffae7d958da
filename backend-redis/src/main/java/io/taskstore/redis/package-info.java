// SPDX-License-Identifier: Apache-2.0
/** A storage backend in Redis, for any number of processes and hosts. */
@NullMarked
package io.taskstore.redis;

import org.jspecify.annotations.NullMarked;
