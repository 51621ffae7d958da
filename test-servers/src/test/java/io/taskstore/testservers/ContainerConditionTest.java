// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.io.TempDir;

final class ContainerConditionTest {
  @TempDir private Path directory;

  @Test
  void evaluate_noEngine_isDisabledAndSaysWhy() {
    Path socket = directory.resolve("docker.sock");
    ConditionEvaluationResult result =
        ContainerCondition.evaluate("taskstore.redis", "", Map.of(), List.of(socket));
    assertThat(result.isDisabled()).isTrue();
    assertThat(result.getReason())
        .contains(
            "no container engine listens on ["
                + socket
                + "] and DOCKER_HOST names none; -Dtaskstore.redis=testcontainers fails instead");
  }

  @Test
  void evaluate_engineThatListens_isEnabled() throws IOException {
    Path socket = directory.resolve("docker.sock");
    try (ServerSocketChannel engine = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      engine.bind(UnixDomainSocketAddress.of(socket));
      assertThat(
              ContainerCondition.evaluate("taskstore.redis", "", Map.of(), List.of(socket))
                  .isDisabled())
          .isFalse();
      assertThat(
              ContainerCondition.evaluate("taskstore.redis", "server", Map.of(), List.of(socket))
                  .isDisabled())
          .isTrue();
    }
  }

  @Test
  void evaluate_askedForOrNamedEngine_isEnabledSoThatItsAbsenceFails() {
    assertThat(
            ContainerCondition.evaluate("taskstore.redis", "testcontainers", Map.of(), List.of())
                .isDisabled())
        .isFalse();
    Map<String, String> named = Map.of("DOCKER_HOST", "tcp://nowhere.invalid:1");
    assertThat(ContainerCondition.evaluate("taskstore.redis", "", named, List.of()).isDisabled())
        .isFalse();
  }

  @Test
  void evaluate_unknownChoice_fails() {
    assertThatThrownBy(
            () -> ContainerCondition.evaluate("taskstore.redis", "docker", Map.of(), List.of()))
        .hasMessage("taskstore.redis is testcontainers, server or nothing, not docker");
  }
}
