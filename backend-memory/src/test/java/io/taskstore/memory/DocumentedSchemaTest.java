// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static io.taskstore.TaskChange.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.VariablesRejectedException;
import io.taskstore.VariablesValidator;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The validator by JSON Schema in {@code docs/tasks.md} does what it is said to do. */
class DocumentedSchemaTest {
  private static final String HEADING = "## Checking variables against a JSON Schema";
  private static final Owner ALICE = Owner.subject("alice");

  @TempDir Path output;

  private final MemoryStorageBackend backend = MemoryStorageBackend.builder().build();
  private GenericTaskStore store;

  @BeforeEach
  void compile() throws Exception {
    VariablesValidator validator =
        DocumentedCode.instance(
            VariablesValidator.class,
            HEADING,
            output,
            String.class,
            DocumentedCode.block(HEADING, "json"));
    store = GenericTaskStore.builder(backend).variablesValidator(validator).build();
  }

  @AfterEach
  void close() {
    backend.close();
  }

  @Test
  void variables_thatFit_areStored_andMayBeRemoved() {
    Task task =
        store.create(ALICE, NewTask.of("digest").set("count", 3).set("files", List.of("a")));

    task = store.update(task, change().set("count", 1.0).remove("files"));

    assertThat(task.variables().asMap()).hasSize(1).containsEntry("count", 1L);
  }

  @Test
  void variables_thatDoNotFit_areRefusedInTheWordsOfTheDocument() throws Exception {
    Task task = store.create(ALICE, NewTask.of("digest"));
    String message = DocumentedCode.block(HEADING, "text").strip();

    assertThatExceptionOfType(VariablesRejectedException.class)
        .isThrownBy(
            () ->
                store.update(
                    task,
                    change()
                        .set("count", "many")
                        .set("files", List.of("a", 7))
                        .set("colour", "red")))
        .withMessage(message)
        .satisfies(
            e ->
                assertThat(e.violations())
                    .extracting(VariablesValidator.Violation::variable)
                    .containsExactly("/count", "/files/1", ""));
    assertThat(store.get(ALICE, task.id()).version()).isEqualTo(1);
  }
}
