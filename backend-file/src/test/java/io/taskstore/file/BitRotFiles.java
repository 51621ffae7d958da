// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Files of records in many shapes, and what can happen to a file. */
final class BitRotFiles {
  static final String OTHER_BOOT = "00000000-0000-4000-8000-000000000001";

  private static final Instant EXPIRY = Instant.parse("2040-01-01T00:00:00.123Z");

  private BitRotFiles() {}

  /**
   * A good file.
   *
   * @param versions what is in it, the newest at the end
   * @param history how it was after each of them
   * @param offsets where each begins
   * @param unmarked whether the last one has no mark
   */
  record Shape(
      String name,
      List<VersionedRecord> versions,
      List<byte[]> history,
      List<Integer> offsets,
      boolean unmarked) {
    RecordKey key() {
      return newest().key();
    }

    VersionedRecord newest() {
      return versions.get(versions.size() - 1);
    }

    byte[] file() {
      return history.get(history.size() - 1);
    }

    int lastOffset() {
      return offsets.get(offsets.size() - 1);
    }

    /** How long the file was before the last entry; zero if there was none. */
    int oldLength() {
      return history.size() < 2 ? 0 : history.get(history.size() - 2).length;
    }

    int end() {
      return Objects.requireNonNull(Journal.read(file()).last()).end();
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /**
   * What has happened to a file.
   *
   * @param mayGoBack whether nobody can tell it from a file whose last write never happened
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Damage(String name, byte[] content, boolean mayGoBack) {
    @Override
    public String toString() {
      return name;
    }
  }

  // --- shapes -------------------------------------------------------------------------------

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static VersionedRecord version(
      RecordKey key, long version, byte[] data, boolean active, @Nullable Instant expiry) {
    RecordValue value =
        new RecordValue(Bytes.copyOf(data), active, expiry, "w-" + key.id().hashCode() + version);
    return new VersionedRecord(key, value, version);
  }

  private static VersionedRecord json(RecordKey key, long version, int filler) {
    return version(
        key,
        version,
        ascii("{\"n\":" + version + ",\"text\":\"" + "x".repeat(filler) + "\"}"),
        true,
        EXPIRY);
  }

  /** A file of some versions. The last one is finished and the file trimmed if it is not active. */
  static Shape shape(
      String name, List<VersionedRecord> versions, String boot, boolean marked, int firstRoom) {
    List<byte[]> history = new ArrayList<>();
    List<Integer> offsets = new ArrayList<>();
    byte[] entries = new byte[0];
    int room = firstRoom;
    String after = null;
    for (VersionedRecord version : versions) {
      boolean isLast = history.size() == versions.size() - 1;
      int least = version.value().active() ? room : 0;
      Journal.Encoded encoded =
          Journal.encode(version, boot, marked || !isLast, entries.length, after, least);
      after = encoded.hash();
      offsets.add(entries.length);
      entries = Journal.concat(entries, encoded.bytes());
      room = encoded.room();
      byte[] file = Arrays.copyOf(entries, room);
      Arrays.fill(file, entries.length, room, (byte) '\n');
      history.add(file);
    }
    return new Shape(name, versions, history, offsets, !marked);
  }

  /** Some versions, the last of which begins at a place of the file. */
  private static List<VersionedRecord> lastAt(RecordKey key, int offset, int count) {
    List<VersionedRecord> versions = new ArrayList<>();
    for (int i = 1; i < count; i++) {
      versions.add(json(key, i, 50));
    }
    int end = end(versions);
    int filler = offset - end + 50;
    versions.set(count - 2, json(key, count - 1, filler));
    // The length of the data has more digits by now.
    filler -= end(versions) - offset;
    versions.set(count - 2, json(key, count - 1, filler));
    versions.add(json(key, count, 300));
    return versions;
  }

  private static int end(List<VersionedRecord> versions) {
    return shape("", versions, OTHER_BOOT, true, 0).end();
  }

  /**
   * Data that is itself a file of the record, at the place where its entry would end if one bit of
   * its length were another.
   */
  static byte[] decoy(RecordKey key) {
    int length = 3_500;
    byte[] data = new byte[length];
    Arrays.fill(data, (byte) '\n');
    int at = 2_501;
    String after = null;
    for (int i = 0; i < 2; i++) {
      VersionedRecord forged = version(key, 70 + i, ascii("forged"), true, null);
      Journal.Encoded entry = Journal.encode(forged, OTHER_BOOT, true, 0, after, 0);
      System.arraycopy(entry.bytes(), 0, data, at, entry.bytes().length);
      at += entry.bytes().length;
      after = entry.hash();
    }
    return data;
  }

  /** Data that begins like the end of a header, behind which the next entry may follow. */
  private static byte[] headless(RecordKey key) {
    Journal.Encoded first =
        Journal.encode(version(key, 1, ascii("{}"), true, null), OTHER_BOOT, true, 0, null, 0);
    VersionedRecord forged = version(key, 70, ascii("forged"), true, null);
    byte[] second = Journal.encode(forged, OTHER_BOOT, true, 0, first.hash(), 0).bytes();
    byte[] tail = first.bytes();
    int from = new String(tail, StandardCharsets.ISO_8859_1).indexOf(",\"room\"");
    return Journal.concat(
        Arrays.copyOfRange(tail, from, tail.length), second, ascii("\n".repeat(20)));
  }

  static List<Shape> shapes(String partition, String boot) {
    List<Shape> shapes = new ArrayList<>();
    RecordKey one = new RecordKey(partition, "one");
    shapes.add(shape("one entry", List.of(json(one, 1, 40)), OTHER_BOOT, true, 0));
    RecordKey several = new RecordKey(partition, "several");
    List<VersionedRecord> five = new ArrayList<>();
    for (int i = 1; i <= 5; i++) {
      five.add(json(several, i, 1_100));
    }
    shapes.add(shape("several entries", five, OTHER_BOOT, true, 0));
    RecordKey compacted = new RecordKey(partition, "compacted");
    List<VersionedRecord> late = new ArrayList<>();
    for (int i = 37; i <= 40; i++) {
      late.add(json(compacted, i, 200));
    }
    shapes.add(shape("compacted", late, boot, true, 64 * 1_024));
    RecordKey finished = new RecordKey(partition, "finished");
    List<VersionedRecord> ended = new ArrayList<>();
    for (int i = 1; i <= 4; i++) {
      ended.add(json(finished, i, 900));
    }
    ended.add(version(finished, 5, ascii("{\"done\":true}"), false, EXPIRY));
    shapes.add(shape("finished and trimmed", ended, boot, true, 4 * Journal.BLOCK));
    RecordKey longId = new RecordKey(partition, "é".repeat(200) + "/".repeat(112));
    shapes.add(shape("a long id", List.of(json(longId, 1, 10)), OTHER_BOOT, true, 0));
    RecordKey empty = new RecordKey(partition, "empty");
    shapes.add(
        shape(
            "empty data",
            List.of(
                version(empty, 1, new byte[0], true, null),
                version(empty, 2, new byte[0], true, EXPIRY),
                version(empty, 3, new byte[0], true, null)),
            OTHER_BOOT,
            true,
            0));
    RecordKey binary = new RecordKey(partition, "binary");
    byte[] bytes = new byte[1_200];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (i % 7 == 0 ? '\n' : i);
    }
    shapes.add(
        shape(
            "binary data",
            List.of(version(binary, 1, bytes, true, null), version(binary, 2, bytes, true, null)),
            OTHER_BOOT,
            true,
            0));
    RecordKey entries = new RecordKey(partition, "entries");
    byte[] inside =
        shape("", List.of(json(entries, 8, 5), json(entries, 9, 5)), boot, true, 0).file();
    shapes.add(
        shape(
            "data like entries",
            List.of(
                version(entries, 1, inside, true, EXPIRY),
                version(entries, 2, Arrays.copyOf(inside, 900), true, EXPIRY)),
            OTHER_BOOT,
            true,
            0));
    RecordKey decoys = new RecordKey(partition, "decoys");
    shapes.add(
        shape(
            "decoys",
            List.of(json(decoys, 1, 20), version(decoys, 2, decoy(decoys), true, null)),
            OTHER_BOOT,
            true,
            0));
    RecordKey tails = new RecordKey(partition, "tails");
    shapes.add(
        shape(
            "data like the end of a header",
            List.of(version(tails, 1, headless(tails), true, null), json(tails, 2, 20)),
            OTHER_BOOT,
            true,
            0));
    RecordKey large = new RecordKey(partition, "large");
    byte[] random = new byte[100_000];
    new Random(5).nextBytes(random);
    shapes.add(
        shape(
            "large data",
            List.of(json(large, 1, 20), version(large, 2, random, true, null)),
            OTHER_BOOT,
            true,
            0));
    for (int before = 1; before <= 13; before += 3) {
      RecordKey sector = new RecordKey(partition, "sector-" + before);
      List<VersionedRecord> crossing = lastAt(sector, 2_048 - before, 4);
      shapes.add(shape("last entry " + before + " before a sector", crossing, OTHER_BOOT, true, 0));
      crossing = new ArrayList<>(crossing);
      crossing.add(json(sector, 5, 700));
      crossing.add(json(sector, 6, 10));
      shapes.add(shape("an entry " + before + " before a sector", crossing, OTHER_BOOT, true, 0));
      RecordKey page = new RecordKey(partition, "page-" + before);
      shapes.add(
          shape(
              "last entry " + before + " before a page",
              lastAt(page, 4_096 - before, 3),
              OTHER_BOOT,
              true,
              0));
    }
    RecordKey pending = new RecordKey(partition, "pending");
    List<VersionedRecord> three =
        List.of(json(pending, 1, 9), json(pending, 2, 9), json(pending, 3, 9));
    shapes.add(shape("unmarked in this boot", three, boot, false, 0));
    RecordKey lost = new RecordKey(partition, "lost");
    shapes.add(
        shape(
            "unmarked in another boot",
            List.of(json(lost, 1, 9), json(lost, 2, 9), json(lost, 3, 9)),
            OTHER_BOOT,
            false,
            0));
    RecordKey created = new RecordKey(partition, "created");
    shapes.add(shape("created, unmarked", List.of(json(created, 1, 9)), boot, false, 0));
    return shapes;
  }

  // --- damages ------------------------------------------------------------------------------

  /**
   * Every byte that matters, in five ways. What is given away is changed back afterwards: keep a
   * copy.
   *
   * @param step of the bytes in the middle of large data and of the blank rest, one in so many
   */
  static void flips(Shape shape, int step, Consumer<Damage> to) {
    byte[] file = shape.file();
    Random random = new Random(7);
    int end = shape.end();
    boolean isLarge = end > 20_000;
    byte[] content = file.clone();
    for (int i = 0; i < file.length; i++) {
      boolean matters = i < end + 20 && (!isLarge || i < 900 || i > end - 50);
      if (!matters && i % step != 0 && i < file.length - 3) {
        continue;
      }
      byte old = file[i];
      byte[] others = {
        (byte) (old ^ 0x01), (byte) (old ^ 0x80), 0, '\n', (byte) random.nextInt(256)
      };
      for (byte other : others) {
        if (other != old) {
          content[i] = other;
          String name = "byte " + i + " from " + old + " to " + other;
          to.accept(new Damage(name, content, shape.unmarked()));
        }
      }
      content[i] = old;
    }
  }

  /** Every length. */
  static void cuts(Shape shape, int step, Consumer<Damage> to) {
    byte[] file = shape.file();
    int end = shape.end();
    for (int length = 0; length < file.length; length++) {
      boolean matters =
          length < end + 20 && (end <= 20_000 || length < 2_500 || length > end - 100);
      if (matters || length % step == 0 || length == file.length - 1) {
        boolean looksBegun =
            length == shape.oldLength()
                && length > shape.lastOffset()
                && length <= shape.lastOffset() + Journal.MARK_OFFSET;
        to.accept(
            new Damage(
                "cut to " + length, Arrays.copyOf(file, length), shape.unmarked() || looksBegun));
      }
    }
  }

  /** Every sector and page, by zeros, ones, noise, and what was there before. */
  static void blocks(Shape shape, Consumer<Damage> to) {
    for (int size : new int[] {512, 4_096}) {
      for (int from = 0; from < shape.file().length; from += size) {
        block(shape, from, size, to);
      }
    }
  }

  private static void block(Shape shape, int from, int size, Consumer<Damage> to) {
    byte[] file = shape.file();
    int end = Math.min(file.length, from + size);
    int last = shape.lastOffset();
    // Then there is nothing left of the last entry that would tell whether it had its mark.
    boolean takesLast = from <= last + Journal.MARK_OFFSET && last < end;
    boolean wasBlank = from < shape.oldLength();
    String name = " from " + from + " to " + end;
    byte[] zeros = file.clone();
    Arrays.fill(zeros, from, end, (byte) 0);
    to.accept(new Damage("zeros" + name, zeros, shape.unmarked() || (takesLast && !wasBlank)));
    byte[] ones = file.clone();
    Arrays.fill(ones, from, end, (byte) 0xFF);
    to.accept(new Damage("ones" + name, ones, shape.unmarked()));
    byte[] noise = file.clone();
    byte[] random = new byte[end - from];
    new Random(from).nextBytes(random);
    System.arraycopy(random, 0, noise, from, random.length);
    to.accept(new Damage("noise" + name, noise, shape.unmarked()));
    for (int i = 0; i < shape.history().size() - 1; i++) {
      byte[] old = shape.history().get(i);
      byte[] mixed = file.clone();
      Arrays.fill(mixed, from, end, (byte) '\n');
      if (from < old.length) {
        System.arraycopy(old, from, mixed, from, Math.min(end, old.length) - from);
      }
      to.accept(new Damage("older (" + i + ")" + name, mixed, shape.unmarked() || takesLast));
    }
  }

  /** What is put behind it, and what stands in its place. */
  static void additions(Shape shape, Consumer<Damage> to) {
    byte[] file = shape.file();
    byte[] noise = new byte[700];
    new Random(3).nextBytes(noise);
    to.accept(new Damage("noise behind it", Journal.concat(file, noise), shape.unmarked()));
    to.accept(
        new Damage("zeros behind it", Arrays.copyOf(file, file.length + 4_096), shape.unmarked()));
    to.accept(new Damage("twice", Journal.concat(file, file), shape.unmarked()));
    byte[] entries = Arrays.copyOf(file, shape.end());
    to.accept(new Damage("its entries twice", Journal.concat(entries, entries), shape.unmarked()));
    to.accept(new Damage("empty", new byte[0], shape.unmarked()));
    to.accept(new Damage("all zeros", new byte[file.length], shape.unmarked()));
    byte[] blank = new byte[file.length];
    Arrays.fill(blank, (byte) '\n');
    to.accept(new Damage("all blank", blank, shape.unmarked()));
    to.accept(new Damage("a text", ascii("hello\n"), shape.unmarked()));
  }
}
