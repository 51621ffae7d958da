// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/**
 * The answer to a conditional write: it was {@link Written}, or a race was lost: {@link Conflict}.
 */
public sealed interface PutResult permits Written, Conflict {}
