// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Digests all files of a folder, in the order of {@code LC_ALL=C sort}. It knows nothing of tasks.
 *
 * <p>The files are those of {@code find . -type f}: hidden ones too, at any depth; symbolic links
 * and special files are no files and are not followed. What cannot be read, has vanished, or has a
 * name that is not UTF-8 is counted as skipped.
 *
 * <p>Every entry is at one place in the order, so {@link FolderState#position} tells what is done,
 * and a digest that begins with a state goes on behind it.
 */
final class FolderDigest {
  private static final int BUFFER_SIZE = 64 * 1024;

  /** With so many small files, or so large ones, storing the state costs little beside the work. */
  static final int CHECKPOINT_ENTRIES = 100;

  private static final long CHECKPOINT_BYTES = 4 << 20;

  private final Path folder;
  private final FolderState start;
  private final Consumer<FolderDigest> watcher;
  private final Consumer<FolderState> checkpoints;
  private final int checkpointEntries;
  private final byte[] buffer = new byte[BUFFER_SIZE];
  private FolderState state;
  private String current = "";
  private long currentBytes;
  private int entriesSinceCheckpoint;
  private long bytesAtCheckpoint;
  private boolean counting;
  private long totalFiles;
  private long totalBytes;

  /** A digest that gives its state as often as is worth it for a folder of any size. */
  FolderDigest(
      Path folder,
      FolderState start,
      Consumer<FolderDigest> watcher,
      Consumer<FolderState> checkpoints) {
    this(folder, start, watcher, checkpoints, CHECKPOINT_ENTRIES);
  }

  /**
   * @param folder the folder
   * @param start where to begin
   * @param watcher is called before every folder and file and after every buffer that was read;
   *     what it throws ends the digest
   * @param checkpoints is given the state now and then, to store it; not behind the last entry, as
   *     far as the entries were counted, since the end is next
   * @param checkpointEntries after how many files at the latest
   */
  FolderDigest(
      Path folder,
      FolderState start,
      Consumer<FolderDigest> watcher,
      Consumer<FolderState> checkpoints,
      int checkpointEntries) {
    this.folder = folder;
    this.start = start;
    this.state = start;
    this.watcher = watcher;
    this.checkpoints = checkpoints;
    this.checkpointEntries = checkpointEntries;
    this.bytesAtCheckpoint = start.total().bytes();
  }

  /**
   * Returns the folder of this name, as an absolute path without symbolic links.
   *
   * @throws IllegalArgumentException if there is none, or it cannot be read; the message is for
   *     whoever gave the name
   */
  static Path folder(String name) {
    try {
      Path path = Path.of(name).toRealPath();
      if (!Files.isDirectory(path)) {
        throw new IllegalArgumentException("not a folder: " + name);
      }
      if (!Files.isReadable(path) || !Files.isExecutable(path)) {
        throw new IllegalArgumentException("folder cannot be read: " + name);
      }
      return path;
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException("no such folder: " + name, e);
    } catch (IOException e) {
      throw new IllegalArgumentException("folder cannot be read: " + name, e);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("not the name of a folder: " + name, e);
    }
  }

  /** What is done. */
  FolderState state() {
    return state;
  }

  /** The file that is being read, as its path in the folder; empty before the first. */
  String current() {
    return current;
  }

  /** The bytes that are done, with those of the file that is being read. */
  long bytes() {
    return state.total().bytes() + currentBytes;
  }

  /** Whether the totals are being counted. */
  boolean isCounting() {
    return counting;
  }

  /** How many files {@link #count} has found; an estimate, since others may add and remove some. */
  long totalFiles() {
    return totalFiles;
  }

  /** How many bytes they have; an estimate, like {@link #totalFiles}. */
  long totalBytes() {
    return totalBytes;
  }

  /**
   * Counts the files, which is fast.
   *
   * @throws IOException if the folder itself cannot be read
   */
  void count() throws IOException {
    counting = true;
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            if (attributes.isRegularFile()) {
              totalFiles++;
              totalBytes += attributes.size();
              watcher.accept(FolderDigest.this);
            }
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException e) {
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path dir, @Nullable IOException e) {
            watcher.accept(FolderDigest.this);
            return FileVisitResult.CONTINUE;
          }
        });
    counting = false;
  }

  /**
   * Digests the folder.
   *
   * @return the state at the end
   * @throws IOException if the folder itself cannot be read
   */
  FolderState run() throws IOException {
    walk(entries(folder, ""));
    return state;
  }

  private void walk(List<Entry> entries) {
    for (Entry entry : entries) {
      if (isDone(entry)) {
        continue;
      }
      try {
        if (!entry.hasProperName()) {
          throw new IOException("its name is not UTF-8");
        }
        if (entry.isFolder()) {
          watcher.accept(this);
          walk(entries(entry.file(), entry.path()));
        } else {
          done(state.plus(read(entry)));
        }
      } catch (IOException e) {
        done(state.skip(entry.path(), reason(e)));
      }
    }
  }

  private void done(FolderState next) {
    state = next;
    currentBytes = 0;
    entriesSinceCheckpoint++;
    boolean isLast = state.total().files() + state.skippedCount() == totalFiles;
    if (!isLast
        && (entriesSinceCheckpoint >= checkpointEntries
            || state.total().bytes() - bytesAtCheckpoint >= CHECKPOINT_BYTES)) {
      checkpoints.accept(state);
      entriesSinceCheckpoint = 0;
      bytesAtCheckpoint = state.total().bytes();
    }
  }

  /**
   * Whether it is at or before the position at which we began; a folder, with all that is in it.
   */
  private boolean isDone(Entry entry) {
    String position = start.position();
    boolean inside = position.startsWith(entry.path()) && !position.equals(entry.path());
    return !position.isEmpty()
        && !(entry.isFolder() && inside)
        && compare(entry.path(), position) <= 0;
  }

  private FileDigest read(Entry entry) throws IOException {
    current = entry.path();
    watcher.accept(this);
    try (InputStream in = Files.newInputStream(entry.file(), LinkOption.NOFOLLOW_LINKS)) {
      return FileDigest.of(
          entry.path(),
          in,
          buffer,
          bytes -> {
            currentBytes = bytes;
            watcher.accept(this);
          });
    }
  }

  private static String reason(IOException e) {
    if (e instanceof NoSuchFileException) {
      return "it has vanished";
    }
    if (e instanceof AccessDeniedException) {
      return "permission denied";
    }
    String reason = e instanceof FileSystemException system ? system.getReason() : e.getMessage();
    return Objects.requireNonNullElse(reason, e.getClass().getSimpleName());
  }

  /** A file or folder; the path of a folder ends with a slash. */
  private record Entry(Path file, String path, boolean hasProperName) {
    boolean isFolder() {
      return path.endsWith("/");
    }
  }

  /** Returns the files and folders of a folder, in order. */
  private static List<Entry> entries(Path folder, String prefix) throws IOException {
    List<Entry> entries = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        boolean isFolder = Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS);
        if (isFolder || !isOther(file)) {
          String name = name(file);
          String path = prefix + (name == null ? file.getFileName() : name) + (isFolder ? "/" : "");
          entries.add(new Entry(file, path, name != null));
        }
      }
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    // With the slash, the order of the entries of each folder is also the order of all paths.
    entries.sort((a, b) -> compare(a.path(), b.path()));
    return entries;
  }

  /** Whether it is a link or something special. What vanishes now shows when it is to be read. */
  private static boolean isOther(Path file) {
    try {
      return !Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
          .isRegularFile();
    } catch (IOException e) {
      return false;
    }
  }

  private static int compare(String path, String other) {
    return Arrays.compareUnsigned(
        path.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Returns the name of a file; null if it is not UTF-8. Java decodes names as the locale has it,
   * and where that is "C" nothing but ASCII survives. The bytes of the name are still there, and a
   * URI shows them.
   */
  private static @Nullable String name(Path file) {
    String decoded = String.valueOf(file.getFileName());
    if (decoded.chars().allMatch(c -> c < 0x80)) {
      return decoded;
    }
    String uri = file.toUri().getRawPath();
    int end = uri.endsWith("/") ? uri.length() - 1 : uri.length();
    String encoded = uri.substring(uri.lastIndexOf('/', end - 1) + 1, end);
    ByteBuffer bytes = ByteBuffer.allocate(encoded.length());
    for (int i = 0; i < encoded.length(); i++) {
      if (encoded.charAt(i) == '%') {
        bytes.put((byte) HexFormat.fromHexDigits(encoded, i + 1, i + 3));
        i += 2;
      } else {
        bytes.put((byte) encoded.charAt(i));
      }
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes.flip()).toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }
}
