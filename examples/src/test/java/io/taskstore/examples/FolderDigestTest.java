// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderDigestTest {
  private static final String ALL_FILES = "find . -type f -print0 | sort -z | ";

  @TempDir Path temp;
  private Path folder;

  @BeforeEach
  void createFolder() throws IOException {
    folder = Files.createDirectory(temp.resolve("folder"));
  }

  private Path write(String path, String content) throws IOException {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, content);
  }

  private FolderState digest() throws IOException {
    return new FolderDigest(folder, FolderState.START, watched -> {}, state -> {}).run();
  }

  private List<String> visited() throws IOException {
    List<String> visited = new ArrayList<>();
    new FolderDigest(
            folder,
            FolderState.START,
            watched -> {
              String current = watched.current();
              if (!current.isEmpty()
                  && (visited.isEmpty() || !visited.get(visited.size() - 1).equals(current))) {
                visited.add(current);
              }
            },
            state -> {})
        .run();
    return visited;
  }

  /** All that makes a folder difficult. */
  private void fill() throws IOException {
    write("a.txt", "one two\nthree");
    write("b/deep/er/x.txt", "x\n");
    write("b-1/y.md", "# y\r\n");
    write("b.c", "int main;\n");
    write("b0", "0");
    write("empty.txt", "");
    write(".hidden/.file", "hidden\n");
    write("with space.txt", "s p a c e\n");
    write("-n", "like an option\n");
    write("back\\slash", "b\n");
    write("new\nline.txt", "n\n");
    write("carriage\rreturn.txt", "r\n");
    byte[] random = new byte[200_000];
    new Random(3).nextBytes(random);
    Files.write(folder.resolve("random.bin"), random);
    Files.createDirectories(folder.resolve("empty folder/in it"));
    try {
      write("grün/\uD83D\uDE00.txt", "smile\n");
      write("grün/\uFFEE.txt", "before it in UTF-8, behind it in UTF-16\n");
    } catch (InvalidPathException e) {
      assumeThat(e).as("needs a locale in which file names are Unicode").isNull();
    }
    Files.createSymbolicLink(folder.resolve("link.txt"), Path.of("a.txt"));
    Files.createSymbolicLink(folder.resolve("link to folder"), Path.of("b"));
    Files.createSymbolicLink(folder.resolve("loop"), Path.of("."));
    Files.createSymbolicLink(folder.resolve("broken"), Path.of("nowhere"));
  }

  @Test
  void run_byHand() throws IOException {
    write("a.txt", "one two\nthree");
    write("sub/b.txt", "four\n");
    write("sub/c.md", "");
    Files.createSymbolicLink(folder.resolve("link.txt"), Path.of("a.txt"));
    Files.createSymbolicLink(folder.resolve("sub/up"), Path.of(".."));

    FolderState state = digest();

    assertThat(state.total()).isEqualTo(new Counts(3, 2, 4, 18));
    assertThat(state.types())
        .hasSize(2)
        .containsEntry("txt", new Counts(2, 2, 4, 18))
        .containsEntry("md", new Counts(1, 0, 0, 0));
    assertThat(state.largest())
        .extracting(FileDigest::path)
        .containsExactly("a.txt", "sub/b.txt", "sub/c.md");
    assertThat(state.position()).isEqualTo("sub/c.md");
    assertThat(state.skippedCount()).isZero();
  }

  @Test
  void run_emptyFolder() throws IOException {
    FolderState state = digest();

    assertThat(state).isEqualTo(FolderState.START);
    assertThat(state.total()).isEqualTo(Counts.NONE);
    assertThat(state.listing().sha256())
        .isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }

  @Test
  void run_anything_agreesWithTheTools() throws IOException, InterruptedException {
    Tools.assumeOnPath("bash", "find", "sort", "xargs", "sha256sum", "wc", "tail");
    fill();

    FolderState state = digest();

    Counts total = state.total();
    assertThat(Tools.shell(folder, "find . -type f -printf . | wc -c").strip())
        .isEqualTo(Long.toString(total.files()));
    assertThat(state.listing().sha256() + "  -")
        .isEqualTo(Tools.shell(folder, ALL_FILES + "xargs -0r sha256sum | sha256sum"));
    assertThat(total.lines() + " " + total.bytes() + " total")
        .isEqualTo(
            Tools.shell(folder, "echo $(" + ALL_FILES + "wc -lc --files0-from=- | tail -n 1)"));
    boolean wordsCompare = !Tools.wcCountsUnprintableWords();
    assumeThat(wordsCompare).as("needs a wc for which a word is printable").isTrue();
    assertThat(total.words() + " total")
        .isEqualTo(
            Tools.shell(folder, "echo $(" + ALL_FILES + "wc -w --files0-from=- | tail -n 1)"));
  }

  @Test
  void run_goesInTheOrderOfSort() throws IOException, InterruptedException {
    fill();

    List<String> visited = visited();

    assertThat(visited)
        .containsSubsequence(
            "-n",
            ".hidden/.file",
            "a.txt",
            "b-1/y.md",
            "b.c",
            "b/deep/er/x.txt",
            "b0",
            "gr\u00fcn/\uFFEE.txt",
            "gr\u00fcn/\uD83D\uDE00.txt",
            "with space.txt");
    Tools.assumeOnPath("bash", "find", "sort", "tr");
    String sorted =
        Tools.shell(folder, "find . -type f -printf '%P\\0' | sort -z | tr '\\n\\0' '?\\n'");
    assertThat(sorted.split("\n"))
        .containsExactlyElementsOf(visited.stream().map(path -> path.replace('\n', '?')).toList());
  }

  @Test
  void run_stoppedAnywhere_goesOnFromItsState() throws IOException {
    fill();
    FolderState whole = digest();
    int files = (int) whole.total().files();

    for (int stopAt = 0; stopAt < files; stopAt++) {
      int stop = stopAt;
      FolderDigest first =
          new FolderDigest(
              folder,
              FolderState.START,
              watched -> {
                if (watched.state().total().files() == stop) {
                  throw new CancellationException();
                }
              },
              state -> {});
      assertThatThrownBy(first::run).isInstanceOf(CancellationException.class);

      FolderState resumed =
          new FolderDigest(folder, first.state(), watched -> {}, state -> {}).run();

      assertThat(resumed).as("stopped at file %d", stopAt).isEqualTo(whole);
    }
  }

  @Test
  void run_finishedState_readsNothingAgain() throws IOException {
    fill();
    FolderState whole = digest();

    FolderState again =
        new FolderDigest(
                folder,
                whole,
                watched -> {
                  throw new AssertionError("reads " + watched.current());
                },
                state -> {})
            .run();

    assertThat(again).isEqualTo(whole);
  }

  @Test
  void run_knowsTheTotalsWhileItWorks() throws IOException {
    write("a", "12345");
    write("b", "123");
    List<String> seen = new ArrayList<>();

    FolderDigest digest =
        new FolderDigest(
            folder,
            FolderState.START,
            watched ->
                seen.add(
                    "%s %s %d/%d of %d"
                        .formatted(
                            watched.isCounting() ? "counting" : "reading",
                            watched.current(),
                            watched.bytes(),
                            watched.totalBytes(),
                            watched.totalFiles())),
            state -> {});
    digest.count();
    assertThat(seen).isNotEmpty().allMatch(line -> line.startsWith("counting  0/"));
    seen.clear();
    digest.run();

    assertThat(seen)
        .containsExactly(
            "reading a 0/8 of 2", "reading a 5/8 of 2", "reading b 5/8 of 2", "reading b 8/8 of 2");
  }

  @Test
  void run_checkpoints_comeWithSmallFilesAndLargeOnes_andCanBeGoneOnFrom() throws IOException {
    for (int i = 0; i < 250; i++) {
      write("small/%03d".formatted(i), "x");
    }
    write("large/a", "x".repeat(5_000_000));
    write("large/b", "x");
    List<FolderState> checkpoints = new ArrayList<>();

    FolderState whole =
        new FolderDigest(folder, FolderState.START, watched -> {}, checkpoints::add).run();

    assertThat(checkpoints)
        .extracting(FolderState::position)
        .containsExactly("large/a", "small/098", "small/198");
    for (FolderState checkpoint : checkpoints) {
      assertThat(new FolderDigest(folder, checkpoint, watched -> {}, state -> {}).run())
          .as("from %s", checkpoint.position())
          .isEqualTo(whole);
    }
  }

  @Test
  void run_counted_hasNoCheckpointBehindTheLastEntry() throws IOException {
    write("a", "x");
    write("b", "x");
    write("c", "");
    List<FolderState> checkpoints = new ArrayList<>();
    FolderDigest digest =
        new FolderDigest(folder, FolderState.START, watched -> {}, checkpoints::add, 1);
    digest.count();

    FolderState end = digest.run();

    assertThat(end.position()).isEqualTo("c");
    assertThat(checkpoints).extracting(FolderState::position).containsExactly("a", "b");
  }

  @Test
  void run_fileVanishes_isSkipped() throws IOException {
    write("a", "a");
    Path gone = write("b", "b");
    write("c", "c");

    FolderState state =
        new FolderDigest(
                folder,
                FolderState.START,
                watched -> {
                  if (watched.current().equals("b")) {
                    delete(gone);
                  }
                },
                checkpoint -> {})
            .run();

    assertThat(state.total().files()).isEqualTo(2);
    assertThat(state.skippedCount()).isEqualTo(1);
    assertThat(state.skipped()).containsExactly("b: it has vanished");
    assertThat(state.position()).isEqualTo("c");
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void run_fileBecomesLink_isSkipped() throws IOException {
    Path secret = Files.writeString(temp.resolve("secret"), "secret");
    Path file = write("b", "b");

    FolderState state =
        new FolderDigest(
                folder,
                FolderState.START,
                watched -> {
                  if (watched.current().equals("b")) {
                    delete(file);
                    link(file, secret);
                  }
                },
                checkpoint -> {})
            .run();

    assertThat(state.total()).isEqualTo(Counts.NONE);
    assertThat(state.skipped()).singleElement().asString().startsWith("b: ");
  }

  private static void link(Path link, Path target) {
    try {
      Files.createSymbolicLink(link, target);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void run_unreadable_isSkipped() throws IOException {
    write("a", "a");
    Path file = write("b", "b");
    Path sub = write("sub/c", "c").getParent();
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
    Files.setPosixFilePermissions(sub, PosixFilePermissions.fromString("---------"));
    boolean readable = Files.isReadable(file);
    try {
      assumeThat(readable).as("needs a user who is refused something, not root").isFalse();

      FolderState state = digest();

      assertThat(state.total().files()).isEqualTo(1);
      assertThat(state.skipped())
          .containsExactly("b: permission denied", "sub/: permission denied");
    } finally {
      Files.setPosixFilePermissions(sub, PosixFilePermissions.fromString("rwx------"));
    }
  }

  @Test
  void run_nameThatIsNotUtf8_isSkipped() throws IOException, InterruptedException {
    Tools.assumeOnPath("bash", "uname");
    assumeThat(Tools.shell(folder, "uname")).as("needs names of any bytes").isEqualTo("Linux");
    write("a", "a");
    Tools.shell(folder, "echo x > $'b\\xff'; mkdir $'c\\xff'; echo x > $'c\\xff/d'");

    FolderState state = digest();

    assertThat(state.total().files()).isEqualTo(1);
    assertThat(state.skippedCount()).isEqualTo(2);
    assertThat(state.skipped()).allMatch(skipped -> skipped.endsWith(": its name is not UTF-8"));
  }

  @Test
  void run_folderIsGone_fails() throws IOException {
    Files.delete(folder);

    assertThatThrownBy(this::digest).isInstanceOf(IOException.class);
  }

  @Test
  void state_anyFolder_staysSmall() {
    FolderState state = FolderState.START;
    for (int i = 0; i < 1_000; i++) {
      state = state.plus(new FileDigest("file." + i, "00".repeat(32), 1, 1, i));
      state = state.skip("skipped." + i, "reason");
    }

    assertThat(state.types()).hasSize(101);
    assertThat(state.types().get("(other)").files()).isEqualTo(900);
    assertThat(state.total()).isEqualTo(new Counts(1_000, 1_000, 1_000, 499_500));
    assertThat(state.largest())
        .extracting(FileDigest::path)
        .containsExactly("file.999", "file.998", "file.997", "file.996", "file.995");
    assertThat(state.skippedCount()).isEqualTo(1_000);
    assertThat(state.skipped()).hasSize(10);
  }

  @Test
  void folder_link_isWhereItLeads() throws IOException {
    Path link = Files.createSymbolicLink(temp.resolve("link"), folder);

    assertThat(FolderDigest.folder(link.toString())).isEqualTo(folder.toRealPath());
  }

  @Test
  void folder_mistakes_areNamed() throws IOException {
    Path file = write("file", "");

    assertThatThrownBy(() -> FolderDigest.folder("/no/such"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no such folder: /no/such");
    assertThatThrownBy(() -> FolderDigest.folder(file.toString()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("not a folder: " + file);
    assertThatThrownBy(() -> FolderDigest.folder(file + "/x"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(file + "/x");
    assertThatThrownBy(() -> FolderDigest.folder("nul\0"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("not the name of a folder: ");
  }
}
