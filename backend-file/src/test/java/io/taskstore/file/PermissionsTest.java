// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.partition;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who may look at what the backend makes. */
final class PermissionsTest {
  @TempDir private Path temp;

  @Test
  void everything_umaskPermitsAll_isForItsOwnerOnly() throws Exception {
    assumeThat(FileLocksProcess.isOnPath("sh")).as("needs a POSIX shell").isTrue();
    Path root = temp.resolve("a/b/store");
    try (FileLocksProcess child =
        FileLocksProcess.start(
            List.of("sh", "-c", "umask 000; exec \"$@\"", "sh"),
            FileLocksProcess.classPath(),
            root)) {
      String one = partition();
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("put " + one + " a 0 v")).isEqualTo("written 1");
      assertThat(child.ask("put " + one + " b 0 v inactive")).isEqualTo("written 1");
      assertThat(child.ask("put " + one + " a 1 #5000")).isEqualTo("written 2");
      assertThat(child.ask("permissions")).isEqualTo("none");
      for (int version = 2; version < 12; version++) {
        assertThat(child.ask("put " + one + " a " + version + " #150000")).startsWith("written");
      }
      assertThat(child.ask("put " + one + " a 12 w inactive")).isEqualTo("written 13");
      assertThat(child.ask("purge 1000 10")).isEqualTo("purged 0");
      assertThat(child.ask("permissions")).isEqualTo("none");
      assertThat(child.ask("files"))
          .contains("format.json", "locks", "holders", "partition.json", "due/", ".tj");
    }
    assertThat(Files.getPosixFilePermissions(temp.resolve("a")))
        .as("a parent that was made")
        .isEqualTo(PosixFilePermissions.fromString("rwx------"));
  }
}
