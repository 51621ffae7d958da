// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonRawValue;
import io.taskstore.spi.BackendClosedException;
import io.taskstore.spi.CapacityExceededException;
import io.taskstore.spi.Contended;
import io.taskstore.spi.CreateResult;
import io.taskstore.spi.OutcomeUnknownException;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageException;
import io.taskstore.spi.StorageUnavailableException;
import io.taskstore.spi.VersionedRecord;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/tasks.md} quotes every message that a user of the store can get, and nothing else.
 * Each message here is one that was really thrown.
 */
class DocumentedMessagesTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "tasks.md");

  /** A row of a table of messages begins with the message as code. */
  private static final Pattern ROW = Pattern.compile("^\\| `(.+?)` \\|", Pattern.MULTILINE);

  private static final Owner ALICE = Owner.subject("alice");

  /** A class that Jackson cannot write. */
  public static final class Broken {
    /** Fails. */
    @SuppressWarnings("DoNotCallSuggester") // Jackson calls it
    public int getValue() {
      throw new IllegalStateException("secret");
    }
  }

  /** A class without an end. */
  public static final class Endless {
    /** Returns itself. */
    public Endless getSelf() {
      return this;
    }
  }

  /** A class without an end, by way of another object. */
  public static final class Ring {
    /** Returns another one. */
    public List<Ring> getNext() {
      return List.of(new Ring());
    }
  }

  /** A class that writes what it likes. */
  public record Raw(@JsonRawValue String json) {}

  /** A class with names of its own. */
  public record Named(Map<String, Integer> values) {}

  private enum Colour {
    RED
  }

  private static final class Failing extends ForwardingBackend {
    private StorageException failure;

    Failing(MapBackend delegate) {
      super(delegate);
    }

    @Override
    public Optional<VersionedRecord> get(RecordKey key) {
      if (failure != null) {
        throw failure;
      }
      return super.get(key);
    }

    @Override
    public int purgeExpired(Instant now, int limit) {
      throw new StorageUnavailableException("purgeExpired", null, true, "down", null);
    }

    @Override
    public CreateResult createWithin(RecordKey key, RecordValue value, int max, Instant now) {
      return failure == null ? super.createWithin(key, value, max, now) : new Contended(false);
    }
  }

  private final MapBackend map = new MapBackend();
  private final Failing backend = new Failing(map);
  private final MovableClock clock = new MovableClock();
  private final GenericTaskStore store = builder().build();
  private final Task task = store.create(ALICE, NewTask.of("m").set("text", "words"));
  private final TreeSet<String> messages = new TreeSet<>();

  private GenericTaskStore.Builder builder() {
    return GenericTaskStore.builder(backend).clock(clock).timing(new VirtualTiming());
  }

  private void thrown(Class<? extends RuntimeException> type, Runnable call) {
    try {
      call.run();
    } catch (RuntimeException e) {
      assertThat(e).isExactlyInstanceOf(type);
      String message =
          e.getMessage()
              .replace(task.id(), "ID")
              .replace(DocumentedMessagesTest.class.getName() + "$", "com.example.");
      messages.add(type.getSimpleName() + ": " + message);
      return;
    }
    throw new AssertionError("no " + type.getSimpleName());
  }

  private void invalid(Runnable call) {
    thrown(InvalidValueException.class, call);
  }

  private void tooLarge(Runnable call) {
    thrown(LimitExceededException.class, call);
  }

  private void set(Object value) {
    store.update(task, change().set("x", value));
  }

  @Test
  void document_quotesEveryMessage_andNoOther() throws IOException {
    lookingUp();
    changing();
    input();
    durations();
    values();
    ownClasses();
    sizes();
    options();
    unreadable();
    working();
    storage();

    TreeSet<String> documented = new TreeSet<>();
    String exception = "";
    for (String line : Files.readAllLines(DOCUMENT, StandardCharsets.UTF_8)) {
      if (line.equals("## Messages of the memory backend")) {
        break; // they are compared where that backend is
      }
      if (line.startsWith("### `")) {
        exception = line.substring(5, line.length() - 1);
      }
      Matcher row = ROW.matcher(line);
      if (exception.endsWith("Exception") && row.find()) {
        documented.add(exception + ": " + row.group(1));
      } else if (line.startsWith("## ")) {
        exception = "";
      }
    }
    assertThat(documented).isEqualTo(messages);
  }

  private void lookingUp() {
    thrown(TaskNotFoundException.class, () -> store.get(Owner.subject("bob"), task.id()));
    thrown(
        InvalidCursorException.class,
        () -> store.list(ALICE, TaskQuery.newestFirst().after("altered")));
    thrown(OwnerNotAllowedException.class, () -> store.create(Owner.local(), NewTask.of("m")));
    invalid(() -> TaskQuery.newestFirst().pageSize(0));
    invalid(() -> TaskQuery.newestFirst().withStatus());
    invalid(() -> store.purgeExpired(0));
    invalid(() -> Owner.subject(" "));
    invalid(() -> Owner.client("\ud800"));
    tooLarge(() -> Owner.session("x".repeat(1_001)));
  }

  private void changing() {
    Task ended = store.update(store.create(ALICE, NewTask.of("m")), change().complete());
    try {
      store.cancel(ALICE, ended.id());
    } catch (TaskEndedException e) {
      messages.add("TaskEndedException: " + e.getMessage().replace(ended.id(), "ID"));
    }
    thrown(
        TaskConflictException.class,
        () -> store.update(ALICE, task.id(), 7, change().message("x")));
    GenericTaskStore contended = builder().maxUpdateAttempts(3).build();
    GenericTaskStore rival = GenericTaskStore.builder(map).clock(clock).build();
    thrown(
        TaskConflictException.class,
        () ->
            contended.update(
                task,
                t -> {
                  rival.update(ALICE, task.id(), change());
                  return change();
                }));
    GenericTaskStore small = builder().maxActiveTasks(1).build();
    thrown(TaskLimitException.class, () -> small.create(ALICE, NewTask.of("m")));
    invalid(() -> Progress.of(-1));
    invalid(() -> Progress.of(1, -1));
  }

  private void input() {
    Task waiting =
        store.update(
            store.create(ALICE, NewTask.of("m")),
            change()
                .requireInput(Map.of("k", InputRequest.of("ask"), "l", InputRequest.of("ask"))));
    invalid(() -> store.update(waiting, change().requireInput("k", InputRequest.of("ask"))));
    invalid(() -> store.update(waiting, change().requireInput("", InputRequest.of("ask"))));
    invalid(() -> store.update(waiting, change().requireInput("x", InputRequest.of(" "))));
    invalid(
        () -> store.update(waiting, change().requireInput("x", InputRequest.of("a")).complete()));
    invalid(() -> store.provideInput(ALICE, waiting.id(), Collections.singletonMap("k", null)));
    tooLarge(
        () ->
            store.update(waiting, change().requireInput("n".repeat(257), InputRequest.of("ask"))));
    tooLarge(
        () -> store.update(waiting, change().requireInput("x", InputRequest.of("m".repeat(257)))));
    List<String> large = Collections.nCopies(9, "x".repeat(30_000));
    tooLarge(
        () ->
            store.update(
                waiting, change().requireInput("x", InputRequest.of("ask", Map.of("p", large)))));
    tooLarge(() -> store.provideInput(ALICE, waiting.id(), Map.of("k", large)));
    List<String> half = Collections.nCopies(5, "x".repeat(30_000));
    tooLarge(() -> store.provideInput(ALICE, waiting.id(), Map.of("k", half, "l", half)));
    Task answered = store.provideInput(ALICE, waiting.id(), Map.of("k", "words"));
    thrown(ValueConversionException.class, () -> answered.inputResponses().integer("k"));
  }

  private void working() {
    invalid(() -> store.claim(task, " ", Duration.ofSeconds(1)));
    tooLarge(() -> store.claim(task, "w".repeat(129), Duration.ofSeconds(1)));
    store.resume(
        ALICE,
        task.id(),
        Runnable::run,
        context -> {
          clock.advance(Duration.ofSeconds(31));
          assertThat(store.claim(context.task(), "other", Duration.ofSeconds(1))).isPresent();
          thrown(LeaseLostException.class, () -> context.set("x", 1));
          return null;
        });
  }

  private void durations() {
    thrown(
        DurationNotAllowedException.class,
        () -> store.create(ALICE, NewTask.of("m").ttl(Duration.ofDays(2))));
    thrown(
        DurationNotAllowedException.class,
        () -> store.create(ALICE, NewTask.of("m").unlimitedTtl()));
    thrown(
        DurationNotAllowedException.class,
        () -> store.update(task, change().pollInterval(Duration.ZERO)));
    thrown(
        DurationNotAllowedException.class,
        () -> builder().defaultTtl(Duration.ofHours(25)).build());
  }

  private void values() {
    List<Object> cyclic = new ArrayList<>();
    cyclic.add(cyclic);
    invalid(() -> store.create(ALICE, NewTask.of("")));
    invalid(() -> store.update(task, change().set("", 1)));
    invalid(() -> set(Map.of("files", List.of(1, Double.NaN))));
    invalid(() -> set("\ud800"));
    invalid(() -> set(cyclic));
    invalid(() -> set(new Object()));
    invalid(() -> set(new BigDecimal("0.10000000000000000001")));
    invalid(() -> set(Collections.singletonMap(null, 1)));
    invalid(() -> set(Map.of(1, 1)));
    invalid(() -> set(Map.of(Colour.RED, 1, "RED", 2)));
    invalid(() -> set(Map.of("\ud800", 1)));
    invalid(() -> store.update(task, change().complete("done")));
    thrown(ValueConversionException.class, () -> task.variables().integer("text"));
    GenericTaskStore validated =
        builder()
            .variablesValidator(
                (t, incoming) ->
                    List.of(new VariablesValidator.Violation("count", "must not be negative")))
            .build();
    thrown(
        VariablesRejectedException.class, () -> validated.update(task, change().set("count", -1)));
  }

  private void ownClasses() {
    invalid(() -> set(new Broken()));
    invalid(() -> set(new Endless()));
    invalid(() -> set(new Ring()));
    invalid(() -> set(new Raw("{")));
    invalid(() -> set(new Named(Map.of("n".repeat(10_000), 1))));
  }

  private void sizes() {
    tooLarge(() -> set("x".repeat(65_537)));
    tooLarge(() -> set(List.of(List.of(List.of(List.of(List.of(nested(6))))))));
    tooLarge(() -> set(Map.of("n".repeat(257), 1)));
    tooLarge(() -> store.update(task, change().set("n".repeat(257), 1)));
    tooLarge(() -> set(BigInteger.TEN.pow(1_000)));
    tooLarge(() -> set(Collections.nCopies(40, "x".repeat(30_000))));
    tooLarge(
        () ->
            store.update(
                task,
                change()
                    .set("a", Collections.nCopies(20, "x".repeat(30_000)))
                    .set("b", Collections.nCopies(20, "x".repeat(30_000)))));
    TaskChange many = change();
    for (int i = 0; i < 1_000; i++) {
      many = many.set("v" + i, i);
    }
    TaskChange tooMany = many;
    tooLarge(() -> store.update(task, tooMany));
    tooLarge(() -> store.create(ALICE, NewTask.of("m".repeat(257))));
    tooLarge(() -> store.update(task, change().message("m".repeat(4_097))));
    tooLarge(() -> store.update(task, change().fail("m".repeat(4_097))));
    tooLarge(
        () ->
            store.create(
                ALICE, NewTask.of("m", Map.of("p", Collections.nCopies(9, "x".repeat(30_000))))));
    tooLarge(
        () ->
            store.update(
                task, change().complete(Map.of("r", Collections.nCopies(40, "x".repeat(30_000))))));
    tooLarge(
        () ->
            store.update(
                task,
                change()
                    .fail(TaskError.of("e").withData(Collections.nCopies(3, "x".repeat(30_000))))));
    GenericTaskStore tiny = GenericTaskStore.over(new MapBackend(4_096));
    tooLarge(() -> tiny.create(ALICE, NewTask.of("m").set("x", "x".repeat(3_500))));
    Task small = tiny.create(ALICE, NewTask.of("m"));
    tooLarge(() -> tiny.update(small, change().complete(Map.of("r", "x".repeat(4_000)))));
  }

  private static Object nested(int levels) {
    return levels == 0 ? List.of() : List.of(nested(levels - 1));
  }

  private void options() {
    invalid(() -> builder().maxActiveTasks(0));
    invalid(() -> builder().cacheFinishedTasks(0, Duration.ofSeconds(30)));
    invalid(() -> GenericTaskStore.over(new MapBackend(100)));
    invalid(() -> TaskLimits.defaults().withMaxDepth(101));
  }

  private void unreadable() {
    unreadable(text -> "[]");
    unreadable(text -> text + "x");
    unreadable(text -> text + "{}");
    unreadable(text -> text.replace("\"status\":\"working\",", ""));
    unreadable(text -> text.replace("\"working\"", "\"asleep\""));
    unreadable(text -> text.replace("\"working\"", "1"));
    unreadable(text -> text.replace("{\"createdAt\"", "{\"createdAt\":1,\"createdAt\""));
    unreadable(text -> text.replace("\"schema\":1", "\"schema\":2"));
    unreadable(text -> text.replace("s:alice", "s:bob"));
    unreadable(text -> text.replace("\"pollInterval\":1000", "\"pollInterval\":0"));
    unreadable(text -> text.replace("\"m\"", "\"\\ud800\""));
    unreadable(
        text -> text.replace("{\"createdAt\"", "{\"a\":" + "[".repeat(500) + ",\"createdAt\""));
    RecordKey key = new RecordKey("ts:alice", task.id());
    map.corrupt(key);
    thrown(TaskUnreadableException.class, () -> store.get(ALICE, task.id()));
    map.repair(key);
  }

  private void unreadable(UnaryOperator<String> damage) {
    RecordKey key = new RecordKey("ts:alice", task.id());
    byte[] good = map.get(key).orElseThrow().value().data().toByteArray();
    String text = new String(good, StandardCharsets.UTF_8);
    map.overwriteData(key, damage.apply(text).getBytes(StandardCharsets.UTF_8));
    thrown(TaskUnreadableException.class, () -> store.get(ALICE, task.id()));
    map.overwriteData(key, good);
  }

  private void storage() {
    thrown(
        TaskStorageException.class,
        () -> {
          GenericTaskStore repeating = builder().randomness(() -> 7L).build();
          repeating.create(ALICE, NewTask.of("m"));
          repeating.create(ALICE, NewTask.of("m"));
        });
    fail(new StorageUnavailableException("get", null, true, "connection refused", null));
    fail(new StorageUnavailableException("get", null, false, "NOAUTH", null));
    fail(new CapacityExceededException("get", null, "disk full", null));
    fail(new BackendClosedException("get", null, "closed", null));
    fail(new OutcomeUnknownException("get", null, "cut off", null));
    thrown(TaskStorageException.class, () -> store.create(ALICE, NewTask.of("m")));
    thrown(TaskStorageException.class, () -> store.purgeExpired(10));
    GenericTaskStore closed = builder().build();
    closed.close();
    thrown(TaskStorageException.class, () -> closed.get(ALICE, task.id()));
  }

  private void fail(StorageException failure) {
    backend.failure = failure;
    thrown(TaskStorageException.class, () -> store.update(ALICE, task.id(), change()));
  }
}
