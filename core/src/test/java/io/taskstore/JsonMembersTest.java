// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.ValueFixtures.json;
import static io.taskstore.ValueFixtures.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class JsonMembersTest {
  private static String written(JsonMembers members) {
    JsonWriter out = new JsonWriter(0);
    members.writeTo(out);
    return new String(out.toByteArray(), StandardCharsets.UTF_8);
  }

  @Provide
  Arbitrary<Map<String, @Nullable Object>> maps() {
    return ValueFixtures.plainMaps();
  }

  @Provide
  Arbitrary<Map<String, @Nullable Integer>> changes() {
    return Arbitraries.maps(
            Arbitraries.of("a", "b", "c", "\ud83d\ude00", "\ufb33", ""),
            Arbitraries.integers().between(0, 9).injectNull(0.3))
        .ofMaxSize(6);
  }

  private static Map<String, Json> encoded(Map<String, @Nullable Object> map) {
    Map<String, Json> encoded = new HashMap<>();
    map.forEach((name, value) -> encoded.put(name, ValueFixtures.encode(value)));
    return encoded;
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void writeTo_anyMembers_isTheCanonicalObject(@ForAll("maps") Map<String, @Nullable Object> map) {
    JsonMembers members = JsonMembers.of(encoded(map));

    assertThat(written(members)).isEqualTo(ValueFixtures.stored(map));
    assertThat(members.storedBytes())
        .isEqualTo(written(members).getBytes(StandardCharsets.UTF_8).length);
    assertThat(members.names()).isEqualTo(List.copyOf(new TreeMap<>(map).keySet()));
    assertThat(members.size()).isEqualTo(map.size());
  }

  @Property
  void merge_anyChanges_overwritesRemovesAndKeeps(
      @ForAll("changes") Map<String, @Nullable Integer> first,
      @ForAll("changes") Map<String, @Nullable Integer> second) {
    TreeMap<String, Json> expected = new TreeMap<>();
    JsonMembers members = JsonMembers.NONE;
    for (Map<String, @Nullable Integer> changes : List.of(first, second)) {
      TreeMap<String, @Nullable Json> encoded = new TreeMap<>();
      changes.forEach((name, value) -> encoded.put(name, value == null ? null : json("" + value)));
      JsonMembers before = members;
      String text = written(before);

      members = members.merge(JsonMembers.Changes.of(encoded));

      assertThat(written(before)).isEqualTo(text);
      encoded.forEach(
          (name, value) -> {
            if (value == null) {
              expected.remove(name);
            } else {
              expected.put(name, value);
            }
          });
    }
    assertThat(members)
        .isEqualTo(JsonMembers.of(expected))
        .hasSameHashCodeAs(members.merge(JsonMembers.Changes.of(new TreeMap<>())));
    assertThat(members.names()).containsExactlyElementsOf(expected.keySet());
    expected.forEach(new Lookup(members)::check);
  }

  private record Lookup(JsonMembers members) {
    void check(String name, Json value) {
      assertThat(members.get(name)).isEqualTo(value);
      assertThat(members.get(name + "x")).isNull();
    }
  }

  @Test
  void none_isTheEmptyObject() {
    assertThat(written(JsonMembers.NONE)).isEqualTo("{}");
    assertThat(JsonMembers.NONE.storedBytes()).isEqualTo(2);
    assertThat(JsonMembers.NONE.names()).isEmpty();
    assertThat(JsonMembers.NONE.get("a")).isNull();
    assertThat(JsonMembers.of(Map.of())).isSameAs(JsonMembers.NONE);
    assertThat(JsonMembers.ofAscending(List.of(), List.of())).isSameAs(JsonMembers.NONE);
    assertThat(JsonMembers.of(Map.of("a", json("1"))).merge(JsonMembers.Changes.of(nullFor("a"))))
        .isSameAs(JsonMembers.NONE);
  }

  private static SortedMap<String, @Nullable Json> nullFor(String name) {
    SortedMap<String, @Nullable Json> map = new TreeMap<>();
    map.put(name, null);
    return map;
  }

  @Test
  void ofAscending_isTheSameAsOf() {
    List<String> names = new ArrayList<>(List.of("", "A", "a", "\ud83d\ude00", "\ufb33"));
    List<Json> values = new ArrayList<>();
    Map<String, Json> map = new HashMap<>();
    for (String name : names) {
      values.add(json("\"" + values.size() + "\""));
      map.put(name, values.get(values.size() - 1));
    }
    JsonMembers members = JsonMembers.ofAscending(names, values);
    names.set(0, "changed later");

    assertThat(members).isEqualTo(JsonMembers.of(map));
    for (int i = 0; i < members.size(); i++) {
      assertThat(members.get(members.name(i))).isSameAs(members.value(i)).isSameAs(values.get(i));
    }
  }

  @Test
  void names_cannotBeChanged() {
    List<String> names = JsonMembers.of(Map.of("a", json("1"))).names();

    assertThatExceptionOfType(UnsupportedOperationException.class)
        .isThrownBy(() -> names.set(0, "b"));
  }

  @Test
  void equals_otherNamesOrValues_differs() {
    JsonMembers members = JsonMembers.of(Map.of("a", json("1")));

    assertThat(members)
        .isEqualTo(JsonMembers.of(Map.of("a", json("1"))))
        .isNotEqualTo(JsonMembers.of(Map.of("a", json("2"))))
        .isNotEqualTo(JsonMembers.of(Map.of("b", json("1"))))
        .isNotEqualTo(JsonMembers.NONE)
        .isNotEqualTo("a");
  }

  @Test
  void toString_showsNoContent() {
    assertThat(JsonMembers.of(Map.of("secret", json("\"secret\"")))).hasToString("JsonMembers[1]");
    assertThat(json("\"secret\"")).hasToString("Json[8 bytes]");
  }

  @Test
  void json_equalsByContent() {
    assertThat(json("1")).isEqualTo(json("1")).hasSameHashCodeAs(json("1")).isNotEqualTo(json("2"));
    assertThat(json("1")).isNotEqualTo("1");
    assertThat(text(json("\u20ac"))).isEqualTo("\u20ac");
  }
}
