// SPDX-License-Identifier: Apache-2.0
package io.taskstore.spi;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A store of versioned records with compare-and-swap. Seven methods must be implemented; the four
 * others have defaults that are correct on top of the seven, and may be overridden where the
 * storage can do better.
 *
 * <h2>What an implementation promises</h2>
 *
 * <ul>
 *   <li>All methods are safe for any number of threads and, where {@link BackendTraits#shared()}
 *       says so, of processes. They block; they may be called on virtual threads, so hold a {@link
 *       java.util.concurrent.locks.Lock} rather than a monitor while doing I/O.
 *   <li>Operations on one key are linearizable: a write that has returned is seen by every later
 *       read, through every instance on the same storage.
 *   <li>Data, active flag, expiry, write id, version and every index over them change together or
 *       not at all. Data and write id come back byte for byte.
 *   <li>A created record has version 1, every write adds exactly 1, and versions are exact up to
 *       {@link #MAX_VERSION} (a double is not enough). After a delete a key starts at 1 again.
 *   <li>Every {@link RecordKey} is legal, and two different keys never meet: escape what the
 *       storage reserves, without collisions and without folding case.
 *   <li>Ids are ordered by their unsigned UTF-8 bytes ({@link RecordKey#compareIds}), which is what
 *       most storages do by themselves and what {@code String.compareTo} does not.
 *   <li>A record is never dropped before its expiry. Whether an expired record is still
 *       <em>visible</em> is not decided here: until it is dropped it is returned like any other. A
 *       storage that drops by its own clock is told {@code max(expiresAt, its own now)} plus an
 *       allowance for clocks that differ (default five minutes).
 *   <li>A write is sent once. If it is known not to have happened, {@link
 *       StorageUnavailableException}; if that cannot be known, {@link OutcomeUnknownException}.
 *       Switch the repeats of a client library off for writes: a library that repeats a write whose
 *       answer was lost turns its own success into a conflict.
 *   <li>Reads may be repeated by a client library as it likes.
 *   <li>Every call ends within a bounded time, a few seconds by default: callers wait for it, and
 *       their own deadline is looked at only between calls.
 *   <li>An interrupt ends a call with {@link OutcomeUnknownException} if the write was sent, else
 *       with {@link StorageUnavailableException}; the thread's interrupt flag is set again.
 *   <li>What is stored under a key and cannot be read is a {@link CorruptRecordException} from
 *       every call about that key, and is neither overwritten nor deleted by any of them.
 *   <li>Failures are {@link StorageException}s. After {@link #close()} every call but {@code close}
 *       and {@code traits} throws {@link BackendClosedException} at once. Bad arguments are refused
 *       before any I/O; {@link StorageArguments} holds the checks.
 * </ul>
 *
 * <h2>What callers guarantee</h2>
 *
 * <ul>
 *   <li>A write id is unique to one call of {@code putIfVersion} or {@code createWithin} and to the
 *       repeats of that very call.
 *   <li>The active flag of a record is never set again once it has been cleared, and the flag and
 *       expiry of a record change seldom compared with its data.
 *   <li>An id is never used again after its record was deleted, {@code createWithin} under
 *       contention excepted.
 *   <li>Ids of one partition are created in roughly ascending order; a partition may hold 10⁵
 *       inactive records and a hundred active ones.
 * </ul>
 *
 * <h2>Advice on layout</h2>
 *
 * <p>Keep the record under (partition, id) in one place that the storage can compare and swap. Keep
 * the ids of a partition ordered for {@link #list}. Keep the <em>active</em> records of a partition
 * in an index of their own, so that counting them never touches the others; let the index carry the
 * expiry and nothing that changes with each update, and read it consistently. The partition is part
 * of every call and makes a good shard key.
 */
public interface StorageBackend extends AutoCloseable {
  /** The expected version that means "nothing is stored under this key". */
  long ABSENT = 0;

  /** The highest version that a record can reach. */
  long MAX_VERSION = Long.MAX_VALUE - 1;

  /** What this backend is; the same answer for as long as it is open, and after it was closed. */
  BackendTraits traits();

  /**
   * Reads a record. Reading changes nothing, neither version nor expiry.
   *
   * @return the record, expired or not; empty if there is none
   * @throws CorruptRecordException if what is stored cannot be read
   * @throws StorageException if the storage fails; never "empty" instead
   */
  Optional<VersionedRecord> get(RecordKey key);

  /**
   * Writes iff the stored version equals {@code expected}. This is the one primitive on which every
   * rule above it is built. The whole value is replaced.
   *
   * <p>Steps, as one atomic action of the storage: compare the stored version, {@link #ABSENT} if
   * nothing is stored; if it differs, answer with what is stored; else store the value with version
   * {@code expected + 1}. With {@code expected > 0} a missing record is never created. The winner
   * of a lost race is read within the same round trip; it may be newer than the comparison, never
   * older.
   *
   * <p>The write id does not take part in the comparison: a call that is repeated after its success
   * is a conflict whose winner carries the caller's own write id.
   *
   * @param expected the version that must be stored, {@link #ABSENT} to create
   * @return {@link Written}, or {@link Conflict} with nothing changed
   * @throws IllegalArgumentException if {@code expected} is negative, or {@link #MAX_VERSION} or
   *     above
   * @throws RecordTooLargeException if the data exceeds {@link BackendTraits#maxDataBytes()};
   *     nothing was written
   * @throws CapacityExceededException if the storage is full; nothing was written
   * @throws CorruptRecordException if what is stored cannot be read; it is left as it is
   * @throws OutcomeUnknownException if the write was sent and its answer was lost
   * @throws StorageException if the storage fails in another way; nothing was written
   */
  PutResult putIfVersion(RecordKey key, RecordValue value, long expected);

  /**
   * Deletes iff the stored version equals {@code expected}. Exactly this key goes, from every
   * index.
   *
   * <p>There is no write id here: a caller that repeats a delete whose answer was lost reads
   * "absent" as success and a winner above {@code expected} as a lost race.
   *
   * @param expected the version that must be stored, at least 1
   * @return {@link Deleted}, or {@link Conflict} with nothing changed
   * @throws IllegalArgumentException if {@code expected} is below 1
   * @throws CorruptRecordException if what is stored cannot be read; it is left as it is
   * @throws OutcomeUnknownException if the delete was sent and its answer was lost
   * @throws StorageException if the storage fails in another way; nothing was deleted
   */
  DeleteResult deleteIfVersion(RecordKey key, long expected);

  /**
   * Lists a page of one partition, expired records included. A page ends at the limit or at about
   * {@link RecordPage#TARGET_BYTES}. Records that are stored throughout a listing appear exactly
   * once; those that come or go meanwhile may or may not appear. A record that cannot be read goes
   * to {@link RecordPage#corrupt()} and the page goes on; it counts towards the limit. {@code next}
   * is the id of the last record that the page has looked at, readable or not.
   *
   * @throws StorageException if the storage fails
   */
  RecordPage list(ListQuery query);

  /**
   * Removes up to {@code limit} records, of any partition, whose expiry is not after {@code now}.
   * Corrupt records stay. Where {@link BackendTraits#purgesItself()} says so, nobody needs to call
   * this; it then does at once, for an administrator, what would happen by itself. That a record is
   * due is checked again at the moment of its removal, so that a write that has moved the expiry
   * wins. Afterwards nothing of a removed record is left.
   *
   * @return how many were removed; below {@code limit} when nothing more is due
   * @throws IllegalArgumentException if {@code limit} is below 1
   * @throws StorageException if the storage fails; some records may have been removed
   */
  int purgeExpired(Instant now, int limit);

  /**
   * Releases what this object opened, and nothing that it was given. May be called again. Calls in
   * flight end within a bounded time, either normally or with a {@link StorageException}.
   */
  @Override
  void close();

  /**
   * Creates a record iff its partition has fewer than {@code max} records that are active and not
   * expired at {@code now}.
   *
   * <p>The key is looked at before the limit: if it holds this call's own write at version 1, the
   * call had been sent before, and the answer is never {@link Full} while the record is stored, but
   * {@link Created}.
   *
   * <p>An implementation that can compare, count and insert in one atomic step overrides this: then
   * exactly {@code max} records are admitted however many race, and the answer is never {@link
   * Contended}. The default is correct on any backend, and admits at most {@code max}:
   *
   * <ol>
   *   <li>Look at the key. Our own write at version 1: go on with step 4. Anything else: conflict.
   *   <li>Count; if full, look at the key again, as in step 1, and say so without having written.
   *   <li>Insert.
   *   <li>Count again, ourselves included. If not above {@code max}, the record is created. Of any
   *       set of records that were all admitted, the last to be inserted counted all the others, so
   *       there cannot be more than {@code max}.
   *   <li>Else withdraw the record, wait for a random time longer than the steps took (but no
   *       longer than a second), and begin again with step 2; after five rounds give up with {@link
   *       Contended}.
   * </ol>
   *
   * <p>A process that dies between steps 3 and 5 leaves one record that nobody was told of, until
   * it expires.
   *
   * @param value the value, which must be active
   * @param max the most active, unexpired records of the partition, this one included
   * @param now the caller's time, by which a record counts as expired
   * @return what happened; {@link Created} leaves the record stored, {@link Contended} may if it
   *     says so, the others do not
   * @throws IllegalArgumentException if {@code value} is not active or {@code max} is below 1
   * @throws RecordTooLargeException if the data exceeds {@link BackendTraits#maxDataBytes()};
   *     nothing was written
   * @throws CapacityExceededException if the storage is full; nothing was written
   * @throws OutcomeUnknownException if a write was sent and its answer was lost, or if the storage
   *     failed after the record was inserted
   * @throws StorageException if the storage fails in another way; nothing was written
   */
  default CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
    return new GuardedCreate(this, key, value, max, now).run();
  }

  /**
   * Lists the active records of a partition, without their data, as {@link #list} does: in the
   * order and direction of the query, strictly after its cursor, up to its limit. Expired ones are
   * included. A record that stays active throughout is never missed, and neither is one whose write
   * has returned before the call: an index that follows the records with a delay does not do, since
   * {@link #createWithin} relies on seeing its own insert. A record that becomes inactive during
   * the call may still be listed. The default reads whole records through {@link #list}; a backend
   * with an index of active records overrides it.
   *
   * @throws StorageException if the storage fails
   */
  default HeadPage listActive(ListQuery query) {
    RecordPage page = list(query);
    List<RecordHead> heads = new ArrayList<>();
    for (VersionedRecord item : page.records()) {
      if (item.value().active()) {
        heads.add(new RecordHead(item.key(), item.value().expiresAt()));
      }
    }
    return new HeadPage(heads, page.corrupt(), page.next());
  }

  /**
   * Writes whatever is stored. For tools and imports: it overwrites what others wrote, so core
   * never calls it. It shares the version line of {@link #putIfVersion}.
   *
   * @return the new version
   * @throws IllegalArgumentException if the stored version is {@link #MAX_VERSION}
   * @throws StorageUnavailableException with {@code retryable} if others kept writing in between
   * @throws OutcomeUnknownException if a write was sent and its answer was lost
   * @throws StorageException if the storage fails in another way
   */
  default long put(RecordKey key, RecordValue value) {
    return UnconditionalWrites.put(this, key, value);
  }

  /**
   * Deletes whatever is stored. For tools: core never calls it. The default reads the record for
   * its version, so it cannot delete a corrupt one.
   *
   * @return whether there was a record to delete; false can be repeated
   * @throws CorruptRecordException if what is stored cannot be read and the default is used
   * @throws StorageUnavailableException with {@code retryable} if others kept writing in between
   * @throws OutcomeUnknownException if a delete was sent and its answer was lost
   * @throws StorageException if the storage fails in another way
   */
  default boolean delete(RecordKey key) {
    return UnconditionalWrites.delete(this, key);
  }
}
