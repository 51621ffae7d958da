// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A page of {@link StorageBackend#listActive}. It may be short or even empty and still have a
 * {@code next}.
 *
 * @param heads the active records, in the order of the query
 * @param corrupt keys at which something is stored that cannot be read, where the backend comes
 *     upon them; such a record counts as not active
 * @param next the id to go on after ({@link ListQuery#after()}); null when the listing is complete
 */
public record HeadPage(List<RecordHead> heads, List<CorruptRecord> corrupt, @Nullable String next) {
  /** Copies the lists. */
  public HeadPage {
    heads = List.copyOf(heads);
    corrupt = List.copyOf(corrupt);
  }
}
