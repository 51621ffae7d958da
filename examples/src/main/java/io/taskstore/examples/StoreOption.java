// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.GenericTaskStore;
import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.file.FileStorageBackend;
import io.taskstore.memory.MemoryStorageBackend;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * Where to keep the tasks, as the option {@code --store} says it.
 *
 * @param url {@code file:} and a directory, which is taken as it stands; {@code file:} alone for
 *     the {@link StateDirectory}; or {@code memory:}
 */
record StoreOption(String url) {
  /** More digests at once would only wait for the same disk. */
  static final int MAX_ACTIVE_TASKS = 8;

  private static final String FILE = "file:";
  private static final String MEMORY = "memory:";

  static final String DEFAULT = FILE;

  /** For the help of the commands. */
  static final String HELP =
      "file:DIRECTORY, file: for a directory of your own (default), or memory:, which ends with the"
          + " server.";

  private static final Duration SWEEP_INTERVAL = Duration.ofMinutes(1);

  StoreOption {
    if (url.startsWith(FILE)) {
      checkPath(url.substring(FILE.length()));
    } else if (!url.equals(MEMORY)) {
      // Not the whole of it: what follows the scheme may hold a password.
      String scheme = url.substring(0, url.indexOf(':') + 1);
      throw new IllegalArgumentException(
          "unknown store: "
              + (scheme.isEmpty() ? url : scheme)
              + " (supported: file:DIRECTORY, memory:)");
    }
  }

  private static void checkPath(String path) {
    if (path.startsWith("//") && !path.startsWith("///")) {
      throw new IllegalArgumentException(
          "file:// is for directories of other hosts; this one's are file:DIRECTORY");
    }
    if (path.equals("~") || path.startsWith("~/")) {
      // No shell replaces it there, and who has a directory of that name removes the wrong one.
      throw new IllegalArgumentException("~ is not known in file:~, name the directory in full");
    }
    try {
      var unused = Path.of(path);
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("not the name of a directory: " + path, e);
    }
  }

  /** The store cannot be opened; the message says which one, and why. */
  static final class OpeningException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    OpeningException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * A store that is open.
   *
   * @param closeBackend closes what is under it, which a store leaves alone
   */
  record OpenStore(TaskStore store, Runnable closeBackend) implements AutoCloseable {
    @Override
    public void close() {
      try {
        store.close();
      } finally {
        closeBackend.run();
      }
    }
  }

  /** Whether tasks survive the process that has made them. */
  boolean isDurable() {
    return !url.equals(MEMORY);
  }

  /**
   * Returns the same store with its directory in full, for another process.
   *
   * @throws IllegalArgumentException if there is no such directory, see {@link StateDirectory}
   */
  StoreOption resolved() {
    return isDurable() ? new StoreOption(FILE + directory()) : this;
  }

  private Path directory() {
    String path = url.substring(FILE.length());
    if (path.isEmpty()) {
      return StateDirectory.ofThisUser();
    }
    return Path.of(path.startsWith("//") ? path.substring("//".length()) : path).toAbsolutePath();
  }

  /**
   * Opens the store.
   *
   * @param lease how long a task stays with a server that gives no sign of life
   * @throws OpeningException if it cannot be opened
   */
  OpenStore open(Duration lease, List<TaskListener> listeners) {
    StorageBackend backend = openBackend();
    GenericTaskStore.Builder options = options(backend).lease(lease);
    listeners.forEach(options::listener);
    return new OpenStore(options.build(), backend::close);
  }

  private StorageBackend openBackend() {
    if (!isDurable()) {
      return MemoryStorageBackend.create();
    }
    try {
      return FileStorageBackend.open(directory());
    } catch (StorageException e) {
      throw new OpeningException("the tasks cannot be kept: " + Table.printable(reason(e)), e);
    }
  }

  /** What has happened, without the name of the operation, which is no news to anybody. */
  private static String reason(StorageException e) {
    String message = String.valueOf(e.getMessage());
    String operation = e.operation() + ": ";
    return message.startsWith(operation) ? message.substring(operation.length()) : message;
  }

  /** What is the same for every backend. */
  static GenericTaskStore.Builder options(StorageBackend backend) {
    return GenericTaskStore.builder(backend)
        // Standard input and output belong to whoever started the process, so there is one owner.
        .allowLocalOwner(true)
        .maxActiveTasks(MAX_ACTIVE_TASKS)
        // A progress bar should move.
        .progressInterval(DigestTask.INTERVAL)
        .sweepInterval(SWEEP_INTERVAL);
  }
}
