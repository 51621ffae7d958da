// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every mistake that a configuration can have, with all that is said about it. */
class TaskStoresTest {
  private static final Setting<Duration> TIMEOUT =
      Setting.duration(
              "timeout", Duration.ofMillis(1), Duration.ofMinutes(1), "How long a call may take.")
          .byDefault(Duration.ofSeconds(2));
  private static final Setting<String> USER = Setting.text("user", "Who may come in.").required();
  private static final Setting<String> PASSWORD =
      Setting.text("password", "What to say to come in.").required().secret();

  private static final String VALID_NAMES =
      "allowLocalOwner, allowUnlimitedTtl, cacheMaxAge, cacheMaxBytes, clockSkewAllowance,"
          + " defaultPollInterval, defaultTtl, keepResultFor, lease, maxActiveTasks, maxDepth,"
          + " maxErrorDataBytes, maxInputBytes, maxMessageBytes, maxNameBytes, maxParamsBytes,"
          + " maxResultBytes, maxStringBytes, maxTtl, maxUpdateAttempts, maxVariables,"
          + " maxVariablesBytes, operationTimeout, password, progressInterval, sweepInterval,"
          + " timeout, user";

  @TempDir private Path temp;

  /** Opens what it is told. */
  static class Provider implements StorageBackendProvider {
    private final String scheme;
    private final List<Setting<?>> settings;

    Provider(String scheme, Setting<?>... settings) {
      this.scheme = scheme;
      this.settings = List.of(settings);
    }

    @Override
    public Set<String> schemes() {
      return Set.of(scheme);
    }

    @Override
    public String example() {
      return scheme + "://example";
    }

    @Override
    public List<Setting<?>> settings() {
      return settings;
    }

    @Override
    public StorageBackend open(BackendConfiguration configuration) {
      return new MapBackend();
    }
  }

  private static final Provider VAULT = new Provider("vault", TIMEOUT, USER, PASSWORD);

  private static ResolvedConfiguration resolve(
      TaskStoreConfiguration configuration, StorageBackendProvider... providers) {
    return ResolvedConfiguration.of(
        configuration.entries(), new BackendProviders(List.of(providers), List.of()));
  }

  private static ResolvedConfiguration resolve(Map<String, String> settings) {
    return resolve(TaskStoreConfiguration.ofMap(settings), VAULT);
  }

  private static Map<String, String> valid() {
    return new HashMap<>(Map.of("url", "vault://host", "user", "alice", "password", "open"));
  }

  private static Map<String, String> valid(String name, String value) {
    Map<String, String> settings = valid();
    settings.put(name, value);
    return settings;
  }

  private static List<String> problems(
      TaskStoreConfiguration configuration, StorageBackendProvider... providers) {
    InvalidConfigurationException e =
        catchThrowableOfType(
            InvalidConfigurationException.class, () -> resolve(configuration, providers));
    assertThat(e).as("what is wrong").isNotNull();
    return e.problems();
  }

  private static List<String> problems(Map<String, String> settings) {
    return problems(TaskStoreConfiguration.ofMap(settings), VAULT);
  }

  // --- what is right ------------------------------------------------------------------------

  @Test
  void resolve_everySource_isUnderstoodAlike() throws IOException {
    Properties properties = new Properties();
    properties.setProperty("taskstore.url", "vault:x");
    properties.setProperty("taskstore.user", "alice");
    properties.setProperty("taskstore.password", "open");
    properties.setProperty("taskstore.timeout", "5s");
    properties.setProperty("taskstore.maxActiveTasks", "7");
    properties.setProperty("other.timeout", "not ours");
    Path file = temp.resolve("tasks.properties");
    Files.writeString(
        file,
        """
        # é
        taskstore.url=vault:x
        taskstore.user=alice
        taskstore.password=open
        taskstore.timeout=5s
        taskstore.maxActiveTasks=7
        name=not ours
        """);
    for (TaskStoreConfiguration configuration :
        List.of(
            TaskStoreConfiguration.ofUrl(
                "VAULT:x?user=al%69ce&password=open&timeout=5s&maxActiveTasks=7&"),
            TaskStoreConfiguration.ofMap(
                Map.of(
                    "url", "vault:x?timeout=5s",
                    "user", "alice",
                    "password", "open",
                    "maxActiveTasks", "7")),
            TaskStoreConfiguration.ofProperties(properties),
            TaskStoreConfiguration.ofFile(file),
            TaskStoreConfiguration.ofEnvironment(
                Map.of(
                    "TASKSTORE_URL", "vault:x",
                    "TASKSTORE_USER", "alice",
                    "TASKSTORE_PASSWORD", "open",
                    "TASKSTORE_TIMEOUT", "5s",
                    "TASKSTORE_MAX_ACTIVE_TASKS", "7",
                    "PATH", "/bin")))) {
      ResolvedConfiguration resolved = resolve(configuration, VAULT, new Provider("other"));

      assertThat(resolved.provider()).isSameAs(VAULT);
      assertThat(resolved.backend().scheme()).isEqualTo("vault");
      assertThat(resolved.backend().location()).isEqualTo("x");
      assertThat(resolved.backend().get(USER)).isEqualTo("alice");
      assertThat(resolved.backend().get(PASSWORD)).isEqualTo("open");
      assertThat(resolved.backend().get(TIMEOUT)).isEqualTo(Duration.ofSeconds(5));
      assertThat(resolved.options()).hasSize(1).containsValue(7);
    }
  }

  @Test
  void overriddenBy_laterSettingsCount_andSecretsAreOneSettingWithTheirFiles() throws IOException {
    Path secret = Files.writeString(temp.resolve("secret"), "from a file\r\n");
    TaskStoreConfiguration file = TaskStoreConfiguration.ofMap(valid("timeout", "5s"));
    TaskStoreConfiguration environment =
        TaskStoreConfiguration.ofEnvironment(
            Map.of("TASKSTORE_PASSWORD_FILE", secret.toString(), "TASKSTORE_TIMEOUT", "6s"));

    ResolvedConfiguration resolved = resolve(file.overriddenBy(environment), VAULT);
    ResolvedConfiguration reverse = resolve(environment.overriddenBy(file), VAULT);

    assertThat(resolved.backend().get(PASSWORD)).isEqualTo("from a file");
    assertThat(resolved.backend().get(TIMEOUT)).isEqualTo(Duration.ofSeconds(6));
    assertThat(resolved.backend().get(USER)).isEqualTo("alice");
    assertThat(reverse.backend().get(PASSWORD)).isEqualTo("open");
    assertThat(reverse.backend().get(TIMEOUT)).isEqualTo(Duration.ofSeconds(5));
  }

  @Test
  void overriddenBy_queryOfTheUrl_countsAsTheConfigurationThatHasTheUrl() throws IOException {
    Path secret = Files.writeString(temp.resolve("secret"), "from a file");
    TaskStoreConfiguration plain =
        TaskStoreConfiguration.ofMap(
            Map.of("timeout", "5s", "user", "bob", "passwordFile", secret.toString()));
    TaskStoreConfiguration url =
        TaskStoreConfiguration.ofUrl("vault:x?user=alice&password=open&timeout=7s");

    ResolvedConfiguration overridden = resolve(plain.overriddenBy(url), VAULT);
    ResolvedConfiguration overriding = resolve(url.overriddenBy(plain), VAULT);
    ResolvedConfiguration between =
        resolve(
            plain
                .overriddenBy(url)
                .overriddenBy(TaskStoreConfiguration.ofMap(Map.of("timeout", "9s"))),
            VAULT);
    ResolvedConfiguration another =
        resolve(
            url.overriddenBy(TaskStoreConfiguration.ofUrl("vault:y?user=eve&password=p")), VAULT);

    assertThat(overridden.backend().get(USER)).isEqualTo("alice");
    assertThat(overridden.backend().get(PASSWORD)).isEqualTo("open");
    assertThat(overridden.backend().get(TIMEOUT)).isEqualTo(Duration.ofSeconds(7));
    assertThat(overriding.backend().get(USER)).isEqualTo("bob");
    assertThat(overriding.backend().get(PASSWORD)).isEqualTo("from a file");
    assertThat(overriding.backend().get(TIMEOUT)).isEqualTo(Duration.ofSeconds(5));
    assertThat(between.backend().get(USER)).isEqualTo("alice");
    assertThat(between.backend().get(TIMEOUT)).isEqualTo(Duration.ofSeconds(9));
    assertThat(another.backend().get(TIMEOUT))
        .as("what goes with the url")
        .isEqualTo(TIMEOUT.defaultValue().orElseThrow());
  }

  @Test
  void resolve_urlInAFile_isRead() throws IOException {
    Path file = Files.writeString(temp.resolve("url"), "vault://u:p@host?user=alice\n");

    ResolvedConfiguration resolved =
        resolve(
            TaskStoreConfiguration.ofMap(Map.of("urlFile", file.toString(), "password", "open")),
            VAULT);

    assertThat(resolved.backend().location()).isEqualTo("//u:p@host");
  }

  @Test
  void apply_everySettingOfTheStore_reachesTheBuilder() {
    Map<Setting<?>, Object> values = new HashMap<>();
    for (Setting<?> setting : StoreSettings.all()) {
      setting.defaultValue().ifPresent(value -> values.put(setting, value));
    }
    GenericTaskStore.Builder builder = GenericTaskStore.builder(new MapBackend());

    StoreSettings.apply(values, builder);

    builder.build().close();
    assertThat(StoreSettings.all()).as("and none is set by default that is not there").hasSize(25);
  }

  // --- the url ------------------------------------------------------------------------------

  @Test
  void resolve_noUrl_saysHowToSetIt() {
    assertThat(problems(TaskStoreConfiguration.ofMap(Map.of()), VAULT))
        .containsExactly(
            "no url is set, which says where the tasks are kept: set url (as an environment"
                + " variable TASKSTORE_URL, as a property taskstore.url), for example to"
                + " vault://example");
    assertThat(problems(TaskStoreConfiguration.ofMap(Map.of())))
        .singleElement()
        .asString()
        .endsWith("for example to file:/var/lib/tasks");
  }

  @Test
  void resolve_urlWithoutScheme_saysSo() {
    for (String url : new String[] {"/var/lib/tasks", "", "localhost", "1x:y", ":x"}) {
      assertThat(problems(TaskStoreConfiguration.ofUrl(url), VAULT))
          .containsExactly(
              "the url has no scheme, which says what kind of backend it is; an example is"
                  + " vault://example");
    }
  }

  @Test
  void resolve_schemeOfABackendThatIsNotThere_namesItsArtifact() {
    assertThat(problems(TaskStoreConfiguration.ofUrl("redis://localhost"), VAULT))
        .containsExactly(
            "there is no backend for the scheme redis: add"
                + " io.taskstore:taskstore-backend-redis; there are vault:");
    assertThat(problems(TaskStoreConfiguration.ofUrl("dynamodb://tasks"), VAULT))
        .containsExactly(
            "there is no backend for the scheme dynamodb: add"
                + " io.taskstore:taskstore-backend-dynamodb; there are vault:");
    assertThat(problems(TaskStoreConfiguration.ofUrl("file:/x")))
        .containsExactly(
            "there is no backend for the scheme file: add io.taskstore:taskstore-backend-file;"
                + " there is no other");
  }

  @Test
  void resolve_schemeThatNobodyKnows_listsWhatThereIs() {
    assertThat(problems(TaskStoreConfiguration.ofUrl("valut:x"), VAULT, new Provider("attic")))
        .containsExactly(
            "there is no backend for the scheme valut: there are attic:, vault:; did you mean"
                + " vault:");
    assertThat(problems(TaskStoreConfiguration.ofUrl("cupboard:x"), VAULT))
        .containsExactly("there is no backend for the scheme cupboard: there are vault:");
    assertThat(problems(TaskStoreConfiguration.ofUrl("cupboard:x")))
        .containsExactly(
            "there is no backend for the scheme cupboard: there is none at all; add"
                + " io.taskstore:taskstore-backend-file, for example");
  }

  @Test
  void resolve_query_isDecodedOrRefused() {
    Map<String, String> settings = valid();
    settings.remove("user");
    settings.put("url", "vault:a%20b?user=J%C3%BCrgen%26+Co");
    ResolvedConfiguration resolved = resolve(settings);
    assertThat(resolved.backend().location()).as("as it was written").isEqualTo("a%20b");
    assertThat(resolved.backend().get(USER)).isEqualTo("Jürgen&+Co");

    for (String bad : new String[] {"%", "100%", "%4", "%zz", "%ff", "%C3"}) {
      settings.put("url", "vault:x?user=" + bad);
      assertThat(problems(settings))
          .first()
          .isEqualTo(
              "the query of the url has a % that is not followed by two hexadecimal digits, or"
                  + " what they stand for is not UTF-8; write %25 for a % itself");
    }
  }

  // --- settings -----------------------------------------------------------------------------

  @Test
  void resolve_unknownSetting_namesTheNearestAndAll() {
    assertThat(problems(valid("timeuot", "1s")))
        .containsExactly(
            "there is no setting timeuot; did you mean timeout? There are " + VALID_NAMES);
    assertThat(problems(valid("colour", "red")))
        .containsExactly("there is no setting colour. There are " + VALID_NAMES);
    assertThat(problems(valid("userFile", "x")))
        .as("only secrets come from files")
        .containsExactly("there is no setting userFile. There are " + VALID_NAMES);
  }

  @Test
  void resolve_unknownSetting_isNamedAsItsWriterDoes() {
    Map<String, String> variables =
        Map.of(
            "TASKSTORE_URL", "vault:x?user=alice&password=open",
            "TASKSTORE_MAX_ACTIVE_TASK", "7");
    assertThat(problems(TaskStoreConfiguration.ofEnvironment(variables), VAULT))
        .singleElement()
        .asString()
        .startsWith(
            "there is no setting TASKSTORE_MAX_ACTIVE_TASK; did you mean"
                + " TASKSTORE_MAX_ACTIVE_TASKS? There are TASKSTORE_ALLOW_LOCAL_OWNER,"
                + " TASKSTORE_ALLOW_UNLIMITED_TTL, ");
    Properties properties = new Properties();
    properties.setProperty("taskstore.url", "vault:x?user=alice&password=open");
    properties.setProperty("taskstore.Lease", "7s");
    assertThat(problems(TaskStoreConfiguration.ofProperties(properties), VAULT))
        .singleElement()
        .asString()
        .startsWith(
            "there is no setting taskstore.Lease; did you mean taskstore.lease? There are"
                + " taskstore.allowLocalOwner, ");
  }

  @Test
  void resolve_malformedSetting_namesItAndItsType() {
    assertThat(problems(valid("timeout", "soon")))
        .containsExactly(
            "timeout must be a duration from 1ms to 1m, for example 1m30s, not \"soon\"");
    assertThat(problems(valid("maxActiveTasks", "0")))
        .containsExactly("maxActiveTasks must be a whole number from 1 to 1000000, not \"0\"");
    assertThat(problems(valid("maxParamsBytes", "1G")))
        .containsExactly(
            "maxParamsBytes must be a size from 1 to 64MiB, for example 64KiB, not \"1G\"");
    assertThat(problems(valid("allowLocalOwner", "maybe")))
        .containsExactly("allowLocalOwner must be true or false, not \"maybe\"");
    Map<String, String> variables =
        Map.of("TASKSTORE_URL", "vault:x?user=alice&password=open", "TASKSTORE_LEASE", "-1s");
    assertThat(problems(TaskStoreConfiguration.ofEnvironment(variables), VAULT))
        .containsExactly(
            "TASKSTORE_LEASE: lease must be a duration from 1ms to 1d, for example 1m30s, not"
                + " \"-1s\"");
  }

  @Test
  void resolve_missingSetting_saysWhatItIsAndHowToSetIt() {
    assertThat(problems(Map.of("url", "vault:x")))
        .containsExactly(
            "password is missing: a text. What to say to come in. Set password or passwordFile, as"
                + " an environment variable TASKSTORE_PASSWORD",
            "user is missing: a text. Who may come in. Set user, as an environment variable"
                + " TASKSTORE_USER");
  }

  @Test
  void resolve_settingTwice_isNotAGuess() throws IOException {
    assertThat(problems(valid("url", "vault:x?timeout=1s&timeout=2s")))
        .containsExactly(
            "timeout is set in the query of the url and once more; remove one of them");
    assertThat(problems(valid("url", "vault:x?user=bob")))
        .containsExactly("user is set in the query of the url and once more; remove one of them");
    Path file = Files.writeString(temp.resolve("f"), "vault:x");
    assertThat(problems(valid("passwordFile", file.toString())))
        .containsExactly("password and passwordFile are both set; remove one");
    assertThat(problems(valid("urlFile", file.toString())))
        .containsExactly("url and urlFile are both set; remove one");
  }

  @Test
  void resolve_fileOfASecretCannotBeRead_saysWhyAndNotWhere() throws IOException {
    Map<String, String> settings = valid("passwordFile", temp.resolve("nowhere").toString());
    settings.remove("password");
    assertThat(problems(settings))
        .containsExactly("the file of passwordFile cannot be read (NoSuchFileException)");
    settings.put("passwordFile", Files.write(temp.resolve("large"), new byte[70_000]).toString());
    assertThat(problems(settings))
        .containsExactly("the file of passwordFile is too large for a secret");
    assertThatThrownBy(() -> TaskStoreConfiguration.ofFile(temp.resolve("nowhere")))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong: the file "
                + temp.resolve("nowhere")
                + " cannot be read (NoSuchFileException)");
  }

  @Test
  void resolve_settingsThatExcludeEachOther_areNamed() {
    Map<String, String> settings = valid("allowUnlimitedTtl", "true");
    settings.put("maxTtl", "2d");
    assertThat(problems(settings))
        .containsExactly("allowUnlimitedTtl is true and maxTtl is set; choose one of them");
    assertThat(problems(valid("defaultTtl", "25h")))
        .containsExactly("defaultTtl is longer than maxTtl, which is 1d");
    assertThat(problems(valid("maxTtl", "59m")))
        .containsExactly("maxTtl is shorter than defaultTtl, which is 1h");
    settings = valid("maxTtl", "2h");
    settings.put("defaultTtl", "3h");
    assertThat(problems(settings)).containsExactly("defaultTtl is longer than maxTtl");
    settings = valid("cacheMaxAge", "3s");
    settings.put("cacheMaxBytes", "0");
    assertThat(problems(settings))
        .containsExactly("cacheMaxAge is set and cacheMaxBytes is 0, with which there is no cache");
    settings = valid("allowUnlimitedTtl", "true");
    settings.put("defaultTtl", "30d");
    assertThat(resolve(settings).options()).hasSize(2);
  }

  @Test
  void resolve_providerWithATakenName_isItsAuthorsFault() {
    Provider greedy = new Provider("vault", Setting.flag("lease", "Ours."));
    assertThat(problems(TaskStoreConfiguration.ofUrl("vault:x"), greedy))
        .containsExactly(
            "the backend io.taskstore.TaskStoresTest$Provider has a setting lease of a name that is"
                + " taken; ask its author to mend it");
  }

  @Test
  void resolve_severalMistakes_areToldAtOnce() {
    assertThatThrownBy(
            () ->
                resolve(
                    Map.of(
                        "url", "vault:x?timeout=never",
                        "user", "alice",
                        "maxDepth", "1000",
                        "sweepIntervall", "1m")))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong in 4 places:\n"
                + "- maxDepth must be a whole number from 1 to 100, not \"1000\"\n"
                + "- there is no setting sweepIntervall; did you mean sweepInterval? There are "
                + VALID_NAMES
                + "\n"
                + "- timeout must be a duration from 1ms to 1m, for example 1m30s, not \"never\"\n"
                + "- password is missing: a text. What to say to come in. Set password or"
                + " passwordFile, as an environment variable TASKSTORE_PASSWORD");
  }

  // --- secrets ------------------------------------------------------------------------------

  @Test
  void secrets_areInNoMessageAndNoText() throws IOException {
    String secret = "hunter2";
    Path file = Files.writeString(temp.resolve("secret"), secret);
    List<String> said = new ArrayList<>();
    Setting<Integer> pin = Setting.count("pin", 1, 9, "A secret number.").secret();
    Provider provider = new Provider("vault", PASSWORD, pin);
    List<TaskStoreConfiguration> all =
        List.of(
            TaskStoreConfiguration.ofUrl("vault://u:" + secret + "@host?password=" + secret),
            TaskStoreConfiguration.ofUrl("vault:x?password=" + secret + "&pin=" + secret),
            TaskStoreConfiguration.ofUrl("vault:x?password=" + secret + "%"),
            TaskStoreConfiguration.ofUrl("redis://u:" + secret + "@host?password=" + secret),
            TaskStoreConfiguration.ofUrl("//u:" + secret + "@host"),
            TaskStoreConfiguration.ofMap(
                Map.of("url", "vault:x", "password", secret, "pasword", secret)),
            TaskStoreConfiguration.ofMap(
                Map.of("url", "vault:x?password=" + secret, "passwordFile", file.toString())),
            TaskStoreConfiguration.ofEnvironment(
                Map.of(
                    "TASKSTORE_URL", "vault:x",
                    "TASKSTORE_PASSWORD_FILE", file.toString(),
                    "TASKSTORE_PIN_FILE", file.toString())));
    for (TaskStoreConfiguration configuration : all) {
      said.add(configuration.toString());
      said.add(configuration.overriddenBy(configuration).toString());
      try {
        ResolvedConfiguration resolved = resolve(configuration, provider);
        said.add(resolved + " " + resolved.backend() + " " + resolved.options());
      } catch (InvalidConfigurationException e) {
        for (Throwable t = e; t != null; t = t.getCause()) {
          said.add(t.toString());
        }
      }
    }

    assertThat(said).hasSize(3 * all.size());
    assertThat(said).noneMatch(text -> text.contains(secret));
  }

  // --- opening ------------------------------------------------------------------------------

  @Test
  void close_closesTheBackendOfAStoreThatWasOpenedByConfiguration() {
    AtomicInteger closed = new AtomicInteger();
    StorageBackend backend =
        new ForwardingBackend(new MapBackend()) {
          @Override
          public void close() {
            closed.incrementAndGet();
          }
        };

    GenericTaskStore.builder(backend).build().close();
    assertThat(closed).as("the backend is its owner's").hasValue(0);

    GenericTaskStore store = GenericTaskStore.builder(backend).closingBackend().build();
    store.close();
    store.close();
    assertThat(closed).hasValue(1);
  }

  /** A store as it is opened with these settings, with what it purges at. */
  private static GenericTaskStore opened(
      Map<String, String> settings, VirtualScheduler scheduler, List<Instant> purges) {
    StorageBackend backend =
        new ForwardingBackend(new MapBackend()) {
          @Override
          public int purgeExpired(Instant now, int limit) {
            purges.add(now);
            return 0;
          }
        };
    GenericTaskStore.Builder builder = GenericTaskStore.builder(backend).scheduler(scheduler);
    StoreSettings.apply(resolve(settings).options(), builder);
    return builder.build();
  }

  @Test
  void apply_nothingSet_sweepsEveryMinuteAndCaches() {
    VirtualScheduler scheduler = new VirtualScheduler(new VirtualTiming());
    List<Instant> purges = new ArrayList<>();
    try (GenericTaskStore store = opened(valid(), scheduler, purges)) {
      scheduler.advance(Duration.ofSeconds(67));
      assertThat(purges).hasSize(1);
      assertThat(store.cacheStatistics()).isPresent();
    }
  }

  @Test
  void apply_zero_sweepsAndCachesNothing() {
    VirtualScheduler scheduler = new VirtualScheduler(new VirtualTiming());
    List<Instant> purges = new ArrayList<>();
    Map<String, String> settings = valid("sweepInterval", "0");
    settings.put("cacheMaxBytes", "0");
    try (GenericTaskStore store = opened(settings, scheduler, purges)) {
      scheduler.advance(Duration.ofDays(1));
      assertThat(purges).isEmpty();
      assertThat(store.cacheStatistics()).isEmpty();
    }
  }

  @Test
  void open_nothingOnTheClassPath_saysWhatToAdd() {
    assertThatThrownBy(() -> TaskStores.open("memory:"))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(
            "The configuration of the task store is wrong: there is no backend for the scheme"
                + " memory: add io.taskstore:taskstore-backend-memory; there is no other");
  }

  // --- spelling -----------------------------------------------------------------------------

  @Test
  void nearest_words_areThoseOneMightHaveMeant() {
    List<String> words = List.of("timeout", "lease", "maxTtl", "defaultTtl");
    assertThat(Spelling.nearest("timeuot", words)).isEqualTo("timeout");
    assertThat(Spelling.nearest("TIMEOUT", words)).isEqualTo("timeout");
    assertThat(Spelling.nearest("timeOuts", words)).isEqualTo("timeout");
    assertThat(Spelling.nearest("maxttl", words)).isEqualTo("maxTtl");
    assertThat(Spelling.nearest("colour", words)).isNull();
    assertThat(Spelling.nearest("x", words)).isNull();
    assertThat(Spelling.nearest("", words)).isNull();
    assertThat(Spelling.distance("ca", "abc")).isEqualTo(3);
    assertThat(Spelling.distance("abcd", "bacd")).isEqualTo(1);
  }
}
