// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FileDigestTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      textBlock =
          """
          # content             | lines | words | bytes
          ""                    | 0 | 0 | 0
          "one"                 | 0 | 1 | 3
          "one\\n"              | 1 | 1 | 4
          "one two\\nthree"     | 1 | 3 | 13
          "one\\r\\ntwo\\r\\n"  | 2 | 2 | 10
          "\\n\\n\\n"           | 3 | 0 | 3
          "  a \\t b\\u000b\\fc " | 0 | 3 | 11
          "a\\u001cb"           | 0 | 1 | 3
          "\\u0001"             | 0 | 0 | 1
          "\\u0001a\\u0000b"    | 0 | 1 | 4
          "\\u0001 a \\u007f"   | 0 | 1 | 5
          "grün"                | 0 | 1 | 5
          """)
  void of_countsAsWcDoes(String content, int lines, int words, int bytes) throws IOException {
    byte[] data = unescape(content).getBytes(StandardCharsets.UTF_8);
    for (int bufferSize : new int[] {1, 3, 100}) {
      FileDigest digest =
          FileDigest.of("f", new ByteArrayInputStream(data), new byte[bufferSize], read -> {});
      assertThat(List.of(digest.lines(), digest.words(), digest.bytes()))
          .as("buffer of %d", bufferSize)
          .containsExactly((long) lines, (long) words, (long) bytes);
    }
  }

  private static String unescape(String text) {
    StringBuilder unescaped = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      if (text.charAt(i) == '\\' && text.charAt(i + 1) == 'u') {
        unescaped.append((char) Integer.parseInt(text.substring(i + 2, i + 6), 16));
        i += 5;
      } else {
        unescaped.append(text.charAt(i));
      }
    }
    return unescaped.toString().translateEscapes();
  }

  @Test
  void of_knownDigests() throws IOException {
    assertThat(digest("").sha256())
        .isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assertThat(digest("abc").sha256())
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }

  private static FileDigest digest(String text) throws IOException {
    byte[] data = text.getBytes(StandardCharsets.UTF_8);
    return FileDigest.of("f", new ByteArrayInputStream(data), new byte[10], read -> {});
  }

  @Test
  void of_tellsAfterEveryBufferHowMuchIsRead() throws IOException {
    List<Long> reads = new ArrayList<>();
    byte[] data = new byte[25];

    FileDigest.of("f", new ByteArrayInputStream(data), new byte[10], reads::add);

    assertThat(reads).containsExactly(10L, 20L, 25L);
  }

  @Test
  void of_randomBytes_agreesWithTheTools() throws IOException, InterruptedException {
    Tools.assumeOnPath("bash", "wc", "sha256sum");
    byte[] data = new byte[300_000];
    new Random(1).nextBytes(data);
    Path file = Files.write(folder.resolve("random.bin"), data);

    FileDigest digest;
    try (InputStream in = Files.newInputStream(file)) {
      digest = FileDigest.of("random.bin", in, new byte[1_000], read -> {});
    }

    assertThat(digest.sha256() + "  random.bin")
        .isEqualTo(Tools.shell(folder, "sha256sum random.bin"));
    assertThat(digest.lines() + " " + digest.bytes())
        .isEqualTo(Tools.shell(folder, "echo $(wc -lc < random.bin)"));
    // Where wc takes everything but white space for words, the same is had without the rest.
    String printable =
        Tools.wcCountsUnprintableWords() ? "tr -d '\\000-\\010\\016-\\037\\177-\\377' |" : "";
    assertThat(Long.toString(digest.words()))
        .isEqualTo(Tools.shell(folder, "cat random.bin | " + printable + " wc -w").strip());
  }

  @ParameterizedTest
  @CsvSource({
    "a.txt, txt",
    "src/Main.java, java",
    "a.tar.gz, gz",
    "LICENSE, (none)",
    ".gitignore, (none)",
    "src.d/file, (none)",
    "dot., (none)",
    "v1.2-old, (none)",
    "a.TXT, TXT",
    "a.elevenchars, (none)",
  })
  void type_isTheExtension(String path, String type) {
    assertThat(new FileDigest(path, "", 0, 0, 0).type()).isEqualTo(type);
  }
}
