// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ListingDigestTest {
  private static final String HASH = "00".repeat(32);

  @Test
  void plus_anyLength_isTheSha256OfTheJdk() throws NoSuchAlgorithmException {
    Random random = new Random(1);
    for (int length = 0; length < 300; length++) {
      byte[] data = new byte[length];
      random.nextBytes(data);
      assertThat(ListingDigest.EMPTY.plus(data).sha256())
          .as("%d bytes", length)
          .isEqualTo(jdk(data));
    }
  }

  @Test
  void plus_anyParts_isTheDigestOfTheWhole() throws NoSuchAlgorithmException {
    Random random = new Random(2);
    for (int round = 0; round < 100; round++) {
      byte[] data = new byte[random.nextInt(1_000)];
      random.nextBytes(data);
      ListingDigest digest = ListingDigest.EMPTY;
      for (int begin = 0; begin < data.length; ) {
        int end = Math.min(data.length, begin + random.nextInt(150));
        digest = digest.plus(Arrays.copyOfRange(data, begin, end));
        begin = end;
      }
      assertThat(digest.sha256()).as("round %d", round).isEqualTo(jdk(data));
    }
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '"',
      value = {
        "a.txt, '', ./a.txt",
        "sub/a b.txt, '', ./sub/a b.txt",
        "grün, '', ./grün",
        "a\\b, \\, ./a\\\\b",
        "\"a\nb\", \\, ./a\\nb",
        "\"a\rb\", \\, ./a\\rb",
      })
  void plus_file_addsTheLineOfSha256sum(String path, String mark, String printed)
      throws NoSuchAlgorithmException {
    String line = mark.replace("'", "") + HASH + "  " + printed + "\n";

    ListingDigest digest = ListingDigest.EMPTY.plus(new FileDigest(path, HASH, 0, 0, 0));

    assertThat(digest.sha256()).isEqualTo(jdk(line.getBytes(StandardCharsets.UTF_8)));
  }

  private static String jdk(byte[] data) throws NoSuchAlgorithmException {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data));
  }
}
