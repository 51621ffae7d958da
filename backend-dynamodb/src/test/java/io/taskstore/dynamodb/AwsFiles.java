// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the AWS SDK finds by itself, in place of the files of this host. */
final class AwsFiles {
  private final Map<String, @Nullable String> before = new HashMap<>();

  /** Has it find these files, and not ask whether the host is one of AWS. */
  AwsFiles use(Path directory, String configuration, String credentials) throws IOException {
    set("aws.configFile", Files.writeString(directory.resolve("config"), configuration).toString());
    set(
        "aws.sharedCredentialsFile",
        Files.writeString(directory.resolve("credentials"), credentials).toString());
    return set("aws.disableEc2Metadata", "true");
  }

  /** Has it find a system property. */
  AwsFiles set(String property, String value) {
    before.putIfAbsent(property, System.getProperty(property));
    System.setProperty(property, value);
    return this;
  }

  /** Puts everything back. */
  void restore() {
    before.forEach(
        (property, value) -> {
          if (value == null) {
            System.clearProperty(property);
          } else {
            System.setProperty(property, value);
          }
        });
    before.clear();
  }
}
