// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static io.taskstore.contract.Samples.insert;
import static io.taskstore.contract.Samples.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One call of a method of the SPI, for tests that go through all of them. Each call has a key of
 * its own, so that what one of them did does not show in another.
 *
 * @param name the method, and what is special about the call
 * @param kind what the call does to the storage if nothing is in its way
 * @param key the key it is about, null if it is about none
 * @param before what is stored under the key before, null for nothing
 * @param after what is stored there after a success, null for nothing
 * @param action makes the call
 * @param isSuccess whether a result is the right one
 */
record EveryCall(
    String name,
    Kind kind,
    @Nullable RecordKey key,
    @Nullable VersionedRecord before,
    @Nullable VersionedRecord after,
    Function<StorageBackend, Object> action,
    Predicate<Object> isSuccess) {

  /** What a call does if nothing is in its way. */
  enum Kind {
    READ,
    /** Changes what is stored. */
    WRITE,
    /** A write that is lost to another, or finds nothing, and changes nothing. */
    LOST
  }

  /**
   * How a call ended.
   *
   * @param result what it returned, null if it threw
   * @param failure what it threw, null if it returned
   */
  record Ending(@Nullable Object result, @Nullable Throwable failure) {
    @Override
    public String toString() {
      return failure == null ? String.valueOf(result) : failure.toString();
    }
  }

  /**
   * Prepares records for all calls on an otherwise empty storage.
   *
   * @param data what the data of all records begins with
   */
  static List<EveryCall> prepare(StorageBackend backend, String partition, String data) {
    List<EveryCall> calls = new ArrayList<>();
    addReads(calls, backend, partition, data);

    VersionedRecord created = fresh(partition, "create", data);
    calls.add(write("putIfVersion that creates", null, created, put(created), new Written(1)));
    VersionedRecord old = twice(backend, partition, "update", data);
    VersionedRecord updated = next(old, data);
    calls.add(write("putIfVersion that updates", old, updated, put(updated), new Written(3)));
    VersionedRecord doomed = twice(backend, partition, "delete", data);
    calls.add(
        write(
            "deleteIfVersion",
            doomed,
            null,
            b -> b.deleteIfVersion(doomed.key(), doomed.version()),
            Deleted.DELETED));
    VersionedRecord within = fresh(partition, "within", data);
    calls.add(
        write(
            "createWithin",
            null,
            within,
            b -> b.createWithin(within.key(), within.value(), 1_000, Samples.now()),
            Created.CREATED));
    VersionedRecord put = fresh(partition, "put", data);
    calls.add(write("put that creates", null, put, b -> b.put(put.key(), put.value()), 1L));
    VersionedRecord overwritten = twice(backend, partition, "overwrite", data);
    VersionedRecord over = next(overwritten, data);
    calls.add(
        write("put that updates", overwritten, over, b -> b.put(over.key(), over.value()), 3L));
    VersionedRecord removed = twice(backend, partition, "remove", data);
    calls.add(write("delete", removed, null, b -> b.delete(removed.key()), true));
    Instant past = Samples.now().minus(Duration.ofHours(1));
    VersionedRecord due =
        insert(backend, new RecordKey(partition, "due"), value(data + "due", true, past));
    calls.add(write("purgeExpired", due, null, b -> b.purgeExpired(Samples.now(), 10), 1));

    addLost(calls, backend, partition, data);
    return calls;
  }

  private static void addReads(
      List<EveryCall> calls, StorageBackend backend, String partition, String data) {
    VersionedRecord read = twice(backend, partition, "read", data);
    calls.add(read("get", read.key(), read, Optional.of(read)));
    RecordKey nowhere = new RecordKey(partition, "nowhere");
    calls.add(read("get of nothing", nowhere, null, Optional.empty()));

    String listed = partition + "-listed";
    VersionedRecord inList = twice(backend, listed, "in-list", data);
    ListQuery query = new ListQuery(listed, null, false, 10);
    calls.add(
        new EveryCall(
            "list",
            Kind.READ,
            null,
            null,
            null,
            backend1 -> backend1.list(query),
            page -> ((RecordPage) page).records().equals(List.of(inList))));
    RecordHead head = new RecordHead(inList.key(), inList.value().expiresAt());
    calls.add(
        new EveryCall(
            "listActive",
            Kind.READ,
            null,
            null,
            null,
            backend1 -> backend1.listActive(query),
            page -> ((HeadPage) page).heads().equals(List.of(head))));
  }

  private static void addLost(
      List<EveryCall> calls, StorageBackend backend, String partition, String data) {
    VersionedRecord kept = twice(backend, partition, "stale", data);
    VersionedRecord mine = new VersionedRecord(kept.key(), value(data + "mine"), 2);
    calls.add(lost("putIfVersion with a stale version", kept, put(mine), new Conflict(kept)));
    VersionedRecord taken = twice(backend, partition, "taken", data);
    VersionedRecord again = new VersionedRecord(taken.key(), value(data + "again"), 1);
    calls.add(lost("putIfVersion of a taken key", taken, put(again), new Conflict(taken)));
    calls.add(
        lost(
            "createWithin of a taken key",
            taken,
            b -> b.createWithin(taken.key(), again.value(), 1_000, Samples.now()),
            new Conflict(taken)));
    calls.add(
        lost(
            "deleteIfVersion with a stale version",
            kept,
            b -> b.deleteIfVersion(kept.key(), 1),
            new Conflict(kept)));
    RecordKey missing = new RecordKey(partition, "missing");
    RecordValue value = value(data + "missing");
    calls.add(
        lost(
            "putIfVersion of a missing key",
            missing,
            null,
            b -> b.putIfVersion(missing, value, 1),
            Conflict.ABSENT));
    calls.add(
        lost(
            "deleteIfVersion of a missing key",
            missing,
            null,
            b -> b.deleteIfVersion(missing, 1),
            Conflict.ABSENT));
    calls.add(lost("delete of a missing key", missing, null, b -> b.delete(missing), false));
  }

  private static VersionedRecord fresh(String partition, String id, String data) {
    return new VersionedRecord(new RecordKey(partition, id), value(data + id), 1);
  }

  /** Stores a record of version 2. */
  private static VersionedRecord twice(
      StorageBackend backend, String partition, String id, String data) {
    RecordKey key = new RecordKey(partition, id);
    insert(backend, key, value(data + id + 1));
    return Samples.write(
        backend, key, value(data + id + 2, true, Instant.parse("2999-12-31T23:59:59.001Z")), 1);
  }

  private static VersionedRecord next(VersionedRecord old, String data) {
    return new VersionedRecord(old.key(), value(data + "next"), old.version() + 1);
  }

  private static Function<StorageBackend, Object> put(VersionedRecord record) {
    return b -> b.putIfVersion(record.key(), record.value(), record.version() - 1);
  }

  private static EveryCall read(
      String name, RecordKey key, @Nullable VersionedRecord stored, Object success) {
    return new EveryCall(name, Kind.READ, key, stored, stored, b -> b.get(key), success::equals);
  }

  private static EveryCall write(
      String name,
      @Nullable VersionedRecord before,
      @Nullable VersionedRecord after,
      Function<StorageBackend, Object> action,
      Object success) {
    VersionedRecord some = after == null ? before : after;
    RecordKey key = some == null ? null : some.key();
    return new EveryCall(name, Kind.WRITE, key, before, after, action, success::equals);
  }

  private static EveryCall lost(
      String name,
      VersionedRecord stored,
      Function<StorageBackend, Object> action,
      Object success) {
    return lost(name, stored.key(), stored, action, success);
  }

  private static EveryCall lost(
      String name,
      RecordKey key,
      @Nullable VersionedRecord stored,
      Function<StorageBackend, Object> action,
      Object success) {
    return new EveryCall(name, Kind.LOST, key, stored, stored, action, success::equals);
  }

  /** Whether the method takes a key, so that a failure must name it. */
  boolean namesKey() {
    return key != null && !isPurge();
  }

  boolean isPurge() {
    return name.equals("purgeExpired");
  }

  /** Makes the call, and returns how it ended. */
  // What a backend may not throw is for the test to find.
  @SuppressWarnings("CatchingUnchecked")
  Ending on(StorageBackend backend) {
    try {
      return new Ending(action.apply(backend), null);
    } catch (Throwable e) {
      return new Ending(null, e);
    }
  }

  /** What is stored under the key. */
  @Nullable VersionedRecord stored(StorageBackend backend) {
    return key == null ? null : backend.get(key).orElse(null);
  }

  /** Checks that the call did what it does if nothing is in its way. */
  void assertSucceeded(String circumstances, Ending ending, StorageBackend healthy) {
    assertThat(ending.failure()).as("%s %s: failure", name, circumstances).isNull();
    Object result = ending.result();
    assertThat(result != null && isSuccess.test(result))
        .as("%s %s: the result %s is the right one", name, circumstances, result)
        .isTrue();
    assertThat(stored(healthy)).as("stored after %s %s", name, circumstances).isEqualTo(after);
  }

  /** Checks that the call did nothing, and what is stored is as before. */
  void assertNothingDone(String circumstances, StorageBackend healthy) {
    assertThat(stored(healthy)).as("stored after %s %s", name, circumstances).isEqualTo(before);
  }

  /**
   * Checks that the call either succeeded, or failed in one of the ways in which a call may fail
   * whose storage cannot be reached or whose thread is interrupted, and that what is stored agrees
   * with what it said.
   */
  void assertSucceededOrFailed(String circumstances, Ending ending, StorageBackend healthy) {
    if (ending.failure() == null) {
      assertSucceeded(circumstances, ending, healthy);
    } else {
      assertFailed(circumstances, ending, healthy);
    }
  }

  /** Checks the same of a call that must not have succeeded. */
  void assertFailed(String circumstances, Ending ending, StorageBackend healthy) {
    assertTrouble(circumstances, ending);
    if (ending.failure() instanceof StorageUnavailableException && !isPurge()) {
      assertNothingDone(circumstances, healthy);
    } else {
      assertThat(stored(healthy))
          .as("stored after %s %s: what was before, or what the call does", name, circumstances)
          .isIn(before, after);
    }
  }

  /** Checks that the call ended in a failure that says that the storage is in trouble. */
  StorageException assertTrouble(String circumstances, Ending ending) {
    Throwable failure = ending.failure();
    assertThat(failure)
        .as("%s %s must fail, but returned %s", name, circumstances, ending.result())
        .isNotNull();
    if (kind == Kind.READ) {
      assertThat(failure)
          .as("%s %s", name, circumstances)
          .isInstanceOf(StorageUnavailableException.class);
    } else {
      assertThat(failure)
          .as("%s %s", name, circumstances)
          .isInstanceOfAny(StorageUnavailableException.class, OutcomeUnknownException.class);
    }
    return (StorageException) Objects.requireNonNull(failure);
  }

  /** Checks that the call ended in "unavailable", and whether trying again is said to help. */
  void assertUnavailable(String circumstances, boolean retryable, Ending ending) {
    assertThat(ending.failure())
        .as("%s %s; it returned %s", name, circumstances, ending.result())
        .isInstanceOfSatisfying(
            StorageUnavailableException.class,
            e ->
                assertThat(e.isRetryable())
                    .as("%s %s: retryable", name, circumstances)
                    .isEqualTo(retryable));
  }
}
