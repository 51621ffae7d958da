// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The document has a statement for every test, and a test, or a reason, for every statement. */
final class ContractDocumentTest {
  private static final Map<StatementId, Statements.Statement> DOCUMENT = Statements.load().byId();

  private static List<Method> tests() {
    List<Method> tests = new ArrayList<>(ContractRun.testMethods(StorageBackendContract.class));
    tests.addAll(ContractRun.testMethods(TaskStoreContract.class));
    return tests;
  }

  @Test
  void everyTest_beginsWithTheIdOfAStatement() {
    assertThat(tests())
        .allSatisfy(
            test -> assertThat(StatementId.ofTest(test.getName())).as(test.getName()).isNotEmpty());
  }

  @Test
  void everyStatement_hasATestOrAReasonForHavingNone() {
    Set<StatementId> expected = new TreeSet<>();
    for (Statements.Statement statement : DOCUMENT.values()) {
      if (statement.excluded() == null) {
        expected.add(statement.id());
      }
    }

    assertThat(new TreeSet<>(ContractRun.idsOf(tests()))).isEqualTo(expected);
  }

  @Test
  void everyStatement_isTestedInItsOwnContract() {
    assertThat(ContractRun.idsOf(ContractRun.testMethods(StorageBackendContract.class)))
        .noneMatch(id -> id.chapter() == 'S');
  }

  @Test
  void parse_statements_areRead() {
    Statements read =
        Statements.parse(
            """
            ## Basics

            - **A1** Some *text*.
            - **A12** More. *Excluded: a reason, with commas.*
            Not - **A3** this.
            """);

    assertThat(read.byId().values())
        .containsExactly(
            new Statements.Statement(new StatementId('A', 1), "Some *text*.", null),
            new Statements.Statement(new StatementId('A', 12), "More.", "a reason, with commas"));
  }

  @Test
  void parse_sameIdTwice_isRefused() {
    assertThatExceptionOfType(IllegalStateException.class)
        .isThrownBy(() -> Statements.parse("- **A1** a\n- **A1** b\n"))
        .withMessage("Statement A1 stands twice");
  }
}
