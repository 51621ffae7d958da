// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.DeleteResult;
import io.taskstore.spi.PutResult;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import io.taskstore.spi.Written;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * The other process: opens a storage and does what {@link ChildProcess} asks for, line by line. It
 * ends when its input does, so that it never outlives the tests, however they end.
 */
final class ChildMain {
  private final StorageBackend backend;
  private final PrintStream answers;

  private ChildMain(StorageBackend backend, PrintStream answers) {
    this.backend = backend;
    this.answers = answers;
  }

  /** Called by the JVM, with the name of an opener and a location. */
  public static void main(String[] args) throws Exception {
    PrintStream answers = System.out;
    // What a backend prints must not come between the answers.
    System.setOut(System.err);
    Constructor<?> constructor = Class.forName(args[0]).getDeclaredConstructor();
    constructor.setAccessible(true);
    BackendStorage.Opener opener = (BackendStorage.Opener) constructor.newInstance();
    ChildMain child = new ChildMain(opener.open(args[1]), answers);
    child.answer(new ChildMessage("ready"));
    child.serve();
    Runtime.getRuntime().halt(0);
  }

  private void serve() throws IOException {
    // Only this thread reads the input, so it notices its end also during endless work.
    ExecutorService worker = Executors.newCachedThreadPool();
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      ChildMessage question = ChildMessage.parse(line);
      if (question != null) {
        worker.execute(() -> run(question));
      }
    }
  }

  // Whatever happens is for the tests to see.
  @SuppressWarnings("CatchingUnchecked")
  private void run(ChildMessage question) {
    try {
      answer(work(question));
    } catch (Throwable e) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace));
      answer(new ChildMessage("failed").text(question.name()).text(trace.toString()));
    }
  }

  private ChildMessage work(ChildMessage question) throws Exception {
    ChildMessage done = new ChildMessage("done");
    switch (question.name()) {
      case "get" -> done.record(backend.get(question.takeKey()).orElse(null));
      case "putIfVersion" -> {
        RecordKey key = question.takeKey();
        RecordValue value = question.takeValue();
        PutResult result = backend.putIfVersion(key, value, question.takeNumber());
        if (result instanceof Written written) {
          done.text("written").number(written.version());
        } else {
          conflict(done, (Conflict) result);
        }
      }
      case "deleteIfVersion" -> {
        RecordKey key = question.takeKey();
        DeleteResult result = backend.deleteIfVersion(key, question.takeNumber());
        if (result instanceof Conflict conflict) {
          conflict(done, conflict);
        } else {
          done.text("deleted");
        }
      }
      case "createWithin" -> {
        RecordKey key = question.takeKey();
        RecordValue value = question.takeValue();
        int max = Math.toIntExact(question.takeNumber());
        CreateResult result =
            backend.createWithin(key, value, max, Objects.requireNonNull(question.takeTime()));
        if (result instanceof Conflict conflict) {
          conflict(done, conflict);
        } else {
          done.text(result.toString());
        }
      }
      case "listIds" -> {
        String partition = question.takeText();
        done.texts(Samples.ids(Samples.listAll(backend, partition, false, 1_000)))
            .texts(Samples.headIds(Samples.listAllActive(backend, partition, false, 1_000)));
      }
      case "purgeExpired" ->
          done.number(
              backend.purgeExpired(
                  Objects.requireNonNull(question.takeTime()),
                  Math.toIntExact(question.takeNumber())));
      case "increment" -> {
        RecordKey key = question.takeKey();
        Workload.increment(backend, key, Math.toIntExact(question.takeNumber()));
      }
      case "contest" -> {
        RecordKey key = question.takeKey();
        int rounds = Math.toIntExact(question.takeNumber());
        done.texts(
            Workload.contest(backend, key, rounds).stream().map(v -> Long.toString(v)).toList());
      }
      case "createMany" -> {
        String partition = question.takeText();
        int threads = Math.toIntExact(question.takeNumber());
        int max = Math.toIntExact(question.takeNumber());
        done.texts(
            Workload.createWithin(
                backend, partition, threads, max, Objects.requireNonNull(question.takeTime())));
      }
      case "write" -> Workload.write(backend, question.takeKey(), new Told());
      case "mix" -> {
        String partition = question.takeText();
        Workload.mix(backend, partition, question.takeText(), new Told());
      }
      case "close" -> backend.close();
      default -> throw new IllegalArgumentException("No such command: " + question.name());
    }
    return done;
  }

  private static void conflict(ChildMessage done, Conflict conflict) {
    done.text("conflict").record(conflict.winner());
  }

  /** Flushed at once: what was acknowledged is known even if this process is killed now. */
  private synchronized void answer(ChildMessage message) {
    answers.println(message.line());
    answers.flush();
  }

  /** Tells the tests of every step. */
  private final class Told implements Workload.Journal {
    @Override
    public void sending(RecordKey key, @Nullable VersionedRecord after) {
      answer(
          new ChildMessage("sending")
              .key(key)
              .number(after == null ? 0 : after.version())
              .text(after == null ? null : after.value().writeId()));
    }

    @Override
    public void acknowledged(RecordKey key) {
      answer(new ChildMessage("acknowledged").key(key));
    }
  }
}
