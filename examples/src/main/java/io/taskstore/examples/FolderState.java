// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * How far the digest of a folder is, and all that is needed to go on from there. It stays small
 * however many files there are: it is written with every progress.
 *
 * @param position the entry that was done last, as its path in the folder; a folder that could not
 *     be read ends with {@code /}; empty at the beginning
 * @param listing the digest of all files so far
 * @param total the totals of all files so far
 * @param types the same by the extension of the files' names
 * @param largest the largest files, the first one the largest
 * @param skippedCount how many files and folders could not be read
 * @param skipped the first of them, each with the reason
 */
record FolderState(
    String position,
    ListingDigest listing,
    Counts total,
    Map<String, Counts> types,
    List<FileDigest> largest,
    long skippedCount,
    List<String> skipped) {
  static final FolderState START =
      new FolderState("", ListingDigest.EMPTY, Counts.NONE, Map.of(), List.of(), 0, List.of());

  /** Types beyond these go together as one, so that a folder of oddly named files stays small. */
  private static final int MAX_TYPES = 100;

  private static final String OTHER_TYPES = "(other)";
  private static final int MAX_LARGEST = 5;
  private static final int MAX_SKIPPED = 10;

  FolderState {
    types = Map.copyOf(types);
    largest = List.copyOf(largest);
    skipped = List.copyOf(skipped);
  }

  FolderState plus(FileDigest file) {
    Map<String, Counts> newTypes = new TreeMap<>(types);
    String type =
        types.containsKey(file.type()) || types.size() < MAX_TYPES ? file.type() : OTHER_TYPES;
    newTypes.put(type, types.getOrDefault(type, Counts.NONE).plus(file));
    List<FileDigest> newLargest = new ArrayList<>(largest);
    newLargest.add(file);
    newLargest.sort(Comparator.comparingLong(FileDigest::bytes).reversed());
    return new FolderState(
        file.path(),
        listing.plus(file),
        total.plus(file),
        newTypes,
        newLargest.subList(0, Math.min(MAX_LARGEST, newLargest.size())),
        skippedCount,
        skipped);
  }

  FolderState skip(String path, String reason) {
    List<String> newSkipped = new ArrayList<>(skipped);
    if (newSkipped.size() < MAX_SKIPPED) {
      newSkipped.add(path + ": " + reason);
    }
    return new FolderState(path, listing, total, types, largest, skippedCount + 1, newSkipped);
  }
}
