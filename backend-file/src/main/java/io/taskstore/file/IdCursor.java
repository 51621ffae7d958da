// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.PartitionFiles.Place;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The ids of a partition from a cursor on, in order, leaf by leaf, merged with those of the active
 * records. What is active is looked at first: a record that moves meanwhile is in that view, and
 * none moves the other way.
 */
final class IdCursor {
  private final RecordFiles records;
  private final PartitionFiles partition;
  private final ListQuery query;
  private final Deque<Place> active;
  private final Deque<PartitionFiles.Leaf> leaves;
  private Deque<Place> done = new ArrayDeque<>();
  private @Nullable String last;

  IdCursor(RecordFiles records, PartitionFiles partition, ListQuery query) throws IOException {
    this.records = records;
    this.partition = partition;
    this.query = query;
    this.active = new ArrayDeque<>(wanted(partition.places(partition.active), query));
    List<PartitionFiles.Leaf> all = new ArrayList<>(records.leaves(partition));
    String after = query.after();
    if (after != null) {
      int at = 0;
      while (at < all.size() && isFrom(all.get(at), after)) {
        at++;
      }
      // The cursor is in the last leaf that does not begin above it.
      all = query.descending() ? all.subList(0, at) : all.subList(Math.max(0, at - 1), all.size());
    }
    if (query.descending()) {
      Collections.reverse(all);
    }
    this.leaves = new ArrayDeque<>(all);
  }

  private static boolean isFrom(PartitionFiles.Leaf leaf, String id) {
    return leaf.lowest().isEmpty() || RecordKey.compareIds(leaf.lowest(), id) <= 0;
  }

  /** Those behind the cursor, in the order of the query. */
  static List<Place> wanted(List<Place> places, ListQuery query) {
    String after = query.after();
    List<Place> wanted = new ArrayList<>(places);
    if (after != null) {
      wanted.removeIf(place -> !isBefore(after, place.id(), query));
    }
    if (query.descending()) {
      Collections.reverse(wanted);
    }
    return wanted;
  }

  private static boolean isBefore(String left, String right, ListQuery query) {
    int order = RecordKey.compareIds(left, right);
    return query.descending() ? order > 0 : order < 0;
  }

  /** The next one; null at the end. */
  @Nullable Place next() throws IOException {
    Place place;
    do {
      while (done.isEmpty() && !leaves.isEmpty()) {
        done =
            new ArrayDeque<>(wanted(records.places(partition, leaves.remove().directory()), query));
      }
      Place ofActive = active.peek();
      Place ofDone = done.peek();
      if (ofActive == null && ofDone == null) {
        return null;
      }
      boolean takesActive =
          ofDone == null || (ofActive != null && !isBefore(ofDone.id(), ofActive.id(), query));
      place = takesActive ? active.remove() : done.remove();
    } while (place.id().equals(last)); // it moved between the two views
    last = place.id();
    return place;
  }
}
