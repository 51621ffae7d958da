// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The directory of a store.
 *
 * <pre>{@code
 * format.json   that it is one, its format, and its id
 * locks         see StoreLocks
 * holders       which processes have it open: a help for people, nothing relies on it
 * p/            partitions
 * due/          hints for purging
 * tmp/          files in the making
 * quarantine/   damaged files that were set aside
 * }</pre>
 *
 * @param locks null if the directory can only be read
 * @param boot names the time since the host was started
 * @param knowsBoot whether all processes of the host have the same name for it
 */
@SuppressWarnings("try") // locks are held, not used
record StoreFolder(
    FileAccess files, Path root, @Nullable StoreLocks locks, String boot, boolean knowsBoot) {
  private static final System.Logger LOGGER = System.getLogger(FileStorageBackend.class.getName());

  private static final String TEMP_SUFFIX = ".tmp";
  private static final String FORMAT = "format.json";
  private static final String LOCKS = "locks";
  private static final String HOLDERS = "holders";
  private static final Set<String> OURS =
      Set.of(FORMAT, LOCKS, HOLDERS, "p", "due", "tmp", "quarantine");
  private static final Pattern FORMAT_CONTENT =
      Pattern.compile("\\{\"taskstore\":(\\d{1,9}),\"id\":\"[0-9a-f-]{36}\"}\\s*");
  private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");
  private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

  /** File systems whose locks and renames cannot be relied on between hosts. */
  private static final List<String> NETWORKS =
      List.of(
          "nfs",
          "cifs",
          "smb",
          "9p",
          "afs",
          "ceph",
          "davfs",
          "fuse.sshfs",
          "fuse.glusterfs",
          "glusterfs",
          "lustre",
          "gpfs",
          "ocfs",
          "gfs");

  Path partitions() {
    return root.resolve("p");
  }

  Path due() {
    return root.resolve("due");
  }

  Path quarantine() {
    return root.resolve("quarantine");
  }

  /**
   * A name for a file in the making.
   *
   * @param lock the lock that its maker has until it is moved; a file of which nobody has the lock
   *     was left by the dead
   */
  Path newTemporary(int lock) {
    return temporary().resolve(lock + "-" + UUID.randomUUID() + TEMP_SUFFIX);
  }

  private Path temporary() {
    return root.resolve("tmp");
  }

  // --- opening ------------------------------------------------------------------------------

  /**
   * Opens a directory; it is made if it is not there.
   *
   * @throws StorageUnavailableException if it cannot be used; says why
   */
  static StoreFolder open(FileAccess files, Path directory, Duration lockTimeout) {
    Path root = directory.toAbsolutePath().normalize();
    try {
      if (Files.exists(root) && !Files.isDirectory(root)) {
        throw refused(root, "it is not a directory; choose another path", null);
      }
      boolean isNew = createWithParents(files, root);
      checkFileSystem(root);
      checkOurs(files, root);
      StoreFolder folder = withLocks(files, root, isNew);
      StoreLocks locks = folder.locks();
      if (locks == null) {
        folder.checkFormat(true);
        return folder;
      }
      boolean opened = false;
      try (StoreLocks.Held held = locks.lock(StoreLocks.OPENING_LOCK, lockTimeout.toNanos())) {
        if (held == null) {
          throw unavailable(
              root,
              true,
              "somebody else has been opening it for %s; look for a process that hangs%s"
                  .formatted(lockTimeout, folder.holders()),
              null);
        }
        folder.prepare();
        opened = true;
        return folder;
      } finally {
        if (!opened) {
          locks.release();
        }
      }
    } catch (IOException e) {
      throw failure(root, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw refused(root, "the thread was interrupted", e);
    }
  }

  private static StorageUnavailableException refused(
      Path root, String reason, @Nullable Throwable cause) {
    return unavailable(root, false, reason, cause);
  }

  private static StorageUnavailableException unavailable(
      Path root, boolean retryable, String reason, @Nullable Throwable cause) {
    return new StorageUnavailableException(
        "open", null, retryable, "the directory " + root + " cannot be used: " + reason, cause);
  }

  private static StorageException failure(Path root, IOException e) {
    return Failures.of("open", null, "the directory " + root, e);
  }

  private static boolean createWithParents(FileAccess files, Path directory) throws IOException {
    if (Files.isDirectory(directory)) {
      return false;
    }
    Path parent = directory.getParent();
    if (parent != null) {
      createWithParents(files, parent);
    }
    boolean created = files.createDirectory(directory);
    if (created && parent != null) {
      files.flushDirectory(parent);
    }
    return created;
  }

  private static void checkFileSystem(Path root) {
    String type;
    try {
      type = Files.getFileStore(root).type().toLowerCase(Locale.ROOT);
    } catch (IOException e) {
      return; // some containers do not know what they stand on
    }
    if (isNetwork(type)) {
      throw refused(
          root,
          "it is on a network file system (%s), whose locks do not hold; use a local disk"
              .formatted(type),
          null);
    }
  }

  static boolean isNetwork(String type) {
    return NETWORKS.stream().anyMatch(type::startsWith);
  }

  /** A directory that has other things in it is not to be filled with ours. */
  private static void checkOurs(FileAccess files, Path root) throws IOException {
    List<String> names = files.names(root);
    if (!names.contains(FORMAT) && !OURS.containsAll(names)) {
      throw refused(
          root, "it has other files and no format.json; choose an empty or a new one", null);
    }
  }

  private static StoreFolder withLocks(FileAccess files, Path root, boolean isNew)
      throws IOException {
    String boot;
    boolean knowsBoot = true;
    try {
      boot = Files.readString(BOOT_ID).strip();
    } catch (NoSuchFileException e) {
      // Elsewhere every process counts as a start: what it left unmarked is taken for flushed.
      boot = UUID.randomUUID().toString();
      knowsBoot = false;
    }
    StoreLocks locks = null;
    try {
      locks = StoreLocks.open(root.resolve(LOCKS));
    } catch (IOException e) {
      if (isNew || !Failures.isReadOnly(e) || !Files.exists(root.resolve(FORMAT))) {
        throw e;
      }
      LOGGER.log(Level.WARNING, "The directory of tasks can be read only: every write will fail");
    }
    return new StoreFolder(files, root, locks, boot, knowsBoot);
  }

  /** Makes what is missing, and removes what the dead have left. */
  private void prepare() throws IOException {
    if (!checkFormat(false)) {
      files.createDirectory(temporary());
      Path temp = newTemporary(StoreLocks.OPENING_LOCK);
      files.writeNew(
          temp,
          ("{\"taskstore\":" + Journal.FORMAT + ",\"id\":\"" + UUID.randomUUID() + "\"}\n")
              .getBytes(StandardCharsets.UTF_8));
      files.createDirectory(partitions());
      files.createDirectory(due());
      files.createDirectory(quarantine());
      new DueHints(files, due()).setComplete(boot, newTemporary(StoreLocks.OPENING_LOCK));
      files.move(temp, root.resolve(FORMAT));
      files.flushDirectory(root);
    }
    for (String name : files.names(temporary())) {
      cleanUp(name);
    }
    noteHolder();
  }

  /** Refuses what it does not know; false if there is no format yet. */
  private boolean checkFormat(boolean required) throws IOException {
    byte[] content = files.read(root.resolve(FORMAT));
    if (content == null) {
      if (required || !files.names(partitions()).isEmpty()) {
        throw refused(root, "its format.json is missing; restore it from a backup", null);
      }
      return false;
    }
    Matcher format = FORMAT_CONTENT.matcher(new String(content, StandardCharsets.UTF_8));
    if (!format.matches()) {
      throw refused(root, "its format.json is damaged; restore it from a backup", null);
    }
    int found = Integer.parseInt(format.group(1));
    if (found != Journal.FORMAT) {
      throw refused(
          root,
          "it has format %d and this release knows %d; use a newer release of this library"
              .formatted(found, Journal.FORMAT),
          null);
    }
    return true;
  }

  /** Removes what a dead process was making: while it lived, it held the lock. */
  private void cleanUp(String name) throws IOException {
    int dash = name.indexOf('-');
    if (locks == null || !name.endsWith(TEMP_SUFFIX) || dash < 1 || dash > 4) {
      return;
    }
    int index;
    try {
      index = Integer.parseInt(name.substring(0, dash));
    } catch (NumberFormatException e) {
      return;
    }
    // That lock is ours: whoever else made something under it is dead.
    if (index == StoreLocks.OPENING_LOCK) {
      files.delete(temporary().resolve(name));
      return;
    }
    try (StoreLocks.Held held = locks.tryLock(index)) {
      if (held != null) {
        files.delete(temporary().resolve(name));
      }
    }
  }

  // --- who has it open ----------------------------------------------------------------------

  /** This process. Not by the host's address: to look that up can take seconds. */
  private String us() throws IOException {
    byte[] name = files.read(HOST_NAME);
    String host =
        name == null ? System.getenv("HOSTNAME") : new String(name, StandardCharsets.UTF_8);
    return ProcessHandle.current().pid()
        + "@"
        + (host == null || host.isBlank() ? "localhost" : host.strip())
        + " ";
  }

  /** Those that are noted, without us and without the dead. */
  private List<String> others() throws IOException {
    List<String> others = new ArrayList<>();
    byte[] content = files.read(root.resolve(HOLDERS));
    if (content != null) {
      String us = us();
      String host = us.substring(us.indexOf('@'));
      for (String line : new String(content, StandardCharsets.UTF_8).split("\n", -1)) {
        int at = line.indexOf('@');
        if (at > 0 && !line.startsWith(us) && (!line.startsWith(host, at) || isAlive(line, at))) {
          others.add(line);
        }
      }
    }
    return others;
  }

  private static boolean isAlive(String line, int at) {
    try {
      return ProcessHandle.of(Long.parseLong(line.substring(0, at))).isPresent();
    } catch (NumberFormatException e) {
      return false;
    }
  }

  private void noteHolder() {
    try {
      List<String> holders = others();
      holders.add(us() + "since " + Clock.systemUTC().instant().truncatedTo(ChronoUnit.SECONDS));
      write(holders);
    } catch (IOException e) {
      // A full disk, for example: then it must be possible to purge.
      LOGGER.log(Level.DEBUG, "The list of holders could not be written", e);
    }
  }

  private void write(List<String> holders) throws IOException {
    Path temp = newTemporary(StoreLocks.OPENING_LOCK);
    files.writeNew(temp, (String.join("\n", holders) + "\n").getBytes(StandardCharsets.UTF_8));
    files.move(temp, root.resolve(HOLDERS));
  }

  /** For a message: who else has the directory open; empty if nobody is known. */
  String holders() {
    try {
      List<String> others = others();
      return others.isEmpty() ? "" : "; also open in " + String.join(", ", others);
    } catch (IOException e) {
      return "";
    }
  }

  /** Ends the use of the directory. */
  void release() throws IOException {
    if (locks == null) {
      return;
    }
    try {
      if (locks.hasOneUser()) {
        try (StoreLocks.Held held = locks.tryLock(StoreLocks.OPENING_LOCK)) {
          if (held != null) {
            write(others());
          }
        }
      }
    } catch (IOException e) {
      LOGGER.log(Level.DEBUG, "The list of holders could not be written", e);
    } finally {
      locks.release();
    }
  }
}
