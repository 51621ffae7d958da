// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static io.taskstore.file.FileLocksValues.NOW;
import static io.taskstore.file.FileLocksValues.partition;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A disk that is really full: a small file system in memory, which only a child process sees.
 * Without the right to mount one, these tests are skipped; the contract has a disk that pretends.
 */
final class DiskFullTest {
  @TempDir private Path temp;
  private FileLocksProcess child;
  private final String one = partition();

  @BeforeEach
  void mount() throws IOException {
    Path mount = Files.createDirectory(temp.resolve("mount"));
    child = FileLocksProcess.startOnMount(mount, "6m", mount.resolve("store"));
    assertThat(child.ask("open 5000")).isEqualTo("opened");
    assertThat(child.ask("put " + one + " a 0 v")).isEqualTo("written 1");
  }

  @AfterEach
  void end() {
    if (child != null) {
      child.close();
    }
  }

  private void fill() {
    assertThat(child.ask("fill")).contains("No space left");
  }

  private List<String> filesWithoutHints() {
    List<String> files = new ArrayList<>(List.of(child.ask("files").split(" ", -1)));
    files.removeIf(file -> file.startsWith("due/"));
    return files;
  }

  private void assertRefused(String write) {
    assertThat(child.ask(write))
        .as(write)
        .startsWith("CapacityExceededException ")
        .contains("no room left", "nothing was written; make room");
  }

  @Test
  void everyWrite_diskIsFull_isRefusedAndWorksWhenThereIsRoom() {
    assertThat(child.ask("put " + one + " done 0 v inactive")).isEqualTo("written 1");
    for (int version = 0; version < 8; version++) {
      assertThat(child.ask("put " + one + " compacts " + version + " #150000"))
          .isEqualTo("written " + (version + 1));
    }
    fill();
    List<String> files = filesWithoutHints();

    String grows = "put " + one + " a 1 #20000";
    String appears = "put " + one + " new 0 #9000";
    String isCreated = "create " + one + " within 9 #9000";
    String compacts = "put " + one + " compacts 8 #150000";
    String isFirst = "put " + partition() + " a 0 #9000";
    List<String> writes = List.of(grows, appears, isCreated, compacts, isFirst);
    for (String write : writes) {
      assertRefused(write);
      assertRefused(write); // nothing of the first attempt is in the way
    }

    assertThat(filesWithoutHints()).isEqualTo(files);
    assertThat(child.ask("get " + one + " a")).isEqualTo("1 v");
    assertThat(child.ask("get " + one + " compacts")).startsWith("8 xxx");
    assertThat(child.ask("get " + one + " new")).isEqualTo("absent");
    assertThat(child.ask("list " + one)).isEqualTo("3");

    assertThat(child.ask("unfill")).isEqualTo("true");
    assertThat(child.ask(grows)).isEqualTo("written 2");
    assertThat(child.ask(appears)).isEqualTo("written 1");
    assertThat(child.ask(isCreated)).isEqualTo("created");
    assertThat(child.ask(compacts)).isEqualTo("written 9");
    assertThat(child.ask(isFirst)).isEqualTo("written 1");
  }

  @Test
  void update_fitsIntoTheRoomOfTheFile_worksOnAFullDisk() {
    fill();
    assertThat(child.ask("put " + one + " a 1 w")).isEqualTo("written 2");
    assertThat(child.ask("put " + one + " a 2 x inactive"))
        .as("with an expiry, whose hint may need room")
        .matches("written 3|CapacityExceededException .*");
  }

  @Test
  void makingRoom_diskIsFull_works() {
    for (int i = 0; i < 40; i++) {
      assertThat(child.ask("put " + one + " due-" + i + " 0 #5000 inactive"))
          .isEqualTo("written 1");
    }
    fill();
    assertRefused("put " + one + " new 0 #9000");
    assertThat(child.ask("delete " + one + " due-0 1")).isEqualTo("deleted");
    fill();
    assertThat(child.ask("purge " + NOW.toEpochMilli() + " 1000")).isEqualTo("purged 39");
    assertThat(child.ask("put " + one + " new 0 #9000")).isEqualTo("written 1");
  }

  @Test
  void open_diskIsFull_opensReadsAndMakesRoom() {
    for (int i = 0; i < 10; i++) {
      assertThat(child.ask("put " + one + " due-" + i + " 0 #5000 inactive"))
          .isEqualTo("written 1");
    }
    assertThat(child.ask("close")).isEqualTo("closed");
    fill();
    assertThat(child.ask("open 5000")).isEqualTo("opened");
    assertThat(child.ask("get " + one + " a")).isEqualTo("1 v");
    assertRefused("put " + one + " new 0 #9000");
    assertThat(child.ask("purge " + NOW.toEpochMilli() + " 1000")).isEqualTo("purged 10");
    assertThat(child.ask("put " + one + " new 0 #9000")).isEqualTo("written 1");
  }

  @Test
  void purge_diskIsFullAfterAStartOfTheHost_makesRoom() {
    for (int i = 0; i < 10; i++) {
      assertThat(child.ask("put " + one + " due-" + i + " 0 #5000 inactive"))
          .isEqualTo("written 1");
    }
    assertThat(child.ask("loseHints")).isEqualTo("lost");
    assertThat(child.ask("close")).isEqualTo("closed");
    assertThat(child.ask("open 5000")).isEqualTo("opened");
    fill();
    int purged = 0;
    for (int i = 0; i < 3; i++) {
      String answer = child.ask("purge " + NOW.toEpochMilli() + " 1000");
      assertThat(answer).matches("purged \\d+|CapacityExceededException .*");
      purged += answer.startsWith("purged ") ? Integer.parseInt(answer.substring(7)) : 0;
    }
    assertThat(purged).isEqualTo(10);
  }
}
