// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskStorageException;
import io.taskstore.examples.StoreOption.OpenStore;
import io.taskstore.spi.BackendClosedException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StoreOptionTest {
  private static final Duration LEASE = Duration.ofSeconds(7);

  @TempDir Path temp;

  private static String resolved(String url) {
    return new StoreOption(url).resolved().url();
  }

  private OpenStore open(String url) {
    return new StoreOption(url).open(LEASE, List.of());
  }

  private static Task newTask(OpenStore opened, Path folder) {
    return opened.store().create(DigestService.OWNER, DigestTask.newTask(folder, null));
  }

  @ParameterizedTest
  @CsvSource({
    "file:/var/lib/tasks, file:/var/lib/tasks",
    "file:///var/lib/tasks, file:/var/lib/tasks",
    "file:/with space?a=b#c, file:/with space?a=b#c",
    "file:/not%20decoded, file:/not%20decoded",
    "memory:, memory:",
  })
  void url_isTakenAsItStands(String url, String expected) {
    assertThat(resolved(url)).isEqualTo(expected);
    assertThat(resolved(resolved(url))).as("again").isEqualTo(expected);
  }

  @Test
  void url_relative_isInTheWorkingDirectory() {
    assertThat(resolved("file:some/where"))
        .isEqualTo("file:" + Path.of("some/where").toAbsolutePath());
  }

  @Test
  void url_fileAlone_isTheDirectoryOfTheUser() {
    assertThat(resolved("file:")).isEqualTo("file:" + StateDirectory.ofThisUser());
    assertThat(StoreOption.DEFAULT).isEqualTo("file:");
  }

  @ParameterizedTest
  @ValueSource(strings = {"file://host/path", "file://", "file:~", "file:~/tasks", "file:\0"})
  void url_noDirectoryOfThisHost_isRefused(String url) {
    assertThatThrownBy(() -> new StoreOption(url))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("director");
  }

  @ParameterizedTest
  @CsvSource({
    "redis://user:secret@host, unknown store: redis:",
    "nonsense, unknown store: nonsense",
    "'', 'unknown store: '",
    "memory:x, unknown store: memory:",
    "FILE:/x, unknown store: FILE:",
  })
  void url_unknown_listsTheKnownOnes_andShowsNoPassword(String url, String expected) {
    assertThatThrownBy(() -> new StoreOption(url))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(expected + " (supported: file:DIRECTORY, memory:)");
  }

  @Test
  void isDurable_file_outlivesTheStore() {
    Path directory = temp.resolve("new/tasks");
    String id;
    try (OpenStore first = open("file:" + directory)) {
      id = newTask(first, temp).id();
    }

    try (OpenStore second = open("file:" + directory)) {
      assertThat(second.store().get(Owner.local(), id).method()).isEqualTo(DigestTask.METHOD);
    }
    assertThat(new StoreOption("file:" + directory).isDurable()).isTrue();
    assertThat(new StoreOption("memory:").isDurable()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void open_hasTheLease(boolean durable) throws InterruptedException {
    try (OpenStore opened = open(durable ? "file:" + temp : "memory:")) {
      Task claimed =
          opened
              .store()
              .start(Owner.local(), DigestTask.newTask(temp, null), handler -> {}, context -> null);

      assertThat(claimed.leaseUntil()).contains(claimed.createdAt().plus(LEASE));
    }
  }

  @Test
  void close_closesTheBackendToo() {
    OpenStore opened = open("file:" + temp);
    newTask(opened, temp);

    opened.closeBackend().run();

    assertThatThrownBy(() -> newTask(opened, temp))
        .isInstanceOf(TaskStorageException.class)
        .hasCauseInstanceOf(BackendClosedException.class);
    opened.close();
  }

  @Test
  void open_directoryOfSomebodyElse_saysWhichAndWhy() throws IOException {
    Path foreign = Files.createDirectory(temp.resolve("foreign"));
    Files.writeString(foreign.resolve("notes.txt"), "mine\n");

    assertThatThrownBy(() -> open("file:" + foreign))
        .isInstanceOf(StoreOption.OpeningException.class)
        .hasMessageStartingWith("the tasks cannot be kept: ")
        .hasMessageContaining(foreign.toString())
        .hasMessageNotContaining("open:");
    assertThat(foreign).isDirectoryNotContaining(file -> !file.endsWith("notes.txt"));
  }

  @Test
  void open_fileInsteadOfADirectory_saysWhichAndWhy() throws IOException {
    Path file = Files.writeString(temp.resolve("file"), "mine\n");

    assertThatThrownBy(() -> open("file:" + file))
        .isInstanceOf(StoreOption.OpeningException.class)
        .hasMessageStartingWith("the tasks cannot be kept: ")
        .hasMessageContaining(file.toString());
    assertThat(file).hasContent("mine\n");
  }
}
