// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import io.taskstore.spi.Bytes;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import tools.jackson.databind.json.JsonMapper;

/**
 * The stored form of a task, beside Jackson with all its defaults, which reads the same bytes into
 * maps and lists, and writes them from maps whose members are in canonical order already.
 *
 * <p>In this package because the codec is; public, as are its methods, because JMH calls them from
 * another one.
 */
@State(Scope.Benchmark)
public class CodecBenchmark {
  private static final Owner OWNER = Owner.subject("alice");
  private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
  private static final Instant LATER = NOW.plusSeconds(1);
  private static final String ID = "01jgfjs0000v8s1b5k0c2n7d4q9m3e6f1a5";

  /** What the record has beside its variables. */
  private static final int OTHER_BYTES = 330;

  /** The variable that is changed. */
  private static final String CHANGED = "position";

  /** The size of the record. */
  @Param({"1", "16", "300"})
  int kilobytes;

  private final JsonMapper jackson = JsonMapper.builder().build();
  private final ValueReader reader = new ValueReader(JsonMappers.create());
  private final TaskRules rules =
      new TaskRules(
          TaskLimits.defaults(),
          new TaskRules.Lifetimes(
              Duration.ofHours(1),
              Duration.ofDays(1),
              Duration.ofMinutes(10),
              Duration.ofSeconds(1)),
          null,
          4 * 1_024 * 1_024);

  private NewTask newTask;
  private TaskState state;
  private Bytes stored;
  private byte[] json;
  private Map<?, ?> tree;
  private int changes;

  /** Makes a record of about the size asked for, which is the same in every run. */
  @Setup
  public void prepare() throws TaskCodec.UnreadableException {
    newTask =
        NewTask.of("digest", Map.of("algorithm", "SHA-256", "folder", "/data/reports/2026"))
            .message("digesting reports/2026/01.csv")
            .progress(Progress.of(3, 10))
            .variables(variables());
    stored = encodeValues();
    state = decode();
    json = stored.toByteArray();
    tree = rawDecode();
    int expected = 1_024 * kilobytes;
    check(Math.abs(json.length - expected) < expected / 8, "the record has another size");
    check(Bytes.unsafeWrap(rawEncode()).equals(stored), "Jackson writes other bytes");
    check(encode().equals(stored), "the codec writes other bytes");
    check(rawUpdate().length == update().size(), "the two updates differ");
  }

  private static void check(boolean holds, String problem) {
    if (!holds) {
      throw new IllegalStateException(problem);
    }
  }

  /** Texts, numbers, lists and nested objects; a large record has more of them, and larger ones. */
  private Map<String, Object> variables() {
    Random random = new Random(42);
    int scale = 1 + kilobytes / 50;
    Map<String, Object> variables = new TreeMap<>();
    variables.put(CHANGED, "reports/2026/000.csv");
    int bytes = OTHER_BYTES;
    for (int i = 0; bytes < 1_024 * kilobytes; i++) {
      String name = "item%04d".formatted(i);
      Object value =
          switch (i % 5) {
            case 0 -> "Zusammenfassung für \"%d\":\n".formatted(i) + text(random, 60 * scale);
            case 1 -> entry(random, scale);
            case 2 -> random.nextLong();
            case 3 -> random.ints(12L * scale, 0, 1_000_000).boxed().toList();
            default -> random.nextInt(1_000) / 8.0;
          };
      variables.put(name, value);
      bytes += name.length() + 4 + jackson.writeValueAsBytes(value).length;
    }
    return variables;
  }

  private static Map<String, Object> entry(Random random, int scale) {
    List<Object> files = new ArrayList<>();
    for (int i = 0; i < scale; i++) {
      Map<String, Object> file = new LinkedHashMap<>();
      file.put("done", random.nextBoolean());
      file.put("name", "reports/2026/%03d.csv".formatted(random.nextInt(1_000)));
      file.put("size", random.nextInt(1_000_000));
      file.put("tags", List.of("csv", "monthly"));
      files.add(file);
    }
    Map<String, Object> entry = new LinkedHashMap<>();
    entry.put("files", files);
    entry.put("host", "files-" + random.nextInt(10));
    entry.put("ratio", random.nextInt(64) / 64.0);
    return entry;
  }

  private static String text(Random random, int length) {
    StringBuilder text = new StringBuilder();
    random.ints(length, 'a', 'z' + 1).forEach(c -> text.append((char) c));
    return text.toString();
  }

  private String nextPosition() {
    changes = (changes + 1) % 900;
    return "reports/2026/" + (100 + changes) + ".csv";
  }

  // --- writing ------------------------------------------------------------------------------

  /** From a task as it was read: values that nobody has touched are bytes already. */
  @Benchmark
  public Bytes encode() {
    return rules.codec().encode(state);
  }

  /** From values of Java, as a creation does, with all its checks. */
  @Benchmark
  public Bytes encodeValues() {
    return rules.create(OWNER, ID, newTask, null, NOW).data();
  }

  @Benchmark
  public byte[] rawEncode() {
    return jackson.writeValueAsBytes(tree);
  }

  // --- reading ------------------------------------------------------------------------------

  /** To a task whose values are decoded when somebody asks for them. */
  @Benchmark
  public TaskState decode() throws TaskCodec.UnreadableException {
    return rules.codec().decode(stored);
  }

  /** And then all variables are asked for. */
  @Benchmark
  public Map<String, @Nullable Object> decodeValues() throws TaskCodec.UnreadableException {
    return new Variables(decode().variables(), reader).asMap();
  }

  @Benchmark
  public Map<?, ?> rawDecode() {
    return jackson.readValue(json, Map.class);
  }

  // --- changing -----------------------------------------------------------------------------

  @Benchmark
  public Bytes update() throws TaskCodec.UnreadableException {
    Task task = new Task(OWNER, decode(), 1, LATER.plusSeconds(3_600), reader);
    return rules.change(task, TaskChange.change().set(CHANGED, nextPosition()), LATER).data();
  }

  @Benchmark
  @SuppressWarnings("unchecked") // it is what was written
  public byte[] rawUpdate() {
    Map<String, Object> task = (Map<String, Object>) rawDecode();
    Map<String, Object> variables =
        (Map<String, Object>) Objects.requireNonNull(task.get("variables"));
    variables.put(CHANGED, nextPosition());
    task.put("updatedAt", LATER.toEpochMilli());
    return jackson.writeValueAsBytes(task);
  }
}
