// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.lang.reflect.Method;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
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

/**
 * The contract notices what it says it notices: every seeded bug, in every one of three runs, and
 * of ten in the long tier.
 */
final class SeededBugsTest {
  private static final String BUG_PARAMETER = "taskstore.contract.bug";
  private static final int RUNS = 3;
  private static final int MANY_RUNS = 10;

  /** The contract over a backend with the bug that a configuration parameter names. */
  @ExtendWith(BugResolver.class)
  static final class BuggyContract extends StorageBackendContract {
    private final SeededBug bug;

    BuggyContract(SeededBug bug) {
      this.bug = bug;
    }

    @Override
    protected BackendHarness newHarness() {
      return new LocalHarness(bug);
    }

    /** What is left behind on purpose is not worth waiting for. */
    @Override
    Duration releaseBound() {
      return Duration.ofMillis(100);
    }
  }

  static final class BugResolver implements ParameterResolver {
    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
      return parameter.getParameter().getType() == SeededBug.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
      return SeededBug.valueOf(context.getConfigurationParameter(BUG_PARAMETER).orElseThrow());
    }
  }

  @ParameterizedTest
  @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  void everyBug_isNoticedByTheStatementsThatNameIt_inEveryRun(SeededBug bug) {
    assertNoticed(bug, RUNS);
  }

  @ParameterizedTest
  @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  @Tag("stress")
  void everyBug_isNoticedByTheStatementsThatNameIt_inEveryOneOfManyRuns(SeededBug bug) {
    assertNoticed(bug, MANY_RUNS);
  }

  private static void assertNoticed(SeededBug bug, int runs) {
    // The first run is of all tests of these statements, the others are of those that have failed.
    Set<Method> tests = testsOf(bug.noticedBy());
    for (int run = 1; run <= runs; run++) {
      Set<Method> failed = failedOf(tests, bug);
      assertThat(ContractRun.idsOf(failed))
          .as("statements that fail in run %s with %s", run, bug)
          .containsAll(bug.noticedBy());
      tests = failed;
    }
  }

  /** The tests of every build that are about one of the statements. */
  private static Set<Method> testsOf(List<StatementId> statements) {
    return ContractRun.testMethods(BuggyContract.class).stream()
        .filter(test -> !AnnotationSupport.isAnnotated(test, Tag.class))
        .filter(test -> StatementId.ofTest(test.getName()).stream().anyMatch(statements::contains))
        .collect(Collectors.toSet());
  }

  private static Set<Method> failedOf(Set<Method> tests, SeededBug bug) {
    return EngineTestKit.engine("junit-jupiter")
        .selectors(
            tests.stream()
                .map(test -> selectMethod(BuggyContract.class, test))
                .toArray(DiscoverySelector[]::new))
        .configurationParameter(BUG_PARAMETER, bug.name())
        .configurationParameter(ContractReport.FOLDER_PARAMETER, ContractReport.NO_FOLDER)
        .execute()
        .testEvents()
        .failed()
        .stream()
        .map(SeededBugsTest::methodOf)
        .collect(Collectors.toSet());
  }

  private static Method methodOf(Event event) {
    return ((MethodSource) event.getTestDescriptor().getSource().orElseThrow()).getJavaMethod();
  }
}
