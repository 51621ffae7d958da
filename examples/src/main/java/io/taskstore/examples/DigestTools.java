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
import io.taskstore.examples.DigestTask.Place;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The tools: one that begins a task, and five to follow it that any MCP client can call, also one
 * that knows nothing of tasks.
 */
final class DigestTools {
  private static final Owner OWNER = DigestService.OWNER;

  private final DigestService service;
  private final TaskStore store;
  private final long askAbove;
  private final McpJsonMapper json;

  /**
   * @param askAbove how many files a task digests without asking
   */
  DigestTools(DigestService service, long askAbove, McpJsonMapper json) {
    this.service = service;
    this.store = service.store();
    this.askAbove = askAbove;
    this.json = json;
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
    Map<String, Object> key =
        Map.of("type", "string", "description", "The key of the question in inputRequests.");
    Map<String, Object> action = Map.of("enum", List.of("accept", "decline", "cancel"));
    Map<String, Object> response =
        Map.of(
            "type",
            "object",
            "description",
            "The answer, as the result of an elicitation.",
            "properties",
            Map.of("action", action, "content", Map.of("type", "object")),
            "required",
            List.of("action"));
    return List.of(
        tool(
            DigestTask.METHOD,
            "Begins to digest a folder (SHA-256, lines, words and bytes of all files, totals by"
                + " file type) and returns the id of the task at once. If the folder has more than "
                + askAbove
                + " files and the client supports elicitation, the task first asks whether to go"
                + " on; it is cancelled if the answer is no, and fails if there is none in "
                + DigestTask.ANSWER_TIMEOUT.toMinutes()
                + " minutes.",
            false,
            schema(Map.of("folder", folder), "folder"),
            this::digestFolder),
        tool(
            "task_status",
            "Tells how far a task is. Call it again after pollIntervalMillis until status is"
                + " completed, failed or cancelled. While it is input_required, inputRequests has"
                + " the questions that are open. checkpoint is the file behind which another server"
                + " would go on if this one died, resumedFrom the one behind which one has.",
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
            "task_answer",
            "Answers a question that a task has asked, for clients that were not asked themselves.",
            false,
            schema(
                Map.of("taskId", taskId, "key", key, "response", response),
                "taskId",
                "key",
                "response"),
            this::answer),
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
    return status(service.start(folder, service.questions().hasClient() ? askAbove : null));
  }

  private Task task(Map<String, Object> arguments) {
    return store.get(OWNER, string(arguments, "taskId"));
  }

  private Map<String, @Nullable Object> answer(Map<String, Object> arguments) {
    Task task = task(arguments);
    String key = string(arguments, "key");
    if (!task.inputRequests().containsKey(key)) {
      throw new ToolException("Task %s has no open question %s".formatted(task.id(), key));
    }
    Object response = Objects.requireNonNull(arguments.get("response"), "response");
    return status(store.provideInput(OWNER, task.id(), Map.of(key, response)));
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
    if (!task.inputRequests().isEmpty()) {
      status.put("inputRequests", questions(task));
    }
    task.variables()
        .as(DigestTask.STATE, FolderState.class)
        .ifPresent(state -> status.put("checkpoint", place(Place.of(state))));
    task.variables()
        .as(DigestTask.RESUMED, Place.class)
        .ifPresent(place -> status.put("resumedFrom", place(place)));
    status.put("cancelRequested", task.isCancelRequested());
    status.put("pollIntervalMillis", task.pollInterval().toMillis());
    status.put("version", task.version());
    status.put("createdAt", task.createdAt().toString());
    status.put("updatedAt", task.updatedAt().toString());
    task.expiresAt().ifPresent(expiry -> status.put("expiresAt", expiry.toString()));
    return status;
  }

  private static Map<String, Object> place(Place place) {
    return Map.of("position", place.position(), "files", place.files());
  }

  private static Map<String, Object> questions(Task task) {
    Map<String, Object> questions = new LinkedHashMap<>();
    task.inputRequests()
        .forEach(
            (key, request) ->
                questions.put(
                    key,
                    Map.of(
                        "method", request.method(), "params", request.params().orElse(Map.of()))));
    return questions;
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
        tool,
        (exchange, request) -> {
          service.questions().connect(exchange, store);
          return result(body, request.arguments());
        });
  }

  /** An exception would become an error of the protocol, of which a model never hears. */
  private CallToolResult result(Body body, @Nullable Map<String, Object> arguments) {
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
