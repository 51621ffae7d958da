// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.TaskStores;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/settings.md} is what the providers say. With {@code -Dtaskstore.docs.write} it is
 * written, not compared.
 */
final class SettingsReferenceTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "settings.md");

  @Test
  void settings_areThoseOfTheDocument() throws IOException {
    StringBuilder text = new StringBuilder();
    text.append(
        """
        # Settings

        Everything that can be set by text; [configuration.md](configuration.md) says how. This page is written from the code.

        ## Every store

        """);
    table(text, TaskStores.settings());
    List<StorageBackendProvider> providers =
        ServiceLoader.load(StorageBackendProvider.class).stream()
            .map(ServiceLoader.Provider::get)
            .sorted(Comparator.comparing(StorageBackendProvider::example))
            .toList();
    assertThat(providers).as("the backends on the class path").hasSizeGreaterThan(1);
    for (StorageBackendProvider provider : providers) {
      String schemes =
          String.join(" ", provider.schemes().stream().sorted().map(s -> s + ":").toList());
      text.append("\n## ").append(schemes).append("\n\n");
      text.append("For example `").append(provider.example()).append("`.\n\n");
      table(text, provider.settings());
    }
    if (System.getProperty("taskstore.docs.write") != null) {
      Files.writeString(DOCUMENT, text);
    }

    assertThat(DOCUMENT)
        .as("to write it: -Dtaskstore.docs.write")
        .usingCharset(StandardCharsets.UTF_8)
        .hasContent(text.toString());
  }

  private static void table(StringBuilder text, List<Setting<?>> settings) {
    text.append("| Setting | Is | Default | |\n|---|---|---|---|\n");
    for (Setting<?> setting : settings) {
      text.append(
          "| `%s` | %s | %s | %s |\n"
              .formatted(
                  setting.name(),
                  setting.type() + (setting.isSecret() ? "; secret" : ""),
                  setting.isRequired() ? "required" : byDefault(setting),
                  setting.description()));
    }
  }

  private static <T> String byDefault(Setting<T> setting) {
    return setting.defaultValue().map(value -> "`" + setting.show(value) + "`").orElse("");
  }
}
