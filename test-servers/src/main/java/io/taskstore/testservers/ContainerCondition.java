// SPDX-License-Identifier: Apache-2.0
package io.taskstore.testservers;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * What {@link IfContainers} says. Not by Testcontainers' own condition: to that, an image that
 * cannot be had is no engine.
 */
final class ContainerCondition implements ExecutionCondition {
  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    String property = context.getRequiredTestClass().getAnnotation(IfContainers.class).value();
    String choice = context.getConfigurationParameter(property).orElse("");
    return evaluate(property, choice, System.getenv(), sockets(System.getenv()));
  }

  /**
   * @param sockets where an engine may listen
   */
  static ConditionEvaluationResult evaluate(
      String property, String choice, Map<String, String> environment, List<Path> sockets) {
    return switch (choice) {
      case "testcontainers" -> ConditionEvaluationResult.enabled("asked for by " + property);
      case "server" -> ConditionEvaluationResult.disabled(property + "=server: no containers");
      case "" -> {
        if (environment.containsKey("DOCKER_HOST")) {
          yield ConditionEvaluationResult.enabled("DOCKER_HOST names an engine");
        }
        yield sockets.stream().anyMatch(ContainerCondition::isListening)
            ? ConditionEvaluationResult.enabled("an engine is there")
            : ConditionEvaluationResult.disabled(
                "no container engine listens on "
                    + sockets
                    + " and DOCKER_HOST names none; -D"
                    + property
                    + "=testcontainers fails instead");
      }
      default ->
          throw new IllegalArgumentException(
              property + " is testcontainers, server or nothing, not " + choice);
    };
  }

  private static List<Path> sockets(Map<String, String> environment) {
    List<Path> sockets = new ArrayList<>();
    sockets.add(Path.of("/var/run/docker.sock"));
    String ofUser = environment.get("XDG_RUNTIME_DIR");
    if (ofUser != null) {
      sockets.add(Path.of(ofUser, "docker.sock"));
    }
    sockets.add(Path.of(System.getProperty("user.home"), ".docker", "run", "docker.sock"));
    return sockets;
  }

  private static boolean isListening(Path socket) {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return channel.isConnected();
    } catch (IOException e) {
      return false;
    }
  }
}
