// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.Full;
import io.taskstore.spi.HeadPage;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordHead;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A backend whose instances share a storage in memory, with all eleven methods and an index of
 * active records; correct, unless it is told to have a bug.
 */
final class LocalBackend implements StorageBackend {
  static final int MAX_DATA_BYTES = 1 << 20;

  /** Where the records are: the part of a backend that outlives its instances. */
  static final class Storage {
    private final SeededBug bug;
    private final ReentrantLock lock = new ReentrantLock();
    private final ConcurrentNavigableMap<Place, VersionedRecord> records =
        new ConcurrentSkipListMap<>();
    private final ConcurrentNavigableMap<Place, RecordKey> active = new ConcurrentSkipListMap<>();
    private final Map<Place, Instant> oldExpiries = new HashMap<>();
    private final Map<Place, Long> oldVersions = new HashMap<>();
    private final AtomicLong reads = new AtomicLong();

    Storage(SeededBug bug) {
      this.bug = bug;
    }

    long reads() {
      return reads.get();
    }

    /** Stores a record as it is. */
    void seed(VersionedRecord seeded) {
      Place place = Place.of(seeded.key(), bug);
      long version = seeded.version();
      if (bug == SeededBug.VERSION_IS_A_DOUBLE) {
        version = Math.round((double) version);
      } else if (bug == SeededBug.VERSION_IS_AN_INT) {
        version = Math.max(1, (int) version);
      }
      records.put(place, new VersionedRecord(seeded.key(), seeded.value(), version));
      if (seeded.value().active()) {
        active.put(place, seeded.key());
      } else {
        active.remove(place);
      }
    }

    List<String> entries() {
      List<String> entries = new ArrayList<>();
      records.keySet().forEach(place -> entries.add("record " + place));
      active.keySet().forEach(place -> entries.add("active " + place));
      return entries;
    }
  }

  /** Where a record stands, in the order of listings. */
  private record Place(String partition, String id) implements Comparable<Place> {
    static Place of(RecordKey key, SeededBug bug) {
      String partition = key.partition();
      String id = key.id();
      return switch (bug) {
        case CASE_IS_FOLDED -> new Place(lower(partition), lower(id));
        case KEYS_ARE_NORMALIZED ->
            new Place(partition, Normalizer.normalize(id, Normalizer.Form.NFC));
        case SLASH_IS_ESCAPED_BADLY -> new Place(partition, id.replace("/", "%2F"));
        case PARTS_ARE_JOINED -> new Place("", partition + ":" + id);
        case TRAILING_DOTS_ARE_DROPPED -> new Place(partition, id.replaceAll("(?<=.)[. ]+$", ""));
        case LONG_KEYS_ARE_CUT -> new Place(partition, id.substring(0, Math.min(id.length(), 255)));
        default -> new Place(partition, id);
      };
    }

    private static String lower(String text) {
      return text.toLowerCase(Locale.ROOT);
    }

    @Override
    public int compareTo(Place other) {
      int byPartition = partition.compareTo(other.partition);
      return byPartition != 0 ? byPartition : RecordKey.compareIds(id, other.id);
    }
  }

  private final Storage storage;
  private final SeededBug bug;
  private final Runnable pausePoint;
  private final ConcurrentMap<RecordKey, Optional<VersionedRecord>> staleReads =
      new ConcurrentHashMap<>();
  private volatile boolean closed;

  LocalBackend(Storage storage, Runnable pausePoint) {
    this.storage = storage;
    this.bug = storage.bug;
    this.pausePoint = pausePoint;
    if (bug == SeededBug.THREAD_IS_LEFT_BEHIND) {
      Thread thread =
          new Thread(
              () -> {
                while (true) {
                  LockSupport.park();
                }
              },
              "left-behind");
      thread.setDaemon(true);
      thread.start();
    }
  }

  static BackendTraits traits(SeededBug bug) {
    int max = bug == SeededBug.DECLARES_MORE_THAN_IT_HOLDS ? MAX_DATA_BYTES + 1 : MAX_DATA_BYTES;
    return new BackendTraits("local", false, false, false, max);
  }

  @Override
  public BackendTraits traits() {
    return bug == SeededBug.TRAITS_CHANGE && closed
        ? new BackendTraits("closed", false, false, false, MAX_DATA_BYTES)
        : traits(bug);
  }

  // --- reading ------------------------------------------------------------------------------

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    checkOpen("get", key);
    if (bug == SeededBug.INTERRUPT_IS_SWALLOWED && Thread.interrupted()) {
      pausePoint.run();
    }
    pausePoint.run();
    VersionedRecord stored = storage.records.get(place(key));
    storage.reads.incrementAndGet();
    pausePoint.run();
    if (stored == null) {
      return Optional.empty();
    }
    switch (bug) {
      case READS_IN_TWO_STEPS -> {
        VersionedRecord later = storage.records.get(place(key));
        if (later != null) {
          return Optional.of(
              new VersionedRecord(
                  key, withExpiry(stored.value(), later.value().expiresAt()), stored.version()));
        }
      }
      case STALE_READS -> {
        return staleReads.computeIfAbsent(key, k -> Optional.of(stored));
      }
      case READING_MAKES_A_VERSION ->
          storage.records.put(
              place(key), new VersionedRecord(key, stored.value(), stored.version() + 1));
      case EXPIRED_RECORDS_ARE_HIDDEN -> {
        if (stored.value().isExpired(Instant.now())) {
          return Optional.empty();
        }
      }
      case EMPTY_DATA_IS_ABSENT -> {
        if (stored.value().data().size() == 0) {
          return Optional.empty();
        }
      }
      default -> {}
    }
    return Optional.of(stored);
  }

  @Override
  public RecordPage list(ListQuery query) {
    checkOpen("list", null);
    pausePoint.run();
    List<VersionedRecord> page = new ArrayList<>();
    long bytes = 0;
    for (VersionedRecord stored : following(query)) {
      boolean full =
          (page.size() >= query.limit() && bug != SeededBug.LIMIT_OF_A_PAGE_IS_IGNORED)
              || (bytes >= RecordPage.TARGET_BYTES && bug != SeededBug.PAGES_HAVE_NO_BYTES);
      if (full) {
        return new RecordPage(page, List.of(), next(page.get(page.size() - 1)));
      }
      page.add(stored);
      bytes += stored.value().data().size();
      pausePoint.run();
    }
    return new RecordPage(page, List.of(), null);
  }

  @Override
  public HeadPage listActive(ListQuery query) {
    checkOpen("listActive", null);
    pausePoint.run();
    List<RecordHead> heads = new ArrayList<>();
    for (VersionedRecord stored : following(query)) {
      Place place = place(stored.key());
      pausePoint.run();
      if (!storage.active.containsKey(place)) {
        continue;
      }
      storage.reads.incrementAndGet();
      VersionedRecord current = storage.records.get(place);
      boolean belief = bug == SeededBug.ENDED_RECORDS_STAY_ACTIVE;
      if (current == null || !(current.value().active() || belief)) {
        continue;
      }
      if (heads.size() >= query.limit()) {
        return new HeadPage(heads, List.of(), heads.get(heads.size() - 1).key().id());
      }
      heads.add(new RecordHead(current.key(), current.value().expiresAt()));
    }
    return new HeadPage(heads, List.of(), null);
  }

  /** The records of a listing after its cursor. */
  private List<VersionedRecord> following(ListQuery query) {
    Comparator<String> ascending =
        bug == SeededBug.LIST_IN_STRING_ORDER ? Comparator.naturalOrder() : RecordKey::compareIds;
    boolean descends = query.descending() && bug != SeededBug.LIST_ONLY_ASCENDS;
    Comparator<String> order = descends ? ascending.reversed() : ascending;
    List<VersionedRecord> found = new ArrayList<>();
    for (VersionedRecord stored : storage.records.values()) {
      String partition = stored.key().partition();
      if (bug == SeededBug.PREFIX_IS_A_PARTITION
          ? partition.startsWith(query.partition())
          : partition.equals(query.partition())) {
        found.add(stored);
      }
    }
    found.sort(Comparator.comparing(stored -> stored.key().id(), order));
    String after = query.after();
    if (after == null) {
      return found;
    }
    if (bug == SeededBug.CURSOR_MUST_EXIST
        && found.stream().noneMatch(stored -> stored.key().id().equals(after))) {
      return List.of();
    }
    int least = bug == SeededBug.CURSOR_IS_INCLUDED ? 0 : 1;
    found.removeIf(stored -> order.compare(stored.key().id(), after) < least);
    return found;
  }

  private @Nullable String next(VersionedRecord last) {
    return bug == SeededBug.FULL_PAGE_IS_THE_LAST ? null : last.key().id();
  }

  // --- writing ------------------------------------------------------------------------------

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    long wanted = expected;
    if (bug == SeededBug.NEGATIVE_VERSION_IS_ABSENT && expected < 0) {
      wanted = ABSENT;
    }
    StorageArguments.checkPut(key, value, wanted);
    checkOpen("putIfVersion", key);
    checkSize("putIfVersion", key, value);
    PutResult result = put(key, value, wanted);
    boolean sentTwice =
        bug == SeededBug.LARGE_WRITES_ARE_SENT_TWICE && value.data().size() >= 64 * 1024;
    return sentTwice ? put(key, value, wanted) : result;
  }

  private PutResult put(RecordKey key, RecordValue value, long expected) {
    Place place = place(key);
    pausePoint.run();
    if (bug == SeededBug.PUT_CHECKS_THEN_ACTS) {
      VersionedRecord seen = storage.records.get(place);
      pausePoint.run();
      if (expected != versionOf(seen)) {
        return conflict(seen, expected);
      }
    }
    storage.lock.lock();
    try {
      VersionedRecord stored = storage.records.get(place);
      storage.reads.incrementAndGet();
      pausePoint.run();
      if (bug == SeededBug.SAME_DATA_IS_NO_WRITE
          && stored != null
          && expected == stored.version()
          && stored.value().data().equals(value.data())) {
        return new Written(expected);
      }
      if (!accepts(stored, expected) && bug != SeededBug.PUT_CHECKS_THEN_ACTS) {
        if (bug == SeededBug.FAILED_WRITE_MOVES_EXPIRY && stored != null) {
          storage.records.put(
              place,
              new VersionedRecord(
                  key, withExpiry(stored.value(), value.expiresAt()), stored.version()));
        }
        return conflict(stored, expected);
      }
      long version = expected + 1;
      if (bug == SeededBug.VERSION_IS_A_DOUBLE) {
        version = (long) ((double) expected + 1);
      } else if (bug == SeededBug.VERSION_GOES_ON_AFTER_DELETE && stored == null) {
        version = storage.oldVersions.getOrDefault(place, 0L) + 1;
      }
      store(place, stored, key, value, version);
      return new Written(version);
    } finally {
      storage.lock.unlock();
    }
  }

  private boolean accepts(@Nullable VersionedRecord stored, long expected) {
    return switch (bug) {
      case UPDATE_RESURRECTS -> stored == null || stored.version() == expected;
      case ZERO_OVERWRITES -> expected == ABSENT || versionOf(stored) == expected;
      case STALE_VERSION_IS_ACCEPTED ->
          (stored != null && expected > 0 && expected < stored.version())
              || versionOf(stored) == expected;
      case FUTURE_VERSION_IS_ACCEPTED ->
          versionOf(stored) == expected || (stored != null && expected > stored.version());
      default -> versionOf(stored) == expected;
    };
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    checkOpen("deleteIfVersion", key);
    Place place = place(key);
    pausePoint.run();
    boolean checkedBefore = false;
    if (bug == SeededBug.DELETE_CHECKS_THEN_ACTS) {
      VersionedRecord seen = storage.records.get(place);
      checkedBefore = versionOf(seen) == expected;
      pausePoint.run();
    }
    storage.lock.lock();
    try {
      VersionedRecord stored = storage.records.get(place);
      pausePoint.run();
      boolean matches = stored != null && stored.version() == expected;
      if (stored == null
          || !(matches || checkedBefore || bug == SeededBug.DELETE_IGNORES_VERSION)) {
        return conflict(stored, expected);
      }
      remove(place, stored, bug == SeededBug.DELETE_LEAVES_INDEX);
      if (bug == SeededBug.DELETE_TAKES_ALL_BELOW) {
        for (VersionedRecord each : storage.records.values()) {
          if (each.key().partition().equals(key.partition())
              && each.key().id().startsWith(key.id())) {
            remove(place(each.key()), each, false);
          }
        }
      }
      return Deleted.DELETED;
    } finally {
      storage.lock.unlock();
    }
  }

  @Override
  public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    StorageArguments.checkCreateWithin(key, value, max, now);
    checkOpen("createWithin", key);
    checkSize("createWithin", key, value);
    Place place = place(key);
    pausePoint.run();
    int countedBefore = count(key.partition(), now);
    pausePoint.run();
    storage.lock.lock();
    try {
      VersionedRecord stored = storage.records.get(place);
      pausePoint.run();
      if (stored != null) {
        boolean ours = stored.version() == 1 && stored.value().writeId().equals(value.writeId());
        return ours ? Created.CREATED : conflict(stored, ABSENT);
      }
      boolean early = bug == SeededBug.CREATE_COUNTS_THEN_ACTS;
      int count = early ? countedBefore : count(key.partition(), now);
      if (count >= (bug == SeededBug.LIMIT_IS_ONE_TOO_MANY ? max + 1 : max)) {
        return Full.FULL;
      }
      store(place, null, key, value, 1);
      return Created.CREATED;
    } finally {
      storage.lock.unlock();
    }
  }

  private int count(String partition, Instant now) {
    int count = 0;
    if (bug == SeededBug.LIMIT_COUNTS_INACTIVE) {
      for (VersionedRecord stored : storage.records.values()) {
        count += stored.key().partition().equals(partition) ? 1 : 0;
      }
      return count;
    }
    for (Map.Entry<Place, RecordKey> entry : storage.active.entrySet()) {
      if (entry.getValue().partition().equals(partition)) {
        storage.reads.incrementAndGet();
        VersionedRecord stored = storage.records.get(entry.getKey());
        boolean counts =
            stored != null
                && stored.value().active()
                && (bug == SeededBug.LIMIT_COUNTS_EXPIRED || !stored.value().isExpired(now));
        count += counts ? 1 : 0;
      }
    }
    return count;
  }

  @Override
  public long put(RecordKey key, RecordValue value) {
    if (bug != SeededBug.PUT_RESTARTS_VERSIONS) {
      return StorageBackend.super.put(key, value);
    }
    storage.records.put(place(key), new VersionedRecord(key, value, 1));
    return 1;
  }

  @Override
  public boolean delete(RecordKey key) {
    return StorageBackend.super.delete(key) || bug == SeededBug.DELETE_OF_NOTHING_IS_TRUE;
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    StorageArguments.checkPurge(now, limit);
    checkOpen("purgeExpired", null);
    Instant until =
        switch (bug) {
          case PURGE_IS_A_MILLISECOND_LATE -> now.minusMillis(1);
          case PURGE_IS_A_MILLISECOND_EARLY -> now.plusMillis(1);
          default -> now;
        };
    int removed = 0;
    for (Map.Entry<Place, VersionedRecord> entry : storage.records.entrySet()) {
      if (removed >= limit && bug != SeededBug.PURGE_IGNORES_LIMIT) {
        break;
      }
      boolean due = entry.getValue().value().isExpired(until);
      pausePoint.run();
      storage.lock.lock();
      try {
        VersionedRecord stored = storage.records.get(entry.getKey());
        boolean stillDue = stored != null && stored.value().isExpired(until);
        boolean believed = due && stored != null && bug == SeededBug.PURGE_DOES_NOT_LOOK_AGAIN;
        if (stored != null && (stillDue || believed)) {
          remove(entry.getKey(), stored, bug == SeededBug.PURGE_LEAVES_INDEX);
          removed++;
        }
      } finally {
        storage.lock.unlock();
      }
    }
    return bug == SeededBug.PURGE_COUNTS_WRONG ? removed + 1 : removed;
  }

  @Override
  public void close() {
    if (closed && bug == SeededBug.SECOND_CLOSE_FAILS) {
      throw new IllegalStateException("closed before");
    }
    closed = true;
  }

  // --- small parts --------------------------------------------------------------------------

  /** Stores, and keeps the index at least as large as it must be at every moment; locked. */
  private void store(
      Place place, @Nullable VersionedRecord old, RecordKey key, RecordValue value, long version) {
    VersionedRecord next = new VersionedRecord(key, changed(place, old, value), version);
    boolean active = next.value().active();
    boolean gap = bug == SeededBug.INDEX_HAS_A_GAP && old != null && active;
    if (gap) {
      storage.active.remove(place);
      pausePoint.run();
    } else if (active && bug != SeededBug.NEW_RECORDS_ARE_NOT_ACTIVE) {
      storage.active.put(place, key);
    }
    pausePoint.run();
    storage.records.put(place, next);
    pausePoint.run();
    if (gap) {
      storage.active.put(place, key);
    }
    if (!active && bug != SeededBug.ENDED_RECORDS_STAY_ACTIVE) {
      storage.active.remove(place);
    }
    Instant expiry = next.value().expiresAt();
    if (expiry != null) {
      storage.oldExpiries.put(place, expiry);
      if (bug == SeededBug.PAST_EXPIRY_DELETES && !expiry.isAfter(Instant.now())) {
        remove(place, next, false);
      }
    }
  }

  private void remove(Place place, VersionedRecord stored, boolean leavesIndex) {
    storage.oldVersions.put(place, stored.version());
    storage.records.remove(place);
    pausePoint.run();
    if (!leavesIndex) {
      storage.active.remove(place);
    }
  }

  /** The value as it is stored: as it came, but for the bugs. */
  private RecordValue changed(Place place, @Nullable VersionedRecord old, RecordValue value) {
    Bytes data = value.data();
    Instant expiry = value.expiresAt();
    Bytes oldData = old == null ? Bytes.EMPTY : old.value().data();
    Instant oldExpiry = old == null ? null : old.value().expiresAt();
    switch (bug) {
      case DATA_IS_TEXT -> {
        String text = new String(data.toByteArray(), StandardCharsets.UTF_8);
        return withData(value, text.getBytes(StandardCharsets.UTF_8));
      }
      case DATA_IS_ORDERED_JSON -> {
        String text = new String(data.toByteArray(), StandardCharsets.UTF_8);
        if (text.startsWith("{") && text.endsWith("}")) {
          String[] members = text.substring(1, text.length() - 1).split(",", -1);
          Arrays.sort(members);
          String ordered = "{" + String.join(",", members) + "}";
          return withData(value, ordered.getBytes(StandardCharsets.UTF_8));
        }
      }
      case SHORTER_DATA_LEAVES_A_TAIL -> {
        if (data.size() < oldData.size()) {
          byte[] whole = oldData.toByteArray();
          System.arraycopy(data.unsafeArray(), 0, whole, 0, data.size());
          return withData(value, whole);
        }
      }
      case OLD_ARRAY_IS_OVERWRITTEN -> {
        if (old != null && data.size() == oldData.size()) {
          System.arraycopy(data.unsafeArray(), 0, oldData.unsafeArray(), 0, data.size());
          return new RecordValue(oldData, value.active(), expiry, value.writeId());
        }
      }
      case LARGE_DATA_IS_CUT -> {
        if (data.size() > 512 * 1024) {
          return withData(value, Arrays.copyOf(data.unsafeArray(), 512 * 1024));
        }
      }
      case WRITE_ID_IS_LOST -> {
        return new RecordValue(data, value.active(), expiry, "some-write");
      }
      case FLAG_IS_KEPT -> {
        boolean active = old == null ? value.active() : old.value().active();
        return new RecordValue(data, active, expiry, value.writeId());
      }
      case EXPIRY_IS_KEPT -> {
        return withExpiry(value, expiry == null ? oldExpiry : expiry);
      }
      case SHORTER_EXPIRY_IS_IGNORED -> {
        boolean shorter = expiry != null && oldExpiry != null && expiry.isBefore(oldExpiry);
        return withExpiry(value, shorter ? oldExpiry : expiry);
      }
      case EXPIRY_IN_SECONDS -> {
        return withExpiry(value, expiry == null ? null : expiry.truncatedTo(ChronoUnit.SECONDS));
      }
      case EXPIRY_IN_32_BITS -> {
        return withExpiry(
            value,
            expiry == null
                ? null
                : Instant.ofEpochMilli(Math.min(expiry.toEpochMilli(), 0xFFFF_FFFFL * 1000)));
      }
      case OLD_EXPIRY_IS_INHERITED -> {
        boolean inherits = old == null && expiry == null;
        return withExpiry(value, inherits ? storage.oldExpiries.get(place) : expiry);
      }
      default -> {}
    }
    return value;
  }

  private static RecordValue withExpiry(RecordValue value, @Nullable Instant expiry) {
    return new RecordValue(value.data(), value.active(), expiry, value.writeId());
  }

  private static RecordValue withData(RecordValue value, byte[] data) {
    return new RecordValue(Bytes.copyOf(data), value.active(), value.expiresAt(), value.writeId());
  }

  private Conflict conflict(@Nullable VersionedRecord winner, long expected) {
    if (winner == null || bug == SeededBug.CONFLICT_WITHOUT_WINNER) {
      return Conflict.ABSENT;
    }
    return new Conflict(
        bug == SeededBug.CONFLICT_SHOWS_EXPECTED_VERSION && expected > 0
            ? new VersionedRecord(winner.key(), winner.value(), expected)
            : winner);
  }

  private static long versionOf(@Nullable VersionedRecord stored) {
    return stored == null ? ABSENT : stored.version();
  }

  private Place place(RecordKey key) {
    return Place.of(key, bug);
  }

  private void checkSize(String operation, RecordKey key, RecordValue value) {
    int size = value.data().size();
    if (size > MAX_DATA_BYTES && bug != SeededBug.TOO_LARGE_IS_STORED) {
      String data = new String(value.data().unsafeArray(), 0, 100, StandardCharsets.UTF_8);
      Throwable cause =
          bug == SeededBug.MESSAGE_SHOWS_DATA ? new IllegalArgumentException(data) : null;
      throw new RecordTooLargeException(operation, key, MAX_DATA_BYTES, size, cause);
    }
  }

  private void checkOpen(String operation, @Nullable RecordKey key) {
    if (closed && bug != SeededBug.WORKS_AFTER_CLOSE) {
      throw new BackendClosedException(operation, key, "the local backend is closed", null);
    }
  }
}
