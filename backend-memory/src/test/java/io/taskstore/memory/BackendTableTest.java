// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.BackendTraits;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The table of backends in the README says what the backends say of themselves. */
final class BackendTableTest {
  private static final String ARTIFACT = "`taskstore-backend-";

  @TempDir private Path temp;

  /** The cells of the rows, from the artifact on. */
  private static List<List<String>> rows() throws IOException {
    List<List<String>> rows = new ArrayList<>();
    for (String line :
        Files.readAllLines(DocumentedCode.ROOT.resolve("README.md"), StandardCharsets.UTF_8)) {
      if (line.startsWith("|") && line.contains("| " + ARTIFACT)) {
        List<String> cells = new ArrayList<>();
        for (String cell : line.split("\\|", -1)) {
          cells.add(cell.strip());
        }
        rows.add(cells.subList(2, cells.size()));
      }
    }
    return rows;
  }

  @Test
  void readme_rows_sayWhatTheTraitsSay() throws IOException {
    List<List<String>> rows = rows();
    int providers = 0;
    for (StorageBackendProvider provider : ServiceLoader.load(StorageBackendProvider.class)) {
      providers++;
      String scheme = provider.schemes().iterator().next();
      String location = scheme.equals("file") ? temp.toString() : "";
      BackendTraits traits;
      try (StorageBackend backend =
          provider.open(new BackendConfiguration(scheme, location, Map.of()))) {
        traits = backend.traits();
      }
      List<String> row =
          rows.stream()
              .filter(cells -> cells.get(0).equals(ARTIFACT + traits.name() + "`"))
              .findFirst()
              .orElseThrow();
      assertThat(row.get(1)).as("durable").isEqualTo(traits.durable() ? "yes" : "no");
      assertThat(row.get(2).equals("no")).as("shared: no").isEqualTo(!traits.shared());
      assertThat(row.get(3))
          .as("purges by itself")
          .startsWith(traits.purgesItself() ? "yes" : "no");
      assertThat(row.get(5)).as("largest task").startsWith((traits.maxDataBytes() >> 20) + " MiB");
    }
    assertThat(rows).as("one for each backend").hasSize(providers);
  }
}
