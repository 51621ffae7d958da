// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class AuditListenerTest {
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Owner ALICE = Owner.subject("alice");
  private static final String SECRET = "s3cr3t";

  /** Everything that a task can carry and no line may show. */
  private static final Map<String, String> SECRETS = Map.of(SECRET, SECRET);

  private final RecordingLogger logger = new RecordingLogger();
  private final MovableClock clock = new MovableClock();
  private final GenericTaskStore store =
      GenericTaskStore.builder(new MapBackend()).clock(clock).allowLocalOwner(true).build();
  private final Task created =
      store.create(ALICE, NewTask.of("digest", SECRETS).message(SECRET).set(SECRET, SECRET));
  private final Task failed =
      store.update(
          created,
          change()
              .failWithResult(SECRETS, TaskError.of(1, SECRET).withData(SECRETS))
              .message(SECRET));

  private String line(TaskEvent event) {
    return line(AuditListener.hashingOwners(logger), event);
  }

  private String line(AuditListener listener, TaskEvent event) {
    logger.entries().clear();
    listener.onEvent(event);
    assertThat(logger.entries()).hasSize(1);
    assertThat(logger.entries().get(0).level()).isEqualTo(System.Logger.Level.INFO);
    return logger.entries().get(0).message();
  }

  private static JsonNode parsed(String line) {
    assertThat(line).matches("[ -~]+");
    return ValueFixtures.MAPPER.readTree(line);
  }

  /** An event of each kind that there is. */
  private List<TaskEvent> all() {
    RuntimeException cause = new IllegalStateException(SECRET);
    TaskStoreException reason = new InvalidValueException(SECRET, SECRET, cause);
    return List.of(
        new TaskEvent.Created(NOW, created),
        new TaskEvent.Updated(NOW, failed),
        new TaskEvent.InputRequested(NOW, created, List.of("colour", "size")),
        new TaskEvent.InputProvided(NOW, created, List.of("colour")),
        new TaskEvent.CancelRequested(NOW, created),
        new TaskEvent.Finished(NOW, failed),
        new TaskEvent.Cancelled(NOW, created),
        new TaskEvent.LeaseTaken(NOW, created),
        new TaskEvent.LeaseReleased(NOW, created),
        new TaskEvent.Deleted(NOW, ALICE, "id"),
        new TaskEvent.Expired(NOW, ALICE, "id"),
        new TaskEvent.LeaseLost(NOW, ALICE, "id"),
        new TaskEvent.Unreadable(NOW, ALICE, "id", SECRET),
        new TaskEvent.ConflictRetried(NOW, ALICE, "id", 2),
        new TaskEvent.HandlerFailed(NOW, ALICE, "id", cause),
        new TaskEvent.Refused(NOW, ALICE, "id", "update task", reason),
        new TaskEvent.StorageFailed(NOW, null, null, "list tasks", reason),
        new TaskEvent.OutcomeUnknown(NOW, ALICE, null, "create a task", reason),
        new TaskEvent.Purged(NOW, 5),
        new TaskEvent.Dropped(NOW, 7));
  }

  private static Stream<Class<?>> kinds(Class<?> type) {
    return type.isInterface()
        ? Arrays.stream(type.getPermittedSubclasses()).flatMap(AuditListenerTest::kinds)
        : Stream.of(type);
  }

  @Test
  void line_ofEveryKind_isJsonInCanonicalOrder_andShowsNoContent() {
    Set<Class<?>> seen = new HashSet<>();
    for (TaskEvent event : all()) {
      seen.add(event.getClass());
      String line = line(event);

      JsonNode json = parsed(line);
      assertThat(ValueFixtures.canonicalByOracle(line)).isEqualTo(line);
      assertThat(json.get("event").asString()).isEqualTo(event.type());
      assertThat(json.get("at").asString()).isEqualTo("2026-01-01T00:00:00Z");
      assertThat(json.has("owner")).isEqualTo(event.owner().isPresent());
      assertThat(json.has("task")).isEqualTo(event.taskId().isPresent());
      assertThat(line).doesNotContain(SECRET).doesNotContain("alice");
    }
    assertThat(seen).isEqualTo(new HashSet<>(kinds(TaskEvent.class).toList()));
  }

  @Test
  void line_ofEachKind_hasWhatBelongsToIt() {
    Map<String, String> lines = new TreeMap<>();
    for (TaskEvent event : all()) {
      lines.put(
          event.getClass().getSimpleName(),
          line(event)
              .replace("\"at\":\"2026-01-01T00:00:00Z\",", "")
              .replace("\"owner\":\"2020e575d65d420f\",", "")
              .replace(created.id(), "ID"));
    }

    assertThat(lines)
        .containsExactlyInAnyOrderEntriesOf(
            Map.ofEntries(
                Map.entry(
                    "Created",
                    "{\"event\":\"created\",\"method\":\"digest\",\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry(
                    "Updated",
                    "{\"event\":\"updated\",\"status\":\"failed\",\"task\":\"ID\",\"version\":2}"),
                Map.entry(
                    "InputRequested",
                    "{\"event\":\"input_requested\",\"keys\":[\"colour\",\"size\"],\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry(
                    "InputProvided",
                    "{\"event\":\"input_provided\",\"keys\":[\"colour\"],\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry(
                    "CancelRequested",
                    "{\"event\":\"cancel_requested\",\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry(
                    "Finished",
                    "{\"event\":\"failed\",\"status\":\"failed\",\"task\":\"ID\",\"version\":2}"),
                Map.entry(
                    "Cancelled",
                    "{\"event\":\"cancelled\",\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry(
                    "LeaseTaken",
                    "{\"event\":\"lease_taken\",\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry(
                    "LeaseReleased",
                    "{\"event\":\"lease_released\",\"status\":\"working\",\"task\":\"ID\",\"version\":1}"),
                Map.entry("Deleted", "{\"event\":\"deleted\",\"task\":\"id\"}"),
                Map.entry("Expired", "{\"event\":\"expired\",\"task\":\"id\"}"),
                Map.entry("LeaseLost", "{\"event\":\"lease_lost\",\"task\":\"id\"}"),
                Map.entry("Unreadable", "{\"event\":\"unreadable\",\"task\":\"id\"}"),
                Map.entry(
                    "ConflictRetried",
                    "{\"attempt\":2,\"event\":\"conflict_retried\",\"task\":\"id\"}"),
                Map.entry(
                    "HandlerFailed",
                    "{\"cause\":\"java.lang.IllegalStateException\",\"event\":\"handler_failed\",\"task\":\"id\"}"),
                Map.entry(
                    "Refused",
                    "{\"event\":\"refused\",\"exception\":\"InvalidValueException\",\"operation\":\"update task\",\"task\":\"id\"}"),
                Map.entry(
                    "StorageFailed",
                    "{\"event\":\"storage_failed\",\"exception\":\"InvalidValueException\",\"operation\":\"list tasks\"}"),
                Map.entry(
                    "OutcomeUnknown",
                    "{\"event\":\"outcome_unknown\",\"exception\":\"InvalidValueException\",\"operation\":\"create a task\",\"owner\":\"2020e575d65d420f\"}"),
                Map.entry("Purged", "{\"count\":5,\"event\":\"purged\"}"),
                Map.entry("Dropped", "{\"count\":7,\"event\":\"dropped\"}")));
  }

  @Test
  void owner_hashed_isOfKindAndValue() {
    assertThat(line(new TaskEvent.Deleted(NOW, ALICE, "id")))
        .contains("\"owner\":\"2020e575d65d420f\""); // printf subject:alice | sha256sum
    assertThat(line(new TaskEvent.Deleted(NOW, Owner.client("alice"), "id")))
        .contains("\"owner\":")
        .doesNotContain("2020e575d65d420f");
    assertThat(line(new TaskEvent.Deleted(NOW, Owner.local(), "id")))
        .contains("\"owner\":\"local\"");
  }

  @Test
  void owner_shown_isKindAndWholeValue() {
    AuditListener showing = AuditListener.showingOwners(logger);
    String longest = "x".repeat(Owner.MAX_BYTES);

    assertThat(line(showing, new TaskEvent.Deleted(NOW, ALICE, "id")))
        .contains("\"owner\":\"subject:alice\"");
    assertThat(line(showing, new TaskEvent.Deleted(NOW, Owner.session(longest), "id")))
        .contains("\"owner\":\"session:" + longest + "\"");
    assertThat(line(showing, new TaskEvent.Deleted(NOW, Owner.local(), "id")))
        .contains("\"owner\":\"local\"");
  }

  @Test
  void text_ofUsers_staysOnOneLineAndComesBack() {
    String hostile = "\"}\n\r\t\u0000\u001b[2J\u007f\u0085\u009b\u2028\u2029\u202e{0}\\ é 😀";
    Task task = store.create(ALICE, NewTask.of(hostile));

    JsonNode method = parsed(line(new TaskEvent.Created(NOW, task)));
    JsonNode keys =
        parsed(line(new TaskEvent.InputRequested(NOW, task, List.of(hostile, "second"))));
    JsonNode id = parsed(line(new TaskEvent.Expired(NOW, ALICE, hostile)));
    JsonNode owner =
        parsed(
            line(
                AuditListener.showingOwners(logger),
                new TaskEvent.Expired(NOW, Owner.subject(hostile), "id")));

    assertThat(method.get("method").asString()).isEqualTo(hostile);
    assertThat(keys.get("keys").get(0).asString()).isEqualTo(hostile);
    assertThat(keys.get("keys").get(1).asString()).isEqualTo("second");
    assertThat(id.get("task").asString()).isEqualTo(hostile);
    assertThat(owner.get("owner").asString()).isEqualTo("subject:" + hostile);
  }

  @Test
  void text_thatIsNoUnicode_getsReplacements() {
    String line = line(new TaskEvent.Expired(NOW, ALICE, "a\ud800b😀\udc00"));

    assertThat(parsed(line).get("task").asString()).isEqualTo("a\ufffdb😀\ufffd");
  }

  @Test
  void text_thatIsLong_isCut() {
    String line = line(new TaskEvent.Expired(NOW, ALICE, "a" + "😀".repeat(1_000_000)));

    assertThat(parsed(line).get("task").asString()).isEqualTo("a" + "😀".repeat(511) + "\ufffd…");
  }

  @Test
  void logger_byDefault_hasTheNameThatIsPromised() {
    List<String> heard = new ArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord logged) {
            heard.add(logged.getLevel() + " " + logged.getMessage());
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger named = Logger.getLogger("io.taskstore.audit");
    named.addHandler(handler);
    named.setUseParentHandlers(false);
    try {
      AuditListener.hashingOwners().onEvent(new TaskEvent.Purged(NOW, 1));
      AuditListener.showingOwners().onEvent(new TaskEvent.Purged(NOW, 2));
    } finally {
      named.removeHandler(handler);
      named.setUseParentHandlers(true);
    }

    assertThat(heard)
        .containsExactly(
            "INFO {\"at\":\"2026-01-01T00:00:00Z\",\"count\":1,\"event\":\"purged\"}",
            "INFO {\"at\":\"2026-01-01T00:00:00Z\",\"count\":2,\"event\":\"purged\"}");
  }

  @Test
  void document_listsEveryTypeOfEvent() throws IOException {
    String document = Files.readString(Path.of("..", "docs", "tasks.md"), StandardCharsets.UTF_8);
    int begin = document.indexOf("\n## Listeners\n");
    String section = document.substring(begin, document.indexOf("\n## ", begin + 1));
    Matcher row = Pattern.compile("^\\| `(\\w+)` \\|", Pattern.MULTILINE).matcher(section);
    List<String> documented = new ArrayList<>();
    while (row.find()) {
      documented.add(row.group(1));
    }
    Set<String> types = new TreeSet<>();
    all().forEach(event -> types.add(event.type()));
    types.add(TaskStatus.COMPLETED.wireName());

    assertThat(documented).containsExactlyInAnyOrderElementsOf(types);
  }
}
