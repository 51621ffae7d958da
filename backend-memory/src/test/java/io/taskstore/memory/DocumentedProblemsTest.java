// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.InvalidConfigurationException;
import io.taskstore.TaskStores;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/configuration.md} quotes what each backend says of its URL and of settings that do
 * not fit together, and nothing else. Each problem is one that was found.
 */
class DocumentedProblemsTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "configuration.md");
  private static final Pattern HEADING = Pattern.compile("^### (.+)$", Pattern.MULTILINE);
  private static final Pattern ROW = Pattern.compile("^\\| `(.+?)` \\|", Pattern.MULTILINE);

  private final TreeMap<String, TreeSet<String>> problems = new TreeMap<>();

  private void found(String url) {
    found(url.substring(0, url.indexOf(':')), url);
  }

  private void found(String section, String url) {
    InvalidConfigurationException e =
        catchThrowableOfType(InvalidConfigurationException.class, () -> TaskStores.open(url));
    assertThat(e).as("what is wrong with %s", url).isNotNull();
    problems.computeIfAbsent(section, s -> new TreeSet<>()).addAll(e.problems());
  }

  @Test
  void document_quotesEveryProblemOfABackend_andNoOther() throws IOException {
    found("memory:tasks");
    found("memory:?maxBytes=1000");
    found("file:");
    found("file://host/tasks");
    found("file:~/tasks");
    found("file:\0");
    found("redis:");
    found("redis", "redis-cluster:");
    found("redis", "redis-sentinel://one:1");
    found("redis://localhost:0");
    found("redis://one:1,two:2");
    found("redis", "redis-cluster://one:1/2");
    found("redis://joe@localhost");
    found("redis://joe:s3cr%et@localhost");
    found("redis://localhost?keyPrefix=a{b}");
    found("redis://localhost?keyPrefix=" + "x".repeat(201));
    found("redis", "redis-cluster://one:1?replicas=1");
    found("redis", "rediss://localhost?caFile=/no/such/file.pem");
    found("dynamodb:");
    found("dynamodb://t");
    found("dynamodb://tasks?endpoint=localhost:8000");
    found("dynamodb://tasks?endpoint=http://a%20b");
    found("dynamodb://tasks");

    String document = Files.readString(DOCUMENT, StandardCharsets.UTF_8);
    String sections = document.substring(document.indexOf("\n## When it is wrong\n"));
    TreeMap<String, TreeSet<String>> documented = new TreeMap<>();
    Matcher heading = HEADING.matcher(sections);
    while (heading.find()) {
      int end = sections.indexOf("\n#", heading.end());
      Matcher row =
          ROW.matcher(sections.substring(heading.end(), end < 0 ? sections.length() : end));
      TreeSet<String> rows = new TreeSet<>();
      while (row.find()) {
        rows.add(row.group(1));
      }
      documented.put(heading.group(1), rows);
    }
    assertThat(documented).isEqualTo(problems);
    assertThat(ServiceLoader.load(StorageBackendProvider.class))
        .as("every backend is here")
        .allMatch(provider -> provider.schemes().stream().anyMatch(documented::containsKey));
  }
}
