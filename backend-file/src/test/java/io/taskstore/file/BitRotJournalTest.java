// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.BitRotFiles.Damage;
import io.taskstore.file.BitRotFiles.Shape;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.VersionedRecord;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever happens to the bytes of a file: what is read is the right record, or it is known to be
 * damaged; older versions only where nobody can know that there was a newer one.
 */
final class BitRotJournalTest {
  private static final String BOOT = "00000000-0000-4000-8000-000000000002";
  private static final int SHOWN = 12;

  static List<Shape> shapes() {
    return BitRotFiles.shapes("p", BOOT);
  }

  /** Looks at damaged files, and keeps what is wrong. */
  private static final class Judge {
    private final Shape shape;
    private final List<String> wrong = new ArrayList<>();
    private final Journal.Entry remembered;
    private final @Nullable VersionedRecord expected;
    private int seen;
    private int right;

    Judge(Shape shape) {
      this.shape = shape;
      Journal.Reading good = Journal.read(shape.file());
      this.remembered = Objects.requireNonNull(good.last());
      this.expected = good.visible(BOOT);
    }

    void look(Damage damage) {
      judge(damage, "whole", Journal.read(damage.content()));
      // As a reader does that has seen the last entry before.
      int from = remembered.offset();
      byte[] content = damage.content();
      if (from < content.length && remembered.marked()) {
        byte[] rest = Arrays.copyOfRange(content, from, content.length);
        if (remembered.hash().equals(Journal.firstHash(rest))) {
          Journal.Reading reading = Journal.read(rest, from, content.length);
          if (!isDamaged(reading)) {
            judge(damage, "rest", reading);
          }
        }
      }
    }

    private boolean isDamaged(Journal.Reading reading) {
      Journal.Entry last = reading.last();
      Journal.Entry before = reading.before();
      RecordKey key = shape.key();
      return reading.damage() != null
          || last == null
          || !last.stored().key().equals(key)
          || (before != null && !before.stored().key().equals(key));
    }

    private void judge(Damage damage, String way, Journal.Reading reading) {
      seen++;
      if (isDamaged(reading)) {
        return;
      }
      VersionedRecord visible = reading.visible(BOOT);
      if (Objects.equals(expected, visible) || shape.newest().equals(visible)) {
        right++;
        return;
      }
      boolean isOlder = visible == null || shape.versions().contains(visible);
      if (!damage.mayGoBack() || !isOlder) {
        wrong.add("%s, %s: %s".formatted(damage, way, describe(visible)));
      }
    }

    private static String describe(@Nullable VersionedRecord visible) {
      return visible == null ? "absent" : "version " + visible.version() + " of " + visible.key();
    }

    void check(int atLeast) {
      assertThat(seen).isGreaterThanOrEqualTo(atLeast);
      assertThat(wrong.subList(0, Math.min(SHOWN, wrong.size())))
          .as("%s: %d of %d", shape, wrong.size(), seen)
          .isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void read_undamaged_isTheNewest(Shape shape) {
    Journal.Reading reading = Journal.read(shape.file());

    assertThat(reading.damage()).isNull();
    assertThat(reading.clean()).isTrue();
    assertThat(reading.offsets()).isEqualTo(shape.offsets());
    assertThat(Objects.requireNonNull(reading.last()).stored()).isEqualTo(shape.newest());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void read_oneByteChanged_isRightOrKnown(Shape shape) {
    Judge judge = new Judge(shape);
    BitRotFiles.flips(shape, 499, judge::look);

    judge.check(1_000);
    // The marks and the blank rest tolerate it.
    assertThat(judge.right).isPositive();
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void read_cut_isRightOrKnown(Shape shape) {
    Judge judge = new Judge(shape);
    BitRotFiles.cuts(shape, 97, judge::look);

    judge.check(300);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void read_blockLost_isRightOrKnown(Shape shape) {
    Judge judge = new Judge(shape);
    BitRotFiles.blocks(shape, judge::look);

    judge.check(20);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void read_somethingAdded_isRightOrKnown(Shape shape) {
    Judge judge = new Judge(shape);
    BitRotFiles.additions(shape, judge::look);

    judge.check(8);
  }

  @Test
  void read_oneByteChanged_isRightInMostPlacesOfTheBlankRest() {
    Shape shape = shapes().get(0);
    byte[] file = shape.file();
    int right = 0;
    for (int i = shape.end(); i < file.length; i++) {
      byte[] content = file.clone();
      content[i] ^= 0x40;
      Journal.Reading reading = Journal.read(content);
      right += shape.newest().equals(reading.visible(BOOT)) ? 1 : 0;
    }

    assertThat(right).isEqualTo(file.length - shape.end());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  @Tag("stress")
  void read_everyByteToManyValues_isRightOrKnown(Shape shape) {
    Judge judge = new Judge(shape);
    byte[] content = shape.file().clone();
    int length = Math.min(content.length, shape.end() + 20);
    // All values in small files, some in larger ones, few in the middle of large data.
    int step = shape.end() < 2_500 ? 1 : 9;
    for (int i = 0; i < length; i++) {
      byte old = content[i];
      for (int value = 0; value < 256; value += i > 10_000 ? 199 : step) {
        content[i] = (byte) value;
        judge.look(new Damage("byte " + i + " to " + value, content, shape.unmarked()));
      }
      content[i] = old;
    }

    judge.check(10_000);
  }
}
