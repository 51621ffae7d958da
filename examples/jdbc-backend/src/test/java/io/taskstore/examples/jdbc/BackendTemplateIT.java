// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * The template for backends, copied out of the repository and built by Maven on the packaged
 * artifacts alone, as its users build it.
 */
final class BackendTemplateIT {
  private static final Path ROOT = Path.of("..", "..");
  private static final String VERSION = System.getProperty("taskstore.version");
  private static final Pattern NOT_YET = Pattern.compile("(\\w+) is not implemented yet");

  @TempDir private Path temp;

  private static void copy(Path from, Path to) throws IOException {
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes)
              throws IOException {
            if (folder.endsWith("target")) {
              return FileVisitResult.SKIP_SUBTREE;
            }
            Files.createDirectories(to.resolve(from.relativize(folder)));
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.copy(file, to.resolve(from.relativize(file)));
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /** Does what {@code mvn install} would do. */
  private static void install(Path repository, String artifact, Path folder) throws IOException {
    Path target = repository.resolve("io/taskstore").resolve(artifact).resolve(VERSION);
    Files.createDirectories(target);
    String name = artifact + "-" + VERSION;
    Files.copy(folder.resolve("pom.xml"), target.resolve(name + ".pom"));
    Path jar = folder.resolve("target").resolve(name + ".jar");
    if (Files.exists(folder.resolve("src"))) {
      assertThat(jar).as("a packaged module; mvn verify makes it").exists();
      Files.copy(jar, target.resolve(name + ".jar"), StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /** Settings with which Maven takes what it has downloaded before, and the rest from Central. */
  private Path settings() throws IOException {
    String repository =
        """
        <id>downloaded</id><url>%s</url>
        <releases><enabled>true</enabled></releases><snapshots><enabled>false</enabled></snapshots>
        """
            .formatted(Path.of(System.getProperty("settings.localRepository")).toUri());
    return Files.writeString(
        temp.resolve("settings.xml"),
        """
        <settings>
          <profiles><profile>
            <id>downloaded</id>
            <repositories><repository>%1$s</repository></repositories>
            <pluginRepositories><pluginRepository>%1$s</pluginRepository></pluginRepositories>
          </profile></profiles>
          <activeProfiles><activeProfile>downloaded</activeProfile></activeProfiles>
        </settings>
        """
            .formatted(repository));
  }

  private String maven(Path project, Path repository, String... goals) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(System.getProperty("maven.home") + "/bin/mvn");
    command.addAll(List.of("-B", "-ntp", "-gs", settings().toString()));
    command.add("-Dmaven.repo.local=" + repository);
    command.addAll(List.of(goals));
    Path log = temp.resolve("log");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(project.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    Process process = builder.start();
    try {
      process.getOutputStream().close();
      assertThat(process.waitFor(5, TimeUnit.MINUTES)).as("Maven ends").isTrue();
    } finally {
      process.destroyForcibly();
    }
    return Files.readString(log);
  }

  private record Results(int failed, Set<String> methods, List<String> others) {}

  /** Which method each failed test complains about. */
  private static Results results(Path reports) throws Exception {
    int failed = 0;
    Set<String> methods = new TreeSet<>();
    List<String> others = new ArrayList<>();
    List<Path> files;
    try (Stream<Path> all = Files.list(reports)) {
      files = all.filter(file -> file.getFileName().toString().startsWith("TEST-")).toList();
    }
    for (Path file : files) {
      var document = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(file.toFile());
      for (String kind : List.of("failure", "error")) {
        NodeList failures = document.getElementsByTagName(kind);
        for (int i = 0; i < failures.getLength(); i++) {
          failed++;
          Element failure = (Element) failures.item(i);
          Set<String> named = new HashSet<>();
          Matcher matcher = NOT_YET.matcher(failure.getTextContent());
          while (matcher.find()) {
            named.add(matcher.group(1));
          }
          methods.addAll(named);
          if (named.isEmpty()) {
            Element test = (Element) failure.getParentNode();
            others.add(test.getAttribute("name") + ": " + failure.getTextContent());
          }
        }
      }
    }
    return new Results(failed, methods, others);
  }

  @Test
  void template_compiles_andFailsOnTheSevenMethodsOnly() throws Exception {
    Objects.requireNonNull(VERSION, "the system property taskstore.version");
    Path project = temp.resolve("project");
    Path repository = temp.resolve("repository");
    copy(ROOT.resolve("examples/backend-template"), project);
    install(repository, "taskstore-parent", ROOT);
    install(repository, "taskstore-bom", ROOT.resolve("bom"));
    install(repository, "taskstore-core", ROOT.resolve("core"));
    install(repository, "taskstore-contract-tests", ROOT.resolve("contract-tests"));

    String log = maven(project, repository, "test");

    assertThat(log)
        .as("what Maven says")
        .contains("There are test failures")
        .doesNotContain("COMPILATION ERROR", "WARNING] /");
    Results results = results(project.resolve("target/surefire-reports"));
    assertThat(results.others()).as("failures of other reasons").isEmpty();
    assertThat(results.methods())
        .containsExactlyInAnyOrder(
            "traits", "get", "putIfVersion", "deleteIfVersion", "list", "purgeExpired", "close");
    assertThat(results.failed()).as("failed tests").isGreaterThan(500);
  }
}
