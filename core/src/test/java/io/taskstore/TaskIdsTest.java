// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.taskstore.spi.RecordKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

final class TaskIdsTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final long LAST_MILLI = (1L << 48) - 1;

  private static TaskIds always(long... numbers) {
    return new TaskIds(
        new RandomGenerator() {
          private int next;

          @Override
          public long nextLong() {
            return numbers[next++ % numbers.length];
          }
        });
  }

  private static String mint(long millis) {
    return always(0).mint(Instant.ofEpochMilli(millis));
  }

  @Test
  void mint_anything_is35DigitsThatAreALegalKey() {
    TaskIds ids = new TaskIds(new Random(1));
    for (int i = 0; i < 10_000; i++) {
      String id = ids.mint(NOW);
      assertThat(id).hasSize(TaskIds.LENGTH).matches("[0-9a-v]{35}");
    }
    assertThat(TaskIds.LENGTH).isEqualTo(35).isLessThan(RecordKey.MAX_ID_BYTES);
    assertThatCode(() -> new RecordKey("t", ids.mint(NOW))).doesNotThrowAnyException();
  }

  @Test
  void mint_givenRandomness_isTheSpecifiedEncoding() {
    assertThat(mint(0)).isEqualTo("0".repeat(35));
    assertThat(always(-1).mint(Instant.ofEpochMilli(LAST_MILLI)))
        .isEqualTo("7" + "v".repeat(34)); // 48 bits leave the two highest of ten digits empty
    assertThat(always(1, 2).mint(Instant.ofEpochMilli(33)))
        .isEqualTo("0000000011" + "000000000001" + "000000000002" + "0");
    assertThat(always(1L << 60, 15L << 60).mint(Instant.ofEpochMilli(33)))
        .isEqualTo("0000000011" + "0".repeat(24) + "v");
  }

  @Property
  void mint_laterTime_isAGreaterId(
      @ForAll @LongRange(min = 0, max = LAST_MILLI) long left,
      @ForAll @LongRange(min = 0, max = LAST_MILLI) long right) {
    // The earlier with the highest random part, the later with the lowest.
    String earlier = always(-1).mint(Instant.ofEpochMilli(Math.min(left, right)));
    String later = always(0).mint(Instant.ofEpochMilli(Math.max(left, right)));

    if (left != right) {
      assertThat(RecordKey.compareIds(earlier, later)).isNegative();
      assertThat(earlier.compareTo(later)).isNegative();
    }
  }

  @Test
  void mint_nextMillisecond_isGreaterAcrossEveryCarry() {
    List<Long> edges = new ArrayList<>();
    for (int bit = 0; bit < 48; bit++) {
      edges.add((1L << bit) - 1);
      edges.add((1L << bit) + 12_345 % (1L << bit));
    }
    edges.add(NOW.toEpochMilli());
    for (long edge : edges) {
      String before = always(-1).mint(Instant.ofEpochMilli(edge));
      String after = always(0).mint(Instant.ofEpochMilli(edge + 1));
      assertThat(RecordKey.compareIds(before, after)).isNegative();
    }
  }

  @Test
  void mint_timeOutside48Bits_isThatOfTheNearestEnd() {
    assertThat(mint(-1)).isEqualTo(mint(0));
    assertThat(mint(Long.MIN_VALUE)).isEqualTo(mint(0));
    assertThat(mint(LAST_MILLI + 1)).isEqualTo(mint(LAST_MILLI));
    assertThat(mint(Long.MAX_VALUE)).isEqualTo(mint(LAST_MILLI));
  }

  @Test
  void mint_partsOfAMillisecond_doNotCount() {
    assertThat(always(5).mint(NOW.plusNanos(999_999))).isEqualTo(always(5).mint(NOW));
    assertThat(always(5).mint(NOW.plusNanos(1_000_000))).isNotEqualTo(always(5).mint(NOW));
  }

  @Test
  void mint_everyRandomBitThatIsUsed_changesTheId() {
    Set<String> ids = new HashSet<>();
    ids.add(always(0).mint(NOW));
    for (int number = 0; number < 3; number++) {
      for (int bit = 0; bit < 64; bit++) {
        long[] numbers = new long[3];
        numbers[number] = 1L << bit;
        ids.add(always(numbers).mint(NOW));
      }
    }
    // 60, 60 and 5 bits, and the one with none.
    assertThat(ids).hasSize(126);
  }

  @Test
  void mint_aMillionInOneMillisecond_areUnique() {
    TaskIds ids = new TaskIds(new SplittableRandom(7));
    Set<String> minted = new HashSet<>(2_000_000);
    String first = ids.mint(NOW);
    for (int i = 0; i < 1_000_000; i++) {
      String id = ids.mint(NOW);
      if (!minted.add(id) || !id.startsWith(first.substring(0, 10))) {
        assertThat(id).isNotIn(minted).startsWith(first.substring(0, 10));
      }
    }
    assertThat(minted).hasSize(1_000_000).doesNotContain(first);
  }

  @Test
  void mint_randomPart_isSpreadEvenlyOverAllDigits() {
    int count = 64_000;
    TaskIds ids = new TaskIds(new SplittableRandom(42));
    int[][] seen = new int[TaskIds.LENGTH][128];
    for (int i = 0; i < count; i++) {
      String id = ids.mint(NOW);
      for (int position = 10; position < TaskIds.LENGTH; position++) {
        seen[position][id.charAt(position)]++;
      }
    }
    for (int position = 10; position < TaskIds.LENGTH; position++) {
      for (char digit : "0123456789abcdefghijklmnopqrstuv".toCharArray()) {
        // 2,000 are expected, with a standard deviation of 44.
        assertThat(seen[position][digit]).isBetween(1_750, 2_250);
      }
    }
  }
}
