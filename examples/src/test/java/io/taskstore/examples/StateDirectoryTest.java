// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StateDirectoryTest {
  @ParameterizedTest
  @CsvSource({
    "Linux, /u/me/.local/state/taskstore-digest",
    "FreeBSD, /u/me/.local/state/taskstore-digest",
    "Mac OS X, /u/me/Library/Application Support/taskstore-digest",
    "Windows 11, /u/me/.local/state/taskstore-digest",
  })
  void of_nothingSet_isInTheHome(String system, Path expected) {
    assertThat(StateDirectory.of(Map.<String, String>of()::get, system, "/u/me"))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({"Linux, /xdg", "Mac OS X, /xdg", "Windows 11, /xdg"})
  void of_xdgStateHome_isUsedEverywhere(String system, Path expected) {
    Map<String, String> environment = Map.of("XDG_STATE_HOME", "/xdg", "LOCALAPPDATA", "/local");

    assertThat(StateDirectory.of(environment::get, system, "/u/me"))
        .isEqualTo(expected.resolve("taskstore-digest"));
  }

  @ParameterizedTest
  @CsvSource({"''", "relative/path"})
  void of_xdgStateHomeNotAbsolute_isIgnored(String value) {
    assertThat(StateDirectory.of(Map.of("XDG_STATE_HOME", value)::get, "Linux", "/u/me"))
        .isEqualTo(Path.of("/u/me/.local/state/taskstore-digest"));
  }

  @ParameterizedTest
  @CsvSource({
    "Windows 11, /local/taskstore-digest",
    "Linux, /u/me/.local/state/taskstore-digest",
    "Mac OS X, /u/me/Library/Application Support/taskstore-digest",
  })
  void of_localAppData_isForWindows(String system, Path expected) {
    assertThat(StateDirectory.of(Map.of("LOCALAPPDATA", "/local")::get, system, "/u/me"))
        .isEqualTo(expected);
  }

  @Test
  void of_noHome_saysWhatToDo() {
    assertThatThrownBy(() -> StateDirectory.of(Map.<String, String>of()::get, "Linux", "?"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no home directory")
        .hasMessageContaining("--store file:");
  }
}
