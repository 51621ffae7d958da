// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.Bytes;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CorruptRecord;
import io.taskstore.spi.CorruptRecordException;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Deleted;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordPage;
import io.taskstore.spi.RecordTooLargeException;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageArguments;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * Keeps each record in a file, as simply as can be right: one lock for everything, no index, no
 * cache. It proves those parts of the contract that need processes and files, and is too slow for
 * anything else.
 *
 * <p>A partition is a directory and a record a file in it, both named by a hash, since names of
 * files have rules of their own. A file is written beside its place, flushed, moved there in one
 * step, and then the directory is flushed. It has the key with a checksum, and the rest with
 * another, so that the key of a damaged record can usually be told.
 */
final class FolderBackend implements StorageBackend {
  static final BackendTraits TRAITS = new BackendTraits("folder", true, true, false, 1 << 20);

  private static final String TEMPORARY = ".tmp";
  private static final String LOCK_FILE = "lock";
  private static final long LOCK_PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(20);

  /**
   * Locks of files are held by processes: threads need one more. One JVM has several instances on a
   * directory, hence the map, which nothing but a test may have.
   */
  private static final ConcurrentMap<Path, ReentrantLock> LOCKS = new ConcurrentHashMap<>();

  private final Path root;
  private final ReentrantLock threads;
  private volatile boolean closed;

  FolderBackend(Path root) {
    this.root = root.toAbsolutePath().normalize();
    this.threads = LOCKS.computeIfAbsent(this.root, r -> new ReentrantLock());
    locked("open", null, false, this::removeLeftovers);
  }

  /** Opens a folder in another process. */
  static final class Opener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) {
      return new FolderBackend(Path.of(location));
    }
  }

  @Override
  public BackendTraits traits() {
    return TRAITS;
  }

  @Override
  public Optional<VersionedRecord> get(RecordKey key) {
    Objects.requireNonNull(key, "key");
    return locked("get", key, false, () -> Optional.ofNullable(read("get", key)));
  }

  @Override
  public PutResult putIfVersion(RecordKey key, RecordValue value, long expected) {
    StorageArguments.checkPut(key, value, expected);
    if (value.data().size() > TRAITS.maxDataBytes()) {
      checkOpen("putIfVersion", key);
      throw new RecordTooLargeException(
          "putIfVersion", key, TRAITS.maxDataBytes(), value.data().size(), null);
    }
    return locked(
        "putIfVersion",
        key,
        true,
        () -> {
          VersionedRecord stored = read("putIfVersion", key);
          if ((stored == null ? ABSENT : stored.version()) != expected) {
            return new Conflict(stored);
          }
          write(new VersionedRecord(key, value, expected + 1));
          return new Written(expected + 1);
        });
  }

  @Override
  public DeleteResult deleteIfVersion(RecordKey key, long expected) {
    StorageArguments.checkDelete(key, expected);
    return locked(
        "deleteIfVersion",
        key,
        true,
        () -> {
          VersionedRecord stored = read("deleteIfVersion", key);
          if (stored == null || stored.version() != expected) {
            return new Conflict(stored);
          }
          remove(file(key));
          return Deleted.DELETED;
        });
  }

  @Override
  public RecordPage list(ListQuery query) {
    return locked("list", null, false, () -> page(query));
  }

  @Override
  public int purgeExpired(Instant now, int limit) {
    StorageArguments.checkPurge(now, limit);
    return locked(
        "purgeExpired",
        null,
        true,
        () -> {
          int removed = 0;
          for (Path directory : children(root)) {
            for (Path file : Files.isDirectory(directory) ? children(directory) : List.<Path>of()) {
              Content content = content(file);
              if (removed < limit
                  && content != null
                  && content.record != null
                  && content.record.value().isExpired(now)) {
                remove(file);
                removed++;
              }
            }
          }
          return removed;
        });
  }

  @Override
  public void close() {
    closed = true;
  }

  /** Stores a record as it is. */
  void seed(VersionedRecord record) {
    locked(
        "seed",
        record.key(),
        true,
        () -> {
          write(record);
          return record;
        });
  }

  /** Where a record is kept. */
  Path file(RecordKey key) {
    return root.resolve(hash(key.partition())).resolve(hash(key.id()));
  }

  /** Names every file and directory but the root and its lock. */
  static List<String> entries(Path root) throws IOException {
    try (var paths = Files.walk(root)) {
      return paths
          .filter(path -> !path.equals(root) && !path.equals(root.resolve(LOCK_FILE)))
          .map(path -> root.relativize(path).toString())
          .toList();
    }
  }

  // --- listing ------------------------------------------------------------------------------

  private RecordPage page(ListQuery query) throws IOException {
    Comparator<RecordKey> order = (a, b) -> RecordKey.compareIds(a.id(), b.id());
    if (query.descending()) {
      order = order.reversed();
    }
    String after = query.after();
    RecordKey start = after == null ? null : new RecordKey(query.partition(), after);
    List<RecordKey> keys = new ArrayList<>();
    for (Path file : children(root.resolve(hash(query.partition())))) {
      RecordKey key = keyOf(file);
      if (key != null && (start == null || order.compare(start, key) < 0)) {
        keys.add(key);
      }
    }
    keys.sort(order);
    List<VersionedRecord> records = new ArrayList<>();
    List<CorruptRecord> corrupt = new ArrayList<>();
    long bytes = 0;
    for (int i = 0; i < keys.size(); i++) {
      if (i == query.limit() || bytes >= RecordPage.TARGET_BYTES) {
        return new RecordPage(records, corrupt, keys.get(i - 1).id());
      }
      Content content = content(file(keys.get(i)));
      if (content != null && content.record != null) {
        records.add(content.record);
        bytes += content.record.value().data().size();
      } else {
        corrupt.add(new CorruptRecord(keys.get(i), "the checksum does not match"));
      }
    }
    return new RecordPage(records, corrupt, null);
  }

  // --- files --------------------------------------------------------------------------------

  /**
   * What a file holds.
   *
   * @param record null if it is damaged
   */
  private record Content(@Nullable VersionedRecord record) {}

  private @Nullable VersionedRecord read(String operation, RecordKey key) throws IOException {
    Content content = content(file(key));
    if (content == null) {
      return null;
    }
    if (content.record == null || !content.record.key().equals(key)) {
      throw new CorruptRecordException(operation, key, "the checksum does not match", null);
    }
    return content.record;
  }

  private static @Nullable Content content(Path file) throws IOException {
    byte[] bytes = bytes(file);
    if (bytes == null) {
      return null;
    }
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
    try {
      RecordKey key = key(in);
      byte[] body = in.readNBytes(in.readInt());
      if (in.readLong() != checksum(body) || in.read() != -1) {
        return new Content(null);
      }
      DataInputStream fields = new DataInputStream(new ByteArrayInputStream(body));
      long version = fields.readLong();
      boolean active = fields.readBoolean();
      Instant expiresAt = fields.readBoolean() ? Instant.ofEpochMilli(fields.readLong()) : null;
      String writeId = fields.readUTF();
      Bytes data = Bytes.unsafeWrap(fields.readAllBytes());
      return new Content(
          new VersionedRecord(key, new RecordValue(data, active, expiresAt, writeId), version));
    } catch (IOException | IllegalArgumentException e) {
      return new Content(null);
    }
  }

  /** The key of a file's record, null if not even that can be read. */
  private static @Nullable RecordKey keyOf(Path file) throws IOException {
    byte[] bytes = bytes(file);
    try {
      return bytes == null ? null : key(new DataInputStream(new ByteArrayInputStream(bytes)));
    } catch (IOException | IllegalArgumentException e) {
      return null;
    }
  }

  private static RecordKey key(DataInputStream in) throws IOException {
    byte[] partition = in.readNBytes(in.readUnsignedShort());
    byte[] id = in.readNBytes(in.readUnsignedShort());
    if (in.readLong() != checksum(partition) + 31 * checksum(id)) {
      throw new IOException("The key is damaged");
    }
    return new RecordKey(
        new String(partition, StandardCharsets.UTF_8), new String(id, StandardCharsets.UTF_8));
  }

  private void write(VersionedRecord record) throws IOException {
    Path file = file(record.key());
    if (!Files.exists(file.getParent())) {
      Files.createDirectory(file.getParent());
      force(root);
    }
    Path temporary = file.resolveSibling(file.getFileName() + TEMPORARY);
    try (FileOutputStream out = new FileOutputStream(temporary.toFile())) {
      out.write(encode(record));
      out.getFD().sync();
    } catch (IOException e) {
      Files.deleteIfExists(temporary);
      throw e;
    }
    Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    applied(() -> force(file.getParent()));
  }

  private static byte[] encode(VersionedRecord record) throws IOException {
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    DataOutputStream fields = new DataOutputStream(body);
    RecordValue value = record.value();
    Instant expiresAt = value.expiresAt();
    fields.writeLong(record.version());
    fields.writeBoolean(value.active());
    fields.writeBoolean(expiresAt != null);
    if (expiresAt != null) {
      fields.writeLong(expiresAt.toEpochMilli());
    }
    fields.writeUTF(value.writeId());
    value.data().writeTo(fields);

    byte[] partition = record.key().partition().getBytes(StandardCharsets.UTF_8);
    byte[] id = record.key().id().getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    out.writeShort(partition.length);
    out.write(partition);
    out.writeShort(id.length);
    out.write(id);
    out.writeLong(checksum(partition) + 31 * checksum(id));
    out.writeInt(body.size());
    body.writeTo(out);
    out.writeLong(checksum(body.toByteArray()));
    return bytes.toByteArray();
  }

  private void remove(Path file) throws IOException {
    Files.delete(file);
    applied(
        () -> {
          force(file.getParent());
          if (children(file.getParent()).isEmpty()) {
            Files.delete(file.getParent());
            force(root);
          }
        });
  }

  /** Nobody writes while the lock is held: what is unfinished was left by a process that died. */
  private Integer removeLeftovers() throws IOException {
    for (Path directory : children(root)) {
      if (Files.isDirectory(directory)) {
        for (Path file : all(directory)) {
          if (file.toString().endsWith(TEMPORARY)) {
            Files.delete(file);
          }
        }
        if (all(directory).isEmpty()) {
          Files.delete(directory);
        }
      }
    }
    return 0;
  }

  private static List<Path> children(Path directory) throws IOException {
    return all(directory).stream().filter(path -> !path.toString().endsWith(TEMPORARY)).toList();
  }

  private static List<Path> all(Path directory) throws IOException {
    List<Path> children = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
      stream.forEach(children::add);
    } catch (NoSuchFileException e) {
      return List.of();
    }
    return children;
  }

  /** Without a channel, which an interrupt would close. */
  private static byte @Nullable [] bytes(Path file) throws IOException {
    if (!Files.exists(file)) {
      return null;
    }
    try (FileInputStream in = new FileInputStream(file.toFile())) {
      return in.readAllBytes();
    }
  }

  /** Flushes a directory, for which Java has nothing but a channel: it is opened again. */
  private static void force(Path directory) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
          channel.force(true);
          return;
        } catch (ClosedByInterruptException e) {
          interrupted |= Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static long checksum(byte[] bytes) {
    CRC32 crc = new CRC32();
    crc.update(bytes);
    return crc.getValue();
  }

  private static String hash(String text) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  // --- locks and failures -------------------------------------------------------------------

  @FunctionalInterface
  private interface Work<T> {
    T run() throws IOException;
  }

  @FunctionalInterface
  private interface Step {
    void run() throws IOException;
  }

  /** A failure after a change was made. */
  private static final class AppliedException extends IOException {
    private static final long serialVersionUID = 1L;

    AppliedException(IOException cause) {
      super(cause);
    }
  }

  private static void applied(Step step) throws IOException {
    try {
      step.run();
    } catch (IOException e) {
      throw new AppliedException(e);
    }
  }

  private <T> T locked(String operation, @Nullable RecordKey key, boolean writes, Work<T> work) {
    checkOpen(operation, key);
    threads.lock();
    try {
      // All descriptors of a file share a lock and any close releases it: there is one at a time.
      try (RandomAccessFile file = new RandomAccessFile(root.resolve(LOCK_FILE).toFile(), "rw")) {
        FileLock lock = lock(operation, key, file.getChannel());
        try {
          checkOpen(operation, key);
          return work.run();
        } finally {
          lock.release();
        }
      }
    } catch (AppliedException e) {
      throw new OutcomeUnknownException(operation, key, "flushing failed", e);
    } catch (IOException e) {
      String message = String.valueOf(e.getMessage());
      if (writes && message.contains("No space left")) {
        throw new CapacityExceededException(operation, key, "the disk is full", e);
      }
      throw new StorageUnavailableException(operation, key, false, "a file failed", e);
    } finally {
      threads.unlock();
    }
  }

  /** Polls: waiting for a lock could be interrupted, and would close the channel. */
  private static FileLock lock(String operation, @Nullable RecordKey key, FileChannel channel)
      throws IOException {
    long end = System.nanoTime() + LOCK_PATIENCE_NANOS;
    while (true) {
      FileLock lock = channel.tryLock();
      if (lock != null) {
        return lock;
      }
      if (System.nanoTime() - end > 0) {
        throw new StorageUnavailableException(
            operation, key, true, "another process holds the lock", null);
      }
      LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(50));
    }
  }

  private void checkOpen(String operation, @Nullable RecordKey key) {
    if (closed) {
      throw new BackendClosedException(operation, key, "the folder was closed", null);
    }
  }
}
