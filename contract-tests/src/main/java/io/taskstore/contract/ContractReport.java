// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import io.taskstore.contract.ContractRun.Outcome;
import io.taskstore.contract.ContractRun.StatementResult;
import io.taskstore.contract.ContractRun.Status;
import io.taskstore.spi.BackendTraits;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.junit.jupiter.api.extension.ExtensionContext;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a run of a contract has shown about a backend, as JSON for tools and Markdown for people.
 */
final class ContractReport {
  /**
   * The JUnit configuration parameter, or system property, that names the folder of the reports.
   */
  static final String FOLDER_PARAMETER = "taskstore.contract.reports";

  /** Stands for no folder: then there is no report. */
  static final String NO_FOLDER = "none";

  private static final String DEFAULT_FOLDER = "target/contract-reports";

  private final String subject;
  private final BackendTraits traits;
  private final Set<Hook> hooks;
  private final Map<String, String> versions;
  private final ContractRun run;
  private final boolean complete;

  /**
   * @param subject the name of what was tested
   * @param complete whether the run came to its closing test, so that nothing was left out
   */
  ContractReport(
      String subject,
      BackendTraits traits,
      Set<Hook> hooks,
      Map<String, String> versions,
      ContractRun run,
      boolean complete) {
    this.subject = subject;
    this.traits = traits;
    this.hooks = Set.copyOf(hooks);
    this.versions = allVersions(versions);
    this.run = run;
    this.complete = complete;
  }

  /** Writes both files, and says so in one line on standard output. */
  void write(ExtensionContext context) throws IOException {
    String configured = context.getConfigurationParameter(FOLDER_PARAMETER).orElse(DEFAULT_FOLDER);
    if (configured.equals(NO_FOLDER)) {
      return;
    }
    Path folder = Path.of(configured);
    Files.createDirectories(folder);
    String name = subject.replaceAll("[^A-Za-z0-9.-]", "_") + "." + shortName();
    Path markdown = folder.resolve(name + ".md");
    Files.writeString(folder.resolve(name + ".json"), json());
    Files.writeString(markdown, markdown());
    System.out.println(summary() + "; see " + markdown);
  }

  /** One line with the counts. */
  String summary() {
    Collection<StatementResult> results = run.byStatement().values();
    List<String> parts = new ArrayList<>();
    for (Status status : Status.values()) {
      long count = count(results, status);
      if (count > 0 || status == Status.PASSED || status == Status.FAILED) {
        parts.add(count + " " + status.title());
      }
    }
    return "%s of %s: %d statements: %s%s"
        .formatted(
            run.contract().getSimpleName(),
            subject,
            results.size(),
            String.join(", ", parts),
            complete ? "" : " (not a complete run)");
  }

  /** The report for tools. */
  String json() {
    Collection<StatementResult> results = run.byStatement().values();
    Map<String, Object> root = new LinkedHashMap<>();
    root.put("contract", run.contract().getSimpleName());
    root.put("subject", subject);
    root.put("complete", complete);
    root.put("versions", versions);
    root.put("traits", traitsAsMap());
    root.put("hooks", hooksOffered());
    Map<String, Object> statementCounts = new LinkedHashMap<>();
    for (Status status : Status.values()) {
      statementCounts.put(status.title(), count(results, status));
    }
    Map<String, Object> testCounts = new LinkedHashMap<>();
    for (Outcome outcome : Outcome.values()) {
      testCounts.put(title(outcome), count(outcome));
    }
    root.put("counts", Map.of("statements", statementCounts, "tests", testCounts));
    List<Map<String, Object>> statements = new ArrayList<>();
    for (StatementResult result : results) {
      Map<String, Object> statement = new LinkedHashMap<>();
      statement.put("id", result.statement().id().toString());
      statement.put("text", result.statement().text());
      statement.put("status", result.status().title());
      statement.put("tests", result.tests());
      statement.put("reasons", result.reasons());
      statements.add(statement);
    }
    root.put("statements", statements);
    return JsonMapper.builder().build().writerWithDefaultPrettyPrinter().writeValueAsString(root)
        + "\n";
  }

  /** The report for people. */
  String markdown() {
    StringBuilder out = new StringBuilder();
    out.append("# ").append(summary()).append("\n\n");
    out.append("| | |\n|---|---|\n");
    versions.forEach((name, version) -> row(out, name, version));
    traitsAsMap().forEach((name, value) -> row(out, name, String.valueOf(value)));
    row(out, "hooks", hooks.isEmpty() ? "none" : String.join(", ", hooksOffered()));
    for (Outcome outcome : Outcome.values()) {
      row(out, "tests " + title(outcome), String.valueOf(count(outcome)));
    }
    out.append("\n| Id | Statement | Status | Tests | Why |\n|---|---|---|---|---|\n");
    for (StatementResult result : run.byStatement().values()) {
      row(
          out,
          result.statement().id().toString(),
          result.statement().text(),
          result.status().title(),
          String.valueOf(result.tests()),
          String.join("; ", result.reasons()));
    }
    return out.toString();
  }

  private static void row(StringBuilder out, String... cells) {
    out.append('|');
    for (String cell : cells) {
      String escaped = cell.replace("|", "\\|").replaceAll("\\R", " ");
      out.append(' ').append(escaped).append(" |");
    }
    out.append('\n');
  }

  private String shortName() {
    return run.contract().getSimpleName().replace("Contract", "").toLowerCase(Locale.ROOT);
  }

  private List<String> hooksOffered() {
    return Arrays.stream(Hook.values()).filter(hooks::contains).map(Hook::title).toList();
  }

  private Map<String, Object> traitsAsMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("durable", traits.durable());
    map.put("shared", traits.shared());
    map.put("purges itself", traits.purgesItself());
    map.put("largest data in bytes", traits.maxDataBytes());
    return map;
  }

  private static String title(Outcome outcome) {
    return outcome.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private long count(Outcome outcome) {
    return run.results().stream().filter(result -> result.outcome() == outcome).count();
  }

  private static long count(Collection<StatementResult> results, Status status) {
    return results.stream().filter(result -> result.status() == status).count();
  }

  private static Map<String, String> allVersions(Map<String, String> ofHarness) {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("contract", contractVersion());
    all.putAll(ofHarness);
    all.put("java", System.getProperty("java.vendor") + " " + System.getProperty("java.version"));
    all.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    return all;
  }

  private static String contractVersion() {
    try (InputStream in = ContractReport.class.getResourceAsStream("version.properties")) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version", "unknown");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
