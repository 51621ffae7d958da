// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.util.ArrayList;
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
  private final int storedBytes;

  private JsonMembers(String[] names, Json[] values) {
    this.names = names;
    this.values = values;
    this.storedBytes = measure(names, values);
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

  /** Returns these members overwritten by {@code changes}; a null value removes the member. */
  JsonMembers merge(SortedMap<String, @Nullable Json> changes) {
    List<String> mergedNames = new ArrayList<>(names.length + changes.size());
    List<Json> mergedValues = new ArrayList<>(names.length + changes.size());
    int next = 0;
    for (Map.Entry<String, @Nullable Json> change : changes.entrySet()) {
      String name = change.getKey();
      while (next < names.length && names[next].compareTo(name) < 0) {
        mergedNames.add(names[next]);
        mergedValues.add(values[next++]);
      }
      if (next < names.length && names[next].equals(name)) {
        next++;
      }
      if (change.getValue() != null) {
        mergedNames.add(name);
        mergedValues.add(change.getValue());
      }
    }
    for (; next < names.length; next++) {
      mergedNames.add(names[next]);
      mergedValues.add(values[next]);
    }
    return ofAscending(mergedNames, mergedValues);
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
