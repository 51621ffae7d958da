// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.RecordKey;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class OwnerTest {
  private static final List<Function<String, Owner>> KINDS =
      List.of(Owner::subject, Owner::client, Owner::session);

  @Provide
  Arbitrary<String> values() {
    return ValueFixtures.texts().filter(text -> !text.isBlank());
  }

  @Property
  void storedForm_anyTwoOwners_isEqualOnlyIfTheyAre(
      @ForAll("values") String left, @ForAll("values") String right) {
    Map<String, Owner> seen = new HashMap<>();
    Set<Owner> owners = new HashSet<>(Set.of(Owner.local()));
    seen.put(Owner.local().storedForm(), Owner.local());
    for (Function<String, Owner> kind : KINDS) {
      for (String value :
          new String[] {left, right, left + ":" + right, "s:" + left, "l:" + left}) {
        Owner owner = kind.apply(value);
        Owner before = seen.put(owner.storedForm(), owner);
        assertThat(before == null || before.equals(owner)).isTrue();
        owners.add(owner);
        assertThat(owner.value()).isEqualTo(value);
      }
    }
    assertThat(seen).hasSameSizeAs(owners);
  }

  @Test
  void storedForm_literal_neverChanges() {
    assertThat(Owner.subject("a:b").storedForm()).isEqualTo("s:a:b");
    assertThat(Owner.client("a").storedForm()).isEqualTo("c:a");
    assertThat(Owner.session("a").storedForm()).isEqualTo("e:a");
    assertThat(Owner.local().storedForm()).isEqualTo("l:");
  }

  @Test
  void equals_kindAndValueCount_exactly() {
    assertThat(Owner.subject("a"))
        .isEqualTo(Owner.subject("a"))
        .hasSameHashCodeAs(Owner.subject("a"));
    assertThat(Owner.subject("a"))
        .isNotEqualTo(Owner.client("a"))
        .isNotEqualTo(Owner.session("a"))
        .isNotEqualTo(Owner.subject("A"))
        .isNotEqualTo(Owner.subject("a "))
        .isNotEqualTo(Owner.local())
        .isNotEqualTo("a");
    assertThat(Owner.subject("\u00e9")).isNotEqualTo(Owner.subject("e\u0301"));
    assertThat(Owner.local()).isSameAs(Owner.local());
    assertThat(Owner.local().value()).isEmpty();
    assertThat(Owner.local().kind()).isEqualTo(Owner.Kind.LOCAL);
    assertThat(Owner.session("a").kind()).isEqualTo(Owner.Kind.SESSION);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\t\n", "\u2003", " \r "})
  void factories_blank_areRefused(String blank) {
    for (Function<String, Owner> kind : KINDS) {
      assertThatExceptionOfType(InvalidValueException.class)
          .isThrownBy(() -> kind.apply(blank))
          .withMessageContaining("owner ")
          .withMessageContaining("blank");
    }
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Owner.resolve(blank, "c", "e"))
        .withMessageContaining("owner subject");
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Owner.resolve("s", blank, null))
        .withMessageContaining("owner client");
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Owner.resolve("s", null, blank))
        .withMessageContaining("owner session");
    assertThatExceptionOfType(InvalidValueException.class)
        .isThrownBy(() -> Owner.resolve(null, null, blank));
  }

  @ParameterizedTest
  @ValueSource(strings = {"\ud83d", "a\ude00", "\ude00\ud83d"})
  void factories_loneSurrogate_areRefused(String broken) {
    for (Function<String, Owner> kind : KINDS) {
      assertThatExceptionOfType(InvalidValueException.class).isThrownBy(() -> kind.apply(broken));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "\u00e9", "\u20ac", "\ud83d\ude00", "\""})
  void factories_lengthInBytes_isLimited(String unit) {
    int bytes = unit.getBytes(StandardCharsets.UTF_8).length;
    int rest = Owner.MAX_BYTES % bytes;
    String longest = unit.repeat(Owner.MAX_BYTES / bytes) + "a".repeat(rest);
    for (Function<String, Owner> kind : KINDS) {
      Owner owner = kind.apply(longest);
      assertThatCode(() -> new RecordKey("t" + owner.storedForm(), "i")).doesNotThrowAnyException();

      LimitExceededException thrown =
          catchThrowableOfType(LimitExceededException.class, () -> kind.apply(longest + "a"));
      assertThat(thrown.limit()).isEqualTo(1_000);
      assertThat(thrown.actual()).isEqualTo(1_001);
      assertThat(thrown.limitName()).isEqualTo("Owner.MAX_BYTES");
      assertThat(thrown).hasMessageNotContaining(unit.repeat(3));
    }
  }

  @Test
  void factories_null_areRefused() {
    assertThatNullPointerException().isThrownBy(() -> Owner.subject(null)).withMessage("subject");
    assertThatNullPointerException().isThrownBy(() -> Owner.client(null)).withMessage("client");
    assertThatNullPointerException().isThrownBy(() -> Owner.session(null)).withMessage("session");
  }

  @Test
  void resolve_strongestThatIsKnown_wins() {
    assertThat(Owner.resolve("s", "c", "e")).isEqualTo(Owner.subject("s"));
    assertThat(Owner.resolve("s", null, null)).isEqualTo(Owner.subject("s"));
    assertThat(Owner.resolve("s", null, "e")).isEqualTo(Owner.subject("s"));
    assertThat(Owner.resolve(null, "c", "e")).isEqualTo(Owner.client("c"));
    assertThat(Owner.resolve(null, "c", null)).isEqualTo(Owner.client("c"));
    assertThat(Owner.resolve(null, null, "e")).isEqualTo(Owner.session("e"));
    assertThat(Owner.resolve(null, null, null)).isEqualTo(Owner.local());
  }

  @Test
  void toString_hidesTheValue() {
    for (Function<String, Owner> kind : KINDS) {
      Owner owner = kind.apply("alice@example.org");
      assertThat(owner.toString()).isEqualTo("Owner[" + owner.kind() + "]");
    }
    assertThat(Owner.local()).hasToString("Owner[LOCAL]");
  }
}
