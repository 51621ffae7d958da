// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The members of a JSON object, ordered by name as {@link String#compareTo} orders, each value in
 * its stored form. Immutable. Two sorted arrays, because a task is decoded and encoded much more
 * often than a single member is looked up.
 */
final class JsonMembers {
  static final JsonMembers NONE = new JsonMembers(new String[0], new Json[0]);

  private final String[] names;
  private final Json[] values;

  /** -1 until somebody asks. Any number of threads may find it out; all find the same. */
  private int storedBytes = -1;

  private JsonMembers(String[] names, Json[] values) {
    this.names = names;
    this.values = values;
  }

  static JsonMembers of(Map<String, Json> members) {
    return members.isEmpty() ? NONE : sorted(new TreeMap<>(members));
  }

  private static JsonMembers sorted(SortedMap<String, Json> members) {
    return new JsonMembers(
        members.keySet().toArray(new String[0]), members.values().toArray(new Json[0]));
  }

  /** Returns members that the caller has collected in ascending order. */
  static JsonMembers ofAscending(List<String> names, List<Json> values) {
    return names.isEmpty()
        ? NONE
        : new JsonMembers(names.toArray(new String[0]), values.toArray(new Json[0]));
  }

  int size() {
    return names.length;
  }

  String name(int index) {
    return names[index];
  }

  Json value(int index) {
    return values[index];
  }

  @Nullable Json get(String name) {
    int index = Arrays.binarySearch(names, name);
    return index < 0 ? null : values[index];
  }

  List<String> names() {
    return List.of(names);
  }

  /** Members to be set, or removed where the value is null, in ascending order of their names. */
  static final class Changes {
    private final String[] names;
    private final @Nullable Json[] values;

    /** Takes the arrays over; the names ascend, and differ. */
    Changes(String[] names, @Nullable Json[] values) {
      this.names = names;
      this.values = values;
    }

    static Changes of(SortedMap<String, @Nullable Json> changes) {
      return new Changes(
          changes.keySet().toArray(new String[0]), changes.values().toArray(new Json[0]));
    }

    int size() {
      return names.length;
    }

    private boolean removes() {
      for (Json value : values) {
        if (value == null) {
          return true;
        }
      }
      return false;
    }

    String name(int index) {
      return names[index];
    }

    @Nullable Json value(int index) {
      return values[index];
    }
  }

  /** Returns these members overwritten by {@code changes}. */
  JsonMembers merge(Changes changes) {
    if (names.length == 0 && !changes.removes()) {
      return changes.size() == 0 ? NONE : new JsonMembers(changes.names, changes.values);
    }
    int most = names.length + changes.size();
    String[] mergedNames = new String[most];
    Json[] mergedValues = new Json[most];
    int size = 0;
    int next = 0;
    for (int i = 0; i < changes.size(); i++) {
      String name = changes.name(i);
      int compared = -1;
      while (next < names.length && (compared = names[next].compareTo(name)) < 0) {
        mergedNames[size] = names[next];
        mergedValues[size++] = values[next++];
      }
      if (next < names.length && compared == 0) {
        next++;
      }
      Json value = changes.value(i);
      if (value != null) {
        mergedNames[size] = name;
        mergedValues[size++] = value;
      }
    }
    int rest = names.length - next;
    System.arraycopy(names, next, mergedNames, size, rest);
    System.arraycopy(values, next, mergedValues, size, rest);
    size += rest;
    if (size == 0) {
      return NONE;
    }
    return size == most
        ? new JsonMembers(mergedNames, mergedValues)
        : new JsonMembers(Arrays.copyOf(mergedNames, size), Arrays.copyOf(mergedValues, size));
  }

  void writeTo(JsonWriter out) {
    out.raw('{');
    for (int i = 0; i < names.length; i++) {
      if (i > 0) {
        out.raw(',');
      }
      out.string(names[i]);
      out.raw(':');
      out.raw(values[i].utf8());
    }
    out.raw('}');
  }

  /** The bytes that {@link #writeTo} writes. */
  int storedBytes() {
    if (storedBytes < 0) {
      storedBytes = measure(names, values);
    }
    return storedBytes;
  }

  private static int measure(String[] names, Json[] values) {
    long bytes = names.length == 0 ? 2 : 1;
    for (int i = 0; i < names.length; i++) {
      bytes += Text.storedLength(names[i]) + 4 + values[i].utf8().length; // "":, around them
    }
    return (int) Math.min(bytes, Integer.MAX_VALUE);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof JsonMembers that
        && Arrays.equals(names, that.names)
        && Arrays.equals(values, that.values);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(names) + Arrays.hashCode(values);
  }

  @Override
  public String toString() {
    return "JsonMembers[" + names.length + "]";
  }
}
