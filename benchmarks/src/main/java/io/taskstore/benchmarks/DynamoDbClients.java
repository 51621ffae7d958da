// SPDX-License-Identifier: Apache-2.0
package io.taskstore.benchmarks;

import java.net.URI;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** Clients that a backend takes, with credentials that DynamoDB Local takes. */
final class DynamoDbClients {
  private DynamoDbClients() {}

  /** One like that of the backend. */
  static DynamoDbClient of(String endpoint, ExecutionInterceptor... interceptors) {
    return of(endpoint, Apache5HttpClient.builder().maxConnections(256), interceptors);
  }

  static DynamoDbClient of(
      String endpoint, SdkHttpClient.Builder<?> http, ExecutionInterceptor... interceptors) {
    return DynamoDbClient.builder()
        .endpointOverride(URI.create(endpoint))
        .region(Region.US_EAST_1)
        .credentialsProvider(
            StaticCredentialsProvider.create(AwsBasicCredentials.create("local", "local")))
        .httpClientBuilder(http)
        .overrideConfiguration(
            options -> {
              options.retryStrategy(DefaultRetryStrategy.doNotRetry());
              for (ExecutionInterceptor interceptor : interceptors) {
                options.addExecutionInterceptor(interceptor);
              }
            })
        .build();
  }
}
