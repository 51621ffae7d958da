// SPDX-License-Identifier: Apache-2.0

/**
 * An MCP server whose tool digests a folder as a task, and a client that shows how that looks from
 * the other side. Begin with {@link io.taskstore.examples.DigestTask}, the handler.
 */
@NullMarked
package io.taskstore.examples;

import org.jspecify.annotations.NullMarked;
