// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.Comparator;
import org.junit.jupiter.api.MethodDescriptor;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.MethodOrdererContext;

/**
 * Runs the tests in the order of the document, and {@link ContractBase#CLOSING_TEST} at the end.
 */
final class StatementOrder implements MethodOrderer {
  private static final StatementId OTHERS = new StatementId('Z', 0);

  @Override
  public void orderMethods(MethodOrdererContext context) {
    context
        .getMethodDescriptors()
        .sort(
            Comparator.comparing((MethodDescriptor test) -> isLast(test))
                .thenComparing(StatementOrder::firstId)
                .thenComparing(test -> test.getMethod().getName()));
  }

  private static boolean isLast(MethodDescriptor test) {
    return test.getMethod().getName().equals(ContractBase.CLOSING_TEST);
  }

  private static StatementId firstId(MethodDescriptor test) {
    return StatementId.ofTest(test.getMethod().getName()).stream().findFirst().orElse(OTHERS);
  }
}
