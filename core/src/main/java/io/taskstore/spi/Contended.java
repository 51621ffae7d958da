// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

/**
 * The create was given up because others were creating in the same partition at the same time. The
 * record was withdrawn, unless {@code mayRemain}, and will never be acknowledged.
 *
 * <p>A caller tries again <em>with a new id</em>: where the answer to a withdrawal was lost, the
 * withdrawal may still reach the storage, and would take a record that was created again under the
 * old id.
 *
 * @param mayRemain whether every answer to the withdrawal was lost, so that the record may remain,
 *     and count, until it expires
 */
public record Contended(boolean mayRemain) implements CreateResult {}
