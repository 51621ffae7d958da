// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The locks of one store: exclusive between threads, between instances in this JVM and between
 * processes. A process that dies gives its locks back. A thread may take a lock that it has.
 *
 * <p>Each lock is one byte of the file {@code locks}. On POSIX systems a process loses <em>all</em>
 * its locks on a file when it closes <em>any</em> channel on it, even one that only read. So in one
 * JVM all instances on a directory share one channel, by way of a registry that counts them, and
 * nobody else opens the file. A thread takes a lock of the JVM first, and then that of the byte by
 * trying: a blocking {@code lock()} would close the channel when its thread is interrupted.
 *
 * <p>The order, for whoever takes several: opening, purging, record, partition, hints.
 */
final class StoreLocks {
  /** Locks of records, by the hash of their keys. */
  static final int STRIPES = 1_024;

  /** Locks of partitions: counting and creating, and where finished records go. */
  private static final int PARTITIONS = 256;

  /** The lock of the hints for purging. */
  static final int DUE_LOCK = STRIPES + PARTITIONS;

  /** The lock of purging. */
  static final int PURGE_LOCK = DUE_LOCK + 1;

  /** The lock of opening, and of the names of those who have opened. */
  static final int OPENING_LOCK = PURGE_LOCK + 1;

  private static final int LOCKS = OPENING_LOCK + 1;

  private static final long FIRST_PAUSE_NANOS = TimeUnit.MICROSECONDS.toNanos(50);
  private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  /** The one thing that must be shared by all of a JVM. Guarded by itself. */
  private static final Map<Object, StoreLocks> OPEN = new HashMap<>();

  private final Object identity;
  private final FileChannel channel;
  private final ReentrantLock[] locks = new ReentrantLock[LOCKS];

  /** The lock of each byte while one of our threads has it; guarded by the lock of the JVM. */
  private final @Nullable FileLock[] held = new @Nullable FileLock[LOCKS];

  private int users;

  private StoreLocks(Object identity, FileChannel channel) {
    this.identity = identity;
    this.channel = channel;
    for (int i = 0; i < LOCKS; i++) {
      locks[i] = new ReentrantLock();
    }
  }

  /** Opens the locks of a directory, which must exist; every call needs a {@link #release}. */
  static StoreLocks open(Path file) throws IOException {
    synchronized (OPEN) {
      if (!Files.exists(file)) {
        FileAccess.createPrivate(file);
      }
      Object identity = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
      if (identity == null) {
        identity = file.toRealPath();
      }
      StoreLocks shared = OPEN.get(identity);
      if (shared == null) {
        shared =
            new StoreLocks(
                identity,
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE));
        OPEN.put(identity, shared);
      }
      shared.users++;
      return shared;
    }
  }

  /** Whether one instance of this JVM has them open. */
  boolean hasOneUser() {
    synchronized (OPEN) {
      return users == 1;
    }
  }

  void release() throws IOException {
    synchronized (OPEN) {
      if (--users == 0) {
        OPEN.remove(identity);
        channel.close();
      }
    }
  }

  static int ofRecord(int hash) {
    return Math.floorMod(hash, STRIPES);
  }

  static int ofPartition(int hash) {
    return STRIPES + Math.floorMod(hash, PARTITIONS);
  }

  /** A lock that is held. */
  final class Held implements AutoCloseable {
    private final int index;

    private Held(int index) {
      this.index = index;
    }

    @Override
    public void close() throws SentException {
      FileLock lock = locks[index].getHoldCount() == 1 ? held[index] : null;
      try {
        if (lock != null) {
          held[index] = null;
          lock.release();
        }
      } catch (IOException e) {
        throw new SentException(e);
      } finally {
        locks[index].unlock();
      }
    }
  }

  /**
   * Takes a lock.
   *
   * @return null if somebody else held it all the time
   * @throws InterruptedException if the thread was interrupted while it waited
   */
  @Nullable Held lock(int index, long timeoutNanos) throws IOException, InterruptedException {
    long deadline = System.nanoTime() + timeoutNanos;
    // The first try takes no notice of an interrupt.
    if (!locks[index].tryLock() && !locks[index].tryLock(timeoutNanos, TimeUnit.NANOSECONDS)) {
      return null;
    }
    boolean taken = false;
    try {
      for (long pause = FIRST_PAUSE_NANOS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS)) {
        taken = takeByte(index);
        if (taken) {
          return new Held(index);
        }
        if (System.nanoTime() - deadline >= 0) {
          return null;
        }
        LockSupport.parkNanos(this, pause);
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
    } finally {
      if (!taken) {
        locks[index].unlock();
      }
    }
  }

  /** Takes a lock if nobody holds it, this thread included. */
  @Nullable Held tryLock(int index) throws IOException {
    if (locks[index].isHeldByCurrentThread() || !locks[index].tryLock()) {
      return null;
    }
    boolean taken = false;
    try {
      taken = takeByte(index);
      return taken ? new Held(index) : null;
    } finally {
      if (!taken) {
        locks[index].unlock();
      }
    }
  }

  private boolean takeByte(int index) throws IOException {
    if (held[index] == null) {
      try {
        held[index] = channel.tryLock(index, 1, false);
      } catch (OverlappingFileLockException e) {
        return false; // this class was loaded twice, and the other one has it
      }
    }
    return held[index] != null;
  }
}
