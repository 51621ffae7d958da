// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import java.net.URI;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** Where a table is, for messages: nothing of a URL but host and port. */
record DynamoDbPlace(String service, String table) {
  static DynamoDbPlace of(DynamoDbClient client, String table) {
    URI endpoint = client.serviceClientConfiguration().endpointOverride().orElse(null);
    return new DynamoDbPlace(
        endpoint == null
            ? "DynamoDB in " + name(client.serviceClientConfiguration().region())
            : "DynamoDB at " + hostAndPort(endpoint),
        table);
  }

  private static String name(@Nullable Region region) {
    return region == null ? "an unknown region" : region.id();
  }

  private static String hostAndPort(URI endpoint) {
    return endpoint.getPort() < 0
        ? String.valueOf(endpoint.getHost())
        : endpoint.getHost() + ":" + endpoint.getPort();
  }

  @Override
  public String toString() {
    return service;
  }
}
