// SPDX-License-Identifier: Apache-2.0
package io.taskstore.examples;

import io.modelcontextprotocol.json.McpJsonMapper;
import io.modelcontextprotocol.server.McpServerFeatures.SyncToolSpecification;
import io.modelcontextprotocol.spec.McpSchema.CallToolResult;
import io.modelcontextprotocol.spec.McpSchema.Tool;
import io.modelcontextprotocol.spec.McpSchema.ToolAnnotations;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskError;
import io.taskstore.TaskPage;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.TaskStoreException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The tools: one that begins a task, and four to follow it that any MCP client can call, also one
 * that knows nothing of tasks.
 */
final class DigestTools {
  /** Whoever started this process. */
  private static final Owner OWNER = Owner.local();

  private final TaskStore store;
  private final McpJsonMapper json;
  private final Consumer<String> fileProbe;

  /**
   * @param fileProbe is told which file is being read, for tests
   */
  DigestTools(TaskStore store, McpJsonMapper json, Consumer<String> fileProbe) {
    this.store = store;
    this.json = json;
    this.fileProbe = fileProbe;
  }

  /** Something that the caller of a tool has to know, and is no fault of the server. */
  private static final class ToolException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ToolException(String message) {
      super(message);
    }
  }

  /** What a tool does: arguments, checked against its schema, to a structured result. */
  private interface Body {
    Map<String, @Nullable Object> call(Map<String, Object> arguments);
  }

  List<SyncToolSpecification> specifications() {
    Map<String, Object> taskId =
        Map.of("type", "string", "minLength", 1, "description", "The id of the task.");
    Map<String, Object> folder =
        Map.of("type", "string", "minLength", 1, "description", "The absolute path of the folder.");
    Map<String, Object> cursor =
        Map.of("type", "string", "description", "nextCursor of the page before.");
    return List.of(
        tool(
            DigestTask.METHOD,
            "Begins to digest a folder (SHA-256, lines, words and bytes of all files, totals by"
                + " file type) and returns the id of the task at once.",
            false,
            schema(Map.of("folder", folder), "folder"),
            this::digestFolder),
        tool(
            "task_status",
            "Tells how far a task is. Call it again after pollIntervalMillis until status is"
                + " completed, failed or cancelled.",
            true,
            schema(Map.of("taskId", taskId), "taskId"),
            arguments -> status(task(arguments))),
        tool(
            "task_result",
            "Returns the result of a completed task.",
            true,
            schema(Map.of("taskId", taskId), "taskId"),
            arguments -> result(task(arguments))),
        tool(
            "task_list",
            "Lists the tasks, the newest first.",
            true,
            schema(Map.of("cursor", cursor)),
            this::list),
        tool(
            "task_cancel",
            "Asks a task to stop. task_status tells when it has; a finished task stays as it is.",
            false,
            schema(Map.of("taskId", taskId), "taskId"),
            arguments -> status(store.requestCancel(OWNER, string(arguments, "taskId")))));
  }

  // --- what the tools do --------------------------------------------------------------------

  private Map<String, @Nullable Object> digestFolder(Map<String, Object> arguments) {
    Path folder;
    try {
      if (!Path.of(string(arguments, "folder")).isAbsolute()) {
        // The client does not know in which folder this server was started.
        throw new IllegalArgumentException("folder must be an absolute path");
      }
      folder = FolderDigest.folder(string(arguments, "folder"));
    } catch (IllegalArgumentException e) {
      throw new ToolException(String.valueOf(e.getMessage()));
    }
    return status(DigestTask.start(store, OWNER, folder, fileProbe));
  }

  private Task task(Map<String, Object> arguments) {
    return store.get(OWNER, string(arguments, "taskId"));
  }

  private static Map<String, @Nullable Object> status(Task task) {
    Map<String, @Nullable Object> status = new LinkedHashMap<>();
    status.put("taskId", task.id());
    status.put("status", task.status().wireName());
    task.message().ifPresent(message -> status.put("message", message));
    task.progress()
        .ifPresent(
            progress -> {
              status.put("progress", progress.done());
              progress.total().ifPresent(total -> status.put("total", total));
            });
    task.error().ifPresent(error -> status.put("error", error(error)));
    status.put("cancelRequested", task.isCancelRequested());
    status.put("pollIntervalMillis", task.pollInterval().toMillis());
    status.put("version", task.version());
    status.put("createdAt", task.createdAt().toString());
    status.put("updatedAt", task.updatedAt().toString());
    task.expiresAt().ifPresent(expiry -> status.put("expiresAt", expiry.toString()));
    return status;
  }

  private static Map<String, @Nullable Object> error(TaskError error) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("code", error.code());
    map.put("message", error.message());
    error.data().ifPresent(data -> map.put("data", data));
    return map;
  }

  private static Map<String, @Nullable Object> result(Task task) {
    return switch (task.status()) {
      case COMPLETED -> task.result().orElse(Map.of());
      case FAILED ->
          throw new ToolException(
              "Task %s failed: %s"
                  .formatted(task.id(), task.error().map(TaskError::message).orElse("no details")));
      case CANCELLED ->
          throw new ToolException("Task %s was cancelled and has no result".formatted(task.id()));
      case WORKING, INPUT_REQUIRED ->
          throw new ToolException(
              "Task %s is not finished; ask task_status until it is".formatted(task.id()));
    };
  }

  private Map<String, @Nullable Object> list(Map<String, Object> arguments) {
    TaskQuery query = TaskQuery.newestFirst();
    TaskPage page =
        store.list(
            OWNER,
            arguments.containsKey("cursor") ? query.after(string(arguments, "cursor")) : query);
    Map<String, @Nullable Object> list = new LinkedHashMap<>();
    list.put("tasks", page.tasks().stream().map(DigestTools::status).toList());
    page.nextCursor().ifPresent(cursor -> list.put("nextCursor", cursor));
    return list;
  }

  // --- how they are told to the SDK ---------------------------------------------------------

  private SyncToolSpecification tool(
      String name, String description, boolean readOnly, Map<String, Object> schema, Body body) {
    Tool tool =
        Tool.builder(name, schema)
            .description(description)
            .annotations(
                ToolAnnotations.builder()
                    .readOnlyHint(readOnly)
                    .destructiveHint(false)
                    .openWorldHint(false)
                    .build())
            .build();
    return new SyncToolSpecification(
        tool, (exchange, request) -> answer(body, request.arguments()));
  }

  /** An exception would become an error of the protocol, of which a model never hears. */
  private CallToolResult answer(Body body, @Nullable Map<String, Object> arguments) {
    try {
      Map<String, @Nullable Object> result = body.call(arguments == null ? Map.of() : arguments);
      return CallToolResult.builder()
          .structuredContent((Object) result)
          // The same again as text, for clients that know nothing of structured content.
          .addTextContent(json.writeValueAsString(result))
          .isError(false)
          .build();
    } catch (ToolException | TaskStoreException e) {
      return error(e.getMessage());
    } catch (IOException | RuntimeException e) {
      return error("internal error: " + e);
    }
  }

  private static CallToolResult error(@Nullable String message) {
    return CallToolResult.builder().addTextContent(String.valueOf(message)).isError(true).build();
  }

  private static Map<String, Object> schema(Map<String, Object> properties, String... required) {
    return Map.of(
        "type",
        "object",
        "properties",
        properties,
        "required",
        List.of(required),
        "additionalProperties",
        false);
  }

  private static String string(Map<String, Object> arguments, String name) {
    if (arguments.get(name) instanceof String text) {
      return text;
    }
    throw new ToolException("argument %s must be a string".formatted(name));
  }
}
