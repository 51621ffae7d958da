// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.util.Objects;

/** The defaults of {@link StorageBackend#put} and {@link StorageBackend#delete}: bounded loops. */
final class UnconditionalWrites {
  /** Every lost attempt means that somebody else wrote, so this many in a row are no accident. */
  private static final int ATTEMPTS = 100;

  private UnconditionalWrites() {}

  static long put(StorageBackend backend, RecordKey key, RecordValue value) {
    StorageArguments.checkPut(key, value, StorageBackend.ABSENT);
    long expected = backend.get(key).map(VersionedRecord::version).orElse(StorageBackend.ABSENT);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      PutResult result = backend.putIfVersion(key, value, expected);
      if (result instanceof Written written) {
        return written.version();
      }
      VersionedRecord winner = ((Conflict) result).winner();
      expected = winner == null ? StorageBackend.ABSENT : winner.version();
    }
    throw contended("put", key);
  }

  static boolean delete(StorageBackend backend, RecordKey key) {
    VersionedRecord current = backend.get(Objects.requireNonNull(key, "key")).orElse(null);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (current == null) {
        return false;
      }
      DeleteResult result = backend.deleteIfVersion(key, current.version());
      if (result instanceof Conflict conflict) {
        current = conflict.winner();
      } else {
        return true;
      }
    }
    throw contended("delete", key);
  }

  private static StorageUnavailableException contended(String operation, RecordKey key) {
    return new StorageUnavailableException(
        operation,
        key,
        true,
        "%d attempts lost against other writers; try again".formatted(ATTEMPTS),
        null);
  }
}
