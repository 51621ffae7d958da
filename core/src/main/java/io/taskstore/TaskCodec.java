// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.Bytes;
import io.taskstore.spi.RecordValue;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.InputCoercionException;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.databind.json.JsonMapper;

/**
 * The stored form of a task: one JSON object in canonical form.
 *
 * <pre>{@code
 * {"createdAt":1767225600000,          milliseconds since 1970 in UTC, as all instants
 *  "cancelRequestedAt":1767225601000,  optional
 *  "error":{"code":-32603,"message":"…","data":…},   optional
 *  "id":"…",
 *  "inputRequests":{"KEY":{"method":"…","params":{…}}},    every one that was ever asked
 *  "inputResponses":{"KEY":…},
 *  "leaseUntil":1767225630000,         with worker
 *  "message":"…","method":"…","owner":"s:alice","params":{…},
 *  "pollInterval":1000,"progress":3,"progressTotal":10,
 *  "result":{…},"schema":1,"status":"working","ttl":3600000,
 *  "updatedAt":1767225600000,"variables":{…},"worker":"…"}
 * }</pre>
 *
 * <p>An absent member is null, empty, unlimited or unknown. {@code schema} grows only when an older
 * release would misread a record; it then refuses the record. Members that a release does not know
 * survive its rewriting of a record.
 *
 * <p>Both directions stream. Values of users pass through as slices of bytes, and are neither
 * decoded nor checked here.
 */
final class TaskCodec {
  static final int SCHEMA = 1;

  private static final int FIXED_BYTES = 400;

  /** The members, in the order in which they are written, which is that of their names. */
  private enum Member {
    CANCEL_REQUESTED_AT("cancelRequestedAt"),
    CREATED_AT("createdAt"),
    ERROR("error"),
    ID("id"),
    INPUT_REQUESTS("inputRequests"),
    INPUT_RESPONSES("inputResponses"),
    LEASE_UNTIL("leaseUntil"),
    MESSAGE("message"),
    METHOD("method"),
    OWNER("owner"),
    PARAMS("params"),
    POLL_INTERVAL("pollInterval"),
    PROGRESS("progress"),
    PROGRESS_TOTAL("progressTotal"),
    RESULT("result"),
    SCHEMA("schema"),
    STATUS("status"),
    TTL("ttl"),
    UPDATED_AT("updatedAt"),
    VARIABLES("variables"),
    WORKER("worker");

    private final String jsonName;

    @SuppressWarnings("ImmutableEnumChecker") // encoded once, written often, never changed
    private final byte[] prefix;

    Member(String jsonName) {
      this.jsonName = jsonName;
      this.prefix = ("\"" + jsonName + "\":").getBytes(StandardCharsets.US_ASCII);
    }
  }

  private static final Member[] MEMBERS = Member.values();
  private static final Map<String, Member> BY_NAME = byName();
  private static final Map<String, TaskStatus> STATUS_BY_NAME = statusByName();

  private final JsonMapper mapper;

  TaskCodec(JsonMapper mapper) {
    this.mapper = mapper;
  }

  private static Map<String, Member> byName() {
    Map<String, Member> map = new TreeMap<>();
    for (Member member : MEMBERS) {
      map.put(member.jsonName, member);
    }
    return Map.copyOf(map);
  }

  private static Map<String, TaskStatus> statusByName() {
    Map<String, TaskStatus> map = new TreeMap<>();
    for (TaskStatus status : TaskStatus.values()) {
      map.put(status.wireName(), status);
    }
    return Map.copyOf(map);
  }

  // --- writing ------------------------------------------------------------------------------

  Bytes encode(TaskState task) {
    JsonWriter out = new JsonWriter(estimate(task));
    JsonMembers unknown = task.unknown();
    int nextUnknown = 0;
    char separator = '{';
    for (Member member : MEMBERS) {
      while (nextUnknown < unknown.size()
          && unknown.name(nextUnknown).compareTo(member.jsonName) < 0) {
        out.raw(separator);
        separator = ',';
        writeUnknown(out, unknown, nextUnknown++);
      }
      if (isPresent(task, member)) {
        out.raw(separator);
        separator = ',';
        out.raw(member.prefix);
        write(out, task, member);
      }
    }
    for (; nextUnknown < unknown.size(); nextUnknown++) {
      out.raw(separator);
      writeUnknown(out, unknown, nextUnknown);
    }
    out.raw('}');
    return Bytes.unsafeWrap(out.toByteArray());
  }

  private static int estimate(TaskState task) {
    return FIXED_BYTES
        + task.id().length()
        + task.owner().length()
        + task.method().length()
        + (task.message() == null ? 0 : task.message().length())
        + length(task.params())
        + length(task.result())
        + length(task.error())
        + task.variables().storedBytes()
        + task.inputRequests().storedBytes()
        + task.inputResponses().storedBytes()
        + task.unknown().storedBytes();
  }

  private static int length(@Nullable Json json) {
    return json == null ? 0 : json.utf8().length;
  }

  private static void writeUnknown(JsonWriter out, JsonMembers unknown, int index) {
    out.string(unknown.name(index));
    out.raw(':');
    out.raw(unknown.value(index).utf8());
  }

  private static boolean isPresent(TaskState task, Member member) {
    return switch (member) {
      case CANCEL_REQUESTED_AT -> task.cancelRequestedAt() != null;
      case ERROR -> task.error() != null;
      case INPUT_REQUESTS -> task.inputRequests().size() > 0;
      case INPUT_RESPONSES -> task.inputResponses().size() > 0;
      case LEASE_UNTIL, WORKER -> task.lease() != null;
      case MESSAGE -> task.message() != null;
      case PARAMS -> task.params() != null;
      case PROGRESS -> task.progress() != null;
      case PROGRESS_TOTAL -> task.progress() != null && task.progress().total().isPresent();
      case RESULT -> task.result() != null;
      case TTL -> task.ttl() != null;
      case VARIABLES -> task.variables().size() > 0;
      case CREATED_AT, ID, METHOD, OWNER, POLL_INTERVAL, SCHEMA, STATUS, UPDATED_AT -> true;
    };
  }

  private static void write(JsonWriter out, TaskState task, Member member) {
    switch (member) {
      case CANCEL_REQUESTED_AT -> instant(out, task.cancelRequestedAt());
      case CREATED_AT -> instant(out, task.createdAt());
      case ERROR -> json(out, task.error());
      case ID -> out.string(task.id());
      case INPUT_REQUESTS -> task.inputRequests().writeTo(out);
      case INPUT_RESPONSES -> task.inputResponses().writeTo(out);
      case LEASE_UNTIL -> lease(out, task.lease(), false);
      case MESSAGE -> text(out, task.message());
      case METHOD -> out.string(task.method());
      case OWNER -> out.string(task.owner());
      case PARAMS -> json(out, task.params());
      case POLL_INTERVAL -> out.number(task.pollInterval().toMillis());
      case PROGRESS -> progress(out, task.progress(), false);
      case PROGRESS_TOTAL -> progress(out, task.progress(), true);
      case RESULT -> json(out, task.result());
      case SCHEMA -> out.number(SCHEMA);
      case STATUS -> out.string(task.status().wireName());
      case TTL -> duration(out, task.ttl());
      case UPDATED_AT -> instant(out, task.updatedAt());
      case VARIABLES -> task.variables().writeTo(out);
      case WORKER -> lease(out, task.lease(), true);
    }
  }

  private static void instant(JsonWriter out, @Nullable Instant value) {
    if (value != null) {
      out.number(value.toEpochMilli());
    }
  }

  private static void duration(JsonWriter out, @Nullable Duration value) {
    if (value != null) {
      out.number(value.toMillis());
    }
  }

  private static void json(JsonWriter out, @Nullable Json value) {
    if (value != null) {
      out.raw(value.utf8());
    }
  }

  private static void text(JsonWriter out, @Nullable String value) {
    if (value != null) {
      out.string(value);
    }
  }

  private static void progress(JsonWriter out, @Nullable Progress value, boolean total) {
    if (value != null) {
      out.number(total ? value.total().orElseThrow() : value.done());
    }
  }

  private static void lease(JsonWriter out, TaskState.@Nullable Lease value, boolean worker) {
    if (value == null) {
      return;
    }
    if (worker) {
      out.string(value.worker());
    } else {
      out.number(value.until().toEpochMilli());
    }
  }

  /** Writes a question in its stored form, with parameters that are in theirs already. */
  static Json encodeInputRequest(String method, @Nullable Json params) {
    JsonWriter out = new JsonWriter(32 + method.length() + length(params));
    out.raw("{\"method\":".getBytes(StandardCharsets.US_ASCII));
    out.string(method);
    if (params != null) {
      out.raw(",\"params\":".getBytes(StandardCharsets.US_ASCII));
      out.raw(params.utf8());
    }
    out.raw('}');
    return new Json(out.toByteArray());
  }

  /** Writes an error in its stored form, with data that is in its stored form already. */
  static Json encodeError(TaskError error, @Nullable Json data) {
    JsonWriter out = new JsonWriter(64 + error.message().length() + length(data));
    out.raw("{\"code\":".getBytes(StandardCharsets.US_ASCII));
    out.number(error.code());
    if (data != null) {
      out.raw(",\"data\":".getBytes(StandardCharsets.US_ASCII));
      out.raw(data.utf8());
    }
    out.raw(",\"message\":".getBytes(StandardCharsets.US_ASCII));
    out.string(error.message());
    out.raw('}');
    return new Json(out.toByteArray());
  }

  // --- reading ------------------------------------------------------------------------------

  /**
   * What is stored is not a task that this release can read. There is no cause: the messages of a
   * parser quote the data.
   */
  static final class UnreadableException extends Exception {
    private static final long serialVersionUID = 1L;

    static final String RESTORE = "restore it from a backup, or delete it";

    private final String reason;
    private final String remedy;

    UnreadableException(String reason) {
      this(reason, RESTORE);
    }

    UnreadableException(String reason, String remedy) {
      super(reason);
      this.reason = reason;
      this.remedy = remedy;
    }

    /** What can be done about it. */
    String remedy() {
      return remedy;
    }

    /** What is wrong, without data. */
    String reason() {
      return reason;
    }
  }

  /**
   * Decodes the data of a record.
   *
   * @throws UnreadableException if it is not a task, or one of a newer schema
   */
  TaskState decode(Bytes data) throws UnreadableException {
    byte[] utf8 = data.unsafeArray();
    try {
      return read(utf8);
    } catch (UnreadableException e) {
      // A newer release may have changed anything, so its number is the reason that counts.
      long schema = schemaOf(utf8);
      throw schema > SCHEMA ? newer(schema) : e;
    }
  }

  private TaskState read(byte[] utf8) throws UnreadableException {
    try (JsonParser parser = mapper.createParser(utf8)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new UnreadableException("it is not a JSON object");
      }
      Reading reading = new Reading(parser, utf8);
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        parser.nextToken();
        reading.member(name);
      }
      if (parser.nextToken() != null) {
        throw new UnreadableException("something follows the JSON object");
      }
      return reading.finish();
    } catch (StreamConstraintsException e) {
      throw new UnreadableException("it goes beyond what can be parsed safely");
    } catch (JacksonException e) {
      TokenStreamLocation at = e.getLocation();
      throw new UnreadableException(
          "it is not well-formed JSON" + (at == null ? "" : ", at byte " + at.getByteOffset()));
    } catch (RuntimeException e) {
      // A parser that trips over what it reads must not take the caller with it.
      throw new UnreadableException("it cannot be parsed");
    }
  }

  /** The number of the schema, or -1 if it cannot be found. */
  private long schemaOf(byte[] utf8) {
    try (JsonParser parser = mapper.createParser(utf8)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        return -1;
      }
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        boolean found = Member.SCHEMA.jsonName.equals(parser.currentName());
        if (parser.nextToken() == JsonToken.VALUE_NUMBER_INT && found) {
          return parser.getLongValue();
        }
        parser.skipChildren();
      }
      return -1;
    } catch (RuntimeException e) {
      return -1;
    }
  }

  private static UnreadableException newer(long schema) {
    return new UnreadableException(
        "it has schema %d and this release reads up to %d".formatted(schema, SCHEMA),
        "upgrade this program");
  }

  /** The state of one decoding. */
  private static final class Reading {
    private final JsonParser parser;
    private final byte[] utf8;
    private final TreeMap<String, Json> unknown = new TreeMap<>();
    private long schema = -1;
    private long progress = -1;
    private long progressTotal = -1;
    private @Nullable String id;
    private @Nullable String owner;
    private @Nullable TaskStatus status;
    private @Nullable String message;
    private @Nullable Instant createdAt;
    private @Nullable Instant updatedAt;
    private @Nullable Duration ttl;
    private @Nullable Duration pollInterval;
    private @Nullable String method;
    private @Nullable Json params;
    private @Nullable JsonMembers variables;
    private @Nullable Json result;
    private @Nullable Json error;
    private @Nullable Instant cancelRequestedAt;
    private JsonMembers inputRequests = JsonMembers.NONE;
    private JsonMembers inputResponses = JsonMembers.NONE;
    private @Nullable Instant leaseUntil;
    private @Nullable String worker;
    private final EnumSet<Member> seen = EnumSet.noneOf(Member.class);

    Reading(JsonParser parser, byte[] utf8) {
      this.parser = parser;
      this.utf8 = utf8;
    }

    void member(String name) throws UnreadableException {
      Member member = BY_NAME.get(name);
      if (member == null) {
        if (unknown.put(wellFormed(name), slice()) != null) {
          throw duplicate();
        }
        return;
      }
      if (!seen.add(member)) {
        throw duplicate();
      }
      switch (member) {
        case CANCEL_REQUESTED_AT -> cancelRequestedAt = instant(name);
        case CREATED_AT -> createdAt = instant(name);
        case ERROR -> error = object(name);
        case ID -> id = string(name);
        case INPUT_REQUESTS -> inputRequests = members(name);
        case INPUT_RESPONSES -> inputResponses = members(name);
        case LEASE_UNTIL -> leaseUntil = instant(name);
        case MESSAGE -> message = string(name);
        case METHOD -> method = string(name);
        case OWNER -> owner = string(name);
        case PARAMS -> params = object(name);
        case POLL_INTERVAL -> pollInterval = duration(name);
        case PROGRESS -> progress = notNegative(name);
        case PROGRESS_TOTAL -> progressTotal = notNegative(name);
        case RESULT -> result = object(name);
        case SCHEMA -> schema = integer(name);
        case STATUS -> {
          status = STATUS_BY_NAME.get(string(name));
          if (status == null) {
            throw new UnreadableException("its status is not a known one");
          }
        }
        case TTL -> ttl = duration(name);
        case UPDATED_AT -> updatedAt = instant(name);
        case VARIABLES -> variables = members(name);
        case WORKER -> worker = string(name);
      }
    }

    TaskState finish() throws UnreadableException {
      if (schema < 1) {
        throw missing(schema == -1 ? "schema" : "schema above 0");
      }
      if (schema > TaskCodec.SCHEMA) {
        throw newer(schema);
      }
      if (progressTotal >= 0 && progress < 0) {
        throw missing("progress");
      }
      return new TaskState(
          require("id", id),
          require("owner", owner),
          require("status", status),
          message,
          progress < 0
              ? null
              : progressTotal < 0 ? Progress.of(progress) : Progress.of(progress, progressTotal),
          require("createdAt", createdAt),
          require("updatedAt", updatedAt),
          ttl,
          require("pollInterval", pollInterval),
          require("method", method),
          params,
          variables == null ? JsonMembers.NONE : variables,
          result,
          error,
          cancelRequestedAt,
          inputRequests,
          inputResponses,
          lease(),
          JsonMembers.of(unknown));
    }

    private TaskState.@Nullable Lease lease() throws UnreadableException {
      if (worker == null && leaseUntil == null) {
        return null;
      }
      return new TaskState.Lease(require("worker", worker), require("leaseUntil", leaseUntil));
    }

    private static <T> T require(String name, @Nullable T value) throws UnreadableException {
      if (value == null) {
        throw missing(name);
      }
      return value;
    }

    private static UnreadableException missing(String name) {
      return new UnreadableException("it has no " + name);
    }

    private static UnreadableException duplicate() {
      return new UnreadableException("it has two members of the same name");
    }

    /** Escapes can spell what no text in UTF-8 can hold, and then it could not be written again. */
    private static String wellFormed(String text) throws UnreadableException {
      if (Text.utf8Length(text) == Text.LONE_SURROGATE) {
        throw new UnreadableException("it has text that is not valid Unicode");
      }
      return text;
    }

    private static UnreadableException wrongType(String name) {
      return new UnreadableException("its " + name + " is of a wrong type");
    }

    private static UnreadableException outOfRange(String name) {
      return new UnreadableException("its " + name + " is out of range");
    }

    private String string(String name) throws UnreadableException {
      if (parser.currentToken() != JsonToken.VALUE_STRING) {
        throw wrongType(name);
      }
      return wellFormed(parser.getString());
    }

    private long integer(String name) throws UnreadableException {
      if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
        throw wrongType(name);
      }
      try {
        return parser.getLongValue();
      } catch (InputCoercionException e) {
        throw wrongType(name);
      }
    }

    private long notNegative(String name) throws UnreadableException {
      long value = integer(name);
      if (value < 0) {
        throw outOfRange(name);
      }
      return value;
    }

    private Instant instant(String name) throws UnreadableException {
      Instant value = Instant.ofEpochMilli(integer(name));
      if (value.isBefore(RecordValue.MIN_EXPIRY) || value.isAfter(RecordValue.MAX_EXPIRY)) {
        throw outOfRange(name);
      }
      return value;
    }

    private Duration duration(String name) throws UnreadableException {
      long millis = integer(name);
      if (millis < 1 || millis > TaskRules.LONGEST_DURATION.toMillis()) {
        throw outOfRange(name);
      }
      return Duration.ofMillis(millis);
    }

    private Json object(String name) throws UnreadableException {
      if (parser.currentToken() != JsonToken.START_OBJECT) {
        throw wrongType(name);
      }
      return slice();
    }

    private JsonMembers members(String name) throws UnreadableException {
      if (parser.currentToken() != JsonToken.START_OBJECT) {
        throw wrongType(name);
      }
      List<String> names = new ArrayList<>();
      List<Json> values = new ArrayList<>();
      boolean ascending = true;
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String member = wellFormed(parser.currentName());
        ascending &= names.isEmpty() || names.get(names.size() - 1).compareTo(member) < 0;
        names.add(member);
        parser.nextToken();
        values.add(slice());
      }
      return ascending ? JsonMembers.ofAscending(names, values) : sorted(names, values);
    }

    /** For records that somebody else has written: ours have their members in order. */
    private static JsonMembers sorted(List<String> names, List<Json> values)
        throws UnreadableException {
      TreeMap<String, Json> members = new TreeMap<>();
      for (int i = 0; i < names.size(); i++) {
        if (members.put(names.get(i), values.get(i)) != null) {
          throw duplicate();
        }
      }
      return JsonMembers.of(members);
    }

    /** Copies the bytes of the value at which the parser stands, and moves it to its last token. */
    private Json slice() {
      int start = (int) parser.currentTokenLocation().getByteOffset();
      if (parser.currentToken().isStructStart()) {
        parser.skipChildren();
      } else {
        parser.finishToken();
      }
      int end = (int) parser.currentLocation().getByteOffset();
      return new Json(Arrays.copyOfRange(utf8, start, end));
    }
  }
}
