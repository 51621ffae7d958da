// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import java.net.URI;
import java.time.Duration;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbClientBuilder;

/** Clients that send nothing twice and read no settings of the host. */
final class Clients {
  static final Region REGION = Region.EU_WEST_1;

  static final StaticCredentialsProvider CREDENTIALS =
      StaticCredentialsProvider.create(AwsBasicCredentials.create("key", "secret"));

  private Clients() {}

  static DynamoDbClientBuilder builder(String endpoint) {
    return DynamoDbClient.builder()
        .endpointOverride(URI.create(endpoint))
        .region(REGION)
        .credentialsProvider(CREDENTIALS)
        .overrideConfiguration(o -> o.retryStrategy(DefaultRetryStrategy.doNotRetry()));
  }

  static DynamoDbClient connect(String endpoint) {
    return builder(endpoint).build();
  }

  /** The interceptor sees every request. */
  static DynamoDbClient connect(String endpoint, ExecutionInterceptor interceptor) {
    return builder(endpoint)
        .overrideConfiguration(
            o ->
                o.retryStrategy(DefaultRetryStrategy.doNotRetry())
                    .addExecutionInterceptor(interceptor))
        .build();
  }

  static DynamoDbClient connect(String endpoint, SdkHttpClient http) {
    return builder(endpoint).httpClient(http).build();
  }

  /** That gives up after some time, by interrupting its own call. */
  static DynamoDbClient connect(String endpoint, SdkHttpClient http, Duration timeout) {
    return builder(endpoint)
        .httpClient(http)
        .overrideConfiguration(
            o -> o.retryStrategy(DefaultRetryStrategy.doNotRetry()).apiCallTimeout(timeout))
        .build();
  }
}
