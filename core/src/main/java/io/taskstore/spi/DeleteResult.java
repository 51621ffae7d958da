// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/** The answer to a conditional delete: {@link Deleted}, or a race was lost: {@link Conflict}. */
public sealed interface DeleteResult permits Deleted, Conflict {}
