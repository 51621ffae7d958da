// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import org.jspecify.annotations.Nullable;

/**
 * A lost race: the stored version was not the expected one, and nothing was changed. It is an
 * ordinary result; trouble with the storage is a {@link StorageException}, never a conflict.
 *
 * @param winner the record that is stored instead, read in the same step as the comparison; null
 *     when there is none
 */
public record Conflict(@Nullable VersionedRecord winner)
    implements PutResult, DeleteResult, CreateResult {
  /** The conflict with a key under which nothing is stored. */
  public static final Conflict ABSENT = new Conflict(null);
}
