// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The content of a record's file: one entry for each of its last versions, the newest at the end,
 * then blank lines up to a whole number of {@value #BLOCK} bytes.
 *
 * <pre>{@code
 * {"mark":"done","boot":"…","format":1,"partition":"ts:alice","id":"…","version":3,"active":true,
 *  "expiresAt":1767229200000,"writeId":"…","room":4096,"after":"…","length":123,"sha256":"…"}
 * the data, then a line feed
 * }</pre>
 *
 * (the header is one line). The mark is four blanks while the entry is not known to be flushed;
 * {@code done} is written over them afterwards, without a flush of its own. {@code expiresAt} is
 * null for never. {@code room} is the length of the file for which the entry was written: a shorter
 * file was cut. {@code after} is the beginning of the checksum of the entry before, so that entries
 * are a chain, and zeros for the first. The hash is over the header from behind the mark up to the
 * hash, and the data.
 */
final class Journal {
  /** What the length of a file is a multiple of. */
  static final int BLOCK = 4_096;

  static final int FORMAT = 1;

  private static final byte[] PENDING = "{\"mark\":\"    \"".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] DONE = "{\"mark\":\"done\"".getBytes(StandardCharsets.US_ASCII);

  /** Where in an entry the mark is. */
  static final int MARK_OFFSET = 9;

  private static final int MARK_LENGTH = 4;
  private static final int HASHED_FROM = MARK_OFFSET + MARK_LENGTH;

  /** A header has two parts of a key, each of whose bytes may become six, and little else. */
  private static final int MAX_HEADER =
      6 * (RecordKey.MAX_PARTITION_BYTES + RecordKey.MAX_ID_BYTES) + 1_024;

  /** How many bytes of a prefix may be damaged for it to be known all the same. */
  private static final int TOLERANCE = 4;

  /** By how much a disk may write less than the whole. */
  private static final int SECTOR = 512;

  private static final String MARK_PART = "{\"mark\":\"";
  private static final String ROOM_PART = ",\"room\":";
  private static final String AFTER_PART = ",\"after\":\"";
  private static final int AFTER_CHARS = 16;
  private static final String FIRST = "0".repeat(AFTER_CHARS);
  private static final String LENGTH_PART = "\",\"length\":";
  private static final String HASH_PART = ",\"sha256\":\"";
  private static final int HASH_CHARS = 64;
  private static final int MAX_DIGITS = 10;
  private static final Pattern VERSION_MEMBER = Pattern.compile("\"version\":(\\d{1,18})");
  private static final long MOST_LOST_VERSIONS = 1_000_000_000;
  private static final byte[] HEADER_END = "\"}\n".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] DATA_END = {'\n'};

  private static final byte[] BLANKS = "\n".repeat(BLOCK).getBytes(StandardCharsets.US_ASCII);

  /** How many bytes tell whether an entry begins somewhere. */
  static final int KIND_LENGTH = DONE.length;

  /** Up to this length files double when they grow: a flush costs less if the length stays. */
  static final int DOUBLED_UP_TO = 1_024 * 1_024;

  private Journal() {}

  /** The mark that says that an entry is flushed. */
  static byte[] doneMark() {
    return Arrays.copyOfRange(DONE, MARK_OFFSET, HASHED_FROM);
  }

  /**
   * A version of the record whose checksum is right.
   *
   * @param offset where it begins in the file
   * @param end where it ends
   * @param marked whether it is known to have been flushed
   * @param boot when the host was started that wrote it
   * @param room how long the file was when it was written
   * @param hash its checksum, which tells it from all others
   */
  record Entry(
      int offset,
      int end,
      boolean marked,
      String boot,
      long room,
      String hash,
      VersionedRecord stored) {}

  /**
   * What a file says, from an entry on.
   *
   * @param offsets where the entries begin; of those before the last only the form was looked at
   * @param last the newest good entry; null if there is none
   * @param before the good entry before it, if {@code last} is not marked; else null
   * @param length the length of the file
   * @param clean whether nothing but blank lines follows
   * @param damage what is wrong, null if nothing is
   */
  record Reading(
      List<Integer> offsets,
      @Nullable Entry last,
      @Nullable Entry before,
      int length,
      boolean clean,
      @Nullable String damage) {

    /** Whether the newest entry was written since this host was started, and may not be flushed. */
    boolean isPending(String boot) {
      return last != null && !last.marked() && last.boot().equals(boot);
    }

    /** The record that readers may see; null if it is not there yet. */
    @Nullable VersionedRecord visible(String boot) {
      Entry entry = isPending(boot) ? before : last;
      return entry == null ? null : entry.stored();
    }
  }

  // --- writing ------------------------------------------------------------------------------

  /**
   * An entry that is to be written.
   *
   * @param room the length that the file must have then
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Encoded(byte[] bytes, int room, String hash) {}

  /**
   * Encodes an entry.
   *
   * @param offset where it will begin
   * @param after the checksum of the entry before it; null for the first
   * @param leastRoom the length that the file has already; it doubles if that is not enough, as
   *     long as it is small
   */
  static Encoded encode(
      VersionedRecord stored,
      String boot,
      boolean marked,
      int offset,
      @Nullable String after,
      int leastRoom) {
    RecordValue value = stored.value();
    byte[] data = value.data().unsafeArray();
    StringBuilder header = new StringBuilder(512);
    header.append("\",\"boot\":");
    quote(header, boot);
    header.append(",\"format\":").append(FORMAT).append(",\"partition\":");
    quote(header, stored.key().partition());
    header.append(",\"id\":");
    quote(header, stored.key().id());
    header.append(",\"version\":").append(stored.version());
    header.append(",\"active\":").append(value.active()).append(",\"expiresAt\":");
    Instant expiry = value.expiresAt();
    if (expiry == null) {
      header.append("null");
    } else {
      header.append(expiry.toEpochMilli());
    }
    header.append(",\"writeId\":");
    quote(header, value.writeId());
    header.append(ROOM_PART);
    byte[] before = header.toString().getBytes(StandardCharsets.UTF_8);
    String tail =
        AFTER_PART
            + (after == null ? FIRST : after.substring(0, AFTER_CHARS))
            + LENGTH_PART
            + data.length
            + HASH_PART;
    int around = HASHED_FROM + before.length + tail.length() + HASH_CHARS + 3 + data.length + 1;
    // The room has as many digits as it has, and they take room.
    int room = leastRoom;
    while (room <= offset + around + digits(room)) {
      room = Math.max(roomFor(offset + around + digits(room)), Math.min(2 * room, DOUBLED_UP_TO));
    }
    byte[] rest = (room + tail).getBytes(StandardCharsets.US_ASCII);
    MessageDigest digest = Names.sha256();
    digest.update(before);
    digest.update(rest);
    digest.update(data);
    String hash = HexFormat.of().formatHex(digest.digest());
    byte[] prefix = Arrays.copyOf(marked ? DONE : PENDING, HASHED_FROM);
    byte[] hashBytes = hash.getBytes(StandardCharsets.US_ASCII);
    return new Encoded(
        concat(prefix, before, rest, hashBytes, HEADER_END, data, DATA_END), room, hash);
  }

  private static int digits(int number) {
    return Integer.toString(number).length();
  }

  static byte[] concat(byte[]... parts) {
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    byte[] all = new byte[length];
    int at = 0;
    for (byte[] part : parts) {
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  /** A length in whole blocks. */
  static int rounded(int length) {
    return (length + BLOCK - 1) / BLOCK * BLOCK;
  }

  /** How long a file is that ends behind this. */
  static int roomFor(int end) {
    return (end / BLOCK + 1) * BLOCK;
  }

  static void quote(StringBuilder out, String text) {
    out.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ' || c == 0x7F) {
        out.append("\\u00").append(HexFormat.of().toHexDigits((byte) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }

  // --- reading ------------------------------------------------------------------------------

  /** Reads a whole file. */
  static Reading read(byte[] file) {
    return read(file, 0, file.length);
  }

  /**
   * Reads a part of a file.
   *
   * @param base where in the file the bytes begin: an entry does
   * @param length how long the file is
   */
  static Reading read(byte[] file, int base, int length) {
    List<Form> forms = new ArrayList<>(4);
    Form previous = null;
    String damage = null;
    boolean torn = false;
    int room = 0;
    int at = 0;
    while (at < file.length) {
      Kind kind = kind(file, at, base, room);
      boolean flushed = previous == null || previous.marked();
      if (kind == Kind.BLANK || (kind == Kind.OTHER && !flushed)) {
        break; // of what follows a write that was perhaps never flushed, anything may be there
      }
      Form form = kind == Kind.OTHER ? null : form(file, at, kind == Kind.DONE);
      if (form == null || !isNext(form, previous, base)) {
        torn = kind == Kind.PENDING;
        damage = torn ? null : "an entry is damaged";
        break;
      }
      forms.add(form);
      previous = form;
      room = form.marked() ? form.room() : room;
      at = form.end();
    }
    int search = at;
    Entry last = null;
    Entry before = null;
    try {
      int newest = forms.size() - 1;
      if (newest >= 0 && damage == null) {
        Form form = forms.get(newest);
        boolean whole = length >= form.room() && isGood(file, base, form);
        if (!form.marked() && !torn && !whole) {
          torn = true; // its writer or the power went before it was all there
          forms.remove(newest);
          newest--;
        }
      }
      if (newest >= 0 && damage == null) {
        last = new Parser(file, base, forms.get(newest)).entry();
        if (!last.marked() && newest > 0) {
          before = new Parser(file, base, forms.get(newest - 1)).entry();
        }
      }
    } catch (BadEntryException e) {
      damage = e.getMessage();
    }
    boolean clean = last != null && isBlank(file, last.end() - base);
    if (damage == null) {
      if (last == null) {
        damage = "it has no readable entry";
      } else if (length < last.room()) {
        damage = "it was cut";
      } else if (!clean && isFollowed(file, base, search, last)) {
        damage = "an entry is damaged, and a later one is not";
      }
    }
    return new Reading(
        forms.stream().map(Form::offset).toList(), last, before, length, clean, damage);
  }

  /**
   * The newest good entries of a file, in whatever state it is; none of those behind a bad length.
   *
   * @param most how many at most
   * @return the newest last
   */
  static List<Entry> salvage(byte[] file, RecordKey key, int most) {
    List<Integer> offsets = read(file).offsets();
    List<Entry> good = new ArrayList<>();
    for (int i = offsets.size() - 1; i >= 0 && good.size() < most; i--) {
      Entry entry = goodEntry(file, 0, form(file, offsets.get(i), true));
      if (entry != null && entry.stored().key().equals(key)) {
        good.add(0, entry);
      }
    }
    return good;
  }

  /**
   * A version that is at least as high as any that a file names, be it damaged. Numbers that are
   * absurdly high are not taken for versions: data may have such members too.
   */
  static long highestVersion(byte[] file, long known) {
    Matcher versions = VERSION_MEMBER.matcher(new String(file, StandardCharsets.ISO_8859_1));
    long highest = known;
    while (versions.find()) {
      long version = Long.parseLong(versions.group(1));
      if (version - known < MOST_LOST_VERSIONS) {
        highest = Math.max(highest, version);
      }
    }
    return highest;
  }

  /** The checksum that the first entry of some bytes has; not checked. */
  static @Nullable String firstHash(byte[] bytes) {
    int from = headerEnd(bytes, 0) - HASH_CHARS - 2;
    return from < 0 ? null : ascii(bytes, from, HASH_CHARS);
  }

  /** The text that a quoted one stands for; null if it is none. */
  static @Nullable String unquote(String quoted) {
    byte[] bytes = (quoted + "\n").getBytes(StandardCharsets.UTF_8);
    try {
      return new Parser(bytes, 0, new Form(-HASHED_FROM, bytes.length - 1, 0, true, 0, "", ""))
          .string();
    } catch (BadEntryException e) {
      return null;
    }
  }

  /** What begins at a place of a file. */
  private enum Kind {
    DONE,
    PENDING,
    BLANK,
    OTHER
  }

  /**
   * Tells what begins at a place. A few damaged bytes do not make one thing another.
   *
   * @param room how long the file was at the last flush: so far it was blank
   */
  private static Kind kind(byte[] file, int at, int base, int room) {
    int toDone = distance(file, at, DONE);
    int toPending = distance(file, at, PENDING);
    if (Math.min(toDone, toPending) <= TOLERANCE) {
      return toDone < toPending ? Kind.DONE : Kind.PENDING;
    }
    // Of a write that was under way when the power went, some sectors may be there, and not the
    // first one. What a file has grown by is zeros until it is written.
    int toSector = SECTOR - (base + at) % SECTOR;
    int looked = Math.min(Math.min(KIND_LENGTH, toSector), file.length - at);
    int different = 0;
    for (int i = at; i < at + looked; i++) {
      different += isEmpty(file, i, base, room) ? 0 : 1;
    }
    if (different <= (looked == KIND_LENGTH ? TOLERANCE : looked / 4)) {
      return Kind.BLANK;
    }
    // Or the first one is there, and not the second.
    boolean begun = toSector < KIND_LENGTH && at + toSector <= file.length;
    for (int i = 0; i < Math.min(KIND_LENGTH, file.length - at); i++) {
      begun &= i < toSector ? file[at + i] == PENDING[i] : isEmpty(file, at + i, base, room);
    }
    return begun ? Kind.PENDING : Kind.OTHER;
  }

  private static boolean isEmpty(byte[] file, int at, int base, int room) {
    return file[at] == '\n' || (file[at] == 0 && base + at >= room);
  }

  private static boolean isBlank(byte[] file, int from) {
    for (int at = from; at < file.length; at += BLANKS.length) {
      int length = Math.min(BLANKS.length, file.length - at);
      if (!Arrays.equals(file, at, at + length, BLANKS, 0, length)) {
        return false;
      }
    }
    return true;
  }

  /** Whether a later version stands somewhere behind an entry that ought to be the newest. */
  private static boolean isFollowed(byte[] file, int base, int from, Entry last) {
    for (int at = from; at + KIND_LENGTH <= file.length; at++) {
      if (file[at] == '{' && matches(file, at, MARK_PART)) {
        Entry entry = goodEntry(file, base, form(file, at, true));
        if (entry != null
            && entry.stored().key().equals(last.stored().key())
            && entry.stored().version() > last.stored().version()) {
          return true;
        }
      }
    }
    return false;
  }

  private static boolean isGood(byte[] file, int base, Form form) {
    return goodEntry(file, base, form) != null;
  }

  private static @Nullable Entry goodEntry(byte[] file, int base, @Nullable Form form) {
    if (form == null) {
      return null;
    }
    try {
      return new Parser(file, base, form).entry();
    } catch (BadEntryException e) {
      return null;
    }
  }

  /**
   * What the last parts of a header say, which have their place from its end. Not checked.
   *
   * @param offset where the entry begins in the bytes that were read
   * @param headerEnd where its header ends
   * @param end where it ends
   */
  private record Form(
      int offset, int headerEnd, int end, boolean marked, int room, String after, String hash) {}

  /** The form of an entry; null if it has none. */
  private static @Nullable Form form(byte[] file, int at, boolean marked) {
    int headerEnd = headerEnd(file, at);
    int hashAt = headerEnd - 2 - HASH_CHARS;
    int lengthEnd = hashAt - HASH_PART.length();
    int lengthAt = digitsBefore(file, lengthEnd);
    int afterAt = lengthAt - LENGTH_PART.length() - AFTER_CHARS;
    int roomEnd = afterAt - AFTER_PART.length();
    int roomAt = digitsBefore(file, roomEnd);
    if (headerEnd < 0
        || roomAt - ROOM_PART.length() < at
        || !matches(file, lengthEnd, HASH_PART)
        || !matches(file, lengthAt - LENGTH_PART.length(), LENGTH_PART)
        || !matches(file, roomEnd, AFTER_PART)
        || contains(file, at, lengthEnd, HASH_PART) // then the line feed of a header is gone
        || !matches(file, roomAt - ROOM_PART.length(), ROOM_PART)) {
      return null;
    }
    long end = headerEnd + 1L + number(file, lengthAt, lengthEnd) + 1L;
    if (end > file.length) {
      return null;
    }
    return new Form(
        at,
        headerEnd,
        (int) end,
        marked,
        (int) number(file, roomAt, roomEnd),
        ascii(file, afterAt, AFTER_CHARS),
        ascii(file, hashAt, HASH_CHARS));
  }

  /** Where the digits begin that end somewhere. */
  private static int digitsBefore(byte[] file, int end) {
    int at = end;
    while (at > 0 && end - at < MAX_DIGITS && file[at - 1] >= '0' && file[at - 1] <= '9') {
      at--;
    }
    return at;
  }

  private static long number(byte[] file, int from, int to) {
    long number = 0;
    for (int i = from; i < to; i++) {
      number = 10 * number + file[i] - '0';
    }
    return number;
  }

  private static String ascii(byte[] file, int from, int length) {
    return new String(file, from, length, StandardCharsets.US_ASCII);
  }

  /**
   * Whether an entry is the one that was written after another. Data that looks like an entry is
   * not taken for one, also if a length is damaged: it cannot have a part of its own checksum.
   */
  private static boolean isNext(Form form, @Nullable Form previous, int base) {
    return previous == null
        ? base > 0 || form.after().equals(FIRST)
        : previous.hash().startsWith(form.after());
  }

  private static int headerEnd(byte[] file, int at) {
    int limit = Math.min(file.length, at + MAX_HEADER);
    for (int i = at; i < limit; i++) {
      if (file[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  private static boolean contains(byte[] file, int from, int to, String text) {
    for (int i = from; i < to; i++) {
      if (file[i] == text.charAt(0) && matches(file, i, text)) {
        return true;
      }
    }
    return false;
  }

  private static boolean matches(byte[] file, int at, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (at + i < 0 || at + i >= file.length || file[at + i] != text.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  private static int distance(byte[] file, int at, byte[] pattern) {
    int different = 0;
    for (int i = 0; i < pattern.length; i++) {
      if (at + i >= file.length || file[at + i] != pattern[i]) {
        different++;
      }
    }
    return different;
  }

  private static final class BadEntryException extends Exception {
    private static final long serialVersionUID = 1L;

    BadEntryException(String message) {
      super(message);
    }
  }

  /** Reads one entry. The hash is checked before anything that was read is used. */
  private static final class Parser {
    private final byte[] file;
    private final int base;
    private final int offset;
    private final Form form;
    private final int headerEnd;
    private int at;

    Parser(byte[] file, int base, Form form) {
      this.file = file;
      this.base = base;
      this.offset = form.offset();
      this.form = form;
      this.headerEnd = form.headerEnd();
      this.at = offset + HASHED_FROM;
    }

    Entry entry() throws BadEntryException {
      expect("\",\"boot\":");
      String boot = string();
      expect(",\"format\":");
      long format = number();
      expect(",\"partition\":");
      String partition = string();
      expect(",\"id\":");
      String id = string();
      expect(",\"version\":");
      long version = number();
      expect(",\"active\":");
      boolean active = file[at] == 't';
      expect(active ? "true" : "false");
      expect(",\"expiresAt\":");
      Long expiry = file[at] == 'n' ? null : (Long) number();
      if (expiry == null) {
        expect("null");
      }
      expect(",\"writeId\":");
      String writeId = string();
      expect(ROOM_PART);
      number();
      expect(AFTER_PART);
      expect(form.after());
      expect(LENGTH_PART);
      long length = number();
      expect(HASH_PART);
      int hashedTo = at;
      int dataAt = headerEnd + 1;
      int dataEnd = form.end() - 1;
      if (headerEnd != at + HASH_CHARS + 2 || length != dataEnd - dataAt) {
        throw new BadEntryException("an entry is not as long as it says");
      }
      String hash = checkHash(hashedTo, dataAt, dataEnd);
      if (format != FORMAT) {
        throw new BadEntryException("an entry has the format " + format + ", which is not known");
      }
      try {
        RecordValue value =
            new RecordValue(
                Bytes.unsafeWrap(Arrays.copyOfRange(file, dataAt, dataEnd)),
                active,
                expiry == null ? null : Instant.ofEpochMilli(expiry),
                writeId);
        return new Entry(
            base + offset,
            base + form.end(),
            form.marked(),
            boot,
            form.room(),
            hash,
            new VersionedRecord(new RecordKey(partition, id), value, version));
      } catch (IllegalArgumentException e) {
        throw new BadEntryException("an entry has a part that no record can have");
      }
    }

    private String checkHash(int hashedTo, int dataAt, int dataEnd) throws BadEntryException {
      MessageDigest digest = Names.sha256();
      digest.update(file, offset + HASHED_FROM, hashedTo - offset - HASHED_FROM);
      digest.update(file, dataAt, dataEnd - dataAt);
      byte[] actual = digest.digest();
      String stored = new String(file, hashedTo, HASH_CHARS, StandardCharsets.US_ASCII);
      if (!stored.equals(HexFormat.of().formatHex(actual))) {
        throw new BadEntryException("the checksum of an entry differs");
      }
      return stored;
    }

    private void expect(String text) throws BadEntryException {
      for (int i = 0; i < text.length(); i++) {
        if (at >= headerEnd || file[at] != text.charAt(i)) {
          throw new BadEntryException("the header of an entry is damaged");
        }
        at++;
      }
    }

    private long number() throws BadEntryException {
      int from = at;
      while (at < headerEnd && (file[at] == '-' || (file[at] >= '0' && file[at] <= '9'))) {
        at++;
      }
      try {
        return Long.parseLong(new String(file, from, at - from, StandardCharsets.US_ASCII));
      } catch (NumberFormatException e) {
        throw new BadEntryException("the header of an entry is damaged");
      }
    }

    private String string() throws BadEntryException {
      expect("\"");
      byte[] text = new byte[headerEnd - at];
      int length = 0;
      while (at < headerEnd && file[at] != '"') {
        byte b = file[at++];
        if (b == '\\') {
          if (at >= headerEnd) {
            throw new BadEntryException("the header of an entry is damaged");
          }
          b = file[at++];
          if (b == 'u') {
            if (at + 4 > headerEnd) {
              throw new BadEntryException("the header of an entry is damaged");
            }
            String hex = new String(file, at + 2, 2, StandardCharsets.US_ASCII);
            try {
              b = (byte) HexFormat.fromHexDigits(hex);
            } catch (IllegalArgumentException e) {
              throw new BadEntryException("the header of an entry is damaged");
            }
            at += 4;
          }
        }
        text[length++] = b;
      }
      expect("\"");
      return new String(text, 0, length, StandardCharsets.UTF_8);
    }
  }
}
