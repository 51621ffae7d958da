// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A page of a listing. It ends at the query's limit or at about {@value #TARGET_BYTES} bytes of
 * data, whichever comes first, and may be short or even empty and still have a {@code next}.
 *
 * @param records the readable records, in the order of the query
 * @param corrupt the keys at which something is stored that cannot be read
 * @param next the id to go on after ({@link ListQuery#after()}); null when the listing is complete
 */
public record RecordPage(
    List<VersionedRecord> records, List<CorruptRecord> corrupt, @Nullable String next) {
  /** Where a page ends at the latest, but for its last record: 4 MiB of data. */
  public static final int TARGET_BYTES = 4 * 1024 * 1024;

  /** Copies the lists. */
  public RecordPage {
    records = List.copyOf(records);
    corrupt = List.copyOf(corrupt);
  }
}
