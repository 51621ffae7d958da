// SPDX-License-Identifier: Apache-2.0
/** The worked example of {@code docs/writing-a-backend.md}: tasks in a table of an H2 database. */
@NullMarked
package io.taskstore.examples.jdbc;

import org.jspecify.annotations.NullMarked;
