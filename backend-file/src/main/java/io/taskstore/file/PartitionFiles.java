// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.RecordKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where the files of one partition are.
 *
 * <pre>{@code
 * p/PARTITION/partition.json      the exact name; there when all else is
 * p/PARTITION/active/ID.tj        records that are active
 * p/PARTITION/done/LOWEST/ID.tj   the others, in leaves of some hundreds, named by the lowest id
 * }</pre>
 *
 * <p>Where a file is tells only where to look: whether a record is active stands in its header.
 * Files move one way, from active to done, so whoever looks in active first misses none. Leaves are
 * never split: a new one begins with an id above all others, so an id belongs to the last leaf that
 * does not begin above it, whenever it is looked for.
 */
final class PartitionFiles {
  static final String SUFFIX = ".tj";
  static final String DESCRIPTION = "partition.json";

  /** About how many files a leaf has before a new one begins. */
  static final int LEAF_SIZE = 256;

  /** Of so many ids, one looks how full the leaf is: listing it costs more than a flush. */
  private static final int LOOKS = 8;

  /** The name of the first leaf, below all ids. */
  private static final String FIRST_LEAF = "%";

  private static final Pattern ID_MEMBER =
      Pattern.compile("\"id\":(\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\")");

  private final FileAccess files;
  final String name;
  final Path directory;
  final Path active;
  final Path done;

  PartitionFiles(FileAccess files, Path partitions, String partition) {
    this.files = files;
    this.name = partition;
    this.directory = partitions.resolve(Names.encode(partition));
    this.active = directory.resolve("active");
    this.done = directory.resolve("done");
  }

  RecordKey key(String id) {
    return new RecordKey(name, id);
  }

  static String fileName(String id) {
    return Names.encode(id) + SUFFIX;
  }

  static Path parent(Path file) {
    return Objects.requireNonNull(file.getParent(), "parent");
  }

  Path activeFile(String id) {
    return active.resolve(fileName(id));
  }

  /** A file, and what it has. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Found(Path file, byte[] content) {}

  /** A leaf, and the id below which it has none; empty for the first one. */
  record Leaf(String lowest, Path directory) {}

  /** The leaves, in the order of ids. */
  List<Leaf> leaves() throws IOException {
    List<Leaf> leaves = new ArrayList<>();
    for (String name : files.names(done)) {
      String lowest = name.equals(FIRST_LEAF) ? "" : Names.decode(name);
      if (lowest != null) {
        leaves.add(new Leaf(lowest, done.resolve(name)));
      }
    }
    leaves.sort((a, b) -> compare(a.lowest(), b.lowest()));
    return leaves;
  }

  private static int compare(String left, String right) {
    return left.isEmpty() || right.isEmpty()
        ? Boolean.compare(!left.isEmpty(), !right.isEmpty())
        : RecordKey.compareIds(left, right);
  }

  /** The one that every partition has whose records were finished in the order of their ids. */
  Path firstLeaf() {
    return done.resolve(FIRST_LEAF);
  }

  /** The leaf that has an id, if any has: the last one that does not begin above it. */
  static @Nullable Path leafOf(List<Leaf> leaves, String id) {
    int low = 0;
    int high = leaves.size();
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (compare(leaves.get(middle).lowest(), id) <= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low == 0 ? null : leaves.get(low - 1).directory();
  }

  /**
   * The leaf into which a record goes, which may have to be made. For the holder of the partition's
   * lock.
   */
  Path leafFor(String id, List<Leaf> leaves) throws IOException {
    Path leaf = leafOf(leaves, id);
    if (leaf == null) {
      return firstLeaf();
    }
    String name = Names.encode(id);
    boolean isLast = leaf.equals(leaves.get(leaves.size() - 1).directory());
    if (isLast && Math.floorMod(id.hashCode(), LOOKS) == 0 && Names.isPlain(name)) {
      List<String> names = files.names(leaf);
      if (names.size() >= LEAF_SIZE && isAbove(names, id)) {
        return done.resolve(name);
      }
    }
    return leaf;
  }

  /** Whether an id is above all that a leaf has. */
  private static boolean isAbove(List<String> names, String id) {
    for (String name : names) {
      String other = id(name);
      if (other == null || RecordKey.compareIds(other, id) >= 0) {
        return false;
      }
    }
    return true;
  }

  /** The id of a file; null if its name does not tell, or it is none of ours. */
  static @Nullable String id(String fileName) {
    return fileName.endsWith(SUFFIX)
        ? Names.decode(fileName.substring(0, fileName.length() - SUFFIX.length()))
        : null;
  }

  /**
   * An id that is there, and the directory in which it was seen.
   *
   * @param unreadable what is wrong if the id cannot be told, and what there is of it stands for it
   */
  record Place(String id, Path directory, @Nullable String unreadable) {}

  /** The ids in a directory, in order. */
  List<Place> places(Path from) throws IOException {
    List<Place> places = new ArrayList<>();
    for (String name : files.names(from)) {
      String id = id(name);
      if (id != null) {
        places.add(new Place(id, from, null));
      } else if (name.endsWith(SUFFIX)) {
        id = idInside(from.resolve(name));
        String beginning = id == null ? Names.beginning(name) : null;
        if (id != null) {
          places.add(new Place(id, from, null));
        } else if (beginning != null && Files.exists(from.resolve(name))) {
          places.add(
              new Place(beginning, from, "the file " + name + " does not tell its whole id"));
        }
      }
    }
    places.sort((left, right) -> RecordKey.compareIds(left.id(), right.id()));
    return places;
  }

  /** A name that was too long does not tell the id; any header does, if it fits the name. */
  private @Nullable String idInside(Path file) throws IOException {
    byte[] content;
    try {
      content = files.read(file);
    } catch (IOException e) {
      if (Failures.isOfOneFile(e)) {
        return null;
      }
      throw e;
    }
    if (content == null) {
      return null;
    }
    String name = String.valueOf(file.getFileName());
    Matcher members = ID_MEMBER.matcher(new String(content, StandardCharsets.UTF_8));
    while (members.find()) {
      String id = Journal.unquote(members.group(1));
      if (id != null && fileName(id).equals(name)) {
        return id;
      }
    }
    return null;
  }
}
