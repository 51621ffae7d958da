// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the backend does with files. Each system call that matters is a {@link Step}; tests override
 * {@link #before} and {@link #after} to count the steps, to stop in the middle, and to fail.
 * Directories and files are private to their owner where the system knows that.
 *
 * <p>An interrupt never ends a step half way: a channel that it has closed is opened again.
 */
class FileAccess {
  /** What can fail, and where a process can die. */
  enum Step {
    LOCK,
    LIST,
    READ,
    OPEN,
    CREATE,
    WRITE,
    CUT,
    FLUSH,
    FLUSH_DIRECTORY,
    MAKE_DIRECTORY,
    MOVE,
    DELETE
  }

  private static final boolean WINDOWS =
      System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("windows");

  /** The units in which the most inexact of the usual file systems, FAT, has its times. */
  private static final Duration LONGEST_TICK = Duration.ofSeconds(2);

  private final boolean flushes;

  /**
   * @param flushes whether a flush is one; if not, a crash of the host may lose what was written
   */
  FileAccess(boolean flushes) {
    this.flushes = flushes;
  }

  /** Called before each step. */
  void before(Step step, Path path) throws IOException {}

  /** Called after each step that did not fail. */
  void after(Step step, Path path) throws IOException {}

  /** Something that can be done again from the beginning. */
  @FunctionalInterface
  interface Repeatable {
    void run() throws IOException;
  }

  /** Something that can be done again from the beginning, and has a result. */
  @FunctionalInterface
  private interface RepeatableCall<T> {
    @Nullable T call() throws IOException;
  }

  /** Does something to its end, whatever interrupts it; the thread's flag is set afterwards. */
  static void uninterrupted(Repeatable work) throws IOException {
    call(
        () -> {
          work.run();
          return null;
        });
  }

  private static <T> @Nullable T call(RepeatableCall<T> work) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        try {
          return work.call();
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

  // --- reading ------------------------------------------------------------------------------

  /** Reads a whole file; null if there is none. */
  byte @Nullable [] read(Path file) throws IOException {
    before(Step.READ, file);
    byte[] content =
        call(
            () -> {
              try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                long length = channel.size();
                if (length > Integer.MAX_VALUE - 8) {
                  throw new FileSystemException(
                      file.toString(), null, "a file of " + length + " bytes");
                }
                return read(channel, 0, (int) length);
              } catch (NoSuchFileException e) {
                return null;
              }
            });
    after(Step.READ, file);
    return content;
  }

  /**
   * Reads a part of a file that has, or is to have, a certain length. It does not ask for the
   * length: Linux from 6.13 on notes the time of the next write to a file more exactly when
   * somebody has asked for its attributes, and the flush of that write then takes half as long
   * again.
   *
   * @param length what is at least the end of the part
   * @return null if there is no such file, or it is shorter
   */
  byte @Nullable [] read(Path file, int from, int limit, int length) throws IOException {
    before(Step.READ, file);
    byte[] content =
        call(
            () -> {
              try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                return part(channel, from, limit, length);
              } catch (NoSuchFileException e) {
                return null;
              }
            });
    after(Step.READ, file);
    return content;
  }

  private static byte @Nullable [] part(FileChannel channel, int from, int limit, int length)
      throws IOException {
    byte[] part = read(channel, from, limit);
    boolean isLonger =
        part.length == limit
            && (from + limit == length || channel.read(ByteBuffer.allocate(1), length - 1L) == 1);
    return isLonger ? part : null;
  }

  /** Reads so many bytes, or as many as there are. */
  private static byte[] read(FileChannel channel, int from, int limit) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(limit);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, from + (long) bytes.position()) < 0) {
        return Arrays.copyOf(bytes.array(), bytes.position());
      }
    }
    return bytes.array();
  }

  /**
   * Whether a file can be read, for those who do not mind an error: a no is much cheaper than the
   * failure to open it, and a yes than asking for its attributes (see above).
   */
  boolean isReadable(Path file) {
    return file.toFile().canRead();
  }

  /**
   * When a directory was changed last, and which one it is.
   *
   * @param fileKey null where the system has none
   */
  record Stamp(FileTime changed, @Nullable Object fileKey) {}

  /**
   * Tells a state of a directory from those before and after.
   *
   * @return null if there is none, or it was changed so recently that it may be changed again
   *     without a difference: file systems count in units of up to two seconds
   */
  @Nullable Stamp stamp(Path directory) throws IOException {
    try {
      BasicFileAttributes attributes = Files.readAttributes(directory, BasicFileAttributes.class);
      FileTime changed = attributes.lastModifiedTime();
      boolean isQuiet =
          changed.toInstant().isBefore(Instant.now().minus(LONGEST_TICK.plusSeconds(1)));
      return isQuiet ? new Stamp(changed, attributes.fileKey()) : null;
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  /** Whether a directory has no files, or is not there. */
  boolean isEmpty(Path directory) throws IOException {
    before(Step.LIST, directory);
    boolean empty;
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
      empty = !stream.iterator().hasNext();
    } catch (NoSuchFileException e) {
      empty = true;
    }
    after(Step.LIST, directory);
    return empty;
  }

  /** The names in a directory, in no order; none if there is no such directory. */
  List<String> names(Path directory) throws IOException {
    before(Step.LIST, directory);
    List<String> found = new ArrayList<>();
    String[] names = directory.toFile().list();
    if (names != null) {
      found = Arrays.asList(names);
    } else {
      // It is not there, or cannot be read: the other way of listing tells which.
      try (DirectoryStream<Path> stream = Files.newDirectoryStream(directory)) {
        for (Path path : stream) {
          found.add(String.valueOf(path.getFileName()));
        }
      } catch (NoSuchFileException | NotDirectoryException e) {
        // Then it has none.
      }
    }
    after(Step.LIST, directory);
    return found;
  }

  // --- writing ------------------------------------------------------------------------------

  private static boolean hasPermissions(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }

  private static FileAttribute<?>[] permissions(Path path, String permissions) {
    return hasPermissions(path)
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions))
        }
        : new FileAttribute<?>[0];
  }

  /** Creates an empty file, if it is not there. */
  static void createPrivate(Path file) throws IOException {
    try {
      Files.createFile(file, permissions(file, "rw-------"));
    } catch (FileAlreadyExistsException e) {
      // Somebody else was faster.
    }
  }

  /** Creates a directory, if it is not there; its parent must be. Not flushed. */
  boolean createDirectory(Path directory) throws IOException {
    before(Step.MAKE_DIRECTORY, directory);
    try {
      Files.createDirectory(directory, permissions(directory, "rwx------"));
    } catch (FileAlreadyExistsException e) {
      return false;
    }
    after(Step.MAKE_DIRECTORY, directory);
    return true;
  }

  /** Writes a file that nobody else knows, and flushes it. Nothing is left if that fails. */
  void writeNew(Path file, byte[] content) throws IOException {
    boolean done = false;
    try {
      uninterrupted(
          () -> {
            before(Step.CREATE, file);
            try (FileChannel channel =
                FileChannel.open(
                    file,
                    Set.of(
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE),
                    permissions(file, "rw-------"))) {
              after(Step.CREATE, file);
              write(channel, file, 0, content);
              flush(channel, file);
            }
          });
      done = true;
    } finally {
      if (!done) {
        Files.deleteIfExists(file);
      }
    }
  }

  /** A file that is open for writing. */
  final class Writer implements AutoCloseable {
    private final Path file;
    private final FileChannel channel;

    Writer(Path file) throws IOException {
      before(Step.OPEN, file);
      this.file = file;
      this.channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
      after(Step.OPEN, file);
    }

    Path file() {
      return file;
    }

    /** As {@link FileAccess#read(Path, int, int, int)}. */
    byte @Nullable [] read(int from, int limit, int length) throws IOException {
      before(Step.READ, file);
      byte[] content = part(channel, from, limit, length);
      after(Step.READ, file);
      return content;
    }

    void write(long offset, byte[] content) throws IOException {
      FileAccess.this.write(channel, file, offset, content);
    }

    void cut(long length) throws IOException {
      before(Step.CUT, file);
      channel.truncate(length);
      after(Step.CUT, file);
    }

    void flush() throws IOException {
      FileAccess.this.flush(channel, file);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  /** Opens a file that is there. */
  Writer openForWriting(Path file) throws IOException {
    return new Writer(file);
  }

  private void write(FileChannel channel, Path file, long offset, byte[] content)
      throws IOException {
    before(Step.WRITE, file);
    ByteBuffer buffer = ByteBuffer.wrap(content);
    long at = offset;
    while (buffer.hasRemaining()) {
      at += channel.write(buffer, at);
    }
    after(Step.WRITE, file);
  }

  private void flush(FileChannel channel, Path file) throws IOException {
    if (flushes) {
      before(Step.FLUSH, file);
      channel.force(false);
      after(Step.FLUSH, file);
    }
  }

  /** Flushes the names in a directory. Windows cannot, and keeps their order by itself. */
  void flushDirectory(Path directory) throws IOException {
    if (!flushes || WINDOWS) {
      return;
    }
    uninterrupted(
        () -> {
          before(Step.FLUSH_DIRECTORY, directory);
          try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
          }
          after(Step.FLUSH_DIRECTORY, directory);
        });
  }

  /** Appends to a file that need not be there. Not flushed. */
  void append(Path file, byte[] content) throws IOException {
    uninterrupted(
        () -> {
          before(Step.WRITE, file);
          try (FileChannel channel =
              FileChannel.open(
                  file,
                  Set.of(
                      StandardOpenOption.CREATE,
                      StandardOpenOption.WRITE,
                      StandardOpenOption.APPEND),
                  permissions(file, "rw-------"))) {
            ByteBuffer buffer = ByteBuffer.wrap(content);
            while (buffer.hasRemaining()) {
              channel.write(buffer);
            }
          }
          after(Step.WRITE, file);
        });
  }

  /** Gives a file another name, over whatever has it. */
  void move(Path from, Path to) throws IOException {
    before(Step.MOVE, to);
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    after(Step.MOVE, to);
  }

  /** Deletes a file; false if there is none. */
  boolean delete(Path file) throws IOException {
    before(Step.DELETE, file);
    boolean deleted = Files.deleteIfExists(file);
    after(Step.DELETE, file);
    return deleted;
  }

  /** Deletes a directory if it is empty; true if it is gone. */
  boolean deleteIfEmpty(Path directory) throws IOException {
    try {
      delete(directory);
      return true;
    } catch (DirectoryNotEmptyException e) {
      return false;
    }
  }
}
