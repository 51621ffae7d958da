// SPDX-License-Identifier: Apache-2.0
/** Servers for tests, in processes of their own. */
@NullMarked
package io.taskstore.testservers;

import org.jspecify.annotations.NullMarked;
