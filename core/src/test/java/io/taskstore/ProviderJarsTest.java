// SPDX-License-Identifier: Apache-2.0
package io.taskstore;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.net.URL;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Enumeration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Providers from jars: two with one scheme, and such as are broken. */
class ProviderJarsTest {
  private static final String WRONG = "The configuration of the task store is wrong: ";
  private static final String SPI = "io.taskstore.spi.StorageBackendProvider";

  @TempDir private Path temp;
  private ProviderJars jars;
  private Path shelf;

  @BeforeEach
  void setUp() throws IOException {
    jars = new ProviderJars(temp);
    shelf = jars.provider("shelf.jar", "Shelf", "shelf");
  }

  private static void assertWrong(String url, String problem) {
    assertThatThrownBy(() -> TaskStores.open(url))
        .isInstanceOf(InvalidConfigurationException.class)
        .hasMessage(WRONG + problem);
  }

  @Test
  void open_schemeInTwoJars_namesBothJars() throws IOException {
    Path oak = jars.provider("oak.jar", "Oak", "vault");
    Path steel = jars.provider("steel.jar", "Steel", "vault");
    URL oakUrl = oak.toUri().toURL();
    URL steelUrl = steel.toUri().toURL();

    ProviderJars.with(
        List.of(steel, shelf, oak),
        () -> {
          assertWrong(
              "vault://host",
              "there is more than one backend for the scheme vault: com.example.Oak in "
                  + oakUrl
                  + " and com.example.Steel in "
                  + steelUrl
                  + "; remove one of them");
          TaskStores.open("shelf:").close();
        });
  }

  @Test
  void open_providerThatCannotBeMade_isToldOnlyToWhoMissesIt() throws IOException {
    Path ruin = jars.broken("ruin.jar", "Ruin", "ruin");

    ProviderJars.with(
        List.of(ruin, shelf),
        () -> {
          TaskStores.open("shelf:").close();
          assertWrong(
              "ruin:x",
              "there is no backend for the scheme ruin: there are shelf:; could not be loaded: "
                  + SPI
                  + ": Provider com.example.Ruin could not be instantiated"
                  + " (java.lang.IllegalStateException: no roof)");
        });
  }

  @Test
  void open_providerThatIsNotInItsJar_isToldOnlyToWhoMissesIt() throws IOException {
    Path attic = jars.empty("attic.jar", "Attic");

    ProviderJars.with(
        List.of(attic, shelf),
        () -> {
          TaskStores.open("shelf:").close();
          assertWrong(
              "attic:x",
              "there is no backend for the scheme attic: there are shelf:; could not be loaded: "
                  + SPI
                  + ": Provider com.example.Attic not found");
        });
  }

  @Test
  void open_severalBrokenProviders_areToldTogether() throws IOException {
    Path ruin = jars.broken("ruin.jar", "Ruin", "ruin");
    Path attic = jars.empty("attic.jar", "Attic");

    ProviderJars.with(
        List.of(ruin, attic),
        () ->
            assertWrong(
                "ruin:x",
                "there is no backend for the scheme ruin: there is none at all; add"
                    + " io.taskstore:taskstore-backend-file, for example; could not be loaded: "
                    + SPI
                    + ": Provider com.example.Attic not found; "
                    + SPI
                    + ": Provider com.example.Ruin could not be instantiated"
                    + " (java.lang.IllegalStateException: no roof)"));
  }

  @Test
  void open_providerThatCannotSayItsSchemes_isNamed() throws IOException {
    // Set.of refuses what is there twice
    Path mute = jars.provider("mute.jar", "Mute", "mute\", \"mute");

    ProviderJars.with(
        List.of(mute),
        () ->
            assertWrong(
                "mute:x",
                "there is no backend for the scheme mute: there is none at all; add"
                    + " io.taskstore:taskstore-backend-file, for example; could not be loaded: "
                    + SPI
                    + ": Provider com.example.Mute cannot say its schemes"
                    + " (java.lang.IllegalArgumentException: duplicate element: mute)"));
  }

  @Test
  void open_classPathCannotBeSearched_failsAndDoesNotHang() {
    ClassLoader loader =
        new ClassLoader(TaskStores.class.getClassLoader()) {
          @Override
          public Enumeration<URL> getResources(String name) throws IOException {
            throw new IOException("disk is gone");
          }
        };
    assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () -> {
          Thread.currentThread().setContextClassLoader(loader); // a thread of its own
          assertWrong(
              "vault:x",
              "there is no backend for the scheme vault: there is none at all; add"
                  + " io.taskstore:taskstore-backend-file, for example; could not be loaded: "
                  + SPI
                  + ": Error locating configuration files (java.io.IOException: disk is gone)");
        });
  }
}
