// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.seen;
import static io.taskstore.file.FileLocksValues.value;

import io.taskstore.file.FileAccess.Step;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.Created;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.Full;
import io.taskstore.spi.ListQuery;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.BufferedReader;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The main class of another process. It reads commands from its standard input, one a line, and
 * answers each with a line.
 */
final class FileLocksChild {
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private final Path root;
  private final BufferedReader in =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  private final FileLocksGate gate = new FileLocksGate();
  private final Deque<FileStorageBackend> open = new ArrayDeque<>();
  private @Nullable StoreLocks locks;
  private StoreLocks.@Nullable Held held;

  private FileLocksChild(Path root) {
    this.root = root;
  }

  public static void main(String[] args) throws Exception {
    new FileLocksChild(Path.of(args[0])).serve();
  }

  private void serve() throws Exception {
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String answer;
      try {
        answer = answer(new ArrayDeque<>(Arrays.asList(line.split(" ", -1))));
      } catch (StorageException e) {
        String name = e.getClass().getSimpleName();
        boolean retryable = e instanceof StorageUnavailableException no && no.isRetryable();
        answer = name + (retryable ? " retryable " : " ") + e.getMessage();
      }
      OUT.println(answer);
    }
  }

  private FileStorageBackend backend() {
    return Objects.requireNonNull(open.peek(), "nothing is open");
  }

  private String answer(Deque<String> words) throws Exception {
    String command = words.remove();
    return switch (command) {
      case "open" -> open(Duration.ofMillis(Long.parseLong(words.remove())));
      case "openUnflushed" -> openUnflushed();
      case "close" -> {
        open.remove().close();
        yield "closed";
      }
      case "hold" -> hold(Integer.parseInt(words.remove()));
      case "free" -> free();
      case "stop" ->
          stop(words.remove().equals("after"), words.remove(), Integer.parseInt(words.remove()));
      case "run" -> run(List.copyOf(words));
      case "files" -> String.join(" ", FileLocksValues.files(root));
      case "permissions" -> FileLocksValues.permissions(root);
      case "loseHints" -> loseHints();
      case "fill" -> fill();
      case "unfill" -> String.valueOf(root.resolveSibling("ballast").toFile().delete());
      case "purge" ->
          "purged "
              + backend()
                  .purgeExpired(
                      Instant.ofEpochMilli(Long.parseLong(words.remove())),
                      Integer.parseInt(words.remove()));
      case "list" -> String.valueOf(list(words.remove()));
      case "increments" ->
          increments(words.remove(), words.remove(), Integer.parseInt(words.remove()));
      case "creates" -> creates(words.remove(), Integer.parseInt(words.remove()), words.remove());
      default -> ofRecord(command, new RecordKey(words.remove(), words.remove()), words);
    };
  }

  private String open(Duration timeout) {
    open.push(FileStorageBackend.builder(root).lockTimeout(timeout).build(gate));
    return "opened";
  }

  private String openUnflushed() {
    open.push(
        FileStorageBackend.builder(root).durability(FileStorageBackend.Durability.OS).build());
    return "opened";
  }

  private String hold(int index) throws IOException {
    StoreLocks taken = StoreLocks.open(root.resolve("locks"));
    locks = taken;
    held = taken.tryLock(index);
    if (held == null) {
      taken.release();
    }
    return held == null ? "busy" : "held";
  }

  private String free() throws IOException {
    Objects.requireNonNull(held, "held").close();
    Objects.requireNonNull(locks, "locks").release();
    return "freed";
  }

  private String loseHints() throws IOException {
    for (String name : new FileAccess(false).names(root.resolve("due"))) {
      Files.delete(root.resolve("due").resolve(name));
    }
    return "lost";
  }

  private int list(String partition) {
    return backend().list(new ListQuery(partition, null, false, 1_000)).records().size();
  }

  private String ofRecord(String command, RecordKey key, Deque<String> words) {
    return switch (command) {
      case "get" -> seen(backend(), key);
      case "put" -> put(key, Long.parseLong(words.remove()), data(words.remove()), words.isEmpty());
      case "create" -> create(key, Integer.parseInt(words.remove()), data(words.remove()));
      case "delete" -> delete(key, Long.parseLong(words.remove()));
      default -> throw new IllegalArgumentException("no command " + command);
    };
  }

  /** What is not active is due from an instant on. */
  private String put(RecordKey key, long expected, String data, boolean active) {
    PutResult result =
        backend().putIfVersion(key, value(data, active, active ? null : NOW), expected);
    return result instanceof Written written
        ? "written " + written.version()
        : conflict((Conflict) result);
  }

  private String create(RecordKey key, int max, String data) {
    CreateResult created = backend().createWithin(key, value(data), max, NOW);
    return created instanceof Conflict lost
        ? conflict(lost)
        : created.getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }

  private String delete(RecordKey key, long expected) {
    DeleteResult deleted = backend().deleteIfVersion(key, expected);
    return deleted instanceof Conflict lost ? conflict(lost) : "deleted";
  }

  private static String conflict(Conflict lost) {
    VersionedRecord winner = lost.winner();
    return "conflict " + (winner == null ? 0 : winner.version());
  }

  /** A text, or with a number sign that many bytes. */
  private static String data(String word) {
    return word.startsWith("#") ? "x".repeat(Integer.parseInt(word.substring(1))) : word;
  }

  /** At the n-th step of a kind, says so and waits for a line. */
  private String stop(boolean isAfter, String kind, int nth) {
    Step step = Step.valueOf(kind);
    gate.arm(
        (at, after) -> at == step && after == isAfter,
        nth,
        (at, path) -> {
          OUT.println("stopped");
          if (in.readLine() == null) {
            throw new IOException("nobody says that it goes on");
          }
        });
    return "armed";
  }

  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    boolean ended = process.waitFor(30, TimeUnit.SECONDS);
    return ended && process.exitValue() == 0 ? "ok" : "failed: " + said.replace('\n', ' ');
  }

  /** Takes all the room that is left on the file system, with a file beside the directory. */
  private String fill() throws IOException {
    File ballast = root.resolveSibling("ballast").toFile();
    try (FileOutputStream out = new FileOutputStream(ballast, true)) {
      byte[] bytes = new byte[4_096];
      while (true) {
        out.write(bytes);
      }
    } catch (IOException e) {
      return String.valueOf(e.getMessage());
    }
  }

  // --- many processes -----------------------------------------------------------------------

  /** Adds one to a counter so many times, by compare-and-swap. */
  private String increments(String partition, String ids, int times) {
    String[] counters = ids.split(",", -1);
    long conflicts = 0;
    long timeouts = 0;
    for (int i = 0; i < times; i++) {
      RecordKey key = new RecordKey(partition, counters[i % counters.length]);
      VersionedRecord seen = backend().get(key).orElse(null);
      while (true) {
        long version = seen == null ? 0 : seen.version();
        long count = seen == null ? 0 : Long.parseLong(FileLocksValues.text(seen));
        try {
          PutResult result = backend().putIfVersion(key, value(String.valueOf(count + 1)), version);
          if (result instanceof Written) {
            break;
          }
          seen = ((Conflict) result).winner();
          conflicts++;
        } catch (StorageUnavailableException e) {
          if (!e.isRetryable()) {
            throw e;
          }
          timeouts++;
        }
      }
    }
    return "incremented " + times + " conflicts " + conflicts + " timeouts " + timeouts;
  }

  /** Creates within a limit until it is reached. */
  private String creates(String partition, int max, String prefix) {
    int created = 0;
    while (true) {
      RecordKey key = new RecordKey(partition, prefix + created);
      try {
        CreateResult result = backend().createWithin(key, value("v"), max, NOW);
        if (result instanceof Created) {
          created++;
        } else if (result instanceof Full) {
          return "created " + created;
        } else {
          return "unexpected " + result;
        }
      } catch (StorageUnavailableException e) {
        if (!e.isRetryable()) {
          throw e;
        }
      }
    }
  }
}
