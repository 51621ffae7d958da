// SPDX-License-Identifier: Apache-2.0
package io.taskstore.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;

/** What Redis runs as one atomic step, each for one operation. */
enum Script {
  PUT("common.lua", "put.lua"),
  CREATE_WITHIN("common.lua", "create_within.lua"),
  DELETE("common.lua", "delete.lua"),
  LIST("list.lua"),
  RIGHTS("rights.lua"),
  PURGE("common.lua", "purge.lua");

  private final String text;
  private final String digest;

  Script(String... parts) {
    StringBuilder all = new StringBuilder();
    for (String part : parts) {
      all.append(read(part));
    }
    this.text = all.toString();
    try {
      // the name that Redis gives it
      byte[] sha1 = MessageDigest.getInstance("SHA-1").digest(text.getBytes(UTF_8));
      this.digest = HexFormat.of().formatHex(sha1);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-1", e);
    }
  }

  private static String read(String part) {
    try (InputStream in = Script.class.getResourceAsStream(part)) {
      return new String(Objects.requireNonNull(in, part).readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  String text() {
    return text;
  }

  String digest() {
    return digest;
  }
}
