// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * One storage, on which the contract opens instances of the backend. Only {@link #open} must be
 * there. The other methods are hooks: a statement that needs one that is not offered is excluded,
 * and the report says so.
 */
@FunctionalInterface
public interface BackendStorage extends AutoCloseable {
  /**
   * Opens an instance on this storage; the contract closes it. A backend whose records live in the
   * object itself returns that same object every time.
   */
  StorageBackend open();

  /**
   * Hook: whether the records are still there when all instances were closed and another is opened.
   * A backend whose traits say durable or shared must say yes.
   */
  default boolean reopens() {
    return false;
  }

  /**
   * Hook: how to open this storage from another process. A backend whose traits say durable or
   * shared must offer it: a durable one is shown to survive {@code kill -9}. Two processes have the
   * storage open at the same time only if the traits say shared.
   */
  default Optional<OtherProcess> otherProcess() {
    return Optional.empty();
  }

  /** Hook: stores a record under a version that would take too long to reach. */
  default Optional<VersionSeeding> versionSeeding() {
    return Optional.empty();
  }

  /**
   * Hook: makes the storage fail, for instances that are opened after the hook was asked for.
   * Others may be spared.
   */
  default Optional<FaultInjection> faultInjection() {
    return Optional.empty();
  }

  /** Hook: makes what is stored under a key unreadable. */
  default Optional<Damage> damage() {
    return Optional.empty();
  }

  /** Hook: shows what is physically there. */
  default Optional<RawInspection> rawInspection() {
    return Optional.empty();
  }

  /** Hook: counts how many records the storage looks at. */
  default Optional<ReadCounter> readCounter() {
    return Optional.empty();
  }

  /** Hook: moves the clock by which the storage drops expired records by itself. */
  default Optional<TimeControl> timeControl() {
    return Optional.empty();
  }

  /** Hook: lets the contract decide in which order the steps of two calls happen. */
  default Optional<Interleaving> interleaving() {
    return Optional.empty();
  }

  /** Removes the storage. All instances are closed by then. */
  @Override
  default void close() throws IOException {}

  /**
   * How another process opens the storage. The contract starts a JVM with the class path of the
   * tests; there it makes an {@code opener} with the constructor that takes nothing, and has it
   * open an instance.
   *
   * @param opener a class with a constructor without parameters
   * @param location says which storage, for example a directory or a URL; no secrets, other users
   *     of the machine can see it
   */
  record OtherProcess(Class<? extends Opener> opener, String location) {
    /** Checks that the parts are there. */
    public OtherProcess {
      Objects.requireNonNull(opener, "opener");
      Objects.requireNonNull(location, "location");
    }
  }

  /** Opens a backend in another process. */
  @FunctionalInterface
  interface Opener {
    /** Opens an instance on the storage at {@code location}. */
    StorageBackend open(String location) throws Exception;
  }

  /** Stores a record as it is, over whatever is there, indexes included. */
  @FunctionalInterface
  interface VersionSeeding {
    /** Stores {@code seeded} with its version. */
    void seed(VersionedRecord seeded) throws Exception;
  }

  /** What can be wrong with a storage. */
  enum Trouble {
    /** Connections are refused; nothing that is sent arrives. */
    UNREACHABLE,
    /** What is sent is swallowed, and no answer ever comes. */
    SILENT,
    /** Writes are applied, and their answers are lost. */
    ANSWER_LOST,
    /** The storage asks to come back later: throttling, loading, an election. */
    BUSY,
    /** The storage takes no writes for now: a replica, a read-only medium. */
    READ_ONLY,
    /** The credentials are refused. */
    UNAUTHORIZED,
    /** There is no room for new data: a full disk, no memory. */
    FULL
  }

  /** Makes a storage fail, and lets it recover. */
  interface FaultInjection {
    /** The troubles that can be made; statements about others are excluded. */
    Set<Trouble> supported();

    /** What a message about an unreachable storage must contain: a host and port, a directory. */
    String endpoint();

    /** How long a call may take that gets no answer. */
    Duration timeout();

    /** Makes trouble until {@link #heal}. */
    void cause(Trouble trouble) throws Exception;

    /** Ends the trouble. Harmless if there is none. */
    void heal() throws Exception;

    /**
     * Does to a healthy storage what its operators do without a word: drops cached scripts, closes
     * idle connections, fails over. Nothing that was acknowledged may be lost by it.
     */
    void disturb() throws Exception;
  }

  /** Damages records. */
  @FunctionalInterface
  interface Damage {
    /**
     * Makes what is stored under {@code key} unreadable, as a flipped bit would; that it is stored
     * under this key can still be told.
     */
    void damage(RecordKey key) throws Exception;
  }

  /** Shows what is physically stored. */
  @FunctionalInterface
  interface RawInspection {
    /**
     * Names everything that is there: files, keys, members of indexes, locks. What stays for good,
     * such as the root directory, may be left out.
     */
    List<String> entries() throws Exception;
  }

  /** Counts the work of the storage. */
  @FunctionalInterface
  interface ReadCounter {
    /** How many records or entries of indexes were looked at since the storage was made. */
    long recordsRead();
  }

  /** Moves the storage's own clock. */
  @FunctionalInterface
  interface TimeControl {
    /** Moves the clock on, and lets the storage drop what it then drops by itself. */
    void advance(Duration duration) throws Exception;
  }

  /** Opens instances whose calls can be stopped in the middle. */
  @FunctionalInterface
  interface Interleaving {
    /**
     * Opens an instance that runs {@code pausePoint} between any two steps of a call between which
     * another thread could come: before and after each access to what threads share, inside and
     * outside of locks. The pause point may block its thread for as long as another call takes. The
     * instance may be on an empty storage of its own. The contract closes it.
     */
    StorageBackend open(Runnable pausePoint) throws Exception;
  }
}
