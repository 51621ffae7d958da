// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.partition;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What the system is asked to do, and in which order: seen by strace, in another process that
 * writes a line after each operation.
 */
final class SystemCallsTest {
  private static final String CALLS =
      "openat,pwrite64,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,"
          + "fcntl";
  private static final Pattern LINE = Pattern.compile("(\\d+) +(.*)");
  private static final Pattern RESUMED = Pattern.compile("<\\.\\.\\. \\w+ resumed>(.*)");

  @TempDir private Path temp;
  private Path root;
  private Path trace;
  private final String partition = partition();

  @BeforeEach
  void lookForStrace() throws IOException, InterruptedException {
    root = temp.toRealPath().resolve("store");
    trace = temp.resolve("trace");
    assumeThat(FileLocksProcess.isOnPath("strace")).as("needs the program strace").isTrue();
    Process attempt =
        new ProcessBuilder("strace", "-f", "-y", "-o", trace.toString(), "true")
            .redirectErrorStream(true)
            .start();
    String said =
        new String(attempt.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assumeThat(attempt.waitFor()).as("strace may not trace here: %s", said).isZero();
  }

  /** The calls of each operation, up to its acknowledgement. */
  private List<List<String>> callsOf(String... commands) throws IOException {
    return traced(CALLS, commands);
  }

  private List<List<String>> traced(String kinds, String... commands) throws IOException {
    List<String> prefix =
        List.of("strace", "-f", "-y", "-s", "64", "-e", "trace=" + kinds, "-o", trace.toString());
    List<String> answers = new ArrayList<>();
    try (FileLocksProcess child =
        FileLocksProcess.start(prefix, FileLocksProcess.classPath(), root)) {
      for (String command : commands) {
        answers.add(child.ask(command));
      }
      child.end();
    }
    assertThat(answers).noneMatch(answer -> answer.contains("Exception"));
    List<List<String>> operations = new ArrayList<>();
    List<String> operation = new ArrayList<>();
    for (String call : calls()) {
      operation.add(call);
      String answer = operations.size() < answers.size() ? answers.get(operations.size()) : "\0";
      if (call.startsWith("write(1<") && call.contains("\"" + answer)) {
        operations.add(operation);
        operation = new ArrayList<>();
      }
    }
    assertThat(operations).as("acknowledgements").hasSameSizeAs(answers);
    return operations;
  }

  /**
   * All calls in the order in which they ended, those that were interrupted by others put together.
   */
  private List<String> calls() throws IOException {
    List<String> calls = new ArrayList<>();
    Map<String, String> begun = new HashMap<>();
    for (String line : Files.readAllLines(trace, StandardCharsets.ISO_8859_1)) {
      Matcher matcher = LINE.matcher(line);
      if (!matcher.matches()) {
        continue;
      }
      String thread = matcher.group(1);
      String call = matcher.group(2);
      Matcher resumed = RESUMED.matcher(call);
      if (call.endsWith("<unfinished ...>")) {
        begun.put(thread, call.substring(0, call.length() - "<unfinished ...>".length()));
      } else if (resumed.matches()) {
        calls.add(tidy(begun.getOrDefault(thread, "") + resumed.group(1)));
      } else {
        calls.add(tidy(call));
      }
    }
    return calls;
  }

  /** Without the blanks that bring results into a column. */
  private static String tidy(String call) {
    return call.replaceFirst(" *\\) += ", ") = ");
  }

  private static Predicate<String> call(String name, String part) {
    return call -> call.startsWith(name + "(") && call.contains(part);
  }

  private static Predicate<String> flush(String part) {
    return call ->
        (call.startsWith("fsync(") || call.startsWith("fdatasync("))
            && call.contains(part + ">)")
            && call.endsWith("= 0");
  }

  private static Predicate<String> entry(String part) {
    return call -> call.startsWith("pwrite64(") && call.contains(part) && call.contains("mark");
  }

  private static Predicate<String> mark(String part) {
    return call -> call.startsWith("pwrite64(") && call.contains(part) && call.contains("\"done\"");
  }

  @SafeVarargs
  private static void assertInOrder(List<String> calls, Predicate<String>... wanted) {
    int at = 0;
    for (int i = 0; i < wanted.length; i++) {
      while (at < calls.size() && !wanted[i].test(calls.get(at))) {
        at++;
      }
      assertThat(at).as("call %s of %s in %s", i, wanted.length, calls).isLessThan(calls.size());
      at++;
    }
  }

  private String record(String directory, String id) {
    return "/p/" + partition + "/" + directory + "/" + id + ".tj";
  }

  private String directory(String name) {
    return "/p/" + partition + (name.isEmpty() ? "" : "/" + name);
  }

  @Test
  void everyWrite_isFlushedBeforeItIsAcknowledged() throws IOException {
    List<String> commands = new ArrayList<>();
    commands.add("open 5000");
    commands.add("put " + partition + " a 0 v");
    commands.add("put " + partition + " b 0 v");
    commands.add("create " + partition + " c 9 v");
    commands.add("put " + partition + " a 1 w");
    commands.add("put " + partition + " a 2 #200000");
    for (int version = 3; version < 12; version++) {
      commands.add("put " + partition + " a " + version + " #200000");
    }
    commands.add("put " + partition + " a 12 x inactive");
    commands.add("put " + partition + " b 1 w inactive");
    commands.add("delete " + partition + " b 2");
    commands.add("delete " + partition + " c 1");
    List<List<String>> calls = callsOf(commands.toArray(String[]::new));

    // The first of a partition: its directories, too.
    assertInOrder(
        calls.get(1),
        entry("/tmp/"),
        flush(".tmp"),
        flush(directory("")),
        flush("/store/p"),
        call("rename", record("active", "a")),
        flush(directory("active")),
        mark(record("active", "a")),
        call("write", "written 1"));
    for (int create = 2; create <= 3; create++) {
      String id = create == 2 ? "b" : "c";
      assertInOrder(
          calls.get(create),
          entry("/tmp/"),
          flush(".tmp"),
          call("rename", record("active", id)),
          flush(directory("active")),
          mark(record("active", id)),
          call("write", create == 2 ? "written" : "created"));
    }
    int compactions = 0;
    for (int update = 4; update < 15; update++) {
      if (calls.get(update).stream().noneMatch(call("rename", ""))) {
        assertInOrder(
            calls.get(update),
            entry(record("active", "a")),
            flush(record("active", "a")),
            mark(record("active", "a")),
            call("write", "written"));
      } else {
        compactions++;
        assertInOrder(
            calls.get(update),
            entry("/tmp/"),
            flush(".tmp"),
            call("rename", record("active", "a")),
            flush(directory("active")),
            mark(record("active", "a")),
            call("write", "written"));
      }
    }
    assertThat(compactions).as("compactions").isPositive();
    for (int finish = 15; finish <= 16; finish++) {
      String id = finish == 15 ? "a" : "b";
      List<String> its = calls.get(finish);
      assertInOrder(its, entry(""), flush(""), call("rename", record("done/%", id)));
      assertInOrder(
          its,
          call("rename", record("done/%", id)),
          flush(directory("done/%")),
          call("write", "written"));
      assertInOrder(
          its,
          call("rename", record("done/%", id)),
          flush(directory("active")),
          call("write", "written"));
      assertInOrder(its, flush(""), mark(id + ".tj"), call("write", "written"));
    }
    assertInOrder(calls.get(15), flush(directory("done")), call("rename", record("done/%", "a")));
    assertInOrder(
        calls.get(17),
        call("unlink", record("done/%", "b")),
        flush(directory("done/%")),
        call("write", "deleted"));
    assertInOrder(
        calls.get(18),
        call("unlink", record("active", "c")),
        flush(directory("active")),
        call("write", "deleted"));
  }

  @Test
  void mark_isWrittenAfterTheFlushOnly() throws IOException {
    List<List<String>> calls =
        callsOf("open 5000", "put " + partition + " a 0 v", "put " + partition + " a 1 w");
    for (List<String> operation : calls.subList(1, 3)) {
      int mark = indexOf(operation, mark(record("active", "a")));
      int data = indexOf(operation, entry(""));
      assertThat(operation.subList(data, mark)).anyMatch(flush(".tj").or(flush(".tmp")));
      assertThat(operation.stream().filter(mark("")).count()).isEqualTo(1);
    }
  }

  private static int indexOf(List<String> calls, Predicate<String> wanted) {
    for (int i = 0; i < calls.size(); i++) {
      if (wanted.test(calls.get(i))) {
        return i;
      }
    }
    throw new AssertionError("no such call in " + calls);
  }

  @Test
  void record_thatIsKnown_isReadAndWrittenWithoutAskingForItsAttributes() throws IOException {
    List<List<String>> calls =
        traced(
            CALLS + ",pread64,/stat",
            "open 5000",
            "put " + partition + " a 0 v",
            "put " + partition + " a 1 w",
            "get " + partition + " a",
            "list " + partition,
            "put " + partition + " a 2 #20000",
            "put " + partition + " a 3 w",
            "get " + partition + " a");

    Predicate<String> asksForAttributes =
        call -> call.matches("\\w*stat\\w*\\(.*") && call.contains(record("active", "a"));
    for (List<String> operation : calls.subList(2, calls.size())) {
      assertThat(operation)
          .anyMatch(call("pread64", record("active", "a")))
          .noneMatch(asksForAttributes);
    }
    assertThat(calls.get(0))
        .as("it is seen when somebody asks")
        .anyMatch(call -> call.matches("\\w*stat\\w*\\(.*"));
  }

  @Test
  void locks_areOpenedOnceByAProcess() throws IOException {
    List<List<String>> calls =
        callsOf(
            "open 5000",
            "put " + partition + " a 0 v",
            "open 5000",
            "put " + partition + " a 1 w inactive",
            "get " + partition + " a",
            "list " + partition,
            "close",
            "get " + partition + " a",
            "purge 1000 10",
            "get " + partition + " absent",
            "delete " + partition + " a 2");

    Predicate<String> opens = call("openat", "/store/locks\"");
    assertThat(calls.get(0).stream().filter(opens.and(call -> !call.contains("O_EXCL"))))
        .as("opened to lock")
        .hasSize(1);
    assertThat(calls.subList(1, calls.size()).stream().flatMap(List::stream).filter(opens))
        .as("opened once more, which would give the locks away when it is closed")
        .isEmpty();
    assertThat(calls.get(1))
        .as("locks are taken by trying")
        .anyMatch(call -> call.startsWith("fcntl(") && call.contains("F_SETLK,"))
        .noneMatch(call -> call.contains("F_SETLKW"));
  }

  @Test
  void everyWrite_withoutDurability_flushesNothing() throws IOException {
    List<String> commands = new ArrayList<>();
    commands.add("openUnflushed");
    commands.add("put " + partition + " a 0 v");
    for (int version = 1; version < 12; version++) {
      commands.add("put " + partition + " a " + version + " #200000");
    }
    commands.add("put " + partition + " a 12 x inactive");
    commands.add("create " + partition + " b 9 v");
    commands.add("delete " + partition + " b 1");
    commands.add("purge " + FileLocksValues.NOW.toEpochMilli() + " 10");

    List<List<String>> calls = callsOf(commands.toArray(String[]::new));

    assertThat(calls.stream().flatMap(List::stream))
        .noneMatch(call -> call.startsWith("fsync(") || call.startsWith("fdatasync("))
        .anyMatch(call("unlink", record("done/%", "a")));
  }
}
