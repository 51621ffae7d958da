// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.ValueFixtures.MAPPER;
import static io.taskstore.ValueFixtures.canonicalByOracle;
import static io.taskstore.ValueFixtures.encode;
import static io.taskstore.ValueFixtures.json;
import static io.taskstore.ValueFixtures.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.fail;

import io.taskstore.TaskCodec.UnreadableException;
import io.taskstore.spi.Bytes;
import java.io.ByteArrayOutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.core.JacksonException;

final class TaskCodecTest {
  private static final TaskCodec CODEC = new TaskCodec(MAPPER);

  private static final TaskState MINIMAL_TASK =
      new TaskState(
          "0id",
          "l:",
          TaskStatus.WORKING,
          null,
          null,
          Instant.ofEpochMilli(1_767_225_600_000L),
          Instant.ofEpochMilli(1_767_225_600_001L),
          null,
          Duration.ofSeconds(1),
          "m",
          null,
          JsonMembers.NONE,
          null,
          null,
          null,
          JsonMembers.NONE,
          JsonMembers.NONE,
          null,
          JsonMembers.NONE);

  private static final String MINIMAL =
      "{\"createdAt\":1767225600000,\"id\":\"0id\",\"method\":\"m\",\"owner\":\"l:\","
          + "\"pollInterval\":1000,\"schema\":1,\"status\":\"working\",\"updatedAt\":1767225600001}";

  /** Contains every member, characters of one to four bytes, escapes, and members of the future. */
  private static final String FULL =
      "{\"aFuture\":[1,{\"b\":null}],\"cancelRequestedAt\":1767225601000,"
          + "\"createdAt\":1767225600000,\"error\":{\"code\":-32603,\"data\":{\"k\":[true]},\"message\":\"broken"
          + " s3cr3t\"},\"extra\":\"s3cr3t\",\"id\":\"0id\",\"inputRequests\":{\"k1\":{\"method\":\"ask\",\"params\":{\"s3cr3t\":1}},\"k2\":{\"method\":\"ask\"}},"
          + "\"inputResponses\":{\"k1\":[\"s3cr3t\"]},\"leaseUntil\":1767225603000,\"message\":\"\ud55c\u00e9\ud83d\ude00\\n"
          + "\\u0001 s3cr3t\",\"method\":\"do"
          + " \\\"it\\\"\",\"owner\":\"s:alice\",\"params\":{\"p\":0.1},"
          + "\"pollInterval\":1500,\"progress\":3,\"progressTotal\":10,"
          + "\"result\":{\"r\":[1e+21,-5]},\"s\":12.5,\"schema\":1,\"status\":\"failed\","
          + "\"ttl\":3600000,\"updatedAt\":1767225602000,"
          + "\"variables\":{\"\":false,\"v\":\"\ud55c\",\"\ud83d\ude00\":12345678901234567890},"
          + "\"worker\":\"w-1\",\"zFuture\":null}";

  private static TaskState fullTask() {
    return new TaskState(
        "0id",
        Owner.subject("alice").storedForm(),
        TaskStatus.FAILED,
        "\ud55c\u00e9\ud83d\ude00\n\u0001 s3cr3t",
        Progress.of(3, 10),
        Instant.parse("2026-01-01T00:00:00Z"),
        Instant.parse("2026-01-01T00:00:02Z"),
        Duration.ofHours(1),
        Duration.ofMillis(1_500),
        "do \"it\"",
        json("{\"p\":0.1}"),
        JsonMembers.of(
            Map.of(
                "", json("false"),
                "v", json("\"\ud55c\""),
                "\ud83d\ude00", json("12345678901234567890"))),
        json("{\"r\":[1e+21,-5]}"),
        TaskCodec.encodeError(TaskError.of("broken s3cr3t"), json("{\"k\":[true]}")),
        Instant.parse("2026-01-01T00:00:01Z"),
        JsonMembers.of(
            Map.of(
                "k1",
                TaskCodec.encodeInputRequest("ask", json("{\"s3cr3t\":1}")),
                "k2",
                TaskCodec.encodeInputRequest("ask", null))),
        JsonMembers.of(Map.of("k1", json("[\"s3cr3t\"]"))),
        new TaskState.Lease("w-1", Instant.parse("2026-01-01T00:00:03Z")),
        JsonMembers.of(
            Map.of(
                "aFuture", json("[1,{\"b\":null}]"),
                "extra", json("\"s3cr3t\""),
                "s", json("12.5"),
                "zFuture", json("null"))));
  }

  private static Bytes bytes(String text) {
    return Bytes.unsafeWrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private static String encoded(TaskState task) {
    return new String(CODEC.encode(task).unsafeArray(), StandardCharsets.UTF_8);
  }

  private static TaskState decoded(String text) throws UnreadableException {
    return CODEC.decode(bytes(text));
  }

  private static String reason(Bytes data) {
    UnreadableException thrown =
        catchThrowableOfType(UnreadableException.class, () -> CODEC.decode(data));
    assertThat(thrown).isNotNull().hasNoCause();
    assertThat(thrown).hasMessage(thrown.reason());
    return thrown.reason();
  }

  private static String reason(String text) {
    return reason(bytes(text));
  }

  private static String replaced(String text, String part, String with) {
    assertThat(text).contains(part);
    return text.replace(part, with);
  }

  // --- the bytes ----------------------------------------------------------------------------

  @Test
  void encode_minimalTask_isTheGoldenRecord() throws UnreadableException {
    assertThat(encoded(MINIMAL_TASK)).isEqualTo(MINIMAL);
    assertThat(decoded(MINIMAL)).isEqualTo(MINIMAL_TASK);
  }

  @Test
  void encode_fullTask_isTheGoldenRecord() throws UnreadableException {
    assertThat(encoded(fullTask())).isEqualTo(FULL);
    assertThat(decoded(FULL)).isEqualTo(fullTask());
  }

  @Test
  void encode_anyTask_isCanonicalButForBigIntegers() {
    assertThat(FULL.replace("12345678901234567890", "1"))
        .isEqualTo(canonicalByOracle(FULL.replace("12345678901234567890", "1")));
    assertThat(MINIMAL).isEqualTo(canonicalByOracle(MINIMAL));
  }

  @Test
  void encodeError_isCanonical() {
    assertThat(text(TaskCodec.encodeError(TaskError.of(7, "a\n"), null)))
        .isEqualTo("{\"code\":7,\"message\":\"a\\n\"}");
    assertThat(text(TaskCodec.encodeError(TaskError.of("b"), json("[1]"))))
        .isEqualTo("{\"code\":-32603,\"data\":[1],\"message\":\"b\"}");
  }

  // --- round trips --------------------------------------------------------------------------

  private static final Set<String> KNOWN =
      Set.of(
          "cancelRequestedAt",
          "createdAt",
          "error",
          "id",
          "message",
          "method",
          "owner",
          "params",
          "pollInterval",
          "progress",
          "progressTotal",
          "result",
          "schema",
          "status",
          "ttl",
          "updatedAt",
          "variables");

  private static JsonMembers members(Map<String, @Nullable Object> map) {
    Map<String, Json> members = new HashMap<>();
    map.forEach((name, value) -> members.put(name, encode(value)));
    members.keySet().removeAll(KNOWN);
    return JsonMembers.of(members);
  }

  @Provide
  Arbitrary<TaskState> tasks() {
    Arbitrary<String> texts = ValueFixtures.texts();
    Arbitrary<Map<String, @Nullable Object>> maps = ValueFixtures.plainMaps();
    Arbitrary<Instant> instants =
        Arbitraries.longs().between(0, 253_402_300_799_998L).map(Instant::ofEpochMilli);
    Arbitrary<@Nullable Json> objects = maps.map(map -> encode(map)).injectNull(0.4);
    Arbitrary<@Nullable Progress> progress =
        Arbitraries.longs()
            .greaterOrEqual(0)
            .list()
            .ofMinSize(1)
            .ofMaxSize(2)
            .map(n -> n.size() == 1 ? Progress.of(n.get(0)) : Progress.of(n.get(0), n.get(1)))
            .injectNull(0.3);
    Arbitrary<Duration> durations =
        Arbitraries.longs().between(1, 3_155_760_000_000L).map(Duration::ofMillis);
    Arbitrary<TaskState> first =
        Combinators.combine(
                texts.injectNull(0.3), progress, instants, durations.injectNull(0.3), objects, maps)
            .as(
                (message, done, createdAt, ttl, params, variables) ->
                    new TaskState(
                        MINIMAL_TASK.id(),
                        MINIMAL_TASK.owner(),
                        TaskStatus.WORKING,
                        message,
                        done,
                        createdAt,
                        createdAt,
                        ttl,
                        Duration.ofSeconds(1),
                        "m",
                        params,
                        members(variables),
                        null,
                        null,
                        null,
                        members(variables),
                        JsonMembers.NONE,
                        ttl == null ? null : new TaskState.Lease("w" + message, createdAt),
                        JsonMembers.NONE));
    return Combinators.combine(
            first,
            texts.list().ofSize(3),
            Arbitraries.of(TaskStatus.class),
            durations,
            instants.injectNull(0.5),
            objects.list().ofSize(2),
            maps)
        .as(
            (task, names, status, pollInterval, cancelled, outcome, unknown) ->
                new TaskState(
                    names.get(0),
                    names.get(1),
                    status,
                    task.message(),
                    task.progress(),
                    task.createdAt(),
                    task.updatedAt().plusMillis(1),
                    task.ttl(),
                    pollInterval,
                    names.get(2),
                    task.params(),
                    task.variables(),
                    outcome.get(0),
                    outcome.get(1),
                    cancelled,
                    task.inputRequests(),
                    task.variables(),
                    task.lease(),
                    members(unknown)));
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void encode_anyTask_isInOrderAndDecodesToAnEqualOne(@ForAll("tasks") TaskState task)
      throws UnreadableException {
    Bytes data = CODEC.encode(task);

    TaskState decoded = CODEC.decode(data);

    assertThat(decoded).isEqualTo(task);
    assertThat(CODEC.encode(decoded)).isEqualTo(data);
    List<String> names = new ArrayList<>(MAPPER.readTree(data.unsafeArray()).propertyNames());
    assertThat(names).isSorted();
  }

  static Stream<Arguments> timeEdges() {
    return Stream.of(
        new Arguments(Instant.EPOCH, Duration.ofMillis(1)),
        new Arguments(Instant.ofEpochMilli(-1), Duration.ofMillis(2)),
        new Arguments(Instant.parse("9999-12-31T23:59:59.999Z"), Duration.ofDays(36_525)),
        new Arguments(Instant.parse("0001-01-01T00:00:00Z"), Duration.ofMillis(1)));
  }

  record Arguments(Instant instant, Duration duration) {}

  @ParameterizedTest
  @MethodSource("timeEdges")
  void decode_edgesOfTime_areExact(Arguments edge) throws UnreadableException {
    TaskState task =
        MINIMAL_TASK.toBuilder()
            .updatedAt(edge.instant())
            .ttl(edge.duration())
            .pollInterval(edge.duration())
            .cancelRequestedAt(edge.instant())
            .progress(Progress.of(0, Long.MAX_VALUE))
            .build();

    assertThat(decoded(encoded(task))).isEqualTo(task);
  }

  // --- members of other releases ------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(
      strings = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1.50e+3",
        "1E400",
        "123456789012345678901234567890",
        "\"\"",
        "\"a\\u0041\\/\\ud83d\\ude00\"",
        "\"\ud83d\ude00\u20ac\u00e9\"",
        "\"\\ud83d\"",
        "[]",
        "[ 1 , [ ] ]",
        "{}",
        "{ \"z\" : 1 , \"a\" : { \"schema\" : 2 } , \"z\" : 3 }",
        "[\"}\",\"]\",\"\\\"\",\"\\\\\"]"
      })
  void decode_unknownMember_survivesByteForByteInItsPlace(String value) throws UnreadableException {
    for (String name : new String[] {"", "Z", "cr", "idx", "schema2", "zz", "\\u0000", "\ufb33"}) {
      String member = "\"" + name + "\":" + value;
      for (String record :
          new String[] {
            MINIMAL.replace("}", "," + member + "}"),
            MINIMAL.replace("{", "{" + member + ","),
            MINIMAL.replace("{", "{" + member.replace("\":", "\" : ") + "\n\t , ")
          }) {
        TaskState task = decoded(record);
        String rewritten = encoded(task.toBuilder().updatedAt(Instant.EPOCH).build());

        assertThat(task.unknown().size()).isEqualTo(1);
        assertThat(rewritten).contains(member);
        assertThat(
                rewritten
                    .replace(member, "")
                    .replace(",,", ",")
                    .replace("{,", "{")
                    .replace(",}", "}"))
            .isEqualTo(MINIMAL.replace("1767225600001", "0"));
        List<String> names = new ArrayList<>(MAPPER.readTree(rewritten).propertyNames());
        assertThat(names).isSorted();
        assertThat(encoded(decoded(rewritten))).isEqualTo(rewritten);
      }
    }
  }

  @Test
  void decode_valuesOfUsers_surviveByteForByte() throws UnreadableException {
    String record =
        "{\"createdAt\":1,\"error\":{ \"code\" : 1.0"
            + " },\"id\":\"i\",\"method\":\"m\",\"owner\":\"o\",\"params\":{\"b\":1,\"a\":2},\"pollInterval\":1,\"result\":{\"x\":"
            + " [ ]},\"schema\":1,\"status\":\"failed\",\"updatedAt\":1,\"variables\":{\"v\":1.50,\"w\":["
            + " 1 ]}}";

    assertThat(encoded(decoded(record))).isEqualTo(record);
  }

  @Test
  void decode_whiteSpaceAndOtherOrder_areAccepted() throws UnreadableException {
    List<String> members = new ArrayList<>();
    for (Map.Entry<String, ?> member : MAPPER.readTree(FULL).properties()) {
      members.add(" \"%s\"\r\n:\t%s ".formatted(member.getKey(), slice(FULL, member.getKey())));
    }
    for (int i = 0; i < 20; i++) {
      Collections.rotate(members, 1);
      String record = " \n{" + String.join(",", members) + "} \r\n\t";
      assertThat(encoded(decoded(record))).isEqualTo(FULL);
      Collections.reverse(members);
    }
  }

  /** The stored text of a top-level member. */
  private static String slice(String record, String name) {
    int start = record.lastIndexOf("\"" + name + "\":") + name.length() + 3;
    for (int end = start + 1; end < record.length(); end++) {
      boolean mayEnd = record.charAt(end) == ',' || end == record.length() - 1;
      if (mayEnd && isJson(record.substring(start, end))) {
        return record.substring(start, end);
      }
    }
    throw new AssertionError(name);
  }

  private static boolean isJson(String text) {
    try {
      MAPPER.readTree(text);
      return true;
    } catch (JacksonException e) {
      return false;
    }
  }

  @Test
  void decode_escapedNames_areTheSameNames() throws UnreadableException {
    assertThat(decoded(replaced(MINIMAL, "\"id\"", "\"\\u0069d\""))).isEqualTo(MINIMAL_TASK);
    assertThat(encoded(decoded(replaced(MINIMAL, "{\"c", "{\"\\u0041\":1,\"c"))))
        .startsWith("{\"A\":1,\"c");
  }

  // --- newer schemas ------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(strings = {"2", "3", "1000000", "9223372036854775807"})
  void decode_newerSchema_saysSoWhateverElseIsDifferent(String schema) {
    String newer = replaced(FULL, "\"schema\":1", "\"schema\":" + schema);
    String expected = "it has schema %s and this release reads up to 1".formatted(schema);

    for (String record :
        new String[] {
          newer,
          "{\"schema\":" + schema + "}",
          replaced(newer, "\"createdAt\":1767225600000", "\"createdAt\":\"2026-01-01\""),
          replaced(newer, "\"failed\"", "\"paused\""),
          replaced(newer, "\"error\":{", "\"error\":[],\"e\":{"),
          replaced(newer, "\"id\":\"0id\"", "\"id\":7"),
          replaced(newer, "\"progress\":3", "\"progress\":{\"schema\":0}"),
          replaced(newer, "\"ttl\":3600000,", "\"ttl\":[[],{\"a\":{}}],"),
        }) {
      UnreadableException thrown =
          catchThrowableOfType(UnreadableException.class, () -> decoded(record));
      assertThat(thrown.reason()).isEqualTo(expected);
      assertThat(thrown.remedy()).isEqualTo("upgrade this program");
    }
  }

  @Test
  void decode_damage_isNotBlamedOnTheSchema() {
    UnreadableException thrown =
        catchThrowableOfType(UnreadableException.class, () -> decoded("{\"schema\":1}"));
    assertThat(thrown.reason()).isEqualTo("it has no id");
    assertThat(thrown.remedy()).isEqualTo(UnreadableException.RESTORE);
    assertThat(reason("{\"x\":{\"schema\":2},\"schema\":1,\"id\":1}"))
        .isEqualTo("its id is of a wrong type");
    assertThat(reason(replaced(MINIMAL, "\"schema\":1", "\"schema\":\"2\"")))
        .isEqualTo("its schema is of a wrong type");
    assertThat(reason(replaced(MINIMAL, "\"schema\":1", "\"schema\":9223372036854775808")))
        .isEqualTo("its schema is of a wrong type");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "-2", "-9223372036854775808"})
  void decode_schemaBelowOne_isRefused(String schema) {
    assertThat(reason(replaced(MINIMAL, "\"schema\":1", "\"schema\":" + schema)))
        .startsWith("it has no schema");
  }

  // --- refused ------------------------------------------------------------------------------

  @ParameterizedTest
  @ValueSource(
      strings = {
        "createdAt",
        "id",
        "method",
        "owner",
        "pollInterval",
        "schema",
        "status",
        "updatedAt"
      })
  void decode_missingMember_isNamed(String name) {
    String member = "\"" + name + "\":" + slice(MINIMAL, name);
    String without =
        replaced(MINIMAL, member, "").replace(",,", ",").replace("{,", "{").replace(",}", "}");

    assertThat(reason(without)).isEqualTo("it has no " + name);
  }

  @Test
  void decode_totalWithoutProgress_isRefused() {
    assertThat(reason(replaced(FULL, "\"progress\":3,", ""))).isEqualTo("it has no progress");
  }

  @Test
  void decode_wrongType_isNamed() {
    Map<String, List<String>> wrong = new TreeMap<>();
    List<String> noText = List.of("1", "null", "true", "[]", "{}", "[\"a\"]");
    List<String> noInteger =
        List.of(
            "\"1\"",
            "1.0",
            "1e3",
            "null",
            "false",
            "[]",
            "{}",
            "9223372036854775808",
            "-9223372036854775809");
    List<String> noObject = List.of("\"a\"", "1", "null", "[]", "true", "[{}]");
    List.of("id", "owner", "message", "method", "status").forEach(name -> wrong.put(name, noText));
    List.of("cancelRequestedAt", "createdAt", "pollInterval", "schema", "ttl", "updatedAt")
        .forEach(name -> wrong.put(name, noInteger));
    List.of("progress", "progressTotal").forEach(name -> wrong.put(name, noInteger));
    List.of("error", "params", "result", "variables").forEach(name -> wrong.put(name, noObject));

    assertThat(wrong.keySet()).isEqualTo(new TreeSet<>(KNOWN));
    wrong.forEach(
        (name, values) ->
            values.forEach(
                value -> {
                  String member = "\"" + name + "\":";
                  String record = replaced(FULL, member + slice(FULL, name), member + value);
                  assertThat(reason(record))
                      .as(record)
                      .isEqualTo("its " + name + " is of a wrong type");
                }));
  }

  @Test
  void decode_outOfRange_isNamed() {
    Map<String, List<String>> wrong = new TreeMap<>();
    List.of("progress", "progressTotal")
        .forEach(name -> wrong.put(name, List.of("-1", "-9223372036854775808")));
    List.of("pollInterval", "ttl")
        .forEach(
            name -> wrong.put(name, List.of("0", "-1", "3155760000001", "9223372036854775807")));
    List.of("cancelRequestedAt", "createdAt", "updatedAt")
        .forEach(
            name ->
                wrong.put(
                    name, List.of("253402300800000", "-62135596800001", "-9223372036854775808")));

    wrong.forEach(
        (name, values) ->
            values.forEach(
                value -> {
                  String member = "\"" + name + "\":";
                  String record = replaced(FULL, member + slice(FULL, name), member + value);
                  assertThat(reason(record))
                      .as(record)
                      .isEqualTo("its " + name + " is out of range");
                }));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "WORKING", "Working", "working ", "done", "input-required"})
  void decode_unknownStatus_isRefused(String status) {
    assertThat(reason(replaced(MINIMAL, "working", status)))
        .isEqualTo("its status is not a known one");
  }

  @Test
  void decode_twoMembersOfOneName_areRefusedWithoutNamingIt() {
    String expected = "it has two members of the same name";
    for (String name : KNOWN) {
      String member = "\"" + name + "\":" + slice(FULL, name);
      assertThat(reason(FULL.replace("\"zFuture\"", member + ",\"zFuture\""))).isEqualTo(expected);
    }
    assertThat(reason(replaced(MINIMAL, "{", "{\"secret\":1,\"b\":2,\"secret\":1,")))
        .isEqualTo(expected);
    assertThat(reason(replaced(MINIMAL, "{", "{\"variables\":{\"secret\":1,\"\\u0073ecret\":2},")))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {"``", "` `", "[]", "`[{}]`", "1", "null", "`\"a\"`", "true", "nul", "{", "`{\"a\"`"})
  void decode_noObject_isRefused(String text) {
    assertThat(reason(text)).startsWith("it is not ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"x", "{}", ",", "}", "]", "null", "1", "\u0000", "\ufeff", "/* */", "# a"})
  void decode_somethingFollows_isRefused(String trailing) {
    assertThat(reason(MINIMAL + trailing)).isNotEmpty();
    assertThat(reason(MINIMAL + "\n " + trailing)).isNotEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "UTF-16",
        "UTF-16BE",
        "UTF-16LE",
        "UTF-32",
        "UTF-32BE",
        "UTF-32LE",
        "x-UTF-16LE-BOM"
      })
  void decode_otherEncodings_areRefused(String charset) {
    for (String record : new String[] {MINIMAL, FULL}) {
      assertThat(reason(Bytes.unsafeWrap(record.getBytes(Charset.forName(charset))))).isNotEmpty();
    }
  }

  @Test
  void decode_byteOrderMark_isRefused() {
    assertThat(reason("\ufeff" + MINIMAL)).isNotEmpty();
  }

  @Test
  void decode_textThatIsNoUnicode_isRefusedBecauseItCouldNotBeWrittenAgain() {
    String expected = "it has text that is not valid Unicode";
    for (String broken : new String[] {"\\ud83d", "\\ude00", "\\ude00\\ud83d", "a\\ud83db"}) {
      for (String name : new String[] {"id", "owner", "method"}) {
        String member = "\"" + name + "\":";
        String record =
            replaced(MINIMAL, member + slice(MINIMAL, name), member + "\"" + broken + "\"");
        assertThat(reason(record)).isEqualTo(expected);
      }
      assertThat(reason(replaced(MINIMAL, "{", "{\"message\":\"" + broken + "\",")))
          .isEqualTo(expected);
      // In names, the parser itself refuses it.
      assertThat(reason(replaced(MINIMAL, "{", "{\"" + broken + "\":1,"))).isNotEmpty();
      assertThat(reason(replaced(MINIMAL, "{", "{\"variables\":{\"" + broken + "\":1},")))
          .isNotEmpty();
    }
  }

  @Test
  void decode_invalidUtf8_isRefusedOrEncodesAgain() {
    byte[][] broken = {
      {(byte) 0x80},
      {(byte) 0xC3},
      {(byte) 0xC3, 'a'},
      {(byte) 0xC0, (byte) 0x80},
      {(byte) 0xE0, (byte) 0x80, (byte) 0x80},
      {(byte) 0xED, (byte) 0xA0, (byte) 0x80},
      {(byte) 0xED, (byte) 0xB5, (byte) 0x9C},
      {(byte) 0xF0, (byte) 0x9F, (byte) 0x98},
      {(byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
      {(byte) 0xF8, (byte) 0x88, (byte) 0x80, (byte) 0x80, (byte) 0x80},
      {(byte) 0xFF, (byte) 0xFE}
    };
    for (byte[] bytes : broken) {
      for (String around :
          new String[] {
            replaced(MINIMAL, "0id", "#"),
            replaced(MINIMAL, "{", "{\"x\":\"#\","),
            replaced(MINIMAL, "{", "{\"#\":1,"),
            replaced(MINIMAL, "{", "{\"variables\":{\"#\":\"#\"},"),
            replaced(MINIMAL, "{", "{#,")
          }) {
        ByteArrayOutputStream record = new ByteArrayOutputStream();
        around.chars().forEach(c -> record.writeBytes(c == '#' ? bytes : new byte[] {(byte) c}));
        refusedOrEncodesAgain(record.toByteArray());
      }
    }
  }

  // --- damage -------------------------------------------------------------------------------

  /** Returns whether the record was readable. */
  private static boolean refusedOrEncodesAgain(byte[] record) {
    TaskState task;
    try {
      task = CODEC.decode(Bytes.unsafeWrap(record));
    } catch (UnreadableException e) {
      if (e.reason().contains("s3cr3t") || e.getCause() != null) {
        fail("shows data: " + e.reason());
      }
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError("not for " + new String(record, StandardCharsets.ISO_8859_1), e);
    }
    try {
      Bytes again = CODEC.encode(task);
      TaskState same = CODEC.decode(again);
      if (!same.equals(task) || !CODEC.encode(same).equals(again)) {
        fail("differs after encoding: " + new String(record, StandardCharsets.ISO_8859_1));
      }
    } catch (UnreadableException e) {
      throw new AssertionError(
          "unreadable after encoding: " + new String(record, StandardCharsets.ISO_8859_1), e);
    }
    return true;
  }

  /** Bytes that mean something in JSON, in UTF-8, or to somebody who looks for an encoding. */
  private static final String SUSPECTS =
      "\u0000\t\n"
          + "\u001f !\"'+,-./0159:;AEFZ[\\]abdefnstux{|}~\u007f"
          + "\u0080\u0090\u00a0\u00bb\u00bf\u00c0\u00c3\u00e0\u00ed\u00ef\u00f0\u00f4\u00f8\u00fe\u00ff";

  @Test
  @Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void decode_anyByteReplacedBySuspects_isRefusedOrEncodesAgain() {
    byte[] golden = FULL.getBytes(StandardCharsets.UTF_8);
    int readable = 0;
    for (int position = 0; position < golden.length; position++) {
      byte[] damaged = golden.clone();
      for (int value : SUSPECTS.chars().toArray()) {
        damaged[position] = (byte) value;
        readable += refusedOrEncodesAgain(damaged) ? 1 : 0;
      }
    }
    assertThat(readable).isGreaterThan(golden.length);
  }

  @Test
  void decode_anyBitFlipped_isRefusedOrEncodesAgain() {
    byte[] golden = FULL.getBytes(StandardCharsets.UTF_8);
    for (int bit = 0; bit < 8 * golden.length; bit++) {
      byte[] damaged = golden.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      refusedOrEncodesAgain(damaged);
    }
  }

  @Test
  void decode_anyTruncation_isRefused() {
    byte[] golden = FULL.getBytes(StandardCharsets.UTF_8);
    for (int length = 0; length < golden.length; length++) {
      assertThat(reason(Bytes.unsafeWrap(Arrays.copyOf(golden, length)))).doesNotContain("s3cr3t");
      if (length > 0) {
        assertThat(refusedOrEncodesAgain(Arrays.copyOfRange(golden, length, golden.length)))
            .isFalse();
      }
    }
  }

  @Test
  void decode_anyByteLostOrDoubled_isRefusedOrEncodesAgain() {
    byte[] golden = FULL.getBytes(StandardCharsets.UTF_8);
    for (int position = 0; position < golden.length; position++) {
      byte[] lost = new byte[golden.length - 1];
      System.arraycopy(golden, 0, lost, 0, position);
      System.arraycopy(golden, position + 1, lost, position, lost.length - position);
      refusedOrEncodesAgain(lost);
      byte[] doubled = new byte[golden.length + 1];
      System.arraycopy(golden, 0, doubled, 0, position + 1);
      System.arraycopy(golden, position, doubled, position + 1, golden.length - position);
      refusedOrEncodesAgain(doubled);
    }
  }

  @Property(tries = 2_000)
  void decode_anyBytes_isRefused(@ForAll byte[] noise) {
    assertThat(refusedOrEncodesAgain(noise)).isFalse();
  }

  // --- hostile sizes ------------------------------------------------------------------------

  @Test
  @Timeout(value = 20, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void decode_nestingBombs_areRefused() {
    for (String bomb : new String[] {"[", "{\"a\":", "[{\"a\":["}) {
      String levels = bomb.repeat(2_000_000);
      assertThat(reason(levels)).isNotEmpty();
      assertThat(reason(replaced(MINIMAL, "{", "{\"x\":" + levels))).isNotEmpty();
      assertThat(reason(replaced(MINIMAL, "{", "{\"variables\":{\"x\":" + levels))).isNotEmpty();
    }
  }

  @Test
  void decode_deepestValueThatCanBeStored_isAccepted() throws UnreadableException {
    TaskLimits limits = TaskLimits.defaults().withMaxDepth(TaskLimits.HIGHEST_DEPTH);
    Json deep = encode(ValueFixtures.nestedLists(TaskLimits.HIGHEST_DEPTH), limits);
    TaskState task = MINIMAL_TASK.toBuilder().variables(JsonMembers.of(Map.of("v", deep))).build();

    assertThat(decoded(encoded(task))).isEqualTo(task);
  }

  @Test
  @Timeout(value = 20, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void decode_tenMegabytes_endSoon() throws UnreadableException {
    int size = 10_000_000;
    String record = replaced(MINIMAL, "{", "{\"x\":#,");
    for (String value :
        new String[] {
          "\"" + "a".repeat(size) + "\"", "[" + "1,".repeat(size / 2) + "1]", " ".repeat(size) + "1"
        }) {
      TaskState task = decoded(record.replace("#", value));
      assertThat(task.unknown().size()).isEqualTo(1);
      assertThat(CODEC.encode(task).size()).isGreaterThan(MINIMAL.length());
    }
    for (String value :
        new String[] {
          "\"" + "a".repeat(size),
          "1".repeat(size),
          "{\"" + "n".repeat(size) + "\":1}",
          "[".repeat(size)
        }) {
      assertThat(reason(record.replace("#", value))).isNotEmpty();
    }
    assertThat(reason(" ".repeat(size))).isNotEmpty();
    assertThat(reason("\u0000".repeat(size))).isNotEmpty();
    assertThat(reason("a".repeat(size))).hasSizeLessThan(200);
  }

  @Test
  @Timeout(value = 20, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void decode_manyUnknownMembers_survive() throws UnreadableException {
    StringBuilder members = new StringBuilder("{");
    for (int i = 0; i < 100_000; i++) {
      members.append("\"n").append(i).append("\":").append(i).append(',');
    }

    TaskState task = decoded(replaced(MINIMAL, "{", members.toString()));

    assertThat(task.unknown().size()).isEqualTo(100_000);
    assertThat(decoded(encoded(task))).isEqualTo(task);
  }

  // --- the state ----------------------------------------------------------------------------

  @Test
  void toBuilder_changesNothingByItself() {
    assertThat(fullTask().toBuilder().build()).isEqualTo(fullTask());
    assertThat(MINIMAL_TASK.toBuilder().build()).isEqualTo(MINIMAL_TASK);
  }
}
