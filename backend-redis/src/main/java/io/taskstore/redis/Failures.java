// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionException;
import io.lettuce.core.RedisException;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.security.cert.CertificateException;
import java.util.List;
import java.util.Set;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** What errors of Redis and of its client mean. */
final class Failures {
  /** Errors that go by themselves: the first word of what the server says. */
  private static final Set<String> PASSING =
      Set.of(
          "LOADING",
          "BUSY",
          "MASTERDOWN",
          "CLUSTERDOWN",
          "TRYAGAIN",
          "NOREPLICAS",
          "UNBLOCKED",
          "ASK");

  private Failures() {}

  /**
   * @param sent whether a write may have reached the server
   * @param endpoint where it was sent to
   */
  static StorageException of(
      String operation, @Nullable RecordKey key, boolean sent, String endpoint, Throwable e) {
    if (e instanceof RedisCommandExecutionException answer) {
      return ofAnswer(operation, key, endpoint, answer);
    }
    if (sent && !isRejected(e)) {
      return new OutcomeUnknownException(
          operation, key, "the answer of Redis at " + endpoint + " was lost (" + kind(e) + ")", e);
    }
    String tls = ofTls(e);
    if (tls != null) {
      return unavailable(
          operation, key, false, "there is no TLS with Redis at " + endpoint + ": " + tls, e);
    }
    return new StorageUnavailableException(
        operation, key, true, "Redis at " + endpoint + " cannot be reached (" + kind(e) + ")", e);
  }

  static StorageException ofRights(String operation, String endpoint, List<String> commands) {
    return unavailable(
        operation,
        null,
        false,
        "Redis at %s refuses it: the user may not use %s on keys of ours; grant it, see ACL SETUSER"
            .formatted(endpoint, String.join(", ", commands)),
        null);
  }

  static StorageException ofOpening(String endpoint, RedisException e) {
    Throwable cause = find(e, RedisCommandExecutionException.class);
    if (cause == null) {
      cause = e;
      while (cause.getCause() instanceof RedisException inner) {
        cause = inner;
      }
    }
    return of("open", null, false, endpoint, cause);
  }

  /** Nodes of a Cluster are asked all together; how each has failed is suppressed. */
  private static <T extends Throwable> @Nullable T find(Throwable e, Class<T> type) {
    if (type.isInstance(e)) {
      return type.cast(e);
    }
    T found = e.getCause() == null ? null : find(e.getCause(), type);
    for (Throwable suppressed : e.getSuppressed()) {
      if (found == null) {
        found = find(suppressed, type);
      }
    }
    return found;
  }

  /** What is wrong with TLS, if there is no connection because of it. */
  private static @Nullable String ofTls(Throwable e) {
    CertificateException certificate = find(e, CertificateException.class);
    if (certificate != null) {
      return "its certificate is not accepted (" + certificate.getMessage() + ")";
    }
    SSLException other = find(e, SSLException.class);
    return other == null ? null : kind(other);
  }

  /** Whether a command was not sent, because there was no connection. */
  static boolean isRejected(Throwable e) {
    return e instanceof RedisConnectionException
        || String.valueOf(e.getMessage()).contains("Commands are rejected");
  }

  /** The innermost cause, which says more than what the client wraps around it. */
  private static String kind(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getClass().getSimpleName();
  }

  /** The server has answered with an error: it has done nothing. */
  private static StorageException ofAnswer(
      String operation,
      @Nullable RecordKey key,
      String endpoint,
      RedisCommandExecutionException e) {
    String message = String.valueOf(e.getMessage());
    // What a user may not do in a script is an error of its own, whose text depends on the version.
    boolean isOfRights =
        message.contains("user executing the script can't")
            || message.contains("ACL failure in script");
    String code = isOfRights ? "NOPERM" : message.split("[ :]", 2)[0];
    String detail = "Redis at " + endpoint + " refuses it: ";
    switch (code) {
      case "OOM" -> {
        return new CapacityExceededException(
            operation, key, detail + "it has no memory left (maxmemory)", e);
      }
      case "WRONGTYPE" -> {
        if (key != null) {
          return new CorruptRecordException(
              operation, key, "something else than a record or an index of ours stands there", e);
        }
      }
      case "READONLY" -> {
        return unavailable(
            operation, key, false, detail + "it is a replica, which takes no writes", e);
      }
      case "NOAUTH", "WRONGPASS" -> {
        return unavailable(
            operation, key, false, detail + "user or password are wrong or missing", e);
      }
      case "NOPERM" -> {
        return unavailable(
            operation,
            key,
            false,
            detail
                + "the user may not use all commands and keys that are needed; ACL LOG says which",
            e);
      }
      case "MISCONF" -> {
        return unavailable(
            operation, key, false, detail + "it cannot save to its disk (MISCONF), see its log", e);
      }
      case "MOVED" -> {
        // The client of a Cluster follows, but not for ever.
        return unavailable(
            operation,
            key,
            true,
            detail
                + "it is a node of a Cluster, and the key is on another; is the url redis-cluster:?",
            e);
      }
      default -> {}
    }
    if (message.contains("DB index is out of range")) {
      return unavailable(operation, key, false, detail + "it has no such database", e);
    }
    if (message.contains("cluster support disabled")) {
      return unavailable(
          operation, key, false, detail + "it is no Cluster; is the url redis: or rediss:?", e);
    }
    return unavailable(operation, key, PASSING.contains(code), detail + code, e);
  }

  private static StorageException unavailable(
      String operation,
      @Nullable RecordKey key,
      boolean retryable,
      String detail,
      @Nullable Throwable e) {
    return new StorageUnavailableException(operation, key, retryable, detail, e);
  }
}
