// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * A SHA-256 that is a value: what has been digested so far can be stored and gone on with later, in
 * another process. The digests of the JDK cannot do that.
 *
 * <p>Of a folder it digests the listing that {@code sha256sum} prints for its files, so one SHA-256
 * stands for all files and is easily checked:
 *
 * <pre>{@code
 * find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum | sha256sum
 * }</pre>
 *
 * @param state the eight words of SHA-256's state in hexadecimal
 * @param pending bytes that do not fill a block yet, in hexadecimal
 * @param length how many bytes have been digested, with the pending ones
 */
record ListingDigest(String state, String pending, long length) {
  /** The digest of nothing. */
  static final ListingDigest EMPTY =
      new ListingDigest("6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19", "", 0);

  private static final int BLOCK = 64;

  /** The constants of FIPS 180-4, 4.2.2. */
  private static final int[] K = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
  };

  /** Returns the digest of the listing with one more file. */
  ListingDigest plus(FileDigest file) {
    return plus(line(file).getBytes(StandardCharsets.UTF_8));
  }

  /** The line that sha256sum prints: it marks the line and escapes if the name could break it. */
  private static String line(FileDigest file) {
    String path = "./" + file.path();
    String escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
    return (escaped.equals(path) ? "" : "\\") + file.sha256() + "  " + escaped + "\n";
  }

  /** Returns the digest of what has been digested so far and {@code more}. */
  ListingDigest plus(byte[] more) {
    byte[] before = HexFormat.of().parseHex(pending);
    byte[] all = new byte[before.length + more.length];
    System.arraycopy(before, 0, all, 0, before.length);
    System.arraycopy(more, 0, all, before.length, more.length);
    int[] words = words(state);
    int done = 0;
    for (; done + BLOCK <= all.length; done += BLOCK) {
      compress(words, all, done);
    }
    HexFormat hex = HexFormat.of();
    return new ListingDigest(
        text(words), hex.formatHex(all, done, all.length), length + more.length);
  }

  /** The SHA-256 of what has been digested so far, in hexadecimal. */
  String sha256() {
    int pendingLength = pending.length() / 2;
    int zeros = Math.floorMod(BLOCK - 9 - pendingLength, BLOCK);
    byte[] padding = new byte[1 + zeros + 8];
    padding[0] = (byte) 0x80;
    for (int i = 0; i < 8; i++) {
      padding[1 + zeros + i] = (byte) ((length * 8) >>> (56 - 8 * i));
    }
    return plus(padding).state;
  }

  private static int[] words(String state) {
    int[] words = new int[8];
    for (int i = 0; i < words.length; i++) {
      words[i] = HexFormat.fromHexDigits(state, 8 * i, 8 * i + 8);
    }
    return words;
  }

  private static String text(int[] words) {
    StringBuilder text = new StringBuilder(BLOCK);
    for (int word : words) {
      text.append(HexFormat.of().toHexDigits(word));
    }
    return text.toString();
  }

  /** FIPS 180-4, 6.2.2, with its names. */
  private static void compress(int[] state, byte[] data, int offset) {
    int[] w = new int[64];
    for (int t = 0; t < 16; t++) {
      int at = offset + 4 * t;
      w[t] =
          (data[at] & 0xff) << 24
              | (data[at + 1] & 0xff) << 16
              | (data[at + 2] & 0xff) << 8
              | (data[at + 3] & 0xff);
    }
    for (int t = 16; t < 64; t++) {
      int s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ (w[t - 15] >>> 3);
      int s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ (w[t - 2] >>> 10);
      w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    int a = state[0];
    int b = state[1];
    int c = state[2];
    int d = state[3];
    int e = state[4];
    int f = state[5];
    int g = state[6];
    int h = state[7];
    for (int t = 0; t < 64; t++) {
      int t1 = h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
      int t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + t1;
      d = c;
      c = b;
      b = a;
      a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }

  private static int rotr(int word, int bits) {
    return Integer.rotateRight(word, bits);
  }
}
