// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import io.taskstore.file.CrashFiles.Point;
import io.taskstore.file.CrashFiles.When;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/**
 * The process that dies. It tells on its standard output what it does; each line is in the pipe
 * before the next thing is done.
 *
 * <pre>{@code
 * point DIRECTORY TAG CASE STEP WHEN          dies there
 * work DIRECTORY TAG SEED FIRSTWRITER THREADS FLUSHES    works until it is killed
 * }</pre>
 */
final class CrashChild {
  private CrashChild() {}

  public static void main(String[] args) {
    Path root = Path.of(args[1]);
    try (Teller teller = new Teller(new FileOutputStream(FileDescriptor.out))) {
      try {
        if (args[0].equals("point")) {
          Point point = new Point(Integer.parseInt(args[4]), When.valueOf(args[5]));
          run(CrashCase.valueOf(args[3]), root, args[2], new CrashFiles(true, root, point), teller);
          teller.tell("ended");
        } else {
          work(root, args, teller);
        }
      } catch (RuntimeException | AssertionError e) {
        teller.tell("trouble: " + e);
        e.printStackTrace();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      Runtime.getRuntime().halt(0);
    }
  }

  /** Opens the directory and does what the case is about. */
  static void run(CrashCase how, Path root, String tag, CrashFiles files, Teller teller) {
    if (how.isOpening()) {
      files.arm();
    }
    FileStorageBackend backend =
        FileStorageBackend.builder(root)
            .recovery(how.recovery())
            .lockTimeout(Duration.ofSeconds(20))
            .build(files);
    files.arm();
    how.act(new CrashWriter(backend, tag, teller::tell));
  }

  private static void work(Path root, String[] args, Teller teller) {
    FileStorageBackend.Durability durability = FileStorageBackend.Durability.valueOf(args[6]);
    FileStorageBackend backend =
        FileStorageBackend.builder(root)
            .durability(durability)
            .lockTimeout(Duration.ofSeconds(20))
            .build();
    teller.tell("ready");
    CrashWriter writer = new CrashWriter(backend, args[2], teller::tell);
    int first = Integer.parseInt(args[4]);
    int threads = Integer.parseInt(args[5]);
    for (int i = 1; i < threads; i++) {
      CrashWork more = new CrashWork(writer, first + i, Long.parseLong(args[3]) + i);
      Thread thread = new Thread(() -> runOrTell(more, teller), "writer-" + i);
      thread.setDaemon(true);
      thread.start();
    }
    runOrTell(new CrashWork(writer, first, Long.parseLong(args[3])), teller);
  }

  private static void runOrTell(CrashWork work, Teller teller) {
    try {
      work.run();
    } catch (RuntimeException | AssertionError e) {
      teller.tell("trouble: " + e);
      e.printStackTrace();
    }
  }

  /** Writes lines at once, each with one call. */
  static final class Teller implements AutoCloseable {
    private final FileOutputStream out;

    Teller(FileOutputStream out) {
      this.out = out;
    }

    synchronized void tell(String line) {
      try {
        out.write((line.replace('\n', ' ') + '\n').getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        // Nobody listens any more.
        Runtime.getRuntime().halt(1);
      }
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }
}
