// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.taskstore.GenericTaskStore;
import io.taskstore.TaskListener;
import io.taskstore.TaskStore;
import io.taskstore.spi.StorageBackend;
import java.lang.reflect.Method;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
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

/**
 * The contract notices faults of the store: every seeded bug, in every one of three runs, and of
 * ten in the long tier.
 */
final class SeededStoresTest {
  private static final String BUG_PARAMETER = "taskstore.contract.bug";
  private static final int RUNS = 3;
  private static final int MANY_RUNS = 10;

  /** The contract about stores with the bug that a configuration parameter names. */
  @ExtendWith(BugResolver.class)
  static final class BuggyStores extends TaskStoreContract {
    private final SeededStoreBug bug;

    /** Those of the store that a thread is making. */
    private final ThreadLocal<List<SeededWatchingStore.Listener>> listeners =
        ThreadLocal.withInitial(ArrayList::new);

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
      // The listeners are added, if there are any, while the options are applied.
      List<SeededWatchingStore.Listener> added = new ArrayList<>();
      listeners.set(added);
      return SeededWatchingStore.over(
          onto,
          clock,
          options,
          bug,
          added,
          (line, time, all) -> SeededTaskStore.over(line, time, all, bug));
    }

    @Override
    GenericTaskStore.Builder listening(GenericTaskStore.Builder options, TaskListener listener) {
      SeededWatchingStore.Listener seeded = new SeededWatchingStore.Listener(listener, bug);
      listeners.get().add(seeded);
      return options.listener(seeded);
    }

    @Override
    int soakTasks() {
      return bug == SeededStoreBug.NONE ? super.soakTasks() : 50;
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
    assertNoticed(bug, RUNS);
  }

  @ParameterizedTest
  @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
  @Tag("stress")
  void everyBug_isNoticedByTheStatementsThatNameIt_inEveryOneOfManyRuns(SeededStoreBug bug) {
    assertNoticed(bug, MANY_RUNS);
  }

  private static void assertNoticed(SeededStoreBug bug, int runs) {
    for (StatementId statement : bug.noticedBy()) {
      assertThat(testsOf(List.of(statement)).stream().sorted(Comparator.comparing(Method::getName)))
          .as("tests of %s, of which one notices %s in every run", statement, bug)
          .anyMatch(test -> failsInEveryRun(test, bug, runs));
    }
  }

  private static boolean failsInEveryRun(Method test, SeededStoreBug bug, int runs) {
    return IntStream.range(0, runs).noneMatch(run -> failedOf(Set.of(test), bug).isEmpty());
  }

  /** Its writes are guarded all the same, so the soak must see that a worker was too early. */
  @Test
  void workersWhoDoNotWaitForTheLease_areNoticedByTheSoak() {
    Set<Method> soak =
        allTests().stream()
            .filter(test -> test.getName().equals(TaskSoakStatements.SOAK))
            .collect(Collectors.toSet());

    assertThat(soak)
        .hasSize(1)
        .allMatch(
            test -> failsInEveryRun(test, SeededStoreBug.LIVING_LEASE_IS_IGNORED_BY_RESUME, RUNS));
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
