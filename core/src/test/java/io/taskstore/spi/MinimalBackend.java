// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The least that a backend can be: the seven methods over a map. A test can count its calls, let
 * one of them fail, and do something just before one of them. The script is written before the
 * first call; calls are numbered from 1 within their kind.
 */
final class MinimalBackend implements StorageBackend {
  /** The kinds of calls. */
  enum Call {
    GET,
    PUT,
    DELETE,
    LIST
  }

  /** How a call fails. */
  enum Fault {
    /** It is known that nothing happened, and a retry may help. */
    UNAVAILABLE,
    /** The answer was lost; the call took effect. */
    UNKNOWN_APPLIED,
    /** The answer was lost; the call took no effect. */
    UNKNOWN_NOT_APPLIED
  }

  private final ConcurrentMap<RecordKey, VersionedRecord> records = new ConcurrentHashMap<>();
  private final Map<Call, AtomicInteger> counts = new EnumMap<>(Call.class);
  private final Map<Call, Map<Integer, Runnable>> actions = new EnumMap<>(Call.class);
  private final Map<Call, Map<Integer, Fault>> faults = new EnumMap<>(Call.class);
  private int pageSize = Integer.MAX_VALUE;

  MinimalBackend() {
    for (Call call : Call.values()) {
      counts.put(call, new AtomicInteger());
      actions.put(call, new HashMap<>());
      faults.put(call, new HashMap<>());
    }
  }

  /** Runs {@code action} just before the {@code number}-th call of a kind takes effect. */
  MinimalBackend before(Call call, int number, Runnable action) {
    of(actions, call).put(number, action);
    return this;
  }

  /** Lets the {@code number}-th call of a kind fail. */
  MinimalBackend fail(Call call, int number, Fault fault) {
    of(faults, call).put(number, fault);
    return this;
  }

  /** Looks at this many records for a page, whatever the query asks for. */
  MinimalBackend pageSize(int size) {
    pageSize = size;
    return this;
  }

  /** How many calls of a kind there were. */
  int count(Call call) {
    return of(counts, call).get();
  }

  /** What is stored, without counting as a call. */
  @Nullable VersionedRecord peek(RecordKey key) {
    return records.get(key);
  }

  /** Stores a record, without counting as a call. */
  void plant(RecordKey key, RecordValue value, long version) {
    records.put(key, new VersionedRecord(key, value, version));
  }

  /** Removes a record, without counting as a call. */
  void uproot(RecordKey key) {
    records.remove(key);
  }

  /** How many records there are, without counting as a call. */
  int size() {
    return records.size();
  }

  @Override
  public BackendTraits traits() {
    return new BackendTraits("minimal", false, false, false, 1_000);
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    enter(Call.GET, "get", key);
    return Optional.ofNullable(records.get(key));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    Fault fault = enter(Call.PUT, "putIfVersion", key);
    if (fault == Fault.UNKNOWN_NOT_APPLIED) {
      throw lost("putIfVersion", key);
    }
    AtomicReference<PutResult> result = new AtomicReference<>(Conflict.ABSENT);
    records.compute(
        key,
        (k, stored) -> {
          if (expected != (stored == null ? ABSENT : stored.version())) {
            result.set(new Conflict(stored));
            return stored;
          }
          result.set(new Written(expected + 1));
          return new VersionedRecord(key, value, expected + 1);
        });
    if (fault == Fault.UNKNOWN_APPLIED) {
      throw lost("putIfVersion", key);
    }
    return result.getPlain();
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    Fault fault = enter(Call.DELETE, "deleteIfVersion", key);
    if (fault == Fault.UNKNOWN_NOT_APPLIED) {
      throw lost("deleteIfVersion", key);
    }
    AtomicReference<DeleteResult> result = new AtomicReference<>(Conflict.ABSENT);
    records.computeIfPresent(
        key,
        (k, stored) -> {
          if (stored.version() != expected) {
            result.set(new Conflict(stored));
            return stored;
          }
          result.set(Deleted.DELETED);
          return null;
        });
    if (fault == Fault.UNKNOWN_APPLIED) {
      throw lost("deleteIfVersion", key);
    }
    return result.getPlain();
  }

  @Override
  public RecordPage list(ListQuery query) {
    enter(Call.LIST, "list", null);
    Comparator<String> ascending = RecordKey::compareIds;
    Comparator<String> order = query.descending() ? ascending.reversed() : ascending;
    String after = query.after();
    List<VersionedRecord> rest = new ArrayList<>();
    for (VersionedRecord stored : records.values()) {
      if (stored.key().partition().equals(query.partition())
          && (after == null || order.compare(stored.key().id(), after) > 0)) {
        rest.add(stored);
      }
    }
    rest.sort(Comparator.comparing(stored -> stored.key().id(), order));
    int size = Math.min(pageSize, query.limit());
    if (rest.size() <= size) {
      return new RecordPage(rest, List.of(), null);
    }
    return new RecordPage(rest.subList(0, size), List.of(), rest.get(size - 1).key().id());
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}

  private @Nullable Fault enter(Call call, String operation, @Nullable RecordKey key) {
    int number = of(counts, call).incrementAndGet();
    Runnable action = of(actions, call).get(number);
    if (action != null) {
      action.run();
    }
    Fault fault = of(faults, call).get(number);
    if (fault == Fault.UNAVAILABLE) {
      throw new StorageUnavailableException(operation, key, true, "scripted", null);
    }
    return fault;
  }

  private static OutcomeUnknownException lost(String operation, RecordKey key) {
    return new OutcomeUnknownException(operation, key, "scripted", null);
  }

  private static <V> V of(Map<Call, V> map, Call call) {
    V value = map.get(call);
    if (value == null) {
      throw new IllegalStateException("No entry for " + call);
    }
    return value;
  }
}
