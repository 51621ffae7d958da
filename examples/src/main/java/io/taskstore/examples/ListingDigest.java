// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.bouncycastle.crypto.digests.SHA256Digest;

/**
 * A SHA-256 that is a value: what has been digested so far can be stored and gone on with later, in
 * another process. The digests of the JDK keep their state to themselves, those of Bouncy Castle do
 * not.
 *
 * <p>Of a folder it digests the listing that {@code sha256sum} prints for its files, so one SHA-256
 * stands for all files and is easily checked:
 *
 * <pre>{@code
 * find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum | sha256sum
 * }</pre>
 *
 * @param state the state of the digest, in hexadecimal
 */
record ListingDigest(String state) {
  /** The digest of nothing. */
  static final ListingDigest EMPTY = of(new SHA256Digest());

  private static ListingDigest of(SHA256Digest digest) {
    return new ListingDigest(HexFormat.of().formatHex(digest.getEncodedState()));
  }

  private SHA256Digest digest() {
    return new SHA256Digest(HexFormat.of().parseHex(state));
  }

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
    SHA256Digest digest = digest();
    digest.update(more, 0, more.length);
    return of(digest);
  }

  /** The SHA-256 of what has been digested so far, in hexadecimal. */
  String sha256() {
    SHA256Digest digest = digest();
    byte[] sha256 = new byte[digest.getDigestSize()];
    digest.doFinal(sha256, 0);
    return HexFormat.of().formatHex(sha256);
  }
}
