// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.json.TypeRef;
import io.modelcontextprotocol.server.McpSyncServerExchange;
import io.modelcontextprotocol.spec.McpSchema.ClientCapabilities;
import io.modelcontextprotocol.spec.McpSchema.ElicitFormRequest;
import io.taskstore.InputRequest;
import io.taskstore.Task;
import io.taskstore.TaskEndedException;
import io.taskstore.TaskEvent;
import io.taskstore.TaskListener;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskStore;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Carries the questions of tasks to the client, as elicitations of MCP, and its answers back to the
 * tasks. A question stays in its task until it is answered; here it waits only for a client that
 * can be asked.
 */
final class Questions implements TaskListener {
  private static final System.Logger LOGGER = System.getLogger(Questions.class.getName());

  private final Executor executor;
  private final McpJsonMapper json;
  private final Queue<Task> waiting = new ConcurrentLinkedQueue<>();
  private volatile @Nullable Consumer<Task> client;

  /**
   * @param executor waits for the answers, one thread for each task
   */
  Questions(Executor executor, McpJsonMapper json) {
    this.executor = executor;
    this.json = json;
  }

  @Override
  public void onEvent(TaskEvent event) {
    // A task that is resumed may have a question open that its last server has asked.
    if (event instanceof TaskEvent.InputRequested asked) {
      carry(asked.task());
    } else if (event instanceof TaskEvent.LeaseTaken resumed) {
      carry(resumed.task());
    }
  }

  /** Hears from the client; from now on it is asked, if it supports that. */
  void connect(McpSyncServerExchange exchange, TaskStore store) {
    if (client == null && supportsElicitation(exchange.getClientCapabilities())) {
      client = task -> ask(exchange, store, task);
      carryAll();
    }
  }

  private static boolean supportsElicitation(@Nullable ClientCapabilities capabilities) {
    ClientCapabilities.Elicitation elicitation =
        capabilities == null ? null : capabilities.elicitation();
    // Clients that name no mode support forms; there are some that support links only.
    return elicitation != null && (elicitation.form() != null || elicitation.url() == null);
  }

  /** Whether there is a client that can be asked. */
  boolean hasClient() {
    return client != null;
  }

  private void carry(Task task) {
    waiting.add(task);
    carryAll();
  }

  private void carryAll() {
    Consumer<Task> to = client;
    if (to != null) {
      for (Task task; (task = waiting.poll()) != null; ) {
        Task next = task;
        executor.execute(() -> to.accept(next));
      }
    }
  }

  /** Asks the client what the task asks, and waits for the answers. */
  private void ask(McpSyncServerExchange exchange, TaskStore store, Task seen) {
    try {
      Task task = store.get(seen.owner(), seen.id()); // it may have waited for the client for long
      for (Map.Entry<String, InputRequest> entry : task.inputRequests().entrySet()) {
        ElicitFormRequest question =
            json.convertValue(entry.getValue().params().orElseThrow(), ElicitFormRequest.class);
        Map<String, Object> answer =
            json.convertValue(exchange.createElicitation(question), new TypeRef<>() {});
        store.provideInput(task.owner(), task.id(), Map.of(entry.getKey(), answer));
      }
    } catch (TaskEndedException | TaskNotFoundException e) {
      // Nobody needs the answer any more.
    } catch (RuntimeException e) {
      if (!Thread.currentThread().isInterrupted()) { // the server ends
        LOGGER.log(
            System.Logger.Level.WARNING,
            "The client was asked for {0} and has not answered: {1}",
            seen,
            e.toString());
      }
    }
  }
}
