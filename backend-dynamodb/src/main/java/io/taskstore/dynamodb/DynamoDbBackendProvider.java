// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import io.taskstore.spi.BackendConfiguration;
import io.taskstore.spi.Setting;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.StorageBackendProvider;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import software.amazon.awssdk.regions.Region;

/** Opens {@code dynamodb://table?region=eu-west-1} as a {@link DynamoDbStorageBackend}. */
public final class DynamoDbBackendProvider implements StorageBackendProvider {
  private static final Setting<String> REGION =
      Setting.text("region", "The region of the table; unset: the one that the AWS SDK finds.");

  private static final Setting<String> ENDPOINT =
      Setting.text(
          "endpoint",
          "The URL of the service, for DynamoDB Local or a VPC endpoint; unset: that of the"
              + " region.");

  private static final Setting<String> PROFILE =
      Setting.text(
          "profile",
          "The profile that has credentials and region; unset: the one that the AWS SDK chooses.");

  private static final Setting<Duration> TIMEOUT =
      Setting.duration(
              "timeout",
              Durations.MIN_TIMEOUT,
              Durations.MAX_TIMEOUT,
              "How long connecting may take, and how long the service may say nothing.")
          .byDefault(Durations.DEFAULT_TIMEOUT);

  private static final Setting<Duration> EXPIRY_ALLOWANCE =
      Setting.duration(
              "expiryAllowance",
              Duration.ZERO,
              Durations.MAX_ALLOWANCE,
              "How much later than its expiry DynamoDB may drop a record, because clocks differ.")
          .byDefault(Durations.DEFAULT_ALLOWANCE);

  /** For {@link java.util.ServiceLoader}. */
  public DynamoDbBackendProvider() {}

  @Override
  public Set<String> schemes() {
    return Set.of("dynamodb");
  }

  @Override
  public String example() {
    return "dynamodb://table?region=eu-west-1";
  }

  @Override
  public List<Setting<?>> settings() {
    return List.of(REGION, ENDPOINT, PROFILE, TIMEOUT, EXPIRY_ALLOWANCE);
  }

  @Override
  public StorageBackend open(BackendConfiguration configuration) {
    DynamoDbStorageBackend.Builder builder =
        DynamoDbStorageBackend.builder(table(configuration.location()))
            .timeout(configuration.get(TIMEOUT))
            .expiryAllowance(configuration.get(EXPIRY_ALLOWANCE));
    configuration.find(REGION).map(Region::of).ifPresent(builder::region);
    configuration.find(ENDPOINT).map(DynamoDbBackendProvider::uri).ifPresent(builder::endpoint);
    configuration.find(PROFILE).ifPresent(builder::profile);
    return builder.build();
  }

  private static String table(String location) {
    if (location.startsWith("//")) {
      try {
        return DynamoDbTables.checkName(location.substring(2));
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("the url names no table: " + e.getMessage(), e);
      }
    }
    throw new IllegalArgumentException(
        "the url names no table: write dynamodb://table, with the name of the table");
  }

  private static URI uri(String text) {
    try {
      return new URI(text);
    } catch (URISyntaxException e) {
      // without the text, in which there may be credentials
      throw new IllegalArgumentException(
          "endpoint must be a URL of HTTP with a host, for example http://localhost:8000", e);
    }
  }
}
