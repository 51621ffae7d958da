// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code docs/configuration.md} quotes every problem that a configuration can have, and no other;
 * those of backends are compared where the backends are. Each problem here is one that was found.
 */
class DocumentedProblemsTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "configuration.md");

  /** A row of a table begins with the problem as code; … stands for what varies. */
  private static final Pattern ROW = Pattern.compile("^\\| `(.+?)` \\|", Pattern.MULTILINE);

  private static final TaskStoresTest.Provider FILE =
      new TaskStoresTest.Provider(
          "file",
          Setting.duration("lockTimeout", Duration.ofMillis(1), Duration.ofDays(1), "How long.")) {
        @Override
        public String example() {
          return "file:/var/lib/tasks";
        }
      };

  private static final TaskStoresTest.Provider MEMORY = new TaskStoresTest.Provider("memory");

  /** One that needs secrets. */
  private static final TaskStoresTest.Provider SHELF =
      new TaskStoresTest.Provider(
          "shelf",
          Setting.text("user", "Who may come in.").required(),
          Setting.text("password", "What to say to come in.").required().secret(),
          Setting.count("pin", 1, 9_999, "A number to know.").secret());

  private static final class Greedy extends TaskStoresTest.Provider {
    Greedy() {
      super("attic", Setting.flag("lease", "Ours."));
    }
  }

  @TempDir private Path temp;
  private final TreeSet<String> problems = new TreeSet<>();

  private void found(Runnable call) {
    InvalidConfigurationException e =
        catchThrowableOfType(InvalidConfigurationException.class, call::run);
    assertThat(e).as("what is wrong").isNotNull();
    for (String problem : e.problems()) {
      problems.add(
          problem
              .replace("file:" + temp + "/", "file:/app/")
              .replace(temp + "/", "")
              .replace(DocumentedProblemsTest.class.getName() + "$", "com.example."));
    }
  }

  private void found(Map<String, String> settings, StorageBackendProvider... providers) {
    found(TaskStoreConfiguration.ofMap(settings), providers);
  }

  private void found(TaskStoreConfiguration configuration, StorageBackendProvider... providers) {
    BackendProviders all = new BackendProviders(List.of(providers), List.of());
    found(() -> ResolvedConfiguration.of(configuration.entries(), all));
  }

  @Test
  void document_quotesEveryProblem_andNoOther() throws IOException {
    urls();
    brokenProviders();
    queries();
    settings();
    secrets();
    files();
    conflicts();

    String document = Files.readString(DOCUMENT, StandardCharsets.UTF_8);
    int begin = document.indexOf("\n## When it is wrong\n");
    int end = document.indexOf("\n### ", begin); // there the backends begin
    assertThat(begin).isNotNegative().isLessThan(end);
    Matcher row = ROW.matcher(document.substring(begin, end));
    Map<String, List<String>> rowsOf = new TreeMap<>();
    problems.forEach(problem -> rowsOf.put(problem, new ArrayList<>()));
    List<String> unused = new ArrayList<>();
    while (row.find()) {
      String text = row.group(1);
      Pattern pattern =
          Pattern.compile(
              Pattern.compile("…")
                  .splitAsStream(text + " ")
                  .map(Pattern::quote)
                  .collect(Collectors.joining(".+")));
      List<String> quoted =
          problems.stream().filter(p -> pattern.matcher(p + " ").matches()).toList();
      quoted.forEach(problem -> rowsOf.get(problem).add(text));
      if (quoted.isEmpty()) {
        unused.add(text);
      }
    }
    SoftAssertions.assertSoftly(
        softly -> {
          softly.assertThat(unused).as("rows that quote no problem").isEmpty();
          rowsOf.forEach((p, rows) -> softly.assertThat(rows).as("rows for: %s", p).hasSize(1));
        });
  }

  private void urls() {
    found(Map.of(), FILE, MEMORY);
    found(Map.of("url", "/var/lib/tasks"), FILE, MEMORY);
    found(Map.of("url", "redis://localhost"), FILE, MEMORY);
    found(Map.of("url", "file:/var/lib/tasks"));
    found(Map.of("url", "fiel:/var/lib/tasks"), FILE, MEMORY);
    found(Map.of("url", "cupboard:"), FILE, MEMORY);
    found(Map.of("url", "cupboard:"));
    found(Map.of("url", "attic:"), new Greedy());
  }

  private void brokenProviders() throws IOException {
    ProviderJars jars = new ProviderJars(temp);
    Path file = jars.provider("a.jar", "File", "file");
    Path other = jars.provider("b.jar", "Other", "file");
    Path memory = jars.provider("memory.jar", "Memory", "memory");
    Path broken = jars.broken("broken.jar", "Attic", "attic");
    ProviderJars.with(List.of(file, memory, broken), () -> found(() -> TaskStores.open("attic:")));
    ProviderJars.with(List.of(file, other), () -> found(() -> TaskStores.open("file:/tasks")));
  }

  private void queries() {
    found(Map.of("url", "file:/tasks?lockTimeout=100%"), FILE);
    found(Map.of("url", "file:/tasks?lockTimeout=1s", "lockTimeout", "2s"), FILE);
  }

  private void settings() {
    found(Map.of("url", "file:/tasks?lockTimout=1s"), FILE);
    found(Map.of("url", "file:/tasks?colour=red"), FILE);
    found(Map.of("url", "file:/tasks?lockTimeout=5 sec"), FILE);
    found(
        TaskStoreConfiguration.ofEnvironment(
            Map.of("TASKSTORE_URL", "file:/tasks", "TASKSTORE_LOCK_TIMEOUT", "5 sec")),
        FILE);
    found(Map.of("url", "shelf:"), SHELF);
  }

  private void secrets() throws IOException {
    Path secret = Files.writeString(temp.resolve("secret"), "open");
    Path large = Files.write(temp.resolve("large"), new byte[64 * 1_024 + 1]);
    found(Map.of("url", "shelf:?user=u&password=p", "pin", "none"), SHELF);
    found(Map.of("url", "shelf:?user=u&password=p", "passwordFile", secret.toString()), SHELF);
    found(Map.of("url", "shelf:?user=u", "passwordFile", temp.resolve("none") + ""), SHELF);
    found(Map.of("url", "shelf:?user=u", "passwordFile", large.toString()), SHELF);
  }

  private void files() {
    found(() -> TaskStoreConfiguration.ofFile(temp.resolve("tasks.properties")));
  }

  private void conflicts() {
    found(Map.of("url", "memory:?allowUnlimitedTtl=true&maxTtl=2d"), MEMORY);
    found(Map.of("url", "memory:?defaultTtl=3h&maxTtl=2h"), MEMORY);
    found(Map.of("url", "memory:?defaultTtl=2d"), MEMORY);
    found(Map.of("url", "memory:?maxTtl=59m"), MEMORY);
    found(Map.of("url", "memory:?cacheMaxAge=1m&cacheMaxBytes=0"), MEMORY);
  }
}
