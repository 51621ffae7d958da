// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.spi.Conflict;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.VersionedRecord;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Another process that has opened a storage, and does there what it is asked to. One question is
 * asked at a time, but the answer may be awaited later. Every wait is bounded; a process that does
 * not answer, or ends, is an {@link AssertionError} with the last lines that it printed.
 */
final class ChildProcess implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final int PRINTED_LINES = 60;

  private final Process process;
  private final Writer questions;
  private final BlockingQueue<Optional<ChildMessage>> answers = new LinkedBlockingQueue<>();
  private final Deque<String> printed = new ArrayDeque<>();

  private ChildProcess(Process process) {
    this.process = process;
    this.questions = new OutputStreamWriter(process.getOutputStream(), StandardCharsets.UTF_8);
  }

  /** Starts a process, and waits until it has opened the storage. */
  static ChildProcess open(BackendStorage.OtherProcess how)
      throws IOException, InterruptedException {
    return open(how, PATIENCE);
  }

  static ChildProcess open(BackendStorage.OtherProcess how, Duration patience)
      throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            // It is small and short-lived: what counts is how soon it is there.
            "-Xmx64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dfile.encoding=UTF-8",
            ChildMain.class.getName(),
            how.opener().getName(),
            how.location());
    // Unlike an argument, a variable may be as long as class paths are.
    builder.environment().put("CLASSPATH", classPath());
    ChildProcess child = new ChildProcess(builder.start());
    child.listen("out", child.process.getInputStream(), true);
    child.listen("err", child.process.getErrorStream(), false);
    try {
      ChildMessage first = child.next(patience, "opening the storage");
      if (!first.name().equals("ready")) {
        throw child.failure("began with \"" + first.name() + "\" instead of \"ready\"");
      }
      return child;
    } catch (AssertionError | InterruptedException e) {
      child.kill();
      throw e;
    }
  }

  private static String classPath() {
    return Stream.of("java.class.path", "jdk.module.path")
        .map(name -> System.getProperty(name, ""))
        .filter(path -> !path.isEmpty())
        .collect(Collectors.joining(File.pathSeparator));
  }

  private void listen(String name, InputStream stream, boolean hasAnswers) {
    Thread thread =
        new Thread(
            () -> {
              try (BufferedReader lines =
                  new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                  hear(line, hasAnswers);
                }
              } catch (IOException e) {
                hear(
                    new ChildMessage("failed").text("talking").text(e.toString()).line(),
                    hasAnswers);
              } finally {
                if (hasAnswers) {
                  answers.add(Optional.empty());
                }
              }
            },
            "child-" + process.pid() + "-" + name);
    thread.setDaemon(true);
    thread.start();
  }

  private void hear(String line, boolean mayBeAnswer) {
    ChildMessage message = mayBeAnswer ? ChildMessage.parse(line) : null;
    if (message != null) {
      answers.add(Optional.of(message));
      return;
    }
    synchronized (printed) {
      printed.add(line.length() <= 500 ? line : line.substring(0, 500) + "…");
      if (printed.size() > PRINTED_LINES) {
        printed.removeFirst();
      }
    }
  }

  // --- questions with an answer -------------------------------------------------------------

  Optional<VersionedRecord> get(RecordKey key) throws IOException, InterruptedException {
    return Optional.ofNullable(ask(new ChildMessage("get").key(key)).takeRecord());
  }

  /** The new version; 0 for a conflict, whose winner is then {@link Outcome#winner}. */
  Outcome putIfVersion(RecordKey key, RecordValue value, long expected)
      throws IOException, InterruptedException {
    return outcome(ask(new ChildMessage("putIfVersion").key(key).value(value).number(expected)));
  }

  Outcome deleteIfVersion(RecordKey key, long expected) throws IOException, InterruptedException {
    return outcome(ask(new ChildMessage("deleteIfVersion").key(key).number(expected)));
  }

  Outcome createWithin(RecordKey key, RecordValue value, int max, Instant now)
      throws IOException, InterruptedException {
    return outcome(
        ask(new ChildMessage("createWithin").key(key).value(value).number(max).time(now)));
  }

  /** The ids of {@code list} and of {@code listActive}. */
  List<List<String>> listIds(String partition) throws IOException, InterruptedException {
    ChildMessage answer = ask(new ChildMessage("listIds").text(partition));
    List<String> ids = answer.takeTexts();
    return List.of(ids, answer.takeTexts());
  }

  int purgeExpired(Instant now, int limit) throws IOException, InterruptedException {
    ChildMessage question = new ChildMessage("purgeExpired").time(now).number(limit);
    return Math.toIntExact(ask(question).takeNumber());
  }

  /** Closes the instance; the process stays, and can be asked to use what is closed. */
  void closeBackend() throws IOException, InterruptedException {
    ask(new ChildMessage("close"));
  }

  /**
   * What a write said.
   *
   * @param result {@code written}, {@code deleted}, {@code conflict}, or the text of another result
   * @param version the new version, 0 if there is none
   * @param winner the winner of a conflict, null for "absent"
   */
  record Outcome(String result, long version, @Nullable VersionedRecord winner) {
    static Outcome written(long version) {
      return new Outcome("written", version, null);
    }

    static Outcome deleted() {
      return new Outcome("deleted", 0, null);
    }

    static Outcome of(Conflict conflict) {
      return new Outcome("conflict", 0, conflict.winner());
    }
  }

  private static Outcome outcome(ChildMessage answer) {
    String result = answer.takeText();
    return switch (result) {
      case "written" -> Outcome.written(answer.takeNumber());
      case "conflict" -> new Outcome(result, 0, answer.takeRecord());
      default -> new Outcome(result, 0, null);
    };
  }

  private ChildMessage ask(ChildMessage question) throws IOException, InterruptedException {
    send(question);
    return done();
  }

  // --- work that takes a while: begin it, do something, await it ----------------------------

  /** Begins {@link Workload#increment}; {@link #done} awaits its end. */
  void beginIncrement(RecordKey key, int times) throws IOException {
    send(new ChildMessage("increment").key(key).number(times));
  }

  /** Begins {@link Workload#contest}, which {@link #doneTexts} answers with the versions won. */
  void beginContest(RecordKey key, int rounds) throws IOException {
    send(new ChildMessage("contest").key(key).number(rounds));
  }

  /** Begins {@link Workload#createWithin}, which {@link #doneTexts} answers with the ids. */
  void beginCreateWithin(String partition, int threads, int max, Instant now) throws IOException {
    send(new ChildMessage("createMany").text(partition).number(threads).number(max).time(now));
  }

  /** Begins {@link Workload#write}, whose steps are the next messages. */
  void beginWriting(RecordKey key) throws IOException {
    send(new ChildMessage("write").key(key));
  }

  /** Begins {@link Workload#mix}, whose steps are the next messages. */
  void beginMix(String partition, String prefix) throws IOException {
    send(new ChildMessage("mix").text(partition).text(prefix));
  }

  /** Awaits the end of what was begun. */
  ChildMessage done() throws InterruptedException {
    ChildMessage answer = next();
    if (!answer.name().equals("done")) {
      throw failure("answered \"" + answer.name() + "\" instead of \"done\"");
    }
    return answer;
  }

  List<String> doneTexts() throws InterruptedException {
    return done().takeTexts();
  }

  /** Awaits the next message. */
  ChildMessage next() throws InterruptedException {
    return next(PATIENCE, "an answer");
  }

  private ChildMessage next(Duration patience, String what) throws InterruptedException {
    Optional<ChildMessage> answer = answers.poll(patience.toMillis(), TimeUnit.MILLISECONDS);
    if (answer == null) {
      throw failure("did not get to " + what + " within " + patience);
    }
    if (answer.isEmpty()) {
      // For whoever asks again.
      answers.add(answer);
      throw failure("ended before " + what + ", " + exitCode());
    }
    ChildMessage message = answer.get();
    if (message.name().equals("failed")) {
      throw failure("failed at " + message.takeText() + ": " + message.takeText());
    }
    return message;
  }

  private void send(ChildMessage question) throws IOException {
    try {
      questions.write(question.line() + "\n");
      questions.flush();
    } catch (IOException e) {
      throw new IOException(failure("takes no more questions").getMessage(), e);
    }
  }

  // --- its end ------------------------------------------------------------------------------

  /**
   * Kills the process at once, without giving it a chance to clean up (SIGKILL), and waits until it
   * is gone.
   *
   * @return what it had said before, and nobody has asked for
   */
  List<ChildMessage> kill() throws InterruptedException {
    // Not the process itself: that would close the pipes, and lose what is still in them.
    process.toHandle().destroyForcibly();
    if (!process.waitFor(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
      throw failure("is still there " + PATIENCE + " after it was killed");
    }
    List<ChildMessage> last = new ArrayList<>();
    while (true) {
      Optional<ChildMessage> answer = answers.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
      if (answer == null) {
        throw failure("was killed, but its output does not end");
      }
      if (answer.isEmpty()) {
        answers.add(answer);
        return last;
      }
      ChildMessage message = answer.get();
      if (message.name().equals("failed")) {
        throw failure("failed at " + message.takeText() + ": " + message.takeText());
      }
      last.add(message);
    }
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Ends the process, by the end of its input, or by force if that does not help. */
  @Override
  public void close() throws IOException {
    try {
      questions.close();
    } catch (IOException e) {
      // It is gone already, which is what is wanted.
    }
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw failure("does not end when its input does; it was killed");
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private String exitCode() {
    try {
      return process.waitFor(5, TimeUnit.SECONDS)
          ? "with exit code " + process.exitValue()
          : "though it is still running";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "exit code unknown";
    }
  }

  private AssertionError failure(String what) {
    String last;
    synchronized (printed) {
      last = printed.isEmpty() ? "It printed nothing." : String.join("\n", printed);
    }
    return new AssertionError(
        "The other process (%d) %s. What it printed last:%n%s"
            .formatted(process.pid(), what, last));
  }
}
