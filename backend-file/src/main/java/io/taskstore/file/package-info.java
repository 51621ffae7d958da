// SPDX-License-Identifier: Apache-2.0
/** A storage backend in a directory of one host, for any number of processes. */
@NullMarked
package io.taskstore.file;

import org.jspecify.annotations.NullMarked;
