// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.LongConsumer;

/**
 * What there is to know about one file.
 *
 * <p>Words are counted by the rule of {@code LC_ALL=C wc -w} in GNU coreutils 9.1: white space
 * (space, and the ASCII characters from tab to carriage return) separates words, and what lies
 * between is a word if at least one printable ASCII character is in it. Other {@code wc}s also take
 * what has none for a word. In text that is seldom a difference, in binary files it often is.
 *
 * @param path the path in the folder, with {@code /} between its parts
 * @param sha256 SHA-256 of the content in hexadecimal
 * @param lines newlines; a last line that has none is not counted, as in {@code wc -l}
 * @param words see above
 * @param bytes bytes that were read
 */
record FileDigest(String path, String sha256, long lines, long words, long bytes) {
  private static final byte PRINTABLE = 1;
  private static final byte SPACE = 2;

  /** What each byte is for the count of words; 0 for what neither makes nor ends one. */
  private static final byte[] KINDS = kinds();

  private static byte[] kinds() {
    byte[] kinds = new byte[256];
    for (int c = '!'; c <= '~'; c++) {
      kinds[c] = PRINTABLE;
    }
    for (int c = '\t'; c <= '\r'; c++) {
      kinds[c] = SPACE;
    }
    kinds[' '] = SPACE;
    return kinds;
  }

  /**
   * Reads a file to its end, once for all figures.
   *
   * @param buffer where to read into
   * @param read is told after every buffer how many bytes have been read so far; what it throws
   *     ends the reading
   */
  static FileDigest of(String path, InputStream in, byte[] buffer, LongConsumer read)
      throws IOException {
    MessageDigest sha256 = newSha256();
    long lines = 0;
    long words = 0;
    long bytes = 0;
    boolean inWord = false;
    for (int length; (length = in.read(buffer)) >= 0; ) {
      sha256.update(buffer, 0, length);
      bytes += length;
      for (int i = 0; i < length; i++) {
        byte b = buffer[i];
        if (b == '\n') {
          lines++;
        }
        byte kind = KINDS[b & 0xff];
        if (kind == PRINTABLE) {
          inWord = true;
        } else if (kind == SPACE && inWord) {
          words++;
          inWord = false;
        }
      }
      read.accept(bytes);
    }
    if (inWord) {
      words++;
    }
    return new FileDigest(path, HexFormat.of().formatHex(sha256.digest()), lines, words, bytes);
  }

  private static MessageDigest newSha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("Every Java has SHA-256", e);
    }
  }

  /**
   * The extension of the file's name, {@code (none)} if it has none. Only up to ten ASCII letters
   * and digits are an extension: what follows the dot in {@code v1.2-old} is not.
   */
  String type() {
    String name = path.substring(path.lastIndexOf('/') + 1);
    int dot = name.lastIndexOf('.');
    String extension = name.substring(dot + 1);
    return dot > 0 && extension.matches("[A-Za-z0-9]{1,10}") ? extension : "(none)";
  }
}
