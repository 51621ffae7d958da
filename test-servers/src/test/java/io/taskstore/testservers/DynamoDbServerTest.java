// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class DynamoDbServerTest {
  @Test
  void start_answersAsDynamoDb_untilClosed() throws Exception {
    HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
    HttpRequest request;
    try (DynamoDbServer server = DynamoDbServer.start()) {
      request =
          HttpRequest.newBuilder(URI.create(server.endpoint()))
              .header("X-Amz-Target", "DynamoDB_20120810.ListTables")
              .header("Content-Type", "application/x-amz-json-1.0")
              .header(
                  "Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/r/dynamodb/aws4_request")
              .POST(HttpRequest.BodyPublishers.ofString("{}"))
              .build();
      HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString(UTF_8));

      assertThat(answer.body()).isEqualTo("{\"TableNames\":[]}");
    }
    assertThatThrownBy(() -> client.send(request, HttpResponse.BodyHandlers.discarding()))
        .isInstanceOf(IOException.class);
  }
}
