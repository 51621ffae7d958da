// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * Writes an audit log: one line of JSON for each event, to a {@link System.Logger} at level INFO,
 * by default the one named {@value #LOGGER_NAME}. One line, broken here:
 *
 * <pre>{@code
 * {"at":"2026-01-01T00:00:00Z","event":"created","method":"digest","owner":"2020e575d65d420f",
 *  "status":"working","task":"01jdrdla00km…","version":1}
 * }</pre>
 *
 * <p>A line tells who, what and when, and never shows content: no variables, parameters, results,
 * messages, and none of the texts of exceptions, which may quote content; of these it has the
 * class. It is ASCII without line breaks, whatever ids, keys and methods contain: other characters
 * are escaped as in JSON, what is no valid Unicode becomes U+FFFD, and texts end after {@value
 * #MAX_TEXT} characters, since an id that is asked for may be anything.
 */
public final class AuditListener implements TaskListener {
  /** The name of the logger, unless another one is given. */
  public static final String LOGGER_NAME = "io.taskstore.audit";

  private static final int MAX_TEXT = 1_024;
  private static final int OWNER_DIGITS = 16;

  private final System.Logger logger;
  private final boolean hashing;

  private AuditListener(System.Logger logger, boolean hashing) {
    this.logger = Objects.requireNonNull(logger, "logger");
    this.hashing = hashing;
  }

  /**
   * Returns a listener that shows owners as the first 16 hexadecimal digits of the SHA-256 of kind
   * and value, for example of {@code subject:alice}, in UTF-8; and {@link Owner#local} as {@code
   * local}.
   *
   * <p>That keeps identities from catching the eye, and one can still find the lines of an owner
   * whom one knows. It does not hide them from somebody who tries: there is no key, so an identity
   * that is short, or can be guessed or enumerated, such as a user name, a mail address or a
   * running number, is found by hashing the candidates. Treat the log as personal data.
   */
  public static AuditListener hashingOwners() {
    return hashingOwners(System.getLogger(LOGGER_NAME));
  }

  /** As {@link #hashingOwners()}, with another logger. */
  public static AuditListener hashingOwners(System.Logger logger) {
    return new AuditListener(logger, true);
  }

  /** Returns a listener that shows owners as they are, for example {@code subject:alice}. */
  public static AuditListener showingOwners() {
    return showingOwners(System.getLogger(LOGGER_NAME));
  }

  /** As {@link #showingOwners()}, with another logger. */
  public static AuditListener showingOwners(System.Logger logger) {
    return new AuditListener(logger, false);
  }

  @Override
  public void onEvent(TaskEvent event) {
    logger.log(Level.INFO, () -> line(event));
  }

  private String line(TaskEvent event) {
    Map<String, Object> members = new TreeMap<>();
    members.put("at", event.at().toString());
    members.put("event", event.type());
    event.owner().ifPresent(owner -> members.put("owner", owner(owner)));
    event.taskId().ifPresent(id -> members.put("task", id));
    if (event instanceof TaskEvent.Write write) {
      members.put("status", write.task().status().wireName());
      members.put("version", write.task().version());
    }
    // A kind that has nothing of its own here, as one of a later release, still has a line.
    if (event instanceof TaskEvent.Created created) {
      members.put("method", created.task().method());
    } else if (event instanceof TaskEvent.InputRequested requested) {
      members.put("keys", requested.keys());
    } else if (event instanceof TaskEvent.InputProvided provided) {
      members.put("keys", provided.keys());
    } else if (event instanceof TaskEvent.ConflictRetried retried) {
      members.put("attempt", (long) retried.attempt());
    } else if (event instanceof TaskEvent.HandlerFailed failed) {
      members.put("cause", failed.cause().getClass().getName());
    } else if (event instanceof TaskEvent.Failure failure) {
      members.put("exception", failure.reason().getClass().getSimpleName());
      members.put("operation", failure.operation());
    } else if (event instanceof TaskEvent.Purged purged) {
      members.put("count", (long) purged.count());
    } else if (event instanceof TaskEvent.Dropped dropped) {
      members.put("count", dropped.count());
    }
    return json(members);
  }

  private String owner(Owner owner) {
    String kind = owner.kind().name().toLowerCase(Locale.ROOT);
    if (owner.kind() == Owner.Kind.LOCAL) {
      return kind;
    }
    String shown = kind + ":" + owner.value();
    return hashing ? hash(shown) : shown;
  }

  private static String hash(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, OWNER_DIGITS / 2);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every Java has SHA-256", e);
    }
  }

  // --- JSON ---------------------------------------------------------------------------------

  private static String json(Map<String, Object> members) {
    JsonWriter out = new JsonWriter(256);
    char separator = '{';
    for (Map.Entry<String, Object> member : members.entrySet()) {
      out.raw(separator);
      separator = ',';
      string(out, member.getKey());
      out.raw(':');
      if (member.getValue() instanceof Long number) {
        out.number(number);
      } else if (member.getValue() instanceof List<?> list) {
        array(out, list);
      } else {
        string(out, member.getValue().toString());
      }
    }
    out.raw('}');
    return ascii(new String(out.toByteArray(), StandardCharsets.UTF_8));
  }

  private static void array(JsonWriter out, List<?> texts) {
    out.raw('[');
    for (int i = 0; i < texts.size(); i++) {
      if (i > 0) {
        out.raw(',');
      }
      string(out, String.valueOf(texts.get(i)));
    }
    out.raw(']');
  }

  private static void string(JsonWriter out, String text) {
    boolean whole = text.length() <= MAX_TEXT;
    int begin = out.size();
    if (!whole || out.string(text) < 0) {
      out.truncate(begin);
      out.string(wellFormed(whole ? text : text.substring(0, MAX_TEXT) + "…"));
    }
  }

  private static String wellFormed(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints()
        .map(c -> Character.MIN_SURROGATE <= c && c <= Character.MAX_SURROGATE ? 0xFFFD : c)
        .forEach(out::appendCodePoint);
    return out.toString();
  }

  /**
   * Escapes everything but printable ASCII. It stands in strings only, and some of it would end a
   * line, or change what a terminal shows.
   */
  private static String ascii(String json) {
    StringBuilder out = new StringBuilder(json.length());
    for (int i = 0; i < json.length(); i++) {
      char c = json.charAt(i);
      if (c < 0x7F) {
        out.append(c);
      } else {
        out.append("\\u").append(HexFormat.of().toHexDigits(c));
      }
    }
    return out.toString();
  }
}
