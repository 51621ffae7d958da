// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.History.Call;
import io.taskstore.contract.History.Delete;
import io.taskstore.contract.History.Failed;
import io.taskstore.contract.History.Get;
import io.taskstore.contract.History.Lost;
import io.taskstore.contract.History.Operation;
import io.taskstore.contract.History.Outcome;
import io.taskstore.contract.History.Put;
import io.taskstore.contract.History.Removed;
import io.taskstore.contract.History.Saw;
import io.taskstore.contract.History.State;
import io.taskstore.contract.History.Threw;
import io.taskstore.contract.History.Torn;
import io.taskstore.contract.History.Unknown;
import io.taskstore.contract.History.Wrote;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Calls a backend about one key and writes the calls down. Several recorders, over several
 * instances on the same storage, may share a history. Safe for any number of threads.
 *
 * <p>No call throws what the backend throws: a write whose answer was lost is {@link Unknown},
 * another {@link StorageException} is {@link Failed}, and any other exception is {@link Threw}. The
 * whole record is a function of its write id, so every record that is read is also checked for
 * parts of other writes ({@link Torn}).
 */
final class HistoryRecorder {
  /** Far enough that no storage drops the record meanwhile. */
  private static final Instant EXPIRY = Instant.parse("2200-01-01T00:00:00Z");

  /** From this version on a record is inactive. Callers never set the flag again. */
  private static final long ACTIVE_VERSIONS = 12;

  /** How many versions share an expiry, which callers change seldom. */
  private static final long VERSIONS_PER_EXPIRY = 8;

  private final StorageBackend backend;
  private final RecordKey key;
  private final int dataSize;
  private final History history;

  /**
   * Creates a recorder.
   *
   * @param dataSize how many bytes of data each record has; the same for all recorders of a history
   */
  HistoryRecorder(StorageBackend backend, RecordKey key, int dataSize, History history) {
    this.backend = backend;
    this.key = key;
    this.dataSize = dataSize;
    this.history = history;
  }

  /** Writes a record of its own, with {@link StorageBackend#putIfVersion}. */
  Outcome put(long expected) {
    String writeId = history.nextWriteId(expected);
    RecordValue value = value(writeId, expected, dataSize);
    return call(
        new Put(expected, writeId),
        () -> backend.putIfVersion(key, value, expected),
        result ->
            result instanceof Conflict conflict
                ? lost(conflict)
                : new Wrote(((Written) result).version()));
  }

  /** Deletes with {@link StorageBackend#deleteIfVersion}. */
  Outcome delete(long expected) {
    return call(
        new Delete(expected),
        () -> backend.deleteIfVersion(key, expected),
        result -> result instanceof Conflict conflict ? lost(conflict) : new Removed());
  }

  /** Reads with {@link StorageBackend#get}. */
  Outcome get() {
    return call(
        new Get(),
        () -> backend.get(key),
        result -> {
          VersionedRecord stored = result.orElse(null);
          Torn torn = torn(stored);
          return torn == null ? new Saw(State.of(stored)) : torn;
        });
  }

  private <T> Outcome call(
      Operation operation, Supplier<T> backendCall, Function<T, Outcome> reading) {
    long returned = History.NEVER;
    Outcome outcome;
    long invoked = history.stamp();
    try {
      T result = backendCall.get();
      // before the result is looked at: a shorter interval shows more
      returned = history.stamp();
      outcome = reading.apply(Objects.requireNonNull(result, "the backend's result"));
    } catch (OutcomeUnknownException e) {
      outcome = operation instanceof Get ? new Failed(name(e)) : new Unknown();
    } catch (StorageException e) {
      outcome = new Failed(name(e));
    } catch (RuntimeException e) {
      outcome = new Threw(e.toString());
    }
    if (returned == History.NEVER) {
      returned = history.stamp();
    }
    history.add(new Call(Thread.currentThread().getName(), operation, invoked, returned, outcome));
    return outcome;
  }

  private Outcome lost(Conflict conflict) {
    Torn torn = torn(conflict.winner());
    return torn == null ? new Lost(State.of(conflict.winner())) : torn;
  }

  private static String name(StorageException e) {
    return e.getClass().getSimpleName();
  }

  /** The value that belongs to a write id of {@link History#nextWriteId}. */
  static RecordValue value(String writeId, long expected, int dataSize) {
    byte[] data = new byte[dataSize];
    // all of the id goes into the data, beyond the 32 bits of its hash code
    long seed = 0;
    for (int i = 0; i < writeId.length(); i++) {
      seed = 1_099_511_628_211L * seed + writeId.charAt(i);
    }
    new SplittableRandom(seed).nextBytes(data);
    Instant expiry = EXPIRY.plusSeconds(expected / VERSIONS_PER_EXPIRY);
    return new RecordValue(Bytes.unsafeWrap(data), expected < ACTIVE_VERSIONS, expiry, writeId);
  }

  /** What in a record does not belong to its write id; null if all does. Never shows data. */
  private @Nullable Torn torn(@Nullable VersionedRecord stored) {
    if (stored == null) {
      return null;
    }
    String writeId = stored.value().writeId();
    long expected;
    try {
      expected = Long.parseLong(writeId.substring(writeId.lastIndexOf('.') + 1));
    } catch (NumberFormatException e) {
      return null; // no write id of a history: whoever checks the history will not know it
    }
    RecordValue right = value(writeId, expected, dataSize);
    RecordValue found = stored.value();
    List<String> differences = new ArrayList<>();
    if (!stored.key().equals(key)) {
      differences.add("key " + stored.key() + " instead of " + key);
    }
    if (found.active() != right.active()) {
      differences.add("active " + found.active() + " instead of " + right.active());
    }
    if (!Objects.equals(found.expiresAt(), right.expiresAt())) {
      differences.add("expiresAt " + found.expiresAt() + " instead of " + right.expiresAt());
    }
    int at = Arrays.mismatch(found.data().unsafeArray(), right.data().unsafeArray());
    if (at >= 0) {
      differences.add(
          "data of %d bytes that differs from the %d bytes written from index %d on"
              .formatted(found.data().size(), dataSize, at));
    }
    return differences.isEmpty()
        ? null
        : new Torn(State.of(stored), String.join(", ", differences));
  }
}
