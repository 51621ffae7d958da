// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.ReadOnlyFileSystemException;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Turns errors of the file system into those of the SPI. Java has no types for most of them: what
 * the system says has to be read.
 */
final class Failures {
  private static final List<String> FULL =
      List.of("no space left", "quota exceeded", "not enough space", "disk full");

  private Failures() {}

  /**
   * What an error means.
   *
   * @param where names what was used: a directory, or "the file system"; no names of files, which
   *     have keys in them
   */
  static StorageException of(
      String operation, @Nullable RecordKey key, String where, IOException e) {
    if (e instanceof SentException) {
      return new OutcomeUnknownException(
          operation,
          key,
          "%s failed (%s) when the write was under way; read the record to see whether it is there"
              .formatted(where, reason(e.getCause())),
          e.getCause());
    }
    String reason = reason(e);
    if (FULL.stream().anyMatch(reason.toLowerCase(Locale.ROOT)::contains)) {
      return new CapacityExceededException(
          operation,
          key,
          "%s has no room left (%s); nothing was written; make room".formatted(where, reason),
          e);
    }
    if (reason.contains("Too many open files")) {
      return new StorageUnavailableException(
          operation, key, true, "too many files are open; raise the limit of the process", e);
    }
    if (isReadOnly(e)) {
      return new StorageUnavailableException(
          operation,
          key,
          false,
          "%s does not permit it (%s); check the owner and permissions of the directory, and whether the medium can be written"
              .formatted(where, reason),
          e);
    }
    if (e instanceof NoSuchFileException) {
      return new StorageUnavailableException(
          operation,
          key,
          false,
          where + " lacks a directory of the store; was it removed while it was in use?",
          e);
    }
    return new StorageUnavailableException(
        operation, key, false, "%s failed (%s)".formatted(where, reason), e);
  }

  /** Whether an error says that one may not write. */
  static boolean isReadOnly(IOException e) {
    return e instanceof AccessDeniedException
        || reason(e).toLowerCase(Locale.ROOT).contains("read-only");
  }

  /** Whether an error is about one file, and the others may well be readable. */
  static boolean isOfOneFile(IOException e) {
    String reason = reason(e);
    return reason.contains("Input/output error")
        || reason.contains("Is a directory")
        || reason.contains("Too many levels of symbolic links");
  }

  static String reason(@Nullable Throwable e) {
    if (e instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (e instanceof FileSystemException system) {
      String reason = system.getReason();
      return reason == null ? e.getClass().getSimpleName() : reason;
    }
    String message = e == null ? null : e.getMessage();
    return message == null ? "no reason was given" : message;
  }

  /** A read-only file system may also be told as an unchecked exception. */
  static IOException checked(ReadOnlyFileSystemException e) {
    return new IOException("Read-only file system", e);
  }
}
