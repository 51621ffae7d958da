// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.taskstore.dynamodb.DynamoDbTables;
import io.taskstore.testservers.DynamoDbServer;
import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** The table that the demo does not make by itself. */
final class DynamoDbTable {
  static final String NAME = "tasks";

  private DynamoDbTable() {}

  /** Makes it, and returns its URL. */
  static String make(DynamoDbServer server) {
    try (DynamoDbClient client =
        DynamoDbClient.builder()
            .endpointOverride(URI.create(server.endpoint()))
            .region(Region.EU_WEST_1)
            .credentialsProvider(
                StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local")))
            .build()) {
      DynamoDbTables.create(client, NAME);
    }
    return url(server.port());
  }

  static String url(int port) {
    return "dynamodb://" + NAME + "?region=eu-west-1&endpoint=http://127.0.0.1:" + port;
  }
}
