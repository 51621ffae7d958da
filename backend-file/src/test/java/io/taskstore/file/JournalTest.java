// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.file.BitRotFiles.Shape;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

final class JournalTest {
  private static final String BOOT = "00000000-0000-4000-8000-000000000003";
  private static final RecordKey KEY = new RecordKey("p", "k");

  private static VersionedRecord record(long version, String data) {
    return BitRotFiles.version(KEY, version, data.getBytes(StandardCharsets.UTF_8), true, null);
  }

  private static Shape file(boolean marked, VersionedRecord... versions) {
    return BitRotFiles.shape("file", List.of(versions), BOOT, marked, 0);
  }

  @Provide
  Arbitrary<VersionedRecord> records() {
    Arbitrary<String> texts =
        Arbitraries.of(
                "a",
                "\"",
                "\\",
                "\n",
                "\u0000",
                "\u007f",
                "\u001f",
                "é",
                "😀",
                "u0041",
                "/",
                ",\"sha256\":\"",
                "{\"mark\":\"done\"")
            .list()
            .ofMinSize(1)
            .ofMaxSize(8)
            .map(parts -> parts.stream().collect(Collectors.joining()));
    Arbitrary<RecordKey> keys = Combinators.combine(texts, texts).as(RecordKey::new);
    Arbitrary<byte[]> data = Arbitraries.bytes().array(byte[].class).ofMaxSize(300);
    Arbitrary<Instant> expiries =
        Arbitraries.longs()
            .between(RecordValue.MIN_EXPIRY.toEpochMilli(), RecordValue.MAX_EXPIRY.toEpochMilli())
            .map(Instant::ofEpochMilli)
            .injectNull(0.3);
    Arbitrary<String> writeIds =
        Arbitraries.strings().withCharRange('!', '~').ofMinLength(1).ofMaxLength(64);
    Arbitrary<Long> versions = Arbitraries.longs().between(1, StorageBackend.MAX_VERSION);
    return Combinators.combine(
            keys, data, Arbitraries.of(true, false), expiries, writeIds, versions)
        .as(
            (key, bytes, active, expiry, writeId, version) ->
                new VersionedRecord(
                    key, new RecordValue(Bytes.copyOf(bytes), active, expiry, writeId), version));
  }

  @Property(tries = 2_000)
  void read_ofEncoded_isTheRecord(
      @ForAll("records") VersionedRecord stored, @ForAll boolean marked) {
    Shape shape = file(marked, stored);

    Journal.Reading reading = Journal.read(shape.file());

    assertThat(reading.damage()).isNull();
    Journal.Entry last = Objects.requireNonNull(reading.last());
    assertThat(last.stored()).isEqualTo(stored);
    assertThat(last.marked()).isEqualTo(marked);
    assertThat(last.boot()).isEqualTo(BOOT);
    assertThat(reading.clean()).isTrue();
    assertThat(Journal.firstHash(shape.file())).isEqualTo(last.hash());
  }

  @Property(tries = 500)
  void read_ofSeveral_isTheNewestAndAllAreThere(
      @ForAll("records") VersionedRecord first,
      @ForAll("records") VersionedRecord second,
      @ForAll("records") VersionedRecord third) {
    // The file does not care whether they are of one key.
    Shape shape = file(true, first, second, third);

    Journal.Reading reading = Journal.read(shape.file());

    assertThat(reading.damage()).isNull();
    assertThat(reading.offsets()).isEqualTo(shape.offsets());
    assertThat(Journal.salvage(shape.file(), third.key(), 3).stream().map(Journal.Entry::stored))
        .containsExactlyElementsOf(
            shape.versions().stream().filter(one -> one.key().equals(third.key())).toList());
    for (int offset : shape.offsets()) {
      byte[] rest = Arrays.copyOfRange(shape.file(), offset, shape.file().length);
      Journal.Entry last =
          Objects.requireNonNull(Journal.read(rest, offset, shape.file().length).last());
      assertThat(last.stored()).isEqualTo(third);
      assertThat(last.offset()).isEqualTo(shape.lastOffset());
      assertThat(last.end()).isEqualTo(shape.end());
    }
  }

  @Property(tries = 2_000)
  void encode_any_leavesRoomForABlankAndWholeBlocks(
      @ForAll("records") VersionedRecord stored,
      @ForAll("offsets") int offset,
      @ForAll("offsets") int leastRoom) {
    int least = leastRoom / Journal.BLOCK * Journal.BLOCK;

    Journal.Encoded encoded = Journal.encode(stored, BOOT, true, offset, null, least);

    assertThat(encoded.room() % Journal.BLOCK).isZero();
    assertThat(encoded.room()).isGreaterThan(offset + encoded.bytes().length);
    assertThat(encoded.room()).isGreaterThanOrEqualTo(least);
    assertThat(encoded.bytes()).endsWith('\n');
  }

  @Provide
  Arbitrary<Integer> offsets() {
    return Arbitraries.integers().between(0, 200_000);
  }

  @Test
  void encode_roomWhoseDigitsGrow_fits() {
    // Around 99,999 and 9,999 a digit more moves the end of the entry.
    for (int length = 0; length < 9_000; length += 7) {
      String data = "x".repeat(length);
      Journal.Encoded encoded = Journal.encode(record(1, data), BOOT, true, 90_000, null, 0);

      assertThat(encoded.room()).isGreaterThan(90_000 + encoded.bytes().length);
      assertThat(encoded.room()).isLessThan(2 * (90_000 + encoded.bytes().length + Journal.BLOCK));
    }
  }

  @Test
  void encode_entry_isALineOfJsonAndTheData() {
    String entry =
        new String(
            Journal.encode(
                    new VersionedRecord(
                        new RecordKey("ts:alice", "a\"b\n"),
                        new RecordValue(
                            Bytes.copyOf(BitRotFiles.ascii("{}")),
                            true,
                            Instant.ofEpochMilli(1_767_229_200_000L),
                            "w"),
                        3),
                    "b",
                    true,
                    0,
                    null,
                    0)
                .bytes(),
            StandardCharsets.UTF_8);

    assertThat(entry)
        .matches(
            "\\{\"mark\":\"done\",\"boot\":\"b\",\"format\":1,\"partition\":\"ts:alice\","
                + "\"id\":\"a\\\\\"b\\\\u000a\",\"version\":3,\"active\":true,"
                + "\"expiresAt\":1767229200000,\"writeId\":\"w\",\"room\":4096,"
                + "\"after\":\"0000000000000000\",\"length\":2,"
                + "\"sha256\":\"[0-9a-f]{64}\"}\n\\{}\n");
  }

  @Test
  void read_unmarkedOfThisBoot_isNotVisibleYet() {
    Shape shape = file(false, record(1, "one"), record(2, "two"));

    Journal.Reading reading = Journal.read(shape.file());

    assertThat(reading.isPending(BOOT)).isTrue();
    assertThat(reading.visible(BOOT)).isEqualTo(record(1, "one"));
    assertThat(reading.visible("another")).isEqualTo(record(2, "two"));
    assertThat(reading.damage()).isNull();
  }

  @Test
  void read_unmarkedFirst_isNothingYet() {
    Journal.Reading reading = Journal.read(file(false, record(1, "one")).file());

    assertThat(reading.visible(BOOT)).isNull();
    assertThat(reading.damage()).isNull();
  }

  @Test
  void read_unmarkedAndTorn_isTheOneBefore() {
    Shape shape = file(false, record(1, "one"), record(2, "x".repeat(1_500)));
    // Each sector of the last write may be there or not.
    int first = shape.lastOffset() / 512 + 1;
    int last = (shape.end() - 1) / 512;
    int sectors = last - first + 1;
    List<byte[]> torn = new ArrayList<>();
    for (int lost = 1; lost < 1 << sectors; lost++) {
      byte[] content = shape.file().clone();
      for (int i = 0; i < sectors; i++) {
        if ((lost & (1 << i)) != 0) {
          Arrays.fill(content, (first + i) * 512, (first + i + 1) * 512, (byte) '\n');
        }
      }
      torn.add(content);
    }

    assertThat(torn).hasSizeGreaterThan(3);
    for (byte[] content : torn) {
      Journal.Reading reading = Journal.read(content);
      assertThat(reading.damage()).isNull();
      assertThat(reading.visible(BOOT)).isEqualTo(record(1, "one"));
      assertThat(reading.visible("another")).isEqualTo(record(1, "one"));
    }
  }

  /** After the loss of power any part of the last write may be there, at any place in a page. */
  @Test
  void read_tornByLossOfPower_isNeverTakenForDamage() {
    for (int before = 0; before <= 24; before++) {
      int filler = 4_096 - before - 250;
      Shape one = file(true, record(1, "x".repeat(filler)));
      int end = one.end();
      filler += 4_096 - before - end;
      Shape shape = file(false, record(1, "x".repeat(filler)), record(2, "y".repeat(5_000)));
      assertThat(shape.lastOffset()).isBetween(4_096 - before - 1, 4_096 - before + 1);
      byte[] old = shape.history().get(0);
      for (int kept = 0; kept < 8; kept++) {
        for (byte rest : new byte[] {'\n', 0}) {
          byte[] content = shape.file().clone();
          int pages = content.length / 4_096;
          for (int page = 0; page < pages; page++) {
            if ((kept & (1 << page)) != 0) {
              continue; // this one was written
            }
            int from = page * 4_096;
            if (from < old.length) {
              System.arraycopy(old, from, content, from, 4_096);
            } else {
              Arrays.fill(content, from, from + 4_096, rest);
            }
          }
          Journal.Reading reading = Journal.read(content);
          assertThat(reading.damage())
              .as("%d bytes before a page, pages %d, rest %d", before, kept, rest)
              .isNull();
          assertThat(reading.visible("another"))
              .isIn(shape.versions().get(0), shape.versions().get(1));
        }
      }
    }
  }

  @Test
  void read_markedAndUnreadable_isDamage() {
    Shape shape = file(true, record(1, "one"), record(2, "two"));
    byte[] content = shape.file().clone();
    Arrays.fill(content, shape.lastOffset(), shape.end(), (byte) '?');

    assertThat(Journal.read(content).damage()).isEqualTo("an entry is damaged");
  }

  @Test
  void read_badOneFollowedByAGoodOne_isDamage() {
    Shape shape = file(false, record(1, "one"), record(2, "two"), record(3, "three"));
    byte[] content = shape.file().clone();
    content[shape.offsets().get(1) + 100] ^= 1;

    assertThat(Journal.read(content).damage()).isNotNull();
  }

  @Test
  void read_empty_isDamage() {
    assertThat(Journal.read(new byte[0]).damage()).isEqualTo("it has no readable entry");
  }

  @Test
  void salvage_damagedInTheMiddle_hasTheOthers() {
    Shape shape = file(true, record(1, "one"), record(2, "two"), record(3, "three"));
    byte[] content = shape.file().clone();
    content[shape.lastOffset() - 2] ^= 1; // the data of the second

    assertThat(versions(Journal.salvage(content, KEY, 10))).containsExactly(1L, 3L);
    assertThat(versions(Journal.salvage(content, KEY, 1))).containsExactly(3L);
    assertThat(Journal.salvage(content, new RecordKey("p", "other"), 10)).isEmpty();
  }

  private static List<Long> versions(List<Journal.Entry> entries) {
    return entries.stream().map(entry -> entry.stored().version()).toList();
  }

  @Test
  void highestVersion_damagedHeaders_isTheHighestThatIsNamed() {
    Shape shape = file(true, record(1, "one"), record(2, "two"), record(1_003, "three"));
    byte[] content = shape.file().clone();
    content[shape.offsets().get(1) + 20] = '\n';

    assertThat(Journal.highestVersion(content, 1)).isEqualTo(1_003);
    assertThat(Journal.highestVersion(content, 5_000)).isEqualTo(5_000);
    assertThat(Journal.highestVersion(BitRotFiles.ascii("{\"version\":999999999999999999}"), 7))
        .isEqualTo(7);
  }

  @Test
  void unquote_quoted_isTheText() {
    StringBuilder out = new StringBuilder();
    Journal.quote(out, "a\"\\\n\u007fé");

    assertThat(out).hasToString("\"a\\\"\\\\\\u000a\\u007fé\"");
    assertThat(Journal.unquote(out.toString())).isEqualTo("a\"\\\n\u007fé");
    assertThat(Journal.unquote("no quotes")).isNull();
    assertThat(Journal.unquote("\"never ended")).isNull();
  }
}
