// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.taskstore.GenericTaskStore;
import io.taskstore.TaskStore;
import io.taskstore.spi.StorageBackend;
import java.lang.reflect.Method;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.commons.support.AnnotationSupport;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;

/** The contract notices faults of the store: every seeded bug, in every one of ten runs. */
final class SeededStoresTest {
  private static final String BUG_PARAMETER = "taskstore.contract.bug";
  private static final int RUNS = 10;

  /** The contract about stores with the bug that a configuration parameter names. */
  @ExtendWith(BugResolver.class)
  static final class BuggyStores extends TaskStoreContract {
    private final SeededStoreBug bug;

    BuggyStores(SeededStoreBug bug) {
      this.bug = bug;
    }

    @Override
    protected BackendHarness newHarness() {
      return new LocalHarness(SeededBug.NONE);
    }

    @Override
    TaskStore build(
        StorageBackend onto, Clock clock, UnaryOperator<GenericTaskStore.Builder> options) {
      return SeededTaskStore.over(onto, clock, options, bug);
    }

    /** What never comes because of a bug is not worth waiting for. */
    @Override
    Duration patience() {
      return bug == SeededStoreBug.NONE ? super.patience() : Duration.ofMillis(500);
    }
  }

  static final class BugResolver implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == SeededStoreBug.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return SeededStoreBug.valueOf(context.getConfigurationParameter(BUG_PARAMETER).orElseThrow());
    }
  }

  @ParameterizedTest
  @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  void everyBug_isNoticedByTheStatementsThatNameIt_inEveryRun(SeededStoreBug bug) {
    // The first run is of all tests of these statements, the others are of those that have failed.
    Set<Method> tests = testsOf(bug.noticedBy());
    for (int run = 1; run <= RUNS; run++) {
      Set<Method> failed = failedOf(tests, bug);
      assertThat(ContractRun.idsOf(failed))
          .as("statements that fail in run %s with %s", run, bug)
          .containsAll(bug.noticedBy());
      tests = failed;
    }
  }

  @Test
  void noBug_nothingFails() {
    Set<Method> all = testsOf(List.copyOf(ContractRun.idsOf(allTests())));

    assertThat(all).isNotEmpty();
    assertThat(failedOf(all, SeededStoreBug.NONE)).as("tests that fail without a bug").isEmpty();
  }

  private static List<Method> allTests() {
    return ContractRun.testMethods(BuggyStores.class).stream()
        .filter(test -> !AnnotationSupport.isAnnotated(test, Tag.class))
        .filter(test -> !test.getName().equals(ContractBase.CLOSING_TEST))
        .toList();
  }

  /** The tests of every build that are about one of the statements. */
  private static Set<Method> testsOf(List<StatementId> statements) {
    return allTests().stream()
        .filter(test -> StatementId.ofTest(test.getName()).stream().anyMatch(statements::contains))
        .collect(Collectors.toSet());
  }

  private static Set<Method> failedOf(Set<Method> tests, SeededStoreBug bug) {
    return EngineTestKit.engine("junit-jupiter")
        .selectors(
            tests.stream()
                .map(test -> selectMethod(BuggyStores.class, test))
                .toArray(DiscoverySelector[]::new))
        .configurationParameter(BUG_PARAMETER, bug.name())
        .configurationParameter(ContractReport.FOLDER_PARAMETER, ContractReport.NO_FOLDER)
        .execute()
        .testEvents()
        .failed()
        .stream()
        .map(SeededStoresTest::methodOf)
        .collect(Collectors.toSet());
  }

  private static Method methodOf(Event event) {
    return ((MethodSource) event.getTestDescriptor().getSource().orElseThrow()).getJavaMethod();
  }
}
