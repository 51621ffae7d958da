// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.now;
import static io.taskstore.contract.Samples.value;
import static io.taskstore.contract.Samples.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Statements D: every well-formed text is a key, and no two of them meet. */
abstract class KeyStatements extends ConcurrencyStatements {
  private static final List<String> SEPARATORS =
      List.of(
          // What somebody might make of another of these is among them too.
          "/",
          "\\",
          "'",
          "\"",
          " ",
          "\n",
          "\r",
          "a",
          "b",
          "a\n",
          "a\r",
          "a'b",
          "a\"b",
          "a/b",
          "a b",
          "../",
          "..\\",
          "//",
          "\\\\",
          "../..",
          "..\\..",
          "/../",
          "/./",
          "./",
          "/a",
          "a/",
          "/a/",
          "a//b",
          "a///b",
          "a/../b",
          "a/./b",
          "\\a",
          "a\\",
          "a\\\\b",
          "a\\b",
          " a",
          "a ",
          "  ",
          "a  b",
          "\ta",
          "\r\n",
          "a\r\n",
          "\n\n",
          "'a'",
          "\"a\"",
          "''",
          "\"\"",
          "a''b",
          "\\'",
          "\\\"",
          "`a`",
          "a\0b",
          "\0\0",
          "a\0",
          "a,b",
          "a;b",
          "a=b",
          "a&b",
          "a::b",
          "a:b:c",
          "::",
          "##",
          "#a",
          "a#",
          "a|b",
          "<a>",
          "(a)",
          "a+b",
          "@a",
          "!a",
          "~",
          "~/a",
          "$a",
          "$$",
          "=a");

  private static final List<String> UNICODE =
      List.of(
          // The edges of UTF-8's lengths and of the surrogates, and both sides of what UTF-16 sorts
          // elsewhere.
          "\u007f",
          "\u0080",
          "\u07ff",
          "\u0800",
          "\ud7ff",
          "\ue000",
          "\uf8ff",
          "\ufffd",
          "\ufffe",
          "\uffff",
          "\ud800\udc00",
          "\udbff\udfff",
          "a\uffff",
          "a\ud800\udc00",
          "\uffffa",
          "\ud800\udc00a",
          "\uff5e",
          "\ud83d\ude00",
          // Letters of many scripts, and marks that combine.
          "\u00e4\u00f6\u00fc",
          "\u03b1\u03b2\u03b3",
          "\u0436\u0438",
          "\u05d0\u05d1",
          "\u0627\u0644",
          "\u0915\u094d\u0937",
          "\u0e01\u0e33",
          "\u4e2d\u6587",
          "\u3042",
          "\uac00",
          "a\u0301\u0302",
          "\u0301",
          "\u20ac",
          // Emoji of several code points.
          "\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67",
          "\ud83c\udde9\ud83c\uddea",
          "\ud83d\udc4d\ud83c\udffd",
          "\u2764",
          "\u2764\ufe0f",
          // What is not seen: blanks, marks of direction and order, nothing at all.
          "\u00a0",
          "\u2003",
          "\u3000",
          "\u200b",
          "\u200d",
          "\u200e",
          "\u202e",
          "\u2028",
          "\u2029",
          "\u0085",
          "\ufeff",
          "\ufeffa",
          "a\ufeff",
          "\u00ad",
          "a\u00adb",
          "ab",
          "\u2060",
          // The same to the eye, or to a normalization, and not the same.
          "\u00e9",
          "e\u0301",
          "\u212b",
          "\u00c5",
          "A\u030a",
          "\ufb01",
          "fi",
          "\uff41",
          "a",
          "\u0430",
          "\u2126",
          "\u03a9",
          "\u1100\u1161",
          "\u00bd",
          "1\u20442",
          "\u2460",
          "1",
          "\u0661",
          "\u1e9b\u0323",
          "\u017f\u0323\u0307",
          "\u0344",
          "\u0308\u0301");

  private static final List<String> CASES =
      List.of(
          "a",
          "A",
          "ab",
          "Ab",
          "aB",
          "AB",
          "\u00e4",
          "\u00c4",
          "\u00df",
          "ss",
          "SS",
          "Ss",
          "\u1e9e",
          "i",
          "I",
          "\u0131",
          "\u0130",
          "i\u0307",
          "\u03c3",
          "\u03c2",
          "\u03a3",
          "k",
          "K",
          "\u212a",
          "s",
          "S",
          "\u017f",
          "\ud801\udc00",
          "\ud801\udc28",
          "\u01c4",
          "\u01c5",
          "\u01c6",
          "\uff21",
          "\uff41",
          "task-ID",
          "task-id",
          "TASK-ID");

  private static final List<String> FILE_NAMES =
      List.of(
          "CON",
          "con",
          "Con",
          "CON.txt",
          "con.json",
          "CON.",
          "CON ",
          "PRN",
          "AUX",
          "NUL",
          "nul",
          "NUL.txt",
          "COM1",
          "COM9",
          "LPT1",
          "COM\u00b9",
          "CONIN$",
          "CLOCK$",
          ".",
          "..",
          "...",
          "....",
          ". ",
          ".. ",
          " .",
          ".tmp",
          "a.tmp",
          ".a",
          "a",
          "a.",
          "a..",
          "a ",
          "a. ",
          "a .",
          " a",
          "-",
          "--",
          "-a",
          "-rf",
          "--help",
          "~",
          "~a",
          "a~",
          "A~1",
          "a:b",
          "a::$DATA",
          "a:$DATA",
          "$MFT",
          "$Extend",
          "C:",
          "C:\\a",
          "c:a",
          "\\\\?\\a",
          "\\\\.\\a",
          "/dev/null",
          ".DS_Store",
          "._a",
          "Thumbs.db",
          "desktop.ini",
          ".git",
          ".lock",
          "a.lock",
          "LOCK",
          "lock",
          ".gitignore",
          "index",
          "_index",
          "meta",
          "data",
          "tmp",
          "a.json",
          "a.bak",
          "a.old",
          "a.new",
          "0",
          "00",
          "-0",
          "1",
          "01",
          "1.0",
          "1e0",
          "null",
          "NULL",
          "undefined",
          "true",
          "NaN",
          "__proto__",
          "constructor",
          "_id",
          "id",
          "_",
          "__",
          "a.b",
          "a_b",
          "a-b");

  private static final List<String> ESCAPES =
      List.of(
          "a/b",
          "a%2Fb",
          "a%2fb",
          "a%252Fb",
          "a%252fb",
          "a%25252Fb",
          "a__0x2f__b",
          "a__0x2F__b",
          "a__0x5f____0x5f__0x2f__b",
          "a_2f_b",
          "a_2Fb",
          "a_2fb",
          "a__2fb",
          "a_b",
          "a__b",
          "a___b",
          "a=2Fb",
          "a=2fb",
          "a+2Fb",
          "a~1b",
          "a~0b",
          "a~01b",
          "a~b",
          "a~2fb",
          "a!2fb",
          "a$2fb",
          "a@2fb",
          "a#2fb",
          "a^2fb",
          "a.2fb",
          "a-2fb",
          "a\\/b",
          "a\\b",
          "a\\\\b",
          "a\\u002fb",
          "a\\x2fb",
          "a\\057b",
          "a\\2fb",
          "a&#47;b",
          "a&#x2f;b",
          "a&sol;b",
          "a\u2215b",
          "a\uff0fb",
          "a\u2044b",
          "a:b",
          "a%3Ab",
          "a%3ab",
          "a::b",
          "a\\:b",
          "a%3A%3Ab",
          "a b",
          "a+b",
          "a%20b",
          "a%2Bb",
          "a%2520b",
          "%",
          "%%",
          "%2",
          "%25",
          "%2525",
          "%zz",
          "%00",
          "a%00",
          "a\0",
          "a\\0",
          "_",
          "__",
          "=",
          "==",
          "=3D",
          "\\",
          "\\\\",
          "~",
          "~~",
          "~0",
          "~1",
          "!",
          "!!",
          "ab",
          "a",
          "b",
          "YS9i",
          "YS9i=",
          "612f62",
          "0x612f62",
          "a|b",
          "a%7Cb",
          "a.b",
          "a%2Eb",
          "..",
          "%2e%2e",
          "%2E%2E",
          ".",
          "%2E",
          "%C3%A9",
          "%c3%a9",
          "\u00e9",
          "\u00c3\u00a9",
          "\\u00e9",
          "xn--9ca",
          "A",
          "%41",
          "%61",
          "^a",
          "^A",
          "a%",
          "a%2",
          "a%2F",
          "a/");

  private static final List<String> NESTED =
      List.of(
          "a",
          "a/",
          "a//",
          "a/b",
          "a/b/",
          "a/b/c",
          "a/b/c/d",
          "a/bc",
          "ab",
          "ab/c",
          "/a",
          "/",
          "//",
          "a/.",
          "a/..",
          "a/../a",
          "./a",
          "b",
          "b/a",
          "b/c",
          "c/d/e/f/g/h",
          "a.json",
          "a/b.json",
          "a\\b",
          "a\\b\\c",
          "a:b",
          "a:b:c",
          "a.b",
          "a.b.c",
          "a0",
          "a-");

  private static final List<String> PATTERNS =
      List.of(
          "%",
          "%%",
          "_",
          "__",
          "*",
          "**",
          "?",
          "??",
          "[",
          "]",
          "[]",
          "^",
          "{",
          "}",
          "{}",
          "\\",
          "\\\\",
          "a",
          "b",
          "c",
          "ab",
          "abc",
          "aab",
          "a%",
          "%a",
          "a%c",
          "a_",
          "_b",
          "a_c",
          "a*",
          "*b",
          "a*c",
          "a**",
          "a?",
          "?b",
          "a?c",
          "[a]",
          "[ab]",
          "[a-z]",
          "[^a]",
          "[!a]",
          "[^-a]",
          "{a}",
          "{a,b}",
          "{}a",
          "\\a",
          "\\*",
          "\\%",
          "a\\",
          ".",
          ".*",
          ".+",
          "a.c",
          "^a",
          "a$",
          "^a$",
          "(a|b)",
          "a|b",
          "a+",
          "a{1}",
          "\\d",
          "\\w",
          "\\Qa\\E",
          "$",
          "+",
          "()",
          "!",
          "-",
          "a-c",
          "&&",
          "#",
          "[[:alpha:]]",
          "**/a",
          "%_%",
          "\\_",
          "[%]",
          "[_]");

  private static final List<String> INJECTIONS =
      List.of(
          // SQL
          "'; DROP TABLE records; --",
          "' OR '1'='1",
          "\" OR \"\"=\"",
          "1; DELETE FROM records",
          "') ; TRUNCATE records; --",
          "' UNION SELECT * FROM records --",
          "a' --",
          "/* a */",
          "--",
          "\\'; DROP TABLE records; --",
          "?",
          "?1",
          ":a",
          "@a",
          "$1",
          "$a$",
          "E'\\x27'",
          "a\\",
          // Lua
          "\"..redis.call('FLUSHALL')..\"",
          "'..redis.call('FLUSHALL')..'",
          "]] .. 1 --[[",
          "end redis.call('FLUSHDB') --",
          "[[a]]",
          "KEYS[1]",
          "ARGV[1]",
          "%1",
          "%d",
          "%s",
          // RESP
          "\r\nFLUSHALL\r\n",
          "a\r\nFLUSHALL\r\nb",
          "*1\r\n$8\r\nFLUSHALL\r\n",
          "+OK\r\n",
          "-ERR a\r\n",
          "$-1\r\n",
          ":0\r\n",
          "*0\r\n",
          "\nQUIT\n",
          // Expressions
          "attribute_not_exists(id)",
          "#a",
          ":v",
          "SET a = :b",
          "REMOVE a",
          "${a}",
          "$(id)",
          "`id`",
          "#{1+1}",
          "{{1+1}}",
          "%{1+1}",
          "${jndi:ldap://localhost/a}",
          "{\"$gt\":\"\"}",
          "$where",
          "$ne",
          "__class__",
          "{0}",
          "%n",
          "%s%s%s%n",
          "<a/>",
          "&a;",
          "<!--",
          "]]>",
          "<script>",
          "!a",
          "=1+1",
          "@SUM(1)",
          "; ls",
          "| ls",
          "&& ls",
          "> a",
          "< a",
          "\u001b[2J",
          // Paths
          "../../../../etc/passwd",
          "..\\..\\..\\a",
          "/etc/passwd",
          "C:\\a",
          "\\\\host\\share",
          "file:///etc/passwd",
          "%2e%2e%2f",
          "..%2f",
          "..%c0%af",
          "....//",
          "a/../../b",
          "~root",
          "/proc/self/environ",
          "a\0.txt",
          "http://localhost/",
          "//localhost/a");

  private static final List<String> JOINERS =
      List.of(
          ":",
          "::",
          "#",
          "/",
          "//",
          "\\",
          "|",
          "-",
          "_",
          "__",
          ".",
          ",",
          ";",
          "+",
          "=",
          "@",
          "~",
          "!",
          "$",
          "&",
          "*",
          "%",
          " ",
          "\0",
          "\t",
          "\n",
          "\r\n",
          "\u001f",
          "\u00a7",
          "{",
          "}",
          "}{",
          "%3A",
          "%2F",
          "\uffff",
          "\ud83d\ude00");

  @Test
  final void d1_everyAsciiCharacter_isExactInIds() {
    assertIdsAreApart(asciiTexts());
  }

  @Test
  final void d1_everyAsciiCharacter_isExactInPartitions() throws Exception {
    assertPartitionsAreApart(asciiTexts());
  }

  @Test
  final void d1_everyAsciiCharacterInsideAndAtTheEnds_isExactInIds() {
    List<String> texts = new ArrayList<>();
    for (char c = 0; c < 0x80; c++) {
      if (!Character.isLetterOrDigit(c)) {
        texts.add("a" + c + "b");
        texts.add(c + "b");
        texts.add("a" + c);
      }
    }
    assertIdsAreApart(texts);
  }

  @Test
  final void d1_separatorsQuotesAndBlanks_areExactInIds() {
    assertIdsAreApart(SEPARATORS);
  }

  @Test
  final void d1_separatorsQuotesAndBlanks_areExactInPartitions() throws Exception {
    assertPartitionsAreApart(SEPARATORS);
  }

  @Test
  final void d2_unicode_isExactInIds() {
    assertIdsAreApart(UNICODE);
  }

  @Test
  final void d2_unicode_isExactInPartitions() throws Exception {
    assertPartitionsAreApart(UNICODE);
  }

  @Test
  final void d2_normalizationForms_areTwoKeys() {
    RecordKey composed = key("caf\u00e9");
    RecordKey decomposed = key("cafe\u0301");
    VersionedRecord first = insert(backend(), composed, value("composed"));
    assertAbsentEverywhere(decomposed);
    VersionedRecord second = insert(other(), decomposed, value("decomposed"));
    assertHeld("creating both forms", first, second);

    assertThat(backend().deleteIfVersion(composed, 1)).isEqualTo(Deleted.DELETED);
    assertHeld("deleting the composed form", second);
  }

  @Test
  final void d3_loneSurrogates_areRefusedByTheKey() {
    for (String text :
        List.of(
            "\ud800",
            "\udbff",
            "\udc00",
            "\udfff",
            "a\ud83d",
            "\ude00a",
            "a\ud83db",
            "a\ude00b",
            "\ude00\ud83d",
            "\ud83d\ud83d\ude00",
            "\ud83d\ude00\ude00",
            "\ud83d ")) {
      assertRefused(text, "a lone surrogate");
    }
  }

  @Test
  final void d4_emptyParts_areRefusedByTheKey() {
    assertRefused("", "an empty text");
    assertThatIllegalArgumentException().isThrownBy(() -> new RecordKey("", ""));
  }

  @Test
  final void d5_partsOneByteTooLong_areRefusedByTheKey() {
    for (String longest : longest(RecordKey.MAX_PARTITION_BYTES)) {
      assertThatIllegalArgumentException()
          .as("a partition of one byte more than the limit")
          .isThrownBy(() -> new RecordKey(longest + "a", "id"));
      assertThatIllegalArgumentException()
          .as("a listing of a partition of one byte more than the limit")
          .isThrownBy(() -> new ListQuery("a" + longest, null, false, 1));
    }
    for (String longest : longest(RecordKey.MAX_ID_BYTES)) {
      assertThatIllegalArgumentException()
          .as("an id of one byte more than the limit")
          .isThrownBy(() -> new RecordKey("partition", longest + "a"));
      assertThatIllegalArgumentException()
          .as("a cursor of one byte more than the limit")
          .isThrownBy(() -> new ListQuery("partition", "a" + longest, false, 1));
    }
    // Fewer characters than the limit has bytes, and yet too long.
    assertThatIllegalArgumentException()
        .as("an id of wide characters")
        .isThrownBy(() -> new RecordKey("partition", "\u20ac".repeat(171)));
    assertThatIllegalArgumentException()
        .as("a partition of wide characters")
        .isThrownBy(() -> new RecordKey("\ud83d\ude00".repeat(276), "id"));
  }

  @Test
  final void d5_idsOfExactlyTheLimit_work() {
    List<String> ids = new ArrayList<>();
    for (String longest : longest(RecordKey.MAX_ID_BYTES)) {
      ids.add(longest);
      // Whoever cuts or shortens a key makes one of these.
      ids.add(withoutTheLastCharacter(longest));
      ids.add(withoutTheLastCharacter(longest) + "z");
      ids.add("z" + withoutTheLastCharacter(longest));
    }
    assertIdsAreApart(ids);
  }

  @Test
  final void d5_partitionsOfExactlyTheLimit_work() throws Exception {
    List<String> partitions = new ArrayList<>();
    for (String longest : longest(RecordKey.MAX_PARTITION_BYTES)) {
      partitions.add(longest);
      partitions.add(withoutTheLastCharacter(longest));
      partitions.add(withoutTheLastCharacter(longest) + "z");
      partitions.add("z" + withoutTheLastCharacter(longest));
    }
    assertPartitionsAreApart(partitions);
  }

  @Test
  final void d5_bothPartsOfExactlyTheLimit_work() throws Exception {
    List<RecordKey> keys = new ArrayList<>();
    for (String partition : longest(RecordKey.MAX_PARTITION_BYTES)) {
      for (String id : longest(RecordKey.MAX_ID_BYTES)) {
        keys.add(new RecordKey(partition, id));
      }
    }
    BackendStorage own = newStorage();
    assertApart(open(own), open(own), keys);
  }

  @Test
  final void d6_case_mattersInIds() {
    assertIdsAreApart(CASES);
  }

  @Test
  final void d6_case_mattersInPartitions() throws Exception {
    assertPartitionsAreApart(CASES);
  }

  @Test
  final void d7_namesThatFileSystemsReserve_arePlainIds() {
    assertIdsAreApart(FILE_NAMES);
  }

  @Test
  final void d7_namesThatFileSystemsReserve_arePlainPartitions() throws Exception {
    assertPartitionsAreApart(FILE_NAMES);
  }

  @Test
  final void d8_escapedForms_areKeysOfTheirOwnInIds() {
    assertIdsAreApart(ESCAPES);
  }

  @Test
  final void d8_escapedForms_areKeysOfTheirOwnInPartitions() throws Exception {
    assertPartitionsAreApart(ESCAPES);
  }

  @Test
  final void d9_idsWithinEachOther_standSideBySide() {
    assertIdsAreApart(NESTED);
  }

  @Test
  final void d9_idsWithinEachOtherInReverse_standSideBySide() {
    List<String> reversed = new ArrayList<>(NESTED);
    Collections.reverse(reversed);
    assertIdsAreApart(reversed);
  }

  @Test
  final void d9_partitionsWithinEachOther_standSideBySide() throws Exception {
    assertPartitionsAreApart(NESTED);
  }

  @Test
  final void d9_partitionsAndIdsThatJoinToOnePath_standSideBySide() throws Exception {
    List<RecordKey> keys = new ArrayList<>();
    for (String partition : List.of("a", "a/", "a/b", "a/b/c", "/a", "ab")) {
      for (String id : List.of("a", "b", "c", "b/c", "b/c/d", "/b", "c/d", "d", "a/b")) {
        keys.add(new RecordKey(partition, id));
      }
    }
    BackendStorage own = newStorage();
    assertApart(open(own), open(own), keys);
  }

  @Test
  final void d10_patternCharacters_areLiteralInIds() {
    assertIdsAreApart(PATTERNS);
  }

  @Test
  final void d10_patternCharacters_areLiteralInPartitions() throws Exception {
    assertPartitionsAreApart(PATTERNS);
  }

  @Test
  final void d10_deletesAndListingsOfPatterns_meanThemselves() throws Exception {
    BackendStorage own = newStorage();
    StorageBackend writer = open(own);
    StorageBackend reader = open(own);
    List<VersionedRecord> plain = new ArrayList<>();
    for (String id : List.of("a", "ab", "abc", "b")) {
      plain.add(insert(writer, new RecordKey("abc", id), value("data of " + id, true, inDays(1))));
    }
    for (String pattern : List.of("*", "%", "?", "_", "a*", "a%", "[a-z]", "^a", ".*", "{a,ab}")) {
      RecordKey key = new RecordKey("abc", pattern);
      assertThat(reader.get(key)).as("get of %s", key).isEmpty();
      assertThat(writer.delete(key)).as("delete of %s", key).isFalse();
      assertThat(writer.deleteIfVersion(key, 1)).isEqualTo(Conflict.ABSENT);
      assertContents("nothing", reader, pattern, List.of(), 10);
      assertThat(reader.createWithin(new RecordKey(pattern, "a"), value("data"), 1, now()))
          .as("a create in the partition %s, which is empty", pattern)
          .isEqualTo(Created.CREATED);
      assertThat(writer.delete(new RecordKey(pattern, "a")))
          .as("delete in the partition %s", pattern)
          .isTrue();
      assertContents("calls with the pattern " + pattern, reader, "abc", plain, 10);
    }
  }

  @Test
  final void d11_injections_areStoredVerbatimAsIds() {
    VersionedRecord bystander =
        insert(backend(), new RecordKey(partition() + "-bystander", "a"), value("bystander"));

    assertIdsAreApart(INJECTIONS);

    for (StorageBackend instance : instances()) {
      String elsewhere = bystander.key().partition();
      assertContents("storing injections", instance, elsewhere, List.of(bystander), 10);
    }
  }

  @Test
  final void d11_injections_areStoredVerbatimAsPartitions() throws Exception {
    VersionedRecord bystander = insert(backend(), key("bystander"), value("bystander"));

    assertPartitionsAreApart(INJECTIONS);

    assertHeld("storing injections beside this storage", bystander);
  }

  @Test
  final void d11_injections_areStoredVerbatimAsDataAndWriteIds() {
    List<VersionedRecord> all = new ArrayList<>();
    for (String text : INJECTIONS) {
      // A write id has no blanks and is unique.
      StringBuilder writeId = new StringBuilder();
      text.chars().filter(c -> c > ' ' && c < 0x7F).forEach(c -> writeId.append((char) c));
      writeId.append(all.size());
      Bytes data = Bytes.copyOf(text.getBytes(StandardCharsets.UTF_8));
      RecordValue value = new RecordValue(data, all.size() % 2 == 0, null, writeId.toString());
      all.add(insert(backend(), key("key" + all.size()), value));
    }
    assertHeld("storing injections", all.toArray(VersionedRecord[]::new));
  }

  @Test
  final void d12_partitionsWithBracesColonsAndHashes_work() throws Exception {
    assertPartitionsAreApart(
        List.of(
            "{",
            "}",
            ":",
            "#",
            "{}",
            "}{",
            "{a}",
            "{a",
            "a}",
            "a{b}c",
            "{a}{b}",
            "{{a}}",
            "{}a",
            "a{}",
            "{}{a}",
            "{:}",
            "{#}",
            "a:b",
            "a#b",
            "a:",
            ":a",
            "a::b",
            "#a",
            "a#",
            "##",
            "a",
            "b",
            "ab",
            "{b}",
            "{a}b",
            "a{b}",
            "b{a}",
            "b:a",
            "{a:b}",
            "{a}:b",
            "user:{a}#b"));
  }

  @Test
  final void d12_idsWithBracesColonsAndHashes_workInPartitionsWithThem() throws Exception {
    List<RecordKey> keys = new ArrayList<>();
    for (String partition : List.of("{", "}", "{a}", "{}", "a:b", "a#b", "a", "}:{")) {
      for (String id : List.of("{", "}", "{a}", "{}", ":", "#", "a:b", "b", "a}")) {
        keys.add(new RecordKey(partition, id));
      }
    }
    BackendStorage own = newStorage();
    assertApart(open(own), open(own), keys);
  }

  @Test
  final void d12_partsThatJoinToTheSameText_areTwoRecords() throws Exception {
    BackendStorage own = newStorage();
    StorageBackend writer = open(own);
    StorageBackend reader = open(own);
    List<RecordKey> left = new ArrayList<>();
    List<RecordKey> right = new ArrayList<>();
    for (String joiner : JOINERS) {
      left.add(new RecordKey("a" + joiner + "b", "c"));
      right.add(new RecordKey("a", "b" + joiner + "c"));
    }
    // The right ones are looked for while only the left ones are there.
    List<VersionedRecord> stored = new ArrayList<>();
    for (RecordKey key : left) {
      stored.add(insert(writer, key, value("the left one of " + key)));
    }
    for (RecordKey key : right) {
      assertThat(reader.get(key)).as("get of %s, which is not stored", key).isEmpty();
    }
    assertContents("nothing", reader, "a", List.of(), 100);
    for (RecordKey key : right) {
      insert(writer, key, value("the right one of " + key));
    }
    for (VersionedRecord expected : stored) {
      assertContents("all writes", reader, expected.key().partition(), List.of(expected), 100);
    }
    for (RecordKey key : right) {
      assertThat(writer.deleteIfVersion(key, 1)).isEqualTo(Deleted.DELETED);
    }
    for (VersionedRecord expected : stored) {
      assertThat(reader.get(expected.key())).as("get of %s", expected.key()).contains(expected);
    }
  }

  @Test
  final void d12_shortestPartsThatJoinToTheSameText_areTwoRecords() throws Exception {
    List<RecordKey> keys = new ArrayList<>();
    for (String joiner : List.of(":", "#", "/", "|", "\0", "{", "}", "%")) {
      keys.add(new RecordKey(joiner, joiner + joiner));
      keys.add(new RecordKey(joiner + joiner, joiner));
      keys.add(new RecordKey(joiner, joiner));
      keys.add(new RecordKey("a" + joiner, "b"));
      keys.add(new RecordKey("a", joiner + "b"));
    }
    keys.add(new RecordKey("a", "bc"));
    keys.add(new RecordKey("ab", "c"));
    // Lengths in front do not keep these apart if the digits run into the texts.
    keys.add(new RecordKey("1", "11:a"));
    keys.add(new RecordKey("1:1", "1:a"));
    keys.add(new RecordKey("11", "1:a"));
    BackendStorage own = newStorage();
    assertApart(open(own), open(own), keys);
  }

  @Test
  final void d14_partitionsThatAreEachOthersPrefix_areApart() throws Exception {
    assertPartitionsAreApart(
        List.of(
            "owner1",
            "owner10",
            "owner100",
            "owner",
            "owner1 ",
            "owner1:",
            "owner1/",
            "owner1\0",
            "owner1.",
            "owner1\uffff",
            "owner2",
            "Owner1",
            "o",
            "owner1owner1",
            "1",
            "10"));
  }

  @Test
  final void d14_partitions_haveOrderLimitAndVersionsOfTheirOwn() throws Exception {
    BackendStorage own = newStorage();
    StorageBackend writer = open(own);
    StorageBackend reader = open(own);
    List<VersionedRecord> neighbours = new ArrayList<>();
    List<String> names = List.of("owner", "owner10", "owner1:", "owner1/id", "owner0", "owner2");
    for (String partition : names) {
      for (String id : List.of("a", "id", "z")) {
        RecordKey key = new RecordKey(partition, id);
        write(writer, key, value("1"), 0);
        neighbours.add(write(writer, key, value("2", true, inDays(1)), 1));
      }
    }
    assertContents("nothing", reader, "owner1", List.of(), 2);

    RecordKey key = new RecordKey("owner1", "id");
    RecordValue value = value("data");
    assertThat(writer.putIfVersion(key, value, 2))
        .as("a write with a version of the other partitions")
        .isEqualTo(Conflict.ABSENT);
    assertThat(writer.createWithin(key, value, 1, now()))
        .as("a create beside full partitions")
        .isEqualTo(Created.CREATED);
    assertThat(reader.createWithin(new RecordKey("owner1", "x"), value("more"), 1, now()))
        .as("a create in the partition, which is full now")
        .isEqualTo(Full.FULL);
    VersionedRecord created = new VersionedRecord(key, value, 1);
    assertContents("creating", reader, "owner1", List.of(created), 1);
    for (String after : List.of("a", "id", "i", "z")) {
      ListQuery query = new ListQuery("owner1", after, false, 10);
      boolean follows = RecordKey.compareIds(after, "id") < 0;
      assertThat(reader.list(query).records())
          .as("the listing after %s", after)
          .isEqualTo(follows ? List.of(created) : List.of());
    }

    assertThat(writer.delete(key)).as("delete of a stored key").isTrue();
    for (int i = 0; i < names.size(); i++) {
      List<VersionedRecord> expected = neighbours.subList(3 * i, 3 * i + 3);
      assertContents("a delete beside it", reader, names.get(i), expected, 2);
    }
  }

  @Test
  final void d14_storagesSideBySide_areApart() throws Exception {
    StorageBackend here = open(newStorage());
    StorageBackend there = open(newStorage());
    Instant past = now().minus(Duration.ofDays(1));
    List<RecordKey> keys = new ArrayList<>();
    for (String partition : List.of("a", "a:b", "{a}", "/")) {
      for (String id : List.of("a", "b", "b:c", "../a")) {
        keys.add(new RecordKey(partition, id));
      }
    }
    Map<String, List<VersionedRecord>> held = new LinkedHashMap<>();
    for (RecordKey key : keys) {
      VersionedRecord stored = insert(here, key, value("here", true, inDays(1)));
      held.computeIfAbsent(key.partition(), p -> new ArrayList<>()).add(stored);
      assertThat(there.get(key)).as("get of %s in the other storage", key).isEmpty();
    }
    for (String partition : held.keySet()) {
      assertContents("writes in the other storage", there, partition, List.of(), 10);
    }

    // What is done there, of any kind, does not show here.
    for (RecordKey key : keys) {
      assertThat(there.putIfVersion(key, value("there"), 1)).isEqualTo(Conflict.ABSENT);
      assertThat(there.deleteIfVersion(key, 1)).isEqualTo(Conflict.ABSENT);
      write(there, key, value("there", true, past), 0);
    }
    assertThat(there.createWithin(new RecordKey("a", "z"), value("there"), 1, now()))
        .as("a create in a partition that is full in the other storage only")
        .isEqualTo(Created.CREATED);
    there.purgeExpired(now(), 1_000);
    for (RecordKey key : keys) {
      there.delete(key);
    }
    for (Map.Entry<String, List<VersionedRecord>> entry : held.entrySet()) {
      assertContents("all in the other storage", here, entry.getKey(), entry.getValue(), 10);
    }
    there.close();
    for (Map.Entry<String, List<VersionedRecord>> entry : held.entrySet()) {
      assertContents("closing the other storage", here, entry.getKey(), entry.getValue(), 10);
    }
  }

  // --- what the statements about keys share --------------------------------------------------

  /** Every ASCII character by itself, twice, and all of them in a row. */
  private static List<String> asciiTexts() {
    List<String> texts = new ArrayList<>();
    StringBuilder row = new StringBuilder();
    for (char c = 0; c < 0x80; c++) {
      texts.add(String.valueOf(c));
      row.append(c);
    }
    texts.add(row.toString());
    texts.add(row.reverse().toString());
    return texts;
  }

  /** Texts of exactly so many bytes: of characters of each width, and of such as are escaped. */
  private static List<String> longest(int bytes) {
    List<String> texts = new ArrayList<>();
    for (String character :
        List.of(
            "a", "\u00e9", "\u20ac", "\ud83d\ude00", "/", "%", "\\", "\0", "'", "A", ".", " ")) {
      int width = character.getBytes(StandardCharsets.UTF_8).length;
      texts.add("b".repeat(bytes % width) + character.repeat(bytes / width));
    }
    return texts;
  }

  private static String withoutTheLastCharacter(String text) {
    return text.substring(0, text.offsetByCodePoints(text.length(), -1));
  }

  private static void assertRefused(String text, String what) {
    assertThatIllegalArgumentException()
        .as("%s as a partition", what)
        .isThrownBy(() -> new RecordKey(text, "id"));
    assertThatIllegalArgumentException()
        .as("%s as an id", what)
        .isThrownBy(() -> new RecordKey("partition", text));
    assertThatIllegalArgumentException()
        .as("%s as the partition of a listing", what)
        .isThrownBy(() -> new ListQuery(text, null, false, 1));
    assertThatIllegalArgumentException()
        .as("%s as a cursor", what)
        .isThrownBy(() -> new ListQuery("partition", text, false, 1));
  }

  private void assertIdsAreApart(List<String> ids) {
    assertApart(backend(), other(), new LinkedHashSet<>(ids).stream().map(this::key).toList());
  }

  /** In a storage of its own, so that the partitions are named just so. */
  private void assertPartitionsAreApart(List<String> partitions) throws Exception {
    BackendStorage own = newStorage();
    List<RecordKey> keys = new ArrayList<>();
    for (String partition : new LinkedHashSet<>(partitions)) {
      keys.add(new RecordKey(partition, "id"));
    }
    assertApart(open(own), open(own), keys);
  }

  /**
   * Checks that each of these keys holds a record of its own: all are stored, found and listed, and
   * what is done to one of them leaves the others.
   */
  private static void assertApart(
      StorageBackend writer, StorageBackend reader, List<RecordKey> keys) {
    Set<RecordKey> distinct = new LinkedHashSet<>(keys);
    Map<RecordKey, VersionedRecord> held = new LinkedHashMap<>();
    for (RecordKey key : distinct) {
      int number = held.size();
      Instant expiresAt = number % 3 == 0 ? inDays(number % 10) : null;
      // A key that meets another one's record finds it in its way.
      held.put(key, insert(writer, key, value("value " + number, number % 2 == 0, expiresAt)));
    }
    assertAllHeld("creating all", reader, distinct, held);

    int number = 0;
    for (RecordKey key : distinct) {
      VersionedRecord stored = held.get(key);
      if (stored != null && number % 4 == 1) {
        held.put(key, write(reader, key, value("next " + number, false, null), stored.version()));
      } else if (stored != null && number % 4 != 0) {
        if (number % 4 == 2) {
          assertThat(writer.deleteIfVersion(key, stored.version()))
              .as("delete of %s", key)
              .isEqualTo(Deleted.DELETED);
        } else {
          assertThat(reader.delete(key)).as("delete of %s", key).isTrue();
        }
        held.remove(key);
        assertThat(reader.get(key)).as("get of the deleted %s", key).isEmpty();
      }
      number++;
    }
    assertAllHeld("updating some and deleting others", writer, distinct, held);
  }

  private static void assertAllHeld(
      String what,
      StorageBackend reader,
      Set<RecordKey> all,
      Map<RecordKey, VersionedRecord> held) {
    Map<String, List<VersionedRecord>> byPartition = new LinkedHashMap<>();
    for (RecordKey key : all) {
      List<VersionedRecord> records =
          byPartition.computeIfAbsent(key.partition(), p -> new ArrayList<>());
      VersionedRecord stored = held.get(key);
      if (stored != null) {
        records.add(stored);
      }
    }
    byPartition.forEach(
        (partition, records) -> {
          // Short pages make cursors of many of the ids.
          assertContents(what, reader, partition, records, records.size() <= 50 ? 1 : 5);
        });
  }
}
