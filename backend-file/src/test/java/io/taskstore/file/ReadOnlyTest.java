// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A directory that can be read and not written, and one that cannot be read either. */
final class ReadOnlyTest {
  private static final String NOBODY = "65534";

  @TempDir private Path temp;
  private final String partition = partition();

  private void assertReadsOnly(FileLocksProcess child) {
    assertThat(child.ask("get " + partition + " a")).isEqualTo("2 w");
    assertThat(child.ask("get " + partition + " done")).isEqualTo("1 v");
    assertThat(child.ask("get " + partition + " absent")).isEqualTo("absent");
    assertThat(child.ask("list " + partition)).isEqualTo("2");
    for (String write :
        new String[] {
          "put " + partition + " a 2 x",
          "put " + partition + " new 0 x",
          "create " + partition + " new 9 x",
          "delete " + partition + " a 2",
          "purge " + NOW.toEpochMilli() + " 9"
        }) {
      assertThat(child.ask(write))
          .as(write)
          .startsWith("StorageUnavailableException ")
          .doesNotContain("retryable")
          .contains("check its owner and permissions", "whether the medium can be written");
    }
    assertThat(child.ask("get " + partition + " a")).isEqualTo("2 w");
    assertThat(child.ask("list " + partition)).isEqualTo("2");
    assertThat(child.ask("close")).isEqualTo("closed");
  }

  private void write(FileLocksProcess child) {
    assertThat(child.ask("open 5000")).isEqualTo("opened");
    assertThat(child.ask("put " + partition + " a 0 v")).isEqualTo("written 1");
    assertThat(child.ask("put " + partition + " a 1 w")).isEqualTo("written 2");
    assertThat(child.ask("put " + partition + " done 0 v inactive")).isEqualTo("written 1");
    assertThat(child.ask("close")).isEqualTo("closed");
  }

  // --- a mount ------------------------------------------------------------------------------

  @Test
  void open_mediumIsReadOnly_readsAndRefusesToWrite() throws Exception {
    Path mount = Files.createDirectory(temp.resolve("mount"));
    try (FileLocksProcess child =
        FileLocksProcess.startOnMount(mount, "4m", mount.resolve("store"))) {
      write(child);
      assertThat(child.ask("run mount -o remount,ro " + mount)).isEqualTo("ok");
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertReadsOnly(child);
      assertThat(child.ask("run mount -o remount,rw " + mount)).isEqualTo("ok");
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("put " + partition + " a 2 x")).isEqualTo("written 3");
    }
  }

  @Test
  void open_nothingIsThereAndTheMediumIsReadOnly_isRefused() throws Exception {
    Path mount = Files.createDirectory(temp.resolve("mount"));
    try (FileLocksProcess child =
        FileLocksProcess.startOnMount(mount, "4m", mount.resolve("store"))) {
      assertThat(child.ask("run mount -o remount,ro " + mount)).isEqualTo("ok");
      assertThat(child.ask("open 5000"))
          .startsWith("StorageUnavailableException open: ")
          .contains(mount.resolve("store").toString(), "whether the medium can be written");
    }
  }

  // --- permissions --------------------------------------------------------------------------

  /** A process without the rights of root, over classes that it may read. */
  private FileLocksProcess powerless(Path root) throws IOException {
    boolean isRoot = System.getProperty("user.name").equals("root");
    List<String> prefix = new ArrayList<>();
    if (isRoot) {
      assumeThat(FileLocksProcess.isOnPath("setpriv"))
          .as("needs a user who is refused something: not root, or the program setpriv")
          .isTrue();
      prefix.addAll(
          List.of("setpriv", "--reuid=" + NOBODY, "--regid=" + NOBODY, "--clear-groups", "--"));
    }
    Files.setPosixFilePermissions(temp, PosixFilePermissions.fromString("rwxr-xr-x"));
    List<Path> places = new ArrayList<>();
    for (Path place : FileLocksProcess.classPlaces()) {
      Path copy = temp.resolve("classes-" + places.size() + ".jar");
      copyReadable(place, copy);
      places.add(copy);
    }
    return FileLocksProcess.start(
        prefix,
        places.stream().map(Path::toString).collect(Collectors.joining(File.pathSeparator)),
        root);
  }

  private static void copyReadable(Path from, Path to) throws IOException {
    try (Stream<Path> paths = Files.walk(from)) {
      for (Path path : paths.toList()) {
        Path copy = to.resolve(from.relativize(path).toString());
        boolean isDirectory = Files.isDirectory(path);
        if (isDirectory) {
          Files.createDirectories(copy);
        } else {
          Files.copy(path, copy, StandardCopyOption.REPLACE_EXISTING);
        }
        Files.setPosixFilePermissions(
            copy, PosixFilePermissions.fromString(isDirectory ? "rwxr-xr-x" : "r--r--r--"));
      }
    }
  }

  private static void permit(Path root, String directories, String files) throws IOException {
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.setPosixFilePermissions(
            path, PosixFilePermissions.fromString(Files.isDirectory(path) ? directories : files));
      }
    }
  }

  @Test
  void open_userMayNotWrite_readsAndRefusesToWrite() throws Exception {
    Path root = temp.resolve("store");
    try (FileLocksProcess owner = FileLocksProcess.start(root)) {
      write(owner);
    }
    try (FileLocksProcess child = powerless(root)) {
      permit(root, "r-xr-xr-x", "r--r--r--");
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertReadsOnly(child);
    } finally {
      permit(root, "rwx------", "rw-------");
    }
  }

  @Test
  void open_userMayNotRead_isRefusedAndSaysWhatToDo() throws Exception {
    Path root = temp.resolve("store");
    try (FileLocksProcess owner = FileLocksProcess.start(root)) {
      write(owner);
    }
    try (FileLocksProcess child = powerless(root)) {
      permit(root, "rwx------", "rw-------");
      Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("---------"));
      assertThat(child.ask("open 5000"))
          .startsWith("StorageUnavailableException open: ")
          .contains("permission denied", "check the owner and permissions");
    } finally {
      Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwx------"));
    }
  }

  @Test
  void putIfVersion_permissionIsTakenAway_failsAndSaysWhatToDo() throws Exception {
    Path root = temp.resolve("place/store");
    try (FileLocksProcess child = powerless(root)) {
      Files.createDirectory(root.getParent());
      Files.setPosixFilePermissions(root.getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
      assertThat(child.ask("open 5000")).isEqualTo("opened");
      assertThat(child.ask("put " + partition + " a 0 v")).isEqualTo("written 1");
      Path active = new PartitionFiles(new FileAccess(false), root.resolve("p"), partition).active;
      Path file = active.resolve(PartitionFiles.fileName("a"));
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("r--------"));
      Files.setPosixFilePermissions(active, PosixFilePermissions.fromString("r-x------"));
      for (String write :
          new String[] {
            "put " + partition + " a 1 x",
            "put " + partition + " new 0 x",
            "create " + partition + " new 9 x",
            "delete " + partition + " a 1"
          }) {
        assertThat(child.ask(write))
            .as(write)
            .startsWith("StorageUnavailableException ")
            .doesNotContain("retryable")
            .contains("permission denied", "check the owner and permissions");
      }
      assertThat(child.ask("get " + partition + " a")).isEqualTo("1 v");
      Files.setPosixFilePermissions(active, PosixFilePermissions.fromString("rwx------"));
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
      assertThat(child.ask("put " + partition + " a 1 x")).isEqualTo("written 2");
      assertThat(FileLocksValues.temporaries(root)).isEmpty();
    }
  }
}
