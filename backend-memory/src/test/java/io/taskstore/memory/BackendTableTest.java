// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import io.taskstore.testservers.DynamoDbServer;
import io.taskstore.testservers.RedisServer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/**
 * The table of backends in the README is what the backends say of themselves. With {@code
 * -Dtaskstore.docs.write} it is written, not compared.
 */
final class BackendTableTest {
  private static final Path README = DocumentedCode.ROOT.resolve("README.md");
  private static final String BEGIN = "<!-- backends: written by a test, from the code -->\n";
  private static final String END = "<!-- end of backends -->\n";

  @TempDir private Path temp;

  @Test
  void readme_table_saysWhatTheBackendsSay() throws Exception {
    List<StorageBackendProvider> providers =
        ServiceLoader.load(StorageBackendProvider.class).stream()
            .map(ServiceLoader.Provider::get)
            .sorted(Comparator.comparing(StorageBackendProvider::example))
            .toList();
    assertThat(providers).as("the backends on the class path").hasSizeGreaterThan(1);
    StringBuilder table =
        new StringBuilder(
            """
            | Backend | URL | Artifact | Durable | Shared by processes | Purges by itself | Limit of active tasks | Largest task |
            |---|---|---|---|---|---|---|---|
            """);
    try (RedisServer redis = RedisServer.start();
        DynamoDbServer dynamoDb = DynamoDbServer.start()) {
      makeTable(dynamoDb);
      Map<String, String> locations =
          Map.of(
              "dynamodb",
              "//tasks",
              "file",
              temp.toString(),
              "memory",
              "",
              "redis",
              "//127.0.0.1:" + redis.port());
      Map<String, String> settings = Map.of("region", "eu-west-1", "endpoint", dynamoDb.endpoint());
      for (StorageBackendProvider provider : providers) {
        table.append(row(provider, locations, settings));
      }
    }
    String readme = Files.readString(README, StandardCharsets.UTF_8);
    int begin = readme.indexOf(BEGIN) + BEGIN.length();
    int end = readme.indexOf(END);
    assertThat(end).as("the mark behind the table").isGreaterThanOrEqualTo(begin);
    if (System.getProperty("taskstore.docs.write") != null) {
      readme = readme.substring(0, begin) + table + readme.substring(end);
      Files.writeString(README, readme);
      end = readme.indexOf(END);
    }

    assertThat(readme.substring(begin, end))
        .as("the table; to write it: -Dtaskstore.docs.write")
        .isEqualTo(table.toString());
  }

  private static void makeTable(DynamoDbServer server) {
    try (DynamoDbClient client =
        DynamoDbClient.builder()
            .endpointOverride(URI.create(server.endpoint()))
            .region(Region.EU_WEST_1)
            .build()) {
      DynamoDbTables.create(client, "tasks");
    }
  }

  private static String row(
      StorageBackendProvider provider, Map<String, String> locations, Map<String, String> settings)
      throws Exception {
    String scheme =
        provider.schemes().stream().filter(locations::containsKey).findFirst().orElseThrow();
    String location = locations.get(scheme);
    Map<Setting<?>, Object> values = new HashMap<>();
    for (Setting<?> setting : provider.settings()) {
      String text = settings.get(setting.name());
      if (text != null) {
        values.put(setting, setting.parse(text));
      }
    }
    try (StorageBackend backend =
        provider.open(new BackendConfiguration(scheme, location, values))) {
      BackendTraits traits = backend.traits();
      String page = "docs/backends/" + traits.name() + ".md";
      boolean hasPage = Files.exists(DocumentedCode.ROOT.resolve(page));
      boolean isSetting =
          provider.settings().stream().anyMatch(setting -> setting.name().equals("maxDataBytes"));
      return "| %s | `%s` | `taskstore-backend-%s` | %s | %s | %s | %s | %s |\n"
          .formatted(
              hasPage ? "[%s](%s)".formatted(traits.name(), page) : traits.name(),
              provider.example(),
              traits.name(),
              yes(traits.durable()),
              yes(traits.shared()),
              traits.purgesItself() ? "yes" : "no: the store's sweeper",
              countsExactly(backend) ? "exact" : "never more; fewer while creates race",
              size(traits.maxDataBytes()) + (isSetting ? ", a setting" : ""));
    }
  }

  private static String size(int bytes) {
    return bytes % (1 << 20) == 0
        ? (bytes >> 20) + " MiB"
        : String.format(Locale.ROOT, "%,d bytes", bytes);
  }

  private static String yes(boolean value) {
    return value ? "yes" : "no";
  }

  /** The default admits fewer under a race; one that is overridden is held to the exact limit. */
  private static boolean countsExactly(StorageBackend backend) throws NoSuchMethodException {
    return backend
            .getClass()
            .getMethod("createWithin", RecordKey.class, RecordValue.class, int.class, Instant.class)
            .getDeclaringClass()
        != StorageBackend.class;
  }
}
