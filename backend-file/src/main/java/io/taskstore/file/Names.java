// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Names of files and directories for partitions and ids: any text becomes a name that every file
 * system takes, also one that ignores case, and two texts never the same.
 *
 * <p>Lower-case letters, digits, {@code -} and {@code _} stay; other bytes of the UTF-8 form become
 * {@code %xx}. A name over {@value #MAX_LENGTH} characters is cut and gets a hash of the whole, and
 * can then not be turned back.
 */
final class Names {
  private static final int MAX_LENGTH = 120;
  private static final int KEPT = 80;
  private static final String HASH_MARK = "%%";
  private static final int HASH_CHARS = 32;

  /** Windows has devices of these names in every directory, with any extension. */
  private static final Set<String> RESERVED =
      Set.of(
          "con", "prn", "aux", "nul", "com0", "com1", "com2", "com3", "com4", "com5", "com6",
          "com7", "com8", "com9", "lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7",
          "lpt8", "lpt9");

  private Names() {}

  static String encode(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    StringBuilder name = new StringBuilder(utf8.length + 8);
    for (byte b : utf8) {
      if (stays(b)) {
        name.append((char) b);
      } else {
        name.append('%').append(HexFormat.of().toHexDigits(b));
      }
    }
    if (name.length() > MAX_LENGTH) {
      int end = KEPT;
      if (name.charAt(end - 1) == '%') {
        end -= 1;
      } else if (name.charAt(end - 2) == '%') {
        end -= 2;
      }
      String hash = HexFormat.of().formatHex(sha256().digest(utf8)).substring(0, HASH_CHARS);
      return name.substring(0, end) + HASH_MARK + hash;
    }
    String plain = name.toString();
    return RESERVED.contains(plain) ? "%" + plain : plain;
  }

  private static boolean stays(byte b) {
    return (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '-' || b == '_';
  }

  /** The text of a name; null if the name has a hash, or is none of ours. */
  static @Nullable String decode(String name) {
    String rest =
        name.startsWith("%") && RESERVED.contains(name.substring(1)) ? name.substring(1) : name;
    if (rest.contains(HASH_MARK) || name.length() > MAX_LENGTH || RESERVED.contains(name)) {
      return null;
    }
    if (rest.chars().allMatch(c -> c < 0x80 && stays((byte) c))) {
      return rest; // nearly all
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(rest.length());
    for (int i = 0; i < rest.length(); i++) {
      char c = rest.charAt(i);
      if (c == '%') {
        if (i + 2 >= rest.length() || !isHex(rest.charAt(i + 1)) || !isHex(rest.charAt(i + 2))) {
          return null;
        }
        int b = HexFormat.fromHexDigits(rest, i + 1, i + 3);
        if (stays((byte) b)) {
          return null; // then two names would have one text
        }
        bytes.write(b);
        i += 2;
      } else if (c < 0x80 && stays((byte) c)) {
        bytes.write(c);
      } else {
        return null;
      }
    }
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes.toByteArray()))
          .toString();
    } catch (CharacterCodingException e) {
      return null;
    }
  }

  /** What a name that was cut tells of its text; null if it tells nothing, or is none of ours. */
  static @Nullable String beginning(String name) {
    int mark = name.indexOf(HASH_MARK);
    String beginning = null;
    // A character may have been cut.
    for (int end = mark; end > 0 && beginning == null; end--) {
      beginning = decode(name.substring(0, end));
    }
    return beginning;
  }

  private static boolean isHex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  }

  /** Whether a name can be turned back. */
  static boolean isPlain(String name) {
    return !name.contains(HASH_MARK);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
