// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CancellationException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.SdkException;

/** What errors of DynamoDB and of its client mean. */
final class Failures {
  /** Beside throttling, answers that nothing was done and that the same may succeed soon. */
  private static final Set<String> PASSING =
      Set.of(
          "ReplicatedWriteConflictException",
          "TransactionInProgressException",
          "ResourceInUseException",
          "LimitExceededException");

  /** Of the credentials: they are not known, or not those of the one who they say they are. */
  private static final Set<String> REFUSED =
      Set.of(
          "UnrecognizedClientException",
          "InvalidClientTokenId",
          "InvalidSignatureException",
          "IncompleteSignatureException",
          "MissingAuthenticationTokenException",
          "MissingAuthenticationToken",
          "SignatureDoesNotMatch");

  private static final Set<String> EXPIRED =
      Set.of("ExpiredTokenException", "ExpiredToken", "RequestExpired");

  private static final Set<String> FORBIDDEN =
      Set.of("AccessDeniedException", "AccessDenied", "OptInRequired", "KMSAccessDeniedException");

  private final DynamoDbPlace place;

  Failures(DynamoDbPlace place) {
    this.place = place;
  }

  /**
   * Returns what a failed request means.
   *
   * @param writes whether it would change something
   */
  StorageException of(
      String operation, @Nullable RecordKey key, boolean writes, RuntimeException e) {
    if (e instanceof AwsServiceException answer) {
      return ofAnswer(operation, key, writes, answer);
    }
    if (e instanceof AbortedException) {
      Thread.currentThread().interrupt(); // the SDK has taken it away
    }
    // Apache's pool cancels for a thread that is interrupted before it has a connection.
    if (e instanceof AbortedException || e instanceof CancellationException) {
      return writes
          ? new OutcomeUnknownException(operation, key, "the thread was interrupted", e)
          : new StorageUnavailableException(operation, key, true, "the thread was interrupted", e);
    }
    String credentials = credentials(e);
    if (credentials != null) {
      return new StorageUnavailableException(
          operation, key, false, "there are no credentials for " + place + ": " + credentials, e);
    }
    if (isWithoutTls(e)) {
      return new StorageUnavailableException(
          operation, key, false, "there is no TLS with " + place + " (" + kind(e) + ")", e);
    }
    if (writes && !isNeverSent(e)) {
      return new OutcomeUnknownException(
          operation, key, "the answer of " + place + " was lost (" + kind(e) + ")", e);
    }
    return new StorageUnavailableException(
        operation, key, true, place + " cannot be reached (" + kind(e) + ")", e);
  }

  private StorageException ofAnswer(
      String operation, @Nullable RecordKey key, boolean writes, AwsServiceException e) {
    String code = code(e);
    if (e.isThrottlingException()) {
      return unavailable(
          operation,
          key,
          true,
          "has no capacity left for it at the moment (%s)".formatted(code),
          e);
    }
    if (e.statusCode() >= 500 || e.statusCode() < 400) {
      // As its documentation has it, the service may have done it all the same.
      return writes
          ? new OutcomeUnknownException(
              operation, key, "%s has failed (%s)".formatted(place, problem(e, code)), e)
          : unavailable(operation, key, true, "has failed (%s)".formatted(problem(e, code)), e);
    }
    if (code.equals("ItemCollectionSizeLimitExceededException")) {
      return new CapacityExceededException(
          operation,
          key,
          place
              + " refuses it: what one owner has would exceed 10 GB, the limit of a table with an"
              + " index of this kind; let tasks of theirs expire earlier, or delete some",
          e);
    }
    if (code.equals("ResourceNotFoundException")) {
      return unavailable(
          operation,
          key,
          false,
          "has no table %s, or none with the index %s: make it with DynamoDbTables.create"
              .formatted(place.table(), DynamoDbTables.INDEX),
          e);
    }
    if (isSkew(e, code)) {
      // The client has learnt the difference from the answer, and takes it into account next time.
      return unavailable(
          operation, key, true, "refuses it: the clock of this host differs from its own", e);
    }
    if (EXPIRED.contains(code)) {
      return unavailable(
          operation, key, false, "refuses it: the credentials have expired; get new ones", e);
    }
    if (REFUSED.contains(code)) {
      return unavailable(
          operation, key, false, "refuses it: the credentials are wrong (%s)".formatted(code), e);
    }
    if (FORBIDDEN.contains(code)) {
      return unavailable(
          operation,
          key,
          false,
          "refuses it: the credentials do not allow it (%s); see the policy that a store needs"
              .formatted(code),
          e);
    }
    return unavailable(
        operation, key, PASSING.contains(code), "refuses it (%s)".formatted(code), e);
  }

  private StorageUnavailableException unavailable(
      String operation, @Nullable RecordKey key, boolean retryable, String detail, Throwable e) {
    return new StorageUnavailableException(operation, key, retryable, place + " " + detail, e);
  }

  /** Whether an answer says that an item would be too large. */
  static boolean isTooLarge(SdkException e) {
    return e instanceof AwsServiceException answer
        && code(answer).equals("ValidationException")
        && String.valueOf(answer.getMessage()).contains("Item size");
  }

  private static boolean isSkew(AwsServiceException e, String code) {
    if (code.equals("RequestTimeTooSkewed") || code.equals("RequestInTheFuture")) {
      return true;
    }
    // DynamoDB has one code for a wrong key and for a wrong time
    String message = String.valueOf(e.getMessage());
    return code.equals("InvalidSignatureException")
        && (message.contains("Signature expired") || message.contains("Signature not yet current"));
  }

  private static String code(AwsServiceException e) {
    String code = e.awsErrorDetails() == null ? null : e.awsErrorDetails().errorCode();
    return code == null || code.isEmpty() ? "no error code" : code;
  }

  private static String problem(AwsServiceException e, String code) {
    return "HTTP " + e.statusCode() + ", " + code;
  }

  /** What is wrong with the credentials, if that is why nothing was sent. */
  private static @Nullable String credentials(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      String message = String.valueOf(cause.getMessage());
      if (message.startsWith("Unable to load credentials")
          || message.startsWith("Failed to load credentials")
          || message.startsWith("Profile file contained no credentials")) {
        return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the host a"
            + " role";
      }
    }
    return null;
  }

  /** Whether the connection has failed before it could carry a request, and will again. */
  private static boolean isWithoutTls(Throwable e) {
    SSLException ofTls = find(e, SSLException.class);
    return ofTls instanceof SSLHandshakeException
        || ofTls instanceof SSLPeerUnverifiedException
        // the first answer is none of TLS: the service speaks plain HTTP
        || (ofTls != null
            && String.valueOf(ofTls.getMessage()).startsWith("Unsupported or unrecognized SSL"));
  }

  /** Whether it is certain that no byte of the request has left. */
  private static boolean isNeverSent(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof ConnectException
          || cause instanceof NoRouteToHostException
          || cause instanceof UnknownHostException) {
        return true;
      }
      // Of the clients' own, by name: which client it is, is for the caller to say.
      String name = cause.getClass().getSimpleName();
      if (name.equals("ConnectTimeoutException")
          || name.equals("ConnectionRequestTimeoutException")) {
        return true;
      }
      if (cause instanceof SocketTimeoutException
          && String.valueOf(cause.getMessage())
              .toLowerCase(Locale.ROOT)
              .contains("connect timed out")) {
        return true;
      }
    }
    return false;
  }

  private static <T extends Throwable> @Nullable T find(Throwable e, Class<T> type) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (type.isInstance(cause)) {
        return type.cast(cause);
      }
    }
    return null;
  }

  /** The innermost cause, which says more than what the client wraps around it. */
  private static String kind(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getClass().getSimpleName();
  }
}
