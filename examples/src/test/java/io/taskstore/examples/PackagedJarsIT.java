// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.StorageBackendProvider;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringWriter;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The library as it is published and used: jars, in a process of their own, on the class path, as
 * one jar, and as modules.
 */
class PackagedJarsIT {
  private static final String SERVICES =
      "META-INF/services/" + StorageBackendProvider.class.getName();

  /** A class of each library that core or a backend needs. */
  private static final List<String> LIBRARIES =
      List.of(
          "com.fasterxml.jackson.annotation.JsonProperty",
          "com.github.benmanes.caffeine.cache.Caffeine",
          "io.lettuce.core.RedisClient",
          "io.netty.buffer.ByteBuf",
          "io.netty.channel.Channel",
          "io.netty.channel.unix.Unix",
          "io.netty.handler.codec.ByteToMessageDecoder",
          "io.netty.handler.codec.dns.DnsRecord",
          "io.netty.handler.ssl.SslContext",
          "io.netty.resolver.AddressResolver",
          "io.netty.resolver.dns.DnsNameResolver",
          "io.netty.util.concurrent.Future",
          "org.apache.hc.client5.http.classic.HttpClient",
          "org.apache.hc.core5.http.HttpRequest",
          "org.apache.hc.core5.http2.H2Error",
          "org.h2.Driver",
          "org.jspecify.annotations.Nullable",
          "org.reactivestreams.Publisher",
          "org.slf4j.Logger",
          "reactor.core.publisher.Mono",
          "redis.clients.authentication.core.Token",
          "software.amazon.awssdk.annotations.SdkPublicApi",
          "software.amazon.awssdk.auth.credentials.AwsCredentials",
          "software.amazon.awssdk.awscore.AwsRequest",
          "software.amazon.awssdk.checksums.SdkChecksum",
          "software.amazon.awssdk.checksums.spi.ChecksumAlgorithm",
          "software.amazon.awssdk.core.SdkRequest",
          "software.amazon.awssdk.endpoints.Endpoint",
          "software.amazon.awssdk.http.SdkHttpClient",
          "software.amazon.awssdk.http.apache5.Apache5HttpClient",
          "software.amazon.awssdk.http.auth.aws.eventstream.HttpAuthAwsEventStream",
          "software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner",
          "software.amazon.awssdk.http.auth.signer.BearerHttpSigner",
          "software.amazon.awssdk.http.auth.spi.signer.HttpSigner",
          "software.amazon.awssdk.identity.spi.Identity",
          "software.amazon.awssdk.metrics.SdkMetric",
          "software.amazon.awssdk.profiles.ProfileFile",
          "software.amazon.awssdk.protocols.core.ProtocolMarshaller",
          "software.amazon.awssdk.protocols.json.AwsJsonProtocol",
          "software.amazon.awssdk.protocols.jsoncore.JsonNode",
          "software.amazon.awssdk.regions.Region",
          "software.amazon.awssdk.retries.DefaultRetryStrategy",
          "software.amazon.awssdk.retries.api.RetryStrategy",
          "software.amazon.awssdk.services.dynamodb.DynamoDbClient",
          "software.amazon.awssdk.thirdparty.jackson.core.JsonFactory",
          "software.amazon.awssdk.utils.SdkAutoCloseable",
          "software.amazon.awssdk.utilslite.SdkInternalThreadLocal",
          "software.amazon.eventstream.Message",
          "tools.jackson.core.JsonParser",
          "tools.jackson.databind.ObjectMapper");

  /** Made by the Shade plugin, with merged service files. */
  private static final Path ONE_JAR = Path.of("target", "one.jar");

  /** What the module needs when it runs, copied by the build. */
  private static final Path LIB = Path.of("target", "lib");

  private static final Path BOM = Path.of("..", "bom", "pom.xml");
  private static final Path DOCUMENT = Path.of("..", "docs", "configuration.md");
  private static final Pattern ARTIFACT =
      Pattern.compile("<artifactId>(taskstore-(?!bom\\b)([a-z-]+))</artifactId>");
  private static final Pattern ROW =
      Pattern.compile(
          "^\\| `(taskstore-[a-z-]+)` \\| `([a-z.]+)` \\| (.+) \\|$", Pattern.MULTILINE);

  private static final String HINT = "; run mvn verify, which packages before it runs this test";

  private static final String MODULE =
      """
      module app {
        requires io.taskstore.core;
        requires com.github.benmanes.caffeine; // core needs it and, without a descriptor, cannot say so
        requires tools.jackson.databind; // the same
        requires java.sql; // the same, for H2
        requires io.netty.handler; // the same, for Lettuce
        requires io.netty.resolver.dns; // the same
        requires org.slf4j; // the same, and for the AWS SDK
        requires jdk.net; // the same, for the HTTP client of the AWS SDK
        opens app to tools.jackson.databind; // for classes of ours in tasks
      }
      """;

  /** Is given pairs: the class of a provider, and a URL for it. */
  private static final String PROGRAM =
      """
      package app;

      import io.taskstore.*;
      import java.util.Map;

      public final class Program {
        record Totals(int files, long bytes) {}

        public static void main(String[] arguments) throws Exception {
          Owner owner = Owner.subject("alice");
          for (int i = 0; i < arguments.length; i += 2) {
            String url = arguments[i + 1];
            url += (url.contains("?") ? "&" : "?") + "cacheMaxBytes=1MiB";
            try (TaskStore store = TaskStores.open(url)) {
              Task task = store.create(owner, NewTask.of("digest"));
              store.update(task, TaskChange.change().set("totals", new Totals(3, 5)).complete(Map.of("files", 3)));
              Task read = store.get(owner, task.id());
              Class<?> provider = Class.forName(arguments[i]);
              System.out.printf(
                  "%s %s %s %s %s%n",
                  provider.getName(),
                  provider.getModule(),
                  provider.getProtectionDomain().getCodeSource().getLocation(),
                  read.status().wireName(),
                  read.variables().as("totals", Totals.class).orElseThrow());
            } catch (InvalidConfigurationException e) {
              System.out.println(e.getMessage());
            }
          }
        }
      }
      """;

  @TempDir private Path temp;

  /** By provider, a URL of a storage that is there and empty. Each provider has one. */
  private Map<String, String> urls;

  private static DynamoDbServer dynamoDb;
  private RedisServer redis;

  @BeforeAll
  static void start() {
    dynamoDb = DynamoDbServer.start();
    String unused = DynamoDbTable.make(dynamoDb);
  }

  @AfterAll
  static void stop() {
    dynamoDb.close();
  }

  @AfterEach
  void tearDown() {
    redis.close();
  }

  @BeforeEach
  void setUp() {
    redis = RedisServer.start();
    urls = new TreeMap<>();
    urls.put("io.taskstore.dynamodb.DynamoDbBackendProvider", DynamoDbTable.url(dynamoDb.port()));
    urls.put("io.taskstore.examples.jdbc.JdbcBackendProvider", "jdbc:h2:" + temp.resolve("h2"));
    urls.put("io.taskstore.file.FileBackendProvider", "file:" + temp.resolve("tasks"));
    urls.put("io.taskstore.memory.MemoryBackendProvider", "memory:");
    urls.put("io.taskstore.redis.RedisBackendProvider", redis.url());
  }

  // --- the jars -----------------------------------------------------------------------------

  private static Path jarOf(String className) {
    try {
      CodeSource source = Class.forName(className).getProtectionDomain().getCodeSource();
      return jar(Path.of(source.getLocation().toURI()), className);
    } catch (ClassNotFoundException | URISyntaxException e) {
      throw new AssertionError(className + " is not there", e);
    }
  }

  private static Path jar(Path file, String content) {
    assertThat(file).as("the jar with %s%s", content, HINT).isRegularFile();
    return file;
  }

  /** The jars with providers, and the providers in them. */
  private static Map<Path, List<String>> providers() throws IOException {
    Map<Path, List<String>> providers = new TreeMap<>();
    List<URL> files =
        Collections.list(PackagedJarsIT.class.getClassLoader().getResources(SERVICES));
    for (URL file : files) {
      assertThat(file.getProtocol()).as("the jar of %s%s", file, HINT).isEqualTo("jar");
      URL jar = ((JarURLConnection) file.openConnection()).getJarFileURL();
      try (InputStream in = file.openStream()) {
        String names = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        providers.put(Path.of(URI.create(jar.toString())), names.lines().toList());
      }
    }
    return providers;
  }

  /** What an application has: core, all backends, and what core needs. */
  private static List<Path> jars() throws IOException {
    List<Path> jars = new ArrayList<>(providers().keySet());
    jars.add(jarOf("io.taskstore.TaskStores"));
    LIBRARIES.forEach(library -> jars.add(jarOf(library)));
    return jars;
  }

  /** The jars that are published, by artifact, as the modules have made them. */
  private static Map<String, Path> published() throws IOException {
    Map<String, Path> published = new TreeMap<>();
    Matcher artifact = ARTIFACT.matcher(Files.readString(BOM, StandardCharsets.UTF_8));
    while (artifact.find()) {
      Path target = Path.of("..", artifact.group(2), "target");
      assertThat(target).as("the jar of %s%s", artifact.group(1), HINT).isDirectory();
      try (Stream<Path> files = Files.list(target)) {
        List<Path> jars =
            files
                .filter(file -> file.getFileName().toString().startsWith(artifact.group(1)))
                .filter(file -> file.getFileName().toString().endsWith(".jar"))
                .filter(file -> !file.toString().matches(".*-(sources|javadoc|tests)\\.jar"))
                .toList();
        assertThat(jars).as("the jar of %s%s", artifact.group(1), HINT).hasSize(1);
        published.put(artifact.group(1), jars.get(0));
      }
    }
    return published;
  }

  private static String path(List<Path> files) {
    return files.stream()
        .map(file -> file.toAbsolutePath().toString())
        .collect(Collectors.joining(System.getProperty("path.separator")));
  }

  // --- programs -----------------------------------------------------------------------------

  private static JavaFileObject source(String name, String code) {
    return new SimpleJavaFileObject(
        URI.create("string:///" + name + ".java"), JavaFileObject.Kind.SOURCE) {
      @Override
      public CharSequence getCharContent(boolean ignoreEncodingErrors) {
        return code;
      }
    };
  }

  private Path compile(List<String> options, JavaFileObject... sources) throws IOException {
    Path output = Files.createTempDirectory(temp, "app");
    List<String> all = new ArrayList<>(options);
    all.addAll(List.of("-d", output.toString(), "-proc:none"));
    StringWriter messages = new StringWriter();
    boolean compiled =
        ToolProvider.getSystemJavaCompiler()
            .getTask(messages, null, null, all, null, List.of(sources))
            .call();
    assertThat(compiled).as("%s", messages).isTrue();
    return output;
  }

  /** What a process of its own has printed. */
  private List<String> run(List<String> options) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8"));
    command.addAll(options);
    urls.forEach((provider, url) -> command.addAll(List.of(provider, url)));
    Path out = Files.createTempFile(temp, "program", ".out");
    Path err = Files.createTempFile(temp, "program", ".err");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .directory(temp.toFile());
    Programs.useDynamoDbLocal(builder.environment());
    Process process = builder.start();
    try {
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("the program ends").isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as("%s%n%s", command, Files.readString(err)).isZero();
    return Files.readAllLines(out, StandardCharsets.UTF_8);
  }

  /** What is printed of a provider that was found and did what it should. */
  private static String opened(String provider, String module, Path jar) throws IOException {
    return "%s %s %s completed Totals[files=3, bytes=5]"
        .formatted(provider, module, jar.toRealPath().toUri().toURL());
  }

  // --- tests --------------------------------------------------------------------------------

  @Test
  void jars_providersInThem_areAllTried() throws IOException {
    List<String> all = providers().values().stream().flatMap(List::stream).sorted().toList();
    assertThat(all).containsExactlyElementsOf(urls.keySet());
  }

  @Test
  void classPath_everyBackend_isFound() throws Exception {
    List<Path> jars = new ArrayList<>(jars());
    Path app = compile(List.of("-classpath", path(jars)), source("app/Program", PROGRAM));
    jars.add(app);

    List<String> expected = new ArrayList<>();
    for (Map.Entry<Path, List<String>> jar : providers().entrySet()) {
      for (String provider : jar.getValue()) {
        expected.add(opened(provider, "unnamed module", jar.getKey()));
      }
    }
    assertThat(run(List.of("-classpath", path(jars), "app.Program")))
        .map(line -> line.replaceAll("unnamed module @\\w+", "unnamed module"))
        .containsExactlyInAnyOrderElementsOf(expected);
  }

  @Test
  void oneJar_serviceFilesMerged_everyBackendIsFound() throws Exception {
    Path one = jar(ONE_JAR, "everything");

    List<String> expected = new ArrayList<>();
    for (String provider : urls.keySet()) {
      expected.add(opened(provider, "unnamed module", one));
    }
    assertThat(runOneJar(one)).containsExactlyElementsOf(expected);
  }

  @Test
  void oneJar_serviceFilesNotMerged_saysWhatToAdd() throws Exception {
    Path one = temp.resolve("unmerged.jar");
    String survivor = "io.taskstore.memory.MemoryBackendProvider";
    try (JarFile merged = new JarFile(jar(ONE_JAR, "everything").toFile());
        OutputStream out = Files.newOutputStream(one);
        JarOutputStream copy = new JarOutputStream(out)) {
      for (JarEntry entry : Collections.list(merged.entries())) {
        copy.putNextEntry(new JarEntry(entry.getName()));
        if (entry.getName().equals(SERVICES)) {
          copy.write(survivor.getBytes(StandardCharsets.UTF_8));
        } else {
          try (InputStream in = merged.getInputStream(entry)) {
            in.transferTo(copy);
          }
        }
      }
    }

    assertThat(runOneJar(one))
        .containsExactly(
            "The configuration of the task store is wrong: there is no backend for the scheme"
                + " dynamodb: add io.taskstore:taskstore-backend-dynamodb; there are memory:",
            "The configuration of the task store is wrong: there is no backend for the scheme jdbc:"
                + " there are memory:",
            "The configuration of the task store is wrong: there is no backend for the scheme file:"
                + " add io.taskstore:taskstore-backend-file; there are memory:",
            opened(survivor, "unnamed module", one),
            "The configuration of the task store is wrong: there is no backend for the scheme redis:"
                + " add io.taskstore:taskstore-backend-redis; there are memory:");
  }

  private List<String> runOneJar(Path one) throws Exception {
    Path app = compile(List.of("-classpath", one.toString()), source("app/Program", PROGRAM));
    return run(List.of("-classpath", path(List.of(one, app)), "app.Program")).stream()
        .map(line -> line.replaceAll("unnamed module @\\w+", "unnamed module"))
        .toList();
  }

  @Test
  void modulePath_everyBackend_isFound() throws Exception {
    List<Path> jars = jars();
    Path app =
        compile(
            List.of("--module-path", path(jars)),
            source("module-info", MODULE),
            source("app/Program", PROGRAM));
    jars.add(app);

    List<String> expected = new ArrayList<>();
    for (Map.Entry<Path, List<String>> jar : providers().entrySet()) {
      String module = "module " + descriptor(jar.getKey()).name();
      for (String provider : jar.getValue()) {
        expected.add(opened(provider, module, jar.getKey()));
      }
    }
    assertThat(run(List.of("--module-path", path(jars), "--module", "app/app.Program")))
        .containsExactlyInAnyOrderElementsOf(expected);
  }

  @Test
  void document_modulesOfPublishedJars_areThose() throws IOException {
    Map<String, String> documented = new TreeMap<>();
    Matcher row = ROW.matcher(Files.readString(DOCUMENT, StandardCharsets.UTF_8));
    while (row.find()) {
      documented.put(row.group(1), row.group(2) + " with " + row.group(3).replace("`", ""));
    }

    Map<String, String> published = new TreeMap<>();
    for (Map.Entry<String, Path> entry : published().entrySet()) {
      try (JarFile jar = new JarFile(entry.getValue().toFile())) {
        // not guessed from the name of the file
        String name = jar.getManifest().getMainAttributes().getValue("Automatic-Module-Name");
        ModuleDescriptor module = descriptor(entry.getValue());
        assertThat(module.name()).as("module of %s", entry.getValue()).isEqualTo(name);
        String packages = String.join(", ", new TreeSet<>(module.packages()));
        published.put(entry.getKey(), name + " with " + packages);
      }
    }
    assertThat(documented).isEqualTo(published);
  }

  /** What is in two modules cannot be loaded. */
  @Test
  void jars_packages_areEachInOne() throws IOException {
    Map<String, TreeSet<String>> modulesOf = new HashMap<>();
    List<Path> all = new ArrayList<>(published().values());
    LIBRARIES.forEach(library -> all.add(jarOf(library)));
    for (Path jar : all) {
      ModuleDescriptor module = descriptor(jar);
      for (String name : module.packages()) {
        modulesOf.computeIfAbsent(name, n -> new TreeSet<>()).add(module.name());
      }
    }
    assertThat(modulesOf).containsKeys("io.taskstore", "io.taskstore.spi", "tools.jackson.core");
    assertThat(modulesOf)
        .allSatisfy((name, modules) -> assertThat(modules).as("package %s", name).hasSize(1));
  }

  /** Of the libraries of two backends nothing is there twice, nor what neither of them needs. */
  @Test
  void classPath_redisAndDynamoDb_haveOneNettyAndOneHttpClient() throws IOException {
    List<String> names = new ArrayList<>();
    for (Path jar : runtimeJars()) {
      names.add(jar.getFileName().toString());
    }
    assertThat(names)
        .anyMatch(name -> name.startsWith("lettuce-core-"))
        .anyMatch(name -> name.startsWith("apache5-client-"))
        .noneMatch(name -> name.startsWith("netty-nio-client-"))
        .noneMatch(name -> name.startsWith("apache-client-"))
        .noneMatch(name -> name.startsWith("url-connection-client-"))
        .noneMatch(name -> name.matches("httpc(lient|ore)-4.*"));
    assertThat(names)
        .filteredOn(name -> name.startsWith("netty-"))
        .extracting(name -> name.replaceAll("^[a-z-]+-(\\d.*)\\.jar$", "$1"))
        .isNotEmpty()
        .containsOnly(nettyVersion());
    assertThat(names).extracting(name -> name.replaceAll("-\\d.*", "")).doesNotHaveDuplicates();
  }

  @Test
  void classPath_redisAndDynamoDbOfOneApplication_bothWork() throws Exception {
    List<Path> jars = runtimeJars();
    urls.keySet()
        .retainAll(
            List.of(
                "io.taskstore.dynamodb.DynamoDbBackendProvider",
                "io.taskstore.redis.RedisBackendProvider"));
    jars.removeIf(
        jar ->
            jar.getFileName().toString().matches("taskstore-(backend-(file|memory)|example-).*"));
    assertThat(jars)
        .as("those of the two backends, and of core")
        .filteredOn(jar -> jar.getFileName().toString().startsWith("taskstore-"))
        .hasSize(3);
    jars.add(compile(List.of("-classpath", path(jars)), source("app/Program", PROGRAM)));

    List<String> lines = run(List.of("-classpath", path(jars), "app.Program"));

    assertThat(lines).allMatch(line -> line.endsWith(" completed Totals[files=3, bytes=5]"));
    assertThat(lines)
        .extracting(line -> line.substring(0, line.indexOf(' ')))
        .containsExactlyElementsOf(urls.keySet());
  }

  /** All that Maven puts onto the class path of a program with these backends. */
  private static List<Path> runtimeJars() throws IOException {
    assertThat(LIB).as("what the programs need%s", HINT).isDirectory();
    try (Stream<Path> files = Files.list(LIB)) {
      return new ArrayList<>(files.filter(file -> file.toString().endsWith(".jar")).toList());
    }
  }

  private static String nettyVersion() {
    return jarOf("io.netty.channel.Channel")
        .getFileName()
        .toString()
        .replaceAll("^netty-transport-(.*)\\.jar$", "$1");
  }

  private static ModuleDescriptor descriptor(Path jar) {
    return ModuleFinder.of(jar).findAll().iterator().next().descriptor();
  }
}
