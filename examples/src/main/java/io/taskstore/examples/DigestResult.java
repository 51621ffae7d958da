// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.util.Comparator;
import java.util.List;

/**
 * The result of the task.
 *
 * @param folder the absolute path
 * @param sha256 SHA-256 of the listing of all files, see {@link ListingDigest}
 * @param total the totals of all files
 * @param types the totals by type, the one with the most bytes first
 * @param largest the largest files
 * @param skippedCount how many files and folders could not be read
 * @param skipped the first of them, each with the reason
 */
record DigestResult(
    String folder,
    String sha256,
    Counts total,
    List<Type> types,
    List<FileDigest> largest,
    long skippedCount,
    List<String> skipped) {
  /** The totals of one type. */
  record Type(String type, Counts total) {}

  static DigestResult of(String folder, FolderState end) {
    List<Type> types =
        end.types().entrySet().stream()
            .map(entry -> new Type(entry.getKey(), entry.getValue()))
            .sorted(
                Comparator.comparingLong((Type type) -> type.total().bytes())
                    .reversed()
                    .thenComparing(Type::type))
            .toList();
    return new DigestResult(
        folder,
        end.listing().sha256(),
        end.total(),
        types,
        end.largest(),
        end.skippedCount(),
        end.skipped());
  }
}
